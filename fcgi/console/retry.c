/* retry.c: commands that failed are sent again: one from its page, or all of the list of those that
 * failed, after a look at what these are, as a job. */
#include "console/retry.h"

#include "base/clock.h"
#include "base/limits.h"
#include "command/retry.h"
#include "console/bulk.h"
#include "console/device.h"

#define DAYS 7   /* how far back the list goes */
#define WHYS 12  /* reasons that are told apart */
#define LOOK 200 /* commands that the preview looks at */

struct failed_filter failed_filter_of(struct page *p)
{
    const char *type = *page_field(p, "type") ? page_field(p, "type") : req_query(p->req, "type");
    return (struct failed_filter){.since = p->req->now - DAYS * DAY_US,
                                  .before = INT64_MAX,
                                  .request_type = type && *type ? type : NULL};
}

void retry_row(struct page *p, struct value *v, const struct failed *f)
{
    const struct retry_item x = {.command_id = 1, /* there is one: it failed */
                                 .request_type = f->request_type,
                                 .created_by = f->created_by,
                                 .state = f->state,
                                 .fill = f->fill,
                                 .secret = f->secret,
                                 .again_state = f->again_state};
    bool open = f->again_state && f->again_state < QUEUE_ACKNOWLEDGED;
    bool can = !open && !retry_refusal(&x, false) && device_may_send(p, f->request_type);
    /* which profile is removed, and whether it is the one that manages, is said by its own page */
    bool grave = strcmp(f->request_type, "RemoveProfile") == 0 ||
                 command_sensitive(p->db, p->app->conf, p->a, f->request_type, NULL);
    value_set_text(v, "ident", f->ident);
    value_set_text(v, "uuid", f->uuid);
    value_set_bool(v, "can", can && !grave);
    value_set_bool(v, "sensitive", can && grave);
}

static const char *forbids(void *arg, const struct retry_item *x)
{
    const struct page *p = arg;
    return device_may_send(p, x->request_type) ? NULL : page_text(p, "command_not_yours");
}

/* ---- one ---- */

enum outcome retry_offer(struct page *p, const char *ident, const char *uuid)
{
    struct retry_item x;
    enum outcome o = retry_look(p->db, p->app->conf, ident, uuid, p->req->now, p->a, &x, &p->err);
    if (o != OK || x.state <= QUEUE_ACKNOWLEDGED)
        return o;
    const char *why = retry_refusal(&x, false);
    bool open = x.again_state && x.again_state < QUEUE_ACKNOWLEDGED;
    struct value *v = value_set_dict(p->root, "retry");
    if (*x.again) {
        value_set_text(v, "again", device_command_link(p, ident, x.again));
        page_state(p, v, "queue", queue_state_name(x.again_state));
    }
    value_set_text(v, "no", open || x.approval ? NULL : why);
    value_set_bool(v, "can", !why && !open && !x.approval && device_may_send(p, x.request_type));
    value_set_bool(v, "sensitive", x.sensitive);
    if (x.approval && page_may(p, "operate"))
        value_set_text(v, "approval", page_link_id(p, "/approval", x.approval));
    return OK;
}

void console_retry(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    const char *why = page_field(&p, "why");
    struct retry_one one = {.ident = page_field(&p, "device"), .uuid = page_field(&p, "uuid")};
    struct retry r = {.list = &one,
                      .n = 1,
                      .reason = *why ? why : NULL,
                      .push = true,
                      .forbids = forbids,
                      .forbids_arg = &p};
    struct retry_item x;
    enum outcome o = retry_look(p.db, app->conf, one.ident, one.uuid, req->now, p.a, &x, &p.err);
    if (o == OK && x.sensitive) {
        if (!*why || strlen(why) > ORDER_REASON_MAX)
            o = err_set(&p.err, INVALID, "%s", page_text(&p, "send_reason"));
        else if (!page_confirmed(&p))
            return;
    }
    if (o == OK)
        o = retry_run(p.db, app->conf, p.a, caller->admin, req->now, &r, &p.err);
    if (o == OK && one.outcome == RETRY_REFUSED)
        o = err_set(&p.err, CONFLICT, "%s", one.why);
    if (o == OK)
        page_go(&p, page_link(&p, page_link(&p, "/device", "id", one.ident), "done",
                              one.outcome == RETRY_ASKED ? "asked" : "queued"));
    else
        page_fail(&p);
}

