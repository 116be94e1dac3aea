/* sender_attempt.c: an attempt to send an event, and what comes of it: see sender_int.h. */
#include "webhook/sender_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "webhook/address.h"
#include "webhook/body.h"
#include "wire/encode.h"

#include <stdio.h>
#include <stdlib.h>

#define ANSWER_KEPT 255
#define BACKOFF_MAX HOUR_US
#define HELD_MAX (5 * MINUTE_US)

int64_t webhook_backoff(int n)
{
    int64_t us = SENDER_BACKOFF_MIN;

    for (int i = 1; i < n && us < BACKOFF_MAX; i++)
        us *= 2;
    return us < BACKOFF_MAX ? us : BACKOFF_MAX;
}

/* A fifth more or less, so that what failed together does not come back together. */
static int64_t jitter(int64_t us)
{
    return us - us / 5 + 2 * us / 5 * (random() % 1000) / 1000;
}

/* ---- results ---- */

enum outcome sender_results_record(struct webhook_sender *s, struct err *err)
{
    enum outcome o = s->ndone > 0 ? webhook_record(s->db, s->done, s->ndone, err) : OK;

    if (o == OK) {
        s->ndone = 0;
        arena_reset(s->done_arena);
    }
    return o;
}

void sender_result_add(struct webhook_sender *s, const struct webhook_result *r)
{
    struct err err = {0};

    if (s->ndone == LIM_BATCH && sender_results_record(s, &err) != OK) {
        log_err(LOG_LEVEL_WARNING, "webhook.unrecorded", &err);
        return;
    }
    s->done[s->ndone] = *r;
    if (r->failure != NULL)
        s->done[s->ndone].failure = arena_strdup(s->done_arena, r->failure);
    if (r->answer != NULL)
        s->done[s->ndone].answer = arena_strdup(s->done_arena, r->answer);
    s->ndone++;
}

struct webhook_result sender_result_of(const struct sender_job *j, bool tried)
{
    return (struct webhook_result){.webhook_id = j->hook_id,
                                   .event_id = j->event_id,
                                   .claim = j->claim,
                                   .tried = tried,
                                   .state = DELIVERY_WAITS,
                                   .at = j->began,
                                   .took_us = tried ? clock_mono() - j->began_mono : 0};
}

void sender_give_back(struct webhook_sender *s, struct sender_hook *h)
{
    struct sender_job *j;

    while ((j = h->ready) != NULL) {
        struct webhook_result r = sender_result_of(j, false);

        h->ready = j->next;
        sender_result_add(s, &r);
        sender_job_free(j);
    }
    h->last = &h->ready;
    h->nready = 0;
}

/* ---- one attempt ---- */

static bool went_well(const struct https_answer *a)
{
    return a->outcome == OK && a->status >= 200 && a->status < 300;
}

static void failure_text(const struct https_answer *a, char *out, size_t size)
{
    if (a->outcome != OK)
        snprintf(out, size, "%.200s", a->error);
    else if (a->status >= 300 && a->status < 400)
        snprintf(out, size, "it answered %d: redirects are not followed", a->status);
    else
        snprintf(out, size, "it answered %d", a->status);
}

