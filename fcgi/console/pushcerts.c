/* pushcerts.c: push certificates: which, until when, and a new one. */
#include "push/pushcert.h"

#include "base/clock.h"
#include "console/page.h"
#include "store/pushcert.h"

#define SOON (30 * DAY_US)

static int64_t channels_of(const struct topic_use *u, size_t n, const char *topic)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(u[i].topic, topic) == 0)
            return u[i].channels;
    return 0;
}

static const char *judged(const struct pushcert_row *c, int64_t now)
{
    if (c->not_after <= now)
        return "expired";
    if (c->suspended_at)
        return "refused";
    return c->not_after - now < SOON ? "soon" : "good";
}

static void show(struct page *p, int status)
{
    struct pushcert_row *c;
    struct topic_use *u;
    size_t n, k;
    if (pushcert_list(p->db, p->a, &c, &n, &p->err) != OK ||
        pushcert_topics_used(p->db, p->a, &u, &k, &p->err) != OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "certs");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "topic", c[i].topic);
        value_set_int(v, "channels", channels_of(u, k, c[i].topic));
        value_set_text(v, "why", c[i].suspended_why);
        value_set_text(v, "by", c[i].added_by);
        page_state(p, v, "cert", judged(&c[i], p->req->now));
        page_time(p, v, "expires", c[i].not_after);
        page_time(p, v, "added", c[i].added_at);
    }
    value_set_bool(p->root, "some", n > 0);
    page_show(p, status, "pushcerts");
}

void console_pushcerts(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "pushcerts"))
        show(&p, 200);
}

void console_pushcerts_post(struct app *app, struct req *req, const struct caller *caller,
                            struct resp *resp)
{
    struct page p;
    struct pushcert cert = {0};
    if (!page_open(&p, app, req, caller, resp, "pushcerts"))
        return;
    bool force = strcmp(page_field(&p, "force"), "yes") == 0;
    enum outcome o = pushcert_check(p.a, bytes_str(page_field(&p, "pem")), &cert, &p.err);
    if (o == OK && !force)
        o = pushcert_renewal_check(p.db, cert.info.topic, &p.err);
    if (o == OK)
        o = pushcert_store(p.db, app->conf, &cert, caller->admin, NULL, &p.err);
    pushcert_wipe(&cert);
    if (o == OK) {
        page_go(&p, "/pushcerts?done=stored");
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        value_set_bool(p.root, "may_force", o == CONFLICT);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
