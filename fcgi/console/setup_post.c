/* setup_post.c: what each step of the set-up does. All of it is done by the same functions as at
 * the shell and by the API. */
#include "console/setup.h"

#include "base/clock.h"
#include "base/limits.h"
#include "enrollment/rights.h"
#include "push/pushcert.h"
#include "push/vendor.h"
#include "store/crl.h"
#include "store/invitation.h"
#include "store/pushcert.h"
#include "store/setting.h"
#include "store/trust.h"
#include "wire/encode.h"
#include "wire/qr.h"
#include "wire/sign.h"
#include "wire/x509.h"

static enum outcome check(struct page *p)
{
    return checkrun_ask(p->db, CHECKRUN_NETWORK, p->caller->admin, p->req->now, &p->err);
}

/* The agent looks meanwhile, so that the next step begins with what it has found. */
static enum outcome organisation(struct page *p)
{
    const struct setting_change x = {"server.organization", page_field(p, "name")};
    if (!x.value[0])
        return err_set(&p->err, INVALID, "%s", page_text(p, "setup_organisation_empty"));
    enum outcome o = OK;
    if (!conf_key_given(p->app->conf, conf_key_find(x.name)))
        o = setting_save(p->db, p->app->conf, &x, 1, 0, p->caller->admin, &p->err);
    return o == OK ? check(p) : o;
}

/* Devices that have identities of a CA that is not there any more would be shut out by another. */
static enum outcome no_ca_before(struct page *p)
{
    struct issuer_use *used;
    struct trust_ca *trusted;
    size_t n, k = 0;
    enum outcome o = issuers_in_use(p->db, p->a, &used, &n, &p->err);
    if (o == OK)
        o = trust_ca_list(p->db, p->a, &trusted, &k, &p->err);
    for (size_t i = 0; o == OK && i < n; i++) {
        bool known = used[i].identities == 0;
        for (size_t t = 0; t < k; t++)
            known |= strcmp(used[i].issuer, trusted[t].subject) == 0;
        if (!known)
            return err_set(&p->err, CONFLICT, "%s",
                           words_fill(p->w, p->a, "setup_ca_used",
                                      used[i].issuer[0] ? used[i].issuer : "–", NULL));
    }
    return o;
}

static enum outcome authority(struct page *p, const char *organisation)
{
    /* X.520: the name of an organization has 64 characters */
    const char *name = organisation[0]
                           ? arena_strndup(p->a, organisation, utf8_prefix(organisation, 32))
                           : "Drover";
    enum outcome o = name ? no_ca_before(p) : err_set(&p->err, ERROR, "out of memory");
    if (o == OK)
        o = sign_ca_init(name, &p->err);
    if (o == OK)
        o = trust_own_changed(p->db, "ca.init", "device CA", p->caller->admin, &p->err);
    return o == OK ? check(p) : o;
}

static enum outcome request_make(struct page *p, const char *organisation)
{
    struct push_request r;
    const char *name = arena_fmt(p->a, "%.*s push certificate", (int)utf8_prefix(organisation, 20),
                                 organisation[0] ? organisation : "MDM");
    if (!name)
        return err_set(&p->err, ERROR, "out of memory");
    return vendor_request_new(p->db, p->app->conf, PUSH_PURPOSE_PUSH, name, "", p->caller->admin,
                              p->a, &r, &p->err);
}

static enum outcome certificate(struct page *p)
{
    struct pushcert cert = {0};
    enum outcome o = pushcert_check(p->a, bytes_str(page_field(p, "pem")), &cert, &p->err);
    if (o == OK)
        o = pushcert_renewal_check(p->db, cert.info.topic, &p->err);
    if (o == OK)
        o = pushcert_store(p->db, p->app->conf, &cert, p->caller->admin, NULL, &p->err);
    pushcert_wipe(&cert);
    return o;
}

static enum outcome profile(struct page *p)
{
    struct enrollprofile e;
    int64_t version;
    enum outcome o =
        enrollprofile_find(p->db, p->app->conf, ENROLLPROFILE_DEFAULT, p->a, &e, &p->err);
    if (o != OK)
        return o;
    e.c.title = page_field(p, "title");
    e.c.description = page_field(p, "description");
    if (*page_field(p, "removal"))
        e.c.removal = ENROLL_REMOVAL_ALLOWED;
    else if (e.c.removal == ENROLL_REMOVAL_ALLOWED)
        e.c.removal = ENROLL_REMOVAL_DISALLOWED;
    e.c.access_rights = 0;
    for (size_t i = 0; i < enroll_rights_n; i++) {
        const char *name = arena_fmt(p->a, "right_%lld", (long long)enroll_rights[i].right);
        if (name && *page_field(p, name))
            e.c.access_rights |= enroll_rights[i].right;
    }
    const struct enrollprofile_change x = {.name = ENROLLPROFILE_DEFAULT,
                                           .c = &e.c,
                                           .expected = page_number(page_field(p, "expected")),
                                           .by = p->caller->admin,
                                           .note = ""};
    return e.id ? enrollprofile_save(p->db, p->app->conf, &x, &version, &p->err)
                : enrollprofile_new(p->db, p->app->conf, &x, &p->err);
}

