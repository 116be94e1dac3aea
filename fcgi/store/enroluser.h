/*
 * enroluser.h: local users: people who enrol devices and log in on managed Macs. Of a password the
 * database has its scrypt hash, for a login by web page, and its HA1 values of HTTP Digest, sealed
 * to the signer, which alone compares with them (wire/sign.h, sign_digest_check()).
 */
#ifndef DROVER_STORE_ENROLUSER_H
#define DROVER_STORE_ENROLUSER_H

#include "store/db.h"
#include "wire/digest.h"

#define ENROLUSER_NAME_MAX 128      /* octets */
#define ENROLUSER_FULL_NAME_MAX 255 /* characters */
#define ENROLUSER_PASSWORD_MIN 8
#define ENROLUSER_PASSWORD_MAX 256

struct enroluser {
    int64_t id;
    const char *name, *full_name;
    const char *managed_account;      /* Managed Apple Account; the name, when that is one; or "" */
    const char *password_hash;        /* for password_check(); "" in a list */
    struct bytes ha1_md5, ha1_sha256; /* sealed; empty in a list */
    int64_t created_at, password_at;  /* microseconds since 1970 */
    int64_t disabled_at;              /* 0: not disabled */
};

/* Adds a user. signer_dir: where the signer's public key is. by: an audit actor. CONFLICT: the name
 * is taken. INVALID: a name or password of the wrong length, with control characters, a quote or a
 * colon in the name (HTTP Digest takes no colon). */
enum outcome enroluser_add(struct db *db, const char *signer_dir, const char *name,
                           const char *full_name, const char *password, const char *by,
                           struct err *err) MUST_USE;
/* Gives another password; AuthTokens of the old one are void. NOT_FOUND: no such user. */
enum outcome enroluser_password(struct db *db, const char *signer_dir, const char *name,
                                const char *password, const char *by, struct err *err) MUST_USE;
/* Disables a user, whose AuthTokens are void then, or enables again. NOT_FOUND: no such user. */
enum outcome enroluser_disable(struct db *db, const char *name, bool disable, const char *by,
                               struct err *err) MUST_USE;
/* Says which Managed Apple Account is a user's ("": the name, when that is one). NOT_FOUND: no such
 * user. INVALID: no NAME@DOMAIN. */
enum outcome enroluser_managed(struct db *db, const char *name, const char *managed_account,
                               const char *by, struct err *err) MUST_USE;
/* By name. NOT_FOUND: no such user. */
enum outcome enroluser_find(struct db *db, const char *name, struct arena *a, struct enroluser *out,
                            struct err *err) MUST_USE;
enum outcome enroluser_list(struct db *db, struct arena *a, struct enroluser **out, size_t *n,
                            struct err *err) MUST_USE;

#endif
