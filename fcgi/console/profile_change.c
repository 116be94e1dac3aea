/* profile_change.c: what is done to a profile. What reaches devices is shown first: which of them,
 * and what would change; it is done by the form that this page holds. */
#include "console/profile_page.h"

#include "base/limits.h"
#include "library/edit.h"
#include "store/assignment.h"
#include "store/audit.h"
#include "store/group.h"
#include "store/wanted.h"

#define REASON_MAX 255

/* A form that was sent, and what becomes of it. */
struct change {
    struct page *p;
    struct library_item *item;
    bool sure;
    const char *why;  /* the reason, "" */
    const char *tab;  /* where it leads */
    const char *done; /* what the page says then; NULL: it was answered already */
};

static bool sure_of(struct page *p)
{
    return strcmp(page_field(p, "sure"), "yes") == 0;
}

static enum outcome reason_read(struct change *c)
{
    c->why = page_field(c->p, "why");
    return *c->why && strlen(c->why) <= REASON_MAX
               ? OK
               : err_set(&c->p->err, INVALID, "%s", page_text(c->p, "reason_wrong"));
}

/* Shows what would happen, with a form that says yes. fields: names and values to be carried along,
 * ended by NULL. */
static enum outcome ask(struct change *c, const char *what, const char *text,
                        const char *const *fields, bool reason)
{
    struct page *p = c->p;
    struct value *list = value_set_list(p->root, "carried");
    profile_head(p, c->item);
    value_set_text(p->root, "what", what);
    value_set_text(p->root, "question", text);
    value_set_bool(p->root, "reason", reason);
    for (size_t i = 0; fields[i]; i += 2) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", fields[i]);
        value_set_text(v, "value", fields[i + 1]);
    }
    page_show(p, 200, "profileask");
    c->done = NULL;
    return OK;
}

/* ---- versions ---- */

static enum outcome use_ask(struct change *c, int number)
{
    struct page *p = c->p;
    struct buf from = BUF_INIT(LIM_PROFILE), to = BUF_INIT(LIM_PROFILE);
    struct preview_version v = {.item_id = c->item->id, .number = number};
    const char *n = arena_fmt(p->a, "%d", number), *now = arena_fmt(p->a, "%d", c->item->version);
    enum outcome o = preview_version(p->db, &v, p->a, &p->err);
    if (o == OK && c->item->kind == LIBRARY_PROFILE)
        o = profile_content(p->db, p->a, c->item, 0, &from, &p->err);
    if (o == OK && c->item->kind == LIBRARY_PROFILE)
        o = profile_content(p->db, p->a, c->item, number, &to, &p->err);
    if (o == OK && c->item->kind == LIBRARY_PROFILE)
        o = profile_changes(p, p->root, buf_bytes(&from), buf_bytes(&to));
    buf_wipe(&from);
    buf_wipe(&to);
    if (o != OK)
        return o;
    profile_reach(p, p->root, &v.change);
    value_set_bool(p->root, "show_changes", c->item->kind == LIBRARY_PROFILE);
    value_set_text(p->root, "reach_text", page_text(p, "profile_reach_install"));
    const char *changed = arena_fmt(p->a, "%lld", (long long)c->item->changed_at);
    return ask(c, "use", words_fill(p->w, p->a, "profile_use_ask", n, now),
               (const char *const[]){"version", n, "changed_at", changed, NULL}, false);
}

/* Changes the item by an object, unless somebody else did since the form was made. */
static enum outcome edit(struct change *c, js object)
{
    struct page *p = c->p;
    struct library_item i = *c->item;
    i.changed_at = page_number(page_field(p, "changed_at"));
    return library_edit(p->db, p->a, &i, object, p->caller->admin, p->req->now, &p->err);
}

static enum outcome do_use(struct change *c)
{
    int64_t number = page_number(page_field(c->p, "version"));
    c->tab = "versions";
    c->done = "profile_used";
    if (number < 1 || number > INT32_MAX)
        return err_set(&c->p->err, INVALID, "%s", page_text(c->p, "profile_no_version"));
    if (!c->sure)
        return use_ask(c, (int)number);
    js object = js_object();
    js_set_int(object, "version", number);
    enum outcome o = edit(c, object);
    js_free(&object);
    return o;
}

static enum outcome do_edit(struct change *c)
{
    struct page *p = c->p;
    struct draft d;
    bool raw = strcmp(page_field(p, "how"), "raw") == 0;
    int64_t number = page_number(page_field(p, "version"));
    c->tab = "versions";
    enum outcome o = profile_draft_of(p->db, p->app->conf, p->a, c->item,
                                      number > 0 && number < INT32_MAX ? (int)number : 0,
                                      p->caller->admin, p->req->now, &d, &p->err);
    if (o == OK)
        page_go(p, profile_link(p, raw ? "/draft/raw" : "/draft/form", d.id));
    c->done = NULL;
    return o;
}

static enum outcome do_upload(struct change *c)
{
    c->tab = "versions";
    c->done = NULL;
    return profile_upload(c->p, c->item) ? OK : c->p->err.outcome;
}

/* ---- groups ---- */

static enum outcome group_of(struct change *c, struct device_group *g)
{
    int64_t id = page_number(page_field(c->p, "group"));
    c->tab = "devices";
    return id ? group_get(c->p->db, id, c->p->a, g, &c->p->err)
              : err_set(&c->p->err, INVALID, "%s", page_text(c->p, "profile_no_group"));
}

