/* inventory.c: making a part of the inventory what a report says: see inventory.h. */
#include "store/inventory.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "store/id.h"
#include "store/inventory_ahead.h"
#include "store/search.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNK 512     /* rows of one DELETE */
#define ROW_MAX 96    /* columns of a table, enrollment_id included */
#define TEXT_SHOWN 60 /* characters of a value in an event */
#define EVENT_MAX 255

static const struct sql ADD_EVENTS = {
    "inv_events",
    "INSERT INTO inv_event (id, enrollment_id, at, area, happened, subject, was, became) VALUES "
    "(?,?,?,?,?,?,?,?)",
    0};
#define EVENT_ARGS 8

/* ---- events ---- */

enum outcome inv_event(struct inv_events *e, struct arena *a, struct inv_change change,
                       struct err *err)
{
    if (e->n == e->room) {
        size_t room = e->room ? e->room * 2 : 16;
        struct inv_change *list = arena_array(a, room, sizeof *list);

        if (list == NULL)
            return err_set(err, ERROR, "out of memory");
        if (e->n > 0)
            memcpy(list, e->list, e->n * sizeof *list);
        e->list = list;
        e->room = room;
    }
    e->list[e->n++] = change;
    return OK;
}

enum outcome inv_events_write(struct db *db, const struct inv_source *s, const struct inv_events *e,
                              struct arena *a, struct err *err)
{
    struct val *args = arena_array(a, e->n * EVENT_ARGS + 1, sizeof *args);

    if (args == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < e->n; i++) {
        struct val *v = args + i * EVENT_ARGS;
        const struct inv_change *c = &e->list[i];

        v[0] = val_int(id_new());
        v[1] = val_int(s->enrollment_id);
        v[2] = val_int(s->reported_at);
        v[3] = val_int(c->area);
        v[4] = val_int(c->happened);
        v[5] = val_cut(c->subject, EVENT_MAX);
        v[6] = val_cut(c->was, EVENT_MAX);
        v[7] = val_cut(c->became, EVENT_MAX);
    }
    return db_exec_many(db, &ADD_EVENTS, args, EVENT_ARGS, e->n, NULL, err);
}

const char *inv_text(const struct inv_column *c, const struct val *v, struct arena *a)
{
    if (val_is_null(v))
        return NULL;
    if (v->type == VAL_INT && c->type == INV_BOOL)
        return v->i ? "true" : "false";
    if (v->type == VAL_INT)
        return arena_fmt(a, "%lld", (long long)v->i);
    return c->type == INV_BIN ? NULL : arena_strndup(a, v->s, utf8_prefix(v->s, TEXT_SHOWN));
}

/* Without the column enrollment_id, which every row begins with. */
static struct val *row_of(const struct rows *r, size_t i)
{
    return row_at(r, i, 1);
}

/* ---- comparing ---- */

static int val_order(const struct val *x, const struct val *y)
{
    size_t n = x->n < y->n ? x->n : y->n;
    int c;

    if (x->type == VAL_INT || y->type == VAL_INT)
        return (x->i > y->i) - (x->i < y->i);
    c = n > 0 ? memcmp(x->s, y->s, n) : 0;
    return c != 0 ? c : (x->n > y->n) - (x->n < y->n);
}

static bool val_same(const struct inv_column *c, const struct val *x, const struct val *y)
{
    if (val_is_null(x) || val_is_null(y))
        return val_is_null(x) && val_is_null(y);
    if (val_order(x, y) == 0)
        return true;
    return c->type == INV_REAL && strtod(x->s, NULL) == strtod(y->s, NULL);
}

static int key_order(const struct inv_table *t, const struct val *x, const struct val *y)
{
    int c = 0;

    for (unsigned i = 0; c == 0 && i < t->keys; i++)
        c = val_order(&x[i], &y[i]);
    return c;
}

/* A row with the place it had, so that of two with one key the later counts. */
struct placed {
    const struct inv_table *t;
    const struct val *row;
    size_t at;
};

static int by_key(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    int c = key_order(x->t, x->row, y->row);

    return c != 0 ? c : (x->at > y->at) - (x->at < y->at);
}

