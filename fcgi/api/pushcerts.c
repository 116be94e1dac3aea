/* pushcerts.c: /api/v1/push-certificates: those there are, requests for new ones, and signing
 * requests as their vendor. */
#include "api/api.h"

#include "base/limits.h"
#include "push/pushcert.h"
#include "push/vendor.h"
#include "store/pushcert.h"

#define NAME_DEFAULT "MDM push certificate"

/* How many channels have which topic. */
struct uses {
    struct topic_use *list;
    size_t n;
};

static int64_t channels_of(const struct uses *u, const char *topic)
{
    for (size_t i = 0; i < u->n; i++)
        if (strcmp(u->list[i].topic, topic) == 0)
            return u->list[i].channels;
    return 0;
}

static js cert_object(const void *row, const void *uses)
{
    const struct pushcert_row *r = row;
    char hex[SHA256_HEX_LEN + 1] = "";
    js o = js_object();

    if (r->sha256.n == SHA256_LEN)
        hex_encode(r->sha256, hex);
    js_set_str(o, "topic", r->topic);
    js_set_int(o, "version", r->version);
    api_set_text(o, "sha256", hex);
    api_set_time(o, "not_before", r->not_before);
    api_set_time(o, "not_after", r->not_after);
    js_set_int(o, "channels", channels_of(uses, r->topic));
    api_set_time(o, "suspended_at", r->suspended_at);
    api_set_text(o, "suspended_why", r->suspended_why);
    api_set_time(o, "added_at", r->added_at);
    api_set_text(o, "added_by", r->added_by);
    return o;
}

void api_pushcerts(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct pushcert_row *r;
    struct uses uses = {0};
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    enum outcome o = pushcert_list(db, req->arena, &r, &n, &err);
    if (o == OK)
        o = pushcert_topics_used(db, req->arena, &uses.list, &uses.n, &err);
    db_pool_give(app->pool, &db);
    js root = o == OK ? api_rows("push_certificates", r, n, sizeof *r, cert_object, &uses) : NULL;
    api_answer(resp, 200, o, &err, &root);
}

void api_pushcerts_put(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct pushcert cert = {0};
    struct pushcert_row row;
    struct err err = {0};
    struct db *db = NULL;
    bool force = false;

    if (!api_flag(req, resp, "force", &force) || !api_db(app, resp, &db))
        return;
    enum outcome o = pushcert_check(req->arena, req->body, &cert, &err);
    if (o == OK && !force)
        o = pushcert_renewal_check(db, cert.info.topic, &err);
    if (o == OK)
        o = pushcert_store(db, app->conf, &cert, api_actor(req, caller), NULL, &err);
    if (o == OK)
        o = pushcert_get(db, cert.info.topic, req->arena, &row, &err);
    db_pool_give(app->pool, &db);
    pushcert_wipe(&cert);
    js root = o == OK ? cert_object(&row, &(struct uses){0}) : NULL;
    api_answer(resp, 200, o, &err, &root);
}

/* --- requests --- */

static js request_object(const void *row, const void *arg)
{
    const struct push_request *r = row;
    struct buf pem = BUF_INIT(VENDOR_PEM_MAX);
    js o = js_object();

    (void)arg;
    csr_to_pem(r->csr, &pem);
    js_set_int(o, "id", r->id);
    js_set_str(o, "purpose", r->purpose == PUSH_PURPOSE_VENDOR ? "vendor" : "push");
    js_set_str(o, "name", r->name);
    api_set_text(o, "topic", r->topic);
    js_set_str(o, "csr", buf_cstr(&pem));
    api_set_time(o, "created_at", r->created_at);
    api_set_text(o, "created_by", r->created_by);
    api_set_time(o, "done_at", r->done_at);
    buf_free(&pem);
    return o;
}

void api_push_requests(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct push_request *r;
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    enum outcome o = push_request_list(db, req->arena, &r, &n, &err);
    db_pool_give(app->pool, &db);
    js root = o == OK ? api_rows("requests", r, n, sizeof *r, request_object, NULL) : NULL;
    api_answer(resp, 200, o, &err, &root);
}

