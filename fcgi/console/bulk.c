/* bulk.c: one command for many devices: who is hit; and how far jobs for many devices are. */
#include "console/bulk.h"

#include "base/clock.h"
#include "base/limits.h"
#include "command/bulk.h"
#include "command/catalogue.h"
#include "console/filter.h"
#include "store/enrollment.h"
#include "store/filter.h"
#include "store/group.h"
#include "store/id.h"

#define PREVIEW 12
#define JOBS 50

/* Devices that were ticked, by their ids. */
struct picks {
    struct page *p;
    const char *ids[LIM_PAGE];
    size_t n;
};

static bool pick(const char *name, const char *value, void *arg)
{
    struct picks *x = arg;
    if (strcmp(name, "pick") == 0 && x->n < LIM_PAGE)
        x->ids[x->n++] = value;
    return true;
}

static struct picks *picks_of(struct page *p)
{
    struct picks *x = arena_alloc(p->a, sizeof *x);
    if (!x) {
        err_set(&p->err, ERROR, "out of memory");
        return NULL;
    }
    if (p->req->method == METHOD_POST)
        req_form_each(p->req, pick, x);
    else
        req_query_each(p->req, pick, x);
    struct value *list = value_set_list(p->root, "picked");
    for (size_t i = 0; i < x->n; i++)
        value_append(list, value_text(p->a, x->ids[i]));
    value_set_bool(p->root, "is_picked", x->n > 0);
    return x;
}

/* How many there are, and how many of these can get a command. */
struct crowd {
    int64_t total, reached;
};

static void hit(struct page *p, struct value *list, const char *ident, const char *name)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "device", *name ? name : ident);
    value_set_text(v, "link", page_link(p, "/device", "id", ident));
}

/* Those that were ticked and are still there, and the person's. */
static enum outcome of_picks(struct page *p, const struct picks *x, struct value *list,
                             struct crowd *c)
{
    const struct enrollment_filter f = {.idents = x->ids, .nidents = x->n};
    struct enrollment_cursor at = {0, 0};
    struct enrollment *e;
    size_t n = 0;
    bool more;
    enum outcome o = enrollment_list(p->db, &f, ENROLLMENT_BY_ID, &at, 0, LIM_PAGE, false, p->a, &e,
                                     &n, &more, &p->err);
    for (size_t i = 0; o == OK && i < n; i++) {
        c->reached += e[i].state == ENROLLMENT_ENROLLED;
        if (i < PREVIEW)
            hit(p, list, e[i].ident, *e[i].device_name ? e[i].device_name : e[i].serial);
    }
    c->total = (int64_t)n;
    return o;
}

static enum outcome of_filter(struct page *p, const struct device_filter *f, struct value *list,
                              struct crowd *c)
{
    struct device_brief *d;
    size_t n = 0;
    enum outcome o = device_count_reached(p->db, f, p->a, &c->total, &c->reached, &p->err);
    if (o == OK)
        o = device_list(p->db, f, (struct device_order){0}, NULL, 0, PREVIEW, p->a, &d, &n,
                        &p->err);
    for (size_t i = 0; o == OK && i < n; i++)
        hit(p, list, d[i].ident, *d[i].name ? d[i].name : d[i].serial);
    return o;
}

static enum outcome preview(struct page *p, const struct picks *x, const struct device_filter *f)
{
    struct crowd c = {0, 0};
    struct value *list = value_set_list(p->root, "hit");
    /* nothing ticked is nobody, not everybody */
    bool none = x->n == 0 && filter_given(p, "ticked")[0];
    enum outcome o = none ? OK : x->n == 0 ? of_filter(p, f, list, &c) : of_picks(p, x, list, &c);
    value_set_int(p->root, "total", c.total);
    value_set_int(p->root, "reached", c.reached);
    value_set_bool(p->root, "some_reached", c.reached > 0);
    value_set_bool(p->root, "not_all", c.reached < c.total);
    value_set_bool(p->root, "some", c.total > 0);
    value_set_bool(p->root, "none_ticked", none);
    value_set_text(p->root, "back", filter_link(p, "/devices"));
    if (c.total > PREVIEW)
        value_set_int(p->root, "more_hit", c.total - PREVIEW);
    return o;
}

