/* converge.c: see converge.h. */
#include "library/converge_int.h"

#include "base/limits.h"
#include "base/log.h"
#include "store/enrolgroup.h"

#include <stdlib.h>

#define PLAN_US (10 * MINUTE_US)
#define DRIFT_US (5 * MINUTE_US)
#define OVERDUE_US (20 * SECOND_US)
#define START_US HOUR_US /* how far a new agent looks back */

enum outcome converge_new(const struct conf *conf, struct db *db, struct converge **out,
                          struct err *err)
{
    struct converge *c = calloc(1, sizeof *c);

    *out = NULL;
    if (c == NULL || (c->a = arena_new(LIM_ARENA_REQUEST)) == NULL) {
        free(c);
        return err_set(err, ERROR, "out of memory");
    }
    c->conf = conf;
    c->db = db;
    c->seen_version = -1;
    *out = c;
    return OK;
}

void converge_free(struct converge **c)
{
    if (*c == NULL)
        return;
    arena_free(&(*c)->a);
    free(*c);
    *c = NULL;
}

static enum outcome drift(struct converge *c, int64_t now, struct err *err)
{
    size_t n = 0;
    enum outcome o = wanted_drift(c->db, now, CONVERGE_SOME, &n, err);

    if (n > 0)
        log_msg(LOG_LEVEL_INFO, "converge.drift", "%zu items were not there any more, or older", n);
    c->did += n;
    if (o == OK && n < CONVERGE_SOME)
        c->next_drift = now + DRIFT_US;
    return o;
}

/* What closed since the last look, and at times what was open for long. */
static enum outcome follow(struct converge *c, int64_t now, struct err *err)
{
    enum outcome o;

    if (c->closed_since == 0)
        c->closed_since = now - START_US;
    o = converge_standing_follow(c, c->closed_since, now, err);
    if (o == OK)
        o = converge_follow(c, now, false, err);
    if (o == OK && now >= c->next_overdue) {
        o = converge_follow(c, now, true, err);
        if (o == OK)
            o = converge_standing_follow(c, 0, now, err);
        c->next_overdue = now + OVERDUE_US;
    }
    return o;
}

static enum outcome plan_when_due(struct converge *c, int64_t now, struct err *err)
{
    int64_t version = 0;
    enum outcome o;

    arena_reset(c->a);
    if (c->planning)
        return converge_plan(c, now, err);
    o = wanted_version(c->db, c->a, &version, err);
    if (o != OK || (version == c->seen_version && now < c->next_plan))
        return o;
    if (version != c->seen_version)
        c->next_ask = 0; /* somebody may have said that an app is to be asked */
    if (version != c->seen_version)
        c->next_groups = now; /* a filter that is new or another one is asked at once */
    c->seen_version = version;
    c->next_plan = now + PLAN_US;
    c->walk = (struct wanted_walk){.now = now};
    c->orders = (struct standing_walk){.now = now};
    c->planning = true;
    o = enrolgroup_sync(c->db, now, err);
    if (o == OK)
        o = wanted_members_purge(c->db, err);
    return o == OK ? converge_plan(c, now, err) : o;
}

enum outcome converge_turn(struct converge *c, int64_t now, struct err *err)
{
    enum outcome o = follow(c, now, err);

    if (o == OK)
        o = converge_newcomers(c, now, err);
    if (o == OK && now >= c->next_groups)
        o = converge_groups(c, now, false, err);
    if (o == OK)
        o = plan_when_due(c, now, err);
    if (o == OK && now >= c->next_drift)
        o = drift(c, now, err);
    if (o == OK && now >= c->next_ask)
        o = converge_ask(c, now, err);
    if (o == OK && now >= c->next_look)
        o = converge_look(c, now, err);
    if (o == OK)
        o = converge_apps(c, now, err);
    if (o == OK)
        o = converge_act(c, now, err);
    return o == OK ? converge_standing_act(c, now, err) : o;
}
