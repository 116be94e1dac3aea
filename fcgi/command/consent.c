/* consent.c: see consent.h. */
#include "command/consent.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/id.h"
#include "store/standing.h"
#include "wire/seal.h"
#include "wire/sign.h"

#include <stdlib.h>

bool consent_needed(const struct conf *conf, bool sensitive)
{
    return sensitive && strcmp(conf->command_approval, "sensitive") == 0;
}

bool consent_is_deed(const char *request_type)
{
    return strncmp(request_type, CONSENT_REVEAL " ", strlen(CONSENT_REVEAL) + 1) == 0 ||
           strcmp(request_type, CONSENT_ESCROW) == 0;
}

/* ---- asking ---- */

static void set_time(js body, const char *key, int64_t t)
{
    char text[CLOCK_TEXT_MAX];

    if (t != 0)
        js_set_str(body, key, clock_rfc3339(t, true, text));
}

/* The order in the form of POST /api/v1/commands, without its enrollments. */
static js order_write(struct arena *a, const struct order *o)
{
    js body = js_object();

    js_set_str(body, "request_type", o->request_type);
    js_set_str(body, "reason", o->reason);
    js_set_bool(body, "force", o->force);
    js_set_bool(body, "push", o->push);
    js_set_int(body, "priority", o->priority);
    set_time(body, "not_before", o->not_before);
    set_time(body, "expires_at", o->expires_at);
    js_set_str(body, "dedupe_key", o->dedupe_key);
    if (o->dedupe == DEDUPE_SUPERSEDE)
        js_set_str(body, "dedupe", "supersede");
    if (o->retry_of != 0)
        js_set_str(body, "retry_of", arena_fmt(a, "%lld", (long long)o->retry_of));
    if (o->keys != NULL)
        js_set(body, "command", js_copy(o->keys));
    return body;
}

static enum outcome order_seal(const struct conf *conf, struct arena *a, const struct order *o,
                               int64_t id, struct bytes *out, struct err *err)
{
    struct buf text = BUF_INIT(LIM_BODY_API), sealed = BUF_INIT(LIM_BODY_API + SEAL_OVERHEAD);
    const char *label = arena_fmt(a, "Order:%lld", (long long)id);
    uint8_t pub[SEAL_KEY_LEN];
    js body = order_write(a, o);
    enum outcome x = label != NULL && js_write(body, false, &text) == OK
                         ? seal_public_load(conf->signer_dir, pub, err)
                         : err_set(err, INVALID, "the command is too long to wait");

    if (x == OK)
        x = seal(pub, label, buf_bytes(&text), &sealed, err);
    *out = x == OK ? arena_bytes(a, buf_bytes(&sealed)) : bytes_of(NULL, 0);
    if (x == OK && out->p == NULL)
        x = err_set(err, ERROR, "out of memory");
    js_free(&body);
    buf_wipe(&text);
    buf_free(&sealed);
    return x;
}

enum outcome consent_ask(struct db *db, const struct conf *conf, struct arena *a, const char *actor,
                         int64_t now, struct order *o, struct approval *out, struct err *err)
{
    enum outcome x = order_check(db, conf, a, o, err);

    if (x != OK)
        return x;
    *out = (struct approval){.id = id_new(),
                             .state = APPROVAL_WAITS,
                             .request_type = o->request_type,
                             .first_target = "",
                             .reason = o->reason,
                             .asked_by = actor,
                             .idents = o->ids,
                             .retry_of = o->retry_of,
                             .nidents = o->n,
                             .asked_at = now,
                             .expires_at = now + conf->command_approval_hours * HOUR_US,
                             .decided_by = "",
                             .decided_why = ""};
    x = order_seal(conf, a, o, out->id, &out->request, err);
    return x == OK ? approval_ask(db, out, err) : x;
}

enum outcome consent_deed(struct db *db, const struct conf *conf, struct arena *a,
                          const char *actor, int64_t now, const char *name, const char *ident,
                          const char *reason, struct approval *out, struct err *err)
{
    const char **idents = arena_array(a, 1, sizeof *idents);
    enum outcome o;

    *out = (struct approval){.state = APPROVAL_APPROVED, .decided_by = ""};
    if (strcmp(conf->command_approval, "sensitive") != 0)
        return OK;
    if (idents == NULL)
        return err_set(err, ERROR, "out of memory");
    o = approval_of(db, actor, name, ident, now, a, out, err);
    if (o != NOT_FOUND)
        return o;
    *err = (struct err){.outcome = OK};
    idents[0] = ident;
    *out = (struct approval){.id = id_new(),
                             .state = APPROVAL_WAITS,
                             .request_type = name,
                             .first_target = ident,
                             .reason = reason,
                             .asked_by = actor,
                             .idents = idents,
                             .nidents = 1,
                             .request = bytes_str("{}"),
                             .asked_at = now,
                             .expires_at = now + conf->command_approval_hours * HOUR_US,
                             .decided_by = "",
                             .decided_why = ""};
    return approval_ask(db, out, err);
}

/* ---- deciding ---- */

static bool time_read(js body, const char *key, int64_t *out)
{
    const char *text = js_get_str(body, key);

    return text == NULL || clock_parse_rfc3339(text, out);
}

/* As order_write() wrote it, but for the enrollments that were kept when it was asked for; what is
 * not there is as POST /api/v1/commands has it. */
