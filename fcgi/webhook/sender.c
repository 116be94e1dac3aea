/* sender.c: see sender.h. The sender and its turns; the rest is said in sender_int.h. */
#include "webhook/sender_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "webhook/body.h"
#include "wire/sign.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_US SECOND_US             /* how often the list of webhooks is read */
#define LOOK_IDLE_US (10 * SECOND_US) /* and events, while there is no webhook */
#define RUN_MS 20
#define SLOW_US (200 * 1000) /* slower receivers get fewer claims, so that none runs out */
#define CLAIM_OCTETS (32u * LIM_MB)
#define BODY_MAX (40u * LIM_MB)

enum outcome webhook_sender_new(const struct conf *conf, struct db *db, struct webhook_sender **out,
                                struct err *err)
{
    struct webhook_sender *s = calloc(1, sizeof *s);
    enum outcome o;

    *out = NULL;
    if (s == NULL)
        return err_set(err, ERROR, "out of memory");
    s->conf = conf;
    s->db = db;
    s->tls = (struct https_tls){.ca_file = conf->webhook_ca};
    s->list_arena = arena_new(4 * LIM_MB);
    s->a = arena_new(96u * LIM_MB);
    s->done_arena = arena_new(LIM_MB);
    o = s->list_arena != NULL && s->a != NULL && s->done_arena != NULL
            ? https_new((size_t)conf->webhook_parallel, (size_t)conf->webhook_parallel, &s->https,
                        err)
            : err_set(err, ERROR, "out of memory");
    if (o != OK)
        webhook_sender_free(&s);
    *out = s;
    return o;
}

void webhook_sender_free(struct webhook_sender **sp)
{
    struct webhook_sender *s = *sp;

    if (s == NULL)
        return;
    https_free(&s->https);
    sender_hooks_free(s);
    arena_free(&s->list_arena);
    arena_free(&s->a);
    arena_free(&s->done_arena);
    free(s);
    *sp = NULL;
}

/* ---- claims become jobs ---- */

/* The message: without its secrets, or, where the webhook asks for them, as it came. */
static enum outcome payload_of(struct webhook_sender *s, const struct sender_hook *h,
                               const struct event_row *e, struct buf *opened, struct bytes *out,
                               struct err *err)
{
    enum outcome o = OK;

    (void)s;
    *out = h->w->payload == WEBHOOK_NOTHING ? bytes_of(NULL, 0) : e->raw;
    if (h->w->payload != WEBHOOK_WHOLE || e->sealed.n == 0)
        return OK;
    o = sign_unseal("EventPayload", e->ident, e->sealed, bytes_of(NULL, 0), "", opened, err);
    *out = buf_bytes(opened);
    return o;
}

static enum outcome job_body(struct webhook_sender *s, const struct sender_hook *h,
                             struct sender_job *j, struct err *err)
{
    struct buf opened = BUF_INIT(LIM_PROFILE);
    struct bytes payload;
    struct event_row e;
    enum outcome o = webhook_event_read(s->db, j->event_id, s->a, &e, err);

    buf_init(&j->body, BODY_MAX);
    if (o == OK)
        o = payload_of(s, h, &e, &opened, &payload, err);
    if (o == OK)
        o = webhook_body(&e, payload, &j->body, err);
    buf_wipe(&opened);
    return o;
}

/* One that cannot be made is dead, or, while a service is away, waits. */
static void job_make(struct webhook_sender *s, struct sender_hook *h, const struct webhook_claim *c,
                     int64_t claim_ends)
{
    struct sender_job *j = calloc(1, sizeof *j);
    struct err err = {0};
    enum outcome o;

    if (j == NULL)
        return; /* the claim ends */
    j->owner = s;
    j->hook_id = h->id;
    j->event_id = c->event_id;
    j->claim = c->claim;
    j->claim_ends = claim_ends;
    j->asked_at = c->asked_at;
    j->attempts = c->attempts;
    snprintf(j->url, sizeof j->url, "%s", h->w->url);
    o = job_body(s, h, j, &err);
    if (o == OK) {
        *h->last = j;
        h->last = &j->next;
        h->nready++;
        return;
    }
    struct webhook_result r = sender_result_of(j, false);
    log_err(LOG_LEVEL_WARNING, "webhook.unmade", &err);
    r.state = o == UNAVAILABLE ? DELIVERY_WAITS : DELIVERY_DEAD;
    r.delay_us = SENDER_BACKOFF_MIN;
    r.failure = err.msg;
    sender_result_add(s, &r);
    sender_job_free(j);
}

