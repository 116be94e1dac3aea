/* validate.c: see validate.h. Walks the command along the catalogue. */
#include "command/validate_int.h"

#include <stdio.h>
#include <stdlib.h>

static void value_check(struct check *c, cat node, pl value);

/* ---- scalars ---- */

static bool type_fits(enum catalogue_type want, enum pl_type is)
{
    switch (want) {
    case CATALOGUE_DICTIONARY:
        return is == PL_DICT;
    case CATALOGUE_ARRAY:
        return is == PL_ARRAY;
    case CATALOGUE_STRING:
        return is == PL_STRING;
    case CATALOGUE_INTEGER:
        return is == PL_INT;
    case CATALOGUE_REAL:
        return is == PL_REAL || is == PL_INT;
    case CATALOGUE_BOOLEAN:
        return is == PL_BOOL;
    case CATALOGUE_DATE:
        return is == PL_DATE;
    case CATALOGUE_DATA:
        return is == PL_DATA;
    case CATALOGUE_ANY:
        break;
    }
    return is != PL_NONE && is != PL_OTHER;
}

static bool same(cat node, const char *text, pl value)
{
    int64_t i;

    if (catalogue_type(node) == CATALOGUE_INTEGER)
        return pl_int(value, &i) && i == strtoll(text, NULL, 10);
    return pl_str(value) != NULL && strcmp(pl_str(value), text) == 0;
}

static void one_of_check(struct check *c, cat node, pl value)
{
    char list[400] = "";
    size_t n = catalogue_values(node), at = 0;

    for (size_t i = 0; i < n; i++)
        if (same(node, catalogue_value_at(node, i), value))
            return;
    for (size_t i = 0; i < n && at < sizeof list; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "",
                               catalogue_value_at(node, i));
    if (n == 1)
        check_error(c, "must be %s", list);
    else if (n != 0)
        check_error(c, "must be one of %s", list);
}

static void range_check(struct check *c, cat node, pl value)
{
    double low, high, v;
    int64_t i;

    if (!catalogue_range(node, &low, &high))
        return;
    if (pl_int(value, &i))
        v = (double)i;
    else if (!pl_real(value, &v))
        return;
    if (v < low || v > high)
        check_error(c, "is %g; it must be from %g to %g", v, low, high);
}

/* A string of which the catalogue knows the values one by one, each with its own platforms. A
 * device leaves out what it does not have, so that is a warning. */
static void listed_check(struct check *c, cat node, pl value)
{
    cat first = catalogue_first(node), v;
    size_t was;

    if (first == NULL || catalogue_kind(first) != CATALOGUE_VALUE || pl_str(value) == NULL)
        return;
    v = catalogue_value(node, pl_str(value));
    if (v == NULL) {
        check_error(c, "\"%.64s\" is no value that the catalogue knows", pl_str(value));
        return;
    }
    was = check_key(c, pl_str(value));
    if (catalogue_is(v, CATALOGUE_LEGACY))
        check_warn(c, "is of the protocol as it was in 2014");
    support_check(c, v, true);
    check_up(c, was);
}

/* ---- containers ---- */

struct walk {
    struct check *c;
    cat node;
};

static void stranger(struct check *c, cat node, const char *key)
{
    for (cat n = catalogue_first(node); n != NULL; n = catalogue_next(n))
        if (catalogue_kind(n) == CATALOGUE_KEY && strcasecmp(catalogue_name(n), key) == 0) {
            check_error(c, "unknown key; it is spelt \"%s\"", catalogue_name(n));
            return;
        }
    check_error(c, "unknown key");
}

static bool entry_check(const char *key, pl value, void *arg)
{
    struct walk *w = arg;
    cat below = catalogue_key(w->node, CATALOGUE_KEY, key);
    size_t was;

    if (catalogue_kind(w->node) == CATALOGUE_COMMAND && strcmp(key, "RequestType") == 0)
        return true;
    was = check_key(w->c, key);
    if (below == NULL)
        stranger(w->c, w->node, key);
    else
        value_check(w->c, below, value);
    check_up(w->c, was);
    return !w->c->failed;
}

static bool filled(cat node)
{
    const char *args;

    for (size_t i = 0; i < catalogue_rules_n(node); i++)
        if (catalogue_rule(node, i, &args) == RULE_FILLED)
            return true;
    return false;
}

