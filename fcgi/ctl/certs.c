/* certs.c: droverctl certs: device identities by their end, and how far their renewal is. */
#include "ctl/ctl.h"

#include "base/clock.h"
#include "store/renewal.h"
#include "wire/encode.h"

#define COLUMNS 8
#define LIST_MAX 100000

int ctl_certs(struct ctl *c, int argc, char **argv)
{
    static const struct ctl_column cols[] = {
        {"not_after", CTL_TIME},     {"id", CTL_TEXT},
        {"serial_number", CTL_TEXT}, {"renewal", CTL_TEXT},
        {"attempts", CTL_INT},       {"due_at", CTL_TIME},
        {"why", CTL_TEXT},           {"certificate_sha256", CTL_TEXT}};
    const char *rest[1], *within = NULL;
    bool json = false;
    const struct ctl_option options[] = {{.name = "within", .value = &within},
                                         {.name = "json", .flag = &json}};
    int64_t us = c->conf->renewal_days * DAY_US;
    struct renewal_item *list;
    struct db *db;
    struct err err;
    size_t n;
    if (ctl_args(argc, argv, options, 2, rest, 0, 0) < 0)
        return CTL_USAGE;
    if (within && !ctl_duration(within, &us))
        return ctl_wrong("--within: \"%s\" is no time like 90d", within);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (renewal_list(db, clock_now() + us, LIST_MAX, c->arena, &list, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++) {
        const struct renewal_item *e = &list[i];
        char *hex = arena_alloc(c->arena, SHA256_HEX_LEN + 1);
        if (!hex)
            return CTL_FAILED;
        hex_encode(e->sha256, hex);
        memcpy(&cells[i * COLUMNS],
               (struct val[]){val_int(e->not_after), val_str(e->ident), ctl_text(e->serial),
                              val_str(renewal_state_name(e->state)), val_int(e->attempts),
                              ctl_time(e->due_at), ctl_text(e->failed_why), val_str(hex)},
               COLUMNS * sizeof *cells);
    }
    return cells ? ctl_list(c, json, cols, COLUMNS, cells, n) : CTL_FAILED;
}
