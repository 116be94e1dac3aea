/*
 * webhook.h: addresses that are told what happens (store/event.h): what people see and change. What
 * the agent does with them: store/webhook_send.h. Changes are audited and noticed by the agent and
 * the workers within two seconds.
 */
#ifndef DROVER_STORE_WEBHOOK_H
#define DROVER_STORE_WEBHOOK_H

#include "store/event.h"

#define WEBHOOKS_MAX 32 /* each event is compared with each */
#define WEBHOOK_NAME_MAX 64
#define WEBHOOK_URL_MAX 1024

enum webhook_state { WEBHOOK_ACTIVE = 1, WEBHOOK_PAUSED, WEBHOOK_FAILED };
enum webhook_payload { WEBHOOK_NOTHING, WEBHOOK_STRIPPED, WEBHOOK_WHOLE };
enum delivery_state { DELIVERY_WAITS = 1, DELIVERY_DONE, DELIVERY_DEAD };

/* "active", "paused", "failed"; "none", "stripped", "whole"; "waits", "delivered", "dead". NULL,
 * and from a word -1: there is no such. */
const char *webhook_state_name(int state);
const char *webhook_payload_name(int payload);
int webhook_payload_read(const char *word);
const char *delivery_state_name(int state);
int delivery_state_read(const char *word);

struct webhook {
    int64_t id;
    const char *name, *url;
    int64_t wants; /* bits of enum event_topic, or EVENT_ALL and more */
    enum webhook_payload payload;
    struct bytes secret, secret_before; /* sealed, label WEBHOOK_SECRET and the id */
    int64_t secret_before_until;        /* 0: there is none */
    enum webhook_state state;
    int64_t state_at;
    const char *state_by, *state_why;
    int64_t failing_since; /* 0: it works */
    const char *failure;   /* "" */
    int64_t last_ok_at;    /* 0: never */
    int64_t version;
    int64_t created_at;
    const char *created_by;
    int64_t waiting, dead; /* deliveries; counted up to WEBHOOK_COUNT_MAX */
};
#define WEBHOOK_SECRET "WebhookSecret:%lld"
#define WEBHOOK_COUNT_MAX 1000

/* All, by name; in a. counts: fill waiting and dead too. */
enum outcome webhook_list(struct db *db, bool counts, struct arena *a, struct webhook **out,
                          size_t *n, struct err *err) MUST_USE;
/* NOT_FOUND. */
enum outcome webhook_get(struct db *db, int64_t id, struct arena *a, struct webhook *out,
                         struct err *err) MUST_USE;
/* w->id, name, url, wants, payload and secret are stored. CONFLICT: the name is taken, or there are
 * WEBHOOKS_MAX. detail: for the audit log. */
enum outcome webhook_add(struct db *db, const struct webhook *w, const char *by, const char *detail,
                         int64_t now, struct err *err) MUST_USE;
/* Name, url, wants and payload of one that is still as w->version says. CONFLICT: it is not, or the
 * name is taken. */
enum outcome webhook_change(struct db *db, const struct webhook *w, const char *by,
                            const char *detail, struct err *err) MUST_USE;
/* A new key; the one that was so far signs too until `until`. NOT_FOUND. */
enum outcome webhook_secret_set(struct db *db, const struct webhook *w, struct bytes secret,
                                int64_t until, const char *by, struct err *err) MUST_USE;
/* Pauses it, or lets it send again: what failed is forgotten then, and what waits is due at once.
 * NOT_FOUND; CONFLICT: it is so already. */
enum outcome webhook_pause(struct db *db, const struct webhook *w, const char *by, const char *why,
                           int64_t now, struct err *err) MUST_USE;
enum outcome webhook_resume(struct db *db, const struct webhook *w, const char *by, int64_t now,
                            struct err *err) MUST_USE;
/* With its deliveries; those left behind are purged. NOT_FOUND. */
enum outcome webhook_delete(struct db *db, const struct webhook *w, const char *by, const char *why,
                            struct err *err) MUST_USE;
/* An event of topic drover.Ping for this one alone; *event_id tells which. */
enum outcome webhook_ping(struct db *db, const struct webhook *w, const char *by, int64_t now,
                          int64_t *event_id, struct err *err) MUST_USE;

/* --- deliveries --- */

struct delivery {
    int64_t event_id, at; /* of the event */
    int topic;
    const char *ident; /* of the event; "" when it is about none */
    int state, attempts, status;
    const char *failure;               /* "" */
    int64_t asked_at, due_at, done_at; /* done_at 0: it is not done */
};
struct delivery_filter {
    int state;         /* 0: any */
    int topic;         /* -1: any */
    const char *ident; /* NULL: any */
};
/* At most max deliveries of a webhook, the newest event first, of events before `before` (0: from
 * the newest on); in a. */
enum outcome delivery_list(struct db *db, int64_t webhook_id, const struct delivery_filter *f,
                           int64_t before, size_t max, struct arena *a, struct delivery **out,
                           size_t *n, struct err *err) MUST_USE;

struct delivery_attempt {
    int64_t at, took_us;
    int status;
    const char *failure, *answer; /* "" */
};
#define ATTEMPTS_SHOWN 100
/* The latest attempts, the newest first; in a. */
enum outcome delivery_attempts(struct db *db, int64_t webhook_id, int64_t event_id, struct arena *a,
                               struct delivery_attempt **out, size_t *n, struct err *err) MUST_USE;

/* What is to be sent again: one event; or all that is dead; or all that is dead or was delivered,
 * of events from `from` to before `to`. */
struct replay {
    int64_t event_id;
    bool dead;
    int64_t from, to;
};
#define REPLAY_MAX 50000 /* in one call; the caller sees that there is more and calls again */
/* *n tells how many. NOT_FOUND: the one event is not there, or waits anyway. Audited. */
enum outcome webhook_replay(struct db *db, const struct webhook *w, const struct replay *r,
                            const char *by, int64_t now, size_t *n, struct err *err) MUST_USE;

#endif
