/* webhook.c: see webhook.h. */
#include "store/webhook.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "store/change.h"
#include "store/id.h"

#include <stdio.h>

#define NOW_US "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
#define COLUMNS                                                                                    \
    "w.id, w.name, w.url, w.wants, w.payload, w.secret, w.secret_before, w.secret_before_until, "  \
    "w.state, w.state_at, w.state_by, w.state_why, w.failing_since, w.failure, w.last_ok_at, "     \
    "w.version, w.created_at, w.created_by"

static const struct sql LIST = {"webhook_list", "SELECT " COLUMNS " FROM webhook w ORDER BY w.name",
                                0};
static const struct sql GET = {"webhook_get", "SELECT " COLUMNS " FROM webhook w WHERE w.id = ?",
                               0};
static const struct sql COUNTS = {
    "webhook_counts",
    "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM webhook_delivery WHERE webhook_id = ? AND state = "
    "1 "
    "LIMIT ?) x), (SELECT COUNT(*) FROM (SELECT 1 FROM webhook_delivery WHERE webhook_id = ? AND "
    "state = 3 LIMIT ?) y)",
    0};
/* The ceiling is looked at in the statement itself. */
static const struct sql ADD = {
    "webhook_add",
    "INSERT INTO webhook (id, name, url, wants, payload, secret, state_at, state_by, created_at, "
    "created_by) SELECT ?,?,?,?,?,?,?,?,?,? FROM DUAL WHERE (SELECT COUNT(*) FROM webhook) < ?",
    0};
static const struct sql CHANGE = {"webhook_change",
                                  "UPDATE webhook SET name = ?, url = ?, wants = ?, payload = ?, "
                                  "version = version + 1 WHERE id = ? AND version = ?",
                                  0};
static const struct sql SECRET = {
    "webhook_secret",
    "UPDATE webhook SET secret_before = IF(?, secret, NULL), secret_before_until = ?, secret = ?, "
    "version = version + 1 WHERE id = ?",
    0};
static const struct sql PAUSE = {"webhook_pause",
                                 "UPDATE webhook SET state = 2, state_at = ?, state_by = ?, "
                                 "state_why = ?, version = version + 1 "
                                 "WHERE id = ? AND state <> 2",
                                 0};
static const struct sql RESUME = {
    "webhook_resume",
    "UPDATE webhook SET state = 1, state_at = ?, state_by = ?, state_why = '', "
    "failing_since = NULL, version = version + 1 WHERE id = ? AND state <> 1",
    0};
static const struct sql DUE_NOW = {
    "webhook_due_now",
    "UPDATE webhook_delivery SET due_at = " NOW_US
    " WHERE webhook_id = ? AND state = 1 AND claim = 0 AND due_at > " NOW_US " LIMIT ?",
    0};
static const struct sql DELETE = {"webhook_delete", "DELETE FROM webhook WHERE id = ?", 0};
static const struct sql PING = {
    "webhook_ping",
    "INSERT INTO webhook_event (id, topic, at, facts, spread) VALUES (?, ?, ?, '{}', 1)", 0};
static const struct sql PING_TO = {
    "webhook_ping_to",
    "INSERT INTO webhook_delivery (webhook_id, event_id, enrollment_id, topic, asked_at, due_at) "
    "VALUES (?, ?, 0, ?, ?, " NOW_US ")",
    0};

static const char *const states[] = {NULL, "active", "paused", "failed"};
static const char *const payloads[] = {"none", "stripped", "whole"};
static const char *const deliveries[] = {NULL, "waits", "delivered", "dead"};

static const char *word_of(const char *const *words, int n, int i)
{
    return i >= 0 && i < n ? words[i] : NULL;
}

static int place_of(const char *const *words, int n, const char *word)
{
    for (int i = 0; word != NULL && i < n; i++)
        if (words[i] != NULL && strcmp(words[i], word) == 0)
            return i;
    return -1;
}

const char *webhook_state_name(int state)
{
    return word_of(states, 4, state);
}

const char *webhook_payload_name(int payload)
{
    return word_of(payloads, 3, payload);
}

