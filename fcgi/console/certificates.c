/* certificates.c: identities of devices, requests for them that wait for a person, and the device
 * CA that issues them. */
#include "base/clock.h"
#include "base/limits.h"
#include "console/page.h"
#include "scep/authority.h"
#include "store/identity.h"
#include "store/revoke.h"
#include "store/scep_request.h"
#include "store/trust.h"
#include "wire/x509.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 100

static const char *const TABS[] = {"identities", "requests", "ca"};
#define TABS_N (sizeof TABS / sizeof *TABS)

/* The tab that the query asks for. */
static size_t tab_of(struct page *p)
{
    const char *asked = req_query(p->req, "tab");
    if (p->caller->scope != 0) /* requests and CAs are nobody's device */
        return 0;
    for (size_t i = 0; asked && i < TABS_N; i++)
        if (strcmp(asked, TABS[i]) == 0)
            return i;
    return 0;
}

static void set_tabs(struct page *p, size_t chosen)
{
    struct value *list = value_set_list(p->root, "tabs");
    for (size_t i = 0; i < (p->caller->scope != 0 ? 1 : TABS_N); i++) {
        struct value *v = value_append_dict(list);
        const char *key = arena_fmt(p->a, "certs_tab_%s", TABS[i]);
        value_set_text(v, "link", page_link(p, "/certificates", "tab", TABS[i]));
        value_set_text(v, "text", key ? page_text(p, key) : NULL);
        value_set_bool(v, "chosen", i == chosen);
    }
    value_set_bool(p->root, arena_fmt(p->a, "tab_%s", TABS[chosen]), true);
}

/* ---- identities ---- */

static void set_identity(struct page *p, struct value *v, const struct identity *i)
{
    char *hex = arena_alloc(p->a, SHA256_HEX_LEN + 1);
    if (hex) {
        hex_encode(bytes_of(i->sha256, sizeof i->sha256), hex);
        value_set_text(v, "sha256", hex);
        value_set_text(v, "link", page_link(p, "/certificate", "sha256", hex));
    }
    value_set_text(v, "subject", i->subject[0] ? i->subject : i->serial);
    value_set_text(v, "serial", i->serial);
    value_set_text(v, "issuer", i->issuer);
    value_set_text(v, "device", i->device[0] ? i->device : i->ident);
    if (i->ident[0])
        value_set_text(v, "device_link", page_link(p, "/device", "id", i->ident));
    value_set_bool(v, "in_use", i->in_use);
    value_set_bool(v, "revocable", i->state != IDENTITY_REVOKED);
    page_state(p, v, "identity", identity_state_name(i->state));
    page_time(p, v, "begins", i->not_before);
    page_time(p, v, "ends", i->not_after);
    page_time(p, v, "issued", i->issued_at);
    page_time(p, v, "revoked", i->revoked_at);
    value_set_text(v, "why", i->revoked_why);
}

/* Where the last page ended: "ENDS.SHA256". The start, when it is no such place. */
static struct identity_place cursor_read(struct page *p)
{
    const char *s = req_query(p->req, "after");
    struct identity_place start = {-1, {0}}, place = start;
    struct bytes b;
    char *end;
    if (!s)
        return start;
    int64_t at = strtoll(s, &end, 10);
    if (end == s || *end != '.' || strlen(end + 1) != SHA256_HEX_LEN ||
        hex_decode(p->a, end + 1, &b) != OK)
        return start;
    place.ends = at;
    memcpy(place.sha256, b.p, SHA256_LEN);
    return place;
}

static void set_next(struct page *p, const struct identity_place *at, const char *state,
                     const char *q)
{
    char hex[SHA256_HEX_LEN + 1];
    struct buf link = BUF_INIT(4 * LIM_KB);
    hex_encode(bytes_of(at->sha256, sizeof at->sha256), hex);
    buf_fmt(&link, "/certificates?after=%lld.%s&state=", (long long)at->ends, hex);
    url_encode_add(&link, state);
    buf_str(&link, "&q=");
    url_encode_add(&link, q);
    if (!buf_failed(&link))
        value_set_text(p->root, "next", arena_strdup(p->a, buf_cstr(&link)));
    buf_free(&link);
}

