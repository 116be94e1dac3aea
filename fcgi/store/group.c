/* group.c: see group.h. */
#include "store/group.h"

#include "base/limits.h"
#include "store/audit.h"
#include "store/id.h"

#include <stdio.h>

#define ACTOR_CHARS 128
#define CHUNK 512

#define COLUMNS                                                                                    \
    "id, name, filter, note, created_at, changed_at, created_by, changed_by, evaluated_at, "       \
    "evaluated_us, members"
static const struct sql LIST = {
    "group_list", "SELECT " COLUMNS " FROM device_group WHERE id > ? ORDER BY id LIMIT ?", 0};
static const struct sql GET = {"group_get", "SELECT " COLUMNS " FROM device_group WHERE id = ?", 0};
static const struct sql FIND = {"group_find", "SELECT " COLUMNS " FROM device_group WHERE name = ?",
                                0};
static const struct sql ADD = {
    "group_add",
    "INSERT INTO device_group (id, name, filter, note, created_at, created_by, changed_at, "
    "changed_by) VALUES (?,?,?,?,?,?,?,?)",
    0};
static const struct sql CHANGE = {
    "group_change",
    "UPDATE device_group SET name = ?, filter = ?, note = ?, changed_at = ?, changed_by = ?, "
    "evaluated_at = 0 WHERE id = ?",
    0};
static const struct sql LOCK = {
    "group_lock", "SELECT name, filter IS NOT NULL FROM device_group WHERE id = ? FOR UPDATE", 0};
static const struct sql DELETE = {"group_delete", "DELETE FROM device_group WHERE id = ?", 0};
static const struct sql DELETE_ASSIGNMENTS = {"group_delete_assignments",
                                              "DELETE FROM assignment WHERE group_id = ?", 0};
static const struct sql MEMBERS = {
    "group_members",
    "SELECT e.id, e.ident, e.serial, e.device_name, m.since FROM group_member m JOIN enrollment e "
    "ON e.id = m.device_id WHERE m.group_id = ? AND m.device_id > ? ORDER BY m.device_id LIMIT ?",
    0};
static const struct sql DEVICES = {
    "group_devices",
    "SELECT id FROM enrollment WHERE kind IN (1, 4) AND state = 2 AND ident IN (%IN%)", 1};
static const struct sql ADD_MEMBER = {
    "group_add_member",
    "INSERT INTO group_member (group_id, device_id, since) VALUES (?,?,?) ON DUPLICATE KEY UPDATE "
    "since = since",
    0};
static const struct sql DROP_MEMBER = {
    "group_drop_member",
    "DELETE m FROM group_member m JOIN enrollment e ON e.id = m.device_id WHERE m.group_id = ? AND "
    "e.ident IN (%IN%)",
    1};
static const struct sql COUNT = {
    "group_count",
    "UPDATE device_group SET members = (SELECT COUNT(*) FROM group_member WHERE group_id = ?) "
    "WHERE id = ?",
    0};
static const struct sql ADD_TAG = {
    "tag_add",
    "INSERT INTO device_tag (device_id, tag, at, by_whom) VALUES (?,?,?,?) ON DUPLICATE KEY UPDATE "
    "at = at",
    0};
static const struct sql DROP_TAG = {
    "tag_drop",
    "DELETE t FROM device_tag t JOIN enrollment e ON e.id = t.device_id WHERE t.tag = ? AND "
    "e.ident IN (%IN%)",
    1};
static const struct sql TAGS = {
    "tag_list", "SELECT tag, COUNT(*) FROM device_tag GROUP BY tag ORDER BY tag LIMIT ?", 0};
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
static const struct sql ASSIGNMENT = {
    "assignment_get",
    "SELECT g.name, i.name FROM assignment a JOIN device_group g ON g.id = a.group_id JOIN "
    "library_item i ON i.id = a.item_id WHERE a.id = ?",
    0};
static const struct sql TOUCH = {"wanted_touch",
                                 "UPDATE site SET version = version + 1 WHERE name = 'wanted'", 0};

enum outcome wanted_touch(struct db *db, struct err *err)
{
    return db_exec(db, &TOUCH, NULL, 0, NULL, err);
}

static void from_row(const struct val *v, struct device_group *g)
{
    *g = (struct device_group){v[0].i, v[1].s, val_text(&v[2]), v[3].s, v[4].i, v[5].i,
                               v[6].s, v[7].s, v[8].i,          v[9].i, v[10].i};
}

static struct val page(size_t max)
{
    return val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE);
}

enum outcome group_list(struct db *db, int64_t after, size_t max, struct arena *a,
                        struct device_group **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &LIST, (struct val[]){val_int(after), page(max)}, 2, a, &r, err);

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

