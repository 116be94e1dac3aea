/* audit.c: who did what. */
#include "store/audit.h"

#include "store/audit_chain.h"
#include "store/checkrun.h"

#include "base/clock.h"
#include "base/limits.h"
#include "console/trail.h"
#include "http/csv.h"
#include "wire/json.h"

#define EXPORT_MAX 100000

static const char *wanted(struct page *p, const char *name)
{
    const char *s = req_query(p->req, name);
    s = s && *s ? s : NULL;
    value_set_text(p->root, name, s);
    return s;
}

/* The day that <input type="date"> sends, in UTC as the page says, its beginning or its end
 * (whole); 0: none, or no day. */
static int64_t day(struct page *p, const char *name, bool whole)
{
    const char *s = wanted(p, name);
    int64_t at = 0;
    if (!s || (strlen(s) == 10 && clock_parse_day(s, whole, &at)))
        return at;
    page_bad(p, page_text(p, "audit_day_wrong"));
    return 0;
}

/* path with the filter as its query. */
static const char *filtered(struct page *p, const struct audit_filter *f, const char *link)
{
    static const char *const days[] = {"since", "until"};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        const char *s = req_query(p->req, days[i]);
        if (s && *s)
            link = page_link(p, link, days[i], s);
    }
    if (f->actor)
        link = page_link(p, link, "actor", f->actor);
    if (f->action)
        link = page_link(p, link, "action", f->action);
    if (f->subject)
        link = page_link(p, link, "subject", f->subject);
    return link;
}

static struct audit_filter filter_of(struct page *p)
{
    return (struct audit_filter){.actor = wanted(p, "actor"),
                                 .subject = wanted(p, "subject"),
                                 .action = wanted(p, "action"),
                                 .since = day(p, "since", false),
                                 .until = day(p, "until", true), /* that day too */
                                 .own = p->caller->admin};
}

/* What the agent found when it went through the chain last. */
static enum outcome chain_show(struct page *p)
{
    struct audit_check c;
    struct checkrun run;
    char hex[SHA256_HEX_LEN + 1];
    if (p->caller->scope != 0) /* it is about the whole log */
        return OK;
    enum outcome o = checkrun_get(p->db, CHECKRUN_AUDIT, p->req->now, p->a, &run, &p->err);
    if (o != OK)
        return o;
    struct value *v = value_set_dict(p->root, "chain");
    value_set_bool(v, "waits", run.waits);
    value_set_text(v, "asked_by", run.asked_by);
    if (run.findings.n == 0)
        return OK;
    o = audit_check_read(run.findings, p->a, &c, &p->err);
    if (o != OK)
        return o;
    hex_encode(bytes_of(c.head.digest, SHA256_LEN), hex);
    value_set_bool(v, "found", true);
    value_set_bool(v, "good", c.bad_seq == 0);
    value_set_int(v, "links", c.links);
    value_set_int(v, "unlinked", c.unlinked);
    value_set_int(v, "bad_seq", c.bad_seq);
    value_set_text(v, "bad", page_said(p, c.bad));
    value_set_text(v, "newest", arena_fmt(p->a, "%lld:%s", (long long)c.head.seq, hex));
    page_time(p, v, "when", run.done_at);
    return OK;
}

static void show(struct page *p)
{
    struct audit_entry *e;
    size_t n;
    struct audit_filter f = filter_of(p);
    if (audit_list(p->db, &f, page_number(req_query(p->req, "before")), PAGE_ROWS, p->a, &e, &n,
                   &p->err) != OK ||
        chain_show(p) != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "entries");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "who_link", page_link(p, "/audit", "actor", e[i].actor));
        value_set_text(v, "what_link", page_link(p, "/audit", "action", e[i].action));
        value_set_text(v, "whom_link", page_link(p, "/audit", "subject", e[i].subject));
        value_set_text(v, "who", e[i].actor);
        value_set_text(v, "act", page_named(p, arena_fmt(p->a, "audit_act_%s", e[i].action)));
        value_set_text(v, "what", e[i].action);
        value_set_text(v, "whom", e[i].subject);
        value_set_text(v, "detail", trail_detail(p, e[i].detail));
        page_time(p, v, "at", e[i].at);
    }
    value_set_bool(p->root, "some", n > 0);
    value_set_text(p->root, "csv_link", filtered(p, &f, "/audit.csv"));
    value_set_text(p->root, "json_link", filtered(p, &f, "/audit.json"));
    if (n == PAGE_ROWS) {
        const char *at = arena_fmt(p->a, "%lld", (long long)e[n - 1].id);
        value_set_text(p->root, "next",
                       filtered(p, &f, page_link(p, "/audit", "before", at ? at : "")));
    }
    page_show(p, 200, "audit");
}

