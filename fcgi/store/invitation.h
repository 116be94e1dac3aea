/*
 * invitation.h: links to the enrolment profile. An invitation is a random token that works a
 * number of times and until a moment; only its SHA-256 is stored.
 */
#ifndef DROVER_STORE_INVITATION_H
#define DROVER_STORE_INVITATION_H

#include "store/db.h"

#define INVITATION_TOKEN_LEN 48 /* hexadecimal digits */
#define INVITATION_USES_MAX 1000000
#define INVITATION_NOTE_MAX 255 /* characters */

struct invitation {
    int64_t id;
    const char *note; /* for whom; "" when nothing was said */
    int64_t uses_max, uses;
    int64_t created_at, expires_at; /* microseconds since 1970 */
    const char *created_by;
    int64_t profile_id;  /* enroll_profile.id it gives; 0: that named default */
    const char *profile; /* its name */
    int64_t revoked_at;  /* 0: it was not */
};

/* Makes one that works uses_max times (1 to INVITATION_USES_MAX) until expires_at. token is shown
 * once and not stored. profile: name of the enrolment profile it gives; NULL or "": the default
 * one. by: the administrator who makes it, for the audit log too. INVALID: a number out of range,
 * or a note that is too long. NOT_FOUND: no such profile. */
enum outcome invitation_new(struct db *db, const char *profile, const char *note, int64_t uses_max,
                            int64_t expires_at, const char *by,
                            char token[INVITATION_TOKEN_LEN + 1], struct err *err) MUST_USE;
/* Looks at one without using it. OK; NOT_FOUND: no such token; DENIED: it has expired, is used
 * up or was taken back, err says which. out is filled for OK and DENIED; its strings are in a. */
enum outcome invitation_find(struct db *db, const char *token, struct arena *a,
                             struct invitation *out, struct err *err) MUST_USE;
/* Uses it once; of two callers at the last use one is DENIED. Outcomes as invitation_find(). out
 * tells the state after the use. Runs inside the caller's unit of work or as its own. */
enum outcome invitation_consume(struct db *db, const char *token, struct arena *a,
                                struct invitation *out, struct err *err) MUST_USE;
/* The same by its id, for whoever showed it while it was good (invitation_find) and uses it now.
 * DENIED: it was used up, or taken back, meanwhile. */
enum outcome invitation_consume_id(struct db *db, int64_t id, struct err *err) MUST_USE;
/* All, the latest first; at most max (LIM_PAGE) of those with an id less than before (0: from the
 * start). In a. */
enum outcome invitation_list(struct db *db, int64_t before, size_t max, struct arena *a,
                             struct invitation **out, size_t *n, struct err *err) MUST_USE;
/* Takes one back: it works no longer. NOT_FOUND. Audited. */
enum outcome invitation_revoke(struct db *db, int64_t id, const char *by, struct err *err) MUST_USE;

#endif
