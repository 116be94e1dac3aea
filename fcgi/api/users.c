/* users.c: GET /api/v1/users, the local users: people who enrol devices and log in on Macs. */
#include "api/api.h"

#include "store/enroluser.h"

void api_users(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct enroluser *u = NULL;
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    enum outcome o = enroluser_list(db, req->arena, &u, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++) {
        js one = js_object();

        js_set_str(one, "name", u[i].name);
        api_set_text(one, "full_name", u[i].full_name);
        api_set_time(one, "created_at", u[i].created_at);
        api_set_time(one, "password_at", u[i].password_at);
        api_set_time(one, "disabled_at", u[i].disabled_at);
        js_append(list, one);
    }
    js_set(root, "users", list);
    api_json(resp, 200, &root);
}
