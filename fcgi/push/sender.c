/* sender.c: one topic's connection to Apple: see sender.h. */
#include "push/sender.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/encode.h"
#include "wire/https.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TIMEOUT_MS 30000
#define RUN_MS 250
#define LOST_MAX 3 /* so many requests without an answer in a row pause the sender */
#define PAUSE_MAX (60 * SECOND_US)

struct sender {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    struct push_job *first, **last; /* waiting */
    struct push_job *flying;
    size_t waiting, inside; /* inside: waiting and in flight */
    bool stop, drop, refused;
    int64_t pause_until; /* clock_mono() */
    int pauses, lost;
    /* the thread's own */
    struct https *https;
    struct https_tls tls;
    struct sink *sink;
    const char *service;
    size_t streams, in_flight;
    int64_t version;
    struct buf cert, key;
    char topic[LIM_TOPIC + 1];
};

struct push_job *job_new(struct bytes token, const char *magic)
{
    size_t n = strlen(magic) + 1;
    struct push_job *j = calloc(1, sizeof *j + n + token.n);
    if (!j)
        return NULL;
    memcpy(j->text, magic, n);
    memcpy(j->text + n, token.p, token.n);
    j->magic = j->text;
    j->token = bytes_of(j->text + n, token.n);
    buf_init(&j->body, APNS_BODY_MAX);
    return j;
}

void job_free(struct push_job *j)
{
    if (j)
        buf_free(&j->body);
    free(j);
}

static void cond_new(pthread_cond_t *c)
{
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(c, &a);
    pthread_condattr_destroy(&a);
}

static struct timespec in_ms(int ms)
{
    int64_t t = clock_mono() + (int64_t)ms * 1000;
    return (struct timespec){.tv_sec = t / SECOND_US, .tv_nsec = t % SECOND_US * 1000};
}

void sink_init(struct sink *s)
{
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->mutex, NULL);
    cond_new(&s->filled);
    s->last = &s->first;
}

void sink_destroy(struct sink *s)
{
    while (s->first) {
        struct push_job *j = s->first;
        s->first = j->next;
        job_free(j);
    }
    pthread_cond_destroy(&s->filled);
    pthread_mutex_destroy(&s->mutex);
}

struct push_job *sink_take(struct sink *s, size_t enough, int timeout_ms)
{
    struct timespec end = in_ms(timeout_ms);
    pthread_mutex_lock(&s->mutex);
    s->enough = enough;
    while (s->n < enough && timeout_ms > 0)
        if (pthread_cond_timedwait(&s->filled, &s->mutex, &end) != 0)
            break;
    struct push_job *all = s->first;
    s->first = NULL;
    s->last = &s->first;
    s->n = 0;
    pthread_mutex_unlock(&s->mutex);
    return all;
}

/* The job goes back to whoever offered it. The sender's mutex is not held. */
static void give_back(struct sender *s, struct push_job *j)
{
    pthread_mutex_lock(&s->mutex);
    s->inside--;
    pthread_mutex_unlock(&s->mutex);
    buf_free(&j->body);
    j->next = NULL;
    pthread_mutex_lock(&s->sink->mutex);
    *s->sink->last = j;
    s->sink->last = &j->next;
    if (++s->sink->n == s->sink->enough)
        pthread_cond_signal(&s->sink->filled);
    pthread_mutex_unlock(&s->sink->mutex);
}

static void give_back_untried(struct sender *s, struct push_job *j, int64_t again_us)
{
    j->tried = false;
    j->again_us = again_us;
    give_back(s, j);
}

/* Takes the next waiting job, or NULL. */
static struct push_job *next_job(struct sender *s)
{
    pthread_mutex_lock(&s->mutex);
    struct push_job *j = s->first;
    if (j) {
        s->first = j->next;
        if (!s->first)
            s->last = &s->first;
        s->waiting--;
    }
    pthread_mutex_unlock(&s->mutex);
    return j;
}

/* May a request be begun now? */
static bool may_send(struct sender *s)
{
    int64_t now = clock_mono();
    pthread_mutex_lock(&s->mutex);
    bool may = !s->stop && !s->refused && now >= s->pause_until;
    pthread_mutex_unlock(&s->mutex);
    return may && now < atomic_load(&s->sink->send_until);
}

