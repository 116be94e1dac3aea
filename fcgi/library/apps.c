/* apps.c: see apps.h. */
#include "library/apps.h"

#include "assets/assets.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "command/build.h"
#include "library/app_file.h"
#include "library/practice.h"
#include "library/variables.h"
#include "store/id.h"
#include "wire/encode.h"

#define HALT_PERCENT 25 /* the schema's default */
#define TEXT_MAX (256u * LIM_KB)

/* In the arena; NULL: too long. */
static const char *text_of(struct arena *a, js v)
{
    struct buf b = BUF_INIT(TEXT_MAX);
    const char *s = js_write(v, false, &b) == OK ? arena_strdup(a, buf_cstr(&b)) : NULL;

    buf_free(&b);
    return s;
}

enum outcome app_keys(const char *identifier, const char *settings, const char *details, js *out,
                      struct err *err)
{
    js keys = NULL, about = NULL;
    const char *manifest;
    enum outcome o = js_parse(bytes_str(settings[0] != '\0' ? settings : "{}"), &keys, err);

    if (o == OK)
        o = js_parse(bytes_str(details), &about, err);
    manifest = js_get_str(about, "manifest_url");
    if (o == OK && manifest != NULL)
        js_set_str(keys, "ManifestURL", manifest);
    else if (o == OK && js_get(keys, "iTunesStoreID") == NULL)
        js_set_str(keys, "Identifier", identifier);
    js_free(&about);
    if (o != OK)
        js_free(&keys);
    *out = keys;
    return o;
}

bool app_is_managed(const char *settings, enum platform platform)
{
    struct err ignored;
    bool not_managed = false, as_managed = false;
    js s = NULL;

    if (settings[0] != '\0' && js_parse(bytes_str(settings), &s, &ignored) == OK) {
        js_get_bool(js_get(s, "Options"), "NotManaged", &not_managed);
        js_get_bool(s, "InstallAsManaged", &as_managed);
    }
    js_free(&s);
    return platform == PLATFORM_MACOS ? as_managed : !not_managed;
}

/* A setting of the list, with what the app's settings hold under key. */
static void setting_append(js list, const char *item, const char *identifier, js settings,
                           const char *key)
{
    js one = js_object(), value = js_copy(js_get(settings, key));

    js_set_str(one, "Item", item);
    js_set_str(one, "Identifier", identifier);
    if (value != NULL)
        js_set(one, key, value);
    js_append(list, one);
}

enum outcome app_settings_keys(const char *identifier, const char *settings, bool configuration,
                               bool attributes, js *out, struct err *err)
{
    js s = NULL, list;
    enum outcome o = js_parse(bytes_str(settings[0] != '\0' ? settings : "{}"), &s, err);

    *out = NULL;
    if (o != OK)
        return o;
    list = js_array();
    if (configuration)
        setting_append(list, "ApplicationConfiguration", identifier, s, "Configuration");
    if (attributes)
        setting_append(list, "ApplicationAttributes", identifier, s, "Attributes");
    *out = js_object();
    js_set(*out, "Settings", list);
    js_free(&s);
    return OK;
}

/* ---- a change of the settings ---- */

static bool each_variable(const char *key, js value, void *arg);

/* The variables in all texts of a value. */
static unsigned variables_of_json(js v)
{
    unsigned found = js_str(v) != NULL ? variables_in(js_str(v), NULL, 0) : 0;

    if (js_type_of(v) == JS_ARRAY)
        for (size_t i = 0; i < js_size(v); i++)
            found |= variables_of_json(js_at(v, i));
    if (js_type_of(v) == JS_OBJECT)
        js_each(v, each_variable, &found);
    return found;
}

static bool each_variable(const char *key, js value, void *arg)
{
    (void)key;
    *(unsigned *)arg |= variables_of_json(value);
    return true;
}

static unsigned settings_variables(js settings)
{
    return variables_of_json(js_get(settings, "Configuration")) |
           variables_of_json(js_get(settings, "Attributes"));
}

static bool differs(js was, js now, const char *key, struct arena *a)
{
    js x = js_get(was, key), y = js_get(now, key);
    const char *s = x != NULL ? text_of(a, x) : "", *t = y != NULL ? text_of(a, y) : "";

    return s == NULL || t == NULL || strcmp(s, t) != 0;
}

