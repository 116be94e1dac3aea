/* plist_json.c: see plist_json.h. */
#include "command/plist_json.h"

#include "base/clock.h"
#include "base/limits.h"
#include "wire/encode.h"

#include <stdlib.h>

/* How it is written: for people and the inventory, or to be made a property list again. */
enum form { FORM_ANSWER, FORM_KEYS };
static js node_json(pl node, enum form form, struct arena *a);

static js base64_json(struct bytes b, size_t max)
{
    struct buf text = BUF_INIT(2 * max);
    js v;

    base64_add(&text, b);
    v = js_new_str(buf_cstr(&text));
    buf_free(&text);
    return v;
}

static js marked(const char *mark, js value)
{
    js v = js_object();

    js_set(v, mark, value);
    return v;
}

static js data_json(struct bytes b, enum form form)
{
    char hex[SHA256_HEX_LEN + 1];
    js v;

    if (form == FORM_KEYS)
        return marked("$data", base64_json(b, LIM_BODY_API));
    if (b.n <= PLIST_JSON_DATA_MAX)
        return base64_json(b, PLIST_JSON_DATA_MAX);
    sha256_hex(b, hex);
    v = js_object();
    js_set_int(v, "octets", (int64_t)b.n);
    js_set_str(v, "sha256", hex);
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

static js dict_json(pl dict, enum form form, struct arena *a)
{
    struct entries e = {.a = a, .max = pl_size(dict)};
    js o = js_object();

    e.key = arena_array(a, e.max + 1, sizeof *e.key);
    if (e.key == NULL)
        return o;
    pl_each(dict, gather, &e);
    qsort(e.key, e.n, sizeof *e.key, by_text);
    for (size_t i = 0; i < e.n; i++)
        js_set(o, e.key[i], node_json(pl_get(dict, e.key[i]), form, a));
    return o;
}

static js array_json(pl array, enum form form, struct arena *a)
{
    js list = js_array();

    for (size_t i = 0; i < pl_size(array); i++)
        js_append(list, node_json(pl_at(array, i), form, a));
    return list;
}

static js date_json(pl node, enum form form)
{
    char text[CLOCK_TEXT_MAX];
    int64_t t;

    if (!pl_date(node, &t))
        return js_null();
    js v = js_new_str(clock_rfc3339(t, false, text));
    return form == FORM_KEYS ? marked("$date", v) : v;
}

static js node_json(pl node, enum form form, struct arena *a)
{
    struct bytes b;
    int64_t i;
    double d;
    bool yes;

    switch (pl_type_of(node)) {
    case PL_DICT:
        return dict_json(node, form, a);
    case PL_ARRAY:
        return array_json(node, form, a);
    case PL_STRING:
        return js_new_str(pl_str(node));
    case PL_BOOL:
        return pl_bool(node, &yes) ? js_new_bool(yes) : js_null();
    case PL_INT:
        return pl_int(node, &i) ? js_new_int(i) : js_null();
    case PL_REAL:
        return pl_real(node, &d) ? js_new_real(d) : js_null();
    case PL_DATA:
        return pl_data(node, &b) ? data_json(b, form) : js_null();
    case PL_DATE:
        return date_json(node, form);
    default:
        return js_null();
    }
}

js plist_json(pl node, struct arena *a)
{
    return node_json(node, FORM_ANSWER, a);
}

js plist_json_keys(pl node, struct arena *a)
{
    return node_json(node, FORM_KEYS, a);
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
