/* forms.c: see forms.h. */
#include "library/forms.h"

#include "library/payloads_int.h"

#include <pthread.h>
#include <stdlib.h>

__asm__(".section .rodata\n"
        ".type forms_text, @object\n"
        "forms_text:\n"
        ".incbin \"fcgi/library/forms.txt\"\n"
        "forms_text_end:\n"
        ".byte 0\n"
        ".text\n");
extern const char forms_text[], forms_text_end[];

#define FORMS_MAX 32u
#define GROUPS_MAX 128u
#define FIELDS_MAX 512u
#define VALUES_MAX 512u
#define TEXT_CHARS 255

static const char *const kinds[FORM__KINDS] = {
    [FORM_TEXT] = "text",         [FORM_URL] = "url",
    [FORM_EMAIL] = "email",       [FORM_HOST] = "host",
    [FORM_LINES] = "lines",       [FORM_SECRET] = "secret",
    [FORM_NUMBER] = "number",     [FORM_SECRETDATA] = "secretdata",
    [FORM_FLAG] = "flag",         [FORM_BIT] = "bit",
    [FORM_CHOICE] = "choice",     [FORM_ENUM] = "enum",
    [FORM_NUMBERS] = "numbers",   [FORM_PAYLOAD] = "payload",
    [FORM_PAYLOADS] = "payloads", [FORM_CERTIFICATE] = "certificate",
    [FORM_PKCS12] = "pkcs12",     [FORM_IMAGE] = "image",
};

static struct form forms[FORMS_MAX];
static struct form_group groups[GROUPS_MAX];
static struct form_field fields[FIELDS_MAX];
static const char *values[VALUES_MAX];
static size_t nforms, ngroups, nfields, nvalues;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char *keep(const char *s)
{
    char *copy = strdup(s);

    if (copy == NULL)
        payload_wrong("no memory");
    return copy;
}

/* The word that must follow. */
static const char *need(const char **p, char word[PAYLOAD_WORD_MAX])
{
    if (!payload_word(p, word))
        payload_wrong(*p);
    return word;
}

static void form_line(const char *p, const char *line)
{
    char word[PAYLOAD_WORD_MAX];
    struct form *f = &forms[nforms++];

    if (nforms > FORMS_MAX)
        payload_wrong(line);
    f->name = keep(need(&p, word));
    f->type = payload_find(need(&p, word));
    f->groups = &groups[ngroups];
    if (f->type == NULL)
        payload_wrong(line);
}

static void group_line(const char *p, const char *line)
{
    char word[PAYLOAD_WORD_MAX], *eq;
    struct form_group *g = &groups[ngroups++];

    if (ngroups > GROUPS_MAX || nforms == 0)
        payload_wrong(line);
    forms[nforms - 1].n++;
    g->name = keep(need(&p, word));
    g->fields = &fields[nfields];
    while (payload_word(&p, word)) {
        if (strcmp(word, "more") == 0) {
            g->more = true;
        } else if (strcmp(word, "optional") == 0) {
            g->optional = true;
        } else if (strcmp(word, "when") == 0 && payload_word(&p, word) &&
                   (eq = strchr(word, '=')) != NULL) {
            *eq = '\0';
            g->when_key = keep(word);
            g->when_value = keep(eq + 1);
        } else {
            payload_wrong(line);
        }
    }
}

static void values_read(struct form_field *f, char *word, const char *line)
{
    f->values = &values[nvalues];
    for (char *next; word != NULL; word = next) {
        next = strchr(word, ',');
        if (next != NULL)
            *next++ = '\0';
        if (nvalues == VALUES_MAX)
            payload_wrong(line);
        values[nvalues++] = keep(word);
        f->nvalues++;
    }
}

static void word_read(struct form_field *f, const char **p, char word[PAYLOAD_WORD_MAX],
                      const char *line)
{
    if (strcmp(word, "required") == 0) {
        f->required = true;
    } else if (strcmp(word, "default") == 0) {
        f->def = keep(need(p, word));
    } else if (strcmp(word, "range") == 0) {
        f->ranged = true;
        f->low = strtoll(need(p, word), NULL, 10);
        f->high = strtoll(need(p, word), NULL, 10);
    } else if (strcmp(word, "max") == 0) {
        f->max = strtoul(need(p, word), NULL, 10);
    } else if (strcmp(word, "of") == 0) {
        need(p, word);
        values_read(f, word, line);
    } else {
        payload_wrong(line);
    }
}