static enum outcome kept_read(struct db *db, js body, const struct approval *x, struct arena *a,
                              int64_t now, struct order *o, struct err *err)
{
    const char *key = js_get_str(body, "dedupe_key"), *how = js_get_str(body, "dedupe");
    int64_t priority = 0;
    enum outcome out;

    *o = (struct order){.request_type = x->request_type,
                        .keys = js_get(body, "command"),
                        .reason = x->reason,
                        .push = true,
                        .approved = true,
                        .seed = arena_fmt(a, "approval:%lld", (long long)x->id)};
    (void)js_get_bool(body, "push", &o->push);
    (void)js_get_bool(body, "force", &o->force);
    (void)js_get_int(body, "priority", &priority);
    o->priority = (int)priority;
    if (js_get_str(body, "retry_of") != NULL)
        o->retry_of = strtoll(js_get_str(body, "retry_of"), NULL, 10);
    o->dedupe_key = key != NULL ? arena_strdup(a, key) : NULL;
    o->dedupe = how != NULL && strcmp(how, "supersede") == 0 ? DEDUPE_SUPERSEDE : DEDUPE_SKIP;
    if (o->seed == NULL || (key != NULL && o->dedupe_key == NULL))
        return err_set(err, ERROR, "out of memory");
    if (!time_read(body, "not_before", &o->not_before) ||
        !time_read(body, "expires_at", &o->expires_at))
        return err_set(err, ERROR, "the request that was kept is broken");
    out = approval_idents(db, x->id, a, &o->ids, &o->n, err);
    if (out == OK && o->n == 0)
        return err_set(err, INVALID,
                       "there is none of these enrollments any more: they are gone, or have "
                       "enrolled anew since it was asked for");
    if (out == OK && o->expires_at != 0 && o->expires_at <= now)
        return err_set(err, INVALID, "the command has expired while it waited");
    return out;
}

/* The request as it was made, opened by the signer. */
static enum outcome request_open(const struct approval *x, struct arena *a, js *body,
                                 struct err *err)
{
    const char *owner = arena_fmt(a, "%lld", (long long)x->id);
    struct buf text = BUF_INIT(LIM_BODY_API);
    enum outcome o =
        owner != NULL ? sign_unseal("Order", owner, x->request, bytes_of(NULL, 0), "", &text, err)
                      : err_set(err, ERROR, "out of memory");

    if (o == OK)
        o = js_parse(buf_bytes(&text), body, err);
    buf_wipe(&text);
    return o;
}

/* Now with the leave of two; again and again it is queued once. */
static enum outcome request_run(struct db *db, const struct conf *conf, struct arena *a,
                                const char *by, int64_t now, struct consent *c, struct err *err)
{
    const struct approval *x = &c->approval;
    const char *both = arena_fmt(a, "%.60s with %.60s", x->asked_by, by);
    js body = NULL;
    enum outcome o =
        both != NULL ? request_open(x, a, &body, err) : err_set(err, ERROR, "out of memory");

    if (o == OK)
        o = kept_read(db, body, x, a, now, &c->order, err);
    if (o == OK)
        o = order_run(db, conf, a, both, now, &c->order, err);
    c->ran = o == OK;
    c->repeated = c->ran && c->order.repeated;
    c->order.keys = NULL;
    js_free(&body);
    return o;
}

/* Who approved it and got no answer; not for as long as the CommandUUID may be forgotten. */
static bool again(const struct approval *x, const struct approval_decision *d)
{
    return d->approve && x->state == APPROVAL_APPROVED && strcmp(x->decided_by, d->by) == 0 &&
           x->decided_at + DAY_US > d->now;
}

/* The request as it is after the decision, of which *o is the outcome. */
static enum outcome look_again(struct db *db, struct arena *a, int64_t id, struct consent *out,
                               enum outcome o, struct err *err)
{
    struct err other = {0};

    if ((o == OK || o == CONFLICT) && approval_get(db, id, a, &out->approval, &other) != OK) {
        *err = other;
        return other.outcome;
    }
    return o;
}

enum outcome consent_decide(struct db *db, const struct conf *conf, struct arena *a,
                            const struct approval_decision *d, struct consent *out, struct err *err)
{
    uint64_t covered;
    enum outcome o;

    *out = (struct consent){.ran = false};
    if (d->why == NULL || d->why[0] == '\0' || strlen(d->why) > CONSENT_WHY_MAX)
        return err_set(err, INVALID, "a reason must say why, in at most %u octets",
                       CONSENT_WHY_MAX);
    if ((o = approval_get(db, d->id, a, &out->approval, err)) != OK)
        return o;
    o = out->approval.order_id != 0 ? standing_decide(db, d, &out->approval, &covered, err)
                                    : approval_decide(db, d, err);
    o = look_again(db, a, d->id, out, o, err);
    if (o == CONFLICT && again(&out->approval, d)) {
        *err = (struct err){.outcome = OK};
        o = OK;
        out->repeated = out->approval.order_id != 0 || consent_is_deed(out->approval.request_type);
    }
    return o == OK && d->approve && out->approval.order_id == 0 &&
                   !consent_is_deed(out->approval.request_type)
               ? request_run(db, conf, a, d->by, d->now, out, err)
               : o;
}
