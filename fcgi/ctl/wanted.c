/* wanted.c: droverctl wanted: what single devices are to have, and how far devices and their users
 * are with what they are to have. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "library/edit.h"
#include "store/assignment.h"
#include "store/wanted.h"

#define COLUMNS 9

bool ctl_item(struct ctl *c, struct db *db, const char *word, unsigned kinds,
              struct library_item *out)
{
    struct err err;
    int64_t id;
    enum outcome o = NOT_FOUND;

    if (library_id_read(word, &id))
        o = library_get(db, id, c->arena, out, &err);
    for (int k = LIBRARY_PROFILE; o == NOT_FOUND && k <= LIBRARY_APP; k++)
        if (kinds & (1u << k))
            o = library_find(db, k, word, c->arena, out, &err);
    if (o == OK && !(kinds & (1u << out->kind)))
        o = err_set(&err, NOT_FOUND, "%.200s is a %s", word, library_kind_name(out->kind));
    else if (o == NOT_FOUND)
        err_set(&err, NOT_FOUND, "the library has nothing called %.200s", word);
    if (o != OK)
        ctl_failed(&err);
    return o == OK;
}

static void row_cells(const struct wanted_row *x, bool of_item, struct val *v)
{
    const struct val row[COLUMNS] = {
        val_str(of_item ? x->device_ident : x->identifier),
        of_item ? ctl_text(x->serial) : val_str(library_kind_name(x->kind)),
        ctl_text(x->user),
        val_str(wanted_state_name(x->state)),
        val_str(x->wanted ? "yes" : "no"),
        val_int(x->version),
        x->installed_version != 0 ? val_int(x->installed_version) : val_null(),
        ctl_time(x->changed_at),
        ctl_text(x->reason)};

    memcpy(v, row, sizeof row);
}

/* All devices of an item, in a state (0: any), or all items of a device and its users. */
static int show(struct ctl *c, struct db *db, const char *device, int64_t item, int state,
                bool json)
{
    const struct ctl_column cols[COLUMNS] = {{device ? "item" : "device", CTL_TEXT},
                                             {device ? "kind" : "serial_number", CTL_TEXT},
                                             {"user", CTL_TEXT},
                                             {"state", CTL_TEXT},
                                             {"wanted", CTL_TEXT},
                                             {"version", CTL_INT},
                                             {"has", CTL_INT},
                                             {"changed_at", CTL_TIME},
                                             {"reason", CTL_TEXT}};
    struct buf cells = BUF_INIT(256u * LIM_MB);
    struct val v[COLUMNS];
    struct wanted_row *x = NULL;
    struct err err;
    size_t n = LIM_PAGE, all = 0;
    int64_t after = 0;
    int status;

    while (n == LIM_PAGE) {
        enum outcome o =
            device ? wanted_of_device(db, device, c->arena, &x, &n, &err)
                   : wanted_of_item(db, item, state, after, LIM_PAGE, c->arena, &x, &n, &err);

        if (o != OK) {
            buf_free(&cells);
            return ctl_failed(&err);
        }
        for (size_t i = 0; i < n; i++, all++) {
            row_cells(&x[i], device == NULL, v);
            buf_add(&cells, v, sizeof v);
        }
        if (device != NULL && n == LIM_PAGE)
            fprintf(stderr, "Only the first %u are shown.\n", LIM_PAGE);
        if (device != NULL)
            break;
        after = n > 0 ? x[n - 1].enrollment_id : 0;
    }
    status = buf_failed(&cells)
                 ? CTL_FAILED
                 : ctl_list(c, json, cols, COLUMNS, (const struct val *)(void *)cells.data, all);
    buf_free(&cells);
    return status;
}

/* Gives one device an item, or takes it back. */
static int give(struct ctl *c, struct db *db, const char *device, const struct library_item *i,
                const char *why)
{
    struct assignment *list;
    struct err err;
    int64_t id;
    size_t n = 0;
    enum outcome o;

    if (why == NULL) {
        o = assignment_add_device(db, device, i->id, c->actor, clock_now(), &id, &err);
    } else {
        o = assignment_of_devices(db, device, i->id, 0, 1, c->arena, &list, &n, &err);
        if (o == OK && n == 0)
            o = err_set(&err, NOT_FOUND, "%.100s is not assigned to %.128s by itself", i->name,
                        device);
        if (o == OK)
            o = assignment_delete(db, list[0].id, c->actor, why, &err);
    }
    if (o != OK)
        return ctl_failed(&err);
    printf("%s %s %s\n", i->name, why ? "is taken from" : "goes to", device);
    return CTL_OK;
}

static int edit(struct ctl *c, int n, const char *const *rest, const char *why)
{
    bool take = strcmp(rest[0], "take") == 0;
    struct library_item i = {0};
    struct db *db;

    if (n != 3 || take != (why != NULL))
        return ctl_wrong("wanted %s: takes a device and an item%s", rest[0],
                         take ? ", and --why" : "");
    if (!ctl_db(c, &db) || !ctl_item(c, db, rest[2], CTL_ITEM_ANY, &i))
        return CTL_FAILED;
    return give(c, db, rest[1], &i, why);
}

int ctl_wanted(struct ctl *c, int argc, char **argv)
{
    const char *rest[3], *word = NULL, *why = NULL;
    bool json = false;
    const struct ctl_option options[] = {{.name = "state", .value = &word},
                                         {.name = "json", .flag = &json},
                                         {.name = "why", .value = &why}};
    struct library_item i = {0};
    struct db *db;
    bool device;
    int n = ctl_args(argc, argv, options, 3, rest, 2, 3);

    if (n < 0)
        return CTL_USAGE;
    if (strcmp(rest[0], "give") == 0 || strcmp(rest[0], "take") == 0)
        return edit(c, n, rest, why);
    device = strcmp(rest[0], "device") == 0;
    if (!device && strcmp(rest[0], "item") != 0)
        return ctl_wrong("wanted: there is no \"%s\"", rest[0]);
    if (n != 2 || why != NULL)
        return ctl_wrong("wanted %s: takes one name, and no --why", rest[0]);
    if (word != NULL && (device || wanted_state_read(word) == 0))
        return ctl_wrong("wanted %s: --state goes with item, and is pending, queued, installing, "
                         "installed, failed, not-applicable or removed",
                         rest[0]);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (!device && !ctl_item(c, db, rest[1], CTL_ITEM_ANY, &i))
        return CTL_FAILED;
    return show(c, db, device ? rest[1] : NULL, i.id, wanted_state_read(word), json);
}
