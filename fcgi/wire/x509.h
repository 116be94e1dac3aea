/* x509.h: certificates, requests, keys and trust, on OpenSSL. Certificates travel as DER. */
#ifndef DROVER_WIRE_X509_H
#define DROVER_WIRE_X509_H

#include "base/arena.h"
#include "base/buf.h"

#define CERT_SHA256_LEN 32

struct cert_info {
    uint8_t sha256[CERT_SHA256_LEN]; /* of the DER */
    const char *subject;             /* RFC 2253, UTF-8 */
    const char *common_name;         /* "" when absent */
    const char *issuer;
    const char *serial;            /* lower-case hexadecimal, no leading zeros */
    int64_t not_before, not_after; /* microseconds since 1970 */
    const char *topic; /* the subject's UID attribute (push certificates), "" when absent */
    bool is_ca;
    bool client_auth;  /* extended key usage allows it, or is absent */
    bool sandbox_push; /* Apple certified it for its development push service, and that alone */
    int key_bits;
    /* "RSA", "EC" (P-256, P-384, P-521), "EC-other" (other curves, or one spelt out by its
     * parameters), "Ed25519", "other" */
    const char *key_type;
    uint8_t key_sha256[CERT_SHA256_LEN]; /* of the SubjectPublicKeyInfo */
};

/* Reads a DER certificate; strings are in a. INVALID: none, or octets follow it. */
enum outcome cert_info_read(struct arena *a, struct bytes der, struct cert_info *out,
                            struct err *err) MUST_USE;
/* Every certificate of a PEM text as DER, in order (at most max). INVALID: a block is broken,
 * or there is none. Also accepts a single DER certificate. */
enum outcome cert_from_pem(struct arena *a, struct bytes pem, struct bytes *der, size_t max,
                           size_t *n, struct err *err) MUST_USE;
void cert_to_pem(struct bytes der, struct buf *out);

/* Is it signed by the key of issuer, a CA whose name it bears? DENIED: it is not. */
enum outcome cert_issued_by(struct bytes der, struct bytes issuer, struct err *err) MUST_USE;

/* A set of trusted CAs. Safe for use by many threads at once after it was filled. */
struct trust;
enum outcome trust_new(struct trust **out, struct err *err) MUST_USE;
void trust_free(struct trust **t);
/* Adds a CA certificate (root or intermediate that is itself the anchor). */
enum outcome trust_add(struct trust *t, struct bytes der, struct err *err) MUST_USE;
/* Adds a CRL (DER); from then on certificates of that issuer are checked against it. */
enum outcome trust_add_crl(struct trust *t, struct bytes der, struct err *err) MUST_USE;
/* A revocation list as it is brought: PEM or DER. */
struct crl_info {
    struct bytes der;
    int64_t entries;                  /* certificates that it names */
    int64_t this_update, next_update; /* microseconds since 1970; next_update 0: it does not say */
};
/* INVALID: none, or one of changes or of a part. out is in a. */
enum outcome crl_read(struct arena *a, struct bytes text, struct crl_info *out,
                      struct err *err) MUST_USE;
/* Did that CA sign it, and may it? NOT_FOUND: another one did; INVALID: it may not. */
enum outcome crl_signed_by(struct bytes crl_der, struct bytes ca_der, struct err *err) MUST_USE;
/* From now on the issuers of t count by their names and keys, and their dates are not judged: for
 * chains of Apple's device CAs, which have expired while genuine devices go on using them. Links
 * may be of SHA-1 and keys of 1024 bits RSA, as Apple's are, and nothing weaker; any key usage is
 * good. The certificate's own dates count as ever. Before the set is shared. */
void trust_pin_issuers(struct trust *t);
enum trust_verdict {
    TRUST_GOOD,
    TRUST_EXPIRED,
    TRUST_NOT_YET,
    TRUST_REVOKED,
    TRUST_UNKNOWN_CA,
    TRUST_WRONG_USAGE,
    TRUST_BROKEN
};
/* Chain, validity, key usage (clientAuth), CRLs. chain: further untrusted DER certificates.
 * now: microseconds. TRUST_EXPIRED only when everything else holds. why: a literal. */
