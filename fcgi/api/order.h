/* order.h: commands by name in the HTTP API: what order.c and approvals.c share. */
#ifndef DROVER_API_ORDER_H
#define DROVER_API_ORDER_H

#include "api/api.h"
#include "command/order.h"
#include "store/approval.h"

/* Reads the body of POST /api/v1/commands into *o; the keys belong to body. device: the only target
 * (of POST /api/v1/devices/{id}/commands), or NULL. False: resp holds the refusal. */
bool order_read(struct req *req, struct resp *resp, js body, const char *device, struct order *o);
/* What became of an order that order_run() has run: 200 when all took it, 207 when some did, 422
 * when none. a: the arena that it was run in; by: the approval by which it was queued before, or
 * NULL. */
void order_answer(struct arena *a, struct resp *resp, const struct order *o,
                  const struct approval *by);
/* POST /api/v1/devices/{id}/commands/{uuid}/retry (retry.c). */
void retry_device(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                  const char *ident, const char *uuid);
/* A second person is asked: 202. */
void approval_asked(struct resp *resp, const struct approval *x);
/* Why order_run() would not, with what was found. */
void order_refuse(struct resp *resp, const struct order *o, const struct err *err);

#endif