static void rules_check(struct check *c, cat node, pl value)
{
    for (size_t i = 0; i < catalogue_rules_n(node); i++) {
        const char *args;
        enum rule r = catalogue_rule(node, i, &args);

        rule_check(c, r, args, value);
    }
}

static void dict_check(struct check *c, cat node, pl dict)
{
    struct walk w = {c, node};

    pl_each(dict, entry_check, &w);
    for (cat n = catalogue_first(node); n != NULL; n = catalogue_next(n)) {
        size_t was;

        if (catalogue_kind(n) != CATALOGUE_KEY || !catalogue_is(n, CATALOGUE_REQUIRED) ||
            catalogue_is(n, CATALOGUE_ANY_NAME) || pl_get(dict, catalogue_name(n)) != NULL ||
            filled(n) || !support_exists(c, n))
            continue;
        was = check_key(c, catalogue_name(n));
        check_error(c, "is missing");
        check_up(c, was);
    }
}

static void array_check(struct check *c, cat node, pl array)
{
    for (size_t i = 0; i < pl_size(array) && !c->failed; i++) {
        pl value = pl_at(array, i);
        const char *shape = pl_get_str(value, "Item");
        cat item = catalogue_item(node, shape);
        size_t was = check_index(c, i);

        if (item != NULL)
            value_check(c, item, value);
        else if (pl_type_of(value) != PL_DICT)
            check_error(c, "is of type %s; it must be a dictionary",
                        pl_type_name(pl_type_of(value)));
        else if (shape == NULL)
            check_error(c, "needs a string Item that says what it is");
        else
            check_error(c, "there is no Item \"%.64s\"", shape);
        check_up(c, was);
    }
}

static void value_check(struct check *c, cat node, pl value)
{
    enum catalogue_type type = catalogue_type(node);
    bool was = c->hopeless;

    if (catalogue_is(node, CATALOGUE_LEGACY))
        check_warn(c, "is of the protocol as it was in 2014");
    if (!support_check(c, node, false))
        c->hopeless = true;
    if (!type_fits(type, pl_type_of(value))) {
        check_error(c, "is of type %s; it must be of type %s", pl_type_name(pl_type_of(value)),
                    catalogue_type_name(type));
        goto out;
    }
    one_of_check(c, node, value);
    range_check(c, node, value);
    listed_check(c, node, value);
    if (type == CATALOGUE_DICTIONARY)
        dict_check(c, node, value);
    else if (type == CATALOGUE_ARRAY)
        array_check(c, node, value);
    rules_check(c, node, value);
out:
    c->hopeless = was;
}

/* ---- the command as a whole ---- */

static bool outside_check(const char *key, pl value, void *arg)
{
    struct check *c = arg;
    size_t was;

    (void)value;
    if (strcmp(key, "CommandUUID") != 0 && strcmp(key, "Command") != 0) {
        was = check_key(c, key);
        check_warn(c, "stands beside Command and is nothing that devices know");
        check_up(c, was);
    }
    return !c->failed;
}

static void root_check(struct check *c, pl root)
{
    pl command = pl_get(root, "Command");
    const char *type = pl_get_str(command, "RequestType");
    cat node;

    if (pl_type_of(command) != PL_DICT) {
        check_error(c, "there is no dictionary Command");
        return;
    }
    if (type == NULL) {
        check_error(c, "there is no string RequestType");
        return;
    }
    pl_each(root, outside_check, c);
    node = catalogue_find(type);
    if (node == NULL) {
        check_error(c, "there is no request type \"%.64s\"", type);
        return;
    }
    c->hopeless = !support_check(c, node, false);
    dict_check(c, node, command);
    rules_check(c, node, command);
}

enum outcome command_validate(struct arena *a, pl root, const struct device_facts *facts,
                              struct findings *out, struct err *err)
{
    struct check c = {.arena = a, .facts = facts, .out = out};

    *out = (struct findings){0};
    root_check(&c, root);
    if (c.failed)
        return err_set(err, ERROR, "out of memory");
    if (out->errors == 0)
        return OK;
    for (size_t i = 0; i < out->n; i++)
        if (out->list[i].error)
            return err_set(err, INVALID, "%s%s%s", out->list[i].path,
                           *out->list[i].path ? ": " : "", out->list[i].text);
    return err_set(err, INVALID, "the command is wrong");
}
