/* putoff.c: see putoff.h. enrollment.put_off tells an Idle whether there is anything to end. */
#include "store/putoff.h"

#include "base/limits.h"

static const struct sql ADD = {
    "putoff_add",
    "UPDATE queue FORCE INDEX (one) SET state = 3, put_off = 1, notnow_count = notnow_count + 1, "
    "notnow_at = COALESCE(notnow_at, ?) WHERE state = 2 AND (enrollment_id, command_id) IN (%IN%)",
    2};
static const struct sql NOTE_ADD = {
    "putoff_note_add", "UPDATE enrollment FORCE INDEX (PRIMARY) SET put_off = 1 WHERE id IN (%IN%)",
    1};
static const struct sql END = {"putoff_end",
                               "UPDATE queue FORCE INDEX (one) SET state = 1, put_off = 0 "
                               "WHERE put_off = 1 AND enrollment_id IN (%IN%)",
                               1};
static const struct sql NOTE_END = {
    "putoff_note_end", "UPDATE enrollment FORCE INDEX (PRIMARY) SET put_off = 0 WHERE id IN (%IN%)",
    1};
/* The last column is for the hint: what the index alone can tell is read from all of it. */
static const struct sql HEADS = {
    "putoff_heads",
    "SELECT e.id, " PUTOFF_HEAD("", "") ", e.state FROM enrollment e "
                                        "FORCE INDEX (PRIMARY) WHERE e.id IN (%IN%)",
    1};

enum outcome putoff_add(struct db *db, const struct val *pairs, size_t n, int64_t now,
                        struct arena *a, struct err *err)
{
    struct val ids[LIM_BATCH], at = val_int(now);
    enum outcome o;

    if (n > LIM_BATCH)
        return err_set(err, INVALID, "putoff_add: %zu at once", n);
    for (size_t i = 0; i < n; i++)
        ids[i] = pairs[i * 2];
    o = db_exec_in(db, &ADD, &at, 1, pairs, n, a, NULL, err);
    return o == OK ? db_exec_in(db, &NOTE_ADD, NULL, 0, ids, n, a, NULL, err) : o;
}

enum outcome putoff_end(struct db *db, const struct val *ids, size_t n, int64_t now,
                        struct arena *a, struct rows *heads, struct err *err)
{
    struct val at[] = {val_int(now), val_int(now)};
    enum outcome o = db_exec_in(db, &END, NULL, 0, ids, n, a, NULL, err);

    if (o == OK)
        o = db_exec_in(db, &NOTE_END, NULL, 0, ids, n, a, NULL, err);
    return o == OK ? db_select_in(db, &HEADS, at, 2, ids, n, NULL, 0, a, heads, err) : o;
}
