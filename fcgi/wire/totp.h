/* totp.h: time-based one-time passwords (RFC 6238) as authenticator apps make them: HMAC-SHA-1, six
 * digits, thirty seconds. */
#ifndef DROVER_WIRE_TOTP_H
#define DROVER_WIRE_TOTP_H

#include "base/bytes.h"
#include "base/err.h"

#define TOTP_SECRET_LEN 20
#define TOTP_DIGITS 6
#define TOTP_STEP_S 30

/* The code of a time step (seconds since 1970 / TOTP_STEP_S). */
void totp_code(struct bytes secret, int64_t step, char out[TOTP_DIGITS + 1]);
/* Is it the code of the step at now (microseconds since 1970), or of the one before or after it,
 * for clocks that differ? The step, or -1. In a time that does not tell which digit is wrong. */
int64_t totp_match(struct bytes secret, const char *code, int64_t now) MUST_USE;

#endif
