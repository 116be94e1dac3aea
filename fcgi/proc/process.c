/* process.c: pool, batch, gate, trust set. */
#include "proc/process.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "console/console.h"
#include "enrollment/enroll.h"
#include "route/gate.h"
#include "store/activity.h"
#include "store/batch.h"
#include "store/db.h"
#include "store/event.h"
#include "store/setting.h"
#include "store/trust_set.h"
#include "wire/sign.h"

#define REFRESH_S 2 /* what was changed (a CA, a setting, a webhook) counts after so long */
#define RETRY_S 1   /* while there is no set at all */
#define FIRST_WAIT_S 2
#define STOP_WAIT_S 1

struct process {
    struct app app;
    struct event_wants events;
    pthread_t refresher;
    bool has_refresher;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool tried, stop;
};

static struct timespec later(int seconds)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += seconds;
    return t;
}

/* Each by itself, as what fails for one (the signer is away) is no reason to keep the others; the
 * first failure is told. */
static enum outcome refresh_all(struct process *p, struct db *db, struct err *err)
{
    struct err more = {.outcome = OK};
    enum outcome o = p->app.trust ? trust_set_refresh(p->app.trust, db, err) : OK;
    enum outcome next = settings_refresh(p->app.settings, db, NULL, o == OK ? err : &more);
    o = o != OK ? o : next;
    if (p->app.events)
        next = event_wants_read(db, p->app.events, o == OK ? err : &more);
    o = o != OK ? o : next;
    next = activity_flush(db, clock_now(), false, o == OK ? err : &more);
    return o != OK ? o : next;
}

/* Refreshes once; logs a failure, and its end, once each. */
static void refresh(struct process *p, bool *failing)
{
    struct db *db = NULL;
    struct err err = {.outcome = OK};
    enum outcome o = db_pool_take(p->app.pool, &db, &err);
    if (o == OK)
        o = refresh_all(p, db, &err);
    db_pool_give(p->app.pool, &db);
    if (o != OK && !*failing)
        log_err(LOG_LEVEL_WARNING, "refresh", &err);
    if (o == OK && *failing)
        log_msg(LOG_LEVEL_INFO, "refresh", "trusted CAs, settings and webhooks were read again");
    *failing = o != OK;
}

/* What was counted since the last minute is not lost when the process ends. */
static void last_words(struct process *p)
{
    struct db *db = NULL;
    struct err err = {.outcome = OK};
    enum outcome o = db_pool_take(p->app.pool, &db, &err);
    if (o == OK)
        o = activity_flush(db, clock_now(), true, &err);
    db_pool_give(p->app.pool, &db);
    if (o != OK)
        log_err(LOG_LEVEL_WARNING, "activity", &err);
}

static void *refresher(void *arg)
{
    struct process *p = arg;
    bool failing = false;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        pthread_mutex_unlock(&p->lock);
        refresh(p, &failing);
        bool wanting = p->app.trust && !trust_set_generation(p->app.trust);
        struct timespec until = later(wanting || failing ? RETRY_S : REFRESH_S);
        pthread_mutex_lock(&p->lock);
        p->tried = true;
        pthread_cond_broadcast(&p->changed);
        while (!p->stop && pthread_cond_timedwait(&p->changed, &p->lock, &until) == 0)
            ;
    }
    pthread_mutex_unlock(&p->lock);
    last_words(p);
    return NULL;
}

static enum outcome refresher_start(struct process *p, bool mdm, struct err *err)
{
    struct timespec until = later(FIRST_WAIT_S);
    p->app.trust = mdm ? trust_set_new() : NULL;
    p->app.settings = settings_new(p->app.conf);
    if ((mdm && !p->app.trust) || !p->app.settings)
        return err_set(err, ERROR, "out of memory");
    if (pthread_create(&p->refresher, NULL, refresher, p) != 0)
        return err_set(err, ERROR, "cannot start the thread that reads trusted CAs and settings");
    p->has_refresher = true;
    pthread_mutex_lock(&p->lock);
    while (!p->tried && pthread_cond_timedwait(&p->changed, &p->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&p->lock);
    return OK;
}

enum outcome process_open(const struct conf *conf, enum program program, struct process **out,
                          struct err *err)
{
    bool mdm = program == PROGRAM_MDM;
    const struct conf_pool *pool = mdm ? &conf->mdm : &conf->console;
    pthread_condattr_t attr;
    struct process *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p)
        return err_set(err, ERROR, "out of memory");
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
    p->app.conf = conf;
    p->app.events = mdm ? &p->events : NULL;
    sign_client_setup(conf->run_dir, mdm ? SIGN_MDM : SIGN_CONSOLE);
    enum outcome o =
        db_pool_new(conf, mdm ? DB_MDM : DB_CONSOLE, (size_t)pool->threads + 1, &p->app.pool, err);
    if (o == OK)
        o = gate_new(conf, &p->app.gate, err);
    if (o == OK && mdm)
        o = batch_new(conf, DB_MDM, (size_t)conf->mdm_batch, &p->app.batch, err);
    if (o == OK)
        o = refresher_start(p, mdm, err);
    if (o == OK && mdm && enroll_web_new(conf, &p->app.enroll, err) != OK)
        log_err(LOG_LEVEL_WARNING, "enroll.no_page", err); /* devices need none */
    if (o == OK && !mdm)
        o = console_new(conf, &p->app.console, err);
    if (o == OK && !mdm)
        p->app.words = console_words(p->app.console);
    if (o == OK)
        *out = p;
    else
        process_close(&p);
    return o;
}

struct app *process_app(struct process *p)
{
    return &p->app;
}

void process_close(struct process **pp)
{
    struct process *p = *pp;
    if (!p)
        return;
    if (p->has_refresher) {
        struct timespec until;
        pthread_mutex_lock(&p->lock);
        p->stop = true;
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->lock);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += STOP_WAIT_S;
        if (pthread_timedjoin_np(p->refresher, NULL, &until) != 0)
            return; /* it waits for a database that is away; the process ends anyway */
    }
    batch_free(&p->app.batch);
    gate_free(&p->app.gate);
    console_free(&p->app.console);
    enroll_web_free(&p->app.enroll);
    trust_set_free(&p->app.trust);
    settings_free(&p->app.settings);
    db_pool_free(&p->app.pool);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
    *pp = NULL;
}
