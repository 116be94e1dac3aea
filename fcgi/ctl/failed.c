/* failed.c: droverctl failed: commands that ended with an error, of all devices. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/failed.h"
#include "store/queue_state.h"

#define COLUMNS 8
#define LIST_MAX 100000

int ctl_failed_list(struct ctl *c, int argc, char **argv)
{
    static const struct ctl_column cols[COLUMNS] = {
        {"closed_at", CTL_TIME},    {"id", CTL_TEXT},           {"name", CTL_TEXT},
        {"command_uuid", CTL_TEXT}, {"request_type", CTL_TEXT}, {"state", CTL_TEXT},
        {"why", CTL_TEXT},          {"retried_as", CTL_TEXT}};
    const char *rest[1], *within = "7d", *limit = "500";
    struct failed_filter filter = {.before = INT64_MAX};
    bool json = false;
    const struct ctl_option options[] = {{.name = "within", .value = &within},
                                         {.name = "limit", .value = &limit},
                                         {.name = "request-type", .value = &filter.request_type},
                                         {.name = "json", .flag = &json}};
    int64_t us;
    size_t n = 0, got = LIM_PAGE;
    char *end;
    struct db *db;
    struct err err;
    if (ctl_args(argc, argv, options, 4, rest, 0, 0) < 0)
        return CTL_USAGE;
    long max = strtol(limit, &end, 10);
    if (!ctl_duration(within, &us) || *end || max < 1 || max > LIST_MAX)
        return ctl_wrong("--within is a time like 7d, --limit a number up to %d", LIST_MAX);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    filter.since = clock_now() - us;
    struct val *cells = arena_array(c->arena, (size_t)max * COLUMNS, sizeof *cells);
    while (cells && filter.before != 0 && n < (size_t)max) {
        struct failed *f;
        size_t want = (size_t)max - n < LIM_PAGE ? (size_t)max - n : LIM_PAGE;
        if (failed_list(db, &filter, want, c->arena, &f, &got, &filter.before, &err) != OK)
            return ctl_failed(&err);
        for (size_t i = 0; i < got; i++)
            memcpy(&cells[n++ * COLUMNS],
                   (struct val[]){val_int(f[i].closed_at), val_str(f[i].ident), val_str(f[i].name),
                                  val_str(f[i].uuid), val_str(f[i].request_type),
                                  val_str(queue_state_name(f[i].state)), ctl_text(f[i].why),
                                  ctl_text(f[i].again)},
                   COLUMNS * sizeof *cells);
    }
    return cells ? ctl_list(c, json, cols, COLUMNS, cells, n) : CTL_FAILED;
}