void api_push_request_new(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    static const char *const known[] = {"name", "topic", "purpose"};
    js body = api_body(req, resp, known, 3);
    const char *name = js_get_str(body, "name"), *topic = js_get_str(body, "topic");
    const char *purpose = js_get_str(body, "purpose");
    struct push_request r;
    struct err err = {0};
    struct db *db = NULL;

    if (body == NULL)
        return;
    bool vendor = purpose != NULL && strcmp(purpose, "vendor") == 0;
    if (purpose != NULL && !vendor && strcmp(purpose, "push") != 0)
        resp_json_error(resp, 400, "\"purpose\" must be push or vendor");
    else if (api_db(app, resp, &db)) {
        if (vendor_request_new(db, app->conf, vendor ? PUSH_PURPOSE_VENDOR : PUSH_PURPOSE_PUSH,
                               name != NULL ? name : NAME_DEFAULT, topic != NULL ? topic : "",
                               api_actor(req, caller), req->arena, &r, &err) == OK) {
            js root = request_object(&r, NULL);
            api_json(resp, 201, &root);
        } else {
            api_fail(resp, &err);
        }
    }
    db_pool_give(app->pool, &db);
    js_free(&body);
}

/* --- the vendor --- */

static js vendor_object(const void *row, const void *arg)
{
    const struct vendor_cert *v = row;
    char hex[SHA256_HEX_LEN + 1];
    js o = js_object();

    (void)arg;
    hex_encode(bytes_of(v->sha256, sizeof(v->sha256)), hex);
    js_set_str(o, "sha256", hex);
    js_set_str(o, "subject", v->subject);
    api_set_time(o, "not_after", v->not_after);
    api_set_time(o, "added_at", v->added_at);
    api_set_text(o, "added_by", v->added_by);
    return o;
}

void api_vendor_certs(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct vendor_cert *v;
    struct err err = {0};
    struct db *db = NULL;
    size_t n;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    enum outcome o = vendor_cert_list(db, req->arena, &v, &n, &err);
    db_pool_give(app->pool, &db);
    js root =
        o == OK ? api_rows("vendor_certificates", v, n, sizeof *v, vendor_object, NULL) : NULL;
    api_answer(resp, 200, o, &err, &root);
}

void api_vendor_cert_put(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    struct vendor_cert v;
    struct err err = {0};
    struct db *db = NULL;

    if (!api_db(app, resp, &db))
        return;
    enum outcome o =
        vendor_import(db, app->conf, req->body, api_actor(req, caller), req->arena, &v, &err);
    db_pool_give(app->pool, &db);
    js root = o == OK ? vendor_object(&v, NULL) : NULL;
    api_answer(resp, 200, o, &err, &root);
}

static void sign(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                 int64_t id, const char *csr, const char *digest)
{
    struct push_request r = {.csr = bytes_str(csr != NULL ? csr : "")};
    struct err err = {0};
    struct db *db = NULL;

    if (!api_db(app, resp, &db))
        return;
    enum outcome o = csr == NULL ? push_request_get(db, id, req->arena, &r, &err) : OK;
    if (o == OK)
        o = vendor_sign(db, r.csr, digest, api_actor(req, caller), req->arena, &resp->body, &err);
    db_pool_give(app->pool, &db);
    if (o == OK) {
        resp->content_type = "text/plain";
        resp_header(resp, "Content-Disposition", "attachment; filename=\"PushCertWebRequest\"");
        return;
    }
    buf_clear(&resp->body);
    api_fail(resp, &err);
}

void api_push_request_sign(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    static const char *const known[] = {"request", "csr", "digest"};
    js body = api_body(req, resp, known, 3);
    const char *csr = js_get_str(body, "csr"), *digest = js_get_str(body, "digest");
    int64_t id = 0;
    bool has_id = js_get_int(body, "request", &id);

    if (body == NULL)
        return;
    if (digest == NULL)
        digest = "SHA256";
    if (has_id == (csr != NULL))
        resp_json_error(resp, 400, "give \"request\", a number, or \"csr\", PEM");
    else if (strcmp(digest, "SHA256") != 0 && strcmp(digest, "SHA1") != 0)
        resp_json_error(resp, 400, "\"digest\" must be SHA256 or SHA1");
    else
        sign(app, req, caller, resp, id, csr, digest);
    js_free(&body);
}