/* Sorts, and leaves out all but the last of each key. */
static size_t sort_rows(struct placed *p, size_t n)
{
    size_t k = 0;

    qsort(p, n, sizeof *p, by_key);
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || key_order(p->t, p[i].row, p[i + 1].row) != 0)
            p[k++] = p[i];
    return k;
}

/* ---- lists ---- */

struct diff {
    struct db *db;
    const struct inv_table *t;
    const struct inv_source *s;
    const struct inv_list *list;
    struct inv_events *events; /* NULL: none are noted */
    struct arena *a;
    struct err *err;
    struct val *write; /* rows with enrollment_id before */
    struct val *drop;
    size_t nwrite, ndrop, left; /* left: rows that stay as they are */
};

static const char *subject_of(const struct diff *d, const struct val *row)
{
    const char *s = d->list->subject != NULL ? d->list->subject(row, d->list->arg)
                                             : inv_text(&d->t->cols[0], &row[0], d->a);

    return s != NULL ? s : "";
}

static enum outcome note(struct diff *d, const struct val *was, const struct val *now)
{
    const struct inv_list *l = d->list;
    struct inv_change c = {.area = d->t->area,
                           .happened = was == NULL   ? INV_ADDED
                                       : now == NULL ? INV_REMOVED
                                                     : INV_CHANGED};

    if (d->events == NULL)
        return OK;
    c.subject = subject_of(d, now != NULL ? now : was);
    if (l->state != NULL) {
        c.was = was != NULL ? l->state(was, l->arg) : NULL;
        c.became = now != NULL ? l->state(now, l->arg) : NULL;
    }
    return inv_event(d->events, d->a, c, d->err);
}

/* Whether a person would call it a change. */
static bool tells(const struct inv_table *t, const struct val *was, const struct val *now)
{
    for (unsigned i = t->keys; i < t->n; i++)
        if (!t->cols[i].quiet && !val_same(&t->cols[i], &was[i], &now[i]))
            return true;
    return false;
}

static bool same_row(const struct inv_table *t, const struct val *was, const struct val *now)
{
    for (unsigned i = t->keys; i < t->n; i++)
        if (!val_same(&t->cols[i], &was[i], &now[i]))
            return false;
    return true;
}

static enum outcome put(struct diff *d, const struct val *was, const struct val *now)
{
    struct val *v = d->write + d->nwrite * (d->t->n + 1);

    if (was != NULL && same_row(d->t, was, now)) {
        d->left++;
        return OK;
    }
    v[0] = val_int(d->s->enrollment_id);
    memcpy(v + 1, now, d->t->n * sizeof *now);
    d->nwrite++;
    return was == NULL || tells(d->t, was, now) ? note(d, was, now) : OK;
}

static enum outcome take_away(struct diff *d, const struct val *was)
{
    if (d->list->told_of != NULL && !d->list->told_of(was, d->list->arg)) {
        d->left++;
        return OK;
    }
    memcpy(d->drop + d->ndrop * d->t->keys, was, d->t->keys * sizeof *was);
    d->ndrop++;
    return note(d, was, NULL);
}

static enum outcome compare(struct diff *d, struct placed *old, size_t nold, struct placed *new,
                            size_t nnew)
{
    enum outcome o = OK;
    size_t i = 0, j = 0;

    while (o == OK && (i < nold || j < nnew)) {
        int c = i == nold ? 1 : j == nnew ? -1 : key_order(d->t, old[i].row, new[j].row);

        if (c < 0)
            o = take_away(d, old[i++].row);
        else if (c > 0)
            o = put(d, NULL, new[j++].row);
        else
            o = put(d, old[i++].row, new[j++].row);
    }
    return o;
}

static enum outcome write_diff(struct diff *d)
{
    struct val id = val_int(d->s->enrollment_id);
    size_t keys = d->t->keys;
    enum outcome o = OK;

    for (size_t from = 0, n; o == OK && from < d->ndrop; from += n) {
        n = d->ndrop - from < CHUNK ? d->ndrop - from : CHUNK;
        o = db_exec_in(d->db, &d->t->drop, &id, 1, d->drop + from * keys, n, d->a, NULL, d->err);
    }
    if (o == OK)
        o = db_exec_many(d->db, &d->t->write, d->write, d->t->n + 1, d->nwrite, NULL, d->err);
    return o;
}

