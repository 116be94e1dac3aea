/* event_finished.c: commands that have ended, as events: see event.h. */
#include "store/event.h"

#include "base/buf.h"
#include "base/limits.h"
#include "store/queue_state.h"
#include "wire/json.h"

#define FACTS_MAX (32u * LIM_KB)

static const struct sql WANTED = {"event_wanted",
                                  "SELECT 1 FROM webhook WHERE wants & ? <> 0 LIMIT 1", 0};
static const struct sql ENDED = {
    "event_ended",
    "SELECT r.enrollment_id, r.command_id, e.ident, e.kind, c.uuid, c.request_type, r.state, "
    "r.closed_why FROM result r JOIN enrollment e ON e.id = r.enrollment_id JOIN command c ON c.id "
    "= "
    "r.command_id WHERE (r.enrollment_id, r.command_id) IN (%IN%)",
    2};
static const struct sql ERRORS = {
    "event_errors",
    "SELECT enrollment_id, command_id, domain, code, IF(english <> '', english, localized) FROM "
    "result_error WHERE (enrollment_id, command_id) IN (%IN%) ORDER BY enrollment_id, command_id, "
    "item, position",
    2};

enum outcome event_any_wants(struct db *db, enum event_topic topic, struct arena *a, bool *yes,
                             struct err *err)
{
    struct val bit = val_int(event_bit(topic));
    struct rows r;
    enum outcome o = db_select(db, &WANTED, &bit, 1, a, &r, err);

    *yes = o == OK && r.n > 0;
    return o;
}

static void put_errors(js facts, const struct val *v, const struct rows *errors)
{
    js list = js_array();

    for (size_t i = 0; i < errors->n; i++) {
        const struct val *e = row_at(errors, i, 0);
        js one;

        if (e[0].i != v[0].i || e[1].i != v[1].i)
            continue;
        one = js_object();
        js_set_str(one, "domain", e[2].s);
        js_set_int(one, "code", e[3].i);
        js_set_str(one, "text", val_text(&e[4]));
        js_append(list, one);
    }
    if (js_size(list) > 0)
        js_set(facts, "errors", list);
    else
        js_free(&list);
}

static const char *facts_of(const struct val *v, const struct rows *errors, struct arena *a)
{
    struct buf text = BUF_INIT(FACTS_MAX);
    js facts = js_object();
    const char *copy = "{}";

    js_set_str(facts, "command_uuid", v[4].s);
    js_set_str(facts, "request_type", v[5].s);
    js_set_str(facts, "state", queue_state_name((int)v[6].i));
    if (!val_is_null(&v[7]))
        js_set_str(facts, "why", v[7].s);
    put_errors(facts, v, errors);
    if (js_write(facts, false, &text) == OK)
        copy = arena_strdup(a, buf_cstr(&text));
    js_free(&facts);
    buf_free(&text);
    return copy;
}

static enum outcome some(struct db *db, const struct val *pairs, size_t n, int64_t now, bool errors,
                         struct arena *a, struct err *err)
{
    struct event e[LIM_BATCH];
    const struct event *list[LIM_BATCH];
    struct rows ended, chain = {0};
    enum outcome o = db_select_in(db, &ENDED, NULL, 0, pairs, n, NULL, 0, a, &ended, err);

    if (o == OK && errors)
        o = db_select_in(db, &ERRORS, NULL, 0, pairs, n, NULL, 0, a, &chain, err);
    if (o != OK || ended.n == 0)
        return o;
    for (size_t i = 0; i < ended.n; i++) {
        const struct val *v = row_at(&ended, i, 0);

        e[i] = (struct event){.topic = EVENT_COMMAND_FINISHED,
                              .at = now,
                              .enrollment_id = v[0].i,
                              .ident = v[2].s,
                              .kind = (int)v[3].i,
                              .facts = facts_of(v, &chain, a)};
        list[i] = &e[i];
    }
    return event_add(db, list, ended.n, err);
}

enum outcome event_commands_finished(struct db *db, const struct val *pairs, size_t n, int64_t now,
                                     bool errors, struct arena *a, struct err *err)
{
    bool yes = false;
    enum outcome o = n > 0 ? event_any_wants(db, EVENT_COMMAND_FINISHED, a, &yes, err) : OK;

    for (size_t from = 0; o == OK && yes && from < n; from += LIM_BATCH)
        o = some(db, pairs + 2 * from, n - from < LIM_BATCH ? n - from : LIM_BATCH, now, errors, a,
                 err);
    return o;
}
