/* offer.c: see offer.h. */
#include "store/offer.h"

#include <stdio.h>

#include "base/limits.h"
#include "store/audit.h"
#include "store/group.h"
#include "store/id.h"

#define ACTOR_CHARS 128

static const struct sql NAMES = {
    "offer_names",
    "SELECT g.name, i.identifier FROM device_group g JOIN library_item i "
    "WHERE g.id = ? AND i.id = ? AND i.deleted_at = 0 AND %GROUP g.id%",
    0};
static const struct sql ADD = {
    "offer_add",
    "INSERT INTO offer (id, group_id, item_id, created_at, created_by) VALUES (?,?,?,?,?)", 0};
static const struct sql GET = {
    "offer_get",
    "SELECT g.name, i.name FROM offer o JOIN device_group g ON g.id = o.group_id JOIN "
    "library_item i ON i.id = o.item_id WHERE o.id = ? AND %GROUP o.group_id%",
    0};
static const struct sql DELETE = {"offer_delete", "DELETE FROM offer WHERE id = ?", 0};
static const struct sql LIST = {
    "offer_list",
    "SELECT o.id, o.group_id, o.item_id, g.name, i.name, i.identifier, i.kind, (SELECT COUNT(*) "
    "FROM offer_taken t JOIN group_member m ON m.group_id = o.group_id AND m.device_id = "
    "t.enrollment_id WHERE t.item_id = o.item_id), o.created_at, o.created_by "
    "FROM offer o JOIN device_group g ON g.id = o.group_id JOIN library_item i ON i.id = o.item_id "
    "WHERE (? = 0 OR o.group_id = ?) AND (? = 0 OR o.item_id = ?) AND o.id > ? AND "
    "%GROUP o.group_id% ORDER BY o.id LIMIT ?",
    0};
static const struct sql OF_DEVICE = {
    "offer_of_device",
    "SELECT i.id, i.name, i.kind, t.item_id IS NOT NULL, EXISTS (SELECT 1 FROM assignment a JOIN "
    "group_member n ON n.group_id = a.group_id AND n.device_id = m.device_id WHERE a.item_id = "
    "i.id) OR EXISTS (SELECT 1 FROM assignment s WHERE s.device_id = m.device_id AND s.item_id = "
    "i.id), d.state, d.installed_version, d.reason "
    "FROM group_member m JOIN offer o ON o.group_id = m.group_id "
    "JOIN library_item i ON i.id = o.item_id AND i.deleted_at = 0 "
    "LEFT JOIN offer_taken t ON t.enrollment_id = m.device_id AND t.item_id = i.id "
    "LEFT JOIN device_item d ON d.item_id = i.id AND d.enrollment_id = (SELECT y.enrollment_id "
    "FROM "
    "enrollment c JOIN device_item y ON y.enrollment_id = c.id AND y.item_id = i.id WHERE "
    "c.device_id = m.device_id ORDER BY y.wanted DESC, y.changed_at DESC LIMIT 1) "
    "WHERE m.device_id = ? GROUP BY i.id ORDER BY i.name, i.id LIMIT ?",
    0};
static const struct sql IS_OFFERED = {
    "offer_is_offered",
    "SELECT 1 FROM group_member m JOIN offer o ON o.group_id = m.group_id AND o.item_id = ? "
    "JOIN library_item i ON i.id = o.item_id AND i.deleted_at = 0 WHERE m.device_id = ? LIMIT 1",
    0};
static const struct sql TAKE = {
    "offer_take",
    "INSERT INTO offer_taken (enrollment_id, item_id, taken_at) VALUES (?,?,?) "
    "ON DUPLICATE KEY UPDATE taken_at = taken_at",
    0};
static const struct sql GIVE_BACK = {
    "offer_give_back", "DELETE FROM offer_taken WHERE enrollment_id = ? AND item_id = ?", 0};

struct edit {
    int64_t id, group_id, item_id, now;
    const char *actor, *why;
    struct arena *a;
};

