/* rollouts.c: GET /api/v1/rollouts, how far profiles and apps are on the devices that are to have
 * them. */
#include "api/api.h"

#include "store/library.h"
#include "store/wanted.h"

static js rollout_object(const struct rollout_row *r)
{
    js o = js_object(), counts = js_object();

    for (int s = WANTED_PENDING; s < WANTED__MAX; s++)
        js_set_int(counts, wanted_state_name(s), r->counts[s]);
    api_set_id(o, "id", r->item_id);
    js_set_str(o, "kind", library_kind_name(r->kind));
    js_set_str(o, "identifier", r->identifier);
    js_set_str(o, "name", r->name);
    js_set_int(o, "version", r->version);
    js_set_str(o, "state", rollout_state(r));
    if (r->uncounted)
        js_free(&counts);
    else
        js_set(o, "counts", counts);
    js_set_int(o, "wave_first", r->wave_first);
    js_set_int(o, "released", r->released);
    js_set_int(o, "halt_percent", r->halt_percent);
    api_set_time(o, "halted_at", r->halted_at);
    api_set_text(o, "halted_why", r->halted_why);
    return o;
}

void api_rollouts(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct rollout_row *r = NULL;
    struct err err = {0};
    struct db *db = NULL;
    size_t limit, n;

    (void)caller;
    if (!api_limit(req, resp, &limit) || !api_db(app, resp, &db))
        return;
    enum outcome o = rollout_list(db, 0, limit, req->arena, &r, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, rollout_object(&r[i]));
    js_set(root, "rollouts", list);
    api_json(resp, 200, &root);
}
