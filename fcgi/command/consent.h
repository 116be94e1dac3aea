/*
 * consent.h: sensitive commands that wait for a second person ([command] approval): asked for, and
 * queued once somebody else has approved them: for the HTTP API, the console and droverctl, in
 * which a request made in one is decided in any other.
 */
#ifndef DROVER_COMMAND_CONSENT_H
#define DROVER_COMMAND_CONSENT_H

#include "command/order.h"
#include "store/approval.h"

#define CONSENT_WHY_MAX 255u /* octets */
/* The key of a kept request that is about a command of a group (store/standing.h) and not about
 * devices: the id of that, as a string. */
#define CONSENT_STANDING "standing_order"

/* Whether the command is sensitive and the configuration asks for two. */
bool consent_needed(const struct conf *conf, const char *request_type);
/* Checks what can be, and keeps the order, sealed, until somebody else decides; *out is what was
 * stored. Outcomes as order_check(); ERROR, UNAVAILABLE: the key to seal with, the database. */
enum outcome consent_ask(struct db *db, const struct conf *conf, struct arena *a, const char *actor,
                         int64_t now, struct order *o, struct approval *out,
                         struct err *err) MUST_USE;

/* What was decided, and what came of it; in the arena. */
struct consent {
    struct approval approval;
    bool ran;           /* the order was queued: */
    struct order order; /* as order_run() leaves it, without its keys */
};
/* Decides, and queues what is approved. Who approved it and got no answer may ask again for a day:
 * nothing is queued twice. Outcomes of approval_decide() and order_run(); INVALID too: no reason,
 * or one that is too long, or the order has expired. */
enum outcome consent_decide(struct db *db, const struct conf *conf, struct arena *a, int64_t id,
                            bool approve, const char *by, const char *why, int64_t now,
                            struct consent *out, struct err *err) MUST_USE;

#endif
