/* login.c: see login.h. */
#include "store/login.h"

#include "store/throttle.h"
#include "wire/password.h"
#include "wire/sign.h"

enum outcome login_digest(struct db *db, const struct digest_answer *d, const char *method,
                          const char *address, int64_t now, struct arena *a, struct enroluser *user,
                          struct err *err)
{
    const struct throttle who = {THROTTLE_USERS, d->username, address};
    enum outcome o = OK;
    if (strcmp(d->realm, DIGEST_REALM) != 0)
        return err_set(err, DENIED, "the answer is for another realm");
    o = throttle_enter(db, &who, now, NULL, err);
    if (o != OK)
        return o;
    o = enroluser_find(db, d->username, a, user, err);
    if (o == NOT_FOUND)
        return err_set(err, DENIED, "there is no such user");
    if (o == OK && user->disabled_at != 0)
        return err_set(err, DENIED, "the account is disabled");
    if (o == OK)
        o = sign_digest_check(d, d->algorithm == DIGEST_MD5 ? user->ha1_md5 : user->ha1_sha256,
                              method, err);
    return o == OK ? throttle_right(db, &who, err) : o;
}

enum outcome login_password(struct db *db, const char *name, const char *password,
                            const char *address, int64_t now, struct arena *a,
                            struct enroluser *user, int64_t *wait_s, struct err *err)
{
    const struct throttle who = {THROTTLE_USERS, name, address};
    enum outcome o = throttle_enter(db, &who, now, wait_s, err);
    if (o != OK)
        return o;
    o = enroluser_find(db, name, a, user, err);
    if (o != OK && o != NOT_FOUND)
        return o;
    bool usable = o == OK && !user->disabled_at;
    o = password_judge(password, usable ? user->password_hash : "", err);
    return o == OK ? throttle_right(db, &who, err) : o;
}
