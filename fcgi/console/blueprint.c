/* blueprint.c: all that is assigned to a group, edited as a draft; the draft is kept until it is
 * saved or dropped, whoever comes back.
 */
#include "console/groupdraft.h"
#include "console/offers.h"
#include "console/keys.h"
#include "library/standing.h"
#include "base/limits.h"
#include "command/checked.h"
#include "store/library.h"

#define TRIES 3

enum outcome draft_read(struct page *p, int64_t group, struct group_draft *d)
{
    enum outcome o = blueprint_now(p->db, group, p->a, &d->now, &p->err);
    if (o == OK)
        o = blueprint_get(p->db, group, BLUEPRINT_DRAFT, p->a, &d->next, &p->err);
    d->has_draft = o == OK;
    if (o != NOT_FOUND)
        return o;
    d->next = d->now;
    p->err = (struct err){.outcome = OK};
    return OK;
}

bool draft_holds(const int64_t *ids, size_t n, int64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static bool subset(const int64_t *a, size_t n, const int64_t *of, size_t m)
{
    for (size_t i = 0; i < n; i++)
        if (!draft_holds(of, m, a[i]))
            return false;
    return true;
}

bool draft_differs(const struct group_draft *d)
{
    const struct blueprint *a = &d->now, *b = &d->next;
    return !subset(a->items, a->nitems, b->items, b->nitems) ||
           !subset(b->items, b->nitems, a->items, a->nitems) ||
           !subset(a->orders, a->norders, b->orders, b->norders) ||
           !subset(b->orders, b->norders, a->orders, a->norders);
}

/* ids with one more, or one less. */
static const int64_t *changed(struct page *p, const int64_t *ids, size_t *n, int64_t id, bool in)
{
    int64_t *out = arena_array(p->a, *n + 1, sizeof *out);
    size_t k = 0;
    for (size_t i = 0; out && i < *n; i++)
        if (ids[i] != id)
            out[k++] = ids[i];
    if (out && in)
        out[k++] = id;
    *n = k;
    return out;
}

/* ---- showing ---- */

const char *draft_mark(bool now, bool next)
{
    return now == next ? NULL : next ? "added" : "taken";
}

static void marks(struct page *p, struct value *v, bool now, bool next)
{
    const char *m = draft_mark(now, next);
    value_set_bool(v, "in", next);
    if (m)
        page_state(p, v, "mark", m);
}

static const char *number(struct page *p, int64_t id)
{
    return arena_fmt(p->a, "%lld", (long long)id);
}

static enum outcome items_show(struct page *p, const struct group_draft *d)
{
    struct value *list = value_set_list(p->root, "items"), *more = value_set_list(p->root, "more");
    struct library_item *items;
    int64_t after = 0;
    size_t n = LIM_PAGE;
    enum outcome o = OK;
    while (o == OK && n == LIM_PAGE) {
        o = library_list(p->db, 0, NULL, after, LIM_PAGE, p->a, &items, &n, &p->err);
        for (size_t i = 0; o == OK && i < n; i++) {
            bool now = draft_holds(d->now.items, d->now.nitems, items[i].id);
            bool next = draft_holds(d->next.items, d->next.nitems, items[i].id);
            struct value *v = value_append_dict(now || next ? list : more);
            const char *kind = library_kind_name(items[i].kind);
            after = items[i].id;
            value_set_text(v, "id", number(p, items[i].id));
            value_set_text(v, "name", items[i].name);
            value_set_text(v, "identifier", items[i].identifier);
            value_set_text(v, "kind", page_text(p, arena_fmt(p->a, "kind_%s", kind)));
            marks(p, v, now, next);
        }
    }
    value_set_bool(p->root, "has_more", value_first(more) != NULL);
    return o;
}

const char *standing_when(struct page *p, const struct standing *s)
{
    if (s->policy == STANDING_EVERY)
        return words_count(p->w, p->a, "policy_every_days", arena_fmt(p->a, "%d", s->every_days));
    return page_text(p, arena_fmt(p->a, "policy_%s", standing_policy_name(s->policy)));
}

static enum outcome order_show(struct page *p, struct value *list, const struct group_draft *d,
                               int64_t id)
{
    struct standing s;
    int64_t counts[ORDER__MAX];
    enum outcome o = standing_get(p->db, d->now.group_id, id, p->a, &s, &p->err);
    if (o == OK)
        o = standing_counts(p->db, id, p->a, counts, &p->err);
    if (o != OK)
        return o;
    struct value *v = value_append_dict(list);
    value_set_text(v, "id", number(p, id));
    value_set_text(v, "type", s.request_type);
    value_set_text(v, "keys", strcmp(s.keys, "{}") != 0 ? s.keys : NULL);
    value_set_text(v, "when", standing_when(p, &s));
    value_set_text(v, "why", s.reason);
    value_set_bool(v, "waits", s.state == STANDING_WAITS);
    value_set_int(v, "done", counts[ORDER_DONE]);
    value_set_int(v, "open", counts[ORDER_PENDING] + counts[ORDER_QUEUED]);
    value_set_int(v, "failed", counts[ORDER_FAILED]);
    value_set_int(v, "second", counts[ORDER_WAITS]);
    value_set_bool(v, "has_second", counts[ORDER_WAITS] > 0);
    if (s.approval_id && page_may(p, "operate"))
        value_set_text(v, "approval", page_link_id(p, "/approval", s.approval_id));
    value_set_text(v, "link", page_link_id(p, "/group/order", id));
    marks(p, v, draft_holds(d->now.orders, d->now.norders, id),
          draft_holds(d->next.orders, d->next.norders, id));
    return OK;
}

static enum outcome orders_show(struct page *p, const struct group_draft *d)
{
    struct value *list = value_set_list(p->root, "orders");
    enum outcome o = OK;
    for (size_t i = 0; o == OK && i < d->now.norders; i++)
        o = order_show(p, list, d, d->now.orders[i]);
    for (size_t i = 0; o == OK && i < d->next.norders; i++)
        if (!draft_holds(d->now.orders, d->now.norders, d->next.orders[i]))
            o = order_show(p, list, d, d->next.orders[i]);
    struct value *types = value_set_list(p->root, "types");
    for (size_t i = 0; i < catalogue_count(); i++)
        if (strcmp(catalogue_name(catalogue_at(i)), "ClearPasscode") != 0)
            value_append(types, value_text(p->a, catalogue_name(catalogue_at(i))));
    return o;
}

static void contents_show(struct page *p, const struct device_group *g, int status)
{
    struct group_draft d;
    if (draft_read(p, g->id, &d) != OK || items_show(p, &d) != OK || orders_show(p, &d) != OK ||
        offers_of_group(p, g->id) != OK) {
        page_fail(p);
        return;
    }
    value_set_int(p->root, "version", d.now.number);
    value_set_bool(p->root, "has_draft", d.has_draft);
    value_set_bool(p->root, "differs", draft_differs(&d));
    value_set_bool(p->root, "nothing", d.next.nitems + d.next.norders == 0);
    if (d.has_draft) {
        value_set_text(p->root, "by", d.next.created_by);
        value_set_text(p->root, "draft_at", number(p, d.next.created_at));
        page_time(p, p->root, "drafted", d.next.created_at);
    }
    value_set_text(p->root, "preview_link", page_link_id(p, "/group/preview", g->id));
    page_show(p, status, "groupcontents");
}

void console_group_contents(struct app *app, struct req *req, const struct caller *caller,
                            struct resp *resp)
{
    struct device_group g;
    struct page p;
    if (page_open(&p, app, req, caller, resp, "groups") && group_begin(&p, &g, "contents"))
        contents_show(&p, &g, 200);
}

/* ---- changing the draft ---- */

static enum outcome draft_change(struct page *p, const struct device_group *g)
{
    const char *what = page_field(p, "what");
    int64_t item = page_number(page_field(p, "item")), order = page_number(page_field(p, "order"));
    struct group_draft d;
    enum outcome o = draft_read(p, g->id, &d);
    if (o != OK)
        return o;
    if (strcmp(what, "drop") == 0)
        return blueprint_draft(p->db, g->id, NULL, page_number(page_field(p, "drafted")), NULL, 0,
                               p->caller->admin, p->req->now, &p->err);
    if (item)
        d.next.items = changed(p, d.next.items, &d.next.nitems, item, strcmp(what, "in") == 0);
    if (order)
        d.next.orders = changed(p, d.next.orders, &d.next.norders, order, strcmp(what, "in") == 0);
    if ((!item && !order) || !d.next.items || !d.next.orders)
        return err_set(&p->err, INVALID, "%s", page_text(p, "group_choose"));
    return blueprint_draft(p->db, g->id, &d.next, d.has_draft ? d.next.created_at : 0, NULL, 0,
                           p->caller->admin, p->req->now, &p->err);
}

void console_group_draft(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    struct device_group g;
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "groups") || !group_begin(&p, &g, "contents"))
        return;
    enum outcome o = draft_change(&p, &g);
    /* somebody else's change stays: this one is added to it */
    for (int i = 0; o == CONFLICT && i < TRIES; i++)
        o = draft_change(&p, &g);
    if (o == OK) {
        page_go(&p, page_link_id(&p, "/group/contents", g.id));
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        contents_show(&p, &g, page_status(o));
    } else {
        page_fail(&p);
    }
}

