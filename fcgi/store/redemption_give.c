/* redemption_give.c: codes for devices, given and reclaimed: see redemption.h. */
#include "store/redemption_int.h"

#include "base/limits.h"

#include <stdio.h>

static const struct sql OWN = {
    "redemption_own",
    "SELECT r.id, r.state, q.command_id, t.digest FROM redemption_code r LEFT JOIN queue q ON "
    "q.enrollment_id = r.enrollment_id AND q.command_id = r.command_id LEFT JOIN result t ON "
    "t.enrollment_id = r.enrollment_id AND t.command_id = r.command_id WHERE r.item_id = ? AND "
    "r.enrollment_id = ? FOR UPDATE",
    0};
static const struct sql REFUSED = {
    "redemption_refused",
    "SELECT COUNT(*) FROM redemption_code WHERE item_id = ? AND state = 4 AND refused_by = ?", 0};
/* Two that take at once wait for each other's row and then find it taken. */
static const struct sql TAKE = {
    "redemption_take",
    "UPDATE redemption_code SET state = 2, enrollment_id = ?, given_at = ? WHERE item_id = ? AND "
    "state = 1 ORDER BY id LIMIT 1",
    0};
static const struct sql SENT = {"redemption_sent",
                                "UPDATE redemption_code SET command_id = ? WHERE id = ?", 0};
static const struct sql ALARM = {
    "redemption_alarm",
    "UPDATE library_item SET codes_alarm_at = ? WHERE id = ? AND codes_alarm_at IS NULL AND "
    "codes_low > ?",
    0};
static const struct sql REDEEMED = {
    "redemption_redeemed",
    "UPDATE redemption_code SET state = 3, ended_at = ? WHERE command_id = ? AND enrollment_id = ? "
    "AND state = 2",
    0};
static const struct sql REFUSE = {
    "redemption_refuse",
    "UPDATE redemption_code SET state = 4, ended_at = ?, refused_by = enrollment_id, "
    "enrollment_id = NULL WHERE command_id = ? AND enrollment_id = ? AND state = 2",
    0};
static const struct sql RECLAIM = {
    "redemption_reclaim",
    "UPDATE redemption_code r JOIN library_item i ON i.id = r.item_id SET r.state = 1, "
    "r.enrollment_id = NULL, r.command_id = NULL, r.given_at = NULL, r.ended_at = NULL, "
    "r.reclaimed = r.reclaimed + 1 WHERE r.enrollment_id = ? AND r.state IN (2, 3) AND r.given_at "
    "<= ? AND i.kind = 3 AND i.identifier = ? AND i.deleted_at = 0",
    0};
static const struct sql SEALED = {
    "redemption_sealed",
    "SELECT r.sealed FROM redemption_code r JOIN enrollment e ON e.id = r.enrollment_id WHERE r.id "
    "= ? AND e.ident = ?",
    0};

struct giving {
    struct redemption_give *g;
    struct arena *a;
    bool collided; /* somebody else gave this device a code in this moment */
};

/* The code that the device has; *id 0: none. True: there is nothing to send. */
static bool has_own(struct db *db, struct giving *x, int64_t *id, enum outcome *o, struct err *err)
{
    struct redemption_give *g = x->g;
    struct val args[] = {val_int(g->item_id), val_int(g->enrollment_id)};
    struct rows r;

    *id = 0;
    *o = db_select(db, &OWN, args, 2, x->a, &r, err);
    if (*o == OK && r.n == 0) {
        *o = db_select(db, &REFUSED, args, 2, x->a, &r, err);
        g->given = REDEMPTION_GIVE_UP;
        return *o != OK || row_at(&r, 0, 0)->i >= REDEMPTION_REFUSED_MAX;
    }
    if (*o != OK)
        return true;
    *id = row_at(&r, 0, 0)->i;
    g->given = REDEMPTION_TAKEN;
    if (row_at(&r, 0, 1)->i == REDEMPTION_REDEEMED)
        return true;
    g->given = REDEMPTION_WAITING;
    return !val_is_null(row_at(&r, 0, 2)) || val_or_0(row_at(&r, 0, 3)) == 1;
}

