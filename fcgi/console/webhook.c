/* webhook.c: one webhook: how it is doing, what became of events, and everything it can be told. */
#include "console/webhook.h"

#include "base/clock.h"
#include "wire/encode.h"

#include <stdio.h>

#define OVERLAP_HOURS_MAX 2160

/* The webhook that the query or the form names. False: answered. */
static bool find(struct page *p, struct webhook *w)
{
    const char *id = req_query(p->req, "id");
    if (webhook_get(p->db, page_number(id ? id : page_field(p, "webhook")), p->a, w, &p->err) == OK)
        return true;
    page_fail(p);
    return false;
}

static const char *own_link(struct page *p, const struct webhook *w)
{
    const char *link = arena_fmt(p->a, "/webhook?id=%lld", (long long)w->id);
    return link ? link : "/webhooks";
}

static void put_head(struct page *p, const struct webhook *w)
{
    const char *const *topics = NULL;
    struct value *list = value_set_list(p->root, "topics");
    size_t n = 0;
    if (webhook_topics(w->wants, p->a, &topics, &n, &p->err) == OK)
        for (size_t i = 0; i < n; i++)
            value_set_text(value_append_dict(list), "name", topics[i]);
    const char *key = arena_fmt(p->a, "hook_payload_%s", webhook_payload_name(w->payload));
    value_set_int(p->root, "id", w->id);
    value_set_int(p->root, "version", w->version);
    value_set_text(p->root, "name", w->name);
    value_set_text(p->root, "url", w->url);
    value_set_text(p->root, "payload", key ? page_text(p, key) : NULL);
    value_set_bool(p->root, "sends_whole", w->payload == WEBHOOK_WHOLE);
    page_state(p, p->root, "hook", webhook_state_name(w->state));
    value_set_bool(p->root, "active", w->state == WEBHOOK_ACTIVE);
    value_set_text(p->root, "state_by", w->state_by);
    value_set_text(p->root, "state_why", page_said(p, w->state_why));
    value_set_text(p->root, "failure", page_said(p, w->failure));
    value_set_int(p->root, "waiting", w->waiting);
    value_set_int(p->root, "dead", w->dead);
    value_set_bool(p->root, "some_dead", w->dead > 0);
    page_time(p, p->root, "since", w->state_at);
    page_time(p, p->root, "failing", w->failing_since);
    page_time(p, p->root, "ok", w->last_ok_at);
    page_time(p, p->root, "old_key", w->secret_before_until);
    page_time(p, p->root, "created", w->created_at);
    value_set_text(p->root, "by", w->created_by);
    value_set_text(p->root, "title", w->name);
}

/* ---- the log ---- */

static struct delivery_filter filter_read(struct page *p)
{
    const char *state = req_query(p->req, "state"), *topic = req_query(p->req, "topic");
    const char *ident = req_query(p->req, "enrollment");
    const struct event_name *name = topic ? event_name_find(topic) : NULL;
    int known = delivery_state_read(state);
    return (struct delivery_filter){.state = known < 0 ? 0 : known,
                                    .topic = name ? (int)name->topic : -1,
                                    .ident = ident && *ident ? ident : NULL};
}

static void put_filter(struct page *p, const struct delivery_filter *f)
{
    struct value *list = value_set_list(p->root, "states");
    for (int i = DELIVERY_WAITS; i <= DELIVERY_DEAD; i++) {
        struct value *v = value_append_dict(list);
        const char *key = arena_fmt(p->a, "delivery_%s", delivery_state_name(i));
        value_set_text(v, "name", delivery_state_name(i));
        value_set_text(v, "text", key ? page_text(p, key) : NULL);
        value_set_bool(v, "chosen", f->state == i);
    }
    list = value_set_list(p->root, "all_topics");
    for (size_t i = 0; i < event_names_n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", event_names[i].filter);
        value_set_bool(v, "chosen", f->topic == (int)event_names[i].topic);
    }
    value_set_text(p->root, "enrollment", f->ident);
    value_set_bool(p->root, "filtered", f->state || f->topic >= 0 || f->ident);
}

/* This page of the log, with what is filtered; more: "&before=..." and the like, ready to stand. */
static const char *log_link(struct page *p, const struct webhook *w,
                            const struct delivery_filter *f, const char *name, int64_t event)
{
    const char *link = own_link(p, w), *id = arena_fmt(p->a, "%016llx", (unsigned long long)event);
    if (f->state)
        link = page_link(p, link, "state", delivery_state_name(f->state));
    if (f->topic >= 0)
        link = page_link(p, link, "topic", event_name_of(f->topic)->filter);
    if (f->ident)
        link = page_link(p, link, "enrollment", f->ident);
    return id ? page_link(p, link, name, id) : link;
}

