/* enrollform.c: the fields of an enrolment profile as a form; see enrollprofiles.h. The table of
 * fields is the store's: one that is new there appears here once it stands in a group below. */
#include "console/enrollprofiles.h"

#include "base/buf.h"
#include "base/limits.h"

#include <stdio.h>

#define GROUP_MAX 9
#define SHORT_MAX 300

static const struct {
    const char *name; /* of ep_group_NAME */
    const char *fields[GROUP_MAX];
} GROUPS[] = {
    {"texts", {"title", "organization", "description", "consent"}},
    {"rights", {"access_rights"}},
    {"removal", {"removal", "removal_password", "check_out_when_removed"}},
    {"web", {"web"}},
    {"url", {"login", "login_text", "assigned_only", "minimum_ios", "minimum_macos", "encrypt"}},
    {"content", {"profiles", "apps", "certificates"}},
    {"identity",
     {"identity", "key_type", "key_size", "scep_url", "scep_name", "scep_subject",
      "scep_fingerprint", "scep_challenge"}},
    {"server",
     {"topic", "server_url", "checkin_url", "server_capabilities", "sign_message",
      "use_development_apns"}},
};

/* What a right lets the organisation see or do, in the words of the page for those who enrol. */
static const struct {
    int64_t bit;
    const char *key;
} RIGHTS[] = {
    {1, "enrol_see_profiles"},       {2, "enrol_do_profiles"},       {4, "enrol_do_lock"},
    {8, "enrol_do_erase"},           {16, "enrol_see_device"},       {32, "enrol_see_network"},
    {64, "enrol_see_provisioning"},  {128, "enrol_do_provisioning"}, {256, "enrol_see_apps"},
    {512, "enrol_see_restrictions"}, {1024, "enrol_see_security"},   {2048, "enrol_do_settings"},
    {4096, "enrol_do_apps"}};
#define RIGHTS_N (sizeof RIGHTS / sizeof *RIGHTS)

static const char *const CAPABILITIES[] = {"com.apple.mdm.per-user-connections",
                                           "com.apple.mdm.bootstraptoken", "com.apple.mdm.token"};
#define CAPABILITIES_N (sizeof CAPABILITIES / sizeof *CAPABILITIES)
static const char *const KEY_SIZES[] = {"2048", "3072", "4096", "256"};
static const char *const KEY_TYPES[] = {"RSA", "EC"};

static bool is(const struct enroll_field *f, const char *name)
{
    return strcmp(f->name, name) == 0;
}

static const char *text_of(struct page *p, const char *prefix, const char *name, const char *suffix)
{
    const char *key = arena_fmt(p->a, "%s_%s%s", prefix, name, suffix);
    return key ? page_text(p, key) : "";
}

static const char *joined(struct page *p, const struct enroll_names *names)
{
    struct buf b = BUF_INIT(LIM_BODY_FORM);
    for (size_t i = 0; i < names->n; i++)
        buf_fmt(&b, "%s%s", i ? ", " : "", names->name[i]);
    const char *s = arena_strdup(p->a, buf_cstr(&b));
    buf_free(&b);
    return s ? s : "";
}

/* The field as a text, of any type but a secret. */
static const char *value_of(struct page *p, const struct enroll_field *f,
                            const struct enroll_content *c)
{
    const char *s = "";
    switch (f->type) {
    case ENROLL_TEXT:
    case ENROLL_WORDS:
        return enroll_field_text(f, c);
    case ENROLL_INT:
        s = arena_fmt(p->a, "%lld", (long long)enroll_field_int(f, c));
        return s ? s : "";
    case ENROLL_BOOL:
        return enroll_field_int(f, c) ? "yes" : "no";
    case ENROLL_WORD:
        return enroll_field_word(f, c);
    case ENROLL_LIST:
        return joined(p, enroll_field_list(f, c));
    case ENROLL_SECRET:
        break;
    }
    return "";
}

static void option(struct value *list, const char *value, const char *text, bool chosen)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "value", value);
    value_set_text(v, "text", text);
    value_set_bool(v, "chosen", chosen);
}

