/*
 * batch.c: the threads take turns at one connection. Whoever finds it idle leads: it takes what
 * waits, does it, and hands the lead to the first of those who came meanwhile. So a thread alone
 * does its unit itself, without a switch to another thread.
 */
#include "store/batch.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#define TOUCH_MAX LIM_BATCH
#define SCRATCH_MAX (64u * LIM_MB)
/* At most this many units done together: the load is low and what was noted is written now. */
#define TOUCH_QUIET 4
#define LONE_TRIES 16

enum { STATE_WAITS, STATE_LEADS, STATE_DONE };

struct touch {
    int64_t enrollment_id, at;
};

struct touches {
    struct touch item[TOUCH_MAX];
    size_t n;
    int64_t oldest; /* clock_mono() of the first */
};

struct batch {
    pthread_mutex_t lock;
    struct unit *first, **last; /* units nobody has taken yet */
    bool busy;
    size_t max;
    struct db *db;
    struct arena *scratch;
    struct touches touches;
    struct batch_stats stats;
};

static _Thread_local struct touches *touches_now;

static const struct sql TOUCH = {
    "enrollment_touch", "UPDATE enrollment SET last_seen_at=? WHERE id=? AND last_seen_at<?", 0};

enum outcome batch_new(const struct conf *conf, enum db_role role, size_t max, struct batch **out,
                       struct err *err)
{
    struct batch *b = calloc(1, sizeof(*b));
    enum outcome o;

    *out = NULL;
    if (b == NULL)
        return err_set(err, ERROR, "out of memory");
    pthread_mutex_init(&b->lock, NULL);
    b->last = &b->first;
    b->max = max < 1 ? 1 : max > LIM_BATCH ? LIM_BATCH : max;
    b->scratch = arena_new(SCRATCH_MAX);
    o = b->scratch == NULL ? err_set(err, ERROR, "out of memory") : db_new(conf, role, &b->db, err);
    if (o != OK)
        batch_free(&b);
    *out = b;
    return o;
}

void batch_free(struct batch **b)
{
    if (*b == NULL)
        return;
    db_free(&(*b)->db);
    arena_free(&(*b)->scratch);
    pthread_mutex_destroy(&(*b)->lock);
    free(*b);
    *b = NULL;
}

struct batch_stats batch_stats(struct batch *b)
{
    struct batch_stats s;

    pthread_mutex_lock(&b->lock);
    s = b->stats;
    pthread_mutex_unlock(&b->lock);
    return s;
}

/* ---- what is seen, written later ---- */

void batch_touch(int64_t enrollment_id, int64_t now)
{
    struct touches *t = touches_now;

    if (t == NULL || t->n == TOUCH_MAX)
        return; /* the next message will say it again */
    if (t->n == 0)
        t->oldest = clock_mono();
    t->item[t->n++] = (struct touch){enrollment_id, now};
}

static int touch_order(const void *a, const void *b)
{
    const struct touch *x = a, *y = b;

    return (x->enrollment_id > y->enrollment_id) - (x->enrollment_id < y->enrollment_id);
}

static void touches_flush(struct db *db, struct touches *t)
{
    struct val args[TOUCH_MAX * 3];
    struct err err;

    if (t->n == 0)
        return;
    /* in the order of ids, as all writers lock rows, so that two workers do not wait in a circle */
    qsort(t->item, t->n, sizeof(t->item[0]), touch_order);
    for (size_t i = 0; i < t->n; i++) {
        args[i * 3] = val_int(t->item[i].at);
        args[i * 3 + 1] = val_int(t->item[i].enrollment_id);
        args[i * 3 + 2] = val_int(t->item[i].at);
    }
    if (db_exec_many(db, &TOUCH, args, 3, t->n, NULL, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "enrollment.touch", &err);
    t->n = 0;
}

/* ---- doing a set of units ---- */

struct work {
    struct unit **u;
    size_t n;
    struct arena *scratch;
};

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
    return o;
}

/* One attempt at all of them: reads, then, where something is to be written, one transaction. */
static enum outcome attempt(struct db *db, struct work *w, struct err *err)
{
    enum outcome o = OK;
    bool writes = false;

