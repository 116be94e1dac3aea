/*
 * UserAuthenticate.c: a network user logs in on a Mac (reference, "MDM Protocol Extensions"). By
 * the setting [checkin] user_authenticate the user is not managed (410), is managed without a
 * password (an empty DigestChallenge), or answers a challenge with the password of an account of
 * droverctl users and gets an AuthToken. A wrong password is answered 200 with an empty AuthToken:
 * the Mac understands nothing else; so is everything that must not tell why.
 */
#include "checkin/checkin.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/audit.h"
#include "store/login.h"
#include "store/userauth.h"
#include "wire/encode.h"

#define AUDIT_EVERY MINUTE_US

static void answer(struct message *m, const char *key, const char *value)
{
    pl dict = pl_new_dict();

    pl_set_str(dict, key, value);
    if (pl_to_xml(dict, &m->resp->body) == OK) {
        m->resp->content_type = "application/xml; charset=UTF-8";
        m->resp->secret = value[0] != '\0';
    } else {
        device_refuse(m, 500, "out of memory");
    }
    pl_free(&dict);
}

static void challenge(struct message *m, struct db *db, const struct who *who)
{
    struct buf text = BUF_INIT(256);
    char nonce[DIGEST_NONCE_LEN + 1];
    enum digest_algorithm a;
    struct err err = {0};

    if (!digest_algorithm_read(m->app->conf->digest_algorithm, &a))
        a = DIGEST_MD5;
    if (userauth_challenge(db, m->id.name, who->device_id, who->device_life_id, m->req->now, nonce,
                           &err) != OK) {
        device_fail(m, &err);
        return;
    }
    digest_challenge(&text, a, nonce);
    answer(m, "DigestChallenge", buf_cstr(&text));
    buf_free(&text);
}

/* OK, or DENIED with the reason. */
static enum outcome judge(struct message *m, struct db *db, const struct digest_answer *d,
                          struct err *err)
{
    struct enroluser user;
    enum outcome o = userauth_nonce_take(db, m->id.name, d->nonce, d->count, m->req->now, err);

    if (o != OK)
        return o;
    return login_digest(db, d, m->req->method == METHOD_POST ? "POST" : "PUT", m->req->remote_addr,
                        m->req->now, m->req->arena, &user, err);
}

static void refuse_login(struct message *m, struct db *db, const struct digest_answer *d,
                         const struct err *why)
{
    struct err err = {0};
    char actor[128], detail[400];

    snprintf(actor, sizeof(actor), "user:%.*s", 100, d->username);
    snprintf(detail, sizeof(detail), "address=%.60s why=%.200s", m->req->remote_addr, why->msg);
    log_event(LOG_LEVEL_WARNING, "login.failed", "account", d->username, "address",
              m->req->remote_addr, "why", why->msg, NULL);
    if (audit_add_rarely(db, AUDIT_EVERY, actor, "login.failed", m->id.name, detail, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "audit.failed", &err);
    answer(m, "AuthToken", "");
}

static void login(struct message *m, struct db *db, const struct who *who, const char *text)
{
    char token[USERAUTH_TOKEN_LEN + 1] = "";
    struct digest_answer d;
    struct err err = {0};
    enum outcome o = digest_read(m->req->arena, text, &d, &err);

    if (o == INVALID) {
        device_refuse(m, 400, "DigestResponse: %s", err.msg);
        return;
    }
    if (o == OK)
        o = judge(m, db, &d, &err);
    if (o == OK)
        o = userauth_login(db, m->id.name, d.nonce, who->device_life_id, d.username, m->req->now,
                           token, &err);
    if (o == OK) {
        log_event(LOG_LEVEL_INFO, "login.done", "account", d.username, NULL);
        answer(m, "AuthToken", token);
    } else if (o == DENIED) {
        refuse_login(m, db, &d, &err);
    } else {
        device_fail(m, &err);
    }
    secret_wipe(token, sizeof(token));
}

void checkin_UserAuthenticate(struct message *m)
{
    const char *setting = m->app->conf->user_authenticate;
    const char *response;
    struct err err = {0};
    struct db *db = NULL;
    struct who who;

    if (!checkin_text(m, "DigestResponse", &response))
        return;
    if (db_pool_take(m->app->pool, &db, &err) != OK) {
        device_fail(m, &err);
        return;
    }
    if (!checkin_known(m, db, &who))
        goto out;
    if (checkin_tell(m, db, EVENT_USER_AUTHENTICATE, who.device_id, &err) != OK) {
        device_fail(m, &err);
        goto out;
    }
    if (strcmp(setting, "accept") == 0)
        answer(m, "DigestChallenge", "");
    else if (strcmp(setting, "digest") != 0)
        device_refuse(m, 410, "network users are not managed: [checkin] user_authenticate=refuse");
    else if (response != NULL)
        login(m, db, &who, response);
    else
        challenge(m, db, &who);
out:
    db_pool_give(m->app->pool, &db);
}
