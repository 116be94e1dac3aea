/* keys.c: see keys.h. */
#include "console/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"

#define DEPTH_MAX 8
#define LINES_MAX 2000

enum look { LOOK_TEXT, LOOK_CHOICE, LOOK_BOXES, LOOK_LINES, LOOK_GROUP, LOOK_LIST, LOOK_JSON };

/* Has the dictionary keys of its own, with names? */
static bool has_keys(cat node)
{
    for (cat k = catalogue_first(node); k; k = catalogue_next(k))
        if (catalogue_kind(k) == CATALOGUE_KEY && !catalogue_is(k, CATALOGUE_ANY_NAME))
            return true;
    return false;
}

static cat first_item(cat array)
{
    for (cat k = catalogue_first(array); k; k = catalogue_next(k))
        if (catalogue_kind(k) == CATALOGUE_ITEM)
            return k;
    return NULL;
}

/* The values of a string stand in a list, or are rows of their own where platforms differ. The ith
 * that the device can have (facts NULL: any device), or NULL. */
static const char *value_at(struct arena *a, cat node, size_t i, const struct device_facts *facts)
{
    const char *why;
    if (catalogue_values(node))
        return i < catalogue_values(node) ? catalogue_value_at(node, i) : NULL;
    for (cat k = catalogue_first(node); k; k = catalogue_next(k))
        if (catalogue_kind(k) == CATALOGUE_VALUE && (!facts || command_has(a, k, facts, &why)) &&
            i-- == 0)
            return catalogue_name(k);
    return NULL;
}

static bool has_values(cat node)
{
    return value_at(NULL, node, 0, NULL) != NULL;
}

/* Item names the shape of an entry: the form does that by itself. */
static bool is_hidden(cat key)
{
    cat above = catalogue_parent(key);
    return catalogue_kind(key) != CATALOGUE_KEY || catalogue_is(key, CATALOGUE_ANY_NAME) ||
           (strcmp(catalogue_name(key), "Item") == 0 && catalogue_kind(above) == CATALOGUE_ITEM &&
            *catalogue_name(above));
}

static enum look look_of(cat node, int depth)
{
    cat item;
    switch (catalogue_type(node)) {
    case CATALOGUE_DICTIONARY:
        return has_keys(node) && depth < DEPTH_MAX ? LOOK_GROUP : LOOK_JSON;
    case CATALOGUE_ARRAY:
        item = first_item(node);
        if (!item || catalogue_type(item) == CATALOGUE_ARRAY ||
            catalogue_type(item) == CATALOGUE_ANY)
            return LOOK_JSON;
        if (catalogue_type(item) == CATALOGUE_DICTIONARY)
            return has_keys(item) && depth < DEPTH_MAX ? LOOK_LIST : LOOK_JSON;
        return has_values(item) ? LOOK_BOXES : LOOK_LINES;
    case CATALOGUE_BOOLEAN:
        return LOOK_CHOICE;
    case CATALOGUE_ANY:
        return LOOK_JSON;
    default:
        return has_values(node) ? LOOK_CHOICE : LOOK_TEXT;
    }
}

static const char *below(struct page *p, const char *path, const char *name)
{
    const char *s = *path ? arena_fmt(p->a, "%s.%s", path, name) : name;
    return s ? s : "";
}

static const char *entry_path(struct page *p, const char *path, int64_t i)
{
    const char *s = arena_fmt(p->a, "%s[%lld]", path, (long long)i);
    return s ? s : "";
}

/* A field of the form about PATH: "n:PATH". */
static const char *about(struct page *p, char what, const char *path)
{
    const char *name = arena_fmt(p->a, "%c:%s", what, path);
    return name ? page_field(p, name) : "";
}

struct ticked {
    const char *name, *value;
    bool found;
};

static bool is_ticked(const char *name, const char *value, void *arg)
{
    struct ticked *t = arg;
    t->found |= strcmp(name, t->name) == 0 && strcmp(value, t->value) == 0;
    return !t->found;
}

static bool ticked(struct page *p, const char *name, const char *value)
{
    struct ticked t = {name, value, false};
    req_form_each(p->req, is_ticked, &t);
    return t.found;
}

/* ---- the form ---- */

struct shown {
    struct page *p;
    const struct device_facts *facts;
    struct value *left_out;
};

static void level(struct shown *s, cat node, const char *path, struct value *list, int depth);

static void leave_out(struct shown *s, const char *name, const char *why)
{
    struct value *v = value_append_dict(s->left_out);
    value_set_text(v, "name", name);
    value_set_text(v, "why", page_said(s->p, why));
}

static void option(struct value *list, const char *value, const char *text, bool chosen)
{
    struct value *v = value_append_dict(list);

    value_set_text(v, "value", value);
    value_set_text(v, "text", text);
    value_set_bool(v, "chosen", chosen);
}