static enum outcome take(struct db *db, struct giving *x, int64_t *id, struct err *err)
{
    struct redemption_give *g = x->g;
    struct val item = val_int(g->item_id), device = val_int(g->enrollment_id);
    uint64_t n = 0;
    struct rows r;
    enum outcome o = db_exec(db, &TAKE, (struct val[]){device, val_int(g->now), item}, 3, &n, err);

    x->collided = o == CONFLICT;
    if (o == OK && n > 0)
        o = db_select(db, &OWN, (struct val[]){item, device}, 2, x->a, &r, err);
    if (o == OK && n > 0)
        *id = row_at(&r, 0, 0)->i;
    return o;
}

static enum outcome count_left(struct db *db, struct giving *x, struct err *err)
{
    struct redemption_give *g = x->g;
    struct redemption_counts c;
    char detail[80];
    uint64_t n = 0;
    enum outcome o = redemption_counts(db, g->item_id, x->a, &c, err);

    if (o != OK)
        return o;
    g->left = c.of[REDEMPTION_FREE];
    if (g->given == REDEMPTION_NONE && c.all == 0)
        g->given = REDEMPTION_UNUSED;
    if (g->given == REDEMPTION_UNUSED)
        return OK;
    o = db_exec(db, &ALARM, (struct val[]){val_int(g->now), val_int(g->item_id), val_int(g->left)},
                3, &n, err);
    g->alarm = o == OK && n > 0;
    if (!g->alarm)
        return o;
    snprintf(detail, sizeof detail, "left=%lld of=%lld", (long long)g->left, (long long)c.all);
    o = redemption_noted(db, g->item_id, "rule:codes", "codes.low", detail, x->a, err);
    return o == NOT_FOUND ? OK : o; /* the app was deleted meanwhile */
}

static enum outcome give_unit(struct db *db, void *arg, struct err *err)
{
    struct giving *x = arg;
    struct redemption_give *g = x->g;
    int64_t id;
    enum outcome o;

    arena_reset(x->a);
    x->collided = false;
    g->alarm = false;
    g->left = 0;
    if (has_own(db, x, &id, &o, err))
        return o;
    if (id == 0)
        o = take(db, x, &id, err);
    if (o != OK)
        return o;
    g->given = id == 0 ? REDEMPTION_NONE : REDEMPTION_QUEUED;
    if (id != 0) {
        g->e->fill = COMMAND_FILL_CODE;
        g->e->fill_from = id;
        o = queue_add_within(db, g->e, x->a, err);
    }
    if (o == OK && id != 0)
        o = db_exec(db, &SENT, (struct val[]){val_int(g->e->command_id), val_int(id)}, 2, NULL,
                    err);
    return o == OK ? count_left(db, x, err) : o;
}

enum outcome redemption_give(struct db *db, struct redemption_give *g, struct err *err)
{
    struct giving x = {.g = g, .a = arena_new(LIM_MB)};
    enum outcome o =
        x.a != NULL ? db_unit(db, give_unit, &x, err) : err_set(err, ERROR, "out of memory");

    arena_free(&x.a);
    if (o != CONFLICT || !x.collided)
        return o;
    g->given = REDEMPTION_WAITING;
    return OK;
}

enum outcome redemption_ended(struct db *db, int64_t enrollment_id, int64_t command_id,
                              bool redeemed, int64_t at, struct err *err)
{
    return db_exec(db, redeemed ? &REDEEMED : &REFUSE,
                   (struct val[]){val_int(at), val_int(command_id), val_int(enrollment_id)}, 3,
                   NULL, err);
}

enum outcome redemption_reclaim(struct db *db, int64_t enrollment_id, const char *identifier,
                                int64_t told_at, bool *mine, struct err *err)
{
    uint64_t n = 0;
    enum outcome o = db_exec(
        db, &RECLAIM, (struct val[]){val_int(enrollment_id), val_int(told_at), val_str(identifier)},
        3, &n, err);

    *mine = o == OK && n > 0;
    return o;
}

enum outcome redemption_sealed(struct db *db, int64_t id, const char *ident, struct arena *a,
                               struct bytes *out, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &SEALED, (struct val[]){val_int(id), val_str(ident)}, 2, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "the redemption code is not this device's any more");
    if (o == OK)
        *out = val_bytes(row_at(&r, 0, 0));
    return o;
}
