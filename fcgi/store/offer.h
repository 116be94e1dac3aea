/* offer.h: profiles and apps that the devices of a group may have: they get them once their user
 * asks for it (enrollment/own.c), and keep them while they are offered and wanted. */
#ifndef DROVER_STORE_OFFER_H
#define DROVER_STORE_OFFER_H

#include "store/db.h"

struct offer {
    int64_t id, group_id, item_id;
    const char *group, *item, *identifier;
    int kind;      /* enum library_kind */
    int64_t taken; /* devices whose users have asked for it */
    int64_t created_at;
    const char *created_by;
};
/* NOT_FOUND: no such group or item; CONFLICT: it is offered already. *id: of the new one. */
enum outcome offer_add(struct db *db, int64_t group_id, int64_t item_id, const char *actor,
                       int64_t now, int64_t *id, struct err *err) MUST_USE;
/* Devices that took it lose it, unless another of their groups has it. NOT_FOUND. */
enum outcome offer_delete(struct db *db, int64_t id, const char *actor, const char *why,
                          struct err *err) MUST_USE;
/* Those of a group, of an item (0: of all), with ids above after; at most max (LIM_PAGE). */
enum outcome offer_list(struct db *db, int64_t group_id, int64_t item_id, int64_t after, size_t max,
                        struct arena *a, struct offer **out, size_t *n, struct err *err) MUST_USE;

/* What a device is offered, and how far it is with it. */
struct offered {
    int64_t item_id;
    const char *name;
    int kind;             /* enum library_kind */
    bool taken;           /* its user wants it */
    bool required;        /* one of its groups has it assigned: nothing to choose */
    int state, installed; /* enum wanted_state, 0: nothing; version that it has, 0: none */
    const char *reason;   /* why it failed or waits; "" */
};
/* By name; at most LIM_PAGE. */
enum outcome offer_of_device(struct db *db, int64_t enrollment_id, struct arena *a,
                             struct offered **out, size_t *n, struct err *err) MUST_USE;

/* The user wants it, or not any more. Inside a unit of work or as its own. NOT_FOUND: the device is
 * not offered it. */
enum outcome offer_take(struct db *db, int64_t enrollment_id, int64_t item_id, int64_t now,
                        struct arena *a, struct err *err) MUST_USE;
enum outcome offer_give_back(struct db *db, int64_t enrollment_id, int64_t item_id,
                             struct err *err) MUST_USE;

#endif
