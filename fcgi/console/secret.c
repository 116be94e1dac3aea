/* secret.c: what is kept of a device under seal: a PIN, a recovery key, an Activation Lock code. It
 * is listed on the page of its security (part.c), and opened with a reason, on record. */
#include "base/limits.h"
#include "base/utf8.h"
#include "command/reveal.h"
#include "console/part.h"
#include "wire/encode.h"

/* As text, or what is none in base64. */
static const char *readable(struct page *p, const struct buf *secret)
{
    struct buf b64 = BUF_INIT(2 * LIM_SECRET);
    if (utf8_valid(buf_bytes(secret)) && !memchr(secret->data, '\0', secret->len))
        return arena_strdup(p->a, buf_cstr(secret));
    base64_add(&b64, buf_bytes(secret));
    const char *s = arena_strdup(p->a, buf_cstr(&b64));
    buf_wipe(&b64);
    return s;
}

void console_secret_post(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    struct page p;
    struct buf secret = BUF_INIT(LIM_SECRET);
    int64_t at = 0;
    if (!page_open(&p, app, req, caller, resp, "devices") || !page_confirmed(&p))
        return;
    struct reveal r = {.id = page_field(&p, "device"),
                       .kind = page_field(&p, "kind"),
                       .about = page_field(&p, "about"),
                       .reason = page_field(&p, "why")};
    struct approval asked;
    enum outcome o = *r.reason && strlen(r.reason) <= REVEAL_REASON_MAX
                         ? reveal(p.db, app->conf, caller->admin, req->now, &r, p.a, &secret, &at,
                                  &asked, &p.err)
                         : err_set(&p.err, INVALID, "%s", page_text(&p, "send_reason"));
    if (o == OK && asked.state != APPROVAL_APPROVED) {
        page_go(&p, page_link(&p,
                              page_link(&p, page_link(&p, "/device/part", "id", r.id), "part",
                                        "security"),
                              "done", "secret_asked"));
        return;
    }
    if (o == OK) {
        struct value *v = value_set_dict(p.root, "revealed");
        value_set_text(v, "kind", r.kind);
        value_set_text(v, "secret", readable(&p, &secret));
        resp->secret = true;
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
    } else {
        page_fail(&p);
        return;
    }
    device_part_show(&p, r.id, "security", page_status(o));
    buf_wipe(&secret);
}
