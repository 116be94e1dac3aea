/* catalogue.c: droverctl catalogue. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/limits.h"
#include "command/catalogue.h"

int ctl_catalogue(struct ctl *c, int argc, char **argv)
{
    const char *rest[2] = {NULL, NULL};
    struct buf text = BUF_INIT(LIM_RESPONSE);
    struct err err;
    cat row = NULL;
    js v;

    (void)c;
    if (ctl_args(argc, argv, NULL, 0, rest, 0, 2) < 0)
        return CTL_USAGE;
    if (rest[0] != NULL && (row = catalogue_find(rest[0])) == NULL) {
        err_set(&err, NOT_FOUND, "there is no request type \"%.64s\"", rest[0]);
        return ctl_failed(&err);
    }
    if (rest[1] != NULL && (row = catalogue_path(row, rest[1])) == NULL) {
        err_set(&err, NOT_FOUND, "%s has no key \"%.128s\"", rest[0], rest[1]);
        return ctl_failed(&err);
    }
    v = row != NULL ? catalogue_json(row) : catalogue_json_all();
    if (js_write(v, true, &text) == OK)
        puts(buf_cstr(&text));
    else
        err_set(&err, ERROR, "out of memory");
    js_free(&v);
    if (buf_failed(&text)) {
        buf_free(&text);
        return ctl_failed(&err);
    }
    buf_free(&text);
    return CTL_OK;
}
