/*
 * account.h: API keys, and what the names of keys and administrators (store/admin.h) hold. A key
 * (32 random octets) is not stored, but its SHA-256.
 */
#ifndef DROVER_STORE_ACCOUNT_H
#define DROVER_STORE_ACCOUNT_H

#include "store/db.h"

#define ACCOUNT_NAME_MAX 128 /* octets of an administrator's or key's name */
#define APIKEY_LEN 64        /* hexadecimal digits */
#define APIKEY_GIVEN_MIN 32
#define APIKEY_GIVEN_MAX 256
#define APIKEY_SCOPES_MAX 255

struct apikey {
    int64_t id;
    const char *name;
    const char *scopes; /* space-separated words; "*" is everything */
    int64_t created_at;
    const char *created_by;
    int64_t expires_at, revoked_at, last_used_at; /* 0: never */
    bool limited;                                 /* to groups: store/scope.h */
    bool maker_gone;                              /* the account that made it is disabled */
};

/* INVALID: an empty or too long name, or one with control characters or a colon. */
enum outcome account_name_check(const char *name, struct err *err) MUST_USE;

/* Makes a key, shown once. scopes: words of apikey_scopes with single spaces between them, or
 * "*". expires_at: 0 is never. CONFLICT: the name is taken. */
enum outcome apikey_new(struct db *db, const char *name, const char *scopes, int64_t expires_at,
                        const char *by, char key[APIKEY_LEN + 1], struct err *err) MUST_USE;
/* Is it a name, are these scopes, is it a time to come? INVALID, with words. */
enum outcome apikey_check(const char *name, const char *scopes, int64_t expires_at,
                          struct err *err) MUST_USE;
/* In the caller's unit of work: the key itself, which was made and checked before; and
 * apikey_revoke(). */
enum outcome apikey_add_do(struct db *db, const char *name, const char *key, const char *scopes,
                           int64_t expires_at, const char *by, struct err *err) MUST_USE;
enum outcome apikey_revoke_do(struct db *db, const char *name, const char *by,
                              struct err *err) MUST_USE;
struct scope;
/* The same, limited to groups (store/scope.h) from its first moment: it is never there unlimited.
 * NOT_FOUND: no such group; INVALID: too many of them. */
enum outcome apikey_new_limited(struct db *db, const char *name, const char *scopes,
                                int64_t expires_at, const struct scope *limit, const char *by,
                                char key[APIKEY_LEN + 1], struct err *err) MUST_USE;
/* Stores a key that was made elsewhere (APIKEY_GIVEN_MIN to APIKEY_GIVEN_MAX printable octets),
 * in place of the one of this name if there is one; a revoked name works again. */
enum outcome apikey_set(struct db *db, const char *name, const char *key, const char *scopes,
                        int64_t expires_at, const char *by, struct err *err) MUST_USE;
/* Finds a key that came with a request and marks its use, true to an hour. NOT_FOUND: no such key;
 * DENIED: revoked or expired. */
enum outcome apikey_find(struct db *db, const char *key, struct arena *a, struct apikey *out,
                         struct err *err) MUST_USE;
/* By its name. NOT_FOUND: there is none. */
enum outcome apikey_get(struct db *db, const char *name, struct arena *a, struct apikey *out,
                        struct err *err) MUST_USE;
/* The words that rows of the route table ask for; NULL ends them. */
extern const char *const apikey_scopes[];
/* Do the scopes hold the word, or "*"? */
bool apikey_allows(const struct apikey *k, const char *scope);
enum outcome apikey_list(struct db *db, struct arena *a, struct apikey **out, size_t *n,
                         struct err *err) MUST_USE;
/* NOT_FOUND: no such name. Revoking twice keeps the first moment. */
enum outcome apikey_revoke(struct db *db, const char *name, const char *by,
                           struct err *err) MUST_USE;

#endif
