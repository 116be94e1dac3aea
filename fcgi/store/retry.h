/* retry.h: commands that are over, to be sent again: what is known of them, and what was sent in
 * their place before. Sending: command/retry.h. */
#ifndef DROVER_STORE_RETRY_H
#define DROVER_STORE_RETRY_H

#include "store/queue.h"

/* A command of an enrollment. Strings are "" and numbers 0 when absent. */
struct retry_item {
    int64_t enrollment_id, command_id; /* 0: the enrollment has no such command */
    int64_t device_id;
    const char *request_type, *reason, *created_by, *dedupe_key;
    int state;                      /* enum queue_state */
    int fill;                       /* COMMAND_FILL_* */
    bool secret;                    /* it held a secret, and is kept without it */
    int64_t queued_at, enrolled_at; /* enrolled_at: of the device, last, 0 for a renewal */
    const char *again;              /* CommandUUID of the latest that was sent in its place */
    int again_state;                /* enum queue_state of that */
    bool sensitive;                 /* told by retry_look() of command/retry.h */
    int64_t approval; /* of the request for a second person to send it again that waits */
};
/* OK too when there is none: out->command_id is 0 then. */
enum outcome retry_find(struct db *db, const char *ident, const char *uuid, int64_t now,
                        struct arena *a, struct retry_item *out, struct err *err) MUST_USE;
/* The property list of a command, without its secrets. NOT_FOUND: it is no longer kept. */
enum outcome retry_body(struct db *db, int64_t command_id, struct arena *a, struct bytes *out,
                        struct err *err) MUST_USE;

#endif
