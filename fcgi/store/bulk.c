/* bulk.c: see bulk.h. */
#include "store/bulk.h"

#include <stdio.h>

#include "base/limits.h"
#include "store/audit.h"
#include "store/id.h"
#include "store/itemcount.h"
#include "store/wanted.h"

#define COLUMNS                                                                                    \
    "id, request_type, state, picked, f_text, f_states, f_platform, f_os, f_seen_before, total, "  \
    "queued, refused, last_id, created_at, created_by, ended_at, ended_why, scope, task, "         \
    "failed_since, failed_before, item_id, reason, push, (SELECT COALESCE(NULLIF(i.name, ''), "    \
    "i.identifier) FROM library_item i WHERE i.id = item_id) FROM bulk_job "
static const struct sql ADD = {
    "bulk_add",
    "INSERT INTO bulk_job (id, request_type, state, picked, f_text, f_states, f_platform, f_os, "
    "f_seen_before, total, created_at, created_by, scope, task, failed_since, failed_before, "
    "item_id, reason, push) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    0};
static const struct sql PICK = {
    "bulk_pick",
    "INSERT INTO bulk_target (job_id, enrollment_id) SELECT ?, id FROM enrollment "
    "WHERE ident IN (%IN%) AND kind IN (1, 4) AND %SCOPE device_id%",
    0};
static const struct sql GET = {"bulk_get", "SELECT " COLUMNS "WHERE id = ? AND %OWN scope%", 0};
static const struct sql LIST = {
    "bulk_list", "SELECT " COLUMNS "WHERE id < ? AND %OWN scope% ORDER BY id DESC LIMIT ?", 0};
static const struct sql NEXT = {"bulk_next",
                                "SELECT " COLUMNS "WHERE state = 1 ORDER BY id LIMIT 1", 0};
static const struct sql LOCK = {"bulk_lock",
                                "SELECT 1 FROM bulk_job WHERE id = ? AND state = 1 FOR UPDATE", 0};
static const struct sql SLICE = {
    "bulk_slice_picked",
    "SELECT e.id, e.ident FROM bulk_target t JOIN enrollment e ON e.id = t.enrollment_id "
    "WHERE t.job_id = ? AND t.enrollment_id > ? AND %SCOPE e.device_id% ORDER BY t.enrollment_id "
    "LIMIT ?",
    0};
/* A slice that was under way when a person stopped the job is told, and the job stays stopped. */
static const struct sql PROGRESS = {
    "bulk_progress",
    "UPDATE bulk_job SET total = ?, queued = ?, refused = ?, last_id = ?, ended_at = IF(state = 1, "
    "?, ended_at), ended_why = IF(state = 1, ?, ended_why), state = IF(state = 1, ?, state) WHERE "
    "id = ?",
    0};
static const struct sql STOP = {
    "bulk_stop",
    "UPDATE bulk_job SET state = 3, ended_at = ?, ended_why = ? WHERE id = ? AND state = 1 AND "
    "%OWN scope%",
    0};
static const struct sql ITEM = {"bulk_item", "SELECT identifier FROM library_item WHERE id = ?", 0};

const char *bulk_state_name(int state)
{
    static const char *const names[] = {"?", "open", "done", "stopped", "failed"};
    return names[state >= BULK_OPEN && state <= BULK_FAILED ? state : 0];
}

const char *bulk_task_name(int task)
{
    static const char *const names[] = {"?", "command", "failed", "item"};
    return names[task >= BULK_COMMAND && task <= BULK_ITEM ? task : 0];
}

struct addition {
    struct bulk_job *job;
    const char *const *picked;
    size_t n;
    int64_t now;
    struct arena *a;
};

static enum outcome pick(struct db *db, struct addition *x, struct err *err)
{
    const struct val id = val_int(x->job->id);
    struct val *list = arena_array(x->a, x->n, sizeof *list);
    uint64_t rows;
    if (!list)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < x->n; i++)
        list[i] = val_str(x->picked[i]);
    enum outcome o = db_exec_in(db, &PICK, &id, 1, list, x->n, x->a, &rows, err);
    x->job->total = (int64_t)rows;
    return o;
}

