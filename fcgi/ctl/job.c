/* job.c: droverctl job: what the agent does for many devices in the background. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "ctl/job.h"

#define COLUMNS 10
#define WAIT_US 500000

static int show(struct ctl *c, const struct bulk_job *j, size_t n, bool json)
{
    static const struct ctl_column cols[COLUMNS] = {
        {"job", CTL_TEXT},      {"task", CTL_TEXT},       {"what", CTL_TEXT},
        {"state", CTL_TEXT},    {"total", CTL_INT},       {"queued", CTL_INT},
        {"refused", CTL_INT},   {"created_at", CTL_TIME}, {"created_by", CTL_TEXT},
        {"ended_why", CTL_TEXT}};
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * COLUMNS],
               (struct val[]){val_str(arena_fmt(c->arena, "%lld", (long long)j[i].id)),
                              val_str(bulk_task_name(j[i].task)),
                              ctl_text(j[i].task == BULK_ITEM ? j[i].item : j[i].request_type),
                              val_str(bulk_state_name(j[i].state)),
                              j[i].total < 0 ? val_null() : val_int(j[i].total),
                              val_int(j[i].queued), val_int(j[i].refused), val_int(j[i].created_at),
                              val_str(j[i].created_by), ctl_text(j[i].ended_why)},
               COLUMNS * sizeof *cells);
    return cells ? ctl_list(c, json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

static int list(struct ctl *c, struct db *db, bool json)
{
    struct bulk_job *j;
    struct err err;
    size_t n;
    return bulk_list(db, 0, LIM_PAGE, c->arena, &j, &n, &err) == OK ? show(c, j, n, json)
                                                                    : ctl_failed(&err);
}

/* As it is; with wait once it is over, and meanwhile on standard error how far it is. */
static int follow(struct ctl *c, struct db *db, int64_t id, bool wait, bool json)
{
    struct arena *a = arena_new(LIM_MB);
    int64_t told = -1;
    struct bulk_job j;
    struct err err;
    enum outcome o = a ? OK : err_set(&err, ERROR, "out of memory");
    while (o == OK && (o = bulk_get(db, id, a, &j, &err)) == OK && wait && j.state == BULK_OPEN) {
        if (j.queued + j.refused != told) {
            told = j.queued + j.refused;
            fprintf(stderr, "%lld of %s\n", (long long)told,
                    j.total < 0 ? "?" : arena_fmt(a, "%lld", (long long)j.total));
        }
        usleep(WAIT_US);
        arena_reset(a);
    }
    int rc = o == OK ? show(c, &j, 1, json) : ctl_failed(&err);
    if (o == OK && j.state == BULK_FAILED)
        rc = CTL_FAILED;
    arena_free(&a);
    return rc;
}

int ctl_job_begin(struct ctl *c, struct db *db, struct bulk_job *job, bool wait, bool json)
{
    struct err err;
    job->created_by = c->actor;
    return bulk_add(db, job, NULL, 0, clock_now(), &err) == OK ? follow(c, db, job->id, wait, json)
                                                               : ctl_failed(&err);
}

int ctl_job(struct ctl *c, int argc, char **argv)
{
    const char *rest[2];
    bool json = false, wait = false;
    const struct ctl_option options[] = {{.name = "wait", .flag = &wait},
                                         {.name = "json", .flag = &json}};
    struct db *db;
    struct err err;
    char *end;
    int n = ctl_args(argc, argv, options, 2, rest, 1, 2);
    if (n < 0)
        return CTL_USAGE;
    bool lists = strcmp(rest[0], "list") == 0, stops = strcmp(rest[0], "stop") == 0;
    if (!lists && !stops && strcmp(rest[0], "show") != 0)
        return ctl_wrong("job: there is no \"%s\"", rest[0]);
    if (lists != (n == 1) || (wait && (lists || stops)))
        return ctl_wrong("job %s: %s", rest[0], lists ? "takes no more" : "give the number of one");
    int64_t id = lists ? 0 : strtoll(rest[1], &end, 10);
    if (!lists && (*end || id <= 0))
        return ctl_wrong("job %s: \"%s\" is no number", rest[0], rest[1]);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (stops && bulk_stop(db, id, c->actor, clock_now(), &err) != OK)
        return ctl_failed(&err);
    return lists ? list(c, db, json) : follow(c, db, id, wait, json);
}
