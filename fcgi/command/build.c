/* build.c: see build.h. */
#include "command/build.h"

#include "base/clock.h"
#include "command/validate_int.h"
#include "wire/encode.h"

static pl convert(struct check *c, cat node, js value);

static bool is_type(cat node, enum catalogue_type type)
{
    return node != NULL && catalogue_type(node) == type;
}

static pl data_of(struct check *c, const char *text)
{
    struct bytes b;

    if (text == NULL)
        check_error(c, "needs data as a string in base64");
    else if (base64_decode(c->arena, bytes_str(text), &b) != OK)
        check_error(c, "is no base64");
    else
        return pl_new_data(b);
    return NULL;
}

static pl date_of(struct check *c, const char *text)
{
    int64_t t;

    if (text == NULL || !clock_parse_rfc3339(text, &t)) {
        check_error(c, "is no time like 2026-11-22T08:15:30Z");
        return NULL;
    }
    return pl_new_date(t);
}

/* {"$data": ...} and {"$date": ...}. */
static bool special(struct check *c, js value, pl *out)
{
    if (js_type_of(value) != JS_OBJECT || js_size(value) != 1)
        return false;
    if (js_get(value, "$data") != NULL)
        *out = data_of(c, js_get_str(value, "$data"));
    else if (js_get(value, "$date") != NULL)
        *out = date_of(c, js_get_str(value, "$date"));
    else
        return false;
    return true;
}

struct walk {
    struct check *c;
    cat node; /* of the dictionary; NULL: not in the catalogue */
    pl dict;
};

static bool entry(const char *key, js value, void *arg)
{
    struct walk *w = arg;
    size_t was = check_key(w->c, key);
    cat below = w->node != NULL ? catalogue_key(w->node, CATALOGUE_KEY, key) : NULL;
    pl v = convert(w->c, below, value);

    check_up(w->c, was);
    if (v != NULL)
        pl_set(w->dict, key, v);
    return true;
}

static pl dict_of(struct check *c, cat node, js object)
{
    struct walk w = {c, node, pl_new_dict()};

    js_each(object, entry, &w);
    return w.dict;
}

static pl array_of(struct check *c, cat node, js array)
{
    pl list = pl_new_array();

    for (size_t i = 0; i < js_size(array); i++) {
        js value = js_at(array, i);
        size_t was = check_index(c, i);
        cat item =
            is_type(node, CATALOGUE_ARRAY) ? catalogue_item(node, js_get_str(value, "Item")) : NULL;
        pl v = convert(c, item, value);

        check_up(c, was);
        if (v != NULL)
            pl_append(list, v);
    }
    return list;
}

static pl string_of(struct check *c, cat node, const char *s)
{
    if (is_type(node, CATALOGUE_DATA))
        return data_of(c, s);
    if (is_type(node, CATALOGUE_DATE))
        return date_of(c, s);
    return pl_new_str(s);
}

/* NULL: it has no form in a property list, which was told. */
static pl convert(struct check *c, cat node, js value)
{
    int64_t i;
    double d;
    bool b;
    pl out;

    if (special(c, value, &out))
        return out;
    switch (js_type_of(value)) {
    case JS_BOOL:
        return js_bool(value, &b) ? pl_new_bool(b) : NULL;
    case JS_INT:
        if (!js_int(value, &i))
            return NULL;
        return is_type(node, CATALOGUE_REAL) ? pl_new_real((double)i) : pl_new_int(i);
    case JS_REAL:
        return js_real(value, &d) ? pl_new_real(d) : NULL;
    case JS_STRING:
        return string_of(c, node, js_str(value));
    case JS_ARRAY:
        return array_of(c, node, value);
    case JS_OBJECT:
        return dict_of(c, is_type(node, CATALOGUE_DICTIONARY) ? node : NULL, value);
    case JS_NULL:
    case JS_NONE:
        break;
    }
    check_error(c, "null has no form in a property list; leave the key out");
    return NULL;
}

enum outcome command_build(struct arena *a, const char *request_type, js keys, pl *root,
                           char uuid[UUID_LEN + 1], struct findings *out, struct err *err)
{
    static const struct device_facts nothing = DEVICE_FACTS_UNKNOWN;
    struct check c = {.arena = a, .facts = &nothing, .out = out};
    pl command;

    *out = (struct findings){0};
    *root = NULL;
    uuid_v4(uuid);
    if (keys != NULL && js_type_of(keys) != JS_OBJECT)
        check_error(&c, "the keys must be a JSON object");
    else if (js_get(keys, "RequestType") != NULL)
        check_error(&c, "RequestType is told by the command's name, not among its keys");
    if (out->errors == 0) {
        command = dict_of(&c, catalogue_find(request_type), keys);
        pl_set_str(command, "RequestType", request_type);
        *root = pl_new_dict();
        pl_set(*root, "Command", command);
        pl_set_str(*root, "CommandUUID", uuid);
    }
    if (out->errors == 0 && !c.failed)
        return OK;
    pl_free(root);
    if (c.failed)
        return err_set(err, ERROR, "out of memory");
    return err_set(err, INVALID, "%s%s%s", out->list[0].path, *out->list[0].path ? ": " : "",
                   out->list[0].text);
}
