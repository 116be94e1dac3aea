/*
 * api.h: the HTTP API: one file per resource. /version, /v1/pushcert, /v1/push, /v1/enqueue,
 * /v1/escrowkeyunlock and /migration keep NanoMDM's contract, status by status and octet by octet,
 * so that its clients work unchanged; the others are Drover's own. Those under /api/ tell errors as
 * problems (RFC 9457). openapi.json describes all.
 */
#ifndef DROVER_API_API_H
#define DROVER_API_API_H

#include "http/app.h"
#include "store/db.h"
#include "wire/json.h"

handler_fn api_version;                            /* version.c */
handler_fn api_openapi;                            /* openapi.c */
handler_fn api_pushcert_put, api_pushcert_get;     /* pushcert.c */
handler_fn api_push, api_push_bulk;                /* push.c */
handler_fn api_enqueue, api_enqueue_bulk;          /* enqueue.c */
handler_fn api_escrow;                             /* escrow.c */
handler_fn api_migration;                          /* migration.c */
handler_fn api_enrollments, api_enrollments_query; /* enrollments.c */
handler_fn api_enrollment;
handler_fn api_queue, api_queue_delete;                       /* queue.c */
handler_fn api_results;                                       /* results.c */
handler_fn api_unknown, api_unknown_decide;                   /* unknown.c */
handler_fn api_assigned, api_assigned_remove;                 /* assigned.c */
handler_fn api_commands, api_command;                         /* commands.c */
handler_fn api_devices, api_device;                           /* fleet.c, parts.c */
handler_fn api_audit, api_errors;                             /* trail.c */
handler_fn api_audit_verification, api_audit_verify;          /* trail.c */
handler_fn api_admins, api_admin, api_admin_add;              /* administrators.c */
handler_fn api_admin_patch, api_admin_reset;                  /* administrators.c */
handler_fn api_sessions, api_session_end;                     /* signins.c */
handler_fn api_throttles, api_throttle_clear;                 /* signins.c */
handler_fn api_keys, api_key, api_key_add, api_key_patch;     /* keys.c */
handler_fn api_key_delete;                                    /* keys.c */
handler_fn api_users, api_user, api_user_add, api_user_patch; /* users.c */
handler_fn api_user_delete;
handler_fn api_order, api_order_device;                      /* order.c */
handler_fn api_approvals, api_approval, api_approval_decide; /* approvals.c */
handler_fn api_secret_reveal;                                /* secrets.c */
handler_fn api_profiles, api_profile_add;                    /* profiles.c */
handler_fn api_profile_get, api_profile_post, api_profile_patch, api_profile_delete;
handler_fn api_profile_content, api_payload_types, api_payloads;
handler_fn api_calendar, calendar_feed; /* calendar.c */
handler_fn api_feeds, api_feed_new, api_feed_revoke;
handler_fn api_pushcerts, api_pushcerts_put; /* pushcerts.c */
handler_fn api_push_requests, api_push_request_new, api_push_request_sign;
handler_fn api_vendor_certs, api_vendor_cert_put;
handler_fn api_groups, api_group_add, api_group, api_group_change; /* groups.c */
handler_fn api_group_devices, api_group_delete;
handler_fn api_group_command, api_group_command_retry; /* blueprint.c */
handler_fn api_group_command_delete;
handler_fn api_tags, api_tags_edit, api_filter_facts;
handler_fn api_offers, api_offer, api_offer_delete;                /* offers.c */
handler_fn api_assignments, api_assign, api_unassign, api_preview; /* assignments.c */
handler_fn api_device_items;
handler_fn api_apps, api_app_add, api_app_get, api_app_post; /* apps.c */
handler_fn api_app_patch, api_app_delete, api_app_file_begin, api_app_file_add;
handler_fn api_scep_challenge; /* scep.c */
handler_fn api_scep_requests, api_scep_decide;
handler_fn api_certificates, api_certificate; /* certificates.c */
handler_fn api_certificate_revoke;
handler_fn api_enrollprofiles, api_enrollprofile_new;          /* enrollprofiles.c */
handler_fn api_enrollprofile, api_enrollprofile_patch;         /* enrollprofiles.c */
handler_fn api_enrollprofile_revert, api_enrollprofile_delete; /* enrollprofiles.c */
handler_fn api_invitations, api_invitation_new;                /* invitations.c */
handler_fn api_invitation_delete;                              /* invitations.c */
handler_fn api_webhooks, api_webhook_new, api_webhook;         /* webhooks.c */
handler_fn api_failed;                                         /* failed.c */
handler_fn api_retries;                                        /* retry.c */
handler_fn api_jobs, api_job;                                  /* jobs.c */
handler_fn api_rollouts;                                       /* rollouts.c */
handler_fn api_settings, api_settings_patch;                   /* settings.c */
handler_fn api_webhook_patch, api_webhook_delete, api_webhook_act;