int webhook_payload_read(const char *word)
{
    return place_of(payloads, 3, word);
}

const char *delivery_state_name(int state)
{
    return word_of(deliveries, 4, state);
}

int delivery_state_read(const char *word)
{
    return place_of(deliveries, 4, word);
}

static void from_row(const struct val *v, struct webhook *w)
{
    *w = (struct webhook){.id = v[0].i,
                          .name = v[1].s,
                          .url = v[2].s,
                          .wants = v[3].i,
                          .payload = (enum webhook_payload)v[4].i,
                          .secret = val_bytes(&v[5]),
                          .secret_before = val_bytes(&v[6]),
                          .secret_before_until = val_or_0(&v[7]),
                          .state = (enum webhook_state)v[8].i,
                          .state_at = v[9].i,
                          .state_by = v[10].s,
                          .state_why = v[11].s,
                          .failing_since = val_or_0(&v[12]),
                          .failure = val_text(&v[13]),
                          .last_ok_at = val_or_0(&v[14]),
                          .version = v[15].i,
                          .created_at = v[16].i,
                          .created_by = v[17].s};
}

static enum outcome count(struct db *db, struct webhook *w, struct arena *a, struct err *err)
{
    struct val id = val_int(w->id), max = val_int(WEBHOOK_COUNT_MAX);
    struct rows r;
    enum outcome o = db_select(db, &COUNTS, (struct val[]){id, max, id, max}, 4, a, &r, err);

    if (o == OK) {
        w->waiting = row_at(&r, 0, 0)->i;
        w->dead = row_at(&r, 0, 1)->i;
    }
    return o;
}

enum outcome webhook_list(struct db *db, bool counts, struct arena *a, struct webhook **out,
                          size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &LIST, NULL, 0, a, &r, err);

    *n = 0;
    *out = o == OK ? arena_array(a, r.n + 1, sizeof **out) : NULL;
    if (o == OK && *out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++) {
        from_row(row_at(&r, i, 0), &(*out)[i]);
        if (counts)
            o = count(db, &(*out)[i], a, err);
    }
    *n = o == OK ? r.n : 0;
    return o;
}

enum outcome webhook_get(struct db *db, int64_t id, struct arena *a, struct webhook *out,
                         struct err *err)
{
    struct val key = val_int(id);
    struct rows r;
    enum outcome o = db_select(db, &GET, &key, 1, a, &r, err);

    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "there is no webhook %lld", (long long)id);
    from_row(row_at(&r, 0, 0), out);
    return count(db, out, a, err);
}

struct adding {
    const struct webhook *w;
    const char *by, *detail;
    int64_t now;
};

static enum outcome add_unit(struct db *db, void *arg, struct err *err)
{
    const struct adding *x = arg;
    const struct webhook *w = x->w;
    uint64_t rows = 0;
    enum outcome o =
        db_exec(db, &ADD,
                (struct val[]){val_int(w->id), val_str(w->name), val_str(w->url), val_int(w->wants),
                               val_int(w->payload), val_secret(w->secret), val_int(x->now),
                               val_cut(x->by, 128), val_int(x->now), val_cut(x->by, 128),
                               val_int(WEBHOOKS_MAX)},
                11, &rows, err);

    if (o == CONFLICT)
        return err_set(err, CONFLICT, "there is a webhook \"%s\" already", w->name);
    if (o == OK && rows == 0)
        return err_set(err, CONFLICT, "there are %d webhooks, as many as can be", WEBHOOKS_MAX);
    return o == OK ? audit_add(db, x->by, "webhook.add", w->name, x->detail, err) : o;
}

enum outcome webhook_add(struct db *db, const struct webhook *w, const char *by, const char *detail,
                         int64_t now, struct err *err)
{
    struct adding x = {w, by, detail, now};

    return db_unit(db, add_unit, &x, err);
}

