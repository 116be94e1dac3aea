/* digester.c: see digester.h. */
#include "proc/digester.h"

#include "base/clock.h"
#include "base/log.h"
#include "command/digest.h"
#include "store/search.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define IDLE_MS 250
#define PAUSE_MIN_MS 250 /* after a failure; doubled up to PAUSE_MAX_MS */
#define PAUSE_MAX_MS 5000
/* Devices that talk now come first: until it is this far behind, it works a quarter of the time. */
#define HURRY_US (30 * SECOND_US)
#define REST_MIN_MS 50
#define REST_MAX_MS 1000
#define SEARCH_TOGETHER 64 /* devices whose words are renewed in one turn */
#define TELL_US MINUTE_US  /* how often a log line says what was done */

struct digester {
    struct db *db;
    pthread_t thread;
    _Atomic int64_t until;
    atomic_bool stop;
    /* the thread's own */
    struct digest_place place;
    int64_t told_at;
    size_t read; /* reports since then */
    int pause_ms;
};

/* Short sleeps, so that the end of the agent does not wait. */
static void rest(struct digester *d, int ms)
{
    for (; ms > 0 && !atomic_load(&d->stop); ms -= 50) {
        struct timespec t = {.tv_nsec = 50 * 1000000L};
        nanosleep(&t, NULL);
    }
}

static void tell(struct digester *d, size_t done)
{
    int64_t now = clock_mono();

    d->read += done;
    if (d->read == 0 || now - d->told_at < TELL_US)
        return;
    log_msg(LOG_LEVEL_INFO, "agent.digested", "%zu reports in %lld s", d->read,
            (long long)((now - d->told_at) / SECOND_US));
    d->told_at = now;
    d->read = 0;
}

/* After a turn that began then. The words that devices are found by are never in a hurry. */
static void give_way(struct digester *d, int64_t begun, bool reports)
{
    int64_t ms = 3 * (clock_mono() - begun) / 1000;

    if (!reports || clock_now() - d->place.oldest_at < HURRY_US)
        rest(d, ms < REST_MIN_MS ? REST_MIN_MS : ms > REST_MAX_MS ? REST_MAX_MS : (int)ms);
}

static void turn(struct digester *d)
{
    struct err err = {0};
    size_t done = 0, found = 0;
    int64_t begun = clock_mono();

    enum outcome o = digest_turn(d->db, &d->place, &done, &err);
    if (o == OK)
        o = search_turn(d->db, SEARCH_TOGETHER, &found, &err);
    if (o != OK) {
        if (d->pause_ms == 0)
            log_err(LOG_LEVEL_ERROR, "agent.digest", &err);
        d->pause_ms = d->pause_ms ? d->pause_ms * 2 : PAUSE_MIN_MS;
        if (d->pause_ms > PAUSE_MAX_MS)
            d->pause_ms = PAUSE_MAX_MS;
        rest(d, d->pause_ms);
        return;
    }
    d->pause_ms = 0;
    tell(d, done);
    if (done + found == 0)
        rest(d, IDLE_MS);
    else
        give_way(d, begun, done > 0);
}

static void *run(void *arg)
{
    struct digester *d = arg;

    d->told_at = clock_mono();
    while (!atomic_load(&d->stop)) {
        if (clock_mono() < atomic_load(&d->until))
            turn(d);
        else {
            d->place = (struct digest_place){0}; /* another agent may work meanwhile */
            rest(d, IDLE_MS);
        }
    }
    return NULL;
}

enum outcome digester_start(const struct conf *conf, struct digester **out, struct err *err)
{
    struct digester *d = calloc(1, sizeof *d);
    enum outcome o;

    *out = NULL;
    if (d == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_new(conf, DB_AGENT, &d->db, err);
    if (o == OK && pthread_create(&d->thread, NULL, run, d) != 0)
        o = err_set(err, ERROR, "no thread for reports can be made");
    if (o == OK) {
        *out = d;
        return OK;
    }
    db_free(&d->db);
    free(d);
    return o;
}

void digester_work_until(struct digester *d, int64_t mono)
{
    atomic_store(&d->until, mono);
}

void digester_stop(struct digester **d)
{
    if (*d == NULL)
        return;
    atomic_store(&(*d)->stop, true);
    pthread_join((*d)->thread, NULL);
    db_free(&(*d)->db);
    free(*d);
    *d = NULL;
}