static void choices(struct shown *s, cat node, const char *given, struct value *v)
{
    struct page *p = s->p;
    const char *one;
    struct value *list = value_set_list(v, "options");
    const char *def = catalogue_default(node);
    option(list, "",
           def ? words_fill(p->w, p->a, "key_default", def, NULL) : page_text(p, "key_unset"),
           !*given);
    if (catalogue_type(node) == CATALOGUE_BOOLEAN) {
        option(list, "true", page_text(p, "yes"), strcmp(given, "true") == 0);
        option(list, "false", page_text(p, "no"), strcmp(given, "false") == 0);
    }
    for (size_t i = 0; (one = value_at(p->a, node, i, s->facts)); i++)
        option(list, one, one, strcmp(given, one) == 0);
}

static void boxes(struct shown *s, cat item, const char *path, struct value *v)
{
    struct value *list = value_set_list(v, "options");
    const char *one;
    for (size_t i = 0; (one = value_at(s->p->a, item, i, s->facts)); i++)
        option(list, one, one, ticked(s->p, path, one));
}

/* Entries of an array of dictionaries: as many as the form has, one more or less by its buttons. */
static void entries(struct shown *s, cat array, const char *path, struct value *v, int depth)
{
    struct page *p = s->p;
    struct value *list = value_set_list(v, "entries"), *shapes = value_set_list(v, "shapes");
    const char *more = page_field(p, "more"), *shape = strchr(more, '|');
    bool grows = strncmp(more, path, strlen(path)) == 0 &&
                 (more[strlen(path)] == '\0' || more[strlen(path)] == '|');
    int64_t n = page_number(about(p, 'n', path)) + grows;
    size_t several = 0;
    n = n > KEYS_ENTRIES_MAX ? KEYS_ENTRIES_MAX : n;
    for (cat k = catalogue_first(array); k; k = catalogue_next(k)) {
        const char *name = catalogue_name(k), *why;
        if (catalogue_kind(k) != CATALOGUE_ITEM || !*name)
            continue;
        several++;
        if (command_has(p->a, k, s->facts, &why))
            option(shapes, arena_fmt(p->a, "%s|%s", path, name), name, false);
        else
            leave_out(s, arena_fmt(p->a, "%s: %s", path, name), why);
    }
    value_set_bool(v, "one_shape", several == 0);
    for (int64_t i = 0; i < n; i++) {
        const char *at = entry_path(p, path, i), *given = about(p, 's', at);
        const char *of = i == n - 1 && grows && shape ? shape + 1 : given;
        cat item = several ? catalogue_item(array, of) : first_item(array);
        struct value *e = value_append_dict(list);
        value_set_text(e, "path", at);
        value_set_text(e, "shape", several ? of : NULL);
        value_set_text(e, "number", arena_fmt(p->a, "%lld", (long long)(i + 1)));
        struct value *fields = value_set_list(e, "fields");
        if (item)
            level(s, item, at, fields, depth + 1);
    }
    value_set_int(v, "count", n);
}

static void field(struct shown *s, cat node, const char *path, struct value *v, int depth)
{
    struct page *p = s->p;
    static const char *const looks[] = {"text",  "choice", "boxes", "lines",
                                        "group", "list",   "json"};
    enum look look = look_of(node, depth);
    const char *given = page_field(p, path);
    /* A template looks further up for what a field lacks: each has all of them. */
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        value_set_bool(v, looks[i], i == look);
    value_set_text(v, "path", path);
    value_set_text(v, "name", catalogue_name(node));
    value_set_text(v, "about", page_said(p, catalogue_about(node)));
    value_set_text(v, "kind", catalogue_type_name(catalogue_type(node)));
    value_set_text(v, "given", given);
    value_set_text(v, "default", catalogue_default(node) ? catalogue_default(node) : "");
    value_set_bool(v, "required", catalogue_is(node, CATALOGUE_REQUIRED));
    value_set_bool(v, "needed", catalogue_is(node, CATALOGUE_REQUIRED) && depth == 0);
    value_set_bool(v, "secret", catalogue_is(node, CATALOGUE_SECRET) && look == LOOK_TEXT);
    value_set_bool(v, "number", catalogue_type(node) == CATALOGUE_INTEGER);
    value_set_bool(v, "is_date", catalogue_type(node) == CATALOGUE_DATE);
    value_set_bool(v, "is_data", catalogue_type(node) == CATALOGUE_DATA);
    if (look == LOOK_CHOICE)
        choices(s, node, given, v);
    else if (look == LOOK_BOXES)
        boxes(s, first_item(node), path, v);
    else if (look == LOOK_LIST)
        entries(s, node, path, v, depth);
    struct value *fields = value_set_list(v, "fields");
    if (look == LOOK_GROUP)
        level(s, node, path, fields, depth + 1);
}

static void level(struct shown *s, cat node, const char *path, struct value *list, int depth)
{
    for (cat k = catalogue_first(node); k; k = catalogue_next(k)) {
        const char *why = NULL;
        if (is_hidden(k))
            continue;
        const char *at = below(s->p, path, catalogue_name(k));
        if (command_has(s->p->a, k, s->facts, &why))
            field(s, k, at, value_append_dict(list), depth);
        else
            leave_out(s, at, why);
    }
}

