/* certificates.c: /api/v1/certificates: the inventory of device identities, and revoking one. */
#include "api/api.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/identity.h"
#include "store/revoke.h"
#include "wire/x509.h"

#include <stdio.h>
#include <stdlib.h>

#define PREFIX "/api/v1/certificates/"
#define CURSOR_MAX (20 + 1 + SHA256_HEX_LEN + 1)

static js certificate_object(const struct identity *i)
{
    char hex[SHA256_HEX_LEN + 1];
    js o = js_object();

    hex_encode(bytes_of(i->sha256, sizeof(i->sha256)), hex);
    js_set_str(o, "sha256", hex);
    js_set_str(o, "state", identity_state_name(i->state));
    api_set_text(o, "serial", i->serial);
    api_set_text(o, "subject", i->subject);
    api_set_text(o, "issuer", i->issuer);
    api_set_time(o, "not_before", i->not_before);
    api_set_time(o, "not_after", i->not_after);
    api_set_time(o, "issued_at", i->issued_at);
    api_set_text(o, "enrollment_id", i->ident);
    api_set_text(o, "device_serial_number", i->device);
    js_set_bool(o, "in_use", i->in_use);
    api_set_time(o, "revoked_at", i->revoked_at);
    api_set_text(o, "revoked_why", i->revoked_why);
    return o;
}

static void cursor_write(const struct identity_place *at, char out[CURSOR_MAX])
{
    int n = snprintf(out, CURSOR_MAX, "%lld.", (long long)at->ends);
    hex_encode(bytes_of(at->sha256, sizeof(at->sha256)), out + n);
}

/* False: it is none. */
static bool cursor_read(struct req *req, const char *s, struct identity_place *at)
{
    struct bytes b;
    char *end;

    at->ends = strtoll(s, &end, 10);
    if (end == s || *end != '.' || strlen(end + 1) != SHA256_HEX_LEN ||
        hex_decode(req->arena, end + 1, &b) != OK)
        return false;
    memcpy(at->sha256, b.p, SHA256_LEN);
    return true;
}

/* False: refused. */
static bool filter_read(struct req *req, struct resp *resp, struct identity_filter *f)
{
    const char *state = req_query(req, "state"), *before = req_query(req, "ends_before");

    f->ident = req_query(req, "enrollment_id");
    f->text = req_query(req, "q");
    if (state != NULL && (f->state = identity_state_read(state)) == 0) {
        resp_json_error(resp, 400, "state must be valid, expired or revoked");
        return false;
    }
    if (before != NULL && !clock_parse_rfc3339(before, &f->ends_before)) {
        resp_json_error(resp, 400, "ends_before must be a time such as 2027-01-31T00:00:00Z");
        return false;
    }
    return api_flag(req, resp, "issued", &f->issued);
}

void api_certificates(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    const char *cursor = req_query(req, "cursor");
    struct identity_filter f = {0};
    struct identity_place at = {-1, {0}};
    char next[CURSOR_MAX];
    struct identity *list = NULL;
    struct err err = {0};
    struct db *db = NULL;
    bool more = false;
    size_t limit, n;

    (void)caller;
    if (cursor != NULL && !cursor_read(req, cursor, &at)) {
        resp_json_error(resp, 400, "cursor is not one that was given as next_cursor");
        return;
    }
    if (!filter_read(req, resp, &f) || !api_limit(req, resp, &limit) || !api_db(app, resp, &db))
        return;
    enum outcome o =
        identity_list(db, &f, &at, req->now, limit, req->arena, &list, &n, &more, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), array = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(array, certificate_object(&list[i]));
    js_set(root, "certificates", array);
    if (more) {
        cursor_write(&at, next);
        js_set_str(root, "next_cursor", next);
    }
    api_json(resp, 200, &root);
}

void api_certificate(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct buf pem = BUF_INIT(LIM_MB);
    struct identity i;
    struct err err = {0};
    struct db *db = NULL;
    const char *part;
    size_t n;

    (void)caller;
    if (!api_segments(req, resp, PREFIX, &part, 1, &n) || !api_db(app, resp, &db))
        return;
    enum outcome o = identity_get(db, part, req->now, req->arena, &i, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = certificate_object(&i);
    if (i.der.p != NULL) {
        cert_to_pem(i.der, &pem);
        js_set_str(root, "pem", buf_cstr(&pem));
    }
    buf_free(&pem);
    api_json(resp, 200, &root);
}

static void revoke(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                   const char *name, const char *why)
{
    struct revoked_identity *list;
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    if (!api_db(app, resp, &db))
        return;
    enum outcome o = identity_revoke(db, name, api_actor(req, caller), why, req->now, req->arena,
                                     &list, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), array = js_array();
    for (size_t i = 0; i < n; i++) {
        js one = js_object();

        js_set_str(one, "sha256", list[i].sha256);
        js_set_str(one, "subject", list[i].subject);
        js_set_str(one, "serial", list[i].serial);
        js_append(array, one);
    }
    js_set(root, "revoked", array);
    api_json(resp, 200, &root);
}

void api_certificate_revoke(struct app *app, struct req *req, const struct caller *caller,
                            struct resp *resp)
{
    static const char *const known[] = {"why", "certificate", "enrollment_id"};
    js body = api_body(req, resp, known, 3);
    const char *digits = js_get_str(body, "certificate"), *why;
    const char *ident = js_get_str(body, "enrollment_id");

    if (body == NULL)
        return;
    if ((digits == NULL) == (ident == NULL))
        resp_json_error(resp, 400,
                        "give \"certificate\", the first digits of a SHA-256, or "
                        "\"enrollment_id\", for every identity of a device");
    else if ((why = api_why(resp, body)) != NULL)
        revoke(app, req, caller, resp, digits != NULL ? digits : ident, why);
    js_free(&body);
}
