/*
 * leaving.h: letting a device go by RemoveProfile of its MDM profile. The decision is recorded with
 * who and why; whoever has not left when its time is up, or refuses, is ended (401) by that
 * decision.
 */
#ifndef DROVER_STORE_LEAVING_H
#define DROVER_STORE_LEAVING_H

#include "store/db.h"

#define LEAVING_BATCH 100

/* Records the decision, audited (enrollment.let_go). NOT_FOUND: no such enrollment; INVALID: it is
 * a user channel, or not enrolled; CONFLICT: it is being let go already. */
enum outcome leaving_add(struct db *db, const char *ident, const char *command_uuid, int64_t now,
                         int64_t fallback_at, const char *by, const char *why,
                         struct err *err) MUST_USE;
/* Takes it back: nothing could be queued. */
enum outcome leaving_drop(struct db *db, const char *command_uuid, struct err *err) MUST_USE;
/* Forgets those that have left; ends those whose time is up and those that refused the command. */
enum outcome leaving_follow(struct db *db, int64_t now, size_t *left, size_t *ended,
                            struct err *err) MUST_USE;

#endif
