/*
 * routes.c: every address that Drover answers. The first row whose path and method fit is taken;
 * a new page or message is one row here and one file.
 */
#include "route/route.h"

#include "base/limits.h"
#include "enrollment/profile.h"
#include "route/health.h"
#include "scep/scep.h"

#define BOTH (PROGRAM_MDM | PROGRAM_CONSOLE)

const struct route routes[] = {
    /* programs, methods, path, gate, handler, body_max, types, scope */
    {BOTH, METHOD_GET, "/healthz", GATE_OPEN, health_handle, 0, NULL, NULL},
    {PROGRAM_MDM, METHOD_GET | METHOD_POST, "/scep", GATE_OPEN, scep_handle, LIM_BODY_SCEP, NULL,
     NULL},
    {PROGRAM_MDM, METHOD_GET, "/enroll", GATE_OPEN, enroll_handle, 0, NULL, NULL},
    {PROGRAM_MDM, METHOD_GET, "/enroll/*", GATE_OPEN, enroll_handle, 0, NULL, NULL},
};
const size_t routes_n = sizeof routes / sizeof routes[0];
