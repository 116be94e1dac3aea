/* rollouts.c: how far devices are with the versions of profiles and apps that they are to have: in
 * waves, halted when too many fail or by a person, resumed. What is shown stands in the database:
 * nobody has to keep the page open. */
#include "base/limits.h"
#include "console/bulk.h"
#include "console/page.h"
#include "library/edit.h"
#include "store/wanted.h"

#define ROLLOUTS 50
#define WAVE_MAX 1000000
#define WHY_MAX 255

static void row_show(struct page *p, struct value *v, const struct rollout_row *r)
{
    int64_t done = r->counts[WANTED_INSTALLED], refused = r->counts[WANTED_REFUSED];
    int64_t open =
        r->counts[WANTED_PENDING] + r->counts[WANTED_QUEUED] + r->counts[WANTED_INSTALLING];
    int64_t failed = r->counts[WANTED_FAILED], all = done + open + failed;
    const char *kind = library_kind_name(r->kind);
    const char *id = arena_fmt(p->a, "%lld", (long long)r->item_id);
    value_set_text(v, "id", id);
    value_set_text(v, "name", r->name);
    value_set_text(v, "identifier", r->identifier);
    value_set_text(v, "kind", page_text(p, arena_fmt(p->a, "kind_%s", kind)));
    value_set_text(v, "link", page_link(p, "/rollout", "id", id ? id : ""));
    value_set_int(v, "version", r->version);
    value_set_int(v, "done", done);
    value_set_int(v, "open", open);
    value_set_int(v, "failed", failed);
    value_set_int(v, "refused", refused);
    value_set_int(v, "percent", all ? 100 * done / all : 100);
    value_set_bool(v, "uncounted", r->uncounted);
    value_set_bool(v, "counted",
                   !r->uncounted && (r->under_way || r->halted_at != 0 || all + refused > 0));
    value_set_bool(v, "halted", r->halted_at != 0);
    value_set_bool(v, "under_way", r->under_way && r->halted_at == 0);
    value_set_text(v, "why", page_said(p, r->halted_why));
    value_set_bool(v, "waves", r->wave_first > 0);
    value_set_int(v, "wave_first", r->wave_first);
    value_set_int(v, "released", r->released);
    value_set_int(v, "halt_percent", r->halt_percent);
    value_set_text(v, "changed_at", arena_fmt(p->a, "%lld", (long long)r->changed_at));
    page_state(p, v, "rollout", rollout_state(r));
    page_time(p, v, "halted_when", r->halted_at);
}

void console_rollouts(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct rollout_row *r;
    struct page p;
    size_t n;
    if (!page_open(&p, app, req, caller, resp, "rollouts"))
        return;
    if (rollout_list(p.db, 0, ROLLOUTS, p.a, &r, &n, &p.err) != OK) {
        page_fail(&p);
        return;
    }
    struct value *list = value_set_list(p.root, "rollouts");
    for (size_t i = 0; i < n; i++)
        row_show(&p, value_append_dict(list), &r[i]);
    value_set_bool(p.root, "some", n > 0);
    page_show(&p, 200, "rollouts");
}

