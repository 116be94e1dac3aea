/* groups.c: groups of devices: their list, a group's devices, and tags of devices. */
#include "console/effects.h"

#include "base/limits.h"
#include "console/device_page.h"
#include "console/filter.h"
#include "library/standing.h"
#include "store/blueprint.h"
#include "store/member.h"

#include <stdlib.h>

#define NAME_MAX 128
#define NOTE_MAX 255
#define TAG_MAX 64
#define WORDS_MAX 20000 /* devices of one list that is pasted */

static void tabs(struct page *p, const struct device_group *g, const char *part)
{
    static const struct {
        const char *part, *path, *text;
    } all[] = {{"devices", "/group", "group_devices"},
               {"contents", "/group/contents", "group_contents"},
               {"versions", "/group/versions", "group_versions"},
               {"filter", "/group/filter", "group_filter"}};
    struct value *list = value_set_list(p->root, "tabs");
    size_t n = sizeof all / sizeof *all - !group_changes(p->db, g->owner); /* not the filter */
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "link", page_link_id(p, all[i].path, g->id));
        value_set_text(v, "text", page_text(p, all[i].text));
        value_set_bool(v, "chosen", strcmp(all[i].part, part) == 0);
    }
}

bool group_begin(struct page *p, struct device_group *g, const char *part)
{
    int64_t id =
        page_number(p->req->method == METHOD_POST ? page_field(p, "id") : req_query(p->req, "id"));
    if (group_get(p->db, id, p->a, g, &p->err) != OK) {
        page_fail(p);
        return false;
    }
    value_set_text(p->root, "id", arena_fmt(p->a, "%lld", (long long)g->id));
    value_set_text(p->root, "group_id", arena_fmt(p->a, "%lld", (long long)g->id));
    value_set_text(p->root, "back", page_link_id(p, "/group/contents", g->id));
    value_set_text(p->root, "name", g->name);
    value_set_text(p->root, "title", g->name);
    value_set_text(p->root, "note", g->note);
    value_set_int(p->root, "members", g->members);
    value_set_bool(p->root, "filtered", g->filter[0] != '\0');
    value_set_bool(p->root, "changes", group_changes(p->db, g->owner) && page_may(p, "operate"));
    value_set_bool(p->root, "decides", !group_changes(p->db, g->owner));
    value_set_bool(p->root, "bounded", g->owner != 0);
    tabs(p, g, part);
    return true;
}

/* ---- the list ---- */

static void list_show(struct page *p, int status)
{
    struct device_group *g;
    size_t n = 0;
    if (group_list(p->db, page_number(req_query(p->req, "after")), PAGE_ROWS, p->a, &g, &n,
                   &p->err) != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "groups");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        struct blueprint b;
        if (blueprint_now(p->db, g[i].id, p->a, &b, &p->err) != OK)
            continue; /* it was deleted meanwhile */
        value_set_text(v, "name", g[i].name);
        value_set_text(v, "note", g[i].note);
        value_set_text(v, "link", page_link_id(p, "/group", g[i].id));
        value_set_text(v, "kind",
                       page_text(p, g[i].filter[0] ? "group_by_filter" : "group_by_hand"));
        value_set_bool(v, "bounded", g[i].owner != 0);
        value_set_int(v, "members", g[i].members);
        value_set_int(v, "items", (int64_t)b.nitems);
        value_set_int(v, "orders", (int64_t)b.norders);
    }
    value_set_bool(p->root, "some", n > 0);
    if (n == PAGE_ROWS)
        value_set_text(
            p->root, "next",
            page_link(p, "/groups", "after", arena_fmt(p->a, "%lld", (long long)g[n - 1].id)));
    page_show(p, status, "groups");
}

void console_groups(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "groups"))
        list_show(&p, 200);
}

/* A group by hand; one by a filter is made on the page of the filter. */
void console_groups_post(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "groups"))
        return;
    struct device_group g = {
        .name = page_field(&p, "name"), .note = page_field(&p, "note"), .filter = ""};
    enum outcome o = *g.name && strlen(g.name) <= NAME_MAX && strlen(g.note) <= NOTE_MAX
                         ? group_save(p.db, &g, caller->admin, req->now, &p.err)
                         : err_set(&p.err, INVALID, "%s", page_text(&p, "group_name_wrong"));
    if (o == OK) {
        page_go(&p, page_link_id(&p, "/group", g.id));
    } else if (page_mendable(o)) {
        value_set_text(p.root, "new_name", g.name);
        value_set_text(p.root, "new_note", g.note);
        page_bad(&p, p.err.msg);
        list_show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}

