/* standing_ask.c: a second person's leave for sensitive commands of groups: see standing.h. */
#include "store/standing.h"

#include "base/limits.h"
#include "store/audit.h"
#include "store/group.h"
#include "store/id.h"

#include <stdio.h>

#define CHUNK 512
#define REASON_CHARS 400
#define WAITS "a second person has not approved it for this device yet"

static const struct sql VOID = {
    "standing_ask_void",
    "UPDATE approval SET expires_at = ? WHERE order_id = ? AND state = 1 AND expires_at > ? AND (? "
    "OR placed_by <=> ?)",
    0};
static const struct sql ASKED = {"standing_asked",
                                 "UPDATE standing_order SET approval_id = ? WHERE id = ?", 0};

/* Devices of an order that waits itself, and of one that is in force. */
#define MEMBERS                                                                                    \
    " FROM group_member m JOIN enrollment e ON e.id = m.device_id AND e.state = 2 WHERE "          \
    "m.group_id = ? AND ? IS NULL "
#define WAITING                                                                                    \
    " FROM device_order d FORCE INDEX (of_order) JOIN standing_order s ON s.id = d.order_id JOIN " \
    "group_member m ON m.group_id = s.group_id AND m.device_id = d.enrollment_id JOIN enrollment " \
    "e ON e.id = d.enrollment_id AND e.state = 2 WHERE d.order_id = ? AND d.state = 7 AND "        \
    "m.by_whom <=> ? "
#define TARGET "SELECT e.id, e.ident, COALESCE(NULLIF(e.list_name, ''), e.ident)"
#define PAGE "AND e.id > ? AND %SCOPE e.device_id% ORDER BY e.id LIMIT ?"
static const struct sql MEMBERS_PAGE = {"standing_members_page", TARGET MEMBERS PAGE, 0};
static const struct sql WAITING_PAGE = {"standing_waiting_page", TARGET WAITING PAGE, 0};
static const struct sql MEMBERS_COUNT = {
    "standing_members_count", "SELECT COUNT(*), COALESCE(SUM(m.since > ?), 0)" MEMBERS, 0};
static const struct sql WAITING_COUNT = {
    "standing_waiting_count", "SELECT COUNT(*), COALESCE(SUM(d.changed_at > ?), 0)" WAITING, 0};
#define COVER "INSERT INTO approval_target (approval_id, enrollment_id) SELECT ?, e.id"
/* What who decides has brought in since it was asked for is for somebody else to approve. */
#define OWN_MAX 20 /* actors that are one person */
static const struct sql COVER_MEMBERS = {
    "standing_cover_members",
    COVER MEMBERS "AND (m.since <= ? OR m.by_whom IS NULL OR m.by_whom NOT IN (%IN%))", 1};
static const struct sql BROUGHT = {
    "standing_brought",
    "SELECT DISTINCT by_whom FROM group_member WHERE group_id = ? AND since > ? AND by_whom IS NOT "
    "NULL LIMIT ?",
    0};
static const struct sql COVER_WAITING = {"standing_cover_waiting", COVER WAITING, 0};

static const struct sql LOCK = {
    "standing_lock_order", "SELECT state, group_id FROM standing_order WHERE id = ? FOR UPDATE", 0};
static const struct sql LIVE = {
    "standing_live",
    "UPDATE standing_order SET state = 1, changed_at = ? WHERE id = ? AND state = 2", 0};
static const struct sql COUNTED = {"standing_counted",
                                   "UPDATE approval SET targets = ? WHERE id = ?", 0};
static const struct sql RELEASE = {
    "standing_release",
    "UPDATE device_order d JOIN approval_target t ON t.approval_id = ? AND t.enrollment_id = "
    "d.enrollment_id SET d.state = 1, d.attempts = 0, d.due_at = ?, d.changed_at = ?, d.reason = "
    "'' WHERE d.order_id = ? AND d.state = 7",
    0};