/* Requests without an answer: the sender pauses, longer each time, until an answer comes. */
static void count_lost(struct sender *s, const char *why)
{
    int64_t now = clock_mono();
    pthread_mutex_lock(&s->mutex);
    bool pause = ++s->lost >= LOST_MAX && now >= s->pause_until;
    if (pause) {
        struct apns_verdict v = {.action = APNS_RETRY, .retry_after_us = -1};
        int64_t t = apns_backoff(&v, ++s->pauses);
        s->pause_until = now + (t < PAUSE_MAX ? t : PAUSE_MAX);
    }
    pthread_mutex_unlock(&s->mutex);
    if (pause)
        log_event(LOG_LEVEL_WARNING, "push.unreachable", "topic", s->topic, "reason", why, NULL);
}

static void count_answer(struct sender *s, const struct apns_verdict *v)
{
    pthread_mutex_lock(&s->mutex);
    s->lost = s->pauses = 0;
    s->pause_until = 0;
    if (v->action == APNS_SUSPEND)
        s->refused = true;
    pthread_mutex_unlock(&s->mutex);
}

static void unlink_flying(struct sender *s, struct push_job *j)
{
    struct push_job **p = &s->flying;
    while (*p != j)
        p = &(*p)->next;
    *p = j->next;
    s->in_flight--;
}

static void fill(struct sender *s);

static void push_done(const struct https_answer *a)
{
    struct push_job *j = a->arg;
    struct sender *s = j->sender;
    unlink_flying(s, j);
    if (a->outcome == OK) {
        apns_judge(a->status, a->body, a->header(a, "retry-after"), a->header(a, "apns-id"),
                   clock_now(), &j->verdict);
        count_answer(s, &j->verdict);
    } else {
        apns_no_answer(a->error, &j->verdict);
        count_lost(s, a->error);
    }
    j->tried = true;
    give_back(s, j);
    fill(s);
}

/* Begins the request of a job. */
static enum outcome push_begin(struct sender *s, struct push_job *j, struct err *err)
{
    char url[512 + 2 * LIM_PUSH_TOKEN], hex[2 * LIM_PUSH_TOKEN + 1];
    struct apns_headers headers;
    if (j->token.n > LIM_PUSH_TOKEN)
        return err_set(err, INVALID, "a push token of %zu octets", j->token.n);
    hex_encode(j->token, hex);
    if (snprintf(url, sizeof url, "%s/3/device/%s", s->service, hex) >= (int)sizeof url)
        return err_set(err, INVALID, "the push service's address is too long");
    apns_headers(&headers, s->topic, j->apns_id, j->expires_at);
    apns_body(j->magic, &j->body);
    if (buf_failed(&j->body))
        return err_set(err, ERROR, "the push magic makes no message");
    struct https_request r = {.method = "POST",
                              .url = url,
                              .headers = headers.p,
                              .nheaders = headers.n,
                              .body = buf_bytes(&j->body),
                              .tls = &s->tls,
                              .timeout_ms = TIMEOUT_MS,
                              .answer_max = APNS_ANSWER_MAX,
                              .http2_only = true,
                              .arg = j};
    return https_send(s->https, &r, push_done, err);
}

/* Begins as many requests as may be in flight. */
static void fill(struct sender *s)
{
    struct push_job *j;
    while (s->in_flight < s->streams && may_send(s) && (j = next_job(s))) {
        struct err err = {0};
        j->sender = s;
        if (push_begin(s, j, &err) == OK) {
            j->next = s->flying;
            s->flying = j;
            s->in_flight++;
        } else {
            j->tried = true;
            apns_no_answer(err.msg, &j->verdict);
            give_back(s, j);
        }
    }
}

/* Hands back what waits when it cannot be sent now. */
static void return_waiting(struct sender *s)
{
    struct push_job *j;
    int64_t pause = sender_pause(s);
    while ((j = next_job(s)))
        give_back_untried(s, j, pause);
}

/* A connection that went silent is not used again: the next requests open a new one. */
static void renew_connection(struct sender *s)
{
    struct https *fresh = NULL;
    struct err err = {0};
    if (https_new(1, s->streams, &fresh, &err) != OK) {
        log_err(LOG_LEVEL_ERROR, "push.client", &err);
        return;
    }
    https_free(&s->https);
    s->https = fresh;
    pthread_mutex_lock(&s->mutex);
    s->lost = 0;
    pthread_mutex_unlock(&s->mutex);
}

static void idle(struct sender *s)
{
    struct timespec end = in_ms(RUN_MS);
    pthread_mutex_lock(&s->mutex);
    while (!s->waiting && !s->stop)
        if (pthread_cond_timedwait(&s->work, &s->mutex, &end) != 0)
            break;
    pthread_mutex_unlock(&s->mutex);
}

