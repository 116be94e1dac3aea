/* password.h: judging a password that a person sent, without giving anything away by time. */
#ifndef DROVER_WIRE_PASSWORD_H
#define DROVER_WIRE_PASSWORD_H

#include "base/err.h"

/* Is it the password of that hash (wire/encode.h)? A hash of "" is an account that does not exist:
 * DENIED, after the same time. A hash takes 32 MB for a moment: of a process's threads two work at
 * once, and the others wait. OK; DENIED; UNAVAILABLE: three seconds were not enough. */
enum outcome password_judge(const char *password, const char *hash, struct err *err) MUST_USE;

#endif
