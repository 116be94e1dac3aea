/* assignments.c: /api/v1/assignments, what groups are to have; /api/v1/preview, what a change would
 * change; /api/v1/device-items, how far a device is. */
#include "api/blueprint.h"
#include "api/library.h"

#include "base/limits.h"
#include "library/edit.h"
#include "store/assignment.h"
#include "store/preview.h"
#include "store/wanted.h"

static js assignment_json(const struct assignment *x)
{
    js o = js_object();

    api_set_id(o, "id", x->id);
    if (x->group_id != 0) {
        api_set_id(o, "group", x->group_id);
        js_set_str(o, "group_name", x->group);
    } else {
        js_set_str(o, "device", x->device);
        api_set_text(o, "serial_number", x->serial);
        api_set_text(o, "device_name", x->device_name);
    }
    library_pair_item(o, x->item_id, x->item, x->identifier, x->kind);
    api_set_time(o, "created_at", x->created_at);
    api_set_text(o, "created_by", x->created_by);
    return o;
}

/* Those of groups; of single devices with device=ID, or device= for all of them. */
static enum outcome list(struct db *db, struct req *req, const struct library_pairs *ask, js out,
                         int64_t *last, size_t *n, struct err *err)
{
    const char *device = req_query(req, "device");
    struct assignment *x = NULL;
    enum outcome o = device == NULL
                         ? assignment_list(db, ask->group, ask->item, ask->after, ask->limit,
                                           req->arena, &x, n, err)
                         : assignment_of_devices(db, device[0] != '\0' ? device : NULL, ask->item,
                                                 ask->after, ask->limit, req->arena, &x, n, err);

    for (size_t i = 0; o == OK && i < *n; i++) {
        js_append(out, assignment_json(&x[i]));
        *last = x[i].id;
    }
    return o;
}

void api_assignments(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    (void)caller;
    library_pairs_answer(app, req, resp, "assignments", list);
}

void api_assign(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    library_pair(app, req, caller, resp, assignment_add, assignment_add_device);
}

void api_unassign(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    library_unpair(app, req, caller, resp, "/api/v1/assignments/", assignment_delete);
}

/* ---- preview ---- */

static js set_json(const struct preview_set *s)
{
    js o = js_object(), list = js_array();

    js_set_int(o, "devices", (int64_t)s->n);
    if (s->for_users) {
        js_set_int(o, "users", (int64_t)s->users);
        js_set_int(o, "waiting_for_user", (int64_t)s->waiting);
    }
    for (size_t i = 0; i < s->nsample; i++)
        js_append(list, js_new_str(s->sample[i]));
    js_set(o, "some", list);
    return o;
}

static void preview_answer(struct resp *resp, const struct preview *p)
{
    js root = js_object(), list = js_array();

    js_set_int(root, "devices", (int64_t)p->devices);
    js_set(root, "join", set_json(&p->join));
    js_set(root, "leave", set_json(&p->leave));
    for (size_t i = 0; i < p->nchanges; i++) {
        js o = js_object();

        api_set_id(o, "item", p->changes[i].item_id);
        js_set_str(o, "name", p->changes[i].name);
        js_set(o, "install", set_json(&p->changes[i].install));
        js_set(o, "remove", set_json(&p->changes[i].remove));
        js_append(list, o);
    }
    js_set(root, "items", list);
    api_json(resp, 200, &root);
}

static bool items_read(struct req *req, struct resp *resp, js body, struct preview *p)
{
    const char *const *text = NULL;
    int64_t *ids;
    size_t n = 0;

    if (!api_strings(req, resp, body, "items", PREVIEW_ITEMS, &text, &n))
        return false;
    p->keep_items = text == NULL;
    ids = arena_array(req->arena, n + 1, sizeof *ids);
    for (size_t i = 0; ids != NULL && i < n; i++)
        if (!library_id_read(text[i], &ids[i])) {
            resp_json_error(resp, 400, "\"items\" holds something that is no id at place %zu", i);
            return false;
        }
    p->items = ids;
    p->nitems = n;
    return ids != NULL;
}

void api_preview(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char *const known[] = {"group", "filter", "items", "device"};
    struct preview p = {0};
    struct filter filter;
    const char *text;
    struct err err = {0};
    struct db *db = NULL;
    js body = api_body(req, resp, known, 4);

    (void)caller;
    if (body == NULL)
        return;
    p.device = js_get_str(body, "device");
    if (js_get(body, "device") != NULL &&
        (p.device == NULL || js_get(body, "group") != NULL || js_get(body, "filter") != NULL)) {
        resp_json_error(resp, 400,
                        "\"device\" is the id or serial number of one, without \"group\" and "
                        "\"filter\"");
        goto out;
    }
    if (js_get(body, "group") != NULL && !library_id_body(resp, body, "group", &p.group_id))
        goto out;
    if (js_get(body, "filter") != NULL) {
        if (!api_filter(req, resp, js_get(body, "filter"), &filter, &text))
            goto out;
        p.filter = &filter;
    }
    if (!items_read(req, resp, body, &p) || !api_db(app, resp, &db))
        goto out;
    if (preview_run(db, &p, req->arena, &err) == OK)
        preview_answer(resp, &p);
    else
        api_fail(resp, &err);
out:
    db_pool_give(app->pool, &db);
    js_free(&body);
}

/* ---- how far devices are ---- */

void api_device_items(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct wanted_row *x = NULL;
    struct standing_progress *d = NULL;
    struct err err = {0};
    struct db *db = NULL;
    const char *ident;
    size_t n, nd = 0;
    js root, list;

    (void)caller;
    if (!api_segments(req, resp, "/api/v1/device-items/", &ident, 1, &n) || !api_db(app, resp, &db))
        return;
    enum outcome o = wanted_of_device(db, ident, req->arena, &x, &n, &err);
    if (o == OK)
        o = standing_of_device(db, ident, req->arena, &d, &nd, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, wanted_json(&x[i], false));
    js_set(root, "items", list);
    list = js_array();
    for (size_t i = 0; i < nd; i++)
        js_append(list, device_order_json(&d[i], false));
    js_set(root, "commands", list);
    api_json(resp, 200, &root);
}
