/* blueprint.c: all that is assigned to a group: /api/v1/groups/{id}/blueprint, versions, restore,
 * commands; and /api/v1/group-commands/{id}, one command of a group. */
#include "api/blueprint.h"

#include "api/library.h"
#include "base/limits.h"
#include "command/order.h"
#include "library/edit.h"
#include "library/standing.h"
#include "store/account.h"

#include <stdio.h>

#define ORDERS "/api/v1/group-commands/"
#define NOTE_MAX 255

/* ---- telling ---- */

static js standing_json(const struct standing *s)
{
    js o = js_object(), keys = NULL;
    struct err ignored;

    api_set_id(o, "id", s->id);
    api_set_id(o, "group", s->group_id);
    js_set_str(o, "request_type", s->request_type);
    if (js_parse(bytes_str(s->keys), &keys, &ignored) == OK)
        js_set(o, "command", keys);
    js_set_str(o, "policy", standing_policy_name(s->policy));
    if (s->policy == STANDING_EVERY)
        js_set_int(o, "every_days", s->every_days);
    js_set_str(o, "state", standing_state_name(s->state));
    api_set_text(o, "reason", s->reason);
    api_set_id(o, "approval", s->approval_id);
    if (s->approval != 0)
        js_set_str(o, "approval_state", approval_state_name(s->approval));
    api_set_time(o, "created_at", s->created_at);
    api_set_text(o, "created_by", s->created_by);
    return o;
}

js device_order_json(const struct standing_progress *x, bool of_order)
{
    js o = js_object();

    if (of_order) {
        js_set_str(o, "enrollment_id", x->ident);
        api_set_text(o, "serial_number", x->serial);
        api_set_text(o, "device_name", x->device_name);
    } else {
        api_set_id(o, "group_command", x->order_id);
        api_set_id(o, "group", x->group_id);
        api_set_text(o, "group_name", x->group);
        js_set_str(o, "request_type", x->request_type);
        js_set_str(o, "policy", standing_policy_name(x->policy));
    }
    js_set_str(o, "state", device_order_state_name(x->state));
    api_set_text(o, "reason", x->reason);
    api_set_text(o, "command_uuid", x->command_uuid);
    if (x->attempts != 0)
        js_set_int(o, "attempts", x->attempts);
    if (x->state != ORDER_QUEUED)
        api_set_time(o, "next_at", x->due_at);
    api_set_time(o, "changed_at", x->changed_at);
    api_set_time(o, "done_at", x->done_at);
    return o;
}

static js ids_json(const int64_t *ids, size_t n)
{
    js list = js_array();

    for (size_t i = 0; i < n; i++) {
        char text[24];

        snprintf(text, sizeof text, "%lld", (long long)ids[i]);
        js_append(list, js_new_str(text));
    }
    return list;
}

static js blueprint_json(const struct blueprint *b)
{
    js o = js_object();

    js_set_int(o, "version", b->number);
    js_set(o, "items", ids_json(b->items, b->nitems));
    js_set(o, "command_ids", ids_json(b->orders, b->norders));
    api_set_text(o, "note", b->note);
    api_set_time(o, "created_at", b->created_at);
    api_set_text(o, "created_by", b->created_by);
    return o;
}

static void tell(struct req *req, struct resp *resp, struct db *db, int64_t group)
{
    struct blueprint b;
    struct standing *s = NULL;
    struct err err = {0};
    size_t n = 0;
    js root, list;
    enum outcome o = blueprint_now(db, group, req->arena, &b, &err);

    if (o == OK)
        o = standing_list(db, group, req->arena, &s, &n, &err);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = blueprint_json(&b);
    list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, standing_json(&s[i]));
    js_set(root, "commands", list);
    api_json(resp, 200, &root);
}

void blueprint_answer(struct app *app, struct req *req, struct resp *resp, int64_t group)
{
    struct db *db = NULL;

    if (!api_db(app, resp, &db))
        return;
    tell(req, resp, db, group);
    db_pool_give(app->pool, &db);
}

