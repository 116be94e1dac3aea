/* settings.c: /api/v1/settings: what the programs go by, where it comes from, and changing what may
 * be changed while they run. */
#include "api/api.h"

#include "base/limits.h"
#include "store/setting.h"

#include <stdlib.h>

static const char *type_of(const struct conf_key *k)
{
    return k->type == ENUM   ? "choice"
           : k->type == BOOL ? "boolean"
           : k->type == INT  ? "integer"
                             : conf_key_kind(k);
}

static js value_of(const struct setting_now *s, const char *text)
{
    switch (s->key->type) {
    case BOOL:
        return js_new_bool(strcmp(text, "yes") == 0);
    case INT:
        return js_new_int(strtoll(text, NULL, 10));
    default:
        return js_new_str(text);
    }
}

static js choices_of(const struct conf_key *k, struct arena *a)
{
    js list = js_array();

    for (const char *p = k->choices; p != NULL && *p != '\0'; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");

        js_append(list, js_new_str(arena_strndup(a, p, n)));
        p += n;
    }
    return list;
}

static js setting_object(const struct setting_now *s, struct arena *a)
{
    const struct conf_key *k = s->key;
    js o = js_object();

    js_set_str(o, "name", s->name);
    js_set_str(o, "type", type_of(k));
    js_set(o, "value", value_of(s, s->value));
    js_set(o, "default", value_of(s, k->def));
    js_set_str(o, "origin", s->origin);
    js_set_bool(o, "changeable", k->live && strcmp(s->origin, "file") != 0);
    if (k->type == ENUM)
        js_set(o, "choices", choices_of(k, a));
    if (k->type == INT && k->live) {
        js_set_int(o, "minimum", k->min);
        js_set_int(o, "maximum", k->max);
    }
    js_set_str(o, "about", k->help);
    api_set_time(o, "changed_at", s->changed_at);
    api_set_text(o, "changed_by", s->changed_by);
    return o;
}

/* Those that may be changed while the programs run; all: the whole configuration. */
static void answer(struct app *app, struct req *req, struct resp *resp, struct db *db, bool all)
{
    struct setting_now *s;
    struct err err = {0};
    int64_t version;

    if (setting_now(db, app->conf, req->arena, &s, &version, &err) != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < conf_keys_n; i++)
        if (all || s[i].key->live)
            js_append(list, setting_object(&s[i], req->arena));
    js_set_int(root, "version", version);
    js_set(root, "settings", list);
    api_json(resp, 200, &root);
}

void api_settings(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct db *db = NULL;
    bool all = false;

    (void)caller;
    if (!api_flag(req, resp, "all", &all) || !api_db(app, resp, &db))
        return;
    answer(app, req, resp, db, all);
    db_pool_give(app->pool, &db);
}

/* ---- changing ---- */

struct edit {
    struct arena *a;
    struct setting_change *x;
    size_t n;
    const char *wrong;
};

/* A value as drover.conf would have it; null takes the setting back. */
static bool change_add(const char *key, js value, void *arg)
{
    struct edit *e = arg;
    struct setting_change *x = &e->x[e->n++];
    int64_t number;
    bool yes;

    *x = (struct setting_change){.name = arena_strdup(e->a, key)};
    if (js_bool(value, &yes))
        x->value = yes ? "yes" : "no";
    else if (js_int(value, &number))
        x->value = arena_fmt(e->a, "%lld", (long long)number);
    else if (js_str(value) != NULL)
        x->value = arena_strdup(e->a, js_str(value));
    if (x->name == NULL || (x->value == NULL && js_type_of(value) != JS_NULL))
        e->wrong = x->name != NULL ? x->name : "";
    return e->wrong == NULL;
}

static bool edit_read(struct req *req, struct resp *resp, js body, struct edit *e, int64_t *version)
{
    js list = js_get(body, "settings");
    size_t n = js_size(list);

    *e = (struct edit){.a = req->arena};
    *version = 0;
    if (js_type_of(list) != JS_OBJECT || n == 0 || n > conf_keys_n) {
        resp_json_error(resp, 400,
                        "\"settings\" must be an object of names like \"inactive.days\" and "
                        "values; null takes one back");
        return false;
    }
    if (js_get(body, "version") != NULL &&
        (!js_get_int(body, "version", version) || *version < 1)) {
        resp_json_error(resp, 400, "\"version\" must be the number that GET told");
        return false;
    }
    e->x = arena_array(req->arena, n, sizeof *e->x);
    if (e->x == NULL) {
        resp_json_error(resp, 400, "\"settings\" is too long");
        return false;
    }
    js_each(list, change_add, e);
    if (e->wrong != NULL)
        resp_json_error(resp, 400, "\"%.60s\" must be a string, a number, true, false or null",
                        e->wrong);
    return e->wrong == NULL;
}

void api_settings_patch(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    static const char *const known[] = {"settings", "version"};
    struct err err = {0};
    struct db *db = NULL;
    struct edit e;
    int64_t version;
    js body = api_body(req, resp, known, 2);

    if (body != NULL && edit_read(req, resp, body, &e, &version) && api_db(app, resp, &db)) {
        if (setting_save(db, app->conf, e.x, e.n, version, api_actor(req, caller), &err) == OK)
            answer(app, req, resp, db, false);
        else
            api_fail(resp, &err);
        db_pool_give(app->pool, &db);
    }
    js_free(&body);
}