/* ---- one group ---- */

static void group_show(struct page *p, const struct device_group *g, int status)
{
    struct group_device *d;
    size_t n;
    if (group_members(p->db, g->id, page_number(req_query(p->req, "after")), PAGE_ROWS, p->a, &d,
                      &n, &p->err) != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "devices");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "ident", d[i].ident);
        value_set_text(v, "name",
                       *d[i].device_name ? d[i].device_name
                       : *d[i].serial    ? d[i].serial
                                         : d[i].ident);
        value_set_text(v, "serial", d[i].serial);
        value_set_text(v, "link", page_link(p, "/device", "id", d[i].ident));
        page_time(p, v, "since", d[i].since);
    }
    value_set_bool(p->root, "some", n > 0);
    page_time(p, p->root, "evaluated", g->evaluated_at);
    if (n == PAGE_ROWS)
        value_set_text(p->root, "next",
                       page_link(p, page_link_id(p, "/group", g->id), "after",
                                 arena_fmt(p->a, "%lld", (long long)d[n - 1].id)));
    page_show(p, status, "group");
}

void console_group(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct device_group g;
    struct page p;
    if (page_open(&p, app, req, caller, resp, "groups") && group_begin(&p, &g, "devices"))
        group_show(&p, &g, 200);
}

/* The words of a text that somebody pasted, and what was ticked. */
struct words_read {
    const char **list;
    size_t n;
};

static bool tick(const char *name, const char *value, void *arg)
{
    struct words_read *w = arg;
    if (strcmp(name, "pick") == 0 && w->n < WORDS_MAX)
        w->list[w->n++] = value;
    return true;
}

static enum outcome words_of(struct page *p, const char *text, struct words_read *w)
{
    static const char blank[] = " \t\r\n,;";
    w->n = 0;
    w->list = arena_array(p->a, WORDS_MAX, sizeof *w->list);
    char *copy = arena_strdup(p->a, text), *rest = copy;
    if (!w->list || !copy)
        return err_set(&p->err, ERROR, "out of memory");
    for (char *s; (s = strtok_r(rest, blank, &rest)) != NULL;) {
        if (w->n == WORDS_MAX)
            return err_set(&p->err, INVALID, "%s", page_text(p, "group_too_many"));
        w->list[w->n++] = s;
    }
    return OK;
}

/* What was not found, above the page. */
static void strangers(struct page *p, const struct group_edit *e)
{
    struct buf b = BUF_INIT(LIM_KB * 8);
    size_t n = e->unknown < GROUP_UNKNOWN ? e->unknown : GROUP_UNKNOWN;
    buf_fmt(&b, "%s %zu: ", page_text(p, "group_strangers"), e->unknown);
    for (size_t i = 0; i < n; i++)
        buf_fmt(&b, "%s%.64s", i ? ", " : "", e->strangers[i]);
    page_bad(p, buf_cstr(&b));
    buf_free(&b);
}

bool group_proof(struct page *p, int64_t group, const char *tag)
{
    bool harms;
    if (standing_harms(p->db, p->app->conf, p->a, group, tag, &harms, &p->err) == OK)
        return !harms || page_confirmed(p);
    page_fail(p);
    return false;
}

