/*
 * timeline.c: a device's queue as a course of time: what has happened, how it stands and why, what
 * comes next. Everything is read from the rows that the agent and the workers write; nothing is
 * kept for it.
 */
#include "console/device.h"

#include <stdlib.h>

#include "base/clock.h"

#define MOMENTS 12      /* so many are shown, the latest */
#define MOMENTS_ROOM 64 /* so many are looked at */
#define SOON MINUTE_US

struct moment {
    int64_t at;
    const char *mark; /* colour: good, warn, bad, calm */
    const char *text, *link;
};

struct course {
    struct page *p;
    const struct device_course *c;
    const struct queue_item *head; /* what the device gets when it polls; NULL: nothing */
    int64_t heard;
    struct moment m[MOMENTS_ROOM];
    size_t n;
};

static const char *when(struct page *p, int64_t us)
{
    char text[CLOCK_TEXT_MAX];
    clock_rfc3339(us, false, text);
    const char *s = arena_fmt(p->a, "%.10s %.5s UTC", text, text + 11);
    return s ? s : "";
}

/* What Apple said, or why nothing was said. */
static const char *answer(struct page *p, const struct push_row *push)
{
    const char *s = push->last_status > 0
                        ? arena_fmt(p->a, "%d %s", push->last_status, push->reason)
                    : *push->reason ? push->reason
                                    : page_text(p, "push_no_answer");
    return s ? s : "";
}

/* ---- what has happened ---- */

static void happened(struct course *x, int64_t at, const char *mark, const char *link,
                     const char *key, const char *a, const char *b)
{
    if (at && x->n < MOMENTS_ROOM)
        x->m[x->n++] = (struct moment){at, mark, words_fill(x->p->w, x->p->a, key, a, b), link};
}

static void of_push(struct course *x)
{
    const struct push_row *push = x->c->push;
    if (!push)
        return;
    if (push->state == PUSH_SENT)
        happened(x, push->sent_at, "good", NULL, "was_push_sent", answer(x->p, push), NULL);
    else if (push->state == PUSH_FAILED || push->state == PUSH_DEAD)
        happened(x, push->wanted_at, "bad", NULL, "was_push_failed", answer(x->p, push), NULL);
    else if (push->attempts > 0)
        happened(x, push->wanted_at, "warn", NULL, "was_push_tried", answer(x->p, push), NULL);
    else
        happened(x, push->wanted_at, "calm", NULL, "was_push_wanted", NULL, NULL);
}

/* "×2", or nothing for the first time. */
static const char *times(struct page *p, int n)
{
    const char *s = n > 1 ? arena_fmt(p->a, "×%d", n) : "";
    return s ? s : "";
}

static void of_commands(struct course *x)
{
    const struct device_course *c = x->c;
    struct page *p = x->p;
    for (size_t i = 0; i < c->nopen && i < MOMENTS; i++) {
        const struct queue_item *q = &c->open[i];
        const char *link = device_command_link(p, c->e->ident, q->uuid);
        if (i < 3)
            happened(x, q->queued_at, "calm", link, "was_queued", q->request_type, q->created_by);
        happened(x, q->sent_at, "calm", link, "was_sent", q->request_type, times(p, q->sent_count));
        happened(x, q->notnow_at, "warn", link, "was_notnow", q->request_type,
                 times(p, q->notnow_count));
    }
    for (size_t i = 0; i < c->nclosed && i < MOMENTS / 2; i++) {
        const struct queue_item *q = &c->closed[i];
        const char *mark = q->state == QUEUE_ACKNOWLEDGED                              ? "good"
                           : q->state == QUEUE_ERROR || q->state == QUEUE_FORMAT_ERROR ? "bad"
                                                                                       : "calm";
        const char *key = arena_fmt(p->a, "queue_%s", queue_state_name(q->state));
        happened(x, q->closed_at, mark, device_command_link(p, c->e->ident, q->uuid), "was_closed",
                 q->request_type, key ? page_text(p, key) : "");
    }
}

static int latest_last(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static void show_moments(struct course *x)
{
    struct value *list = value_set_list(x->p->root, "moments");
    qsort(x->m, x->n, sizeof *x->m, latest_last);
    for (size_t i = x->n > MOMENTS ? x->n - MOMENTS : 0; i < x->n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "mark", x->m[i].mark);
        value_set_text(v, "text", x->m[i].text);
        value_set_text(v, "link", x->m[i].link);
        page_time(x->p, v, "at", x->m[i].at);
    }
}

