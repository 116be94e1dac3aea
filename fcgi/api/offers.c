/* offers.c: /api/v1/offers, what the users of a group's devices may have. */
#include "api/library.h"

#include "base/limits.h"
#include "library/edit.h"
#include "store/offer.h"

static js offer_json(const struct offer *x)
{
    js o = js_object();

    api_set_id(o, "id", x->id);
    api_set_id(o, "group", x->group_id);
    js_set_str(o, "group_name", x->group);
    api_set_id(o, "item", x->item_id);
    js_set_str(o, "item_name", x->item);
    js_set_str(o, "identifier", x->identifier);
    js_set_str(o, "kind", library_kind_name(x->kind));
    js_set_int(o, "taken", x->taken);
    api_set_time(o, "created_at", x->created_at);
    api_set_text(o, "created_by", x->created_by);
    return o;
}

void api_offers(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct offer *x = NULL;
    struct err err = {0};
    struct library_pairs page;
    struct db *db = NULL;
    size_t n = 0;
    js root, list;

    (void)caller;
    if (!library_pairs(app, req, resp, &page, &db))
        return;
    enum outcome o =
        offer_list(db, page.group, page.item, page.after, page.limit, req->arena, &x, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    root = js_object();
    list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, offer_json(&x[i]));
    js_set(root, "offers", list);
    if (n == page.limit)
        api_set_id(root, "next_cursor", x[n - 1].id);
    api_json(resp, 200, &root);
}

void api_offer(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    library_pair(app, req, caller, resp, offer_add);
}

void api_offer_delete(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    library_unpair(app, req, caller, resp, "/api/v1/offers/", offer_delete);
}
