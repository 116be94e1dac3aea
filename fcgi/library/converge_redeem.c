/* converge_redeem.c: redemption codes for apps that wait for one: see converge.h. */
#include "library/converge_int.h"

#include "base/log.h"
#include "base/uuid.h"
#include "store/event.h"
#include "store/redemption.h"

#include <stdio.h>

#define LOOK_US MINUTE_US         /* a code is on its way */
#define NONE_US (10 * MINUTE_US)  /* none is left; new ones wake it */
#define TAKEN_US (10 * MINUTE_US) /* the store has it */
#define GIVE_UP_US (7 * DAY_US)   /* since the device took the app's command */

static enum outcome alarm_tell(struct converge *c, const struct wanted_app *x,
                               const struct redemption_give *g, struct err *err)
{
    char text[64];

    if (!g->alarm)
        return OK;
    snprintf(text, sizeof text, "%lld redemption codes are left", (long long)g->left);
    log_msg(LOG_LEVEL_ERROR, "codes.low", "%.200s: %s", x->due.identifier, text);
    return event_alarm_tell(c->db, "codes-low", x->due.identifier, text, g->now, err);
}

/* What is noted of the device's item. */
static enum outcome note(struct converge *c, const struct wanted_app *x,
                         const struct redemption_give *g, int64_t now, struct err *err)
{
    static const struct {
        const char *reason;
        int64_t after;
    } words[] = {
        [REDEMPTION_QUEUED] = {"a redemption code is on its way to the device", LOOK_US},
        [REDEMPTION_WAITING] = {"a redemption code is on its way to the device", LOOK_US},
        [REDEMPTION_TAKEN] = {"the store has taken the redemption code", TAKEN_US},
        [REDEMPTION_NONE] = {"waits for a redemption code: none is left, add some", NONE_US},
    };
    const struct wanted_due *d = &x->due;

    if (g->given == REDEMPTION_TAKEN && now - x->since > GIVE_UP_US)
        return wanted_note(c->db, &d, 1, WANTED_FAILED, now + converge_backoff(d->attempts),
                           "it was not installed, though its redemption code was taken", c->a, err);
    if (g->given == REDEMPTION_UNUSED || g->given == REDEMPTION_GIVE_UP)
        return wanted_note(c->db, &d, 1, WANTED_FAILED, now + converge_backoff(d->attempts),
                           g->given == REDEMPTION_UNUSED
                               ? "it must be paid for with a redemption code: add some to the app"
                               : "the store refused several redemption codes on this device",
                           c->a, err);
    return wanted_note(c->db, &d, 1, WANTED_INSTALLING, now + words[g->given].after,
                       words[g->given].reason, c->a, err);
}

enum outcome converge_redeem(struct converge *c, const struct wanted_app *x, int64_t now,
                             struct err *err)
{
    enum enqueue_outcome outcome;
    char uuid[UUID_LEN + 1], key[48];
    struct bytes body;
    int64_t id;
    js keys = js_object();
    enum outcome o;

    uuid_v4(uuid);
    snprintf(key, sizeof key, "redeem:%lld", (long long)x->due.item_id);
    js_set_str(keys, "Identifier", x->due.identifier);
    o = converge_keys_command(c, "ApplyRedemptionCode", keys, uuid, &body, err);
    js_free(&keys);
    struct enqueue e = {.uuid = uuid,
                        .request_type = "ApplyRedemptionCode",
                        .body = body,
                        .idents = &x->due.ident,
                        .n = 1,
                        .dedupe_key = key,
                        .actor = CONVERGE_ACTOR,
                        .push = true,
                        .push_keep_s = c->conf->apns_expiration_s,
                        .now = now,
                        .outcomes = &outcome,
                        .enrollment_ids = &id};
    struct redemption_give g = {
        .item_id = x->due.item_id, .enrollment_id = x->due.enrollment_id, .e = &e, .now = now};
    if (o == OK)
        o = redemption_give(c->db, &g, err);
    if (o == NOT_FOUND) { /* it has such a command already, or has left */
        g.given = REDEMPTION_WAITING;
        o = OK;
    }
    if (o == OK)
        o = alarm_tell(c, x, &g, err);
    return o == OK ? note(c, x, &g, now, err) : o;
}
