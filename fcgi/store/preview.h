/* preview.h: what a change of a group would change on which devices, before it is made. */
#ifndef DROVER_STORE_PREVIEW_H
#define DROVER_STORE_PREVIEW_H

#include "store/filter.h"
#include "store/standing.h"

#define PREVIEW_ITEMS 200u
#define PREVIEW_SAMPLE 10u

/* Devices, and some of them by enrollment id. */
struct preview_set {
    size_t n, nsample;
    bool for_users; /* it goes to the users of Macs and Shared iPads among them: */
    size_t users;   /* so many, */
    size_t waiting; /* and on so many of the devices nobody has logged in yet */
    const char *sample[PREVIEW_SAMPLE];
    const char *name[PREVIEW_SAMPLE]; /* what people call them: DeviceName, or the serial number */
};

struct preview_item {
    int64_t item_id;
    const char *name;
    struct preview_set install, remove;
};

/* A command of the group: who would be sent it at once. */
struct preview_order {
    int64_t order_id;
    const char *request_type;
    int policy;              /* enum standing_policy */
    bool fresh, ended;       /* it comes in, or goes out, with the change */
    struct preview_set send; /* out */
};

struct preview {
    /* in */
    const char *device;          /* instead of a group: what one device has by itself, by its
                                  * enrollment id or serial number; NULL: a group */
    int64_t group_id;            /* 0: a group that is not there yet */
    const struct filter *filter; /* NULL: the devices it has */
    const char *const *add, *const *remove; /* without those, and with these: enrollment ids or
                                             * serial numbers; NULL: none */
    size_t nadd, nremove;
    const int64_t *items; /* what would be assigned to it */
    size_t nitems;
    bool keep_items;              /* what is assigned to it stays; items is not looked at */
    struct preview_order *orders; /* commands; NULL: they are not looked at */
    size_t norders;
    /* out, in the arena */
    size_t devices; /* in the group then */
    struct preview_set join, leave;
    struct preview_item *changes; /* one for each item that is assigned, or was */
    size_t nchanges;
};

/* Changes nothing. INVALID: more than PREVIEW_ITEMS items; NOT_FOUND: no such device or item;
 * CONFLICT: that serial number is of several devices. */
enum outcome preview_run(struct db *db, struct preview *p, struct arena *a,
                         struct err *err) MUST_USE;

/* What a version of an item would change, among the devices that are to have the item. */
struct preview_version {
    int64_t item_id;
    int number; /* 0: one that is not there yet */
    /* out, in the arena */
    struct preview_set change;
    size_t same; /* devices that have that version already */
};
enum outcome preview_version(struct db *db, struct preview_version *p, struct arena *a,
                             struct err *err) MUST_USE;
/* Which devices would get an item (or be rid of it) if it were assigned to a group, or not any
 * more: the group's devices that are not to have it by another. */
enum outcome preview_assignment(struct db *db, int64_t item_id, int64_t group_id, struct arena *a,
                                struct preview_set *out, struct err *err) MUST_USE;

/* The same for one device, by its enrollment id or serial number: itself, or nobody where a group
 * of it has the item assigned. */
enum outcome preview_device(struct db *db, int64_t item_id, const char *device, struct arena *a,
                            struct preview_set *out, struct err *err) MUST_USE;

/* The devices that have an item, and are to keep it: whom a change of its settings reaches. */
enum outcome preview_having(struct db *db, int64_t item_id, struct arena *a,
                            struct preview_set *out, struct err *err) MUST_USE;

#endif
