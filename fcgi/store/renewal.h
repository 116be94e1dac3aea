/*
 * renewal.h: which identities expire and how far their renewal is. A device's row is planned, under
 * way, done; a failure makes it planned again, later each time. The proof is the new certificate in
 * use: the TokenUpdate that came with it made its life the current one. The identity before is
 * superseded by that: it belongs to a life that is over and serves nothing but a restored backup.
 */
#ifndef DROVER_STORE_RENEWAL_H
#define DROVER_STORE_RENEWAL_H

#include "base/uuid.h"
#include "store/db.h"

#define RENEWAL_BATCH 500
#define RENEWAL_PERCENT 30 /* of its validity: a short-lived identity is renewed no earlier */

enum renewal_state { RENEWAL_PLANNED = 1, RENEWAL_UNDER_WAY, RENEWAL_DONE };

/* Plans every identity that Drover issued, that serves a device's current life and that ends within
 * horizon_us (or within RENEWAL_PERCENT of its validity, whichever is the shorter time). In
 * batches: memory does not grow with the fleet. *planned: rows that are new. */
enum outcome renewal_plan(struct db *db, int64_t now, int64_t horizon_us, size_t *planned,
                          struct err *err) MUST_USE;

/* Plans every device whose installed profile lacks a certificate that the version of its enrolment
 * profile in force installs (renewal_changed.c says why, and why no other change does). *planned:
 * about how many are new. */
enum outcome renewal_plan_changed(struct db *db, int64_t now, size_t *planned,
                                  struct err *err) MUST_USE;

/* Looks at what is under way: done where the device's current life has another identity; planned
 * again, with back-off (an hour, doubled up to a day) and audit, where the command failed, expired
 * or was cancelled, or was acknowledged and no new identity came in time. */
struct renewal_followed {
    size_t done, failed;
};
enum outcome renewal_follow(struct db *db, int64_t now, struct renewal_followed *out,
                            struct err *err) MUST_USE;

/* How many may begin now: per_hour less those that began within the hour; 0 with *halted when of
 * the last day's beginnings a quarter, and ten at least, have failed. */
enum outcome renewal_allowance(struct db *db, int64_t now, int64_t per_hour, size_t *allowed,
                               bool *halted, struct err *err) MUST_USE;

struct renewal_due {
    int64_t device_id;
    const char *ident, *topic;
    struct bytes identity_der; /* what it has now; empty: not known */
};
/* At most max (RENEWAL_BATCH) that are due, the first to expire first. */
enum outcome renewal_due_read(struct db *db, int64_t now, size_t max, struct arena *a,
                              struct renewal_due **out, size_t *n, struct err *err) MUST_USE;
/* It begins with this command, which is queued next; given up at give_up_at. CONFLICT: another
 * agent has begun it. */
enum outcome renewal_begin(struct db *db, int64_t device_id, const char *command_uuid, int64_t now,
                           int64_t give_up_at, struct err *err) MUST_USE;
/* Nothing could be queued: planned again, with back-off. */
enum outcome renewal_fail(struct db *db, int64_t device_id, int64_t now, const char *why,
                          struct err *err) MUST_USE;

/* The command that renews the identity of the device `ident`; command_id is 0 once it is closed.
 * NOT_FOUND: there is none. */
enum outcome renewal_command(struct db *db, const char *ident, struct arena *a, int64_t *command_id,
                             const char **uuid, struct err *err) MUST_USE;

/* An identity in service, for lists. Strings are "" and times 0 when absent. */
struct renewal_item {
    const char *ident, *serial, *subject, *failed_why;
    struct bytes sha256;
    int64_t not_after;
    int state; /* 0: not planned */
    int attempts;
    int64_t due_at;
};
/* At most max of those that end before `before`, the first to expire first. */
enum outcome renewal_list(struct db *db, int64_t before, size_t max, struct arena *a,
                          struct renewal_item **out, size_t *n, struct err *err) MUST_USE;
/* "-", "planned", "under way", "done". */
const char *renewal_state_name(int state);

#endif