/* ---- a command for the draft ---- */

static void command_show(struct page *p, cat command, int status)
{
    static const char *const policies[] = {"join", "enrol", "every", NULL};
    const struct device_facts unknown = DEVICE_FACTS_UNKNOWN;
    struct value *list = value_set_list(p->root, "policies");
    for (int i = 0; policies[i]; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "value", policies[i]);
        value_set_text(v, "text", page_text(p, arena_fmt(p->a, "policy_%s", policies[i])));
        value_set_bool(v, "chosen", strcmp(page_field(p, "policy"), policies[i]) == 0);
    }
    value_set_text(p->root, "type", catalogue_name(command));
    value_set_text(p->root, "about", page_said(p, catalogue_about(command)));
    value_set_text(p->root, "days", *page_field(p, "days") ? page_field(p, "days") : "7");
    keys_show(p, command, &unknown);
    page_show(p, status, "groupcommand");
}

void console_group_command(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct device_group g;
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "groups") || !group_begin(&p, &g, "contents"))
        return;
    const char *type = req_query(req, "type");
    cat command = type ? catalogue_find(type) : NULL;
    if (command) {
        command_show(&p, command, 200);
        return;
    }
    err_set(&p.err, NOT_FOUND, "%s", page_text(&p, "command_none"));
    page_fail(&p);
}