enum outcome webhook_change(struct db *db, const struct webhook *w, const char *by,
                            const char *detail, struct err *err)
{
    enum outcome o = change_run(
        db,
        &(struct change){.sql = &CHANGE,
                         .args = {val_str(w->name), val_str(w->url), val_int(w->wants),
                                  val_int(w->payload), val_int(w->id), val_int(w->version)},
                         .nargs = 6,
                         .by = by,
                         .action = "webhook.edit",
                         .name = w->name,
                         .detail = detail},
        err);

    return o == NOT_FOUND
               ? err_set(err, CONFLICT,
                         "somebody else has changed the webhook meanwhile, or it is gone")
               : o;
}

enum outcome webhook_secret_set(struct db *db, const struct webhook *w, struct bytes secret,
                                int64_t until, const char *by, struct err *err)
{
    char when[CLOCK_TEXT_MAX], detail[80];
    bool both = until > clock_now();

    snprintf(detail, sizeof detail, "before=%s",
             both ? clock_rfc3339(until, false, when) : "ended");
    return change_run(db,
                      &(struct change){.sql = &SECRET,
                                       .args = {val_int(both), both ? val_int(until) : val_null(),
                                                val_secret(secret), val_int(w->id)},
                                       .nargs = 4,
                                       .by = by,
                                       .action = "webhook.secret",
                                       .name = w->name,
                                       .detail = detail},
                      err);
}

enum outcome webhook_pause(struct db *db, const struct webhook *w, const char *by, const char *why,
                           int64_t now, struct err *err)
{
    enum outcome o = change_run(db,
                                &(struct change){.sql = &PAUSE,
                                                 .args = {val_int(now), val_cut(by, 128),
                                                          val_cut(why, 255), val_int(w->id)},
                                                 .nargs = 4,
                                                 .by = by,
                                                 .action = "webhook.pause",
                                                 .name = w->name,
                                                 .detail = why},
                                err);

    return o == NOT_FOUND ? err_set(err, CONFLICT, "\"%s\" is paused already, or gone", w->name)
                          : o;
}

enum outcome webhook_resume(struct db *db, const struct webhook *w, const char *by, int64_t now,
                            struct err *err)
{
    uint64_t moved = LIM_PAGE;
    enum outcome o =
        change_run(db,
                   &(struct change){.sql = &RESUME,
                                    .args = {val_int(now), val_cut(by, 128), val_int(w->id)},
                                    .nargs = 3,
                                    .by = by,
                                    .action = "webhook.resume",
                                    .name = w->name},
                   err);

    if (o == NOT_FOUND)
        return err_set(err, CONFLICT, "\"%s\" is active already, or gone", w->name);
    while (o == OK && moved == LIM_PAGE)
        o = db_exec(db, &DUE_NOW, (struct val[]){val_int(w->id), val_int(LIM_PAGE)}, 2, &moved,
                    err);
    return o;
}

enum outcome webhook_delete(struct db *db, const struct webhook *w, const char *by, const char *why,
                            struct err *err)
{
    return change_run(db,
                      &(struct change){.sql = &DELETE,
                                       .args = {val_int(w->id)},
                                       .nargs = 1,
                                       .by = by,
                                       .action = "webhook.delete",
                                       .name = w->name,
                                       .detail = why},
                      err);
}

struct pinging {
    const struct webhook *w;
    const char *by;
    int64_t now, event_id;
};

static enum outcome ping_unit(struct db *db, void *arg, struct err *err)
{
    struct pinging *x = arg;
    struct val topic = val_int(EVENT_PING), now = val_int(x->now), event;
    enum outcome o;

    x->event_id = id_new();
    event = val_int(x->event_id);
    o = db_exec(db, &PING, (struct val[]){event, topic, now}, 3, NULL, err);
    if (o == OK)
        o = db_exec(db, &PING_TO, (struct val[]){val_int(x->w->id), event, topic, now}, 4, NULL,
                    err);
    return o == OK ? audit_add(db, x->by, "webhook.test", x->w->name, NULL, err) : o;
}

enum outcome webhook_ping(struct db *db, const struct webhook *w, const char *by, int64_t now,
                          int64_t *event_id, struct err *err)
{
    struct pinging x = {w, by, now, 0};
    enum outcome o = db_unit(db, ping_unit, &x, err);

    *event_id = x.event_id;
    return o;
}
