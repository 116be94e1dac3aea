/* send.c: see send.h. */
#include "command/send.h"

#include "command/secrets.h"
#include "command/sensitive.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "store/enrollment.h"
#include "store/fleet.h"
#include "store/push.h"

#include <stdlib.h>

#define WAIT_MS 2000
#define WAIT_MAX LIM_PAGE /* for more than these nobody waits: they are on their way */
#define TICKET_DAYS 90
/* A ticket is a round trip to the signer, and the caller waits. */
#define TICKETS_MAX 500

struct run {
    struct db *db;
    const struct conf *conf;
    struct arena *a;
    const char *actor;
    int64_t now;
    struct sending *s;
    struct err err;
};

/* ---- the targets ---- */

#define NO_ID "not an enrollment id: empty, too long, badly escaped or with control characters"

static bool id_valid(const char *id)
{
    size_t n = strlen(id);

    if (n == 0 || n > LIM_IDENT || !utf8_valid(bytes_str(id)))
        return false;
    for (const unsigned char *p = (const unsigned char *)id; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

/* What an answer can hold, of an id that is not UTF-8. */
static const char *cleaned(struct arena *a, const char *id)
{
    struct buf b = BUF_INIT(LIM_PATH * 3);
    char *copy;

    if (utf8_valid(bytes_str(id)))
        return id;
    utf8_clean_add(&b, bytes_str(id));
    copy = arena_strdup(a, buf_cstr(&b));
    buf_free(&b);
    return copy != NULL ? copy : "";
}

static void add(struct arena *a, struct sending *s, const char *id)
{
    struct target *t = &s->targets[s->n++];

    *t = (struct target){.id = cleaned(a, id)};
    if (!id_valid(id))
        t->push_error = t->command_error = NO_ID;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct target *)a)->id, ((const struct target *)b)->id);
}

enum outcome send_targets(struct arena *a, const char *const *ids, size_t n, struct sending *s,
                          struct err *err)
{
    size_t k = 0;

    s->n = 0;
    s->targets = arena_array(a, n + 1, sizeof(s->targets[0]));
    if (s->targets == NULL)
        return err_set(err, ERROR, "no memory for %zu ids", n);
    for (size_t i = 0; i < n; i++)
        add(a, s, ids[i]);
    qsort(s->targets, s->n, sizeof(s->targets[0]), by_id);
    for (size_t i = 0; i < s->n; i++)
        if (k == 0 || strcmp(s->targets[k - 1].id, s->targets[i].id) != 0)
            s->targets[k++] = s->targets[i];
    s->n = k;
    return OK;
}

/* ---- what concerns all ---- */

/* A failure that concerns every id. */
static void fail_all(struct run *r, bool command, bool push)
{
    const char *text;

    r->s->away = r->err.outcome == UNAVAILABLE;
    if (r->err.outcome == UNAVAILABLE || r->err.outcome == ERROR) {
        log_err(LOG_LEVEL_ERROR, "send.failed", &r->err);
        text = r->err.outcome == UNAVAILABLE
                   ? "the database or the signer does not answer; try again later"
                   : "internal error; the log says more";
    } else {
        text = arena_strdup(r->a, r->err.msg);
    }
    if (command)
        r->s->command_error = text;
    if (push)
        r->s->push_error = text;
}

static struct target *find(struct sending *s, const char *id)
{
    struct target key = {.id = id};
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = strcmp(key.id, s->targets[mid].id);

        if (c == 0)
            return &s->targets[mid];
        *(c < 0 ? &hi : &lo) = c < 0 ? mid : mid + 1;
    }
    return NULL;
}

static void judge(struct sending *s, struct target *t, const struct enrollment_brief *b)
{
    static const char *const gone[] = {[ENROLLMENT_PENDING] =
                                           "the enrollment waits for its first TokenUpdate",
                                       [ENROLLMENT_LEFT] = "the enrollment has checked out",
                                       [ENROLLMENT_ENDED] = "the enrollment was ended"};

    t->enrollment_id = b->id;
    t->command_error = t->push_error = NULL;
    if (b->state != ENROLLMENT_ENROLLED && b->state >= 1 && b->state <= 4)
        t->command_error = t->push_error = gone[b->state];
    else if (!b->pushable)
        t->push_error = "push data missing for id";
    if (t->command_error == NULL && s->command != NULL && s->command->fill != 0 && !b->unlockable)
        t->command_error = "the device has given no UnlockToken, which ClearPasscode needs";
}

