/*
 * sender.h: one push certificate at work: a thread with one HTTP/2 connection to Apple and many
 * requests on it. Each topic has its own, so that one that is slow, refused or cut off holds up no
 * other. Jobs go in by sender_offer() and come back, each exactly once, through the sink.
 */
#ifndef DROVER_PUSH_SENDER_H
#define DROVER_PUSH_SENDER_H

#include "base/conf.h"
#include "push/apns.h"
#include <pthread.h>
#include <stdatomic.h>

#define SENDER_QUEUE_MAX 2048u /* jobs waiting in a sender */

struct sender;
struct topic; /* topic.h */

/* A push on its way. Made by job_new(), freed by job_free(). */
struct push_job {
    struct push_job *next;
    int64_t enrollment_id, wanted_at, claim, expires_at, life_id, token_at;
    int attempts;               /* before this one */
    char apns_id[UUID_LEN + 1]; /* "" lets Apple choose */
    struct bytes token;
    const char *magic;
    struct topic *topic; /* for whoever offered it */
    int64_t version;     /* of the certificate it is sent with */
    struct sender *sender;
    struct buf body;
    /* once it is back */
    bool tried;       /* false: it was not sent; verdict means nothing */
    int64_t again_us; /* of one that was not: wait so long */
    struct apns_verdict verdict;
    char text[]; /* token and magic */
};
/* NULL: out of memory. Copies token and magic; the other members are the caller's to set. */
struct push_job *job_new(struct bytes token, const char *magic);
void job_free(struct push_job *j);

/* Where finished jobs wait for whoever records them; also what all senders obey. */
struct sink {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct push_job *first, **last;
    size_t n, enough;           /* enough: who waits is woken then, not for each job */
    _Atomic int64_t send_until; /* clock_mono(): no request is begun later */
};
void sink_init(struct sink *s);
void sink_destroy(struct sink *s);
/* Waits until `enough` jobs are back or timeout_ms have passed; takes all there are. */
struct push_job *sink_take(struct sink *s, size_t enough, int timeout_ms);

/* service: the https address to push through, as long-lived as the sender. version: of the
 * certificate. cert and key: PEM, copied; the key is wiped at the end. The sink
 * must outlive the sender. */
enum outcome sender_new(const struct conf *conf, const char *service, const char *topic,
                        int64_t version, struct bytes cert, struct bytes key, struct sink *sink,
                        struct sender **out, struct err *err) MUST_USE;
/* How many more jobs it takes; 0 while it is full, stopped, paused or refused. */
size_t sender_room(struct sender *s);
/* How long it will pause because Apple cannot be reached, microseconds; 0: it does not. */
int64_t sender_pause(struct sender *s);
/* Jobs inside. */
size_t sender_busy(struct sender *s);
/* Gives it a job; it comes back even if there was no room. */
void sender_offer(struct sender *s, struct push_job *j);
/* Begins no more requests; what waits comes back untried. Does not block. */
void sender_stop(struct sender *s);
/* After sender_stop(): is everything back? */
bool sender_stopped(struct sender *s);
/* Stops, drops what is in flight (those jobs come back untried), joins the thread. */
void sender_free(struct sender **s);

#endif
