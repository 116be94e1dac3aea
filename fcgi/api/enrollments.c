/* enrollments.c: GET /v1/enrollments, POST /v1/enrollments/query, GET /v1/enrollments/{id}. */
#include "api/api.h"

#include "base/limits.h"
#include "store/enrollment.h"
#include "store/handout.h"
#include "store/ident.h"
#include "wire/encode.h"
#include "wire/x509.h"

#include <stdio.h>
#include <stdlib.h>

#define KINDS 5

struct query {
    struct enrollment_filter filter;
    enum enrollment_order order;
    struct enrollment_cursor after;
    int64_t offset;
    size_t limit;
    bool with_cert;
};

/* ---- what is told ---- */

static js device_object(const struct enrollment *e)
{
    js d = js_object();

    api_set_text(d, "serial_number", e->serial);
    api_set_text(d, "udid", e->udid);
    api_set_text(d, "name", e->device_name);
    api_set_text(d, "product_name", e->product_name);
    api_set_text(d, "model", e->model);
    api_set_text(d, "model_name", e->model_name);
    api_set_text(d, "os_version", e->os_version);
    api_set_text(d, "build_version", e->build_version);
    api_set_text(d, "imei", e->imei);
    api_set_text(d, "meid", e->meid);
    if (e->cert_der.n > 0) {
        struct buf pem = BUF_INIT(LIM_BODY_FORM);

        cert_to_pem(e->cert_der, &pem);
        js_set_str(d, "device_cert", buf_cstr(&pem));
        buf_free(&pem);
    }
    return d;
}

static js user_object(const struct enrollment *e)
{
    js u = js_object();

    api_set_text(u, "user_id", e->user_id);
    api_set_text(u, "user_short_name", e->user_short_name);
    api_set_text(u, "user_long_name", e->user_long_name);
    return u;
}

/* NULL: it is not known. */
static js handout_object(const struct enrollment *e)
{
    js o;

    if (e->way == 0)
        return NULL;
    o = js_object();
    js_set_str(o, "profile", e->profile);
    js_set_int(o, "version", e->profile_version);
    js_set_int(o, "access_rights", e->access_rights);
    js_set_str(o, "way", handout_way_name(e->way));
    api_set_text(o, "account", e->account);
    api_set_text(o, "account_kind", account_kind_name(e->account_kind));
    return o;
}

static js push_object(const struct enrollment *e)
{
    js p = js_object();

    api_set_text(p, "topic", e->topic);
    api_set_time(p, "token_at", e->token_at);
    api_set_time(p, "dead_at", e->push_dead_at);
    api_set_text(p, "dead_reason", e->push_dead_why);
    return p;
}

static void set_object(js o, const char *key, js value)
{
    if (js_size(value) > 0)
        js_set(o, key, value);
    else
        js_free(&value);
}

static void set_true(js o, const char *key, bool value)
{
    if (value)
        js_set_bool(o, key, true);
}

static js enrollment_object(const struct enrollment *e)
{
    char hex[SHA256_HEX_LEN + 1];
    js o = js_object();

    js_set_str(o, "id", e->ident);
    js_set_str(o, "type", ident_kind_name(e->kind));
    if (strcmp(e->device_ident, e->ident) != 0)
        js_set_str(o, "device_id", e->device_ident);
    set_object(o, "device", device_object(e));
    set_object(o, "user", user_object(e));
    js_set_bool(o, "enabled", e->state == ENROLLMENT_ENROLLED);
    js_set_str(o, "state", enrollment_state_name(e->state));
    set_true(o, "renewal_pending", e->pending && e->state != ENROLLMENT_PENDING);
    js_set_int(o, "token_update_tally", e->token_update_tally);
    api_set_time(o, "last_seen", e->last_seen_at);
    api_set_time(o, "created_at", e->created_at);
    api_set_time(o, "enrolled_at", e->enrolled_at);
    api_set_time(o, "nudged_at", e->nudged_at);
    api_set_time(o, "inactive_at", e->inactive_at);
    api_set_time(o, "ended_at", e->ended_at);
    api_set_text(o, "ended_by", e->ended_by);
    api_set_text(o, "ended_why", e->ended_why);
    set_object(o, "enrolled_with", handout_object(e));
    set_object(o, "push", push_object(e));
    set_true(o, "awaiting_configuration", e->awaiting_configuration);
    set_true(o, "not_on_console", e->not_on_console);
    set_true(o, "has_unlock_token", e->has_unlock_token);
    set_true(o, "has_bootstrap_token", e->has_bootstrap_token);
    if (e->cert_sha256.n == SHA256_LEN) {
        hex_encode(e->cert_sha256, hex);
        js_set_str(o, "certificate_sha256", hex);
    }
    return o;
}

