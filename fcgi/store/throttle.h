/*
 * throttle.h: wrong passwords slow down those that follow and block them in the end: the one
 * throttle of administrators and of users. Three counts for each attempt: of the account from this
 * address, of the address, and of the account from anywhere. The last two let through more than the
 * first, for there may be many people behind an address, and somebody elsewhere must not keep a
 * person out easily. An attempt counts as failed until it is known to be right, so that many at the
 * same moment gain nothing.
 */
#ifndef DROVER_STORE_THROTTLE_H
#define DROVER_STORE_THROTTLE_H

#include "store/db.h"

/* Failures that cost nothing; each further one doubles the pause, from a second; from the tenth on
 * it is a quarter of an hour. For an address, and for an account from anywhere, five times as many.
 * After an hour without an attempt all is forgotten. */
#define THROTTLE_FREE 3
#define THROTTLE_BLOCK 10
#define THROTTLE_WIDE_FACTOR 5
#define THROTTLE_BLOCK_US (15 * 60 * INT64_C(1000000))
#define THROTTLE_FORGET_US (60 * 60 * INT64_C(1000000))

/* Whose accounts: two of one name in different realms are not the same person. */
enum throttle_realm { THROTTLE_USERS, THROTTLE_ADMINS };

struct throttle {
    enum throttle_realm realm;
    const char *account; /* as given; at most 120 octets count */
    const char *address;
};

/* Begins an attempt. DENIED: too early; the reason says for how long, and so does *wait_s (which
 * may be NULL; 0 otherwise). The attempt is then not to be judged and does not count. One that
 * begins to block is audited (login.block). */
enum outcome throttle_enter(struct db *db, const struct throttle *who, int64_t now, int64_t *wait_s,
                            struct err *err) MUST_USE;
/* The attempt was right: the account starts afresh at this address; the wide counts get this
 * attempt back. */
enum outcome throttle_right(struct db *db, const struct throttle *who, struct err *err) MUST_USE;
/* An account's wrong passwords count no longer, from wherever they came: it was given another one.
 * In the caller's unit of work. */
enum outcome throttle_forget(struct db *db, enum throttle_realm realm, const char *account,
                             struct err *err) MUST_USE;

/* A count of wrong passwords. subject: "account:NAME" or "admin:NAME", with "@ADDRESS" behind it
 * when it is of one address, or "address:ADDRESS". */
struct throttled {
    const char *subject;
    int64_t failures;
    int64_t first_at, last_at; /* of these failures */
    int64_t free_at;           /* nothing is judged before */
};
/* The counts of an account that are not forgotten yet, whether they slow anything or not, the one
 * that slows longest first; at most LIM_PAGE. */
enum outcome throttle_of(struct db *db, enum throttle_realm realm, const char *account, int64_t now,
                         struct arena *a, struct throttled **out, size_t *n,
                         struct err *err) MUST_USE;
/* All counts, of whomever, that slow something at this moment, in the same order. */
enum outcome throttle_held(struct db *db, int64_t now, struct arena *a, struct throttled **out,
                           size_t *n, struct err *err) MUST_USE;
/* Takes one away, by its subject; audited (login.release). One that is not there is away. */
enum outcome throttle_clear(struct db *db, const char *subject, const char *by,
                            struct err *err) MUST_USE;

#endif
