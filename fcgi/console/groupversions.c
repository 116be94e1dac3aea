/* groupversions.c: what the draft of a group would change on which devices, saving it, its
 * versions, and how far the devices are with one of its commands. */
#include "base/limits.h"
#include "console/effects.h"
#include "console/groupdraft.h"
#include "library/standing.h"

#define VERSIONS 50
#define NOTE_MAX 255

static const char *number(struct page *p, int64_t id)
{
    return arena_fmt(p->a, "%lld", (long long)id);
}

/* ---- preview, and saving ---- */

static enum outcome preview_orders(struct page *p, const struct group_draft *d, struct preview *x)
{
    size_t most = d->now.norders + d->next.norders;
    enum outcome o = OK;
    x->orders = arena_array(p->a, most + 1, sizeof *x->orders);
    if (!x->orders)
        return err_set(&p->err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < most; i++) {
        bool of_now = i < d->now.norders;
        int64_t id = of_now ? d->now.orders[i] : d->next.orders[i - d->now.norders];
        bool now = draft_holds(d->now.orders, d->now.norders, id);
        bool next = draft_holds(d->next.orders, d->next.norders, id);
        struct standing s;
        if (now == next || (!of_now && now))
            continue;
        o = standing_get(p->db, d->now.group_id, id, p->a, &s, &p->err);
        if (o == OK)
            x->orders[x->norders++] = (struct preview_order){.order_id = id,
                                                             .request_type = s.request_type,
                                                             .policy = s.policy,
                                                             .fresh = next,
                                                             .ended = now};
    }
    return o;
}

static void preview_show(struct page *p, const struct device_group *g, int status)
{
    struct preview x = {.group_id = g->id};
    struct group_draft d;
    bool sensitive = false;
    enum outcome o = draft_read(p, g->id, &d);
    x.items = d.next.items;
    x.nitems = o == OK ? d.next.nitems : 0;
    if (o == OK)
        o = preview_orders(p, &d, &x);
    if (o == OK)
        o = preview_run(p->db, &x, p->a, &p->err);
    if (o == OK)
        o = blueprint_sensitive(p->db, p->app->conf, p->a, &d.next, NULL, 0, &sensitive, &p->err);
    if (o != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "effects");
    size_t shown = 0;
    for (size_t i = 0; i < x.nchanges; i++) {
        const struct preview_item *c = &x.changes[i];
        bool now = draft_holds(d.now.items, d.now.nitems, c->item_id);
        bool next = draft_holds(d.next.items, d.next.nitems, c->item_id);
        if (now == next)
            continue;
        struct value *v = value_append_dict(list);
        shown++;
        value_set_text(v, "name", c->name);
        page_state(p, v, "mark", draft_mark(now, next));
        effects_row(p, v, &c->install, &c->remove);
    }
    for (size_t i = 0; i < x.norders; i++) {
        struct value *v = value_append_dict(list);
        shown++;
        value_set_text(v, "name", x.orders[i].request_type);
        page_state(p, v, "mark", x.orders[i].ended ? "taken" : "added");
        effects_row(p, v, &x.orders[i].send, NULL);
    }
    value_set_bool(p->root, "some", shown > 0);
    value_set_int(p->root, "base", d.now.number);
    value_set_text(p->root, "changed_at", number(p, g->changed_at));
    value_set_text(p->root, "drafted", d.has_draft ? number(p, d.next.created_at) : NULL);
    value_set_text(p->root, "by", d.has_draft ? d.next.created_by : NULL);
    page_time(p, p->root, "when", d.has_draft ? d.next.created_at : 0);
    value_set_int(p->root, "devices", (int64_t)x.devices);
    value_set_bool(p->root, "asks",
                   sensitive && strcmp(p->app->conf->command_approval, "sensitive") == 0);
    value_set_text(p->root, "back", page_link_id(p, "/group/contents", g->id));
    page_show(p, status, "grouppreview");
}

void console_group_preview(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct device_group g;
    struct page p;
    if (page_open(&p, app, req, caller, resp, "groups") && group_begin(&p, &g, "contents"))
        preview_show(&p, &g, 200);
}

void console_group_save(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    struct device_group g;
    struct page p;
    struct group_draft d;
    bool sensitive = false;
    if (!page_open(&p, app, req, caller, resp, "groups") || !group_begin(&p, &g, "contents"))
        return;
    enum outcome o = draft_read(&p, g.id, &d);
    bool moved = o == OK && page_number(page_field(&p, "base")) != d.now.number;
    const char *shown = page_field(&p, "changed_at");
    if (o == OK && !moved && *shown && page_number(shown) != g.changed_at) /* it reaches others */
        o = err_set(&p.err, CONFLICT, "%s", page_text(&p, "effects_changed"));
    else if (o == OK && !moved && !draft_differs(&d)) /* what moved is told by blueprint_put() */
        o = err_set(&p.err, CONFLICT, "%s", page_text(&p, "preview_none"));
    if (o == OK)
        o = blueprint_sensitive(p.db, app->conf, p.a, &d.next, NULL, 0, &sensitive, &p.err);
    if (o == OK && sensitive && !page_confirmed(&p))
        return;
    struct blueprint_save s = {.b = d.next,
                               .base = (int)page_number(page_field(&p, "base")),
                               .drafted = page_number(page_field(&p, "drafted")),
                               .actor = caller->admin,
                               .now = req->now};
    s.b.note = page_field(&p, "note");
    if (o == OK && strlen(s.b.note) > NOTE_MAX)
        o = err_set(&p.err, INVALID, "%s", page_text(&p, "reason_wrong"));
    if (o == OK)
        o = blueprint_put(p.db, app->conf, p.a, &s, &p.err);
    if (o == OK) {
        page_go(&p, page_link(&p, page_link_id(&p, "/group/contents", g.id), "done", "saved"));
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        preview_show(&p, &g, page_status(o));
    } else {
        page_fail(&p);
    }
}