/* The form says which job it makes: a form that is sent twice makes one. What came with an old
 * form, or is none of ours, is not taken. */
static int64_t job_id(struct page *p)
{
    int64_t id = p->req->method == METHOD_POST ? page_number(page_field(p, "job")) : 0;
    return id > id_at(p->req->now - DAY_US) && id < id_at(p->req->now + MINUTE_US) ? id : id_new();
}

/* Was it made by this form already? */
static bool made(struct page *p, const struct bulk_job *job)
{
    struct err ignored = {.outcome = OK};
    struct bulk_job j;
    return bulk_get(p->db, job->id, p->a, &j, &ignored) == OK && j.task == BULK_COMMAND &&
           strcmp(j.created_by, job->created_by) == 0 &&
           strcmp(j.request_type, job->request_type) == 0;
}

/* Whose devices a command is for: "iOS, macOS". */
static const char *platforms(struct page *p, cat command)
{
    const char *all = "";
    for (enum platform i = PLATFORM_IOS; i < PLATFORM__MAX; i++)
        if (catalogue_support(command, i).introduced != VERSION_NEVER)
            all = arena_fmt(p->a, "%s%s%s", all ? all : "", all && *all ? ", " : "",
                            platform_name(i));
    return all;
}

/* The groups that find their devices by a tag: another tag brings devices in, or takes them out. */
static enum outcome by_tags(struct page *p)
{
    struct value *list = value_set_list(p->root, "by_tags");
    struct device_group *g;
    int64_t after = 0;
    size_t n = LIM_PAGE;
    bool any = false;
    enum outcome o = OK;
    while (o == OK && n == LIM_PAGE) {
        o = group_list(p->db, after, LIM_PAGE, p->a, &g, &n, &p->err);
        for (size_t i = 0; o == OK && i < n; i++) {
            struct err ignored = {.outcome = OK};
            js e = NULL;
            after = g[i].id;
            if (*g[i].filter && js_parse(bytes_str(g[i].filter), &e, &ignored) == OK &&
                filter_asks_tag(e, NULL)) {
                struct value *v = value_append_dict(list);
                value_set_text(v, "name", g[i].name);
                value_set_text(v, "link", page_link_id(p, "/group/filter", g[i].id));
                any = true;
            }
            js_free(&e);
        }
    }
    value_set_bool(p->root, "some_by_tags", any);
    return o;
}

static void show(struct page *p, int status)
{
    struct picks *x = picks_of(p);
    const struct device_filter f = filter_of(p);
    if (!x || preview(p, x, &f) != OK || by_tags(p) != OK) {
        page_fail(p);
        return;
    }
    value_set_text(p->root, "job", arena_fmt(p->a, "%lld", (long long)job_id(p)));
    struct value *list = value_set_list(p->root, "commands");
    for (int i = 0; bulk_commands[i]; i++) {
        struct value *v = value_append_dict(list);
        cat command = catalogue_find(bulk_commands[i]);
        value_set_text(v, "name", bulk_commands[i]);
        value_set_text(v, "about", page_said(p, catalogue_about(command)));
        value_set_text(v, "platforms", platforms(p, command));
        value_set_bool(v, "chosen", strcmp(page_field(p, "type"), bulk_commands[i]) == 0);
    }
    page_show(p, status, "bulk");
}

void console_bulk(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "bulk"))
        show(&p, 200);
}

/* *again: the form was sent before, and the job is there. One with another command is another. */
static enum outcome add(struct page *p, struct bulk_job *job, const struct picks *x, bool *again)
{
    enum outcome o = bulk_add(p->db, job, x->ids, x->n, p->req->now, &p->err);
    *again = o == CONFLICT && made(p, job);
    if (o != CONFLICT || *again)
        return *again ? OK : o;
    job->id = 0;
    return bulk_add(p->db, job, x->ids, x->n, p->req->now, &p->err);
}

