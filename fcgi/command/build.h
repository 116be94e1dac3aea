/* build.h: a command from its request type and its keys as JSON. */
#ifndef DROVER_COMMAND_BUILD_H
#define DROVER_COMMAND_BUILD_H

#include "base/uuid.h"
#include "command/validate.h"

/* Makes the dictionary of a command with a fresh CommandUUID. The catalogue says what a JSON value
 * becomes: a string base64 for data, RFC 3339 for a date, a number an integer or a real. Where it
 * does not say (a key it does not know, or of type any), {"$data": "base64"} and
 * {"$date": "2026-11-22T08:15:30Z"} stand for these two; they may stand everywhere. A value of the
 * wrong type is taken over as it is, for command_validate() to tell.
 * keys: an object, or NULL for none. *root is the caller's to free, NULL on failure.
 * INVALID: something has no form in a property list (null, bad base64, a key RequestType), findings
 * say what and where; ERROR: out of memory. */
enum outcome command_build(struct arena *a, const char *request_type, js keys, pl *root,
                           char uuid[UUID_LEN + 1], struct findings *out, struct err *err) MUST_USE;

#endif
