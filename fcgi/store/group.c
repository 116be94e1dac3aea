/* group.c: see group.h. */
#include "store/group.h"

#include "base/limits.h"
#include "store/audit.h"
#include "store/id.h"

#define ACTOR_CHARS 128
#define RULED "enrolment:" /* such a group gets what an enrolment profile lists: enrolgroup.c */

#define COLUMNS                                                                                    \
    "id, name, filter, note, created_at, changed_at, created_by, changed_by, evaluated_at, "       \
    "evaluated_us, members, owner"
static const struct sql LIST = {
    "group_list",
    "SELECT " COLUMNS " FROM device_group WHERE id > ? AND %GROUP id% ORDER BY id LIMIT ?", 0};
static const struct sql GET = {
    "group_get", "SELECT " COLUMNS " FROM device_group WHERE id = ? AND %GROUP id%", 0};
static const struct sql FIND = {
    "group_find", "SELECT " COLUMNS " FROM device_group WHERE name = ? AND %GROUP id%", 0};
static const struct sql OF_DEVICE = {
    "group_of_device",
    "SELECT g.id, g.name FROM enrollment e JOIN group_member m ON m.device_id = e.device_id JOIN "
    "device_group g ON g.id = m.group_id WHERE e.ident = ? AND %SCOPE e.device_id% AND %GROUP "
    "g.id% ORDER BY g.name LIMIT ?",
    0};
static const struct sql ADD = {
    "group_add",
    "INSERT INTO device_group (id, name, filter, note, created_at, created_by, changed_at, "
    "changed_by, owner) VALUES (?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql CHANGE = {
    "group_change",
    "UPDATE device_group SET name = ?, filter = ?, note = ?, changed_at = ?, changed_by = ?, "
    "evaluated_at = 0 WHERE id = ?",
    0};
static const struct sql LOCK = {"group_lock",
                                "SELECT name, filter IS NOT NULL, owner, changed_at FROM "
                                "device_group WHERE id = ? AND %GROUP id% FOR UPDATE",
                                0};
static const struct sql DELETE = {"group_delete", "DELETE FROM device_group WHERE id = ?", 0};
static const struct sql DELETE_BLUEPRINTS = {"group_delete_blueprints",
                                             "DELETE FROM group_blueprint WHERE group_id = ?", 0};
static const struct sql END_SCOPES = {"group_end_scopes",
                                      "DELETE FROM scope_group WHERE group_id = ?", 0};
static const struct sql END_ORDERS = {
    "group_end_orders",
    "UPDATE standing_order SET state = 3, changed_at = ? WHERE group_id = ? AND state <> 3", 0};
static const struct sql DELETE_ASSIGNMENTS = {"group_delete_assignments",
                                              "DELETE FROM assignment WHERE group_id = ?", 0};
static const struct sql VOID_APPROVALS = {
    "group_void_approvals",
    "UPDATE approval SET expires_at = ? WHERE group_id = ? AND state = 1 AND expires_at > ?", 0};
static const struct sql DELETE_OFFERS = {"group_delete_offers",
                                         "DELETE FROM offer WHERE group_id = ?", 0};
static const struct sql TRIM = {
    "group_trim",
    "DELETE m FROM device_group g JOIN group_member m ON m.group_id = g.id LEFT JOIN (scope_group "
    "sg JOIN group_member sm ON sm.group_id = sg.group_id) ON sg.owner = g.owner AND sm.device_id "
    "= m.device_id WHERE g.owner <> 0 AND sm.device_id IS NULL",
    0};
static const struct sql TRIM_COUNT = {
    "group_trim_count",
    "UPDATE device_group g SET members = (SELECT COUNT(*) FROM group_member m WHERE m.group_id = "
    "g.id) WHERE owner <> 0",
    0};
static const struct sql TOUCH = {"wanted_touch",
                                 "UPDATE site SET version = version + 1 WHERE name = 'wanted'", 0};

enum outcome wanted_touch(struct db *db, struct err *err)
{
    return db_exec(db, &TOUCH, NULL, 0, NULL, err);
}

static void from_row(const struct val *v, struct device_group *g)
{
    *g = (struct device_group){v[0].i, v[1].s, val_text(&v[2]), v[3].s, v[4].i,  v[5].i,
                               v[6].s, v[7].s, v[8].i,          v[9].i, v[10].i, v[11].i};
}

enum outcome group_list(struct db *db, int64_t after, size_t max, struct arena *a,
                        struct device_group **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &LIST, (struct val[]){val_int(after), val_page(max)}, 2, a, &r, err);

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

enum outcome group_of_device(struct db *db, const char *ident, struct arena *a,
                             struct device_group **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &OF_DEVICE, (struct val[]){val_str(ident), val_page(LIM_PAGE)},
                               2, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] =
            (struct device_group){.id = row_at(&r, *n, 0)->i, .name = row_at(&r, *n, 1)->s};
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

