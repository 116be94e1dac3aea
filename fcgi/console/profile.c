/* profile.c: one profile: what it holds, its versions, and how it is delivered; its devices are
 * shown as those of every item (item.h). */
#include "console/profile_page.h"

#include "base/limits.h"
#include "library/variables.h"

#define VERSIONS 100

static const char *const TABS[] = {"contents", "devices", "versions", "settings"};

static void tabs(struct page *p, const struct library_item *i, const char *chosen)
{
    struct value *list = value_set_list(p->root, "tabs");
    for (size_t k = 0; k < sizeof TABS / sizeof *TABS; k++) {
        struct value *v = value_append_dict(list);
        const char *key = arena_fmt(p->a, "profile_tab_%s", TABS[k]);
        value_set_text(v, "link", page_link(p, profile_link(p, "/profile", i->id), "tab", TABS[k]));
        value_set_text(v, "text", key ? page_text(p, key) : NULL);
        value_set_bool(v, "chosen", strcmp(TABS[k], chosen) == 0);
        if (strcmp(TABS[k], chosen) == 0)
            value_set_bool(p->root, arena_fmt(p->a, "tab_%s", chosen), true);
    }
}

/* ---- what it holds ---- */

static void variables(struct page *p, unsigned bits)
{
    struct value *list = value_set_list(p->root, "variables");
    for (size_t k = 0; variable_name(k); k++) {
        if (!(bits & (1u << k)))
            continue;
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", arena_fmt(p->a, "%%%s%%", variable_name(k)));
        value_set_text(v, "about", page_said(p, variable_about(k)));
    }
    value_set_bool(p->root, "some_variables", bits != 0);
}

/* The warnings that were noted when the version came. */
static void warnings(struct page *p, js details)
{
    js list = js_get(details, "warnings");
    struct findings *f = arena_alloc(p->a, sizeof *f);
    for (size_t i = 0; f && i < js_size(list) && f->n < FINDINGS_MAX; i++) {
        const char *path = js_get_str(js_at(list, i), "path");
        const char *text = js_get_str(js_at(list, i), "text");
        path = arena_strdup(p->a, path ? path : "");
        text = arena_strdup(p->a, text ? text : "");
        if (path && text)
            f->list[f->n++] = (struct finding){false, path, text};
        f->warnings++;
    }
    if (f)
        profile_findings(p, p->root, f);
}

static void details(struct page *p, const struct library_version *v)
{
    static const char *const keys[] = {"description", "organization", "scope", "team", "app_id"};
    struct err ignored = {.outcome = OK};
    js root = NULL;
    if (js_parse(bytes_str(v->details), &root, &ignored) != OK)
        return;
    struct value *list = value_set_list(p->root, "details");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = js_get_str(root, keys[i]);
        const char *key = arena_fmt(p->a, "profile_%s", keys[i]);
        if (!text || !*text || !key)
            continue;
        struct value *d = value_append_dict(list);
        value_set_text(d, "name", page_text(p, key));
        value_set_text(d, "text", arena_strdup(p->a, text));
    }
    bool locked = false;
    js_get_bool(root, "removal_disallowed", &locked);
    value_set_bool(p->root, "locked", locked);
    warnings(p, root);
    js_free(&root);
}

static void contents_tab(struct page *p, const struct library_item *i)
{
    struct buf file = BUF_INIT(LIM_PROFILE);
    details(p, &i->current);
    variables(p, i->current.variables);
    value_set_text(p->root, "platforms", profile_platforms(p, i->current.platforms));
    if (i->kind == LIBRARY_PROFILE)
        value_set_text(
            p->root, "goes_to",
            page_text(p, profile_for_users(i) ? "profile_to_users" : "profile_to_devices"));
    value_set_text(p->root, "signed_by", i->current.signed_by);
    value_set_text(p->root, "size", page_size(p, i->current.size));
    value_set_text(p->root, "uuid", i->current.uuid);
    page_time(p, p->root, "expires", i->current.expires_at);
    page_time(p, p->root, "made", i->current.created_at);
    value_set_text(p->root, "made_by", i->current.created_by);
    if (i->kind == LIBRARY_PROFILE && (profile_content(p->db, p->a, i, 0, &file, &p->err) != OK ||
                                       profile_contents(p, p->root, buf_bytes(&file)) != OK))
        value_set_text(p->root, "contents_bad", arena_strdup(p->a, page_said(p, p->err.msg)));
    buf_wipe(&file);
}

/* ---- its versions ---- */

