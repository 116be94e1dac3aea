/* draft_field.c: see draft_field.h. */
#include "console/draft_field.h"

#include "console/profile.h"

static const char *const LOOKS[] = {"text", "choice", "boxes", "lines", "file"};
enum look { LOOK_TEXT, LOOK_CHOICE, LOOK_BOXES, LOOK_LINES, LOOK_FILE };

static const char *const FAULTS[FORM__FAULTS] = {
    [FORM_MISSING] = "missing",     [FORM_NO_NUMBER] = "no_number",
    [FORM_NO_VALUE] = "no_value",   [FORM_TOO_LONG] = "too_long",
    [FORM_CONTROL] = "control",     [FORM_NO_URL] = "no_url",
    [FORM_NO_EMAIL] = "no_email",   [FORM_NO_HOST] = "no_host",
    [FORM_NO_PKCS12] = "no_pkcs12", [FORM_NO_CERTIFICATE] = "no_certificate",
    [FORM_NO_IMAGE] = "no_image",   [FORM_PASSWORD] = "password",
};

/* ---- what came ---- */

static const char *field_name(struct page *p, char what, const char *place)
{
    const char *s = arena_fmt(p->a, "%c:%s", what, place);
    return s ? s : "";
}

static const char *input_text(void *arg, const char *place)
{
    struct page *p = arg;
    return req_form(p->req, field_name(p, 'f', place));
}

struct tick {
    const char *name, *value;
    bool found;
};

static bool tick(const char *name, const char *value, void *arg)
{
    struct tick *t = arg;
    t->found |= strcmp(name, t->name) == 0 && strcmp(value, t->value) == 0;
    return !t->found;
}

static bool input_ticked(void *arg, const char *place, const char *value)
{
    struct page *p = arg;
    struct tick t = {field_name(p, 'f', place), value, false};
    req_form_each(p->req, tick, &t);
    return t.found;
}

static bool input_file(void *arg, const char *place, struct bytes *out, const char **filename)
{
    struct page *p = arg;
    return req_form_file(p->req, field_name(p, 'f', place), out, filename);
}

static bool input_drop(void *arg, const char *place)
{
    struct page *p = arg;
    const char *s = req_form(p->req, field_name(p, 'd', place));
    return s && strcmp(s, "yes") == 0;
}

struct form_input draft_fields_input(struct page *p)
{
    return (struct form_input){input_text, input_ticked, input_file, input_drop, p};
}

/* ---- the form ---- */

struct shown {
    struct page *p;
    const struct form *form;
    const struct form_group *group;
    pl payload, root;
    const struct form_faults *faults;
    bool refused;
};

static const char *place_of(struct shown *s, const struct form_field *f)
{
    const char *place = form_place(s->p->a, s->group, f);
    return place ? place : "";
}

/* A text of the catalogue; "" where there is none. */
static const char *word(struct page *p, const char *key)
{
    const char *text = key ? page_text(p, key) : key;
    return text == key || !text ? "" : text;
}

static const char *value_word(struct page *p, const char *value)
{
    const char *text = word(p, arena_fmt(p->a, "formvalue_%s", value));
    return *text ? text : value;
}

static enum look look_of(const struct form_field *f)
{
    switch (f->kind) {
    case FORM_FLAG:
    case FORM_BIT:
    case FORM_CHOICE:
    case FORM_ENUM:
    case FORM_PAYLOAD:
        return LOOK_CHOICE;
    case FORM_NUMBERS:
    case FORM_PAYLOADS:
        return LOOK_BOXES;
    case FORM_LINES:
        return LOOK_LINES;
    default:
        return form_file(f) ? LOOK_FILE : LOOK_TEXT;
    }
}

