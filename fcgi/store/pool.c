/*
 * pool.c: connections of one role, shared by the threads of a process. The connection given back
 * last is taken first, so that those a quiet hour does not need grow idle and are closed.
 */
#include "store/db.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

#define POOL_IDLE_US (5 * MINUTE_US)

struct idle {
    struct db *db;
    int64_t since; /* clock_mono() */
};

struct db_pool {
    const struct conf *conf;
    enum db_role role;
    pthread_mutex_t lock;
    pthread_cond_t came_back;
    size_t max;
    size_t out;   /* taken and not given back */
    size_t nidle; /* idle[0] is the one unused for longest */
    struct idle *idle;
};

enum outcome db_pool_new(const struct conf *conf, enum db_role role, size_t max,
                         struct db_pool **out, struct err *err)
{
    pthread_condattr_t attr;
    struct db_pool *p = calloc(1, sizeof *p);
    struct idle *idle = calloc(max, sizeof *idle);
    *out = NULL;
    if (!p || !idle || max == 0) {
        free(p);
        free(idle);
        return err_set(err, ERROR, max ? "out of memory" : "a pool of no connections");
    }
    *p = (struct db_pool){.conf = conf, .role = role, .max = max, .idle = idle};
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->came_back, &attr);
    pthread_condattr_destroy(&attr);
    *out = p;
    return OK;
}

void db_pool_free(struct db_pool **pool)
{
    struct db_pool *p = *pool;
    if (!p)
        return;
    for (size_t i = 0; i < p->nidle; i++)
        db_free(&p->idle[i].db);
    pthread_cond_destroy(&p->came_back);
    pthread_mutex_destroy(&p->lock);
    free(p->idle);
    free(p);
    *pool = NULL;
}

/* Takes the connection idle for longest out of the pool if it is idle for too long; the caller
 * closes it, without the lock. */
static struct db *expired_take(struct db_pool *p)
{
    if (p->nidle == 0 || clock_mono() - p->idle[0].since < POOL_IDLE_US)
        return NULL;
    struct db *db = p->idle[0].db;
    p->nidle--;
    memmove(p->idle, p->idle + 1, p->nidle * sizeof *p->idle);
    return db;
}

static struct timespec deadline_after(int64_t seconds)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)seconds;
    return t;
}

static _Thread_local int64_t thread_scope;

void db_scope_thread(int64_t scope)
{
    thread_scope = scope;
}

static enum outcome take(struct db_pool *p, struct db **out, struct err *err)
{
    struct timespec deadline = deadline_after(p->conf->db_timeout_s);
    enum outcome o = OK;
    int rc = 0;
    *out = NULL;
    pthread_mutex_lock(&p->lock);
    while (p->out >= p->max && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&p->came_back, &p->lock, &deadline);
    if (p->out >= p->max)
        o = err_set(err, UNAVAILABLE, "all %zu database connections were busy for %lld s", p->max,
                    (long long)p->conf->db_timeout_s);
    else if (p->nidle)
        *out = p->idle[--p->nidle].db;
    if (o == OK)
        p->out++;
    pthread_mutex_unlock(&p->lock);
    if (o != OK || *out)
        return o;
    o = db_new(p->conf, p->role, out, err);
    if (o != OK) {
        pthread_mutex_lock(&p->lock);
        p->out--;
        pthread_cond_signal(&p->came_back);
        pthread_mutex_unlock(&p->lock);
    }
    return o;
}

enum outcome db_pool_take(struct db_pool *p, struct db **out, struct err *err)
{
    enum outcome o = take(p, out, err);
    if (o == OK)
        db_scope(*out, thread_scope);
    return o;
}

void db_pool_give(struct db_pool *p, struct db **db)
{
    struct db *old;
    if (!*db)
        return;
    pthread_mutex_lock(&p->lock);
    p->idle[p->nidle++] = (struct idle){.db = *db, .since = clock_mono()};
    p->out--;
    old = expired_take(p);
    pthread_cond_signal(&p->came_back);
    pthread_mutex_unlock(&p->lock);
    *db = NULL;
    db_free(&old);
}
