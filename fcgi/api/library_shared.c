/* library_shared.c: what the resources of the library, its groups and its assignments share. */
#include "api/library.h"

#include "base/limits.h"
#include "library/edit.h"
#include "store/filter.h"
#include "store/wanted.h"

bool library_path(struct req *req, struct resp *resp, const char *prefix, int64_t *id,
                  const char **word)
{
    const char *part[2] = {"", ""};
    size_t n;

    if (!api_segments(req, resp, prefix, part, 2, &n))
        return false;
    *word = n == 2 ? part[1] : "";
    if (library_id_read(part[0], id))
        return true;
    resp_json_error(resp, 404, "\"%.64s\" is no id of the library", part[0]);
    return false;
}

bool library_path_whole(struct req *req, struct resp *resp, const char *prefix, int64_t *id)
{
    const char *word;

    if (!library_path(req, resp, prefix, id, &word))
        return false;
    if (word[0] == '\0')
        return true;
    resp_json_error(resp, 404,
                    "that cannot be done with \"%.64s\", which stands behind the id; without it, "
                    "the path means the whole",
                    word);
    return false;
}

bool api_filter(struct req *req, struct resp *resp, js expression, struct filter *out,
                const char **text)
{
    struct buf b = BUF_INIT(LIM_MB);
    struct err err = {0};

    if (filter_compile(expression, req->arena, out, &err) != OK) {
        err_prefix(&err, "the filter");
        api_fail(resp, &err);
        return false;
    }
    *text = js_write(expression, false, &b) == OK ? arena_strdup(req->arena, buf_cstr(&b)) : NULL;
    buf_free(&b);
    if (*text == NULL)
        resp_json_error(resp, 400, "the filter is too long");
    return *text != NULL;
}

js wanted_json(const struct wanted_row *x, bool of_item)
{
    js o = js_object();

    if (of_item) {
        js_set_str(o, "enrollment_id", x->ident);
        js_set_str(o, "device", x->device_ident);
        api_set_text(o, "serial_number", x->serial);
        api_set_text(o, "device_name", x->device_name);
    } else {
        api_set_id(o, "item", x->item_id);
        js_set_str(o, "kind", library_kind_name(x->kind));
        js_set_str(o, "identifier", x->identifier);
        js_set_str(o, "name", x->name);
        if (x->user[0] != '\0')
            js_set_str(o, "enrollment_id", x->ident);
    }
    api_set_text(o, "user", x->user);
    api_set_text(o, "user_name", x->user_name);
    js_set_bool(o, "wanted", x->wanted);
    js_set_str(o, "state", wanted_state_name(x->state));
    js_set_int(o, "version", x->version);
    if (x->installed_version != 0)
        js_set_int(o, "installed_version", x->installed_version);
    api_set_text(o, "reason", x->reason);
    if (x->waits_user)
        js_set_str(o, "waits_for", "user");
    api_set_text(o, "command_uuid", x->command_uuid);
    if (x->attempts != 0)
        js_set_int(o, "attempts", x->attempts);
    if (x->state == WANTED_PENDING || x->state == WANTED_FAILED)
        api_set_time(o, "next_try_at", x->due_at);
    api_set_time(o, "changed_at", x->changed_at);
    api_set_time(o, "installed_at", x->installed_at);
    return o;
}

/* ---- groups and items ---- */

void library_pair_item(js o, int64_t id, const char *name, const char *identifier, int kind)
{
    api_set_id(o, "item", id);
    js_set_str(o, "item_name", name);
    js_set_str(o, "identifier", identifier);
    js_set_str(o, "kind", library_kind_name(kind));
}

void library_pairs_answer(struct app *app, struct req *req, struct resp *resp, const char *key,
                          pairs_list_fn *list)
{
    struct library_pairs ask = {0};
    struct err err = {0};
    struct db *db = NULL;
    int64_t last = 0;
    size_t n = 0;
    js root, out;

    if (!api_limit(req, resp, &ask.limit) || !api_number(req, resp, "group", &ask.group) ||
        !api_number(req, resp, "item", &ask.item) || !api_number(req, resp, "cursor", &ask.after) ||
        !api_db(app, resp, &db))
        return;
    root = js_object();
    out = js_array();
    enum outcome o = list(db, req, &ask, out, &last, &n, &err);
    db_pool_give(app->pool, &db);
    js_set(root, key, out);
    if (n == ask.limit)
        api_set_id(root, "next_cursor", last);
    if (o == OK) {
        api_json(resp, 200, &root);
        return;
    }
    js_free(&root);
    api_fail(resp, &err);
}

bool library_id_body(struct resp *resp, js body, const char *key, int64_t *out)
{
    const char *s = js_get_str(body, key);

    if (s != NULL && library_id_read(s, out))
        return true;
    resp_json_error(resp, 400, "\"%s\" must be an id, as a string", key);
    return false;
}

/* With "group", or with "device" where single devices can have it too. */
static enum outcome pair_add(struct db *db, struct req *req, const struct caller *caller, js body,
                             int64_t group, int64_t item, pair_add_fn *add, pair_give_fn *give,
                             int64_t *id, struct err *err)
{
    const char *device = js_get_str(body, "device"), *actor = api_actor(req, caller);

    return device != NULL ? give(db, device, item, actor, req->now, id, err)
                          : add(db, group, item, actor, req->now, id, err);
}

void library_pair(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                  pair_add_fn *add, pair_give_fn *give)
{
    static const char *const known[] = {"group", "item", "device"};
    int64_t group = 0, item, id = 0;
    struct err err = {0};
    struct db *db = NULL;
    js body = api_body(req, resp, known, give != NULL ? 3 : 2), root;
    bool one = js_get_str(body, "device") != NULL;

    if (body != NULL && one && js_get(body, "group") != NULL)
        resp_json_error(resp, 400, "it is given to a \"group\" or to a \"device\"");
    else if (body != NULL && (one || library_id_body(resp, body, "group", &group)) &&
             library_id_body(resp, body, "item", &item) && api_db(app, resp, &db)) {
        if (pair_add(db, req, caller, body, group, item, add, give, &id, &err) == OK) {
            root = js_object();
            api_set_id(root, "id", id);
            api_json(resp, 201, &root);
        } else {
            api_fail(resp, &err);
        }
        db_pool_give(app->pool, &db);
    }
    js_free(&body);
}

void library_unpair(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp, const char *prefix, pair_delete_fn *remove)
{
    const char *why = req_query(req, "why");
    struct err err = {0};
    struct db *db = NULL;
    int64_t id;

    if (!library_path_whole(req, resp, prefix, &id) || !api_db(app, resp, &db))
        return;
    if (remove(db, id, api_actor(req, caller), why != NULL ? why : "no reason given", &err) == OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
}
