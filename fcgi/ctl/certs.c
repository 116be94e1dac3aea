/* certs.c: droverctl certs: device identities by their end and how far their renewal is, and the
 * inventory of all. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/identity.h"
#include "store/renewal.h"
#include "wire/x509.h"

#define COLUMNS 8
#define LIST_MAX 100000

/* --- the inventory --- */

#define INVENTORY_COLUMNS 8

static const struct ctl_column inventory_cols[INVENTORY_COLUMNS] = {
    {"certificate_sha256", CTL_TEXT},
    {"state", CTL_TEXT},
    {"not_before", CTL_TIME},
    {"not_after", CTL_TIME},
    {"serial", CTL_TEXT},
    {"subject", CTL_TEXT},
    {"id", CTL_TEXT},
    {"revoked", CTL_TEXT}};

static bool inventory_row(struct ctl *c, const struct identity *i, struct val *cells)
{
    char *hex = arena_alloc(c->arena, SHA256_HEX_LEN + 1);
    if (!hex)
        return false;
    hex_encode(bytes_of(i->sha256, sizeof i->sha256), hex);
    memcpy(cells,
           (struct val[]){val_str(hex), val_str(identity_state_name(i->state)),
                          ctl_time(i->not_before), ctl_time(i->not_after), ctl_text(i->serial),
                          ctl_text(i->subject), ctl_text(i->ident), ctl_text(i->revoked_why)},
           INVENTORY_COLUMNS * sizeof *cells);
    return true;
}

static int inventory(struct ctl *c, struct db *db, const struct identity_filter *f, bool json)
{
    struct val *cells = arena_array(c->arena, LIST_MAX * INVENTORY_COLUMNS, sizeof *cells);
    struct identity_place at = {-1, {0}};
    struct identity *list;
    struct err err;
    bool more = cells != NULL;
    size_t all = 0, n;
    while (more && all < LIST_MAX) {
        size_t room = LIST_MAX - all < LIM_PAGE ? LIST_MAX - all : LIM_PAGE;
        if (identity_list(db, f, &at, clock_now(), room, c->arena, &list, &n, &more, &err) != OK)
            return ctl_failed(&err);
        for (size_t i = 0; i < n; i++, all++)
            if (!inventory_row(c, &list[i], &cells[all * INVENTORY_COLUMNS]))
                return CTL_FAILED;
    }
    return cells ? ctl_list(c, json, inventory_cols, INVENTORY_COLUMNS, cells, all) : CTL_FAILED;
}

static int show(struct ctl *c, struct db *db, const char *digits)
{
    struct buf pem = BUF_INIT(LIM_MB);
    struct identity i;
    struct err err;
    if (identity_get(db, digits, clock_now(), c->arena, &i, &err) != OK)
        return ctl_failed(&err);
    if (!i.der.p) {
        err_set(&err, NOT_FOUND, "the certificate itself is not kept");
        return ctl_failed(&err);
    }
    cert_to_pem(i.der, &pem);
    fputs(buf_cstr(&pem), stdout);
    buf_free(&pem);
    return CTL_OK;
}

/* list [--state S] [--device ID] [--search TEXT] [--issued]; show DIGITS */
static int inventory_verb(struct ctl *c, int argc, char **argv)
{
    const char *rest[2], *state = NULL;
    struct identity_filter f = {0};
    bool json = false;
    const struct ctl_option options[] = {
        {.name = "state", .value = &state},   {.name = "device", .value = &f.ident},
        {.name = "search", .value = &f.text}, {.name = "issued", .flag = &f.issued},
        {.name = "json", .flag = &json},
    };
    struct db *db;
    if (ctl_args(argc, argv, options, 5, rest, 1, 2) < 0)
        return CTL_USAGE;
    bool one = strcmp(rest[0], "show") == 0;
    if (!one && strcmp(rest[0], "list") != 0)
        return ctl_wrong("certs: there is no \"%s\"", rest[0]);
    if (one != (rest[1] != NULL))
        return ctl_wrong("certs %s: %s", rest[0],
                         one ? "the first digits of a SHA-256 are missing" : "takes no more");
    if (state && !(f.state = identity_state_read(state)))
        return ctl_wrong("certs list: --state is valid, expired or revoked");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    return one ? show(c, db, rest[1]) : inventory(c, db, &f, json);
}

/* --- renewals --- */

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
    if (argc > 1 && argv[1][0] != '-')
        return inventory_verb(c, argc, argv);
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
