/* scep_challenge.h: one-time challenges: who knows one may ask for an identity. */
#ifndef DROVER_STORE_SCEP_CHALLENGE_H
#define DROVER_STORE_SCEP_CHALLENGE_H

#include "store/db.h"
#include "wire/encode.h"

#define SCEP_CHALLENGE_LEN 48 /* hexadecimal digits */
#define SCEP_STATIC_MIN 12    /* octets of the static challenge */
#define SCEP_STATIC_MAX 256

#define SCEP_NAMES_MAX 32 /* subjectAltNames of a challenge or a certificate */

/* A challenge that one request may use until expires_at. */
struct scep_challenge {
    const char *note;   /* what it was made for */
    int64_t device_id;  /* enrollment.id of the device whose identity it renews; 0: none */
    int64_t handout_id; /* the profile it stands in (store/handout.h); 0: none */
    int64_t expires_at;
    const char *common_name; /* the only one it is good for; NULL: any */
    const char *san;         /* the only names it is good for, one a line; NULL: as [scep] san */
    bool approve;            /* the request waits for a person all the same */
    const char *by;          /* who made it, for the audit; NULL: Drover itself, not audited */
};
/* Makes one; only its SHA-256 is stored. Inside the caller's unit of work or as its own.
 * scep_challenge_new() makes one that is bound to nothing but a device and a profile. */
enum outcome scep_challenge_make(struct db *db, const struct scep_challenge *c,
                                 char challenge[SCEP_CHALLENGE_LEN + 1], struct err *err) MUST_USE;
enum outcome scep_challenge_new(struct db *db, const char *note, int64_t device_id,
                                int64_t handout_id, int64_t expires_at,
                                char challenge[SCEP_CHALLENGE_LEN + 1], struct err *err) MUST_USE;
/* Would it be accepted for that transaction? OK, out is filled; DENIED: unknown, expired, or used
 * by another; CONFLICT: used by this very transaction, whose answer is scep_answered()'s if the key
 * is the same too. */
enum outcome scep_challenge_check(struct db *db, const char *challenge, const char *transaction_id,
                                  struct arena *a, struct scep_challenge *out,
                                  struct err *err) MUST_USE;
/* Uses it up for that transaction. DENIED, CONFLICT as scep_challenge_check(). Inside a unit. */
enum outcome scep_challenge_use(struct db *db, const char *challenge, const char *transaction_id,
                                struct arena *a, struct scep_challenge *out,
                                struct err *err) MUST_USE;

#endif
