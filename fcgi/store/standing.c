/* standing.c: standing orders, for people: see standing.h. */
#include "store/standing.h"

#include "base/limits.h"
#include "store/audit.h"
#include "store/filter.h"

#include <stdio.h>

#define ACTOR_CHARS 128

#define COLUMNS                                                                                    \
    "SELECT s.id, s.group_id, s.request_type, s.command_keys, s.sealed, s.policy, s.every_days, "  \
    "s.reason, s.state, s.approval_id, IF(a.state = 1 AND a.expires_at <= UNIX_TIMESTAMP() * "     \
    "1000000, 4, a.state), s.created_at, s.changed_at, s.created_by FROM standing_order s LEFT "   \
    "JOIN approval a ON a.id = s.approval_id "
static const struct sql LIST = {"standing_list",
                                COLUMNS "WHERE (? = 0 OR s.group_id = ?) AND s.state IN (1, 2) AND "
                                        "%GROUP s.group_id% ORDER BY s.id LIMIT ?",
                                0};
/* Those of all, also for who is limited to some groups: a tag is everybody's. */
static const struct sql IN_FORCE = {
    "standing_in_force",
    "SELECT s.request_type, g.filter, s.command_keys FROM standing_order s JOIN device_group g ON "
    "g.id = "
    "s.group_id WHERE s.state = 1 AND (? = 0 OR s.group_id = ?) AND (? = 0 OR g.filter IS NOT "
    "NULL)",
    0};
static const struct sql GET = {
    "standing_get", COLUMNS "WHERE s.id = ? AND (? = 0 OR s.group_id = ?) AND %GROUP s.group_id%",
    0};
static const struct sql ADD = {
    "standing_add",
    "INSERT INTO standing_order (id, group_id, request_type, command_keys, sealed, policy, "
    "every_days, reason, state, created_at, created_by, changed_at) VALUES "
    "(?,?,?,?,?,?,?,?,4,?,?,?)",
    0};
static const struct sql SET = {
    "standing_set",
    "UPDATE standing_order s LEFT JOIN approval a ON a.id = s.approval_id SET s.state = IF(? = 1 "
    "AND a.state IS NOT NULL AND a.state <> 2, 2, ?), s.changed_at = ? WHERE s.group_id = ? AND "
    "s.id IN (%IN%)",
    1};
/* What is taken out needs nobody's leave any more. */
static const struct sql VOID = {
    "standing_void",
    "UPDATE approval SET expires_at = ? WHERE state = 1 AND expires_at > ? AND order_id IN (%IN%)",
    1};

#define DEVICE_COLUMNS                                                                             \
    "SELECT d.enrollment_id, d.order_id, s.group_id, e.ident, e.serial, e.device_name, g.name, "   \
    "s.request_type, s.policy, s.every_days, d.state, d.attempts, d.occasion, d.due_at, "          \
    "d.changed_at, d.done_at, d.reason, c.uuid FROM device_order d JOIN standing_order s ON s.id " \
    "= d.order_id JOIN enrollment e ON e.id = d.enrollment_id LEFT JOIN device_group g ON g.id = " \
    "s.group_id LEFT JOIN command c ON c.id = d.command_id "
static const struct sql DEVICES = {"standing_devices",
                                   DEVICE_COLUMNS
                                   "WHERE d.order_id = ? AND %SCOPE e.device_id% AND (? = 0 OR "
                                   "d.state = ?) AND d.enrollment_id > ? ORDER "
                                   "BY d.enrollment_id LIMIT ?",
                                   0};
static const struct sql OF_DEVICE = {
    "standing_of_device",
    DEVICE_COLUMNS "WHERE e.ident = ? AND %SCOPE e.device_id% ORDER BY d.order_id LIMIT ?", 0};
static const struct sql EXISTS = {
    "standing_device", "SELECT id FROM enrollment WHERE ident = ? AND %SCOPE device_id%", 0};
static const struct sql RETRY = {
    "standing_retry",
    "UPDATE device_order d JOIN enrollment e ON e.id = d.enrollment_id SET d.state = 1, d.attempts "
    "= 0, d.due_at = ?, d.changed_at = ?, d.reason = '' WHERE d.order_id = ? AND d.state IN (4, 5) "
    "AND %SCOPE e.device_id% AND (? IS NULL OR e.ident = ?)",
    0};

