/* calendar.c: droverctl calendar: everything with an end on which management hangs. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/expiry.h"

#define LIST_MAX 5000
#define COLUMNS 6

static int list(struct ctl *c, struct db *db, int64_t within, bool json)
{
    static const struct ctl_column cols[COLUMNS] = {{"ends_at", CTL_TIME}, {"kind", CTL_TEXT},
                                                    {"name", CTL_TEXT},    {"count", CTL_INT},
                                                    {"detail", CTL_TEXT},  {"fix", CTL_TEXT}};
    struct expiry *e;
    struct err err;
    size_t n;
    if (expiry_list(db, within, LIST_MAX, c->arena, &e, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * COLUMNS],
               (struct val[]){val_int(e[i].ends_at), val_str(e[i].kind), val_str(e[i].name),
                              val_int(e[i].count), ctl_text(e[i].detail),
                              val_str(expiry_fix(e[i].kind))},
               COLUMNS * sizeof *cells);
    return cells ? ctl_list(c, json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

static int feeds(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"name", CTL_TEXT},
                                             {"created_at", CTL_TIME},
                                             {"created_by", CTL_TEXT},
                                             {"last_used_at", CTL_TIME}};
    struct calendar_feed *f;
    struct err err;
    size_t n;
    if (feed_list(db, c->arena, &f, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 4 + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * 4],
               (struct val[]){val_str(f[i].name), val_int(f[i].created_at),
                              val_str(f[i].created_by), ctl_time(f[i].last_used_at)},
               4 * sizeof *cells);
    return cells ? ctl_list(c, json, cols, 4, cells, n) : CTL_FAILED;
}

static int feed(struct ctl *c, struct db *db, const char *name)
{
    char token[FEED_TOKEN_LEN + 1];
    struct err err;
    if (feed_new(db, name, c->actor, token, &err) != OK)
        return ctl_failed(&err);
    printf("%s/calendar/%s.ics\n", c->conf->console_url, token);
    fputs("Whoever has this address reads the calendar; droverctl calendar revoke ends it.\n",
          stderr);
    return CTL_OK;
}

int ctl_calendar(struct ctl *c, int argc, char **argv)
{
    const char *rest[2], *within = NULL;
    bool json = false;
    const struct ctl_option options[] = {{.name = "within", .value = &within},
                                         {.name = "json", .flag = &json}};
    int64_t us = 0;
    struct err err;
    struct db *db;
    int n = ctl_args(argc, argv, options, 2, rest, 0, 2);
    if (n < 0)
        return CTL_USAGE;
    bool add = n > 0 && strcmp(rest[0], "feed") == 0, end = n > 0 && strcmp(rest[0], "revoke") == 0;
    if (n > 0 && !add && !end && strcmp(rest[0], "feeds") != 0)
        return ctl_wrong("calendar: there is no \"%s\"", rest[0]);
    if (n > 0 && (add || end) != (n == 2))
        return ctl_wrong("calendar %s: %s", rest[0],
                         n == 2 ? "takes no more" : "the name is missing");
    if (within && !ctl_duration(within, &us))
        return ctl_wrong("--within: \"%s\" is no time like 90d", within);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (n == 0)
        return list(c, db, within ? clock_now() + us : INT64_MAX, json);
    if (add)
        return feed(c, db, rest[1]);
    if (!end)
        return feeds(c, db, json);
    if (feed_revoke(db, rest[1], c->actor, &err) != OK)
        return ctl_failed(&err);
    printf("The address of \"%s\" is no longer good.\n", rest[1]);
    return CTL_OK;
}
