/* inventory.c: droverctl inventory, what devices told; droverctl reports, those that could not be
 * read. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/fleet.h"
#include "base/limits.h"
#include "store/digest.h"

#define AGAIN_MAX 100000

static int print(js *root)
{
    struct buf text = BUF_INIT(LIM_RESPONSE);
    struct err err;
    bool good = js_write(*root, true, &text) == OK;
    js_free(root);
    if (good)
        puts(buf_cstr(&text));
    buf_free(&text);
    return good ? CTL_OK : ctl_failed((err_set(&err, ERROR, "out of memory"), &err));
}

int ctl_inventory(struct ctl *c, int argc, char **argv)
{
    const char *rest[2] = {NULL, NULL}, *limit = NULL, *cursor = NULL;
    const struct ctl_option options[] = {{.name = "limit", .value = &limit},
                                         {.name = "cursor", .value = &cursor}};
    struct req req = {.arena = c->arena, .query = ""};
    struct part_call call = {.req = &req, .by = {c->actor, true}, .limit = LIM_PAGE};
    struct err err = {0};
    js root = NULL;
    if (ctl_args(argc, argv, options, 2, rest, 1, 2) < 0)
        return CTL_USAGE;
    if (limit) {
        char *end;
        long n = strtol(limit, &end, 10);
        if (n < 1 || n > (long)LIM_PAGE || *end)
            return ctl_wrong("--limit: \"%s\" is no number from 1 to %u", limit, LIM_PAGE);
        call.limit = (size_t)n;
    }
    if (cursor)
        req.query = arena_fmt(c->arena, "cursor=%s", cursor);
    if (!ctl_db(c, &call.db))
        return CTL_FAILED;
    enum outcome o = fleet_get(call.db, rest[0], c->arena, &call.device, &err);
    if (o == OK)
        o = fleet_part(&call, rest[1], &root, &err);
    return o == OK ? print(&root) : ctl_failed(&err);
}

static int again(struct ctl *c)
{
    struct err err;
    size_t n = 0;
    if (digest_again(c->db, AGAIN_MAX, &n, &err) != OK)
        return ctl_failed(&err);
    printf("%zu reports are read again\n", n);
    return CTL_OK;
}

int ctl_reports(struct ctl *c, int argc, char **argv)
{
    static const struct ctl_column cols[] = {{"at", CTL_TIME},
                                             {"id", CTL_TEXT},
                                             {"request_type", CTL_TEXT},
                                             {"command_uuid", CTL_TEXT},
                                             {"why", CTL_TEXT}};
    bool json = false, retry = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json},
                                         {.name = "retry", .flag = &retry}};
    struct digest_failure *f = NULL;
    struct err err;
    struct db *db;
    size_t n;
    if (ctl_args(argc, argv, options, 2, NULL, 0, 0) < 0)
        return CTL_USAGE;
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (retry)
        return again(c);
    if (digest_failures(db, LIM_PAGE, c->arena, &f, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 5 + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++) {
        cells[i * 5] = ctl_time(f[i].at);
        cells[i * 5 + 1] = val_str(f[i].ident);
        cells[i * 5 + 2] = val_str(f[i].request_type);
        cells[i * 5 + 3] = val_str(f[i].uuid);
        cells[i * 5 + 4] = val_str(f[i].why);
    }
    return cells ? ctl_list(c, json, cols, 5, cells, n) : CTL_FAILED;
}