static void set_cursor(js root, const struct query *q, const struct enrollment_cursor *at)
{
    char text[48];

    if (q->order == ENROLLMENT_BY_LAST_SEEN)
        snprintf(text, sizeof(text), "s%lld.%lld", (long long)at->last_seen_at, (long long)at->id);
    else
        snprintf(text, sizeof(text), "i%lld", (long long)at->id);
    js_set_str(root, "next_cursor", text);
}

static void run(struct app *app, struct req *req, struct resp *resp, const struct query *q)
{
    struct enrollment_cursor at = q->after;
    struct enrollment *e;
    struct err err = {0};
    struct db *db = NULL;
    bool more;
    size_t n;

    if (!api_db(app, resp, &db))
        return;
    enum outcome o = enrollment_list(db, &q->filter, q->order, &at, (size_t)q->offset, q->limit,
                                     q->with_cert, req->arena, &e, &n, &more, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, enrollment_object(&e[i]));
    js_set(root, "enrollments", list);
    if (more)
        set_cursor(root, q, &at);
    api_json(resp, 200, &root);
}

/* ---- what is asked ---- */

static bool parse_cursor(const char *s, struct query *q)
{
    char *end;

    if (s[0] == 's' && q->order == ENROLLMENT_BY_LAST_SEEN) {
        q->after.last_seen_at = strtoll(s + 1, &end, 10);
        if (end == s + 1 || *end != '.')
            return false;
        s = end;
    } else if (s[0] != 'i' || q->order != ENROLLMENT_BY_ID) {
        return false;
    }
    q->after.id = strtoll(s + 1, &end, 10);
    return end != s + 1 && *end == '\0' && q->after.id > 0;
}

static bool read_paging(struct req *req, struct resp *resp, struct query *q)
{
    const char *order = req_query(req, "order"), *cursor = req_query(req, "cursor");

    if (!api_limit(req, resp, &q->limit) || !api_number(req, resp, "offset", &q->offset))
        return false;
    if (order != NULL && strcmp(order, "last_seen") == 0)
        q->order = ENROLLMENT_BY_LAST_SEEN;
    else if (order != NULL && strcmp(order, "id") != 0) {
        resp_json_error(resp, 400, "order must be id or last_seen");
        return false;
    }
    if (cursor == NULL || parse_cursor(cursor, q))
        return true;
    resp_json_error(resp, 400, "cursor is not one that this order has given as next_cursor");
    return false;
}

static bool add_kind(struct resp *resp, const char *name, unsigned *kinds)
{
    for (int k = 1; k <= KINDS; k++)
        if (strcmp(ident_kind_name(k), name) == 0) {
            *kinds |= 1u << k;
            return true;
        }
    resp_json_error(resp, 400,
                    "unknown type \"%.32s\"; there are Device, User, Shared iPad, User "
                    "Enrollment (Device) and User Enrollment",
                    name);
    return false;
}

static bool add_state(struct resp *resp, const char *name, unsigned *states)
{
    for (int s = ENROLLMENT_PENDING; s <= ENROLLMENT_ENDED; s++)
        if (strcmp(enrollment_state_name(s), name) == 0) {
            *states |= 1u << s;
            return true;
        }
    resp_json_error(resp, 400,
                    "unknown state \"%.32s\"; there are pending, enrolled, left and "
                    "ended",
                    name);
    return false;
}

#define ALL_STATES (2u | 4u | 8u | 16u)

static void add_enabled(bool enabled, unsigned *states)
{
    unsigned of = 1u << ENROLLMENT_ENROLLED;

    *states = (*states != 0 ? *states : ALL_STATES) & (enabled ? of : ~of);
}

/* Parameters that may come several times. */
struct params {
    const char **list[3];
    size_t n[3];
    unsigned kinds, states;
    struct req *req;
    struct resp *resp;
    bool ok;
};

static bool take_param(const char *name, const char *value, void *arg)
{
    static const char *const lists[] = {"id", "serial", "user_short_name"};
    struct params *p = arg;

    if (strcmp(name, "type") == 0)
        p->ok = add_kind(p->resp, value, &p->kinds);
    else if (strcmp(name, "state") == 0)
        p->ok = add_state(p->resp, value, &p->states);
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(name, lists[i]) != 0)
            continue;
        if (p->list[i] == NULL)
            p->list[i] = arena_array(p->req->arena, LIM_PAGE, sizeof(*p->list[i]));
        if (p->list[i] == NULL || p->n[i] == LIM_PAGE) {
            resp_json_error(p->resp, 400,
                            "more than %u of %s; POST /v1/enrollments/query takes "
                            "more",
                            LIM_PAGE, name);
            p->ok = false;
        } else {
            p->list[i][p->n[i]++] = arena_strdup(p->req->arena, value);
        }
    }
    return p->ok;
}