enum outcome app_settings_take(struct arena *a, js settings, const char *was,
                               struct library_app *app, const char **text, struct findings *found,
                               struct err *err)
{
    enum outcome o = app_settings_check(a, settings, found, err);
    bool configuration, attributes, install;
    js old = NULL;

    if (o == OK)
        o = js_parse(bytes_str(was[0] != '\0' ? was : "{}"), &old, err);
    if (o != OK)
        return o;
    configuration = differs(old, settings, "Configuration", a);
    attributes = differs(old, settings, "Attributes", a);
    install = differs(old, settings, "ManagementFlags", a);
    js_free(&old);
    if (configuration || attributes || install)
        app->settings_rev++;
    if (configuration)
        app->configuration_rev = app->settings_rev;
    if (attributes)
        app->attributes_rev = app->settings_rev;
    if (install)
        app->install_rev = app->settings_rev;
    app->variables = settings_variables(settings);
    *text = text_of(a, settings);
    return *text != NULL ? OK : err_set(err, ERROR, "out of memory");
}

static bool key_known(const char *key, js value, void *arg)
{
    static const char *const known[] = {
        "iTunesStoreID", "ManagementFlags",       "Options",          "Configuration",
        "Attributes",    "ChangeManagementState", "InstallAsManaged", "iOSApp"};
    const char **stranger = arg;

    (void)value;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], key) == 0)
            return true;
    *stranger = key;
    return false;
}

enum outcome app_settings_check(struct arena *a, js settings, struct findings *out, struct err *err)
{
    static const struct device_facts nothing = DEVICE_FACTS_UNKNOWN;
    const char *stranger = NULL, *text = text_of(a, settings);
    struct check c = {.arena = a, .facts = &nothing, .out = out};
    char uuid[UUID_LEN + 1];
    js keys = NULL;
    pl root = NULL;
    enum outcome o;

    *out = (struct findings){0};
    if (js_type_of(settings) != JS_OBJECT || text == NULL)
        return err_set(err, INVALID, "the settings must be a JSON object of at most %u octets",
                       TEXT_MAX);
    js_each(settings, key_known, &stranger);
    if (stranger != NULL)
        return err_set(err, INVALID, "an app has no setting \"%.64s\"", stranger);
    o = app_keys("org.example.app", text, "{}", &keys, err);
    if (o == OK)
        o = command_build(a, "InstallApplication", keys, &root, uuid, out, err);
    if (o == OK)
        o = command_validate(a, root, &nothing, out, err);
    if (o == OK) {
        size_t was = check_key(&c, "Configuration");

        practice_passwords(&c, pl_get(pl_get(root, "Command"), "Configuration"));
        check_up(&c, was);
        o = c.failed ? err_set(err, ERROR, "out of memory") : OK;
    }
    js_free(&keys);
    pl_free(&root);
    return o;
}

/* ---- storing ---- */

static enum outcome from_file(const struct conf *conf, struct arena *a, struct app_put *p,
                              struct library_upload *u, js details, struct err *err)
{
    const char *path = asset_path(conf, a, p->file);
    struct asset_made made;
    struct app_file f;
    enum outcome o;

    if (path == NULL)
        return err_set(err, NOT_FOUND, "there is no uploaded file \"%.64s\"", p->file);
    o = app_file_read(a, path, &f, err);
    if (o == NOT_FOUND || (o == INVALID && err->outcome == NOT_FOUND))
        return err_set(err, NOT_FOUND, "there is no file %s being uploaded", p->file);
    if (o != OK)
        return o;
    if (p->identifier != NULL && strcmp(p->identifier, f.bundle_id) != 0)
        return err_set(err, CONFLICT, "the file is the app %.200s, not %.120s", f.bundle_id,
                       p->identifier);
    o = asset_publish(
        conf, a, p->file,
        &(struct asset_app){f.bundle_id, f.version, f.name, f.pkg ? "app.pkg" : "app.ipa"}, &made,
        err);
    if (o != OK)
        return o;
    u->item.identifier = f.bundle_id;
    u->item.name = f.name;
    u->v.uuid = f.short_version[0] != '\0' ? f.short_version : f.version;
    u->v.size = made.size;
    u->v.platforms = f.platforms;
    memcpy(u->v.sha256, made.sha256, sizeof made.sha256);
    js_set_str(details, "manifest_url", made.manifest_url);
    js_set_str(details, "url", made.url);
    js_set_str(details, "file", p->file);
    js_set_str(details, "build", f.version);
    js_set_str(details, "form", f.pkg ? "pkg" : "ipa");
    if (f.minimum_os[0] != '\0')
        js_set_str(details, "minimum_os", f.minimum_os);
    return OK;
}

