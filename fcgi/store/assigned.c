/* assigned.c: see assigned.h. */
#include "store/assigned.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "store/who.h"

static const struct sql ADD = {"assigned_add",
                               "INSERT IGNORE INTO assigned_device (serial, note, source, "
                               "added_at, added_by) VALUES (?, ?, ?, ?, ?)",
                               0};
static const struct sql REMOVE = {"assigned_remove", "DELETE FROM assigned_device WHERE serial = ?",
                                  0};
static const struct sql LIST = {"assigned_list",
                                "SELECT serial, note, source, added_at, added_by FROM "
                                "assigned_device WHERE serial > ? ORDER BY serial LIMIT ?",
                                0};
static const struct sql CHECK = {"assigned_check",
                                 "SELECT serial FROM assigned_device WHERE serial = ?", 0};
static const struct sql CLAIM = {
    "claim_check",
    "SELECT ident, COALESCE(serial, '') FROM enrollment WHERE ident = ? AND state = ? UNION ALL "
    "SELECT ident, serial FROM enrollment WHERE serial = ? AND id = device_id AND state = ?",
    0};

static bool is_serial(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n <= ASSIGNED_SERIAL_MAX &&
           strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") == n;
}

struct adding {
    const char *const *serial;
    size_t n;
    const char *note, *source, *by;
    uint64_t added;
};

static enum outcome add_unit(struct db *db, void *arg, struct err *err)
{
    struct adding *x = arg;
    int64_t now = clock_now();
    uint64_t rows;
    enum outcome o = OK;
    x->added = 0;
    for (size_t i = 0; o == OK && i < x->n; i++) {
        o = db_exec(db, &ADD,
                    (struct val[]){val_str(x->serial[i]), val_cut(x->note, ASSIGNED_NOTE_MAX),
                                   val_str(x->source), val_int(now), val_cut(x->by, 128)},
                    5, &rows, err);
        if (o == OK && rows) {
            x->added++;
            o = audit_add(db, x->by, "device.assign", x->serial[i], x->note, err);
        }
    }
    return o;
}

enum outcome assigned_add(struct db *db, const char *const *serial, size_t n, const char *note,
                          const char *source, const char *by, uint64_t *added, struct err *err)
{
    struct adding x = {.serial = serial, .n = n, .note = note, .source = source, .by = by};
    for (size_t i = 0; i < n; i++)
        if (!is_serial(serial[i]))
            return err_set(err, INVALID,
                           "\"%.80s\" is no serial number: 1 to %d letters, digits and hyphens",
                           serial[i], ASSIGNED_SERIAL_MAX);
    enum outcome o = db_unit(db, add_unit, &x, err);
    *added = o == OK ? x.added : 0;
    return o;
}

struct removing {
    const char *serial, *by;
};

static enum outcome remove_unit(struct db *db, void *arg, struct err *err)
{
    struct removing *x = arg;
    uint64_t rows;
    enum outcome o = db_exec(db, &REMOVE, (struct val[]){val_str(x->serial)}, 1, &rows, err);
    if (o == OK && rows == 0)
        return err_set(err, NOT_FOUND, "\"%.80s\" is not assigned", x->serial);
    return o == OK ? audit_add(db, x->by, "device.unassign", x->serial, NULL, err) : o;
}

enum outcome assigned_remove(struct db *db, const char *serial, const char *by, struct err *err)
{
    struct removing x = {serial, by};
    return db_unit(db, remove_unit, &x, err);
}

enum outcome assigned_list(struct db *db, const char *after, size_t max, struct arena *a,
                           struct assigned_device **out, size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o = db_select(
        db, &LIST,
        (struct val[]){val_str(after), val_int((int64_t)(max < LIM_PAGE ? max : LIM_PAGE))}, 2, a,
        &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct assigned_device){v[0].s, v[1].s, v[2].s, v[3].i, v[4].s};
    }
    return OK;
}

enum outcome assigned_check(struct db *db, const char *serial, struct arena *a, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &CHECK, (struct val[]){val_str(serial)}, 1, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "the device is not assigned to this server");
    return o;
}

enum outcome claim_check(struct db *db, const char *udid, const char *serial, struct arena *a,
                         struct err *err)
{
    struct rows r;
    struct val enrolled = val_int(ENROLLMENT_ENROLLED);
    struct val by_udid = *udid ? val_str(udid) : val_null();
    struct val by_serial = *serial ? val_str(serial) : val_null(); /* finds nobody */
    enum outcome o = db_select(db, &CLAIM, (struct val[]){by_udid, enrolled, by_serial, enrolled},
                               4, a, &r, err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const char *known = row_at(&r, i, 0)->s, *its = val_text(row_at(&r, i, 1));
        if (udid[0] && strcmp(known, udid) != 0)
            o = err_set(err, CONFLICT, "the serial number is that of the enrolled device %.128s",
                        known);
        else if (serial[0] && its[0] && strcmp(its, serial) != 0)
            o = err_set(err, CONFLICT,
                        "the UDID is that of an enrolled device with another serial "
                        "number");
    }
    return o;
}
