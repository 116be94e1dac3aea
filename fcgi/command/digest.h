/* digest.h: reports become inventory: each answer is read into its table. See store/digest.h for
 * when, store/inventory.h for where. */
#ifndef DROVER_COMMAND_DIGEST_H
#define DROVER_COMMAND_DIGEST_H

#include "store/digest.h"

/* The key of a report that was stored shortened, as it was too large (connect/report.h): the number
 * of octets that the device sent. Its errors are read; it is set aside as the answer to a command,
 * as what it lacks would be taken for gone. */
#define DIGEST_LEFT_OUT "DroverLeftOut"

/* What one who works the list off remembers from turn to turn; all zero at first. */
struct digest_place {
    int64_t from;      /* reports that were closed before this are done, but for late ones */
    int64_t looked_at; /* when all of them were looked at, clock_mono() */
    int64_t oldest_at; /* when the first report of the last turn was closed */
};

/* Reads at most a few hundred reports that wait; *done tells how many. 0: nothing waits. One that
 * cannot be read is set aside, with the reason. UNAVAILABLE: the database is away, what was not
 * done waits on. */
enum outcome digest_turn(struct db *db, struct digest_place *place, size_t *done,
                         struct err *err) MUST_USE;

#endif
