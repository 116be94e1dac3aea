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
static const struct sql UNASSIGN = {"assignment_delete", "DELETE FROM assignment WHERE id = ?", 0};
static const struct sql ASSIGNMENTS = {
    "assignment_list",
    "SELECT a.id, a.group_id, a.item_id, g.name, i.name, i.identifier, i.kind, a.created_at, "
    "a.created_by FROM assignment a JOIN device_group g ON g.id = a.group_id JOIN library_item i "
    "ON i.id = a.item_id WHERE (? = 0 OR a.group_id = ?) AND (? = 0 OR a.item_id = ?) AND a.id > ? "
    "ORDER BY a.id LIMIT ?",
    0};
static const struct sql ASSIGNMENT = {"assignment_get",
                                      "SELECT g.name, i.name, a.group_id FROM assignment a JOIN "
                                      "device_group g ON g.id = a.group_id JOIN "
                                      "library_item i ON i.id = a.item_id WHERE a.id = ?",
                                      0};

static struct val page(size_t max)
{
    return val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE);
}

struct assign {
    int64_t id, group_id, item_id, now;
    const char *actor, *why;
    struct arena *a;
};

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
    struct assign x = {.group_id = group_id,
                       .item_id = item_id,
                       .actor = actor,
                       .now = now,
                       .a = arena_new(LIM_MB)};
    enum outcome o =
        x.a != NULL ? db_unit(db, assign_unit, &x, err) : err_set(err, ERROR, "out of memory");

    *id = x.id;
    arena_free(&x.a);
    return o;
}

static enum outcome unassign_unit(struct db *db, void *arg, struct err *err)
{
    struct assign *x = arg;
    char detail[400];
    const char *name;
    bool filtered;
    struct rows r;
    int number;
    enum outcome o;

    arena_reset(x->a);
    o = db_select(db, &ASSIGNMENT, (struct val[]){val_int(x->id)}, 1, x->a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no assignment %lld", (long long)x->id);
    if (o == OK)
        o = group_lock(db, row_at(&r, 0, 2)->i, x->a, &name, &filtered, err);
    if (o == OK)
        o = db_exec(db, &UNASSIGN, (struct val[]){val_int(x->id)}, 1, NULL, err);
    if (o == OK)
        o = blueprint_note(db, row_at(&r, 0, 2)->i, arena_fmt(x->a, "- %s", row_at(&r, 0, 1)->s),
                           x->actor, clock_now(), &number, err);
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail, "item=%.200s why=%.150s", row_at(&r, 0, 1)->s, x->why);
    return audit_add(db, x->actor, "assignment.delete", row_at(&r, 0, 0)->s, detail, err);
}

enum outcome assignment_delete(struct db *db, int64_t id, const char *actor, const char *why,
                               struct err *err)
{
    struct assign x = {.id = id, .actor = actor, .why = why, .a = arena_new(LIM_MB)};
    enum outcome o =
        x.a != NULL ? db_unit(db, unassign_unit, &x, err) : err_set(err, ERROR, "out of memory");

    arena_free(&x.a);
    return o;
}

enum outcome assignment_list(struct db *db, int64_t group_id, int64_t item_id, int64_t after,
                             size_t max, struct arena *a, struct assignment **out, size_t *n,
                             struct err *err)
{
    struct val g = val_int(group_id), i = val_int(item_id);
    struct rows r;
    enum outcome o = db_select(
        db, &ASSIGNMENTS, (struct val[]){g, g, i, i, val_int(after), page(max)}, 6, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] = (struct assignment){v[0].i, v[1].i,      v[2].i, v[3].s, v[4].s,
                                         v[5].s, (int)v[6].i, v[7].i, v[8].s};
    }
    return OK;
}
