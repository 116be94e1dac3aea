/* stuck.c: why a device's queue does not move, in sentences. */
#include "console/device.h"

#include "base/clock.h"

static const char *when(struct page *p, int64_t us)
{
    char text[CLOCK_TEXT_MAX];
    clock_rfc3339(us, false, text);
    const char *s = arena_fmt(p->a, "%.10s %.5s UTC", text, text + 11);
    return s ? s : "";
}

static void say(struct page *p, struct value *list, const char *key, const char *a, const char *b)
{
    value_append(list, value_text(p->a, words_fill(p->w, p->a, key, a, b)));
}

static void about_push(struct page *p, struct value *list, const struct enrollment *e,
                       const struct push_row *push)
{
    if (e->push_dead_at) {
        say(p, list, "stuck_dead", when(p, e->push_dead_at), e->push_dead_why);
        return;
    }
    if (!e->token_at) {
        say(p, list, "stuck_no_token", NULL, NULL);
        return;
    }
    if (!push) {
        say(p, list, "stuck_no_push", NULL, NULL);
        return;
    }
    const char *status = arena_fmt(p->a, "%d %s", push->last_status, push->reason);
    if (push->state == PUSH_SENT)
        say(p, list, e->last_seen_at > push->sent_at ? "stuck_push_ok" : "stuck_push_unheard",
            when(p, push->sent_at), when(p, e->last_seen_at));
    else if (push->state == PUSH_FAILED || push->state == PUSH_DEAD)
        say(p, list, "stuck_push_failed", when(p, push->wanted_at), status);
    else if (push->attempts > 0)
        say(p, list, "stuck_push_again", when(p, push->due_at), status);
    else
        say(p, list, "stuck_push_waits", when(p, push->wanted_at), NULL);
}

static void about_head(struct page *p, struct value *list, const struct queue_item *head)
{
    if (head->notnow_at)
        say(p, list, "stuck_notnow", head->request_type, when(p, head->notnow_at));
    else if (head->sent_at)
        say(p, list, "stuck_sent", head->request_type, when(p, head->sent_at));
    if (head->not_before > p->req->now)
        say(p, list, "stuck_not_before", head->request_type, when(p, head->not_before));
}

void stuck_explain(struct page *p, const struct enrollment *e, const struct push_row *push,
                   const struct queue_item *open, size_t n)
{
    struct value *list = value_set_list(p->root, "stuck");
    if (e->state != ENROLLMENT_ENROLLED) {
        say(p, list, e->state == ENROLLMENT_PENDING ? "stuck_pending" : "stuck_gone", NULL, NULL);
        return;
    }
    about_push(p, list, e, push);
    say(p, list, "stuck_polled", when(p, e->last_seen_at), NULL);
    if (n == 0) {
        value_set_text(p->root, "comes_next", page_text(p, "next_nothing"));
        return;
    }
    about_head(p, list, &open[0]);
    value_set_text(p->root, "comes_next",
                   words_fill(p->w, p->a, "next_command", open[0].request_type, NULL));
}
