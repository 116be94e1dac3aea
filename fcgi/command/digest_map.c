/* digest_map.c: from a dictionary of an answer to a row of the inventory. */
#include "command/digest_int.h"

#include "base/utf8.h"
#include "command/plist_json.h"

#include <stdio.h>

#define CHAIN_MAX 16 /* entries of an ErrorChain that are kept */

enum outcome digest_no_memory(struct digesting *d)
{
    return err_set(d->err, ERROR, "out of memory");
}

const char *digest_key(struct digesting *d, const char *s, size_t max)
{
    size_t n;

    if (s == NULL)
        return NULL;
    n = utf8_prefix(s, max);
    while (n > 0 && s[n - 1] == ' ') /* the database does not tell them apart */
        n--;
    return arena_strndup(d->a, s, n);
}

/* The dictionary that "A.B" is in, and B. */
static pl home(pl dict, const char *path, const char **key)
{
    const char *dot = strchr(path, '.');
    char above[64];

    *key = path;
    if (dot == NULL || (size_t)(dot - path) >= sizeof above)
        return dict;
    memcpy(above, path, (size_t)(dot - path));
    above[dot - path] = '\0';
    *key = dot + 1;
    return pl_get(dict, above);
}

static struct val real_text(struct digesting *d, pl node)
{
    const char *text;
    int64_t i;
    double x;

    if (pl_int(node, &i))
        return val_str(arena_fmt(d->a, "%lld", (long long)i));
    if (!pl_real(node, &x))
        return val_null();
    text = arena_fmt(d->a, "%.15g", x);
    return val_str(text);
}

static struct val text_value(struct digesting *d, const struct inv_column *c, pl node)
{
    int64_t i;

    if (pl_type_of(node) == PL_STRING)
        return val_str(digest_key(d, pl_str(node), c->max));
    if (pl_int(node, &i))
        return val_str(arena_fmt(d->a, "%lld", (long long)i));
    return val_null();
}

struct val digest_value(struct digesting *d, const struct inv_column *c, pl dict)
{
    const char *key;
    pl node = home(dict, c->key, &key);
    int64_t i;
    bool yes;

    node = pl_get(node, key);
    switch (c->type) {
    case INV_TEXT:
        return text_value(d, c, node);
    case INV_INT:
        return pl_int(node, &i) ? val_int(i) : val_null();
    case INV_BOOL:
        if (pl_bool(node, &yes))
            return val_int(yes);
        return pl_int(node, &i) && (i == 0 || i == 1) ? val_int(i) : val_null();
    case INV_REAL:
        return real_text(d, node);
    case INV_DATE:
        return pl_date(node, &i) ? val_int(i) : val_null();
    default:
        return val_null();
    }
}

void digest_take_out(const struct inv_column *c, pl dict)
{
    const char *key;
    pl in = home(dict, c->key, &key);

    pl_remove(in, key);
    if (in != dict && pl_size(in) == 0) {
        char above[64];

        snprintf(above, sizeof above, "%.*s", (int)(strchr(c->key, '.') - c->key), c->key);
        pl_remove(dict, above);
    }
}

unsigned digest_column(const struct inv_table *t, const char *name)
{
    unsigned i = 0;

    while (i < t->n && strcmp(t->cols[i].name, name) != 0)
        i++;
    return i;
}

enum outcome digest_row(struct digesting *d, const struct inv_table *t, pl dict, struct val *row)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct inv_column *c = &t->cols[i];

        if (c->key[0] == '\0')
            continue;
        row[i] = digest_value(d, c, dict);
        if (!val_is_null(&row[i]))
            digest_take_out(c, dict);
    }
    if (t->cols[t->n - 1].type != INV_EXTRA)
        return OK;
    unsigned max = t->cols[t->n - 1].max;

    row[t->n - 1] = val_null();
    if (pl_size(dict) == 0)
        return OK;
    row[t->n - 1] = val_str(plist_json_text(dict, max != 0 ? max : DIGEST_EXTRA_MAX, d->a));
    if (val_is_null(&row[t->n - 1]) && max == 0)
        return err_set(d->err, INVALID, "an entry has more than %u octets beside what is known",
                       DIGEST_EXTRA_MAX);
    return OK;
}

bool digest_asked(const struct digesting *d, const char *key, const char *text)
{
    pl list = pl_get(d->command, key);

    if (pl_type_of(list) != PL_ARRAY)
        return true;
    for (size_t i = 0; text != NULL && i < pl_size(list); i++) {
        const char *s = pl_str(pl_at(list, i));

        if (s != NULL && strcmp(s, text) == 0)
            return true;
    }
    return false;
}

bool digest_flag(const struct digesting *d, const char *key)
{
    bool yes = false;

    return pl_get_bool(d->command, key, &yes) && yes;
}

enum outcome digest_errors(struct digesting *d, pl dict, int item)
{
    pl chain = pl_get(dict, "ErrorChain");
    struct result_error e[CHAIN_MAX];
    size_t n = 0;

    for (size_t i = 0; i < pl_size(chain) && n < CHAIN_MAX; i++) {
        pl one = pl_at(chain, i);
        const char *domain = pl_get_str(one, "ErrorDomain");
        const char *localized = pl_get_str(one, "LocalizedDescription");
        const char *english = pl_get_str(one, "USEnglishDescription");
        int64_t code = 0;

        pl_get_int(one, "ErrorCode", &code);
        e[n] = (struct result_error){.item = item,
                                     .position = (int)n,
                                     .domain = domain != NULL ? domain : "",
                                     .code = code,
                                     .localized = localized != NULL ? localized : "",
                                     .english = english != NULL ? english : ""};
        n++;
    }
    return result_errors_write(d->db, &d->src, e, n, d->a, d->err);
}
