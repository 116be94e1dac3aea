/* activity.h: what happened, hour by hour: counted by the agent from what is there anyway, so that
 * no message of a device costs more for it. */
#ifndef DROVER_STORE_ACTIVITY_H
#define DROVER_STORE_ACTIVITY_H

#include "store/db.h"

struct activity {
    int64_t hour; /* its beginning, microseconds since 1970 */
    int64_t seen, answered, failed, enrolled, polls;
};

/* A device asked for a command, or reported one: counted in this process. */
void activity_polled(void);
/* Adds what was counted since the last time to the hour of now, if a minute has passed or at_once:
 * at most one statement a minute for each process. */
enum outcome activity_flush(struct db *db, int64_t now, bool at_once, struct err *err) MUST_USE;

/* Counts the hour of now and, so that its end is in, the one before. For the agent. */
enum outcome activity_note(struct db *db, int64_t now, struct err *err) MUST_USE;
/* The last n hours up to now's, the oldest first; those without a row are zeros. out has room. Who
 * is limited (store/scope.h) is told what the own devices answered and which enrolled; how many
 * were seen and how often they polled is counted of all alone. */
enum outcome activity_list(struct db *db, int64_t now, struct activity *out, size_t n,
                           struct arena *a, struct err *err) MUST_USE;

#endif