bool group_changes(const struct db *db, int64_t owner)
{
    return !db_scoped(db) || owner == db_scope_of(db);
}

struct locked {
    const char *name;
    bool filtered;
    int64_t owner, changed_at;
};

static enum outcome lock(struct db *db, int64_t id, struct arena *a, struct locked *out,
                         struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &LOCK, (struct val[]){val_int(id)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no group %lld", (long long)id);
    if (o != OK)
        return o;
    const struct val *v = row_at(&r, 0, 0);

    *out = (struct locked){v[0].s, v[1].i != 0, v[2].i, v[3].i};
    return OK;
}

enum outcome group_lock(struct db *db, int64_t id, struct arena *a, const char **name,
                        bool *filtered, struct err *err)
{
    struct locked g = {0};
    enum outcome o = lock(db, id, a, &g, err);

    *name = g.name;
    *filtered = g.filtered;
    return o;
}

static enum outcome lock_own(struct db *db, int64_t id, struct arena *a, struct locked *out,
                             struct err *err)
{
    enum outcome o = lock(db, id, a, out, err);

    return o == OK && !group_changes(db, out->owner)
               ? err_set(err, DENIED,
                         "who is limited to groups changes none but those of the own making: this "
                         "one says who reaches what")
               : o;
}

enum outcome group_lock_own(struct db *db, int64_t id, struct arena *a, const char **name,
                            bool *filtered, int64_t *owner, struct err *err)
{
    struct locked g = {0};
    enum outcome o = lock_own(db, id, a, &g, err);

    *name = g.name;
    *filtered = g.filtered;
    *owner = g.owner;
    return o;
}

enum outcome group_trim(struct db *db, struct err *err)
{
    uint64_t gone = 0;
    enum outcome o = db_exec(db, &TRIM, NULL, 0, &gone, err);

    if (o != OK || gone == 0)
        return o;
    o = db_exec(db, &TRIM_COUNT, NULL, 0, NULL, err);
    return o == OK ? wanted_touch(db, err) : o;
}

static enum outcome save_unit(struct db *db, void *arg, struct err *err)
{
    struct change *x = arg;
    struct device_group *g = x->g;
    struct val filter = g->filter[0] ? val_str(g->filter) : val_null(), now = val_int(x->now);
    struct val by = val_cut(x->actor, ACTOR_CHARS);
    int64_t id = g->id != 0 ? g->id : id_new();
    struct locked was = {0};
    enum outcome o = OK;

    arena_reset(x->a);
    if (g->id != 0 && (o = lock_own(db, g->id, x->a, &was, err)) != OK)
        return o;
    if (g->id != 0 && was.changed_at != g->changed_at)
        return err_set(
            err, CONFLICT,
            "somebody else has changed the group meanwhile: look at it, then save again");
    if (x->now <= was.changed_at) /* each change has a time of its own */
        now = val_int(was.changed_at + 1);
    if (db_scoped(db) && strncmp(g->name, RULED, sizeof RULED - 1) == 0)
        return err_set(err, INVALID, "names that begin with \"%s\" are the agent's", RULED);
    if (g->id != 0 && was.filtered != (g->filter[0] != '\0'))
        return err_set(err, INVALID, "a group with a filter keeps one, and one without has none");
    o = g->id == 0
            ? db_exec(db, &ADD,
                      (struct val[]){val_int(id), val_str(g->name), filter, val_cut(g->note, 255),
                                     now, by, now, by, val_int(db_scope_of(db))},
                      9, NULL, err)
            : db_exec(db, &CHANGE,
                      (struct val[]){val_str(g->name), filter, val_cut(g->note, 255), now, by,
                                     val_int(id)},
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
    int64_t owner;
    bool filtered;
    enum outcome o;

    arena_reset(x->a);
    if ((o = group_lock_own(db, x->g->id, x->a, &name, &filtered, &owner, err)) != OK ||
        (o = db_exec(db, &DELETE_ASSIGNMENTS, &id, 1, NULL, err)) != OK ||
        (o = db_exec(db, &END_ORDERS, (struct val[]){val_int(x->now), id}, 2, NULL, err)) != OK ||
        (o = db_exec(db, &VOID_APPROVALS, (struct val[]){val_int(x->now), id, val_int(x->now)}, 3,
                     NULL, err)) != OK ||
        (o = db_exec(db, &END_SCOPES, &id, 1, NULL, err)) != OK ||
        (o = db_exec(db, &DELETE_BLUEPRINTS, &id, 1, NULL, err)) != OK ||
        (o = db_exec(db, &DELETE_OFFERS, &id, 1, NULL, err)) != OK ||
        (o = db_exec(db, &DELETE, &id, 1, NULL, err)) != OK || (o = group_trim(db, err)) != OK ||
        (o = wanted_touch(db, err)) != OK)
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
