/*
 * order.h: a command by its name for many enrollments, from checking to queueing: for the HTTP API
 * and droverctl. What is right for one device may be wrong for the next: each gets its outcome.
 */
#ifndef DROVER_COMMAND_ORDER_H
#define DROVER_COMMAND_ORDER_H

#include "command/checked.h"
#include "command/send.h"
#include "command/sensitive.h"

#define ORDER_IDS_MAX 100000u    /* enrollments of one order */
#define ORDER_SENSITIVE_MAX 500u /* and of a sensitive one */
#define ORDER_REASON_MAX 255u    /* octets */

/* Enrollments that get one and the same command. */
struct order_part {
    struct raw_command command;
    const char *dropped; /* as checked_group.dropped */
    const char **idents;
    size_t n;
    size_t forced;            /* of these it is wrong for so many: they get it by force, */
    const char *forced_first; /* one of which is this */
    struct sending send;      /* what became of each */
};

struct order {
    /* in */
    const char *request_type;
    js keys; /* NULL: none */
    const char *const *ids;
    size_t n;
    bool force, push;
    bool no_wait; /* as in struct sending */
    int priority;
    int64_t not_before, expires_at; /* 0: none */
    const char *dedupe_key;
    enum dedupe dedupe;
    const char *reason; /* NULL: none */
    int64_t retry_of;   /* the id of the command in whose place it is sent; 0: none */
    bool approved;      /* by a second person */
    const char *seed;   /* CommandUUIDs are made of it, so that a repeated order is the same; NULL:
                         * random ones */
    /* out, in the arena */
    bool sensitive;
    struct checked checked; /* groups[i]->found has errors: these were refused, unless force */
    struct order_part *parts;
    size_t nparts;
    bool repeated; /* with a seed: it was queued before */
};

/* Whether it is a sensitive command: command_sensitive(). */
bool order_sensitive(struct db *db, const struct conf *conf, struct arena *a,
                     const struct order *o);
#define ORDER_NO_SCOPE                                                                             \
    "%s is a sensitive command: the API key lacks the scope \"sensitive\"" /* its type */

/* The ids of an order that was checked for which there is no enrollment, in the arena; for each of
 * them ORDER_UNKNOWN_ID is to be told. False: no memory. */
#define ORDER_UNKNOWN_ID "unknown enrollment id"
bool order_unknown(struct arena *a, const struct order *o, const char ***out, size_t *n) MUST_USE;
/* The first half of order_run(): checks it, and sends nothing; INVALID as there, and when it is
 * right for none of them. */
enum outcome order_check(struct db *db, const struct conf *conf, struct arena *a, struct order *o,
                         struct err *err) MUST_USE;
/* Checks it for o->ids and sorts those for whom it is right into o->parts, without a word about who
 * may send it: for what sends it in another way. Outcomes as command_checked(). */
enum outcome order_parts(struct db *db, struct arena *a, struct order *o, struct err *err) MUST_USE;
/* A PIN that a command sets is needed to unlock the device later: it is kept, sealed. Nothing for a
 * command without one. */
enum outcome order_keep_pin(struct db *db, const struct conf *conf, struct arena *a,
                            const struct order *o, int64_t enrollment_id, const char *ident,
                            int64_t now, struct err *err) MUST_USE;
/* Checks it and queues it for those for whom it is right; with force for all, which is audited.
 * INVALID: it cannot be made (checked.built says why), a sensitive one has no reason or goes to too
 * many; UNAVAILABLE: the database or the signer is away. Otherwise OK: parts and checked.groups say
 * what became of each; ids that stand in neither are unknown. */
enum outcome order_run(struct db *db, const struct conf *conf, struct arena *a, const char *actor,
                       int64_t now, struct order *o, struct err *err) MUST_USE;

#endif