enum trust_verdict trust_check(const struct trust *t, struct bytes der, const struct bytes *chain,
                               size_t nchain, int64_t now, const char **why);

/* Keys and requests made by us (set-up, push certificate requests, tests, simulators). */
struct pkey;
enum outcome pkey_new_rsa(int bits, struct pkey **out, struct err *err) MUST_USE;
enum outcome pkey_new_p256(struct pkey **out, struct err *err) MUST_USE;
enum outcome pkey_from_pem(struct bytes pem, struct pkey **out, struct err *err) MUST_USE;
enum outcome pkey_to_pem(const struct pkey *k, struct buf *out, struct err *err) MUST_USE;
/* OK when the certificate holds this key, CONFLICT when another. */
enum outcome pkey_matches(const struct pkey *k, struct bytes cert_der, struct err *err) MUST_USE;
/* Signs b with RSA (PKCS #1 v1.5) and digest "SHA1" or "SHA256". SHA-1 is for a service of Apple's
 * that asks for it. INVALID: no RSA key, another digest. */
enum outcome pkey_sign(const struct pkey *k, const char *digest, struct bytes b, struct buf *out,
                       struct err *err) MUST_USE;
void pkey_free(struct pkey **k);
/* From now on this process keeps the numbers of private keys in memory that is locked where the
 * system allows it, left out of core files and wiped when freed. Once, before the first key. */
void pkey_guard_memory(void);

struct csr_info {
    const char *subject, *common_name;
    const char *challenge; /* challengePassword, "" when absent */
    const char *key_type;
    int key_bits;
    uint8_t key_sha256[CERT_SHA256_LEN];
    const char *const *san; /* "DNS:...", "URI:...", "email:..." */
    size_t nsan;
};
/* Reads a DER PKCS#10 request and checks its own signature. */
enum outcome csr_read(struct arena *a, struct bytes der, struct csr_info *out,
                      struct err *err) MUST_USE;
/* A request for key with subject "CN=...,O=..." pairs and, when not NULL, a challengePassword. */
enum outcome csr_new(const struct pkey *k, const char *common_name, const char *organization,
                     const char *challenge, struct buf *der, struct err *err) MUST_USE;
/* A request as PEM. */
void csr_to_pem(struct bytes der, struct buf *out);
/* The first request of a PEM text as DER, in a; DER is taken as it is. INVALID: there is none. */
enum outcome csr_from_pem(struct arena *a, struct bytes pem, struct bytes *der,
                          struct err *err) MUST_USE;

/* What a certificate we issue is to hold. */
struct cert_profile {
    const char *common_name, *organization;
    int64_t not_before, not_after;
    bool ca;      /* basicConstraints CA, keyCertSign; otherwise an end entity */
    int path_len; /* with ca; -1 is none */
    bool client_auth, server_auth, code_signing, email_protection;
    const char *const *purposes; /* further extended key usages: names or dotted numbers */
    size_t npurposes;
    const char *const *san; /* "DNS:name", "IP:address", "email:address", "URI:address" */
    size_t nsan;
    const char *crl_url; /* in cRLDistributionPoints; NULL or "": none */
    const char *topic;   /* subject UID (simulated push certificates) */
};
/* Is this an extended key usage that can be named so? */
bool cert_purpose_known(const char *name);
/* A revocation list (RFC 5280 section 5), version 2 with its number and the CA's key identifier. */
struct crl_entry {
    const char *serial; /* hexadecimal */
    int64_t revoked_at;
};
enum outcome crl_issue(struct bytes issuer_der, const struct pkey *issuer_key, int64_t number,
                       int64_t this_update, int64_t next_update, const struct crl_entry *entries,
                       size_t n, struct buf *der, struct err *err) MUST_USE;

/* Issues: for the key of csr_der or, when that is empty, of subject_key; signed by issuer_key with
 * the subject of issuer_der (empty: self-signed). A random 127-bit serial. */
enum outcome cert_issue(const struct cert_profile *p, struct bytes csr_der,
                        const struct pkey *subject_key, struct bytes issuer_der,
                        const struct pkey *issuer_key, struct buf *der, struct err *err) MUST_USE;

#endif
