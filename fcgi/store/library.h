/*
 * library.h: the library: profiles and apps with their versions. What a version holds is the
 * business of library/.
 */
#ifndef DROVER_STORE_LIBRARY_H
#define DROVER_STORE_LIBRARY_H

#include "store/db.h"

enum library_kind { LIBRARY_PROFILE = 1, LIBRARY_PROVISIONING, LIBRARY_APP };
enum library_signing { LIBRARY_AS_UPLOADED, LIBRARY_SIGNED, LIBRARY_UNSIGNED };
/* Whose channel a configuration profile is installed on (store/wanted_channel.h). */
enum library_channel { LIBRARY_CHANNEL_AS_SAID, LIBRARY_CHANNEL_DEVICE, LIBRARY_CHANNEL_USER };
/* Its PayloadScope. */
enum library_scope { LIBRARY_SCOPE_NONE, LIBRARY_SCOPE_SYSTEM, LIBRARY_SCOPE_USER };

/* "profile", "provisioning-profile", "app"; "?" for anything else. */
const char *library_kind_name(int kind);

/* Strings are "" and times 0 when absent. */
struct library_version {
    int64_t id, item_id;
    int number;
    const char *uuid;
    uint8_t sha256[32];
    int64_t size;
    const char *signed_by, *types;
    int scope; /* enum library_scope */
    unsigned variables, platforms;
    int64_t expires_at;
    const char *details; /* JSON object */
    int64_t created_at;
    const char *created_by;
};

/* What an app has beside its settings. A revision counts changes of settings: what of them changed
 * when tells which devices are to be told what. */
struct library_app {
    int settings_rev, configuration_rev, attributes_rev, install_rev;
    unsigned variables; /* in the settings: bits of library/variables.h */
    int feedback_hours; /* 0: it is not asked for feedback */
    bool feedback_delete;
    int update_hours; /* 0: the store is not asked for updates */
    int codes_low;
    int64_t codes_alarm_at;
};

struct library_item {
    int64_t id;
    int kind; /* enum library_kind */
    const char *identifier, *name;
    int version; /* number of the one that devices are to have */
    int signing; /* enum library_signing */
    int channel; /* enum library_channel */
    bool encrypt, after_passcode;
    int64_t after_id;     /* 0: none */
    const char *settings; /* JSON object; "" */
    int wave_first, halt_percent;
    int64_t created_at, changed_at;
    const char *created_by, *changed_by;
    struct library_version current; /* of that number */
    struct library_app app;         /* of an app */
};

/* A version to be stored: v without number, times and created_by; v.id was made with id_new(), as
 * content is sealed for it. */
struct library_upload {
    struct library_item item; /* kind, identifier, name and what a new item begins with */
    struct library_version v;
    struct bytes content; /* sealed; empty: none */
    int64_t item_id;      /* the item that gets a version; 0: a new item */
    bool stage;           /* devices keep the version that they are to have */
    int base;             /* the newest version must be that one; 0: any */
    const char *actor;
    int64_t now;
    /* out */
    int number;
    bool repeated; /* the newest version is the same file: nothing was stored */
};
/* CONFLICT: there is an item of that kind and identifier (a new item), or the file is of another
 * identifier (a version), or there is a version newer than base; NOT_FOUND: no item of that id;
 * INVALID: devices would get a version whose PayloadScope is System on the channels of users. */
enum outcome library_add(struct db *db, struct library_upload *u, struct err *err) MUST_USE;

/* At most max (LIM_PAGE) items of a kind (0: any), the oldest first, with ids above after; search
 * (NULL: all): a part of name or identifier. */
enum outcome library_list(struct db *db, int kind, const char *search, int64_t after, size_t max,
                          struct arena *a, struct library_item **out, size_t *n,
                          struct err *err) MUST_USE;
/* NOT_FOUND: there is none of that id, or it was deleted. */
enum outcome library_get(struct db *db, int64_t id, struct arena *a, struct library_item *out,
                         struct err *err) MUST_USE;
/* By kind and identifier. NOT_FOUND as above. */
enum outcome library_find(struct db *db, int kind, const char *identifier, struct arena *a,
                          struct library_item *out, struct err *err) MUST_USE;
/* At most max (LIM_PAGE) versions of an item, the newest first, with numbers below before (0: from
 * the start). */
enum outcome library_versions(struct db *db, int64_t item_id, int before, size_t max,
                              struct arena *a, struct library_version **out, size_t *n,
                              struct err *err) MUST_USE;
/* A version of an item by its number, with its sealed file. NOT_FOUND: there is none. */
enum outcome library_version_get(struct db *db, int64_t item_id, int number, struct arena *a,
                                 struct library_version *out, struct bytes *content,
                                 struct err *err) MUST_USE;
/* The same without the file, of an item that may be deleted: what is to go from devices. */
enum outcome library_version_any(struct db *db, int64_t item_id, int number, struct arena *a,
                                 struct library_version *out, struct err *err) MUST_USE;
/* The item of a version, with that version as `current`. NOT_FOUND: there is none. */
enum outcome library_delivery_item(struct db *db, int64_t version_id, struct arena *a,
                                   struct library_item *out, struct err *err) MUST_USE;
/* What delivery needs of a version: its item, and the sealed file. NOT_FOUND: there is none. */
enum outcome library_for_delivery(struct db *db, int64_t version_id, struct arena *a,
                                  struct library_item *out, struct bytes *content,
                                  struct err *err) MUST_USE;

/* Stores what of an item can be changed: name, version, signing, channel, encrypt, after_id,
 * after_passcode, settings, wave_first, halt_percent, and of app all but codes_alarm_at. CONFLICT:
 * it was changed since it was read (changed_at); NOT_FOUND: no such item; INVALID: no such version
 * or no such item to wait for, or they would wait for each other, or the version is for the system
 * alone and the channel that of users. what: for the audit log, key=value. */
enum outcome library_change(struct db *db, const struct library_item *item, const char *actor,
                            const char *what, int64_t now, struct err *err) MUST_USE;
/* A device has told the bundle identifier of an app that was known by its number in the store alone
 * (was). CONFLICT: another app of the library has that identifier. */
enum outcome library_learn(struct db *db, int64_t id, const char *was, const char *identifier,
                           struct err *err) MUST_USE;
/* The files of all versions of all apps, by the names they were uploaded under. */
struct library_file {
    const char *name;
    bool deleted; /* the app was */
};
enum outcome library_files(struct db *db, struct arena *a, struct library_file **out, size_t *n,
                           struct err *err) MUST_USE;
/* Deletes an item. CONFLICT: another item waits for it. NOT_FOUND: no such item. */
enum outcome library_delete(struct db *db, int64_t id, const char *actor, const char *why,
                            int64_t now, struct err *err) MUST_USE;

#endif
