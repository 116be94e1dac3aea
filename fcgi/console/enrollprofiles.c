/* enrollprofiles.c: enrolment profiles: the list, one of them in its versions, and what devices
 * would get. What is stored, and what may not change, is decided in store/enrollprofile.h. */
#include "console/enrollprofiles.h"

#include "base/limits.h"
#include "enrollment/profile.h"

#define PATH "/enrollment-profile"

static const char *const TABS[] = {"settings", "versions", "preview"};
#define TABS_N (sizeof TABS / sizeof *TABS)

static const char *link_to(struct page *p, const char *name)
{
    return page_link(p, PATH, "name", name);
}

/* ---- the list ---- */

static void set_row(struct page *p, struct value *v, const struct enrollprofile *e)
{
    const struct enroll_field *identity = enroll_field_find("identity");
    const char *key = arena_fmt(p->a, "ep_identity_%s", enroll_field_word(identity, &e->c));
    value_set_text(v, "name", e->name);
    value_set_text(v, "link", link_to(p, e->name));
    value_set_int(v, "version", e->version);
    value_set_text(v, "identity", key ? page_text(p, key) : NULL);
    value_set_text(v, "title", e->c.title);
    value_set_text(v, "note", e->note);
    value_set_text(v, "by", e->made_by);
    value_set_bool(v, "web", e->c.web);
    page_time(p, v, "made", e->made_at);
}

static void show_list(struct page *p, int status)
{
    struct enrollprofile *e;
    size_t n;
    if (enrollprofile_list(p->db, p->a, &e, &n, &p->err) != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "profiles");
    for (size_t i = 0; i < n; i++)
        set_row(p, value_append_dict(list), &e[i]);
    value_set_bool(p->root, "some", n > 0);
    value_set_text(p->root, "given", page_field(p, "name"));
    page_show(p, status, "enrollprofiles");
}

void console_enrollprofiles(struct app *app, struct req *req, const struct caller *caller,
                            struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "enrollprofiles"))
        show_list(&p, 200);
}

