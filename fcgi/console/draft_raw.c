/* draft_raw.c: a draft as a text, without its secrets, and what is wrong with it, line by line. */
#include "console/draft.h"

#include "base/limits.h"
#include "library/raw_edit.h"

/* What the library says of a text, each with its line. */
static void lines_show(struct page *p, struct bytes text, struct bytes file)
{
    struct value *list = value_set_list(p->root, "findings");
    struct profile_look look;
    struct err err = {.outcome = OK};
    enum outcome o = profile_look(p->db, p->app->conf, p->a, file, p->req->now, &look, &err);
    for (size_t i = 0; i < look.found.n; i++) {
        struct value *v = value_append_dict(list);
        size_t line = raw_line(text, look.found.list[i].path);
        value_set_bool(v, "error", look.found.list[i].error);
        value_set_text(v, "path", look.found.list[i].path);
        value_set_text(v, "text", page_said(p, look.found.list[i].text));
        value_set_text(v, "line", line ? arena_fmt(p->a, "%zu", line) : "");
    }
    value_set_bool(p->root, "some_findings", look.found.n > 0);
    value_set_bool(p->root, "all_good", o == OK && look.found.n == 0);
}

static void show(struct page *p, const struct draft *d, const struct library_item *item,
                 const char *text, size_t kept, int status)
{
    draft_head(p, d, item);
    value_set_text(p->root, "text", text);
    value_set_text(p->root, "kept", kept ? arena_fmt(p->a, "%zu", kept) : "");
    value_set_text(p->root, "mark", RAW_KEPT);
    page_show(p, status, "draftraw");
}

void console_draft_raw(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct page p;
    struct buf file = BUF_INIT(LIM_PROFILE), text = BUF_INIT(3 * LIM_PROFILE);
    struct library_item *item;
    struct draft d;
    size_t kept = 0;
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    enum outcome o = draft_open(&p, page_number(req_query(req, "id")), &d, &file, &item)
                         ? raw_text(p.a, buf_bytes(&file), &text, &kept, &p.err)
                         : p.err.outcome;
    if (o == OK) {
        lines_show(&p, buf_bytes(&text), buf_bytes(&file));
        show(&p, &d, item, buf_cstr(&text), kept, 200);
    } else {
        page_fail(&p);
    }
    buf_wipe(&file);
    buf_free(&text);
}

/* Browsers send a text with CR LF. */
static const char *text_given(struct page *p)
{
    const char *s = req_form(p->req, "text");
    size_t n = s ? strlen(s) : 0, k = 0;
    char *out = arena_strndup(p->a, s ? s : "", n);
    for (size_t i = 0; out && i < n; i++)
        if (!(out[i] == '\r' && out[i + 1] == '\n'))
            out[k++] = out[i];
    if (out)
        out[k] = '\0';
    return out ? out : "";
}

void console_draft_raw_post(struct app *app, struct req *req, const struct caller *caller,
                            struct resp *resp)
{
    struct page p;
    struct buf file = BUF_INIT(LIM_PROFILE), made = BUF_INIT(2 * LIM_PROFILE),
               other = BUF_INIT(3 * LIM_PROFILE);
    struct library_item *item;
    struct draft d;
    size_t kept = 0;
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    const char *text = text_given(&p);
    if (!draft_open(&p, page_number(page_field(&p, "id")), &d, &file, &item)) {
        page_fail(&p);
        goto out;
    }
    enum outcome o = raw_apply(p.a, bytes_str(text), buf_bytes(&file), &made, &p.err);
    if (o == OK && d.revision != page_number(page_field(&p, "revision"))) {
        o = err_set(&p.err, CONFLICT, "%s", page_text(&p, "draft_form_stale"));
        if (raw_text(p.a, buf_bytes(&file), &other, &kept, &p.err) == OK)
            value_set_text(p.root, "theirs", arena_strdup(p.a, buf_cstr(&other)));
        err_set(&p.err, CONFLICT, "%s", page_text(&p, "draft_form_stale"));
    }
    bool check = strcmp(page_field(&p, "what"), "check") == 0;
    if (o == OK && !check)
        o = profile_draft_keep(p.db, app->conf, p.a, &d, buf_bytes(&made), caller->admin, req->now,
                               &p.err);
    if (o == OK && check) {
        lines_show(&p, bytes_str(text), buf_bytes(&made));
        show(&p, &d, item, text, kept, 200);
    } else if (o == OK) {
        page_go(&p, profile_link(&p, "/draft", d.id));
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, &d, item, text, kept, page_status(o));
    } else {
        page_fail(&p);
    }
out:
    buf_wipe(&file);
    buf_wipe(&made);
    buf_free(&other);
}
