/* member.h: who is in a group, and which device has which tag. Who is in a group defined by a
 * filter is found by the agent (store/wanted.h). */
#ifndef DROVER_STORE_MEMBER_H
#define DROVER_STORE_MEMBER_H

#include "store/db.h"

#define GROUP_UNKNOWN 20 /* of the names of no device, so many are told */

struct group_device {
    int64_t id;
    const char *ident, *serial, *device_name;
    int64_t since;
};
/* At most max (LIM_PAGE) devices of a group with ids above after. */
enum outcome group_members(struct db *db, int64_t id, int64_t after, size_t max, struct arena *a,
                           struct group_device **out, size_t *n, struct err *err) MUST_USE;
/* Puts devices into a static group and takes others out, by enrollment ids or serial numbers.
 * INVALID: the group has a filter; NOT_FOUND: no such group; DENIED: who is limited changes the
 * groups of the own making alone (store/group.h). Ids of no enrolled device are counted
 * in *unknown. */
struct group_edit {
    const char *const *add, *const *remove;
    size_t nadd, nremove;
    /* out */
    size_t unknown;                       /* names of no enrolled device */
    const char *strangers[GROUP_UNKNOWN]; /* the first of them */
};
enum outcome group_edit(struct db *db, int64_t id, struct group_edit *e, const char *actor,
                        int64_t now, struct err *err) MUST_USE;

/* Gives a tag to devices and takes it from others. DENIED: who is limited, with a tag by which a
 * group that limits somebody finds its devices. */
enum outcome tag_edit(struct db *db, const char *tag, struct group_edit *e, const char *actor,
                      int64_t now, struct err *err) MUST_USE;
/* The tags of a device, by its enrollment id: words; in a. */
enum outcome tag_of_device(struct db *db, const char *ident, struct arena *a, const char ***out,
                           size_t *n, struct err *err) MUST_USE;
struct tag_count {
    const char *tag;
    int64_t devices;
};
enum outcome tag_list(struct db *db, struct arena *a, struct tag_count **out, size_t *n,
                      struct err *err) MUST_USE;

#endif