void console_group_devices(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct device_group g;
    struct group_edit e = {0};
    struct words_read w;
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "groups") || !group_begin(&p, &g, "devices"))
        return;
    bool add = strcmp(page_field(&p, "what"), "add") == 0;
    const char *text = page_field(&p, "ids");
    enum outcome o = words_of(&p, text, &w);
    if (o == OK && !add)
        req_form_each(req, tick, &w);
    if (o == OK && w.n == 0)
        o = err_set(&p.err, INVALID, "%s", page_text(&p, "group_nobody"));
    *(add ? &e.add : &e.remove) = w.list;
    *(add ? &e.nadd : &e.nremove) = w.n;
    struct preview x = {
        .group_id = g.id, .add = e.add, .nadd = e.nadd, .remove = e.remove, .nremove = e.nremove};
    bool yes = false;
    if (o == OK)
        o = effects_agreed(&p, &g, &x, false, add ? "group_put_ask" : "group_take_ask", &yes);
    if (o == OK && (!yes || (add && !group_proof(&p, g.id, NULL))))
        return;
    if (o == OK)
        o = group_edit(p.db, g.id, &e, caller->admin, req->now, &p.err);
    if (o == OK && e.unknown == 0) {
        page_go(&p, page_link(&p, page_link_id(&p, "/group", g.id), "done", "saved"));
    } else if (o == OK) {
        strangers(&p, &e);
        if (group_begin(&p, &g, "devices"))
            group_show(&p, &g, 200);
    } else if (page_mendable(o)) {
        value_set_text(p.root, "ids", text);
        page_bad(&p, p.err.msg);
        group_show(&p, &g, page_status(o));
    } else {
        page_fail(&p);
    }
}

void console_group_delete(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct device_group g;
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "groups") || !group_begin(&p, &g, "devices"))
        return;
    struct preview x = {.group_id = g.id};
    bool yes = false;
    const char *why = page_field(&p, "why");
    enum outcome o = *why && strlen(why) <= NOTE_MAX
                         ? effects_agreed(&p, &g, &x, true, "group_delete_ask", &yes)
                         : err_set(&p.err, INVALID, "%s", page_text(&p, "reason_wrong"));
    if (o == OK && (!yes || !page_confirmed(&p)))
        return;
    if (o == OK)
        o = group_delete(p.db, g.id, caller->admin, why, req->now, &p.err);
    if (o == OK) {
        page_go(&p, "/groups?done=deleted");
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        group_show(&p, &g, page_status(o));
    } else {
        page_fail(&p);
    }
}

/* ---- tags ---- */

/* The devices of the filter that came with the form. */
static enum outcome filtered(struct page *p, struct words_read *w)
{
    const struct device_filter f = filter_of(p);
    int64_t after = 0;
    struct rows r;
    enum outcome o = OK;
    for (r.n = LIM_PAGE; o == OK && r.n == LIM_PAGE && w->n < WORDS_MAX;) {
        o = device_ids(p->db, &f, after, LIM_PAGE, p->a, &r, &p->err);
        for (size_t i = 0; o == OK && i < r.n && w->n < WORDS_MAX; i++) {
            w->list[w->n++] = row_at(&r, i, 1)->s;
            after = row_at(&r, i, 0)->i;
        }
    }
    return o == OK && w->n == WORDS_MAX
               ? err_set(&p->err, INVALID, "%s", page_text(p, "group_too_many"))
               : o;
}

void console_tag(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct group_edit e = {0};
    struct words_read w = {0};
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    const char *tag = page_field(&p, "tag"), *device = page_field(&p, "device");
    bool take = strcmp(page_field(&p, "what"), "take") == 0;
    enum outcome o = words_of(&p, "", &w);
    if (o == OK && *device)
        w.list[w.n++] = device;
    else if (o == OK && strcmp(page_field(&p, "filtered"), "yes") == 0)
        o = filtered(&p, &w);
    else if (o == OK)
        req_form_each(req, tick, &w);
    if (o == OK && (!*tag || strlen(tag) > TAG_MAX))
        o = err_set(&p.err, INVALID, "%s", page_text(&p, "tag_wrong"));
    if (o == OK && w.n == 0)
        o = err_set(&p.err, INVALID, "%s", page_text(&p, "group_nobody"));
    *(take ? &e.remove : &e.add) = w.list;
    *(take ? &e.nremove : &e.nadd) = w.n;
    if (o == OK && !group_proof(&p, 0, tag))
        return;
    if (o == OK)
        o = tag_edit(p.db, tag, &e, caller->admin, req->now, &p.err);
    if (o == OK) {
        page_go(&p, *device ? page_link(&p, page_link(&p, "/device", "id", device), "done", "saved")
                            : "/devices?done=saved");
    } else if (page_mendable(o) && *device) {
        page_bad(&p, p.err.msg);
        device_show(&p, device, page_status(o));
    } else {
        page_fail(&p);
    }
}
