/* outbox.c: from the push outbox to Apple and back: see outbox.h. */
#include "push/outbox.h"
#include "base/clock.h"
#include "base/log.h"
#include "push/topic.h"
#include "store/push.h"
#include "store/pushcert.h"
#include <stdio.h>
#include <stdlib.h>

#define DUE_MAX 1024         /* rows taken at a time */
#define ROOM_MIN 512         /* less room is not worth a look into the database */
#define POLL_US (200 * 1000) /* how often an idle outbox is looked at */
#define GATHER_MS 25         /* while pushes are in flight: answers recorded together */
#define GATHER_ENOUGH 256
#define CLAIM_US (5 * MINUTE_US)
#define NO_CERT_US (5 * MINUTE_US)
#define FULL_US SECOND_US /* a topic whose sender is full is looked at again after */
#define ARENA_MAX (16u * LIM_MB)

struct outbox {
    struct db *db;
    struct sink sink;
    struct topics topics;
    struct arena *arena;
    struct push_job *done; /* back, not recorded yet */
    int64_t next_look;     /* clock_mono() */
    int64_t claim;         /* the last mark: see push_apply() */
    bool stopping;
};

enum outcome outbox_new(const struct conf *conf, struct db *db, struct outbox **out,
                        struct err *err)
{
    struct outbox *o = calloc(1, sizeof *o);
    *out = NULL;
    if (!o || !(o->arena = arena_new(ARENA_MAX))) {
        free(o);
        return err_set(err, ERROR, "outbox: out of memory");
    }
    o->db = db;
    sink_init(&o->sink);
    o->topics.conf = conf;
    o->topics.sink = &o->sink;
    *out = o;
    return OK;
}

static void jobs_free(struct push_job **list)
{
    while (*list) {
        struct push_job *j = *list;
        *list = j->next;
        job_free(j);
    }
}

void outbox_free(struct outbox **op)
{
    if (!op || !*op)
        return;
    struct outbox *o = *op;
    topics_free(&o->topics);
    jobs_free(&o->done);
    sink_destroy(&o->sink);
    arena_free(&o->arena);
    free(o);
    *op = NULL;
}

void outbox_send_until(struct outbox *o, int64_t mono)
{
    atomic_store(&o->sink.send_until, mono);
}

enum outcome outbox_reload(struct outbox *o, struct err *err)
{
    return topics_reload(&o->topics, o->db, err);
}

/* --- what came back --- */

/* A 410 tells since when the token is dead. A TokenUpdate after that moment is newer: the answer
 * is about the past, and the push is tried again. */
static bool answer_is_old(const struct push_job *j)
{
    return j->verdict.status == 410 && j->verdict.timestamp_us > 0 &&
           j->token_at > j->verdict.timestamp_us;
}

static struct push_change change_of(const struct push_job *j)
{
    const struct apns_verdict *v = &j->verdict;
    struct push_change c = {.enrollment_id = j->enrollment_id,
                            .wanted_at = j->wanted_at,
                            .claim = j->claim,
                            .tried = j->tried,
                            .life_id = j->life_id,
                            .token_at = j->token_at,
                            .token = j->token,
                            .state = PUSH_WANTED,
                            .delay_us = j->again_us};
    if (!j->tried)
        return c;
    c.status = v->status;
    c.reason = v->reason;
    c.apns_id = *j->apns_id || !*v->apns_id ? NULL : v->apns_id;
    c.delay_us = 0;
    if (v->action == APNS_SENT)
        c.state = PUSH_SENT;
    else if (v->action == APNS_FAIL)
        c.state = PUSH_FAILED;
    else if (v->action == APNS_DEAD && !answer_is_old(j))
        c.state = PUSH_DEAD;
    else
        c.delay_us = apns_backoff(v, j->attempts + 1);
    return c;
}

static void job_log(const struct push_job *j)
{
    static const char *const words[] = {"",          "push.retry",  "",
                                        "push.sent", "push.failed", "push.dead"};
    char id[24], status[16], attempt[16];
    enum push_state state = change_of(j).state;
    enum log_level level = state == PUSH_SENT ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING;
    if (!j->tried || !log_enabled(level))
        return;
    snprintf(id, sizeof id, "%lld", (long long)j->enrollment_id);
    snprintf(status, sizeof status, "%d", j->verdict.status);
    snprintf(attempt, sizeof attempt, "%d", j->attempts + 1);
    log_event(level, words[state], "enrollment_id", id, "status", status, "reason",
              *j->verdict.reason ? j->verdict.reason : NULL, "attempt", attempt, "apns_id",
              *j->verdict.apns_id ? j->verdict.apns_id : NULL, NULL);
}

