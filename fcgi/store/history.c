/* history.c: see history.h. */
#include "store/history.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/digest.h"
#include "store/id.h"

#define CHUNK 500

static const struct sql OLD = {"history_old",
                               "SELECT enrollment_id, command_id FROM result WHERE digest = ? AND "
                               "closed_at < ? ORDER BY closed_at LIMIT ?",
                               0};
static const struct sql ERRORS = {
    "history_errors", "DELETE FROM result_error WHERE (enrollment_id, command_id) IN (%IN%)", 2};
static const struct sql FAILURES = {
    "history_failures", "DELETE FROM digest_failure WHERE (enrollment_id, command_id) IN (%IN%)",
    2};
static const struct sql RESULTS = {
    "history_results", "DELETE FROM result WHERE (enrollment_id, command_id) IN (%IN%)", 2};
static const struct sql COMMANDS = {
    "history_commands",
    "DELETE FROM command WHERE created_at < ? AND NOT EXISTS (SELECT 1 FROM queue q WHERE "
    "q.command_id = command.id) AND NOT EXISTS (SELECT 1 FROM result r WHERE r.command_id = "
    "command.id) ORDER BY created_at LIMIT ?",
    0};
static const struct sql EVENTS = {"history_events",
                                  "DELETE FROM inv_event WHERE id < ? ORDER BY id LIMIT ?", 0};
/* A version that a device reports meanwhile has its seen_at renewed first: the row is locked. */
static const struct sql SOFTWARE = {
    "history_software",
    "DELETE FROM software WHERE seen_at < ? AND NOT EXISTS (SELECT 1 FROM inv_app a WHERE "
    "a.software_id = software.id) LIMIT ?",
    0};

/* Few at a time: each may have named a thousand devices. */
#define JOBS_CHUNK 10
static const struct sql JOBS = {"history_jobs",
                                "SELECT id FROM bulk_job WHERE ended_at < ? ORDER BY ended_at "
                                "LIMIT ? FOR UPDATE",
                                0};
static const struct sql JOB_TARGETS = {"history_job_targets",
                                       "DELETE FROM bulk_target WHERE job_id IN (%IN%)", 1};
static const struct sql JOBS_GO = {"history_jobs_go", "DELETE FROM bulk_job WHERE id IN (%IN%)", 1};

struct purge {
    int64_t before;
    enum digest_state state;
    struct arena *a;
    size_t n;
};

static enum outcome results_unit(struct db *db, void *arg, struct err *err)
{
    struct purge *p = arg;
    struct rows r;
    enum outcome o;

    arena_reset(p->a);
    p->n = 0;
    o = db_select(db, &OLD, (struct val[]){val_int(p->state), val_int(p->before), val_int(CHUNK)},
                  3, p->a, &r, err);
    if (o != OK || r.n == 0)
        return o;
    p->n = r.n;
    o = db_exec_in(db, &ERRORS, NULL, 0, r.v, r.n, p->a, NULL, err);
    if (o == OK && p->state == DIGEST_ASIDE)
        o = db_exec_in(db, &FAILURES, NULL, 0, r.v, r.n, p->a, NULL, err);
    return o == OK ? db_exec_in(db, &RESULTS, NULL, 0, r.v, r.n, p->a, NULL, err) : o;
}

static enum outcome jobs_unit(struct db *db, void *arg, struct err *err)
{
    struct purge *p = arg;
    struct rows r;
    enum outcome o;

    arena_reset(p->a);
    o = db_select(db, &JOBS, (struct val[]){val_int(p->before), val_int(JOBS_CHUNK)}, 2, p->a, &r,
                  err);
    p->n = o == OK ? r.n : 0;
    if (o != OK || r.n == 0)
        return o;
    o = db_exec_in(db, &JOB_TARGETS, NULL, 0, r.v, r.n, p->a, NULL, err);
    return o == OK ? db_exec_in(db, &JOBS_GO, NULL, 0, r.v, r.n, p->a, NULL, err) : o;
}

static enum outcome purge_jobs(struct db *db, struct purge *p, size_t max, size_t *n,
                               struct err *err)
{
    size_t all = 0;
    enum outcome o = OK;

    p->n = JOBS_CHUNK;
    while (o == OK && p->n == JOBS_CHUNK && all < max) {
        o = db_unit(db, jobs_unit, p, err);
        all += o == OK ? p->n : 0;
    }
    *n += all;
    return o;
}

static enum outcome purge_results(struct db *db, struct purge *p, size_t max, size_t *n,
                                  struct err *err)
{
    size_t all = 0;
    enum outcome o = OK;

    p->n = CHUNK;
    while (o == OK && p->n == CHUNK && all < max) {
        o = db_unit(db, results_unit, p, err);
        all += o == OK ? p->n : 0;
    }
    *n += all;
    return o;
}

static enum outcome purge_rows(struct db *db, const struct sql *sql, int64_t before, size_t max,
                               size_t *n, struct err *err)
{
    uint64_t hit = CHUNK;
    size_t all = 0;
    enum outcome o = OK;

    while (o == OK && hit == CHUNK && all < max) {
        o = db_exec(db, sql, (struct val[]){val_int(before), val_int(CHUNK)}, 2, &hit, err);
        all += o == OK ? (size_t)hit : 0;
    }
    *n += all;
    return o;
}

enum outcome history_purge(struct db *db, int64_t before, size_t max, size_t *n, struct err *err)
{
    struct purge p = {.before = before, .a = arena_new(LIM_MB)};
    enum outcome o = OK;

    *n = 0;
    if (p.a == NULL)
        return err_set(err, ERROR, "out of memory");
    for (p.state = DIGEST_DONE; o == OK && p.state < DIGEST__MAX; p.state++)
        if (p.state != DIGEST_WAITING)
            o = purge_results(db, &p, max, n, err);
    if (o == OK)
        o = purge_jobs(db, &p, max, n, err);
    arena_free(&p.a);
    if (o == OK)
        o = purge_rows(db, &COMMANDS, before, max, n, err);
    if (o == OK)
        o = purge_rows(db, &EVENTS, id_at(before), max, n, err);
    return o == OK ? purge_rows(db, &SOFTWARE, before, max, n, err) : o;
}