static enum outcome get_one(struct db *db, const struct sql *sql, struct val key, struct arena *a,
                            struct device_group *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, sql, &key, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no such group");
    if (o == OK)
        from_row(row_at(&r, 0, 0), out);
    return o;
}

enum outcome group_get(struct db *db, int64_t id, struct arena *a, struct device_group *out,
                       struct err *err)
{
    return get_one(db, &GET, val_int(id), a, out, err);
}

enum outcome group_find(struct db *db, const char *name, struct arena *a, struct device_group *out,
                        struct err *err)
{
    return get_one(db, &FIND, val_str(name), a, out, err);
}

/* ---- changing ---- */

struct change {
    struct device_group *g;
    struct group_edit *edit;
    const char *tag;
    const char *actor, *why;
    int64_t now;
    struct arena *a;
};

static enum outcome run(struct db *db, db_unit_fn *fn, struct change *x, struct err *err)
{
    enum outcome o;

    x->a = arena_new(LIM_ARENA_REQUEST);
    o = x->a != NULL ? db_unit(db, fn, x, err) : err_set(err, ERROR, "out of memory");
    arena_free(&x->a);
    return o;
}

/* The name of the group, locked; *filtered: it has a filter. */
static enum outcome lock(struct db *db, int64_t id, struct arena *a, const char **name,
                         bool *filtered, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &LOCK, (struct val[]){val_int(id)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no group %lld", (long long)id);
    if (o != OK)
        return o;
    *name = row_at(&r, 0, 0)->s;
    *filtered = row_at(&r, 0, 1)->i != 0;
    return OK;
}

static enum outcome save_unit(struct db *db, void *arg, struct err *err)
{
    struct change *x = arg;
    struct device_group *g = x->g;
    struct val filter = g->filter[0] ? val_str(g->filter) : val_null(), now = val_int(x->now);
    struct val by = val_cut(x->actor, ACTOR_CHARS);
    int64_t id = g->id != 0 ? g->id : id_new();
    bool filtered = false;
    const char *old;
    enum outcome o = OK;

    arena_reset(x->a);
    if (g->id != 0 && (o = lock(db, g->id, x->a, &old, &filtered, err)) != OK)
        return o;
    if (g->id != 0 && filtered != (g->filter[0] != '\0'))
        return err_set(err, INVALID, "a group with a filter keeps one, and one without has none");
    o = g->id == 0 ? db_exec(db, &ADD,
                             (struct val[]){val_int(id), val_str(g->name), filter,
                                            val_cut(g->note, 255), now, by, now, by},
                             8, NULL, err)
                   : db_exec(db, &CHANGE,
                             (struct val[]){val_str(g->name), filter, val_cut(g->note, 255), now,
                                            by, val_int(id)},
                             6, NULL, err);
    if (o == CONFLICT)
        return err_set(err, CONFLICT, "there is a group %.100s already", g->name);
    if (o == OK)
        o = wanted_touch(db, err);
    if (o == OK)
        o = audit_add(db, x->actor, g->id != 0 ? "group.change" : "group.add", g->name,
                      g->filter[0] ? g->filter : NULL, err);
    if (o == OK)
        x->now = id; /* out */
    return o;
}

enum outcome group_save(struct db *db, struct device_group *g, const char *actor, int64_t now,
                        struct err *err)
{
    struct change x = {.g = g, .actor = actor, .now = now};
    enum outcome o = run(db, save_unit, &x, err);

    if (o == OK)
        g->id = x.now;
    return o;
}

static enum outcome delete_unit(struct db *db, void *arg, struct err *err)
{
    struct change *x = arg;
    struct val id = val_int(x->g->id);
    const char *name;
    bool filtered;
    enum outcome o;

    arena_reset(x->a);
    if ((o = lock(db, x->g->id, x->a, &name, &filtered, err)) != OK ||
        (o = db_exec(db, &DELETE_ASSIGNMENTS, &id, 1, NULL, err)) != OK ||
        (o = db_exec(db, &DELETE, &id, 1, NULL, err)) != OK || (o = wanted_touch(db, err)) != OK)
        return o;
    return audit_add(db, x->actor, "group.delete", name, x->why, err);
}

enum outcome group_delete(struct db *db, int64_t id, const char *actor, const char *why,
                          int64_t now, struct err *err)
{
    struct device_group g = {.id = id};
    struct change x = {.g = &g, .actor = actor, .why = why, .now = now};

    return run(db, delete_unit, &x, err);
}

enum outcome group_members(struct db *db, int64_t id, int64_t after, size_t max, struct arena *a,
                           struct group_device **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &MEMBERS, (struct val[]){val_int(id), val_int(after), page(max)},
                               3, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] =
            (struct group_device){v[0].i, v[1].s, val_text(&v[2]), val_text(&v[3]), v[4].i};
    }
    return OK;
}