static const struct sql REFUSE = {
    "standing_refuse",
    "UPDATE device_order d JOIN standing_order s ON s.id = d.order_id LEFT JOIN group_member m ON "
    "m.group_id = s.group_id AND m.device_id = d.enrollment_id SET d.state = 4, d.due_at = ?, "
    "d.changed_at = ?, d.reason = ? WHERE d.order_id = ? AND d.state = 7 AND (s.state = 2 OR "
    "m.by_whom <=> ?)",
    0};

static const struct sql APPROVED = {
    "standing_approved",
    "SELECT t.enrollment_id, MAX(a.decided_at) FROM approval a JOIN approval_target t ON "
    "t.approval_id = a.id WHERE a.order_id = ? AND a.state = 2 AND t.enrollment_id IN (%IN%) GROUP "
    "BY t.enrollment_id",
    1};
/* changed_at is made of what the state was: since when it waits. */
static const struct sql WAIT = {
    "standing_wait",
    "UPDATE device_order FORCE INDEX (PRIMARY) SET changed_at = IF(state = 7, changed_at, ?), "
    "due_at = ?, reason = ?, state = 7 WHERE (enrollment_id, order_id, occasion, state) IN (%IN%)",
    4};
/* Orders with those who brought devices in that wait; and orders that wait themselves. */
#define NO_OPEN(more)                                                                              \
    "NOT EXISTS (SELECT 1 FROM approval o WHERE o.order_id = s.id AND o.state = 1 AND "            \
    "o.expires_at > ?" more ")"
static const struct sql UNASKED = {
    "standing_unasked",
    "SELECT DISTINCT s.id, m.by_whom FROM standing_order s JOIN device_order d ON d.order_id = "
    "s.id AND d.state = 7 JOIN group_member m ON m.group_id = s.group_id AND m.device_id = "
    "d.enrollment_id WHERE s.state = 1 AND " NO_OPEN(
        " AND o.placed_by <=> m.by_whom") " UNION SELECT s.id, NULL FROM standing_order s JOIN "
                                          "approval x ON x.id = s.approval_id AND x.state = 1 "
                                          "WHERE s.state = 2 AND " NO_OPEN("") " LIMIT ?",
    0};
static const struct sql OPEN = {
    "standing_ask_open",
    "SELECT id FROM approval WHERE order_id = ? AND state = 1 AND expires_at > ? AND placed_by "
    "<=> ? LIMIT 1",
    0};

/* ---- asking ---- */

enum outcome standing_ask(struct db *db, const struct standing *s, const struct approval *x,
                          const char *actor, int64_t now, struct err *err)
{
    struct approval asked = *x;
    struct arena *a = arena_new(LIM_MB);
    struct val at = val_int(now);
    struct device_group g;
    enum outcome o =
        a != NULL ? group_get(db, s->group_id, a, &g, err) : err_set(err, ERROR, "out of memory");

    if (o == OK)
        o = db_exec(db, &VOID,
                    (struct val[]){at, val_int(s->id), at, val_int(s->state != STANDING_LIVE),
                                   val_str(x->placed_by)},
                    5, NULL, err);
    if (o == OK) {
        asked.request_type = s->request_type;
        asked.first_target = arena_fmt(a, "group %s", g.name);
        asked.reason = s->reason;
        if (asked.asked_by == NULL)
            asked.asked_by = actor;
        if (asked.targets == 0)
            asked.targets = g.members;
        asked.group_id = g.id;
        asked.order_id = s->id;
        asked.asked_at = now;
        o = approval_ask_within(db, &asked, err);
    }
    if (o == OK)
        o = db_exec(db, &ASKED, (struct val[]){val_int(x->id), val_int(s->id)}, 2, NULL, err);
    arena_free(&a);
    return o;
}

/* ---- for whom ---- */

