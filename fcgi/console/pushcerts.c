/* pushcerts.c: push certificates: which, until when, and a new one. */
#include "push/pushcert.h"

#include "base/clock.h"
#include "base/limits.h"
#include "console/page.h"
#include "push/vendor.h"
#include "store/pushcert.h"
#include "wire/x509.h"

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

/* Requests whose certificate has not come yet, and whether they can be signed here. */
static enum outcome set_requests(struct page *p)
{
    struct push_request *r;
    struct vendor_cert *vendor;
    size_t n, k, open = 0;
    enum outcome o = push_request_list(p->db, p->a, &r, &n, &p->err);
    if (o == OK)
        o = vendor_cert_list(p->db, p->a, &vendor, &k, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "requests");
    for (size_t i = 0; i < n; i++) {
        struct buf pem = BUF_INIT(VENDOR_PEM_MAX);
        if (r[i].done_at || r[i].purpose != PUSH_PURPOSE_PUSH)
            continue;
        struct value *v = value_append_dict(list);
        csr_to_pem(r[i].csr, &pem);
        value_set_int(v, "id", r[i].id);
        value_set_text(v, "name", r[i].name);
        value_set_text(v, "topic", r[i].topic);
        value_set_text(v, "by", r[i].created_by);
        value_set_text(v, "csr", arena_strdup(p->a, buf_cstr(&pem)));
        page_time(p, v, "created", r[i].created_at);
        buf_free(&pem);
        open++;
    }
    value_set_bool(p->root, "some_requests", open > 0);
    value_set_bool(p->root, "vendor", k > 0);
    return OK;
}

static void show(struct page *p, int status)
{
    struct pushcert_row *c;
    struct topic_use *u;
    size_t n, k;
    if (pushcert_list(p->db, p->a, &c, &n, &p->err) != OK ||
        pushcert_topics_used(p->db, p->a, &u, &k, &p->err) != OK ||
        (page_may(p, "administer") && set_requests(p) != OK)) {
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

/* Makes a key, which stays with the signer, and a request for its certificate. */
static void request(struct page *p)
{
    struct push_request r;
    enum outcome o =
        vendor_request_new(p->db, p->app->conf, PUSH_PURPOSE_PUSH, page_text(p, "pushcert_name"),
                           page_field(p, "topic"), p->caller->admin, p->a, &r, &p->err);
    if (o == OK) {
        page_go(p, "/pushcerts?done=pushcert_requested");
    } else if (page_mendable(o)) {
        page_bad(p, p->err.msg);
        show(p, page_status(o));
    } else {
        page_fail(p);
    }
}

/* The file that Apple's portal takes: the request, signed as its vendor. */
static void sign(struct page *p)
{
    struct push_request r;
    struct buf out = BUF_INIT(VENDOR_REQUEST_MAX);
    enum outcome o = push_request_get(p->db, page_number(page_field(p, "id")), p->a, &r, &p->err);
    if (o == OK)
        o = vendor_sign(p->db, r.csr, "SHA256", p->caller->admin, p->a, &out, &p->err);
    if (o == OK) {
        page_leave(p);
        p->resp->content_type = "text/plain; charset=utf-8";
        resp_header(p->resp, "Content-Disposition", "attachment; filename=\"PushCertWebRequest\"");
        buf_clear(&p->resp->body);
        buf_add(&p->resp->body, out.data, out.len);
    } else if (page_mendable(o)) {
        page_bad(p, p->err.msg);
        show(p, page_status(o));
    } else {
        page_fail(p);
    }
    buf_free(&out);
}

void console_pushcerts_post(struct app *app, struct req *req, const struct caller *caller,
                            struct resp *resp)
{
    struct page p;
    struct pushcert cert = {0};
    if (!page_open(&p, app, req, caller, resp, "pushcerts"))
        return;
    if (strcmp(page_field(&p, "what"), "request") == 0) {
        request(&p);
        return;
    }
    if (strcmp(page_field(&p, "what"), "sign") == 0) {
        sign(&p);
        return;
    }
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
        if (!strstr(page_field(&p, "pem"), "PRIVATE KEY")) /* that stands on no page */
            value_set_text(p.root, "pem", page_field(&p, "pem"));
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
