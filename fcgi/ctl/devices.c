/* devices.c: droverctl devices, queue, results and cancel. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "command/sensitive.h"
#include "store/device.h"
#include "store/ident.h"
#include "store/queue.h"

#define DEVICE_COLUMNS 9
#define QUEUE_COLUMNS 8

static struct val *device_cells(struct ctl *c, const struct enrollment *e, size_t n)
{
    struct val *cells = arena_array(c->arena, n * DEVICE_COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * DEVICE_COLUMNS],
               (struct val[]){val_str(e[i].ident), val_str(ident_kind_name(e[i].kind)),
                              val_str(enrollment_state_name(e[i].state)), ctl_text(e[i].serial),
                              ctl_text(e[i].product_name), ctl_text(e[i].os_version),
                              ctl_text(e[i].user_short_name), ctl_time(e[i].last_seen_at),
                              ctl_time(e[i].inactive_at)},
               DEVICE_COLUMNS * sizeof *cells);
    return cells;
}

/* Enrollments, page after page. */
struct gather {
    struct enrollment *all;
    size_t n, room;
};

static bool gather_add(struct ctl *c, struct gather *g, const struct enrollment *page, size_t n)
{
    if (g->n + n > g->room) {
        size_t room = (g->room + LIM_PAGE) * 2;
        struct enrollment *more = arena_array(c->arena, room, sizeof *more);
        if (!more)
            return false;
        if (g->n)
            memcpy(more, g->all, g->n * sizeof *more);
        g->all = more;
        g->room = room;
    }
    if (n)
        memcpy(g->all + g->n, page, n * sizeof *page);
    g->n += n;
    return true;
}

static enum outcome gather_all(struct ctl *c, struct db *db, const struct enrollment_filter *f,
                               struct gather *g, struct err *err)
{
    struct enrollment_cursor at = {0, 0};
    struct enrollment *page;
    bool more = true;
    enum outcome o = OK;
    while (o == OK && more) {
        size_t n;
        o = enrollment_list(db, f, ENROLLMENT_BY_ID, &at, 0, LIM_PAGE, false, c->arena, &page, &n,
                            &more, err);
        if (o == OK && !gather_add(c, g, page, n))
            o = err_set(err, INVALID, "too many devices to list at once; use a filter");
    }
    return o;
}

/* Those of them that the console's search finds. */
static enum outcome gather_found(struct ctl *c, struct db *db, struct enrollment_filter f,
                                 const char *text, struct gather *g, struct err *err)
{
    const struct device_filter found = {.text = text, .platform = "", .os = ""};
    const char *ids[LIM_PAGE];
    struct rows r = {.n = LIM_PAGE};
    int64_t after = 0;
    enum outcome o = OK;
    while (o == OK && r.n == LIM_PAGE) {
        o = device_ids(db, &found, after, LIM_PAGE, c->arena, &r, err);
        for (size_t i = 0; o == OK && i < r.n; i++)
            ids[i] = row_at(&r, i, 1)->s;
        f.idents = ids;
        f.nidents = r.n;
        if (o == OK && r.n) {
            after = row_at(&r, r.n - 1, 0)->i;
            o = gather_all(c, db, &f, g, err);
        }
    }
    return o;
}

/* All pages as one list. */
static int devices_show(struct ctl *c, struct db *db, const struct enrollment_filter *f,
                        const char *text, bool json)
{
    static const struct ctl_column cols[] = {
        {"id", CTL_TEXT},           {"type", CTL_TEXT},
        {"state", CTL_TEXT},        {"serial_number", CTL_TEXT},
        {"product_name", CTL_TEXT}, {"os_version", CTL_TEXT},
        {"user", CTL_TEXT},         {"last_seen", CTL_TIME},
        {"inactive_at", CTL_TIME}};
    struct gather g = {0};
    struct err err;
    if ((text ? gather_found(c, db, *f, text, &g, &err) : gather_all(c, db, f, &g, &err)) != OK)
        return ctl_failed(&err);
    struct val *cells = device_cells(c, g.all, g.n);
    return cells ? ctl_list(c, json, cols, DEVICE_COLUMNS, cells, g.n) : CTL_FAILED;
}

int ctl_devices(struct ctl *c, int argc, char **argv)
{
    const char *ids[256], *serial = NULL, *user = NULL, *state = NULL, *text = NULL;
    bool json = false, devices_only = false, inactive = false, push_dead = false;
    const struct ctl_option options[] = {
        {.name = "serial", .value = &serial},    {.name = "user", .value = &user},
        {.name = "state", .value = &state},      {.name = "devices-only", .flag = &devices_only},
        {.name = "inactive", .flag = &inactive}, {.name = "push-dead", .flag = &push_dead},
        {.name = "search", .value = &text},      {.name = "json", .flag = &json}};
    struct enrollment_filter f = {0};
    struct db *db;
    int n = ctl_args(argc, argv, options, 8, ids, 0, 256);
    if (n < 0)
        return CTL_USAGE;
    for (int s = ENROLLMENT_PENDING; state && s <= ENROLLMENT_ENDED; s++)
        if (strcmp(enrollment_state_name(s), state) == 0)
            f.states = 1u << s;
    if (state && !f.states)
        return ctl_wrong("--state: there are pending, enrolled, left and ended");
    if (text && n > 0)
        return ctl_wrong("either ids or --search");
    f.inactive = inactive;
    f.push_dead = push_dead;
    if (devices_only)
        f.kinds = 1u << IDENT_DEVICE | 1u << IDENT_USER_ENROLLMENT_DEVICE;
    if (n > 0) {
        f.idents = ids;
        f.nidents = (size_t)n;
    }
    if (serial) {
        f.serials = &serial;
        f.nserials = 1;
    }
    if (user) {
        f.user_short_names = &user;
        f.nuser_short_names = 1;
    }
    return ctl_db(c, &db) ? devices_show(c, db, &f, text, json) : CTL_FAILED;
}