static void box(struct value *list, const char *id, const char *text, bool checked)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "id", id);
    value_set_text(v, "text", text);
    value_set_bool(v, "checked", checked);
}

static void boxes(struct page *p, struct value *v, const struct enroll_field *f,
                  const struct enroll_content *c)
{
    struct value *list = value_list(p->a);
    if (is(f, "access_rights"))
        for (size_t i = 0; i < RIGHTS_N; i++)
            box(list, arena_fmt(p->a, "right_%lld", (long long)RIGHTS[i].bit),
                page_text(p, RIGHTS[i].key), (c->access_rights & RIGHTS[i].bit) != 0);
    else
        for (size_t i = 0; i < CAPABILITIES_N; i++)
            box(list, CAPABILITIES[i], text_of(p, "ep", CAPABILITIES[i], ""),
                strstr(c->server_capabilities, CAPABILITIES[i]) != NULL);
    value_set(value_set_dict(v, "is_boxes"), "boxes", list);
}

static void choice(struct page *p, struct value *v, const struct enroll_field *f, const char *given,
                   const char *const *words, size_t n)
{
    struct value *list = value_list(p->a);
    for (size_t i = 0; words ? i < n : f->words[i] != NULL; i++) {
        const char *w = words ? words[i] : f->words[i];
        const char *prefix = arena_fmt(p->a, "ep_%s", f->name);
        option(list, w, words || !prefix ? w : text_of(p, prefix, w, ""), strcmp(w, given) == 0);
    }
    value_set(value_set_dict(v, "is_choice"), "options", list);
}

static void set_field(struct page *p, struct value *v, const struct enroll_field *f,
                      const struct enroll_content *c)
{
    const char *given = value_of(p, f, c), *posted = req_form(p->req, f->name);
    value_set_text(v, "id", f->name);
    value_set_text(v, "name", text_of(p, "ep", f->name, ""));
    value_set_text(v, "about", text_of(p, "ep", f->name, "_about"));
    if (posted && f->type != ENROLL_SECRET)
        given = posted;
    value_set_text(v, "given", given);
    if (is(f, "access_rights") || f->type == ENROLL_WORDS)
        boxes(p, v, f, c);
    else if (f->type == ENROLL_BOOL)
        value_set_bool(value_set_dict(v, "is_check"), "checked", enroll_field_int(f, c) != 0);
    else if (f->type == ENROLL_WORD)
        choice(p, v, f, given, NULL, 0);
    else if (is(f, "key_size"))
        choice(p, v, f, given, KEY_SIZES, sizeof KEY_SIZES / sizeof *KEY_SIZES);
    else if (is(f, "key_type"))
        choice(p, v, f, given, KEY_TYPES, sizeof KEY_TYPES / sizeof *KEY_TYPES);
    else if (f->type == ENROLL_SECRET)
        value_set_bool(value_set_dict(v, "is_secret"), "stored", enroll_field_secret(f, c));
    else if (f->max >= 4000)
        value_set_bool(v, "is_area", true);
    else
        value_set_int(value_set_dict(v, "is_text"), "max", f->max ? (int64_t)f->max : 4000);
}

void enrollprofile_form(struct page *p, const struct enroll_content *c)
{
    struct value *groups = value_set_list(p->root, "groups");
    for (size_t g = 0; g < sizeof GROUPS / sizeof *GROUPS; g++) {
        struct value *v = value_append_dict(groups), *fields = value_list(p->a);
        value_set_text(v, "id", GROUPS[g].name);
        value_set_text(v, "title", text_of(p, "ep_group", GROUPS[g].name, ""));
        value_set_text(v, "lead", text_of(p, "ep_group", GROUPS[g].name, "_lead"));
        value_set(v, "fields", fields);
        for (size_t i = 0; i < GROUP_MAX && GROUPS[g].fields[i]; i++)
            set_field(p, value_append_dict(fields), enroll_field_find(GROUPS[g].fields[i]), c);
    }
}

