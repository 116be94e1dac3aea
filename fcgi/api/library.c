/* library.c: see library.h. */
#include "api/library.h"

#include "api/jobs.h"

#include "base/limits.h"
#include "command/platform.h"
#include "library/app_sweep.h"
#include "library/edit.h"
#include "library/profiles.h"
#include "library/variables.h"
#include "store/itemcount.h"
#include "store/wanted.h"
#include "wire/encode.h"

#include <stdio.h>

static js words_json(const char *words)
{
    js list = js_array();

    for (const char *p = words; *p != '\0'; p += strspn(p, " ")) {
        char word[LIM_IDENT + 1];
        size_t n = strcspn(p, " ");

        snprintf(word, sizeof word, "%.*s", (int)n, p);
        js_append(list, js_new_str(word));
        p += n;
    }
    return list;
}

static js platforms_json(unsigned bits)
{
    js list = js_array();

    for (enum platform p = PLATFORM_IOS; p < PLATFORM__MAX; p++)
        if (bits & (1u << p))
            js_append(list, js_new_str(platform_name(p)));
    return list;
}

static js variables_json(unsigned bits)
{
    js list = js_array();

    for (size_t i = 0; variable_name(i) != NULL; i++)
        if (bits & (1u << i))
            js_append(list, js_new_str(variable_name(i)));
    return list;
}

js library_version_json(const struct library_version *v, int kind)
{
    char hex[SHA256_HEX_LEN + 1];
    struct err ignored;
    js o = js_object(), details = NULL;

    js_set_int(o, "version", v->number);
    js_set_str(o, kind == LIBRARY_APP ? "app_version" : "uuid", v->uuid);
    js_set_int(o, "size", v->size);
    hex_encode(bytes_of(v->sha256, sizeof v->sha256), hex);
    js_set_str(o, "sha256", hex);
    api_set_text(o, "signed_by", v->signed_by);
    if (kind == LIBRARY_PROFILE) {
        js_set(o, "payload_types", words_json(v->types));
        js_set(o, "variables", variables_json(v->variables));
    }
    js_set(o, "platforms", platforms_json(v->platforms));
    api_set_time(o, "expires_at", v->expires_at);
    api_set_time(o, "created_at", v->created_at);
    api_set_text(o, "created_by", v->created_by);
    if (js_parse(bytes_str(v->details), &details, &ignored) == OK)
        js_set(o, "details", details);
    return o;
}

js library_item_json(const struct library_item *i)
{
    struct err ignored;
    js o = js_object(), settings = NULL;

    api_set_id(o, "id", i->id);
    js_set_str(o, "kind", library_kind_name(i->kind));
    js_set_str(o, "identifier", i->identifier);
    js_set_str(o, "name", i->name);
    js_set_int(o, "version", i->version);
    if (i->kind == LIBRARY_PROFILE) {
        js_set_str(o, "signing", profile_signing_name(i->signing));
        js_set_bool(o, "encrypt", i->encrypt);
        js_set_str(o, "channel", profile_channel_name(i->channel));
        js_set_bool(o, "for_users", profile_for_users(i));
    }
    api_set_id(o, "after", i->after_id);
    js_set_bool(o, "after_passcode", i->after_passcode);
    js_set_int(o, "wave_first", i->wave_first);
    js_set_int(o, "halt_percent", i->halt_percent);
    if (i->kind == LIBRARY_APP) {
        js_set_int(o, "feedback_hours", i->app.feedback_hours);
        js_set_bool(o, "feedback_delete", i->app.feedback_delete);
        js_set_int(o, "update_hours", i->app.update_hours);
        js_set_int(o, "codes_low", i->app.codes_low);
        js_set(o, "variables", variables_json(i->app.variables));
    }
    if (i->settings[0] != '\0' && js_parse(bytes_str(i->settings), &settings, &ignored) == OK)
        js_set(o, "settings", settings);
    api_set_time(o, "created_at", i->created_at);
    api_set_text(o, "created_by", i->created_by);
    api_set_time(o, "changed_at", i->changed_at);
    api_set_text(o, "changed_by", i->changed_by);
    js_set(o, "current", library_version_json(&i->current, i->kind));
    return o;
}

