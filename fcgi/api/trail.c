/* trail.c: /api/v1/audit, who did what, and whether that was changed since; GET /api/v1/errors,
 * what devices' errors mean. */
#include "api/fleet.h"

#include "base/clock.h"
#include "command/error_codes.h"
#include "store/audit.h"
#include "store/audit_chain.h"
#include "store/checkrun.h"

/* A day, or a time; the whole of the day that is the last. */
static bool day_read(struct req *req, struct resp *resp, const char *name, bool whole, int64_t *out)
{
    const char *s = req_query(req, name);

    if (s == NULL || (clock_parse_day(s, whole, out) && *out > 0))
        return true;
    resp_json_error(resp, 400,
                    "\"%s\" must be a day like 2026-11-22, in UTC, or a time like "
                    "2026-11-22T08:15:30Z",
                    name);
    return false;
}

static bool days_read(struct req *req, struct resp *resp, struct audit_filter *f)
{
    if (!day_read(req, resp, "from", false, &f->since) ||
        !day_read(req, resp, "until", true, &f->until))
        return false;
    if (f->until == 0 || f->until > f->since)
        return true;
    resp_json_error(resp, 400, "\"until\" is not later than \"from\"");
    return false;
}

void api_audit(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct audit_filter f = {.actor = req_query(req, "actor"),
                             .subject = req_query(req, "subject"),
                             .action = req_query(req, "action"),
                             .own = api_actor(req, caller)};
    struct audit_entry *e = NULL;
    struct err err = {0};
    struct db *db = NULL;
    int64_t before = 0;
    size_t limit, n;

    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &before) ||
        !days_read(req, resp, &f) || !api_db(app, resp, &db))
        return;
    enum outcome o = audit_list(db, &f, before, limit, req->arena, &e, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++) {
        js one = js_object();

        api_set_time(one, "at", e[i].at);
        js_set_str(one, "actor", e[i].actor);
        js_set_str(one, "action", e[i].action);
        js_set_str(one, "subject", e[i].subject);
        api_set_text(one, "detail", e[i].detail);
        js_append(list, one);
    }
    js_set(root, "entries", list);
    if (n == limit)
        api_set_cursor(root, e[n - 1].id);
    api_json(resp, 200, &root);
}

/* What the agent found when it went through the log last; nothing where it never did. */
static enum outcome found_set(js root, const struct checkrun *run, struct req *req, struct err *err)
{
    char hex[SHA256_HEX_LEN + 1];
    struct audit_check c;
    enum outcome o = OK;

    if (run->findings.n > 0)
        o = audit_check_read(run->findings, req->arena, &c, err);
    if (o != OK || run->findings.n == 0)
        return o;
    hex_encode(bytes_of(c.head.digest, SHA256_LEN), hex);
    js_set_bool(root, "intact", c.bad_seq == 0);
    js_set_int(root, "links", c.links);
    js_set_int(root, "unlinked", c.unlinked);
    if (c.head.seq != 0)
        api_set_text(root, "newest_link",
                     arena_fmt(req->arena, "%lld:%s", (long long)c.head.seq, hex));
    if (c.bad_seq != 0) {
        js_set_int(root, "bad_link", c.bad_seq);
        api_set_text(root, "reason", c.bad);
    }
    return OK;
}

static void verification(struct app *app, struct req *req, struct resp *resp, const char *asks)
{
    struct checkrun run;
    struct err err = {0};
    struct db *db = NULL;
    js root = js_object();

    if (!api_db(app, resp, &db)) {
        js_free(&root);
        return;
    }
    enum outcome o = asks != NULL ? checkrun_ask(db, CHECKRUN_AUDIT, asks, req->now, &err) : OK;
    if (o == OK)
        o = checkrun_get(db, CHECKRUN_AUDIT, req->now, req->arena, &run, &err);
    if (o == OK)
        o = found_set(root, &run, req, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        js_free(&root);
        api_fail(resp, &err);
        return;
    }
    js_set_bool(root, "waits", run.waits);
    if (run.waits)
        api_set_text(root, "asked_by", run.asked_by);
    api_set_time(root, "verified_at", run.done_at);
    api_json(resp, asks != NULL ? 202 : 200, &root);
}

void api_audit_verification(struct app *app, struct req *req, const struct caller *caller,
                            struct resp *resp)
{
    (void)caller;
    verification(app, req, resp, NULL);
}

/* The agent goes through it; the answer is fetched later. */
void api_audit_verify(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    verification(app, req, resp, api_actor(req, caller));
}

void api_errors(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    js root = js_object();

    (void)app, (void)req, (void)caller;
    js_set(root, "errors", error_codes_json());
    api_json(resp, 200, &root);
}
