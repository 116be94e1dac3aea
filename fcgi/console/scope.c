/* scope.c: what an account or an API key is limited to: the devices of some groups. */
#include "console/scope.h"

#include "base/limits.h"
#include "store/group.h"

#include <stdlib.h>

static enum scope_kind kind_of(const char *word)
{
    return word && strcmp(word, "key") == 0 ? SCOPE_KEY : SCOPE_ADMIN;
}

static bool chosen(const struct scope *s, int64_t id)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->groups[i] == id)
            return true;
    return false;
}

enum outcome scope_boxes(struct page *p, const struct scope *s)
{
    struct device_group *g;
    int64_t after = 0;
    size_t n = LIM_PAGE;
    enum outcome o = OK;
    struct value *list = value_set_list(p->root, "groups");
    value_set_bool(p->root, "limited", s->limited);
    while (o == OK && n == LIM_PAGE) {
        o = group_list(p->db, after, LIM_PAGE, p->a, &g, &n, &p->err);
        for (size_t i = 0; o == OK && i < n; i++) {
            after = g[i].id;
            if (g[i].owner != 0)
                continue;
            struct value *v = value_append_dict(list);
            value_set_text(v, "id", arena_fmt(p->a, "%lld", (long long)g[i].id));
            value_set_text(v, "name", g[i].name);
            value_set_int(v, "members", g[i].members);
            value_set_bool(v, "chosen", chosen(s, g[i].id));
        }
    }
    return o;
}

static void show(struct page *p, enum scope_kind kind, const char *name, const struct scope *ticked,
                 int status)
{
    struct scope s;
    enum outcome o = scope_get(p->db, kind, name, p->a, &s, &p->err);
    if (o == OK)
        o = scope_boxes(p, ticked ? ticked : s.limited ? &s : &(struct scope){0});
    if (o != OK) {
        page_fail(p);
        return;
    }
    value_set_text(p->root, "name", name);
    value_set_text(p->root, "title", name);
    value_set_text(p->root, "kind", kind == SCOPE_KEY ? "key" : "admin");
    value_set_bool(p->root, "is_key", kind == SCOPE_KEY);
    page_show(p, status, "scope");
}

void console_scope(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *name = req_query(req, "name");
    struct page p;
    if (page_open(&p, app, req, caller, resp, "accounts"))
        show(&p, kind_of(req_query(req, "kind")), name ? name : "", NULL, 200);
}

struct ticked {
    int64_t ids[SCOPE_GROUPS + 1];
    size_t n;
};

static bool tick(const char *name, const char *value, void *arg)
{
    struct ticked *t = arg;
    if (strcmp(name, "group") == 0 && t->n <= SCOPE_GROUPS)
        t->ids[t->n++] = page_number(value);
    return true;
}

enum outcome scope_of_form(struct page *p, struct scope *out)
{
    struct ticked *t = arena_alloc(p->a, sizeof *t);
    *out = (struct scope){0};
    if (!t)
        return err_set(&p->err, ERROR, "out of memory");
    t->n = 0;
    req_form_each(p->req, tick, t);
    *out =
        (struct scope){.limited = *page_field(p, "limited") != '\0', .groups = t->ids, .n = t->n};
    if (out->limited == (t->n > 0))
        return OK;
    return err_set(&p->err, INVALID, "%s",
                   page_text(p, out->limited ? "scope_no_group" : "scope_not_limited"));
}

void console_scope_post(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    struct scope s;
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "accounts"))
        return;
    enum scope_kind kind = kind_of(page_field(&p, "kind"));
    const char *name = page_field(&p, "name");
    enum outcome o = scope_of_form(&p, &s);
    if (o == OK)
        o = scope_set(p.db, kind, name, &s, caller->admin, &p.err);
    if (o == OK) {
        page_go(&p, kind == SCOPE_KEY ? "/apikeys?done=saved" : "/accounts?done=saved");
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, kind, name, &s, page_status(o));
    } else {
        page_fail(&p);
    }
}
