/* groupfilter.c: which devices belong to a group by a filter, in words: with how many those are,
 * and what saving it would change. */
#include "base/limits.h"
#include "console/effects.h"
#include "console/filterform.h"

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

/* Who would come into the group that is there, and who would leave it; *any: a device gets or loses
 * something by that. */
static enum outcome changes(struct page *p, const struct device_group *g, const struct filter *f,
                            bool *any)
{
    struct preview x = {.group_id = g->id, .filter = f};
    *any = false;
    if (g->id == 0)
        return OK;
    value_set_bool(p->root, "has_changes", true);
    return effects_run(p, &x, false, any);
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
    if (id && *id) {
        value_set_text(p->root, "changed_at", arena_fmt(p->a, "%lld", (long long)g->changed_at));
        return true;
    }
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

/* What the form says of the group, as it would be stored; with its filter, or without one (e NULL).
 */
static enum outcome group_read(struct page *p, js e, struct device_group *g)
{
    struct buf text = BUF_INIT(LIM_MB);
    enum outcome o = OK;
    g->name = page_field(p, "name");
    g->note = page_field(p, "note");
    if (!*g->name || strlen(g->name) > NAME_MAX || strlen(g->note) > NOTE_MAX)
        o = err_set(&p->err, INVALID, "%s", page_text(p, "group_name_wrong"));
    if (o == OK && e && js_write(e, false, &text) != OK)
        o = err_set(&p->err, INVALID, "%s", page_text(p, "filter_too_long"));
    g->filter = e && o == OK ? arena_strdup(p->a, buf_cstr(&text)) : "";
    buf_free(&text);
    return o == OK && !g->filter ? err_set(&p->err, ERROR, "out of memory") : o;
}

/* Is what was read to be saved, as the person has seen what changes on which devices? *yes false:
 * that is to be shown first. */
static enum outcome agreed(struct page *p, struct device_group *g, const char *was,
                           const struct filter *f, bool *yes)
{
    const char *base = page_field(p, "changed_at");
    bool late = *base && page_number(base) != g->changed_at, any = false;
    bool moves = g->id != 0 && f && strcmp(was, g->filter) != 0 && !late;
    enum outcome o = moves ? changes(p, g, f, &any) : OK;
    const char *seal = o == OK && any ? effects_seal(p, g, g->filter) : NULL;
    *yes = false;
    if (o == OK && any && !seal)
        return p->err.outcome != OK ? p->err.outcome : err_set(&p->err, ERROR, "out of memory");
    if (o != OK || (any && !effects_seen(p, seal)))
        return o;
    *yes = true;
    if (*base) /* group_save refuses what is not as the form has shown it */
        g->changed_at = page_number(base);
    return OK;
}

/* Somebody else has changed it: who, and the form saves over that when it is sent again. */
static void overtaken(struct page *p, int64_t id)
{
    struct err ignored = {.outcome = OK};
    struct device_group now;
    if (id == 0 || group_get(p->db, id, p->a, &now, &ignored) != OK)
        return;
    value_set_text(p->root, "overtaken", now.changed_by);
    value_set_text(p->root, "theirs", page_link_id(p, "/group/filter", id));
    value_set_text(p->root, "changed_at", arena_fmt(p->a, "%lld", (long long)now.changed_at));
    page_time(p, p->root, "overtaken_at", now.changed_at);
}

static void answer(struct page *p, const struct device_group *g, const struct filterform *f,
                   enum outcome o, bool done)
{
    if (o == OK && done) {
        page_go(p, page_link(p, page_link_id(p, "/group", g->id), "done", "saved"));
    } else if (o == OK) {
        show(p, f, 200);
    } else if (page_mendable(o)) {
        page_bad(p, p->err.msg);
        if (o == CONFLICT)
            overtaken(p, g->id);
        show(p, f, page_status(o));
    } else {
        page_fail(p);
    }
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
    const char *what = page_field(&p, "do"), *was = g.filter;
    bool saving = strcmp(what, "save") == 0, by_hand = g.id != 0 && !g.filter[0];
    bool wants = (saving || strcmp(what, "count") == 0) && !by_hand, done = false, any;
    enum outcome o = f ? OK : err_set(&p.err, ERROR, "out of memory");
    value_set_text(p.root, "name", page_field(&p, "name"));
    value_set_text(p.root, "note", page_field(&p, "note"));
    value_set_bool(p.root, "by_hand", by_hand);
    if (g.id != 0) /* as the form had it: what was changed meanwhile is told when it is saved */
        value_set_text(p.root, "changed_at", page_field(&p, "changed_at"));
    if (o == OK)
        filterform_read(&p, f);
    if (o == OK && wants)
        o = filterform_expression(&p, f, &e);
    if (o == OK && wants)
        o = filter_compile(e, p.a, &compiled, &p.err);
    if (o == OK && saving)
        o = group_read(&p, e, &g);
    if (o == OK && saving)
        o = agreed(&p, &g, was, wants ? &compiled : NULL, &done);
    js_free(&e);
    if (o == OK && done && g.id != 0 && !group_proof(&p, g.id, NULL))
        return;
    if (o == OK && done)
        o = group_save(p.db, &g, caller->admin, req->now, &p.err);
    if (o == OK && wants && !done) {
        matches(&p, &compiled);
        value_set_bool(p.root, "asks", saving);
        o = saving ? OK : changes(&p, &g, &compiled, &any);
    }
    answer(&p, &g, f, o, done);
}