/* ---- commands of one enrollment ---- */

static int items_show(struct ctl *c, const struct queue_item *q, size_t n, bool json)
{
    static const struct ctl_column cols[] = {{"command_uuid", CTL_TEXT}, {"request_type", CTL_TEXT},
                                             {"state", CTL_TEXT},        {"queued_at", CTL_TIME},
                                             {"sent_at", CTL_TIME},      {"closed_at", CTL_TIME},
                                             {"why", CTL_TEXT},          {"created_by", CTL_TEXT}};
    struct val *cells = arena_array(c->arena, n * QUEUE_COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * QUEUE_COLUMNS],
               (struct val[]){val_str(q[i].uuid), val_str(q[i].request_type),
                              val_str(queue_state_name(q[i].state)), val_int(q[i].queued_at),
                              ctl_time(q[i].sent_at), ctl_time(q[i].closed_at),
                              ctl_text(q[i].closed_why), val_str(q[i].created_by)},
               QUEUE_COLUMNS * sizeof *cells);
    return cells ? ctl_list(c, json, cols, QUEUE_COLUMNS, cells, n) : CTL_FAILED;
}

int ctl_queue(struct ctl *c, int argc, char **argv)
{
    const char *ident;
    bool json = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json}};
    struct queue_item *q;
    struct err err;
    struct db *db;
    size_t n;
    if (ctl_args(argc, argv, options, 1, &ident, 1, 1) < 0)
        return CTL_USAGE;
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (queue_list(db, ident, NULL, LIM_PAGE, 0, c->arena, &q, &n, &err) != OK)
        return ctl_failed(&err);
    if (n == LIM_PAGE)
        fprintf(stderr, "Only the first %u are shown.\n", LIM_PAGE);
    return items_show(c, q, n, json);
}

int ctl_results(struct ctl *c, int argc, char **argv)
{
    const char *rest[2], *limit = "50";
    bool json = false;
    const struct ctl_option options[] = {{.name = "limit", .value = &limit},
                                         {.name = "json", .flag = &json}};
    struct queue_item *q, one;
    struct err err;
    struct db *db;
    size_t n;
    char *end;
    if (ctl_args(argc, argv, options, 2, rest, 1, 2) < 0)
        return CTL_USAGE;
    errno = 0;
    long max = strtol(limit, &end, 10);
    if (errno || *end || max < 1 || max > (long)LIM_PAGE)
        return ctl_wrong("--limit: \"%s\" is no number from 1 to %u", limit, LIM_PAGE);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (!rest[1]) {
        if (queue_results(db, rest[0], 0, (size_t)max, 0, c->arena, &q, &n, &err) != OK)
            return ctl_failed(&err);
        return items_show(c, q, n, json);
    }
    if (queue_get(db, rest[0], rest[1], c->arena, &one, &err) != OK)
        return ctl_failed(&err);
    if (!one.report.n) {
        fprintf(stderr, "There is no report; the command is \"%s\".\n",
                queue_state_name(one.state));
        return items_show(c, &one, 1, json);
    }
    if (command_personal(one.request_type) &&
        command_looked(db, c->actor, rest[0], one.uuid, one.request_type, &err) != OK)
        return ctl_failed(&err);
    if (*one.aside)
        fprintf(stderr, "The report was set aside: %s\n", one.aside);
    fwrite(one.report.p, 1, one.report.n, stdout); /* a property list, as the device sent it */
    return CTL_OK;
}

int ctl_cancel(struct ctl *c, int argc, char **argv)
{
    const char *rest[2], *why = NULL;
    bool all = false;
    const struct ctl_option options[] = {{.name = "why", .value = &why},
                                         {.name = "all", .flag = &all}};
    struct err err;
    struct db *db;
    size_t cancelled, sent;
    if (ctl_args(argc, argv, options, 2, rest, 1, 2) < 0)
        return CTL_USAGE;
    if (all == (rest[1] != NULL))
        return ctl_wrong("cancel: give a CommandUUID, or --all for every open command");
    if (why && why[utf8_prefix(why, QUEUE_WHY_MAX)])
        return ctl_wrong("--why has at most %d characters", QUEUE_WHY_MAX);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (queue_cancel(db, rest[0], rest[1], c->actor, why ? why : "no reason given", clock_now(),
                     &cancelled, &sent, &err) != OK)
        return ctl_failed(&err);
    printf("%zu cancelled", cancelled);
    if (sent)
        printf("; %zu of them had been sent: the device may have done it", sent);
    putchar('\n');
    return CTL_OK;
}
