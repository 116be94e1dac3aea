/*
 * seal.h: secrets at rest. Every program can seal to the signer's public key; only the signer can
 * open. X25519 (ephemeral, for a second) + HKDF-SHA256 + AES-256-GCM; the label is authenticated,
 * so that a sealed value cannot be moved to another row or purpose.
 */
#ifndef DROVER_WIRE_SEAL_H
#define DROVER_WIRE_SEAL_H

#include "base/arena.h"
#include "base/buf.h"

#define SEAL_KEY_LEN 32
#define SEAL_OVERHEAD 72 /* a sealed value is at most this much longer than the secret */
#define SEAL_ADDED 65    /* exactly so much, as it is sealed now */

struct seal_pair {
    uint8_t pub[SEAL_KEY_LEN];
    uint8_t priv[SEAL_KEY_LEN];
};
enum outcome seal_pair_new(struct seal_pair *out, struct err *err) MUST_USE;
/* label: purpose and owner, such as "UnlockToken:" and the enrollment's ident. Adds to out. */
enum outcome seal(const uint8_t pub[SEAL_KEY_LEN], const char *label, struct bytes secret,
                  struct buf *out, struct err *err) MUST_USE;
/* The same for a file, of at most LIM_PROFILE octets; a secret has at most LIM_SECRET. */
enum outcome seal_file(const uint8_t pub[SEAL_KEY_LEN], const char *label, struct bytes file,
                       struct buf *out, struct err *err) MUST_USE;
/* DENIED: another key, another label, or altered. */
enum outcome seal_open(const struct seal_pair *pair, const char *label, struct bytes sealed,
                       struct buf *out, struct err *err) MUST_USE;
/* The signer's public key, from signer_dir/seal.pub (32 octets). */
enum outcome seal_public_load(const char *signer_dir, uint8_t pub[SEAL_KEY_LEN],
                              struct err *err) MUST_USE;

#endif