static void field_line(const char *p, const char *line)
{
    char word[PAYLOAD_WORD_MAX];
    struct form_field *f = &fields[nfields++];

    if (nfields > FIELDS_MAX || ngroups == 0)
        payload_wrong(line);
    groups[ngroups - 1].n++;
    memcpy(f->os, forms[nforms - 1].type->os, sizeof f->os);
    f->max = TEXT_CHARS;
    f->key = keep(need(&p, word));
    need(&p, word);
    while (f->kind < FORM__KINDS && strcmp(kinds[f->kind], word) != 0)
        f->kind++;
    if (f->kind == FORM__KINDS)
        payload_wrong(line);
    while (payload_word(&p, word))
        word_read(f, &p, word, line);
    while (*p == ':' || *p == ';') {
        p++;
        payload_os_next(&p, f->os);
    }
    if (*p != '\n')
        payload_wrong(line);
}

static void read_all(void)
{
    char word[PAYLOAD_WORD_MAX];

    for (const char *line = forms_text; line < forms_text_end; line += strcspn(line, "\n") + 1) {
        const char *p = line;

        if (*line == '#' || *line == '\n')
            continue;
        need(&p, word);
        if (strcmp(word, "form") == 0)
            form_line(p, line);
        else if (strcmp(word, "group") == 0)
            group_line(p, line);
        else if (strcmp(word, "field") == 0)
            field_line(p, line);
        else
            payload_wrong(line);
    }
}

size_t form_count(void)
{
    pthread_once(&once, read_all);
    return nforms;
}

const struct form *form_at(size_t i)
{
    return i < form_count() ? &forms[i] : NULL;
}

const struct form *form_of(const char *type)
{
    for (size_t i = 0; i < form_count(); i++)
        if (strcmp(forms[i].type->name, type) == 0)
            return &forms[i];
    return NULL;
}

const struct form *form_named(const char *name)
{
    for (size_t i = 0; i < form_count(); i++)
        if (strcmp(forms[i].name, name) == 0)
            return &forms[i];
    return NULL;
}

const char *form_kind_name(enum form_kind k)
{
    return kinds[k];
}

bool form_secret(const struct form_field *f)
{
    return f->kind == FORM_SECRET || f->kind == FORM_SECRETDATA || f->kind == FORM_PKCS12;
}

bool form_file(const struct form_field *f)
{
    return f->kind == FORM_CERTIFICATE || f->kind == FORM_PKCS12 || f->kind == FORM_IMAGE;
}

/* ---- as JSON ---- */

static js field_json(const struct form_field *f, const struct payload_type *t)
{
    js o = js_object(), list;

    js_set_str(o, "key", f->key);
    js_set_str(o, "kind", kinds[f->kind]);
    if (f->required)
        js_set_bool(o, "required", true);
    if (form_secret(f))
        js_set_bool(o, "secret", true);
    if (f->def != NULL)
        js_set_str(o, "default", f->def);
    if (f->ranged) {
        js_set_int(o, "low", f->low);
        js_set_int(o, "high", f->high);
    }
    if (f->nvalues > 0) {
        list = js_array();
        for (size_t i = 0; i < f->nvalues; i++)
            js_append(list, js_new_str(f->values[i]));
        js_set(o, "values", list);
    }
    if (memcmp(f->os, t->os, sizeof f->os) != 0) {
        struct payload_os os[PLATFORM__MAX];

        memcpy(os, f->os, sizeof os); /* the rest is said of the payload */
        for (enum platform p = PLATFORM_IOS; p < PLATFORM__MAX; p++)
            os[p].flags &= PAYLOAD_SUPERVISED;
        js_set(o, "platforms", payload_platforms_json(os));
    }
    return o;
}

js form_json(const struct form *f)
{
    js o = js_object(), list = js_array();

    js_set_str(o, "name", f->name);
    js_set_str(o, "type", f->type->name);
    js_set(o, "platforms", payload_platforms_json(f->type->os));
    for (size_t i = 0; i < f->n; i++) {
        const struct form_group *g = &f->groups[i];
        js x = js_object(), in = js_array();

        js_set_str(x, "name", g->name);
        if (g->optional)
            js_set_bool(x, "optional", true);
        if (g->when_key != NULL) {
            js_set_str(x, "when_key", g->when_key);
            js_set_str(x, "when_value", g->when_value);
        }
        for (size_t k = 0; k < g->n; k++)
            js_append(in, field_json(&g->fields[k], f->type));
        js_set(x, "fields", in);
        js_append(list, x);
    }
    js_set(o, "groups", list);
    return o;
}
