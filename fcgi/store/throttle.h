/*
 * throttle.h: wrong passwords slow down those that follow, per account and per address, and block
 * them in the end. An attempt counts as failed until it is known to be right, so that many at the
 * same moment gain nothing.
 */
#ifndef DROVER_STORE_THROTTLE_H
#define DROVER_STORE_THROTTLE_H

#include "store/db.h"

/* Failures that cost nothing; each further one doubles the pause, from a second; from the tenth on
 * (for an address, behind which there may be many people: the fiftieth) it is a quarter of an hour.
 * After an hour without an attempt all is forgotten. */
#define THROTTLE_FREE 3
#define THROTTLE_BLOCK 10
#define THROTTLE_ADDRESS_FACTOR 5
#define THROTTLE_BLOCK_US (15 * 60 * INT64_C(1000000))
#define THROTTLE_FORGET_US (60 * 60 * INT64_C(1000000))

/* Begins an attempt. account: the name as given (at most 200 octets count). DENIED: too early; the
 * reason says for how long. The attempt is then not to be judged. An attempt that begins to block
 * is audited (login.block). */
enum outcome throttle_enter(struct db *db, const char *account, const char *address, int64_t now,
                            struct err *err) MUST_USE;
/* The attempt was right: the account starts afresh, the address gets its own attempt back. */
enum outcome throttle_right(struct db *db, const char *account, const char *address,
                            struct err *err) MUST_USE;

#endif
