/* topic.c: topics and their certificates: see topic.h. */
#include "push/topic.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/push.h"
#include "store/event.h"
#include "store/pushcert.h"
#include "wire/sign.h"
#include "wire/x509.h"
#include <stdio.h>
#include <stdlib.h>

#define SUSPENSION_US HOUR_US /* a refused certificate is tried again after so long */
#define COMPLAIN_US HOUR_US
#define CHAIN_MAX 16

#define RETIRED_MAX (sizeof((struct topics *)0)->retired / sizeof(struct sender *))

struct topic *topic_find(struct topics *t, const char *name)
{
    struct topic *p = t->first;
    while (p && strcmp(p->name, name) != 0)
        p = p->next;
    return p;
}

static struct topic *topic_get(struct topics *t, const char *name)
{
    struct topic *p = topic_find(t, name);
    if (p || !(p = calloc(1, sizeof *p)))
        return p;
    snprintf(p->name, sizeof p->name, "%s", name);
    p->next = t->first;
    t->first = p;
    return p;
}

/* Frees the stopped senders whose answers are all back. */
static void reap(struct topics *t)
{
    for (size_t i = 0; i < t->nretired;) {
        if (sender_stopped(t->retired[i])) {
            sender_free(&t->retired[i]);
            t->retired[i] = t->retired[--t->nretired];
        } else {
            i++;
        }
    }
}

/* Takes the topic's sender out of use; it finishes what is in flight. */
static void retire(struct topics *t, struct topic *p)
{
    if (!p->sender)
        return;
    sender_stop(p->sender);
    reap(t);
    if (t->nretired == RETIRED_MAX)
        sender_free(&t->retired[--t->nretired]);
    t->retired[t->nretired++] = p->sender;
    p->sender = NULL;
}

__attribute__((format(printf, 3, 4))) static void unusable(struct topics *t, struct topic *p,
                                                           const char *fmt, ...)
{
    char why[sizeof p->why];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    int64_t now = clock_mono();
    bool news = strcmp(why, p->why) != 0;
    retire(t, p);
    snprintf(p->why, sizeof p->why, "%s", why);
    if (news || now - p->logged_at >= COMPLAIN_US) {
        p->logged_at = now;
        log_event(LOG_LEVEL_ERROR, "push.certificate", "topic", p->name, "reason", why, NULL);
    }
}

/* Apple has two services, and a certificate is good for one of them (or both: then for the real
 * one). Devices whose profile says UseDevelopmentAPNS have their tokens from the other. */
static const char *service_of(const struct conf *conf, struct bytes cert_pem, struct arena *a)
{
    struct bytes der[CHAIN_MAX];
    struct cert_info info;
    size_t n;
    bool sandbox = cert_from_pem(a, cert_pem, der, CHAIN_MAX, &n, NULL) == OK &&
                   cert_info_read(a, der[0], &info, NULL) == OK && info.sandbox_push;
    return sandbox ? conf->apns_sandbox_url : conf->apns_url;
}

/* A sender with the certificate as stored now. */
static enum outcome start(struct topics *t, struct db *db, struct topic *p, struct err *err)
{
    struct pushcert_row row;
    struct buf key = BUF_INIT(LIM_MB);
    uint64_t changed = 0;
    struct arena *a = arena_new(LIM_MB);
    enum outcome o =
        a ? pushcert_get(db, p->name, a, &row, err) : err_set(err, ERROR, "out of memory");
    if (o != OK)
        goto out;
    struct err why = {0};
    o = sign_unseal("PushKey", p->name, row.key_sealed, bytes_of(NULL, 0), "", &key, &why);
    if (o == OK)
        o = sender_new(t->conf, service_of(t->conf, row.cert_pem, a), p->name, row.version,
                       row.cert_pem, buf_bytes(&key), t->sink, &p->sender, &why);
    if (o != OK) {
        unusable(t, p, "its key cannot be used: %.150s", why.msg);
        o = OK; /* the others go on; the next look tries again */
        goto out;
    }
    p->version = row.version;
    p->why[0] = '\0';
    p->refused = false;
    log_event(LOG_LEVEL_INFO, "push.certificate_loaded", "topic", p->name, NULL);
    o = push_topic_due(db, p->name, &changed, err);
out:
    buf_wipe(&key);
    arena_free(&a);
    return o;
}

static enum outcome look(struct topics *t, struct db *db, const struct pushcert_row *row,
                         struct err *err)
{
    struct topic *p = topic_get(t, row->topic);
    char at[CLOCK_TEXT_MAX];
    int64_t now = clock_now();
    if (!p)
        return err_set(err, ERROR, "out of memory");
    p->seen = true;
    p->suspended = row->suspended_at != 0;
    if (row->not_after <= now)
        unusable(t, p, "the certificate expired at %s; its pushes wait for a renewed one",
                 clock_rfc3339(row->not_after, false, at));
    else if (row->not_before > now)
        unusable(t, p, "the certificate is not valid before %s",
                 clock_rfc3339(row->not_before, false, at));
    else if (p->suspended && row->suspended_for_us < SUSPENSION_US)
        unusable(t, p, "Apple refuses the certificate: %s; its pushes wait for a renewed one",
                 row->suspended_why);
    else if (!p->sender || p->version != row->version || p->refused) {
        retire(t, p);
        return start(t, db, p, err);
    }
    return OK;
}

enum outcome topics_reload(struct topics *t, struct db *db, struct err *err)
{
    struct pushcert_row *rows;
    size_t n = 0;
    struct arena *a = arena_new(4 * LIM_MB);
    enum outcome o =
        a ? pushcert_list(db, a, &rows, &n, err) : err_set(err, ERROR, "out of memory");
    reap(t);
    for (struct topic *p = t->first; p; p = p->next)
        p->seen = false;
    for (size_t i = 0; o == OK && i < n; i++)
        o = look(t, db, &rows[i], err);
    for (struct topic *p = t->first; o == OK && p; p = p->next)
        if (!p->seen)
            unusable(t, p, "its certificate was removed");
    arena_free(&a);
    return o;
}

enum outcome topic_suspend(struct topics *t, struct db *db, struct topic *topic, const char *why,
                           struct err *err)
{
    enum outcome o = pushcert_suspend(db, topic->name, topic->version, why, err);
    if (o == OK) {
        topic->suspended = topic->refused = true;
        unusable(t, topic, "Apple refuses the certificate: %s; its pushes wait for a renewed one",
                 why);
        o = event_alarm_tell(db, "push-certificate", topic->name, why, clock_now(), err);
    }
    return o;
}

bool topics_stopped(struct topics *t)
{
    for (struct topic *p = t->first; p; p = p->next)
        retire(t, p);
    reap(t);
    return t->nretired == 0;
}

size_t topics_busy(struct topics *t)
{
    size_t n = 0;
    for (struct topic *p = t->first; p; p = p->next)
        n += p->sender ? sender_busy(p->sender) : 0;
    for (size_t i = 0; i < t->nretired; i++)
        n += sender_busy(t->retired[i]);
    return n;
}

void topics_drop(struct topics *t)
{
    for (struct topic *p = t->first; p; p = p->next)
        sender_free(&p->sender);
    while (t->nretired > 0)
        sender_free(&t->retired[--t->nretired]);
}

void topics_free(struct topics *t)
{
    topics_drop(t);
    while (t->first) {
        struct topic *p = t->first;
        t->first = p->next;
        free(p);
    }
}