/* ---- how it stands, and why ---- */

static void verdict(struct course *x, const char *mark, const char *key, const char *a,
                    const char *b, const char *link)
{
    struct value *v = value_set_dict(x->p->root, "verdict");
    value_set_text(v, "mark", mark);
    value_set_text(v, "text", words_fill(x->p->w, x->p->a, key, a, b));
    value_set_text(v, "link", link);
}

/* The push is out, or nobody asked for one. */
static void judge_head(struct course *x)
{
    const struct push_row *push = x->c->push;
    const struct queue_item *h = x->head;
    bool user = strcmp(x->c->e->ident, x->c->e->device_ident) != 0;
    struct page *p = x->p;
    int64_t now = p->req->now;
    /* asked for after it was heard: when the answer of Apple is noted it may have come already */
    bool unheard = push && push->state == PUSH_SENT && push->wanted_at > x->heard;
    if (unheard && now - push->sent_at < SOON)
        verdict(x, "calm", "verdict_woken", when(p, push->sent_at), NULL, NULL);
    else if (unheard)
        verdict(x, "warn", user ? "verdict_unheard_user" : "verdict_unheard",
                when(p, push->sent_at), when(p, x->heard), NULL);
    else if (h->notnow_at)
        verdict(x, "warn", "verdict_notnow", h->request_type, when(p, h->notnow_at), NULL);
    else if (h->sent_at)
        verdict(x, now - h->sent_at < SOON ? "calm" : "warn", "verdict_sent", h->request_type,
                when(p, h->sent_at), NULL);
    else if (!push || push->wanted_at < h->queued_at - SOON)
        verdict(x, "warn", "verdict_no_push", h->request_type, NULL, NULL);
    else
        verdict(x, "calm", "verdict_polled", h->request_type, NULL, NULL);
}

static void judge_push(struct course *x)
{
    const struct enrollment *e = x->c->e;
    const struct push_row *push = x->c->push;
    struct page *p = x->p;
    const char *certs = "/pushcerts";
    if (e->push_dead_at)
        verdict(x, "bad", "verdict_dead", when(p, e->push_dead_at), e->push_dead_why, NULL);
    else if (!e->token_at)
        verdict(x, "bad", "verdict_no_token", NULL, NULL, NULL);
    else if (push && (push->state == PUSH_FAILED || push->state == PUSH_DEAD) &&
             push->wanted_at > x->heard)
        verdict(x, "bad", "verdict_push_failed", when(p, push->wanted_at), answer(p, push), certs);
    else if (push && push->state == PUSH_WANTED && push->due_at > p->req->now && *push->reason)
        verdict(x, "warn", "verdict_push_again", answer(p, push), when(p, push->due_at), certs);
    else if (push && (push->state == PUSH_WANTED || push->state == PUSH_CLAIMED) &&
             push->due_at < p->req->now - SOON)
        verdict(x, "bad", "verdict_push_late", when(p, push->wanted_at), NULL, "/");
    else if (push && (push->state == PUSH_WANTED || push->state == PUSH_CLAIMED))
        verdict(x, "calm", "verdict_push_waits", NULL, NULL, NULL);
    else
        judge_head(x);
}

static void judge(struct course *x)
{
    const struct device_course *c = x->c;
    if (c->e->state == ENROLLMENT_PENDING)
        verdict(x, "warn", "verdict_pending", NULL, NULL, NULL);
    else if (c->e->state != ENROLLMENT_ENROLLED)
        verdict(x, "calm", "verdict_gone", NULL, NULL, NULL);
    else if (c->nopen == 0)
        verdict(x, "good", "verdict_idle", NULL, NULL, NULL);
    else if (!x->head)
        verdict(x, "calm", "verdict_later", c->open[0].request_type,
                when(x->p, c->open[0].not_before), NULL);
    else
        judge_push(x);
}

/* ---- the four things that one asks first ---- */

static struct value *line(struct page *p, struct value *list, const char *key)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", page_text(p, key));
    return v;
}