/* How many devices it is about now, and how many of them came after seen_at. */
static enum outcome count(struct db *db, int order_state, const struct approval *x, int64_t seen_at,
                          struct arena *a, int64_t *n, int64_t *late, struct err *err)
{
    bool all = order_state == STANDING_WAITS;
    struct rows r;
    enum outcome o =
        db_select(db, all ? &MEMBERS_COUNT : &WAITING_COUNT,
                  (struct val[]){val_int(seen_at), val_int(all ? x->group_id : x->order_id),
                                 all ? val_null() : val_str(x->placed_by)},
                  3, a, &r, err);

    *n = o == OK ? row_at(&r, 0, 0)->i : 0;
    *late = o == OK ? row_at(&r, 0, 1)->i : 0;
    return o;
}

enum outcome standing_targets(struct db *db, const struct approval *x, int64_t after, size_t max,
                              struct arena *a, struct approval_target **out, size_t *n,
                              struct err *err)
{
    struct standing s;
    struct rows r = {0};
    enum outcome o = OK;

    if (x->order_id == 0 || x->state == APPROVAL_APPROVED)
        return approval_targets(db, x->id, after, max, a, out, n, err);
    if (x->state == APPROVAL_WAITS)
        o = standing_get(db, x->group_id, x->order_id, a, &s, err);
    if (o == OK && x->state == APPROVAL_WAITS) {
        bool all = s.state == STANDING_WAITS;

        o = db_select(db, all ? &MEMBERS_PAGE : &WAITING_PAGE,
                      (struct val[]){val_int(all ? x->group_id : x->order_id),
                                     all ? val_null() : val_str(x->placed_by), val_int(after),
                                     val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                      4, a, &r, err);
    }
    return approval_targets_read(&r, o, a, out, n, err);
}

enum outcome standing_targets_count(struct db *db, struct approval *x, size_t n, struct arena *a,
                                    struct err *err)
{
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < n; i++) {
        struct standing s;
        int64_t late;

        if (x[i].order_id == 0 || x[i].state != APPROVAL_WAITS)
            continue;
        o = standing_get(db, x[i].group_id, x[i].order_id, a, &s, err);
        if (o == OK)
            o = count(db, s.state, &x[i], 0, a, &x[i].targets, &late, err);
    }
    return o;
}

/* ---- deciding ---- */

struct deciding {
    const struct approval_decision *d;
    const struct approval *x;
    struct arena *a;
    uint64_t covered;
};

/* The group is as it was when who decides looked at it. */
static enum outcome unchanged(struct db *db, const struct deciding *x, int state, struct err *err)
{
    int64_t n, late = 0;
    enum outcome o = OK;

    if (x->d->seen_at != 0)
        o = count(db, state, x->x, x->d->seen_at, x->a, &n, &late, err);
    if (o == OK && late > 0)
        return err_set(err, CONFLICT,
                       "%lld devices have come into the group since you looked: look again",
                       (long long)late);
    return o;
}

/* Keeps who is in the group now, but for those whom who decides has brought in meanwhile. */
static enum outcome cover_members(struct db *db, struct deciding *x, int64_t group_id,
                                  struct err *err)
{
    struct val group = val_int(group_id), at = val_int(x->x->asked_at), own[OWN_MAX];
    struct rows r;
    size_t n = 0;
    enum outcome o =
        db_select(db, &BROUGHT, (struct val[]){group, at, val_int(LIM_PAGE)}, 3, x->a, &r, err);

    own[n++] = val_str(""); /* nobody */
    for (size_t i = 0; o == OK && i < r.n; i++) {
        bool same;

        o = approval_same_person(db, row_at(&r, i, 0)->s, x->d->by, x->a, &same, err);
        if (o == OK && same && n == OWN_MAX)
            return err_set(err, DENIED, "you have brought devices in by too many names");
        if (o == OK && same)
            own[n++] = *row_at(&r, i, 0);
    }
    return o == OK ? db_exec_in(db, &COVER_MEMBERS,
                                (struct val[]){val_int(x->x->id), group, val_null(), at}, 4, own, n,
                                x->a, &x->covered, err)
                   : o;
}

