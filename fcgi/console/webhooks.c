/* webhooks.c: addresses that are told what happens: the list, and a new one. */
#include "console/webhook.h"

#include "wire/encode.h"

const char *webhook_topic_text(struct page *p, const char *filter)
{
    char *key = arena_fmt(p->a, "hook_%s", strcmp(filter, "*") == 0 ? "all" : filter);
    for (char *c = key; c && *c; c++)
        if (*c == '.' || *c == '/')
            *c = '_';
    return key ? page_text(p, key) : "";
}

static void topic_box(struct page *p, struct value *list, const char *filter, bool chosen)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "filter", filter);
    value_set_text(v, "about", webhook_topic_text(p, filter));
    value_set_bool(v, "chosen", chosen);
}

void webhook_form_fill(struct page *p, const struct webhook *w)
{
    struct value *form = value_set_dict(p->root, "form"), *list = value_set_list(form, "topics");
    bool all = (w->wants & EVENT_ALL) == EVENT_ALL;
    value_set_text(form, "name", w->name);
    value_set_text(form, "url", w->url);
    topic_box(p, list, "*", all);
    for (size_t i = 0; i < event_names_n; i++) {
        const struct event_name *n = &event_names[i];
        if (n->topic != EVENT_PING)
            topic_box(p, list, n->filter,
                      (w->wants & event_bit(n->topic)) && (!all || n->topic == EVENT_CONNECT_IDLE));
    }
    list = value_set_list(form, "payloads");
    for (int i = WEBHOOK_NOTHING; i <= WEBHOOK_WHOLE; i++) {
        struct value *v = value_append_dict(list);
        const char *key = arena_fmt(p->a, "hook_payload_%s", webhook_payload_name(i));
        value_set_text(v, "name", webhook_payload_name(i));
        value_set_text(v, "text", key ? page_text(p, key) : NULL);
        value_set_bool(v, "chosen", i == (int)w->payload);
    }
}

struct boxes {
    struct page *p;
    const char **list;
    size_t n, max;
};

static bool take_box(const char *name, const char *value, void *arg)
{
    struct boxes *b = arg;
    if (strcmp(name, "topic") == 0 && b->n < b->max &&
        (b->list[b->n] = arena_strdup(b->p->a, value)))
        b->n++;
    return true;
}

void webhook_form_read(struct page *p, struct webhook_edit *e, struct webhook *w)
{
    struct boxes b = {.p = p, .max = event_names_n + 1};
    b.list = arena_array(p->a, b.max + 1, sizeof *b.list);
    if (b.list)
        req_form_each(p->req, take_box, &b);
    *e = (struct webhook_edit){.name = page_field(p, "name"),
                               .url = page_field(p, "url"),
                               .topics = b.list,
                               .ntopics = b.n,
                               .payload = page_field(p, "payload")};
    w->name = e->name;
    w->url = e->url;
    w->wants = 0;
    for (size_t i = 0; i < b.n; i++) {
        const struct event_name *n = event_name_find(b.list[i]);
        w->wants |= n ? event_bit(n->topic) : strcmp(b.list[i], "*") == 0 ? EVENT_ALL : 0;
    }
    int payload = webhook_payload_read(e->payload);
    w->payload = payload < 0 ? WEBHOOK_STRIPPED : (enum webhook_payload)payload;
}

static void row(struct page *p, struct value *list, const struct webhook *w)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", w->name);
    value_set_text(v, "url", w->url);
    value_set(v, "link", value_text(p->a, arena_fmt(p->a, "/webhook?id=%lld", (long long)w->id)));
    value_set_int(v, "waiting", w->waiting);
    value_set_int(v, "dead", w->dead);
    value_set_text(v, "failure", page_said(p, w->failure));
    page_state(p, v, "hook", webhook_state_name(w->state));
    page_time(p, v, "ok", w->last_ok_at);
}

static void show(struct page *p, int status, const struct webhook *given)
{
    struct webhook *w;
    size_t n;
    if (webhook_list(p->db, true, p->a, &w, &n, &p->err) != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "webhooks");
    for (size_t i = 0; i < n; i++)
        row(p, list, &w[i]);
    value_set_bool(p->root, "some", n > 0);
    webhook_form_fill(p, given);
    page_show(p, status, "webhooks");
}

void console_webhooks(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct page p;
    struct webhook fresh = {.payload = WEBHOOK_STRIPPED,
                            .wants = event_bit(EVENT_AUTHENTICATE) | event_bit(EVENT_TOKEN_UPDATE) |
                                     event_bit(EVENT_CHECK_OUT) | event_bit(EVENT_CONNECT)};
    if (page_open(&p, app, req, caller, resp, "webhooks"))
        show(&p, 200, &fresh);
}

void console_webhooks_post(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    char key[WEBHOOK_KEY_MAX] = "";
    struct webhook_edit e;
    struct webhook given = {0};
    struct page p;
    int64_t id;
    if (!page_open(&p, app, req, caller, resp, "webhooks"))
        return;
    webhook_form_read(&p, &e, &given);
    enum outcome o =
        webhook_make(p.db, app->conf, &e, caller->admin, req->now, p.a, &id, key, &p.err);
    if (o == OK) {
        value_set_text(p.root, "made", arena_strdup(p.a, key));
        value_set_text(p.root, "made_name", given.name);
        resp->secret = true;
        secret_wipe(key, sizeof key);
        show(&p, 200, &(struct webhook){.payload = WEBHOOK_STRIPPED});
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, page_status(o), &given);
    } else {
        page_fail(&p);
    }
}
