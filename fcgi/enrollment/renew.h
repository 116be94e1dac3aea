/* renew.h: renewing device identities: for the agent. */
#ifndef DROVER_ENROLLMENT_RENEW_H
#define DROVER_ENROLLMENT_RENEW_H

#include "base/conf.h"
#include "store/db.h"

/* Follows what is under way and begins what is due, as many as [renewal] per_hour allows: for each
 * device a one-time SCEP challenge that renews its identity, a fresh enrolment profile with the
 * same identifier, topic and addresses, and an InstallProfile command with it. A device that cannot
 * be served (no topic, for example) is tried again later and keeps no other waiting. UNAVAILABLE:
 * the database or the signer is away. */
enum outcome renew_run(struct db *db, const struct conf *conf, struct err *err) MUST_USE;

#endif