void blueprint_versions(struct app *app, struct req *req, struct resp *resp, int64_t group)
{
    struct blueprint *b = NULL;
    struct err err = {0};
    struct db *db = NULL;
    int64_t before = 0;
    size_t limit, n = 0;
    js root, list;

    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &before) ||
        !api_db(app, resp, &db))
        return;
    enum outcome o = blueprint_list(db, group, before < INT32_MAX ? (int)before : INT32_MAX, limit,
                                    req->arena, &b, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, blueprint_json(&b[i]));
    js_set(root, "versions", list);
    if (n == limit)
        api_set_cursor(root, b[n - 1].number);
    api_json(resp, 200, &root);
}

/* ---- changing ---- */

/* What is asked for, as it is read from a body. */
struct change {
    struct app *app;
    struct req *req;
    struct resp *resp;
    const struct caller *caller;
    struct db *db;
    struct blueprint_save save;
    struct standing *add;
};

static bool refused(struct change *x, const struct err *err, const struct findings *f)
{
    if (f != NULL && f->n > 0)
        api_findings_fail(x->resp, err, f);
    else
        api_fail(x->resp, err);
    return false;
}

static bool ids_of(struct change *x, js body, const char *key, size_t max, const int64_t **ids,
                   size_t *n)
{
    const char *const *text = NULL;
    int64_t *out;
    size_t k;

    if (!api_strings(x->req, x->resp, body, key, max, &text, &k))
        return false;
    if (text == NULL)
        return true; /* as it is */
    out = arena_array(x->req->arena, k + 1, sizeof *out);
    for (size_t i = 0; out != NULL && i < k; i++)
        if (!library_id_read(text[i], &out[i])) {
            resp_json_error(x->resp, 400, "\"%s\" holds something that is no id at place %zu", key,
                            i);
            return false;
        }
    *ids = out;
    *n = k;
    return out != NULL;
}

/* One command as it is written. */
static bool command_read(struct change *x, js one, struct standing *out)
{
    struct standing_put p = {.group_id = x->save.b.group_id,
                             .request_type = js_get_str(one, "request_type"),
                             .keys = js_get(one, "command"),
                             .policy = js_get_str(one, "policy"),
                             .reason = js_get_str(one, "reason")};
    struct findings found = {0};
    struct err err = {0};

    js_get_int(one, "every_days", &p.every_days);
    if (p.keys != NULL && js_type_of(p.keys) != JS_OBJECT) {
        resp_json_error(x->resp, 400, "\"command\" must be an object with the command's keys");
        return false;
    }
    return standing_make(x->db, x->app->conf, x->req->arena, &p, out, &found, &err) == OK ||
           refused(x, &err, &found);
}

static bool add_read(struct change *x, js list)
{
    size_t n = list != NULL ? js_size(list) : 0;

    if (list != NULL && (js_type_of(list) != JS_ARRAY || n > BLUEPRINT_ORDERS)) {
        resp_json_error(x->resp, 400, "\"add\" must be an array of at most %u commands",
                        BLUEPRINT_ORDERS);
        return false;
    }
    x->add = arena_array(x->req->arena, n + 1, sizeof *x->add);
    for (size_t i = 0; x->add != NULL && i < n; i++)
        if (!command_read(x, js_at(list, i), &x->add[i]))
            return false;
    x->save.add = x->add;
    x->save.nadd = n;
    return x->add != NULL;
}

/* Who assigns a command sends it: the key must hold what sending it would take. */
static bool permitted(struct change *x)
{
    const struct apikey key = {.scopes = x->caller->scopes};
    bool sensitive = false;
    struct err err = {0};

    if (x->save.nadd + x->save.b.norders == 0)
        return true;
    if (blueprint_sensitive(x->db, x->app->conf, x->req->arena, &x->save.b, x->save.add,
                            x->save.nadd, &sensitive, &err) != OK)
        return refused(x, &err, NULL);
    if (x->save.nadd > 0 && !apikey_allows(&key, "command"))
        resp_json_error(x->resp, 403, "commands are assigned with the scope \"command\" too");
    else if (sensitive && !apikey_allows(&key, "sensitive"))
        resp_json_error(x->resp, 403,
                        "there is a sensitive command among them: the API key lacks the scope "
                        "\"sensitive\"");
    else
        return true;
    return false;
}