static const char *name_of(const char *const *names, size_t n, int i)
{
    return i >= 1 && (size_t)i < n ? names[i] : "?";
}

static int read_of(const char *const *names, size_t n, const char *word)
{
    for (size_t i = 1; word != NULL && i < n; i++)
        if (strcmp(names[i], word) == 0)
            return (int)i;
    return 0;
}

#define COUNT(x) (sizeof(x) / sizeof *(x))
static const char *const POLICIES[] = {"?", "join", "enrol", "every"};
static const char *const STATES[] = {"?", "in-force", "waiting", "taken-out", "draft"};
static const char *const PROGRESS[] = {
    "?",      "pending",        "queued",    "done",
    "failed", "not-applicable", "withdrawn", "waiting-for-approval"};

const char *standing_policy_name(int policy)
{
    return name_of(POLICIES, COUNT(POLICIES), policy);
}

int standing_policy_read(const char *word)
{
    return read_of(POLICIES, COUNT(POLICIES), word);
}

const char *standing_state_name(int state)
{
    return name_of(STATES, COUNT(STATES), state);
}

const char *device_order_state_name(int state)
{
    return name_of(PROGRESS, COUNT(PROGRESS), state);
}

int device_order_state_read(const char *word)
{
    return read_of(PROGRESS, COUNT(PROGRESS), word);
}

/* ---- orders ---- */

static void from_row(const struct val *v, struct standing *s)
{
    *s = (struct standing){.id = v[0].i,
                           .group_id = v[1].i,
                           .request_type = v[2].s,
                           .keys = v[3].s,
                           .sealed = val_bytes(&v[4]),
                           .policy = (int)v[5].i,
                           .every_days = (int)v[6].i,
                           .reason = v[7].s,
                           .state = (int)v[8].i,
                           .approval_id = val_or_0(&v[9]),
                           .approval = (int)val_or_0(&v[10]),
                           .created_at = v[11].i,
                           .changed_at = v[12].i,
                           .created_by = v[13].s};
}

enum outcome standing_add(struct db *db, const struct standing *s, const char *actor, int64_t now,
                          struct err *err)
{
    return db_exec(db, &ADD,
                   (struct val[]){val_int(s->id), val_int(s->group_id), val_str(s->request_type),
                                  val_str(s->keys),
                                  s->sealed.n > 0 ? val_bin(s->sealed) : val_null(),
                                  val_int(s->policy), val_int(s->every_days),
                                  val_cut(s->reason != NULL ? s->reason : "", 255), val_int(now),
                                  val_cut(actor, ACTOR_CHARS), val_int(now)},
                   11, NULL, err);
}

enum outcome standing_set(struct db *db, int64_t group_id, const int64_t *ids, size_t n, int state,
                          int64_t now, struct arena *a, struct err *err)
{
    struct val s = val_int(state), at = val_int(now), *list = arena_array(a, n + 1, sizeof *list);
    enum outcome o = OK;

    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < n; i++)
        list[i] = val_int(ids[i]);
    if (n > 0)
        o = db_exec_in(db, &SET, (struct val[]){s, s, at, val_int(group_id)}, 4, list, n, a, NULL,
                       err);
    return o == OK && n > 0 && state == STANDING_OUT
               ? db_exec_in(db, &VOID, (struct val[]){at, at}, 2, list, n, a, NULL, err)
               : o;
}

