/*
 * factor.h: the second factor of administrators: codes of an authenticator app (wire/totp.h), and
 * recovery codes for a lost one. The secret is sealed; the signer compares. No code is taken twice.
 */
#ifndef DROVER_STORE_FACTOR_H
#define DROVER_STORE_FACTOR_H

#include "store/db.h"

struct session;

#define FACTOR_SECRET_TEXT 33 /* base32 of the secret, and a NUL */
#define FACTOR_CODES 10       /* recovery codes that are made together */
#define FACTOR_CODE_TEXT 20   /* one, "xxxx-xxxx-xxxx-xxxx", and a NUL */

/* Makes a secret and keeps it, sealed, until a code confirms it; a factor in use stays in use. The
 * text is to be shown once and wiped. */
enum outcome factor_begin(struct db *db, const char *signer_dir, const char *name,
                          char text[FACTOR_SECRET_TEXT], struct err *err) MUST_USE;
/* The code of the secret that was begun: from now on it is the factor, and these are the recovery
 * codes; earlier ones are void, and so are all sessions but `keep`, which the password alone had
 * opened. Audited. DENIED: another code; NOT_FOUND: none was begun. */
enum outcome factor_confirm(struct db *db, const char *name, const char *code,
                            const struct session *keep, int64_t now,
                            char codes[FACTOR_CODES][FACTOR_CODE_TEXT], struct err *err) MUST_USE;
/* Is it a code of the app, later than any that was taken, or a recovery code that is not used up
 * (it is then)? DENIED: no. NOT_FOUND: there is no factor. */
enum outcome factor_check(struct db *db, const char *name, const char *code, int64_t now,
                          struct err *err) MUST_USE;
/* New recovery codes; those before are void. Audited. */
enum outcome factor_codes(struct db *db, const char *name, int64_t now,
                          char codes[FACTOR_CODES][FACTOR_CODE_TEXT], struct err *err) MUST_USE;
/* No second factor from now on. Audited. */
enum outcome factor_off(struct db *db, const char *name, struct err *err) MUST_USE;
/* How many recovery codes are left. */
enum outcome factor_left(struct db *db, const char *name, int64_t *n, struct err *err) MUST_USE;

#endif