static void put_delivery(struct page *p, struct value *list, const struct webhook *w,
                         const struct delivery_filter *f, const struct delivery *d)
{
    const struct event_name *name = event_name_of(d->topic);
    struct value *v = value_append_dict(list);
    value_set(v, "event",
              value_text(p->a, arena_fmt(p->a, "%016llx", (unsigned long long)d->event_id)));
    value_set_text(v, "topic", name ? name->filter : "?");
    value_set_text(v, "ident", d->ident);
    if (*d->ident)
        value_set_text(v, "device", page_link(p, "/device", "id", d->ident));
    value_set_text(v, "link", log_link(p, w, f, "event", d->event_id));
    value_set_int(v, "attempts", d->attempts);
    if (d->status)
        value_set_int(v, "status", d->status);
    value_set_text(v, "failure", page_said(p, d->failure));
    value_set_bool(v, "done", d->state != DELIVERY_WAITS);
    page_state(p, v, "delivery", delivery_state_name(d->state));
    page_time(p, v, "at", d->at);
    if (d->state == DELIVERY_WAITS)
        page_time(p, v, "due", d->due_at);
}

static bool put_log(struct page *p, const struct webhook *w)
{
    struct delivery_filter f = filter_read(p);
    struct delivery *d;
    size_t n = 0;
    if (delivery_list(p->db, w->id, &f, webhook_event_id(req_query(p->req, "before")), PAGE_ROWS,
                      p->a, &d, &n, &p->err) != OK)
        return false;
    struct value *list = value_set_list(p->root, "deliveries");
    for (size_t i = 0; i < n; i++)
        put_delivery(p, list, w, &f, &d[i]);
    value_set_bool(p->root, "some", n > 0);
    if (n == PAGE_ROWS)
        value_set_text(p->root, "next", log_link(p, w, &f, "before", d[n - 1].event_id));
    put_filter(p, &f);
    return true;
}

static bool put_attempts(struct page *p, const struct webhook *w)
{
    const char *text = req_query(p->req, "event");
    int64_t event = webhook_event_id(text);
    struct delivery_attempt *t;
    size_t n = 0;
    if (!event)
        return true;
    if (delivery_attempts(p->db, w->id, event, p->a, &t, &n, &p->err) != OK)
        return false;
    struct value *e = value_set_dict(p->root, "event"), *list = value_set_list(e, "attempts");
    value_set_text(e, "id", text);
    value_set_bool(e, "tried", n > 0);
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        page_time(p, v, "at", t[i].at);
        value_set_int(v, "took", t[i].took_us / 1000);
        if (t[i].status)
            value_set_int(v, "status", t[i].status);
        value_set_text(v, "failure", page_said(p, t[i].failure));
        value_set_text(v, "answer", t[i].answer);
    }
    return true;
}

static void show(struct page *p, int status, const struct webhook *w, const struct webhook *given)
{
    put_head(p, w);
    webhook_form_fill(p, given);
    if (put_log(p, w) && put_attempts(p, w))
        page_show(p, status, "webhook");
    else
        page_fail(p);
}

void console_webhook(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    struct webhook w;
    if (page_open(&p, app, req, caller, resp, "webhooks") && find(&p, &w))
        show(&p, 200, &w, &w);
}

/* ---- what it can be told ---- */

/* Each returns the word of its notice, or NULL with the reason in p->err. */
typedef const char *act_fn(struct page *p, struct webhook *w, struct webhook *given);

static const char *said(enum outcome o, const char *word)
{
    return o == OK ? word : NULL;
}

static const char *do_edit(struct page *p, struct webhook *w, struct webhook *given)
{
    struct webhook_edit e;
    webhook_form_read(p, &e, given);
    e.version = page_number(page_field(p, "version"));
    return said(webhook_edit(p->db, p->app->conf, w->id, &e, p->caller->admin, p->a, &p->err),
                "saved");
}

static const char *do_test(struct page *p, struct webhook *w, struct webhook *given)
{
    int64_t event;
    (void)given;
    return said(webhook_ping(p->db, w, p->caller->admin, p->req->now, &event, &p->err),
                "hook_test");
}