static void set_states(struct page *p, int chosen)
{
    struct value *list = value_set_list(p->root, "states");
    for (int i = 0; i < IDENTITY_STATE__MAX; i++) {
        struct value *v = value_append_dict(list);
        const char *name = i ? identity_state_name(i) : "";
        const char *key = arena_fmt(p->a, "identity_%s", name);
        value_set_text(v, "value", name);
        value_set_text(v, "text", page_text(p, i && key ? key : "state_any"));
        value_set_bool(v, "chosen", i == chosen);
    }
}

static enum outcome show_identities(struct page *p)
{
    const char *q = req_query(p->req, "q"), *state = req_query(p->req, "state");
    struct identity_filter f = {.state = state ? identity_state_read(state) : 0};
    struct identity_place at = cursor_read(p);
    struct identity *list;
    bool more;
    size_t n;
    f.text = q && *q && strlen(q) <= TEXT_MAX ? q : NULL;
    enum outcome o =
        identity_list(p->db, &f, &at, p->req->now, PAGE_ROWS, p->a, &list, &n, &more, &p->err);
    if (o != OK)
        return o;
    struct value *rows = value_set_list(p->root, "identities");
    for (size_t i = 0; i < n; i++)
        set_identity(p, value_append_dict(rows), &list[i]);
    value_set_bool(p->root, "some", n > 0);
    value_set_bool(p->root, "searched", f.text || f.state);
    value_set_text(p->root, "q", f.text);
    set_states(p, f.state);
    if (more)
        set_next(p, &at, f.state ? identity_state_name(f.state) : "", f.text ? f.text : "");
    return OK;
}

/* ---- requests ---- */

static enum outcome show_requests(struct page *p)
{
    struct scep_waiting *w;
    size_t n;
    bool all = req_query(p->req, "all") != NULL;
    enum outcome o = scep_request_list(p->db, all ? 0 : SCEP_REQUEST_WAITS,
                                       page_number(req_query(p->req, "after")), PAGE_ROWS, p->a, &w,
                                       &n, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "requests");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_int(v, "id", w[i].id);
        value_set_text(v, "subject", w[i].subject);
        value_set_text(v, "san", w[i].san);
        value_set_text(v, "key", w[i].key_text);
        value_set_text(v, "proof", w[i].proof);
        value_set_text(v, "note", w[i].note);
        value_set_text(v, "address", w[i].remote_addr);
        value_set_text(v, "by", w[i].decided_by);
        value_set_text(v, "why", w[i].decided_why);
        page_state(p, v, "request", scep_request_state_name(w[i].state));
        page_time(p, v, "created", w[i].created_at);
        page_time(p, v, "expires", w[i].expires_at);
        value_set_bool(v, "open",
                       w[i].state == SCEP_REQUEST_WAITS && w[i].expires_at > p->req->now);
    }
    value_set_bool(p->root, "some", n > 0);
    value_set_bool(p->root, "all", all);
    if (n == PAGE_ROWS)
        value_set_text(p->root, "next",
                       arena_fmt(p->a, "/certificates?tab=requests%s&after=%lld",
                                 all ? "&all=1" : "", (long long)w[n - 1].id));
    return OK;
}

/* ---- the CA ---- */

static void set_ca(struct page *p, struct value *list, struct bytes der, const char *state)
{
    struct cert_info info;
    struct err err;
    char hex[SHA256_HEX_LEN + 1];
    if (cert_info_read(p->a, der, &info, &err) != OK)
        return;
    struct value *v = value_append_dict(list);
    hex_encode(bytes_of(info.sha256, sizeof info.sha256), hex);
    value_set_text(v, "subject", info.subject);
    value_set_text(v, "sha256", arena_strdup(p->a, hex));
    value_set_text(v, "key", arena_fmt(p->a, "%s %d", info.key_type, info.key_bits));
    page_state(p, v, "ca", state);
    page_time(p, v, "begins", info.not_before);
    page_time(p, v, "ends", info.not_after);
}

