/* profile_parts.c: see profile.h. */
#include "console/profile.h"

#include "base/limits.h"

struct library_item *profile_item(struct page *p, int64_t id)
{
    struct library_item *i = arena_alloc(p->a, sizeof *i);
    if (!i) {
        err_set(&p->err, ERROR, "out of memory");
        return NULL;
    }
    enum outcome o = id > 0 ? library_get(p->db, id, p->a, i, &p->err)
                            : err_set(&p->err, NOT_FOUND, "%s", page_text(p, "profile_unknown"));
    if (o == OK && !(PROFILE_KINDS & (1u << i->kind)))
        o = err_set(&p->err, NOT_FOUND, "%s", page_text(p, "profile_unknown"));
    return o == OK ? i : NULL;
}

const char *profile_link(struct page *p, const char *path, int64_t id)
{
    const char *s = arena_fmt(p->a, "%s?id=%lld", path, (long long)id);
    return s ? s : "/";
}

const char *profile_type_title(struct page *p, const char *type)
{
    const char *key = arena_fmt(p->a, "payload_%s", type);
    const char *text = key ? page_text(p, key) : type;
    return text == key ? type : text;
}

void profile_option(struct value *list, const char *value, const char *text, bool chosen)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "value", value);
    value_set_text(v, "text", text);
    value_set_bool(v, "chosen", chosen);
}

const char *profile_platforms(struct page *p, unsigned bits)
{
    struct buf b = BUF_INIT(200);
    for (enum platform i = PLATFORM_IOS; i < PLATFORM__MAX; i++)
        if (bits & (1u << i))
            buf_fmt(&b, "%s%s", b.len ? ", " : "", platform_name(i));
    const char *s = arena_strdup(p->a, buf_cstr(&b));
    buf_free(&b);
    return s ? s : "";
}

void profile_findings(struct page *p, struct value *dict, const struct findings *f)
{
    struct value *list = value_set_list(dict, "findings");
    for (size_t i = 0; i < f->n; i++) {
        struct value *v = value_append_dict(list);
        value_set_bool(v, "error", f->list[i].error);
        value_set_text(v, "path", f->list[i].path);
        value_set_text(v, "text", page_said(p, f->list[i].text));
    }
    value_set_bool(dict, "some_findings", f->n > 0);
    value_set_bool(dict, "some_errors", f->errors > 0);
    size_t left = f->errors + f->warnings - f->n;
    value_set_text(dict, "findings_more", left ? arena_fmt(p->a, "%zu", left) : NULL);
}

/* ---- contents ---- */

static const char *value_words(struct page *p, const struct content_value *v)
{
    switch (v->kind) {
    case CONTENT_TRUE:
        return page_text(p, "yes");
    case CONTENT_FALSE:
        return page_text(p, "no");
    case CONTENT_EMPTY:
        return page_text(p, "content_empty");
    case CONTENT_SECRET:
        return page_text(p, "content_secret");
    case CONTENT_ABSENT:
        return page_text(p, "content_absent");
    default:
        return v->text;
    }
}

static void facts(struct page *p, struct value *list, const struct content_fact *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "path", f[i].path);
        value_set_text(v, "text", value_words(p, &f[i].value));
        value_set_bool(v, "secret", f[i].value.kind == CONTENT_SECRET);
    }
}

enum outcome profile_contents(struct page *p, struct value *dict, struct bytes file)
{
    struct contents c;
    enum outcome o = contents_read(p->a, file, &c, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(dict, "contents");
    for (size_t i = 0; i < c.n; i++) {
        struct value *v = value_append_dict(list);
        const char *title = profile_type_title(p, c.payloads[i].type);
        value_set_text(v, "title", title);
        value_set_text(v, "type", title == c.payloads[i].type ? "" : c.payloads[i].type);
        value_set_text(v, "name", c.payloads[i].name);
        facts(p, value_set_list(v, "facts"), c.payloads[i].facts, c.payloads[i].n);
        value_set_bool(v, "some_facts", c.payloads[i].n > 0);
    }
    facts(p, value_set_list(dict, "root_facts"), c.root, c.nroot);
    value_set_bool(dict, "encrypted_contents", c.encrypted);
    value_set_bool(dict, "no_payloads", c.n == 0 && !c.encrypted);
    value_set_text(dict, "facts_more", c.left_out ? arena_fmt(p->a, "%zu", c.left_out) : NULL);
    return OK;
}

enum outcome profile_changes(struct page *p, struct value *dict, struct bytes from, struct bytes to)
{
    struct contents old, new;
    struct content_changes c;
    enum outcome o = contents_read(p->a, from, &old, &p->err);
    if (o == OK)
        o = contents_read(p->a, to, &new, &p->err);
    if (o == OK)
        o = contents_compare(p->a, &old, &new, &c, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(dict, "changes");
    for (size_t i = 0; i < c.n; i++) {
        const struct content_change *x = &c.list[i];
        struct value *v = value_append_dict(list);
        value_set_text(v, "payload",
                       x->payload ? profile_type_title(p, x->payload->type)
                                  : page_text(p, "content_profile"));
        value_set_text(v, "path", *x->path ? x->path : page_text(p, "content_whole"));
        value_set_text(v, "was",
                       *x->path || x->was.kind == CONTENT_ABSENT ? value_words(p, &x->was)
                                                                 : page_text(p, "content_there"));
        value_set_text(v, "became",
                       *x->path || x->became.kind == CONTENT_ABSENT
                           ? value_words(p, &x->became)
                           : page_text(p, "content_there"));
        value_set_bool(v, "gone", x->became.kind == CONTENT_ABSENT);
        value_set_bool(v, "came", x->was.kind == CONTENT_ABSENT);
    }
    value_set_bool(dict, "some_changes", c.n > 0);
    value_set_text(dict, "changes_more", c.left_out ? arena_fmt(p->a, "%zu", c.left_out) : NULL);
    return OK;
}

/* ---- uploads ---- */

bool profile_upload(struct page *p, const struct library_item *item)
{
    struct bytes file = {0};
    struct draft d = {.name = ""};
    struct library_version *newest;
    size_t n = 0;
    enum outcome o = OK;
    if (!req_form_file(p->req, "file", &file, NULL)) {
        err_set(&p->err, INVALID, "%s", page_text(p, "profile_no_file"));
        return false;
    }
    if (item) {
        o = library_versions(p->db, item->id, 0, 1, p->a, &newest, &n, &p->err);
        d.item_id = item->id;
        d.base = n ? newest[0].number : 0;
    }
    if (o == OK)
        o = profile_draft_new(p->db, p->app->conf, p->a, &d, file, p->caller->admin, p->req->now,
                              &p->err);
    if (o != OK)
        return false;
    page_go(p, profile_link(p, "/draft", d.id));
    return true;
}
