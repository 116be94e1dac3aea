/*
 * batch_work.c: a set of units is read and decided, then written in one transaction; where that
 * fails, each by itself.
 */
#include "store/batch_int.h"

#include "base/log.h"
#include "store/event.h"

#include <stdlib.h>

#define LONE_TRIES 16
/* When so many units of a batch wait in vain for locks, somebody holds more than a row: the others
 * are not tried. */
#define RIVALLED_MAX 2

static int unit_order(const void *a, const void *b)
{
    const struct unit *x = *(struct unit *const *)a, *y = *(struct unit *const *)b;

    if (x->kind != y->kind)
        return (x->kind > y->kind) - (x->kind < y->kind);
    return (x->key > y->key) - (x->key < y->key);
}

/* How many units from u on are of the kind of the first. */
static size_t kind_run(struct unit **u, size_t n)
{
    size_t i = 1;

    while (i < n && u[i]->kind == u[0]->kind)
        i++;
    return i;
}

static bool has_event(const struct unit *u)
{
    return u->event != NULL && u->tells_;
}

/* The events of all of them, whatever their kinds, in one statement. */
static enum outcome write_events(struct db *db, const struct work *w, struct err *err)
{
    struct event event[LIM_BATCH];
    const struct event *list[LIM_BATCH];
    size_t n = 0;

    for (size_t i = 0; i < w->n; i++) {
        if (!has_event(w->u[i]))
            continue;
        event[n] = *w->u[i]->event;
        event[n].enrollment_id = w->u[i]->enrollment_id_;
        event[n].tally_life_id = w->u[i]->tally_life_id_;
        list[n] = &event[n];
        n++;
    }
    return n > 0 ? event_add(db, list, n, err) : OK;
}

static enum outcome write_all(struct db *db, void *arg, struct err *err)
{
    struct work *w = arg;
    enum outcome o = OK;

    for (size_t i = 0, k; o == OK && i < w->n; i += k) {
        bool any = false;

        k = kind_run(w->u + i, w->n - i);
        for (size_t j = 0; j < k; j++)
            any = any || w->u[i + j]->writes;
        if (any)
            o = w->u[i]->kind->write(db, w->u + i, k, w->scratch, err);
    }
    return o == OK ? write_events(db, w, err) : o;
}

/* One attempt at all of them: reads, then, where something is to be written, one transaction. */
static enum outcome attempt(struct work *w, struct err *err)
{
    enum outcome o = OK;
    bool writes = false;

    qsort(w->u, w->n, sizeof(w->u[0]), unit_order);
    for (size_t i = 0; i < w->n; i++) {
        w->u[i]->outcome = OK;
        w->u[i]->err.msg[0] = '\0';
        w->u[i]->writes = w->u[i]->tells_ = false;
    }
    for (size_t i = 0, k; o == OK && i < w->n; i += k) {
        k = kind_run(w->u + i, w->n - i);
        o = w->u[i]->kind->prepare(w->reads, w->u + i, k, w->scratch, err);
    }
    for (size_t i = 0; i < w->n; i++)
        writes = writes || w->u[i]->writes || has_event(w->u[i]);
    if (o == OK && writes)
        o = db_unit(w->writes, write_all, w, err);
    return o;
}

static void fail_all(struct work *w, enum outcome o, const struct err *err)
{
    for (size_t i = 0; i < w->n; i++) {
        w->u[i]->outcome = o;
        w->u[i]->err = *err;
    }
}

/* A unit by itself. CONFLICT means that somebody else wrote the same between reading and writing:
 * read again. */
static enum outcome do_alone(struct unit *u, const struct work *set, struct err *err)
{
    struct work w = {&u, 1, set->reads, set->writes, set->scratch};
    enum outcome o = CONFLICT;

    for (int i = 0; o == CONFLICT && i < LONE_TRIES; i++)
        o = attempt(&w, err);
    if (o == CONFLICT) /* the device comes again */
        o = err->outcome = UNAVAILABLE;
    if (o != OK)
        fail_all(&w, o, err);
    return o;
}

/* No database for one is no database for the others; a lock is another matter. */
static bool rivalled(const struct work *w, enum outcome o)
{
    return o == UNAVAILABLE && db_unit_rivalled(w->writes);
}

static void do_one_by_one(struct work *w)
{
    size_t vain = 0;

    for (size_t i = 0; i < w->n; i++) {
        struct err err = {0};

        if (vain < RIVALLED_MAX)
            w->u[i]->rivalled_ = rivalled(w, do_alone(w->u[i], w, &err));
        else
            w->u[i]->rivalled_ = true;
        vain += w->u[i]->rivalled_;
    }
}

bool work_do(struct work *w)
{
    struct err err = {0};
    enum outcome o;

    for (size_t i = 0; i < w->n; i++)
        w->u[i]->rivalled_ = false;
    if (w->n == 1) {
        w->u[0]->rivalled_ = rivalled(w, do_alone(w->u[0], w, &err));
        return false;
    }
    o = attempt(w, &err);
    if (o == OK)
        return false;
    if (o == UNAVAILABLE && !rivalled(w, o)) {
        fail_all(w, o, &err);
        return false;
    }
    log_err(LOG_LEVEL_DEBUG, "batch.split", &err);
    do_one_by_one(w);
    return true;
}

void unit_init(struct unit *u, const struct unit_kind *kind, struct arena *arena, int64_t now,
               const uint8_t *sha256)
{
    *u = (struct unit){.kind = kind, .arena = arena, .now = now};
    if (sha256 != NULL)
        memcpy(&u->key, sha256, sizeof(u->key));
}

void unit_tell(struct unit *u, int64_t enrollment_id, int64_t tally_life_id)
{
    u->tells_ = true;
    u->enrollment_id_ = enrollment_id;
    u->tally_life_id_ = tally_life_id;
}

enum outcome unit_do(struct db *db, struct unit *u)
{
    struct touches touches = {.n = 0};
    struct arena *scratch = arena_new(BATCH_SCRATCH);

    if (scratch == NULL)
        return u->outcome = err_set(&u->err, ERROR, "out of memory");
    touches_begin(&touches);
    (void)do_alone(u, &(struct work){NULL, 0, db, db, scratch}, &(struct err){0});
    touches_flush(db, &touches, scratch);
    touches_begin(NULL);
    arena_free(&scratch);
    return u->outcome;
}
