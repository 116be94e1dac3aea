/* health.h: GET /healthz, for load balancers and the supervisor. */
#ifndef DROVER_ROUTE_HEALTH_H
#define DROVER_ROUTE_HEALTH_H

#include "http/app.h"

/* 200 "ok" when the database and the signer answer; 503 names what is away. What was found is
 * told again for a second, so that asking often costs neither of them. */
handler_fn health_handle;

#endif
