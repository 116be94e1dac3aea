/*
 * libattest.h: the identity that Apple builds into a device, played with a CA of the tests, and
 * what the device signs with it before it is enrolled.
 */
#ifndef DROVER_SIM_LIBATTEST_H
#define DROVER_SIM_LIBATTEST_H

#include "libsimdev.h"
#include <openssl/evp.h>

struct attest_ca;
/* path: PEM of a CA certificate and its private key. */
enum outcome attest_ca_load(const char *path, struct attest_ca **out, struct err *err) MUST_USE;
void attest_ca_free(struct attest_ca **ca);
/* As Apple's: RSA of so many bits, signed with SHA-1. */
#define ATTEST_KEY_BITS 1024
/* The device's certificate for that key. */
enum outcome attest_issue(const struct attest_ca *ca, const char *common_name, EVP_PKEY *key,
                          struct identity *out, struct err *err) MUST_USE;

/* What the device says of itself. */
enum attest_kind {
    ATTEST_MACHINE_INFO, /* to a configuration URL */
    ATTEST_ACCOUNT,      /* account-driven: nothing that tells devices apart */
    ATTEST_SERVICE       /* to a Profile Service */
};
/* Adds the CMS message, signed with id. challenge: of the Profile Service, or NULL. */
enum outcome attest_sign(const struct simdev *d, const struct identity *id, enum attest_kind kind,
                         const char *challenge, struct buf *der, struct err *err) MUST_USE;
/* A profile as the device takes it: out of its signature, its payloads decrypted with id. *kind is
 * its PayloadType, "Profile Service" or "Configuration". The root is the caller's to free. */
enum outcome attest_open(struct bytes profile, const struct identity *id, pl *root,
                         struct err *err) MUST_USE;

#endif
