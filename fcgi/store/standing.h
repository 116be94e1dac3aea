/*
 * standing.h: standing orders: commands that the devices of a group get by themselves, once when
 * they come into the group, once when they enrol, or again and again. Which are in force is part of
 * the group's blueprint (store/blueprint.h); the agent works them off (library/converge.h).
 */
#ifndef DROVER_STORE_STANDING_H
#define DROVER_STORE_STANDING_H

#include "store/approval.h"
#include "store/queue.h"

#define STANDING_DAYS_MAX 3650
#define STANDING_NEVER INT64_MAX /* due_at of what does not come again */

enum standing_policy { STANDING_JOIN = 1, STANDING_ENROL, STANDING_EVERY };
/* "join", "enrol", "every"; "?" otherwise. And back; 0: no such word. */
const char *standing_policy_name(int policy);
int standing_policy_read(const char *word);

enum standing_state { STANDING_LIVE = 1, STANDING_WAITS, STANDING_OUT, STANDING_DRAFT };
/* "in-force", "waiting", "taken-out", "draft"; "?" otherwise. */
const char *standing_state_name(int state);

/* Of a device: how far it is. */
enum device_order_state {
    ORDER_PENDING = 1,
    ORDER_QUEUED,
    ORDER_DONE,
    ORDER_FAILED,
    ORDER_REFUSED,
    ORDER_WITHDRAWN,
    ORDER_WAITS, /* for a second person */
    ORDER__MAX
};
/* "pending", "queued", "done", "failed", "not-applicable", "withdrawn", "waiting-for-approval"; "?"
 * otherwise. */
const char *device_order_state_name(int state);
int device_order_state_read(const char *word);

/* Strings are "" and times 0 when absent. */
struct standing {
    int64_t id, group_id;
    const char *request_type;
    const char *keys;    /* JSON object; a mark stands for a secret */
    struct bytes sealed; /* the keys with the secrets; empty: there are none */
    int policy, every_days;
    const char *reason;
    int state;
    int64_t approval_id;
    int approval; /* enum approval_state of that; 0: none is asked for */
    int64_t created_at, changed_at;
    const char *created_by;
};

/* Stores one as a draft, in the caller's unit of work; s->id was made with id_new(), as keys are
 * sealed for it. */
enum outcome standing_add(struct db *db, const struct standing *s, const char *actor, int64_t now,
                          struct err *err) MUST_USE;
/* Sets the state of n of them that belong to the group; one that a second person has not approved
 * waits instead of being in force. In the caller's unit of work. */
enum outcome standing_set(struct db *db, int64_t group_id, const int64_t *ids, size_t n, int state,
                          int64_t now, struct arena *a, struct err *err) MUST_USE;
/* Those in force or waiting of a group (0: of all groups, at most LIM_PAGE). */
enum outcome standing_list(struct db *db, int64_t group_id, struct arena *a, struct standing **out,
                           size_t *n, struct err *err) MUST_USE;
/* The commands that are in force in a group, or (group_id 0) in those that find their devices by
 * that tag: what a device gets that comes in; of each its request_type and keys alone. */
enum outcome standing_in_force(struct db *db, int64_t group_id, const char *tag, struct arena *a,
                               struct standing **out, size_t *n, struct err *err) MUST_USE;
/* NOT_FOUND: there is none of that id in the group (0: in any). */
enum outcome standing_get(struct db *db, int64_t group_id, int64_t id, struct arena *a,
                          struct standing *out, struct err *err) MUST_USE;
/* ---- a second person (standing_ask.c) ----
 *
 * Who approves a command of a group approves it for the devices that are in the group then, and for
 * what they get it for then: a device that comes later, comes again or enrols anew waits for
 * another approval, which the agent asks for in the name of who brought it into the group: whoever
 * has put it there, or wrote the filter. An order has one open request for each of these at most.
 */

/* Asks for a second person's leave, in the caller's unit of work: x has id and expires_at, may have
 * asked_by (NULL: actor) and filed_by, the rest is filled in. */
enum outcome standing_ask(struct db *db, const struct standing *s, const struct approval *x,
                          const char *actor, int64_t now, struct err *err) MUST_USE;
/* Decides about a request x of a group (x->order_id), with all that comes of it, as one: approved,
 * the order is in force and the devices that wait get it; *covered: how many. Outcomes as
 * approval_decide(); CONFLICT too: the group has not that command any more, or devices came into
 * the group since d->seen_at. */
enum outcome standing_decide(struct db *db, const struct approval_decision *d,
                             const struct approval *x, uint64_t *covered, struct err *err) MUST_USE;
/* For whom a request of a group or of enrollments is or was approved, or would be now; page by page
 * as approval_targets(). None of one that was refused, or has expired, of a group. */
enum outcome standing_targets(struct db *db, const struct approval *x, int64_t after, size_t max,
                              struct arena *a, struct approval_target **out, size_t *n,
                              struct err *err) MUST_USE;
/* Sets the targets of n requests, of those of groups that wait: as many as there are now. */
enum outcome standing_targets_count(struct db *db, struct approval *x, size_t n, struct arena *a,
                                    struct err *err) MUST_USE;

