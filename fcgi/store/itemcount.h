/* itemcount.h: how many devices are how far with the items of the library: counted by the agent, an
 * item after the other, so that a list of them need not count the fleet. */
#ifndef DROVER_STORE_ITEMCOUNT_H
#define DROVER_STORE_ITEMCOUNT_H

#include "store/wanted.h"

struct item_count {
    int64_t counted_at; /* 0: not yet */
    int64_t devices[WANTED__MAX];
    int version;                     /* the item's, when it was counted: */
    int64_t of_version[WANTED__MAX]; /* devices that are to have it */
};

/* Counts those items again that were not for the longest time, for a tenth of a second. */
enum outcome item_count_turn(struct db *db, int64_t now, struct err *err) MUST_USE;
/* What was counted of n items (LIM_PAGE at most), in their order. For who is limited to very many
 * devices nothing is: these are counted for one item alone. */
enum outcome item_counts(struct db *db, const int64_t *ids, size_t n, struct arena *a,
                         struct item_count *out, struct err *err) MUST_USE;

/* Devices with an item by state, or those that are to have a version of it (0: any): counted now;
 * of one with more than ITEM_COUNT_NOW devices what the agent counted last, some seconds ago. */
#define ITEM_COUNT_NOW 10000
enum outcome item_count_states(struct db *db, int64_t id, int version, struct arena *a,
                               int64_t counts[WANTED__MAX], struct err *err) MUST_USE;
/* Of all versions, for a page. For who is limited to very many devices no more than
 * ITEM_COUNT_OWN of a state are looked at: more[state], and there may be more than were counted. */
#define ITEM_COUNT_OWN 1000
enum outcome item_count_page(struct db *db, int64_t id, struct arena *a,
                             int64_t counts[WANTED__MAX], bool more[WANTED__MAX],
                             struct err *err) MUST_USE;
/* On how many devices it failed or was refused, counted now: what "try it again" is about. */
enum outcome item_count_failed(struct db *db, int64_t id, struct arena *a, int64_t *n,
                               struct err *err) MUST_USE;

/* Devices that are to have a version of an item by state, counted now if that takes no more rows
 * than *room, which falls by what it took; else *all is false and all numbers are 0, as *room
 * is. */
enum outcome item_count_within(struct db *db, int64_t id, int version, int64_t *room,
                               struct arena *a, int64_t counts[WANTED__MAX], bool *all,
                               struct err *err) MUST_USE;

#endif
