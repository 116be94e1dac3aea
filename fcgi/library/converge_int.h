/* converge_int.h: what the parts of the convergence share; for converge*.c. */
#ifndef DROVER_LIBRARY_CONVERGE_INT_H
#define DROVER_LIBRARY_CONVERGE_INT_H

#include "base/clock.h"
#include "library/converge.h"
#include "store/library.h"
#include "store/standing.h"
#include "store/wanted.h"
#include "wire/json.h"

#define CONVERGE_ACTOR "rule:convergence"
#define CONVERGE_SOME 2000 /* rows of one turn */

struct converge {
    const struct conf *conf;
    struct db *db;
    struct arena *a;      /* of one step */
    int64_t seen_version; /* of what is wanted, when the last plan began */
    int64_t next_plan;    /* clock: one in any case */
    int64_t next_groups, next_drift, next_overdue, next_ask, next_look;
    int64_t next_request;    /* a second person is asked about commands of groups */
    int64_t looked;          /* enrollment.id of the last one that was asked for its profiles */
    int64_t closed_since;    /* results are looked at from here on */
    struct wanted_walk walk; /* of the plan under way */
    struct standing_walk orders;
    bool planning;
    struct { /* the file of an app that was looked at last, and what is wrong with it */
        int64_t item_id, at;
        int version;
        char words[400];
    } file;
    size_t did; /* what this turn did: 0, nothing */
};

/* converge_plan.c: groups, plans, newcomers. */
enum outcome converge_groups(struct converge *c, int64_t now, bool all, struct err *err) MUST_USE;
enum outcome converge_newcomers(struct converge *c, int64_t now, struct err *err) MUST_USE;
enum outcome converge_plan(struct converge *c, int64_t now, struct err *err) MUST_USE;
/* converge_send.c: the RequestType that installs or removes an item, and the whole command, in
 * c->a. INVALID: settings of an app that were taken once and are none any more. */
const char *converge_request_type(const struct wanted_due *d);
enum outcome converge_item_command(struct converge *c, const struct wanted_due *d,
                                   const struct library_version *v, const char *uuid,
                                   struct bytes *out, struct err *err) MUST_USE;
/* The same of any request type and its keys as JSON. */
enum outcome converge_keys_command(struct converge *c, const char *request_type, js keys,
                                   const char *uuid, struct bytes *out, struct err *err) MUST_USE;
/* Queues a command for one enrollment that is not about an item. */
enum outcome converge_command(struct converge *c, const char *request_type, const char *ident,
                              const char *dedupe_key, int64_t now, struct err *err) MUST_USE;
/* converge_act.c: commands for what is due. */
enum outcome converge_act(struct converge *c, int64_t now, struct err *err) MUST_USE;
/* converge_app.c: apps whose command a device has taken. */
enum outcome converge_apps(struct converge *c, int64_t now, struct err *err) MUST_USE;
/* converge_redeem.c: gives a device that waits for one a redemption code, and notes how it stands.
 */
enum outcome converge_redeem(struct converge *c, const struct wanted_app *x, int64_t now,
                             struct err *err) MUST_USE;
/* converge_ask.c: what installed apps and the store are asked from time to time. */
enum outcome converge_ask(struct converge *c, int64_t now, struct err *err) MUST_USE;
/* The same file: devices and users that have not told their profiles for long are asked. */
enum outcome converge_look(struct converge *c, int64_t now, struct err *err) MUST_USE;
/* converge_follow.c: what became of them. since 0: those that were open for long. */
enum outcome converge_follow(struct converge *c, int64_t now, bool overdue,
                             struct err *err) MUST_USE;

/* The first error of a device's report, in words, in a. */
const char *converge_error(struct arena *a, struct bytes report);
/* converge_standing.c: commands of groups. Plans them; queues what is due; follows them (since 0:
 * those that were open for long). */
enum outcome converge_standing_plan(struct converge *c, struct err *err) MUST_USE;
enum outcome converge_standing_act(struct converge *c, int64_t now, struct err *err) MUST_USE;
enum outcome converge_standing_follow(struct converge *c, int64_t since, int64_t now,
                                      struct err *err) MUST_USE;

/* How long a failure is waited for: 5 minutes, 20, 80, ..., a day. */
int64_t converge_backoff(int attempts);

#endif
