/* rollout.c: droverctl rollout: how far profiles and apps are on the devices that are to have them.
 */
#include "ctl/job.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/library.h"
#include "store/wanted.h"

#define COLUMNS 12

static int list(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[COLUMNS] = {
        {"id", CTL_TEXT},     {"identifier", CTL_TEXT}, {"name", CTL_TEXT},
        {"version", CTL_INT}, {"state", CTL_TEXT},      {"pending", CTL_INT},
        {"queued", CTL_INT},  {"installed", CTL_INT},   {"failed", CTL_INT},
        {"refused", CTL_INT}, {"halted_at", CTL_TIME},  {"halted_why", CTL_TEXT}};
    struct rollout_row *r;
    struct err err;
    size_t n;
    if (rollout_list(db, 0, LIM_PAGE, c->arena, &r, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * COLUMNS],
               (struct val[]){val_str(arena_fmt(c->arena, "%lld", (long long)r[i].item_id)),
                              val_str(r[i].identifier), ctl_text(r[i].name), val_int(r[i].version),
                              val_str(rollout_state(&r[i])), val_int(r[i].counts[WANTED_PENDING]),
                              val_int(r[i].counts[WANTED_QUEUED] + r[i].counts[WANTED_INSTALLING]),
                              val_int(r[i].counts[WANTED_INSTALLED]),
                              val_int(r[i].counts[WANTED_FAILED]),
                              val_int(r[i].counts[WANTED_REFUSED]), ctl_time(r[i].halted_at),
                              ctl_text(r[i].halted_why)},
               COLUMNS * sizeof *cells);
    return cells ? ctl_list(c, json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

static int act(struct ctl *c, struct db *db, const char *verb, int64_t item, const char *ident,
               const char *why)
{
    struct err err = {0};
    uint64_t n = 0;
    bool retry = strcmp(verb, "retry") == 0;
    enum outcome o = retry ? wanted_retry(db, item, ident, c->actor, clock_now(), &n, &err)
                     : strcmp(verb, "stop") == 0
                         ? rollout_stop(db, item, c->actor, why, clock_now(), &err)
                         : rollout_resume(db, item, c->actor, why, clock_now(), &err);
    if (o != OK)
        return ctl_failed(&err);
    if (retry)
        printf("%llu tried again\n", (unsigned long long)n);
    return CTL_OK;
}

int ctl_rollout(struct ctl *c, int argc, char **argv)
{
    const char *rest[3], *why = NULL;
    bool json = false, wait = false;
    const struct ctl_option options[] = {{.name = "why", .value = &why},
                                         {.name = "wait", .flag = &wait},
                                         {.name = "json", .flag = &json}};
    struct library_item item;
    struct db *db;
    int n = ctl_args(argc, argv, options, 3, rest, 1, 3);
    if (n < 0)
        return CTL_USAGE;
    const char *verb = rest[0];
    bool lists = strcmp(verb, "list") == 0, retry = strcmp(verb, "retry") == 0;
    bool decides = strcmp(verb, "stop") == 0 || strcmp(verb, "resume") == 0;
    if (!lists && !retry && !decides)
        return ctl_wrong("rollout: there is no \"%s\"", verb);
    if (lists != (n == 1) || (n == 3 && !retry) || decides != (why != NULL && *why))
        return ctl_wrong("rollout %s: %s", verb,
                         lists     ? "takes no more"
                         : decides ? "give a profile or an app, and --why TEXT"
                                   : "give a profile or an app");
    if (wait && !(retry && n == 2))
        return ctl_wrong("--wait is for a retry on all devices");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (lists)
        return list(c, db, json);
    if (!ctl_item(c, db, rest[1], CTL_ITEM_ANY, &item))
        return CTL_FAILED;
    return retry && n == 2
               ? ctl_job_begin(c, db, &(struct bulk_job){.task = BULK_ITEM, .item_id = item.id},
                               wait, json)
               : act(c, db, verb, item.id, rest[2], why);
}
