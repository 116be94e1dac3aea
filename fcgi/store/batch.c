/*
 * batch.c: the threads take turns. Whoever finds the lead free has it: takes what waits, does it on
 * a seat (connections and what belongs to them), and hands the lead to the first of those who came
 * meanwhile. So a thread alone does its unit itself, without a switch to another thread.
 *
 * There are two seats and one lead. The lead is handed on as soon as all is said and only the disk
 * is waited for, at COMMIT: the next batch is read and written while the one before is being made
 * durable. A second seat without that rule would make batches smaller, and they are cheap by being
 * large.
 *
 * The connections of the seats do not wait long for locks. A unit that does leaves its seat: its
 * own thread does it, on a connection made for that, while its key stays taken.
 */
#include "store/batch_int.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

enum { STATE_WAITS, STATE_LEADS, STATE_DONE };

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
    const struct conf *conf;
    enum db_role role;
    struct unit *first, **last; /* units nobody has taken yet */
    struct unit *alone;         /* those that are done by their own threads */
    bool led;                   /* somebody has the lead, or is being woken to take it */
    size_t max;
    struct seat seat[SEATS];
    struct batch_stats stats;
};

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
    s->scratch = arena_new(BATCH_SCRATCH);
    db_units_only(s->writes);
    db_impatient(s->writes);
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
    b->conf = conf;
    b->role = role;
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

/* ---- the lead ---- */

static bool in_work(const struct batch *b, const struct unit *u)
{
    for (size_t i = 0; i < SEATS; i++)
        for (size_t k = 0; k < b->seat[i].nkeys; k++)
            if (b->seat[i].key[k] == u->key)
                return true;
    for (const struct unit *x = b->alone; x != NULL; x = x->next_)
        if (x->key == u->key)
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

/* Those that wait for others' locks leave the seat; what they are about stays taken. */
static void rivalled_leave(struct batch *b, struct unit **u, size_t n)
{
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < n; i++) {
        if (!u[i]->rivalled_)
            continue;
        u[i]->next_ = b->alone;
        b->alone = u[i];
        b->stats.by_itself++;
    }
    pthread_mutex_unlock(&b->lock);
}

/* With the patience of any other connection. */
static void go_on_alone(struct batch *b, struct unit *u)
{
    struct unit **at, *next;
    struct db *db = NULL;

    if (db_new(b->conf, b->role, &db, &u->err) == OK)
        (void)unit_do(db, u);
    else
        u->outcome = ERROR;
    db_free(&db);
    pthread_mutex_lock(&b->lock);
    for (at = &b->alone; *at != u;)
        at = &(*at)->next_;
    *at = u->next_;
    next = lead_next(b);
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
    touches_begin(&s->touches);
    split = work_do(&(struct work){u, n, s->reads, s->writes, s->scratch});
    touches_begin(NULL);
    rivalled_leave(b, u, n);
    if (touches_due(&s->touches, n)) {
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
    if (u->rivalled_)
        go_on_alone(b, u);
    return u->outcome;
}