/* What it is for, and how many that are; those that failed are counted by the agent. */
static enum outcome measure(struct db *db, struct addition *x, struct err *err)
{
    struct bulk_job *j = x->job;
    enum outcome o;
    if (j->task == BULK_FAILED_AGAIN) {
        j->total = -1;
        return OK;
    }
    if (j->task == BULK_ITEM)
        return item_count_failed(db, j->item_id, x->a, &j->total, err);
    o = x->picked ? pick(db, x, err) : device_count(db, &j->filter, x->a, &j->total, err);
    return o == OK && j->total == 0 ? err_set(err, NOT_FOUND, "no device fits") : o;
}

static enum outcome audit(struct db *db, struct addition *x, struct err *err)
{
    const struct bulk_job *j = x->job;
    const struct val item = val_int(j->item_id);
    char detail[160], name[32];
    struct rows r;
    if (j->task == BULK_ITEM) {
        enum outcome o = db_select(db, &ITEM, &item, 1, x->a, &r, err);
        if (o == OK && r.n == 0)
            return err_set(err, NOT_FOUND, "there is no such item");
        return o == OK
                   ? audit_add(db, j->created_by, "library.retry", row_at(&r, 0, 0)->s, NULL, err)
                   : o;
    }
    snprintf(name, sizeof name, "%lld", (long long)j->id);
    if (j->task == BULK_FAILED_AGAIN)
        snprintf(detail, sizeof detail, "command=%.64s", *j->request_type ? j->request_type : "*");
    else
        snprintf(detail, sizeof detail, "command=%.64s devices=%lld", j->request_type,
                 (long long)j->total);
    return audit_add(db, j->created_by, j->task == BULK_FAILED_AGAIN ? "bulk.retry" : "bulk.add",
                     name, detail, err);
}

static enum outcome add_unit(struct db *db, void *arg, struct err *err)
{
    struct addition *x = arg;
    const struct bulk_job *j = x->job;
    const struct device_filter *f = &j->filter;
    arena_reset(x->a);
    enum outcome o = measure(db, x, err);
    if (o == OK)
        o = db_exec(db, &ADD,
                    (struct val[]){val_int(j->id), val_str(j->request_type),
                                   val_int(x->picked != NULL), val_str(f->text), val_int(f->states),
                                   val_str(f->platform), val_str(f->os), val_int(f->seen_before),
                                   val_int(j->total), val_int(x->now), val_str(j->created_by),
                                   val_int(j->scope), val_int(j->task), val_int(j->failed_since),
                                   val_int(j->failed_before), val_int(j->item_id),
                                   val_str(j->reason), val_int(!j->no_push)},
                    18, NULL, err);
    return o == OK ? audit(db, x, err) : o;
}

enum outcome bulk_add(struct db *db, struct bulk_job *job, const char *const *picked, size_t n,
                      int64_t now, struct err *err)
{
    struct addition x = {job, n ? picked : NULL, n, now, arena_new(4 * LIM_MB)};
    struct device_filter *f = &job->filter;
    job->id = job->id ? job->id : id_new();
    job->task = job->task ? job->task : BULK_COMMAND;
    job->request_type = job->request_type ? job->request_type : "";
    f->text = f->text ? f->text : "";
    f->platform = f->platform ? f->platform : "";
    f->os = f->os ? f->os : "";
    if (n > LIM_PAGE)
        return err_set(err, INVALID, "at most %u devices can be picked one by one", LIM_PAGE);
    enum outcome o = x.a ? db_unit(db, add_unit, &x, err) : err_set(err, ERROR, "out of memory");
    arena_free(&x.a);
    return o;
}

