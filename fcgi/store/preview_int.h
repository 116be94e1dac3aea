/*
 * preview_int.h: sets of devices, as previews reckon with them, among store/preview*.c. They are
 * ids in ascending order, so that one is taken from another in one pass.
 */
#ifndef DROVER_STORE_PREVIEW_INT_H
#define DROVER_STORE_PREVIEW_INT_H

#include "store/preview.h"

#define CROWD_GROUPS 64
#define CROWD_IDS 1000000 /* of their devices */

struct ids {
    int64_t *v;
    size_t n;
};

/* Who is asked about: what was read once is kept, as many items have the same groups. */
struct crowd {
    struct db *db;
    struct arena *a, *once; /* once: what is too much to be kept, until the next */
    int64_t device;         /* what one has by itself: the others are its groups; 0: a group's */
    bool has_gone;
    struct ids gone; /* devices that are not enrolled */
    struct ids left; /* room to work in, for room devices */
    size_t room;
    struct {
        int64_t id;
        struct ids devices;
    } group[CROWD_GROUPS];
    size_t ngroups, kept;
};
/* For one question; what it finds is in the arena. NULL: out of memory. */
struct crowd *crowd_new(struct db *db, struct arena *a, struct err *err);
/* Frees what is not the arena's (c may be NULL), and returns o. */
enum outcome crowd_end(struct crowd *c, enum outcome o);

/* For qsort(). */
int crowd_by_id(const void *a, const void *b);
/* The ids that a statement tells, in ascending order. */
enum outcome crowd_read(struct crowd *c, const struct sql *sql, const struct val *args,
                        size_t nargs, struct ids *out, struct err *err) MUST_USE;
/* Takes those away that are no longer enrolled, or not yet. */
enum outcome crowd_enrolled(struct crowd *c, struct ids *x, struct err *err) MUST_USE;
/* The enrolled devices of a list of enrollment ids and serial numbers. */
enum outcome crowd_named(struct crowd *c, const char *const *names, size_t n, struct ids *out,
                         struct err *err) MUST_USE;
/* The enrolled devices of a group; they may be gone when another group is asked for. */
enum outcome crowd_members(struct crowd *c, int64_t group_id, struct ids *out,
                           struct err *err) MUST_USE;

/* Tells fn(arg, devices), set by set, the devices that are to have the item by other groups than
 * one (0: by any), or by themselves; of what one device has by itself: it, if a group gives it the
 * item. */
typedef enum outcome crowd_fn(void *arg, const struct ids *devices, struct err *err);
enum outcome crowd_others(struct crowd *c, int64_t item, int64_t but, crowd_fn *fn, void *arg,
                          struct err *err) MUST_USE;

/* What of x is not in y, the caller's to change. */
enum outcome crowd_without(struct crowd *c, const struct ids *x, const struct ids *y,
                           struct ids *out, struct err *err) MUST_USE;
/* Copies x to c->left, to take away from. */
enum outcome crowd_copy_left(struct crowd *c, const struct ids *x, struct err *err) MUST_USE;
/* A crowd_fn; arg: the struct ids from which the devices are taken. */
enum outcome crowd_take_away(void *arg, const struct ids *devices, struct err *err) MUST_USE;

#endif
