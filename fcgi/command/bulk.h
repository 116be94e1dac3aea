/* bulk.h: what is done for many devices, worked off by the agent. */
#ifndef DROVER_COMMAND_BULK_H
#define DROVER_COMMAND_BULK_H

#include "store/db.h"

/* The commands there are for many devices at once, ended by NULL: questions, and what harms nobody
 * who is told before. None holds a secret. */
extern const char *const bulk_commands[];
bool bulk_command_known(const char *request_type);

/* Takes a slice of the oldest job: queues its command and wants the pushes, or tries its item
 * again, all or nothing with the job's progress, so that no device gets it twice. What failed is
 * sent again before the progress is written: of a slice that is begun anew, what was sent is left
 * out, as of any retry. *more: there is more to do at once. */
enum outcome bulk_turn(struct db *db, const struct conf *conf, bool *more,
                       struct err *err) MUST_USE;

#endif
