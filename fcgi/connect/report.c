/* report.c: see report.h. */
#include "connect/report.h"

#include "base/limits.h"
#include "base/log.h"
#include "command/digest.h"
#include "command/secrets.h"

#include <stdio.h>

/* What a user showed to be let in is nobody's to read later; the gate has looked at it. */
static bool token_drop(pl report)
{
    if (pl_get(report, "AuthToken") == NULL)
        return false;
    pl_remove(report, "AuthToken");
    return true;
}

static bool strip(pl report, struct arena *a)
{
    bool token = token_drop(report);

    return secrets_strip_report(report, a) || token;
}

const struct event *report_event(struct message *m, const struct exchange *x)
{
    struct event *e =
        device_event(m, x->status == REPORT_IDLE ? EVENT_CONNECT_IDLE : EVENT_CONNECT, strip);

    if (e != NULL) {
        e->status = m->word;
        e->command_uuid = x->uuid;
    }
    return e;
}

static enum outcome write_report(struct message *m, struct exchange *x, pl root, struct err *err)
{
    struct buf xml = BUF_INIT(LIM_BODY_CONNECT);
    enum outcome o = pl_to_xml(root, &xml);

    if (o == OK)
        x->report = arena_bytes(m->req->arena, buf_bytes(&xml));
    if (o != OK || x->report.p == NULL)
        o = err_set(err, INVALID, "written anew, the report is longer than can be kept");
    buf_wipe(&xml);
    return o;
}

/* ---- shortening ---- */

struct shortening {
    pl to;
    size_t left; /* so many octets more */
};

static bool take_short(const char *key, pl value, void *arg)
{
    struct shortening *s = arg;
    struct buf xml = BUF_INIT(s->left);

    if (pl_to_xml(value, &xml) == OK && xml.len + strlen(key) <= s->left) {
        s->left -= xml.len + strlen(key);
        pl_set(s->to, key, pl_copy(value));
    }
    buf_wipe(&xml);
    return true;
}

/* Of each key of the message what is short: its status, and what went wrong, among them. */
static enum outcome shorten(struct message *m, struct exchange *x, const char *why, struct err *err)
{
    struct shortening s = {pl_new_dict(), LIM_REPORT_SHORT};
    char octets[24];
    enum outcome o;

    pl_each(m->root, take_short, &s);
    pl_set_int(s.to, DIGEST_LEFT_OUT, (int64_t)m->req->body.n);
    o = write_report(m, x, s.to, err);
    pl_free(&s.to);
    snprintf(octets, sizeof octets, "%zu", m->req->body.n);
    log_event(LOG_LEVEL_WARNING, "mdm.report-shortened", "octets", octets, "why", why, NULL);
    return o;
}

bool report_too_large(struct message *m, struct exchange *x)
{
    struct err err = {0};
    struct event *e;

    /* what is written of each key has a tag or two besides */
    if (x->report.n <= 2 * LIM_REPORT_SHORT || shorten(m, x, x->unit.err.msg, &err) != OK)
        return false;
    if (x->unit.event == NULL)
        return true;
    e = arena_alloc(m->req->arena, sizeof *e);
    if (e != NULL) {
        *e = *x->unit.event;
        e->raw = e->sealed = bytes_of(NULL, 0);
    }
    x->unit.event = e;
    return e != NULL;
}

bool report_keep(struct message *m, struct exchange *x)
{
    struct err err = {0};
    bool changed = false, token;
    enum outcome o;

    x->report = m->req->body;
    if (x->status == REPORT_IDLE)
        return true;
    token = token_drop(m->root);
    o = secrets_seal_report(m->app->conf->signer_dir, m->id.name, m->root, m->req->arena, &changed,
                            &err);
    if (o == OK && (changed || token))
        o = write_report(m, x, m->root, &err);
    else if (o == INVALID) /* a secret longer than any is */
        (void)secrets_strip_report(m->root, m->req->arena);
    if (o == INVALID)
        o = shorten(m, x, err.msg, &err);
    if (o != OK)
        device_fail(m, &err);
    return o == OK;
}
