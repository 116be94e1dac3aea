/*
 * group.h: groups of devices, tags, and what is assigned to groups. Who is in a group defined by a
 * filter is found by the agent (store/wanted.h).
 */
#ifndef DROVER_STORE_GROUP_H
#define DROVER_STORE_GROUP_H

#include "store/db.h"

struct device_group {
    int64_t id;
    const char *name;
    const char *filter; /* JSON, ""; a static group */
    const char *note;
    int64_t created_at, changed_at;
    const char *created_by, *changed_by;
    int64_t evaluated_at, evaluated_us; /* 0: not yet */
    int64_t members;
};

/* Adds one (id 0; set on return), or changes name, filter and note of one. CONFLICT: the name is
 * taken; INVALID: a static group cannot become one by filter, or the other way; NOT_FOUND. filter
 * was compiled by the caller. */
enum outcome group_save(struct db *db, struct device_group *g, const char *actor, int64_t now,
                        struct err *err) MUST_USE;
enum outcome group_list(struct db *db, int64_t after, size_t max, struct arena *a,
                        struct device_group **out, size_t *n, struct err *err) MUST_USE;
enum outcome group_get(struct db *db, int64_t id, struct arena *a, struct device_group *out,
                       struct err *err) MUST_USE;
/* By its name. NOT_FOUND. */
enum outcome group_find(struct db *db, const char *name, struct arena *a, struct device_group *out,
                        struct err *err) MUST_USE;
/* Deletes it with its assignments: what its devices had by it is removed from them. */
enum outcome group_delete(struct db *db, int64_t id, const char *actor, const char *why,
                          int64_t now, struct err *err) MUST_USE;

struct group_device {
    int64_t id;
    const char *ident, *serial, *device_name;
    int64_t since;
};
/* At most max (LIM_PAGE) devices of a group with ids above after. */
enum outcome group_members(struct db *db, int64_t id, int64_t after, size_t max, struct arena *a,
                           struct group_device **out, size_t *n, struct err *err) MUST_USE;
/* Puts devices into a static group and takes others out, by enrollment ids. INVALID: the group has
 * a filter; NOT_FOUND: no such group. Ids of no enrolled device are counted in *unknown. */
struct group_edit {
    const char *const *add, *const *remove;
    size_t nadd, nremove;
    size_t unknown; /* out */
};
enum outcome group_edit(struct db *db, int64_t id, struct group_edit *e, const char *actor,
                        int64_t now, struct err *err) MUST_USE;

/* Gives a tag to devices and takes it from others. */
enum outcome tag_edit(struct db *db, const char *tag, struct group_edit *e, const char *actor,
                      int64_t now, struct err *err) MUST_USE;
struct tag_count {
    const char *tag;
    int64_t devices;
};
enum outcome tag_list(struct db *db, struct arena *a, struct tag_count **out, size_t *n,
                      struct err *err) MUST_USE;

struct assignment {
    int64_t id, group_id, item_id;
    const char *group, *item, *identifier;
    int kind; /* enum library_kind */
    int64_t created_at;
    const char *created_by;
};
/* NOT_FOUND: no such group or item; CONFLICT: it is there already. *id: of the new one. */
enum outcome assignment_add(struct db *db, int64_t group_id, int64_t item_id, const char *actor,
                            int64_t now, int64_t *id, struct err *err) MUST_USE;
enum outcome assignment_delete(struct db *db, int64_t id, const char *actor, const char *why,
                               struct err *err) MUST_USE;
/* Those of a group, of an item (0: of all), with ids above after. */
enum outcome assignment_list(struct db *db, int64_t group_id, int64_t item_id, int64_t after,
                             size_t max, struct arena *a, struct assignment **out, size_t *n,
                             struct err *err) MUST_USE;

/* Tells the agent that what devices are to have has changed; inside a unit of work. */
enum outcome wanted_touch(struct db *db, struct err *err) MUST_USE;

#endif
