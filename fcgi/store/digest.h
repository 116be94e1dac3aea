/*
 * digest.h: reports that wait to become inventory. The message that brings a report stores it in
 * `result` with digest = 1, in its own unit of work and without a statement more; the agent works
 * that off, in the order of each device. A report is read, and its work list entry ended, in one
 * unit: after a crash it is read again, and changes nothing twice.
 */
#ifndef DROVER_STORE_DIGEST_H
#define DROVER_STORE_DIGEST_H

#include "store/db.h"

/* result.digest; "failed": done, of a command that ended with an error. These have a number of
 * their own so that the few among many are an index's range. */
enum digest_state { DIGEST_DONE, DIGEST_WAITING, DIGEST_ASIDE, DIGEST_FAILED, DIGEST__MAX };

/* One that waits. */
struct digest_item {
    int64_t enrollment_id, command_id, closed_at, reported_at;
    size_t size; /* of the report */
};
/* At most max of those that were closed at `from` or later, oldest first. */
enum outcome digest_waiting(struct db *db, int64_t from, size_t max, struct arena *a,
                            struct digest_item **out, size_t *n, struct err *err) MUST_USE;

/* A report with what is needed to read it. */
struct digest_report {
    int64_t enrollment_id, command_id, reported_at;
    int state; /* enum queue_state */
    const char *ident, *request_type, *product_name;
    struct bytes report;
    struct bytes command; /* empty where nothing of it is needed */
};
/* Inside a unit: reads and locks those of n items that still wait, by enrollment and in the order
 * in which they came. */
enum outcome digest_take(struct db *db, const struct digest_item *items, size_t n, struct arena *a,
                         struct digest_report **out, size_t *nout, struct err *err) MUST_USE;
/* Inside a unit: they are inventory now. */
enum outcome digest_done(struct db *db, const struct digest_report *r, size_t n, struct arena *a,
                         struct err *err) MUST_USE;
/* A unit of its own: the report is set aside, with the reason, and stands in nobody's way. */
enum outcome digest_set_aside(struct db *db, const struct digest_item *item, const char *why,
                              int64_t now, struct err *err) MUST_USE;

/* How the work stands. */
struct digest_lag {
    int64_t waiting;   /* counted up to DIGEST_COUNT_MAX */
    int64_t oldest_at; /* 0: nothing waits */
    int64_t aside;
};
#define DIGEST_COUNT_MAX 100000
enum outcome digest_lag(struct db *db, struct arena *a, struct digest_lag *out,
                        struct err *err) MUST_USE;

/* One that was set aside. */
struct digest_failure {
    const char *ident, *uuid, *request_type, *why;
    int64_t at;
};
/* The latest first, at most max. */
enum outcome digest_failures(struct db *db, size_t max, struct arena *a,
                             struct digest_failure **out, size_t *n, struct err *err) MUST_USE;
/* They wait again, at most max of them; *n tells how many. For use after what was wrong with them
 * was mended. */
enum outcome digest_again(struct db *db, size_t max, size_t *n, struct err *err) MUST_USE;

#endif
