/* sender.c: see sender.h. */
#include "webhook/sender.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "webhook/address.h"
#include "webhook/body.h"
#include "webhook/edit.h"
#include "wire/encode.h"
#include "wire/https.h"
#include "wire/sign.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_US SECOND_US /* how often the list of webhooks is read */
#define LOOK_IDLE_US                                                                               \
    (10 * SECOND_US) /* and how often events are looked for while there is none                    \
                      */
#define RUN_MS 20
#define SLOW_US (200 * 1000) /* slower receivers get fewer claims, so that none runs out */
#define CLAIM_OCTETS (32u * LIM_MB)
#define BODY_MAX (40u * LIM_MB)
#define ANSWER_KEPT 255
#define BACKOFF_MIN (5 * SECOND_US)
#define BACKOFF_MAX HOUR_US
#define HELD_MAX (5 * MINUTE_US)
#define HOLD_AFTER 3 /* failures in a row after which a webhook is asked less often */
#define NOTE_US MINUTE_US
#define KEYS 2
#define HEADERS 7
#define HEADER_MAX 320

/* An event on its way to one webhook. */
struct job {
    struct job *next;
    struct webhook_sender *owner;
    int64_t hook_id, event_id, claim, claim_ends; /* claim_ends: clock_mono() */
    int64_t asked_at, began, began_mono;
    int attempts;
    struct buf body;
    char url[WEBHOOK_URL_MAX + 1];
    char text[HEADERS][HEADER_MAX];
    const char *headers[HEADERS];
};

struct hook {
    const struct webhook *w; /* in the sender's list */
    int64_t id, version;     /* version 0: the keys could not be opened */
    struct bytes key[KEYS];
    uint8_t octets[KEYS][WEBHOOK_KEY_MAX];
    int64_t before_until;
    struct job *ready, **last;
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
    struct hook *hooks[WEBHOOKS_MAX];
    size_t nhooks;
    int64_t next_list, next_spread, until;
    struct webhook_result done[LIM_BATCH];
    struct arena *done_arena;
    size_t ndone;
    bool stopping;
};

int64_t webhook_backoff(int n)
{
    int64_t us = BACKOFF_MIN;

    for (int i = 1; i < n && us < BACKOFF_MAX; i++)
        us *= 2;
    return us < BACKOFF_MAX ? us : BACKOFF_MAX;
}

/* A fifth more or less, so that what failed together does not come back together. */
static int64_t jitter(int64_t us)
{
    return us - us / 5 + 2 * us / 5 * (random() % 1000) / 1000;
}

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

static void job_free(struct job *j)
{
    buf_wipe(&j->body);
    free(j);
}

static void hook_free(struct hook *h)
{
    struct job *j;

    while ((j = h->ready) != NULL) {
        h->ready = j->next;
        job_free(j);
    }
    secret_wipe(h->octets, sizeof h->octets);
    free(h);
}

void webhook_sender_free(struct webhook_sender **sp)
{
    struct webhook_sender *s = *sp;

    if (s == NULL)
        return;
    https_free(&s->https);
    for (size_t i = 0; i < s->nhooks; i++)
        hook_free(s->hooks[i]);
    arena_free(&s->list_arena);
    arena_free(&s->a);
    arena_free(&s->done_arena);
    free(s);
    *sp = NULL;
}

static struct hook *hook_of(struct webhook_sender *s, int64_t id)
{
    for (size_t i = 0; i < s->nhooks; i++)
        if (s->hooks[i]->id == id)
            return s->hooks[i];
    return NULL;
}

/* ---- the list of webhooks ---- */

static enum outcome key_open(struct webhook_sender *s, struct hook *h, size_t i,
                             struct bytes sealed, struct err *err)
{
    struct buf key = BUF_INIT(WEBHOOK_KEY_MAX);
    struct bytes octets = {0};
    char owner[24];
    enum outcome o;

    snprintf(owner, sizeof owner, "%lld", (long long)h->id);
    o = sign_unseal("WebhookSecret", owner, sealed, bytes_of(NULL, 0), "", &key, err);
    if (o == OK)
        o = webhook_key_octets(buf_cstr(&key), s->a, &octets, err);
    if (o == OK) {
        memcpy(h->octets[i], octets.p, octets.n);
        h->key[i] = bytes_of(h->octets[i], octets.n);
    }
    buf_wipe(&key);
    arena_wipe(s->a);
    return o;
}

/* The keys of a webhook that is new or was changed. */
static void keys_open(struct webhook_sender *s, struct hook *h)
{
    struct err err = {0};
    enum outcome o = key_open(s, h, 0, h->w->secret, &err);

    h->key[1] = bytes_of(NULL, 0);
    h->before_until = h->w->secret_before_until;
    if (o == OK && h->w->secret_before.n > 0)
        o = key_open(s, h, 1, h->w->secret_before, &err);
    if (o == OK)
        h->version = h->w->version;
    else if (clock_now() - h->noted_at > NOTE_US) {
        h->noted_at = clock_now();
        log_err(LOG_LEVEL_WARNING, "webhook.key", &err);
    }
}

