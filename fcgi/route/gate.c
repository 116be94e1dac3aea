/* gate.c: makes a gate and chooses what a row asks for. */
#include "route/gate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "route/gate_state.h"

/* The CGI variable in which a header arrives (RFC 3875 section 4.1.18). */
static void header_variable(const char *header, char *out, size_t room)
{
    snprintf(out, room, "HTTP_%s", header);
    for (char *p = out; *p; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

enum outcome gate_new(const struct conf *conf, struct gatekeeper **out, struct err *err)
{
    enum outcome o = OK;
    struct gatekeeper *g = calloc(1, sizeof *g);
    *out = NULL;
    if (!g)
        return err_set(err, ERROR, "out of memory");
    g->certs = known_certs_new();
    g->failures = known_failures_new();
    g->keys = known_keys_new();
    if (!g->certs || !g->failures || !g->keys) {
        o = err_set(err, ERROR, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < conf->proxy_trust.n; i++, g->nproxies++)
        if (!net_parse(conf->proxy_trust.item[i], &g->proxies[i])) {
            o = err_set(err, INVALID, "%s: [proxy] trust: \"%s\" is neither an address nor a net",
                        conf->path, conf->proxy_trust.item[i]);
            goto out;
        }
    if (g->nproxies && conf->proxy_header[0])
        header_variable(conf->proxy_header, g->proxy_var, sizeof g->proxy_var);
    *out = g;
    g = NULL;
out:
    gate_free(&g);
    return o;
}

void gate_free(struct gatekeeper **g)
{
    if (!*g)
        return;
    known_certs_free(&(*g)->certs);
    known_failures_free(&(*g)->failures);
    known_keys_free(&(*g)->keys);
    free(*g);
    *g = NULL;
}

bool gate_enter(struct app *app, const struct route *row, struct req *req, struct caller *caller,
                struct resp *resp)
{
    switch (row->gate) {
    case GATE_OPEN:
        return true;
    case GATE_DEVICE:
        return gate_device_enter(app, req, caller, resp);
    case GATE_API:
        return gate_api_enter(app, row, req, caller, resp);
    case GATE_CONSOLE:
        return gate_console_enter(app, row, req, caller, resp);
    }
    resp_bare(resp, 500, "a row without a gate");
    return false;
}

bool gate_admit(struct app *app, const struct route *row, struct req *req, struct caller *caller,
                struct resp *resp)
{
    if (row->gate == GATE_CONSOLE)
        return gate_console_admit(app, row, req, caller, resp);
    return row->gate != GATE_DEVICE || gate_device_admit(app, req, caller, resp);
}
