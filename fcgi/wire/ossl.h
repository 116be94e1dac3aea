/* ossl.h: what the files of wire/ that use OpenSSL share. Nobody outside wire/ includes it. */
#ifndef DROVER_WIRE_OSSL_H
#define DROVER_WIRE_OSSL_H

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include "wire/x509.h"

struct pkey {
    EVP_PKEY *k;
};
/* Takes k over, also when it fails. ERROR: k is NULL, or memory. */
enum outcome pkey_wrap(EVP_PKEY *k, struct pkey **out, struct err *err) MUST_USE;

/* Fills err with the text and, after it, what OpenSSL's error queue says first; empties the queue.
 * Returns o. */
#define err_ossl(e, o, ...) err_ossl_at((e), (o), __FILE__, __LINE__, __VA_ARGS__)
enum outcome err_ossl_at(struct err *e, enum outcome o, const char *file, int line, const char *fmt,
                         ...) PRINTF_LIKE(5, 6);

/* The context in which certificates are decoded (ossl_lib.c); NULL: the ordinary one, where this
 * machine's OpenSSL is configured otherwise. It knows RSA and EC keys alone. */
OSSL_LIB_CTX *ossl_lib(void);
/* Could the certificate's key be decoded in the context in which the certificate was? */
bool ossl_key_known(X509 *x);
/* Decodes one DER certificate, the whole of b; NULL (INVALID in err) otherwise. */
X509 *ossl_cert(struct bytes b, struct err *err) MUST_USE;
/* Decodes DER certificates into a stack that owns them. NULL: one of them is none. */
STACK_OF(X509) * ossl_cert_stack(const struct bytes *der, size_t n, struct err *err) MUST_USE;
/* The DER of a certificate in a; p is NULL when memory runs out. */
struct bytes ossl_cert_der(struct arena *a, const X509 *x) MUST_USE;
/* Everything a memory BIO holds, added to out. */
enum outcome ossl_bio_take(BIO *bio, struct buf *out, struct err *err) MUST_USE;
/* A name as RFC 2253 text in UTF-8; NULL when memory runs out. */
const char *ossl_name_text(struct arena *a, const X509_NAME *name) MUST_USE;
/* The first attribute nid of a name as UTF-8, "" when absent; NULL when it is no text or memory
 * runs out (a NUL inside counts as no text: it would cut the value short later). */
const char *ossl_name_field(struct arena *a, const X509_NAME *name, int nid) MUST_USE;
/* A serial number as cert_info has it; NULL when memory runs out. */
const char *ossl_serial_text(struct arena *a, const ASN1_INTEGER *serial) MUST_USE;
/* A key's family as cert_info names it and its size; sha256 of its SubjectPublicKeyInfo. */
enum outcome ossl_key_describe(X509_PUBKEY *spki_of, const char **type, int *bits,
                               uint8_t sha256[CERT_SHA256_LEN], struct err *err) MUST_USE;

#endif
