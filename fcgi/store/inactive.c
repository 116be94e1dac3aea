/* inactive.c: see inactive.h. */
#include "store/inactive.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "store/event.h"
#include "store/push.h"

#define ARENA (4u * LIM_MB)

/* Each takes two numbers, the id to go on behind, and how many; what a statement has no use for it
 * asks to be above zero. */
static const struct sql SILENT = {
    "inactive_to_nudge",
    "SELECT e.id, e.ident, e.last_seen_at FROM enrollment e JOIN life l ON l.id = e.life_id "
    "WHERE e.state = 2 AND e.last_seen_at < ? AND (e.nudged_at IS NULL OR e.nudged_at < ?) "
    "AND l.push_token IS NOT NULL AND l.push_dead_at IS NULL AND e.id > ? ORDER BY e.id LIMIT ? "
    "FOR UPDATE SKIP LOCKED",
    0};
static const struct sql NUDGED = {"inactive_nudged",
                                  "UPDATE enrollment SET nudged_at = ? WHERE id IN (%IN%)", 1};
static const struct sql LOST = {
    "inactive_lost",
    "SELECT id, ident, last_seen_at, kind FROM enrollment WHERE state = 2 AND last_seen_at < ? "
    "AND inactive_at IS NULL AND ? > 0 AND id > ? ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED",
    0};
static const struct sql MARK = {"inactive_mark",
                                "UPDATE enrollment SET inactive_at = ? WHERE id IN (%IN%)", 1};
static const struct sql BACK = {
    "inactive_back",
    "SELECT id, ident, last_seen_at, kind FROM enrollment WHERE inactive_at IS NOT NULL "
    "AND (last_seen_at >= inactive_at OR state <> 2) AND ? > 0 AND ? > 0 AND id > ? ORDER BY id "
    "LIMIT ? "
    "FOR UPDATE SKIP LOCKED",
    0};
static const struct sql UNMARK = {
    "inactive_unmark", "UPDATE enrollment SET inactive_at = NULL WHERE ? > 0 AND id IN (%IN%)", 1};

/* One batch of one step. */
struct batch_step {
    const struct sql *find, *set;
    int64_t before, again; /* the first two arguments of find */
    const char *action;    /* audited; NULL: nudge */
    enum event_topic topic;
    const struct inactive_sweep *sweep;
    struct arena *a;
    int64_t after; /* enrollment.id */
    size_t n;      /* out */
};

static enum outcome nudge(struct db *db, const struct batch_step *s, const struct rows *r,
                          struct err *err)
{
    struct push_want want[INACTIVE_BATCH];
    for (size_t i = 0; i < r->n; i++)
        want[i] = (struct push_want){.enrollment_id = row_at(r, i, 0)->i};
    return push_request(db, want, r->n, s->sweep->push_keep, err);
}

static enum outcome tell(struct db *db, const struct batch_step *s, const struct val *v,
                         struct err *err)
{
    char facts[80], when[CLOCK_TEXT_MAX];
    snprintf(facts, sizeof facts, "{\"last_seen_at\":\"%s\"}", clock_rfc3339(v[2].i, false, when));
    return event_add_wanted(db,
                            &(struct event){.topic = s->topic,
                                            .at = s->sweep->now,
                                            .enrollment_id = v[0].i,
                                            .ident = v[1].s,
                                            .kind = (int)v[3].i,
                                            .facts = facts},
                            err);
}

static enum outcome audit(struct db *db, const struct batch_step *s, const struct rows *r,
                          struct err *err)
{
    char detail[64], when[CLOCK_TEXT_MAX];
    enum outcome o = OK;
    for (size_t i = 0; o == OK && i < r->n; i++) {
        snprintf(detail, sizeof detail, "last_seen=%s",
                 clock_rfc3339(row_at(r, i, 2)->i, false, when));
        o = audit_add(db, "rule:inactive", s->action, row_at(r, i, 1)->s, detail, err);
        if (o == OK)
            o = tell(db, s, row_at(r, i, 0), err);
    }
    return o;
}

static enum outcome batch_unit(struct db *db, void *arg, struct err *err)
{
    struct batch_step *s = arg;
    struct val list[INACTIVE_BATCH], now = val_int(s->sweep->now);
    struct rows r;
    arena_reset(s->a);
    s->n = 0;
    enum outcome o = db_select(db, s->find,
                               (struct val[]){val_int(s->before), val_int(s->again),
                                              val_int(s->after), val_int(INACTIVE_BATCH)},
                               4, s->a, &r, err);
    if (o != OK || r.n == 0)
        return o;
    for (size_t i = 0; i < r.n; i++)
        list[i] = *row_at(&r, i, 0);
    o = db_exec_in(db, s->set, &now, 1, list, r.n, s->a, NULL, err);
    if (o == OK)
        o = s->action ? audit(db, s, &r, err) : nudge(db, s, &r, err);
    s->n = r.n;
    if (o == OK)
        s->after = row_at(&r, r.n - 1, 0)->i;
    return o;
}

static enum outcome step(struct db *db, struct batch_step *s, size_t *total, struct err *err)
{
    enum outcome o;
    do {
        o = db_unit(db, batch_unit, s, err);
        if (o == OK)
            *total += s->n;
    } while (o == OK && s->n == INACTIVE_BATCH);
    return o;
}

enum outcome inactive_sweep(struct db *db, struct inactive_sweep *w, struct err *err)
{
    struct arena *a = arena_new(ARENA);
    if (!a)
        return err_set(err, ERROR, "out of memory");
    struct batch_step back = {.find = &BACK,
                              .set = &UNMARK,
                              .before = 1,
                              .again = 1,
                              .action = "enrollment.return",
                              .topic = EVENT_DEVICE_RETURNED,
                              .sweep = w,
                              .a = a};
    struct batch_step lost = {.find = &LOST,
                              .set = &MARK,
                              .before = w->now - w->after_us,
                              .again = w->now,
                              .action = "enrollment.inactive",
                              .topic = EVENT_DEVICE_INACTIVE,
                              .sweep = w,
                              .a = a};
    struct batch_step silent = {.find = &SILENT,
                                .set = &NUDGED,
                                .before = w->now - w->nudge_us,
                                .again = w->now - w->nudge_us,
                                .sweep = w,
                                .a = a};
    w->nudged = w->inactive = w->returned = 0;
    enum outcome o = step(db, &back, &w->returned, err);
    if (o == OK)
        o = step(db, &lost, &w->inactive, err);
    if (o == OK)
        o = step(db, &silent, &w->nudged, err);
    arena_free(&a);
    return o;
}
