/* groups.c: /api/v1/groups, /api/v1/tags and /api/v1/filter-facts: which devices belong together.
 */
#include "api/blueprint.h"
#include "api/library.h"

#include "base/limits.h"
#include "library/edit.h"
#include "library/standing.h"
#include "store/account.h"
#include "store/filter.h"
#include "store/group.h"
#include "store/member.h"

#define PREFIX "/api/v1/groups/"
#define NAME_MAX 128
#define TAG_MAX 64

/* whole: with its filter, which names what others are to see alone. */
static js group_json(const struct device_group *g, bool whole)
{
    struct err ignored;
    js o = js_object(), filter = NULL;

    api_set_id(o, "id", g->id);
    js_set_str(o, "name", g->name);
    if (whole && g->filter[0] != '\0' && js_parse(bytes_str(g->filter), &filter, &ignored) == OK)
        js_set(o, "filter", filter);
    api_set_text(o, "note", g->note);
    js_set_int(o, "devices", g->members);
    api_set_time(o, "evaluated_at", g->evaluated_at);
    if (g->evaluated_us != 0)
        js_set_int(o, "evaluated_ms", g->evaluated_us / 1000);
    api_set_time(o, "created_at", g->created_at);
    api_set_text(o, "created_by", g->created_by);
    api_set_time(o, "changed_at", g->changed_at);
    api_set_text(o, "changed_by", g->changed_by);
    return o;
}

static void answer_group(struct app *app, struct req *req, struct resp *resp, int64_t id,
                         int status)
{
    struct device_group g;
    struct err err = {0};
    struct db *db = NULL;
    js root;

    if (!api_db(app, resp, &db))
        return;
    if (group_get(db, id, req->arena, &g, &err) == OK) {
        root = group_json(&g, group_changes(db, g.owner));
        api_json(resp, status, &root);
    } else {
        api_fail(resp, &err);
    }
    db_pool_give(app->pool, &db);
}

void api_groups(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct device_group *g = NULL;
    struct err err = {0};
    struct db *db = NULL;
    int64_t after = 0;
    size_t limit, n = 0;
    js root, list;

    (void)caller;
    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &after) ||
        !api_db(app, resp, &db))
        return;
    enum outcome o = group_list(db, after, limit, req->arena, &g, &n, &err);
    list = js_array();
    for (size_t i = 0; o == OK && i < n; i++)
        js_append(list, group_json(&g[i], group_changes(db, g[i].owner)));
    db_pool_give(app->pool, &db);
    if (o != OK) {
        js_free(&list);
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    js_set(root, "groups", list);
    if (n == limit)
        api_set_id(root, "next_cursor", g[n - 1].id);
    api_json(resp, 200, &root);
}

/* Takes over what the body has. False: resp holds the refusal. */
static bool group_read(struct req *req, struct resp *resp, js body, struct device_group *g)
{
    const char *name = js_get_str(body, "name"), *note = js_get_str(body, "note");
    js filter = js_get(body, "filter");
    struct filter ignored;

    if (js_get(body, "name") != NULL)
        g->name = name != NULL && strlen(name) <= NAME_MAX ? arena_strdup(req->arena, name) : NULL;
    if (g->name == NULL || g->name[0] == '\0') {
        resp_json_error(resp, 400, "\"name\" must be a text of 1 to %d octets", NAME_MAX);
        return false;
    }
    if (js_get(body, "note") != NULL && (note == NULL || strlen(note) > LIM_IDENT ||
                                         (g->note = arena_strdup(req->arena, note)) == NULL)) {
        resp_json_error(resp, 400, "\"note\" must be a text of at most %u octets", LIM_IDENT);
        return false;
    }
    return filter == NULL || js_type_of(filter) == JS_NULL ||
           api_filter(req, resp, filter, &ignored, &g->filter);
}

/* Who brings devices where a sensitive command waits for them sends it: the key must hold what that
 * would take. False: resp holds the refusal. */
static bool may_bring(struct app *app, struct db *db, struct req *req, const struct caller *caller,
                      struct resp *resp, int64_t group, const char *tag)
{
    const struct apikey key = {.scopes = caller->scopes};
    struct err err = {0};
    bool harms;

    if (standing_harms(db, app->conf, req->arena, group, tag, &harms, &err) != OK)
        api_fail(resp, &err);
    else if (harms && !apikey_allows(&key, "sensitive"))
        resp_json_error(resp, 403,
                        "a device that comes in gets a sensitive command: the API key lacks the "
                        "scope \"sensitive\"");
    else
        return true;
    return false;
}

static void save(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                 int64_t id)
{
    static const char *const known[] = {"name", "note", "filter"};
    struct device_group g = {.filter = "", .note = ""};
    struct err err = {0};
    struct db *db = NULL;
    js body = api_body(req, resp, known, 3);
    bool saved = false;

    if (body == NULL || !api_db(app, resp, &db))
        goto out;
    if (id != 0 && group_get(db, id, req->arena, &g, &err) != OK) {
        api_fail(resp, &err);
        goto out;
    }
    if (!group_read(req, resp, body, &g) || (id != 0 && js_get(body, "filter") != NULL &&
                                             !may_bring(app, db, req, caller, resp, id, NULL)))
        goto out;
    saved = group_save(db, &g, api_actor(req, caller), req->now, &err) == OK;
    if (!saved)
        api_fail(resp, &err);
out:
    db_pool_give(app->pool, &db);
    js_free(&body);
    if (saved)
        answer_group(app, req, resp, g.id, id != 0 ? 200 : 201);
}

void api_group_add(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    save(app, req, caller, resp, 0);
}