/* Looks the ids up and sorts out those that cannot be sent anything. */
static bool look_up(struct run *r)
{
    struct sending *s = r->s;
    const char **ids = arena_array(r->a, s->n + 1, sizeof(*ids));
    struct enrollment_brief *b = NULL;
    size_t n = 0, found = 0;

    if (ids == NULL) {
        err_set(&r->err, ERROR, "out of memory");
        return false;
    }
    for (size_t i = 0; i < s->n; i++) {
        struct target *t = &s->targets[i];

        if (t->command_error != NULL)
            continue;
        t->command_error = "unknown enrollment id";
        t->push_error = "push data missing for id";
        ids[n++] = t->id;
    }
    if (n > 0 && enrollment_briefs(r->db, ids, n, r->a, &b, &found, &r->err) != OK)
        return false;
    for (size_t i = 0; i < found; i++) {
        struct target *t = find(s, b[i].ident);

        if (t != NULL)
            judge(s, t, &b[i]);
    }
    return true;
}

/* A passcode is never cleared on a device that is lost: whoever has it would get in. */
static bool spare_the_lost(struct run *r)
{
    struct sending *s = r->s;
    const char **ids = arena_array(r->a, s->n + 1, sizeof(*ids)), **lost = NULL;
    size_t n = 0;

    if (s->command == NULL || strcmp(s->command->request_type, "ClearPasscode") != 0)
        return true;
    if (ids == NULL) {
        err_set(&r->err, ERROR, "out of memory");
        return false;
    }
    for (size_t i = 0; i < s->n; i++)
        ids[i] = s->targets[i].id;
    if (fleet_lost(r->db, ids, s->n, r->a, &lost, &n, &r->err) != OK)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct target *t = find(s, lost[i]);

        if (t != NULL)
            t->command_error = "the device is marked lost: its passcode is not cleared";
    }
    return true;
}

/* ---- the command ---- */

static void end_ticket(struct target *t)
{
    struct err err = {0};

    if (t->has_ticket && sign_ticket_end(bytes_of(t->ticket, sizeof(t->ticket)), &err) != OK)
        log_err(LOG_LEVEL_WARNING, "send.ticket_end", &err);
    t->has_ticket = false;
}

/* Each device's UnlockToken can be opened once this command is delivered to it, and not before. */
static enum outcome make_ticket(struct run *r, struct target *t)
{
    int64_t end = r->now + (TICKET_DAYS * DAY_US - HOUR_US);
    enum outcome o;

    if (r->s->expires_at != 0 && r->s->expires_at < end)
        end = r->s->expires_at;
    o = sign_ticket("UnlockToken", t->id, r->s->command->uuid, r->actor, end, t->ticket, &r->err);
    t->has_ticket = o == OK;
    return o;
}

static enum outcome make_tickets(struct run *r, struct target **list, size_t n,
                                 struct bytes *tickets)
{
    enum outcome o = OK;

    if (n > TICKETS_MAX)
        return err_set(&r->err, INVALID, "%s goes to at most %d enrollments in one call",
                       r->s->command->request_type, TICKETS_MAX);
    for (size_t i = 0; o == OK && i < n; i++) {
        o = make_ticket(r, list[i]);
        tickets[i] = bytes_of(list[i]->ticket, sizeof(list[i]->ticket));
    }
    return o;
}

static void note_outcomes(struct target **list, size_t n, const struct enqueue *e)
{
    static const char *const text[] = {
        [ENQUEUE_UNKNOWN] = "unknown enrollment id",
        [ENQUEUE_ENDED] = "the enrollment is not enrolled any more",
        [ENQUEUE_DUPLICATE] = "an open command with this dedupe key is queued already"};

    for (size_t i = 0; i < n; i++) {
        list[i]->queued = e->outcomes[i] == ENQUEUE_OK;
        if (!list[i]->queued) {
            list[i]->command_error = text[e->outcomes[i]];
            end_ticket(list[i]);
        }
    }
}

struct lists {
    struct target **target;
    const char **ids, **apns_ids;
    struct bytes *tickets;
    enum enqueue_outcome *outcomes;
    int64_t *enrollment_ids;
    size_t n;
};

