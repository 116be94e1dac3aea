/* secrets.c: see secrets.h. */
#include "command/secrets.h"

struct walk {
    secret_fn *fn;
    void *arg;
    struct arena *a;
    size_t found;
};

struct keys {
    struct arena *a;
    const char **key; /* copies: a key that pl_each() shows lives as long as that call */
    size_t n, max;
};

static bool gather(const char *key, pl value, void *arg)
{
    struct keys *k = arg;

    (void)value;
    if (k->n < k->max && (k->key[k->n] = arena_strdup(k->a, key)) != NULL)
        k->n++;
    return true;
}

static void walk_value(struct walk *w, pl value, cat row, const char *key);

static void walk_dict(struct walk *w, pl dict, cat row, enum catalogue_kind kind,
                      const char *parent)
{
    struct keys k = {.a = w->a, .max = pl_size(dict)};

    k.key = arena_array(w->a, k.max + 1, sizeof *k.key);
    if (k.key == NULL)
        return;
    pl_each(dict, gather, &k);
    for (size_t i = 0; i < k.n; i++) {
        cat below = catalogue_key(row, kind, k.key[i]);
        pl instead;

        if (below == NULL)
            continue;
        if (!catalogue_is(below, CATALOGUE_SECRET)) {
            walk_value(w, pl_get(dict, k.key[i]), below, k.key[i]);
            continue;
        }
        w->found++;
        instead = w->fn(k.key[i], parent, pl_get(dict, k.key[i]), w->arg);
        pl_remove(dict, k.key[i]);
        if (instead != NULL)
            pl_set(dict, k.key[i], instead);
    }
}

static void walk_value(struct walk *w, pl value, cat row, const char *key)
{
    if (pl_type_of(value) == PL_DICT)
        walk_dict(w, value, row, CATALOGUE_KEY, key);
    else if (pl_type_of(value) == PL_ARRAY)
        for (size_t i = 0; i < pl_size(value); i++) {
            pl item = pl_at(value, i);
            cat shape = catalogue_item(row, pl_get_str(item, "Item"));

            if (shape != NULL)
                walk_value(w, item, shape, key);
        }
}

size_t secrets_replace(pl dict, cat command, enum catalogue_kind kind, secret_fn *fn, void *arg,
                       struct arena *a)
{
    struct walk w = {fn, arg, a, 0};

    if (command != NULL && pl_type_of(dict) == PL_DICT)
        walk_dict(&w, dict, command, kind, "");
    return w.found;
}
