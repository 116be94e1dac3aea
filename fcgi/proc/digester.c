/* digester.c: see digester.h. */
#include "proc/digester.h"

#include "base/clock.h"
#include "base/log.h"
#include "command/digest.h"
#include "store/identity.h"
#include "store/search.h"

#include <stdlib.h>

#define IDLE_MS 250
/* Devices that talk now come first: until it is this far behind, it works a quarter of the time. */
#define HURRY_US (30 * SECOND_US)
#define REST_MIN_MS 50
#define REST_MAX_MS 1000
#define SEARCH_TOGETHER 64 /* devices whose words are renewed in one turn */
#define TELL_US MINUTE_US  /* how often a log line says what was done */

struct digesting {
    struct db *db;
    struct digest_place place;
    int64_t told_at;
    size_t read; /* reports since then */
};

static void *digester_open(const struct conf *conf, struct db *db, struct err *err)
{
    struct digesting *d = calloc(1, sizeof *d);

    (void)conf;
    if (d == NULL) {
        err_set(err, ERROR, "out of memory");
        return NULL;
    }
    d->db = db;
    d->told_at = clock_mono();
    return d;
}

static void tell(struct digesting *d, size_t done)
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
static int give_way(const struct digesting *d, int64_t begun, bool reports)
{
    int64_t ms = 3 * (clock_mono() - begun) / 1000;

    if (reports && clock_now() - d->place.oldest_at >= HURRY_US)
        return 0;
    return ms < REST_MIN_MS ? REST_MIN_MS : ms > REST_MAX_MS ? REST_MAX_MS : (int)ms;
}

static enum outcome digester_turn(void *work, int64_t until, int *rest_ms, struct err *err)
{
    struct digesting *d = work;
    int64_t begun = clock_mono();
    size_t done = 0, found = 0, named = 0;
    enum outcome o = digest_turn(d->db, &d->place, &done, err);

    (void)until;
    if (o == OK)
        o = search_turn(d->db, SEARCH_TOGETHER, &found, err);
    if (o == OK)
        o = identity_follow(d->db, SEARCH_TOGETHER, &named, err);
    if (o != OK)
        return o;
    tell(d, done);
    *rest_ms = done + found + named == 0 ? IDLE_MS : give_way(d, begun, done > 0);
    return OK;
}

static void digester_idle(void *work)
{
    struct digesting *d = work;

    d->place = (struct digest_place){0};
}

const struct chore_kind digester = {"digest", digester_open, digester_turn, digester_idle, free};
