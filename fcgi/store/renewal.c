/* renewal.c: see renewal.h. */
#include "store/renewal.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "store/queue_state.h"

#define ARENA (8u * LIM_MB)
#define ACTOR "rule:renewal"
#define BACKOFF_MAX_SHIFT 5 /* hours: 1, 2, 4, 8, 16, 24 */
#define HALT_LEAST 10
#define HALT_SHARE 4 /* one of so many */

/* In the order of the index on not_after; the certificate's digest tells equals apart. */
static const struct sql EXPIRING = {
    "renewal_expiring",
    "SELECT c.not_after, c.sha256, c.device_id FROM identity_cert c "
    "JOIN enrollment e ON e.id = c.device_id AND e.device_id = e.id AND e.state = 2 "
    "AND e.life_id = c.life_id LEFT JOIN renewal r ON r.device_id = e.id "
    "WHERE c.not_after <= ? AND (c.not_after > ? OR (c.not_after = ? AND c.sha256 > ?)) "
    "AND c.issued_at IS NOT NULL AND c.revoked_at IS NULL "
    "AND c.not_after - (c.not_after - c.not_before) DIV 100 * ? <= ? "
    "AND (r.device_id IS NULL OR r.cert_sha256 <> c.sha256) "
    "ORDER BY c.not_after, c.sha256 LIMIT ?",
    0};
static const struct sql PLAN = {
    "renewal_plan",
    "INSERT INTO renewal (device_id, cert_sha256, not_after, state, due_at) VALUES (?, ?, ?, 1, ?) "
    "ON DUPLICATE KEY UPDATE state = IF(cert_sha256 <> VALUES(cert_sha256), 1, state), "
    "due_at = IF(cert_sha256 <> VALUES(cert_sha256), VALUES(due_at), due_at), "
    "attempts = IF(cert_sha256 <> VALUES(cert_sha256), 0, attempts), "
    "not_after = VALUES(not_after), cert_sha256 = VALUES(cert_sha256)",
    0};
#define PLAN_ARGS 4

static const struct sql UNDER_WAY = {
    "renewal_under_way",
    "SELECT r.device_id, e.ident, e.state, l.cert_sha256 <> r.cert_sha256, r.due_at, s.state, "
    "q.command_id IS NOT NULL, r.attempts FROM renewal r JOIN enrollment e ON e.id = r.device_id "
    "LEFT JOIN life l ON l.id = e.life_id LEFT JOIN command c ON c.uuid = r.command_uuid "
    "LEFT JOIN result s ON s.enrollment_id = r.device_id AND s.command_id = c.id "
    "LEFT JOIN queue q ON q.enrollment_id = r.device_id AND q.command_id = c.id "
    "WHERE r.state = 2 AND r.device_id > ? ORDER BY r.device_id LIMIT ? FOR UPDATE",
    0};
enum { U_DEVICE, U_IDENT, U_STATE, U_NEW, U_DUE, U_RESULT, U_QUEUED, U_ATTEMPTS };
static const struct sql DONE = {"renewal_done",
                                "UPDATE renewal SET state = 3, done_at = ? WHERE device_id = ?", 0};
static const struct sql FAILED = {
    "renewal_failed",
    "UPDATE renewal SET state = 1, due_at = ?, failed_at = ?, failed_why = ? WHERE device_id = ?",
    0};
static const struct sql ATTEMPTS = {
    "renewal_attempts",
    "SELECT r.attempts, e.ident FROM renewal r JOIN enrollment e ON e.id = r.device_id "
    "WHERE r.device_id = ? FOR UPDATE",
    0};
static const struct sql RATE = {"renewal_rate",
                                "SELECT (SELECT COUNT(*) FROM renewal WHERE started_at > ?), "
                                "(SELECT COUNT(*) FROM renewal WHERE started_at > ?), "
                                "(SELECT COUNT(*) FROM renewal WHERE failed_at > ?)",
                                0};
static const struct sql DUE = {
    "renewal_due",
    "SELECT r.device_id, e.ident, l.topic, c.der FROM renewal r JOIN enrollment e "
    "ON e.id = r.device_id AND e.state = 2 JOIN life l ON l.id = e.life_id "
    "AND l.cert_sha256 = r.cert_sha256 JOIN identity_cert c ON c.sha256 = r.cert_sha256 "
    "WHERE r.state = 1 AND r.due_at <= ? ORDER BY r.not_after LIMIT ?",
    0};
static const struct sql BEGIN = {
    "renewal_begin",
    "UPDATE renewal SET state = 2, command_uuid = ?, started_at = ?, due_at = ?, "
    "attempts = LEAST(attempts + 1, 32000) WHERE device_id = ? AND state = 1",
    0};
static const struct sql COMMAND = {
    "renewal_command",
    "SELECT COALESCE(q.command_id, 0), c.uuid FROM enrollment e JOIN renewal r ON r.device_id = "
    "e.id "
    "AND r.state = 2 JOIN command c ON c.uuid = r.command_uuid LEFT JOIN queue q "
    "ON q.enrollment_id = e.id AND q.command_id = c.id WHERE e.ident = ?",
    0};
