/* enroll.c: the link that gives the enrolment profile. */
#include "enrollment/enroll.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/invitation.h"

/* A person may install what was fetched some time later; a day is enough for that. */
#define CHALLENGE_US DAY_US

/* Run again, it does the same with other secrets. */
static enum outcome give_unit(struct db *db, void *arg, struct err *err)
{
    struct gift *g = arg;
    struct invitation inv = {.note = ""};
    struct profile p;
    char note[160];
    struct profile_order order = {.way = g->way,
                                  .account_kind = g->account_kind,
                                  .account = g->account,
                                  .address = g->address,
                                  .note = note,
                                  .keep_us = CHALLENGE_US};
    enum outcome o = OK;
    snprintf(note, sizeof note, "%s%s%.100s", handout_way_name(g->way), g->account ? " for " : "",
             g->account ? g->account : "");
    if (g->token) {
        o = invitation_consume(db, g->token, g->a, &inv, err);
        snprintf(note, sizeof note, "invitation %lld", (long long)inv.id);
        order.invitation_id = inv.id;
    }
    if (o != OK)
        return o;
    o = inv.profile_id ? profile_load_id(g->conf, db, g->a, inv.profile_id, &p, err)
                       : profile_load(g->conf, db, g->a, g->token ? NULL : g->name, &p, err);
    if (o == NOT_FOUND) /* of the object, not of the link */
        o = err->outcome = ERROR;
    return o == OK ? profile_hand_out(g->conf, db, &p, &order, g->a, &g->der, err) : o;
}

enum outcome gift_give(struct db *db, struct gift *g, struct err *err)
{
    return db_unit(db, give_unit, g, err);
}

void gift_answer(const struct gift *g, struct resp *resp)
{
    buf_clear(&resp->body);
    enroll_answer(resp, OK, g->der, "enroll.mobileconfig", NULL);
    log_event(LOG_LEVEL_INFO, "enroll.profile", "by", handout_way_name(g->way), "account",
              g->account, NULL);
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

const char *gift_token(const struct req *req, const char *prefix)
{
    const char *rest = req->path + strlen(prefix);
    if (!*rest || strcmp(rest, "/") == 0)
        return NULL;
    size_t n = strlen(rest + 1);
    return *rest == '/' && n == INVITATION_TOKEN_LEN &&
                   strspn(rest + 1, "0123456789abcdef") == INVITATION_TOKEN_LEN
               ? rest + 1
               : "";
}

enum outcome enroll_token(const struct conf *conf, const struct req *req, const char *prefix,
                          const char **token, struct err *err)
{
    *token = gift_token(req, prefix);
    if (*token ? (*token)[0] != '\0' : conf->enroll_open)
        return OK;
    return err_set(err, NOT_FOUND, "no such invitation");
}

void gift_handle(struct app *app, struct req *req, struct resp *resp)
{
    struct err err = {.outcome = OK};
    struct db *db = NULL;
    struct gift g = {
        .conf = app->conf, .a = req->arena, .way = WAY_OPEN, .address = req->remote_addr};
    enum outcome o = enroll_token(app->conf, req, ENROLL_PREFIX, &g.token, &err);
    if (o == OK && g.token)
        g.way = WAY_INVITATION;
    if (o == OK)
        o = db_pool_take(app->pool, &db, &err);
    if (o == OK)
        o = gift_give(db, &g, &err);
    db_pool_give(app->pool, &db);
    if (o == OK)
        gift_answer(&g, resp);
    else
        enroll_answer(resp, o, g.der, "", &err);
}
