/* renew.c: see renew.h. */
#include "enrollment/renew.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "command/secrets.h"
#include "enrollment/profile.h"
#include "store/queue.h"
#include "store/renewal.h"
#include "wire/cms.h"
#include "wire/plist.h"

#define RUN_MAX 20                 /* begun in one run: pushes wait meanwhile */
#define CHALLENGE_US (14 * DAY_US) /* a device may be away for some time */
#define CONFIRM_US DAY_US          /* and so long after that for the new identity to be seen */
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
    struct bytes der;     /* the signed profile */
    struct bytes command; /* the property list, without the profile */
    struct bytes sealed;  /* and whole */
};

/* The object that the device enrolled with, in force now, with what may not change as it was. Where
 * that is not known, or the object is gone, the default one with the device's topic. */
static enum outcome profile_of(struct begin *b, struct profile *p, struct handout *was,
                               struct err *err)
{
    *was = (struct handout){.topic = b->due->topic};
    enum outcome o = handout_of_device(b->db, b->due->device_id, b->a, was, err);
    bool known = o == OK;
    if (o == NOT_FOUND || (known && !was->profile_id))
        o = profile_load(b->conf, b->db, b->a, NULL, p, err);
    else if (known) {
        o = profile_load_id(b->conf, b->db, b->a, was->profile_id, p, err);
        if (o == NOT_FOUND)
            o = profile_load(b->conf, b->db, b->a, NULL, p, err);
    }
    if (o == OK && known)
        profile_keep(p, was);
    else if (o == OK && was->topic[0])
        p->topic = was->topic;
    return o;
}

/* The certificate that the profile is encrypted to, where it demands that; empty: nobody's. An
 * identity that only signs (an elliptic curve, another CA's rules) can open nothing: the device is
 * renewed all the same, since the alternative is to lose it, and the log says so. */
static struct bytes recipient_of(const struct begin *b, const struct profile *p)
{
    struct buf sealed = BUF_INIT(64 * LIM_KB);
    struct err err = {.outcome = OK};
    struct bytes to = p->encrypt ? b->due->identity_der : bytes_of(NULL, 0);
    if (p->encrypt && to.n == 0)
        err_set(&err, INVALID, "its certificate is not known");
    else if (to.n)
        (void)!cms_encrypt(bytes_str("?"), to, &sealed, &err);
    buf_free(&sealed);
    if (err.outcome == OK)
        return to;
    log_event(LOG_LEVEL_WARNING, "renewal.not_encrypted", "device", b->due->ident, "why", err.msg,
              NULL);
    return bytes_of(NULL, 0);
}

/* The profile, signed; encrypted to the identity that it replaces, where the object says so. Its
 * making is one unit of work with the row that says so. */
static enum outcome profile_unit(struct db *db, void *arg, struct err *err)
{
    struct begin *b = arg;
    struct profile p;
    struct handout was;
    (void)db; /* it is b->db */
    enum outcome o = profile_of(b, &p, &was, err);
    if (o != OK)
        return o;
    struct profile_order order = {.way = WAY_RENEWAL,
                                  .account_kind = (enum account_kind)was.account_kind,
                                  .account = was.account,
                                  .invitation_id = was.invitation_id,
                                  .note = "renewal",
                                  .device_id = b->due->device_id,
                                  .keep_us = CHALLENGE_US,
                                  .recipient = recipient_of(b, &p)};
    return profile_hand_out(b->conf, b->db, &p, &order, b->a, &b->der, err);
}

static enum outcome command_make(struct begin *b, struct err *err)
{
    struct buf xml = BUF_INIT(2 * PROFILE_MAX);
    enum outcome o = db_unit(b->db, profile_unit, b, err);
    if (o != OK)
        return o;
    uuid_v4(b->uuid);
    pl root = pl_new_dict(), command = pl_new_dict();
    pl_set_str(command, "RequestType", "InstallProfile");
    pl_set_data(command, "Payload", b->der);
    pl_set(root, "Command", command);
    pl_set_str(root, "CommandUUID", b->uuid);
    o = pl_to_xml(root, &xml);
    if (o == OK)
        b->command = arena_bytes(b->a, buf_bytes(&xml));
    if (o != OK || !b->command.p)
        o = err_set(err, ERROR, "the command with the profile cannot be written");
    else /* a challenge, or an identity with its key */
        o = secrets_seal_command(b->conf->signer_dir, b->uuid, b->command, b->a, &b->command,
                                 &b->sealed, err);
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
                        .sealed = b->sealed,
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
