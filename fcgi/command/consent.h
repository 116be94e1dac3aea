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
/* Whether the command is sensitive, of which the caller tells, and the configuration asks for two.
 */
bool consent_needed(const struct conf *conf, bool sensitive);
/* Checks what can be, and keeps the order, sealed, until somebody else decides; *out is what was
 * stored. Outcomes as order_check(); ERROR, UNAVAILABLE: the key to seal with, the database. */
enum outcome consent_ask(struct db *db, const struct conf *conf, struct arena *a, const char *actor,
                         int64_t now, struct order *o, struct approval *out,
                         struct err *err) MUST_USE;

/*
 * What is as sensitive as a command and none: a secret is told, an Activation Lock is taken off.
 * Approved, it is for who asked to do it, until the request is void.
 */
#define CONSENT_REVEAL "RevealSecret" /* and what is told, behind a space */
#define CONSENT_ESCROW "EscrowKeyUnlock"
#define CONSENT_DEED_MAX 64u /* octets of a name with what is behind it */
/* Whether a request is about one of these. */
bool consent_is_deed(const char *request_type);
/* Asks for it, unless it was asked for before, with the configuration's leave or that of a second
 * person. out->state: APPROVAL_APPROVED, it may be done (by leave of out->decided_by, "": nobody
 * had to be asked); APPROVAL_WAITS, out->id waits for somebody. INVALID: there is no such
 * enrollment. */
enum outcome consent_deed(struct db *db, const struct conf *conf, struct arena *a,
                          const char *actor, int64_t now, const char *name, const char *ident,
                          const char *reason, struct approval *out, struct err *err) MUST_USE;

/* What was decided, and what came of it; in the arena. */
struct consent {
    struct approval approval;
    bool repeated;      /* who approved it asks again: approval says when that was */
    bool ran;           /* the order was queued: */
    struct order order; /* as order_run() leaves it, without its keys */
};
/* Decides, and queues what is approved; of a group's command, lets it have the devices that are in
 * the group now (store/standing.h). Who approved it and got no answer may ask again for a day:
 * nothing is queued twice, nor written into the audit log. Outcomes of approval_decide(),
 * standing_decide() and order_run(), out->approval being set for CONFLICT too; INVALID too: no
 * reason, or one that is too long, or the order has expired. d->now and d->by are whose and when
 * this is. */
enum outcome consent_decide(struct db *db, const struct conf *conf, struct arena *a,
                            const struct approval_decision *d, struct consent *out,
                            struct err *err) MUST_USE;

#endif
