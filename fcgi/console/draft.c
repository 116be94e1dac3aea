/* draft.c: a profile that is being made or changed: what it holds, what is wrong with it, what it
 * would change on which devices; and then published or discarded. */
#include "console/draft.h"

#include "base/limits.h"
#include "console/item.h"

void draft_head(struct page *p, const struct draft *d, const struct library_item *item)
{
    value_set_text(p->root, "id", arena_fmt(p->a, "%lld", (long long)d->id));
    value_set_text(p->root, "name", *d->name ? d->name : page_text(p, "draft_nameless"));
    value_set_text(p->root, "title", *d->name ? d->name : page_text(p, "draft_nameless"));
    value_set_text(p->root, "identifier", d->identifier);
    value_set_int(p->root, "revision", d->revision);
    value_set_text(p->root, "self", profile_link(p, "/draft", d->id));
    value_set_text(p->root, "form_link", profile_link(p, "/draft/form", d->id));
    value_set_text(p->root, "raw_link", profile_link(p, "/draft/raw", d->id));
    value_set_text(p->root, "by", d->changed_by);
    value_set_bool(p->root, "new_item", d->item_id == 0);
    value_set_int(p->root, "base", d->base);
    page_time(p, p->root, "changed", d->changed_at);
    if (item) {
        value_set_text(p->root, "item_name", item->name);
        value_set_text(p->root, "item_link", profile_link(p, "/profile", item->id));
    }
}

bool draft_open(struct page *p, int64_t id, struct draft *d, struct buf *file,
                struct library_item **item)
{
    *item = NULL;
    enum outcome o = id ? profile_draft_open(p->db, p->a, id, d, file, &p->err)
                        : err_set(&p->err, NOT_FOUND, "%s", page_text(p, "draft_unknown"));
    if (o == OK && d->item_id) {
        *item = profile_item(p, d->item_id);
        o = *item ? OK : p->err.outcome;
    }
    /* what it would change was deleted: it can still become a new one */
    if (o == NOT_FOUND && id && d->item_id && !*item && file->len) {
        d->item_id = 0;
        d->base = 0;
        value_set_bool(p->root, "orphan", true);
        o = OK;
    }
    return o == OK;
}

/* What it changes, and where somebody else published since it was begun, what they changed. */
static enum outcome changes(struct page *p, const struct draft *d, const struct library_item *item,
                            struct bytes file, int newest)
{
    struct buf now = BUF_INIT(LIM_PROFILE), base = BUF_INIT(LIM_PROFILE);
    bool config = item->kind == LIBRARY_PROFILE;
    bool behind = d->base != newest;
    enum outcome o = OK;
    value_set_bool(p->root, "behind", behind);
    value_set_int(p->root, "newest", newest);
    value_set_bool(p->root, "show_changes", config);
    if (config)
        o = profile_content(p->db, p->a, item, newest, &now, &p->err);
    if (o == OK && config)
        o = profile_changes(p, p->root, buf_bytes(&now), file);
    if (o == OK && config && behind && d->base) {
        struct value *theirs = value_set_dict(p->root, "theirs");
        o = profile_content(p->db, p->a, item, d->base, &base, &p->err);
        if (o == OK)
            o = profile_changes(p, theirs, buf_bytes(&base), buf_bytes(&now));
    }
    buf_wipe(&now);
    buf_wipe(&base);
    return o;
}

/* Is the file one that can be published? Sets its findings and what it is. */
static bool look(struct page *p, struct bytes file, bool *config)
{
    struct profile_look l;
    struct err err = {.outcome = OK};
    enum outcome o = profile_look(p->db, p->app->conf, p->a, file, p->req->now, &l, &err);
    *config = l.kind != LIBRARY_PROVISIONING;
    profile_findings(p, p->root, &l.found);
    value_set_bool(p->root, "config", *config);
    value_set_text(p->root, "signed_by", l.signed_by);
    value_set_text(p->root, "platforms", profile_platforms(p, l.platforms));
    page_time(p, p->root, "expires", l.expires_at);
    if (o != OK && l.found.errors == 0)
        value_set_text(p->root, "broken", arena_strdup(p->a, page_said(p, err.msg)));
    return o == OK;
}

