/* edit.c: see edit.h. */
#include "library/edit.h"

#include "base/limits.h"
#include "library/apps.h"
#include "library/profiles.h"

#include <errno.h>
#include <stdlib.h>

#define WHAT_MAX 4000
#define WAVE_MAX 1000000
#define HOURS_MAX 8760 /* a year */

bool library_id_read(const char *s, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(s, &end, 10);
    return errno == 0 && *s >= '1' && *s <= '9' && *end == '\0';
}

struct edit {
    struct arena *a;
    struct library_item *item;
    struct buf what; /* for the audit log */
    struct err *err;
    enum outcome o;
};

static enum outcome number_read(js value, const char *key, int64_t max, int *out, struct err *err)
{
    int64_t n;

    if (!js_int(value, &n) || n < 0 || n > max)
        return err_set(err, INVALID, "\"%s\" must be a number from 0 to %lld", key, (long long)max);
    *out = (int)n;
    return OK;
}

static enum outcome flag_read(js value, const char *key, bool *out, struct err *err)
{
    return js_bool(value, out) ? OK : err_set(err, INVALID, "\"%s\" must be true or false", key);
}

static enum outcome name_read(struct edit *e, js value)
{
    const char *s = js_str(value);

    if (s == NULL || s[0] == '\0' || strlen(s) > 4 * LIM_IDENT)
        return err_set(e->err, INVALID, "\"name\" must be a text of 1 to 255 characters");
    e->item->name = arena_strdup(e->a, s);
    return e->item->name != NULL ? OK : err_set(e->err, ERROR, "out of memory");
}

static enum outcome after_read(struct edit *e, js value)
{
    const char *s = js_str(value);

    e->item->after_id = 0;
    if (js_type_of(value) == JS_NULL || (s != NULL && library_id_read(s, &e->item->after_id)))
        return OK;
    return err_set(
        e->err, INVALID,
        "\"after\" must be the id of what must be installed first, as a string, or null");
}

static enum outcome signing_read(struct edit *e, js value)
{
    e->item->signing = profile_signing_read(js_str(value));
    return e->item->signing >= 0
               ? OK
               : err_set(e->err, INVALID, "\"signing\" is drover, uploaded or none");
}

static enum outcome channel_read(struct edit *e, js value)
{
    e->item->channel = profile_channel_read(js_str(value));
    return e->item->channel >= 0
               ? OK
               : err_set(e->err, INVALID, "\"channel\" is profile, device or user");
}

static enum outcome settings_read(struct edit *e, js value)
{
    struct findings found;

    return app_settings_take(e->a, value, e->item->settings, &e->item->app, &e->item->settings,
                             &found, e->err);
}

static enum outcome app_key_read(struct edit *e, const char *key, js value)
{
    struct library_app *app = &e->item->app;

    if (strcmp(key, "settings") == 0)
        return settings_read(e, value);
    if (strcmp(key, "feedback_hours") == 0)
        return number_read(value, key, HOURS_MAX, &app->feedback_hours, e->err);
    if (strcmp(key, "feedback_delete") == 0)
        return flag_read(value, key, &app->feedback_delete, e->err);
    if (strcmp(key, "update_hours") == 0)
        return number_read(value, key, HOURS_MAX, &app->update_hours, e->err);
    if (strcmp(key, "codes_low") == 0)
        return number_read(value, key, WAVE_MAX, &app->codes_low, e->err);
    return err_set(e->err, INVALID, "unknown key \"%.64s\"", key);
}

static enum outcome key_read(struct edit *e, const char *key, js value)
{
    struct library_item *i = e->item;
    bool profile = i->kind == LIBRARY_PROFILE;

    if (strcmp(key, "name") == 0)
        return name_read(e, value);
    if (strcmp(key, "version") == 0)
        return number_read(value, key, INT32_MAX, &i->version, e->err);
    if (strcmp(key, "after") == 0)
        return after_read(e, value);
    if (strcmp(key, "after_passcode") == 0)
        return flag_read(value, key, &i->after_passcode, e->err);
    if (strcmp(key, "wave_first") == 0)
        return number_read(value, key, WAVE_MAX, &i->wave_first, e->err);
    if (strcmp(key, "halt_percent") == 0)
        return number_read(value, key, 100, &i->halt_percent, e->err);
    if (profile && strcmp(key, "signing") == 0)
        return signing_read(e, value);
    if (profile && strcmp(key, "channel") == 0)
        return channel_read(e, value);
    if (profile && strcmp(key, "encrypt") == 0)
        return flag_read(value, key, &i->encrypt, e->err);
    if (i->kind == LIBRARY_APP)
        return app_key_read(e, key, value);
    return err_set(e->err, INVALID, "unknown key \"%.64s\"", key);
}

static bool each_key(const char *key, js value, void *arg)
{
    struct edit *e = arg;
    struct buf text = BUF_INIT(400);

    e->o = key_read(e, key, value);
    buf_fmt(&e->what, "%s%s=%s", e->what.len != 0 ? " " : "", key,
            js_write(value, false, &text) == OK ? buf_cstr(&text) : "...");
    buf_free(&text);
    return e->o == OK;
}

enum outcome library_edit(struct db *db, struct arena *a, struct library_item *item, js changes,
                          const char *actor, int64_t now, struct err *err)
{
    struct edit e = {a, item, BUF_INIT(WHAT_MAX), err, OK};

    if (js_type_of(changes) == JS_OBJECT)
        js_each(changes, each_key, &e);
    else
        e.o = err_set(err, INVALID, "the changes must be a JSON object");
    if (e.o == OK && item->kind == LIBRARY_PROFILE && item->signing == LIBRARY_AS_UPLOADED &&
        (item->encrypt || item->current.variables != 0))
        e.o = err_set(err, INVALID,
                      "a profile that is encrypted or has variables cannot be delivered as it was "
                      "uploaded: \"signing\" must be drover or none");
    if (e.o == OK)
        e.o = library_change(db, item, actor, buf_cstr(&e.what), now, err);
    if (e.o == OK)
        e.o = library_get(db, item->id, a, item, err);
    buf_free(&e.what);
    return e.o;
}