static void push_line(struct course *x, struct value *v)
{
    const struct push_row *push = x->c->push;
    struct page *p = x->p;
    const char *key = "push_is_wanted";
    if (!push) {
        value_set_text(v, "text", page_text(p, "push_is_none"));
        return;
    }
    if (push->state == PUSH_SENT)
        key = "push_is_sent";
    else if (push->state == PUSH_FAILED || push->state == PUSH_DEAD)
        key = "push_is_failed";
    else if (*push->reason && push->due_at > p->req->now)
        key = "push_is_again";
    page_time(p, v, "time", push->state == PUSH_SENT ? push->sent_at : push->wanted_at);
    value_set_text(v, "text", words_fill(p->w, p->a, key, answer(p, push), when(p, push->due_at)));
}

static const char *comes_next(struct course *x)
{
    struct page *p = x->p;
    if (x->c->nopen == 0)
        return page_text(p, "next_nothing");
    if (!x->head)
        return words_fill(p->w, p->a, "next_later", x->c->open[0].request_type,
                          when(p, x->c->open[0].not_before));
    return words_fill(p->w, p->a, x->head->notnow_at ? "next_notnow" : "next_command",
                      x->head->request_type, NULL);
}

static void lines(struct course *x)
{
    struct page *p = x->p;
    struct value *list = value_set_list(p->root, "why_lines"), *v;
    const struct queue_item *put_off = NULL;
    for (size_t i = 0; i < x->c->nopen && !put_off; i++)
        if (x->c->open[i].notnow_at)
            put_off = &x->c->open[i];
    push_line(x, line(p, list, "why_push"));
    v = line(p, list, "why_poll");
    if (x->heard)
        page_time(p, v, "time", x->heard);
    else
        value_set_text(v, "text", page_text(p, "never"));
    v = line(p, list, "why_notnow");
    if (put_off) {
        page_time(p, v, "time", put_off->notnow_at);
        value_set_text(v, "text",
                       words_fill(p->w, p->a, "notnow_is", put_off->request_type,
                                  times(p, put_off->notnow_count)));
    } else {
        value_set_text(v, "text", page_text(p, "notnow_none"));
    }
    value_set_text(line(p, list, "why_next"), "text",
                   x->c->e->state == ENROLLMENT_ENROLLED ? comes_next(x) : "–");
}

/* ---- what comes next ---- */

static void show_open(struct course *x)
{
    struct page *p = x->p;
    struct value *list = value_set_list(p->root, "open");
    const struct queue_item *before = NULL;
    for (size_t i = 0; i < x->c->nopen; i++) {
        const struct queue_item *q = &x->c->open[i];
        struct value *v = device_queue_item(p, list, x->c->e->ident, q);
        const char *key = q->not_before > p->req->now                     ? "then_later"
                          : q->expires_at && q->expires_at <= p->req->now ? "then_expired"
                          : q->notnow_at                                  ? "then_notnow"
                          : q == x->head                                  ? "then_poll"
                                                                          : "then_after";
        value_set_text(v, "then",
                       words_fill(p->w, p->a, key, before ? before->request_type : "", NULL));
        before = q;
    }
}

/* The last time it said anything: enrollment.last_seen_at is true to a minute, what it was given
 * and what it answered to the moment. */
static int64_t heard_at(const struct device_course *c)
{
    int64_t t = c->e->last_seen_at;
    for (size_t i = 0; i < c->nopen; i++)
        t = c->open[i].sent_at > t ? c->open[i].sent_at : t;
    for (size_t i = 0; i < c->nclosed; i++)
        t = c->closed[i].reported_at > t ? c->closed[i].reported_at : t;
    return t;
}

void device_timeline(struct page *p, const struct device_course *c)
{
    struct course x = {.p = p, .c = c, .heard = heard_at(c)};
    for (size_t i = 0; i < c->nopen && !x.head; i++)
        if (c->open[i].not_before <= p->req->now &&
            (!c->open[i].expires_at || c->open[i].expires_at > p->req->now))
            x.head = &c->open[i];
    happened(&x, c->e->enrolled_at, "good", NULL, "was_enrolled", c->e->profile, NULL);
    happened(&x, x.heard, "good", NULL, "was_heard", NULL, NULL);
    happened(&x, c->e->push_dead_at, "bad", NULL, "was_dead", c->e->push_dead_why, NULL);
    happened(&x, c->e->ended_at, "bad", NULL, "was_ended", c->e->ended_by, c->e->ended_why);
    of_push(&x);
    of_commands(&x);
    show_moments(&x);
    judge(&x);
    lines(&x);
    show_open(&x);
}
