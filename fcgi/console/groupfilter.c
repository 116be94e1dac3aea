/* groupfilter.c: which devices belong to a group by a filter, in words: with how many those are,
 * and what saving it would change. */
#include "base/limits.h"
#include "console/filterform.h"
#include "console/group.h"
#include "store/preview.h"

#define NAME_MAX 128
#define NOTE_MAX 255
#define SOME 12

static void matches(struct page *p, const struct filter *f)
{
    struct filter_match *m;
    int64_t total;
    size_t n;
    if (filter_count(p->db, f, SOME, p->a, &total, &m, &n, &p->err) != OK)
        return;
    struct value *list = value_set_list(p->root, "matches");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", *m[i].name ? m[i].name : *m[i].serial ? m[i].serial : m[i].ident);
        value_set_text(v, "link", page_link(p, "/device", "id", m[i].ident));
    }
    value_set_int(p->root, "total", total);
    value_set_bool(p->root, "counted", true);
    value_set_bool(p->root, "more", total > SOME);
}

/* Who would come into the group that is there, and who would leave it. */
static void changes(struct page *p, const struct device_group *g, const struct filter *f)
{
    struct preview x = {.group_id = g->id, .filter = f, .keep_items = true};
    if (g->id == 0 || preview_run(p->db, &x, p->a, &p->err) != OK)
        return;
    value_set_bool(p->root, "has_changes", true);
    value_set_int(p->root, "join", (int64_t)x.join.n);
    value_set_int(p->root, "leave", (int64_t)x.leave.n);
    struct value *list = value_set_list(p->root, "changes");
    for (size_t i = 0; i < x.nchanges; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", x.changes[i].name);
        value_set_int(v, "install", (int64_t)x.changes[i].install.n);
        value_set_int(v, "remove", (int64_t)x.changes[i].remove.n);
    }
}

static void show(struct page *p, const struct filterform *f, int status)
{
    filterform_show(p, f);
    page_show(p, status, "groupfilter");
}

/* A group that is there, or a new one. */
static bool begin(struct page *p, struct device_group *g)
{
    const char *id = p->req->method == METHOD_POST ? page_field(p, "id") : req_query(p->req, "id");
    if (id && *id && !group_begin(p, g, "filter"))
        return false;
    if (id && *id && !group_changes(p->db, g->owner)) {
        err_set(&p->err, DENIED, "%s", page_text(p, "group_decides"));
        page_fail(p);
        return false;
    }
    if (id && *id)
        return true;
    *g = (struct device_group){.name = "", .note = "", .filter = ""};
    value_set_bool(p->root, "is_new", true);
    value_set_text(p->root, "title", page_text(p, "group_new_filter"));
    return true;
}

void console_group_filter(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct device_group g;
    struct page p;
    js e = NULL;
    if (!page_open(&p, app, req, caller, resp, "groups") || !begin(&p, &g))
        return;
    struct filterform *f = arena_alloc(p.a, sizeof *f);
    if (!f) {
        err_set(&p.err, ERROR, "out of memory");
        page_fail(&p);
        return;
    }
    filterform_empty(f);
    if (g.filter[0]) {
        struct filter compiled;
        bool fits = js_parse(bytes_str(g.filter), &e, &p.err) == OK && filterform_of(&p, e, f);
        if (!fits)
            page_bad(&p, page_text(&p, "filter_too_long"));
        else if (filter_compile(e, p.a, &compiled, &p.err) == OK)
            matches(&p, &compiled);
        js_free(&e);
    }
    value_set_bool(p.root, "by_hand", g.id != 0 && !g.filter[0]);
    show(&p, f, 200);
}

static enum outcome save(struct page *p, struct device_group *g, js e)
{
    struct buf text = BUF_INIT(LIM_MB);
    enum outcome o = OK;
    g->name = page_field(p, "name");
    g->note = page_field(p, "note");
    if (!*g->name || strlen(g->name) > NAME_MAX || strlen(g->note) > NOTE_MAX)
        o = err_set(&p->err, INVALID, "%s", page_text(p, "group_name_wrong"));
    if (o == OK && e && js_write(e, false, &text) != OK)
        o = err_set(&p->err, INVALID, "%s", page_text(p, "filter_too_long"));
    g->filter = e ? buf_cstr(&text) : "";
    if (o == OK)
        o = group_save(p->db, g, p->caller->admin, p->req->now, &p->err);
    buf_free(&text);
    return o;
}

void console_group_filter_post(struct app *app, struct req *req, const struct caller *caller,
                               struct resp *resp)
{
    struct filter compiled;
    struct device_group g;
    struct page p;
    js e = NULL;
    if (!page_open(&p, app, req, caller, resp, "groups") || !begin(&p, &g))
        return;
    struct filterform *f = arena_alloc(p.a, sizeof *f);
    const char *what = page_field(&p, "do");
    bool saving = strcmp(what, "save") == 0, by_hand = g.id != 0 && !g.filter[0];
    enum outcome o = f ? OK : err_set(&p.err, ERROR, "out of memory");
    value_set_text(p.root, "name", page_field(&p, "name"));
    value_set_text(p.root, "note", page_field(&p, "note"));
    value_set_bool(p.root, "by_hand", by_hand);
    if (o == OK)
        filterform_read(&p, f);
    bool wants = saving || strcmp(what, "count") == 0;
    if (o == OK && wants && !by_hand)
        o = filterform_expression(&p, f, &e);
    if (o == OK && wants && !by_hand)
        o = filter_compile(e, p.a, &compiled, &p.err);
    if (o == OK && saving && g.id != 0 && !group_proof(&p, g.id, NULL)) {
        js_free(&e);
        return;
    }
    if (o == OK && saving)
        o = save(&p, &g, e);
    js_free(&e);
    if (o == OK && saving) {
        page_go(&p, page_link(&p, group_link(&p, "/group", g.id), "done", "saved"));
    } else if (o == OK) {
        if (wants && !by_hand) {
            matches(&p, &compiled);
            changes(&p, &g, &compiled);
        }
        show(&p, f, 200);
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, f, page_status(o));
    } else {
        page_fail(&p);
    }
}
