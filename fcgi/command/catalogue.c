/* catalogue.c: looking things up in the catalogue. See catalogue.h; the tables are made by
 * scripts/catalogue. */
#include "command/catalogue_int.h"

#include <stdlib.h>

static const char *text(uint16_t at)
{
    return catalogue_pool + at;
}

static uint16_t place(cat node)
{
    return (uint16_t)(node - catalogue_nodes);
}

size_t catalogue_count(void)
{
    return catalogue_commands_n;
}

cat catalogue_at(size_t i)
{
    return &catalogue_nodes[catalogue_commands[i]];
}

static int by_name(const void *name, const void *row)
{
    const uint16_t *at = row;

    return strcmp(name, text(catalogue_nodes[*at].name));
}

cat catalogue_find(const char *request_type)
{
    const uint16_t *at = bsearch(request_type, catalogue_commands, catalogue_commands_n,
                                 sizeof *catalogue_commands, by_name);

    return at != NULL ? &catalogue_nodes[*at] : NULL;
}

size_t catalogue_rows(void)
{
    return catalogue_nodes_n;
}

size_t catalogue_row(cat node)
{
    return place(node);
}

cat catalogue_first(cat node)
{
    return place(node) + 1 < node->end ? node + 1 : NULL;
}

cat catalogue_next(cat node)
{
    if (node->parent == 0 || node->end == catalogue_nodes[node->parent].end)
        return NULL;
    return &catalogue_nodes[node->end];
}

cat catalogue_parent(cat node)
{
    return node->parent != 0 ? &catalogue_nodes[node->parent] : NULL;
}

cat catalogue_key(cat node, enum catalogue_kind kind, const char *name)
{
    cat any = NULL;

    for (cat n = catalogue_first(node); n != NULL; n = catalogue_next(n)) {
        if (n->kind != kind)
            continue;
        if (n->flags & CATALOGUE_ANY_NAME)
            any = n;
        else if (strcmp(text(n->name), name) == 0)
            return n;
    }
    return any;
}

cat catalogue_item(cat array, const char *shape)
{
    for (cat n = catalogue_first(array); n != NULL; n = catalogue_next(n))
        if (n->kind == CATALOGUE_ITEM &&
            (n->name == 0 || (shape != NULL && strcmp(text(n->name), shape) == 0)))
            return n;
    return NULL;
}

cat catalogue_value(cat string, const char *value)
{
    for (cat n = catalogue_first(string); n != NULL; n = catalogue_next(n))
        if (n->kind == CATALOGUE_VALUE && strcmp(text(n->name), value) == 0)
            return n;
    return NULL;
}

/* ---- paths ---- */

#define PART_MAX 128

/* One part of a path, up to any of the characters in end. */
static bool part(const char **path, const char *end, char out[PART_MAX])
{
    size_t n = strcspn(*path, end);

    if (n >= PART_MAX)
        return false;
    memcpy(out, *path, n);
    out[n] = '\0';
    *path += n;
    return true;
}

cat catalogue_path(cat command, const char *path)
{
    static const char answer[] = "answer:";
    enum catalogue_kind kind = CATALOGUE_KEY;
    char name[PART_MAX];
    cat n = command;

    if (strncmp(path, answer, sizeof answer - 1) == 0) {
        path += sizeof answer - 1;
        kind = CATALOGUE_ANSWER;
    }
    for (;;) {
        if (!part(&path, ".[", name) || (n = catalogue_key(n, kind, name)) == NULL)
            return NULL;
        kind = CATALOGUE_KEY;
        while (*path == '[') {
            path++;
            if (!part(&path, "]", name) || *path++ != ']')
                return NULL;
            n = n->type == CATALOGUE_ARRAY ? catalogue_item(n, name) : catalogue_value(n, name);
            if (n == NULL)
                return NULL;
        }
        if (*path == '\0')
            return n;
        if (*path++ != '.')
            return NULL;
    }
}

/* ---- what a row says ---- */

enum catalogue_kind catalogue_kind(cat node)
{
    return (enum catalogue_kind)node->kind;
}

enum catalogue_type catalogue_type(cat node)
{
    return (enum catalogue_type)node->type;
}

const char *catalogue_type_name(enum catalogue_type t)
{
    static const char *const names[] = {
        [CATALOGUE_DICTIONARY] = "dictionary",
        [CATALOGUE_ARRAY] = "array",
        [CATALOGUE_STRING] = "string",
        [CATALOGUE_INTEGER] = "integer",
        [CATALOGUE_REAL] = "real",
        [CATALOGUE_BOOLEAN] = "boolean",
        [CATALOGUE_DATE] = "date",
        [CATALOGUE_DATA] = "data",
        [CATALOGUE_ANY] = "any",
    };

    return names[t];
}

const char *catalogue_name(cat node)
{
    return text(node->name);
}

const char *catalogue_about(cat node)
{
    return text(node->about);
}

bool catalogue_is(cat node, enum catalogue_flag flag)
{
    return (node->flags & flag) != 0;
}

bool catalogue_never_notnow(cat command, enum platform p)
{
    return (command->never_notnow & 1u << p) != 0;
}

size_t catalogue_values(cat node)
{
    return node->values_n;
}

const char *catalogue_value_at(cat node, size_t i)
{
    return text(catalogue_values_pool[node->values + i]);
}

const char *catalogue_default(cat node)
{
    return node->deflt != 0 ? text(node->deflt) : NULL;
}

bool catalogue_range(cat node, double *low, double *high)
{
    if (node->low == 0)
        return false;
    *low = strtod(text(node->low), NULL);
    *high = strtod(text(node->high), NULL);
    return true;
}

size_t catalogue_rules_n(cat node)
{
    return node->rules_n;
}

enum rule catalogue_rule(cat node, size_t i, const char **args)
{
    const struct catalogue_rule *r = &catalogue_rules[node->rules + i];

    *args = text(r->args);
    return (enum rule)r->rule;
}

/* ---- platforms ---- */

static void say(bool *b, uint8_t says)
{
    if (says != SAYS_NOTHING)
        *b = says == SAYS_YES;
}

static void apply(struct catalogue_support *s, const struct catalogue_os *os)
{
    if (os->introduced != 0)
        s->introduced = os->introduced;
    if (os->deprecated != 0)
        s->deprecated = os->deprecated;
    if (os->removed != 0)
        s->removed = os->removed;
    if (os->right1 != 0)
        s->right = (uint16_t)(os->right1 - 1);
    say(&s->supervised, os->supervised);
    say(&s->dep, os->dep);
    say(&s->device, os->device);
    say(&s->user, os->user);
    say(&s->shared_device, os->shared_device);
    say(&s->shared_user, os->shared_user);
    if (os->shared != MODE_UNSAID)
        s->shared = (enum mode)os->shared;
    if (os->user_enrolment != MODE_UNSAID)
        s->user_enrolment = (enum mode)os->user_enrolment;
}

struct catalogue_support catalogue_support(cat node, enum platform p)
{
    struct catalogue_support s = {.introduced = VERSION_NEVER,
                                  .device = true,
                                  .shared = MODE_ALLOWED,
                                  .shared_device = true,
                                  .user_enrolment = MODE_ALLOWED};

    if (node->parent != 0)
        s = catalogue_support(&catalogue_nodes[node->parent], p);
    for (size_t i = 0; i < node->os_n; i++)
        if (catalogue_oses[node->os + i].platform == p)
            apply(&s, &catalogue_oses[node->os + i]);
    return s;
}
