/* throttle.c: see throttle.h. */
#include "store/throttle.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "store/audit.h"

#define SUBJECT_MAX 255
#define ACCOUNT_MAX 120

static const struct sql MAKE = {
    .name = "throttle_make",
    .text =
        "INSERT INTO login_throttle (subject, failures, first_at, last_at, free_at) VALUES (?, 0, "
        "?, ?, 0) "
        "ON DUPLICATE KEY UPDATE first_at = IF(last_at < ? OR failures = 0, VALUES(first_at), "
        "first_at), failures = IF(last_at < ?, 0, failures)"};
static const struct sql READ = {
    .name = "throttle_read",
    .text = "SELECT failures, free_at FROM login_throttle WHERE subject = ? FOR UPDATE"};
static const struct sql COUNT = {
    .name = "throttle_count",
    .text = "UPDATE login_throttle SET failures = ?, last_at = ?, free_at = ? WHERE subject = ?"};
static const struct sql RIGHT = {.name = "throttle_right",
                                 .text = "DELETE FROM login_throttle WHERE subject = ?"};
static const struct sql RIGHT_WIDE = {
    .name = "throttle_right_wide",
    .text = "UPDATE login_throttle SET failures = GREATEST(failures - 1, 0), free_at = 0 "
            "WHERE subject IN (?, ?)"};
/* Those of an account: the account alone, and it and an "@" with an address behind, which has no
 * "@" itself, so that it is not the rest of a longer name. Takes the first once, the second trice.
 */
#define OF_ACCOUNT                                                                                 \
    "(subject = ? OR (LEFT(subject, CHAR_LENGTH(?)) = ? AND SUBSTRING(subject, CHAR_LENGTH(?) + "  \
    "1) REGEXP '^[0-9A-Fa-f.:]+$'))"
static const struct sql FORGET = {.name = "throttle_forget",
                                  .text = "DELETE FROM login_throttle WHERE " OF_ACCOUNT};
#define COLUMNS "SELECT subject, failures, first_at, last_at, free_at FROM login_throttle WHERE "
static const struct sql ACCOUNT = {.name = "throttle_account",
                                   .text = COLUMNS "last_at >= ? AND failures > 0 AND " OF_ACCOUNT
                                                   " ORDER BY free_at DESC, subject LIMIT ?"};
static const struct sql HELD = {
    .name = "throttle_held", .text = COLUMNS "free_at > ? ORDER BY free_at DESC, subject LIMIT ?"};
static const struct sql CLEAR = {.name = "throttle_clear",
                                 .text = "DELETE FROM login_throttle WHERE subject = ?"};

#define COUNTS 3 /* the account from the address, the address, the account */

struct entry {
    char subject[SUBJECT_MAX + 1];
    int factor;
};

struct attempt {
    struct entry e[COUNTS];
    int64_t now, wait_us;
    struct arena *a;
};

static void entries(struct entry e[COUNTS], const struct throttle *who)
{
    static const char *const realms[] = {"account", "admin"};
    const char *realm = realms[who->realm];
    size_t n = utf8_prefix(who->account, ACCOUNT_MAX);
    int len = (int)(n < ACCOUNT_MAX ? n : ACCOUNT_MAX);
    snprintf(e[0].subject, sizeof e[0].subject, "%s:%.*s@%.64s", realm, len, who->account,
             who->address);
    snprintf(e[1].subject, sizeof e[1].subject, "address:%.64s", who->address);
    snprintf(e[2].subject, sizeof e[2].subject, "%s:%.*s", realm, len, who->account);
    e[0].factor = 1;
    e[1].factor = e[2].factor = THROTTLE_WIDE_FACTOR;
}

/* How long nothing is judged after so many failures. */
static int64_t pause_after(int64_t failures, int factor)
{
    if (failures >= (int64_t)THROTTLE_BLOCK * factor)
        return THROTTLE_BLOCK_US;
    int64_t over = failures / factor - THROTTLE_FREE;
    return over > 0 ? SECOND_US << (over - 1) : 0;
}

static enum outcome enter_one(struct db *db, struct attempt *t, const struct entry *e,
                              struct err *err)
{
    struct val subject = val_str(e->subject), now = val_int(t->now);
    struct rows r;
    enum outcome o = db_exec(db, &MAKE,
                             (struct val[]){subject, now, now, val_int(t->now - THROTTLE_FORGET_US),
                                            val_int(t->now - THROTTLE_FORGET_US)},
                             5, NULL, err);
    if (o == OK)
        o = db_select(db, &READ, &subject, 1, t->a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0) /* a right attempt has just taken it away */
        return err_set(err, UNAVAILABLE, "the count of failures changed meanwhile");
    int64_t failures = row_at(&r, 0, 0)->i + 1, free_at = row_at(&r, 0, 1)->i;
    if (free_at > t->now && free_at <= t->now + THROTTLE_BLOCK_US) {
        t->wait_us = free_at - t->now;
        return err_set(err, DENIED, "%s: too many wrong passwords; judged again in %d s",
                       e->subject, (int)((t->wait_us + SECOND_US - 1) / SECOND_US));
    }
    o = db_exec(db, &COUNT,
                (struct val[]){val_int(failures), now,
                               val_int(t->now + pause_after(failures, e->factor)), subject},
                4, NULL, err);
    if (o == OK && failures == (int64_t)THROTTLE_BLOCK * e->factor)
        o = audit_add(db, "rule:wrong-passwords", "login.block", e->subject, NULL, err);
    return o;
}

