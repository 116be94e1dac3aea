/* payload.h: the payloads of an enrolment profile; profile.c puts them together. */
#ifndef DROVER_ENROLLMENT_PAYLOAD_H
#define DROVER_ENROLLMENT_PAYLOAD_H

#include "base/uuid.h"
#include "enrollment/profile.h"
#include "wire/plist.h"

/* A payload with the keys that all have, named BASE.NAME (NAME "": BASE). Its UUID goes to uuid_out
 * when that is not NULL. */
pl payload_new(struct arena *a, const char *type, const char *base, const char *name,
               const char *title, char uuid_out[UUID_LEN + 1]);
/* Appends a certificate the device shall trust (a root) or know (an intermediate). */
enum outcome payload_add_certificate(pl content, struct arena *a, const char *base,
                                     struct bytes der, struct err *err) MUST_USE;
/* Appends the identity, SCEP or PKCS#12; uuid: for IdentityCertificateUUID. */
enum outcome payload_add_identity(pl content, struct arena *a, const struct profile *p,
                                  const struct profile_secrets *s, char uuid[UUID_LEN + 1],
                                  struct err *err) MUST_USE;
/* Appends the MDM payload. */
void payload_add_mdm(pl content, struct arena *a, const struct profile *p,
                     const char *identity_uuid);
/* Appends what asks for a password before the profile is removed. */
void payload_add_removal(pl content, struct arena *a, const char *base, const char *password);

#endif
