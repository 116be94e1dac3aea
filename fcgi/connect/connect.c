/* connect.c: see connect.h. */
#include "connect/connect.h"

#include "base/limits.h"
#include "base/log.h"
#include "command/fill.h"
#include "command/secrets.h"
#include "connect/report.h"
#include "library/deliver.h"
#include "library/deliver_app.h"
#include "store/activity.h"
#include "store/exchange.h"
#include "store/fleet.h"
#include "store/queue.h"
#include "store/renewal.h"
#include "wire/sign.h"

static bool status_read(struct message *m, struct exchange *x)
{
    static const struct {
        const char *word;
        enum report_status status;
    } table[] = {{"Idle", REPORT_IDLE},
                 {"Acknowledged", REPORT_ACKNOWLEDGED},
                 {"Error", REPORT_ERROR},
                 {"CommandFormatError", REPORT_FORMAT_ERROR},
                 {"NotNow", REPORT_NOT_NOW}};
    const char *status = pl_get_str(m->root, "Status");

    if (status == NULL) {
        device_refuse(m, 400,
                      pl_get(m->root, "MessageType") != NULL
                          ? "a check-in message came to the address of reports"
                          : "the report has no Status");
        return false;
    }
    m->word = status;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].word, status) == 0) {
            x->status = table[i].status;
            return true;
        }
    device_refuse(m, 400, "the report has an unknown Status");
    return false;
}

static bool uuid_read(struct message *m, struct exchange *x)
{
    size_t n;

    if (x->status == REPORT_IDLE)
        return true;
    x->uuid = pl_get_str(m->root, "CommandUUID");
    n = x->uuid != NULL ? strlen(x->uuid) : 0;
    if (n == 0 || n > LIM_COMMAND_UUID) {
        device_refuse(m, 400, "the report has no CommandUUID, or one longer than %u octets",
                      LIM_COMMAND_UUID);
        return false;
    }
    log_context_command(x->uuid);
    return true;
}

/* What happened, for the one log line of the request. */
static void note(struct message *m, const struct exchange *x)
{
    static const char *const effect[] = {[EFFECT_NONE] = "",
                                         [EFFECT_STORED] = " stored",
                                         [EFFECT_REPEATED] = " repeated",
                                         [EFFECT_LATE] = " late",
                                         [EFFECT_UNKNOWN] = " unknown command"};

    if (x->effect == EFFECT_UNKNOWN)
        log_event(LOG_LEVEL_WARNING, "mdm.unknown-command", "status", m->word, NULL);
    if (x->command_id != 0)
        resp_note(m->resp, "%s%s, sent %s %s", m->word, effect[x->effect], x->request_type,
                  x->command_uuid);
    else
        resp_note(m->resp, "%s%s", m->word, effect[x->effect]);
    m->resp->routine = x->status == REPORT_IDLE && x->command_id == 0;
}

/* A command that can never be delivered is closed, so that it does not stand in the way of those
 * behind it. */
static bool give_up(struct message *m, const struct exchange *x, const struct err *why)
{
    struct db *db = NULL;
    struct err err = {0};
    size_t n, sent;
    enum outcome o = db_pool_take(m->app->pool, &db, &err);

    if (o == OK)
        o = queue_cancel(db, m->id.name, x->command_uuid, "rule:undeliverable", why->msg,
                         m->req->now, &n, &sent, &err);
    db_pool_give(m->app->pool, &db);
    if (o == OK || o == NOT_FOUND) {
        log_err(LOG_LEVEL_WARNING, "mdm.undeliverable", why);
        return true;
    }
    device_fail(m, &err);
    return false;
}

/* What was right when it was queued may be wrong at delivery: whoever has a device that was marked
 * lost meanwhile would get in. */
static enum outcome still_right(struct message *m, const struct exchange *x, struct err *err)
{
    const char **lost = NULL;
    struct db *db = NULL;
    size_t n = 0;
    enum outcome o;

    if (strcmp(x->request_type, "ClearPasscode") != 0)
        return OK;
    o = db_pool_take(m->app->pool, &db, err);
    if (o == OK)
        o = fleet_lost(db, (const char *[]){m->id.name}, 1, m->req->arena, &lost, &n, err);
    db_pool_give(m->app->pool, &db);
    return o == OK && n > 0
               ? err_set(err, DENIED, "the device is marked lost: its passcode is not cleared")
               : o;
}

/* Makes what is personal to the device; the body then is a secret. */
static enum outcome fill(struct message *m, struct exchange *x, struct err *err)
{
    struct db *db = NULL;
    enum outcome o;

