/* checkrun.h: checks of the installation that the agent makes because somebody asks for them. */
#ifndef DROVER_STORE_CHECKRUN_H
#define DROVER_STORE_CHECKRUN_H

#include "store/db.h"

#define CHECKRUN_NETWORK "network"
#define CHECKRUN_AUDIT "audit"              /* the chain of the audit log */
#define CHECKRUN_LATE_US INT64_C(120000000) /* one that takes longer is lost */

/* Times are 0 and strings "" where there is nothing yet. */
struct checkrun {
    int64_t asked_at, begun_at, done_at;
    const char *asked_by;
    struct bytes findings; /* of the last one that was done; doctor_read() takes them */
    bool waits;            /* somebody has asked, and it is not done */
};
/* How it stands; in a. */
enum outcome checkrun_get(struct db *db, const char *kind, int64_t now, struct arena *a,
                          struct checkrun *out, struct err *err) MUST_USE;
/* Asks for it; one that waits already is the same. */
enum outcome checkrun_ask(struct db *db, const char *kind, const char *by, int64_t now,
                          struct err *err) MUST_USE;

/* --- for the agent --- */

/* The rule asks for it when it was not done since `before`: what nobody asks for is checked too. */
enum outcome checkrun_due(struct db *db, const char *kind, int64_t before, int64_t now,
                          struct err *err) MUST_USE;
/* Takes up what was asked for, also when another has taken it up and never came back. */
enum outcome checkrun_take(struct db *db, const char *kind, int64_t now, bool *taken,
                           struct err *err) MUST_USE;
/* The findings of the one that was begun then; one that was asked for since waits on. */
enum outcome checkrun_done(struct db *db, const char *kind, int64_t now, struct bytes findings,
                           struct err *err) MUST_USE;

#endif
