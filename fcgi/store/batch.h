/*
 * batch.h: group commit in the application. The threads of a process hand their units of work to
 * one connection: what they want at the same moment is done together, in one transaction with one
 * COMMIT, and only then do they go on. A unit alone is a batch of one and waits for nobody.
 *
 * A handler fills a unit of some kind, calls batch_do() and reads the outcome; it cannot tell
 * whether there was company. A batch that fails is rolled back and its members are done one by
 * one, each with its own outcome. One that waits for a lock which somebody else holds goes on by
 * itself, on a connection of its own, and holds nobody up.
 */
#ifndef DROVER_STORE_BATCH_H
#define DROVER_STORE_BATCH_H

#include "store/db.h"

struct event;
struct unit;

/* How units of one kind are done, n at a time (1 <= n <= LIM_BATCH), sorted by key, no key twice.
 * Anything but OK means that the whole set failed; the outcome of a single member is put into the
 * member. `arena` is scratch memory that lives until the batch is over. */
struct unit_kind {
    const char *name;
    /* Reads and decides, outside a transaction; may be called again for the same unit, so it sets
     * everything afresh. Sets unit->writes where there is something to write. */
    enum outcome (*prepare)(struct db *db, struct unit **u, size_t n, struct arena *arena,
                            struct err *err);
    /* Writes for the members that want it, inside the transaction; may be run again after a
     * rollback. */
    enum outcome (*write)(struct db *db, struct unit **u, size_t n, struct arena *arena,
                          struct err *err);
};

/* The head of every unit of work; a kind's own struct begins with it. */
struct unit {
    const struct unit_kind *kind;
    uint64_t key;        /* units with the same key are never in one batch: the device */
    struct arena *arena; /* results are put here: the requester's own, idle while it waits */
    int64_t now;         /* clock_now() of the request */
    bool writes;
    const struct event *event; /* to be told of (store/event.h) if the message is a known
                                * enrollment's: see unit_tell(); NULL: nobody wants it */
    enum outcome outcome;
    struct err err;
    /* private to batch.c */
    struct unit *next_;
    void *wait_;
    int state_;
    bool tells_, rivalled_;
    int64_t enrollment_id_, tally_life_id_;
};

/* Makes a unit that has nothing but its head. sha256: the certificate of the device, which keeps
 * its messages out of each other's batch; NULL: none. */
void unit_init(struct unit *u, const struct unit_kind *kind, struct arena *arena, int64_t now,
               const uint8_t *sha256);

/* For a kind's prepare: the message is taken from this enrollment, so its event, if there is one,
 * is written in the same transaction. tally_life_id: the life whose TokenUpdate it is; else 0. */
void unit_tell(struct unit *u, int64_t enrollment_id, int64_t tally_life_id);

struct batch;

/* max: how many units a batch may hold; 1 does every unit alone (the unbatched path). The
 * connection is made at the first unit. */
enum outcome batch_new(const struct conf *conf, enum db_role role, size_t max, struct batch **out,
                       struct err *err) MUST_USE;
void batch_free(struct batch **b);

/* Does the unit, alone or in company; returns its outcome. Callable from any thread. */
enum outcome batch_do(struct batch *b, struct unit *u);

/* Runs one unit on a connection of the caller's: the same code without the batcher. */
enum outcome unit_do(struct db *db, struct unit *u);

/* Counters since the start. */
struct batch_stats {
    uint64_t units, batches, one_by_one, by_itself;
};
struct batch_stats batch_stats(struct batch *b);

/* Notes that an enrollment was seen at `now`; written with others, at the latest a second later
 * while requests keep coming. Only to be called by a kind's prepare or write. */
void batch_touch(int64_t enrollment_id, int64_t now);

#endif
