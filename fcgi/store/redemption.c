/* redemption.c: codes for people: see redemption.h. */
#include "store/redemption_int.h"

#include "base/limits.h"
#include "store/audit.h"

#include <stdio.h>

#define CHUNK 512
#define ACTOR_CHARS 128

static const struct sql ITEM = {
    "redemption_item",
    "SELECT identifier FROM library_item WHERE id = ? AND kind = 3 AND deleted_at = 0 FOR UPDATE",
    0};
static const struct sql KNOWN = {
    "redemption_known", "SELECT digest FROM redemption_code WHERE item_id = ? AND digest IN (%IN%)",
    1};
static const struct sql ADD = {
    "redemption_add",
    "INSERT INTO redemption_code (id, item_id, digest, sealed, state, added_at, added_by) VALUES "
    "(?,?,?,?,1,?,?)",
    0};
#define ADD_ARGS 6
static const struct sql ENOUGH = {
    "redemption_enough",
    "UPDATE library_item SET codes_alarm_at = NULL WHERE id = ? AND (SELECT COUNT(*) FROM "
    "redemption_code r WHERE r.item_id = library_item.id AND r.state = 1) >= codes_low",
    0};
/* Apps on their way to devices: one of them may wait for a code. */
static const struct sql HURRY = {
    "redemption_hurry", "UPDATE device_item SET due_at = ? WHERE item_id = ? AND state = 7", 0};
static const struct sql LIST = {
    "redemption_list",
    "SELECT r.id, r.state, e.ident, e.serial, e.device_name, r.added_at, r.given_at, r.ended_at, "
    "r.added_by, r.reclaimed FROM redemption_code r LEFT JOIN enrollment e ON e.id = "
    "COALESCE(r.enrollment_id, r.refused_by) WHERE r.item_id = ? AND (? = 0 OR r.state = ?) AND "
    "(? = 0 OR r.id < ?) ORDER BY r.id DESC LIMIT ?",
    0};
static const struct sql COUNTS = {
    "redemption_counts",
    "SELECT state, COUNT(*) FROM redemption_code WHERE item_id = ? GROUP BY state", 0};
static const struct sql LOW = {
    "redemption_low",
    "SELECT id, name FROM library_item WHERE kind = 3 AND deleted_at = 0 AND codes_alarm_at IS NOT "
    "NULL ORDER BY codes_alarm_at LIMIT 20",
    0};
static const struct sql LOCK_ONE = {
    "redemption_lock",
    "SELECT r.state, q.command_id FROM redemption_code r LEFT JOIN queue q ON q.enrollment_id = "
    "r.enrollment_id AND q.command_id = r.command_id WHERE r.id = ? AND r.item_id = ? FOR UPDATE",
    0};
static const struct sql RELEASE = {
    "redemption_release",
    "UPDATE redemption_code SET state = 1, enrollment_id = NULL, command_id = NULL, given_at = "
    "NULL, ended_at = NULL, refused_by = NULL WHERE id = ? AND state IN (2, 4)",
    0};
static const struct sql REMOVE = {
    "redemption_remove",
    "DELETE FROM redemption_code WHERE item_id = ? AND (? = 0 OR id = ?) AND state IN (1, 4)", 0};

static const char *const names[] = {[REDEMPTION_FREE] = "free",
                                    [REDEMPTION_GIVEN] = "given",
                                    [REDEMPTION_REDEEMED] = "redeemed",
                                    [REDEMPTION_REFUSED] = "refused"};

const char *redemption_state_name(int state)
{
    return state >= REDEMPTION_FREE && state < REDEMPTION__MAX ? names[state] : "?";
}

int redemption_state_read(const char *word)
{
    for (int s = REDEMPTION_FREE; word != NULL && s < REDEMPTION__MAX; s++)
        if (strcmp(names[s], word) == 0)
            return s;
    return 0;
}

