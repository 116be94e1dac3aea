/* preview_crowd.c: see preview_int.h. */
#include "store/preview_int.h"

#include "base/limits.h"
#include "store/idset.h"

#include <stdlib.h>

#define ROWS_MAX (64u * LIM_MB)
#define CHUNK 512 /* names in one question */

/* Each of these is read through an index that has all it tells. */
static const struct sql MEMBERS = {"preview_members",
                                   "SELECT m.device_id FROM group_member m WHERE m.group_id = ? "
                                   "AND %SCOPE m.device_id% ORDER BY m.device_id",
                                   0};
static const struct sql NOT_ENROLLED = {"preview_not_enrolled",
                                        "SELECT id FROM enrollment FORCE INDEX (filters) WHERE "
                                        "kind IN (1, 2, 3, 4, 5) AND state IN (1, 3, 4)",
                                        0};
static const struct sql OTHER_GROUPS = {
    "preview_other_groups",
    "SELECT group_id FROM assignment WHERE item_id = ? AND group_id IS NOT NULL AND group_id <> ?",
    0};
static const struct sql SINGLE_DEVICES = {
    "preview_single_devices",
    "SELECT device_id FROM assignment WHERE item_id = ? AND device_id IS NOT NULL AND %SCOPE "
    "device_id%",
    0};
static const struct sql NAMED = {
    "preview_named",
    "SELECT id FROM enrollment WHERE kind IN (1, 4) AND state = 2 AND ident IN (%IN%) AND %SCOPE "
    "device_id% UNION SELECT id FROM enrollment WHERE kind IN (1, 4) AND state = 2 AND serial IN "
    "(%IN%) AND %SCOPE device_id%",
    1};
static const struct sql BY_GROUPS = {
    "preview_by_groups",
    "SELECT DISTINCT m.device_id FROM assignment a JOIN group_member m ON m.group_id = a.group_id "
    "WHERE a.item_id = ? AND m.device_id = ?",
    0};

int crowd_by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Ids in ascending order; only they are kept of what the database tells. */
static enum outcome read_to(struct crowd *c, const struct sql *sql, const struct val *args,
                            size_t nargs, struct arena *a, struct ids *out, struct err *err)
{
    struct arena *rows = arena_new(ROWS_MAX);
    struct rows r = {0};
    bool sorted = true;
    enum outcome o = rows != NULL ? db_select(c->db, sql, args, nargs, rows, &r, err)
                                  : err_set(err, ERROR, "out of memory");

    *out = (struct ids){0};
    out->v = o == OK ? arena_array(a, r.n + 1, sizeof *out->v) : NULL;
    if (o == OK && out->v == NULL)
        o = err_set(err, ERROR, "out of memory");
    for (; o == OK && out->n < r.n; out->n++) {
        out->v[out->n] = row_at(&r, out->n, 0)->i;
        sorted = sorted && (out->n == 0 || out->v[out->n - 1] <= out->v[out->n]);
    }
    if (o == OK && !sorted)
        qsort(out->v, out->n, sizeof *out->v, crowd_by_id);
    arena_free(&rows);
    return o;
}

enum outcome crowd_read(struct crowd *c, const struct sql *sql, const struct val *args,
                        size_t nargs, struct ids *out, struct err *err)
{
    return read_to(c, sql, args, nargs, c->a, out, err);
}

enum outcome crowd_enrolled(struct crowd *c, struct ids *x, struct err *err)
{
    enum outcome o = OK;

    if (!c->has_gone)
        o = crowd_read(c, &NOT_ENROLLED, NULL, 0, &c->gone, err);
    c->has_gone = o == OK;
    if (o == OK)
        x->n = idset_without(x->v, x->n, c->gone.v, c->gone.n, x->v);
    return o;
}

enum outcome crowd_named(struct crowd *c, const char *const *names, size_t n, struct ids *out,
                         struct err *err)
{
    struct val list[CHUNK * 2];
    struct ids part;
    struct rows r;
    enum outcome o = OK;

