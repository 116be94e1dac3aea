/*
 * unknown.h: devices with a valid certificate that the database does not know. A lost or old
 * database makes a whole fleet look like this, and 401 makes a device remove its MDM profile: so
 * they are held (503) and listed until a person decides.
 *
 * The rule "[unknown] action = end" decides in their place, under narrow conditions: the device is
 * on the list for [unknown] hours, fewer than [unknown] max devices are, and no restored backup is
 * being settled (unknown_restored_set()). It is judged anew at each contact.
 */
#ifndef DROVER_STORE_UNKNOWN_H
#define DROVER_STORE_UNKNOWN_H

#include "store/db.h"

struct ident; /* store/ident.h */

enum unknown_answer {
    UNKNOWN_HOLD,   /* answer 503: it comes back */
    UNKNOWN_ACCEPT, /* it is enrolled now, without push data: the next look finds it */
    UNKNOWN_END     /* a person or the rule has ended it: answer 401 */
};

/* Notes a contact of a device that who_look() calls WHO_UNBOUND, and tells what was decided. The
 * device is noted whatever its channel; a row is written at most once a minute. sha256: of its
 * certificate, 32 octets; subject: that certificate's; topic: NULL when the message told none;
 * message: MessageType or Status. UNKNOWN_ACCEPT: in the same unit of work the device's enrollment
 * was made (or begun anew: store/readmit.h), with a current life that is bound to this
 * certificate. */
enum outcome unknown_note(struct db *db, const struct conf *conf, const struct ident *id,
                          const uint8_t sha256[32], const char *subject, const char *topic,
                          const char *message, int64_t now, struct arena *a,
                          enum unknown_answer *out, struct err *err) MUST_USE;

enum unknown_decision { DECISION_OPEN, DECISION_ACCEPT, DECISION_END };

/* "open", "accept", "end"; NULL for anything else. */
const char *unknown_decision_name(int decision);

struct unknown_device {
    int64_t id; /* for paging and for decisions */
    const char *ident, *subject, *last_message;
    const char *topic; /* "" when it told none */
    uint8_t cert_sha256[32];
    int64_t first_seen_at, last_seen_at, contacts;
    int decision;                         /* enum unknown_decision */
    int64_t decided_at;                   /* 0: nobody has. An open one can have it: the rule did */
    const char *decided_by, *decided_why; /* "" when nobody has */
};

/* At most max (LIM_PAGE) of them by id, those after `after`; decision -1 is all. In a. */
enum outcome unknown_list(struct db *db, int decision, int64_t after, size_t max, struct arena *a,
                          struct unknown_device **out, size_t *n, struct err *err) MUST_USE;
/* Finds those of an enrollment id, one for each certificate it came with (at most LIM_PAGE). */
enum outcome unknown_find(struct db *db, const char *ident, struct arena *a,
                          struct unknown_device **out, size_t *n, struct err *err) MUST_USE;
/* Decides about one; DECISION_OPEN takes a decision back. by: an audit actor. It acts at the
 * device's next contact. NOT_FOUND: none of that id; CONFLICT: it was decided so already. */
enum outcome unknown_decide(struct db *db, int64_t id, enum unknown_decision decision,
                            const char *by, const char *why, int64_t now, struct arena *a,
                            struct unknown_device *out, struct err *err) MUST_USE;

/* A backup was restored (or is settled again, `settled`): as long as that mark stands the rule ends
 * nothing. Audited. CONFLICT: settled, and there was no mark. */
enum outcome unknown_restored_set(struct db *db, bool settled, const char *by, const char *why,
                                  int64_t now, struct err *err) MUST_USE;
/* When the mark was set; 0: there is none. */
enum outcome unknown_restored_get(struct db *db, struct arena *a, int64_t *at,
                                  struct err *err) MUST_USE;

#endif