/* The webhook as a whole, after one more failure. */
static void hook_failed(struct webhook_sender *s, struct sender_hook *h,
                        const struct https_answer *a, const char *text, int64_t now)
{
    struct err err = {0};
    int64_t hold = a->retry_after_s > 0 ? a->retry_after_s * SECOND_US : 0;
    bool first = h->failing_since == 0;

    if (hold > BACKOFF_MAX)
        hold = BACKOFF_MAX;
    if (++h->fails >= SENDER_HOLD_AFTER && hold == 0) {
        hold = jitter(webhook_backoff(h->fails - SENDER_HOLD_AFTER + 1));
        hold = hold < HELD_MAX ? hold : HELD_MAX;
    }
    if (hold > 0 && clock_mono() + hold > h->hold_until)
        h->hold_until = clock_mono() + hold;
    if (first)
        h->failing_since = now;
    if (a->outcome == OK && a->status == 410)
        snprintf(h->why, sizeof h->why, "it answered 410: nothing more is wanted there");
    else if (now - h->failing_since > s->conf->webhook_pause_s * SECOND_US)
        snprintf(h->why, sizeof h->why, "nothing has succeeded for too long; lastly: %.160s", text);
    if (!first && now - h->noted_at < SENDER_NOTE_US)
        return;
    h->noted_at = now;
    log_event(LOG_LEVEL_WARNING, "webhook.failing", "webhook", h->w != NULL ? h->w->name : "?",
              "why", text, NULL);
    if (webhook_note_failure(s->db, h->id, h->failing_since, text, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "webhook.note", &err);
}

static void hook_worked(struct webhook_sender *s, struct sender_hook *h, int64_t now)
{
    struct err err = {0};

    h->fails = 0;
    h->hold_until = 0;
    if (h->failing_since == 0 && now - h->noted_at < SENDER_NOTE_US)
        return;
    h->failing_since = 0;
    h->noted_at = now;
    if (webhook_note_ok(s->db, h->id, now, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "webhook.note", &err);
}

/* When it is tried again, or not. */
static void judge_failure(struct webhook_sender *s, const struct sender_job *j,
                          const struct https_answer *a, int64_t now, struct webhook_result *r)
{
    int64_t again = a->retry_after_s * SECOND_US;

    r->delay_us = jitter(webhook_backoff(j->attempts + 1));
    if (again > r->delay_us)
        r->delay_us = again < BACKOFF_MAX ? again : BACKOFF_MAX;
    if ((a->outcome == OK && a->status == 410) || j->attempts + 1 >= s->conf->webhook_attempts ||
        now + r->delay_us > j->asked_at + s->conf->webhook_give_up_s * SECOND_US)
        r->state = DELIVERY_DEAD;
}

static void on_done(const struct https_answer *a)
{
    struct sender_job *j = a->arg;
    struct webhook_sender *s = j->owner;
    struct sender_hook *h = sender_hook(s, j->hook_id);
    struct webhook_result r = sender_result_of(j, true);
    struct buf answer = BUF_INIT(4 * ANSWER_KEPT);
    char text[256] = "";
    int64_t now = clock_now();

    r.status = a->outcome == OK ? a->status : 0;
    if (a->outcome == OK)
        utf8_clean_add(&answer, a->body);
    r.answer = answer.len > 0 ? buf_cstr(&answer) : NULL;
    if (went_well(a)) {
        r.state = DELIVERY_DONE;
    } else {
        failure_text(a, text, sizeof text);
        r.failure = text;
        judge_failure(s, j, a, now, &r);
    }
    sender_result_add(s, &r);
    buf_free(&answer);
    if (h != NULL) {
        h->flying--;
        h->took_us = r.took_us;
        if (went_well(a))
            hook_worked(s, h, now);
        else
            hook_failed(s, h, a, text, now);
    }
    sender_job_free(j);
    if (h != NULL)
        sender_launch(s, h);
}

static bool admit(void *arg, const char *address)
{
    return webhook_address_allowed(arg, address);
}

static void header(struct sender_job *j, size_t i, const char *name, const char *value)
{
    snprintf(j->text[i], SENDER_HEADER_MAX, "%s: %s", name, value);
    j->headers[i] = j->text[i];
}

/* Each attempt is signed anew, with its own time. */
static size_t headers_make(struct sender_job *j, const struct sender_hook *h)
{
    struct buf sig = BUF_INIT(SENDER_HEADER_MAX - 32), own = BUF_INIT(64);
    int64_t now = j->began / SECOND_US;
    uint8_t mac[SHA256_LEN];
    char id[17], stamp[24], attempt[16];
    bool both = h->key[1].n > 0 && j->began < h->before_until;

    snprintf(id, sizeof id, "%016llx", (unsigned long long)j->event_id);
    snprintf(stamp, sizeof stamp, "%lld", (long long)now);
    snprintf(attempt, sizeof attempt, "%d", j->attempts + 1);
    webhook_signature(h->key, both ? 2 : 1, id, now, buf_bytes(&j->body), &sig);
    hmac_sha256(h->key[0], buf_bytes(&j->body), mac);
    base64_add(&own, bytes_of(mac, sizeof mac));
    header(j, 0, "Content-Type", "application/json; charset=utf-8");
    header(j, 1, "webhook-id", id);
    header(j, 2, "webhook-timestamp", stamp);
    header(j, 3, "webhook-signature", buf_cstr(&sig));
    header(j, 4, "X-Hmac-Signature", buf_cstr(&own)); /* as NanoMDM signs */
    header(j, 5, "X-Drover-Attempt", attempt);
    buf_free(&sig);
    buf_free(&own);
    return 6;
}

static bool launch(struct webhook_sender *s, struct sender_hook *h, struct sender_job *j)
{
    struct err err = {0};

    j->began = clock_now();
    j->began_mono = clock_mono();
    size_t n = headers_make(j, h);
    if (https_send(s->https,
                   &(struct https_request){.method = "POST",
                                           .url = j->url,
                                           .headers = j->headers,
                                           .nheaders = n,
                                           .body = buf_bytes(&j->body),
                                           .tls = &s->tls,
                                           .timeout_ms = s->conf->webhook_timeout_s * 1000,
                                           .answer_max = ANSWER_KEPT,
                                           .answer_cut = true,
                                           .admit = admit,
                                           .admit_arg = (void *)s->conf,
                                           .arg = j},
                   on_done, &err) == OK)
        return true;
    log_err(LOG_LEVEL_WARNING, "webhook.send", &err);
    return false;
}

bool sender_may_send(const struct webhook_sender *s, const struct sender_hook *h)
{
    return !s->stopping && h->w != NULL && h->version != 0 && h->w->state == WEBHOOK_ACTIVE &&
           h->why[0] == '\0' && clock_mono() >= h->hold_until && clock_mono() < s->until;
}

/* A claim must outlast the request. */
static bool in_time(const struct webhook_sender *s, const struct sender_job *j)
{
    return clock_mono() + s->conf->webhook_timeout_s * SECOND_US < j->claim_ends;
}

size_t sender_hook_room(const struct webhook_sender *s, const struct sender_hook *h)
{
    size_t max = h->fails >= SENDER_HOLD_AFTER ? 1 : (size_t)s->conf->webhook_parallel;

    return h->flying < max ? max - h->flying : 0;
}

void sender_launch(struct webhook_sender *s, struct sender_hook *h)
{
    if (!sender_may_send(s, h)) {
        sender_give_back(s, h);
        return;
    }
    while (h->ready != NULL && sender_hook_room(s, h) > 0) {
        struct sender_job *j = h->ready;

        if (!in_time(s, j)) {
            sender_give_back(s, h);
            return;
        }
        if ((h->ready = j->next) == NULL)
            h->last = &h->ready;
        h->nready--;
        if (launch(s, h, j)) {
            h->flying++;
            continue;
        }
        struct webhook_result r = sender_result_of(j, false);
        r.delay_us = SENDER_BACKOFF_MIN;
        sender_result_add(s, &r);
        sender_job_free(j);
    }
}
