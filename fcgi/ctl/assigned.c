/* assigned.c: droverctl assigned: the devices that are assigned to this server. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/limits.h"
#include "store/assigned.h"

#define FILE_MAX (4u * LIM_MB)

/* The words of a text. */
static const char **words_of(struct ctl *c, struct bytes text, size_t *n)
{
    char *s = arena_strndup(c->arena, (const char *)text.p, text.n);
    const char **word = s ? arena_array(c->arena, text.n / 2 + 1, sizeof *word) : NULL;
    *n = 0;
    for (char *p = s; word && *(p += strspn(p, " ,;\t\r\n"));) {
        size_t len = strcspn(p, " ,;\t\r\n");
        word[(*n)++] = p;
        p += len;
        if (*p)
            *p++ = '\0';
    }
    return word;
}

static int assigned_put(struct ctl *c, struct db *db, const char *const *serial, size_t n,
                        const char *file, const char *note)
{
    struct err err;
    struct bytes text;
    uint64_t added;
    enum outcome o = OK;
    if (file)
        o = ctl_file(c, file, FILE_MAX, &text, &err);
    if (o == OK && file && !(serial = words_of(c, text, &n)))
        o = err_set(&err, ERROR, "out of memory");
    if (o == OK)
        o = assigned_add(db, serial, n, note, ASSIGNED_MANUAL, c->actor, &added, &err);
    if (o != OK)
        return ctl_failed(&err);
    printf("%llu devices assigned, %llu were already\n", (unsigned long long)added,
           (unsigned long long)(n - added));
    return CTL_OK;
}

static int assigned_show(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"serial_number", CTL_TEXT},
                                             {"note", CTL_TEXT},
                                             {"source", CTL_TEXT},
                                             {"added_at", CTL_TIME},
                                             {"added_by", CTL_TEXT}};
    struct buf cells = BUF_INIT(256u * LIM_MB);
    struct assigned_device *d;
    struct err err;
    size_t n = LIM_PAGE, all = 0;
    const char *after = "";
    while (n == LIM_PAGE) {
        if (assigned_list(db, after, LIM_PAGE, c->arena, &d, &n, &err) != OK) {
            buf_free(&cells);
            return ctl_failed(&err);
        }
        for (size_t i = 0; i < n; i++, all++) {
            struct val row[] = {val_str(d[i].serial), ctl_text(d[i].note), val_str(d[i].source),
                                val_int(d[i].added_at), val_str(d[i].added_by)};
            buf_add(&cells, row, sizeof row);
        }
        after = n ? d[n - 1].serial : "";
    }
    int status = buf_failed(&cells)
                     ? CTL_FAILED
                     : ctl_list(c, json, cols, 5, (const struct val *)(void *)cells.data, all);
    buf_free(&cells);
    return status;
}

int ctl_assigned(struct ctl *c, int argc, char **argv)
{
    const char *rest[65], *file = NULL, *note = NULL;
    bool json = false;
    const struct ctl_option options[] = {{.name = "file", .value = &file},
                                         {.name = "note", .value = &note},
                                         {.name = "json", .flag = &json}};
    struct db *db;
    struct err err;
    int n = ctl_args(argc, argv, options, 3, rest, 1, 65);
    if (n < 0)
        return CTL_USAGE;
    const char *verb = rest[0];
    bool list = strcmp(verb, "list") == 0, add = strcmp(verb, "add") == 0;
    if (!list && !add && strcmp(verb, "remove") != 0)
        return ctl_wrong("assigned: there is no \"%s\"", verb);
    if (list ? n > 1 || file : add ? (n > 1) == (file != NULL) : n != 2 || file)
        return ctl_wrong("assigned %s: %s", verb,
                         list  ? "takes no serial number"
                         : add ? "serial numbers, or --file, are missing"
                               : "takes one serial number");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (list)
        return assigned_show(c, db, json);
    if (add)
        return assigned_put(c, db, rest + 1, (size_t)n - 1, file, note ? note : "");
    return assigned_remove(db, rest[1], c->actor, &err) == OK ? CTL_OK : ctl_failed(&err);
}
