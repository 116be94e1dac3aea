/* signin.c: sign-ins to the console, in the words of session.h, on the one throttle. */
#include "store/session.h"

#include <stdio.h>

#include "base/utf8.h"
#include "store/throttle.h"

void signin_code_account(const char *account, char out[SIGNIN_CODE_MAX])
{
    snprintf(out, SIGNIN_CODE_MAX, "%.*s (code)", (int)utf8_prefix(account, 90), account);
}

enum outcome signin_attempt(struct db *db, const char *account, const char *address, int64_t now,
                            struct arena *a, int64_t *wait_s, struct err *err)
{
    const struct throttle who = {THROTTLE_ADMINS, account, address};
    enum outcome o = throttle_enter(db, &who, now, wait_s, err);
    (void)a;
    return o == DENIED && *wait_s ? OK : o;
}

enum outcome signin_succeeded(struct db *db, const char *account, const char *address,
                              struct arena *a, struct err *err)
{
    const struct throttle who = {THROTTLE_ADMINS, account, address};
    (void)a;
    return throttle_right(db, &who, err);
}