static enum outcome hook_take(struct webhook_sender *s, const struct webhook *w, struct err *err)
{
    struct hook *h = hook_of(s, w->id);

    if (h == NULL) {
        if (s->nhooks == WEBHOOKS_MAX || (h = calloc(1, sizeof *h)) == NULL)
            return err_set(err, ERROR, "no room for another webhook");
        h->id = w->id;
        h->last = &h->ready;
        s->hooks[s->nhooks++] = h;
    }
    h->w = w;
    h->gone = false;
    h->failing_since = w->failing_since;
    if (h->version == w->version)
        return OK;
    h->fails = 0; /* somebody has changed it: try again */
    h->hold_until = 0;
    h->version = 0;
    keys_open(s, h);
    return OK;
}

static void hooks_sweep(struct webhook_sender *s)
{
    for (size_t i = 0; i < s->nhooks;) {
        struct hook *h = s->hooks[i];

        if (!h->gone || h->flying > 0) {
            i++;
            continue;
        }
        hook_free(h);
        s->hooks[i] = s->hooks[--s->nhooks];
    }
}

static enum outcome list_read(struct webhook_sender *s, struct err *err)
{
    enum outcome o;

    for (size_t i = 0; i < s->nhooks; i++) {
        s->hooks[i]->gone = true;
        s->hooks[i]->w = NULL;
    }
    s->nlist = 0;
    arena_reset(s->list_arena);
    o = webhook_list(s->db, false, s->list_arena, &s->list, &s->nlist, err);
    for (size_t i = 0; o == OK && i < s->nlist; i++)
        o = hook_take(s, &s->list[i], err);
    if (o == OK)
        hooks_sweep(s);
    return o;
}

/* ---- results ---- */

static enum outcome results_record(struct webhook_sender *s, struct err *err)
{
    enum outcome o = s->ndone > 0 ? webhook_record(s->db, s->done, s->ndone, err) : OK;

    if (o == OK) {
        s->ndone = 0;
        arena_reset(s->done_arena);
    }
    return o;
}

/* One that finds no room is recorded at once; if that fails, its claim ends and it is sent again.
 */
