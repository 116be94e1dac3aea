/*
 * batch.c: the threads take turns. Whoever finds the lead free has it: takes what waits, does it on
 * a seat (connections and what belongs to them), and hands the lead to the first of those who came
 * meanwhile. So a thread alone does its unit itself, without a switch to another thread.
 *
 * There are two seats and one lead. The lead is handed on as soon as all is said and only the disk
 * is waited for, at COMMIT: the next batch is read and written while the one before is being made
 * durable. A second seat without that rule would make batches smaller, and they are cheap by being
 * large.
 */
#include "store/batch.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/event.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#define TOUCH_MAX LIM_BATCH
#define SCRATCH_MAX (64u * LIM_MB)
/* At most this many units done together: the load is low and what was noted is written now. */
#define TOUCH_QUIET 4
#define LONE_TRIES 16
/* A batch in which so many units wait in vain for locks is not waited for any longer. */
#define RIVALLED_MAX 2

enum { STATE_WAITS, STATE_LEADS, STATE_DONE };

struct touch {
    int64_t enrollment_id, at;
};

struct touches {
    struct touch item[TOUCH_MAX];
    size_t n;
    int64_t oldest; /* clock_mono() of the first */
};

#define SEATS 2

struct seat {
    struct batch *batch;
    struct db *reads, *writes; /* writes: for units alone, which begin without a round trip */
    struct arena *scratch;
    struct touches touches;
    /* under the batch's lock */
    bool taken, leads;
    uint64_t key[LIM_BATCH]; /* of the units that are being done here */
    size_t nkeys;
};

struct batch {
    pthread_mutex_t lock;
    struct unit *first, **last; /* units nobody has taken yet */
    bool led;                   /* somebody has the lead, or is being woken to take it */
    size_t max;
    struct seat seat[SEATS];
    struct batch_stats stats;
};

static _Thread_local struct touches *touches_now;

static const struct sql TOUCH = {
    "enrollment_touch",
    "UPDATE enrollment FORCE INDEX (PRIMARY) SET last_seen_at=? WHERE last_seen_at<? "
    "AND id IN (%IN%)",
    1};

static void at_commit(void *arg);

static enum outcome seat_open(struct seat *s, struct batch *b, const struct conf *conf,
                              enum db_role role, struct err *err)
{
    enum outcome o = db_new(conf, role, &s->reads, err);

    if (o == OK)
        o = db_new(conf, role, &s->writes, err);
    if (o != OK)
        return o;
    s->batch = b;
    s->scratch = arena_new(SCRATCH_MAX);
    db_units_only(s->writes);
    db_at_commit(s->writes, at_commit, s);
    return s->scratch != NULL ? OK : err_set(err, ERROR, "out of memory");
}

enum outcome batch_new(const struct conf *conf, enum db_role role, size_t max, struct batch **out,
                       struct err *err)
{
    struct batch *b = calloc(1, sizeof(*b));
    enum outcome o = OK;

    *out = NULL;
    if (b == NULL)
        return err_set(err, ERROR, "out of memory");
    pthread_mutex_init(&b->lock, NULL);
    b->last = &b->first;
    b->max = max < 1 ? 1 : max > LIM_BATCH ? LIM_BATCH : max;
    for (size_t i = 0; o == OK && i < SEATS; i++)
        o = seat_open(&b->seat[i], b, conf, role, err);
    if (o != OK)
        batch_free(&b);
    *out = b;
    return o;
}

