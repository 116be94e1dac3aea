/* leaving.c: see leaving.h. */
#include "store/leaving.h"

#include "base/limits.h"
#include "store/audit.h"
#include "store/leave.h"
#include "store/who.h"

static const struct sql FIND = {"leaving_find",
                                "SELECT id, device_id, state FROM enrollment WHERE ident = ?", 0};
static const struct sql ADD = {
    "leaving_add",
    "INSERT INTO leaving (device_id, command_uuid, asked_at, asked_by, asked_why, fallback_at) "
    "VALUES (?, ?, ?, ?, ?, ?)",
    0};
static const struct sql DROP = {"leaving_drop", "DELETE FROM leaving WHERE command_uuid = ?", 0};
/* 5 and 6: the device said Error or CommandFormatError. */
static const struct sql READY = {
    "leaving_ready",
    "SELECT g.command_uuid, g.asked_by, g.asked_why, e.ident, e.state FROM leaving g "
    "JOIN enrollment e ON e.id = g.device_id LEFT JOIN command c ON c.uuid = g.command_uuid "
    "LEFT JOIN result r ON r.enrollment_id = g.device_id AND r.command_id = c.id "
    "WHERE e.state <> 2 OR g.fallback_at <= ? OR r.state IN (5, 6) LIMIT ?",
    0};

struct add {
    const char *ident, *uuid, *by, *why;
    int64_t now, fallback_at;
    struct arena *a;
};

static enum outcome add_unit(struct db *db, void *arg, struct err *err)
{
    struct add *x = arg;
    struct rows r;
    enum outcome o = db_select(db, &FIND, (struct val[]){val_str(x->ident)}, 1, x->a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no enrollment %s", x->ident);
    if (o != OK)
        return o;
    if (row_at(&r, 0, 0)->i != row_at(&r, 0, 1)->i)
        return err_set(err, INVALID, "%s is a user of a device: let the device go", x->ident);
    if (row_at(&r, 0, 2)->i != ENROLLMENT_ENROLLED)
        return err_set(err, INVALID, "%s is not enrolled", x->ident);
    o = db_exec(db, &ADD,
                (struct val[]){*row_at(&r, 0, 0), val_str(x->uuid), val_int(x->now), val_str(x->by),
                               val_str(x->why), val_int(x->fallback_at)},
                6, NULL, err);
    if (o == CONFLICT)
        return err_set(err, CONFLICT, "%s is being let go already", x->ident);
    return o == OK ? audit_add(db, x->by, "enrollment.let_go", x->ident, x->why, err) : o;
}

enum outcome leaving_add(struct db *db, const char *ident, const char *command_uuid, int64_t now,
                         int64_t fallback_at, const char *by, const char *why, struct err *err)
{
    struct add x = {ident, command_uuid, by, why, now, fallback_at, arena_new(64 * LIM_KB)};
    if (!x.a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = db_unit(db, add_unit, &x, err);
    arena_free(&x.a);
    return o;
}

enum outcome leaving_drop(struct db *db, const char *command_uuid, struct err *err)
{
    return db_exec(db, &DROP, (struct val[]){val_str(command_uuid)}, 1, NULL, err);
}

/* The end comes first: whoever dies in between finds an ended enrollment and drops the row. */
static enum outcome settle(struct db *db, const struct val *v, int64_t now, size_t *left,
                           size_t *ended, struct err *err)
{
    enum outcome o = OK;
    if (v[4].i == ENROLLMENT_ENROLLED) {
        o = leave_end(db, v[3].s, now, v[1].s, v[2].s, err);
        if (o == CONFLICT || o == NOT_FOUND)
            o = OK;
        (*ended)++;
    } else {
        (*left)++;
    }
    return o == OK ? leaving_drop(db, v[0].s, err) : o;
}

enum outcome leaving_follow(struct db *db, int64_t now, size_t *left, size_t *ended,
                            struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    struct rows r;
    *left = *ended = 0;
    if (!a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o =
        db_select(db, &READY, (struct val[]){val_int(now), val_int(LEAVING_BATCH)}, 2, a, &r, err);
    for (size_t i = 0; o == OK && i < r.n; i++)
        o = settle(db, row_at(&r, i, 0), now, left, ended, err);
    arena_free(&a);
    return o;
}