static enum outcome enter_unit(struct db *db, void *arg, struct err *err)
{
    struct attempt *t = arg;
    enum outcome o = OK;
    arena_reset(t->a);
    t->wait_us = 0;
    for (int i = 0; o == OK && i < COUNTS; i++)
        o = enter_one(db, t, &t->e[i], err);
    return o;
}

enum outcome throttle_enter(struct db *db, const struct throttle *who, int64_t now, int64_t *wait_s,
                            struct err *err)
{
    struct attempt t = {.now = now, .a = arena_new(64 * 1024)};
    if (!t.a)
        return err_set(err, ERROR, "out of memory");
    entries(t.e, who);
    enum outcome o = db_unit(db, enter_unit, &t, err);
    if (wait_s)
        *wait_s = o == DENIED ? (t.wait_us + SECOND_US - 1) / SECOND_US : 0;
    arena_free(&t.a);
    return o;
}

enum outcome throttle_right(struct db *db, const struct throttle *who, struct err *err)
{
    struct entry e[COUNTS];
    entries(e, who);
    enum outcome o = db_exec(db, &RIGHT, (struct val[]){val_str(e[0].subject)}, 1, NULL, err);
    return o == OK
               ? db_exec(db, &RIGHT_WIDE,
                         (struct val[]){val_str(e[1].subject), val_str(e[2].subject)}, 2, NULL, err)
               : o;
}

enum outcome throttle_forget(struct db *db, enum throttle_realm realm, const char *account,
                             struct err *err)
{
    struct entry e[COUNTS];
    entries(e, &(struct throttle){.realm = realm, .account = account, .address = ""});
    struct val at = val_str(e[0].subject); /* that ends in "@" */
    return db_exec(db, &FORGET, (struct val[]){val_str(e[2].subject), at, at, at}, 4, NULL, err);
}

static enum outcome list_from(const struct rows *r, struct arena *a, struct throttled **out,
                              size_t *n, struct err *err)
{
    *out = arena_array(a, r->n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (*n = 0; *n < r->n; ++*n) {
        const struct val *v = row_at(r, *n, 0);
        (*out)[*n] = (struct throttled){.subject = v[0].s,
                                        .failures = v[1].i,
                                        .first_at = v[2].i ? v[2].i : v[3].i,
                                        .last_at = v[3].i,
                                        .free_at = v[4].i};
    }
    return OK;
}

enum outcome throttle_of(struct db *db, enum throttle_realm realm, const char *account, int64_t now,
                         struct arena *a, struct throttled **out, size_t *n, struct err *err)
{
    struct entry e[COUNTS];
    struct rows r;
    *n = 0;
    entries(e, &(struct throttle){.realm = realm, .account = account, .address = ""});
    struct val at = val_str(e[0].subject);
    enum outcome o = db_select(db, &ACCOUNT,
                               (struct val[]){val_int(now - THROTTLE_FORGET_US),
                                              val_str(e[2].subject), at, at, at, val_int(LIM_PAGE)},
                               6, a, &r, err);
    return o == OK ? list_from(&r, a, out, n, err) : o;
}

enum outcome throttle_held(struct db *db, int64_t now, struct arena *a, struct throttled **out,
                           size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o =
        db_select(db, &HELD, (struct val[]){val_int(now), val_int(LIM_PAGE)}, 2, a, &r, err);
    return o == OK ? list_from(&r, a, out, n, err) : o;
}

struct clearing {
    const char *subject, *by;
};

static enum outcome clear_unit(struct db *db, void *arg, struct err *err)
{
    const struct clearing *x = arg;
    uint64_t rows;
    enum outcome o = db_exec(db, &CLEAR, (struct val[]){val_str(x->subject)}, 1, &rows, err);
    return o == OK && rows ? audit_add(db, x->by, "login.release", x->subject, NULL, err) : o;
}

enum outcome throttle_clear(struct db *db, const char *subject, const char *by, struct err *err)
{
    struct clearing x = {subject, by};
    return db_unit(db, clear_unit, &x, err);
}
