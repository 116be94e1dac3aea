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

/* Strings are in the caller's arena; times are microseconds since 1970. */
struct session {
    uint8_t token_sha256[32];
    const char *admin;
    const char *language; /* "" when the browser chooses */
    uint8_t csrf[SESSION_SECRET_LEN];
    int64_t created_at, seen_at, ends_at;
    const char *user_agent, *address;
};

/* Makes a session for an administrator whose password was right, and ends the one whose token came
 * with the request (NULL: none), so that nobody can bring a token along that works afterwards.
 * Audited. token: for the cookie. */
enum outcome session_new(struct db *db, const char *admin, const char *old_token,
                         const char *user_agent, const char *address, int64_t now,
                         char token[SESSION_TOKEN_LEN + 1], struct err *err) MUST_USE;
/* Finds the session of a cookie and keeps it alive. NOT_FOUND: none, it is over, or the account is
 * disabled. */
enum outcome session_find(struct db *db, const char *token, int64_t now, struct arena *a,
                          struct session *out, struct err *err) MUST_USE;
/* Ends a session; audited as a sign-out. One that does not exist is ended already. */
enum outcome session_end(struct db *db, const struct session *s, struct err *err) MUST_USE;
/* Ends all other sessions of the administrator of s; *n counts them. */
enum outcome session_end_others(struct db *db, const struct session *s, uint64_t *n,
                                struct err *err) MUST_USE;
/* The sessions of an administrator that are not over, the latest first; at most LIM_PAGE. */
enum outcome session_list(struct db *db, const char *admin, int64_t now, struct arena *a,
                          struct session **out, size_t *n, struct err *err) MUST_USE;

/* Asks whether a password may be tried for this account from this address, and counts the attempt
 * as a failure until signin_succeeded() says otherwise: of attempts at the same time all count.
 * *wait_s: 0, or the seconds to wait; such an attempt does not count. */
enum outcome signin_attempt(struct db *db, const char *account, const char *address, int64_t now,
                            struct arena *a, int64_t *wait_s, struct err *err) MUST_USE;
/* The password was right. */
enum outcome signin_succeeded(struct db *db, const char *account, const char *address,
                              struct arena *a, struct err *err) MUST_USE;

/* Sets the language of an account's console ("" lets the browser choose). */
enum outcome admin_language_set(struct db *db, const char *name, const char *language,
                                struct err *err) MUST_USE;

#endif
