/*
 * console.h: the administrator's console: one file per page, with a template of the same stem.
 * Pages are whole without JavaScript. A page for another service is one file, one template, one row
 * of route/routes.c and one line in templates/head.html.
 */
#ifndef DROVER_CONSOLE_CONSOLE_H
#define DROVER_CONSOLE_CONSOLE_H

#include "http/app.h"
#include "store/session.h"

#define CONSOLE_COOKIE "__Host-drover"
#define LIM_BODY_APP (LIM_BODY_API + 64u * LIM_KB) /* a form with the file of an app */
#define LIM_BODY_COMMAND (4u * LIM_MB)             /* a form that holds a command */
/* A profile as a file or as text, percent-encoded then, with the form's other fields. */
#define LIM_BODY_PROFILE (3u * LIM_PROFILE)

struct console;

/* Reads templates' texts and the static files of [server] share_dir. */
enum outcome console_new(const struct conf *conf, struct console **out, struct err *err) MUST_USE;
void console_free(struct console **c);
/* The texts of the pages, as long as the console lives. */
const struct words_all *console_words(const struct console *c);

handler_fn console_static;                            /* static.c */
handler_fn console_signin, console_signin_post;       /* signin.c */
handler_fn console_code, console_code_post;           /* factor.c */
handler_fn console_signout;                           /* signin.c */
handler_fn console_overview;                          /* overview.c */
handler_fn console_devices, console_devices_post;     /* devices.c */
handler_fn console_devices_csv;                       /* devices.c */
handler_fn console_bulk, console_bulk_post;           /* bulk.c */
handler_fn console_bulk_job, console_bulk_jobs;       /* bulk.c */
handler_fn console_bulk_stop;                         /* bulk.c */
handler_fn console_apps, console_apps_post;           /* apps.c */
handler_fn console_app_new, console_app_new_post;     /* apps.c */
handler_fn console_app_upload;                        /* apps.c */
handler_fn console_app;                               /* app_page.c */
handler_fn console_app_post;                          /* app_change.c */
handler_fn console_approvals, console_approvals_post; /* approvals.c */
handler_fn console_approval;                          /* approvals.c */
handler_fn console_scope, console_scope_post;         /* scope.c */
handler_fn console_groups, console_groups_post;       /* groups.c */
handler_fn console_group, console_group_devices;      /* groups.c */
handler_fn console_group_delete, console_tag;         /* groups.c */
handler_fn console_group_filter;                      /* groupfilter.c */
handler_fn console_group_filter_post;                 /* groupfilter.c */
handler_fn console_group_contents;                    /* blueprint.c */
handler_fn console_group_draft;                       /* blueprint.c */
handler_fn console_group_command;                     /* blueprint.c */
handler_fn console_group_command_post;                /* blueprint.c */
handler_fn console_group_preview, console_group_save; /* groupversions.c */
handler_fn console_group_versions;                    /* groupversions.c */
handler_fn console_group_restore;                     /* groupversions.c */
handler_fn console_group_order;                       /* groupversions.c */
handler_fn console_rollouts, console_rollout;         /* rollouts.c */
handler_fn console_rollout_post;                      /* rollouts.c */
handler_fn console_offers_post;                       /* offers.c */
handler_fn console_audit_csv;                         /* audit.c */
handler_fn console_audit_post, console_audit_json;    /* audit.c */
handler_fn console_failed;                            /* failed.c */
handler_fn console_retry, console_failed_retry;       /* retry.c */
handler_fn console_failed_retry_post;                 /* retry.c */
handler_fn console_pushes;                            /* pushes.c */
handler_fn console_device;                            /* device.c */
handler_fn console_part;                              /* part.c */
handler_fn console_answer;                            /* command.c */
handler_fn console_secret_post;                       /* secret.c */
handler_fn console_send, console_send_post;           /* send.c */
handler_fn console_command, console_command_send;     /* command.c */
handler_fn console_command_cancel, console_push;      /* command.c */
handler_fn console_unknown, console_unknown_post;     /* unknown.c */
handler_fn console_invitations, console_invite;       /* invitations.c */
handler_fn console_people, console_people_post;       /* people.c */
handler_fn console_apikeys, console_apikeys_post;     /* apikeys.c */
handler_fn console_pushcerts, console_pushcerts_post; /* pushcerts.c */
handler_fn console_enrollprofiles;                    /* enrollprofiles.c */
handler_fn console_enrollprofiles_post;               /* enrollprofiles.c */
handler_fn console_enrollprofile;                     /* enrollprofiles.c */
handler_fn console_enrollprofile_post;                /* enrollprofiles.c */
handler_fn console_enrollprofile_file;                /* enrollprofiles.c */
handler_fn console_calendar, console_calendar_post;   /* calendar.c */
handler_fn console_certificates;                      /* certificates.c */
handler_fn console_certificates_post;                 /* certificates.c */
handler_fn console_certificate;                       /* certificates.c */
handler_fn console_certificate_revoke;                /* certificates.c */
handler_fn console_profiles, console_profiles_post;   /* profiles.c */
handler_fn console_profiles_csv;                      /* profiles.c */
handler_fn console_profile, console_profile_compare;  /* profile.c */
handler_fn console_profile_post;                      /* profile_change.c */
handler_fn console_profile_file;                      /* profile_change.c */
handler_fn console_draft, console_draft_post;         /* draft.c */
handler_fn console_webhooks, console_webhooks_post;   /* webhooks.c */
handler_fn console_webhook, console_webhook_post;     /* webhook.c */
handler_fn console_draft_form;                        /* draft_form.c */
handler_fn console_draft_form_post;                   /* draft_form.c */
handler_fn console_draft_raw, console_draft_raw_post; /* draft_raw.c */
handler_fn console_audit;                             /* audit.c */
handler_fn console_setup;                             /* setup.c */
handler_fn console_setup_post, console_setup_request; /* setup_post.c */
handler_fn console_settings, console_settings_post;   /* settings.c */
handler_fn console_account, console_account_post;     /* account.c */
handler_fn console_signins, console_signins_post;     /* signins.c */
handler_fn console_accounts, console_accounts_post;   /* accounts.c */

/* --- for the gate --- */

/* Sends somebody who is not signed in to the sign-in page, or (pending) on to the one that asks for
 * the second factor, which lead back to what was asked for; a form that was sent without a session
 * gets 403. */
void console_turn_away(struct app *app, struct req *req, bool pending, struct resp *resp);
/* 403: the role of the person does not go so far, or (limited) the address concerns more than the
 * groups that the person is limited to; or to the page where the password that somebody else gave
 * is changed. */
void console_deny(struct app *app, struct req *req, const struct caller *caller, bool limited,
                  struct resp *resp);
/* Is a session of somebody whom the web server authenticated still of the same person? */
bool console_remote_same(struct app *app, struct req *req, const struct session *s);
/* Must the person set up a second factor before anything else ([console] second_factor)? */
bool console_factor_due(const struct app *app, const struct session *s);
/* Has the person proved lately who they are, or with this form? False: they are asked, and the form
 * comes back with the proof. */
bool console_confirm(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp);
/* 403: the form does not carry its session's token. */
void console_refuse_form(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp);
/* 413: what was sent is longer than max octets. */
void console_too_long(struct app *app, struct req *req, size_t max, struct resp *resp);
/* 404: there is no such page. For a browser. */
void console_not_found(struct app *app, struct req *req, struct resp *resp);
/* The page for a failure. */
void console_fail(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                  const struct err *err);

#endif
