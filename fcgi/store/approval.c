/* approval.c: see approval.h. */
#include "store/approval.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"

#include <stdio.h>
#include <strings.h>

#define COLUMNS                                                                                    \
    "SELECT id, state, request_type, first_target, reason, asked_by, targets, asked_at, "          \
    "expires_at, decided_at, decided_by, decided_why, group_id, order_id, "                        \
    "placed_by"
/* Who is limited to groups sees what is about them or their devices alone: it is decided whole. */
#define REACHED                                                                                    \
    "(%OWN 0% OR (group_id IS NOT NULL AND %GROUP group_id%) OR (EXISTS (SELECT 1 FROM "           \
    "approval_target t WHERE t.approval_id = approval.id) AND NOT EXISTS (SELECT 1 FROM "          \
    "approval_target t LEFT JOIN enrollment e ON e.id = t.enrollment_id WHERE t.approval_id = "    \
    "approval.id AND NOT (e.id IS NOT NULL AND %SCOPE e.device_id%))))"
static const struct sql ASK = {
    "approval_ask",
    "INSERT INTO approval (id, state, request_type, targets, first_target, request, reason, "
    "asked_at, asked_by, expires_at, group_id, order_id, asked_person, "
    "retry_of, placed_by) VALUES (?,1,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql TARGETS = {
    "approval_targets",
    "INSERT INTO approval_target (approval_id, enrollment_id) SELECT ?, id FROM enrollment WHERE "
    "ident IN (%IN%) AND %SCOPE device_id%",
    1};
static const struct sql IDENTS = {
    "approval_idents",
    "SELECT e.ident FROM approval_target t JOIN enrollment e ON e.id = t.enrollment_id WHERE "
    "t.approval_id = ? ORDER BY e.id",
    0};
/* A renewal of the identity is no enrolment. */
static const struct sql IDENTS_STILL = {
    "approval_idents_still",
    "SELECT e.ident FROM approval x JOIN approval_target t ON t.approval_id = x.id JOIN enrollment "
    "e ON e.id = t.enrollment_id JOIN enrollment d ON d.id = e.device_id LEFT JOIN life l ON l.id "
    "= d.life_id WHERE x.id = ? AND (l.renewal = 1 OR COALESCE(d.enrolled_at, 0) <= x.asked_at) "
    "ORDER BY e.id",
    0};
static const struct sql PAGE = {
    "approval_targets_page",
    "SELECT e.id, e.ident, COALESCE(NULLIF(e.list_name, ''), e.ident) FROM approval_target t JOIN "
    "enrollment e ON e.id = t.enrollment_id WHERE t.approval_id = ? AND t.enrollment_id > ? AND "
    "%SCOPE e.device_id% ORDER BY t.enrollment_id LIMIT ?",
    0};
static const struct sql MAKER = {"approval_maker", "SELECT created_by FROM apikey WHERE name = ?",
                                 0};
static const struct sql MADE = {
    "approval_made_account",
    "SELECT actor FROM audit WHERE subject = ? AND action IN ('admin.add', 'admin.reset') AND at > "
    "? ORDER BY id DESC LIMIT 20",
    0};
static const struct sql GONE = {
    "approval_gone", "SELECT 1 FROM admin WHERE name = ? AND disabled_at IS NOT NULL", 0};
static const struct sql GET = {"approval_get",
                               COLUMNS ", request FROM approval WHERE id = ? AND " REACHED, 0};
static const struct sql LIST = {
    "approval_list",
    COLUMNS " FROM approval WHERE id < ? AND (? = 0 OR (state = 1 AND expires_at > ?)) AND " REACHED
            " ORDER BY id DESC LIMIT ?",
    0};
static const struct sql LOCK = {"approval_lock",
                                "SELECT state, asked_person, expires_at, group_id IS NOT NULL OR "
                                "EXISTS (SELECT 1 FROM approval_target k WHERE k.approval_id = "
                                "approval.id), decided_by, decided_at FROM approval WHERE id = ? "
                                "AND " REACHED " FOR UPDATE",
                                0};
static const struct sql OF = {
    "approval_of",
    "SELECT x.id FROM approval x JOIN approval_target t ON t.approval_id = x.id JOIN enrollment e "
    "ON e.id = t.enrollment_id JOIN enrollment d ON d.id = e.device_id LEFT JOIN life l ON l.id = "
    "d.life_id WHERE e.ident = ? AND %SCOPE e.device_id% AND x.asked_by = ? AND x.request_type = ? "
    "AND x.state IN (1, 2) AND x.expires_at > ? AND (l.renewal = 1 OR COALESCE(d.enrolled_at, 0) "
    "<= x.asked_at) ORDER BY x.state DESC, x.id DESC LIMIT 1",
    0};
static const struct sql DECIDE = {
    "approval_decide",
    "UPDATE approval SET state = ?, decided_at = ?, decided_by = ?, decided_why = ? WHERE id = ?",
    0};

const char *approval_state_name(int state)
{
    static const char *const names[] = {"?", "waiting", "approved", "refused", "expired"};

    return names[state >= 1 && state <= 4 ? state : 0];
}

