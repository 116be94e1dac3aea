/*
 * admin.h: administrators: people who sign in to the console, with a password of which the scrypt
 * hash is stored, or by the word of the web server (REMOTE_USER). What one may is a role
 * (store/role.h). There is always one enabled administrator by password who reaches everything.
 */
#ifndef DROVER_STORE_ADMIN_H
#define DROVER_STORE_ADMIN_H

#include "store/db.h"
#include "store/role.h"
#include "wire/encode.h"

#define ADMIN_PASSWORD_MIN 10
#define ADMIN_PASSWORD_MAX 1024
#define ADMIN_GIVEN_LEN 20 /* of a password that Drover makes: hexadecimal digits */

struct session;

struct admin {
    int64_t id;
    const char *name;
    const char *password_hash; /* for password_check(); empty in a list and of remote accounts */
    const char *role;
    const char *created_by; /* "" of old accounts */
    int64_t created_at;     /* microseconds since 1970 */
    int64_t disabled_at;    /* 0: not disabled */
    int64_t signed_in_at;   /* 0: never */
    bool remote, password_due, has_totp;
    bool limited;     /* to groups: store/scope.h */
    bool role_ruled;  /* remote: the configuration gave the role, and no person */
    int64_t sessions; /* that are not over; of a list alone */
};

/* Adds an administrator. by: who does it, for the audit log. CONFLICT: the name is taken.
 * INVALID: no such role; a name or password of the wrong length or with control characters. */
enum outcome admin_add(struct db *db, const char *name, const char *role, const char *password,
                       const char *by, struct err *err) MUST_USE;
/* The same with a password that is made here, to be told to the person once; nothing else is
 * possible with it than to change it. */
enum outcome admin_invite(struct db *db, const char *name, const char *role, const char *by,
                          char password[ADMIN_GIVEN_LEN + 1], struct err *err) MUST_USE;
/* The person's own new password, which ends all sessions but `keep` (NULL: all). NOT_FOUND: no such
 * administrator, or a remote one. */
enum outcome admin_password_set(struct db *db, const char *name, const char *password,
                                const struct session *keep, const char *by,
                                struct err *err) MUST_USE;
/* For somebody who has lost password or second factor: a password as of admin_invite(), no second
 * factor, no session, and wrong passwords that count no longer. NOT_FOUND as above. */
enum outcome admin_reset(struct db *db, const char *name, const char *by,
                         char password[ADMIN_GIVEN_LEN + 1], struct err *err) MUST_USE;
/* Disables an account, which ends its sessions, or enables it again. NOT_FOUND: no such
 * administrator; CONFLICT: it is the last one. */
enum outcome admin_disable(struct db *db, const char *name, bool disable, const char *by,
                           struct err *err) MUST_USE;
/* Gives another role. INVALID: there is none of that name; otherwise as admin_disable(). */
enum outcome admin_role_set(struct db *db, const char *name, const char *role, const char *by,
                            struct err *err) MUST_USE;
/* A password that is made here, and its hash, which takes a while. Wipe it after use. */
struct admin_secret {
    char password[ADMIN_GIVEN_LEN + 1], hash[PASSWORD_HASH_MAX];
};
enum outcome admin_secret_make(struct admin_secret *out, struct err *err) MUST_USE;
/* The changes above in the caller's unit of work, with such a password where one is made. */
enum outcome admin_add_do(struct db *db, const char *name, const char *role,
                          const struct admin_secret *secret, const char *by,
                          struct err *err) MUST_USE;
enum outcome admin_reset_do(struct db *db, const char *name, const struct admin_secret *secret,
                            const char *by, struct err *err) MUST_USE;
enum outcome admin_disable_do(struct db *db, const char *name, bool disable, const char *by,
                              struct arena *a, struct err *err) MUST_USE;
enum outcome admin_role_do(struct db *db, const char *name, const char *role, const char *by,
                           struct arena *a, struct err *err) MUST_USE;
/* Somebody whom the web server has authenticated signs in: the account is made at the first time.
 * role: what the configuration says about the person, or NULL; then the role is `otherwise`, unless
 * a person has given another one. What the configuration gave and does not say any more is taken
 * away with it, from sessions too. DENIED: no role, disabled, or the name is one with a password
 * here; INVALID: not a name. */
enum outcome admin_remote(struct db *db, const char *name, const char *role, const char *otherwise,
                          struct err *err) MUST_USE;
/* Finds one by its sign-in name, disabled ones too. Strings are in a. */
enum outcome admin_find(struct db *db, const char *name, struct arena *a, struct admin *out,
                        struct err *err) MUST_USE;
/* All of them by name; n of them in *out. */
enum outcome admin_list(struct db *db, struct arena *a, struct admin **out, size_t *n,
                        struct err *err) MUST_USE;
/* Sets the language of an account's console ("" lets the browser choose). */
enum outcome admin_language_set(struct db *db, const char *name, const char *language,
                                struct err *err) MUST_USE;

#endif