/* Keeps for whom it is approved, and lets them have it. */
static enum outcome cover(struct db *db, struct deciding *x, int state, int64_t group_id,
                          struct err *err)
{
    struct val id = val_int(x->x->id), order = val_int(x->x->order_id), at = val_int(x->d->now);
    char name[32], detail[128];
    enum outcome o =
        state == STANDING_WAITS
            ? cover_members(db, x, group_id, err)
            : db_exec(db, &COVER_WAITING, (struct val[]){id, order, val_str(x->x->placed_by)}, 3,
                      &x->covered, err);

    if (o == OK)
        o = db_exec(db, &COUNTED, (struct val[]){val_int((int64_t)x->covered), id}, 2, NULL, err);
    if (o == OK)
        o = db_exec(db, &RELEASE, (struct val[]){id, at, at, order}, 4, NULL, err);
    if (o == OK)
        o = db_exec(db, &LIVE, (struct val[]){at, order}, 2, NULL, err);
    if (o == OK)
        o = wanted_touch(db, err);
    snprintf(name, sizeof name, "%lld", (long long)x->x->order_id);
    snprintf(detail, sizeof detail, "approval=%lld group=%lld request_type=%.32s devices=%llu",
             (long long)x->x->id, (long long)group_id, x->x->request_type,
             (unsigned long long)x->covered);
    return o == OK ? audit_add(db, x->d->by, "group.order-approved", name, detail, err) : o;
}

static enum outcome refuse(struct db *db, const struct deciding *x, struct err *err)
{
    const char *why = arena_fmt(x->a, "%s refused it: %s", x->d->by, x->d->why);

    return db_exec(db, &REFUSE,
                   (struct val[]){val_int(STANDING_NEVER), val_int(x->d->now),
                                  val_cut(why != NULL ? why : "refused", REASON_CHARS),
                                  val_int(x->x->order_id), val_str(x->x->placed_by)},
                   5, NULL, err);
}

static enum outcome decide_unit(struct db *db, void *arg, struct err *err)
{
    struct deciding *x = arg;
    struct rows r;
    enum outcome o;

    arena_reset(x->a);
    x->covered = 0;
    o = db_select(db, &LOCK, (struct val[]){val_int(x->x->order_id)}, 1, x->a, &r, err);
    if (o == OK)
        o = approval_decide_within(db, x->d, x->a, err);
    if (o != OK)
        return o;
    if (!x->d->approve)
        return refuse(db, x, err);
    if (r.n == 0 || (row_at(&r, 0, 0)->i != STANDING_LIVE && row_at(&r, 0, 0)->i != STANDING_WAITS))
        return err_set(err, CONFLICT, "the group has not that command any more");
    o = unchanged(db, x, (int)row_at(&r, 0, 0)->i, err);
    return o == OK ? cover(db, x, (int)row_at(&r, 0, 0)->i, row_at(&r, 0, 1)->i, err) : o;
}

enum outcome standing_decide(struct db *db, const struct approval_decision *d,
                             const struct approval *x, uint64_t *covered, struct err *err)
{
    struct deciding u = {d, x, arena_new(LIM_MB), 0};
    enum outcome o =
        u.a != NULL ? db_unit(db, decide_unit, &u, err) : err_set(err, ERROR, "out of memory");

    *covered = o == OK ? u.covered : 0;
    arena_free(&u.a);
    return o;
}

/* ---- for the agent ---- */

enum outcome standing_approved(struct db *db, const struct standing_due *const *d, size_t n,
                               struct arena *a, bool *out, struct err *err)
{
    struct val list[CHUNK], order = val_int(n > 0 ? d[0]->order_id : 0);
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < n; from += k) {
        struct rows r = {0};

        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            list[i] = val_int(d[from + i]->enrollment_id);
        o = db_select_in(db, &APPROVED, &order, 1, list, k, NULL, 0, a, &r, err);
        for (size_t i = 0; o == OK && i < k; i++) {
            out[from + i] = false;
            for (size_t j = 0; j < r.n && !out[from + i]; j++)
                out[from + i] = row_at(&r, j, 0)->i == d[from + i]->enrollment_id &&
                                row_at(&r, j, 1)->i >= d[from + i]->occasion;
        }
    }
    return o;
}

