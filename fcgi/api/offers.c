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
    library_pair_item(o, x->item_id, x->item, x->identifier, x->kind);
    js_set_int(o, "taken", x->taken);
    api_set_time(o, "created_at", x->created_at);
    api_set_text(o, "created_by", x->created_by);
    return o;
}

static enum outcome list(struct db *db, struct req *req, const struct library_pairs *ask, js out,
                         int64_t *last, size_t *n, struct err *err)
{
    struct offer *x = NULL;
    enum outcome o =
        offer_list(db, ask->group, ask->item, ask->after, ask->limit, req->arena, &x, n, err);

    for (size_t i = 0; o == OK && i < *n; i++) {
        js_append(out, offer_json(&x[i]));
        *last = x[i].id;
    }
    return o;
}

void api_offers(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)caller;
    library_pairs_answer(app, req, resp, "offers", list);
}

void api_offer(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    library_pair(app, req, caller, resp, offer_add, NULL);
}

void api_offer_delete(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    library_unpair(app, req, caller, resp, "/api/v1/offers/", offer_delete);
}
