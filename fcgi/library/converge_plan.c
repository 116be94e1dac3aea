/* converge_plan.c: which devices are in which groups, what they are to have, and those that have
 * just enrolled: see converge.h. */
#include "library/converge_int.h"

#include "base/limits.h"
#include "base/log.h"
#include "store/audit.h"
#include "store/event.h"
#include "store/filter.h"
#include "store/group.h"

#define EVERY_US MINUTE_US /* a filter is asked so often, or a twentieth of the time */
#define SHARE 20
#define GROUPS_US (15 * SECOND_US) /* which groups are due is looked up */
#define BUDGET_US (SECOND_US / 2)  /* a filter that is begun is finished */
#define FEW 20
#define CONFIGURE_US (20 * MINUTE_US)

static enum outcome evaluate(struct converge *c, const struct device_group *g, int64_t only,
                             size_t *changes, struct err *err)
{
    int64_t began = clock_mono(), *ids = NULL;
    struct filter f;
    size_t n = 0;
    js e = NULL;
    enum outcome o = js_parse(bytes_str(g->filter), &e, err);

    *changes = 0;
    if (o == OK)
        o = filter_compile(e, c->a, &f, err);
    if (o == OK) {
        db_scope(c->db, g->owner); /* of a limited account: among the devices it reaches */
        o = filter_devices(c->db, &f, only, c->a, &ids, &n, err);
        db_scope(c->db, 0);
    }
    if (o == OK)
        o = wanted_members(c->db, g->id, ids, n, only, clock_mono() - began, changes, err);
    js_free(&e);
    if (o == INVALID) { /* a fact that this program does not have any more: the others go on */
        err_prefix(err, "group %.64s", g->name);
        log_err(LOG_LEVEL_ERROR, "converge.filter", err);
        return OK;
    }
    return o;
}

static bool due(const struct device_group *g, int64_t now, bool all)
{
    int64_t every = g->evaluated_us * SHARE > EVERY_US ? g->evaluated_us * SHARE : EVERY_US;

    return g->filter[0] != '\0' && (all || g->evaluated_at == 0 || g->evaluated_at + every <= now);
}

/* One after the other, or those that limited accounts made: what these may hold is found first. A
 * page at a time, as a page is small, and what a filter finds is not. False in *done: the time is
 * over, the others come in the next turn. */
static enum outcome groups_pass(struct converge *c, bool owned, int64_t now, bool all, int64_t end,
                                struct arena *page, bool *done, struct err *err)
{
    struct device_group *g;
    size_t n = LIM_PAGE, changes;
    int64_t after = 0;
    enum outcome o = OK;

    while (o == OK && *done && n == LIM_PAGE) {
        arena_reset(page);
        o = group_list(c->db, after, LIM_PAGE, page, &g, &n, err);
        for (size_t i = 0; o == OK && i < n; i++) {
            after = g[i].id;
            if ((g[i].owner != 0) != owned || !due(&g[i], now, all))
                continue;
            if (!all && clock_mono() >= end) {
                *done = false;
                break;
            }
            arena_reset(c->a);
            o = evaluate(c, &g[i], 0, &changes, err);
            if (changes > 0)
                log_msg(LOG_LEVEL_INFO, "converge.group", "%.64s: %zu devices came or went",
                        g[i].name, changes);
        }
    }
    return o;
}

enum outcome converge_groups(struct converge *c, int64_t now, bool all, struct err *err)
{
    struct arena *page = arena_new(LIM_ARENA_REQUEST);
    int64_t end = clock_mono() + BUDGET_US;
    bool done = true;
    enum outcome o = page != NULL ? OK : err_set(err, ERROR, "out of memory");

    if (o == OK)
        o = groups_pass(c, false, now, all, end, page, &done, err);
    if (o == OK)
        o = group_trim(c->db, err); /* what is not reached any more */
    if (o == OK)
        o = groups_pass(c, true, now, all, end, page, &done, err);
    c->next_groups = done ? now + GROUPS_US : now;
    arena_free(&page);
    return o;
}

enum outcome converge_plan(struct converge *c, int64_t now, struct err *err)
{
    size_t before = c->walk.changes, n = 0;
    enum outcome o = c->walk.done ? OK : wanted_plan(c->db, &c->walk, CONVERGE_SOME, err);

    c->did += c->walk.changes - before;
    if (o == OK && c->walk.done)
        o = converge_standing_plan(c, err);
    if (o != OK || !c->walk.done || !c->orders.done)
        return o;
    o = wanted_settings(c->db, now, CONVERGE_SOME, &n, err);
    c->walk.changes += n;
    c->did += n;
    if (o != OK || n == CONVERGE_SOME)
        return o; /* the rest of them in the next turn */
    c->planning = false;
    if (c->walk.changes > 0)
        log_msg(LOG_LEVEL_INFO, "converge.plan", "%zu items of devices to be changed",
                c->walk.changes);
    return OK;
}

/* ---- newcomers ---- */

/* The filters are asked about this device alone; those of limited accounts last, as above. */
static enum outcome newcomer_groups(struct converge *c, int64_t device_id, struct err *err)
{
    struct arena *page = arena_new(LIM_ARENA_REQUEST);
    struct device_group *g;
    size_t changes;
    enum outcome o = page != NULL ? OK : err_set(err, ERROR, "out of memory");