/* Time for what waits in line before it, and for itself. */
static int64_t claim_us(const struct webhook_sender *s)
{
    return (2 * s->conf->webhook_timeout_s + 5) * SECOND_US;
}

static enum outcome refill(struct webhook_sender *s, struct sender_hook *h, bool *busy,
                           struct err *err)
{
    size_t want = sender_hook_room(s, h), n = 0;
    struct webhook_claim *c;
    int64_t ends = clock_mono() + claim_us(s);
    enum outcome o;

    if (h->ready != NULL || want == 0 || !sender_may_send(s, h))
        return OK;
    if (h->fails == 0 && h->took_us < SLOW_US)
        want = LIM_BATCH;
    o = webhook_claim(s->db, h->id, want, CLAIM_OCTETS, claim_us(s), s->a, &c, &n, err);
    for (size_t i = 0; o == OK && i < n; i++)
        job_make(s, h, &c[i], ends);
    arena_wipe(s->a);
    *busy = *busy || n > 0;
    sender_launch(s, h);
    return o;
}

/* ---- turns ---- */

static enum outcome spread_all(struct webhook_sender *s, bool *busy, struct err *err)
{
    int64_t now = clock_mono();
    size_t n = 0;
    enum outcome o;

    if (s->nlist == 0 && now < s->next_spread)
        return OK;
    s->next_spread = now + LOOK_IDLE_US;
    o = webhook_spread(s->db, s->list, s->nlist, &n, err);
    *busy = *busy || n == WEBHOOK_SPREAD;
    return o;
}

static enum outcome pause_failed(struct webhook_sender *s, struct sender_hook *h, struct err *err)
{
    enum outcome o = OK;

    if (h->why[0] == '\0')
        return OK;
    if (h->w != NULL)
        o = webhook_fail(s->db, h->w, h->why, clock_now(), err);
    if (o == OK) {
        h->why[0] = '\0';
        s->next_list = 0;
    }
    return o;
}

static size_t flying(const struct webhook_sender *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->nhooks; i++)
        n += s->hooks[i]->flying;
    return n;
}

enum outcome webhook_sender_turn(struct webhook_sender *s, int64_t until, bool *busy,
                                 struct err *err)
{
    enum outcome o = OK;

    *busy = false;
    s->until = until;
    if (clock_mono() >= s->next_list) {
        o = sender_hooks_read(s, err);
        s->next_list = clock_mono() + LOOK_US;
    }
    if (o == OK)
        o = spread_all(s, busy, err);
    for (size_t i = 0; o == OK && i < s->nhooks; i++)
        o = refill(s, s->hooks[i], busy, err);
    if (flying(s) > 0) {
        https_run(s->https, RUN_MS);
        *busy = true;
    }
    if (o == OK)
        o = sender_results_record(s, err);
    for (size_t i = 0; o == OK && i < s->nhooks; i++)
        o = pause_failed(s, s->hooks[i], err);
    return o;
}

void webhook_sender_settle(struct webhook_sender *s, int grace_ms)
{
    int64_t end = clock_mono() + (int64_t)grace_ms * 1000;
    struct err err = {0};

    s->stopping = true;
    for (size_t i = 0; i < s->nhooks; i++)
        sender_give_back(s, s->hooks[i]);
    while (flying(s) > 0 && clock_mono() < end)
        https_run(s->https, RUN_MS);
    if (sender_results_record(s, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "webhook.unrecorded", &err);
    s->stopping = false;
}
