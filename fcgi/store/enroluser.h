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
#define ENROLUSER_GIVEN_LEN 20 /* of a password that Drover makes: hexadecimal digits */

struct enroluser {
    int64_t id;
    const char *name, *full_name;
    const char *managed_account;      /* Managed Apple Account; the name, when that is one; or "" */
    const char *password_hash;        /* for password_check(); "" in a list */
    struct bytes ha1_md5, ha1_sha256; /* sealed; empty in a list */
    int64_t created_at, password_at;  /* microseconds since 1970 */
    int64_t disabled_at;              /* 0: not disabled */
};

/* What is to be, or to become, of a user. */
struct enroluser_edit {
    const char *full_name;       /* NULL: as it was */
    const char *managed_account; /* NULL: as it was; "": the name, when that is one */
    const char *password;        /* NULL: as it was */
    bool disable, enable;
};
/* Adds a user, who needs a password. signer_dir: where the signer's public key is. by: an audit
 * actor. CONFLICT: the name is taken. INVALID: a name or password of the wrong length, with control
 * characters, a quote or a colon in the name (HTTP Digest takes no colon), a managed account that
 * is no NAME@DOMAIN. */
enum outcome enroluser_add(struct db *db, const char *signer_dir, const char *name,
                           const struct enroluser_edit *e, const char *by,
                           struct err *err) MUST_USE;
/* Changes all of it or nothing, each with its entry in the audit log. With another password, and
 * with disable, the user's AuthTokens are void; another password forgets wrong ones. NOT_FOUND: no
 * such user; INVALID: as enroluser_add(). */
enum outcome enroluser_change(struct db *db, const char *signer_dir, const char *name,
                              const struct enroluser_edit *e, const char *by,
                              struct err *err) MUST_USE;
/* Takes a user out, whose AuthTokens and grants are void then; devices stay enrolled, and are
 * nobody's: not of whoever gets the same name later. NOT_FOUND: no such user. */
enum outcome enroluser_remove(struct db *db, const char *name, const char *by,
                              struct err *err) MUST_USE;
/* By name. NOT_FOUND: no such user. Who is limited (store/scope.h) finds those who have a device in
 * reach, or have logged in on one, here and below. */
enum outcome enroluser_find(struct db *db, const char *name, struct arena *a, struct enroluser *out,
                            struct err *err) MUST_USE;
/* By name, those after that name ("": from the start), at most max (LIM_PAGE); search: part of the
 * name, the full name or the managed account, in any case; "": all. */
enum outcome enroluser_list(struct db *db, const char *search, const char *after, size_t max,
                            struct arena *a, struct enroluser **out, size_t *n,
                            struct err *err) MUST_USE;

#endif