/* The name in an audit actor: "droverctl:alice", "api:alice" and the console's "alice" may be one
 * and the same. */
static const char *name_of(const char *actor)
{
    static const char *const ways[] = {"droverctl:", "api:"};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strncmp(actor, ways[i], strlen(ways[i])) == 0)
            return actor + strlen(ways[i]);
    return actor;
}

#define ROOT "droverctl:root" /* of whom nothing tells who that is */
#define MAKERS_MAX 100        /* keys that made keys that made keys */

/* The person behind an actor: of an API key, who made it, in the console or at the shell; of one
 * that another key made, whoever is behind that. *nobody: it is a key of which nothing tells that.
 */
static enum outcome person_of(struct db *db, const char *actor, struct arena *a, const char **out,
                              bool *nobody, struct err *err)
{
    const char *maker = NULL;
    enum outcome o = OK;

    for (int i = 0; o == OK && strncmp(actor, "api:", 4) == 0 && i < MAKERS_MAX; i++) {
        struct rows r = {0};

        o = db_select(db, &MAKER, (struct val[]){val_str(actor + 4)}, 1, a, &r, err);
        if (o != OK || r.n == 0)
            break;
        actor = maker = row_at(&r, 0, 0)->s;
    }
    *nobody = maker != NULL && (strcmp(maker, ROOT) == 0 || strncmp(maker, "api:", 4) == 0);
    *out = name_of(actor);
    return o;
}

enum outcome approval_same_person(struct db *db, const char *one, const char *other,
                                  struct arena *a, bool *same, struct err *err)
{
    const char *x = "", *y = "";
    bool nobody;
    enum outcome o = person_of(db, one, a, &x, &nobody, err);

    if (o == OK)
        o = person_of(db, other, a, &y, &nobody, err);
    *same = o == OK && strcasecmp(x, y) == 0;
    return o;
}

/* Keeps the enrollments: how many, and one of them. */
static enum outcome targets_put(struct db *db, const struct approval *x, struct arena *a,
                                uint64_t *n, const char **first, struct err *err)
{
    struct val id = val_int(x->id), *list = arena_array(a, x->nidents + 1, sizeof *list);
    struct rows r;
    enum outcome o;

    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < x->nidents; i++)
        list[i] = val_str(x->idents[i]);
    o = db_exec_in(db, &TARGETS, &id, 1, list, x->nidents, a, n, err);
    if (o == OK)
        o = db_select(db, &IDENTS, &id, 1, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, INVALID, "there is none of these enrollments");
    if (o == OK)
        *first = row_at(&r, 0, 0)->s;
    return o;
}

#define NO_REQUEST bytes_of("", 0) /* a group's command stands with the group */

static enum outcome ask(struct db *db, const struct approval *x, struct arena *a, struct err *err)
{
    const char *person = "", *first = x->first_target;
    uint64_t n = (uint64_t)x->targets;
    const char *filed_by = x->filed_by != NULL ? x->filed_by : x->asked_by;
    char subject[32], detail[512];
    bool nobody;
    enum outcome o = person_of(db, x->asked_by, a, &person, &nobody, err);

    if (o == OK && x->group_id == 0)
        o = targets_put(db, x, a, &n, &first, err);
    if (o == OK)
        o = db_exec(db, &ASK,
                    (struct val[]){val_int(x->id), val_str(x->request_type), val_int((int64_t)n),
                                   val_cut(first, 255),
                                   x->request.n > 0 ? val_secret(x->request) : val_bin(NO_REQUEST),
                                   val_cut(x->reason, 255), val_int(x->asked_at),
                                   val_cut(x->asked_by, 128), val_int(x->expires_at),
                                   val_id(x->group_id), val_id(x->order_id), val_cut(person, 128),
                                   val_id(x->retry_of), val_cut(x->placed_by, 128)},
                    14, NULL, err);
    snprintf(subject, sizeof subject, "approval:%lld", (long long)x->id);
    snprintf(detail, sizeof detail, "request_type=%.64s targets=%llu first=%.100s reason=%.200s",
             x->request_type, (unsigned long long)n, first, x->reason);
    return o == OK ? audit_add(db, filed_by, "approval.ask", subject, detail, err) : o;
}

enum outcome approval_ask_within(struct db *db, const struct approval *x, struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    enum outcome o = a != NULL ? ask(db, x, a, err) : err_set(err, ERROR, "out of memory");

    arena_free(&a);
    return o;
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
                             .decided_why = val_text(&v[11]),
                             .group_id = val_or_0(&v[12]),
                             .order_id = val_or_0(&v[13]),
                             .placed_by = v[14].s};
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
        out->request = val_bytes(row_at(&r, 0, 15));
    }
    return o;
}

