/*
 * converge.h: brings what devices have to what they are to have, one turn after the other: finds
 * the groups' devices, notes what each is to have, queues the commands, follows them, and begins
 * anew where it did not last. Run by the agent alone; everything it knows stands in the database,
 * so that another may go on at any point.
 */
#ifndef DROVER_LIBRARY_CONVERGE_H
#define DROVER_LIBRARY_CONVERGE_H

#include "base/conf.h"
#include "store/db.h"

struct converge;

/* ERROR: memory. */
enum outcome converge_new(const struct conf *conf, struct db *db, struct converge **out,
                          struct err *err) MUST_USE;
void converge_free(struct converge **c);

/* One turn, of about half a second at most; nothing to do costs a few statements. now: the clock.
 */
enum outcome converge_turn(struct converge *c, int64_t now, struct err *err) MUST_USE;

#endif
