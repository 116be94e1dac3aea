/* unknown.c: devices with a good certificate that the database does not know, and deciding. */
#include "store/unknown.h"

#include "console/page.h"
#include "wire/encode.h"

#define WHY_MAX 255

static void row(struct page *p, struct value *list, const struct unknown_device *d)
{
    char hex[SHA256_HEX_LEN + 1];
    struct value *v = value_append_dict(list);
    hex_encode(bytes_of(d->cert_sha256, sizeof d->cert_sha256), hex);
    value_set_int(v, "id", d->id);
    value_set_text(v, "ident", d->ident);
    value_set_text(v, "subject", d->subject);
    value_set(v, "sha256", value_text(p->a, arena_fmt(p->a, "%.16s", hex)));
    value_set_text(v, "message", d->last_message);
    value_set_int(v, "contacts", d->contacts);
    value_set_text(v, "by", d->decided_by);
    value_set_text(v, "why", d->decided_why);
    value_set_bool(v, "undecided", d->decision == DECISION_OPEN);
    page_state(p, v, "decision", unknown_decision_name(d->decision));
    page_time(p, v, "first", d->first_seen_at);
    page_time(p, v, "seen", d->last_seen_at);
}

static void show(struct page *p, int status)
{
    struct unknown_device *d;
    size_t n;
    bool all = req_query(p->req, "all") != NULL;
    int64_t after = page_number(req_query(p->req, "after"));
    if (unknown_list(p->db, all ? -1 : DECISION_OPEN, after, PAGE_ROWS, p->a, &d, &n, &p->err) !=
        OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "devices");
    for (size_t i = 0; i < n; i++)
        row(p, list, &d[i]);
    value_set_bool(p->root, "some", n > 0);
    value_set_bool(p->root, "all", all);
    if (n == PAGE_ROWS)
        value_set(p->root, "next",
                  value_text(p->a, arena_fmt(p->a, "/unknown?after=%lld%s", (long long)d[n - 1].id,
                                             all ? "&all=1" : "")));
    page_show(p, status, "unknown");
}

void console_unknown(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "unknown"))
        show(&p, 200);
}

static enum outcome decide(struct page *p)
{
    static const enum unknown_decision all[] = {DECISION_OPEN, DECISION_ACCEPT, DECISION_END};
    struct unknown_device d;
    const char *word = page_field(p, "decision"), *why = page_field(p, "why");
    size_t i = 0;
    while (i < 3 && strcmp(unknown_decision_name(all[i]), word) != 0)
        i++;
    if (i == 3 || !*why || strlen(why) > WHY_MAX)
        return err_set(&p->err, INVALID, "%s", page_text(p, "reason_wrong"));
    return unknown_decide(p->db, page_number(page_field(p, "number")), all[i], p->caller->admin,
                          why, p->req->now, p->a, &d, &p->err);
}

void console_unknown_post(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "unknown"))
        return;
    /* who ends it has the device leave, which nobody takes back */
    bool ends = strcmp(page_field(&p, "decision"), unknown_decision_name(DECISION_END)) == 0;
    if (ends && !page_confirmed(&p))
        return;
    enum outcome o = decide(&p);
    if (o == OK) {
        page_go(&p, "/unknown?done=decided");
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
