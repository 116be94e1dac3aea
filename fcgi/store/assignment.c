/* assignment.c: see assignment.h. */
#include "store/assignment.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "store/blueprint.h"
#include "store/group.h"
#include "store/id.h"

#include <stdio.h>

#define ACTOR_CHARS 128

static const struct sql ASSIGN = {
    "assignment_add",
    "INSERT INTO assignment (id, group_id, item_id, created_at, created_by) VALUES (?,?,?,?,?)", 0};
static const struct sql ASSIGNABLE = {
    "assignment_names",
    "SELECT g.name, i.name, i.kind, i.identifier FROM device_group g JOIN library_item i "
    "WHERE g.id = ? AND i.id = ? AND i.deleted_at = 0",
    0};
static const struct sql ASSIGN_DEVICE = {
    "assignment_add_device",
    "INSERT INTO assignment (id, device_id, item_id, created_at, created_by) VALUES (?,?,?,?,?)",
    0};
static const struct sql DEVICE = {
    "assignment_device",
    "SELECT id, ident FROM enrollment WHERE kind IN (1, 4) AND state = 2 AND ident = ? AND %SCOPE "
    "device_id% UNION SELECT id, ident FROM enrollment WHERE kind IN (1, 4) AND state = 2 AND "
    "serial = ? AND %SCOPE device_id%",
    0};
static const struct sql ITEM = {
    "assignment_item",
    "SELECT name, identifier FROM library_item WHERE id = ? AND deleted_at = 0 FOR UPDATE", 0};
static const struct sql UNASSIGN = {"assignment_delete", "DELETE FROM assignment WHERE id = ?", 0};
#define COLUMNS                                                                                    \
    "SELECT a.id, a.group_id, a.item_id, g.name, i.name, i.identifier, i.kind, a.created_at, "     \
    "a.created_by, e.ident, e.serial, e.device_name FROM assignment a LEFT JOIN device_group g "   \
    "ON g.id = a.group_id LEFT JOIN enrollment e ON e.id = a.device_id JOIN library_item i ON "    \
    "i.id = a.item_id "
static const struct sql ASSIGNMENTS = {
    "assignment_list",
    COLUMNS
    "WHERE a.group_id IS NOT NULL AND %GROUP a.group_id% AND (? = 0 OR a.group_id = ?) AND (? "
    "= 0 OR a.item_id = ?) AND a.id > ? ORDER BY a.id LIMIT ?",
    0};
static const struct sql OF_DEVICES = {
    "assignment_of_devices",
    COLUMNS
    "WHERE a.device_id IS NOT NULL AND %SCOPE a.device_id% AND (? IS NULL OR a.device_id IN "
    "(SELECT x.id FROM enrollment x WHERE x.id = x.device_id AND (x.ident = ? OR x.serial "
    "= ?))) AND (? = 0 OR a.item_id = ?) AND a.id > ? ORDER BY a.id LIMIT ?",
    0};
static const struct sql ASSIGNMENT = {
    "assignment_get",
    COLUMNS
    "WHERE a.id = ? AND ((a.group_id IS NOT NULL AND %GROUP a.group_id%) OR (a.device_id IS NOT "
    "NULL AND %SCOPE a.device_id%))",
    0};

struct assign {
    int64_t id, group_id, item_id, now;
    const char *device; /* for one device; NULL: for the group */
    const char *actor, *why;
    struct arena *a;
};

static enum outcome assign_run(struct db *db, db_unit_fn *unit, struct assign *x, struct err *err)
{
    enum outcome o;

    x->a = arena_new(LIM_MB);
    o = x->a != NULL ? db_unit(db, unit, x, err) : err_set(err, ERROR, "out of memory");
    arena_free(&x->a);
    return o;
}

/* ---- for a group ---- */

static enum outcome assign_unit(struct db *db, void *arg, struct err *err)
{
    struct assign *x = arg;
    char detail[300];
    const char *name;
    bool filtered;
    struct rows r;
    int number;
    enum outcome o;

    arena_reset(x->a);
    x->id = id_new();
    o = group_lock(db, x->group_id, x->a, &name, &filtered, err);
    if (o == OK)
        o = db_select(db, &ASSIGNABLE, (struct val[]){val_int(x->group_id), val_int(x->item_id)}, 2,
                      x->a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no such group, or nothing of that id to assign");
    if (o == OK)
        o = db_exec(db, &ASSIGN,
                    (struct val[]){val_int(x->id), val_int(x->group_id), val_int(x->item_id),
                                   val_int(x->now), val_cut(x->actor, ACTOR_CHARS)},
                    5, NULL, err);
    if (o == CONFLICT)
        return err_set(err, CONFLICT, "the group has it assigned already");
    if (o == OK)
        o = blueprint_note(db, x->group_id, arena_fmt(x->a, "+ %s", row_at(&r, 0, 1)->s), x->actor,
                           x->now, &number, err);
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail, "item=%lld identifier=%.200s", (long long)x->item_id,
             row_at(&r, 0, 3)->s);
    return audit_add(db, x->actor, "assignment.add", row_at(&r, 0, 0)->s, detail, err);
}

enum outcome assignment_add(struct db *db, int64_t group_id, int64_t item_id, const char *actor,
                            int64_t now, int64_t *id, struct err *err)
{
    struct assign x = {.group_id = group_id, .item_id = item_id, .actor = actor, .now = now};
    enum outcome o = assign_run(db, assign_unit, &x, err);

    *id = x.id;
    return o;
}

