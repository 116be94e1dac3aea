/*
 * apps.h: apps of the library: of the App Store, by a manifest of somebody else, or by a file of
 * one's own (.ipa, .pkg), which Drover reads, keeps, and shows to devices with a manifest.
 *
 * How an app is installed stands in its settings, a JSON object with the keys of
 * InstallApplication: iTunesStoreID, ManagementFlags, Options, Configuration, Attributes,
 * ChangeManagementState, InstallAsManaged, iOSApp.
 */
#ifndef DROVER_LIBRARY_APPS_H
#define DROVER_LIBRARY_APPS_H

#include "base/conf.h"
#include "command/validate.h"
#include "store/library.h"
#include "wire/json.h"

struct app_put {
    /* in */
    int64_t item_id;          /* the item that gets a version; 0: a new one */
    const char *file;         /* name of an asset that was uploaded; NULL: none */
    const char *manifest_url; /* NULL: none */
    const char *identifier;   /* bundle identifier; may be NULL with a file, with item_id, or with
                               * iTunesStoreID among the settings: then the first device tells it */
    const char *app_version;  /* version, for people; NULL: none, or the file's */
    const char *name;         /* of a new item; NULL: what the file says, or the identifier */
    js settings;              /* of a new item; NULL: none */
    bool stage;
    const char *actor;
    int64_t now;
    /* out */
    int64_t stored_id;
    int number;
    bool repeated;
    struct findings found;
};
/* Reads the file, publishes it, checks the settings and stores the app. INVALID: what the file or
 * the settings are; CONFLICT and NOT_FOUND as library_add(), and NOT_FOUND: no such file. */
enum outcome app_put(struct db *db, const struct conf *conf, struct arena *a, struct app_put *p,
                     struct err *err) MUST_USE;

/* Checks settings of an app; findings as for a command. INVALID: there is an error among them. */
enum outcome app_settings_check(struct arena *a, js settings, struct findings *out,
                                struct err *err) MUST_USE;

/* The keys of the InstallApplication of a version: its settings, and where the app is. The caller
 * frees them. */
enum outcome app_keys(const char *identifier, const char *settings, const char *details, js *out,
                      struct err *err) MUST_USE;

/* Is it managed on devices of that kind? On a Mac it is when InstallAsManaged says so, elsewhere
 * unless Options.NotManaged does. What is not managed has no settings, nobody tells what becomes of
 * it, and it cannot be removed. */
bool app_is_managed(const char *settings, enum platform platform);

/* The keys of the Settings command that gives an app that is there its Configuration, its
 * Attributes, or both; what the settings lack is taken away from it. The caller frees them. */
enum outcome app_settings_keys(const char *identifier, const char *settings, bool configuration,
                               bool attributes, js *out, struct err *err) MUST_USE;

/* What an app's settings become by an edit: the text, the revisions of what has changed, and which
 * variables there are; was: what they were, "" for none. In a. INVALID: as app_settings_check(). */
enum outcome app_settings_take(struct arena *a, js settings, const char *was,
                               struct library_app *app, const char **text, struct findings *found,
                               struct err *err) MUST_USE;

#endif
