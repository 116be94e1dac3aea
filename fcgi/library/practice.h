/* practice.h: where a profile leaves what the reference's "MDM Best Practices" advise: warnings,
 * never refusals. */
#ifndef DROVER_LIBRARY_PRACTICE_H
#define DROVER_LIBRARY_PRACTICE_H

#include "command/validate_int.h"
#include "library/config_profile.h"

/* Of n payloads with their types ("": unknown): several accounts, restrictions without anything
 * given, a type twice that a device takes once, passwords in an app's settings. */
void practice_payloads(struct check *c, pl list, const char *const *types, size_t n);
/* Of the profile as a whole: locked, variables that are none, a signature that variables break. */
void practice_profile(struct check *c, pl root, const struct config_profile *p);
/* Is a key named like a password, as a person reads it: "wifiPassword", "API_KEY"? */
bool practice_like_password(const char *key);
/* Each key below node that is named like a password and holds a text or data. */
void practice_passwords(struct check *c, pl node);

#endif