void keys_show(struct page *p, cat command, const struct device_facts *facts)
{
    struct shown s = {p, facts, value_set_list(p->root, "left_out")};
    value_set_bool(p->root, "sensitive", catalogue_is(command, CATALOGUE_SENSITIVE));
    value_set_bool(p->root, "removes", strcmp(catalogue_name(command), "RemoveProfile") == 0);
    value_set_text(p->root, "why", page_field(p, "why"));
    level(&s, command, "", value_set_list(p->root, "fields"), 0);
}

/* ---- and back ---- */

struct reading {
    struct page *p;
    enum outcome o;
};

static js object_of(struct reading *r, cat node, const char *path, int depth);

static void cannot(struct reading *r, const char *path, const char *key)
{
    if (r->o == OK)
        r->o = err_set(&r->p->err, INVALID, "%s: %s", path, page_text(r->p, key));
}

/* A value of one line; NULL: nothing was given, or it cannot be read. */
static js scalar(struct reading *r, cat node, const char *path, const char *text)
{
    char *end;
    errno = 0;
    if (!*text)
        return NULL;
    switch (catalogue_type(node)) {
    case CATALOGUE_BOOLEAN:
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            return js_new_bool(*text == 't');
        break;
    case CATALOGUE_INTEGER: {
        long long n = strtoll(text, &end, 10);
        if (!errno && end != text && !*end)
            return js_new_int(n);
        break;
    }
    case CATALOGUE_REAL: {
        double d = strtod(text, &end);
        if (!errno && end != text && !*end)
            return js_new_real(d);
        break;
    }
    default:
        return js_new_str(text);
    }
    cannot(r, path, "key_no_number");
    return NULL;
}

static js json_of(struct reading *r, const char *path, const char *text)
{
    js out = NULL;
    struct err err;
    if (*text && js_parse(bytes_str(text), &out, &err) != OK)
        cannot(r, path, "key_no_json");
    return out;
}

/* Nothing at all is no array. */
static js unless_empty(js array)
{
    if (js_size(array) == 0)
        js_free(&array);
    return array;
}

static js lines_of(struct reading *r, cat item, const char *path, const char *text)
{
    js list = js_array();
    for (int i = 0; *text && i < LINES_MAX; i++) {
        size_t n = strcspn(text, "\r\n");
        const char *line = arena_strndup(r->p->a, text, n);
        js v = line ? scalar(r, item, path, line + strspn(line, " \t")) : NULL;
        if (v)
            js_append(list, v);
        text += n;
        text += strspn(text, "\r\n");
    }
    return unless_empty(list);
}

static js boxes_of(struct reading *r, cat item, const char *path)
{
    js list = js_array();
    const char *one;
    for (size_t i = 0; (one = value_at(r->p->a, item, i, NULL)); i++)
        if (ticked(r->p, path, one))
            js_append(list, scalar(r, item, path, one));
    return unless_empty(list);
}

static js entries_of(struct reading *r, cat array, const char *path, int depth)
{
    js list = js_array();
    int64_t n = page_number(about(r->p, 'n', path));
    for (int64_t i = 0; i < n && i < KEYS_ENTRIES_MAX; i++) {
        const char *at = entry_path(r->p, path, i), *shape = about(r->p, 's', at);
        cat item = *shape ? catalogue_item(array, shape) : first_item(array);
        js v = item ? object_of(r, item, at, depth + 1) : NULL;
        if (!v)
            continue;
        if (*shape)
            js_set_str(v, "Item", shape);
        js_append(list, v);
    }
    return unless_empty(list);
}

static js value_of(struct reading *r, cat node, const char *path, int depth)
{
    const char *given = page_field(r->p, path);
    switch (look_of(node, depth)) {
    case LOOK_GROUP:
        return object_of(r, node, path, depth + 1);
    case LOOK_LIST:
        return entries_of(r, node, path, depth);
    case LOOK_BOXES:
        return boxes_of(r, first_item(node), path);
    case LOOK_LINES:
        return lines_of(r, first_item(node), path, given);
    case LOOK_JSON:
        return json_of(r, path, given);
    default:
        return scalar(r, node, path, given);
    }
}

/* NULL when none of its keys was given. */
static js object_of(struct reading *r, cat node, const char *path, int depth)
{
    js out = js_object();
    for (cat k = catalogue_first(node); k; k = catalogue_next(k)) {
        if (is_hidden(k))
            continue;
        js v = value_of(r, k, below(r->p, path, catalogue_name(k)), depth);
        if (v)
            js_set(out, catalogue_name(k), v);
    }
    if (js_size(out) == 0 && depth > 0)
        js_free(&out);
    return out;
}

enum outcome keys_read(struct page *p, cat command, js *out)
{
    struct reading r = {p, OK};
    *out = object_of(&r, command, "", 0);
    if (r.o != OK)
        js_free(out);
    return r.o;
}