static void rollout_show(struct page *p, int64_t id, int status)
{
    const char *word = req_query(p->req, "state");
    int shown = word ? wanted_state_read(word) : WANTED_FAILED;
    struct rollout_row *r;
    struct wanted_row *d;
    size_t n;
    enum outcome o = rollout_list(p->db, id, 1, p->a, &r, &n, &p->err);
    if (o == OK && (n == 0 || id == 0))
        o = err_set(&p->err, NOT_FOUND, "%s", page_text(p, "rollout_none"));
    if (o == OK) {
        row_show(p, p->root, &r[0]);
        value_set_text(p->root, "title", r[0].name);
        value_set_text(p->root, "wave_given", page_field(p, "wave_first"));
        value_set_text(p->root, "halt_given", page_field(p, "halt_percent"));
        o = wanted_of_item(p->db, id, shown, page_number(req_query(p->req, "after")), PAGE_ROWS,
                           p->a, &d, &n, &p->err);
    }
    if (o != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "devices"), *states;
    const char *here = page_link_id(p, "/rollout", id);
    states = value_set_list(p->root, "states");
    for (int s = WANTED_PENDING; s < WANTED__MAX; s++) {
        struct value *v = value_append_dict(states);
        page_state(p, v, "wanted", wanted_state_name(s));
        value_set_int(v, "n", r[0].counts[s]);
        value_set_bool(v, "chosen", s == shown);
        value_set_text(v, "link", page_link(p, here, "state", wanted_state_name(s)));
    }
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name",
                       *d[i].device_name ? d[i].device_name
                       : *d[i].serial    ? d[i].serial
                                         : d[i].ident);
        value_set_text(v, "link", page_link(p, "/device", "id", d[i].ident));
        value_set_text(v, "why",
                       d[i].waits_user ? page_text(p, "wanted_waits_user")
                                       : page_said(p, d[i].reason));
        page_state(p, v, "wanted", wanted_state_name(d[i].state));
        page_time(p, v, "changed", d[i].changed_at);
    }
    value_set_bool(p->root, "some", n > 0);
    if (n == PAGE_ROWS)
        value_set_text(p->root, "next",
                       page_link(p, word ? page_link(p, here, "state", word) : here, "after",
                                 arena_fmt(p->a, "%lld", (long long)d[n - 1].enrollment_id)));
    page_show(p, status, "rollout");
}

void console_rollout(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "rollouts"))
        rollout_show(&p, page_number(req_query(req, "id")), 200);
}

/* Sizes of waves, and how many failures halt: of the item, for its next versions too. */
static enum outcome waves(struct page *p, int64_t id)
{
    struct library_item item;
    js changes = js_object();
    int64_t first, percent;
    enum outcome o = page_count(p, "wave_first", WAVE_MAX, &first) &&
                             page_count(p, "halt_percent", 100, &percent)
                         ? library_get(p->db, id, p->a, &item, &p->err)
                         : err_set(&p->err, INVALID, "%s", page_text(p, "rollout_numbers"));
    if (o == OK) {
        item.changed_at = page_number(page_field(p, "changed_at")); /* as the form has shown it */
        js_set_int(changes, "wave_first", first);
        js_set_int(changes, "halt_percent", percent);
        o = library_edit(p->db, p->a, &item, changes, p->caller->admin, p->req->now, &p->err);
    }
    js_free(&changes);
    return o;
}

static enum outcome try_again(struct page *p, int64_t id, int64_t *job)
{
    struct bulk_job j = {.task = BULK_ITEM, .item_id = id};
    enum outcome o = bulk_again(p, &j);
    *job = j.id;
    return o;
}

static enum outcome act(struct page *p, int64_t id, int64_t *job)
{
    const char *what = page_field(p, "what"), *why = page_field(p, "why"), *by = p->caller->admin;
    if (strcmp(what, "waves") == 0)
        return waves(p, id);
    if (!*why || strlen(why) > WHY_MAX)
        return err_set(&p->err, INVALID, "%s", page_text(p, "reason_wrong"));
    if (strcmp(what, "stop") == 0)
        return rollout_stop(p->db, id, by, why, p->req->now, &p->err);
    if (strcmp(what, "resume") == 0)
        return rollout_resume(p->db, id, by, why, p->req->now, &p->err);
    if (strcmp(what, "retry") == 0)
        return try_again(p, id, job);
    return err_set(&p->err, INVALID, "%s", page_text(p, "group_choose"));
}

void console_rollout_post(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "rollouts"))
        return;
    const char *field = page_field(&p, "id");
    int64_t id = page_number(field), job = 0;
    enum outcome o = act(&p, id, &job);
    if (o == OK && job) {
        page_go(&p, bulk_job_link(&p, job));
    } else if (o == OK) {
        page_go(&p, page_link(&p, page_link(&p, "/rollout", "id", field), "done", "saved"));
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        if (strcmp(page_field(&p, "what"), "waves") == 0)
            value_set_bool(p.root, "waves_given", true);
        rollout_show(&p, id, page_status(o));
    } else {
        page_fail(&p);
    }
}
