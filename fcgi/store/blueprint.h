/*
 * blueprint.h: all that is assigned to a group, as one: profiles, apps and commands. It changes as
 * a whole, each change is a version, and an older version can be brought back.
 */
#ifndef DROVER_STORE_BLUEPRINT_H
#define DROVER_STORE_BLUEPRINT_H

#include "store/standing.h"

#define BLUEPRINT_ITEMS 200u  /* profiles and apps of a group */
#define BLUEPRINT_ORDERS 100u /* and commands */
#define BLUEPRINT_DRAFT 0     /* the number of a draft */

struct blueprint {
    int64_t group_id;
    int number; /* of the version; of what is in force, the latest; 0: there is none yet */
    const int64_t *items, *orders; /* ascending */
    size_t nitems, norders;
    const char *note, *created_by; /* "" when absent */
    int64_t created_at;
};

/* What is in force now. NOT_FOUND: no such group. */
enum outcome blueprint_now(struct db *db, int64_t group_id, struct arena *a, struct blueprint *out,
                           struct err *err) MUST_USE;
/* A version, or the draft. NOT_FOUND: there is none of that number. */
enum outcome blueprint_get(struct db *db, int64_t group_id, int number, struct arena *a,
                           struct blueprint *out, struct err *err) MUST_USE;
/* Versions, the newest first, of those with numbers below before (0: from the start). */
enum outcome blueprint_list(struct db *db, int64_t group_id, int before, size_t max,
                            struct arena *a, struct blueprint **out, size_t *n,
                            struct err *err) MUST_USE;

struct blueprint_ask {
    const struct standing *order;
    struct approval approval; /* id, expires_at */
};
struct blueprint_save {
    struct blueprint b;         /* group, items, orders, note; orders may be of older versions */
    int base;                   /* the version it was made from; -1: whatever is in force */
    int64_t drafted;            /* created_at of the draft that it is; 0: it is none */
    const struct standing *add; /* orders that are new, besides those of b */
    size_t nadd;
    const struct blueprint_ask *asks; /* orders that a second person is asked about */
    size_t nasks;
    const char *actor;
    int64_t now;
    /* out */
    int number;
};
/* Puts it in force as the next version, all or nothing, and drops the draft; what is the same as in
 * force makes no version. CONFLICT: somebody else changed it since the base, or the draft;
 * NOT_FOUND: no such group, item or order; INVALID: more than BLUEPRINT_ITEMS or BLUEPRINT_ORDERS.
 */
enum outcome blueprint_save(struct db *db, struct blueprint_save *s, struct err *err) MUST_USE;
/* Notes what is in force as the next version, in the caller's unit of work, which changed it and
 * has locked the group. */
enum outcome blueprint_note(struct db *db, int64_t group_id, const char *note, const char *actor,
                            int64_t now, int *number, struct err *err) MUST_USE;

/* Keeps a draft in place of the one that there was (NULL as b: there is none any more), with orders
 * that are new. was: created_at of the one it was made from, 0: there was none. CONFLICT: somebody
 * else has changed the draft meanwhile; NOT_FOUND: no such group. */
enum outcome blueprint_draft(struct db *db, int64_t group_id, const struct blueprint *b,
                             int64_t was, const struct standing *add, size_t nadd,
                             const char *actor, int64_t now, struct err *err) MUST_USE;

#endif
