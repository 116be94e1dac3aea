/*
 * sensitive.h: what harms when it is sent in error, or tells a secret: it takes a reason, a fresh
 * login or a scope of its own, and where the configuration asks for it a second person.
 */
#ifndef DROVER_COMMAND_SENSITIVE_H
#define DROVER_COMMAND_SENSITIVE_H

#include "base/conf.h"
#include "store/db.h"
#include "wire/json.h"

/* The top-level PayloadIdentifier of every enrolment profile of the server at this https URL. NULL:
 * out of memory. */
const char *profile_identifier(struct arena *a, const char *url);

/* Which profile an identifier is, as far as it matters to management. Case is not looked at. */
enum profile_managing {
    MANAGING_NOT,  /* none by which a device is known to be managed */
    MANAGING_OWN,  /* the one that this server gives out */
    MANAGING_TOLD, /* a device told so: another server's, or under an earlier name of this one */
};
enum outcome profile_managing(struct db *db, const struct conf *conf, struct arena *a,
                              const char *identifier, enum profile_managing *which,
                              struct err *err) MUST_USE;

/* The Identifier of a RemoveProfile with these keys (NULL: none); NULL: it is another command, or
 * has none. In keys. */
const char *command_removes(const char *request_type, js keys);

/* Whether the command is one that the catalogue calls sensitive, or one that ends management:
 * RemoveProfile of the profile by which a device is managed, be it the one that this server gives
 * out or one that a device has told of, from a server that it was moved from or an earlier name of
 * this one. removes: as command_removes(). True too when that cannot be found out. */
bool command_sensitive(struct db *db, const struct conf *conf, struct arena *a,
                       const char *request_type, const char *removes);

/* Whether the answer to a command tells where a person is: it is shown to whoever may ask for it.
 */
bool command_personal(const char *request_type);
/* Puts on record that somebody looks at such an answer of an enrollment: before it is told. */
enum outcome command_looked(struct db *db, const char *actor, const char *ident, const char *uuid,
                            const char *request_type, struct err *err) MUST_USE;

#endif
