/*
 * setting.h: settings that are changed while the programs run: the keys of drover.conf(5) that are
 * marked so in the table of base/conf.c. What the file names is as the file says; of the others the
 * table here has the word. Each process looks every few seconds whether something has changed.
 */
#ifndef DROVER_STORE_SETTING_H
#define DROVER_STORE_SETTING_H

#include "base/conf_keys.h"
#include "store/db.h"

#define SETTING_VALUE_MAX 255 /* octets */

struct setting {
    const char *name; /* "section.name" */
    const char *value;
    int64_t changed_at;
    const char *changed_by;
};
/* All that are set, by name, and the version that a change must name; in a. */
enum outcome setting_list(struct db *db, struct arena *a, struct setting **out, size_t *n,
                          int64_t *version, struct err *err) MUST_USE;

/* A key of the configuration as it counts at this moment, be it changeable here or not. */
struct setting_now {
    const struct conf_key *key;
    const char *name, *value; /* "section.name"; the value as drover.conf would have it */
    const char *origin;       /* "file", "database" or "default" */
    int64_t changed_at;       /* of one that the database has the word of; else 0 */
    const char *changed_by;   /* else "" */
};
/* All conf_keys_n of them, in the order of that table, and the version that a change must name; in
 * a. conf: the file's configuration, or the one in force. A value that this program does not take
 * is as if it were not there. */
enum outcome setting_now(struct db *db, const struct conf *conf, struct arena *a,
                         struct setting_now **out, int64_t *version, struct err *err) MUST_USE;

/* One change of some: value NULL takes a setting back, so that the default counts. */
struct setting_change {
    const char *name, *value;
};
/* Changes all or none, each audited with what it was. expected: the version that was looked at; 0:
 * whatever is there. CONFLICT: somebody has changed something since. INVALID: no such key, one that
 * cannot be changed so, one that the file names, a value that is wrong. */
enum outcome setting_save(struct db *db, const struct conf *file, const struct setting_change *x,
                          size_t n, int64_t expected, const char *by, struct err *err) MUST_USE;

/* What a process goes by. */
struct settings;
/* file must outlive it. NULL: memory. */
struct settings *settings_new(const struct conf *file);
void settings_free(struct settings **s);
/* Reads what has changed since. *changed (may be NULL) says whether something has. */
enum outcome settings_refresh(struct settings *s, struct db *db, bool *changed,
                              struct err *err) MUST_USE;
/* The configuration in force, for as long as a lives; the file's own when memory runs out. */
const struct conf *settings_conf(struct settings *s, struct arena *a);
/* Takes what is in force over into live, which began as a copy of the file; its strings are good
 * until the next settings_refresh(). */
void settings_into(struct settings *s, struct conf *live);

#endif
