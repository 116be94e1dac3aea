/*
 * signin.c: the throttle of sign-ins; declared in session.h. Three counts for each attempt: of the
 * account from this address, of the address, of the account from anywhere. The last lets through
 * more than the others, so that somebody elsewhere cannot easily keep a person out.
 */
#include "store/session.h"

#include "base/clock.h"
#include "wire/encode.h"

#define COUNTS 3
#define FORGET_US HOUR_US
#define WAIT_MAX_S 900

static const int FREE_ATTEMPTS[COUNTS] = {5, 20, 50};

static const struct sql READ = {
    "signin_read",
    "SELECT key_sha256, failures, wait_until, last_at FROM signin_throttle "
    "WHERE key_sha256 IN (?,?,?) FOR UPDATE",
    0};
static const struct sql COUNT = {
    "signin_count",
    "INSERT INTO signin_throttle (key_sha256, failures, wait_until, last_at) VALUES (?,?,?,?) "
    "ON DUPLICATE KEY UPDATE failures = VALUES(failures), wait_until = VALUES(wait_until), "
    "last_at = VALUES(last_at)",
    0};
static const struct sql FORGET = {"signin_forget",
                                  "DELETE FROM signin_throttle WHERE key_sha256 = ?", 0};
static const struct sql TAKE_BACK = {
    "signin_take_back",
    "UPDATE signin_throttle SET failures = GREATEST(failures - 1, 0), wait_until = 0 "
    "WHERE key_sha256 IN (?,?)",
    0};

struct attempt {
    uint8_t key[COUNTS][SHA256_LEN];
    int64_t now, wait_us;
    struct arena *a;
};

static void keys_make(struct attempt *x, const char *account, const char *address)
{
    const char *text[COUNTS] = {arena_fmt(x->a, "both\n%s\n%s", address, account),
                                arena_fmt(x->a, "address\n%s", address),
                                arena_fmt(x->a, "account\n%s", account)};
    for (int i = 0; i < COUNTS; i++)
        sha256(bytes_str(text[i] ? text[i] : ""), x->key[i]);
}

static struct val key_val(const struct attempt *x, int i)
{
    return val_bin(bytes_of(x->key[i], SHA256_LEN));
}

static int64_t wait_after(int64_t failures, int free_attempts)
{
    int64_t over = failures - free_attempts;
    if (over < 0)
        return 0;
    int64_t s = over < 10 ? INT64_C(1) << over : WAIT_MAX_S;
    return (s < WAIT_MAX_S ? s : WAIT_MAX_S) * SECOND_US;
}

static enum outcome attempt_unit(struct db *db, void *arg, struct err *err)
{
    struct attempt *x = arg;
    int64_t failures[COUNTS] = {0};
    struct val keys[COUNTS] = {key_val(x, 0), key_val(x, 1), key_val(x, 2)};
    struct rows r;
    x->wait_us = 0;
    enum outcome o = db_select(db, &READ, keys, COUNTS, x->a, &r, err);
    for (size_t k = 0; o == OK && k < r.n; k++)
        for (int i = 0; i < COUNTS; i++) {
            const struct val *v = row_at(&r, k, 0);
            if (!bytes_equal(val_bytes(&v[0]), bytes_of(x->key[i], SHA256_LEN)))
                continue;
            failures[i] = x->now - v[3].i > FORGET_US ? 0 : v[1].i;
            if (v[2].i - x->now > x->wait_us)
                x->wait_us = v[2].i - x->now;
        }
    if (o != OK || x->wait_us > 0)
        return o;
    for (int i = 0; o == OK && i < COUNTS; i++)
        o = db_exec(db, &COUNT,
                    (struct val[]){keys[i], val_int(failures[i] + 1),
                                   val_int(x->now + wait_after(failures[i] + 1, FREE_ATTEMPTS[i])),
                                   val_int(x->now)},
                    4, NULL, err);
    return o;
}

enum outcome signin_attempt(struct db *db, const char *account, const char *address, int64_t now,
                            struct arena *a, int64_t *wait_s, struct err *err)
{
    struct attempt x = {.now = now, .a = a};
    keys_make(&x, account, address);
    enum outcome o = db_unit(db, attempt_unit, &x, err);
    *wait_s = (x.wait_us + SECOND_US - 1) / SECOND_US;
    return o;
}

static enum outcome succeeded_unit(struct db *db, void *arg, struct err *err)
{
    struct attempt *x = arg;
    struct val both = key_val(x, 0);
    enum outcome o = db_exec(db, &FORGET, &both, 1, NULL, err);
    return o == OK
               ? db_exec(db, &TAKE_BACK, (struct val[]){key_val(x, 1), key_val(x, 2)}, 2, NULL, err)
               : o;
}

enum outcome signin_succeeded(struct db *db, const char *account, const char *address,
                              struct arena *a, struct err *err)
{
    struct attempt x = {.a = a};
    keys_make(&x, account, address);
    return db_unit(db, succeeded_unit, &x, err);
}