enum outcome approval_of(struct db *db, const char *actor, const char *request_type,
                         const char *ident, int64_t now, struct arena *a, struct approval *out,
                         struct err *err)
{
    struct rows r;
    enum outcome o = db_select(
        db, &OF,
        (struct val[]){val_str(ident), val_str(actor), val_str(request_type), val_int(now)}, 4, a,
        &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no approval %d", 0);
    return o == OK ? approval_get(db, row_at(&r, 0, 0)->i, a, out, err) : o;
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

enum outcome approval_idents(struct db *db, int64_t id, struct arena *a, const char *const **out,
                             size_t *n, struct err *err)
{
    const char **list;
    struct rows r;
    enum outcome o = db_select(db, &IDENTS_STILL, (struct val[]){val_int(id)}, 1, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = list = arena_array(a, r.n + 1, sizeof *list);
    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        list[*n] = row_at(&r, *n, 0)->s;
    return OK;
}

enum outcome approval_targets_read(const struct rows *r, enum outcome o, struct arena *a,
                                   struct approval_target **out, size_t *n, struct err *err)
{
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r->n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r->n; ++*n)
        (*out)[*n] =
            (struct approval_target){row_at(r, *n, 0)->i, row_at(r, *n, 1)->s, row_at(r, *n, 2)->s};
    return OK;
}

enum outcome approval_targets(struct db *db, int64_t id, int64_t after, size_t max, struct arena *a,
                              struct approval_target **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &PAGE,
                               (struct val[]){val_int(id), val_int(after),
                                              val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                               3, a, &r, err);

    return approval_targets_read(&r, o, a, out, n, err);
}

/* ---- deciding ---- */

/* Who has decided it, and when. */
static enum outcome decided(const struct val *v, struct err *err)
{
    char at[CLOCK_TEXT_MAX];

    if (v[0].i == APPROVAL_WAITS)
        return err_set(err, CONFLICT, "that request is expired already");
    return err_set(err, CONFLICT, "that request is %s already: by %s, at %s",
                   approval_state_name((int)v[0].i), val_text(&v[4]),
                   clock_rfc3339(val_or_0(&v[5]), false, at));
}

static enum outcome judge(const struct approval_decision *d, const struct rows *r,
                          const char *person, bool nobody, struct err *err)
{
    const struct val *v = r->n > 0 ? row_at(r, 0, 0) : NULL;

    if (v == NULL)
        return err_set(err, NOT_FOUND, "there is no approval %lld", (long long)d->id);
    if (v[0].i != APPROVAL_WAITS || v[2].i <= d->now)
        return decided(v, err);
    if (!d->approve)
        return OK;
    if (strcasecmp(v[1].s, person) == 0)
        return err_set(err, DENIED, "who asks for a sensitive command does not approve it");
    if (nobody)
        return err_set(err, DENIED,
                       "root made this API key, and root may be anybody: approve with a key that "
                       "an account of the console made");
    if (v[3].i == 0)
        return err_set(err, CONFLICT, "it was asked for before an upgrade: ask for it again");
    return OK;
}

/* Who was locked out of the console agrees to nothing by a key that is left. Who made an account or
 * reset its password has had that password: for a day it is not somebody else's, who may still find
 * out. Of what root did nothing tells who it was. */
static enum outcome independent(struct db *db, const char *account, const char *asked_by,
                                int64_t now, struct arena *a, struct err *err)
{
    struct rows r, gone;
    enum outcome o = db_select(db, &GONE, (struct val[]){val_str(account)}, 1, a, &gone, err);

    if (o == OK && gone.n > 0)
        return err_set(err, DENIED, "the account of who approves is disabled");
    if (o == OK)
        o = db_select(db, &MADE, (struct val[]){val_str(account), val_int(now - DAY_US)}, 2, a, &r,
                      err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const char *actor = row_at(&r, i, 0)->s, *person = "";
        bool nobody = false;

        o = person_of(db, actor, a, &person, &nobody, err);
        if (o == OK && !nobody && strcmp(actor, ROOT) != 0 && strcasecmp(person, asked_by) == 0)
            return err_set(err, DENIED,
                           "who asks made the account that approves, or reset its password, less "
                           "than a day ago: they count as one person");
    }
    return o;
}

enum outcome approval_decide_within(struct db *db, const struct approval_decision *d,
                                    struct arena *a, struct err *err)
{
    const char *person = "";
    bool nobody = false;
    char subject[32];
    struct rows r;
    enum outcome o = db_select(db, &LOCK, (struct val[]){val_int(d->id)}, 1, a, &r, err);

    if (o == OK)
        o = person_of(db, d->by, a, &person, &nobody, err);
    if (o == OK)
        o = judge(d, &r, person, nobody, err);
    if (o == OK && d->approve)
        o = independent(db, person, row_at(&r, 0, 1)->s, d->now, a, err);
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

struct deciding {
    const struct approval_decision *d;
    struct arena *a;
};

static enum outcome decide_unit(struct db *db, void *arg, struct err *err)
{
    struct deciding *x = arg;

    arena_reset(x->a);
    return approval_decide_within(db, x->d, x->a, err);
}

enum outcome approval_decide(struct db *db, const struct approval_decision *d, struct err *err)
{
    struct deciding x = {d, arena_new(LIM_MB)};
    enum outcome o =
        x.a != NULL ? db_unit(db, decide_unit, &x, err) : err_set(err, ERROR, "out of memory");

    arena_free(&x.a);
    return o;
}
