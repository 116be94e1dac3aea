/*
 * oauth.h: grants of OAuth 2 for account-driven enrolment (RFC 6749, RFC 7636; RFC 9700 for what
 * has been learnt since). A person who has logged in gets a code; the device changes it, once, for
 * an access token, which lives for minutes, and a refresh token, which is another one after each
 * use. All of one grant begin with the same handle, so that what is not its latest is known to be
 * an earlier one: a refresh token that comes a second time, by a thief or by the one it was stolen
 * from, ends the grant. Of codes and tokens the database has digests alone.
 */
#ifndef DROVER_STORE_OAUTH_H
#define DROVER_STORE_OAUTH_H

#include "store/db.h"

#define OAUTH_TOKEN_LEN 81 /* a letter for its kind, 32 digits of the handle, 48 of its own */
#define OAUTH_CHALLENGE_MIN 43
#define OAUTH_CHALLENGE_MAX 128
#define OAUTH_CODE_S 120
#define OAUTH_USES_MAX 10

/* Who logged in, and for what. */
struct oauth_person {
    int64_t account_kind; /* enum account_kind */
    const char *account, *managed_account, *mode;
};
struct oauth_life {
    int64_t access_s, refresh_s;
};
struct oauth_tokens {
    char access[OAUTH_TOKEN_LEN + 1], refresh[OAUTH_TOKEN_LEN + 1];
};

/* Is this a token of the access kind, as far as its looks go? */
bool oauth_is_access(const char *token);

/* Makes a grant and its code, good for OAUTH_CODE_S. challenge: the device's code_challenge by
 * S256; NULL: it sent none. */
enum outcome oauth_begin(struct db *db, const struct oauth_person *p, const char *challenge,
                         int64_t now, char code[OAUTH_TOKEN_LEN + 1], struct err *err) MUST_USE;
/* Changes a code for tokens. DENIED: it is unknown, too old, was used (which ends the grant), or
 * verifier (NULL: none came) is not that of its challenge. */
enum outcome oauth_redeem(struct db *db, const char *code, const char *verifier,
                          const struct oauth_life *life, int64_t now, struct arena *a,
                          struct oauth_tokens *out, struct err *err) MUST_USE;
/* Changes a refresh token for new tokens. The one before is taken once more where nothing shows
 * that the device has had the answer. DENIED: it is unknown, too old, was used before (which ends
 * the grant), the grant was ended, or its person may log in no more. */
enum outcome oauth_refresh(struct db *db, const char *refresh, const struct oauth_life *life,
                           int64_t now, struct arena *a, struct oauth_tokens *out,
                           struct err *err) MUST_USE;

enum oauth_state {
    OAUTH_UNKNOWN, /* no grant of ours, as far as the database knows */
    OAUTH_GOOD,
    OAUTH_STALE, /* it has run out or another took its place: the device is to refresh */
    OAUTH_ENDED  /* the grant has: the person is to log in anew */
};
struct oauth_grant {
    enum oauth_state state;
    int64_t id, account_kind, uses;
    const char *account, *managed_account, *mode;
    const char *device, *ident; /* "": nobody's yet */
    const char *why;            /* of OAUTH_ENDED */
    bool latest;                /* it is the token in force, not the one before */
    bool confirmed;             /* the token in force was seen before */
};
/* What an access token is worth. A person's grants end when the account is disabled or removed or
 * gets another password. Strings in a. */
enum outcome oauth_look(struct db *db, const char *access, int64_t now, struct arena *a,
                        struct oauth_grant *out, struct err *err) MUST_USE;
/* The device that fetches its enrolment profile with g keeps the grant; counts a use. Inside the
 * caller's unit. DENIED: it is another device's, or was used OAUTH_USES_MAX times. */
enum outcome oauth_use(struct db *db, int64_t id, const char *device, struct err *err) MUST_USE;
/* The enrollment that sends messages with g keeps it, and the tokens have come to it. DENIED: it is
 * another's. Writes only what is news. */
enum outcome oauth_bind(struct db *db, const struct oauth_grant *g, const char *ident,
                        struct err *err) MUST_USE;

#endif
