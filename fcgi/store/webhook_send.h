/*
 * webhook_send.h: the agent's side of webhooks: deliveries are made of events, claimed, and
 * recorded. A claim is good until a moment of the database's clock; who has it sends, and nobody
 * else does until then, so two agents never send the same at once. One that dies between sending
 * and recording leaves a claim that ends: the event is sent twice and has one event_id.
 */
#ifndef DROVER_STORE_WEBHOOK_SEND_H
#define DROVER_STORE_WEBHOOK_SEND_H

#include "store/webhook.h"

#define WEBHOOK_SPREAD 500 /* events of one transaction */
/* An event that failed so often no longer holds up those of its enrollment that came after it. */
#define WEBHOOK_ORDER_TRIES 5

/* Makes the deliveries of at most WEBHOOK_SPREAD events; those that nobody wants are deleted. *n:
 * how many there were. */
enum outcome webhook_spread(struct db *db, const struct webhook *hooks, size_t nhooks, size_t *n,
                            struct err *err) MUST_USE;

struct webhook_claim {
    int64_t event_id, claim;
    int attempts; /* before this one */
    int64_t asked_at;
    int64_t now; /* the database's clock */
    size_t size; /* of the event's message */
};
/* Claims at most max (LIM_BATCH) due deliveries of a webhook for claim_us, the longest due first,
 * of each enrollment its first alone; messages of together at most size_max, but for one alone. In
 * a. */
enum outcome webhook_claim(struct db *db, int64_t webhook_id, size_t max, size_t size_max,
                           int64_t claim_us, struct arena *a, struct webhook_claim **out, size_t *n,
                           struct err *err) MUST_USE;

/* An event as it is stored. */
struct event_row {
    int64_t id, at;
    int topic, kind;
    const char *ident, *status, *command_uuid, *query, *facts; /* "" when there is none */
    int64_t tally;                                             /* 0: none */
    struct bytes raw, sealed;
};
/* NOT_FOUND: it was purged meanwhile. In a. */
enum outcome webhook_event_read(struct db *db, int64_t id, struct arena *a, struct event_row *out,
                                struct err *err) MUST_USE;

/* How a claimed delivery ended. */
struct webhook_result {
    int64_t webhook_id, event_id, claim;
    bool tried; /* false: the claim is given back */
    enum delivery_state state;
    int64_t delay_us;    /* with DELIVERY_WAITS: until the next attempt */
    int64_t at, took_us; /* of the attempt */
    int status;
    const char *failure, *answer; /* NULL: none */
};
/* Records at most LIM_BATCH of them in one transaction. A claim that is over changes nothing but
 * the list of attempts. */
enum outcome webhook_record(struct db *db, const struct webhook_result *r, size_t n,
                            struct err *err) MUST_USE;

/* How the webhook itself is doing. */
enum outcome webhook_note_ok(struct db *db, int64_t id, int64_t now, struct err *err) MUST_USE;
enum outcome webhook_note_failure(struct db *db, int64_t id, int64_t since, const char *failure,
                                  struct err *err) MUST_USE;
/* Pauses it by rule, with an alarm, unless it is paused already. */
enum outcome webhook_fail(struct db *db, const struct webhook *w, const char *why, int64_t now,
                          struct err *err) MUST_USE;
/* Forgets keys that have ended. */
enum outcome webhook_keys_end(struct db *db, int64_t now, struct err *err) MUST_USE;

/* Gives up what was asked for before that moment, at most LIM_PAGE at a time. */
enum outcome webhook_bury(struct db *db, int64_t before, size_t *n, struct err *err) MUST_USE;
/* Deletes deliveries that were done before that moment, their attempts, and events that nobody is
 * told of any more; at most max of each. */
enum outcome webhook_purge(struct db *db, int64_t before, size_t max, size_t *n,
                           struct err *err) MUST_USE;

#endif