static const struct sql LIST = {
    "renewal_list",
    "SELECT e.ident, e.serial, c.subject, r.failed_why, c.sha256, c.not_after, r.state, "
    "r.attempts, r.due_at FROM identity_cert c JOIN enrollment e ON e.id = c.device_id "
    "AND e.device_id = e.id AND e.state = 2 AND e.life_id = c.life_id "
    "LEFT JOIN renewal r ON r.device_id = e.id AND r.cert_sha256 = c.sha256 "
    "WHERE c.not_after BETWEEN 1 AND ? AND c.revoked_at IS NULL ORDER BY c.not_after LIMIT ?",
    0};

/* ---- the plan ---- */

static enum outcome plan_rows(struct db *db, const struct rows *r, int64_t now, struct arena *a,
                              struct err *err)
{
    struct val *args = arena_array(a, r->n * PLAN_ARGS, sizeof *args);
    if (!args)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r->n; i++) {
        struct val *v = args + i * PLAN_ARGS;
        v[0] = *row_at(r, i, 2);
        v[1] = *row_at(r, i, 1);
        v[2] = *row_at(r, i, 0);
        v[3] = val_int(now);
    }
    return db_exec_many(db, &PLAN, args, PLAN_ARGS, r->n, NULL, err);
}

enum outcome renewal_plan(struct db *db, int64_t now, int64_t horizon_us, size_t *planned,
                          struct err *err)
{
    uint8_t sum[32] = {0};
    int64_t after = 0; /* not_after is 0 where it is unknown */
    struct rows r = {.n = RENEWAL_BATCH};
    struct arena *a = arena_new(ARENA);
    enum outcome o = OK;
    *planned = 0;
    if (!a)
        return err_set(err, ERROR, "out of memory");
    while (o == OK && r.n == RENEWAL_BATCH) {
        struct val cursor[] = {val_int(now + horizon_us),
                               val_int(after),
                               val_int(after),
                               val_bin(bytes_of(sum, sizeof sum)),
                               val_int(RENEWAL_PERCENT),
                               val_int(now),
                               val_int(RENEWAL_BATCH)};
        arena_reset(a);
        o = db_select(db, &EXPIRING, cursor, 7, a, &r, err);
        if (o != OK || r.n == 0)
            break;
        after = row_at(&r, r.n - 1, 0)->i;
        memcpy(sum, row_at(&r, r.n - 1, 1)->s, sizeof sum);
        o = plan_rows(db, &r, now, a, err);
        if (o == OK)
            *planned += r.n;
    }
    arena_free(&a);
    return o;
}

/* ---- following ---- */

static enum outcome fail_row(struct db *db, int64_t device_id, const char *ident, int64_t attempts,
                             int64_t now, const char *why, struct err *err)
{
    int64_t shift = attempts > 0 ? attempts - 1 : 0;
    int64_t wait = shift < BACKOFF_MAX_SHIFT ? HOUR_US << shift : DAY_US;
    enum outcome o =
        db_exec(db, &FAILED,
                (struct val[]){val_int(now + wait), val_int(now), val_str(why), val_int(device_id)},
                4, NULL, err);
    return o == OK ? audit_add(db, ACTOR, "renewal.fail", ident, why, err) : o;
}

/* Why a renewal that is under way has failed; NULL: it has not. */
static const char *failure(const struct val *v, int64_t now)
{
    if (v[U_STATE].i != 2)
        return "the device is not enrolled any more";
    if (!val_is_null(&v[U_RESULT]) && v[U_RESULT].i != QUEUE_ACKNOWLEDGED)
        return v[U_RESULT].i == QUEUE_ERROR || v[U_RESULT].i == QUEUE_FORMAT_ERROR
                   ? "the device refused the profile"
                   : "the command was cancelled, expired, or its device enrolled anew";
    if (v[U_DUE].i <= now)
        return "no new identity was seen in time";
    if (val_is_null(&v[U_RESULT]) && v[U_QUEUED].i == 0)
        return "the command was never queued";
    return NULL;
}

struct follow {
    int64_t now, after;
    size_t n;
    struct arena *a;
    struct renewal_followed got;
};

static enum outcome follow_unit(struct db *db, void *arg, struct err *err)
{
    struct follow *f = arg;
    struct rows r;
    int64_t last = f->after;
    arena_reset(f->a);
    f->got = (struct renewal_followed){0, 0};
    f->n = 0;
    enum outcome o =
        db_select(db, &UNDER_WAY, (struct val[]){val_int(f->after), val_int(RENEWAL_BATCH)}, 2,
                  f->a, &r, err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        const char *why = failure(v, f->now);
        last = v[U_DEVICE].i;
        if (v[U_STATE].i == 2 && !val_is_null(&v[U_NEW]) && v[U_NEW].i != 0) {
            o = db_exec(db, &DONE, (struct val[]){val_int(f->now), v[U_DEVICE]}, 2, NULL, err);
            if (o == OK)
                o = audit_add(db, ACTOR, "renewal.done", v[U_IDENT].s, NULL, err);
            f->got.done++;
        } else if (why) {
            o = fail_row(db, v[U_DEVICE].i, v[U_IDENT].s, v[U_ATTEMPTS].i, f->now, why, err);
            f->got.failed++;
        }
    }
    if (o == OK) {
        f->after = last;
        f->n = r.n;
    }
    return o;
}

