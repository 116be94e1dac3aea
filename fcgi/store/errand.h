/* errand.h: what people asked for on their own devices. A worker that talks to the world may only
 * write it down; the agent looks again whose device it is, and does it. */
#ifndef DROVER_STORE_ERRAND_H
#define DROVER_STORE_ERRAND_H

#include "store/owner.h"

#define ERRAND_MESSAGE_MAX 255 /* characters */
#define ERRAND_PHONE_MAX 64

enum errand_what { ERRAND_TAKE = 1, ERRAND_GIVE_BACK, ERRAND_LOCK, ERRAND_LEAVE };
/* "take", "give-back", "lock", "leave"; "?" otherwise. */
const char *errand_name(int what);

struct errand {
    int64_t id, enrollment_id;
    const char *ident; /* of the device; read only */
    struct owner who;
    int what;
    int64_t item_id;             /* of the offer; otherwise 0 */
    const char *message, *phone; /* of ERRAND_LOCK; "" */
    const char *address;
    int64_t asked_at, done_at; /* done_at 0: not yet */
    bool refused;
    const char *outcome; /* why; "" */
    const char *item;    /* what is taken or given back; "" */
};

/* Writes it down, audited (errand.TAKE and so on). One that is open already is not written twice.
 * The caller has found that the device is the person's. */
enum outcome errand_ask(struct db *db, struct errand *e, struct err *err) MUST_USE;
/* At most max that are to be done, the oldest first. */
enum outcome errand_todo(struct db *db, size_t max, struct arena *a, struct errand **out, size_t *n,
                         struct err *err) MUST_USE;
/* It is done, or (why) was not. Inside a unit of work or as its own. */
enum outcome errand_close(struct db *db, int64_t id, const char *why, int64_t now,
                          struct err *err) MUST_USE;
/* The last that the person asked for on a device, the newest first; at most max. What others did
 * who had it before is not told. */
enum outcome errand_list(struct db *db, int64_t enrollment_id, const struct owner *who, size_t max,
                         struct arena *a, struct errand **out, size_t *n, struct err *err) MUST_USE;

#endif