void api_findings_fail(struct resp *resp, const struct err *err, const struct findings *f)
{
    js root, list;

    if (err->outcome != INVALID || f->n == 0) {
        api_fail(resp, err);
        return;
    }
    root = js_object();
    list = js_array();
    for (size_t i = 0; i < f->n; i++) {
        js o = js_object();

        js_set_str(o, "severity", f->list[i].error ? "error" : "warning");
        js_set_str(o, "path", f->list[i].path);
        js_set_str(o, "text", f->list[i].text);
        js_append(list, o);
    }
    js_set(root, "findings", list);
    api_problem(resp, 400, &root, err->msg);
}

/* An item of one of the kinds, with a connection that the caller gives back. */
static bool item_take(struct app *app, struct req *req, struct resp *resp, unsigned kinds,
                      int64_t id, struct db **db, struct library_item *out)
{
    struct err err = {0};
    enum outcome o;

    if (!api_db(app, resp, db))
        return false;
    o = library_get(*db, id, req->arena, out, &err);
    if (o == OK && !(kinds & (1u << out->kind)))
        o = err_set(&err, NOT_FOUND, "%lld is a %s", (long long)id, library_kind_name(out->kind));
    if (o == OK)
        return true;
    db_pool_give(app->pool, db);
    api_fail(resp, &err);
    return false;
}

/* The kind that the query asks for; 0: all; -1: refused. */
static int kind_asked(struct req *req, struct resp *resp, unsigned kinds)
{
    const char *word = req_query(req, "kind");

    for (int k = LIBRARY_PROFILE; k <= LIBRARY_APP; k++)
        if ((kinds & (1u << k)) && word != NULL && strcmp(library_kind_name(k), word) == 0)
            return k;
    if (word == NULL)
        return kinds == 1u << LIBRARY_APP ? LIBRARY_APP : 0;
    resp_json_error(resp, 400, "there is no kind \"%.64s\" here", word);
    return -1;
}

void library_list_answer(struct app *app, struct req *req, struct resp *resp, unsigned kinds)
{
    int kind = kind_asked(req, resp, kinds);
    struct library_item *list = NULL;
    struct err err = {0};
    struct db *db = NULL;
    int64_t after = 0;
    size_t limit, n = 0;
    js root, out;

    if (kind < 0 || !api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &after) ||
        !api_db(app, resp, &db))
        return;
    enum outcome o =
        library_list(db, kind, req_query(req, "search"), after, limit, req->arena, &list, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    out = js_array();
    for (size_t i = 0; i < n; i++)
        if (kinds & (1u << list[i].kind))
            js_append(out, library_item_json(&list[i]));
    js_set(root, kinds == 1u << LIBRARY_APP ? "apps" : "profiles", out);
    if (n == limit)
        api_set_id(root, "next_cursor", list[n - 1].id);
    api_json(resp, 200, &root);
}

void library_item_answer(struct app *app, struct req *req, struct resp *resp, unsigned kinds,
                         int64_t id)
{
    struct library_item i;
    struct db *db = NULL;
    js root;

    if (!item_take(app, req, resp, kinds, id, &db, &i))
        return;
    db_pool_give(app->pool, &db);
    root = library_item_json(&i);
    api_json(resp, 200, &root);
}

void library_versions_answer(struct app *app, struct req *req, struct resp *resp, unsigned kinds,
                             int64_t id)
{
    struct library_version *v = NULL;
    struct library_item i;
    struct err err = {0};
    struct db *db = NULL;
    int64_t before = 0;
    size_t limit, n = 0;
    js root, list;

    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &before) ||
        !item_take(app, req, resp, kinds, id, &db, &i))
        return;
    enum outcome o = library_versions(db, id, before > INT32_MAX ? INT32_MAX : (int)before, limit,
                                      req->arena, &v, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    list = js_array();
    for (size_t k = 0; k < n; k++)
        js_append(list, library_version_json(&v[k], i.kind));
    js_set(root, "versions", list);
    if (n == limit)
        api_set_id(root, "next_cursor", v[n - 1].number);
    api_json(resp, 200, &root);
}