    *out = (struct ids){0};
    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            list[i] = list[k + i] = val_str(names[from + i]);
        o = db_select_in(c->db, &NAMED, NULL, 0, list, k, NULL, 0, c->a, &r, err);
        part.v = arena_array(c->a, out->n + r.n + 1, sizeof *part.v);
        if (o == OK && part.v == NULL)
            return err_set(err, ERROR, "out of memory");
        if (o == OK && out->n > 0)
            memcpy(part.v, out->v, out->n * sizeof *part.v);
        for (size_t i = 0; o == OK && i < r.n; i++)
            part.v[out->n + i] = row_at(&r, i, 0)->i;
        part.n = out->n + r.n;
        *out = o == OK ? part : *out;
    }
    if (out->n == 0)
        return o;
    qsort(out->v, out->n, sizeof *out->v, crowd_by_id);
    part.n = 0;
    for (size_t i = 0; i < out->n; i++) /* a list may name a device twice */
        if (part.n == 0 || out->v[part.n - 1] != out->v[i])
            out->v[part.n++] = out->v[i];
    out->n = part.n;
    return o;
}

enum outcome crowd_members(struct crowd *c, int64_t group_id, struct ids *out, struct err *err)
{
    bool keep = c->ngroups < CROWD_GROUPS && c->kept < CROWD_IDS;
    enum outcome o;

    for (size_t i = 0; i < c->ngroups; i++)
        if (c->group[i].id == group_id) {
            *out = c->group[i].devices;
            return OK;
        }
    if (!keep)
        arena_reset(c->once);
    o = read_to(c, &MEMBERS, (struct val[]){val_int(group_id)}, 1, keep ? c->a : c->once, out, err);
    if (o == OK)
        o = crowd_enrolled(c, out, err);
    if (o == OK && keep) {
        c->group[c->ngroups].id = group_id;
        c->group[c->ngroups++].devices = *out;
        c->kept += out->n;
    }
    return o;
}

enum outcome crowd_others(struct crowd *c, int64_t item, int64_t but, crowd_fn *fn, void *arg,
                          struct err *err)
{
    struct ids groups, devices;
    enum outcome o = crowd_read(
        c, c->device != 0 ? &BY_GROUPS : &OTHER_GROUPS,
        (struct val[]){val_int(item), val_int(c->device != 0 ? c->device : but)}, 2, &groups, err);

    if (o == OK && c->device != 0)
        return fn(arg, &groups, err);
    for (size_t i = 0; o == OK && i < groups.n; i++) {
        o = crowd_members(c, groups.v[i], &devices, err);
        if (o == OK)
            o = fn(arg, &devices, err);
    }
    if (o == OK)
        o = crowd_read(c, &SINGLE_DEVICES, (struct val[]){val_int(item)}, 1, &devices, err);
    if (o == OK && devices.n > 0)
        o = crowd_enrolled(c, &devices, err);
    return o == OK ? fn(arg, &devices, err) : o;
}

enum outcome crowd_without(struct crowd *c, const struct ids *x, const struct ids *y,
                           struct ids *out, struct err *err)
{
    *out = (struct ids){arena_array(c->a, x->n + 1, sizeof *out->v), 0};
    if (out->v == NULL)
        return err_set(err, ERROR, "out of memory");
    out->n = idset_without(x->v, x->n, y->v, y->n, out->v);
    return OK;
}

enum outcome crowd_take_away(void *arg, const struct ids *devices, struct err *err)
{
    struct ids *left = arg;

    (void)err;
    left->n = idset_without(left->v, left->n, devices->v, devices->n, left->v);
    return OK;
}

enum outcome crowd_copy_left(struct crowd *c, const struct ids *x, struct err *err)
{
    if (c->room < x->n) {
        c->left.v = arena_array(c->a, x->n, sizeof *c->left.v);
        c->room = c->left.v != NULL ? x->n : 0;
    }
    if (c->room < x->n)
        return err_set(err, ERROR, "out of memory");
    if (x->n > 0)
        memcpy(c->left.v, x->v, x->n * sizeof *x->v);
    c->left.n = x->n;
    return OK;
}

struct crowd *crowd_new(struct db *db, struct arena *a, struct err *err)
{
    struct crowd *c = arena_alloc(a, sizeof *c);

    if (c != NULL)
        *c = (struct crowd){.db = db, .a = a, .once = arena_new(ROWS_MAX)};
    if (c != NULL && c->once != NULL)
        return c;
    (void)err_set(err, ERROR, "out of memory");
    return NULL;
}

enum outcome crowd_end(struct crowd *c, enum outcome o)
{
    if (c != NULL)
        arena_free(&c->once);
    return o;
}
