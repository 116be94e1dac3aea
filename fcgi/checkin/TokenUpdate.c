/* TokenUpdate.c: push token and PushMagic; the first one completes the enrolment. */
#include "checkin/checkin.h"

#include "base/limits.h"
#include "store/token_update.h"

static bool bool_read(struct message *m, const char *key, bool *out)
{
    if (pl_get(m->root, key) == NULL || pl_get_bool(m->root, key, out))
        return true;
    device_refuse(m, 400, "%s is no boolean", key);
    return false;
}

static bool token_keys_read(struct message *m, struct token_update *x)
{
    if (!checkin_topic(m, &x->topic))
        return false;
    if (!pl_get_data(m->root, "Token", &x->push_token) || x->push_token.n == 0 ||
        x->push_token.n > LIM_PUSH_TOKEN) {
        device_refuse(m, 400, "Token is missing, no data, or longer than %u octets",
                      LIM_PUSH_TOKEN);
        return false;
    }
    x->push_magic = pl_get_str(m->root, "PushMagic");
    if (x->push_magic == NULL || x->push_magic[0] == '\0' ||
        strlen(x->push_magic) > LIM_PUSH_MAGIC) {
        device_refuse(m, 400, "PushMagic is missing, empty, or longer than %u octets",
                      LIM_PUSH_MAGIC);
        return false;
    }
    return bool_read(m, "AwaitingConfiguration", &x->awaiting_configuration) &&
           bool_read(m, "NotOnConsole", &x->not_on_console);
}

static bool unlock_token_read(struct message *m, struct token_update *x)
{
    struct err err = {0};
    struct bytes token;

    if (pl_get(m->root, "UnlockToken") == NULL)
        return true; /* the stored one stays */
    if (!pl_get_data(m->root, "UnlockToken", &token) || token.n > LIM_SECRET) {
        device_refuse(m, 400, "UnlockToken is no data, or longer than %u octets", LIM_SECRET);
        return false;
    }
    if (token.n == 0)
        return true;
    if (checkin_seal(m, "UnlockToken", token, &x->unlock_token, &x->unlock_sha256, &err) == OK)
        return true;
    device_fail(m, &err);
    return false;
}

bool checkin_token_keys(struct message *m, struct token_update *x)
{
    return token_keys_read(m, x) && unlock_token_read(m, x);
}

/* A restored backup that the site does not want back, by its own setting. */
static void refuse_restore(struct message *m)
{
    device_refuse(m, 401, "a restored backup is refused by the setting [restore] action=refuse");
}

/* True: a person has just accepted the device, try again. */
static bool serve(struct message *m, struct token_update *x)
{
    if (batch_do(m->app->batch, &x->unit) != OK) {
        device_fail(m, &x->unit.err);
        return false;
    }
    if (x->accepted) {
        resp_note(m->resp, "TokenUpdate, the life %s",
                  x->who.verdict == WHO_GOOD ? "goes on" : "begins");
        return false;
    }
    switch (x->who.verdict) {
    case WHO_PENDING:
        device_refuse(m, 503, "the device's own TokenUpdate has not come yet");
        return false;
    case WHO_LEFT:
    case WHO_OLD:
        if (x->overtaken && !ident_is_user(&m->id)) {
            device_refuse(m, 503, "a later message of this device was faster");
            return false;
        }
        if (!x->accept_restore && !ident_is_user(&m->id)) {
            refuse_restore(m);
            return false;
        }
        return device_turn_away(m, &(struct who){.verdict = WHO_OLD});
    default:
        return device_turn_away(m, &x->who);
    }
}

void checkin_TokenUpdate(struct message *m)
{
    struct token_update x;

    token_update_init(&x, m->req->arena, m->req->now, m->caller->cert_sha256, &m->id);
    if (!checkin_token_keys(m, &x))
        return;
    x.accept_restore = strcmp(m->app->conf->restore_action, "refuse") != 0;
    x.push_keep_s = m->app->conf->apns_expiration_s;
    x.unit.event = checkin_event(m, EVENT_TOKEN_UPDATE);
    if (serve(m, &x))
        serve(m, &x);
}
