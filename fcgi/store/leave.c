/* leave.c: see leave.h. */
#include "store/leave.h"

#include "store/audit.h"

static const struct sql CANCEL = {
    "result_cancel_all",
    "INSERT INTO result (enrollment_id, command_id, state, queued_at, sent_at, sent_count, "
    "notnow_at, notnow_count, closed_at, closed_why) SELECT enrollment_id, command_id, 7, "
    "queued_at, sent_at, sent_count, notnow_at, notnow_count, ?, ? FROM queue "
    "WHERE enrollment_id=? AND queued_at<? ON DUPLICATE KEY UPDATE state=result.state",
    0};
static const struct sql OPEN = {
    "queue_open_of",
    "SELECT enrollment_id, command_id FROM queue WHERE enrollment_id=? AND queued_at<?", 0};
/* What has its result, and no other: somebody may have queued a command since. */
static const struct sql CANCELLED = {
    "queue_remove_all",
    "DELETE q FROM queue q JOIN result r ON r.enrollment_id=q.enrollment_id AND "
    "r.command_id=q.command_id WHERE q.enrollment_id=? AND q.queued_at<?",
    0};
static const struct sql USERS = {
    "enrollment_users",
    "SELECT id, life_id FROM enrollment WHERE device_id=? AND id<>device_id "
    "FOR UPDATE",
    0};
static const struct sql USER_WAITS = {
    "enrollment_user_waits", "UPDATE enrollment SET state=1, life_id=NULL WHERE id=? AND state<>4",
    0};
static const struct sql CLOSE_LIFE = {
    "life_over", "UPDATE life SET state=3, over_at=?, over_why=? WHERE id=? AND state<>3", 0};
static const struct sql CHECKED_OUT = {
    "enrollment_left",
    "UPDATE enrollment SET state=3, ended_at=?, ended_by='device', ended_why='CheckOut' WHERE id=?",
    0};
static const struct sql PENDING_GONE = {"enrollment_pending_gone",
                                        "UPDATE enrollment SET pending_life_id=NULL WHERE id=?", 0};
static const struct sql UNPUSH = {"push_remove", "DELETE FROM push WHERE enrollment_id=?", 0};
static const struct sql BY_CERT = {
    "leave_by_cert", "SELECT " WHO_COLUMNS " " WHO_FROM "WHERE i.sha256=? FOR UPDATE", 0};
static const struct sql BY_IDENT = {"leave_by_ident",
                                    "SELECT id, state, life_id, device_id, pending_life_id FROM "
                                    "enrollment WHERE ident=? FOR UPDATE",
                                    0};
static const struct sql END = {
    "enrollment_end",
    "UPDATE enrollment SET state=4, pending_life_id=NULL, ended_at=?, ended_by=?, ended_why=? "
    "WHERE id=?",
    0};

enum outcome leave_cancel_queue(struct db *db, int64_t enrollment_id, int64_t before, int64_t now,
                                const char *why, struct err *err)
{
    struct val id = val_int(enrollment_id), cut = val_int(before);
    struct arena *a = arena_new(16u * LIM_MB);
    struct rows r = {0};
    bool told = false;
    enum outcome o;

    if (a == NULL)
        return err_set(err, ERROR, "out of memory");
    o = event_any_wants(db, EVENT_COMMAND_FINISHED, a, &told, err);
    if (o == OK && told)
        o = db_select(db, &OPEN, (struct val[]){id, cut}, 2, a, &r, err);
    if (o == OK)
        o = db_exec(db, &CANCEL, (struct val[]){val_int(now), val_str(why), id, cut}, 4, NULL, err);
    if (o == OK)
        o = db_exec(db, &CANCELLED, (struct val[]){id, cut}, 2, NULL, err);
    if (o == OK)
        o = event_commands_finished(db, r.v, r.n, now, false, a, err);
    arena_free(&a);
    return o;
}

static enum outcome life_over(struct db *db, int64_t life_id, int64_t now, const char *why,
                              struct err *err)
{
    return db_exec(db, &CLOSE_LIFE, (struct val[]){val_int(now), val_str(why), val_int(life_id)}, 3,
                   NULL, err);
}

static enum outcome leave_user(struct db *db, const struct val *user, int64_t before, int64_t now,
                               const char *why, struct err *err)
{
    enum outcome o = OK;

    if (!val_is_null(&user[1]))
        o = life_over(db, user[1].i, now, why, err);
    if (o == OK)
        o = leave_cancel_queue(db, user[0].i, before, now, why, err);
    if (o == OK)
        o = db_exec(db, &USER_WAITS, user, 1, NULL, err);
    return o == OK ? db_exec(db, &UNPUSH, user, 1, NULL, err) : o;
}

