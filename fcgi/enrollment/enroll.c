/* enroll.c: the link that gives the enrolment profile. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "enrollment/profile.h"
#include "store/invitation.h"

#define PATH_PREFIX "/enroll"
/* A person may install what was fetched some time later; a day is enough for that. */
#define CHALLENGE_US DAY_US

/* One profile being given out. */
struct handout_get {
    const struct conf *conf;
    struct arena *a;
    const char *token; /* of the invitation; NULL: open to anybody */
    const char *address;
    struct bytes der; /* the signed profile */
};

/* Uses the invitation and hands its profile out, in one unit. */
static enum outcome handout_unit(struct db *db, void *arg, struct err *err)
{
    struct handout_get *h = arg;
    struct invitation inv = {.note = ""};
    struct profile p;
    char note[64] = "open enrolment";
    struct profile_order order = {
        .way = WAY_OPEN, .address = h->address, .note = note, .keep_us = CHALLENGE_US};
    enum outcome o = OK;
    if (h->token) {
        o = invitation_consume(db, h->token, h->a, &inv, err);
        snprintf(note, sizeof note, "invitation %lld", (long long)inv.id);
        order.way = WAY_INVITATION;
        order.invitation_id = inv.id;
    }
    if (o != OK)
        return o;
    o = inv.profile_id ? profile_load_id(h->conf, db, h->a, inv.profile_id, &p, err)
                       : profile_load(h->conf, db, h->a, NULL, &p, err);
    if (o == NOT_FOUND) /* of the object, not of the link */
        o = err->outcome = ERROR;
    return o == OK ? profile_hand_out(h->conf, db, &p, &order, h->a, &h->der, err) : o;
}

void enroll_answer(struct resp *resp, enum outcome o, struct bytes der, const char *filename,
                   const struct err *err)
{
    char disposition[100];
    switch (o) {
    case OK:
        resp->content_type = PROFILE_TYPE;
        resp->secret = true;
        resp_header(resp, "Cache-Control", "no-store");
        snprintf(disposition, sizeof disposition, "attachment; filename=\"%.60s\"", filename);
        resp_header(resp, "Content-Disposition", disposition);
        buf_add(&resp->body, der.p, der.n);
        return;
    case NOT_FOUND:
        resp_text(resp, 404, "This link is unknown. Ask who gave it to you for another.");
        return;
    case DENIED:
        resp_text(resp, 410, "This link has expired or was used already. Ask for another.");
        break;
    default:
        resp_text(resp, o == UNAVAILABLE ? 503 : 500,
                  "The profile cannot be made at the moment. Try again later.");
        log_err(LOG_LEVEL_ERROR, "enroll.fault", err);
    }
    snprintf(resp->note, sizeof resp->note, "%.150s", err->msg);
}

enum outcome enroll_token(const struct conf *conf, const struct req *req, const char *prefix,
                          const char **token, struct err *err)
{
    const char *rest = req->path + strlen(prefix);
    *token = NULL;
    if (!*rest || strcmp(rest, "/") == 0)
        return conf->enroll_open ? OK : err_set(err, NOT_FOUND, "no invitation");
    size_t n = strlen(rest + 1);
    if (*rest != '/' || n != INVITATION_TOKEN_LEN ||
        strspn(rest + 1, "0123456789abcdef") != INVITATION_TOKEN_LEN)
        return err_set(err, NOT_FOUND, "no such invitation");
    *token = rest + 1;
    return OK;
}

void enroll_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)caller;
    struct err err = {.outcome = OK};
    struct db *db = NULL;
    struct handout_get h = {.conf = app->conf, .a = req->arena, .address = req->remote_addr};
    enum outcome o = enroll_token(app->conf, req, PATH_PREFIX, &h.token, &err);
    if (o == OK)
        o = db_pool_take(app->pool, &db, &err);
    if (o == OK)
        o = db_unit(db, handout_unit, &h, &err);
    db_pool_give(app->pool, &db);
    enroll_answer(resp, o, h.der, "enroll.mobileconfig", &err);
    if (o == OK)
        log_event(LOG_LEVEL_INFO, "enroll.profile", "by", h.token ? "invitation" : "open", NULL);
}