/* The first refusal of a certificate, and the first success of one that was refused before. */
static enum outcome topic_learn(struct outbox *o, const struct push_job *j, struct err *err)
{
    struct topic *t = j->topic;
    if (!j->tried || j->version != t->version)
        return OK;
    if (j->verdict.action == APNS_SUSPEND && !t->refused)
        return topic_suspend(&o->topics, o->db, t, j->verdict.reason, err);
    if (j->verdict.action == APNS_SENT && t->suspended && !t->refused) {
        t->suspended = false;
        return pushcert_unsuspend(o->db, t->name, t->version, err);
    }
    return OK;
}

/* Fetches what is back and adds it to what is not recorded yet. */
static size_t gather(struct outbox *o, size_t enough, int timeout_ms)
{
    struct push_job *fresh = sink_take(&o->sink, o->done ? 1 : enough, timeout_ms);
    struct push_job **end = &fresh;
    size_t n = 0;
    while (*end)
        end = &(*end)->next;
    *end = o->done;
    o->done = fresh;
    for (struct push_job *j = o->done; j; j = j->next)
        n++;
    return n;
}

static enum outcome learn(struct outbox *o, struct err *err)
{
    enum outcome r = OK;
    for (struct push_job *j = o->done; j && r == OK; j = j->next)
        r = topic_learn(o, j, err);
    return r;
}

/* --- what is due --- */

/* How many due rows can be taken; 0: none. */
static size_t room(struct outbox *o)
{
    size_t most = 0;
    bool active = false;
    for (struct topic *t = o->topics.first; t; t = t->next) {
        if (!t->sender || sender_pause(t->sender) > 0)
            continue;
        size_t n = sender_room(t->sender);
        active = true;
        most = n > most ? n : most;
    }
    if (!active) /* only to put off what cannot be sent now */
        return DUE_MAX;
    if (most < ROOM_MIN)
        return 0;
    return most < DUE_MAX ? most : DUE_MAX;
}

/* A change that is no attempt. */
static struct push_change settle(const struct push_due *d, enum push_state state, int64_t delay_us,
                                 const char *reason)
{
    return (struct push_change){.enrollment_id = d->enrollment_id,
                                .wanted_at = d->wanted_at,
                                .state = state,
                                .delay_us = delay_us,
                                .reason = reason};
}

/* So that what was put off together does not come back together. */
static int64_t spread(int64_t t)
{
    return t + t / 4 * (random() % 1000) / 1000;
}

/* What becomes of a due push. *topic is set for one that can be sent now. */
static struct push_change judge(struct outbox *o, const struct push_due *d, struct topic **topic)
{
    struct topic *t;
    int64_t pause;
    *topic = NULL;
    if (!d->enrolled)
        return settle(d, PUSH_FAILED, 0, "not enrolled");
    if (d->token.n == 0 || !*d->magic || !*d->topic || d->token_at == 0)
        return settle(d, PUSH_FAILED, 0, "no push token yet");
    if (*d->dead_why)
        return settle(d, PUSH_DEAD, 0, d->dead_why);
    if (d->expires_at <= d->now)
        return settle(d, PUSH_FAILED, 0, d->attempts ? NULL : "it expired before it could be sent");
    if (!(t = topic_find(&o->topics, d->topic)))
        return settle(d, PUSH_WANTED, spread(NO_CERT_US), "no push certificate for its topic");
    if (!t->sender)
        return settle(d, PUSH_WANTED, spread(NO_CERT_US), t->why);
    if ((pause = sender_pause(t->sender)) > 0)
        return settle(d, PUSH_WANTED, spread(pause), NULL);
    if (sender_room(t->sender) == 0)
        return settle(d, PUSH_WANTED, spread(FULL_US), NULL);
    *topic = t;
    struct push_change c = settle(d, PUSH_CLAIMED, 0, NULL);
    c.claim = o->claim;
    return c;
}