static bool identifier_valid(const char *s)
{
    size_t n = s != NULL ? strlen(s) : 0;

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] <= 0x20 || s[i] == 0x7f)
            return false;
    return n > 0 && n <= LIM_IDENT;
}

/* The number in the App Store, in the arena, where that is all that is known; NULL: it is not. */
static const char *store_number(struct arena *a, js settings)
{
    int64_t n = 0;

    return js_get_int(settings, "iTunesStoreID", &n) && n > 0 ? arena_fmt(a, "%lld", (long long)n)
                                                              : NULL;
}

static enum outcome from_names(struct arena *a, struct app_put *p, struct library_upload *u,
                               js details, struct err *err)
{
    if (p->identifier == NULL && p->manifest_url == NULL)
        p->identifier = store_number(a, p->settings);
    if (!identifier_valid(p->identifier))
        return err_set(err, INVALID,
                       "an app needs its bundle identifier, without blanks, or iTunesStoreID among "
                       "its settings");
    if (p->manifest_url != NULL &&
        (strncmp(p->manifest_url, "https://", 8) != 0 || strlen(p->manifest_url) > 2000 ||
         !identifier_valid(p->manifest_url + 8)))
        return err_set(err, INVALID, "the URL of a manifest begins with https://");
    u->item.identifier = u->item.name = p->identifier;
    u->v.uuid = p->app_version != NULL ? p->app_version : "";
    if (p->manifest_url != NULL)
        js_set_str(details, "manifest_url", p->manifest_url);
    return OK;
}

/* What the item is, where a version is added to one. */
static enum outcome item_known(struct db *db, struct arena *a, struct app_put *p, struct err *err)
{
    struct library_item i;
    enum outcome o = p->item_id != 0 ? library_get(db, p->item_id, a, &i, err) : OK;

    if (p->item_id == 0 || o != OK)
        return o;
    if (i.kind != LIBRARY_APP)
        return err_set(err, NOT_FOUND, "%s is no app", i.name);
    if (p->identifier == NULL)
        p->identifier = i.identifier;
    return OK;
}

enum outcome app_put(struct db *db, const struct conf *conf, struct arena *a, struct app_put *p,
                     struct err *err)
{
    struct library_upload u = {
        .item_id = p->item_id, .stage = p->stage, .actor = p->actor, .now = p->now};
    js details = js_object();
    enum outcome o = OK;

    p->found = (struct findings){0};
    if (p->settings != NULL)
        o = app_settings_check(a, p->settings, &p->found, err);
    if (o == OK)
        o = item_known(db, a, p, err);
    if (o == OK)
        o = p->file != NULL ? from_file(conf, a, p, &u, details, err)
                            : from_names(a, p, &u, details, err);
    u.v.details = text_of(a, details);
    js_free(&details);
    if (o != OK)
        return o;
    if (u.v.details == NULL)
        return err_set(err, INVALID, "the texts are too long");
    if (p->file == NULL) /* each asks for the app anew */
        random_bytes(u.v.sha256, sizeof u.v.sha256);
    u.item.kind = LIBRARY_APP;
    u.item.halt_percent = HALT_PERCENT;
    u.item.settings = p->settings != NULL ? text_of(a, p->settings) : "";
    u.item.app.variables = p->settings != NULL ? settings_variables(p->settings) : 0;
    if (p->name != NULL)
        u.item.name = p->name;
    u.v.id = id_new();
    u.v.signed_by = u.v.types = "";
    o = library_add(db, &u, err);
    p->stored_id = u.v.item_id;
    p->number = u.number;
    p->repeated = u.repeated;
    return o;
}