/* Where it is, as far as that differs from the payload: "iOS 11.0 (supervised), macOS 10.13". */
static const char *platforms_text(struct shown *s, const struct form_field *f)
{
    struct page *p = s->p;
    struct buf b = BUF_INIT(300);
    char version[VERSION_TEXT_MAX];
    if (memcmp(f->os, s->form->type->os, sizeof f->os) == 0)
        return "";
    for (enum platform i = PLATFORM_IOS; i < PLATFORM__MAX; i++) {
        if (!f->os[i].introduced)
            continue;
        bool only = (f->os[i].flags & PAYLOAD_SUPERVISED) &&
                    !(s->form->type->os[i].flags & PAYLOAD_SUPERVISED);
        buf_fmt(&b, "%s%s %s%s%s%s", b.len ? ", " : "", platform_name(i),
                version_text(f->os[i].introduced, version), only ? " (" : "",
                only ? page_text(p, "form_supervised") : "", only ? ")" : "");
    }
    const char *text = arena_strdup(p->a, buf_cstr(&b));
    buf_free(&b);
    return text ? text : "";
}

static const char *fault_text(struct shown *s, const struct form_field *f)
{
    struct page *p = s->p;
    for (size_t i = 0; s->faults && i < s->faults->n; i++)
        if (s->faults->list[i].field == f) {
            const char *key = arena_fmt(p->a, "formfault_%s", FAULTS[s->faults->list[i].fault]);
            return key ? words_fill(p->w, p->a, key, arena_fmt(p->a, "%lld", (long long)f->low),
                                    arena_fmt(p->a, "%lld",
                                              (long long)(f->ranged ? f->high : (int64_t)f->max)))
                       : "";
        }
    return "";
}

/* The payloads of the profile that a field can name. */
static void payload_options(struct shown *s, const struct form_field *f, struct value *list,
                            const char *given)
{
    struct page *p = s->p;
    pl all = pl_get(s->root, "PayloadContent");
    for (size_t i = 0; i < pl_size(all); i++) {
        const char *type = pl_get_str(pl_at(all, i), "PayloadType");
        const char *uuid = pl_get_str(pl_at(all, i), "PayloadUUID");
        const char *name = pl_get_str(pl_at(all, i), "PayloadDisplayName");
        bool fits = false;
        for (size_t k = 0; type && uuid && k < f->nvalues; k++)
            fits |= strcmp(f->values[k], type) == 0;
        if (!fits)
            continue;
        uuid = arena_strdup(p->a, uuid);
        name = arena_strdup(p->a, name && *name ? name : profile_type_title(p, type));
        profile_option(list, uuid, name,
                       uuid && (given        ? strcmp(given, uuid) == 0
                                : s->refused ? input_ticked(p, place_of(s, f), uuid)
                                             : form_has(f, s->payload, uuid)));
    }
}

static void options(struct shown *s, const struct form_field *f, struct value *v, const char *given)
{
    struct page *p = s->p;
    struct value *list = value_set_list(v, "options");
    bool boxes = look_of(f) == LOOK_BOXES, known = !*given;
    bool truth = f->kind == FORM_FLAG || f->kind == FORM_BIT;
    if (!boxes) {
        const char *def = !f->def ? NULL
                          : truth ? page_text(p, *f->def == 't' || *f->def == '1' ? "yes" : "no")
                                  : value_word(p, f->def);
        profile_option(list, "",
                       def           ? words_fill(p->w, p->a, "form_default", def, NULL)
                       : f->required ? page_text(p, "form_choose")
                                     : page_text(p, "key_unset"),
                       !*given);
    }
    if (truth) {
        const char *yes = f->kind == FORM_FLAG ? "true" : "1";
        const char *no = f->kind == FORM_FLAG ? "false" : "0";
        profile_option(list, yes, page_text(p, "yes"), strcmp(given, yes) == 0);
        profile_option(list, no, page_text(p, "no"), strcmp(given, no) == 0);
        return;
    }
    if (f->kind == FORM_PAYLOAD || f->kind == FORM_PAYLOADS) {
        payload_options(s, f, list, boxes ? NULL : given);
        value_set_bool(v, "no_options",
                       !value_first(list) || (!boxes && !value_next(value_first(list))));
        return;
    }
    for (size_t i = 0; i < f->nvalues; i++) {
        bool on = boxes ? (s->refused ? input_ticked(p, place_of(s, f), f->values[i])
                                      : form_has(f, s->payload, f->values[i]))
                        : strcmp(given, f->values[i]) == 0;
        known |= on;
        profile_option(list, f->values[i], value_word(p, f->values[i]), on);
    }
    if (!boxes && !known) /* a value that the form does not know stays */
        profile_option(list, given, given, true);
}

