/* hooks.c: see hooks.h. */
#include "proc/hooks.h"

#include "webhook/sender.h"

#define IDLE_MS 200
#define SETTLE_MS 50
#define GRACE_MS 3000

static void *hooks_open(const struct conf *conf, struct db *db, struct err *err)
{
    struct webhook_sender *s = NULL;

    return webhook_sender_new(conf, db, &s, err) == OK ? s : NULL;
}

static enum outcome hooks_turn(void *work, int64_t until, int *rest_ms, struct err *err)
{
    bool busy = false;
    enum outcome o = webhook_sender_turn(work, until, &busy, err);

    *rest_ms = busy ? 0 : IDLE_MS;
    return o;
}

/* What is under way is recorded; its claims keep the next agent from sending it too. */
static void hooks_idle(void *work)
{
    webhook_sender_settle(work, SETTLE_MS);
}

static void hooks_close(void *work)
{
    struct webhook_sender *s = work;

    webhook_sender_settle(s, GRACE_MS);
    webhook_sender_free(&s);
}

const struct chore_kind hooks = {"webhooks", hooks_open, hooks_turn, hooks_idle, hooks_close};