static bool reason_given(struct page *p, const char **why)
{
    *why = page_field(p, "why");
    if (**why && strlen(*why) <= 255)
        return true;
    err_set(&p->err, INVALID, "%s", page_text(p, "hook_reason_wrong"));
    return false;
}

static const char *do_pause(struct page *p, struct webhook *w, struct webhook *given)
{
    const char *why;
    (void)given;
    if (!reason_given(p, &why))
        return NULL;
    return said(webhook_pause(p->db, w, p->caller->admin, why, p->req->now, &p->err), "hook_pause");
}

static const char *do_resume(struct page *p, struct webhook *w, struct webhook *given)
{
    (void)given;
    return said(webhook_resume(p->db, w, p->caller->admin, p->req->now, &p->err), "hook_resume");
}

static const char *do_delete(struct page *p, struct webhook *w, struct webhook *given)
{
    const char *why;
    (void)given;
    if (!reason_given(p, &why))
        return NULL;
    return said(webhook_delete(p->db, w, p->caller->admin, why, &p->err), "hook_delete");
}

/* The new secret is shown on the page itself, not after a redirect: it is nowhere to be read again.
 */
static const char *do_secret(struct page *p, struct webhook *w, struct webhook *given)
{
    char key[WEBHOOK_KEY_MAX] = "";
    int64_t hours;
    (void)given;
    if (!page_count(p, "hours", OVERLAP_HOURS_MAX, &hours)) {
        err_set(&p->err, INVALID, "%s", page_text(p, "hook_hours_wrong"));
        return NULL;
    }
    if (webhook_rotate(p->db, p->app->conf, w->id, NULL, hours * 3600, p->caller->admin,
                       p->req->now, p->a, key, &p->err) != OK)
        return NULL;
    value_set_text(p->root, "made", arena_strdup(p->a, key));
    p->resp->secret = true;
    secret_wipe(key, sizeof key);
    return "";
}

/* What <input type="datetime-local"> sends, in UTC as the page says. */
static bool moment(struct page *p, const char *field, int64_t *out)
{
    const char *s = page_field(p, field);
    const char *whole = arena_fmt(p->a, strlen(s) == 16 ? "%s:00Z" : "%sZ", s);
    if (whole && clock_parse_rfc3339(whole, out))
        return true;
    err_set(&p->err, INVALID, "%s", page_text(p, "hook_range_wrong"));
    return false;
}

static const char *do_replay(struct page *p, struct webhook *w, struct webhook *given)
{
    const char *event = page_field(p, "event");
    struct replay r = {.event_id = webhook_event_id(event), .dead = *page_field(p, "dead") != '\0'};
    size_t n = 0;
    (void)given;
    if (!r.event_id && !r.dead && (!moment(p, "from", &r.from) || !moment(p, "to", &r.to)))
        return NULL;
    return said(webhook_replay(p->db, w, &r, p->caller->admin, p->req->now, &n, &p->err),
                "hook_replay");
}

static const struct {
    const char *word;
    act_fn *run;
} acts[] = {{"edit", do_edit},     {"test", do_test},     {"pause", do_pause},
            {"resume", do_resume}, {"delete", do_delete}, {"secret", do_secret},
            {"replay", do_replay}};

static const char *act(struct page *p, struct webhook *w, struct webhook *given)
{
    const char *what = page_field(p, "what");
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(acts[i].word, what) == 0)
            return acts[i].run(p, w, given);
    err_set(&p->err, INVALID, "there is no such action");
    return NULL;
}

void console_webhook_post(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    struct webhook w, given;
    if (!page_open(&p, app, req, caller, resp, "webhooks") || !find(&p, &w))
        return;
    given = w;
    const char *done = act(&p, &w, &given);
    if (done && *done) {
        bool gone = strcmp(done, "hook_delete") == 0;
        page_go(&p, page_link(&p, gone ? "/webhooks" : own_link(&p, &w), "done", done));
    } else if (done) {
        if (find(&p, &w))
            show(&p, 200, &w, &w);
    } else if (page_mendable(p.err.outcome)) {
        int status = page_status(p.err.outcome);
        page_bad(&p, p.err.msg);
        value_set_bool(p.root, arena_fmt(p.a, "did_%.16s", page_field(&p, "what")), true);
        if (p.err.outcome != CONFLICT || find(&p, &w)) /* as it is now */
            show(&p, status, &w, &given);
    } else {
        page_fail(&p);
    }
}
