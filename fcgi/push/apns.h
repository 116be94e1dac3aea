/*
 * apns.h: what Apple's push service is asked and what its answers mean. Sources: Apple, "Sending
 * notification requests to APNs" and "Handling notification responses from APNs" (status codes,
 * reasons, which may be retried); reference, "MDM Push Notifications" (the payload).
 */
#ifndef DROVER_PUSH_APNS_H
#define DROVER_PUSH_APNS_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/uuid.h"

#define APNS_REASON_MAX 127
#define APNS_BODY_MAX (8u * LIM_PUSH_MAGIC) /* the magic, escaped */
#define APNS_ANSWER_MAX (4u * LIM_KB)
#define APNS_HEADERS 6

/* What becomes of a push. */
enum apns_action {
    APNS_SENT,
    APNS_RETRY,   /* the same again, later */
    APNS_DEAD,    /* the token is no good until the device tells one again */
    APNS_SUSPEND, /* the certificate or its topic is refused: no push of this topic will do */
    APNS_FAIL     /* this push will never do */
};

struct apns_verdict {
    enum apns_action action;
    int status;                       /* HTTP status; 0: no answer */
    char reason[APNS_REASON_MAX + 1]; /* Apple's word, or the connection's; "" with APNS_SENT */
    int64_t timestamp_us;             /* of a 410: the token was known dead then; 0: not told */
    int64_t retry_after_us;           /* the server's wish, -1 for none */
    char apns_id[UUID_LEN + 1];       /* "" when not told */
};

/* Adds {"mdm":"magic"}, and nothing else, to out. magic is UTF-8. */
void apns_body(const char *magic, struct buf *out);

/* The header lines of a request. */
struct apns_headers {
    char line[APNS_HEADERS][LIM_TOPIC + 64];
    const char *p[APNS_HEADERS];
    size_t n;
};
/* apns_id: "" lets Apple choose. expires_at: microseconds; Apple keeps the push that long. */
void apns_headers(struct apns_headers *out, const char *topic, const char *apns_id,
                  int64_t expires_at);

/* Judges an answer. body: as received. retry_after and apns_id: header values or NULL. now:
 * microseconds, for a Retry-After that is a date. */
void apns_judge(int status, struct bytes body, const char *retry_after, const char *apns_id,
                int64_t now, struct apns_verdict *out);
/* The verdict when no answer came. why: for people. */
void apns_no_answer(const char *why, struct apns_verdict *out);

/* How long to wait before attempt number attempts + 1 (attempts: so many were made, at least 1), in
 * microseconds, with up to a fifth of jitter either way; a Retry-After is a floor. */
int64_t apns_backoff(const struct apns_verdict *v, int attempts);

#endif