enum outcome redemption_noted(struct db *db, int64_t item_id, const char *actor, const char *action,
                              const char *detail, struct arena *a, struct err *err)
{
    char subject[300];
    struct rows r;
    enum outcome o = db_select(db, &ITEM, (struct val[]){val_int(item_id)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "the library has no app with the id %lld",
                       (long long)item_id);
    if (o != OK || action == NULL)
        return o;
    snprintf(subject, sizeof subject, "app:%s", row_at(&r, 0, 0)->s);
    return audit_add(db, actor, action, subject, detail, err);
}

struct change {
    int64_t item_id, id, now;
    const struct redemption_new *list;
    size_t n, known;
    const char *actor, *why;
    uint64_t changed;
    struct arena *a;
};

static enum outcome item_noted(struct db *db, const struct change *x, const char *action,
                               const char *detail, struct err *err)
{
    return redemption_noted(db, x->item_id, x->actor, action, detail, x->a, err);
}

static bool has_digest(const struct rows *r, const uint8_t digest[REDEMPTION_DIGEST])
{
    for (size_t i = 0; i < r->n; i++)
        if (bytes_equal(val_bytes(row_at(r, i, 0)), bytes_of(digest, REDEMPTION_DIGEST)))
            return true;
    return false;
}

/* Of the codes from..from+n those that are new. */
static enum outcome add_some(struct db *db, struct change *x, size_t from, size_t n,
                             struct err *err)
{
    struct val args[CHUNK * ADD_ARGS], list[CHUNK] = {0}, item = val_int(x->item_id);
    struct rows r;
    size_t k = 0;
    enum outcome o;

    for (size_t i = 0; i < n; i++)
        list[i] = val_bin(bytes_of(x->list[from + i].digest, REDEMPTION_DIGEST));
    o = db_select_in(db, &KNOWN, &item, 1, list, n, NULL, 0, x->a, &r, err);
    for (size_t i = 0; o == OK && i < n; i++) {
        const struct redemption_new *c = &x->list[from + i];
        struct val *v = args + k * ADD_ARGS;

        if (has_digest(&r, c->digest)) {
            x->known++;
            continue;
        }
        v[0] = val_int(c->id);
        v[1] = item;
        v[2] = val_bin(bytes_of(c->digest, REDEMPTION_DIGEST));
        v[3] = val_secret(c->sealed);
        v[4] = val_int(x->now);
        v[5] = val_cut(x->actor, ACTOR_CHARS);
        k++;
    }
    return o == OK ? db_exec_many(db, &ADD, args, ADD_ARGS, k, NULL, err) : o;
}

static enum outcome add_unit(struct db *db, void *arg, struct err *err)
{
    struct change *x = arg;
    struct val id = val_int(x->item_id);
    char detail[80];
    enum outcome o;

    arena_reset(x->a);
    x->known = 0;
    o = item_noted(db, x, NULL, NULL, err);
    for (size_t from = 0, k; o == OK && from < x->n; from += k) {
        k = x->n - from < CHUNK ? x->n - from : CHUNK;
        o = add_some(db, x, from, k, err);
    }
    snprintf(detail, sizeof detail, "added=%zu known=%zu", x->n - x->known, x->known);
    if (o == OK)
        o = db_exec(db, &ENOUGH, &id, 1, NULL, err);
    if (o == OK)
        o = db_exec(db, &HURRY, (struct val[]){val_int(x->now), id}, 2, NULL, err);
    return o == OK ? item_noted(db, x, "codes.add", detail, err) : o;
}

static enum outcome change_run(struct db *db, db_unit_fn *fn, struct change *x, struct err *err)
{
    enum outcome o = db_whole(db, err);

    if (o != OK)
        return o;
    x->a = arena_new(4 * LIM_MB);
    o = x->a != NULL ? db_unit(db, fn, x, err) : err_set(err, ERROR, "out of memory");
    arena_free(&x->a);
    return o;
}

enum outcome redemption_add(struct db *db, int64_t item_id, const struct redemption_new *list,
                            size_t n, const char *actor, int64_t now, size_t *known,
                            struct err *err)
{
    struct change x = {.item_id = item_id, .list = list, .n = n, .actor = actor, .now = now};
    enum outcome o = change_run(db, add_unit, &x, err);

    *known = x.known;
    return o;
}

enum outcome redemption_list(struct db *db, int64_t item_id, int state, int64_t before, size_t max,
                             struct arena *a, struct redemption_row **out, size_t *n,
                             struct err *err)
{
    struct rows r;
    enum outcome o = db_whole(db, err);

    *n = 0;
    if (o == OK)
        o = db_select(db, &LIST,
                      (struct val[]){val_int(item_id), val_int(state), val_int(state),
                                     val_int(before), val_int(before),
                                     val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                      6, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] = (struct redemption_row){.id = v[0].i,
                                             .state = (int)v[1].i,
                                             .ident = val_text(&v[2]),
                                             .serial = val_text(&v[3]),
                                             .device_name = val_text(&v[4]),
                                             .added_at = v[5].i,
                                             .given_at = val_or_0(&v[6]),
                                             .ended_at = val_or_0(&v[7]),
                                             .added_by = v[8].s,
                                             .reclaimed = (int)v[9].i};
    }
    return OK;
}

enum outcome redemption_counts(struct db *db, int64_t item_id, struct arena *a,
                               struct redemption_counts *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_whole(db, err);

    *out = (struct redemption_counts){0};
    if (o == OK)
        o = db_select(db, &COUNTS, (struct val[]){val_int(item_id)}, 1, a, &r, err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        int64_t state = row_at(&r, i, 0)->i, count = row_at(&r, i, 1)->i;

        if (state >= REDEMPTION_FREE && state < REDEMPTION__MAX)
            out->of[state] = count;
        out->all += count;
    }
    return o;
}

enum outcome redemption_low(struct db *db, struct arena *a, struct redemption_low **out, size_t *n,
                            struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &LOW, NULL, 0, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = (struct redemption_low){row_at(&r, *n, 0)->i, row_at(&r, *n, 1)->s};
    return OK;
}

static enum outcome release_unit(struct db *db, void *arg, struct err *err)
{
    struct change *x = arg;
    struct val id = val_int(x->id), item = val_int(x->item_id);
    struct rows r;
    enum outcome o;

    arena_reset(x->a);
    o = db_select(db, &LOCK_ONE, (struct val[]){id, item}, 2, x->a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "the app has no code with the id %lld", (long long)x->id);
    if (o == OK && !val_is_null(row_at(&r, 0, 1)))
        return err_set(err, CONFLICT,
                       "the code is on its way to the device; cancel that command, "
                       "or wait until the device has answered");
    if (o == OK && row_at(&r, 0, 0)->i != REDEMPTION_GIVEN &&
        row_at(&r, 0, 0)->i != REDEMPTION_REFUSED)
        return err_set(err, CONFLICT, "the code is %s",
                       redemption_state_name((int)row_at(&r, 0, 0)->i));
    if (o == OK)
        o = db_exec(db, &RELEASE, &id, 1, NULL, err);
    if (o == OK)
        o = db_exec(db, &ENOUGH, &item, 1, NULL, err);
    return o == OK ? item_noted(db, x, "codes.release", x->why, err) : o;
}

enum outcome redemption_release(struct db *db, int64_t item_id, int64_t id, const char *actor,
                                const char *why, int64_t now, struct err *err)
{
    struct change x = {.item_id = item_id, .id = id, .actor = actor, .why = why, .now = now};

    return change_run(db, release_unit, &x, err);
}

static enum outcome remove_unit(struct db *db, void *arg, struct err *err)
{
    struct change *x = arg;
    struct val id = val_int(x->id), item = val_int(x->item_id);
    struct rows r = {0};
    enum outcome o = OK;

    arena_reset(x->a);
    if (x->id != 0)
        o = db_select(db, &LOCK_ONE, (struct val[]){id, item}, 2, x->a, &r, err);
    if (o == OK && x->id != 0 && r.n == 0)
        return err_set(err, NOT_FOUND, "the app has no code with the id %lld", (long long)x->id);
    if (o == OK)
        o = db_exec(db, &REMOVE, (struct val[]){item, id, id}, 3, &x->changed, err);
    if (o == OK && x->id != 0 && x->changed == 0)
        return err_set(err, CONFLICT, "the code is %s: it stays, so that it is not given again",
                       redemption_state_name((int)row_at(&r, 0, 0)->i));
    return o == OK ? item_noted(db, x, "codes.remove", x->why, err) : o;
}

enum outcome redemption_remove(struct db *db, int64_t item_id, int64_t id, const char *actor,
                               const char *why, uint64_t *n, struct err *err)
{
    struct change x = {.item_id = item_id, .id = id, .actor = actor, .why = why};
    enum outcome o = change_run(db, remove_unit, &x, err);

    *n = o == OK ? x.changed : 0;
    return o;
}
