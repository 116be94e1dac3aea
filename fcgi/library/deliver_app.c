/* deliver_app.c: see deliver_app.h. */
#include "library/deliver_app.h"

#include "base/limits.h"
#include "library/variables.h"
#include "store/enrollment.h"
#include "store/queue_state.h"
#include "store/redemption.h"
#include "wire/plist.h"
#include "wire/sign.h"

#include <stdio.h>

struct delivery {
    struct db *db;
    const struct conf *conf;
    const char *ident;
    struct arena *a;
    pl command;
};

static enum outcome code_fill(struct delivery *d, int64_t id, struct err *err)
{
    struct buf code = BUF_INIT(LIM_SECRET);
    struct bytes sealed;
    char owner[24];
    enum outcome o = redemption_sealed(d->db, id, d->ident, d->a, &sealed, err);

    snprintf(owner, sizeof owner, "%lld", (long long)id);
    if (o == OK)
        o = sign_unseal("RedemptionCode", owner, sealed, bytes_of(NULL, 0), "", &code, err);
    if (o == OK)
        pl_set_str(d->command, "RedemptionCode", buf_cstr(&code));
    buf_wipe(&code);
    return o;
}

/* Fills in what dict holds under key. */
static enum outcome value_fill(pl dict, const char *key, const struct variables *v, struct err *err)
{
    pl filled = NULL, value = pl_get(dict, key);
    enum outcome o = value != NULL ? variables_fill(value, v, LIM_MB, &filled, err) : OK;

    if (value == NULL || o != OK)
        return o;
    pl_remove(dict, key);
    pl_set(dict, key, filled);
    return OK;
}

static enum outcome values_fill(struct delivery *d, struct err *err)
{
    pl settings = pl_get(d->command, "Settings");
    struct enrollment device;
    struct variables v;
    enum outcome o = enrollment_get_whole(d->db, d->ident, d->a, &device, err);

    if (o != OK)
        return o;
    variables_of(&device, d->conf->organization, &v);
    o = value_fill(d->command, "Configuration", &v, err);
    if (o == OK)
        o = value_fill(d->command, "Attributes", &v, err);
    for (size_t i = 0; o == OK && i < pl_size(settings); i++) {
        o = value_fill(pl_at(settings, i), "Configuration", &v, err);
        if (o == OK)
            o = value_fill(pl_at(settings, i), "Attributes", &v, err);
    }
    return o;
}

enum outcome library_deliver_app(struct db *db, const struct conf *conf, const char *ident,
                                 int fill, int64_t fill_from, struct bytes body, struct buf *out,
                                 struct err *err)
{
    struct delivery d = {.db = db, .conf = conf, .ident = ident, .a = arena_new(4 * LIM_MB)};
    pl root = NULL;
    enum outcome o =
        d.a != NULL ? pl_parse(body, &root, err) : err_set(err, ERROR, "out of memory");

    d.command = pl_get(root, "Command");
    if (o == OK && pl_type_of(d.command) != PL_DICT)
        o = err_set(err, ERROR, "the stored command has no Command dictionary");
    if (o == OK && fill & COMMAND_FILL_CODE)
        o = code_fill(&d, fill_from, err);
    if (o == OK && fill & COMMAND_FILL_VALUES)
        o = values_fill(&d, err);
    if (o == OK && pl_to_xml(root, out) != OK)
        o = err_set(err, INVALID, "the command is too long with this device's values");
    pl_free(&root);
    if (d.a != NULL)
        arena_wipe(d.a);
    arena_free(&d.a);
    return o;
}