/* A link for one device; it is shown now and never again. */
static enum outcome link_make(struct page *p)
{
    char token[INVITATION_TOKEN_LEN + 1];
    int64_t days = p->app->conf->invitation_days;
    struct qr qr;
    enum outcome o = invitation_new(p->db, "", page_text(p, "setup_device"), 1,
                                    p->req->now + days * DAY_US, p->caller->admin, token, &p->err);
    const char *link =
        o == OK ? arena_fmt(p->a, "%s/enroll/%s", p->app->conf->device_url, token) : NULL;
    if (o == OK)
        o = link ? qr_make(p->a, link, &qr, &p->err) : err_set(&p->err, ERROR, "out of memory");
    secret_wipe(token, sizeof token);
    if (o != OK)
        return o;
    struct value *v = value_set_dict(p->root, "made");
    value_set_text(v, "link", link);
    value_set_int(v, "size", qr.size);
    value_set_text(v, "d", qr.d);
    value_set_text(
        v, "once",
        words_count(p->w, p->a, "setup_device_once", arena_fmt(p->a, "%lld", (long long)days)));
    p->resp->secret = true;
    return OK;
}

/* next: the step to show when it went well; NULL: this one again. */
static enum outcome act(struct page *p, const struct setup *s, const char **done)
{
    const char *what = page_field(p, "what");
    *done = "/setup?done=setup";
    if (strcmp(what, "organisation") == 0) {
        *done = "/setup?step=address&done=setup";
        return organisation(p);
    }
    if (strcmp(what, "check") == 0) {
        const char *step = page_link(p, "/setup", "step", setup_names[s->step]);
        *done = page_link(p, step, "done", "check");
        return check(p);
    }
    if (strcmp(what, "ca") == 0) {
        *done = "/setup?step=ca&done=saved";
        return authority(p, s->organisation);
    }
    if (strcmp(what, "request") == 0) {
        *done = "/setup?step=push&done=saved";
        return request_make(p, s->organisation);
    }
    if (strcmp(what, "certificate") == 0) {
        *done = "/setup?step=profile&done=setup";
        return certificate(p);
    }
    if (strcmp(what, "profile") == 0) {
        *done = "/setup?step=device&done=setup";
        return profile(p);
    }
    *done = NULL;
    if (strcmp(what, "link") == 0)
        return link_make(p);
    return err_set(&p->err, INVALID, "%s", page_text(p, "form_unknown"));
}

void console_setup_post(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    struct page p;
    struct setup *s;
    const char *done;
    if (!page_open(&p, app, req, caller, resp, "setup") || !setup_look(&p, &s))
        return;
    enum outcome o = act(&p, s, &done);
    if (o == OK && done) {
        page_go(&p, done);
    } else if (o == OK) {
        setup_show(&p, 200);
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        if (!strstr(page_field(&p, "pem"), "PRIVATE KEY")) /* that stands on no page */
            value_set_text(p.root, "pem_given", page_field(&p, "pem"));
        setup_show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}

/* The file of a request: as Apple's portal takes it where it could be signed here, else PEM for the
 * vendor. */
void console_setup_request(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct page p;
    struct push_request r;
    struct vendor_cert *v;
    size_t n = 0;
    if (!page_open(&p, app, req, caller, resp, "setup"))
        return;
    enum outcome o = push_request_get(p.db, page_number(req_query(req, "id")), p.a, &r, &p.err);
    if (o == OK)
        o = vendor_cert_list(p.db, p.a, &v, &n, &p.err);
    if (o == OK && n > 0)
        o = vendor_sign(p.db, r.csr, "SHA256", caller->admin, p.a, &resp->body, &p.err);
    if (o != OK) {
        buf_clear(&resp->body);
        page_fail(&p);
        return;
    }
    if (n == 0)
        csr_to_pem(r.csr, &resp->body);
    page_leave(&p);
    resp->content_type = n ? "application/octet-stream" : "application/pkcs10";
    resp_header(resp, "Content-Disposition",
                n ? "attachment; filename=\"push-request.plist\""
                  : "attachment; filename=\"push-request.csr\"");
    resp_header(resp, "X-Content-Type-Options", "nosniff");
}