static void field(struct shown *s, const struct form_field *f, struct value *v)
{
    struct page *p = s->p;
    enum look look = look_of(f);
    bool there = form_get(s->payload, f->key) != NULL, secret = form_secret(f);
    const char *came = s->refused && !secret ? input_text(p, place_of(s, f)) : NULL;
    const char *given = s->refused ? (came ? came : "") : form_text(p->a, f, s->payload);
    const char *text = word(p, arena_fmt(p->a, "form_%s_%s", s->form->name, f->key));
    for (size_t i = 0; i < sizeof LOOKS / sizeof *LOOKS; i++)
        value_set_bool(v, LOOKS[i], i == look);
    value_set_text(v, "key", place_of(s, f));
    value_set_text(v, "label", *text ? text : f->key);
    value_set_text(v, "hint", word(p, arena_fmt(p->a, "formhint_%s_%s", s->form->name, f->key)));
    value_set_text(v, "where", platforms_text(s, f));
    value_set_text(v, "fault", fault_text(s, f));
    value_set_text(v, "given", given);
    value_set_bool(v, "required", f->required);
    value_set_bool(v, "secret", secret && look == LOOK_TEXT);
    value_set_bool(v, "number", f->kind == FORM_NUMBER);
    value_set_bool(v, "stored", there && (secret || look == LOOK_FILE));
    value_set_bool(v, "droppable", there && !f->required && (secret || look == LOOK_FILE));
    value_set_bool(v, "no_options", false);
    value_set_text(v, "range",
                   f->ranged ? arena_fmt(p->a, "%lld – %lld", (long long)f->low, (long long)f->high)
                             : "");
    value_set_text(v, "accept",
                   f->kind == FORM_IMAGE    ? ".png,image/png"
                   : f->kind == FORM_PKCS12 ? ".p12,.pfx"
                                            : ".pem,.crt,.cer,.der");
    if (look == LOOK_CHOICE || look == LOOK_BOXES)
        options(s, f, v, given);
}

/* Is anything of the group there, so that it should be seen? */
static bool in_use(struct shown *s, const struct form_group *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (form_get(s->payload, g->fields[i].key) || *fault_text(s, &g->fields[i]))
            return true;
    return s->refused;
}

void draft_fields_show(struct page *p, const struct form *f, pl payload, pl root,
                       const struct form_faults *faults, bool refused)
{
    struct shown s = {p, f, NULL, payload, root, faults, refused};
    struct value *list = value_set_list(p->root, "groups");
    for (size_t i = 0; i < f->n; i++) {
        const struct form_group *g = &f->groups[i];
        struct value *v = value_append_dict(list), *in = value_set_list(v, "fields");
        s.group = g;
        value_set_text(v, "legend", word(p, arena_fmt(p->a, "formgroup_%s", g->name)));
        value_set_bool(v, "folded", g->more || g->when_key);
        value_set_bool(v, "open", in_use(&s, g));
        value_set_text(v, "when",
                       g->when_key ? arena_fmt(p->a, "f:%s=%s", g->when_key, g->when_value) : "");
        for (size_t k = 0; k < g->n; k++)
            field(&s, &g->fields[k], value_append_dict(in));
    }
}