static enum outcome group_ask(struct change *c, const struct device_group *g, bool assign)
{
    struct page *p = c->p;
    struct preview_set s;
    const char *id = arena_fmt(p->a, "%lld", (long long)g->id);
    enum outcome o = preview_assignment(p->db, c->item->id, g->id, p->a, &s, &p->err);
    if (o != OK)
        return o;
    profile_reach(p, p->root, &s);
    value_set_text(p->root, "reach_text",
                   page_text(p, assign ? "profile_reach_install" : "profile_reach_remove"));
    return ask(c, assign ? "assign" : "unassign",
               words_fill(p->w, p->a, assign ? "profile_assign_ask" : "profile_unassign_ask",
                          c->item->name, g->name),
               (const char *const[]){"group", id, NULL}, !assign);
}

static enum outcome do_assign(struct change *c)
{
    struct page *p = c->p;
    struct device_group g;
    int64_t id;
    enum outcome o = group_of(c, &g);
    c->done = "profile_assigned";
    if (o == OK && !c->sure)
        return group_ask(c, &g, true);
    return o == OK ? assignment_add(p->db, g.id, c->item->id, p->caller->admin, p->req->now, &id,
                                    &p->err)
                   : o;
}

static enum outcome do_unassign(struct change *c)
{
    struct page *p = c->p;
    struct device_group g;
    struct assignment *x;
    size_t n = 0;
    enum outcome o = group_of(c, &g);
    c->done = "profile_unassigned";
    if (o == OK && !c->sure)
        return group_ask(c, &g, false);
    if (o == OK)
        o = reason_read(c);
    if (o == OK)
        o = assignment_list(p->db, g.id, c->item->id, 0, 1, p->a, &x, &n, &p->err);
    if (o == OK && n == 0)
        return OK; /* done already */
    return o == OK ? assignment_delete(p->db, x[0].id, p->caller->admin, c->why, &p->err) : o;
}

/* ---- devices ---- */

static enum outcome do_retry(struct change *c)
{
    struct page *p = c->p;
    const char *device = page_field(p, "device");
    uint64_t n;
    c->tab = "devices";
    c->done = "profile_retried";
    return wanted_retry(p->db, c->item->id, *device ? device : NULL, p->caller->admin, p->req->now,
                        &n, &p->err);
}

static enum outcome do_resume(struct change *c)
{
    struct page *p = c->p;
    c->tab = "devices";
    c->done = "profile_resumed";
    enum outcome o = reason_read(c);
    return o == OK
               ? rollout_resume(p->db, c->item->id, p->caller->admin, c->why, p->req->now, &p->err)
               : o;
}

/* ---- how it is delivered ---- */

static void number(struct page *p, js object, const char *name)
{
    const char *s = page_field(p, name);
    /* what is no number is told by the library */
    if (*s && strspn(s, "0123456789") == strlen(s) && strlen(s) < 10)
        js_set_int(object, name, page_number(s));
    else
        js_set_str(object, name, s);
}

static enum outcome do_settings(struct change *c)
{
    struct page *p = c->p;
    js object = js_object();
    const char *after = page_field(p, "after");
    c->tab = "settings";
    c->done = "profile_saved";
    js_set_str(object, "name", page_field(p, "name"));
    js_set(object, "after", *after ? js_new_str(after) : js_null());
    js_set_bool(object, "after_passcode", strcmp(page_field(p, "after_passcode"), "yes") == 0);
    number(p, object, "wave_first");
    number(p, object, "halt_percent");
    if (c->item->kind == LIBRARY_PROFILE) {
        js_set_str(object, "signing", page_field(p, "signing"));
        js_set_bool(object, "encrypt", strcmp(page_field(p, "encrypt"), "yes") == 0);
    }
    enum outcome o = edit(c, object);
    js_free(&object);
    return o;
}

static enum outcome do_delete(struct change *c)
{
    struct page *p = c->p;
    struct preview_version v = {.item_id = c->item->id};
    c->tab = "settings";
    if (!c->sure) {
        enum outcome o = preview_version(p->db, &v, p->a, &p->err);
        if (o != OK)
            return o;
        profile_reach(p, p->root, &v.change);
        value_set_text(p->root, "reach_text", page_text(p, "profile_reach_remove"));
        value_set_bool(p->root, "grave", true);
        return ask(c, "delete", words_fill(p->w, p->a, "profile_delete_ask", c->item->name, NULL),
                   (const char *const[]){NULL}, true);
    }
    enum outcome o = reason_read(c);
    c->done = NULL;
    if (o == OK && !page_confirmed(p))
        return OK;
    if (o == OK)
        o = library_delete(p->db, c->item->id, p->caller->admin, c->why, p->req->now, &p->err);
    if (o == OK)
        page_go(p, "/profiles?done=profile_deleted");
    return o;
}

static const struct {
    const char *what;
    enum outcome (*run)(struct change *c);
} CHANGES[] = {{"use", do_use},       {"edit", do_edit},         {"upload", do_upload},
               {"assign", do_assign}, {"unassign", do_unassign}, {"retry", do_retry},
               {"resume", do_resume}, {"settings", do_settings}, {"delete", do_delete}};

void console_profile_post(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    struct change c = {.p = &p, .why = "", .tab = "contents"};
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    c.item = profile_item(&p, page_number(page_field(&p, "id")));
    c.sure = sure_of(&p);
    if (!c.item) {
        page_fail(&p);
        return;
    }
    enum outcome o = err_set(&p.err, INVALID, "%s", page_text(&p, "form_unknown"));
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++)
        if (strcmp(CHANGES[i].what, page_field(&p, "what")) == 0)
            o = CHANGES[i].run(&c);
    if (o == OK && c.done) {
        page_go(&p,
                page_link(&p, page_link(&p, profile_link(&p, "/profile", c.item->id), "tab", c.tab),
                          "done", c.done));
    } else if (o != OK && page_mendable(o)) {
        page_bad(&p, p.err.msg);
        profile_show(&p, c.item, c.tab, page_status(o));
    } else if (o != OK) {
        page_fail(&p);
    }
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
