/*
 * redemption.h: redemption codes of paid apps. A code is free, is given to one device, which keeps
 * it until the store has taken or refused it, and may come back unused. It is sealed from the
 * moment it is uploaded; the signer opens it for its delivery alone.
 */
#ifndef DROVER_STORE_REDEMPTION_H
#define DROVER_STORE_REDEMPTION_H

#include "store/queue.h"

#define REDEMPTION_DIGEST 5
#define REDEMPTION_REFUSED_MAX 3 /* codes that one device may find refused */

enum redemption_state {
    REDEMPTION_FREE = 1,
    REDEMPTION_GIVEN,
    REDEMPTION_REDEEMED,
    REDEMPTION_REFUSED,
    REDEMPTION__MAX
};
/* "free", "given", "redeemed", "refused"; "?" otherwise. */
const char *redemption_state_name(int state);
/* 0: no such word. */
int redemption_state_read(const char *word);

struct redemption_new {
    int64_t id; /* of id_new(): it is sealed for it */
    uint8_t digest[REDEMPTION_DIGEST];
    struct bytes sealed;
};
/* Adds n codes to an app; those it has already, in whatever state, are counted in *known. What
 * waits for a code is due at once. NOT_FOUND: there is no such app. */
enum outcome redemption_add(struct db *db, int64_t item_id, const struct redemption_new *list,
                            size_t n, const char *actor, int64_t now, size_t *known,
                            struct err *err) MUST_USE;

struct redemption_row {
    int64_t id;
    int state;
    const char *ident, *serial, *device_name; /* of the device, also of one that found it refused */
    int64_t added_at, given_at, ended_at;
    const char *added_by;
    int reclaimed;
};
/* At most max (LIM_PAGE) codes of an app, the latest first, with ids below before (0: all); state
 * 0: any. */
enum outcome redemption_list(struct db *db, int64_t item_id, int state, int64_t before, size_t max,
                             struct arena *a, struct redemption_row **out, size_t *n,
                             struct err *err) MUST_USE;
struct redemption_counts {
    int64_t of[REDEMPTION__MAX], all;
};
enum outcome redemption_counts(struct db *db, int64_t item_id, struct arena *a,
                               struct redemption_counts *out, struct err *err) MUST_USE;
/* Apps that have fewer free codes than they should. */
struct redemption_low {
    int64_t item_id;
    const char *name;
};
enum outcome redemption_low(struct db *db, struct arena *a, struct redemption_low **out, size_t *n,
                            struct err *err) MUST_USE;
/* A person says that a code is free again: the device never used it. CONFLICT: the code is free, or
 * redeemed, or its command is on its way; NOT_FOUND: the app has no such code. */
enum outcome redemption_release(struct db *db, int64_t item_id, int64_t id, const char *actor,
                                const char *why, int64_t now, struct err *err) MUST_USE;
/* Deletes the free and the refused ones (id 0), or one of those. *n: how many. CONFLICT: that one
 * is given or redeemed; NOT_FOUND. */
enum outcome redemption_remove(struct db *db, int64_t item_id, int64_t id, const char *actor,
                               const char *why, uint64_t *n, struct err *err) MUST_USE;

/* ---- for the agent ---- */

struct redemption_give {
    /* in */
    int64_t item_id, enrollment_id;
    struct enqueue *e; /* the ApplyRedemptionCode of this device, without fill and fill_from */
    int64_t now;
    /* out */
    enum redemption_given {
        REDEMPTION_QUEUED,  /* the command is in the queue */
        REDEMPTION_WAITING, /* it was before, or its report is being read */
        REDEMPTION_TAKEN,   /* the store has taken the device's code */
        REDEMPTION_NONE,    /* no code is free */
        REDEMPTION_UNUSED,  /* the app never had one */
        REDEMPTION_GIVE_UP  /* the store refused too many on this device */
    } given;
    int64_t left; /* with QUEUED and NONE: codes that are free */
    bool alarm;   /* that is fewer than there should be, for the first time */
};
/* Gives the device its code, or the one it has once more, and queues the command, in one unit. */
enum outcome redemption_give(struct db *db, struct redemption_give *g, struct err *err) MUST_USE;

/* What became of a code's command, inside a unit: taken, or refused by the store. Other failures
 * leave the code with its device. */
enum outcome redemption_ended(struct db *db, int64_t enrollment_id, int64_t command_id,
                              bool redeemed, int64_t at, struct err *err) MUST_USE;
/* A device told at that time that it did not use the code it got for an app: it is free again.
 * *mine: it was one of these. Inside a unit. */
enum outcome redemption_reclaim(struct db *db, int64_t enrollment_id, const char *identifier,
                                int64_t told_at, bool *mine, struct err *err) MUST_USE;

/* ---- for delivery ---- */

/* The sealed code of that id, if it is that enrollment's. NOT_FOUND: it is not. */
enum outcome redemption_sealed(struct db *db, int64_t id, const char *ident, struct arena *a,
                               struct bytes *out, struct err *err) MUST_USE;

#endif
