/* order.h: commands by name in the HTTP API: what order.c and approvals.c share. */
#ifndef DROVER_API_ORDER_H
#define DROVER_API_ORDER_H

#include "api/api.h"
#include "command/order.h"

/* Reads the body of POST /api/v1/commands into *o; the keys belong to body. device: the only target
 * (of POST /api/v1/devices/{id}/commands), or NULL. False: resp holds the refusal. */
bool order_read(struct req *req, struct resp *resp, js body, const char *device, struct order *o);
/* Runs it and answers: 200 when all took it, 207 when some did, 422 when none. */
void order_do(struct app *app, struct req *req, struct resp *resp, struct db *db, const char *actor,
              struct order *o);

#endif