void console_audit(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "audit"))
        show(&p);
}

/* The agent is asked to go through the chain now. */
void console_audit_post(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "audit"))
        return;
    if (checkrun_ask(p.db, CHECKRUN_AUDIT, caller->admin, req->now, &p.err) == OK)
        page_go(&p, "/audit?done=audit_asked");
    else
        page_fail(&p);
}

/* ---- the entries that fit, the latest first, as a file ---- */

typedef void entry_fn(struct buf *out, const struct audit_entry *e);

static void entry_csv(struct buf *out, const struct audit_entry *e)
{
    char at[CLOCK_TEXT_MAX];
    buf_fmt(out, "%lld", (long long)e->id);
    csv_cell(out, clock_rfc3339(e->at, true, at), false);
    csv_cell(out, e->actor, false);
    csv_cell(out, e->action, false);
    csv_cell(out, e->subject, false);
    csv_cell(out, e->detail, false);
    csv_end(out);
}

/* One object on each line. */
static void entry_json(struct buf *out, const struct audit_entry *e)
{
    char at[CLOCK_TEXT_MAX];
    js o = js_object();
    js_set_int(o, "id", e->id);
    js_set_str(o, "at", clock_rfc3339(e->at, true, at));
    js_set_str(o, "actor", e->actor);
    js_set_str(o, "action", e->action);
    js_set_str(o, "subject", e->subject);
    if (e->detail[0])
        js_set_str(o, "detail", e->detail);
    if (js_write(o, false, out) != OK)
        out->failed = true;
    buf_char(out, '\n');
    js_free(&o);
}

static void export(struct page *p, entry_fn *write, const char *type, const char *disposition)
{
    struct audit_entry *e;
    int64_t before = 0;
    size_t n = LIM_PAGE;
    struct audit_filter f = filter_of(p);
    struct arena *a = arena_new(32 * LIM_MB);
    enum outcome o = a ? OK : err_set(&p->err, ERROR, "out of memory");
    size_t all = 0;
    while (o == OK && n == LIM_PAGE && all <= EXPORT_MAX) {
        arena_reset(a);
        o = audit_list(p->db, &f, before, LIM_PAGE, a, &e, &n, &p->err);
        for (size_t k = 0; o == OK && k < n; k++) {
            write(&p->resp->body, &e[k]);
            before = e[k].id;
        }
        all += n;
    }
    arena_free(&a);
    /* half a log would look like a whole one */
    if (o == OK && (all > EXPORT_MAX || buf_failed(&p->resp->body)))
        o = err_set(&p->err, INVALID, "%s", page_text(p, "audit_too_many"));
    if (o != OK) {
        buf_clear(&p->resp->body);
        page_fail(p);
        return;
    }
    page_leave(p);
    p->resp->content_type = type;
    resp_header(p->resp, "Content-Disposition", disposition);
    resp_header(p->resp, "X-Content-Type-Options", "nosniff");
}

void console_audit_csv(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "audit"))
        return;
    buf_str(&resp->body, "id,at,actor,action,subject,detail\r\n");
    export(&p, entry_csv, "text/csv; charset=utf-8", "attachment; filename=\"audit.csv\"");
}

void console_audit_json(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "audit"))
        export(&p, entry_json, "application/x-ndjson", "attachment; filename=\"audit.json\"");
}