    qsort(w->u, w->n, sizeof(w->u[0]), unit_order);
    for (size_t i = 0; i < w->n; i++) {
        w->u[i]->outcome = OK;
        w->u[i]->err.msg[0] = '\0';
        w->u[i]->writes = false;
    }
    for (size_t i = 0, k; o == OK && i < w->n; i += k) {
        k = kind_run(w->u + i, w->n - i);
        o = w->u[i]->kind->prepare(db, w->u + i, k, w->scratch, err);
    }
    for (size_t i = 0; i < w->n; i++)
        writes = writes || w->u[i]->writes;
    if (o == OK && writes)
        o = db_unit(db, write_all, w, err);
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
static void do_alone(struct db *db, struct unit *u, struct arena *scratch)
{
    struct work w = {&u, 1, scratch};
    struct err err = {0};
    enum outcome o = CONFLICT;

    for (int i = 0; o == CONFLICT && i < LONE_TRIES; i++)
        o = attempt(db, &w, &err);
    if (o == CONFLICT) /* the device comes again */
        o = err.outcome = UNAVAILABLE;
    if (o != OK)
        fail_all(&w, o, &err);
}

/* Returns whether the units had to be done one by one. */
static bool do_set(struct db *db, struct unit **u, size_t n, struct arena *scratch)
{
    struct work w = {u, n, scratch};
    struct err err = {0};
    enum outcome o;

    if (n == 1) {
        do_alone(db, u[0], scratch);
        return false;
    }
    o = attempt(db, &w, &err);
    if (o == OK)
        return false;
    if (o == UNAVAILABLE) { /* no database for one is no database for the others */
        fail_all(&w, o, &err);
        return false;
    }
    log_err(LOG_LEVEL_DEBUG, "batch.split", &err);
    for (size_t i = 0; i < n; i++)
        do_alone(db, u[i], scratch);
    return true;
}

enum outcome unit_do(struct db *db, struct unit *u)
{
    struct touches touches = {.n = 0};
    struct arena *scratch = arena_new(SCRATCH_MAX);

    if (scratch == NULL)
        return u->outcome = err_set(&u->err, ERROR, "out of memory");
    touches_now = &touches;
    do_alone(db, u, scratch);
    touches_flush(db, &touches);
    touches_now = NULL;
    arena_free(&scratch);
    return u->outcome;
}

/* ---- the lead ---- */

/* Takes units from the front of the queue, the leader's own first; one that shares its key with
 * a taken one stays for the next batch. Lock held. */
static size_t take(struct batch *b, struct unit *u[LIM_BATCH])
{
    struct unit **at = &b->first, *x;
    size_t n = 0;

    while ((x = *at) != NULL && n < b->max) {
        size_t i = 0;

        while (i < n && u[i]->key != x->key)
            i++;
        if (i < n) {
            at = &x->next_;
            continue;
        }
        *at = x->next_;
        u[n++] = x;
    }
    for (at = &b->first; *at != NULL; at = &(*at)->next_)
        ;
    b->last = at;
    return n;
}

static void wake(struct unit *u, int state)
{
    u->state_ = state;
    sem_post(u->wait_); /* from here on u is its owner's again */
}

static bool flush_due(const struct touches *t, size_t n)
{
    return t->n != 0 &&
           (n <= TOUCH_QUIET || t->n >= TOUCH_MAX / 2 || clock_mono() - t->oldest > SECOND_US);
}

/* Gives the lead to the first of those who came meanwhile. */
static void hand_over(struct batch *b, size_t n, bool split)
{
    struct unit *next;

    pthread_mutex_lock(&b->lock);
    b->stats.units += n;
    b->stats.batches++;
    b->stats.one_by_one += split;
    next = b->first;
    b->busy = next != NULL;
    pthread_mutex_unlock(&b->lock);
    if (next != NULL)
        wake(next, STATE_LEADS);
}

static void release(struct unit **u, size_t n, const struct unit *own)
{
    for (size_t i = 0; i < n; i++)
        if (u[i] != own)
            wake(u[i], STATE_DONE);
}

static void lead(struct batch *b, struct unit *own)
{
    struct unit *u[LIM_BATCH];
    bool split;
    size_t n;

    pthread_mutex_lock(&b->lock);
    n = take(b, u);
    pthread_mutex_unlock(&b->lock);
    touches_now = &b->touches;
    split = do_set(b->db, u, n, b->scratch);
    touches_now = NULL;
    arena_reset(b->scratch);
    if (flush_due(&b->touches, n)) {
        release(u, n, own);
        touches_flush(b->db, &b->touches);
        hand_over(b, n, split);
    } else { /* the database is not kept waiting for those that are done */
        hand_over(b, n, split);
        release(u, n, own);
    }
}

enum outcome batch_do(struct batch *b, struct unit *u)
{
    sem_t wait;
    bool leads;

    sem_init(&wait, 0, 0);
    u->wait_ = &wait;
    u->next_ = NULL;
    u->state_ = STATE_WAITS;
    pthread_mutex_lock(&b->lock);
    *b->last = u;
    b->last = &u->next_;
    leads = !b->busy;
    b->busy = true;
    pthread_mutex_unlock(&b->lock);
    if (!leads) {
        while (sem_wait(&wait) != 0)
            ;
        leads = u->state_ == STATE_LEADS;
    }
    if (leads)
        lead(b, u);
    sem_destroy(&wait);
    return u->outcome;
}