    for (int owned = 0; owned < 2; owned++) {
        int64_t after = 0;

        for (size_t n = LIM_PAGE; o == OK && n == LIM_PAGE;) {
            arena_reset(page);
            o = group_list(c->db, after, LIM_PAGE, page, &g, &n, err);
            for (size_t i = 0; o == OK && i < n; i++) {
                after = g[i].id;
                if (g[i].filter[0] != '\0' && (g[i].owner != 0) == owned)
                    o = evaluate(c, &g[i], device_id, &changes, err);
            }
        }
    }
    arena_free(&page);
    return o;
}

/* A user is in the groups of the device, and is sent no command of them. */
static enum outcome newcomer_plan(struct converge *c, int64_t only, bool orders_too, int64_t now,
                                  struct err *err)
{
    struct wanted_walk walk = {.only = only, .now = now};
    struct standing_walk orders = {.only = only, .now = now, .done = !orders_too};
    enum outcome o = OK;

    while (o == OK && !walk.done)
        o = wanted_plan(c->db, &walk, CONVERGE_SOME, err);
    while (o == OK && !orders.done)
        o = standing_plan(c->db, &orders, CONVERGE_SOME, err);
    return o;
}

/* One by one while they are few; when many enrol at once, everything is planned anew. */
static enum outcome newcomers_plan(struct converge *c, const struct newcomer *who, size_t n,
                                   int64_t now, struct arena *a, struct err *err)
{
    int64_t *ids = arena_array(a, n + 1, sizeof *ids);
    size_t k = 0, devices = 0;
    enum outcome o;

    if (ids == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (!who[i].planned) {
            ids[k++] = who[i].device_id;
            devices += !who[i].user;
        }
    if (k == 0)
        return OK;
    o = newcomer_reset(c->db, ids, k, now, err);
    if (o == OK && devices > FEW)
        o = converge_groups(c, now, true, err);
    for (size_t i = 0; o == OK && devices <= FEW && i < n; i++) {
        if (who[i].planned || who[i].user)
            continue;
        arena_reset(c->a);
        o = newcomer_groups(c, who[i].device_id, err);
    }
    if (o == OK && k > FEW)
        o = newcomer_plan(c, 0, devices > 0, now, err);
    for (size_t i = 0; o == OK && k <= FEW && i < n; i++)
        if (!who[i].planned)
            o = newcomer_plan(c, who[i].device_id, !who[i].user, now, err);
    if (o == OK)
        o = newcomer_planned(c->db, ids, k, err);
    c->did += k;
    return o;
}

/* One that waits in Setup Assistant, or at the login, goes on once everything is there, or its time
 * is over. True: there is nothing more to do about it. */
static bool newcomer_release(struct converge *c, const struct newcomer *who, int64_t now,
                             enum outcome *o, struct err *err)
{
    bool late = now - who->at >= CONFIGURE_US;
    const char *go_on = who->user ? "UserConfigured" : "DeviceConfigured";

    if (!who->awaiting)
        return true;
    if (who->unsettled > 0 && !late)
        return false;
    if (who->unsettled > 0) {
        log_msg(LOG_LEVEL_ERROR, "converge.configure-timeout",
                "enrollment %.128s: %lld items are not there after 20 minutes; it goes on",
                who->ident, (long long)who->unsettled);
        *o = audit_add(c->db, CONVERGE_ACTOR, "enrollment.configure-timeout", who->ident,
                       who->user ? "sent UserConfigured before everything was there"
                                 : "sent DeviceConfigured before everything was there",
                       err);
        if (*o == OK)
            *o = event_alarm_tell(c->db, "configure-timeout", who->ident,
                                  "not everything was there after 20 minutes; the device goes on",
                                  now, err);
    }
    arena_reset(c->a);
    if (*o == OK)
        *o = converge_command(c, go_on, who->ident, "device-configured", now, err);
    return *o == OK;
}

static enum outcome newcomers_release(struct converge *c, const struct newcomer *who, size_t n,
                                      int64_t now, struct arena *a, struct err *err)
{
    int64_t *ids = arena_array(a, n + 1, sizeof *ids);
    enum outcome o = ids != NULL ? OK : err_set(err, ERROR, "out of memory");
    size_t k = 0;

    for (size_t i = 0; o == OK && i < n; i++)
        if (who[i].planned && newcomer_release(c, &who[i], now, &o, err))
            ids[k++] = who[i].device_id;
    if (o == OK)
        o = newcomer_done(c->db, ids, k, err);
    c->did += k;
    return o;
}

enum outcome converge_newcomers(struct converge *c, int64_t now, struct err *err)
{
    struct arena *a = arena_new(4 * LIM_MB);
    struct newcomer *who = NULL;
    size_t n = 0;
    enum outcome o = a != NULL ? newcomer_list(c->db, CONVERGE_SOME, a, &who, &n, err)
                               : err_set(err, ERROR, "out of memory");

    if (o == OK && n > 0)
        o = newcomers_release(c, who, n, now, a, err);
    if (o == OK && n > 0)
        o = newcomers_plan(c, who, n, now, a, err);
    arena_free(&a);
    return o;
}