    if (x->fill & COMMAND_FILL_UNLOCK_TOKEN)
        return command_fill_unlock_token(m->id.name, x->command_uuid, x->body, x->unlock_token,
                                         x->ticket, &m->resp->body, err);
    o = db_pool_take(m->app->pool, &db, err);
    if (o == OK && x->fill & COMMAND_FILL_FILE)
        o = library_deliver(db, m->app->conf, m->id.name, x->fill_from, x->body, &m->resp->body,
                            err);
    else if (o == OK)
        o = library_deliver_app(db, m->app->conf, m->id.name, x->fill, x->fill_from, x->body,
                                &m->resp->body, err);
    db_pool_give(m->app->pool, &db);
    return o;
}

/* True: the command was given up, ask for the next. */
static bool hand_out(struct message *m, struct exchange *x)
{
    struct err err = {0};
    enum outcome o;

    m->resp->content_type = "application/xml; charset=UTF-8";
    if (x->fill == 0 && x->sealed.n == 0) {
        buf_add(&m->resp->body, x->body.p, x->body.n);
        return false;
    }
    o = still_right(m, x, &err);
    if (o == OK)
        o = x->sealed.n > 0 ? secrets_open_command(x->command_uuid, x->sealed, &m->resp->body, &err)
                            : fill(m, x, &err);
    if (o == OK) {
        m->resp->secret = true;
        return false;
    }
    buf_wipe(&m->resp->body);
    m->resp->content_type = NULL;
    if (o == NOT_FOUND || o == DENIED || o == INVALID)
        return give_up(m, x, &err);
    device_fail(m, &err);
    return false;
}

static void void_ticket(const struct exchange *x)
{
    struct err err = {0};

    if (x->closed_ticket.n > 0 && sign_ticket_end(x->closed_ticket, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "ticket.end", &err);
}

/* An expired identity gets the command that renews it, and may report about that one alone. */
static bool grace(struct message *m, struct exchange *x)
{
    const char *uuid = NULL;
    struct err err = {0};
    struct db *db = NULL;
    enum outcome o;

    if (!m->caller->expired)
        return true;
    x->only = true;
    o = db_pool_take(m->app->pool, &db, &err);
    if (o == OK)
        o = renewal_command(db, m->id.name, m->req->arena, &x->only_command, &uuid, &err);
    db_pool_give(m->app->pool, &db);
    if (o != OK && o != NOT_FOUND) {
        device_fail(m, &err);
        return false;
    }
    if (o == OK && (x->status == REPORT_IDLE || strcmp(uuid, x->uuid) == 0))
        return true;
    device_refuse(m, 403, "the identity certificate has expired, and this is not its renewal");
    return false;
}

/* True: try again (a person has just accepted the device, a command was given up, or the report was
 * shortened). */
static bool serve(struct message *m, struct exchange *x)
{
    enum outcome o = batch_do(m->app->batch, &x->unit);

    if (o == INVALID && report_too_large(m, x))
        return true;
    if (o != OK) {
        device_fail(m, &x->unit.err);
        return false;
    }
    if (x->only && x->who.verdict != WHO_GOOD) {
        device_refuse(m, 403, "the identity certificate has expired");
        return false;
    }
    switch (x->who.verdict) {
    case WHO_GOOD:
        x->unit.event = NULL; /* told, once */
        note(m, x);
        void_ticket(x);
        return x->command_id != 0 && hand_out(m, x);
    case WHO_PENDING:
        if (x->status != REPORT_IDLE) { /* it is not stored, so it must come again */
            device_refuse(m, 503, "the device's TokenUpdate has not come yet");
            return false;
        }
        break;
    case WHO_LEFT:
        if (x->status != REPORT_IDLE) {
            note(m, x);
            return false;
        }
        break;
    case WHO_NO_CHANNEL:
        break;
    default:
        return device_turn_away(m, &x->who);
    }
    /* nothing is queued for it; the empty answer ends the exchange */
    resp_note(m->resp, "%s, no TokenUpdate of this channel has come", m->word);
    return false;
}

#define TRIES 8

void connect_message(struct message *m)
{
    struct exchange x;

    exchange_init(&x, m->req->arena, m->req->now, m->caller->cert_sha256, &m->id);
    if (!status_read(m, &x) || !uuid_read(m, &x) || !grace(m, &x))
        return;
    x.unit.event = report_event(m, &x);
    if (!report_keep(m, &x))
        return;
    activity_polled();
    for (int i = 0; i < TRIES; i++)
        if (!serve(m, &x))
            return;
    device_refuse(m, 503, "too many undeliverable commands at once");
}

void connect_handle(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct message m = {.app = app, .req = req, .caller = caller, .resp = resp};

    if (device_message_read(&m))
        connect_message(&m);
    device_message_free(&m);
}
