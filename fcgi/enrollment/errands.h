/* errands.h: the agent does what people asked for on their own devices (store/errand.h). */
#ifndef DROVER_ENROLLMENT_ERRANDS_H
#define DROVER_ENROLLMENT_ERRANDS_H

#include "base/conf.h"
#include "store/db.h"

/* Does what is open, some at a time; *n: how many. Whose device it is is looked at again. What
 * cannot be done is closed with the reason, which the person sees. Doing one twice, as after a
 * crash, is the same as once. */
enum outcome errands_turn(struct db *db, const struct conf *conf, size_t *n,
                          struct err *err) MUST_USE;

#endif