static struct push_job *job_of(const struct push_due *d, struct topic *t, int64_t claim)
{
    struct push_job *j = job_new(d->token, d->magic);
    if (!j)
        return NULL;
    j->enrollment_id = d->enrollment_id;
    j->wanted_at = d->wanted_at;
    j->expires_at = d->expires_at;
    j->attempts = d->attempts;
    j->life_id = d->life_id;
    j->token_at = d->token_at;
    j->topic = t;
    j->claim = claim;
    if (uuid_valid(d->apns_id))
        snprintf(j->apns_id, sizeof j->apns_id, "%s", d->apns_id);
    return j;
}

/* A turn's unit of work: the changes, and the jobs that may go once they are stored. */
struct work {
    struct push_change *change;
    size_t n;
    struct push_job *claimed;
    size_t ndue;
};

static enum outcome claim_due(struct outbox *o, struct work *w, size_t max, struct err *err)
{
    struct push_due *due;
    enum outcome r = push_due_read(o->db, max, o->arena, &due, &w->ndue, err);
    if (r == OK && w->ndue > 0)
        o->claim = due[0].now + CLAIM_US > o->claim ? due[0].now + CLAIM_US : o->claim + 1;
    for (size_t i = 0; r == OK && i < w->ndue; i++) {
        struct topic *t;
        struct push_change c = judge(o, &due[i], &t);
        if (t) {
            struct push_job *j = job_of(&due[i], t, o->claim);
            if (!j)
                return err_set(err, ERROR, "outbox: out of memory");
            j->next = w->claimed;
            w->claimed = j;
        }
        w->change[w->n++] = c;
    }
    return r;
}

static void offer_all(struct work *w)
{
    while (w->claimed) {
        struct push_job *j = w->claimed;
        w->claimed = j->next;
        sender_offer(j->topic->sender, j);
    }
}

/* Records what is back, claims what is due, and lets it go. */
static enum outcome settle_and_claim(struct outbox *o, size_t ndone, size_t max, struct err *err)
{
    struct work w = {.change = malloc((ndone + max + 1) * sizeof *w.change)};
    enum outcome r = w.change ? OK : err_set(err, ERROR, "outbox: out of memory");
    for (struct push_job *j = o->done; j && r == OK; j = j->next)
        w.change[w.n++] = change_of(j);
    if (r == OK)
        r = learn(o, err);
    if (r == OK && max > 0)
        r = claim_due(o, &w, max, err);
    if (r == OK)
        r = push_apply(o->db, w.change, w.n, o->arena, err);
    if (r == OK) {
        for (struct push_job *j = o->done; j; j = j->next)
            job_log(j);
        jobs_free(&o->done);
        offer_all(&w);
        if (max > 0 && w.ndue < max)
            o->next_look = clock_mono() + POLL_US;
    }
    jobs_free(&w.claimed);
    free(w.change);
    arena_reset(o->arena);
    return r;
}

enum outcome outbox_turn(struct outbox *o, int idle_ms, struct err *err)
{
    int64_t until_look = (o->next_look - clock_mono()) / 1000 + 1;
    bool busy = topics_busy(&o->topics) > 0;
    int wait = o->done || until_look <= 0 ? 0 : (int)until_look;
    if (busy && wait > GATHER_MS)
        wait = GATHER_MS;
    if (wait > idle_ms)
        wait = idle_ms;
    if (busy && wait == 0 && !o->done)
        wait = GATHER_MS;
    size_t ndone = gather(o, busy ? GATHER_ENOUGH : 1, wait);
    size_t max = !o->stopping && clock_mono() >= o->next_look ? room(o) : 0;
    return ndone + max > 0 ? settle_and_claim(o, ndone, max, err) : OK;
}

enum outcome outbox_stop(struct outbox *o, int grace_ms, struct err *err)
{
    int64_t end = clock_mono() + (int64_t)grace_ms * 1000;
    enum outcome r = OK;
    o->stopping = true;
    outbox_send_until(o, 0);
    while (!topics_stopped(&o->topics) && clock_mono() < end)
        r = outbox_turn(o, 50, err);
    topics_drop(&o->topics);
    size_t ndone = gather(o, 1, 0);
    return ndone ? settle_and_claim(o, ndone, 0, err) : r;
}
