/* chore.c: see chore.h. */
#include "proc/chore.h"

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define IDLE_MS 250
#define STEP_MS 50
#define PAUSE_MIN_MS 250 /* after a failure; doubled up to PAUSE_MAX_MS */
#define PAUSE_MAX_MS 5000

struct chore {
    const struct chore_kind *kind;
    struct db *db;
    void *work;
    pthread_t thread;
    _Atomic int64_t until;
    atomic_bool stop;
    int pause_ms; /* the thread's own */
};

/* Short sleeps, so that the end of the agent does not wait. */
static void rest(struct chore *c, int ms)
{
    for (; ms > 0 && !atomic_load(&c->stop); ms -= STEP_MS) {
        struct timespec t = {.tv_nsec = (ms < STEP_MS ? ms : STEP_MS) * 1000000L};
        nanosleep(&t, NULL);
    }
}

static void turn(struct chore *c, int64_t until)
{
    struct err err = {0};
    char event[48];
    int ms = IDLE_MS;

    if (c->kind->turn(c->work, until, &ms, &err) == OK) {
        c->pause_ms = 0;
        rest(c, ms);
        return;
    }
    snprintf(event, sizeof event, "agent.%s", c->kind->name);
    if (c->pause_ms == 0)
        log_err(LOG_LEVEL_ERROR, event, &err);
    c->pause_ms = c->pause_ms ? c->pause_ms * 2 : PAUSE_MIN_MS;
    if (c->pause_ms > PAUSE_MAX_MS)
        c->pause_ms = PAUSE_MAX_MS;
    rest(c, c->pause_ms);
}

static void *run(void *arg)
{
    struct chore *c = arg;

    while (!atomic_load(&c->stop)) {
        int64_t until = atomic_load(&c->until);

        if (clock_mono() < until) {
            turn(c, until);
            continue;
        }
        c->kind->idle(c->work);
        rest(c, IDLE_MS);
    }
    return NULL;
}

enum outcome chore_start(const struct conf *conf, const struct chore_kind *kind, struct chore **out,
                         struct err *err)
{
    struct chore *c = calloc(1, sizeof *c);
    enum outcome o;

    *out = NULL;
    if (c == NULL)
        return err_set(err, ERROR, "out of memory");
    c->kind = kind;
    o = db_new(conf, DB_AGENT, &c->db, err);
    if (o == OK && (c->work = kind->open(conf, c->db, err)) == NULL)
        o = err->outcome;
    if (o == OK && pthread_create(&c->thread, NULL, run, c) != 0)
        o = err_set(err, ERROR, "no thread for %s can be made", kind->name);
    if (o == OK) {
        *out = c;
        return OK;
    }
    if (c->work != NULL)
        kind->close(c->work);
    db_free(&c->db);
    free(c);
    return o;
}

void chore_work_until(struct chore *c, int64_t mono)
{
    atomic_store(&c->until, mono);
}

void chore_stop(struct chore **c)
{
    if (*c == NULL)
        return;
    atomic_store(&(*c)->stop, true);
    pthread_join((*c)->thread, NULL);
    (*c)->kind->close((*c)->work);
    db_free(&(*c)->db);
    free(*c);
    *c = NULL;
}
