/* converge_follow.c: what became of the commands: see converge.h. */
#include "library/converge_int.h"

#include "base/log.h"
#include "store/library.h"
#include "wire/json.h"
#include "wire/plist.h"

#include <stdio.h>
#include <stdlib.h>

#define BACKOFF_US (5 * MINUTE_US)
#define CHECK_US (10 * MINUTE_US)
#define OVERLAP_US (30 * SECOND_US) /* a transaction may commit so long after its time */
#define NOT_MANAGED 12013           /* MCMDMErrorDomain: the profile is not there, or not ours */

int64_t converge_backoff(int attempts)
{
    int64_t us = BACKOFF_US;

    for (int i = 1; i < attempts && us < DAY_US; i++)
        us *= 4;
    return us < DAY_US ? us : DAY_US;
}

/* The first error of the chain, in words and with its code. In the arena. */
static const char *error_text(struct arena *a, pl root, int64_t *code)
{
    pl first = pl_at(pl_get(root, "ErrorChain"), 0);
    const char *text = pl_get_str(first, "USEnglishDescription");
    const char *domain = pl_get_str(first, "ErrorDomain"), *rejected;

    *code = 0;
    pl_get_int(first, "ErrorCode", code);
    if (text == NULL)
        text = pl_get_str(first, "LocalizedDescription");
    rejected = pl_get_str(root, "RejectionReason");
    if (rejected != NULL)
        return arena_fmt(a, "rejected: %.64s", rejected);
    if (domain == NULL && text == NULL)
        return "the device reported an error without a reason";
    return arena_fmt(a, "%.300s (%.60s %lld)", text != NULL ? text : "an error",
                     domain != NULL ? domain : "no domain", (long long)*code);
}

static void fail(struct wanted_closed *x, int64_t now, const char *reason)
{
    x->next = WANTED_FAILED;
    x->due_at = now + converge_backoff(x->attempts);
    x->reason = reason;
}

static bool rejected(pl report, const char *reason)
{
    const char *s = pl_get_str(report, "RejectionReason");

    return s != NULL && strcmp(s, reason) == 0;
}

static void judge_error(struct converge *c, struct wanted_closed *x, int64_t now)
{
    struct err ignored;
    int64_t code = 0;
    pl root = NULL;
    const char *text = "the device reported an error that cannot be read";

    if (x->report.n > 0 && pl_parse(x->report, &root, &ignored) == OK)
        text = error_text(c->a, root, &code);
    if (x->wanted && x->kind == LIBRARY_APP && rejected(root, "AppAlreadyQueued")) {
        x->next = WANTED_INSTALLING; /* it is on its way */
        x->due_at = now;
        pl_free(&root);
        return;
    }
    pl_free(&root);
    if (!x->wanted && (code == NOT_MANAGED || (x->kind == LIBRARY_PROFILE && !x->listed))) {
        x->next = WANTED_REMOVED; /* what is to go is not there */
        x->due_at = now;
        return;
    }
    fail(x, now, text != NULL ? text : "the device reported an error");
}

/* A managed app is there when the device says so; the command only begins it. */
static bool app_is_followed(const struct wanted_closed *x)
{
    struct err ignored;
    bool not_managed = false;
    js settings = NULL;

    if (x->kind != LIBRARY_APP)
        return false;
    if (x->settings[0] != '\0' && js_parse(bytes_str(x->settings), &settings, &ignored) == OK)
        js_get_bool(js_get(settings, "Options"), "NotManaged", &not_managed);
    js_free(&settings);
    return !not_managed;
}

static void judge(struct converge *c, struct wanted_closed *x, int64_t now)
{
    x->reason = "";
    x->due_at = now;
    switch (x->state) {
    case QUEUE_ACKNOWLEDGED:
        x->next = !x->wanted           ? WANTED_REMOVED
                  : app_is_followed(x) ? WANTED_INSTALLING
                                       : WANTED_INSTALLED;
        break;
    case QUEUE_ERROR:
        judge_error(c, x, now);
        break;
    case QUEUE_FORMAT_ERROR:
        fail(x, now, "the device does not understand the command");
        break;
    case QUEUE_CANCELLED:
        fail(x, now, x->closed_why[0] != '\0' ? x->closed_why : "the command was cancelled");
        break;
    case QUEUE_EXPIRED:
    case QUEUE_UNCONFIRMED:
        fail(x, now, "the device did not answer in time");
        break;
    default: /* neither open nor closed: a queue that was emptied, an old result that was purged */
        x->next = WANTED_PENDING;
        break;
    }
}

static int by_item(const void *a, const void *b)
{
    const struct wanted_closed *x = a, *y = b;

    return (x->item_id > y->item_id) - (x->item_id < y->item_id);
}

enum outcome converge_follow(struct converge *c, int64_t now, bool overdue, struct err *err)
{
    struct wanted_closed *x = NULL;
    size_t n = 0, failed = 0;
    enum outcome o;

    arena_reset(c->a);
    o = wanted_closed(c->db, overdue ? 0 : c->closed_since, now, now + CHECK_US, CONVERGE_SOME,
                      c->a, &x, &n, err);
    if (o != OK)
        return o;
    for (size_t i = 0; i < n; i++) {
        judge(c, &x[i], now);
        failed += x[i].next == WANTED_FAILED;
    }
    if (n > 0) {
        qsort(x, n, sizeof *x, by_item);
        o = wanted_settle(c->db, x, n, now, c->a, err);
        log_msg(LOG_LEVEL_INFO, "converge.settled", "%zu commands, %zu failed", n, failed);
    }
    c->did += n;
    if (o == OK && !overdue && n < CONVERGE_SOME)
        c->closed_since = now - OVERLAP_US;
    return o;
}