static struct placed *place(const struct inv_table *t, const struct val *rows, size_t n,
                            size_t stride, struct arena *a)
{
    struct placed *p = arena_array(a, n + 1, sizeof *p);

    for (size_t i = 0; p != NULL && i < n; i++)
        p[i] = (struct placed){t, rows + i * stride, i};
    return p;
}

enum outcome inv_replace(struct db *db, const struct inv_table *t, const struct inv_source *s,
                         const struct inv_before *before, const struct inv_list *list,
                         struct inv_events *events, struct arena *a, struct err *err)
{
    size_t nold = before->rows.n, nnew;
    struct diff d = {.db = db,
                     .t = t,
                     .s = s,
                     .list = list,
                     .events = before->first || list->no_events ? NULL : events,
                     .a = a,
                     .err = err,
                     .write = arena_array(a, (list->n + 1) * (t->n + 1), sizeof(struct val)),
                     .drop = arena_array(a, (nold + 1) * t->keys, sizeof(struct val))};
    struct placed *old = place(t, nold > 0 ? row_of(&before->rows, 0) : NULL, nold, t->n + 1, a);
    struct placed *new = place(t, list->rows, list->n, t->n, a);
    enum outcome o;

    if (before->stale)
        return OK;
    if (d.write == NULL || d.drop == NULL || old == NULL || new == NULL)
        return err_set(err, ERROR, "out of memory");
    nold = sort_rows(old, nold);
    nnew = sort_rows(new, list->n);
    o = compare(&d, old, nold, new, nnew);
    if (o == OK)
        o = write_diff(&d);
    if (o == OK && t->area == INV_USER && d.nwrite + d.ndrop > 0)
        o = search_mark(db, s->enrollment_id, err);
    return o == OK
               ? inv_ahead_note(s->ahead, db, t, s, d.nwrite + d.ndrop > 0, d.nwrite + d.left, err)
               : o;
}

/* ---- tables of one row ---- */

static enum outcome note_facts(const struct inv_table *t, const struct val *was,
                               const struct val *now, struct inv_events *events, struct arena *a,
                               struct err *err)
{
    enum outcome o = OK;

    for (unsigned i = 0; o == OK && i < t->n; i++)
        if (!t->cols[i].quiet && !val_same(&t->cols[i], &was[i], &now[i]))
            o = inv_event(events, a,
                          (struct inv_change){.area = t->area,
                                              .happened = INV_CHANGED,
                                              .subject = t->cols[i].key,
                                              .was = inv_text(&t->cols[i], &was[i], a),
                                              .became = inv_text(&t->cols[i], &now[i], a)},
                          err);
    return o;
}

/* Whether devices are found by what changed (store/search.h). */
static bool searched(const struct inv_table *t, const struct val *was, const struct val *now)
{
    for (unsigned i = 0; i < t->n; i++)
        if (search_column(&t->cols[i]) && (was == NULL || !val_same(&t->cols[i], &was[i], &now[i])))
            return t->area == INV_DEVICE || t->area == INV_NETWORK;
    return false;
}

enum outcome inv_facts(struct db *db, const struct inv_table *t, const struct inv_source *s,
                       const struct inv_before *before, const struct val *row,
                       struct inv_events *events, struct arena *a, struct err *err)
{
    const struct val *was = before->rows.n > 0 ? row_of(&before->rows, 0) : NULL;
    struct val args[ROW_MAX];
    bool changed = was == NULL || !same_row(t, was, row);
    enum outcome o = OK;

    if (before->stale)
        return OK;
    if (t->n + 1 > ROW_MAX)
        return err_set(err, ERROR, "%s has too many columns", t->name);
    args[0] = val_int(s->enrollment_id);
    memcpy(args + 1, row, t->n * sizeof *row);
    if (changed) {
        inv_ahead_changed(s->ahead, s->enrollment_id, t->area);
        o = db_exec(db, &t->write, args, t->n + 1, NULL, err);
    }
    if (o == OK && was != NULL && changed && !before->first)
        o = note_facts(t, was, row, events, a, err);
    if (o == OK && changed && searched(t, was, row))
        o = search_mark(db, s->enrollment_id, err);
    return o == OK ? inv_ahead_note(s->ahead, db, t, s, changed, 1, err) : o;
}