/* ---- from the form ---- */

/* The boxes that are ticked. */
static const char *ticked(struct page *p, const struct enroll_field *f)
{
    char rights[24];
    int64_t sum = 0;
    struct buf b = BUF_INIT(LIM_KB);
    for (size_t i = 0; i < RIGHTS_N; i++) {
        snprintf(rights, sizeof rights, "right_%lld", (long long)RIGHTS[i].bit);
        sum |= req_form(p->req, rights) ? RIGHTS[i].bit : 0;
    }
    if (is(f, "access_rights"))
        buf_fmt(&b, "%lld", (long long)sum);
    else
        for (size_t i = 0; i < CAPABILITIES_N; i++)
            if (req_form(p->req, CAPABILITIES[i]))
                buf_fmt(&b, "%s%s", b.len ? " " : "", CAPABILITIES[i]);
    const char *s = arena_strdup(p->a, buf_cstr(&b));
    buf_free(&b);
    return s ? s : "";
}

enum outcome enrollprofile_take(struct page *p, struct enroll_content *c)
{
    enum outcome o = OK;
    for (size_t i = 0; o == OK && i < enroll_fields_n; i++) {
        const struct enroll_field *f = &enroll_fields[i];
        const char *given = page_field(p, f->name);
        if (f->type == ENROLL_BOOL)
            given = *given ? "yes" : "no";
        else if (is(f, "access_rights") || f->type == ENROLL_WORDS)
            given = ticked(p, f);
        else if (f->type == ENROLL_SECRET && !*given)
            continue; /* as it is */
        o = enroll_field_set(f, p->a, c, given, &p->err);
    }
    if (o != OK)
        return o;
    /* fields of another kind of identity, which the form still showed, count for nothing */
    if (c->identity != ENROLL_IDENTITY_EXTERNAL)
        c->scep_url = c->scep_name = c->scep_subject = c->scep_fingerprint = "";
    return enroll_content_check(c, p->a, &p->err);
}

/* ---- what differs ---- */

static const char *shortened(struct page *p, const char *s)
{
    const char *cut = strlen(s) > SHORT_MAX ? arena_fmt(p->a, "%.*s…", SHORT_MAX, s) : s;
    return cut && *cut ? cut : "–";
}

/* Rights by the words of those that only one side has. */
static const char *rights_only(struct page *p, int64_t has, int64_t other)
{
    struct buf b = BUF_INIT(8 * LIM_KB);
    for (size_t i = 0; i < RIGHTS_N; i++)
        if ((has & RIGHTS[i].bit) && !(other & RIGHTS[i].bit))
            buf_fmt(&b, "%s%s", b.len ? "; " : "", page_text(p, RIGHTS[i].key));
    const char *s = arena_strdup(p->a, buf_cstr(&b));
    buf_free(&b);
    return s && *s ? s : "–";
}

void enrollprofile_changes(struct page *p, const struct enroll_content *from,
                           const struct enroll_content *to)
{
    struct value *list = value_set_list(p->root, "changes");
    size_t n = 0;
    for (size_t i = 0; i < enroll_fields_n; i++) {
        const struct enroll_field *f = &enroll_fields[i];
        const char *was = value_of(p, f, from), *is_now = value_of(p, f, to);
        if (f->type == ENROLL_SECRET || strcmp(was, is_now) == 0)
            continue;
        if (is(f, "access_rights")) {
            was = rights_only(p, from->access_rights, to->access_rights);
            is_now = rights_only(p, to->access_rights, from->access_rights);
        }
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", text_of(p, "ep", f->name, ""));
        value_set_text(v, "was", shortened(p, was));
        value_set_text(v, "becomes", shortened(p, is_now));
        n++;
    }
    bool secrets = !bytes_equal(from->scep_challenge, to->scep_challenge) ||
                   !bytes_equal(from->removal_password, to->removal_password);
    value_set_bool(p->root, "secrets_differ", secrets);
    value_set_bool(p->root, "some_changes", n > 0);
}
