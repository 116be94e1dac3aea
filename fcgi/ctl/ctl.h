/*
 * ctl.h: what the verbs of droverctl share. A verb is a row of the table in fcgi/ctl.c and a
 * function ctl_NAME() in a file of this folder. Its exit status is 0 (done), 1 (failed; one line on
 * standard error says why) or 2 (called wrongly; its usage follows).
 */
#ifndef DROVER_CTL_CTL_H
#define DROVER_CTL_CTL_H

#include <sys/types.h>

#include "base/buf.h"
#include "store/library.h"

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct ctl {
    const struct conf *conf; /* NULL for a verb that needs none; with the settings in force once
                              * there is a connection */
    struct arena *arena;     /* freed when the program ends */
    const char *actor;       /* who is at the shell, for the audit log: "droverctl:alice" */
    bool anonymous;          /* that is root, which may be anybody */
    struct db *db;           /* see ctl_db() */
    struct buf *kept;        /* NULL, or where ctl_list() puts what it lists, as JSON, besides */
};

/* argv[0] is the verb. */
typedef int ctl_fn(struct ctl *c, int argc, char **argv);

ctl_fn ctl_migrate, ctl_grants;                         /* schema.c */
ctl_fn ctl_admin, ctl_apikey;                           /* account.c */
ctl_fn ctl_sessions, ctl_throttles;                     /* signins.c */
ctl_fn ctl_audit;                                       /* audit.c */
ctl_fn ctl_certs;                                       /* certs.c */
ctl_fn ctl_assigned;                                    /* assigned.c */
ctl_fn ctl_scep;                                        /* scep.c */
ctl_fn ctl_calendar;                                    /* calendar.c */
ctl_fn ctl_users;                                       /* users.c */
ctl_fn ctl_ca;                                          /* ca.c */
ctl_fn ctl_pushcert;                                    /* pushcert.c */
ctl_fn ctl_invite;                                      /* invite.c */
ctl_fn ctl_enrollprofile;                               /* enrollprofile.c */
ctl_fn ctl_enqueue, ctl_push;                           /* send.c */
ctl_fn ctl_devices, ctl_queue, ctl_results, ctl_cancel; /* devices.c */
ctl_fn ctl_decide, ctl_end, ctl_restored, ctl_revoke;   /* decide.c */
ctl_fn ctl_settings;                                    /* settings.c */
ctl_fn ctl_status;                                      /* status.c */
ctl_fn ctl_doctor;                                      /* doctor.c */
ctl_fn ctl_inventory, ctl_reports;                      /* inventory.c */
ctl_fn ctl_catalogue;                                   /* catalogue.c */
ctl_fn ctl_profile;                                     /* profile.c */
ctl_fn ctl_app;                                         /* app.c */
ctl_fn ctl_scope;                                       /* scope.c */
ctl_fn ctl_blueprint;                                   /* blueprint.c */
ctl_fn ctl_group, ctl_tag;                              /* group.c */
ctl_fn ctl_wanted;                                      /* wanted.c */
ctl_fn ctl_webhook;                                     /* webhook.c */
ctl_fn ctl_reveal;                                      /* reveal.c */
ctl_fn ctl_failed_list;                                 /* failed.c */
ctl_fn ctl_retry;                                       /* retry.c */
ctl_fn ctl_job;                                         /* job.c */
ctl_fn ctl_rollout;                                     /* rollout.c */
ctl_fn ctl_approvals;                                   /* approvals.c */

/* The database as its owner, connected now. On failure the message is out and *db is NULL. */
bool ctl_db(struct ctl *c, struct db **db);

/* The folder of schema/ and grants.sql: the one given, the source tree's when this program runs
 * from its build folder, else the installed one. */
const char *ctl_sql_dir(struct ctl *c, const char *given);

/* An item of the library by its id or identifier, of those kinds (bits 1 << enum library_kind).
 * False: there is none, and the message is out. */
#define CTL_ITEM_ANY (1u << LIBRARY_PROFILE | 1u << LIBRARY_PROVISIONING | 1u << LIBRARY_APP)
bool ctl_item(struct ctl *c, struct db *db, const char *word, unsigned kinds,
              struct library_item *out);

/* "--name" (flag) or "--name VALUE" and "--name=VALUE" (value). */
struct ctl_option {
    const char *name; /* without the dashes */
    bool *flag;
    const char **value;
};
/* Sorts argv[1..] into options and at least min, at most max others, which go to rest (others stay
 * NULL); "--" ends the options. Returns how many, or -1 with the message out: then the verb returns
 * CTL_USAGE. */
int ctl_args(int argc, char **argv, const struct ctl_option *options, size_t noptions,
             const char **rest, int min, int max) MUST_USE;

/* Prints err, or a message, on standard error and returns CTL_FAILED or CTL_USAGE. */
int ctl_failed(const struct err *err);
int ctl_wrong(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* "90s", "30m", "12h", "7d", "2w" in microseconds. False: none, zero, or more than 100 years. */
bool ctl_duration(const char *text, int64_t *us);
/* The first line of a file ("-": standard input), at most max octets, in the arena. */
enum outcome ctl_secret_file(struct ctl *c, const char *path, size_t max, char **out,
                             struct err *err) MUST_USE;
/* Asks at the terminal, without echo, twice. UNAVAILABLE: there is no terminal. */
enum outcome ctl_secret_prompt(struct ctl *c, const char *what, size_t max, char **out,
                               struct err *err) MUST_USE;

/* A whole file ("-": standard input) of at most max octets, in the arena. NOT_FOUND: no such file;
 * INVALID: it is longer. */
enum outcome ctl_file(struct ctl *c, const char *path, size_t max, struct bytes *out,
                      struct err *err) MUST_USE;
/* Puts a new file in path's place, whole or not at all; others read either the old or the new. */
enum outcome ctl_file_replace(struct ctl *c, const char *path, struct bytes content, mode_t mode,
                              struct err *err) MUST_USE;

/* What became of a command for each of its enrollments, on standard output; CTL_FAILED when one did
 * not get it (send.c). */
struct order;
int ctl_order_tell(struct ctl *c, const struct order *o, bool json);
/* Whether a person is at the shell, as a request for approval and its answer want; else the message
 * is out (approvals.c). */
bool ctl_person(const struct ctl *c);

/* Does what a verb does once for a key: the first time run(c, seed, arg) does it, and what it lists
 * is kept; later that is printed, with the status that it had. seed is the same for all repetitions
 * and for nothing else. request: what was asked for; the same key with another is refused. What
 * run() has listed nothing of is not kept (store/idempotency.h). */
typedef int ctl_once_fn(struct ctl *c, const char *seed, void *arg);
int ctl_once(struct ctl *c, const char *key, struct bytes request, bool json, ctl_once_fn *run,
             void *arg);

/* A list on standard output: aligned columns, or with json an array of objects. A time is in
 * microseconds and printed as RFC 3339; NULL is "-" or null. Control characters are escaped. */
enum ctl_kind { CTL_TEXT, CTL_INT, CTL_TIME };
struct ctl_column {
    const char *key; /* in JSON, lower case; the title is the same in upper case */
    enum ctl_kind kind;
};
/* A cell: a time, or NULL for 0; a text, or NULL for "". */
static inline struct val ctl_time(int64_t t)
{
    return t ? val_int(t) : val_null();
}
static inline struct val ctl_text(const char *s)
{
    return s && *s ? val_str(s) : val_null();
}
int ctl_list(struct ctl *c, bool json, const struct ctl_column *cols, size_t ncols,
             const struct val *cells, size_t nrows);

#endif
