/* way.c: see way.h. */
#include "enrollment/way.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/assigned.h"
#include "store/audit.h"
#include "store/enroll_session.h"
#include "store/oauth.h"

#define AUDIT_EVERY MINUTE_US
#define CHALLENGE_US DAY_US

static void note_refusal(struct way *w, const char *why)
{
    const char *address = w->req->remote_addr;
    char actor[100], detail[400];
    struct err err = {0};
    struct db *db = w->db;

    const char *claimed = w->device.info.serial;
    log_event(LOG_LEVEL_WARNING, "enroll.refused", "way", handout_way_name(w->kind), "subject",
              w->subject, "claims", claimed ? claimed : "", "address", address, "why", why, NULL);
    snprintf(actor, sizeof actor, "address:%.64s", address);
    snprintf(detail, sizeof detail, "way=%s why=%.300s", handout_way_name(w->kind), why);
    enum outcome o = db ? OK : db_pool_take(w->app->pool, &db, &err);
    if (o == OK)
        o = audit_add_rarely(db, AUDIT_EVERY, actor, "enroll.refused",
                             w->subject[0] ? w->subject : address, detail, &err);
    if (o != OK)
        log_err(LOG_LEVEL_WARNING, "audit.failed", &err);
    if (!w->db)
        db_pool_give(w->app->pool, &db);
}

void way_refuse(struct way *w, int status, const struct err *why, const char *text_fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, text_fmt);
    vsnprintf(text, sizeof text, text_fmt, ap);
    va_end(ap);
    resp_text(w->resp, status, "%s", text);
    resp_note(w->resp, "%s", why->msg);
    note_refusal(w, why->msg);
}

void way_fault(struct way *w, const struct err *err)
{
    log_err(LOG_LEVEL_ERROR, "enroll.fault", err);
    resp_text(w->resp, err->outcome == UNAVAILABLE ? 503 : 500,
              "This cannot be done at the moment. Try again later.");
    resp_note(w->resp, "%s", err->msg);
    if (err->outcome == UNAVAILABLE)
        resp_header(w->resp, "Retry-After", "60");
}

/* False: resp holds the refusal. */
static bool believed(struct way *w, enum outcome o, const struct err *err)
{
    if (o == INVALID)
        way_refuse(w, 400, err, "This is no message of a device that wants to enrol.");
    else if (o == DENIED)
        way_refuse(w, 403, err, "This device could not prove that it is one of Apple's.");
    else if (o != OK)
        way_fault(w, err);
    return o == OK;
}

void way_believe(struct way *w)
{
    const struct machine_info *m = &w->device.info;
    w->subject = m->serial[0] ? m->serial : m->udid;
}

bool way_by_apple(struct way *w)
{
    struct err err = {.outcome = OK};
    enum outcome o = attested_by_apple(w->app->conf, &w->device, w->req->now, w->req->arena, &err);
    if (!believed(w, o, &err))
        return false;
    way_believe(w);
    return true;
}

bool way_open(struct way *w, struct bytes cms, enum machine_info_use use, bool by_apple)
{
    struct err err = {.outcome = OK};
    enum outcome o =
        attested_read(cms.n ? cms : w->req->body, use, w->req->arena, &w->device, &err);
    if (!believed(w, o, &err) || (by_apple && !way_by_apple(w)))
        return false;
    o = db_pool_take(w->app->pool, &w->db, &err);
    if (o != OK)
        way_fault(w, &err);
    return o == OK;
}

void way_close(struct way *w)
{
    db_pool_give(w->app->pool, &w->db);
}

bool way_claim(struct way *w)
{
    struct err err = {.outcome = OK};
    const struct machine_info *m = &w->device.info;
    enum outcome o = claim_check(w->db, m->udid, m->serial, w->req->arena, &err);
    if (o == CONFLICT)
        way_refuse(w, 403, &err, "This device says it is another one. Ask your administrator.");
    else if (o != OK)
        way_fault(w, &err);
    return o == OK;
}

enum outcome way_load(struct way *w, int64_t profile_id, struct err *err)
{
    struct arena *a = w->req->arena;
    return profile_id ? profile_load_id(w->app->conf, w->db, a, profile_id, &w->profile, err)
                      : profile_load(w->app->conf, w->db, a, NULL, &w->profile, err);
}

struct handing {
    struct way *w;
    struct profile_order *order;
    const struct way_pass *pass;
    struct bytes der;
    bool refused; /* by the session */
};

static enum outcome hand_out_unit(struct db *db, void *arg, struct err *err)
{
    struct handing *h = arg;
    struct way *w = h->w;
    enum outcome o = OK;
    if (h->pass && h->pass->grant)
        o = oauth_use(db, h->pass->id, h->pass->device, err);
    else if (h->pass)
        o = enroll_session_use(db, h->pass->id, h->pass->device, w->device.info.serial,
                               w->device.signer, WAY_SESSION_USES, err);
    h->refused = o == DENIED;
    if (o == OK)
        o = profile_hand_out(w->app->conf, db, &w->profile, h->order, w->req->arena, &h->der, err);
    return o;
}

bool way_hand_out(struct way *w, struct profile_order *order, const struct way_pass *pass)
{
    struct err err = {.outcome = OK};
    struct handing h = {.w = w, .order = order, .pass = pass};
    order->way = w->kind;
    order->address = w->req->remote_addr;
    order->note = handout_way_name(w->kind);
    order->keep_us = CHALLENGE_US;
    order->udid = w->device.info.udid[0] ? w->device.info.udid : NULL;
    order->serial = w->device.info.serial[0] ? w->device.info.serial : NULL;
    enum outcome o = db_unit(w->db, hand_out_unit, &h, &err);
    if (h.refused) {
        way_refuse(w, 403, &err, "This enrolment belongs to another device. Begin anew.");
        return false;
    }
    if (o != OK) {
        way_fault(w, &err);
        return false;
    }
    w->resp->content_type = PROFILE_TYPE;
    w->resp->secret = true;
    resp_header(w->resp, "Cache-Control", "no-store");
    buf_add(&w->resp->body, h.der.p, h.der.n);
    log_event(LOG_LEVEL_INFO, "enroll.profile", "by", handout_way_name(w->kind), "subject",
              w->subject, NULL);
    return true;
}

const char *way_name(const struct req *req, const char *prefix)
{
    const char *rest = req->path + strlen(prefix);
    if (*rest == '\0')
        return rest;
    if (*rest++ != '/')
        return NULL;
    size_t n = strlen(rest);
    return n && n <= ENROLLPROFILE_NAME_MAX &&
                   strspn(rest,
                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n
               ? rest
               : NULL;
}
