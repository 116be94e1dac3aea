/* cms.h: Cryptographic Message Syntax (RFC 5652), on OpenSSL. */
#ifndef DROVER_WIRE_CMS_H
#define DROVER_WIRE_CMS_H

#include "wire/x509.h"

/* Verifies a detached signature (the decoded Mdm-Signature) over body: exactly one signer, whose
 * certificate is in the message; SHA-1, SHA-256, SHA-384 or SHA-512 with RSA or EC. The chain is
 * the caller's business (trust_check). *signer: its DER in a; chain: the other certificates, at
 * most *nchain on entry.
 * INVALID: no such message, no or several signers, no certificate, weak digest;
 * DENIED: the signature is over another body. */
enum outcome cms_verify_detached(struct arena *a, struct bytes cms, struct bytes body,
                                 struct bytes *signer, struct bytes *chain, size_t *nchain,
                                 struct err *err) MUST_USE;
/* The same for a message that carries its content (configuration URL, profile service). */
enum outcome cms_verify_attached(struct arena *a, struct bytes cms, struct bytes *content,
                                 struct bytes *signer, struct bytes *chain, size_t *nchain,
                                 struct err *err) MUST_USE;
/* Signs: content inside (profiles) or detached (Mdm-Signature of the simulator). SHA-256. */
enum outcome cms_sign(struct bytes content, struct bytes signer_der, const struct pkey *key,
                      const struct bytes *chain, size_t nchain, bool detached, struct buf *der,
                      struct err *err) MUST_USE;
/* EnvelopedData with AES-256-CBC for the holder of a certificate (encrypted profiles). */
enum outcome cms_encrypt(struct bytes content, struct bytes recipient_der, struct buf *der,
                         struct err *err) MUST_USE;
enum outcome cms_decrypt(struct bytes cms, struct bytes recipient_der, const struct pkey *key,
                         struct buf *out, struct err *err) MUST_USE;

#endif
