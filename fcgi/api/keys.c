/* keys.c: /api/v1/keys: keys of this API. A key is told once, when it is made; its SHA-256 is kept.
 * A key gives no more than it has (store/authority.h). */
#include "api/authority.h"

#include "base/clock.h"
#include "wire/encode.h"

#include <stdio.h>

#define PATH "/api/v1/keys/"
#define DAYS_MAX 3650

/* The words of the scopes as an array. */
static js scopes_array(const char *scopes)
{
    js list = js_array();
    char word[APIKEY_SCOPES_MAX + 1];

    while (*scopes != '\0') {
        size_t n = strcspn(scopes, " ");

        snprintf(word, sizeof word, "%.*s", (int)n, scopes);
        js_append(list, js_new_str(word));
        scopes += n;
        scopes += *scopes == ' ';
    }
    return list;
}

static js key_object(const void *row, const void *arg)
{
    const struct apikey *k = row;
    const int64_t now = *(const int64_t *)arg;
    js o = js_object();

    js_set_str(o, "name", k->name);
    js_set(o, "scopes", scopes_array(k->scopes));
    js_set_bool(o, "limited", k->limited);
    js_set_bool(o, "works", k->revoked_at == 0 && (k->expires_at == 0 || k->expires_at > now));
    api_set_text(o, "created_by", k->created_by);
    api_set_time(o, "created_at", k->created_at);
    api_set_time(o, "expires_at", k->expires_at);
    api_set_time(o, "revoked_at", k->revoked_at);
    api_set_time(o, "last_used_at", k->last_used_at);
    return o;
}

void api_keys(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct apikey *k = NULL;
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    enum outcome o = apikey_list(db, req->arena, &k, &n, &err);
    db_pool_give(app->pool, &db);
    js root = o == OK ? api_rows("keys", k, n, sizeof *k, key_object, &req->now) : NULL;
    api_answer(resp, 200, o, &err, &root);
}

/* Answers with the key's row as it is now, and the key itself where it was made. */
static void answer(struct db *db, struct req *req, struct resp *resp, int status, const char *name,
                   const char *secret)
{
    struct apikey k;
    struct err err = {0};
    enum outcome o = apikey_get(db, name, req->arena, &k, &err);
    js root = o == OK ? key_object(&k, &req->now) : NULL;

    if (o == OK)
        o = api_scope_set(db, req, SCOPE_KEY, name, root, &err);
    if (o == OK)
        api_set_secret(resp, root, "key", secret);
    api_answer(resp, status, o, &err, &root);
}

void api_key(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *name;
    struct db *db = NULL;
    size_t n;

    (void)caller;
    if (!api_segments(req, resp, PATH, &name, 1, &n) || !api_db(app, resp, &db))
        return;
    answer(db, req, resp, 200, name, NULL);
    db_pool_give(app->pool, &db);
}

/* The words of "scopes", one after the other. NULL: refused. */
static const char *scopes_read(struct req *req, struct resp *resp, js body)
{
    struct buf b = BUF_INIT(APIKEY_SCOPES_MAX + 1);
    const char *const *list, *text = NULL;
    size_t n;

    if (!api_strings(req, resp, body, "scopes", APIKEY_SCOPES_MAX, &list, &n))
        return NULL;
    for (size_t i = 0; i < n; i++)
        buf_fmt(&b, "%s%s", i > 0 ? " " : "", list[i]);
    if (n > 0 && !buf_failed(&b))
        text = arena_strdup(req->arena, buf_cstr(&b));
    buf_free(&b);
    if (text == NULL)
        resp_json_error(resp, 400, "\"scopes\" must be words, or \"*\" alone, of %d octets in all",
                        APIKEY_SCOPES_MAX);
    return text;
}

static void make(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                 js body)
{
    const char *name = js_get_str(body, "name"), *scopes;
    struct authority a = api_authority(req, caller);
    char key[APIKEY_LEN + 1];
    const struct scope *scope;
    struct scope room;
    struct err err = {0};
    struct db *db = NULL;
    int64_t days = 0;

    if (name == NULL) {
        resp_json_error(resp, 400, "\"name\" must be the name of the key");
        return;
    }
    if (js_get(body, "days") != NULL &&
        (!js_get_int(body, "days", &days) || days < 1 || days > DAYS_MAX)) {
        resp_json_error(resp, 400, "\"days\" must be from 1 to %d", DAYS_MAX);
        return;
    }
    scopes = scopes_read(req, resp, body);
    if (scopes == NULL || !api_scope_read(req, resp, body, &room, &scope) ||
        !api_db(app, resp, &db))
        return;
    if (authority_key_add(db, &a, name, scopes, days != 0 ? req->now + days * DAY_US : 0, scope,
                          key, &err) == OK)
        answer(db, req, resp, 201, name, key);
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
    secret_wipe(key, sizeof key);
}

void api_key_add(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char *const known[] = {"name", "scopes", "groups", "days"};
    js body = api_body(req, resp, known, 4);

    if (body == NULL)
        return;
    make(app, req, caller, resp, body);
    js_free(&body);
}

/* Limits it, or (scope NULL) revokes it. */
static void change(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                   const char *name, const struct scope *scope)
{
    struct authority a = api_authority(req, caller);
    struct err err = {0};
    struct db *db = NULL;

    if (!api_db(app, resp, &db))
        return;
    if (authority_key_change(db, &a, name, scope, &err) != OK)
        api_fail(resp, &err);
    else if (scope != NULL)
        answer(db, req, resp, 200, name, NULL);
    else
        resp->status = 204;
    db_pool_give(app->pool, &db);
}

void api_key_patch(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char *const known[] = {"groups"};
    const struct scope *scope;
    struct scope room;
    const char *name;
    size_t n;
    js body;

    if (!api_segments(req, resp, PATH, &name, 1, &n) ||
        (body = api_body(req, resp, known, 1)) == NULL)
        return;
    if (api_scope_read(req, resp, body, &room, &scope)) {
        if (scope != NULL)
            change(app, req, caller, resp, name, scope);
        else
            resp_json_error(resp, 400, "\"groups\" must be an array of ids, or null");
    }
    js_free(&body);
}

void api_key_delete(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    const char *name;
    size_t n;

    if (api_segments(req, resp, PATH, &name, 1, &n))
        change(app, req, caller, resp, name, NULL);
}
