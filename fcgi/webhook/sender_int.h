/*
 * sender_int.h: what the files of the sender share: sender.c, its turns, in which what is claimed
 * becomes jobs; sender_attempt.c, an attempt and what comes of it; sender_hooks.c, the webhooks
 * with their keys.
 */
#ifndef DROVER_WEBHOOK_SENDER_INT_H
#define DROVER_WEBHOOK_SENDER_INT_H

#include "base/limits.h"
#include "store/webhook.h"
#include "store/webhook_send.h"
#include "webhook/edit.h"
#include "webhook/sender.h"
#include "wire/https.h"

#define SENDER_KEYS 2
#define SENDER_HEADERS 7
#define SENDER_HEADER_MAX 320
#define SENDER_HOLD_AFTER 3 /* failures in a row after which a webhook is asked less often */
#define SENDER_NOTE_US MINUTE_US
#define SENDER_BACKOFF_MIN (5 * SECOND_US)

/* An event on its way to one webhook. */
struct sender_job {
    struct sender_job *next;
    struct webhook_sender *owner;
    int64_t hook_id, event_id, claim, claim_ends; /* claim_ends: clock_mono() */
    int64_t asked_at, began, began_mono;
    int attempts;
    struct buf body;
    char url[WEBHOOK_URL_MAX + 1];
    char text[SENDER_HEADERS][SENDER_HEADER_MAX];
    const char *headers[SENDER_HEADERS];
};

struct sender_hook {
    const struct webhook *w; /* in the sender's list */
    int64_t id, version;     /* version 0: the keys could not be opened */
    struct bytes key[SENDER_KEYS];
    uint8_t octets[SENDER_KEYS][WEBHOOK_KEY_MAX];
    int64_t before_until;
    struct sender_job *ready, **last;
    size_t nready, flying;
    int fails;                       /* in a row */
    int64_t hold_until, took_us;     /* clock_mono(); how long the last answer took */
    int64_t failing_since, noted_at; /* clock_now() */
    bool gone;
    char why[256]; /* it is to be paused; "": it is not */
};

struct webhook_sender {
    const struct conf *conf;
    struct db *db;
    struct https *https;
    struct https_tls tls;
    struct arena *list_arena, *a;
    struct webhook *list;
    size_t nlist;
    struct sender_hook *hooks[WEBHOOKS_MAX];
    size_t nhooks;
    int64_t next_list, next_spread, until;
    struct webhook_result done[LIM_BATCH];
    struct arena *done_arena;
    size_t ndone;
    bool stopping;
};

/* ---- sender_hooks.c ---- */

/* NULL: there is none of this id. */
struct sender_hook *sender_hook(struct webhook_sender *s, int64_t id);
/* Reads the list of webhooks anew and opens the keys of those that are new or were changed. */
enum outcome sender_hooks_read(struct webhook_sender *s, struct err *err) MUST_USE;
/* Frees all webhooks and what lies ready for them. */
void sender_hooks_free(struct webhook_sender *s);
void sender_job_free(struct sender_job *j);

/* ---- sender_attempt.c ---- */

/* May something be sent to it now? */
bool sender_may_send(const struct webhook_sender *s, const struct sender_hook *h);
/* How many more may be under way to it at once. */
size_t sender_hook_room(const struct webhook_sender *s, const struct sender_hook *h);
/* Sends what lies ready, as far as there is room; gives it back when nothing may be sent. */
void sender_launch(struct webhook_sender *s, struct sender_hook *h);
/* What was claimed and not sent. */
void sender_give_back(struct webhook_sender *s, struct sender_hook *h);
/* The result of a job that waits on; tried: it was sent. */
struct webhook_result sender_result_of(const struct sender_job *j, bool tried);
/* One that finds no room is recorded at once; if that fails, its claim ends and it is sent again.
 */
void sender_result_add(struct webhook_sender *s, const struct webhook_result *r);
/* Writes the results that have gathered. */
enum outcome sender_results_record(struct webhook_sender *s, struct err *err) MUST_USE;

#endif
