/* catalogue_json.c: the catalogue as JSON, for the HTTP API, droverctl and forms. */
#include "command/catalogue_int.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const modes[] = {[MODE_ALLOWED] = "allowed",
                                    [MODE_REQUIRED] = "required",
                                    [MODE_FORBIDDEN] = "forbidden",
                                    [MODE_IGNORED] = "ignored"};

static const char *or_null(const char *s)
{
    return *s != '\0' ? s : NULL;
}

static void set_version(js o, const char *key, uint16_t v)
{
    char version[VERSION_TEXT_MAX];

    js_set_str(o, key, or_null(version_text(v, version)));
}

static void set_says(js o, const char *key, uint8_t says)
{
    if (says != SAYS_NOTHING)
        js_set_bool(o, key, says == SAYS_YES);
}

static js os_json(const struct catalogue_os *os)
{
    js o = js_object();

    if (os->introduced == VERSION_NEVER) {
        js_set_bool(o, "available", false);
        return o;
    }
    set_version(o, "introduced", os->introduced);
    set_version(o, "deprecated", os->deprecated);
    set_version(o, "removed", os->removed);
    if (os->right1 != 0)
        js_set_str(o, "right", right_name(os->right1 - 1u));
    set_says(o, "supervised", os->supervised);
    set_says(o, "dep", os->dep);
    set_says(o, "device_channel", os->device);
    set_says(o, "user_channel", os->user);
    if (os->shared != MODE_UNSAID || os->shared_device || os->shared_user) {
        js shared = js_object();

        js_set_str(shared, "mode", modes[os->shared]);
        set_says(shared, "device_channel", os->shared_device);
        set_says(shared, "user_channel", os->shared_user);
        js_set(o, "shared_ipad", shared);
    }
    js_set_str(o, "user_enrolment", modes[os->user_enrolment]);
    return o;
}

static void set_platforms(js o, cat n)
{
    js platforms = js_object();

    for (size_t i = 0; i < n->os_n; i++) {
        const struct catalogue_os *os = &catalogue_oses[n->os + i];

        js_set(platforms, platform_name((enum platform)os->platform), os_json(os));
    }
    if (n->os_n != 0)
        js_set(o, "platforms", platforms);
    else
        js_free(&platforms);
}

/* A value of the catalogue, kept as text, in the type that it has. */
static js typed(cat n, const char *s)
{
    switch (n->type) {
    case CATALOGUE_INTEGER:
        return js_new_int(strtoll(s, NULL, 10));
    case CATALOGUE_REAL:
        return js_new_real(strtod(s, NULL));
    case CATALOGUE_BOOLEAN:
        return js_new_bool(strcmp(s, "true") == 0);
    default:
        return js_new_str(s);
    }
}

static void set_values(js o, cat n)
{
    double low, high;
    js list;

    if (catalogue_default(n) != NULL)
        js_set(o, "default", typed(n, catalogue_default(n)));
    if (n->values_n != 0) {
        list = js_array();
        for (size_t i = 0; i < n->values_n; i++)
            js_append(list, typed(n, catalogue_value_at(n, i)));
        js_set(o, "one_of", list);
    }
    if (catalogue_range(n, &low, &high)) {
        list = js_array();
        js_append(list, js_new_real(low));
        js_append(list, js_new_real(high));
        js_set(o, "range", list);
    }
}

static void set_rules(js o, cat n)
{
    js list;

    if (n->rules_n == 0)
        return;
    list = js_array();
    for (size_t i = 0; i < n->rules_n; i++) {
        char line[256];
        const char *args;
        enum rule r = catalogue_rule(n, i, &args);

        snprintf(line, sizeof line, *args != '\0' ? "%s %s" : "%s", rule_name(r), args);
        js_append(list, js_new_str(line));
    }
    js_set(o, "rules", list);
}

static void set_below(js o, cat n, enum catalogue_kind kind, const char *key)
{
    js list = NULL;

    for (cat c = catalogue_first(n); c != NULL; c = catalogue_next(c))
        if (c->kind == kind) {
            if (list == NULL)
                list = js_array();
            js_append(list, catalogue_json(c));
        }
    if (list != NULL)
        js_set(o, key, list);
}

static void set_notnow(js o, cat n)
{
    js list = js_array();

    for (int p = PLATFORM_UNKNOWN + 1; p < PLATFORM__MAX; p++)
        if (catalogue_never_notnow(n, (enum platform)p))
            js_append(list, js_new_str(platform_name((enum platform)p)));
    js_set(o, "never_not_now", list);
}

js catalogue_json(cat n)
{
    js o = js_object();
    bool command = n->kind == CATALOGUE_COMMAND;

    js_set_str(o, command ? "request_type" : "name", or_null(catalogue_name(n)));
    js_set_str(o, "about", or_null(catalogue_about(n)));
    if (!command && n->kind != CATALOGUE_VALUE)
        js_set_str(o, "type", catalogue_type_name(catalogue_type(n)));
    if (n->kind == CATALOGUE_KEY || n->kind == CATALOGUE_ANSWER)
        js_set_bool(o, "required", catalogue_is(n, CATALOGUE_REQUIRED));
    if (catalogue_is(n, CATALOGUE_ANY_NAME))
        js_set_bool(o, "any_name", true);
    if (catalogue_is(n, CATALOGUE_SECRET))
        js_set_bool(o, "secret", true);
    if (catalogue_is(n, CATALOGUE_LEGACY))
        js_set_bool(o, "legacy", true);
    if (command) {
        js_set_bool(o, "sensitive", catalogue_is(n, CATALOGUE_SENSITIVE));
        if (catalogue_is(n, CATALOGUE_PERSONAL))
            js_set_bool(o, "personal", true);
        set_notnow(o, n);
    }
    set_values(o, n);
    set_platforms(o, n);
    set_rules(o, n);
    set_below(o, n, CATALOGUE_KEY, "keys");
    set_below(o, n, CATALOGUE_ITEM, "items");
    set_below(o, n, CATALOGUE_VALUE, "values");
    set_below(o, n, CATALOGUE_ANSWER, "answer");
    return o;
}

js catalogue_json_all(void)
{
    js list = js_array();

    for (size_t i = 0; i < catalogue_count(); i++)
        js_append(list, catalogue_json(catalogue_at(i)));
    return list;
}
