/* profiles.c: the profiles of the library, what is being made of them, and new ones. */
#include "console/profile.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "http/csv.h"
#include "store/itemcount.h"

#include <stdio.h>

#define CSV_PAGES 40
#define DRAFTS 20

static int kind_of(const char *word)
{
    for (int k = LIBRARY_PROFILE; word && k <= LIBRARY_PROVISIONING; k++)
        if (strcmp(library_kind_name(k), word) == 0)
            return k;
    return 0;
}

/* Profiles of the kinds there are here; *n: rows, at most max. *last: where the next page begins.
 */
static enum outcome profiles_read(struct page *p, struct arena *a, int64_t after, size_t max,
                                  struct library_item **out, size_t *n, int64_t *last)
{
    const char *q = req_query(p->req, "q");
    int kind = kind_of(req_query(p->req, "kind"));
    struct library_item *list;
    size_t found = 0;
    enum outcome o = OK;
    *n = 0;
    *last = 0;
    *out = arena_array(a, max, sizeof **out);
    if (!*out)
        return err_set(&p->err, ERROR, "out of memory");
    do {
        o = library_list(p->db, kind, q && *q ? q : NULL, after, max, a, &list, &found, &p->err);
        for (size_t i = 0; o == OK && i < found && *n < max; i++) {
            after = list[i].id;
            if (PROFILE_KINDS & (1u << list[i].kind))
                (*out)[(*n)++] = list[i];
        }
    } while (o == OK && found == max && *n < max);
    *last = found == max ? after : 0;
    return o;
}

static enum outcome counts_read(struct page *p, struct arena *a, const struct library_item *list,
                                size_t n, struct item_count **out)
{
    int64_t *ids = arena_array(a, n + 1, sizeof *ids);
    *out = arena_array(a, n + 1, sizeof **out);
    if (!ids || !*out)
        return err_set(&p->err, ERROR, "out of memory");
    for (size_t i = 0; i < n; i++)
        ids[i] = list[i].id;
    return item_counts(p->db, ids, n, a, *out, &p->err);
}

static int64_t on_its_way(const struct item_count *c)
{
    return c->devices[WANTED_PENDING] + c->devices[WANTED_QUEUED] + c->devices[WANTED_INSTALLING];
}

static void row(struct page *p, struct value *list, const struct library_item *i,
                const struct item_count *c)
{
    struct value *v = value_append_dict(list), *counts = value_set_dict(v, "counts");
    value_set_text(v, "name", i->name);
    value_set_text(v, "identifier", i->identifier);
    value_set_text(v, "link", profile_link(p, "/profile", i->id));
    value_set_bool(v, "provisioning", i->kind == LIBRARY_PROVISIONING);
    value_set_int(v, "version", i->version);
    value_set_text(v, "platforms", profile_platforms(p, i->current.platforms));
    page_time(p, v, "changed", i->changed_at);
    page_time(p, v, "expires", i->current.expires_at);
    value_set_bool(counts, "counted", c->counted_at != 0);
    value_set_int(counts, "installed", c->devices[WANTED_INSTALLED]);
    value_set_int(counts, "pending", on_its_way(c));
    value_set_int(counts, "failed", c->devices[WANTED_FAILED]);
    value_set_bool(counts, "some_failed", c->devices[WANTED_FAILED] > 0);
    value_set_int(counts, "refused", c->devices[WANTED_REFUSED]);
    value_set_int(counts, "removed", c->devices[WANTED_REMOVED]);
}

static enum outcome drafts(struct page *p)
{
    struct draft *d;
    size_t n;
    enum outcome o = draft_list(p->db, 0, DRAFTS, p->a, &d, &n, &p->err);
    struct value *list = value_set_list(p->root, "drafts");
    for (size_t i = 0; o == OK && i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", *d[i].name ? d[i].name : page_text(p, "draft_nameless"));
        value_set_text(v, "link", profile_link(p, "/draft", d[i].id));
        value_set_text(v, "by", d[i].changed_by);
        value_set_bool(v, "new_item", d[i].item_id == 0);
        value_set_int(v, "base", d[i].base);
        page_time(p, v, "changed", d[i].changed_at);
    }
    value_set_bool(p->root, "some_drafts", o == OK && n > 0);
    return o;
}

/* The list with what it is filtered by, and more. */
static const char *filtered(struct page *p, const char *path)
{
    static const char *const names[] = {"q", "kind"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *v = req_query(p->req, names[i]);
        if (v && *v)
            path = page_link(p, path, names[i], v);
    }
    return path;
}