void console_bulk_post(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "bulk"))
        return;
    struct picks *x = picks_of(&p);
    struct bulk_job job = {.id = job_id(&p),
                           .request_type = page_field(&p, "type"),
                           .filter = filter_of(&p),
                           .created_by = caller->admin,
                           .scope = caller->session->scope};
    enum outcome o = x ? OK : ERROR;
    bool again = false;
    if (o == OK && !bulk_command_known(job.request_type))
        o = err_set(&p.err, INVALID, "%s", page_text(&p, "command_none"));
    else if (o == OK && strcmp(page_field(&p, "sure"), "yes") != 0)
        o = err_set(&p.err, INVALID, "%s", page_text(&p, "bulk_not_sure"));
    else if (o == OK)
        o = add(&p, &job, x, &again);
    if (o == OK) {
        const char *link = bulk_job_link(&p, job.id);
        page_go(&p, again ? page_link(&p, link, "done", "job_once") : link);
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}

static const char *job_name(struct page *p, const struct bulk_job *j)
{
    if (j->task == BULK_ITEM)
        return words_fill(p->w, p->a, "job_item", j->item, NULL);
    if (j->task == BULK_FAILED_AGAIN)
        return *j->request_type ? words_fill(p->w, p->a, "job_failed", j->request_type, NULL)
                                : page_text(p, "job_failed_all");
    return j->request_type;
}

static void job_show(struct page *p, struct value *v, const struct bulk_job *j)
{
    const char *id = arena_fmt(p->a, "%lld", (long long)j->id);
    int64_t done = j->queued + j->refused;
    value_set_text(v, "id", id);
    value_set_text(v, "type", job_name(p, j));
    value_set_text(v, "link", bulk_job_link(p, j->id));
    value_set_text(v, "by", j->created_by);
    value_set_text(v, "why", page_said(p, j->ended_why));
    value_set_bool(v, "counted", j->total >= 0);
    value_set_int(v, "total", j->total);
    value_set_int(v, "queued", j->queued);
    value_set_int(v, "refused", j->refused);
    value_set_bool(v, "is_failed_again", j->task == BULK_FAILED_AGAIN);
    value_set_bool(v, "is_item", j->task == BULK_ITEM);
    value_set_bool(v, "is_command", j->task == BULK_COMMAND);
    value_set_int(v, "percent",
                  j->state == BULK_DONE ? 100
                  : j->total > 0        ? (done < j->total ? 100 * done / j->total : 99)
                                        : 0);
    value_set_bool(v, "is_open", j->state == BULK_OPEN);
    page_state(p, v, "bulk", bulk_state_name(j->state));
    page_time(p, v, "created", j->created_at);
    page_time(p, v, "ended", j->ended_at);
}

const char *bulk_job_link(struct page *p, int64_t id)
{
    return page_link_id(p, "/bulk/job", id);
}

enum outcome bulk_again(struct page *p, struct bulk_job *job)
{
    job->created_by = p->caller->admin;
    job->scope = p->caller->session->scope;
    return bulk_add(p->db, job, NULL, 0, p->req->now, &p->err);
}

void console_bulk_job(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct page p;
    struct bulk_job j;
    if (!page_open(&p, app, req, caller, resp, "bulk"))
        return;
    if (bulk_get(p.db, page_number(req_query(req, "id")), p.a, &j, &p.err) != OK) {
        page_fail(&p);
        return;
    }
    job_show(&p, p.root, &j);
    page_show(&p, 200, "bulkjob");
}

void console_bulk_jobs(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct page p;
    struct bulk_job *j;
    size_t n;
    if (!page_open(&p, app, req, caller, resp, "bulk"))
        return;
    if (bulk_list(p.db, page_number(req_query(req, "before")), JOBS, p.a, &j, &n, &p.err) != OK) {
        page_fail(&p);
        return;
    }
    struct value *list = value_set_list(p.root, "jobs");
    for (size_t i = 0; i < n; i++)
        job_show(&p, value_append_dict(list), &j[i]);
    value_set_bool(p.root, "some", n > 0);
    if (n == JOBS)
        value_set_text(
            p.root, "next",
            page_link(&p, "/bulk/jobs", "before", arena_fmt(p.a, "%lld", (long long)j[n - 1].id)));
    page_show(&p, 200, "bulkjobs");
}

void console_bulk_stop(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "bulk"))
        return;
    const char *id = page_field(&p, "id");
    enum outcome o = bulk_stop(p.db, page_number(id), caller->admin, req->now, &p.err);
    if (o == OK || o == CONFLICT)
        page_go(&p, page_link(&p, page_link(&p, "/bulk/job", "id", id), "done",
                              o == OK ? "job_stopped" : "job_over"));
    else
        page_fail(&p);
}
