/* retry.c: droverctl retry: commands that failed are sent again, one, or all of a list as a job. */
#include "ctl/job.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "command/consent.h"
#include "command/retry.h"
#include "store/failed.h"

#define COLUMNS 6
#define ALL_MAX 100000 /* commands of one dry run */

/* What became of all of them; the rest of a list is shown at the end, as one. */
struct told {
    struct val *cells;
    size_t n;
    bool refused;
};

static void add(struct ctl *c, struct told *t, const struct retry_one *x)
{
    if (t->n == ALL_MAX)
        return;
    memcpy(&t->cells[t->n++ * COLUMNS],
           (struct val[]){
               val_str(x->ident), val_str(x->uuid), ctl_text(x->request_type),
               val_str(retry_outcome_name(x->outcome)),
               x->approval ? val_str(arena_fmt(c->arena, "approval %lld", (long long)x->approval))
                           : ctl_text(x->again),
               ctl_text(x->why)},
           COLUMNS * sizeof *t->cells);
    t->refused |= x->outcome == RETRY_REFUSED;
}

static int tell(struct ctl *c, const struct told *t, bool json)
{
    static const struct ctl_column cols[COLUMNS] = {
        {"id", CTL_TEXT},      {"command", CTL_TEXT}, {"request_type", CTL_TEXT},
        {"outcome", CTL_TEXT}, {"again", CTL_TEXT},   {"why", CTL_TEXT}};
    return ctl_list(c, json, cols, COLUMNS, t->cells, t->n);
}

static bool run(struct ctl *c, struct db *db, struct retry *r, struct told *t)
{
    struct err err;
    if (retry_run(db, c->conf, c->arena, c->actor, clock_now(), r, &err) != OK) {
        ctl_failed(&err);
        return false;
    }
    for (size_t i = 0; i < r->n; i++)
        add(c, t, &r->list[i]);
    return true;
}

/* A person is asked for where two are: of what needs both. */
static const char *forbids(void *arg, const struct retry_item *x)
{
    const struct ctl *c = arg;
    return c->anonymous && consent_needed(c->conf, x->sensitive)
               ? "two persons are asked for, and root may be anybody: log in under your own name"
               : NULL;
}

/* What would become of all of them. */
static bool all(struct ctl *c, struct db *db, struct failed_filter f, const struct retry *how,
                struct told *t)
{
    while (f.before != 0 && t->n < ALL_MAX) {
        struct retry r = *how;
        size_t n;
        struct failed *list;
        struct err err;
        if (failed_list(db, &f, RETRY_MAX, c->arena, &list, &n, &f.before, &err) != OK)
            return ctl_failed(&err) == CTL_OK;
        r.many = true;
        r.list = arena_array(c->arena, n + 1, sizeof *r.list);
        for (size_t i = 0; r.list && i < n; i++)
            if (!*list[i].again)
                r.list[r.n++] = (struct retry_one){.ident = list[i].ident, .uuid = list[i].uuid};
        if (!r.list || !run(c, db, &r, t))
            return false;
    }
    return true;
}

int ctl_retry(struct ctl *c, int argc, char **argv)
{
    const char *rest[2], *within = "7d";
    struct retry how = {.push = true, .forbids = forbids, .forbids_arg = c};
    struct failed_filter f = {.before = INT64_MAX, .not_again = true};
    bool failed = false, no_push = false, wait = false, json = false;
    const struct ctl_option options[] = {{.name = "failed", .flag = &failed},
                                         {.name = "within", .value = &within},
                                         {.name = "request-type", .value = &f.request_type},
                                         {.name = "reason", .value = &how.reason},
                                         {.name = "dry-run", .flag = &how.dry},
                                         {.name = "no-push", .flag = &no_push},
                                         {.name = "wait", .flag = &wait},
                                         {.name = "json", .flag = &json}};
    struct told t = {.n = 0};
    struct db *db;
    int64_t us;
    int n = ctl_args(argc, argv, options, 8, rest, 0, 2);
    if (n < 0)
        return CTL_USAGE;
    if (failed ? n != 0 : n != 2 || f.request_type)
        return ctl_wrong("retry: give an id and a CommandUUID, or --failed");
    if (wait && (!failed || how.dry))
        return ctl_wrong("--wait is for --failed without --dry-run");
    if (!ctl_duration(within, &us))
        return ctl_wrong("--within is a time like 7d");
    if (how.reason && strlen(how.reason) > ORDER_REASON_MAX)
        return ctl_wrong("--reason has at most %u octets", ORDER_REASON_MAX);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    how.push = !no_push;
    f.since = clock_now() - us;
    if (failed && !how.dry) {
        struct bulk_job job = {.task = BULK_FAILED_AGAIN,
                               .request_type = f.request_type,
                               .failed_since = f.since,
                               .failed_before = clock_now(),
                               .reason = how.reason,
                               .no_push = no_push};
        return ctl_job_begin(c, db, &job, wait, json);
    }
    t.cells = arena_array(c->arena, (failed ? ALL_MAX : 1) * COLUMNS, sizeof *t.cells);
    struct retry_one one = {.ident = rest[0], .uuid = rest[1]};
    if (!failed) {
        how.list = &one;
        how.n = 1;
    }
    if (!t.cells || !(failed ? all(c, db, f, &how, &t) : run(c, db, &how, &t)))
        return CTL_FAILED;
    if (tell(c, &t, json) != CTL_OK)
        return CTL_FAILED;
    return t.refused && !failed ? CTL_FAILED : CTL_OK;
}
