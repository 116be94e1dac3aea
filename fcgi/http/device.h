/*
 * device.h: what the check-in and the connect protocol share: reading a message, and answering a
 * device that cannot simply be served. The one place where a 401 is sent.
 */
#ifndef DROVER_HTTP_DEVICE_H
#define DROVER_HTTP_DEVICE_H

#include "http/app.h"
#include "store/event.h"
#include "store/who.h"

/* A message of a device, parsed once. */
struct message {
    struct app *app;
    struct req *req;
    const struct caller *caller;
    struct resp *resp;
    pl root;
    struct ident id;
    const char *word; /* MessageType, or Status; "" until known */
};

/* Parses the body into m (m->root is freed by device_message_free) and reads who it says it is
 * from; an expired identity is refused (but for
 * its renewal: [renewal] grace), and so is a user's message without the AuthToken that
 * [checkin] user_authenticate = digest asks for; bearer.h tells what becomes of an access token.
 * False: resp holds the refusal (400, 401 with a challenge, 403, 413). */
bool device_message_read(struct message *m);
void device_message_free(struct message *m);

/* A bare refusal, with one log line that says why. */
void device_refuse(struct message *m, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The answer to a failed outcome: 503 when the database or the signer is away, else 500: the
 * device comes back with the same message. */
void device_fail(struct message *m, const struct err *err);
/* The answer to a verdict that forbids serving the message:
 *   WHO_UNBOUND   503, the device is listed for decision; 401 when a person, or the configured
 *                 rule, has ended it
 *   WHO_ENDED     401: a person or rule has ended the enrollment
 *   WHO_MISMATCH, WHO_REVOKED, WHO_OLD  403, logged and audited; but see store/readmit.h
 * Returns true when a person has accepted an unknown device just now and the message is to be
 * tried again. */
bool device_turn_away(struct message *m, const struct who *who);

/* The message as an event for those who want to be told; NULL: nobody wants the topic, at no cost.
 * It is to be written in the message's own unit of work (unit.event, event_add()), where the
 * enrollment's id is filled in; in the request's arena. strip takes what is secret out of a copy of
 * the message and says whether there was anything; then the event has the message without it, and,
 * where a webhook wants that, the message as it came, sealed. A message whose event cannot be made
 * is told without its text, with a line in the log: the device is not kept waiting for that. */
typedef bool device_strip_fn(pl message, struct arena *a);
struct event *device_event(struct message *m, enum event_topic topic, device_strip_fn *strip);

#endif
