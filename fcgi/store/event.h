/*
 * event.h: what happens, for those who want to be told (store/webhook.h). An event is a row that is
 * written in the transaction of what caused it, and only where a webhook wants its topic; the agent
 * then makes deliveries of it.
 */
#ifndef DROVER_STORE_EVENT_H
#define DROVER_STORE_EVENT_H

#include "store/db.h"
#include "store/ident.h"

#include <stdatomic.h>

/* The number stands in the database, as a bit of webhook.wants: none is ever given again. */
enum event_topic {
    EVENT_AUTHENTICATE = 0,
    EVENT_TOKEN_UPDATE = 1,
    EVENT_CHECK_OUT = 2,
    EVENT_USER_AUTHENTICATE = 3,
    EVENT_SET_BOOTSTRAP_TOKEN = 4,
    EVENT_GET_BOOTSTRAP_TOKEN = 5,
    EVENT_CONNECT = 6, /* a report with a Status but Idle */
    EVENT_COMMAND_FINISHED = 7,
    EVENT_DEVICE_INACTIVE = 8,
    EVENT_DEVICE_RETURNED = 9,
    EVENT_DEVICE_UNKNOWN = 10,
    EVENT_CERTIFICATE_EXPIRING = 11,
    EVENT_ALARM = 12,
    EVENT_PING = 13,        /* asked for; whatever the webhook wants */
    EVENT_CONNECT_IDLE = 62 /* mdm.Connect of a poll: not part of "*" */
};

/* A topic as people and receivers call it. */
struct event_name {
    enum event_topic topic;
    const char *name;   /* "mdm.Connect": in the event's JSON */
    const char *filter; /* what a webhook asks for: the same but for "mdm.Connect/Idle" */
};
extern const struct event_name event_names[];
extern const size_t event_names_n;
/* NULL: no such topic. */
const struct event_name *event_name_of(int topic);
const struct event_name *event_name_find(const char *filter);

/* All topics, those to come too, without CONNECT_IDLE. */
#define EVENT_ALL (INT64_MAX & ~(INT64_C(1) << EVENT_CONNECT_IDLE))
static inline int64_t event_bit(enum event_topic t)
{
    return INT64_C(1) << t;
}

/* Which topics any webhook wants; and of these, for which any wants the message, and the message
 * with its secrets. A worker keeps it and reads it anew every few seconds. */
struct event_wants {
    _Atomic int64_t told, payload, whole;
};
enum outcome event_wants_read(struct db *db, struct event_wants *out, struct err *err) MUST_USE;
/* NULL: nothing is wanted. */
static inline bool event_wanted(const struct event_wants *w, enum event_topic t)
{
    return w != NULL && (atomic_load_explicit(&w->told, memory_order_relaxed) & event_bit(t)) != 0;
}
static inline bool event_payload_wanted(const struct event_wants *w, enum event_topic t)
{
    return (atomic_load_explicit(&w->payload, memory_order_relaxed) & event_bit(t)) != 0;
}
static inline bool event_whole_wanted(const struct event_wants *w, enum event_topic t)
{
    return (atomic_load_explicit(&w->whole, memory_order_relaxed) & event_bit(t)) != 0;
}

struct event {
    enum event_topic topic;
    int64_t at;
    int64_t enrollment_id; /* 0: it is about none */
    const char *ident;     /* "" or NULL: none */
    int kind;
    int64_t tally_life_id; /* of a TokenUpdate: the life whose tally is told; 0: none */
    const char *status, *command_uuid, *query; /* NULL: none */
    const char *facts;                         /* a JSON object; NULL: none */
    struct bytes raw, sealed;                  /* empty: none */
};

#define EVENT_SEALED "EventPayload:%s" /* the label of `sealed`: the enrollment's ident */

/* Adds n events (at most LIM_BATCH) that somebody is known to want, within the caller's unit. */
enum outcome event_add(struct db *db, const struct event *const *e, size_t n,
                       struct err *err) MUST_USE;
/* Adds one if any webhook wants its topic: the statement itself looks. */
enum outcome event_add_wanted(struct db *db, const struct event *e, struct err *err) MUST_USE;

/* Does any webhook want the topic? */
enum outcome event_any_wants(struct db *db, enum event_topic topic, struct arena *a, bool *yes,
                             struct err *err) MUST_USE;

/* Commands that have ended: n pairs of enrollment.id and command.id, whose results are written.
 * Within the caller's unit; one look where nobody wants it. errors: the ErrorChains too, which the
 * agent reads alone. A late report of a cancelled command ends it once more. */
enum outcome event_commands_finished(struct db *db, const struct val *pairs, size_t n, int64_t now,
                                     bool errors, struct arena *a, struct err *err) MUST_USE;

/* Something needs a person and is audited and logged by the caller: the event alone. */
enum outcome event_alarm_tell(struct db *db, const char *kind, const char *about, const char *text,
                              int64_t now, struct err *err) MUST_USE;
/* Something needs a person: an event of EVENT_ALARM, an audit entry "alarm.KIND" and a line in the
 * log. by: the rule ("rule:webhook"); about: what it is about; text: what is wrong and what helps,
 * in words. Within the caller's unit, if there is one. */
enum outcome event_alarm(struct db *db, const char *by, const char *kind, const char *about,
                         const char *text, int64_t now, struct err *err) MUST_USE;

#endif