void batch_free(struct batch **b)
{
    if (*b == NULL)
        return;
    for (size_t i = 0; i < SEATS; i++) {
        db_free(&(*b)->seat[i].reads);
        db_free(&(*b)->seat[i].writes);
        arena_free(&(*b)->seat[i].scratch);
    }
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

struct flush {
    const struct touches *t;
    struct arena *arena;
};

/* All get the time of the last: it is true to a minute. */
static enum outcome flush_unit(struct db *db, void *arg, struct err *err)
{
    const struct flush *f = arg;
    struct val id[TOUCH_MAX], at[2];

    at[0] = at[1] = val_int(f->t->item[f->t->n - 1].at);
    for (size_t i = 0; i < f->t->n; i++)
        id[i] = val_int(f->t->item[i].enrollment_id);
    return db_exec_in(db, &TOUCH, at, 2, id, f->t->n, f->arena, NULL, err);
}

static void touches_flush(struct db *db, struct touches *t, struct arena *a)
{
    struct flush f = {t, a};
    struct err err;

    if (t->n > 0 && db_unit(db, flush_unit, &f, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "enrollment.touch", &err);
    t->n = 0;
}

/* ---- doing a set of units ---- */

struct work {
    struct unit **u;
    size_t n;
    struct db *reads, *writes;
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

        vain += rivalled(w, do_alone(w->u[i], w, &err));
        if (vain < RIVALLED_MAX)
            continue;
        for (i++; i < w->n; i++) { /* somebody holds more than a row */
            w->u[i]->outcome = UNAVAILABLE;
            w->u[i]->err = err;
        }
    }
}

/* Returns whether the units had to be done one by one. */
static bool do_set(struct work *w)
{
    struct err err = {0};
    enum outcome o;

    if (w->n == 1) {
        (void)do_alone(w->u[0], w, &err);
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
    struct arena *scratch = arena_new(SCRATCH_MAX);

    if (scratch == NULL)
        return u->outcome = err_set(&u->err, ERROR, "out of memory");
    touches_now = &touches;
    (void)do_alone(u, &(struct work){NULL, 0, db, db, scratch}, &(struct err){0});
    touches_flush(db, &touches, scratch);
    touches_now = NULL;
    arena_free(&scratch);
    return u->outcome;
}

/* ---- the lead ---- */

static bool in_work(const struct batch *b, const struct unit *u)
{
    for (size_t i = 0; i < SEATS; i++)
        for (size_t k = 0; k < b->seat[i].nkeys; k++)
            if (b->seat[i].key[k] == u->key)
                return true;
    return false;
}

/* Takes the leader's own unit and then from the front of the queue; one that shares its key with
 * a taken one, or with one that is being done on the other seat, stays for a later batch. Lock
 * held. */
static size_t take(struct batch *b, struct seat *s, struct unit *own, struct unit *u[LIM_BATCH])
{
    struct unit **at, *x;

    s->key[s->nkeys++] = own->key;
    u[0] = own;
    for (at = &b->first; (x = *at) != NULL;) {
        if (x == own) {
            *at = x->next_;
        } else if (s->nkeys < b->max && !in_work(b, x)) {
            *at = x->next_;
            s->key[s->nkeys] = x->key;
            u[s->nkeys++] = x;
        } else {
            at = &x->next_;
        }
    }
    b->last = at;
    return s->nkeys;
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

/* How many units must wait for a batch to begin; 0: there is no seat for one. Beside a batch that
 * is at COMMIT, as many as that one has: batches that begin with less become smaller and smaller,
 * and cost more the less time the machine has. */
static size_t want(const struct batch *b)
{
    size_t n = 1, free = 0;

    for (size_t i = 0; i < SEATS; i++) {
        free += !b->seat[i].taken;
        n = b->seat[i].nkeys > n ? b->seat[i].nkeys : n;
    }
    return free > 0 ? n : 0;
}

/* The lead goes to the first of those who wait and can be done now, if it is free. It stays in the
 * queue until it takes itself: only who leads takes units. Returns whom to wake; lock held. */
static struct unit *lead_next(struct batch *b)
{
    struct unit *next = NULL;
    size_t n = 0, wanted = want(b);

    if (b->led || wanted == 0)
        return NULL;
    for (struct unit *u = b->first; u != NULL && n < wanted; u = u->next_) {
        if (in_work(b, u))
            continue;
        next = next != NULL ? next : u;
        n++;
    }
    b->led = n == wanted;
    return b->led ? next : NULL;
}

/* Gives up the lead, if the seat has it, and chooses who has it next; lock held. */
static struct unit *lead_pass(struct seat *s)
{
    if (s->leads)
        s->batch->led = s->leads = false;
    return lead_next(s->batch);
}

/* All of the seat's batch is said; what is left is the disk's. */
static void at_commit(void *arg)
{
    struct seat *s = arg;
    struct unit *next;

    pthread_mutex_lock(&s->batch->lock);
    next = lead_pass(s);
    pthread_mutex_unlock(&s->batch->lock);
    if (next != NULL)
        wake(next, STATE_LEADS);
}

static void seat_leave(struct seat *s, size_t n, bool split)
{
    struct batch *b = s->batch;
    struct unit *next;

    pthread_mutex_lock(&b->lock);
    s->taken = false;
    s->nkeys = 0;
    b->stats.units += n;
    b->stats.batches++;
    b->stats.one_by_one += split;
    next = lead_pass(s);
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

/* The seat nobody sits on; lock held, and there is one: want() looked. */
static struct seat *seat_take(struct batch *b)
{
    struct seat *s = b->seat;

    while (s->taken)
        s++;
    s->taken = s->leads = true;
    return s;
}

static void lead(struct batch *b, struct unit *own)
{
    struct unit *u[LIM_BATCH];
    struct seat *s;
    bool split;
    size_t n;

    pthread_mutex_lock(&b->lock);
    s = seat_take(b);
    n = take(b, s, own, u);
    pthread_mutex_unlock(&b->lock);
    touches_now = &s->touches;
    split = do_set(&(struct work){u, n, s->reads, s->writes, s->scratch});
    touches_now = NULL;
    if (flush_due(&s->touches, n)) {
        at_commit(s);
        release(u, n, own);
        touches_flush(s->writes, &s->touches, s->scratch);
        arena_reset(s->scratch);
        seat_leave(s, n, split);
    } else { /* the database is not kept waiting for those that are done */
        arena_reset(s->scratch);
        seat_leave(s, n, split);
        release(u, n, own);
    }
}

enum outcome batch_do(struct batch *b, struct unit *u)
{
    struct unit *first;
    sem_t wait;

    sem_init(&wait, 0, 0);
    u->wait_ = &wait;
    u->next_ = NULL;
    u->state_ = STATE_WAITS;
    pthread_mutex_lock(&b->lock);
    *b->last = u;
    b->last = &u->next_;
    first = lead_next(b);
    pthread_mutex_unlock(&b->lock);
    if (first == u) {
        u->state_ = STATE_LEADS;
    } else {
        if (first != NULL)
            wake(first, STATE_LEADS);
        while (sem_wait(&wait) != 0)
            ;
    }
    if (u->state_ == STATE_LEADS)
        lead(b, u);
    sem_destroy(&wait);
    return u->outcome;
}