/* ---- versions ---- */

static void versions_show(struct page *p, const struct device_group *g, int status)
{
    struct blueprint *b;
    size_t n;
    if (blueprint_list(p->db, g->id, (int)page_number(req_query(p->req, "before")), VERSIONS, p->a,
                       &b, &n, &p->err) != OK) {
        page_fail(p);
        return;
    }
    bool from_start = !req_query(p->req, "before");
    struct value *list = value_set_list(p->root, "versions");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_int(v, "number", b[i].number);
        value_set_text(v, "note", b[i].note);
        value_set_text(v, "by", b[i].created_by);
        value_set_int(v, "items", (int64_t)b[i].nitems);
        value_set_int(v, "orders", (int64_t)b[i].norders);
        value_set_bool(v, "current", from_start && i == 0);
        page_time(p, v, "at", b[i].created_at);
    }
    value_set_bool(p->root, "some", n > 0);
    if (n == VERSIONS)
        value_set_text(p->root, "next",
                       page_link(p, page_link_id(p, "/group/versions", g->id), "before",
                                 arena_fmt(p->a, "%d", b[n - 1].number)));
    page_show(p, status, "groupversions");
}

void console_group_versions(struct app *app, struct req *req, const struct caller *caller,
                            struct resp *resp)
{
    struct device_group g;
    struct page p;
    if (page_open(&p, app, req, caller, resp, "groups") && group_begin(&p, &g, "versions"))
        versions_show(&p, &g, 200);
}

/* An older version becomes the draft; what it would change is shown before it is saved. */
void console_group_restore(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct device_group g;
    struct group_draft d;
    struct blueprint old;
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "groups") || !group_begin(&p, &g, "versions"))
        return;
    int64_t number = page_number(page_field(&p, "version"));
    enum outcome o = number > 0 && number < INT32_MAX
                         ? blueprint_get(p.db, g.id, (int)number, p.a, &old, &p.err)
                         : err_set(&p.err, INVALID, "%s", page_text(&p, "group_choose"));
    if (o == OK)
        o = draft_read(&p, g.id, &d);
    if (o == OK && d.has_draft)
        o = err_set(&p.err, CONFLICT, "%s",
                    words_fill(p.w, p.a, "versions_draft", d.next.created_by, NULL));
    if (o == OK)
        o = blueprint_draft(p.db, g.id, &old, 0, NULL, 0, caller->admin, req->now, &p.err);
    if (o == OK) {
        page_go(&p, page_link_id(&p, "/group/preview", g.id));
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        versions_show(&p, &g, page_status(o));
    } else {
        page_fail(&p);
    }
}

/* ---- how far the devices are with one command ---- */

void console_group_order(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    int64_t id = page_number(req_query(req, "id")), counts[ORDER__MAX];
    const char *word = req_query(req, "state");
    struct standing_progress *d;
    struct standing s;
    struct page p;
    size_t n;
    if (!page_open(&p, app, req, caller, resp, "groups"))
        return;
    enum outcome o = standing_get(p.db, 0, id, p.a, &s, &p.err);
    if (o == OK)
        o = standing_counts(p.db, id, p.a, counts, &p.err);
    if (o == OK)
        o = standing_devices(p.db, id, device_order_state_read(word),
                             page_number(req_query(req, "after")), PAGE_ROWS, p.a, &d, &n, &p.err);
    if (o != OK) {
        page_fail(&p);
        return;
    }
    value_set_text(p.root, "type", s.request_type);
    value_set_text(p.root, "title", s.request_type);
    value_set_text(p.root, "when", standing_when(&p, &s));
    value_set_text(p.root, "back", page_link_id(&p, "/group/contents", s.group_id));
    if (page_may(&p, "operate") && s.approval_id &&
        (s.state == STANDING_WAITS || counts[ORDER_WAITS] > 0))
        value_set_text(p.root, "approval", page_link_id(&p, "/approval", s.approval_id));
    struct value *list = value_set_list(p.root, "devices"), *states;
    states = value_set_list(p.root, "states");
    for (int i = ORDER_PENDING; i < ORDER__MAX; i++) {
        struct value *v = value_append_dict(states);
        page_state(&p, v, "order", device_order_state_name(i));
        value_set_int(v, "n", counts[i]);
        value_set_text(v, "link",
                       page_link(&p, page_link_id(&p, "/group/order", id), "state",
                                 device_order_state_name(i)));
    }
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name",
                       *d[i].device_name ? d[i].device_name
                       : *d[i].serial    ? d[i].serial
                                         : d[i].ident);
        value_set_text(v, "link", page_link(&p, "/device", "id", d[i].ident));
        value_set_text(v, "why", page_said(&p, d[i].reason));
        page_state(&p, v, "order", device_order_state_name(d[i].state));
        page_time(&p, v, "done", d[i].done_at);
        page_time(&p, v, "due", d[i].state == ORDER_QUEUED ? 0 : d[i].due_at);
    }
    value_set_bool(p.root, "some", n > 0);
    if (n == PAGE_ROWS)
        value_set_text(p.root, "next",
                       page_link(&p, page_link_id(&p, "/group/order", id), "after",
                                 number(&p, d[n - 1].enrollment_id)));
    page_show(&p, 200, "grouporder");
}