enum outcome renewal_follow(struct db *db, int64_t now, struct renewal_followed *out,
                            struct err *err)
{
    struct follow f = {.now = now, .n = RENEWAL_BATCH, .a = arena_new(ARENA)};
    enum outcome o = OK;
    *out = (struct renewal_followed){0, 0};
    if (!f.a)
        return err_set(err, ERROR, "out of memory");
    while (o == OK && f.n == RENEWAL_BATCH) {
        o = db_unit(db, follow_unit, &f, err);
        if (o == OK) {
            out->done += f.got.done;
            out->failed += f.got.failed;
        }
    }
    arena_free(&f.a);
    return o;
}

/* ---- beginning ---- */

enum outcome renewal_allowance(struct db *db, int64_t now, int64_t per_hour, size_t *allowed,
                               bool *halted, struct err *err)
{
    struct val hour = val_int(now - HOUR_US), day = val_int(now - DAY_US);
    struct arena *a = arena_new(64 * LIM_KB);
    struct rows r;
    *allowed = 0;
    *halted = false;
    if (!a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = db_select(db, &RATE, (struct val[]){hour, day, day}, 3, a, &r, err);
    if (o == OK) {
        int64_t begun = row_at(&r, 0, 0)->i, day_begun = row_at(&r, 0, 1)->i;
        int64_t failed = row_at(&r, 0, 2)->i;
        *halted = failed >= HALT_LEAST && failed * HALT_SHARE > day_begun;
        *allowed = *halted || begun >= per_hour ? 0 : (size_t)(per_hour - begun);
    }
    arena_free(&a);
    return o;
}

enum outcome renewal_due_read(struct db *db, int64_t now, size_t max, struct arena *a,
                              struct renewal_due **out, size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    if (max > RENEWAL_BATCH)
        max = RENEWAL_BATCH;
    enum outcome o =
        db_select(db, &DUE, (struct val[]){val_int(now), val_int((int64_t)max)}, 2, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct renewal_due){.device_id = v[0].i, .ident = v[1].s, .topic = v[2].s};
        if (!val_is_null(&v[3]))
            (*out)[*n].identity_der = val_bytes(&v[3]);
    }
    return OK;
}

enum outcome renewal_begin(struct db *db, int64_t device_id, const char *command_uuid, int64_t now,
                           int64_t give_up_at, struct err *err)
{
    uint64_t rows;
    enum outcome o = db_exec(db, &BEGIN,
                             (struct val[]){val_str(command_uuid), val_int(now),
                                            val_int(give_up_at), val_int(device_id)},
                             4, &rows, err);
    return o == OK && rows == 0 ? err_set(err, CONFLICT, "another agent has begun it") : o;
}

struct fail {
    int64_t device_id, now;
    const char *why;
    struct arena *a;
};

static enum outcome fail_unit(struct db *db, void *arg, struct err *err)
{
    struct fail *f = arg;
    struct rows r;
    enum outcome o =
        db_select(db, &ATTEMPTS, (struct val[]){val_int(f->device_id)}, 1, f->a, &r, err);
    if (o != OK || r.n == 0)
        return o;
    return fail_row(db, f->device_id, row_at(&r, 0, 1)->s, row_at(&r, 0, 0)->i, f->now, f->why,
                    err);
}

enum outcome renewal_fail(struct db *db, int64_t device_id, int64_t now, const char *why,
                          struct err *err)
{
    struct fail f = {device_id, now, why, arena_new(64 * LIM_KB)};
    if (!f.a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = db_unit(db, fail_unit, &f, err);
    arena_free(&f.a);
    return o;
}

/* ---- reading ---- */

enum outcome renewal_command(struct db *db, const char *ident, struct arena *a, int64_t *command_id,
                             const char **uuid, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &COMMAND, (struct val[]){val_str(ident)}, 1, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "no renewal of %s is under way", ident);
    if (o == OK) {
        *command_id = row_at(&r, 0, 0)->i;
        *uuid = row_at(&r, 0, 1)->s;
    }
    return o;
}

enum outcome renewal_list(struct db *db, int64_t before, size_t max, struct arena *a,
                          struct renewal_item **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &LIST, (struct val[]){val_int(before), val_int((int64_t)max)}, 2, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct renewal_item){.ident = v[0].s,
                                           .serial = val_text(&v[1]),
                                           .subject = v[2].s,
                                           .failed_why = val_text(&v[3]),
                                           .sha256 = val_bytes(&v[4]),
                                           .not_after = v[5].i,
                                           .state = (int)val_or_0(&v[6]),
                                           .attempts = (int)val_or_0(&v[7]),
                                           .due_at = val_or_0(&v[8])};
    }
    return OK;
}

const char *renewal_state_name(int state)
{
    static const char *const names[] = {"-", "planned", "under way", "done"};
    return state >= 0 && state <= RENEWAL_DONE ? names[state] : "-";
}
