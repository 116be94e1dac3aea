/*
 * push.h: the push outbox: at most one push waits for each enrollment. Whoever wants a device to
 * poll makes the row, the agent sends it. Times are the database's, so that the clocks of hosts
 * need not agree.
 *
 * A row is wanted, claimed by the agent, then sent, failed or dead; wanting it again makes it
 * wanted whatever it was. The agent records what became of a push only where the row still has
 * the mark it was claimed with: a wish that came meanwhile is never lost.
 */
#ifndef DROVER_STORE_PUSH_H
#define DROVER_STORE_PUSH_H

#include "base/uuid.h"
#include "store/db.h"

enum push_state {
    PUSH_WANTED = 1, /* also: to be tried again, when attempts > 0 */
    PUSH_CLAIMED = 2,
    PUSH_SENT = 3,
    PUSH_FAILED = 4, /* given up; the reason says why */
    PUSH_DEAD = 5    /* the token is dead until the device comes with another */
};

struct push_want {
    int64_t enrollment_id;
    const char *apns_id; /* a UUID the asker chose; NULL lets the database choose one */
};

/* Wants a push for each of n enrollments (the array is sorted by enrollment_id, so that askers do
 * not deadlock), to be given up after keep_s seconds. A push that is waiting already is the one;
 * it takes the new apns_id, and a back-off it is in goes on. One array-bound statement; inside or
 * outside a unit. Whether the enrollment can be pushed at all is judged by the agent. */
enum outcome push_request(struct db *db, struct push_want *wants, size_t n, int64_t keep_s,
                          struct err *err) MUST_USE;
/* In the unit of work of a TokenUpdate, after the life was written: a push that has not reached the
 * device (waiting, in flight, given up because the token was dead or missing) is wanted again, due
 * now, with the new token, unless it expired. Without it such a push would be lost. */
enum outcome push_revive(struct db *db, const int64_t *enrollment_ids, size_t n,
                         struct err *err) MUST_USE;

/* What is known about a push. Strings are "" when unknown. */
struct push_row {
    int64_t enrollment_id;
    enum push_state state;
    int attempts;
    int64_t wanted_at, due_at, sent_at; /* sent_at: 0 for never */
    int last_status;                    /* HTTP status, 0: no answer, -1: not tried yet */
    const char *apns_id, *reason;
};
/* The rows of n enrollments, those that exist, in no order; strings are in a. */
enum outcome push_read(struct db *db, const int64_t *enrollment_ids, size_t n, struct arena *a,
                       struct push_row **out, size_t *nout, struct err *err) MUST_USE;
/* Did the agent try, or give up, since it was wanted? */
bool push_settled(const struct push_row *r);
/* push_read() every 25 ms until all are settled or timeout_ms have passed; OK in both cases. */
enum outcome push_wait(struct db *db, const int64_t *enrollment_ids, size_t n, int timeout_ms,
                       struct arena *a, struct push_row **out, size_t *nout,
                       struct err *err) MUST_USE;

/* --- for the agent --- */

/* A due push and what is needed to send it. Strings are in the caller's arena, "" when absent. */
struct push_due {
    int64_t enrollment_id, wanted_at;
    int64_t now; /* the database's clock when it was read */
    int64_t expires_at;
    int attempts;
    const char *apns_id;
    bool enrolled; /* not checked out, not ended, and it has a current life */
    int64_t life_id;
    const char *topic, *magic;
    struct bytes token;
    int64_t token_at;     /* the life's last TokenUpdate; 0 before the first */
    const char *dead_why; /* "" unless the token is dead */
};
/* Up to max due pushes, the longest due first. Reads only. */
enum outcome push_due_read(struct db *db, size_t max, struct arena *a, struct push_due **out,
                           size_t *n, struct err *err) MUST_USE;

/* What becomes of a push that was read. */
struct push_change {
    int64_t enrollment_id, wanted_at;
    int64_t claim; /* the mark it was claimed with (or is claimed with now); 0: not claimed */
    enum push_state state;
    int64_t delay_us;    /* due in so long; not for a claim */
    bool tried;          /* counts an attempt */
    int status;          /* of a tried one: HTTP status, 0 for no answer */
    const char *reason;  /* NULL keeps the old */
    const char *apns_id; /* NULL keeps the old */
    /* of a tried one that is PUSH_DEAD: the token that was refused. If the life has another one by
     * now, or told the same one again later than token_at, the push is wanted again at once. */
    int64_t life_id, token_at;
    struct bytes token;
};
/* Applies n changes in one unit of work; sorts the array by enrollment_id. A claim is applied where
 * the push is still wanted; a change of a claimed push where it still has that mark; any other
 * where wanted_at still is the same. claim: a time, the claims made by this call run out then; no
 * two calls use the same. a: for the statements' arguments. */
enum outcome push_apply(struct db *db, struct push_change *changes, size_t n, struct arena *a,
                        struct err *err) MUST_USE;
/* Claims become wishes again: all, or (stale) those that are claimed for longer than they said. */
enum outcome push_release(struct db *db, bool stale_only, uint64_t *released,
                          struct err *err) MUST_USE;
/* What waits for a topic (not the devices' own back-offs) becomes due now. */
enum outcome push_topic_due(struct db *db, const char *topic, uint64_t *changed,
                            struct err *err) MUST_USE;

#endif
