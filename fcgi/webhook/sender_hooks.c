/* sender_hooks.c: the webhooks that the sender knows, with their keys: see sender_int.h. */
#include "webhook/sender_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/encode.h"
#include "wire/sign.h"

#include <stdio.h>
#include <stdlib.h>

void sender_job_free(struct sender_job *j)
{
    buf_wipe(&j->body);
    free(j);
}

static void hook_free(struct sender_hook *h)
{
    struct sender_job *j;

    while ((j = h->ready) != NULL) {
        h->ready = j->next;
        sender_job_free(j);
    }
    secret_wipe(h->octets, sizeof h->octets);
    free(h);
}

void sender_hooks_free(struct webhook_sender *s)
{
    for (size_t i = 0; i < s->nhooks; i++)
        hook_free(s->hooks[i]);
    s->nhooks = 0;
}

struct sender_hook *sender_hook(struct webhook_sender *s, int64_t id)
{
    for (size_t i = 0; i < s->nhooks; i++)
        if (s->hooks[i]->id == id)
            return s->hooks[i];
    return NULL;
}

static enum outcome key_open(struct webhook_sender *s, struct sender_hook *h, size_t i,
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
static void keys_open(struct webhook_sender *s, struct sender_hook *h)
{
    struct err err = {0};
    enum outcome o = key_open(s, h, 0, h->w->secret, &err);

    h->key[1] = bytes_of(NULL, 0);
    h->before_until = h->w->secret_before_until;
    if (o == OK && h->w->secret_before.n > 0)
        o = key_open(s, h, 1, h->w->secret_before, &err);
    if (o == OK)
        h->version = h->w->version;
    else if (clock_now() - h->noted_at > SENDER_NOTE_US) {
        h->noted_at = clock_now();
        log_err(LOG_LEVEL_WARNING, "webhook.key", &err);
    }
}

static enum outcome hook_take(struct webhook_sender *s, const struct webhook *w, struct err *err)
{
    struct sender_hook *h = sender_hook(s, w->id);

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
        struct sender_hook *h = s->hooks[i];

        if (!h->gone || h->flying > 0) {
            i++;
            continue;
        }
        hook_free(h);
        s->hooks[i] = s->hooks[--s->nhooks];
    }
}

enum outcome sender_hooks_read(struct webhook_sender *s, struct err *err)
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
