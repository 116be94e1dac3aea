/*
 * assigned.h: which devices may come by the configuration URL: those that are assigned to this
 * server, by a person or by the service that knows; and whether what a device says of itself
 * contradicts what is known.
 */
#ifndef DROVER_STORE_ASSIGNED_H
#define DROVER_STORE_ASSIGNED_H

#include "store/db.h"

#define ASSIGNED_SERIAL_MAX 64
#define ASSIGNED_NOTE_MAX 255 /* characters */
#define ASSIGNED_MANUAL "manual"

struct assigned_device {
    const char *serial, *note, *source;
    int64_t added_at;
    const char *added_by;
};

/* Assigns n devices, all or none; those that are assigned already stay as they are. by: an audit
 * actor. *added: how many are new. INVALID: a serial number that is none (1 to 64 letters, digits
 * and hyphens). */
enum outcome assigned_add(struct db *db, const char *const *serial, size_t n, const char *note,
                          const char *source, const char *by, uint64_t *added,
                          struct err *err) MUST_USE;
/* NOT_FOUND: it is not assigned. */
enum outcome assigned_remove(struct db *db, const char *serial, const char *by,
                             struct err *err) MUST_USE;
/* By serial number, at most max (LIM_PAGE) after that one ("": from the start); in a. */
enum outcome assigned_list(struct db *db, const char *after, size_t max, struct arena *a,
                           struct assigned_device **out, size_t *n, struct err *err) MUST_USE;
/* NOT_FOUND: it is not assigned. */
enum outcome assigned_check(struct db *db, const char *serial, struct arena *a,
                            struct err *err) MUST_USE;

/* May a device that says it has this UDID and serial number ("" when not told) enrol? CONFLICT: a
 * device that is enrolled has the serial number with another UDID, or the UDID with another serial
 * number. */
enum outcome claim_check(struct db *db, const char *udid, const char *serial, struct arena *a,
                         struct err *err) MUST_USE;

#endif
