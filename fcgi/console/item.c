/* item.c: see item.h: what is shown of an item. */
#include "console/item.h"
#include "console/offers.h"

#include "base/limits.h"
#include "store/assignment.h"
#include "store/group.h"
#include "store/itemcount.h"
#include "store/wanted.h"

#define VERSIONS 100

static const char *number(struct page *p, int64_t n)
{
    return arena_fmt(p->a, "%lld", (long long)n);
}

const char *item_link(const struct item_page *x, const char *tab)
{
    struct page *p = x->p;
    const char *link = page_link(p, x->path, "id", number(p, x->item->id));
    return tab ? page_link(p, link, "tab", tab) : link;
}

void item_head(const struct item_page *x)
{
    struct page *p = x->p;
    value_set_text(p->root, "id", number(p, x->item->id));
    value_set_text(p->root, "item_id", number(p, x->item->id));
    value_set_text(p->root, "self", item_link(x, NULL));
    value_set_text(p->root, "path", x->path);
    value_set_text(p->root, "list", x->list);
    value_set_text(p->root, "lists", page_text(p, x->lists));
    value_set_text(p->root, "item_name", x->item->name);
    value_set_text(p->root, "title", x->item->name);
    value_set_text(p->root, "identifier", x->item->identifier);
    value_set_int(p->root, "current", x->item->version);
    value_set_text(p->root, "changed_at", number(p, x->item->changed_at));
}

/* ---- its devices ---- */

static const char *state_link(const struct item_page *x, const char *state)
{
    const char *link = item_link(x, "devices");
    return state ? page_link(x->p, link, "state", state) : link;
}

static enum outcome counts(const struct item_page *x, int chosen)
{
    struct page *p = x->p;
    int64_t n[WANTED__MAX];
    bool more[WANTED__MAX];
    enum outcome o = item_count_page(p->db, x->item->id, p->a, n, more, &p->err);
    struct value *list = value_set_list(p->root, "states");
    for (int s = WANTED_PENDING; o == OK && s < WANTED__MAX; s++) {
        if (n[s] == 0 && !more[s] && s != chosen)
            continue;
        struct value *v = value_append_dict(list);
        page_state(p, v, "wanted", wanted_state_name(s));
        value_set_int(v, "count", n[s]);
        value_set_bool(v, "more", more[s]);
        value_set_text(v, "link", state_link(x, wanted_state_name(s)));
        value_set_bool(v, "chosen", s == chosen);
    }
    value_set_text(p->root, "all_link", state_link(x, NULL));
    value_set_bool(p->root, "one_state", chosen != 0);
    value_set_bool(p->root, "some_failed",
                   o == OK && (n[WANTED_FAILED] + n[WANTED_REFUSED] > 0 || more[WANTED_FAILED] ||
                               more[WANTED_REFUSED]));
    return o;
}

static void device_row(struct page *p, struct value *list, const struct wanted_row *x)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "ident", x->ident);
    value_set_text(v, "device",
                   *x->device_name ? x->device_name
                   : *x->serial    ? x->serial
                                   : x->device_ident);
    value_set_text(v, "user", x->user);
    value_set_text(v, "user_name", x->user_name);
    value_set_text(v, "link", page_link(p, "/device", "id", x->ident));
    page_state(p, v, "wanted", wanted_state_name(x->state));
    value_set_int(v, "version", x->version);
    value_set_text(v, "installed", x->installed_version ? number(p, x->installed_version) : "");
    value_set_text(v, "reason",
                   x->waits_user ? page_text(p, "wanted_waits_user") : page_said(p, x->reason));
    value_set_bool(v, "to_go", !x->wanted && x->state != WANTED_REMOVED);
    value_set_bool(v, "again", x->state == WANTED_FAILED || x->state == WANTED_REFUSED);
    if (*x->command_uuid)
        value_set_text(
            v, "command_link",
            page_link(p, page_link(p, "/device/command", "id", x->ident), "uuid", x->command_uuid));
    page_time(p, v, "changed", x->changed_at);
    page_time(p, v, "due", x->state == WANTED_FAILED || x->state == WANTED_PENDING ? x->due_at : 0);
}

static void option(struct value *list, const char *value, const char *text)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "value", value);
    value_set_text(v, "text", text);
}

static enum outcome groups(const struct item_page *x)
{
    struct page *p = x->p;
    struct assignment *a;
    struct device_group *g;
    size_t n, k = 0, left = 0;
    enum outcome o = assignment_list(p->db, 0, x->item->id, 0, LIM_PAGE, p->a, &a, &n, &p->err);
    if (o == OK)
        o = group_list(p->db, 0, LIM_PAGE, p->a, &g, &k, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "assigned");
    for (size_t m = 0; m < n; m++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "group", a[m].group);
        value_set_text(v, "group_id", number(p, a[m].group_id));
        value_set_text(v, "by", a[m].created_by);
        page_time(p, v, "since", a[m].created_at);
    }
    list = value_set_list(p->root, "groups");
    for (size_t m = 0; m < k; m++) {
        bool has = false;
        for (size_t j = 0; j < n && !has; j++)
            has = a[j].group_id == g[m].id;
        if (!has) {
            option(list, number(p, g[m].id), g[m].name);
            left++;
        }
    }
    value_set_bool(p->root, "some_groups", left > 0);
    value_set_bool(p->root, "no_group_at_all", k == 0);
    value_set_bool(p->root, "some_assigned", n > 0);
    if (n > 0)
        value_set_bool(p->root, "given", true);
    return OK;
}

