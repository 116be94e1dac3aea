/* scope.c: see scope.h. */
#include "store/scope.h"

#include "base/limits.h"
#include "store/audit.h"
#include "store/group.h"
#include "store/idset.h"

#include <stdio.h>

#define ROWS_MAX (64u * LIM_MB)
static const struct sql OWN_GROUPS = {"scope_own_groups",
                                      "SELECT group_id FROM scope_group WHERE %OWN owner%", 0};
static const struct sql HOW_MANY = {
    "scope_how_many",
    "SELECT COUNT(*) FROM (SELECT 1 FROM scope_group g JOIN group_member m ON m.group_id = "
    "g.group_id WHERE %OWN g.owner% LIMIT ?) AS some",
    0};
/* Each by the first entry of the index. */
#define END_OF(way)                                                                                \
    "(SELECT m.device_id FROM group_member m WHERE m.group_id = g.group_id ORDER BY "              \
    "m.device_id " way " LIMIT 1)"
static const struct sql RANGE = {
    "scope_range",
    "SELECT MIN(x.lo), MAX(x.hi) FROM (SELECT " END_OF("ASC") " AS lo, " END_OF(
        "DESC") " AS hi FROM scope_group g WHERE %OWN g.owner%) AS x",
    0};
static const struct sql MEMBERS = {
    "scope_members", "SELECT device_id FROM group_member WHERE group_id = ? ORDER BY device_id", 0};
static const struct sql FIND[] = {
    {"scope_admin", "SELECT id, limited FROM admin WHERE name = ? FOR UPDATE", 0},
    {"scope_key", "SELECT id, limited FROM apikey WHERE name = ? FOR UPDATE", 0}};
static const struct sql LIMIT[] = {
    {"scope_limit_admin", "UPDATE admin SET limited = ? WHERE id = ?", 0},
    {"scope_limit_key", "UPDATE apikey SET limited = ? WHERE id = ?", 0}};
static const struct sql LOOK[] = {
    {"scope_look_admin", "SELECT id, limited FROM admin WHERE name = ?", 0},
    {"scope_look_key", "SELECT id, limited FROM apikey WHERE name = ?", 0}};
static const struct sql GROUPS = {
    "scope_groups", "SELECT group_id FROM scope_group WHERE owner = ? ORDER BY group_id", 0};
static const struct sql DROP = {"scope_drop", "DELETE FROM scope_group WHERE owner = ?", 0};
static const struct sql ADD = {
    "scope_add",
    "INSERT INTO scope_group (owner, group_id) SELECT ?, id FROM device_group WHERE id = ? AND "
    "owner = 0",
    0};
static const struct sql OTHERS = {
    "scope_others",
    "SELECT COUNT(*) FROM admin WHERE role = 'administrator' AND disabled_at IS NULL AND origin = "
    "'local' AND limited = 0 AND id <> ?",
    0};

/* The ids that a statement tells, without the rows that they came in. */
static enum outcome ids_read(struct db *db, const struct sql *sql, const struct val *args,
                             size_t nargs, struct arena *a, struct scope_set *out, struct err *err)
{
    struct arena *rows = arena_new(ROWS_MAX);
    struct rows r = {0};
    enum outcome o = rows != NULL ? db_select(db, sql, args, nargs, rows, &r, err)
                                  : err_set(err, ERROR, "out of memory");

    *out = (struct scope_set){o == OK ? arena_array(a, r.n + 1, sizeof *out->ids) : NULL, 0};
    if (o == OK && out->ids == NULL)
        o = err_set(err, ERROR, "out of memory");
    for (; o == OK && out->n < r.n; out->n++)
        out->ids[out->n] = row_at(&r, out->n, 0)->i;
    arena_free(&rows);
    return o;
}

enum outcome scope_measure(struct db *db, struct arena *a, int64_t max, int64_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &HOW_MANY, (struct val[]){val_int(max)}, 1, a, &r, err);

    *n = o == OK ? row_at(&r, 0, 0)->i : 0;
    return o;
}

enum outcome scope_range(struct db *db, struct arena *a, int64_t *first, int64_t *last,
                         struct err *err)
{
    struct rows r;
    enum outcome o = OK;

    *first = 0;
    *last = INT64_MAX;
    if (!db_scoped(db))
        return OK;
    o = db_select(db, &RANGE, NULL, 0, a, &r, err);
    if (o == OK && !val_is_null(row_at(&r, 0, 0))) {
        *first = row_at(&r, 0, 0)->i;
        *last = row_at(&r, 0, 1)->i;
    }
    return o;
}

enum outcome scope_set_read(struct db *db, struct arena *a, struct scope_set *out, struct err *err)
{
    struct scope_set groups, members, all;
    enum outcome o = ids_read(db, &OWN_GROUPS, NULL, 0, a, &groups, err);

    *out = (struct scope_set){0};
    for (size_t i = 0; o == OK && i < groups.n; i++) {
        o = ids_read(db, &MEMBERS, (struct val[]){val_int(groups.ids[i])}, 1, a, &members, err);
        if (o != OK || out->n == 0) {
            *out = o == OK ? members : *out;
            continue;
        }
        all.ids = arena_array(a, out->n + members.n + 1, sizeof *all.ids);
        if (all.ids == NULL)
            return err_set(err, ERROR, "out of memory");
        all.n = idset_union(out->ids, out->n, members.ids, members.n, all.ids);
        *out = all;
    }
    return o;
}