enum outcome leave_users(struct db *db, int64_t device_id, int64_t before, int64_t now,
                         const char *why, struct err *err)
{
    struct arena *a = arena_new(LIM_ARENA_REQUEST);
    struct val id = val_int(device_id);
    struct rows r;
    enum outcome o;

    if (a == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_select(db, &USERS, &id, 1, a, &r, err);
    for (size_t i = 0; o == OK && i < r.n; i++)
        o = leave_user(db, row_at(&r, i, 0), before, now, why, err);
    arena_free(&a);
    return o;
}

/* ---- CheckOut ---- */

struct check_out {
    const uint8_t *sha256;
    const struct ident *id;
    int64_t now;
    struct event *event;
    struct arena *a;
    struct who *who;
};

static enum outcome check_out_tell(struct db *db, const struct check_out *x, struct err *err)
{
    if (x->event == NULL)
        return OK;
    x->event->enrollment_id = x->who->device_id;
    return event_add(db, (const struct event *const *)&x->event, 1, err);
}

static enum outcome check_out_unit(struct db *db, void *arg, struct err *err)
{
    struct check_out *x = arg;
    struct val sha = val_bin(bytes_of(x->sha256, 32)), id;
    const char *why = "CheckOut";
    struct rows r;
    enum outcome o;

    if ((o = db_select(db, &BY_CERT, &sha, 1, x->a, &r, err)) != OK)
        return o;
    who_judge(&r, x->sha256, x->id, x->who);
    id = val_int(x->who->device_id);
    if (x->who->verdict == WHO_PENDING) {
        o = life_over(db, x->who->cert_life_id, x->now, why, err);
        if (o == OK)
            o = db_exec(db, &PENDING_GONE, &id, 1, NULL, err);
        return o == OK ? check_out_tell(db, x, err) : o;
    }
    if (x->who->verdict != WHO_GOOD)
        return OK;
    if ((o = life_over(db, x->who->device_life_id, x->now, why, err)) != OK ||
        (o = db_exec(db, &CHECKED_OUT, (struct val[]){val_int(x->now), id}, 2, NULL, err)) != OK ||
        (o = leave_cancel_queue(db, x->who->device_id, INT64_MAX, x->now, why, err)) != OK ||
        (o = leave_users(db, x->who->device_id, INT64_MAX, x->now, why, err)) != OK ||
        (o = db_exec(db, &UNPUSH, &id, 1, NULL, err)) != OK)
        return o;
    return check_out_tell(db, x, err);
}

enum outcome leave_check_out(struct db *db, const uint8_t sha256[32], const struct ident *id,
                             int64_t now, struct event *event, struct arena *a, struct who *out,
                             struct err *err)
{
    struct check_out x = {sha256, id, now, event, a, out};
    enum outcome o = db_unit(db, check_out_unit, &x, err);

    if (o != OK || out->verdict != WHO_UNBOUND)
        return o;
    o = who_look(db, sha256, id, a, out, err);
    return o == OK && out->verdict == WHO_GOOD ? db_unit(db, check_out_unit, &x, err) : o;
}

/* ---- ended by a person or rule ---- */

struct end {
    const char *ident, *by, *why;
    int64_t now;
    struct arena *a;
};

static enum outcome end_unit(struct db *db, void *arg, struct err *err)
{
    struct end *x = arg;
    struct val ident = val_str(x->ident), id;
    struct rows r;
    enum outcome o;

    if ((o = db_select(db, &BY_IDENT, &ident, 1, x->a, &r, err)) != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "there is no enrollment %s", x->ident);
    if (row_at(&r, 0, 1)->i == ENROLLMENT_ENDED)
        return err_set(err, CONFLICT, "%s is ended already", x->ident);
    id = *row_at(&r, 0, 0);
    /* an installation that is under way is ended with it; a later one is another matter */
    for (size_t life = 2; life <= 4; life += 2)
        if (!val_is_null(row_at(&r, 0, life)) &&
            (o = life_over(db, row_at(&r, 0, life)->i, x->now, "the enrollment was ended", err)) !=
                OK)
            return o;
    if ((o = db_exec(db, &END, (struct val[]){val_int(x->now), val_str(x->by), val_str(x->why), id},
                     4, NULL, err)) != OK ||
        (o = leave_cancel_queue(db, id.i, INT64_MAX, x->now, "the enrollment was ended", err)) !=
            OK ||
        (o = db_exec(db, &UNPUSH, &id, 1, NULL, err)) != OK)
        return o;
    if (id.i == row_at(&r, 0, 3)->i &&
        (o = leave_users(db, id.i, INT64_MAX, x->now, "the enrollment was ended", err)) != OK)
        return o;
    return audit_add(db, x->by, "enrollment.end", x->ident, x->why, err);
}

enum outcome leave_end(struct db *db, const char *ident, int64_t now, const char *by,
                       const char *why, struct err *err)
{
    struct end x = {ident, by, why, now, arena_new(LIM_MB)};
    enum outcome o;

    if (x.a == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_unit(db, end_unit, &x, err);
    arena_free(&x.a);
    return o;
}
