/* throttle.c: see throttle.h. */
#include "store/throttle.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "store/audit.h"

#define SUBJECT_MAX 255

static const struct sql MAKE = {
    .name = "throttle_make",
    .text = "INSERT INTO login_throttle (subject, failures, last_at, free_at) VALUES (?, 0, ?, 0) "
            "ON DUPLICATE KEY UPDATE failures = IF(last_at < ?, 0, failures)"};
static const struct sql READ = {
    .name = "throttle_read",
    .text = "SELECT failures, free_at FROM login_throttle WHERE subject = ? FOR UPDATE"};
static const struct sql COUNT = {
    .name = "throttle_count",
    .text = "UPDATE login_throttle SET failures = ?, last_at = ?, free_at = ? WHERE subject = ?"};
static const struct sql RIGHT_ACCOUNT = {.name = "throttle_right_account",
                                         .text = "DELETE FROM login_throttle WHERE subject = ?"};
static const struct sql RIGHT_ADDRESS = {
    .name = "throttle_right_address",
    .text = "UPDATE login_throttle SET failures = GREATEST(failures - 1, 0), free_at = 0 "
            "WHERE subject = ?"};

struct entry {
    char subject[SUBJECT_MAX + 1];
    int factor;
};

struct attempt {
    struct entry e[2]; /* account and address */
    int64_t now;
    struct arena *a;
};

static void entries(struct entry e[2], const char *account, const char *address)
{
    size_t n = utf8_prefix(account, 200);
    snprintf(e[0].subject, sizeof e[0].subject, "account:%.*s", (int)(n < 200 ? n : 200), account);
    snprintf(e[1].subject, sizeof e[1].subject, "address:%.64s", address);
    e[0].factor = 1;
    e[1].factor = THROTTLE_ADDRESS_FACTOR;
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
    enum outcome o =
        db_exec(db, &MAKE, (struct val[]){subject, now, val_int(t->now - THROTTLE_FORGET_US)}, 3,
                NULL, err);
    if (o == OK)
        o = db_select(db, &READ, &subject, 1, t->a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0) /* a right attempt has just taken it away */
        return err_set(err, UNAVAILABLE, "the count of failures changed meanwhile");
    int64_t failures = row_at(&r, 0, 0)->i + 1, free_at = row_at(&r, 0, 1)->i;
    if (free_at > t->now && free_at <= t->now + THROTTLE_BLOCK_US)
        return err_set(err, DENIED, "%s: too many wrong passwords; judged again in %d s",
                       e->subject, (int)((free_at - t->now) / SECOND_US) + 1);
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
    enum outcome o = enter_one(db, t, &t->e[0], err);
    return o == OK ? enter_one(db, t, &t->e[1], err) : o;
}

enum outcome throttle_enter(struct db *db, const char *account, const char *address, int64_t now,
                            struct err *err)
{
    struct attempt t = {.now = now, .a = arena_new(64 * 1024)};
    if (!t.a)
        return err_set(err, ERROR, "out of memory");
    entries(t.e, account, address);
    enum outcome o = db_unit(db, enter_unit, &t, err);
    arena_free(&t.a);
    return o;
}

enum outcome throttle_right(struct db *db, const char *account, const char *address,
                            struct err *err)
{
    struct entry e[2];
    entries(e, account, address);
    enum outcome o =
        db_exec(db, &RIGHT_ACCOUNT, (struct val[]){val_str(e[0].subject)}, 1, NULL, err);
    return o == OK
               ? db_exec(db, &RIGHT_ADDRESS, (struct val[]){val_str(e[1].subject)}, 1, NULL, err)
               : o;
}