/* ---- for one device ---- */

static enum outcome device_unit(struct db *db, void *arg, struct err *err)
{
    struct assign *x = arg;
    struct val name = val_str(x->device);
    char detail[300];
    struct rows d, i;
    enum outcome o;

    arena_reset(x->a);
    x->id = id_new();
    o = db_select(db, &DEVICE, (struct val[]){name, name}, 2, x->a, &d, err);
    if (o == OK)
        o = db_select(db, &ITEM, (struct val[]){val_int(x->item_id)}, 1, x->a, &i, err);
    if (o == OK && (d.n == 0 || i.n == 0))
        return d.n == 0 ? err_set(err, NOT_FOUND, "there is no enrolled device %.128s", x->device)
                        : err_set(err, NOT_FOUND, "the library has nothing with the id %lld",
                                  (long long)x->item_id);
    if (o == OK && d.n > 1)
        return err_set(err, CONFLICT, "%zu devices are called %.128s: give the enrollment id", d.n,
                       x->device);
    if (o == OK)
        o = db_exec(db, &ASSIGN_DEVICE,
                    (struct val[]){val_int(x->id), *row_at(&d, 0, 0), val_int(x->item_id),
                                   val_int(x->now), val_cut(x->actor, ACTOR_CHARS)},
                    5, NULL, err);
    if (o == CONFLICT)
        return err_set(err, CONFLICT, "the device has it assigned already");
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail, "item=%lld identifier=%.200s", (long long)x->item_id,
             row_at(&i, 0, 1)->s);
    return audit_add(db, x->actor, "assignment.add", row_at(&d, 0, 1)->s, detail, err);
}

enum outcome assignment_add_device(struct db *db, const char *device, int64_t item_id,
                                   const char *actor, int64_t now, int64_t *id, struct err *err)
{
    struct assign x = {.device = device, .item_id = item_id, .actor = actor, .now = now};
    enum outcome o = assign_run(db, device_unit, &x, err);

    *id = x.id;
    return o;
}

/* ---- of both ---- */

static void from_row(const struct val *v, struct assignment *out)
{
    *out = (struct assignment){.id = v[0].i,
                               .group_id = val_or_0(&v[1]),
                               .item_id = v[2].i,
                               .group = val_text(&v[3]),
                               .item = v[4].s,
                               .identifier = v[5].s,
                               .kind = (int)v[6].i,
                               .created_at = v[7].i,
                               .created_by = v[8].s,
                               .device = val_text(&v[9]),
                               .serial = val_text(&v[10]),
                               .device_name = val_text(&v[11])};
}

/* What went from a group is noted in its blueprint. */
static enum outcome group_unassigned(struct db *db, struct assign *x, const struct assignment *was,
                                     struct err *err)
{
    int number;

    return blueprint_note(db, was->group_id, arena_fmt(x->a, "- %s", was->item), x->actor,
                          clock_now(), &number, err);
}

static enum outcome unassign_unit(struct db *db, void *arg, struct err *err)
{
    struct assign *x = arg;
    struct assignment was = {0};
    char detail[400];
    const char *name;
    bool filtered;
    struct rows r;
    enum outcome o;

    arena_reset(x->a);
    o = db_select(db, &ASSIGNMENT, (struct val[]){val_int(x->id)}, 1, x->a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no assignment %lld", (long long)x->id);
    if (o == OK)
        from_row(row_at(&r, 0, 0), &was);
    if (o == OK && was.group_id != 0)
        o = group_lock(db, was.group_id, x->a, &name, &filtered, err);
    if (o == OK)
        o = db_exec(db, &UNASSIGN, (struct val[]){val_int(x->id)}, 1, NULL, err);
    if (o == OK && was.group_id != 0)
        o = group_unassigned(db, x, &was, err);
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail, "item=%.200s why=%.150s", was.item, x->why);
    return audit_add(db, x->actor, "assignment.delete", was.group_id != 0 ? was.group : was.device,
                     detail, err);
}

enum outcome assignment_delete(struct db *db, int64_t id, const char *actor, const char *why,
                               struct err *err)
{
    struct assign x = {.id = id, .actor = actor, .why = why};

    return assign_run(db, unassign_unit, &x, err);
}

static enum outcome list_read(struct db *db, const struct sql *sql, const struct val *args,
                              size_t nargs, struct arena *a, struct assignment **out, size_t *n,
                              struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, sql, args, nargs, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}

enum outcome assignment_list(struct db *db, int64_t group_id, int64_t item_id, int64_t after,
                             size_t max, struct arena *a, struct assignment **out, size_t *n,
                             struct err *err)
{
    struct val g = val_int(group_id), i = val_int(item_id);

    return list_read(db, &ASSIGNMENTS, (struct val[]){g, g, i, i, val_int(after), val_page(max)}, 6,
                     a, out, n, err);
}

enum outcome assignment_of_devices(struct db *db, const char *device, int64_t item_id,
                                   int64_t after, size_t max, struct arena *a,
                                   struct assignment **out, size_t *n, struct err *err)
{
    struct val d = val_str(device), i = val_int(item_id);

    return list_read(db, &OF_DEVICES, (struct val[]){d, d, d, i, i, val_int(after), val_page(max)},
                     7, a, out, n, err);
}