/* Devices that are to have it by themselves. */
static enum outcome singles(const struct item_page *x)
{
    struct page *p = x->p;
    struct assignment *a;
    size_t n;
    enum outcome o =
        assignment_of_devices(p->db, NULL, x->item->id, 0, LIM_PAGE, p->a, &a, &n, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "singles");
    for (size_t m = 0; m < n; m++) {
        struct value *v = value_append_dict(list);
        const char *name = *a[m].device_name ? a[m].device_name : a[m].serial;
        value_set_text(v, "device", a[m].device);
        value_set_text(v, "called", *name ? name : a[m].device);
        value_set_text(v, "link", page_link(p, "/device", "id", a[m].device));
        value_set_text(v, "by", a[m].created_by);
        page_time(p, v, "since", a[m].created_at);
    }
    value_set_bool(p->root, "some_singles", n > 0);
    if (n > 0)
        value_set_bool(p->root, "given", true);
    return OK;
}

static enum outcome rollout(const struct item_page *x)
{
    struct page *p = x->p;
    struct rollout r;
    enum outcome o = rollout_halted(p->db, x->item->id, x->item->version, p->a, &r, &p->err);
    if (o == OK && r.halted_at) {
        struct value *v = value_set_dict(p->root, "halted");
        value_set_text(v, "why", page_said(p, r.halted_why));
        page_time(p, v, "at", r.halted_at);
    }
    return o;
}

enum outcome item_devices(const struct item_page *x)
{
    struct page *p = x->p;
    const char *word = p->req->method == METHOD_POST ? NULL : req_query(p->req, "state");
    int state = wanted_state_read(word);
    int64_t after = page_number(req_query(p->req, "after"));
    struct wanted_row *d;
    size_t n;
    enum outcome o = counts(x, state);
    if (o == OK)
        o = wanted_of_item(p->db, x->item->id, state, after, PAGE_ROWS, p->a, &d, &n, &p->err);
    if (o == OK)
        o = groups(x);
    if (o == OK)
        o = singles(x);
    if (o == OK)
        o = rollout(x);
    if (o == OK)
        o = offers_of_item(p, x->item->id);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "devices");
    for (size_t k = 0; k < n; k++)
        device_row(p, list, &d[k]);
    value_set_bool(p->root, "some_devices", n > 0);
    if (n == PAGE_ROWS)
        value_set_text(p->root, "next",
                       page_link(p, state_link(x, state ? word : NULL), "after",
                                 number(p, d[n - 1].enrollment_id)));
    return OK;
}

/* ---- its versions ---- */

enum outcome item_versions(const struct item_page *x)
{
    struct page *p = x->p;
    struct library_version *v;
    size_t n;
    int64_t before = page_number(req_query(p->req, "before"));
    enum outcome o = library_versions(p->db, x->item->id, before > INT32_MAX ? 0 : (int)before,
                                      VERSIONS, p->a, &v, &n, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "versions");
    for (size_t m = 0; m < n; m++) {
        struct value *r = value_append_dict(list);
        value_set_int(r, "number", v[m].number);
        value_set_text(r, "called", v[m].uuid);
        value_set_bool(r, "is_current", v[m].number == x->item->version);
        value_set_bool(r, "is_newer", v[m].number > x->item->version);
        value_set_text(r, "by", v[m].created_by);
        value_set_text(r, "size", v[m].size ? page_size(p, v[m].size) : "–");
        page_time(p, r, "made", v[m].created_at);
    }
    if (n == VERSIONS)
        value_set_text(
            p->root, "next",
            page_link(p, item_link(x, "versions"), "before", number(p, v[n - 1].number)));
    return OK;
}

/* ---- before it is done ---- */

void item_reach(struct page *p, const struct preview_set *s)
{
    struct value *v = value_set_dict(p->root, "reach"), *list = value_set_list(v, "devices");
    for (size_t i = 0; i < s->nsample; i++) {
        struct value *d = value_append_dict(list);
        value_set_text(d, "device", s->name[i]);
        value_set_text(d, "link", page_link(p, "/device", "id", s->sample[i]));
    }
    value_set_int(v, "count", (int64_t)s->n);
    value_set_bool(v, "nobody", s->n == 0);
    if (s->for_users && s->n > 0)
        value_set_text(v, "users",
                       words_fill(p->w, p->a, "reach_users", arena_fmt(p->a, "%zu", s->users),
                                  arena_fmt(p->a, "%zu", s->waiting)));
    value_set_bool(v, "more_devices", s->n > s->nsample);
}

enum outcome item_ask(struct item_page *x, const char *what, const char *text,
                      const char *const *fields, bool reason)
{
    struct page *p = x->p;
    struct value *list = value_set_list(p->root, "carried");
    item_head(x);
    value_set_text(p->root, "what", what);
    value_set_text(p->root, "question", text);
    value_set_bool(p->root, "reason", reason);
    for (size_t i = 0; fields[i]; i += 2) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", fields[i]);
        value_set_text(v, "value", fields[i + 1]);
    }
    page_show(p, 200, "itemask");
    x->done = NULL;
    return OK;
}