static void show(struct page *p, int64_t id, int status)
{
    struct buf file = BUF_INIT(LIM_PROFILE);
    struct preview_version v = {0};
    struct library_item *item;
    struct draft d = {0};
    int newest = 0;
    bool config, good, same = false;
    enum outcome o = draft_open(p, id, &d, &file, &item) ? OK : p->err.outcome;
    if (o == OK) {
        draft_head(p, &d, item);
        good = look(p, buf_bytes(&file), &config);
        value_set_bool(p->root, "good_to_go", good);
        if (config && profile_contents(p, p->root, buf_bytes(&file)) != OK)
            value_set_text(p->root, "contents_bad", arena_strdup(p->a, page_said(p, p->err.msg)));
    }
    if (o == OK && item) {
        v.item_id = item->id;
        o = profile_draft_same(p->db, p->a, item->id, buf_bytes(&file), &newest, &same, &p->err);
        value_set_bool(p->root, "same", same);
        if (o == OK)
            o = changes(p, &d, item, buf_bytes(&file), newest);
        if (o == OK)
            o = preview_version(p->db, &v, p->a, &p->err);
        if (o == OK)
            item_reach(p, &v.change);
    }
    value_set_text(p->root, "reach_text", page_text(p, "item_reach_install"));
    value_set_text(p->root, "over", arena_fmt(p->a, "%d", newest));
    buf_wipe(&file);
    if (o == OK)
        page_show(p, status, "draft");
    else
        page_fail(p);
}

void console_draft(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "profiles"))
        show(&p, page_number(req_query(req, "id")), 200);
}

/* As the page that was looked at showed it: this revision, onto that newest version. */
static enum outcome publish(struct page *p, int64_t id, int64_t *item_id, bool *same)
{
    struct buf file = BUF_INIT(LIM_PROFILE);
    struct profile_put put = {.stage = strcmp(page_field(p, "stage"), "yes") == 0,
                              .actor = p->caller->admin,
                              .now = p->req->now};
    int64_t over = page_number(page_field(p, "over"));
    struct library_item *item;
    struct draft d = {0};
    int newest = 0;
    bool nothing = false;
    enum outcome o = draft_open(p, id, &d, &file, &item) ? OK : p->err.outcome;
    if (o == OK && d.revision != page_number(page_field(p, "revision")))
        o = err_set(&p->err, CONFLICT, "%s", page_text(p, "draft_changed"));
    put.base = over < INT32_MAX ? (int)over : INT32_MAX;
    if (o == OK && item)
        o = profile_draft_same(p->db, p->a, item->id, buf_bytes(&file), &newest, &nothing, &p->err);
    if (nothing)
        o = err_set(&p->err, CONFLICT, "%s",
                    words_fill(p->w, p->a, "draft_nothing", arena_fmt(p->a, "%d", newest), NULL));
    if (o == OK)
        o = profile_draft_publish(p->db, p->app->conf, p->a, &d, buf_bytes(&file), &put, &p->err);
    *item_id = put.stored_id;
    *same = put.repeated;
    buf_wipe(&file);
    return o;
}

void console_draft_post(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    struct page p;
    int64_t item_id = 0;
    bool same = false;
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    int64_t id = page_number(page_field(&p, "id"));
    const char *what = page_field(&p, "what");
    enum outcome o;
    if (strcmp(what, "publish") == 0)
        o = publish(&p, id, &item_id, &same);
    else if (strcmp(what, "discard") == 0)
        o = draft_delete(p.db, id, 0, caller->admin, "discarded", &p.err);
    else
        o = err_set(&p.err, INVALID, "%s", page_text(&p, "form_unknown"));
    if (o == OK && item_id) {
        page_go(&p, page_link(&p, profile_link(&p, "/profile", item_id), "done",
                              same ? "draft_same" : "draft_published"));
    } else if (o == OK) {
        page_go(&p, "/profiles?done=draft_discarded");
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, id, page_status(o));
    } else {
        page_fail(&p);
    }
}
