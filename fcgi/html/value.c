/* value.c: see value.h. Members and elements are chained; dictionaries are small. */
#include "html/value.h"

struct value {
    enum value_type type;
    bool broken;
    struct arena *a;
    const char *text;
    const char *key;             /* as a member */
    struct value *next;          /* as a member or element */
    struct value *first, **last; /* of a container; members stand latest first */
    value_lookup_fn *find;
    const void *arg;
};

static struct value *make(struct arena *a, enum value_type type)
{
    struct value *v = arena_alloc(a, sizeof *v);
    if (v) {
        v->type = type;
        v->a = a;
        v->last = &v->first;
    }
    return v;
}

struct value *value_dict(struct arena *a)
{
    return make(a, VALUE_DICT);
}

struct value *value_list(struct arena *a)
{
    return make(a, VALUE_LIST);
}

struct value *value_text(struct arena *a, const char *s)
{
    struct value *v = make(a, s ? VALUE_TEXT : VALUE_FALSE);
    if (v)
        v->text = s;
    return v;
}

struct value *value_bool(struct arena *a, bool b)
{
    return make(a, b ? VALUE_TRUE : VALUE_FALSE);
}

struct value *value_lookup(struct arena *a, value_lookup_fn *fn, const void *arg)
{
    struct value *v = make(a, VALUE_LOOKUP);
    if (v) {
        v->find = fn;
        v->arg = arg;
    }
    return v;
}

void value_set(struct value *dict, const char *key, struct value *v)
{
    if (!dict)
        return;
    if (!v) {
        dict->broken = true;
        return;
    }
    v->key = key;
    v->next = dict->first;
    dict->first = v;
}

void value_set_text(struct value *dict, const char *key, const char *s)
{
    if (dict)
        value_set(dict, key, value_text(dict->a, s));
}

void value_set_int(struct value *dict, const char *key, int64_t i)
{
    if (!dict)
        return;
    const char *s = arena_fmt(dict->a, "%lld", (long long)i);
    value_set(dict, key, s ? value_text(dict->a, s) : NULL);
}

void value_set_bool(struct value *dict, const char *key, bool b)
{
    if (dict)
        value_set(dict, key, value_bool(dict->a, b));
}

struct value *value_set_dict(struct value *dict, const char *key)
{
    struct value *v = dict ? value_dict(dict->a) : NULL;
    value_set(dict, key, v);
    return v;
}

struct value *value_set_list(struct value *dict, const char *key)
{
    struct value *v = dict ? value_list(dict->a) : NULL;
    value_set(dict, key, v);
    return v;
}

void value_append(struct value *list, struct value *v)
{
    if (!list)
        return;
    if (!v) {
        list->broken = true;
        return;
    }
    *list->last = v;
    list->last = &v->next;
}

struct value *value_append_dict(struct value *list)
{
    struct value *v = list ? value_dict(list->a) : NULL;
    value_append(list, v);
    return v;
}

enum value_type value_type_of(const struct value *v, bool *broken)
{
    if (!v)
        return VALUE_FALSE;
    if (v->broken)
        *broken = true;
    return v->type;
}

const struct value *value_get(const struct value *v, const char *key, struct value **room)
{
    if (!v)
        return NULL;
    if (v->type == VALUE_LOOKUP) {
        (*room)->text = v->find(v->arg, key);
        return (*room)->text ? *room : NULL;
    }
    if (v->type != VALUE_DICT)
        return NULL;
    const struct value *m = v->first;
    while (m && strcmp(m->key, key) != 0)
        m = m->next;
    return m;
}

const char *value_str(const struct value *v)
{
    return v && v->type == VALUE_TEXT ? v->text : "";
}

const struct value *value_first(const struct value *list)
{
    return list->first;
}

const struct value *value_next(const struct value *element)
{
    return element->next;
}

struct value *value_room(struct arena *a)
{
    return make(a, VALUE_TEXT);
}
