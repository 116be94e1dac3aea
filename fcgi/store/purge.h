/* purge.h: rows that have served their time. */
#ifndef DROVER_STORE_PURGE_H
#define DROVER_STORE_PURGE_H

#include "store/db.h"

/* Deletes what nobody will ask for any more, in transactions of at most a thousand rows: one-time
 * challenges a month after they expired, SCEP transactions after three months, pushes that were
 * given up a month ago, enrolment profiles that nobody enrolled with within three months, sessions
 * of administrators and counts of wrong passwords a day after they ended. Never results, commands,
 * certificates or the audit log. *deleted counts. */
enum outcome purge_run(struct db *db, uint64_t *deleted, struct err *err) MUST_USE;

#endif
