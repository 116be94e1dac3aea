/* inventory_ahead.c: see inventory_ahead.h. */
#include "store/inventory_ahead.h"

#include <stdlib.h>

#define NONE (-1) /* an area of which nothing was ever reported */
#define NOTES_MAX 128
#define NOTE_ARGS 7

static const struct sql AREAS = {
    "inv_areas",
    "SELECT enrollment_id, area, reported_at FROM inv_area WHERE enrollment_id IN (%IN%) FOR "
    "UPDATE",
    1};
static const struct sql NOTE = {
    "inv_area_note",
    "INSERT INTO inv_area (enrollment_id, area, reported_at, changed_at, command_id, items) "
    "VALUES (?,?,?,?,?,?) ON DUPLICATE KEY UPDATE reported_at = VALUES(reported_at), changed_at = "
    "IF(?, VALUES(changed_at), changed_at), command_id = VALUES(command_id), items = VALUES(items)",
    0};

struct device {
    int64_t id;
    int64_t reported_at[INV__MAX];
    bool changed[INV__MAX]; /* since the rows were read ahead */
};

struct inv_ahead {
    struct arena *a;
    size_t n;
    struct device device[INV_AHEAD_MAX]; /* ascending */
    /* of tables with one row for each device, from the first time one is asked for */
    bool read[INV__MAX];
    struct rows rows[INV__MAX];
    size_t nnotes;
    struct val note[NOTES_MAX * NOTE_ARGS];
};

static int by_id(const void *a, const void *b)
{
    const struct device *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static struct device *find(struct inv_ahead *ahead, int64_t id)
{
    struct device key = {.id = id};

    return bsearch(&key, ahead->device, ahead->n, sizeof key, by_id);
}

static void take_devices(struct inv_ahead *ahead, const int64_t *id, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        ahead->device[i] = (struct device){.id = id[i]};
        for (int area = 0; area < INV__MAX; area++)
            ahead->device[i].reported_at[area] = NONE;
    }
    qsort(ahead->device, n, sizeof ahead->device[0], by_id);
    for (size_t i = 0; i < n; i++)
        if (k == 0 || ahead->device[k - 1].id != ahead->device[i].id)
            ahead->device[k++] = ahead->device[i];
    ahead->n = k;
}

static enum outcome select_all(struct inv_ahead *ahead, struct db *db, const struct sql *sql,
                               struct rows *out, struct err *err)
{
    struct val id[INV_AHEAD_MAX];

    for (size_t i = 0; i < ahead->n; i++)
        id[i] = val_int(ahead->device[i].id);
    return db_select_in(db, sql, NULL, 0, id, ahead->n, NULL, 0, ahead->a, out, err);
}

enum outcome inv_ahead_open(struct db *db, const int64_t *enrollment_id, size_t n, struct arena *a,
                            struct inv_ahead **out, struct err *err)
{
    struct inv_ahead *ahead = n <= INV_AHEAD_MAX ? arena_alloc(a, sizeof *ahead) : NULL;
    struct rows r = {0};
    enum outcome o = OK;

    *out = ahead;
    if (ahead == NULL)
        return err_set(err, ERROR, "no memory for what is known of %zu devices", n);
    ahead->a = a;
    ahead->nnotes = 0;
    memset(ahead->read, 0, sizeof ahead->read);
    take_devices(ahead, enrollment_id, n);
    if (n > 0)
        o = select_all(ahead, db, &AREAS, &r, err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        struct device *d = find(ahead, v[0].i);

        if (d != NULL && v[1].i > INV_NONE && v[1].i < INV__MAX)
            d->reported_at[v[1].i] = v[2].i;
    }
    return o;
}

/* The device's row of a table that has one for each, as it was read ahead. */
static enum outcome one_row(struct inv_ahead *ahead, struct db *db, const struct inv_table *t,
                            int64_t id, struct rows *out, struct err *err)
{
    struct rows *all = &ahead->rows[t->area];
    enum outcome o = OK;

    if (!ahead->read[t->area])
        o = select_all(ahead, db, &t->read, all, err);
    ahead->read[t->area] = o == OK;
    *out = (struct rows){.cols = all->cols};
    for (size_t i = 0; o == OK && i < all->n; i++)
        if (row_at(all, i, 0)->i == id)
            *out = (struct rows){.v = row_at(all, i, 0), .n = 1, .cols = all->cols};
    return o;
}

enum outcome inv_before(struct db *db, const struct inv_table *t, const struct inv_source *s,
                        struct arena *a, struct inv_before *out, struct err *err)
{
    const struct device *d = find(s->ahead, s->enrollment_id);
    struct val id = val_int(s->enrollment_id);

    *out = (struct inv_before){0};
    if (d == NULL)
        return err_set(err, ERROR, "the inventory of enrollment %lld was not read",
                       (long long)s->enrollment_id);
    out->first = d->reported_at[t->area] == NONE;
    out->stale = d->reported_at[t->area] > s->reported_at;
    if (out->stale)
        return OK;
    if (t->keys == 0 && !d->changed[t->area])
        return one_row(s->ahead, db, t, s->enrollment_id, &out->rows, err);
    return db_select_in(db, &t->read, NULL, 0, &id, 1, NULL, 0, a, &out->rows, err);
}

void inv_ahead_changed(struct inv_ahead *ahead, int64_t enrollment_id, enum inv_area area)
{
    struct device *d = find(ahead, enrollment_id);

    if (d != NULL)
        d->changed[area] = true;
}

enum outcome inv_ahead_note(struct inv_ahead *ahead, struct db *db, const struct inv_table *t,
                            const struct inv_source *s, bool changed, size_t items, struct err *err)
{
    struct device *d = find(ahead, s->enrollment_id);
    struct val *v = ahead->note + ahead->nnotes * NOTE_ARGS;

    if (d != NULL)
        d->reported_at[t->area] = s->reported_at;
    v[0] = val_int(s->enrollment_id);
    v[1] = val_int(t->area);
    v[2] = val_int(s->reported_at);
    v[3] = val_int(s->reported_at);
    v[4] = val_int(s->command_id);
    v[5] = val_int((int64_t)items);
    v[6] = val_int(changed);
    ahead->nnotes++;
    return ahead->nnotes == NOTES_MAX ? inv_ahead_close(ahead, db, err) : OK;
}

enum outcome inv_ahead_close(struct inv_ahead *ahead, struct db *db, struct err *err)
{
    size_t n = ahead->nnotes;

    ahead->nnotes = 0;
    return db_exec_many(db, &NOTE, ahead->note, NOTE_ARGS, n, NULL, err);
}
