/* raw.h: a command as a caller wrote it: a whole property list, checked before it is queued. */
#ifndef DROVER_COMMAND_RAW_H
#define DROVER_COMMAND_RAW_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

#define RAW_REQUEST_TYPE_MAX 64u            /* octets */
#define RAW_COMMAND_MAX (16u * LIM_MB - 1u) /* of the XML form: what the column holds */

/* Strings and octets are in the arena. */
struct raw_command {
    const char *uuid;         /* CommandUUID */
    const char *request_type; /* Command.RequestType */
    const char *removes;      /* Identifier of a RemoveProfile; NULL: it is none, or has none */
    struct bytes xml;         /* the command in XML form: what was checked is what is sent */
    int fill;                 /* COMMAND_FILL_* (store/queue_state.h): a ClearPasscode without
                               * UnlockToken gets the device's own on delivery */
};

/* Reads an XML or binary property list (reference, "Structure of MDM Commands"): a dictionary with
 * CommandUUID (a string of 1 to LIM_COMMAND_UUID octets without control characters) and Command (a
 * dictionary with RequestType, letters, digits, '.', '-' and '_'), no text of which holds
 * characters that XML cannot hold. INVALID says what is wrong. */
enum outcome raw_command_read(struct arena *a, struct bytes body, struct raw_command *out,
                              struct err *err) MUST_USE;

/* A command that is nothing but its RequestType, with a CommandUUID made here. */
enum outcome raw_command_simple(struct arena *a, const char *request_type, struct raw_command *out,
                                struct err *err) MUST_USE;

#endif
