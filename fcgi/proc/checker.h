/* checker.h: the checks of the network, in a thread of their own: a host that does not answer takes
 * ten seconds, and pushes must not wait for that. Part of the agent. */
#ifndef DROVER_PROC_CHECKER_H
#define DROVER_PROC_CHECKER_H

#include "store/db.h"

struct checker;

/* conf must outlive it. NULL: memory. */
struct checker *checker_new(const struct conf *conf);
/* Begins what somebody has asked for, or records what has been found; waits for nothing. */
enum outcome checker_turn(struct checker *c, struct db *db, struct err *err) MUST_USE;
/* At the end of the process: checks under way are left alone, and forgotten. */
void checker_free(struct checker **c);

#endif
