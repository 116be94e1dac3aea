/* gate_state.h: what the files of the gate share. */
#ifndef DROVER_ROUTE_GATE_STATE_H
#define DROVER_ROUTE_GATE_STATE_H

#include "base/net.h"
#include "route/gate.h"
#include "route/known.h"

#include <pthread.h>

struct known_keys; /* gate_api.c */
struct known_keys *known_keys_new(void);
void known_keys_free(struct known_keys **k);

struct gatekeeper {
    struct known_certs *certs;
    struct known_failures *failures;
    struct known_keys *keys;
    struct net proxies[CONF_LIST_MAX];
    size_t nproxies;
    char proxy_var[72]; /* "HTTP_CLIENT_CERT"; "" without a proxy */
};

#endif