static void from_row(const struct val *v, struct bulk_job *j)
{
    *j = (struct bulk_job){.id = v[0].i,
                           .request_type = v[1].s,
                           .state = (int)v[2].i,
                           .picked = v[3].i != 0,
                           .filter = {.text = v[4].s,
                                      .states = (unsigned)v[5].i,
                                      .platform = v[6].s,
                                      .os = v[7].s,
                                      .seen_before = v[8].i},
                           .total = v[9].i,
                           .queued = v[10].i,
                           .refused = v[11].i,
                           .last_id = v[12].i,
                           .created_at = v[13].i,
                           .created_by = v[14].s,
                           .ended_at = val_or_0(&v[15]),
                           .ended_why = val_text(&v[16]),
                           .scope = v[17].i,
                           .task = (int)v[18].i,
                           .failed_since = v[19].i,
                           .failed_before = v[20].i,
                           .item_id = v[21].i,
                           .reason = val_is_null(&v[22]) ? NULL : v[22].s,
                           .no_push = v[23].i == 0,
                           .item = val_text(&v[24])};
}

static enum outcome one(struct db *db, const struct sql *sql, const struct val *arg, size_t n,
                        struct arena *a, struct bulk_job *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, sql, arg, n, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no such job");
    if (o == OK)
        from_row(row_at(&r, 0, 0), out);
    return o;
}

enum outcome bulk_get(struct db *db, int64_t id, struct arena *a, struct bulk_job *out,
                      struct err *err)
{
    const struct val arg = val_int(id);
    return one(db, &GET, &arg, 1, a, out, err);
}

enum outcome bulk_next(struct db *db, struct arena *a, struct bulk_job *out, struct err *err)
{
    return one(db, &NEXT, NULL, 0, a, out, err);
}

enum outcome bulk_lock(struct db *db, int64_t id, struct arena *a, struct err *err)
{
    const struct val arg = val_int(id);
    struct rows r;
    enum outcome o = db_select(db, &LOCK, &arg, 1, a, &r, err);
    return o == OK && r.n == 0 ? err_set(err, NOT_FOUND, "there is no such job") : o;
}

enum outcome bulk_list(struct db *db, int64_t before, size_t max, struct arena *a,
                       struct bulk_job **out, size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o = db_select(db, &LIST,
                               (struct val[]){val_int(before ? before : INT64_MAX),
                                              val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                               2, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}

struct stopping {
    int64_t id, now;
    const char *by;
};

static enum outcome stop_unit(struct db *db, void *arg, struct err *err)
{
    const struct stopping *s = arg;
    char name[32];
    uint64_t rows;
    enum outcome o =
        db_exec(db, &STOP, (struct val[]){val_int(s->now), val_cut(s->by, 255), val_int(s->id)}, 3,
                &rows, err);
    if (o == OK && rows == 0)
        return err_set(err, CONFLICT, "it is over already, or there is no such job");
    snprintf(name, sizeof name, "%lld", (long long)s->id);
    return o == OK ? audit_add(db, s->by, "bulk.stop", name, NULL, err) : o;
}

enum outcome bulk_stop(struct db *db, int64_t id, const char *by, int64_t now, struct err *err)
{
    struct stopping s = {id, now, by};
    return db_unit(db, stop_unit, &s, err);
}

enum outcome bulk_slice(struct db *db, const struct bulk_job *job, size_t max, struct arena *a,
                        struct bulk_device **out, size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    db_scope(db, job->scope); /* who made it reaches no more now than then */
    enum outcome o = job->picked ? db_select(db, &SLICE,
                                             (struct val[]){val_int(job->id), val_int(job->last_id),
                                                            val_int((int64_t)max)},
                                             3, a, &r, err)
                                 : device_ids(db, &job->filter, job->last_id, max, a, &r, err);
    db_scope(db, 0);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = (struct bulk_device){row_at(&r, *n, 0)->i, row_at(&r, *n, 1)->s};
    return OK;
}

enum outcome bulk_progress(struct db *db, const struct bulk_job *job, const char *why, int64_t now,
                           struct err *err)
{
    return db_exec(db, &PROGRESS,
                   (struct val[]){val_int(job->total), val_int(job->queued), val_int(job->refused),
                                  val_int(job->last_id),
                                  job->state == BULK_OPEN ? val_null() : val_int(now),
                                  val_cut(why, 255), val_int(job->state), val_int(job->id)},
                   8, NULL, err);
}