static enum outcome add_unit(struct db *db, void *arg, struct err *err)
{
    struct edit *x = arg;
    char detail[300];
    struct rows r;
    arena_reset(x->a);
    x->id = id_new();
    enum outcome o = db_select(
        db, &NAMES, (struct val[]){val_int(x->group_id), val_int(x->item_id)}, 2, x->a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no such group, or nothing of that id to offer");
    if (o == OK)
        o = db_exec(db, &ADD,
                    (struct val[]){val_int(x->id), val_int(x->group_id), val_int(x->item_id),
                                   val_int(x->now), val_cut(x->actor, ACTOR_CHARS)},
                    5, NULL, err);
    if (o == CONFLICT)
        return err_set(err, CONFLICT, "it is offered to the group already");
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail, "item=%lld identifier=%.200s", (long long)x->item_id,
             row_at(&r, 0, 1)->s);
    return audit_add(db, x->actor, "offer.add", row_at(&r, 0, 0)->s, detail, err);
}

static enum outcome edit_run(struct db *db, db_unit_fn *unit, struct edit *x, struct err *err)
{
    x->a = arena_new(LIM_MB);
    enum outcome o = x->a ? db_unit(db, unit, x, err) : err_set(err, ERROR, "out of memory");
    arena_free(&x->a);
    return o;
}

enum outcome offer_add(struct db *db, int64_t group_id, int64_t item_id, const char *actor,
                       int64_t now, int64_t *id, struct err *err)
{
    struct edit x = {.group_id = group_id, .item_id = item_id, .actor = actor, .now = now};
    enum outcome o = edit_run(db, add_unit, &x, err);
    *id = x.id;
    return o;
}

static enum outcome delete_unit(struct db *db, void *arg, struct err *err)
{
    struct edit *x = arg;
    char detail[400];
    struct rows r;
    arena_reset(x->a);
    enum outcome o = db_select(db, &GET, (struct val[]){val_int(x->id)}, 1, x->a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no offer %lld", (long long)x->id);
    if (o == OK)
        o = db_exec(db, &DELETE, (struct val[]){val_int(x->id)}, 1, NULL, err);
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail, "item=%.200s why=%.150s", row_at(&r, 0, 1)->s, x->why);
    return audit_add(db, x->actor, "offer.delete", row_at(&r, 0, 0)->s, detail, err);
}

enum outcome offer_delete(struct db *db, int64_t id, const char *actor, const char *why,
                          struct err *err)
{
    struct edit x = {.id = id, .actor = actor, .why = why};
    return edit_run(db, delete_unit, &x, err);
}

enum outcome offer_list(struct db *db, int64_t group_id, int64_t item_id, int64_t after, size_t max,
                        struct arena *a, struct offer **out, size_t *n, struct err *err)
{
    struct val g = val_int(group_id), i = val_int(item_id);
    struct val limit = val_page(max);
    struct rows r;
    enum outcome o =
        db_select(db, &LIST, (struct val[]){g, g, i, i, val_int(after), limit}, 6, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct offer){v[0].i, v[1].i,      v[2].i, v[3].s, v[4].s,
                                    v[5].s, (int)v[6].i, v[7].i, v[8].i, v[9].s};
    }
    return OK;
}

enum outcome offer_of_device(struct db *db, int64_t enrollment_id, struct arena *a,
                             struct offered **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(
        db, &OF_DEVICE, (struct val[]){val_int(enrollment_id), val_int(LIM_PAGE)}, 2, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct offered){.item_id = v[0].i,
                                      .name = v[1].s,
                                      .kind = (int)v[2].i,
                                      .taken = v[3].i != 0,
                                      .required = v[4].i != 0,
                                      .state = (int)val_or_0(&v[5]),
                                      .installed = (int)val_or_0(&v[6]),
                                      .reason = val_text(&v[7])};
    }
    return OK;
}

enum outcome offer_take(struct db *db, int64_t enrollment_id, int64_t item_id, int64_t now,
                        struct arena *a, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(
        db, &IS_OFFERED, (struct val[]){val_int(item_id), val_int(enrollment_id)}, 2, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "it is not offered to this device any more");
    if (o == OK)
        o = db_exec(db, &TAKE,
                    (struct val[]){val_int(enrollment_id), val_int(item_id), val_int(now)}, 3, NULL,
                    err);
    return o == OK ? wanted_touch(db, err) : o;
}

enum outcome offer_give_back(struct db *db, int64_t enrollment_id, int64_t item_id, struct err *err)
{
    enum outcome o = db_exec(
        db, &GIVE_BACK, (struct val[]){val_int(enrollment_id), val_int(item_id)}, 2, NULL, err);
    return o == OK ? wanted_touch(db, err) : o;
}
