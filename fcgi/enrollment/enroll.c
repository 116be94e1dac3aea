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

static void answer(struct handout_get *h, enum outcome o, struct resp *resp, const struct err *err)
{
    switch (o) {
    case OK:
        resp->content_type = PROFILE_TYPE;
        resp->secret = true;
        resp_header(resp, "Cache-Control", "no-store");
        resp_header(resp, "Content-Disposition", "attachment; filename=\"enroll.mobileconfig\"");
        buf_add(&resp->body, h->der.p, h->der.n);
        log_event(LOG_LEVEL_INFO, "enroll.profile", "by", h->token ? "invitation" : "open", NULL);
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

/* The token of /enroll/TOKEN; NULL for /enroll; "" for anything that cannot be one. */
static const char *token_of(const struct req *req)
{
    const char *rest = req->path + strlen(PATH_PREFIX);
    if (!*rest || strcmp(rest, "/") == 0)
        return NULL;
    size_t n = strlen(rest + 1);
    return *rest == '/' && n == INVITATION_TOKEN_LEN &&
                   strspn(rest + 1, "0123456789abcdef") == INVITATION_TOKEN_LEN
               ? rest + 1
               : "";
}

void enroll_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)caller;
    struct err err = {.outcome = OK};
    struct db *db = NULL;
    struct handout_get h = {
        .conf = app->conf, .a = req->arena, .token = token_of(req), .address = req->remote_addr};
    enum outcome o = OK;
    if (h.token ? !h.token[0] : !app->conf->enroll_open)
        o = err_set(&err, NOT_FOUND, "no invitation");
    if (o == OK)
        o = db_pool_take(app->pool, &db, &err);
    if (o == OK)
        o = db_unit(db, handout_unit, &h, &err);
    db_pool_give(app->pool, &db);
    answer(&h, o, resp, &err);
}
