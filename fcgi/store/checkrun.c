/* checkrun.c: see checkrun.h. */
#include "store/checkrun.h"

static const struct sql GET = {
    "checkrun_get",
    "SELECT asked_at, begun_at, done_at, asked_by, findings FROM checkup WHERE kind = ?", 0};
static const struct sql ASK = {
    "checkrun_ask",
    "UPDATE checkup SET asked_at = ?, asked_by = ? WHERE kind = ? AND (asked_at IS NULL OR "
    "(begun_at IS NOT NULL AND begun_at >= asked_at))",
    0};
static const struct sql DUE = {
    "checkrun_due",
    "UPDATE checkup SET asked_at = ?, asked_by = 'rule:daily' WHERE kind = ? AND (done_at IS NULL "
    "OR done_at < ?) AND (asked_at IS NULL OR asked_at < ?)",
    0};
/* asked and not begun, or begun long ago and never done */
static const struct sql TAKE = {
    "checkrun_take",
    "UPDATE checkup SET begun_at = ? WHERE kind = ? AND asked_at IS NOT NULL AND "
    "(begun_at IS NULL OR begun_at < asked_at OR "
    "(begun_at < ? AND (done_at IS NULL OR done_at < begun_at)))",
    0};
static const struct sql DONE = {"checkrun_done",
                                "UPDATE checkup SET done_at = ?, findings = ? WHERE kind = ?", 0};

enum outcome checkrun_get(struct db *db, const char *kind, int64_t now, struct arena *a,
                          struct checkrun *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &GET, (struct val[]){val_str(kind)}, 1, a, &r, err);
    if (o != OK || r.n == 0)
        return o != OK ? o : err_set(err, ERROR, "the table checkup has no row for %s", kind);
    const struct val *v = row_at(&r, 0, 0);
    *out = (struct checkrun){.asked_at = val_or_0(&v[0]),
                             .begun_at = val_or_0(&v[1]),
                             .done_at = val_or_0(&v[2]),
                             .asked_by = val_text(&v[3]),
                             .findings = val_is_null(&v[4]) ? bytes_of(NULL, 0) : val_bytes(&v[4])};
    bool lost = now - out->asked_at > 2 * CHECKRUN_LATE_US;
    out->waits = out->asked_at && out->done_at < out->asked_at && !lost;
    return OK;
}

enum outcome checkrun_ask(struct db *db, const char *kind, const char *by, int64_t now,
                          struct err *err)
{
    return db_exec(db, &ASK, (struct val[]){val_int(now), val_cut(by, 128), val_str(kind)}, 3, NULL,
                   err);
}

enum outcome checkrun_due(struct db *db, const char *kind, int64_t before, int64_t now,
                          struct err *err)
{
    return db_exec(db, &DUE,
                   (struct val[]){val_int(now), val_str(kind), val_int(before), val_int(before)}, 4,
                   NULL, err);
}

enum outcome checkrun_take(struct db *db, const char *kind, int64_t now, bool *taken,
                           struct err *err)
{
    uint64_t n = 0;
    enum outcome o = db_exec(
        db, &TAKE, (struct val[]){val_int(now), val_str(kind), val_int(now - CHECKRUN_LATE_US)}, 3,
        &n, err);
    *taken = o == OK && n > 0;
    return o;
}

enum outcome checkrun_done(struct db *db, const char *kind, int64_t now, struct bytes findings,
                           struct err *err)
{
    return db_exec(
        db, &DONE,
        (struct val[]){val_int(now), val_strn((const char *)findings.p, findings.n), val_str(kind)},
        3, NULL, err);
}
