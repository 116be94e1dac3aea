/* libapns.h: the parts of the push service's simulator: rules and memory, control, wake socket. */
#ifndef DROVER_SIM_LIBAPNS_H
#define DROVER_SIM_LIBAPNS_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "wire/json.h"

#define APNS_TOKEN_MAX (2 * LIM_PUSH_TOKEN)
#define APNS_MAGIC_MAX LIM_PUSH_MAGIC

/* A push as received. */
struct push {
    int64_t seq, time_us;
    int64_t expiration; /* seconds since 1970, -1 when absent */
    int priority;       /* -1 when absent */
    char token[APNS_TOKEN_MAX + 1];
    char magic[APNS_MAGIC_MAX + 1];
    char topic[LIM_TOPIC + 1];
    char apns_id[UUID_LEN + 1];
    char serial[72]; /* of the client certificate, hexadecimal */
};

/* What it is answered. */
struct verdict {
    int status;
    char reason[64];
    int64_t timestamp; /* milliseconds, 0 for none */
    char retry_after[64];
    int64_t delay_ms;
    bool reset; /* break the stream off */
};

/* libapns.c; safe for threads */
/* Changes v by the first rule that fits p. */
void rules_apply(const struct push *p, struct verdict *v);
/* Remembers and counts. */
void pushes_add(struct push *p, const struct verdict *v);
/* Answers a request to /control; returns the HTTP status, with JSON in out. */
int control_answer(const char *method, const char *uri, struct bytes body, struct buf *out);

/* libwake.c; safe for threads */
/* Listens on a Unix socket; a thread serves it from then on. */
bool wake_start(const char *path);
/* Tells the subscribers of token, or keeps the push for the next. */
void wake_send(const char *token, const char *magic);
void wake_counts(int64_t *woken, int64_t *stored, int64_t *subscribers);

#endif
