/*
 * routes.c: every address that Drover answers. The first row whose path and method fit is taken;
 * a new page or message is one row here and one file.
 */
#include "route/route.h"

#include "base/limits.h"
#include "checkin/checkin.h"
#include "connect/connect.h"
#include "enrollment/profile.h"
#include "route/health.h"
#include "route/mdm.h"
#include "scep/scep.h"

#define BOTH (PROGRAM_MDM | PROGRAM_CONSOLE)

const struct route routes[] = {
    /* programs, methods, path, gate, handler, body_max, types, scope */
    {BOTH, METHOD_GET, "/healthz", GATE_OPEN, health_handle, 0, NULL, NULL},
    /* devices: any content type, as old systems and proxies change it */
    {PROGRAM_MDM, METHOD_PUT | METHOD_POST, "/mdm/checkin", GATE_DEVICE, checkin_handle,
     LIM_BODY_CHECKIN, NULL, NULL},
    {PROGRAM_MDM, METHOD_PUT | METHOD_POST, "/mdm/connect", GATE_DEVICE, connect_handle,
     LIM_BODY_CONNECT, NULL, NULL},
    {PROGRAM_MDM, METHOD_PUT | METHOD_POST, "/mdm", GATE_DEVICE, mdm_handle, LIM_BODY_CONNECT, NULL,
     NULL},
    {PROGRAM_MDM, METHOD_GET | METHOD_POST, "/scep", GATE_OPEN, scep_handle, LIM_BODY_SCEP, NULL,
     NULL},
    {PROGRAM_MDM, METHOD_GET, "/enroll", GATE_OPEN, enroll_handle, 0, NULL, NULL},
    {PROGRAM_MDM, METHOD_GET, "/enroll/*", GATE_OPEN, enroll_handle, 0, NULL, NULL},
};
const size_t routes_n = sizeof routes / sizeof routes[0];
