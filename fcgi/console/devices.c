/* devices.c: the list of devices, with search. */
#include "console/page.h"

#include <stdio.h>

#include "base/utf8.h"
#include "store/device.h"

/* "SEEN-ID" of the last row of the page before. */
static struct enrollment_cursor cursor_of(const char *s)
{
    long long seen, id;
    char end;
    if (s && sscanf(s, "%lld-%lld%c", &seen, &id, &end) == 2 && seen > 0 && id > 0)
        return (struct enrollment_cursor){.id = id, .last_seen_at = seen};
    return (struct enrollment_cursor){0};
}

static const char *search_text(struct page *p)
{
    const char *q = req_query(p->req, "q");
    if (!q || !utf8_valid(bytes_str(q)))
        return "";
    q += strspn(q, " ");
    const char *copy = arena_strndup(p->a, q, utf8_prefix(q, DEVICE_SEARCH_MAX / 4));
    return copy ? copy : "";
}

static unsigned state_filter(struct page *p)
{
    const char *word = req_query(p->req, "state");
    unsigned chosen = 0;
    struct value *list = value_set_list(p->root, "states");
    for (int s = ENROLLMENT_PENDING; s <= ENROLLMENT_ENDED; s++) {
        const char *name = enrollment_state_name(s);
        struct value *v = value_append_dict(list);
        bool is = word && strcmp(word, name) == 0;
        const char *key = arena_fmt(p->a, "state_%s", name);
        value_set_text(v, "name", name);
        value_set_text(v, "text", key ? page_text(p, key) : NULL);
        value_set_bool(v, "chosen", is);
        if (is)
            chosen = 1u << s;
    }
    if (chosen)
        value_set_text(p->root, "state_name", word);
    return chosen;
}

static void row(struct page *p, struct value *list, const struct device_brief *d)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "link", page_link(p, "/device", "id", d->ident));
    value_set_text(v, "name", *d->name ? d->name : *d->serial ? d->serial : d->ident);
    value_set_text(v, "serial", d->serial);
    value_set_text(v, "model", *d->model_name ? d->model_name : d->product_name);
    value_set_text(v, "product", d->product_name);
    value_set_text(v, "os", d->os_version);
    value_set_int(v, "open", d->open_commands);
    page_state(p, v, "state", enrollment_state_name(d->state));
    page_time(p, v, "seen", d->last_seen_at);
}

static void next_page(struct page *p, const char *q, const struct device_brief *last)
{
    const char *state = value_str(value_get(p->root, "state_name", NULL));
    const char *at =
        arena_fmt(p->a, "%lld-%lld", (long long)last->last_seen_at, (long long)last->id);
    const char *link = page_link(p, "/devices", "after", at ? at : "");
    if (*q)
        link = page_link(p, link, "q", q);
    if (*state)
        link = page_link(p, link, "state", state);
    value_set_text(p->root, "next", link);
}

void console_devices(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    struct device_brief *d;
    size_t n;
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    const char *q = search_text(&p);
    unsigned states = state_filter(&p);
    value_set_text(p.root, "q", q);
    value_set_bool(p.root, "later", req_query(req, "after") != NULL);
    if (device_search(p.db, q, states, cursor_of(req_query(req, "after")), PAGE_ROWS + 1, p.a, &d,
                      &n, &p.err) != OK) {
        page_fail(&p);
        return;
    }
    struct value *list = value_set_list(p.root, "devices");
    for (size_t i = 0; i < n && i < PAGE_ROWS; i++)
        row(&p, list, &d[i]);
    value_set_bool(p.root, "some", n > 0);
    if (n > PAGE_ROWS)
        next_page(&p, q, &d[PAGE_ROWS - 1]);
    page_show(&p, 200, "devices");
}