/* ---- all of the list ---- */

struct tally {
    size_t counts[RETRY_ASKED + 1];
    struct {
        const char *text;
        int64_t n;
    } why[WHYS];
    size_t nwhys;
    bool more; /* there are more than were looked at */
};

static void add_why(struct page *p, struct tally *t, const char *text)
{
    size_t i = 0;
    while (i < t->nwhys && strcmp(t->why[i].text, text) != 0)
        i++;
    if (i == t->nwhys && i < WHYS) {
        t->why[i].text = arena_strdup(p->a, text);
        if (t->why[i].text)
            t->nwhys++;
    }
    if (i < t->nwhys)
        t->why[i].n++;
}

static enum outcome page_run(struct page *p, const struct failed *f, size_t n, struct arena *a,
                             struct tally *t)
{
    struct retry r = {
        .list = arena_array(a, n + 1, sizeof *r.list), .push = true, .dry = true, .many = true};
    for (size_t i = 0; r.list && i < n; i++)
        if (!*f[i].again)
            r.list[r.n++] = (struct retry_one){.ident = f[i].ident, .uuid = f[i].uuid};
    enum outcome o =
        r.list ? retry_run(p->db, p->app->conf, a, p->caller->admin, p->req->now, &r, &p->err)
               : err_set(&p->err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++)
        if (r.list[i].outcome == RETRY_REFUSED)
            add_why(p, t, r.list[i].why);
    for (int i = 0; o == OK && i <= RETRY_ASKED; i++)
        t->counts[i] += r.counts[i];
    return o;
}

/* What would become of the latest of them, as many as a look takes: the job goes on with the rest.
 */
static enum outcome look(struct page *p, const struct failed_filter *f, struct tally *t)
{
    struct arena *a = arena_new(LIM_ARENA_ORDER);
    struct failed *list;
    int64_t next = 0;
    size_t n = 0;
    struct failed_filter left = *f;
    left.not_again = true;
    enum outcome o = a ? failed_list(p->db, &left, LOOK, a, &list, &n, &next, &p->err)
                       : err_set(&p->err, ERROR, "out of memory");
    *t = (struct tally){.nwhys = 0};
    if (o == OK && n > 0)
        o = page_run(p, list, n, a, t);
    t->more = next != 0;
    arena_free(&a);
    return o;
}

static void show(struct page *p, int status)
{
    const struct failed_filter f = failed_filter_of(p);
    struct tally t;
    if (look(p, &f, &t) != OK) {
        page_fail(p);
        return;
    }
    value_set_text(p->root, "type", f.request_type);
    value_set_int(p->root, "n", (int64_t)t.counts[RETRY_QUEUED]);
    value_set_bool(p->root, "some", t.counts[RETRY_QUEUED] > 0 || t.more);
    value_set_bool(p->root, "more", t.more);
    struct value *list = value_set_list(p->root, "whys");
    for (size_t i = 0; i < t.nwhys; i++) {
        struct value *v = value_append_dict(list);
        value_set_int(v, "n", t.why[i].n);
        value_set_text(v, "text", t.why[i].text);
    }
    page_show(p, status, "failedretry");
}

void console_failed_retry(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "failed"))
        show(&p, 200);
}

void console_failed_retry_post(struct app *app, struct req *req, const struct caller *caller,
                               struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "failed"))
        return;
    const struct failed_filter f = failed_filter_of(&p);
    struct bulk_job job = {.task = BULK_FAILED_AGAIN,
                           .request_type = f.request_type,
                           .failed_since = f.since,
                           .failed_before = req->now};
    enum outcome o = strcmp(page_field(&p, "sure"), "yes") == 0
                         ? bulk_again(&p, &job)
                         : err_set(&p.err, INVALID, "%s", page_text(&p, "bulk_not_sure"));
    if (o == OK) {
        page_go(&p, bulk_job_link(&p, job.id));
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
