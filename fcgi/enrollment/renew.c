/* renew.c: see renew.h. */
#include "enrollment/renew.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "enrollment/profile.h"
#include "store/queue.h"
#include "store/renewal.h"
#include "store/scep.h"
#include "wire/encode.h"
#include "wire/plist.h"
#include "wire/sign.h"

#define RUN_MAX 20                 /* begun in one run: pushes wait meanwhile */
#define CHALLENGE_US (14 * DAY_US) /* a device may be away for some time */
#define CONFIRM_US DAY_US          /* and so long after that for the new identity to be seen */
#define PROFILE_MAX (512u * LIM_KB)
#define RENEWAL_PRIORITY 10
#define ACTOR "rule:renewal"

/* One renewal being begun. */
struct begin {
    struct db *db;
    const struct conf *conf;
    const struct renewal_due *due;
    struct arena *a;
    int64_t now;
    char uuid[UUID_LEN + 1];
    struct bytes command; /* the property list */
};

/* The profile, signed. */
static enum outcome profile_make(struct begin *b, struct bytes *der, struct err *err)
{
    char challenge[SCEP_CHALLENGE_LEN + 1] = "";
    struct buf xml = BUF_INIT(PROFILE_MAX);
    struct profile p;
    enum outcome o =
        profile_of_site(b->conf, b->db, b->a, b->due->topic[0] ? b->due->topic : NULL, &p, err);
    if (o == OK)
        o = scep_challenge_new(b->db, "renewal", b->due->device_id, b->now + CHALLENGE_US,
                               challenge, err);
    p.challenge = challenge;
    if (o == OK)
        o = profile_build(&p, b->a, &xml, err);
    if (o == OK)
        o = sign_profile(b->a, buf_bytes(&xml), der, err);
    secret_wipe(challenge, sizeof challenge);
    buf_wipe(&xml);
    return o;
}

static enum outcome command_make(struct begin *b, struct err *err)
{
    struct buf xml = BUF_INIT(2 * PROFILE_MAX);
    struct bytes der;
    enum outcome o = profile_make(b, &der, err);
    if (o != OK)
        return o;
    uuid_v4(b->uuid);
    pl root = pl_new_dict(), command = pl_new_dict();
    pl_set_str(command, "RequestType", "InstallProfile");
    pl_set_data(command, "Payload", der);
    pl_set(root, "Command", command);
    pl_set_str(root, "CommandUUID", b->uuid);
    o = pl_to_xml(root, &xml);
    if (o == OK)
        b->command = arena_bytes(b->a, buf_bytes(&xml));
    if (o != OK || !b->command.p)
        o = err_set(err, ERROR, "the command with the profile cannot be written");
    pl_free(&root);
    buf_wipe(&xml);
    return o;
}

static enum outcome command_queue(struct begin *b, struct err *err)
{
    enum enqueue_outcome outcome;
    int64_t id;
    struct enqueue e = {.uuid = b->uuid,
                        .request_type = "InstallProfile",
                        .body = b->command,
                        .idents = &b->due->ident,
                        .n = 1,
                        .priority = RENEWAL_PRIORITY,
                        .expires_at = b->now + CHALLENGE_US,
                        .dedupe_key = "renewal",
                        .dedupe = DEDUPE_SUPERSEDE,
                        .actor = ACTOR,
                        .push = true,
                        .push_keep_s = b->conf->apns_expiration_s,
                        .now = b->now,
                        .outcomes = &outcome,
                        .enrollment_ids = &id};
    return queue_add(b->db, &e, err);
}

/* The row says "under way" before the command is there: should the agent die in between, the next
 * run finds that there is none and begins anew. */
static enum outcome begin_one(struct begin *b, struct err *err)
{
    enum outcome o = command_make(b, err);
    if (o == OK)
        o = renewal_begin(b->db, b->due->device_id, b->uuid, b->now,
                          b->now + CHALLENGE_US + CONFIRM_US, err);
    if (o == CONFLICT)
        return OK;
    if (o == OK)
        o = command_queue(b, err);
    if (o == OK || o == UNAVAILABLE)
        return o;
    log_err(LOG_LEVEL_WARNING, "renewal.failed", err);
    return renewal_fail(b->db, b->due->device_id, b->now, err->msg, err);
}

static enum outcome begin_due(struct db *db, const struct conf *conf, size_t max, struct arena *a,
                              struct err *err)
{
    struct renewal_due *due;
    size_t n;
    int64_t now = clock_now();
    enum outcome o = renewal_due_read(db, now, max < RUN_MAX ? max : RUN_MAX, a, &due, &n, err);
    for (size_t i = 0; o == OK && i < n; i++) {
        struct begin b = {.db = db, .conf = conf, .due = &due[i], .a = a, .now = now};
        o = begin_one(&b, err);
    }
    if (o == OK && n > 0)
        log_msg(LOG_LEVEL_INFO, "renewal.begun", "%zu", n);
    return o;
}

enum outcome renew_run(struct db *db, const struct conf *conf, struct err *err)
{
    static bool was_halted;
    struct renewal_followed followed;
    struct arena *a = arena_new(LIM_ARENA_REQUEST);
    size_t allowed = 0;
    bool halted = false;
    if (!a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = renewal_follow(db, clock_now(), &followed, err);
    if (o == OK && followed.done + followed.failed > 0)
        log_msg(LOG_LEVEL_INFO, "renewal.followed", "%zu done, %zu failed", followed.done,
                followed.failed);
    if (o == OK)
        o = renewal_allowance(db, clock_now(), conf->renewal_per_hour, &allowed, &halted, err);
    if (o == OK && halted && !was_halted)
        log_event(LOG_LEVEL_ERROR, "renewal.halted", "why",
                  "a quarter of the last day's renewals failed; see droverctl certs", NULL);
    if (o == OK)
        was_halted = halted;
    if (o == OK && allowed > 0)
        o = begin_due(db, conf, allowed, a, err);
    arena_wipe(a);
    arena_free(&a);
    return o;
}