/* One turn. False: the sender is stopped and nothing is in flight, or is to be dropped. */
static bool turn(struct sender *s)
{
    if (may_send(s))
        fill(s);
    else
        return_waiting(s);
    if (s->in_flight > 0)
        https_run(s->https, RUN_MS);
    pthread_mutex_lock(&s->mutex);
    bool go = !s->drop && (!s->stop || s->in_flight > 0 || s->waiting > 0);
    bool silent = s->lost >= LOST_MAX && s->in_flight == 0;
    pthread_mutex_unlock(&s->mutex);
    if (silent)
        renew_connection(s);
    if (go && s->in_flight == 0)
        idle(s);
    return go;
}

static void *run(void *arg)
{
    struct sender *s = arg;
    while (turn(s))
        continue;
    https_free(&s->https);
    return_waiting(s);
    while (s->flying) {
        struct push_job *j = s->flying;
        unlink_flying(s, j);
        give_back_untried(s, j, 0);
    }
    return NULL;
}

static void destroy(struct sender *s)
{
    https_free(&s->https);
    buf_free(&s->cert);
    buf_wipe(&s->key);
    pthread_cond_destroy(&s->work);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

enum outcome sender_new(const struct conf *conf, const char *service, const char *topic,
                        int64_t version, struct bytes cert, struct bytes key, struct sink *sink,
                        struct sender **out, struct err *err)
{
    *out = NULL;
    struct sender *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERROR, "sender: out of memory");
    pthread_mutex_init(&s->mutex, NULL);
    cond_new(&s->work);
    s->last = &s->first;
    s->service = service;
    s->sink = sink;
    s->version = version;
    s->streams = conf->apns_streams > 0 ? (size_t)conf->apns_streams : 1;
    snprintf(s->topic, sizeof s->topic, "%s", topic);
    buf_init(&s->cert, LIM_MB);
    buf_init(&s->key, LIM_MB);
    buf_add(&s->cert, cert.p, cert.n);
    buf_room(&s->key, key.n); /* at once: growing would leave copies of the key */
    buf_add(&s->key, key.p, key.n);
    s->tls = (struct https_tls){.ca_file = conf->apns_ca,
                                .client_cert = buf_bytes(&s->cert),
                                .client_key = buf_bytes(&s->key)};
    enum outcome o = https_new(1, s->streams, &s->https, err);
    if (o == OK && (buf_failed(&s->cert) || buf_failed(&s->key)))
        o = err_set(err, ERROR, "sender: certificate or key too long");
    if (o == OK && pthread_create(&s->thread, NULL, run, s) != 0)
        o = err_set(err, ERROR, "sender: no thread");
    if (o == OK)
        *out = s;
    else
        destroy(s);
    return o;
}

size_t sender_room(struct sender *s)
{
    if (!may_send(s))
        return 0;
    pthread_mutex_lock(&s->mutex);
    size_t room = s->waiting < SENDER_QUEUE_MAX ? SENDER_QUEUE_MAX - s->waiting : 0;
    pthread_mutex_unlock(&s->mutex);
    return room;
}

int64_t sender_pause(struct sender *s)
{
    pthread_mutex_lock(&s->mutex);
    int64_t left = s->pause_until - clock_mono();
    pthread_mutex_unlock(&s->mutex);
    return left > 0 ? left : 0;
}

size_t sender_busy(struct sender *s)
{
    pthread_mutex_lock(&s->mutex);
    size_t n = s->inside;
    pthread_mutex_unlock(&s->mutex);
    return n;
}

/* https_wake() takes no mutex, but s->https may be exchanged by the thread: only while it holds
 * nothing in flight, and then it waits on the condition. */
static void sender_rouse(struct sender *s)
{
    pthread_cond_signal(&s->work);
    if (s->inside > s->waiting)
        https_wake(s->https);
}

void sender_offer(struct sender *s, struct push_job *j)
{
    j->next = NULL;
    j->version = s->version;
    pthread_mutex_lock(&s->mutex);
    *s->last = j;
    s->last = &j->next;
    s->waiting++;
    s->inside++;
    sender_rouse(s);
    pthread_mutex_unlock(&s->mutex);
}

void sender_stop(struct sender *s)
{
    pthread_mutex_lock(&s->mutex);
    s->stop = true;
    sender_rouse(s);
    pthread_mutex_unlock(&s->mutex);
}

bool sender_stopped(struct sender *s)
{
    pthread_mutex_lock(&s->mutex);
    bool done = s->stop && s->inside == 0;
    pthread_mutex_unlock(&s->mutex);
    return done;
}

void sender_free(struct sender **sp)
{
    if (!sp || !*sp)
        return;
    struct sender *s = *sp;
    pthread_mutex_lock(&s->mutex);
    s->stop = s->drop = true;
    sender_rouse(s);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    destroy(s);
    *sp = NULL;
}
