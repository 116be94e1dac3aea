/*
 * routes.c: every address that Drover answers. The first row whose path and method fit is taken;
 * a new page or message is one row here and one file.
 */
#include "route/route.h"

#include "api/api.h"
#include "base/limits.h"
#include "checkin/checkin.h"
#include "connect/connect.h"
#include "console/console.h"
#include "enrollment/account.h"
#include "enrollment/ade.h"
#include "enrollment/ota.h"
#include "enrollment/profile.h"
#include "push/pushcert.h"
#include "route/health.h"
#include "route/mdm.h"
#include "route/probe.h"
#include "scep/scep.h"

#define BOTH (PROGRAM_MDM | PROGRAM_CONSOLE)
#define FORM "application/x-www-form-urlencoded"

const struct route routes[] = {
    /* programs, methods, path, gate, handler, body_max, types, scope */
    {BOTH, METHOD_GET, "/healthz", GATE_OPEN, health_handle, 0, NULL, NULL},
    {PROGRAM_MDM, METHOD_GET | METHOD_POST, "/healthz/identity", GATE_OPEN, probe_handle,
     LIM_BODY_FORM, NULL, NULL},
    /* devices: any content type, as old systems and proxies change it */
    {PROGRAM_MDM, METHOD_PUT | METHOD_POST, "/mdm/checkin", GATE_DEVICE, checkin_handle,
     LIM_BODY_CHECKIN, NULL, NULL},
    {PROGRAM_MDM, METHOD_PUT | METHOD_POST, "/mdm/connect", GATE_DEVICE, connect_handle,
     LIM_BODY_CONNECT, NULL, NULL},
    {PROGRAM_MDM, METHOD_PUT | METHOD_POST, "/mdm", GATE_DEVICE, mdm_handle, LIM_BODY_CONNECT, NULL,
     NULL},
    {PROGRAM_MDM, METHOD_GET | METHOD_POST, "/scep", GATE_OPEN, scep_handle, LIM_BODY_SCEP, NULL,
     NULL},
    {PROGRAM_MDM, METHOD_POST, "/enroll/ade", GATE_OPEN, ade_handle, LIM_BODY_ATTESTED, NULL, NULL},
    {PROGRAM_MDM, METHOD_POST, "/enroll/ade/*", GATE_OPEN, ade_handle, LIM_BODY_ATTESTED, NULL,
     NULL},
    {PROGRAM_MDM, METHOD_GET, "/enroll/ota", GATE_OPEN, ota_begin, 0, NULL, NULL},
    {PROGRAM_MDM, METHOD_GET, "/enroll/ota/*", GATE_OPEN, ota_begin, 0, NULL, NULL},
    {PROGRAM_MDM, METHOD_POST, "/enroll/ota", GATE_OPEN, ota_handle, LIM_BODY_ATTESTED, NULL, NULL},
    {PROGRAM_MDM, METHOD_GET, "/.well-known/com.apple.remotemanagement", GATE_OPEN,
     account_discover, 0, NULL, NULL},
    {PROGRAM_MDM, METHOD_POST, "/enroll/account/*", GATE_OPEN, account_handle, LIM_BODY_ATTESTED,
     NULL, NULL},
    {PROGRAM_MDM, METHOD_GET, "/enroll", GATE_OPEN, enroll_handle, 0, NULL, NULL},
    {PROGRAM_MDM, METHOD_GET, "/enroll/*", GATE_OPEN, enroll_handle, 0, NULL, NULL},
    /* the HTTP API: NanoMDM's contract */
    {PROGRAM_CONSOLE, METHOD_ANY, "/version", GATE_OPEN, api_version, 0, NULL, NULL},
    {PROGRAM_CONSOLE, METHOD_PUT, "/v1/pushcert", GATE_API, api_pushcert_put, PUSHCERT_PEM_MAX,
     NULL, "pushcert"},
    {PROGRAM_CONSOLE, METHOD_GET, "/v1/pushcert", GATE_API, api_pushcert_get, 0, NULL, "pushcert"},
    {PROGRAM_CONSOLE, METHOD_ANY, "/v1/push/*", GATE_API, api_push, LIM_BODY_FORM, NULL, "push"},
    {PROGRAM_CONSOLE, METHOD_ANY, "/v1/enqueue/*", GATE_API, api_enqueue, LIM_BODY_API, NULL,
     "command"},
    {PROGRAM_CONSOLE, METHOD_POST, "/v1/escrowkeyunlock", GATE_API, api_escrow, LIM_BODY_FORM,
     "application/x-www-form-urlencoded", "command"},
    {PROGRAM_CONSOLE, METHOD_ANY, "/migration", GATE_API, api_migration, LIM_BODY_CHECKIN, NULL,
     "migrate"},
    /* and beyond it */
    {PROGRAM_CONSOLE, METHOD_GET, "/v1/openapi.json", GATE_OPEN, api_openapi, 0, NULL, NULL},
    {PROGRAM_CONSOLE, METHOD_POST, "/v1/push", GATE_API, api_push_bulk, LIM_BODY_API,
     "application/json", "push"},
    {PROGRAM_CONSOLE, METHOD_POST, "/v1/enqueue", GATE_API, api_enqueue_bulk, LIM_BODY_API,
     "application/json", "command"},
    {PROGRAM_CONSOLE, METHOD_GET, "/v1/enrollments", GATE_API, api_enrollments, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_POST, "/v1/enrollments/query", GATE_API, api_enrollments_query,
     LIM_BODY_API, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_GET, "/v1/enrollments/*", GATE_API, api_enrollment, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_GET, "/v1/queue/*", GATE_API, api_queue, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_DELETE, "/v1/queue/*", GATE_API, api_queue_delete, 0, NULL, "command"},
    {PROGRAM_CONSOLE, METHOD_GET, "/v1/results/*", GATE_API, api_results, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_GET, "/v1/unknown", GATE_API, api_unknown, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_POST, "/v1/unknown/*", GATE_API, api_unknown_decide, LIM_BODY_FORM,
     "application/json", "decide"},
    {PROGRAM_CONSOLE, METHOD_GET, "/v1/assigned", GATE_API, api_assigned, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_POST, "/v1/assigned", GATE_API, api_assigned, LIM_BODY_FORM,
     "application/json", "enroll"},
    {PROGRAM_CONSOLE, METHOD_DELETE, "/v1/assigned/*", GATE_API, api_assigned_remove, 0, NULL,
     "enroll"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/commands", GATE_API, api_commands, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/commands/*", GATE_API, api_command, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/devices", GATE_API, api_devices, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/devices/*", GATE_API, api_device, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/errors", GATE_API, api_errors, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/audit", GATE_API, api_audit, 0, NULL, "audit"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/users", GATE_API, api_users, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/payload-types", GATE_API, api_payload_types, 0, NULL,
     "read"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/profiles", GATE_API, api_profiles, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_POST, "/api/v1/profiles", GATE_API, api_profile_add, LIM_PROFILE, NULL,
     "library"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/profiles/*", GATE_API, api_profile_get, 0, NULL, "read"},
    {PROGRAM_CONSOLE, METHOD_POST, "/api/v1/profiles/*", GATE_API, api_profile_post, LIM_PROFILE,
     NULL, "library"},
    {PROGRAM_CONSOLE, METHOD_PATCH, "/api/v1/profiles/*", GATE_API, api_profile_patch,
     LIM_BODY_FORM, "application/json", "library"},
    {PROGRAM_CONSOLE, METHOD_DELETE, "/api/v1/profiles/*", GATE_API, api_profile_delete, 0, NULL,
     "library"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/profile-files/*", GATE_API, api_profile_content, 0, NULL,
     "library"},
    {PROGRAM_CONSOLE, METHOD_POST, "/api/v1/scep/challenges", GATE_API, api_scep_challenge,
     LIM_BODY_FORM, "application/json", "identity"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/scep/requests", GATE_API, api_scep_requests, 0, NULL,
     "read"},
    {PROGRAM_CONSOLE, METHOD_POST, "/api/v1/scep/requests/*", GATE_API, api_scep_decide,
     LIM_BODY_FORM, "application/json", "identity"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/certificates", GATE_API, api_certificates, 0, NULL,
     "read"},
    {PROGRAM_CONSOLE, METHOD_GET, "/api/v1/certificates/*", GATE_API, api_certificate, 0, NULL,
     "read"},
    {PROGRAM_CONSOLE, METHOD_POST, "/api/v1/revocations", GATE_API, api_certificate_revoke,
     LIM_BODY_FORM, "application/json", "identity"},
    /* the console */
    {PROGRAM_CONSOLE, METHOD_GET, "/static/*", GATE_OPEN, console_static, 0, NULL, NULL},
    {PROGRAM_CONSOLE, METHOD_GET, "/signin", GATE_OPEN, console_signin, 0, NULL, NULL},
    {PROGRAM_CONSOLE, METHOD_POST, "/signin", GATE_OPEN, console_signin_post, LIM_BODY_FORM, FORM,
     NULL},
    {PROGRAM_CONSOLE, METHOD_POST, "/signout", GATE_CONSOLE, console_signout, LIM_BODY_FORM, FORM,
     "self"},
    {PROGRAM_CONSOLE, METHOD_GET, "/", GATE_CONSOLE, console_overview, 0, NULL, "view"},
    {PROGRAM_CONSOLE, METHOD_GET, "/devices", GATE_CONSOLE, console_devices, 0, NULL, "view"},
    {PROGRAM_CONSOLE, METHOD_GET, "/device", GATE_CONSOLE, console_device, 0, NULL, "view"},
    {PROGRAM_CONSOLE, METHOD_GET, "/device/command", GATE_CONSOLE, console_command, 0, NULL,
     "view"},
    {PROGRAM_CONSOLE, METHOD_POST, "/device/command", GATE_CONSOLE, console_command_send,
     LIM_BODY_COMMAND, FORM, "assist"},
    {PROGRAM_CONSOLE, METHOD_POST, "/device/cancel", GATE_CONSOLE, console_command_cancel,
     LIM_BODY_FORM, FORM, "assist"},
    {PROGRAM_CONSOLE, METHOD_POST, "/device/push", GATE_CONSOLE, console_push, LIM_BODY_FORM, FORM,
     "assist"},
    {PROGRAM_CONSOLE, METHOD_GET, "/unknown", GATE_CONSOLE, console_unknown, 0, NULL, "view"},
    {PROGRAM_CONSOLE, METHOD_POST, "/unknown", GATE_CONSOLE, console_unknown_post, LIM_BODY_FORM,
     FORM, "operate"},
    {PROGRAM_CONSOLE, METHOD_GET, "/invitations", GATE_CONSOLE, console_invitations, 0, NULL,
     "operate"},
    {PROGRAM_CONSOLE, METHOD_POST, "/invitations", GATE_CONSOLE, console_invite, LIM_BODY_FORM,
     FORM, "operate"},
    {PROGRAM_CONSOLE, METHOD_GET, "/apikeys", GATE_CONSOLE, console_apikeys, 0, NULL, "administer"},
    {PROGRAM_CONSOLE, METHOD_POST, "/apikeys", GATE_CONSOLE, console_apikeys_post, LIM_BODY_FORM,
     FORM, "administer"},
    {PROGRAM_CONSOLE, METHOD_GET, "/pushcerts", GATE_CONSOLE, console_pushcerts, 0, NULL, "view"},
    {PROGRAM_CONSOLE, METHOD_POST, "/pushcerts", GATE_CONSOLE, console_pushcerts_post,
     4 * PUSHCERT_PEM_MAX, FORM, "administer"},
    {PROGRAM_CONSOLE, METHOD_GET, "/audit", GATE_CONSOLE, console_audit, 0, NULL, "audit"},
    {PROGRAM_CONSOLE, METHOD_GET, "/accounts", GATE_CONSOLE, console_accounts, 0, NULL,
     "administer"},
    {PROGRAM_CONSOLE, METHOD_POST, "/accounts", GATE_CONSOLE, console_accounts_post, LIM_BODY_FORM,
     FORM, "administer"},
    {PROGRAM_CONSOLE, METHOD_GET, "/account", GATE_CONSOLE, console_account, 0, NULL, "self"},
    {PROGRAM_CONSOLE, METHOD_POST, "/account", GATE_CONSOLE, console_account_post, LIM_BODY_FORM,
     FORM, "self"},
};
const size_t routes_n = sizeof routes / sizeof routes[0];