static bool make_lists(struct run *r, struct lists *l)
{
    struct arena *a = r->a;
    struct sending *s = r->s;

    *l = (struct lists){.target = arena_array(a, s->n + 1, sizeof(*l->target)),
                        .ids = arena_array(a, s->n + 1, sizeof(*l->ids)),
                        .apns_ids = arena_array(a, s->n + 1, sizeof(*l->apns_ids)),
                        .tickets = arena_array(a, s->n + 1, sizeof(*l->tickets)),
                        .outcomes = arena_array(a, s->n + 1, sizeof(*l->outcomes)),
                        .enrollment_ids = arena_array(a, s->n + 1, sizeof(*l->enrollment_ids))};
    if (l->target == NULL || l->ids == NULL || l->apns_ids == NULL || l->tickets == NULL ||
        l->outcomes == NULL || l->enrollment_ids == NULL) {
        err_set(&r->err, ERROR, "out of memory");
        return false;
    }
    for (size_t i = 0; i < s->n; i++) {
        struct target *t = &s->targets[i];

        if (t->command_error != NULL)
            continue;
        if (s->push && t->push_error == NULL)
            uuid_v4(t->apns_id);
        l->target[l->n] = t;
        l->ids[l->n] = t->id;
        l->apns_ids[l->n++] = t->apns_id[0] != '\0' ? t->apns_id : NULL;
    }
    return true;
}

static bool sensitive(struct run *r)
{
    const struct raw_command *c = r->s->command;

    return command_sensitive(r->db, r->conf, r->a, c->request_type, c->removes);
}

/* Where two persons are asked for, one alone cannot send what harms, by no way. */
static bool needs_approval(struct run *r)
{
    const struct sending *s = r->s;

    if (s->approved || strcmp(r->conf->command_approval, "sensitive") != 0 || !sensitive(r))
        return false;
    err_set(&r->err, DENIED,
            "%s must be approved by a second person: ask for it with POST /api/v1/commands or "
            "droverctl enqueue --request-type",
            s->command->request_type);
    return true;
}

/* What harms is on record, whoever made the command: what the caller has to say of it, or this. */
static void note_sensitive(struct run *r, const struct lists *l, struct enqueue_note *note)
{
    struct sending *s = r->s;

    if (s->nnotes > 0 || !sensitive(r))
        return;
    *note = (struct enqueue_note){"command.sensitive", s->command->uuid,
                                  arena_fmt(r->a,
                                            "request_type=%s enrollments=%zu first=%s "
                                            "reason=%s",
                                            s->command->request_type, l->n, l->ids[0],
                                            s->reason != NULL ? s->reason : "(none)")};
    s->notes = note;
    s->nnotes = 1;
}

/* False: a failure that concerns all of them; r->err has it. */
static bool queue_command(struct run *r)
{
    struct sending *s = r->s;
    struct bytes open = {0}, sealed = {0};
    struct enqueue_note note;
    struct lists l;
    enum outcome o = OK;

    if (needs_approval(r) || !make_lists(r, &l))
        return false;
    if (l.n == 0)
        return true;
    note_sensitive(r, &l, &note);
    if (s->command->fill != 0)
        o = make_tickets(r, l.target, l.n, l.tickets);
    if (o == OK)
        o = secrets_seal_command(r->conf->signer_dir, s->command->uuid, s->command->xml, r->a,
                                 &open, &sealed, &r->err);
    struct enqueue e = {.uuid = s->command->uuid,
                        .request_type = s->command->request_type,
                        .body = open,
                        .sealed = sealed,
                        .dropped = s->dropped,
                        .reason = s->reason,
                        .retry_of = s->retry_of,
                        .fill = s->command->fill,
                        .idents = l.ids,
                        .n = l.n,
                        .priority = s->priority,
                        .not_before = s->not_before,
                        .expires_at = s->expires_at,
                        .dedupe_key = s->dedupe_key,
                        .dedupe = s->dedupe,
                        .actor = r->actor,
                        .notes = s->notes,
                        .nnotes = s->nnotes,
                        .push = s->push,
                        .push_keep_s = r->conf->apns_expiration_s,
                        .apns_ids = l.apns_ids,
                        .tickets = s->command->fill != 0 ? l.tickets : NULL,
                        .now = r->now,
                        .outcomes = l.outcomes,
                        .enrollment_ids = l.enrollment_ids};
    if (o == OK)
        o = queue_add(r->db, &e, &r->err);
    if (s->notes == &note) {
        s->notes = NULL;
        s->nnotes = 0;
    }
    if (o == OK || o == NOT_FOUND) {
        note_outcomes(l.target, l.n, &e);
        return true;
    }
    s->used_before = o == CONFLICT;
    for (size_t i = 0; i < l.n; i++)
        end_ticket(l.target[i]);
    return false;
}

