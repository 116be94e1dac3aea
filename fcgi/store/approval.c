/* approval.c: see approval.h. */
#include "store/approval.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"

#include <stdio.h>

#define COLUMNS                                                                                    \
    "SELECT id, state, request_type, first_target, reason, asked_by, targets, asked_at, "          \
    "expires_at, decided_at, decided_by, decided_why"
static const struct sql ASK = {
    "approval_ask",
    "INSERT INTO approval (id, state, request_type, targets, first_target, request, reason, "
    "asked_at, asked_by, expires_at) VALUES (?,1,?,?,?,?,?,?,?,?)",
    0};
static const struct sql GET = {"approval_get", COLUMNS ", request FROM approval WHERE id = ?", 0};
static const struct sql LIST = {
    "approval_list",
    COLUMNS " FROM approval WHERE id < ? AND (? = 0 OR (state = 1 AND expires_at > ?)) ORDER BY id "
            "DESC LIMIT ?",
    0};
static const struct sql LOCK = {
    "approval_lock", "SELECT state, asked_by, expires_at FROM approval WHERE id = ? FOR UPDATE", 0};
static const struct sql DECIDE = {
    "approval_decide",
    "UPDATE approval SET state = ?, decided_at = ?, decided_by = ?, decided_why = ? WHERE id = ?",
    0};

const char *approval_state_name(int state)
{
    static const char *const names[] = {"?", "waiting", "approved", "refused", "expired"};

    return names[state >= 1 && state <= 4 ? state : 0];
}

enum outcome approval_ask_within(struct db *db, const struct approval *x, struct err *err)
{
    char subject[32], detail[512];
    enum outcome o =
        db_exec(db, &ASK,
                (struct val[]){val_int(x->id), val_str(x->request_type), val_int(x->targets),
                               val_cut(x->first_target, 255), val_secret(x->request),
                               val_cut(x->reason, 255), val_int(x->asked_at),
                               val_cut(x->asked_by, 128), val_int(x->expires_at)},
                9, NULL, err);

    snprintf(subject, sizeof subject, "approval:%lld", (long long)x->id);
    snprintf(detail, sizeof detail, "request_type=%.64s targets=%lld first=%.100s reason=%.200s",
             x->request_type, (long long)x->targets, x->first_target, x->reason);
    return o == OK ? audit_add(db, x->asked_by, "approval.ask", subject, detail, err) : o;
}

static enum outcome ask_unit(struct db *db, void *arg, struct err *err)
{
    return approval_ask_within(db, arg, err);
}

enum outcome approval_ask(struct db *db, const struct approval *x, struct err *err)
{
    return db_unit(db, ask_unit, (void *)(uintptr_t)x, err);
}

static void from_row(const struct val *v, struct approval *out)
{
    *out = (struct approval){.id = v[0].i,
                             .state = (int)v[1].i,
                             .request_type = v[2].s,
                             .first_target = v[3].s,
                             .reason = v[4].s,
                             .asked_by = v[5].s,
                             .targets = v[6].i,
                             .asked_at = v[7].i,
                             .expires_at = v[8].i,
                             .decided_at = val_or_0(&v[9]),
                             .decided_by = val_text(&v[10]),
                             .decided_why = val_text(&v[11])};
    if (out->state == APPROVAL_WAITS && out->expires_at <= clock_now())
        out->state = APPROVAL_EXPIRED;
}

enum outcome approval_get(struct db *db, int64_t id, struct arena *a, struct approval *out,
                          struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &GET, (struct val[]){val_int(id)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no approval %lld", (long long)id);
    if (o == OK) {
        from_row(row_at(&r, 0, 0), out);
        out->request = val_bytes(row_at(&r, 0, 12));
    }
    return o;
}

enum outcome approval_list(struct db *db, bool waiting, int64_t before, size_t max, struct arena *a,
                           struct approval **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &LIST,
                               (struct val[]){val_int(before != 0 ? before : INT64_MAX),
                                              val_int(waiting), val_int(clock_now()),
                                              val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                               4, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}

struct decision {
    int64_t id, now;
    bool approve;
    const char *by, *why;
    struct arena *a;
};

/* The name in an audit actor: "droverctl:alice", "api:alice" and the console's "alice" may be one
 * and the same. */
static const char *person(const char *actor)
{
    static const char *const ways[] = {"droverctl:", "api:"};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strncmp(actor, ways[i], strlen(ways[i])) == 0)
            return actor + strlen(ways[i]);
    return actor;
}

static enum outcome judge(const struct decision *d, const struct rows *r, struct err *err)
{
    const struct val *v = r->n > 0 ? row_at(r, 0, 0) : NULL;

    if (v == NULL)
        return err_set(err, NOT_FOUND, "there is no approval %lld", (long long)d->id);
    if (v[0].i != APPROVAL_WAITS || v[2].i <= d->now)
        return err_set(err, CONFLICT, "that request is %s already",
                       v[0].i != APPROVAL_WAITS ? approval_state_name((int)v[0].i) : "expired");
    if (d->approve && strcmp(person(v[1].s), person(d->by)) == 0)
        return err_set(err, DENIED, "who asks for a sensitive command does not approve it");
    return OK;
}

static enum outcome decide_unit(struct db *db, void *arg, struct err *err)
{
    struct decision *d = arg;
    char subject[32];
    struct rows r;
    enum outcome o;

    arena_reset(d->a);
    o = db_select(db, &LOCK, (struct val[]){val_int(d->id)}, 1, d->a, &r, err);
    if (o == OK)
        o = judge(d, &r, err);
    if (o == OK)
        o = db_exec(db, &DECIDE,
                    (struct val[]){val_int(d->approve ? APPROVAL_APPROVED : APPROVAL_REFUSED),
                                   val_int(d->now), val_cut(d->by, 128), val_cut(d->why, 255),
                                   val_int(d->id)},
                    5, NULL, err);
    snprintf(subject, sizeof subject, "approval:%lld", (long long)d->id);
    return o == OK ? audit_add(db, d->by, d->approve ? "approval.approve" : "approval.refuse",
                               subject, d->why, err)
                   : o;
}

enum outcome approval_decide(struct db *db, int64_t id, bool approve, const char *by,
                             const char *why, int64_t now, struct err *err)
{
    struct decision d = {id, now, approve, by, why, arena_new(LIM_MB)};
    enum outcome o;

    if (d.a == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_unit(db, decide_unit, &d, err);
    arena_free(&d.a);
    return o;
}