static const char *compare_link(struct page *p, const struct library_item *i, int from, int to)
{
    const char *link = profile_link(p, "/profile/compare", i->id);
    link = page_link(p, link, "from", arena_fmt(p->a, "%d", from));
    return page_link(p, link, "to", arena_fmt(p->a, "%d", to));
}

static enum outcome versions_tab(struct page *p, const struct library_item *i)
{
    struct library_version *v;
    struct draft *d;
    size_t n, k = 0;
    int64_t before = page_number(req_query(p->req, "before"));
    enum outcome o = library_versions(p->db, i->id, before > INT32_MAX ? 0 : (int)before, VERSIONS,
                                      p->a, &v, &n, &p->err);
    if (o == OK)
        o = draft_list(p->db, i->id, PAGE_ROWS, p->a, &d, &k, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "versions");
    for (size_t m = 0; m < n; m++) {
        struct value *x = value_append_dict(list);
        value_set_int(x, "number", v[m].number);
        value_set_bool(x, "is_current", v[m].number == i->version);
        value_set_bool(x, "is_newer", v[m].number > i->version);
        value_set_text(x, "by", v[m].created_by);
        value_set_text(x, "size", page_size(p, v[m].size));
        value_set_text(x, "signed_by", v[m].signed_by);
        page_time(p, x, "made", v[m].created_at);
        value_set_text(x, "compare",
                       i->kind == LIBRARY_PROFILE && v[m].number > 1
                           ? compare_link(p, i, v[m].number - 1, v[m].number)
                           : NULL);
        value_set_text(x, "compare_current",
                       i->kind == LIBRARY_PROFILE && v[m].number != i->version
                           ? compare_link(p, i, i->version, v[m].number)
                           : NULL);
    }
    struct value *drafts = value_set_list(p->root, "drafts");
    for (size_t m = 0; m < k; m++) {
        struct value *x = value_append_dict(drafts);
        value_set_text(x, "link", profile_link(p, "/draft", d[m].id));
        value_set_int(x, "base", d[m].base);
        value_set_text(x, "by", d[m].changed_by);
        page_time(p, x, "changed", d[m].changed_at);
    }
    value_set_bool(p->root, "some_drafts", k > 0);
    if (n == VERSIONS)
        value_set_text(
            p->root, "next",
            page_link(p, page_link(p, profile_link(p, "/profile", i->id), "tab", "versions"),
                      "before", arena_fmt(p->a, "%d", v[n - 1].number)));
    return OK;
}

/* ---- how it is delivered ---- */

struct setting {
    const char *name, *stored;
};

/* What the form gives where it was refused; otherwise what is stored. */
static const char *setting(struct page *p, bool refused, struct setting s, struct value *differs)
{
    const char *given = refused ? page_field(p, s.name) : s.stored;
    if (strcmp(given, s.stored) == 0)
        return s.stored;
    struct value *v = value_append_dict(differs);
    const char *key = arena_fmt(p->a, "profile_%s", s.name);
    value_set_text(v, "name", key ? page_text(p, key) : NULL);
    value_set_text(v, "stored", *s.stored ? s.stored : "–");
    value_set_text(v, "given", *given ? given : "–");
    return given;
}

