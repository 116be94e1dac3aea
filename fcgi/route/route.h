/*
 * route.h: THE url table (routes.c) and what enforces it (route.c). A row names method, path,
 * gate, handler, body ceiling and content types; nothing reaches a handler that its row forbids.
 */
#ifndef DROVER_ROUTE_ROUTE_H
#define DROVER_ROUTE_ROUTE_H

#include "http/app.h"

enum program { PROGRAM_MDM = 1, PROGRAM_CONSOLE = 2 };

enum gate {
    GATE_OPEN,   /* anybody */
    GATE_DEVICE, /* a device's certificate, by variable, signature or trusted proxy */
    GATE_API,    /* an API key, HTTP Basic */
    GATE_CONSOLE /* a signed-in administrator */
};

/* Whom a row is open to, of those whose account or key is limited to some groups
 * (store/scope.h). */
enum reach {
    REACH_ALL,   /* to nobody: it tells of more than devices, or acts on more */
    REACH_SCOPED /* to all: what its handler tells and does goes through statements that take the
                  * scope, or is about no device */
};

struct route {
    int programs;     /* PROGRAM_* that answer it */
    int methods;      /* METHOD_* */
    const char *path; /* exact, or a prefix when it ends in '*' */
    enum gate gate;
    handler_fn *handler;
    size_t body_max;   /* 0: no body */
    const char *types; /* allowed media types, space-separated; NULL: any */
    const char *scope; /* GATE_API: the scope the key must have; NULL: any key. GATE_CONSOLE: the
                        * permission the role must have (store/role.h); NULL: nobody passes */
    enum reach reach;
    const char *query; /* the parameters that are taken, space-separated: another one is refused,
                        * since a filter that is mistyped would be none; NULL: any, as NanoMDM */
};

extern const struct route routes[];
extern const size_t routes_n;

/* Finds the row, enforces it, lets the gate identify the caller, calls the handler. 400 (a query
 * that the row does not take), 404, 405 (with Allow), 413, 415 and the gate's refusals are answered
 * here. The body is read once the declared length was admitted and the gate has seen what it can
 * see without it. */
void route_run(struct app *app, enum program program, struct req *req, struct resp *resp);

#endif