static bool begin(struct change *x, struct app *app, struct req *req, const struct caller *caller,
                  struct resp *resp, int64_t group)
{
    struct err err = {0};
    struct blueprint now;

    *x = (struct change){.app = app, .req = req, .resp = resp, .caller = caller};
    if (!api_db(app, resp, &x->db))
        return false;
    if (blueprint_now(x->db, group, req->arena, &now, &err) != OK)
        return refused(x, &err, NULL);
    x->save = (struct blueprint_save){
        .b = now, .base = now.number, .actor = api_actor(req, caller), .now = req->now};
    x->save.b.note = "";
    return true;
}

static bool note_read(struct change *x, js body)
{
    const char *note = js_get_str(body, "note");

    if (js_get(body, "note") == NULL)
        return true;
    if (note != NULL && strlen(note) <= NOTE_MAX) {
        x->save.b.note = note;
        return true;
    }
    resp_json_error(x->resp, 400, "\"note\" must be a text of at most %d octets", NOTE_MAX);
    return false;
}

static void save(struct change *x)
{
    struct err err = {0};

    if (!permitted(x))
        return;
    if (blueprint_put(x->db, x->app->conf, x->req->arena, &x->save, &err) == OK)
        tell(x->req, x->resp, x->db, x->save.b.group_id);
    else
        api_fail(x->resp, &err);
}

void blueprint_post(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp, int64_t group)
{
    static const char *const known[] = {"base", "items", "command_ids", "add", "note"};
    js body = api_body(req, resp, known, 5);
    struct change x = {0};
    int64_t base;

    if (body != NULL && begin(&x, app, req, caller, resp, group)) {
        if (js_get_int(body, "base", &base))
            x.save.base = base >= 0 && base < INT32_MAX ? (int)base : 0;
        if (ids_of(&x, body, "items", BLUEPRINT_ITEMS, &x.save.b.items, &x.save.b.nitems) &&
            ids_of(&x, body, "command_ids", BLUEPRINT_ORDERS, &x.save.b.orders,
                   &x.save.b.norders) &&
            add_read(&x, js_get(body, "add")) && note_read(&x, body))
            save(&x);
    }
    db_pool_give(app->pool, &x.db);
    js_free(&body);
}

void blueprint_command(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp, int64_t group)
{
    static const char *const known[] = {"request_type", "command", "policy",
                                        "every_days",   "reason",  "note"};
    js body = api_body(req, resp, known, 6);
    struct change x = {0};
    struct standing one;

    if (body != NULL && begin(&x, app, req, caller, resp, group) && command_read(&x, body, &one) &&
        note_read(&x, body)) {
        x.save.add = &one;
        x.save.nadd = 1;
        save(&x);
    }
    db_pool_give(app->pool, &x.db);
    js_free(&body);
}

void blueprint_restore(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp, int64_t group)
{
    static const char *const known[] = {"version", "note"};
    js body = api_body(req, resp, known, 2);
    struct change x = {0};
    struct blueprint old;
    struct err err = {0};
    int64_t version = 0;

    if (body != NULL && begin(&x, app, req, caller, resp, group) && note_read(&x, body)) {
        if (!js_get_int(body, "version", &version) || version < 1 || version > INT32_MAX)
            resp_json_error(resp, 400, "\"version\" must be the number of a version");
        else if (blueprint_get(x.db, group, (int)version, req->arena, &old, &err) != OK)
            api_fail(resp, &err);
        else {
            const char *note = x.save.b.note;

            x.save.b = old;
            x.save.b.note = *note ? note : arena_fmt(req->arena, "= %d", (int)version);
            save(&x);
        }
    }
    db_pool_give(app->pool, &x.db);
    js_free(&body);
}

/* ---- one command ---- */

