/* secrets.c: POST /api/v1/secrets: a secret that a device told, or was given, is opened for a named
 * caller with a reason, and the leave of a second person where that is asked for. It is on record
 * before it is told. */
#include "api/fleet.h"
#include "api/order.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "command/reveal.h"
#include "wire/encode.h"

static void tell(struct resp *resp, const struct reveal *r, const struct buf *secret, int64_t at)
{
    js root = js_object();

    js_set_str(root, "id", r->id);
    js_set_str(root, "kind", r->kind);
    api_set_text(root, "about", r->about);
    api_set_time(root, "at", at);
    if (utf8_valid(buf_bytes(secret)) && memchr(secret->data, '\0', secret->len) == NULL)
        js_set_str(root, "secret", buf_cstr(secret));
    else
        api_set_base64(root, "secret_base64", buf_bytes(secret));
    api_json(resp, 200, &root);
    resp->secret = true;
}

void api_secret_reveal(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    static const char *const known[] = {"id", "kind", "about", "reason"};
    js body = api_body(req, resp, known, 4);
    struct buf secret = BUF_INIT(LIM_SECRET);
    struct approval asked;
    struct reveal r;
    struct err err = {0};
    struct db *db = NULL;
    int64_t at = 0;

    if (body == NULL)
        return;
    r = (struct reveal){js_get_str(body, "id"), js_get_str(body, "kind"), js_get_str(body, "about"),
                        js_get_str(body, "reason")};
    if (r.about == NULL)
        r.about = "";
    if (r.id == NULL || r.kind == NULL || r.reason == NULL || r.reason[0] == '\0' ||
        strlen(r.reason) > REVEAL_REASON_MAX)
        resp_json_error(resp, 400,
                        "\"id\", \"kind\" and a \"reason\" of at most %d octets must be said",
                        REVEAL_REASON_MAX);
    else if (api_db(app, resp, &db)) {
        if (reveal(db, app->conf, api_actor(req, caller), req->now, &r, req->arena, &secret, &at,
                   &asked, &err) != OK)
            api_fail(resp, &err);
        else if (asked.state == APPROVAL_APPROVED)
            tell(resp, &r, &secret, at);
        else
            approval_asked(resp, &asked);
    }
    db_pool_give(app->pool, &db);
    buf_wipe(&secret);
    js_free(&body);
}
