/* users.c: /api/v1/users, the local users: people who enrol devices and log in on Macs. */
#include "api/api.h"

#include "store/enroluser.h"
#include "wire/encode.h"

#define PATH "/api/v1/users/"

static js user_object(const void *row, const void *arg)
{
    const struct enroluser *u = row;
    js o = js_object();

    (void)arg;
    js_set_str(o, "name", u->name);
    api_set_text(o, "full_name", u->full_name);
    api_set_text(o, "managed_account", u->managed_account);
    api_set_time(o, "created_at", u->created_at);
    api_set_time(o, "password_at", u->password_at);
    api_set_time(o, "disabled_at", u->disabled_at);
    return o;
}

void api_users(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *after = req_query(req, "cursor"), *search = req_query(req, "search");
    struct enroluser *u = NULL;
    struct err err = {0};
    struct db *db = NULL;
    size_t limit, n;

    (void)caller;
    if (!api_limit(req, resp, &limit) || !api_db(app, resp, &db))
        return;
    enum outcome o = enroluser_list(db, search != NULL ? search : "", after != NULL ? after : "",
                                    limit, req->arena, &u, &n, &err);
    db_pool_give(app->pool, &db);
    js root = o == OK ? api_rows("users", u, n, sizeof *u, user_object, NULL) : NULL;
    if (o == OK && n == limit)
        js_set_str(root, "next_cursor", u[n - 1].name);
    api_answer(resp, 200, o, &err, &root);
}

/* Answers with the user as it is now; password: the one that was made, told this once; NULL: none.
 */
static void answer(struct db *db, struct req *req, struct resp *resp, int status, const char *name,
                   const char *password)
{
    struct enroluser u;
    struct err err = {0};

    enum outcome o = enroluser_find(db, name, req->arena, &u, &err);
    js root = o == OK ? user_object(&u, NULL) : NULL;

    if (o == OK)
        api_set_secret(resp, root, "password", password);
    api_answer(resp, status, o, &err, &root);
}

void api_user(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
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

/* What a body says of a user. */
struct said {
    struct enroluser_edit edit;
    bool makes; /* a password is made here */
    char made[ENROLUSER_GIVEN_LEN + 1];
};

static bool text_read(struct resp *resp, js body, const char *key, const char **out)
{
    *out = js_get_str(body, key);
    if (*out != NULL || js_get(body, key) == NULL)
        return true;
    resp_json_error(resp, 400, "\"%s\" must be a string", key);
    return false;
}

static bool said_read(struct resp *resp, js body, struct said *s)
{
    js password = js_get(body, "password"), disabled = js_get(body, "disabled");
    bool disable = false;

    *s = (struct said){.makes = js_type_of(password) == JS_NULL};
    if (!text_read(resp, body, "full_name", &s->edit.full_name) ||
        !text_read(resp, body, "managed_account", &s->edit.managed_account))
        return false;
    if (!s->makes && !text_read(resp, body, "password", &s->edit.password))
        return false;
    if (disabled != NULL && !js_bool(disabled, &disable)) {
        resp_json_error(resp, 400, "\"disabled\" must be true or false");
        return false;
    }
    s->edit.disable = disabled != NULL && disable;
    s->edit.enable = disabled != NULL && !disable;
    return true;
}

static void password_make(struct said *s)
{
    secret_new(ENROLUSER_GIVEN_LEN / 2, s->made);
    s->edit.password = s->made;
    s->makes = true;
}

void api_user_add(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char *const known[] = {"name", "full_name", "managed_account", "password"};
    const char *by = api_actor(req, caller), *name;
    struct said s = {.makes = false};
    struct err err = {0};
    struct db *db = NULL;
    js body = api_body(req, resp, known, 4);

    if (body == NULL)
        return;
    name = js_get_str(body, "name");
    if (name == NULL) {
        resp_json_error(resp, 400, "\"name\" must be the login name");
    } else if (said_read(resp, body, &s) && api_db(app, resp, &db)) {
        if (s.edit.password == NULL)
            password_make(&s);
        if (enroluser_add(db, app->conf->signer_dir, name, &s.edit, by, &err) == OK)
            answer(db, req, resp, 201, name, s.makes ? s.made : NULL);
        else
            api_fail(resp, &err);
    }
    db_pool_give(app->pool, &db);
    secret_wipe(s.made, sizeof s.made);
    js_free(&body);
}

void api_user_patch(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    static const char *const known[] = {"full_name", "managed_account", "password", "disabled"};
    const char *by = api_actor(req, caller), *name;
    struct said s = {.makes = false};
    struct err err = {0};
    struct db *db = NULL;
    size_t n;
    js body;

    if (!api_segments(req, resp, PATH, &name, 1, &n) ||
        (body = api_body(req, resp, known, 4)) == NULL)
        return;
    if (said_read(resp, body, &s) && api_db(app, resp, &db)) {
        if (s.makes)
            password_make(&s);
        if (enroluser_change(db, app->conf->signer_dir, name, &s.edit, by, &err) == OK)
            answer(db, req, resp, 200, name, s.makes ? s.made : NULL);
        else
            api_fail(resp, &err);
    }
    db_pool_give(app->pool, &db);
    secret_wipe(s.made, sizeof s.made);
    js_free(&body);
}

void api_user_delete(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    const char *by = api_actor(req, caller), *name;
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    if (!api_segments(req, resp, PATH, &name, 1, &n) || !api_db(app, resp, &db))
        return;
    if (enroluser_remove(db, name, by, &err) == OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
}
