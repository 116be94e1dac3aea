/* apns.c: requests to Apple's push service and the meaning of its answers: see apns.h. */
#include "push/apns.h"
#include "base/clock.h"
#include "wire/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RETRY_AFTER_MAX DAY_US
#define TIMESTAMP_MAX INT64_C(4102444800000) /* the year 2100 in milliseconds */

void apns_body(const char *magic, struct buf *out)
{
    js o = js_object();
    js_set_str(o, "mdm", magic);
    if (js_write(o, false, out) != OK)
        out->failed = true;
    js_free(&o);
}

__attribute__((format(printf, 2, 3))) static void header(struct apns_headers *h, const char *fmt,
                                                         ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(h->line[h->n], sizeof h->line[0], fmt, ap);
    va_end(ap);
    h->p[h->n] = h->line[h->n];
    h->n++;
}

void apns_headers(struct apns_headers *out, const char *topic, const char *apns_id,
                  int64_t expires_at)
{
    out->n = 0;
    header(out, "apns-topic: %s", topic);
    header(out, "apns-push-type: mdm");
    header(out, "apns-priority: 10");
    header(out, "apns-expiration: %lld", (long long)(expires_at / SECOND_US));
    header(out, "Content-Type: application/json");
    if (*apns_id)
        header(out, "apns-id: %s", apns_id);
}

/* What Apple's words mean where they say more than the status. */
static const struct {
    int status;
    const char *reason;
    enum apns_action action;
} REASONS[] = {
    {400, "BadDeviceToken", APNS_DEAD},
    {400, "DeviceTokenNotForTopic", APNS_DEAD},
    {400, "TopicDisallowed", APNS_SUSPEND}, /* no push of this certificate can do better */
    {400, "IdleTimeout", APNS_RETRY},
};

static enum apns_action action_of(int status, const char *reason)
{
    for (size_t i = 0; i < sizeof REASONS / sizeof REASONS[0]; i++)
        if (REASONS[i].status == status && strcmp(REASONS[i].reason, reason) == 0)
            return REASONS[i].action;
    switch (status) {
    case 200:
        return APNS_SENT;
    case 403:
        return APNS_SUSPEND;
    case 410:
        return APNS_DEAD;
    case 408: /* a proxy's */
    case 429:
        return APNS_RETRY;
    default:
        return status >= 500 ? APNS_RETRY : APNS_FAIL;
    }
}

/* Seconds, or an HTTP date (RFC 9110 section 10.2.3). -1 for neither. */
static int64_t retry_after_read(const char *s, int64_t now)
{
    struct tm tm = {0};
    int64_t t = -1;
    if (!s)
        return -1;
    if (*s >= '0' && *s <= '9') {
        long long seconds = strtoll(s, NULL, 10);
        t = seconds > RETRY_AFTER_MAX / SECOND_US ? RETRY_AFTER_MAX : seconds * SECOND_US;
    } else if (strptime(s, "%a, %d %b %Y %H:%M:%S GMT", &tm)) {
        t = (int64_t)timegm(&tm) * SECOND_US - now;
        t = t < 0 ? 0 : t;
    }
    return t > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : t;
}

void apns_judge(int status, struct bytes body, const char *retry_after, const char *apns_id,
                int64_t now, struct apns_verdict *out)
{
    js root = NULL;
    int64_t ms = 0;
    *out = (struct apns_verdict){.status = status};
    out->retry_after_us = retry_after_read(retry_after, now);
    if (apns_id && uuid_valid(apns_id))
        snprintf(out->apns_id, sizeof out->apns_id, "%s", apns_id);
    if (status != 200) {
        if (body.n > 0 && js_parse(body, &root, NULL) != OK)
            root = NULL; /* a proxy's page: the status alone counts */
        const char *reason = js_get_str(root, "reason");
        snprintf(out->reason, sizeof out->reason, "%s", reason && *reason ? reason : "no reason");
        if (js_get_int(root, "timestamp", &ms) && ms > 0 && ms < TIMESTAMP_MAX)
            out->timestamp_us = ms * 1000;
        js_free(&root);
    }
    out->action = action_of(status, out->reason);
}

void apns_no_answer(const char *why, struct apns_verdict *out)
{
    *out = (struct apns_verdict){.action = APNS_RETRY, .retry_after_us = -1};
    snprintf(out->reason, sizeof out->reason, "%s", why);
}

/* first, doubled for each further attempt, up to most. */
static int64_t doubled(int64_t first, int attempts, int64_t most)
{
    int64_t t = first;
    for (int i = 1; i < attempts && t < most; i++)
        t *= 2;
    return t < most ? t : most;
}

/* Apple asks to wait 15 minutes after a 5xx. The first retry is sooner all the same: a server that
 * shuts down says 503 to what it still holds, and the next connection reaches another. */
static int64_t backoff_base(const struct apns_verdict *v, int attempts)
{
    if (v->action == APNS_SUSPEND)
        return doubled(15 * MINUTE_US, attempts, 4 * HOUR_US);
    if (v->status == 0 || v->status == 408)
        return doubled(1 * SECOND_US, attempts, 5 * MINUTE_US);
    if (v->status >= 500)
        return attempts <= 1 ? 2 * SECOND_US : doubled(15 * MINUTE_US, attempts - 1, 2 * HOUR_US);
    return doubled(30 * SECOND_US, attempts, HOUR_US); /* 429, and a 410 older than the token */
}

int64_t apns_backoff(const struct apns_verdict *v, int attempts)
{
    uint32_t r;
    random_bytes(&r, sizeof r);
    int64_t base = backoff_base(v, attempts);
    if (v->retry_after_us >= 0 && (v->status == 429 || v->status >= 500))
        return v->retry_after_us + v->retry_after_us / 5 * (r % 1000) / 1000; /* not earlier */
    return base - base / 5 + base / 5 * 2 * (r % 1000) / 1000;
}
