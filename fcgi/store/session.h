/*
 * session.h: administrators who are signed in to the console. A session is named by a random token
 * that only its cookie holds; the database has its SHA-256.
 */
#ifndef DROVER_STORE_SESSION_H
#define DROVER_STORE_SESSION_H

#include "store/db.h"

#define SESSION_TOKEN_LEN 64 /* hexadecimal digits */
#define SESSION_SECRET_LEN 32
#define SESSION_IDLE_MIN 30
#define SESSION_HOURS 12
#define SESSION_PENDING_MIN 10 /* to give the second factor */
#define SESSION_FRESH_MIN 15   /* so long a proof of who it is holds for sensitive actions */

/* Strings are in the caller's arena; times are microseconds since 1970. */
struct session {
    uint8_t token_sha256[32];
    const char *admin;
    const char *language; /* "" when the browser chooses */
    uint8_t csrf[SESSION_SECRET_LEN];
    int64_t created_at, seen_at, ends_at;
    const char *user_agent, *address;
    const char *role;  /* of the account, store/role.h */
    int64_t fresh_at;  /* last proof of who it is */
    bool pending;      /* the second factor has not come: it is no session yet */
    bool password_due; /* of the account: the password must be changed first */
    bool has_totp;     /* of the account */
    bool remote;       /* of the account: the web server said who it is */
    int64_t scope;     /* of the account, store/scope.h; 0: it reaches everything */
};

struct session_start {
    const char *admin;
    const char *old_token; /* the one that came with the request; NULL: none */
    const char *user_agent, *address;
    int64_t now;
    bool pending; /* a second factor must come: ends after SESSION_PENDING_MIN */
};
/* Makes a session for an administrator whose proof was right, and ends the one that came along, so
 * that nobody can bring a token along that works afterwards. Audited, unless it is pending. token:
 * for the cookie. */
enum outcome session_new(struct db *db, const struct session_start *start,
                         char token[SESSION_TOKEN_LEN + 1], struct err *err) MUST_USE;
/* Finds the session of a cookie. NOT_FOUND: none, it is over, or the account is disabled. */
enum outcome session_find(struct db *db, const char *token, int64_t now, struct arena *a,
                          struct session *out, struct err *err) MUST_USE;
/* The person has done something: it is not idle. Written once a minute. */
enum outcome session_keep(struct db *db, const struct session *s, int64_t now,
                          struct err *err) MUST_USE;
/* Ends a session; audited as a sign-out. One that does not exist is ended already. */
enum outcome session_end(struct db *db, const struct session *s, struct err *err) MUST_USE;
/* The person has proved again who they are. */
enum outcome session_fresh(struct db *db, const struct session *s, int64_t now,
                           struct err *err) MUST_USE;
/* Ends the session of that digest, if it is one of that administrator's; audited. */
enum outcome session_end_one(struct db *db, const char *admin, struct bytes token_sha256,
                             const char *by, struct err *err) MUST_USE;
/* Ends all other sessions of the administrator of s; *n counts them. */
enum outcome session_end_others(struct db *db, const struct session *s, uint64_t *n,
                                struct err *err) MUST_USE;
/* Ends all sessions of an administrator but `keep` (NULL: none), those that wait for a second
 * factor too, in the caller's unit of work, which is on record itself. */
enum outcome session_end_rest(struct db *db, const char *admin, const struct session *keep,
                              struct err *err) MUST_USE;
/* Ends all sessions of an administrator, those that wait for a second factor too; audited with who
 * did it. */
enum outcome session_end_all(struct db *db, const char *admin, const char *by, uint64_t *n,
                             struct err *err) MUST_USE;
/* The sessions of an administrator (NULL: of all) that are not over, the latest first; at most
 * LIM_PAGE. */
enum outcome session_list(struct db *db, const char *admin, int64_t now, struct arena *a,
                          struct session **out, size_t *n, struct err *err) MUST_USE;

/* Asks whether a password may be tried for this account from this address, and counts the attempt
 * as a failure until signin_succeeded() says otherwise: of attempts at the same time all count.
 * *wait_s: 0, or the seconds to wait; such an attempt does not count. */
enum outcome signin_attempt(struct db *db, const char *account, const char *address, int64_t now,
                            struct arena *a, int64_t *wait_s, struct err *err) MUST_USE;
#define SIGNIN_CODE_MAX 128
/* The name under which wrong codes of an account's second factor count, apart from its wrong
 * passwords: who has the password must not have a million guesses for the code. */
void signin_code_account(const char *account, char out[SIGNIN_CODE_MAX]);
/* The password was right. */
enum outcome signin_succeeded(struct db *db, const char *account, const char *address,
                              struct arena *a, struct err *err) MUST_USE;

#endif