void console_enrollprofiles_post(struct app *app, struct req *req, const struct caller *caller,
                                 struct resp *resp)
{
    struct page p;
    struct enrollprofile from;
    if (!page_open(&p, app, req, caller, resp, "enrollprofiles"))
        return;
    const char *name = page_field(&p, "name"), *base = page_field(&p, "from");
    enum outcome o = enrollprofile_find(p.db, app->conf, *base ? base : ENROLLPROFILE_DEFAULT, p.a,
                                        &from, &p.err);
    if (o == OK) {
        /* secrets are sealed for their own object */
        from.c.scep_challenge = from.c.removal_password = bytes_of(NULL, 0);
        if (from.c.removal == ENROLL_REMOVAL_PASSWORD)
            from.c.removal = ENROLL_REMOVAL_DISALLOWED;
        o = enrollprofile_new(p.db, app->conf,
                              &(struct enrollprofile_change){
                                  .name = name, .c = &from.c, .by = caller->admin, .note = ""},
                              &p.err);
    }
    if (o == OK) {
        page_go(&p, page_link(&p, PATH "?done=ep_made", "name", name));
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show_list(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}

/* ---- one ---- */

static void set_tabs(struct page *p, const char *name, size_t chosen)
{
    struct value *list = value_set_list(p->root, "tabs");
    for (size_t i = 0; i < TABS_N; i++) {
        struct value *v = value_append_dict(list);
        const char *key = arena_fmt(p->a, "ep_tab_%s", TABS[i]);
        value_set_text(v, "link", page_link(p, link_to(p, name), "tab", TABS[i]));
        value_set_text(v, "text", key ? page_text(p, key) : NULL);
        value_set_bool(v, "chosen", i == chosen);
    }
    value_set_bool(p->root, arena_fmt(p->a, "tab_%s", TABS[chosen]), true);
}

static enum outcome show_versions(struct page *p, const struct enrollprofile *e)
{
    struct enrollprofile *v, from, to;
    size_t n = 0;
    int64_t a = page_number(req_query(p->req, "from")), b = page_number(req_query(p->req, "to"));
    enum outcome o = e->id ? enrollprofile_history(p->db, e->name, p->a, &v, &n, &p->err) : OK;
    struct value *list = value_set_list(p->root, "versions");
    for (size_t i = 0; o == OK && i < n; i++) {
        struct value *row = value_append_dict(list);
        value_set_int(row, "number", v[i].version);
        value_set_text(row, "by", v[i].made_by);
        value_set_text(row, "note", v[i].note);
        value_set_bool(row, "is_current", v[i].version == e->current);
        page_time(p, row, "made", v[i].made_at);
        if (v[i].version > 1)
            value_set_text(row, "compare",
                           arena_fmt(p->a, "%s&tab=versions&from=%lld&to=%lld", link_to(p, e->name),
                                     (long long)v[i].version - 1, (long long)v[i].version));
    }
    if (o != OK || !a || !b)
        return o;
    o = enrollprofile_version(p->db, e->name, a, p->a, &from, &p->err);
    if (o == OK)
        o = enrollprofile_version(p->db, e->name, b, p->a, &to, &p->err);
    if (o != OK)
        return o;
    struct value *c = value_set_dict(p->root, "compared");
    value_set_int(c, "from", a);
    value_set_int(c, "to", b);
    enrollprofile_changes(p, &from.c, &to.c);
    return OK;
}

/* What a device would get, with words in the place of secrets, unsigned. */
static enum outcome preview(struct page *p, const char *name, struct buf *xml)
{
    struct profile profile;
    enum outcome o = profile_load(p->app->conf, p->db, p->a, name, &profile, &p->err);
    struct profile_secrets s = {.challenge = page_text(p, "ep_preview_secret"),
                                .pkcs12_password = "",
                                .removal_password = page_text(p, "ep_preview_secret")};
    if (o != OK)
        return o;
    if (profile.identity == ENROLL_IDENTITY_PKCS12)
        s.pkcs12 = bytes_str(page_text(p, "ep_preview_secret"));
    return profile_build(&profile, &s, bytes_of(NULL, 0), p->a, xml, &p->err);
}

static enum outcome show_preview(struct page *p, const struct enrollprofile *e)
{
    struct buf xml = BUF_INIT(PROFILE_MAX);
    enum outcome o = preview(p, e->name, &xml);
    if (o == OK)
        value_set_text(p->root, "xml", arena_strdup(p->a, buf_cstr(&xml)));
    else
        value_set_text(p->root, "no_preview", arena_strdup(p->a, page_said(p, p->err.msg)));
    buf_free(&xml);
    return OK;
}

static void show_one(struct page *p, const struct enrollprofile *e, size_t tab, int status)
{
    enum outcome o = OK;
    value_set_text(p->root, "name", e->name);
    value_set_text(p->root, "link", link_to(p, e->name));
    value_set_int(p->root, "version", e->version);
    value_set_bool(p->root, "removable", strcmp(e->name, ENROLLPROFILE_DEFAULT) != 0);
    set_tabs(p, e->name, tab);
    if (tab == 0)
        enrollprofile_form(p, &e->c);
    else
        o = tab == 1 ? show_versions(p, e) : show_preview(p, e);
    if (o == OK)
        page_show(p, status, "enrollprofile");
    else
        page_fail(p);
}

static const char *name_asked(struct page *p)
{
    const char *s =
        p->req->method == METHOD_POST ? req_form(p->req, "name") : req_query(p->req, "name");
    return s ? s : "";
}

void console_enrollprofile(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct page p;
    struct enrollprofile e;
    size_t tab = TABS_N;
    if (!page_open(&p, app, req, caller, resp, "enrollprofiles"))
        return;
    const char *asked = req_query(req, "tab");
    while (tab > 0 && !(asked && strcmp(asked, TABS[tab - 1]) == 0))
        tab--;
    if (enrollprofile_find(p.db, app->conf, name_asked(&p), p.a, &e, &p.err) == OK)
        show_one(&p, &e, tab ? tab - 1 : 0, 200);
    else
        page_fail(&p);
}

/* ---- changes ---- */

/* Stored as the next version. */
static enum outcome save(struct page *p, const char *name, const struct enroll_content *c,
                         int64_t expected, const char *note)
{
    int64_t version;
    bool made;
    struct enrollprofile_change x = {
        .name = name, .c = c, .expected = expected, .by = p->caller->admin, .note = note};
    enum outcome o =
        strcmp(name, ENROLLPROFILE_DEFAULT) == 0
            ? enrollprofile_default(p->db, p->app->conf, p->caller->admin, &made, &p->err)
            : OK;
    return o == OK ? enrollprofile_save(p->db, p->app->conf, &x, &version, &p->err) : o;
}

static enum outcome do_save(struct page *p, struct enrollprofile *e)
{
    enum outcome o = enrollprofile_take(p, &e->c);
    return o == OK ? save(p, e->name, &e->c, page_number(page_field(p, "version")),
                          page_field(p, "note"))
                   : o;
}

static enum outcome do_revert(struct page *p, struct enrollprofile *e)
{
    struct enrollprofile old;
    int64_t version = page_number(page_field(p, "version"));
    const char *note = arena_fmt(p->a, "%s %lld", page_text(p, "ep_as_in"), (long long)version);
    enum outcome o = enrollprofile_version(p->db, e->name, version, p->a, &old, &p->err);
    return o == OK ? save(p, e->name, &old.c, e->version, note ? note : "") : o;
}

static enum outcome do_remove(struct page *p, struct enrollprofile *e)
{
    return enrollprofile_remove(p->db, e->name, p->caller->admin, &p->err);
}

static const struct {
    const char *what, *done;
    enum outcome (*run)(struct page *p, struct enrollprofile *e);
    size_t tab; /* where a refusal is shown */
} CHANGES[] = {{"save", "ep_saved", do_save, 0},
               {"revert", "ep_reverted", do_revert, 1},
               {"remove", NULL, do_remove, 0}};

void console_enrollprofile_post(struct app *app, struct req *req, const struct caller *caller,
                                struct resp *resp)
{
    struct page p;
    struct enrollprofile e;
    size_t i = 0;
    if (!page_open(&p, app, req, caller, resp, "enrollprofiles"))
        return;
    while (i < 2 && strcmp(page_field(&p, "what"), CHANGES[i].what) != 0)
        i++;
    enum outcome o = strcmp(page_field(&p, "what"), CHANGES[i].what) == 0
                         ? enrollprofile_find(p.db, app->conf, name_asked(&p), p.a, &e, &p.err)
                         : err_set(&p.err, INVALID, "what");
    if (o != OK) {
        page_fail(&p);
        return;
    }
    if (!page_confirmed(&p))
        return;
    o = CHANGES[i].run(&p, &e);
    if (o == OK && CHANGES[i].done) {
        page_go(&p,
                page_link(&p, arena_fmt(p.a, PATH "?done=%s", CHANGES[i].done), "name", e.name));
    } else if (o == OK) {
        page_go(&p, "/enrollment-profiles?done=ep_removed");
    } else if (page_mendable(o)) {
        value_set_text(p.root, "note_given", page_field(&p, "note"));
        page_bad(&p, p.err.msg);
        show_one(&p, &e, CHANGES[i].tab, page_status(o));
    } else {
        page_fail(&p);
    }
}

/* The preview as a file. */
void console_enrollprofile_file(struct app *app, struct req *req, const struct caller *caller,
                                struct resp *resp)
{
    struct page p;
    struct buf xml = BUF_INIT(PROFILE_MAX);
    if (!page_open(&p, app, req, caller, resp, "enrollprofiles"))
        return;
    if (preview(&p, name_asked(&p), &xml) == OK) {
        page_leave(&p);
        resp->content_type = "application/xml; charset=utf-8";
        resp_header(resp, "Content-Disposition", "attachment; filename=\"preview.mobileconfig\"");
        buf_clear(&resp->body);
        buf_add(&resp->body, xml.data, xml.len);
    } else {
        page_fail(&p);
    }
    buf_free(&xml);
}
