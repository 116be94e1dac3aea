/* pem_parts.h: what an operator brings as PEM: certificates, and the private key of one of them. */
#ifndef DROVER_PUSH_PEM_PARTS_H
#define DROVER_PUSH_PEM_PARTS_H

#include "wire/x509.h"

#define PEM_PARTS_MAX 8

struct pem_parts {
    struct bytes cert[PEM_PARTS_MAX]; /* DER */
    size_t ncert;
    struct buf key; /* the key's block, PEM; empty when there is none; to be wiped */
};
/* Finds them in any order, whatever stands between; a missing newline between two blocks is
 * tolerated. p->key is set up by the caller. INVALID says what is wrong: no certificate, a block of
 * an unknown type or without its end, an encrypted key, several keys. */
enum outcome pem_parts_read(struct arena *a, struct bytes pem, struct pem_parts *p,
                            struct err *err) MUST_USE;
/* Which of the certificates is the key's; the others are its chain. INVALID: none. */
enum outcome pem_parts_leaf(const struct pem_parts *p, size_t *leaf, struct err *err) MUST_USE;

#endif
