/*
 * libmanifest.h: the manifest of an in-house app (ManifestURL), and the check of its package
 * against the digests that it lists, octet by octet as they come.
 */
#ifndef DROVER_SIM_LIBMANIFEST_H
#define DROVER_SIM_LIBMANIFEST_H

#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* MCMDMErrorDomain, by the reference */
enum {
    MDM_NO_APP_MANIFEST = 12024,  /* Could not validate app manifest */
    MDM_TOO_MANY_APPS = 12032,    /* Too many apps in manifest */
    MDM_INVALID_MANIFEST = 12033, /* Invalid manifest */
    MDM_URL_IS_NOT_HTTPS = 12034, /* URL is not HTTPS */
};

struct digests; /* of one kind, of each part */
struct manifest {
    char *bundle_id, *version;    /* version "": it says none */
    char *url;                    /* of the package */
    struct digests *sha256, *md5; /* NULL: it lists none */
};
/* Reads one. INVALID: err says why, *code is one of the above. */
enum outcome manifest_read(struct bytes octets, struct manifest **out, int64_t *code,
                           struct err *err) MUST_USE;
void manifest_free(struct manifest **m);

/* From the first octet again. */
void manifest_restart(struct manifest *m);
/* The next octets of the package. INVALID: a part that is whole now has another digest. */
enum outcome manifest_check(struct manifest *m, struct bytes octets, struct err *err) MUST_USE;
/* That was all. INVALID: the last part has another digest, or parts are missing. */
enum outcome manifest_check_end(struct manifest *m, struct err *err) MUST_USE;

#endif