/* Adds the devices of idents: to group g (tag NULL), or a tag. */
static enum outcome add_devices(struct db *db, struct change *x, struct err *err)
{
    struct group_edit *e = x->edit;
    struct val list[CHUNK], args[CHUNK * 4];
    enum outcome o = OK;

    for (size_t from = 0, n; o == OK && from < e->nadd; from += n) {
        struct rows r;
        size_t k = 0;

        n = e->nadd - from < CHUNK ? e->nadd - from : CHUNK;
        for (size_t i = 0; i < n; i++)
            list[i] = val_str(e->add[from + i]);
        o = db_select_in(db, &DEVICES, NULL, 0, list, n, NULL, 0, x->a, &r, err);
        if (o != OK)
            return o;
        e->unknown += n - r.n;
        for (size_t i = 0; i < r.n; i++) {
            if (x->tag == NULL)
                args[k++] = val_int(x->g->id);
            args[k++] = *row_at(&r, i, 0);
            if (x->tag != NULL)
                args[k++] = val_str(x->tag);
            args[k++] = val_int(x->now);
            if (x->tag != NULL)
                args[k++] = val_cut(x->actor, ACTOR_CHARS);
        }
        o = db_exec_many(db, x->tag != NULL ? &ADD_TAG : &ADD_MEMBER, args, x->tag != NULL ? 4 : 3,
                         r.n, NULL, err);
    }
    return o;
}

static enum outcome drop_devices(struct db *db, struct change *x, struct err *err)
{
    struct group_edit *e = x->edit;
    struct val list[CHUNK], key = x->tag != NULL ? val_str(x->tag) : val_int(x->g->id);
    enum outcome o = OK;

    for (size_t from = 0, n; o == OK && from < e->nremove; from += n) {
        n = e->nremove - from < CHUNK ? e->nremove - from : CHUNK;
        for (size_t i = 0; i < n; i++)
            list[i] = val_str(e->remove[from + i]);
        o = db_exec_in(db, x->tag != NULL ? &DROP_TAG : &DROP_MEMBER, &key, 1, list, n, x->a, NULL,
                       err);
    }
    return o;
}

static enum outcome edit_unit(struct db *db, void *arg, struct err *err)
{
    struct change *x = arg;
    const char *name = x->tag;
    bool filtered = false;
    char detail[96];
    enum outcome o = OK;

    arena_reset(x->a);
    x->edit->unknown = 0;
    if (x->tag == NULL)
        o = lock(db, x->g->id, x->a, &name, &filtered, err);
    if (o == OK && filtered)
        return err_set(err, INVALID, "the devices of this group are found by its filter");
    if (o == OK)
        o = add_devices(db, x, err);
    if (o == OK)
        o = drop_devices(db, x, err);
    if (o == OK && x->tag == NULL)
        o = db_exec(db, &COUNT, (struct val[]){val_int(x->g->id), val_int(x->g->id)}, 2, NULL, err);
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail, "add=%zu remove=%zu unknown=%zu", x->edit->nadd,
             x->edit->nremove, x->edit->unknown);
    return audit_add(db, x->actor, x->tag != NULL ? "tag.edit" : "group.edit", name, detail, err);
}

enum outcome group_edit(struct db *db, int64_t id, struct group_edit *e, const char *actor,
                        int64_t now, struct err *err)
{
    struct device_group g = {.id = id};
    struct change x = {.g = &g, .edit = e, .actor = actor, .now = now};

    return run(db, edit_unit, &x, err);
}

enum outcome tag_edit(struct db *db, const char *tag, struct group_edit *e, const char *actor,
                      int64_t now, struct err *err)
{
    struct change x = {.edit = e, .tag = tag, .actor = actor, .now = now};

    return run(db, edit_unit, &x, err);
}

enum outcome tag_list(struct db *db, struct arena *a, struct tag_count **out, size_t *n,
                      struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &TAGS, (struct val[]){val_int(10000)}, 1, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = (struct tag_count){row_at(&r, *n, 0)->s, row_at(&r, *n, 1)->i};
    return OK;
}

/* ---- assignments ---- */

struct assign {
    int64_t id, group_id, item_id, now;
    const char *actor, *why;
    struct arena *a;
};

static enum outcome assign_unit(struct db *db, void *arg, struct err *err)
{
    struct assign *x = arg;
    char detail[300];
    struct rows r;
    enum outcome o;

    arena_reset(x->a);
    x->id = id_new();
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
    struct rows r;
    enum outcome o;

    arena_reset(x->a);
    o = db_select(db, &ASSIGNMENT, (struct val[]){val_int(x->id)}, 1, x->a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no assignment %lld", (long long)x->id);
    if (o == OK)
        o = db_exec(db, &UNASSIGN, (struct val[]){val_int(x->id)}, 1, NULL, err);
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
