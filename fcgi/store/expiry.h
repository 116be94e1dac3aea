/*
 * expiry.h: everything with an end on which management hangs. Rows of other tables are read where
 * they stand, so that a renewal shows at once; the table expiry takes what no table knows (the
 * signer's certificates, files) and what is dear to add up (device identities). Whatever comes
 * later, such as tokens of other services, adds its SELECT to the union in expiry.c, or rows of its
 * own kind with expiry_put().
 */
#ifndef DROVER_STORE_EXPIRY_H
#define DROVER_STORE_EXPIRY_H

#include "store/db.h"
#include "wire/encode.h"

#define EXPIRY_SOON_DAYS 30 /* warned of from then on */
#define EXPIRY_URGENT_DAYS 7

struct expiry {
    const char *kind, *name, *detail; /* never NULL */
    int64_t ends_at;
    int64_t count;
};
/* All that end before `before`, the first to end first, at most max; in a. */
enum outcome expiry_list(struct db *db, int64_t before, size_t max, struct arena *a,
                         struct expiry **out, size_t *n, struct err *err) MUST_USE;
/* What it is in words, and what to do about it: literals. */
const char *expiry_title(const char *kind);
const char *expiry_fix(const char *kind);

/* Notes one in the table, seen now. */
enum outcome expiry_put(struct db *db, const struct expiry *e, int64_t now,
                        struct err *err) MUST_USE;
/* Notes the identities of devices' current lives, added up by the month they end in. */
enum outcome expiry_identities(struct db *db, int64_t now, struct err *err) MUST_USE;
/* Removes from the table what was not seen since `before`. */
enum outcome expiry_forget(struct db *db, int64_t before, struct err *err) MUST_USE;

/* How near the end is: EXPIRY_SOON_DAYS, EXPIRY_URGENT_DAYS, 0: it is over; -1: it is far.
 * Identities of devices renew themselves: they are news when that is late. */
int expiry_within(const struct expiry *e, int64_t now);
/* Tells the webhooks that want it (EVENT_CERTIFICATE_EXPIRING), once for each end and each step by
 * which it comes nearer, however often the agent looks or is started; nothing when it is far. */
enum outcome expiry_tell(struct db *db, const struct expiry *e, int64_t now, struct arena *a,
                         struct err *err) MUST_USE;

/* --- addresses of the calendar --- */

#define FEED_TOKEN_LEN 48 /* hexadecimal digits */

struct calendar_feed {
    const char *name, *created_by;
    int64_t created_at, last_used_at;
};
/* Makes an address, audited. INVALID: the name is none (1 to 64 octets); CONFLICT: it is taken. */
enum outcome feed_new(struct db *db, const char *name, const char *by,
                      char token[FEED_TOKEN_LEN + 1], struct err *err) MUST_USE;
/* NOT_FOUND. Audited. */
enum outcome feed_revoke(struct db *db, const char *name, const char *by, struct err *err) MUST_USE;
enum outcome feed_list(struct db *db, struct arena *a, struct calendar_feed **out, size_t *n,
                       struct err *err) MUST_USE;
/* Is this the token of an address? Notes the use. NOT_FOUND: it is none. */
enum outcome feed_check(struct db *db, const char *token, int64_t now, struct arena *a,
                        struct err *err) MUST_USE;

#endif