static enum outcome settings_tab(struct page *p, const struct library_item *i)
{
    struct library_item *all;
    size_t n;
    enum outcome o = library_list(p->db, 0, NULL, 0, LIM_PAGE, p->a, &all, &n, &p->err);
    if (o != OK)
        return o;
    bool refused = strcmp(page_field(p, "what"), "settings") == 0;
    struct value *after = value_set_list(p->root, "after"),
                 *signing = value_set_list(p->root, "signing"),
                 *channel = value_set_list(p->root, "channel"),
                 *differs = value_set_list(p->root, "differs");
    const char *id = i->after_id ? arena_fmt(p->a, "%lld", (long long)i->after_id) : "";
    const char *waits = setting(p, refused, (struct setting){"after", id}, differs);
    profile_option(after, "", page_text(p, "profile_after_none"), !*waits);
    for (size_t k = 0; k < n; k++) {
        id = arena_fmt(p->a, "%lld", (long long)all[k].id);
        if (all[k].id != i->id && id)
            profile_option(after, id, all[k].name, strcmp(id, waits) == 0);
    }
    const char *goes = profile_channel_name(i->channel);
    if (i->kind == LIBRARY_PROFILE)
        goes = setting(p, refused, (struct setting){"channel", goes}, differs);
    for (int k = LIBRARY_CHANNEL_AS_SAID; k <= LIBRARY_CHANNEL_USER; k++) {
        const char *key = arena_fmt(p->a, "profile_channel_%s", profile_channel_name(k));
        profile_option(channel, profile_channel_name(k), key ? page_text(p, key) : "",
                       strcmp(profile_channel_name(k), goes) == 0);
    }
    const char *by = profile_signing_name(i->signing);
    if (i->kind == LIBRARY_PROFILE)
        by = setting(p, refused, (struct setting){"signing", by}, differs);
    for (int s = LIBRARY_AS_UPLOADED; s <= LIBRARY_UNSIGNED; s++) {
        const char *key = arena_fmt(p->a, "profile_signing_%s", profile_signing_name(s));
        profile_option(signing, profile_signing_name(s), key ? page_text(p, key) : "",
                       strcmp(profile_signing_name(s), by) == 0);
    }
    const struct setting rest[] = {{"name", i->name},
                                   {"encrypt", i->encrypt ? "yes" : ""},
                                   {"after_passcode", i->after_passcode ? "yes" : ""},
                                   {"wave_first", arena_fmt(p->a, "%d", i->wave_first)},
                                   {"halt_percent", arena_fmt(p->a, "%d", i->halt_percent)}};
    for (size_t k = 0; k < sizeof rest / sizeof *rest; k++)
        if (rest[k].stored && (i->kind == LIBRARY_PROFILE || k != 1))
            value_set_text(p->root, arena_fmt(p->a, "set_%s", rest[k].name),
                           setting(p, refused, rest[k], differs));
    value_set_bool(p->root, "some_differ", refused);
    value_set_text(p->root, "changed_at", arena_fmt(p->a, "%lld", (long long)i->changed_at));
    value_set_text(p->root, "changed_by", i->changed_by);
    page_time(p, p->root, "changed", i->changed_at);
    return OK;
}

/* ---- the page ---- */

struct item_page profile_page(struct page *p, struct library_item *i)
{
    return (struct item_page){
        .p = p, .item = i, .path = "/profile", .list = "/profiles", .lists = "nav_profiles"};
}

static void head(const struct item_page *x)
{
    struct page *p = x->p;
    item_head(x);
    value_set_text(p->root, "self_id", arena_fmt(p->a, "%lld", (long long)x->item->id));
    value_set_text(p->root, "name", x->item->name);
    value_set_bool(p->root, "is_profile", x->item->kind == LIBRARY_PROFILE);
}

void profile_show(struct page *p, struct library_item *i, const char *tab, int status)
{
    struct item_page x = profile_page(p, i);
    enum outcome o = OK;
    head(&x);
    tabs(p, i, tab);
    if (strcmp(tab, "devices") == 0)
        o = item_devices(&x);
    else if (strcmp(tab, "versions") == 0)
        o = versions_tab(p, i);
    else if (strcmp(tab, "settings") == 0)
        o = settings_tab(p, i);
    else
        contents_tab(p, i);
    if (o == OK)
        page_show(p, status, "profile");
    else
        page_fail(p);
}

void console_profile(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    const char *asked = req_query(req, "tab"), *tab = TABS[0];
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    for (size_t i = 0; asked && i < sizeof TABS / sizeof *TABS; i++)
        if (strcmp(TABS[i], asked) == 0)
            tab = TABS[i];
    struct library_item *i = profile_item(&p, page_number(req_query(req, "id")));
    if (i)
        profile_show(&p, i, tab, 200);
    else
        page_fail(&p);
}

static int version_asked(struct page *p, const char *name)
{
    int64_t n = page_number(req_query(p->req, name));
    return n > INT32_MAX ? INT32_MAX : (int)n;
}

void console_profile_compare(struct app *app, struct req *req, const struct caller *caller,
                             struct resp *resp)
{
    struct page p;
    struct item_page of;
    struct buf from = BUF_INIT(LIM_PROFILE), to = BUF_INIT(LIM_PROFILE);
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    struct library_item *i = profile_item(&p, page_number(req_query(req, "id")));
    int x = version_asked(&p, "from"), y = version_asked(&p, "to");
    enum outcome o = i ? OK : p.err.outcome;
    if (o == OK)
        o = profile_content(p.db, p.a, i, x, &from, &p.err);
    if (o == OK)
        o = profile_content(p.db, p.a, i, y, &to, &p.err);
    if (o == OK)
        o = profile_changes(&p, p.root, buf_bytes(&from), buf_bytes(&to));
    buf_wipe(&from);
    buf_wipe(&to);
    if (o != OK) {
        page_fail(&p);
        return;
    }
    of = profile_page(&p, i);
    head(&of);
    value_set_int(p.root, "from", x ? x : i->version);
    value_set_int(p.root, "to", y ? y : i->version);
    page_show(&p, 200, "profilecompare");
}
