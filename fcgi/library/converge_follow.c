/* converge_follow.c: what became of the commands: see converge.h. */
#include "library/converge_int.h"

#include "base/limits.h"
#include "base/log.h"
#include "library/apps.h"
#include "wire/plist.h"

#include <stdio.h>
#include <stdlib.h>

#define BACKOFF_US (5 * MINUTE_US)
#define CHECK_US (10 * MINUTE_US)
#define OVERLAP_US (30 * SECOND_US) /* a transaction may commit so long after its time */

/* MCMDMErrorDomain: what is to go is not there, or not ours: a profile, and an app (two codes). */
static bool is_not_managed(int64_t code)
{
    return code == 12013 || code == 12029 || code == 12038;
}

int64_t converge_backoff(int attempts)
{
    int64_t us = BACKOFF_US;

    for (int i = 1; i < attempts && us < DAY_US; i++)
        us *= 4;
    return us < DAY_US ? us : DAY_US;
}

/* What a RejectionReason of InstallApplication means, and what to do about it. */
static const char *rejection_words(const char *reason)
{
    static const struct {
        const char *reason, *words;
    } known[] = {
        {"AppAlreadyInstalled", " (the user has installed it; the setting ChangeManagementState = "
                                "Managed takes it over)"},
        {"AppAlreadyQueued", " (the device is installing it already)"},
        {"AppStoreDisabled", " (a restriction forbids the App Store on the device)"},
        {"CouldNotVerifyAppID", " (the store does not know the app's number or identifier, or the "
                                "device cannot reach it)"},
        {"ManagementChangeNotSupported", " (this app cannot be taken over from the user)"},
        {"NotAnApp", " (the number in the store is of a book, film or the like)"},
        {"NotSupported", " (the device cannot run it: its system is too old, or of another kind)"},
        {"PurchaseMethodNotSupported", " (Options.PurchaseMethod does not fit this app)"},
        {"PurchaseMethodNotSupportedInMultiUser",
         " (a Shared iPad takes apps by a licence for the device alone: Options.PurchaseMethod = "
         "1)"},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].reason, reason) == 0)
            return known[i].words;
    return "";
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
    if (rejected != NULL && rejection_words(rejected)[0] != '\0')
        return arena_fmt(a, "rejected: %.64s%s", rejected, rejection_words(rejected));
    if (rejected != NULL && text != NULL) /* all that a Mac says is "Other" */
        return arena_fmt(a, "rejected: %.64s: %.300s (%.60s %lld)", rejected, text,
                         domain != NULL ? domain : "no domain", (long long)*code);
    if (rejected != NULL)
        return arena_fmt(a, "rejected: %.64s", rejected);
    if (domain == NULL && text == NULL)
        return "the device reported an error without a reason";
    return arena_fmt(a, "%.300s (%.60s %lld)", text != NULL ? text : "an error",
                     domain != NULL ? domain : "no domain", (long long)*code);
}

const char *converge_error(struct arena *a, struct bytes report)
{
    const char *text = "the device reported an error that cannot be read";
    struct err ignored;
    int64_t code = 0;
    pl root = NULL;

    if (report.n > 0 && pl_parse(report, &root, &ignored) == OK)
        text = error_text(a, root, &code);
    pl_free(&root);
    return text != NULL ? text : "the device reported an error";
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
    if (x->wanted && x->kind == LIBRARY_APP && x->there && rejected(root, "AppAlreadyInstalled")) {
        x->next = WANTED_INSTALLED; /* ours, and there is no newer one */
        x->due_at = now;
        pl_free(&root);
        return;
    }
    pl_free(&root);
    if (!x->wanted && (is_not_managed(code) || (x->kind == LIBRARY_PROFILE && !x->listed))) {
        x->next = WANTED_REMOVED; /* what is to go is not there */
        x->due_at = now;
        return;
    }
    fail(x, now, text != NULL ? text : "the device reported an error");
}

/* A managed app is there when the device says so; the command only begins it. */
static bool app_is_followed(const struct wanted_closed *x)
{
    return x->kind == LIBRARY_APP && app_is_managed(x->settings, platform_of(x->product_name));
}

/* A device that takes Settings tells of each whether it did. */
static void judge_settings(struct converge *c, struct wanted_closed *x, int64_t now)
{
    struct err ignored;
    int64_t code;
    pl root = NULL, list;

    x->next = WANTED_INSTALLED;
    if (x->report.n == 0 || pl_parse(x->report, &root, &ignored) != OK)
        return;
    list = pl_get(root, "Settings");
    for (size_t i = 0; i < pl_size(list); i++) {
        pl one = pl_at(list, i);
        const char *status = pl_get_str(one, "Status"), *item = pl_get_str(one, "Item");

        if (status == NULL || strcmp(status, "Error") != 0)
            continue;
        fail(x, now,
             arena_fmt(c->a, "it did not take the app's settings: %.40s: %s",
                       item != NULL ? item : "Settings", error_text(c->a, one, &code)));
        if (x->reason == NULL)
            x->reason = "it did not take the app's settings";
        break;
    }
    pl_free(&root);
}

/* An app that was known by its number in the store alone: the device tells which it is. */
static enum outcome learn(struct converge *c, const struct wanted_closed *x, struct err *err)
{
    struct err ignored;
    pl root = NULL;
    const char *identifier;
    enum outcome o = OK;

    if (x->kind != LIBRARY_APP || x->state != QUEUE_ACKNOWLEDGED || x->report.n == 0 ||
        strspn(x->identifier, "0123456789") != strlen(x->identifier) ||
        pl_parse(x->report, &root, &ignored) != OK)
        return OK;
    identifier = pl_get_str(root, "Identifier");
    if (identifier != NULL && identifier[0] != '\0' && strlen(identifier) <= LIM_IDENT)
        o = library_learn(c->db, x->item_id, x->identifier, identifier, err);
    if (o == CONFLICT) {
        log_event(LOG_LEVEL_ERROR, "converge.same-app", "store_id", x->identifier, "identifier",
                  identifier, NULL);
        o = OK;
    }
    pl_free(&root);
    return o;
}

static void judge(struct converge *c, struct wanted_closed *x, int64_t now)
{
    x->reason = "";
    x->due_at = now;
    switch (x->state) {
    case QUEUE_ACKNOWLEDGED:
        if (strcmp(x->request_type, "Settings") == 0) {
            judge_settings(c, x, now);
            break;
        }
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
    for (size_t i = 0; i < n && o == OK; i++) {
        o = learn(c, &x[i], err);
        judge(c, &x[i], now);
        failed += x[i].next == WANTED_FAILED;
    }
    if (n > 0 && o == OK) {
        qsort(x, n, sizeof *x, by_item);
        o = wanted_settle(c->db, x, n, now, c->a, err);
        log_msg(LOG_LEVEL_INFO, "converge.settled", "%zu commands, %zu failed", n, failed);
    }
    c->did += n;
    if (o == OK && !overdue && n < CONVERGE_SOME)
        c->closed_since = now - OVERLAP_US;
    return o;
}