enum outcome standing_list(struct db *db, int64_t group_id, struct arena *a, struct standing **out,
                           size_t *n, struct err *err)
{
    struct val g = val_int(group_id);
    struct rows r;
    enum outcome o = db_select(db, &LIST, (struct val[]){g, g, val_int(LIM_PAGE)}, 3, a, &r, err);

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

/* Is it the group's, or does its group find devices by the tag? */
static bool brings(const struct val *row, const char *tag)
{
    struct err bad = {0};
    js e = NULL;
    bool yes =
        tag == NULL || (js_parse(bytes_str(row[1].s), &e, &bad) == OK && filter_asks_tag(e, tag));

    js_free(&e);
    return yes;
}

enum outcome standing_in_force(struct db *db, int64_t group_id, const char *tag, struct arena *a,
                               struct standing **out, size_t *n, struct err *err)
{
    struct val g = val_int(group_id), tagged = val_int(tag != NULL);
    struct rows r;
    enum outcome o = db_select(db, &IN_FORCE, (struct val[]){g, g, tagged}, 3, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r.n; i++)
        if (brings(row_at(&r, i, 0), tag))
            (*out)[(*n)++] =
                (struct standing){.request_type = row_at(&r, i, 0)->s, .keys = row_at(&r, i, 2)->s};
    return OK;
}

enum outcome standing_get(struct db *db, int64_t group_id, int64_t id, struct arena *a,
                          struct standing *out, struct err *err)
{
    struct val g = val_int(group_id);
    struct rows r;
    enum outcome o = db_select(db, &GET, (struct val[]){val_int(id), g, g}, 3, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no such command of a group");
    if (o == OK)
        from_row(row_at(&r, 0, 0), out);
    return o;
}

/* ---- how far devices are ---- */

static enum outcome devices_read(const struct rows *r, struct arena *a,
                                 struct standing_progress **out, size_t *n, struct err *err)
{
    *out = arena_array(a, r->n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r->n; ++*n) {
        const struct val *v = row_at(r, *n, 0);

        (*out)[*n] = (struct standing_progress){.enrollment_id = v[0].i,
                                                .order_id = v[1].i,
                                                .group_id = v[2].i,
                                                .ident = v[3].s,
                                                .serial = val_text(&v[4]),
                                                .device_name = val_text(&v[5]),
                                                .group = val_text(&v[6]),
                                                .request_type = v[7].s,
                                                .policy = (int)v[8].i,
                                                .every_days = (int)v[9].i,
                                                .state = (int)v[10].i,
                                                .attempts = (int)v[11].i,
                                                .occasion = v[12].i,
                                                .due_at = v[13].i == STANDING_NEVER ? 0 : v[13].i,
                                                .changed_at = v[14].i,
                                                .done_at = val_or_0(&v[15]),
                                                .reason = v[16].s,
                                                .command_uuid = val_text(&v[17])};
    }
    return OK;
}

enum outcome standing_devices(struct db *db, int64_t id, int state, int64_t after, size_t max,
                              struct arena *a, struct standing_progress **out, size_t *n,
                              struct err *err)
{
    struct val s = val_int(state);
    struct rows r;
    enum outcome o = db_select(db, &DEVICES,
                               (struct val[]){val_int(id), s, s, val_int(after),
                                              val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                               5, a, &r, err);

    *n = 0;
    return o == OK ? devices_read(&r, a, out, n, err) : o;
}

enum outcome standing_of_device(struct db *db, const char *ident, struct arena *a,
                                struct standing_progress **out, size_t *n, struct err *err)
{
    struct val id = val_str(ident);
    struct rows r;
    enum outcome o = db_select(db, &EXISTS, &id, 1, a, &r, err);

    *n = 0;
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no enrollment %s", ident);
    if (o == OK)
        o = db_select(db, &OF_DEVICE, (struct val[]){id, val_int(LIM_PAGE)}, 2, a, &r, err);
    return o == OK ? devices_read(&r, a, out, n, err) : o;
}

struct retry {
    int64_t id, now;
    const char *ident, *actor;
    uint64_t n;
};

static enum outcome retry_unit(struct db *db, void *arg, struct err *err)
{
    struct retry *x = arg;
    struct val now = val_int(x->now), ident = val_str(x->ident);
    char name[32];
    enum outcome o =
        db_exec(db, &RETRY, (struct val[]){now, now, val_int(x->id), ident, ident}, 5, &x->n, err);

    snprintf(name, sizeof name, "%lld", (long long)x->id);
    return o == OK ? audit_add(db, x->actor, "group.order-retry", name, x->ident, err) : o;
}

enum outcome standing_retry(struct db *db, int64_t id, const char *ident, const char *actor,
                            int64_t now, uint64_t *n, struct err *err)
{
    struct retry x = {id, now, ident, actor, 0};
    enum outcome o = db_unit(db, retry_unit, &x, err);

    *n = x.n;
    return o;
}
