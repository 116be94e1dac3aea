/* queue_state.h: the states of a command on one enrollment: 1 to 3 in table queue, then result. */
#ifndef DROVER_STORE_QUEUE_STATE_H
#define DROVER_STORE_QUEUE_STATE_H

enum queue_state {
    QUEUE_QUEUED = 1,
    QUEUE_SENT,
    QUEUE_NOT_NOW,
    QUEUE_ACKNOWLEDGED,
    QUEUE_ERROR,
    QUEUE_FORMAT_ERROR,
    QUEUE_CANCELLED, /* from here on a late final status still becomes the result */
    QUEUE_EXPIRED,
    QUEUE_UNCONFIRMED
};

/* "queued", "sent", "not-now", "acknowledged", "error", "format-error", "cancelled", "expired",
 * "unconfirmed"; "?" for anything else. */
const char *queue_state_name(int state);

#define COMMAND_FILL_UNLOCK_TOKEN 1
#define COMMAND_FILL_FILE 2   /* the file of a library version, made for the device */
#define COMMAND_FILL_CODE 4   /* a redemption code */
#define COMMAND_FILL_VALUES 8 /* variables in an app's configuration and attributes */

#endif