enum outcome standing_wait(struct db *db, const struct standing_due *const *d, size_t n,
                           int64_t due_at, int64_t now, struct arena *a, struct err *err)
{
    struct val list[CHUNK * 4];
    enum outcome o = OK;

    for (size_t from = 0, k; o == OK && from < n; from += k) {
        k = n - from < CHUNK ? n - from : CHUNK;
        for (size_t i = 0; i < k; i++) {
            struct val *v = list + i * 4;

            v[0] = val_int(d[from + i]->enrollment_id);
            v[1] = val_int(d[from + i]->order_id);
            v[2] = val_int(d[from + i]->occasion);
            v[3] = val_int(d[from + i]->state);
        }
        o = db_exec_in(db, &WAIT, (struct val[]){val_int(now), val_int(due_at), val_str(WAITS)}, 3,
                       list, k, a, NULL, err);
    }
    return o;
}

struct requesting {
    int64_t id, expires_at, now;
    const char *placed_by; /* whose devices; NULL: of whom that is not known, or all */
    const char *actor;
    struct arena *a;
    bool asked;
};

static enum outcome request_unit(struct db *db, void *arg, struct err *err)
{
    struct requesting *x = arg;
    struct standing s;
    struct rows r;
    int64_t n = 0, late;
    enum outcome o;

    arena_reset(x->a);
    x->asked = false;
    if ((o = db_select(db, &LOCK, (struct val[]){val_int(x->id)}, 1, x->a, &r, err)) != OK ||
        (o = db_select(db, &OPEN,
                       (struct val[]){val_int(x->id), val_int(x->now), val_str(x->placed_by)}, 3,
                       x->a, &r, err)) != OK ||
        (o = standing_get(db, 0, x->id, x->a, &s, err)) != OK)
        return o;
    struct approval ask = {.id = id_new(),
                           .group_id = s.group_id,
                           .order_id = s.id,
                           .placed_by = x->placed_by,
                           .expires_at = x->expires_at,
                           .asked_by = x->placed_by != NULL ? x->placed_by : s.created_by,
                           .filed_by = x->actor};
    if ((o = count(db, s.state, &ask, 0, x->a, &n, &late, err)) != OK || r.n > 0 ||
        (s.state == STANDING_LIVE ? n == 0 : s.state != STANDING_WAITS))
        return o;
    ask.targets = n;
    x->asked = true;
    return standing_ask(db, &s, &ask, x->actor, x->now, err);
}

enum outcome standing_request(struct db *db, const char *actor, int64_t expires_at, int64_t now,
                              size_t *n, struct err *err)
{
    struct arena *a = arena_new(LIM_MB), *unit = arena_new(LIM_MB);
    struct rows r = {0};
    enum outcome o =
        a != NULL && unit != NULL
            ? db_select(db, &UNASKED, (struct val[]){val_int(now), val_int(now), val_int(LIM_PAGE)},
                        3, a, &r, err)
            : err_set(err, ERROR, "out of memory");

    *n = 0;
    for (size_t i = 0; o == OK && i < r.n; i++) {
        struct requesting x = {.id = row_at(&r, i, 0)->i,
                               .placed_by = row_at(&r, i, 1)->s,
                               .expires_at = expires_at,
                               .now = now,
                               .actor = actor,
                               .a = unit};

        o = db_unit(db, request_unit, &x, err);
        if (o == NOT_FOUND) /* its group was deleted meanwhile */
            o = OK;
        else
            *n += x.asked;
    }
    arena_free(&a);
    arena_free(&unit);
    return o;
}
