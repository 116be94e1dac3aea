/* plist_json.c: see plist_json.h. */
#include "command/plist_json.h"

#include "base/clock.h"
#include "base/limits.h"
#include "wire/encode.h"

#include <stdlib.h>

static js data_json(struct bytes b)
{
    struct buf text = BUF_INIT(2 * PLIST_JSON_DATA_MAX);
    js v;

    if (b.n > PLIST_JSON_DATA_MAX) {
        char hex[SHA256_HEX_LEN + 1];

        sha256_hex(b, hex);
        v = js_object();
        js_set_int(v, "octets", (int64_t)b.n);
        js_set_str(v, "sha256", hex);
        return v;
    }
    base64_add(&text, b);
    v = js_new_str(buf_cstr(&text));
    buf_free(&text);
    return v;
}

struct entries {
    struct arena *a;
    const char **key; /* copies: a key that pl_each() shows lives as long as that call */
    size_t n, max;
};

static bool gather(const char *key, pl value, void *arg)
{
    struct entries *e = arg;

    (void)value;
    if (e->n < e->max && (e->key[e->n] = arena_strdup(e->a, key)) != NULL)
        e->n++;
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static js dict_json(pl dict, struct arena *a)
{
    struct entries e = {.a = a, .max = pl_size(dict)};
    js o = js_object();

    e.key = arena_array(a, e.max + 1, sizeof *e.key);
    if (e.key == NULL)
        return o;
    pl_each(dict, gather, &e);
    qsort(e.key, e.n, sizeof *e.key, by_text);
    for (size_t i = 0; i < e.n; i++)
        js_set(o, e.key[i], plist_json(pl_get(dict, e.key[i]), a));
    return o;
}

static js array_json(pl array, struct arena *a)
{
    js list = js_array();

    for (size_t i = 0; i < pl_size(array); i++)
        js_append(list, plist_json(pl_at(array, i), a));
    return list;
}

static js date_json(pl node)
{
    char text[CLOCK_TEXT_MAX];
    int64_t t;

    return pl_date(node, &t) ? js_new_str(clock_rfc3339(t, false, text)) : js_null();
}

js plist_json(pl node, struct arena *a)
{
    struct bytes b;
    int64_t i;
    double d;
    bool yes;

    switch (pl_type_of(node)) {
    case PL_DICT:
        return dict_json(node, a);
    case PL_ARRAY:
        return array_json(node, a);
    case PL_STRING:
        return js_new_str(pl_str(node));
    case PL_BOOL:
        return pl_bool(node, &yes) ? js_new_bool(yes) : js_null();
    case PL_INT:
        return pl_int(node, &i) ? js_new_int(i) : js_null();
    case PL_REAL:
        return pl_real(node, &d) ? js_new_real(d) : js_null();
    case PL_DATA:
        return pl_data(node, &b) ? data_json(b) : js_null();
    case PL_DATE:
        return date_json(node);
    default:
        return js_null();
    }
}

const char *plist_json_text(pl node, size_t max, struct arena *a)
{
    struct buf b = BUF_INIT(max);
    js v = plist_json(node, a);
    const char *text = js_write(v, false, &b) == OK ? arena_strdup(a, buf_cstr(&b)) : NULL;

    js_free(&v);
    buf_free(&b);
    return text;
}
