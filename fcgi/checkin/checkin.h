/*
 * checkin.h: the check-in protocol (reference, "MDM Check-in Protocol"): one file for each
 * MessageType, in Apple's spelling.
 */
#ifndef DROVER_CHECKIN_CHECKIN_H
#define DROVER_CHECKIN_CHECKIN_H

#include "http/device.h"

/* PUT of a check-in message to CheckInURL. 200 once it is stored; refusals: see http/device.h;
 * 400 for an unknown MessageType, a key that is missing or of the wrong type, the wrong channel. */
handler_fn checkin_handle;

/* The same for a message that was read already: looks its MessageType up and calls its function. */
void checkin_message(struct message *m);

/* The messages. Each answers m->resp. */
void checkin_Authenticate(struct message *m);
void checkin_TokenUpdate(struct message *m);
void checkin_CheckOut(struct message *m);
void checkin_UserAuthenticate(struct message *m);
void checkin_SetBootstrapToken(struct message *m);
void checkin_GetBootstrapToken(struct message *m);

struct device_facts;
struct token_update;
/* What an Authenticate says of the device. False: refused. */
bool checkin_facts(struct message *m, struct device_facts *out);
/* The keys of a TokenUpdate, its UnlockToken sealed. False: refused. */
bool checkin_token_keys(struct message *m, struct token_update *x);
/* A text that may be missing (*out is NULL then). False: it is no string, refused. */
bool checkin_text(struct message *m, const char *key, const char **out);
/* The push topic of the message: it must begin with com.apple.mgmt. False: refused. */
bool checkin_topic(struct message *m, const char **topic);
/* The identity of the sender, for messages outside the hot path. True when it is the identity of
 * the device's current life; otherwise answered. */
bool checkin_known(struct message *m, struct db *db, struct who *who);
/* The message as an event, without what is secret in it: see device_event(). */
struct event *checkin_event(struct message *m, enum event_topic topic);
/* The same, for a message of an enrollment that is known to the caller, written in a unit of its
 * own: a message that changes nothing. */
enum outcome checkin_tell(struct message *m, struct db *db, enum event_topic topic,
                          int64_t enrollment_id, struct err *err) MUST_USE;
/* Seals a secret of this enrollment to the signer. sealed is in the request's arena, and so is
 * *known, if known is not NULL: 32 octets by which the same secret, sealed to the same signer for
 * the same enrollment, is known again. */
enum outcome checkin_seal(struct message *m, const char *purpose, struct bytes secret,
                          struct bytes *sealed, struct bytes *known, struct err *err) MUST_USE;

#endif