static void show(struct page *p, int status)
{
    int64_t after = page_number(req_query(p->req, "after")), last;
    struct library_item *items;
    struct item_count *c;
    const char *q = req_query(p->req, "q");
    size_t n;
    enum outcome o = profiles_read(p, p->a, after, PAGE_ROWS, &items, &n, &last);
    if (o == OK)
        o = counts_read(p, p->a, items, n, &c);
    if (o == OK && page_may(p, "operate"))
        o = drafts(p);
    if (o != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "profiles");
    for (size_t i = 0; i < n; i++)
        row(p, list, &items[i], &c[i]);
    struct value *kinds = value_set_list(p->root, "kinds");
    int kind = kind_of(req_query(p->req, "kind"));
    profile_option(kinds, "", page_text(p, "state_any"), !kind);
    profile_option(kinds, library_kind_name(LIBRARY_PROFILE), page_text(p, "profile_kind_profile"),
                   kind == LIBRARY_PROFILE);
    profile_option(kinds, library_kind_name(LIBRARY_PROVISIONING),
                   page_text(p, "profile_kind_provisioning"), kind == LIBRARY_PROVISIONING);
    value_set_text(p->root, "q", q);
    value_set_bool(p->root, "some", n > 0);
    value_set_bool(p->root, "searched", (q && *q) || kind || after);
    value_set_text(p->root, "csv_link", filtered(p, "/profiles.csv"));
    if (last)
        value_set_text(p->root, "next",
                       page_link(p, filtered(p, "/profiles"), "after",
                                 arena_fmt(p->a, "%lld", (long long)last)));
    page_show(p, status, "profiles");
}

void console_profiles(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "profiles"))
        show(&p, 200);
}

static void line(struct buf *out, const struct library_item *i, const struct item_count *c)
{
    static const int order[] = {WANTED_INSTALLED, WANTED_PENDING, WANTED_QUEUED,
                                WANTED_FAILED,    WANTED_REFUSED, WANTED_REMOVED};
    char text[CLOCK_TEXT_MAX > 24 ? CLOCK_TEXT_MAX : 24];
    snprintf(text, sizeof text, "%lld", (long long)i->id);
    csv_cell(out, text, true);
    csv_cell(out, library_kind_name(i->kind), false);
    csv_cell(out, i->name, false);
    csv_cell(out, i->identifier, false);
    snprintf(text, sizeof text, "%d", i->version);
    csv_cell(out, text, false);
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        snprintf(text, sizeof text, "%lld", (long long)c->devices[order[k]]);
        csv_cell(out, text, false);
    }
    csv_cell(out, clock_rfc3339(i->changed_at, false, text), false);
    csv_cell(out, i->changed_by, false);
    csv_end(out);
}

void console_profiles_csv(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    struct item_count *c;
    int64_t last = 0;
    size_t n = 0;
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    struct arena *a = arena_new(32 * LIM_MB);
    enum outcome o = a ? OK : err_set(&p.err, ERROR, "out of memory");
    buf_str(&resp->body, "id,kind,name,identifier,version,installed,pending,queued,failed,"
                         "not_applicable,removed,changed_at,changed_by\r\n");
    for (int i = 0; o == OK && (i == 0 || last) && i < CSV_PAGES; i++) {
        struct library_item *items;
        arena_reset(a);
        o = profiles_read(&p, a, last, LIM_PAGE, &items, &n, &last);
        if (o == OK)
            o = counts_read(&p, a, items, n, &c);
        for (size_t k = 0; o == OK && k < n; k++)
            line(&resp->body, &items[k], &c[k]);
    }
    arena_free(&a);
    if (o != OK) {
        page_fail(&p);
        return;
    }
    page_leave(&p);
    resp->content_type = "text/csv; charset=utf-8";
    resp_header(resp, "Content-Disposition", "attachment; filename=\"profiles.csv\"");
    resp_header(resp, "X-Content-Type-Options", "nosniff");
}

/* ---- new ones ---- */

/* A profile without payloads, for the form. */
static bool begin(struct page *p)
{
    char uuid[UUID_LEN + 1], id[UUID_LEN + 1];
    struct buf xml = BUF_INIT(LIM_MB);
    const char *name = page_field(p, "name");
    struct draft d = {.name = name};
    if (!*name || strlen(name) > 4 * LIM_IDENT) {
        err_set(&p->err, INVALID, "%s", page_text(p, "profile_name_wrong"));
        return false;
    }
    uuid_v4(uuid);
    uuid_v4(id);
    pl root = pl_new_dict();
    pl_set_str(root, "PayloadType", "Configuration");
    pl_set_int(root, "PayloadVersion", 1);
    pl_set_str(root, "PayloadIdentifier", arena_fmt(p->a, "drover.profile.%s", id));
    pl_set_str(root, "PayloadUUID", uuid);
    pl_set_str(root, "PayloadDisplayName", name);
    if (p->app->conf->organization[0])
        pl_set_str(root, "PayloadOrganization", p->app->conf->organization);
    pl_set(root, "PayloadContent", pl_new_array());
    enum outcome o = pl_to_xml(root, &xml);
    if (o == OK)
        o = profile_draft_new(p->db, p->app->conf, p->a, &d, buf_bytes(&xml), p->caller->admin,
                              p->req->now, &p->err);
    else
        err_set(&p->err, ERROR, "out of memory");
    pl_free(&root);
    buf_free(&xml);
    if (o == OK)
        page_go(p, profile_link(p, "/draft/form", d.id));
    return o == OK;
}

void console_profiles_post(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    bool new = strcmp(page_field(&p, "what"), "new") == 0;
    if (new ? begin(&p) : profile_upload(&p, NULL))
        return;
    if (page_mendable(p.err.outcome)) {
        page_bad(&p, p.err.msg);
        show(&p, page_status(p.err.outcome));
    } else {
        page_fail(&p);
    }
}