enum outcome scope_set_count(struct db *db, const struct scope_set *s, const struct sql *sql,
                             const struct val *args, size_t nargs, int64_t *n, struct err *err)
{
    struct arena *a = arena_new(ROWS_MAX);
    struct scope_set told = {0};
    enum outcome o = a != NULL ? ids_read(db, sql, args, nargs, a, &told, err)
                               : err_set(err, ERROR, "out of memory");

    *n = 0;
    if (o == OK && told.n > 0)
        *n = (int64_t)(told.n - idset_without(told.ids, told.n, s->ids, s->n, told.ids));
    arena_free(&a);
    return o;
}

int64_t scope_number(enum scope_kind kind, int64_t id)
{
    return id * 2 + (kind == SCOPE_KEY);
}

enum outcome scope_get(struct db *db, enum scope_kind kind, const char *name, struct arena *a,
                       struct scope *out, struct err *err)
{
    struct rows r;
    int64_t *ids;
    enum outcome o = db_select(db, &LOOK[kind], (struct val[]){val_str(name)}, 1, a, &r, err);

    *out = (struct scope){0};
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no %.100s", name);
    if (o != OK)
        return o;
    out->limited = row_at(&r, 0, 1)->i != 0;
    o = db_select(db, &GROUPS, (struct val[]){val_int(scope_number(kind, row_at(&r, 0, 0)->i))}, 1,
                  a, &r, err);
    ids = o == OK ? arena_array(a, r.n + 1, sizeof *ids) : NULL;
    if (o == OK && ids == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++)
        ids[i] = row_at(&r, i, 0)->i;
    out->groups = ids;
    out->n = o == OK ? r.n : 0;
    return o;
}

struct setting {
    enum scope_kind kind;
    const char *name, *by;
    const struct scope *scope;
    struct arena *a;
};

static enum outcome groups_put(struct db *db, const struct setting *x, int64_t owner,
                               struct err *err)
{
    enum outcome o = OK;

    if (!x->scope->limited) /* the groups it made stay what they were */
        return OK;
    o = db_exec(db, &DROP, (struct val[]){val_int(owner)}, 1, NULL, err);
    for (size_t i = 0; o == OK && i < x->scope->n; i++) {
        uint64_t n = 0;

        o = db_exec(db, &ADD, (struct val[]){val_int(owner), val_int(x->scope->groups[i])}, 2, &n,
                    err);
        if (o == OK && n == 0)
            return err_set(err, NOT_FOUND, "there is no group %lld that somebody can be limited to",
                           (long long)x->scope->groups[i]);
        if (o == CONFLICT) /* named twice */
            o = OK;
    }
    if (o == OK)
        o = group_trim(db, err);
    return o == OK ? wanted_touch(db, err) : o;
}

enum outcome scope_put(struct db *db, enum scope_kind kind, const char *name,
                       const struct scope *scope, const char *by, struct arena *a, struct err *err)
{
    const struct setting x = {kind, name, by, scope, a};
    char detail[64];
    struct rows r, others;
    int64_t id;
    enum outcome o;

    if (scope->n > SCOPE_GROUPS)
        return err_set(err, INVALID, "an account or key is limited to at most %u groups",
                       SCOPE_GROUPS);
    o = db_select(db, &FIND[kind], (struct val[]){val_str(name)}, 1, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no %.100s", name);
    if (o != OK)
        return o;
    id = row_at(&r, 0, 0)->i;
    if (kind == SCOPE_ADMIN && scope->limited) {
        o = db_select(db, &OTHERS, (struct val[]){val_int(id)}, 1, a, &others, err);
        if (o == OK && row_at(&others, 0, 0)->i == 0)
            return err_set(err, CONFLICT,
                           "nobody would be left who reaches everything and has a password here");
    }
    if (o == OK)
        o = db_exec(db, &LIMIT[kind], (struct val[]){val_int(scope->limited), val_int(id)}, 2, NULL,
                    err);
    if (o == OK)
        o = groups_put(db, &x, scope_number(kind, id), err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail, "limited=%d groups=%zu", scope->limited,
             scope->limited ? scope->n : 0);
    return audit_add(db, by, kind == SCOPE_ADMIN ? "admin.scope" : "apikey.scope", name, detail,
                     err);
}

static enum outcome set_unit(struct db *db, void *arg, struct err *err)
{
    const struct setting *x = arg;

    arena_reset(x->a);
    return scope_put(db, x->kind, x->name, x->scope, x->by, x->a, err);
}

enum outcome scope_set(struct db *db, enum scope_kind kind, const char *name,
                       const struct scope *scope, const char *by, struct err *err)
{
    struct setting x = {kind, name, by, scope, arena_new(LIM_MB)};
    enum outcome o =
        x.a != NULL ? db_unit(db, set_unit, &x, err) : err_set(err, ERROR, "out of memory");

    arena_free(&x.a);
    return o;
}