/* ---- changing ---- */

void library_patch(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                   unsigned kinds, int64_t id)
{
    struct library_item i;
    struct err err = {0};
    struct db *db = NULL;
    js body = NULL;

    if (js_parse(req->body, &body, &err) != OK) {
        api_fail(resp, &err);
        return;
    }
    if (item_take(app, req, resp, kinds, id, &db, &i)) {
        if (library_edit(db, req->arena, &i, body, api_actor(req, caller), req->now, &err) == OK) {
            js root = library_item_json(&i);
            api_json(resp, 200, &root);
        } else {
            api_fail(resp, &err);
        }
        db_pool_give(app->pool, &db);
    }
    js_free(&body);
}

void library_remove(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp, unsigned kinds, int64_t id)
{
    const char *why = req_query(req, "why");
    struct library_item i;
    struct err err = {0};
    struct db *db = NULL;

    if (!item_take(app, req, resp, kinds, id, &db, &i))
        return;
    if (library_delete(db, id, api_actor(req, caller), why != NULL ? why : "no reason given",
                       req->now, &err) == OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
    if (resp->status == 204 && i.kind == LIBRARY_APP)
        app_sweep(db, app->conf, req->now);
    db_pool_give(app->pool, &db);
}

void library_devices_answer(struct app *app, struct req *req, struct resp *resp, unsigned kinds,
                            int64_t id)
{
    const char *word = req_query(req, "state");
    int state = wanted_state_read(word);
    int64_t counts[WANTED__MAX], after = 0;
    struct wanted_row *x = NULL;
    struct library_item i;
    struct err err = {0};
    struct db *db = NULL;
    size_t limit, n = 0;
    js root, list, sums;

    if (word != NULL && state == 0) {
        resp_json_error(resp, 400, "there is no state \"%.64s\"", word);
        return;
    }
    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &after) ||
        !item_take(app, req, resp, kinds, id, &db, &i))
        return;
    enum outcome o = wanted_of_item(db, id, state, after, limit, req->arena, &x, &n, &err);
    if (o == OK)
        o = item_count_states(db, id, 0, req->arena, counts, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    list = js_array();
    sums = js_object();
    for (int s = WANTED_PENDING; s <= WANTED_INSTALLING; s++)
        js_set_int(sums, wanted_state_name(s), counts[s]);
    js_set(root, "counts", sums);
    for (size_t k = 0; k < n; k++)
        js_append(list, wanted_json(&x[k], true));
    js_set(root, "devices", list);
    if (n == limit)
        api_set_id(root, "next_cursor", x[n - 1].enrollment_id);
    api_json(resp, 200, &root);
}

bool library_rollout(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp, unsigned kinds, int64_t id, const char *word)
{
    const char *why = req_query(req, "why"), *ident = req_query(req, "enrollment_id");
    const char *by = api_actor(req, caller);
    bool stop = strcmp(word, "stop") == 0, resume = strcmp(word, "resume") == 0;
    struct library_item i;
    struct err err = {0};
    struct db *db = NULL;
    uint64_t n = 0;
    enum outcome o;

    if (!stop && !resume && strcmp(word, "retry") != 0)
        return false;
    why = why != NULL ? why : "no reason given";
    if (!item_take(app, req, resp, kinds, id, &db, &i))
        return true;
    if (!stop && !resume && ident == NULL) {
        api_job_begin(req, caller, resp, db, &(struct bulk_job){.task = BULK_ITEM, .item_id = id});
        db_pool_give(app->pool, &db);
        return true;
    }
    o = stop     ? rollout_stop(db, id, by, why, req->now, &err)
        : resume ? rollout_resume(db, id, by, why, req->now, &err)
                 : wanted_retry(db, id, ident, by, req->now, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return true;
    }
    js root = js_object();
    js_set_int(root, "devices", (int64_t)n);
    api_json(resp, 200, &root);
    return true;
}