static void result_add(struct webhook_sender *s, const struct webhook_result *r)
{
    struct err err = {0};

    if (s->ndone == LIM_BATCH && results_record(s, &err) != OK) {
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

static struct webhook_result result_of(const struct job *j, bool tried)
{
    return (struct webhook_result){.webhook_id = j->hook_id,
                                   .event_id = j->event_id,
                                   .claim = j->claim,
                                   .tried = tried,
                                   .state = DELIVERY_WAITS,
                                   .at = j->began,
                                   .took_us = tried ? clock_mono() - j->began_mono : 0};
}

/* What was claimed and not sent. */
static void give_back(struct webhook_sender *s, struct hook *h)
{
    struct job *j;

    while ((j = h->ready) != NULL) {
        struct webhook_result r = result_of(j, false);

        h->ready = j->next;
        result_add(s, &r);
        job_free(j);
    }
    h->last = &h->ready;
    h->nready = 0;
}

/* ---- one attempt ---- */

static void launch_more(struct webhook_sender *s, struct hook *h);

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
static void hook_failed(struct webhook_sender *s, struct hook *h, const struct https_answer *a,
                        const char *text, int64_t now)
{
    struct err err = {0};
    int64_t hold = a->retry_after_s > 0 ? a->retry_after_s * SECOND_US : 0;
    bool first = h->failing_since == 0;

    if (hold > BACKOFF_MAX)
        hold = BACKOFF_MAX;
    if (++h->fails >= HOLD_AFTER && hold == 0) {
        hold = jitter(webhook_backoff(h->fails - HOLD_AFTER + 1));
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
    if (!first && now - h->noted_at < NOTE_US)
        return;
    h->noted_at = now;
    log_event(LOG_LEVEL_WARNING, "webhook.failing", "webhook", h->w != NULL ? h->w->name : "?",
              "why", text, NULL);
    if (webhook_note_failure(s->db, h->id, h->failing_since, text, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "webhook.note", &err);
}

static void hook_worked(struct webhook_sender *s, struct hook *h, int64_t now)
{
    struct err err = {0};

    h->fails = 0;
    h->hold_until = 0;
    if (h->failing_since == 0 && now - h->noted_at < NOTE_US)
        return;
    h->failing_since = 0;
    h->noted_at = now;
    if (webhook_note_ok(s->db, h->id, now, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "webhook.note", &err);
}

/* When it is tried again, or not. */
static void judge_failure(struct webhook_sender *s, const struct job *j,
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
    struct job *j = a->arg;
    struct webhook_sender *s = j->owner;
    struct hook *h = hook_of(s, j->hook_id);
    struct webhook_result r = result_of(j, true);
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
    result_add(s, &r);
    buf_free(&answer);
    if (h != NULL) {
        h->flying--;
        h->took_us = r.took_us;
        if (went_well(a))
            hook_worked(s, h, now);
        else
            hook_failed(s, h, a, text, now);
    }
    job_free(j);
    if (h != NULL)
        launch_more(s, h);
}

static bool admit(void *arg, const char *address)
{
    return webhook_address_allowed(arg, address);
}

static void header(struct job *j, size_t i, const char *name, const char *value)
{
    snprintf(j->text[i], HEADER_MAX, "%s: %s", name, value);
    j->headers[i] = j->text[i];
}

/* Each attempt is signed anew, with its own time. */
static size_t headers_make(struct job *j, const struct hook *h)
{
    struct buf sig = BUF_INIT(HEADER_MAX - 32), own = BUF_INIT(64);
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

static bool launch(struct webhook_sender *s, struct hook *h, struct job *j)
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

static bool may_send(const struct webhook_sender *s, const struct hook *h)
{
    return !s->stopping && h->w != NULL && h->version != 0 && h->w->state == WEBHOOK_ACTIVE &&
           h->why[0] == '\0' && clock_mono() >= h->hold_until && clock_mono() < s->until;
}

/* A claim must outlast the request. */
static bool in_time(const struct webhook_sender *s, const struct job *j)
{
    return clock_mono() + s->conf->webhook_timeout_s * SECOND_US < j->claim_ends;
}

static size_t room(const struct webhook_sender *s, const struct hook *h)
{
    size_t max = h->fails >= HOLD_AFTER ? 1 : (size_t)s->conf->webhook_parallel;

    return h->flying < max ? max - h->flying : 0;
}

static void launch_more(struct webhook_sender *s, struct hook *h)
{
    if (!may_send(s, h)) {
        give_back(s, h);
        return;
    }
    while (h->ready != NULL && room(s, h) > 0) {
        struct job *j = h->ready;

        if (!in_time(s, j)) {
            give_back(s, h);
            return;
        }
        if ((h->ready = j->next) == NULL)
            h->last = &h->ready;
        h->nready--;
        if (launch(s, h, j)) {
            h->flying++;
            continue;
        }
        struct webhook_result r = result_of(j, false);
        r.delay_us = BACKOFF_MIN;
        result_add(s, &r);
        job_free(j);
    }
}

/* ---- claims become jobs ---- */

/* The message: without its secrets, or, where the webhook asks for them, as it came. */
static enum outcome payload_of(struct webhook_sender *s, const struct hook *h,
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

static enum outcome job_body(struct webhook_sender *s, const struct hook *h, struct job *j,
                             struct err *err)
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
static void job_make(struct webhook_sender *s, struct hook *h, const struct webhook_claim *c,
                     int64_t claim_ends)
{
    struct job *j = calloc(1, sizeof *j);
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
    struct webhook_result r = result_of(j, false);
    log_err(LOG_LEVEL_WARNING, "webhook.unmade", &err);
    r.state = o == UNAVAILABLE ? DELIVERY_WAITS : DELIVERY_DEAD;
    r.delay_us = BACKOFF_MIN;
    r.failure = err.msg;
    result_add(s, &r);
    job_free(j);
}

/* Time for what waits in line before it, and for itself. */
static int64_t claim_us(const struct webhook_sender *s)
{
    return (2 * s->conf->webhook_timeout_s + 5) * SECOND_US;
}

static enum outcome refill(struct webhook_sender *s, struct hook *h, bool *busy, struct err *err)
{
    size_t want = room(s, h), n = 0;
    struct webhook_claim *c;
    int64_t ends = clock_mono() + claim_us(s);
    enum outcome o;

    if (h->ready != NULL || want == 0 || !may_send(s, h))
        return OK;
    if (h->fails == 0 && h->took_us < SLOW_US)
        want = LIM_BATCH;
    o = webhook_claim(s->db, h->id, want, CLAIM_OCTETS, claim_us(s), s->a, &c, &n, err);
    for (size_t i = 0; o == OK && i < n; i++)
        job_make(s, h, &c[i], ends);
    arena_wipe(s->a);
    *busy = *busy || n > 0;
    launch_more(s, h);
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

static enum outcome pause_failed(struct webhook_sender *s, struct hook *h, struct err *err)
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
        o = list_read(s, err);
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
        o = results_record(s, err);
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
        give_back(s, s->hooks[i]);
    while (flying(s) > 0 && clock_mono() < end)
        https_run(s->https, RUN_MS);
    if (results_record(s, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "webhook.unrecorded", &err);
    s->stopping = false;
}
