/* profile_change.c: what is done to a profile. What every item has is done by item.h; a version is
 * given to devices after a look at what changes in it. */
#include "console/profile_page.h"

#include "base/limits.h"

/* ---- versions ---- */

static enum outcome changes(struct item_page *x, int number)
{
    struct page *p = x->p;
    struct buf from = BUF_INIT(LIM_PROFILE), to = BUF_INIT(LIM_PROFILE);
    enum outcome o = profile_content(p->db, p->a, x->item, 0, &from, &p->err);
    if (o == OK)
        o = profile_content(p->db, p->a, x->item, number, &to, &p->err);
    if (o == OK)
        o = profile_changes(p, p->root, buf_bytes(&from), buf_bytes(&to));
    buf_wipe(&from);
    buf_wipe(&to);
    value_set_bool(p->root, "show_contents", o == OK);
    return o;
}

/* As of every item; its question shows what changes in the profile too. */
static enum outcome do_use(struct item_page *x)
{
    int64_t number = page_number(page_field(x->p, "version"));
    enum outcome o = OK;
    x->tab = "versions";
    if (!x->sure && x->item->kind == LIBRARY_PROFILE && number > 0 && number < INT32_MAX)
        o = changes(x, (int)number);
    if (o == OK)
        item_do(x, "use", &o);
    return o;
}

static enum outcome do_edit(struct item_page *x)
{
    struct page *p = x->p;
    struct draft d;
    bool raw = strcmp(page_field(p, "how"), "raw") == 0;
    int64_t number = page_number(page_field(p, "version"));
    x->tab = "versions";
    enum outcome o = profile_draft_of(p->db, p->app->conf, p->a, x->item,
                                      number > 0 && number < INT32_MAX ? (int)number : 0,
                                      p->caller->admin, p->req->now, &d, &p->err);
    if (o == OK)
        page_go(p, profile_link(p, raw ? "/draft/raw" : "/draft/form", d.id));
    x->done = NULL;
    return o;
}

static enum outcome do_upload(struct item_page *x)
{
    x->tab = "versions";
    x->done = NULL;
    return profile_upload(x->p, x->item) ? OK : x->p->err.outcome;
}

/* ---- how it is delivered ---- */

static enum outcome do_settings(struct item_page *x)
{
    struct page *p = x->p;
    js object = js_object();
    const char *after = page_field(p, "after");
    x->tab = "settings";
    x->done = "profile_saved";
    js_set_str(object, "name", page_field(p, "name"));
    js_set(object, "after", *after ? js_new_str(after) : js_null());
    js_set_bool(object, "after_passcode", strcmp(page_field(p, "after_passcode"), "yes") == 0);
    item_number(p, object, "wave_first");
    item_number(p, object, "halt_percent");
    if (x->item->kind == LIBRARY_PROFILE) {
        js_set_str(object, "signing", page_field(p, "signing"));
        js_set_str(object, "channel", page_field(p, "channel"));
        js_set_bool(object, "encrypt", strcmp(page_field(p, "encrypt"), "yes") == 0);
    }
    enum outcome o = item_edit(x, object);
    js_free(&object);
    return o;
}

static const struct item_deed DEEDS[] = {
    {"use", do_use}, {"edit", do_edit}, {"upload", do_upload}, {"settings", do_settings}};

void console_profile_post(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    struct item_page x = profile_page(&p, profile_item(&p, page_number(page_field(&p, "id"))));
    x.sure = strcmp(page_field(&p, "sure"), "yes") == 0;
    x.why = "";
    x.tab = "contents";
    if (!x.item) {
        page_fail(&p);
        return;
    }
    item_post(&x, DEEDS, sizeof DEEDS / sizeof *DEEDS, profile_show);
}

/* The file as it was uploaded. It may hold passwords: whoever takes it proves who they are. */
void console_profile_file(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    struct library_item *i = profile_item(&p, page_number(page_field(&p, "id")));
    int64_t number = page_number(page_field(&p, "version"));
    if (!i) {
        page_fail(&p);
        return;
    }
    if (!page_confirmed(&p))
        return;
    buf_clear(&resp->body);
    resp->secret = true;
    if (profile_file(p.db, p.a, i, number > 0 && number < INT32_MAX ? (int)number : 0,
                     caller->admin, &resp->body, &p.err) != OK) {
        buf_wipe(&resp->body);
        page_fail(&p);
        return;
    }
    page_leave(&p);
    bool config = i->kind == LIBRARY_PROFILE;
    resp->content_type = config ? "application/x-apple-aspen-config" : "application/octet-stream";
    resp_header(resp, "Content-Disposition",
                config ? "attachment; filename=\"profile.mobileconfig\""
                       : "attachment; filename=\"profile.mobileprovision\"");
    resp_header(resp, "X-Content-Type-Options", "nosniff");
}