static enum outcome show_ca(struct page *p)
{
    struct sign_authority own[SIGN_AUTHORITIES_MAX];
    struct trust_ca *trusted;
    struct err away = {.outcome = OK};
    size_t n = 0, k = 0;
    bool next = false;
    struct value *list = value_set_list(p->root, "cas");
    if (authority_own(p->app->conf, p->a, own, &n, &away) != OK)
        value_set_text(p->root, "away", away.msg);
    for (size_t i = 0; i < n; i++) {
        next |= own[i].state > 0;
        set_ca(p, list, own[i].ca_der,
               own[i].state < 0   ? "before"
               : own[i].state > 0 ? "next"
                                  : "now");
    }
    enum outcome o = trust_ca_list(p->db, p->a, &trusted, &k, &p->err);
    for (size_t i = 0; o == OK && i < k; i++) {
        bool mine = false;
        for (size_t j = 0; j < n; j++) {
            uint8_t sum[SHA256_LEN];
            sha256(own[j].ca_der, sum);
            mine |= memcmp(sum, trusted[i].sha256, sizeof sum) == 0;
        }
        if (!mine)
            set_ca(p, list, trusted[i].der, "trusted");
    }
    value_set_bool(p->root, "next_ready", next);
    return o;
}

/* ---- the pages ---- */

static void show(struct page *p, size_t tab, int status)
{
    static enum outcome (*const shows[])(struct page *) = {show_identities, show_requests, show_ca};
    set_tabs(p, tab);
    if (shows[tab](p) == OK)
        page_show(p, status, "certificates");
    else
        page_fail(p);
}

void console_certificates(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "certificates"))
        show(&p, tab_of(&p), 200);
}

static void show_one(struct page *p, const char *sha256, int status)
{
    struct buf pem = BUF_INIT(64 * LIM_KB);
    struct identity i;
    if (identity_get(p->db, sha256, p->req->now, p->a, &i, &p->err) != OK) {
        page_fail(p);
        return;
    }
    set_identity(p, p->root, &i);
    if (i.der.n) {
        cert_to_pem(i.der, &pem);
        value_set_text(p->root, "pem", arena_strdup(p->a, buf_cstr(&pem)));
    }
    buf_free(&pem);
    page_show(p, status, "certificate");
}

void console_certificate(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    struct page p;
    const char *sha256 = req_query(req, "sha256");
    if (page_open(&p, app, req, caller, resp, "certificates"))
        show_one(&p, sha256 ? sha256 : "", 200);
}

/* OK: the reason, at least some words. */
static enum outcome reason(struct page *p, const char **why)
{
    *why = page_field(p, "why");
    return **why ? OK : err_set(&p->err, INVALID, "%s", page_text(p, "reason_missing"));
}

void console_certificate_revoke(struct app *app, struct req *req, const struct caller *caller,
                                struct resp *resp)
{
    struct page p;
    struct revoked_identity *list;
    const char *why, *sha256;
    size_t n;
    if (!page_open(&p, app, req, caller, resp, "certificates"))
        return;
    sha256 = page_field(&p, "sha256");
    enum outcome o = strlen(sha256) == SHA256_HEX_LEN
                         ? reason(&p, &why)
                         : err_set(&p.err, NOT_FOUND, "that is no certificate's SHA-256");
    if (o == OK && !page_confirmed(&p))
        return;
    if (o == OK)
        o = identity_revoke(p.db, sha256, caller->admin, why, req->now, p.a, &list, &n, &p.err);
    if (o == OK) {
        page_go(&p, page_link(&p, "/certificate?done=identity_revoked", "sha256", sha256));
    } else if (page_mendable(o)) {
        value_set_text(p.root, "given", page_field(&p, "why"));
        page_bad(&p, p.err.msg);
        show_one(&p, sha256, page_status(o));
    } else {
        page_fail(&p);
    }
}

void console_certificates_post(struct app *app, struct req *req, const struct caller *caller,
                               struct resp *resp)
{
    struct page p;
    struct scep_waiting w;
    const char *why, *decision = req_form(req, "decision");
    if (!page_open(&p, app, req, caller, resp, "certificates"))
        return;
    bool approve = decision && strcmp(decision, "approve") == 0;
    enum outcome o = approve || (decision && strcmp(decision, "deny") == 0)
                         ? reason(&p, &why)
                         : err_set(&p.err, INVALID, "decision");
    if (o == OK && !page_confirmed(&p))
        return;
    if (o == OK)
        o = scep_request_decide(p.db, page_number(page_field(&p, "id")), approve, caller->admin,
                                why, req->now, p.a, &w, &p.err);
    if (o == OK) {
        page_go(&p, approve ? "/certificates?tab=requests&done=request_approved"
                            : "/certificates?tab=requests&done=request_denied");
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, 1, page_status(o));
    } else {
        page_fail(&p);
    }
}