static void order_tell(struct req *req, struct resp *resp, struct db *db, int64_t id)
{
    int64_t counts[ORDER__MAX];
    struct standing s;
    struct err err = {0};
    js root, states;
    enum outcome o = standing_get(db, 0, id, req->arena, &s, &err);

    if (o == OK)
        o = standing_counts(db, id, req->arena, counts, &err);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = standing_json(&s);
    states = js_object();
    for (int i = ORDER_PENDING; i < ORDER__MAX; i++)
        js_set_int(states, device_order_state_name(i), counts[i]);
    js_set(root, "devices", states);
    api_json(resp, 200, &root);
}

static void order_devices(struct req *req, struct resp *resp, struct db *db, int64_t id)
{
    const char *word = req_query(req, "state");
    int state = device_order_state_read(word);
    struct standing_progress *d = NULL;
    struct err err = {0};
    int64_t after = 0;
    size_t limit, n = 0;
    js root, list;

    if (word != NULL && state == 0) {
        resp_json_error(resp, 400, "there is no state \"%.32s\"", word);
        return;
    }
    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &after))
        return;
    if (standing_devices(db, id, state, after, limit, req->arena, &d, &n, &err) != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, device_order_json(&d[i], true));
    js_set(root, "devices", list);
    if (n == limit)
        api_set_cursor(root, d[n - 1].enrollment_id);
    api_json(resp, 200, &root);
}

void api_group_command(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct db *db = NULL;
    const char *word;
    int64_t id;

    (void)caller;
    if (!library_path(req, resp, ORDERS, &id, &word) || !api_db(app, resp, &db))
        return;
    if (word[0] == '\0')
        order_tell(req, resp, db, id);
    else if (strcmp(word, "devices") == 0)
        order_devices(req, resp, db, id);
    else
        resp_json_error(resp, 404, "a command of a group has nothing called \"%.64s\"", word);
    db_pool_give(app->pool, &db);
}

void api_group_command_retry(struct app *app, struct req *req, const struct caller *caller,
                             struct resp *resp)
{
    static const char *const known[] = {"enrollment_id"};
    struct standing s;
    struct err err = {0};
    struct db *db = NULL;
    const char *word;
    uint64_t n = 0;
    int64_t id;
    js body = NULL, root;

    if (!library_path(req, resp, ORDERS, &id, &word))
        return;
    if (strcmp(word, "retry") != 0) {
        resp_json_error(resp, 404, "a command of a group is tried again at {id}/retry");
        return;
    }
    if ((body = api_body(req, resp, known, 1)) == NULL || !api_db(app, resp, &db))
        goto out;
    if (standing_get(db, 0, id, req->arena, &s, &err) == OK &&
        standing_retry(db, id, js_get_str(body, "enrollment_id"), api_actor(req, caller), req->now,
                       &n, &err) == OK) {
        root = js_object();
        js_set_int(root, "devices", (int64_t)n);
        api_json(resp, 200, &root);
    } else {
        api_fail(resp, &err);
    }
out:
    db_pool_give(app->pool, &db);
    js_free(&body);
}

void api_group_command_delete(struct app *app, struct req *req, const struct caller *caller,
                              struct resp *resp)
{
    const char *why = req_query(req, "why");
    struct standing s = {0};
    struct change x = {0};
    struct err err = {0};
    struct db *db = NULL;
    int64_t id, *rest;
    size_t n = 0;

    if (!library_path_whole(req, resp, ORDERS, &id) || !api_db(app, resp, &db))
        return;
    enum outcome o = standing_get(db, 0, id, req->arena, &s, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    if (begin(&x, app, req, caller, resp, s.group_id)) {
        rest = arena_array(req->arena, x.save.b.norders + 1, sizeof *rest);
        for (size_t i = 0; rest != NULL && i < x.save.b.norders; i++)
            if (x.save.b.orders[i] != id)
                rest[n++] = x.save.b.orders[i];
        x.save.b.orders = rest;
        x.save.b.norders = rest != NULL ? n : 0;
        x.save.b.note = why != NULL ? why : "";
        if (rest != NULL && blueprint_put(x.db, app->conf, req->arena, &x.save, &err) == OK)
            resp->status = 204;
        else
            api_fail(resp, &err);
    }
    db_pool_give(app->pool, &x.db);
}
