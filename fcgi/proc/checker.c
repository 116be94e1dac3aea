/* checker.c: see checker.h. */
#include "proc/checker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "doctor/doctor.h"
#include "store/checkrun.h"

struct checker {
    const struct conf *conf;
    pthread_t thread;
    bool runs;
    atomic_bool done;
    struct buf findings; /* the thread's until done */
};

struct checker *checker_new(const struct conf *conf)
{
    struct checker *c = calloc(1, sizeof *c);
    if (c)
        c->conf = conf;
    return c;
}

static void *run(void *arg)
{
    struct checker *c = arg;
    struct arena *a = arena_new(8 * LIM_MB);
    struct doctor *d = a ? arena_alloc(a, sizeof *d) : NULL;
    struct err err = {.outcome = OK};
    enum outcome o = d ? OK : err_set(&err, ERROR, "out of memory");
    if (o == OK) {
        *d = (struct doctor){.conf = c->conf, .arena = a, .tls_ca = c->conf->tls_ca};
        doctor_network(d);
        o = doctor_write(d, &c->findings, &err);
    }
    if (o != OK) {
        log_err(LOG_LEVEL_WARNING, "agent.checkup", &err);
        buf_clear(&c->findings);
        buf_str(&c->findings, "[]");
    }
    if (a)
        arena_wipe(a); /* the key of the probe */
    arena_free(&a);
    atomic_store(&c->done, true);
    return NULL;
}

static enum outcome begin(struct checker *c, struct db *db, struct err *err)
{
    bool taken;
    enum outcome o = checkrun_take(db, CHECKRUN_NETWORK, clock_now(), &taken, err);
    if (o != OK || !taken)
        return o;
    buf_init(&c->findings, LIM_MB);
    atomic_store(&c->done, false);
    if (pthread_create(&c->thread, NULL, run, c) != 0)
        return err_set(err, ERROR, "cannot start the thread of the checks");
    c->runs = true;
    return OK;
}

enum outcome checker_turn(struct checker *c, struct db *db, struct err *err)
{
    if (!c->runs)
        return begin(c, db, err);
    if (!atomic_load(&c->done))
        return OK;
    /* recorded before it is let go, so that a database that is away costs no second check */
    enum outcome o = checkrun_done(db, CHECKRUN_NETWORK, clock_now(), buf_bytes(&c->findings), err);
    if (o == UNAVAILABLE)
        return o;
    pthread_join(c->thread, NULL);
    c->runs = false;
    buf_free(&c->findings);
    return o;
}

void checker_free(struct checker **cp)
{
    struct checker *c = *cp;
    if (!c || (c->runs && !atomic_load(&c->done)))
        return; /* a host does not answer; the process ends anyway */
    if (c->runs)
        pthread_join(c->thread, NULL);
    buf_free(&c->findings);
    free(c);
    *cp = NULL;
}
