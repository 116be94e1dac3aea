/* body.c: see body.h. */
#include "webhook/body.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "wire/encode.h"
#include "wire/json.h"

#include <stdio.h>

/* "ids" and the identifier under its own name; a user's ident begins with its device's. */
static void put_ids(js o, const struct event_row *e, struct arena *a)
{
    bool user =
        e->kind == IDENT_USER || e->kind == IDENT_SHARED_IPAD || e->kind == IDENT_USER_ENROLLMENT;
    bool anonymous = e->kind == IDENT_USER_ENROLLMENT_DEVICE || e->kind == IDENT_USER_ENROLLMENT;
    const char *device = user ? arena_strndup(a, e->ident, strcspn(e->ident, ":")) : e->ident;
    js ids = js_object();

    js_set_str(ids, "id", e->ident);
    js_set_str(ids, "type", ident_kind_name(e->kind));
    if (user)
        js_set_str(ids, "parent_id", device);
    js_set(o, "ids", ids);
    js_set_str(o, anonymous ? "enrollment_id" : "udid", device);
}

/* The first value of each parameter. */
static void put_params(js o, const char *query, struct arena *a)
{
    js params = js_object();

    for (const char *p = query; *p != '\0';) {
        size_t n = strcspn(p, "&"), k = strcspn(p, "=&");
        char *name, *value;

        if (k > n)
            k = n;
        if (n > 0 && url_decode(a, bytes_of(p, k), true, &name) == OK &&
            url_decode(a, bytes_of(p + k + (k < n), n - k - (k < n)), true, &value) == OK &&
            js_get(params, name) == NULL)
            js_set_str(params, name, value);
        p += n + (p[n] == '&');
    }
    if (js_size(params) > 0)
        js_set(o, "url_params", params);
    else
        js_free(&params);
}

static bool put_payload(js o, struct bytes payload)
{
    struct buf text = BUF_INIT(2 * LIM_BODY_CONNECT);
    bool good;

    base64_add(&text, payload);
    good = !buf_failed(&text);
    js_set_str(o, "raw_payload", buf_cstr(&text));
    buf_wipe(&text);
    return good;
}

static js mdm_event(const struct event_row *e, struct bytes payload, struct arena *a)
{
    js o = js_object();

    put_ids(o, e, a);
    if (*e->status != '\0')
        js_set_str(o, "status", e->status);
    if (*e->command_uuid != '\0')
        js_set_str(o, "command_uuid", e->command_uuid);
    put_params(o, e->query, a);
    if (!put_payload(o, payload))
        js_free(&o);
    if (e->topic == EVENT_TOKEN_UPDATE && e->tally > 0)
        js_set_int(o, "token_update_tally", e->tally);
    return o;
}

/* The facts of an event of Drover's own, and whom it is about. */
static js own_event(const struct event_row *e, struct arena *a)
{
    struct err ignored;
    js o = NULL;

    if (*e->facts == '\0' || js_parse(bytes_str(e->facts), &o, &ignored) != OK)
        o = js_object();
    if (*e->ident != '\0')
        put_ids(o, e, a);
    return o;
}

enum outcome webhook_body(const struct event_row *e, struct bytes payload, struct buf *out,
                          struct err *err)
{
    const struct event_name *name = event_name_of(e->topic);
    bool report = e->topic == EVENT_CONNECT || e->topic == EVENT_CONNECT_IDLE;
    bool mdm = name != NULL && strncmp(name->name, "mdm.", 4) == 0;
    struct arena *a = arena_new(LIM_MB);
    char when[CLOCK_TEXT_MAX], id[17];
    js root = js_object(), event;
    enum outcome o;

    if (a == NULL) {
        js_free(&root);
        return err_set(err, ERROR, "out of memory");
    }
    snprintf(id, sizeof id, "%016llx", (unsigned long long)e->id);
    js_set_str(root, "topic", name != NULL ? name->name : "drover.Unknown");
    js_set_str(root, "created_at", clock_rfc3339(e->at, true, when));
    js_set_str(root, "event_id", id);
    event = mdm ? mdm_event(e, payload, a) : own_event(e, a);
    o = event != NULL ? OK : ERROR;
    js_set(root, !mdm ? "drover_event" : report ? "acknowledge_event" : "checkin_event", event);
    if (o == OK)
        o = js_write(root, false, out);
    js_free(&root);
    arena_free(&a);
    return o == OK ? OK : err_set(err, ERROR, "event %s is too long to be sent", id);
}

void webhook_signature(const struct bytes *keys, size_t n, const char *id, int64_t timestamp,
                       struct bytes body, struct buf *out)
{
    struct buf text = BUF_INIT(64u * LIM_MB);
    uint8_t mac[SHA256_LEN];

    buf_fmt(&text, "%s.%lld.", id, (long long)timestamp);
    buf_add(&text, body.p, body.n);
    for (size_t i = 0; i < n && !buf_failed(&text); i++) {
        hmac_sha256(keys[i], buf_bytes(&text), mac);
        buf_str(out, i > 0 ? " v1," : "v1,");
        base64_add(out, bytes_of(mac, sizeof mac));
    }
    buf_wipe(&text);
}
