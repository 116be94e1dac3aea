/* offers.c: what the users of a group's devices may have, and take in self-service. */
#include "console/offers.h"

#include "base/limits.h"
#include "console/apps.h"
#include "console/groups.h"
#include "store/group.h"
#include "store/library.h"
#include "store/offer.h"

#define WHY_MAX 255

static const char *number(struct page *p, int64_t id)
{
    return arena_fmt(p->a, "%lld", (long long)id);
}

static const char *item_devices_link(struct page *p, int kind, int64_t id)
{
    return page_link(p, page_link_id(p, kind == LIBRARY_APP ? "/app" : "/profile", id), "tab",
                     "devices");
}

/* The offers; of_group: they are the group's, each with its item, or else the item's. */
static void list_show(struct page *p, const struct offer *x, size_t n, bool of_group)
{
    struct value *list = value_set_list(p->root, "offers");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "offer_id", number(p, x[i].id));
        value_set_text(v, "offered", of_group ? x[i].item : x[i].group);
        value_set_text(v, "offer_link",
                       of_group ? item_devices_link(p, x[i].kind, x[i].item_id)
                                : page_link_id(p, "/group/contents", x[i].group_id));
        value_set_text(v, "of_group", number(p, x[i].group_id));
        value_set_text(v, "of_item", number(p, x[i].item_id));
        value_set_int(v, "taken", x[i].taken);
        value_set_text(v, "offered_by", x[i].created_by);
        page_time(p, v, "offered_at", x[i].created_at);
    }
    value_set_bool(p->root, "some_offers", n > 0);
    value_set_text(p->root, "offers_from", of_group ? "group" : "item");
    value_set_text(p->root, "offers_other", of_group ? "item" : "group");
    value_set_text(p->root, "offers_label",
                   page_text(p, of_group ? "offers_choose_item" : "offers_choose_group"));
    value_set_text(p->root, "offers_lead",
                   page_text(p, of_group ? "offers_lead_group" : "offers_lead_item"));
}

static bool is_offered(const struct offer *x, size_t n, int64_t id, bool of_group)
{
    for (size_t i = 0; i < n; i++)
        if ((of_group ? x[i].item_id : x[i].group_id) == id)
            return true;
    return false;
}

static void choice(struct page *p, struct value *list, int64_t id, const char *name)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "choice", number(p, id));
    value_set_text(v, "choice_name", name);
}

enum outcome offers_of_group(struct page *p, int64_t group_id)
{
    struct library_item *all;
    struct offer *x;
    size_t n, k = 0, left = 0;
    enum outcome o = offer_list(p->db, group_id, 0, 0, LIM_PAGE, p->a, &x, &n, &p->err);
    if (o == OK)
        o = library_list(p->db, 0, NULL, 0, LIM_PAGE, p->a, &all, &k, &p->err);
    if (o != OK)
        return o;
    list_show(p, x, n, true);
    value_set_text(p->root, "offers_id", number(p, group_id));
    struct value *list = value_set_list(p->root, "offer_choices");
    for (size_t i = 0; i < k; i++)
        if (!is_offered(x, n, all[i].id, true)) {
            choice(p, list, all[i].id, all[i].name);
            left++;
        }
    value_set_bool(p->root, "some_choices", left > 0);
    return OK;
}

enum outcome offers_of_item(struct page *p, int64_t item_id)
{
    struct device_group *g;
    struct offer *x;
    size_t n, k = 0, left = 0;
    enum outcome o = offer_list(p->db, 0, item_id, 0, LIM_PAGE, p->a, &x, &n, &p->err);
    if (o == OK)
        o = group_list(p->db, 0, LIM_PAGE, p->a, &g, &k, &p->err);
    if (o != OK)
        return o;
    list_show(p, x, n, false);
    value_set_text(p->root, "offers_id", number(p, item_id));
    struct value *list = value_set_list(p->root, "offer_choices");
    for (size_t i = 0; i < k; i++)
        if (!is_offered(x, n, g[i].id, false)) {
            choice(p, list, g[i].id, g[i].name);
            left++;
        }
    value_set_bool(p->root, "some_choices", left > 0);
    return OK;
}

/* ---- changing ---- */

static enum outcome withdraw(struct page *p, int64_t group, int64_t item)
{
    const char *why = page_field(p, "why");
    struct offer *x;
    size_t n;
    if (!*why || strlen(why) > WHY_MAX)
        return err_set(&p->err, INVALID, "%s", page_text(p, "reason_wrong"));
    enum outcome o = offer_list(p->db, group, item, 0, 1, p->a, &x, &n, &p->err);
    if (o != OK || n == 0)
        return o; /* it is not offered: done already */
    return offer_delete(p->db, x[0].id, p->caller->admin, why, &p->err);
}

/* Back to the page that the form is a part of. */
static void go_back(struct page *p, int64_t group, int64_t item)
{
    struct library_item i;
    const char *to = page_link_id(p, "/group/contents", group);
    if (strcmp(page_field(p, "from"), "item") == 0 &&
        library_get(p->db, item, p->a, &i, &p->err) == OK)
        to = item_devices_link(p, i.kind, item);
    page_go(p, page_link(p, to, "done", "offer_saved"));
}

void console_offers_post(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "groups"))
        return;
    int64_t group = page_number(page_field(&p, "group")),
            item = page_number(page_field(&p, "item"));
    int64_t id;
    enum outcome o =
        group && item ? OK : err_set(&p.err, INVALID, "%s", page_text(&p, "form_unknown"));
    if (o == OK && strcmp(page_field(&p, "what"), "withdraw") == 0)
        o = withdraw(&p, group, item);
    else if (o == OK)
        o = offer_add(p.db, group, item, caller->admin, req->now, &id, &p.err);
    if (o == OK)
        go_back(&p, group, item);
    else
        page_fail(&p);
}