void api_enrollments(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct params p = {.req = req, .resp = resp, .ok = true};
    struct query q = {0};
    bool enabled = false, inactive = false, push_dead = false;

    (void)caller;
    req_query_each(req, take_param, &p);
    if (!p.ok || !read_paging(req, resp, &q) || !api_flag(req, resp, "enabled", &enabled) ||
        !api_flag(req, resp, "inactive", &inactive) ||
        !api_flag(req, resp, "push_dead", &push_dead) ||
        !api_flag(req, resp, "include_device_cert", &q.with_cert))
        return;
    q.filter = (struct enrollment_filter){.idents = p.list[0],
                                          .nidents = p.n[0],
                                          .serials = p.list[1],
                                          .nserials = p.n[1],
                                          .user_short_names = p.list[2],
                                          .nuser_short_names = p.n[2],
                                          .kinds = p.kinds,
                                          .states = p.states};
    if (req_query(req, "enabled") != NULL)
        add_enabled(enabled, &q.filter.states);
    q.filter.inactive = inactive;
    q.filter.push_dead = push_dead;
    run(app, req, resp, &q);
}

static bool read_words(struct req *req, struct resp *resp, js filter, const char *key,
                       bool (*add)(struct resp *, const char *, unsigned *), unsigned *bits)
{
    const char *const *list;
    size_t n;

    if (!api_strings(req, resp, filter, key, 16, &list, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!add(resp, list[i], bits))
            return false;
    return true;
}

/* Absent leaves it as it is. */
static bool read_flag(struct resp *resp, js filter, const char *key, bool *out)
{
    if (js_get(filter, key) == NULL || js_get_bool(filter, key, out))
        return true;
    resp_json_error(resp, 400, "\"%s\" must be true or false", key);
    return false;
}

static bool read_filter(struct req *req, struct resp *resp, js filter, struct query *q)
{
    static const char *const known[] = {"ids",    "serials",  "user_short_names", "types",
                                        "states", "inactive", "push_dead",        "enabled"};
    struct enrollment_filter *f = &q->filter;
    bool enabled = false;

    if (filter == NULL)
        return true;
    if (js_type_of(filter) != JS_OBJECT) {
        resp_json_error(resp, 400, "\"filter\" must be an object");
        return false;
    }
    /* One that is mistyped would be no filter, and its answer all there are. */
    if (!api_known_keys(resp, filter, known, sizeof known / sizeof *known) ||
        !api_strings(req, resp, filter, "ids", LIM_IDS, &f->idents, &f->nidents) ||
        !api_strings(req, resp, filter, "serials", LIM_IDS, &f->serials, &f->nserials) ||
        !api_strings(req, resp, filter, "user_short_names", LIM_IDS, &f->user_short_names,
                     &f->nuser_short_names) ||
        !read_words(req, resp, filter, "types", add_kind, &f->kinds) ||
        !read_words(req, resp, filter, "states", add_state, &f->states))
        return false;
    if (!read_flag(resp, filter, "inactive", &f->inactive) ||
        !read_flag(resp, filter, "push_dead", &f->push_dead))
        return false;
    if (!read_flag(resp, filter, "enabled", &enabled))
        return false;
    if (js_get(filter, "enabled") != NULL)
        add_enabled(enabled, &f->states);
    return true;
}

static bool read_options(struct resp *resp, js options, struct query *q)
{
    static const char *const known[] = {"include_device_cert", "include_unlock_token"};
    bool unlock = false;

    if (options == NULL)
        return true;
    if (js_type_of(options) != JS_OBJECT) {
        resp_json_error(resp, 400, "\"options\" must be an object");
        return false;
    }
    if (!api_known_keys(resp, options, known, 2) ||
        !read_flag(resp, options, "include_device_cert", &q->with_cert) ||
        !read_flag(resp, options, "include_unlock_token", &unlock))
        return false;
    if (!unlock)
        return true;
    resp_json_error(resp, 400,
                    "include_unlock_token: UnlockTokens are sealed and never told; "
                    "queue a ClearPasscode without one and it is filled in");
    return false;
}

void api_enrollments_query(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    static const char *const known[] = {"filter", "options"};
    struct query q = {0};
    js body;

    (void)caller;
    if (!read_paging(req, resp, &q))
        return;
    body = req->body.n > 0 ? api_body(req, resp, known, 2) : js_object();
    if (body == NULL)
        return;
    if (read_filter(req, resp, js_get(body, "filter"), &q) &&
        read_options(resp, js_get(body, "options"), &q))
        run(app, req, resp, &q);
    js_free(&body);
}

void api_enrollment(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct enrollment e;
    struct err err = {0};
    struct db *db = NULL;
    const char *id;
    size_t n;
    js root;

    (void)caller;
    if (!api_segments(req, resp, "/v1/enrollments/", &id, 1, &n) || !api_db(app, resp, &db))
        return;
    enum outcome o = enrollment_get(db, id, req->arena, &e, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = enrollment_object(&e);
    api_json(resp, 200, &root);
}
