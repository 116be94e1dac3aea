/* administrators.c: /api/v1/administrators: who signs in to the console, and what each may. A
 * password that is made is told once. A key gives no more than it has (store/authority.h). */
#include "api/authority.h"

#include "wire/encode.h"

#define PATH "/api/v1/administrators/"

static js admin_object(const void *row, const void *arg)
{
    const struct admin *a = row;
    js o = js_object();

    (void)arg;
    js_set_str(o, "name", a->name);
    js_set_str(o, "role", a->role);
    js_set_bool(o, "limited", a->limited);
    js_set_bool(o, "remote", a->remote);
    js_set_bool(o, "second_factor", a->has_totp);
    js_set_bool(o, "password_due", a->password_due);
    api_set_text(o, "created_by", a->created_by);
    api_set_time(o, "created_at", a->created_at);
    api_set_time(o, "signed_in_at", a->signed_in_at);
    api_set_time(o, "disabled_at", a->disabled_at);
    return o;
}

void api_admins(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct admin *a = NULL;
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    enum outcome o = admin_list(db, req->arena, &a, &n, &err);
    db_pool_give(app->pool, &db);
    js root = o == OK ? api_rows("administrators", a, n, sizeof *a, admin_object, NULL) : NULL;
    api_answer(resp, 200, o, &err, &root);
}

/* Answers with the account as it is now, and the password that was made, if one was. */
static void answer(struct db *db, struct req *req, struct resp *resp, int status, const char *name,
                   const char *password)
{
    struct admin a;
    struct err err = {0};
    enum outcome o = admin_find(db, name, req->arena, &a, &err);
    js root = o == OK ? admin_object(&a, NULL) : NULL;

    if (o == OK)
        o = api_scope_set(db, req, SCOPE_ADMIN, name, root, &err);
    if (o == OK)
        api_set_secret(resp, root, "password", password);
    api_answer(resp, status, o, &err, &root);
}

void api_admin(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
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

/* Does it, and answers. */
static void run(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                const char *name, struct account_edit *edit, bool add)
{
    struct authority a = api_authority(req, caller);
    struct err err = {0};
    struct db *db = NULL;

    if (!api_db(app, resp, &db))
        return;
    if ((add ? authority_admin_add(db, &a, name, edit, &err)
             : authority_admin_change(db, &a, name, edit, &err)) == OK)
        answer(db, req, resp, add ? 201 : 200, name, edit->password);
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
    secret_wipe(edit->password, sizeof edit->password);
}

static bool role_read(struct resp *resp, js body, const char **role)
{
    *role = js_get_str(body, "role");
    if (*role != NULL || js_get(body, "role") == NULL)
        return true;
    resp_json_error(resp, 400, "\"role\" must be a string");
    return false;
}

void api_admin_add(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char *const known[] = {"name", "role", "groups"};
    struct account_edit edit = {.role = NULL};
    struct scope room;
    js body = api_body(req, resp, known, 3);
    const char *name = js_get_str(body, "name");

    if (body == NULL)
        return;
    if (role_read(resp, body, &edit.role) && api_scope_read(req, resp, body, &room, &edit.scope)) {
        if (name == NULL || edit.role == NULL)
            resp_json_error(resp, 400, "\"name\" and \"role\" are needed");
        else
            run(app, req, caller, resp, name, &edit, true);
    }
    js_free(&body);
}

void api_admin_patch(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    static const char *const known[] = {"role", "groups", "disabled"};
    struct account_edit edit = {.role = NULL};
    bool there = false, disabled = false;
    struct scope room;
    const char *name;
    size_t n;
    js body;

    if (!api_segments(req, resp, PATH, &name, 1, &n) ||
        (body = api_body(req, resp, known, 3)) == NULL)
        return;
    if (role_read(resp, body, &edit.role) && api_scope_read(req, resp, body, &room, &edit.scope) &&
        api_truth_read(resp, body, "disabled", &there, &disabled)) {
        edit.disable = there && disabled;
        edit.enable = there && !disabled;
        run(app, req, caller, resp, name, &edit, false);
    }
    js_free(&body);
}

void api_admin_reset(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct account_edit edit = {.reset = true};
    const char *parts[2];
    size_t n;

    if (!api_segments(req, resp, PATH, parts, 2, &n))
        return;
    if (n != 2 || strcmp(parts[1], "reset") != 0)
        resp_json_error(resp, 404, "POST goes to " PATH "NAME/reset");
    else
        run(app, req, caller, resp, parts[0], &edit, false);
}
