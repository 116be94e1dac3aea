/*
 * migration.c: /migration: enrollments move in from another MDM server as the check-in messages
 * that it has kept (device Authenticate, device TokenUpdate, then its users). They come without the
 * device's certificate: the first one the device shows is bound to it (store/who.h).
 */
#include "api/api.h"

#include "checkin/checkin.h"
#include "base/log.h"
#include "store/authenticate.h"
#include "store/token_update.h"

#include <stdio.h>

/* Outside a batch: the console's program has none. */
static void run(struct message *m, struct unit *u)
{
    struct err err = {0};
    struct db *db = NULL;

    if (db_pool_take(m->app->pool, &db, &err) != OK)
        api_fail(m->resp, &err);
    else if (unit_do(db, u) != OK)
        api_fail(m->resp, &u->err);
    db_pool_give(m->app->pool, &db);
}

static void refuse(struct message *m, enum verdict v)
{
    resp_json_error(m->resp, 409, "%s",
                    v == WHO_ENDED  ? "the enrollment was ended here"
                    : v == WHO_GOOD ? "a TokenUpdate without a certificate cannot change this one"
                    : v == WHO_UNBOUND || v == WHO_NO_CHANNEL
                        ? "its device is not known: send the device's Authenticate and TokenUpdate "
                          "first, then its users'"
                        : "the message does not fit the enrollment that is stored");
}

static void move_authenticate(struct message *m)
{
    struct authenticate x;

    authenticate_init(&x, m->req->arena, m->req->now, NULL, &m->id);
    if (!checkin_topic(m, &x.topic) || !checkin_facts(m, &x.facts))
        return;
    run(m, &x.unit);
    if (m->resp->status == 200 && x.verdict != WHO_GOOD)
        refuse(m, x.verdict);
}

static void move_token_update(struct message *m)
{
    struct token_update x;

    token_update_init(&x, m->req->arena, m->req->now, NULL, &m->id);
    if (!checkin_token_keys(m, &x))
        return;
    run(m, &x.unit);
    if (m->resp->status == 200 && !x.accepted)
        refuse(m, x.who.verdict);
}

static void move(struct message *m)
{
    const char *type = pl_get_str(m->root, "MessageType");

    m->word = type != NULL ? type : "";
    if (strcmp(m->word, "Authenticate") == 0 && ident_is_user(&m->id))
        device_refuse(m, 400, "an Authenticate cannot be a user's");
    else if (strcmp(m->word, "Authenticate") == 0)
        move_authenticate(m);
    else if (strcmp(m->word, "TokenUpdate") == 0)
        move_token_update(m);
    else if (strcmp(m->word, "CheckOut") != 0) /* which is ignored: nothing is to be moved */
        device_refuse(m, 400, "MessageType must be Authenticate, TokenUpdate or CheckOut");
}

void api_migration(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct message m = {.app = app, .req = req, .caller = caller, .resp = resp};

    if (!app->conf->nanomdm_migration) {
        resp_json_error(resp, 404,
                        "migration is turned off; see [api] nanomdm_migration in drover.conf(5)");
        return;
    }
    if (device_message_read(&m))
        move(&m);
    if (resp->status >= 400 && resp->no_body) { /* what a device is not told, an operator is */
        char why[sizeof(resp->note)];

        snprintf(why, sizeof(why), "%s", resp->note);
        resp_json_error(resp, resp->status, "%s", why);
    } else if (resp->status == 200)
        log_event(LOG_LEVEL_INFO, "api.migration", "message", m.word, "key", caller->key_name,
                  NULL);
    device_message_free(&m);
}
