/*
 * who.h: whose message it is: the certificate's fingerprint finds the device and its channels.
 */
#ifndef DROVER_STORE_WHO_H
#define DROVER_STORE_WHO_H

#include "store/db.h"
#include "store/ident.h"

enum enrollment_state {
    ENROLLMENT_PENDING = 1,
    ENROLLMENT_ENROLLED,
    ENROLLMENT_LEFT,
    ENROLLMENT_ENDED
};
enum life_state { LIFE_PENDING = 1, LIFE_CURRENT, LIFE_OVER };

/* What the database says of (certificate, ident). */
enum verdict {
    WHO_GOOD,         /* the identity of the device's current life */
    WHO_PENDING,      /* of the life that an Authenticate opened; no TokenUpdate yet */
    WHO_OLD,          /* of an earlier life of this device */
    WHO_LEFT,         /* of a device that checked out */
    WHO_NO_CHANNEL,   /* the device is good, this user of it is not known yet */
    WHO_UNBOUND,      /* the certificate belongs to no device, and there is no such device */
    WHO_MISMATCH,     /* the certificate is another device's, or the device has another one */
    WHO_REVOKED,      /* the certificate was revoked */
    WHO_NOT_ATTESTED, /* Authenticate: it signed for another UDID or serial number before */
    WHO_ENDED         /* a person or rule has ended this enrollment: the answer is 401 */
};

struct who {
    enum verdict verdict;
    /* of the channel the message is from; 0 unless it is known */
    int64_t id, life_id, last_seen_at;
    int state;
    /* of its device */
    int64_t device_id, device_life_id, device_pending_id;
    int device_state;
    /* of the certificate */
    int64_t cert_life_id, renews_device_id;
    bool stranger; /* WHO_MISMATCH: it is bound to no device (who_look(), who_ask()) */
    size_t row;    /* the channel's row in the result that was judged */
};

/* The columns that who_judge() reads, from `identity_cert i JOIN enrollment e`. */
#define WHO_COLUMNS                                                                                \
    "i.sha256, i.life_id, i.revoked_at, i.renews_device_id, e.id, e.ident, e.device_id, e.state, " \
    "e.life_id, e.pending_life_id, e.last_seen_at"
/* All channels of the device; and the device's own alone, which its messages need: one row by two
 * primary keys, however many users the device has. The hints, here and in what else serves devices:
 * the server counts a table's rows some ten seconds after they came, and reads the whole of one
 * that it believes to be empty. */
#define WHO_FROM                                                                                   \
    "FROM identity_cert i FORCE INDEX (PRIMARY) STRAIGHT_JOIN enrollment e FORCE INDEX (device) "  \
    "ON e.device_id = i.device_id "
/* After WHO_FROM and a condition on the certificate: of the device's channels its own and those
 * that are named, however many users it has. */
#define WHO_NAMED(idents) " AND (e.id = i.device_id OR e.ident IN (" idents "))"
#define WHO_FROM_DEVICE                                                                            \
    "FROM identity_cert i FORCE INDEX (PRIMARY) STRAIGHT_JOIN enrollment e FORCE INDEX (PRIMARY) " \
    "ON e.id = i.device_id "
#define WHO_COLUMNS_N 11

/* Judges one message from rows that begin with WHO_COLUMNS and may be about other certificates
 * too. WHO_UNBOUND when no row is about this certificate: ask who_look() then. */
void who_judge(const struct rows *r, const uint8_t sha256[32], const struct ident *id,
               struct who *out);

/* The long way for a certificate that is bound to no device: tells WHO_UNBOUND, WHO_MISMATCH and
 * WHO_REVOKED apart; binds it when the device was moved in from another server without a
 * certificate, or when a person has decided to accept it, and judges again. */
enum outcome who_look(struct db *db, const uint8_t sha256[32], const struct ident *id,
                      struct arena *a, struct who *out, struct err *err) MUST_USE;

/* Judges one message with a statement of its own, for what is off the hot path. */
enum outcome who_ask(struct db *db, const uint8_t sha256[32], const struct ident *id,
                     struct arena *a, struct who *out, struct err *err) MUST_USE;

#endif