/* ---- how far devices are ---- */

struct standing_progress {
    int64_t enrollment_id, order_id, group_id;
    const char *ident, *serial, *device_name, *group, *request_type;
    int policy, every_days, state, attempts;
    int64_t occasion, due_at, changed_at, done_at;
    const char *reason, *command_uuid;
};
/* Devices of an order (state 0: any) with ids above after; at most max (LIM_PAGE). */
enum outcome standing_devices(struct db *db, int64_t id, int state, int64_t after, size_t max,
                              struct arena *a, struct standing_progress **out, size_t *n,
                              struct err *err) MUST_USE;
/* Orders of a device. NOT_FOUND: no such enrollment. */
enum outcome standing_of_device(struct db *db, const char *ident, struct arena *a,
                                struct standing_progress **out, size_t *n,
                                struct err *err) MUST_USE;
/* How many devices of an order are in each state: counts[s]. Counted now; of an order with more
 * than STANDING_COUNT_NOW devices what the agent counted last, some seconds ago. */
#define STANDING_COUNT_NOW 10000
enum outcome standing_counts(struct db *db, int64_t id, struct arena *a, int64_t counts[ORDER__MAX],
                             struct err *err) MUST_USE;
/* Counts those orders again that were not for the longest time, for a tenth of a second. */
enum outcome standing_count_turn(struct db *db, int64_t now, struct err *err) MUST_USE;
/* Tries an order again at once on the devices where it failed or was refused (ident NULL), or on
 * one. *n: how many. */
enum outcome standing_retry(struct db *db, int64_t id, const char *ident, const char *actor,
                            int64_t now, uint64_t *n, struct err *err) MUST_USE;

/* ---- for the agent ---- */

/* A walk over all orders in force: devices that have an occasion which they have not got the
 * command for. Begin with the time alone; only: for that device alone. */
struct standing_walk {
    int64_t only, now;
    bool done;
    size_t changes;
    /* private */
    int64_t order, device;
};
enum outcome standing_plan(struct db *db, struct standing_walk *w, size_t max,
                           struct err *err) MUST_USE;

struct standing_due {
    int64_t enrollment_id, order_id, occasion;
    int state, attempts;
    const char *ident;
    bool wanted; /* in force, the device is enrolled and in the group */
};
/* At most max of those of a state that are due, those of one order together. */
enum outcome standing_due(struct db *db, int state, int64_t now, size_t max, struct arena *a,
                          struct standing_due **out, size_t *n, struct err *err) MUST_USE;
/* Notes a state, a time and a reason for n of them, unless they changed since they were read. */
enum outcome standing_note(struct db *db, const struct standing_due *const *d, size_t n, int state,
                           int64_t due_at, const char *reason, int64_t now, struct arena *a,
                           struct err *err) MUST_USE;
/* Queues one command for n of them (e without idents) and notes it, in one unit of work, with what
 * `also` does in it for those that took it (NULL: nothing): n enrollment ids with their idents.
 * Those that changed since they were read are left out. *queued: how many took it. */
typedef enum outcome standing_also_fn(struct db *db, void *arg, const int64_t *ids,
                                      const char *const *idents, size_t n, struct arena *a,
                                      struct err *err);
enum outcome standing_queue(struct db *db, const struct standing_due *const *d, size_t n,
                            struct enqueue *e, int64_t check_at, standing_also_fn *also, void *arg,
                            size_t *queued, struct err *err) MUST_USE;

/* Of n devices of one order, which ones a second person has approved it for: out[i]. */
enum outcome standing_approved(struct db *db, const struct standing_due *const *d, size_t n,
                               struct arena *a, bool *out, struct err *err) MUST_USE;
/* Notes for n of them that they wait for a second person, and are looked at again at due_at. */
enum outcome standing_wait(struct db *db, const struct standing_due *const *d, size_t n,
                           int64_t due_at, int64_t now, struct arena *a, struct err *err) MUST_USE;
/* Asks about the orders for which devices wait, or that wait themselves, and of which no request is
 * open; at most LIM_PAGE. *n: how many were asked about. */
enum outcome standing_request(struct db *db, const char *actor, int64_t expires_at, int64_t now,
                              size_t *n, struct err *err) MUST_USE;

/* A command of an order that is closed. */
struct standing_closed {
    int64_t enrollment_id, order_id, command_id, queued_at;
    int attempts, policy, every_days;
    int state;              /* enum queue_state; 0: neither open nor closed any more */
    const char *closed_why; /* "" */
    struct bytes report;    /* of an error */
    /* to be set by the caller */
    int next; /* enum device_order_state */
    int64_t due_at;
    const char *reason;
};
/* As wanted_closed() (store/wanted.h). */
enum outcome standing_closed(struct db *db, int64_t since, int64_t now, int64_t check_at,
                             size_t max, struct arena *a, struct standing_closed **out, size_t *n,
                             struct err *err) MUST_USE;
enum outcome standing_settle(struct db *db, const struct standing_closed *c, size_t n, int64_t now,
                             struct err *err) MUST_USE;

#endif
