/*
 * gate.h: who is asking. The gate of a row runs in two steps: what can be seen without the body
 * (certificate in a variable or header, API key), then, once the body was read, Mdm-Signature.
 *
 * Towards a device a refusal is a bare 400 or 403, never 401, which would make it leave: 400 no
 * identity or a broken one, 403 one that does not count. Not being able to tell is 503.
 */
#ifndef DROVER_ROUTE_GATE_H
#define DROVER_ROUTE_GATE_H

#include "http/app.h"
#include "route/route.h"

struct gatekeeper;

/* What a process remembers: verified certificates, keys of the API, failures of addresses.
 * INVALID: an entry of proxy_trust is neither an address nor a net. */
enum outcome gate_new(const struct conf *conf, struct gatekeeper **out, struct err *err) MUST_USE;
void gate_free(struct gatekeeper **g);

/* Before the body. False: resp holds the refusal. */
bool gate_enter(struct app *app, const struct route *row, struct req *req, struct caller *caller,
                struct resp *resp);
/* With the body. False: resp holds the refusal. */
bool gate_admit(struct app *app, const struct route *row, struct req *req, struct caller *caller,
                struct resp *resp);

/* The gates that are more than a look; gate.c calls them. */
bool gate_device_enter(struct app *app, struct req *req, struct caller *caller, struct resp *resp);
bool gate_device_admit(struct app *app, struct req *req, struct caller *caller, struct resp *resp);
bool gate_api_enter(struct app *app, const struct route *row, struct req *req,
                    struct caller *caller, struct resp *resp);
bool gate_console_enter(struct app *app, const struct route *row, struct req *req,
                        struct caller *caller, struct resp *resp);
bool gate_console_admit(struct app *app, const struct route *row, struct req *req,
                        struct caller *caller, struct resp *resp);

#endif
