/* enrolgroup.h: what enrolment profiles give to devices beside themselves: a group for each, whose
 * devices enrolled with it, to which its profiles and apps are assigned. */
#ifndef DROVER_STORE_ENROLGROUP_H
#define DROVER_STORE_ENROLGROUP_H

#include "store/db.h"

/* Makes the groups "enrolment:NAME" and their assignments what the enrolment profiles in force say.
 * What a person has assigned to such a group stays. Nothing of the name in the library: nothing is
 * assigned until it is there. */
enum outcome enrolgroup_sync(struct db *db, int64_t now, struct err *err) MUST_USE;

#endif
