/* ends.h: the agent's hourly look at what ends and stands in no table: see store/expiry.h. */
#ifndef DROVER_ENROLLMENT_ENDS_H
#define DROVER_ENROLLMENT_ENDS_H

#include "base/conf.h"
#include "store/db.h"

/* Notes the ends of the signer's certificates, of the chain in signed profiles, of the certificates
 * that each enrolment profile installs, of the web server's TLS certificates (device and console
 * host, asked as a device asks) and of device identities; warns in the log, once a day for
 * each, of everything that ends soon. What cannot be read is logged and stays as it was noted. */
enum outcome ends_look(struct db *db, const struct conf *conf, struct err *err) MUST_USE;

#endif