static void findings_show(struct page *p, const struct findings *f)
{
    struct value *list = value_set_list(p->root, "findings");
    for (size_t i = 0; i < f->n; i++) {
        struct value *v = value_append_dict(list);
        value_set_bool(v, "error", f->list[i].error);
        value_set_text(v, "path", f->list[i].path);
        value_set_text(v, "text", page_said(p, f->list[i].text));
    }
}

static enum outcome command_add(struct page *p, const struct device_group *g, cat command)
{
    struct standing_put put = {.group_id = g->id,
                               .request_type = catalogue_name(command),
                               .policy = page_field(p, "policy"),
                               .every_days = page_number(page_field(p, "days")),
                               .reason = page_field(p, "why")};
    struct findings found = {0};
    struct standing s;
    struct group_draft d;
    enum outcome o = keys_read(p, command, &put.keys);
    if (o == OK)
        o = standing_make(p->db, p->app->conf, p->a, &put, &s, &found, &p->err);
    js_free(&put.keys);
    findings_show(p, &found);
    if (o == OK)
        o = draft_read(p, g->id, &d);
    if (o != OK)
        return o;
    d.next.orders = changed(p, d.next.orders, &d.next.norders, s.id, true);
    return d.next.orders
               ? blueprint_draft(p->db, g->id, &d.next, d.has_draft ? d.next.created_at : 0, &s, 1,
                                 p->caller->admin, p->req->now, &p->err)
               : err_set(&p->err, ERROR, "out of memory");
}

void console_group_command_post(struct app *app, struct req *req, const struct caller *caller,
                                struct resp *resp)
{
    struct device_group g;
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "groups") || !group_begin(&p, &g, "contents"))
        return;
    cat command = catalogue_find(page_field(&p, "type"));
    if (!command) {
        err_set(&p.err, INVALID, "%s", page_text(&p, "command_none"));
        page_fail(&p);
        return;
    }
    if (!*page_field(&p, "go")) { /* one entry more */
        command_show(&p, command, 200);
        return;
    }
    enum outcome o = command_add(&p, &g, command);
    if (o == OK) {
        page_go(&p, page_link_id(&p, "/group/contents", g.id));
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        command_show(&p, command, page_status(o));
    } else {
        page_fail(&p);
    }
}