static void members(struct app *app, struct req *req, struct resp *resp, int64_t id)
{
    struct group_device *d = NULL;
    struct err err = {0};
    struct db *db = NULL;
    int64_t after = 0;
    size_t limit, n = 0;
    js root, list;

    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &after) ||
        !api_db(app, resp, &db))
        return;
    enum outcome o = group_members(db, id, after, limit, req->arena, &d, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    list = js_array();
    for (size_t i = 0; i < n; i++) {
        js one = js_object();

        js_set_str(one, "enrollment_id", d[i].ident);
        api_set_text(one, "serial_number", d[i].serial);
        api_set_text(one, "device_name", d[i].device_name);
        api_set_time(one, "since", d[i].since);
        js_append(list, one);
    }
    js_set(root, "devices", list);
    if (n == limit)
        api_set_id(root, "next_cursor", d[n - 1].id);
    api_json(resp, 200, &root);
}

/* The lists of a body with "add" and "remove". */
static bool edit_read(struct req *req, struct resp *resp, js body, struct group_edit *e)
{
    return api_strings(req, resp, body, "add", LIM_IDS, &e->add, &e->nadd) &&
           api_strings(req, resp, body, "remove", LIM_IDS, &e->remove, &e->nremove);
}

static void edit_answer(struct resp *resp, const struct group_edit *e)
{
    js root = js_object();

    js_set_int(root, "unknown", (int64_t)e->unknown);
    api_json(resp, 200, &root);
}

static void members_edit(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp, int64_t id)
{
    static const char *const known[] = {"add", "remove"};
    struct group_edit e = {0};
    struct err err = {0};
    struct db *db = NULL;
    js body = api_body(req, resp, known, 2);

    if (body != NULL && edit_read(req, resp, body, &e) && api_db(app, resp, &db)) {
        if (e.nadd == 0 || may_bring(app, db, req, caller, resp, id, NULL)) {
            if (group_edit(db, id, &e, api_actor(req, caller), req->now, &err) == OK)
                edit_answer(resp, &e);
            else
                api_fail(resp, &err);
        }
        db_pool_give(app->pool, &db);
    }
    js_free(&body);
}

void api_group(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *word;
    int64_t id;

    (void)caller;
    if (!library_path(req, resp, PREFIX, &id, &word))
        return;
    if (word[0] == '\0')
        answer_group(app, req, resp, id, 200);
    else if (strcmp(word, "devices") == 0)
        members(app, req, resp, id);
    else if (strcmp(word, "blueprint") == 0)
        blueprint_answer(app, req, resp, id);
    else if (strcmp(word, "versions") == 0)
        blueprint_versions(app, req, resp, id);
    else
        resp_json_error(resp, 404, "a group has nothing called \"%.64s\"", word);
}

void api_group_change(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    int64_t id;

    if (library_path_whole(req, resp, PREFIX, &id))
        save(app, req, caller, resp, id);
}

void api_group_devices(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    const char *word;
    int64_t id;

    if (!library_path(req, resp, PREFIX, &id, &word))
        return;
    if (strcmp(word, "devices") == 0)
        members_edit(app, req, caller, resp, id);
    else if (strcmp(word, "blueprint") == 0)
        blueprint_post(app, req, caller, resp, id);
    else if (strcmp(word, "commands") == 0)
        blueprint_command(app, req, caller, resp, id);
    else if (strcmp(word, "restore") == 0)
        blueprint_restore(app, req, caller, resp, id);
    else
        resp_json_error(resp, 404,
                        "a group takes devices, blueprint, commands and restore behind its id");
}

void api_group_delete(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    const char *why = req_query(req, "why");
    struct err err = {0};
    struct db *db = NULL;
    int64_t id;

    if (!library_path_whole(req, resp, PREFIX, &id) || !api_db(app, resp, &db))
        return;
    if (group_delete(db, id, api_actor(req, caller), why != NULL ? why : "no reason given",
                     req->now, &err) == OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
}

/* ---- tags ---- */

void api_tags(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct tag_count *t = NULL;
    struct err err = {0};
    struct db *db = NULL;
    size_t n = 0;
    js root, list;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    enum outcome o = tag_list(db, req->arena, &t, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    list = js_array();
    for (size_t i = 0; i < n; i++) {
        js one = js_object();

        js_set_str(one, "tag", t[i].tag);
        js_set_int(one, "devices", t[i].devices);
        js_append(list, one);
    }
    js_set(root, "tags", list);
    api_json(resp, 200, &root);
}

void api_tags_edit(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char *const known[] = {"tag", "add", "remove"};
    struct group_edit e = {0};
    struct err err = {0};
    struct db *db = NULL;
    js body = api_body(req, resp, known, 3);
    const char *tag = js_get_str(body, "tag");

    if (body == NULL)
        return;
    if (tag == NULL || tag[0] == '\0' || strlen(tag) > TAG_MAX)
        resp_json_error(resp, 400, "\"tag\" must be a word of 1 to %d octets", TAG_MAX);
    else if (edit_read(req, resp, body, &e) && api_db(app, resp, &db)) {
        if (may_bring(app, db, req, caller, resp, 0, tag)) {
            if (tag_edit(db, tag, &e, api_actor(req, caller), req->now, &err) == OK)
                edit_answer(resp, &e);
            else
                api_fail(resp, &err);
        }
        db_pool_give(app->pool, &db);
    }
    js_free(&body);
}

void api_filter_facts(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    js root = js_object(), list = js_array(), types = js_object();

    (void)app, (void)req, (void)caller;
    for (size_t i = 0; filter_fact_name(i) != NULL; i++) {
        js_append(list, js_new_str(filter_fact_name(i)));
        js_set_str(types, filter_fact_name(i),
                   filter_type_name(filter_fact_type(filter_fact_name(i))));
    }
    js_set(root, "facts", list);
    js_set(root, "types", types);
    api_json(resp, 200, &root);
}