/* --- what they share (common.c) --- */

/* Takes a connection. False: resp holds the refusal (503). */
bool api_db(struct app *app, struct resp *resp, struct db **db);
/* {"error": ...} with the status of the outcome: 404, 403, 409, 400, 503; a fault of the server is
 * logged and told as 500 without its details. */
void api_fail(struct resp *resp, const struct err *err);
/* An error of the API below /api/v1 (RFC 9457) that says more than status and detail: root is an
 * object with what it says besides; it is freed. */
void api_problem(struct resp *resp, int status, js *root, const char *detail);
/* The value as indented JSON with a newline at its end; frees it. */
void api_json(struct resp *resp, int status, js *value);
/* The value, where o is OK; else what err says, and the value is freed. */
void api_answer(struct resp *resp, int status, enum outcome o, const struct err *err, js *value);
/* {key: [...]}: what object makes of each of n rows of that size. */
js api_rows(const char *key, const void *rows, size_t n, size_t size,
            js (*object)(const void *row, const void *arg), const void *arg);
/* A secret that was made here, and is told in this answer only; NULL or "": none was. */
void api_set_secret(struct resp *resp, js o, const char *key, const char *secret);
/* Who asks, for the audit log: "api:" and the key's name. In the request's arena. */
const char *api_actor(struct req *req, const struct caller *caller);

/* The segments of the path after prefix, decoded, at most max. False: resp holds the refusal (400:
 * a bad escape, an empty segment, too many of them). */
bool api_segments(struct req *req, struct resp *resp, const char *prefix, const char **out,
                  size_t max, size_t *n);
/* The one segment after prefix as a number. False: resp holds the refusal (404, which names what).
 */
bool api_id(struct req *req, struct resp *resp, const char *prefix, const char *what, int64_t *id);
/* The reason under "why" of a body, 1 to 255 octets. NULL: resp holds the refusal (400). */
const char *api_why(struct resp *resp, js body);
/* limit=1..LIM_PAGE (100 when absent). False: resp holds the refusal. */
bool api_limit(struct req *req, struct resp *resp, size_t *limit);
/* A query parameter that is a number from 0 to INT64_MAX; absent leaves *out as it is. */
bool api_number(struct req *req, struct resp *resp, const char *name, int64_t *out);
/* A query parameter that is a yes or no (true, false, 1, 0); absent leaves *out as it is. */
bool api_flag(struct req *req, struct resp *resp, const char *name, bool *out);
/* Has the object no key but the n known ones? False: resp holds the refusal. */
bool api_known_keys(struct resp *resp, js object, const char *const *known, size_t n);
/* The body as a JSON object, of which no key but the n known ones may be there. The caller frees
 * it. NULL: resp holds the refusal (400). */
js api_body(struct req *req, struct resp *resp, const char *const *known, size_t n);
/* An array of strings under key, in the arena. *out NULL: absent. False: refused (400). */
bool api_strings(struct req *req, struct resp *resp, js object, const char *key, size_t max,
                 const char *const **out, size_t *n);

/* Setters that leave out "" and 0. */
void api_set_text(js o, const char *key, const char *s);
void api_set_time(js o, const char *key, int64_t us);
/* Ids are strings in JSON: they are larger than a number of JavaScript holds; nothing for 0. */
void api_set_id(js o, const char *key, int64_t id);
/* "next_cursor" of a list. */
void api_set_cursor(js root, int64_t cursor);
void api_set_base64(js o, const char *key, struct bytes b);

#endif
