/*
 * vendor.h: how a push certificate comes to be. The signer makes a key and a request for it; an MDM
 * vendor signs the request with a certificate that Apple gives vendors; Apple's portal takes the
 * signed request and gives the push certificate, which finds its key by itself (push/pushcert.h).
 * Drover may be the vendor's tool too, where the vendor's certificate is imported.
 *
 * See "MDM Vendor CSR Signing Overview" of Apple's protocol reference.
 */
#ifndef DROVER_PUSH_VENDOR_H
#define DROVER_PUSH_VENDOR_H

#include "base/limits.h"
#include "store/db.h"
#include "store/pushrequest.h"

#define VENDOR_PEM_MAX (64u * LIM_KB)
#define VENDOR_REQUEST_MAX (256u * LIM_KB)

/* Has the signer make a key and a request for it, and keeps both. purpose: a push certificate, or
 * the vendor's own. topic: what it is to renew; "" is none. out is in a. INVALID: a name is none;
 * NOT_FOUND: there is no certificate of that topic to renew. */
enum outcome vendor_request_new(struct db *db, const struct conf *conf, enum push_purpose purpose,
                                const char *name, const char *topic, const char *by,
                                struct arena *a, struct push_request *out,
                                struct err *err) MUST_USE;

/* Imports an MDM signing certificate: PEM with it, its issuers up to the root, and its key unless a
 * request made here waits for it. *out, in a, without chain and key. INVALID says what is wrong: no
 * key, no RSA key, expired, a chain that does not reach a root. */
enum outcome vendor_import(struct db *db, const struct conf *conf, struct bytes pem, const char *by,
                           struct arena *a, struct vendor_cert *out, struct err *err) MUST_USE;

/* Signs a request (PEM or DER) as the vendor; adds the text that Apple's portal takes to out: a
 * property list PushCertWebRequest in base64. digest: "SHA256", or "SHA1" as the reference has it.
 * Audited. NOT_FOUND: there is no MDM signing certificate; INVALID: no request, or an expired MDM
 * signing certificate. */
enum outcome vendor_sign(struct db *db, struct bytes csr, const char *digest, const char *by,
                         struct arena *a, struct buf *out, struct err *err) MUST_USE;

#endif
