/*
 * group.h: groups of devices. Who is in one: store/member.h; what its devices get:
 * store/assignment.h and store/standing.h.
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
    int64_t owner; /* the scope that made it, and of whose devices alone it is; 0: not limited */
};

/* Adds one (id 0; set on return), or changes name, filter and note of one. CONFLICT: the name is
 * taken, or the group is no longer as it was at g->changed_at; INVALID: a static group cannot
 * become one by filter, or the other way; NOT_FOUND. filter was compiled by the caller. Who is
 * limited (store/scope.h) adds groups of the own devices, which give no reach, and changes those
 * alone: DENIED otherwise. */
enum outcome group_save(struct db *db, struct device_group *g, const char *actor, int64_t now,
                        struct err *err) MUST_USE;
enum outcome group_list(struct db *db, int64_t after, size_t max, struct arena *a,
                        struct device_group **out, size_t *n, struct err *err) MUST_USE;
/* The groups that a device is in, by name; at most LIM_PAGE. Only id and name are set. */
enum outcome group_of_device(struct db *db, const char *ident, struct arena *a,
                             struct device_group **out, size_t *n, struct err *err) MUST_USE;
enum outcome group_get(struct db *db, int64_t id, struct arena *a, struct device_group *out,
                       struct err *err) MUST_USE;
/* By its name. NOT_FOUND. */
enum outcome group_find(struct db *db, const char *name, struct arena *a, struct device_group *out,
                        struct err *err) MUST_USE;
/* Deletes it with its assignments: what its devices had by it is removed from them. DENIED as
 * above. */
enum outcome group_delete(struct db *db, int64_t id, const char *actor, const char *why,
                          int64_t now, struct err *err) MUST_USE;

/* Whether who asks may change the group itself: its name, its filter, who is in it. */
bool group_changes(const struct db *db, int64_t owner);
/* For the change itself: name and owner, locked as below. NOT_FOUND; DENIED. */
enum outcome group_lock_own(struct db *db, int64_t id, struct arena *a, const char **name,
                            bool *filtered, int64_t *owner, struct err *err) MUST_USE;
/* Takes out of the groups of limited accounts what these do not reach any more; inside a unit of
 * work that took devices out of groups, or groups from scopes. */
enum outcome group_trim(struct db *db, struct err *err) MUST_USE;

/* The name of the group, locked until the unit of work ends; *filtered: it has a filter. NOT_FOUND.
 */
enum outcome group_lock(struct db *db, int64_t id, struct arena *a, const char **name,
                        bool *filtered, struct err *err) MUST_USE;

/* Tells the agent that what devices are to have has changed; inside a unit of work. */
enum outcome wanted_touch(struct db *db, struct err *err) MUST_USE;

#endif
