/* device_event.c: a device's message as an event (store/event.h): see device.h. */
#include "http/device.h"

#include "base/log.h"
#include "store/handout.h"
#include "wire/seal.h"

#include <stdio.h>

#define QUERY_MAX 1024u

/* The query without the word that leads back to the profile: who has it can pass for the device. */
static const char *query_of(struct message *m)
{
    struct buf out = BUF_INIT(QUERY_MAX);
    size_t own = strlen(HANDOUT_TOKEN_QUERY);
    const char *text = NULL;

    for (const char *p = m->req->query; *p != '\0';) {
        size_t n = strcspn(p, "&");

        if (n > 0 && !(strncmp(p, HANDOUT_TOKEN_QUERY, own) == 0 && (n == own || p[own] == '='))) {
            buf_str(&out, out.len > 0 ? "&" : "");
            buf_add(&out, p, n);
        }
        p += n + (p[n] == '&');
    }
    if (out.len > 0 && !buf_failed(&out))
        text = arena_strdup(m->req->arena, buf_cstr(&out));
    buf_free(&out);
    return text;
}

static enum outcome text_of(struct message *m, pl tree, struct event *e, struct err *err)
{
    struct buf xml = BUF_INIT(LIM_BODY_CONNECT);
    enum outcome o = pl_to_xml(tree, &xml);

    if (o == OK)
        e->raw = arena_bytes(m->req->arena, buf_bytes(&xml));
    if (o != OK || e->raw.p == NULL)
        o = err_set(err, ERROR, "the message is too long without its secrets");
    buf_free(&xml);
    return o;
}

/* The message as it came, to be opened by the agent alone. */
static enum outcome seal_whole(struct message *m, struct event *e, struct err *err)
{
    struct buf sealed = BUF_INIT(LIM_PROFILE + SEAL_OVERHEAD);
    const char *label = arena_fmt(m->req->arena, EVENT_SEALED, m->id.name);
    uint8_t pub[SEAL_KEY_LEN];
    enum outcome o = label != NULL ? seal_public_load(m->app->conf->signer_dir, pub, err)
                                   : err_set(err, ERROR, "out of memory");

    if (o == OK)
        o = seal_file(pub, label, m->req->body, &sealed, err);
    if (o == OK)
        e->sealed = arena_bytes(m->req->arena, buf_bytes(&sealed));
    if (o == OK && e->sealed.p == NULL)
        o = err_set(err, ERROR, "out of memory");
    buf_free(&sealed);
    return o;
}

static enum outcome payload(struct message *m, struct event *e, device_strip_fn *strip,
                            struct err *err)
{
    pl copy = pl_copy(m->root);
    enum outcome o = copy != NULL ? OK : err_set(err, ERROR, "out of memory");

    if (o == OK && !strip(copy, m->req->arena))
        e->raw = m->req->body;
    else if (o == OK)
        o = text_of(m, copy, e, err);
    if (o == OK && e->raw.p != m->req->body.p && event_whole_wanted(m->app->events, e->topic))
        o = seal_whole(m, e, err);
    pl_free(&copy);
    return o;
}

struct event *device_event(struct message *m, enum event_topic topic, device_strip_fn *strip)
{
    struct err err = {0};
    struct event *e;

    if (!event_wanted(m->app->events, topic))
        return NULL;
    e = arena_alloc(m->req->arena, sizeof *e);
    if (e == NULL)
        return NULL; /* the unit that follows fails of the same */
    *e = (struct event){.topic = topic,
                        .at = m->req->now,
                        .ident = m->id.name,
                        .kind = m->id.kind,
                        .query = query_of(m)};
    if (event_payload_wanted(m->app->events, topic) && payload(m, e, strip, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "event.payload", &err);
    return e;
}