/* ---- the pushes ---- */

static int by_enrollment(const void *a, const void *b)
{
    const struct push_want *x = a, *y = b;

    return (x->enrollment_id > y->enrollment_id) - (x->enrollment_id < y->enrollment_id);
}

/* Those that queue_add() has not asked a push for already. */
static enum outcome want_pushes(struct run *r)
{
    struct sending *s = r->s;
    struct push_want *want = arena_array(r->a, s->n + 1, sizeof(*want));
    size_t n = 0;

    if (want == NULL)
        return err_set(&r->err, ERROR, "out of memory");
    for (size_t i = 0; i < s->n; i++) {
        struct target *t = &s->targets[i];

        if (t->push_error != NULL || t->queued)
            continue;
        uuid_v4(t->apns_id);
        want[n++] = (struct push_want){t->enrollment_id, t->apns_id};
    }
    if (n == 0)
        return OK;
    qsort(want, n, sizeof(*want), by_enrollment);
    return push_request(r->db, want, n, r->conf->apns_expiration_s, &r->err);
}

/* NanoMDM's words for what APNs said. */
static void note_push(struct run *r, struct target *t, const struct push_row *row)
{
    const char *again =
        row->state == PUSH_WANTED || row->state == PUSH_CLAIMED ? " (it is tried again)" : "";
    struct arena *a = r->a;

    if (!push_settled(row) || row->state == PUSH_SENT)
        t->push_result = row->apns_id[0] != '\0' ? arena_strdup(a, row->apns_id) : t->apns_id;
    else if (row->last_status > 0)
        t->push_error = arena_fmt(a, "push HTTP status: %d: APNs push error: %s%s",
                                  row->last_status, row->reason, again);
    else
        t->push_error = arena_fmt(a, "push: %s%s", row->reason, again);
}

static int by_row(const void *a, const void *b)
{
    const struct push_row *x = a, *y = b;

    return (x->enrollment_id > y->enrollment_id) - (x->enrollment_id < y->enrollment_id);
}

static enum outcome await_pushes(struct run *r)
{
    struct sending *s = r->s;
    int64_t *ids = arena_array(r->a, s->n + 1, sizeof(*ids));
    struct push_row *rows = NULL;
    size_t n = 0, found = 0;
    enum outcome o = OK;

    if (ids == NULL)
        return err_set(&r->err, ERROR, "out of memory");
    for (size_t i = 0; i < s->n; i++)
        if (s->targets[i].push_error == NULL) {
            s->targets[i].push_result = s->targets[i].apns_id; /* unless the agent says more */
            ids[n++] = s->targets[i].enrollment_id;
        }
    if (n > 0 && n <= WAIT_MAX && !s->no_wait)
        o = push_wait(r->db, ids, n, WAIT_MS, r->a, &rows, &found, &r->err);
    if (found == 0)
        return o;
    qsort(rows, found, sizeof(*rows), by_row);
    for (size_t i = 0; i < s->n; i++) {
        struct push_row key = {.enrollment_id = s->targets[i].enrollment_id}, *row;

        if (s->targets[i].push_error == NULL &&
            (row = bsearch(&key, rows, found, sizeof(*rows), by_row)) != NULL)
            note_push(r, &s->targets[i], row);
    }
    return o;
}

/* The pushes of a command that waits for its moment come then, with the ids that are told now. */
static bool later(const struct run *r)
{
    const struct sending *s = r->s;

    if (s->command == NULL || s->not_before <= r->now)
        return false;
    for (size_t i = 0; i < s->n; i++)
        if (s->targets[i].queued && s->targets[i].push_error == NULL)
            s->targets[i].push_result = s->targets[i].apns_id;
    return true;
}

void send_run(struct db *db, const struct conf *conf, struct arena *a, const char *actor,
              int64_t now, struct sending *s)
{
    struct run r = {.db = db, .conf = conf, .a = a, .actor = actor, .now = now, .s = s};

    if (!look_up(&r) || !spare_the_lost(&r))
        fail_all(&r, s->command != NULL, s->push);
    else if (s->command != NULL && !queue_command(&r))
        fail_all(&r, true, false);
    else if (s->push && later(&r))
        return;
    else if (s->push && want_pushes(&r) != OK)
        fail_all(&r, false, true);
    else if (s->push && await_pushes(&r) != OK) /* they are on their way nevertheless */
        log_err(LOG_LEVEL_WARNING, "send.push_wait", &r.err);
}
