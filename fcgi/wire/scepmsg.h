/*
 * scepmsg.h: the messages of SCEP (RFC 8894 section 3): the workers read requests, the signer opens
 * envelopes and writes replies.
 */
#ifndef DROVER_WIRE_SCEPMSG_H
#define DROVER_WIRE_SCEPMSG_H

#include "wire/sign.h"

#define SCEP_NONCE_LEN 16
#define SCEP_NONCE_MAX 64         /* octets of a nonce that are accepted */
#define SCEP_TRANSACTION_MAX 255u /* characters of a transactionID */
#define SCEP_CERTS_MAX 8          /* certificates a message may carry beside the signer's */

/* messageType (section 3.2.1.2) */
enum scep_type {
    SCEP_CERT_REP = 3,
    SCEP_RENEWAL_REQ = 17,
    SCEP_PKCS_REQ = 19,
    SCEP_CERT_POLL = 20,
    SCEP_GET_CERT = 21,
    SCEP_GET_CRL = 22
};
/* pkiStatus (3.2.1.3) and failInfo (3.2.1.4) */
enum { SCEP_SUCCESS = 0, SCEP_FAILURE = 2, SCEP_PENDING = 3 };
enum scep_fail {
    SCEP_BAD_ALG = 0,
    SCEP_BAD_MESSAGE_CHECK = 1,
    SCEP_BAD_REQUEST = 2,
    SCEP_BAD_TIME = 3,
    SCEP_BAD_CERT_ID = 4
};

/* A request's outer layer. Everything is in the arena. */
struct scep_request {
    int type; /* a messageType as sent; any number */
    const char *transaction_id;
    struct bytes sender_nonce;
    const char *digest;      /* "SHA1", "SHA256", "SHA384", "SHA512" */
    struct bytes signer_der; /* the certificate it is signed with */
    struct bytes enveloped;  /* the pkcsPKIEnvelope: DER of an EnvelopedData ContentInfo */
};
/* Reads a PKIMessage and checks its signature (not the signer's chain: for a PKCSReq the
 * certificate is self-signed). INVALID: no such message, an attribute is missing or given twice,
 * no certificate of the signer; nothing can be answered. DENIED: the signature is wrong, out is
 * filled and a failure can be answered (badMessageCheck). */
enum outcome scep_request_read(struct arena *a, struct bytes der, struct scep_request *out,
                               struct err *err) MUST_USE;

/* Is this an IssuerAndSubject (section 3.3.3), what a CertPoll asks about? INVALID: it is none. */
enum outcome scep_subject_read(struct bytes der, struct err *err) MUST_USE;

/* An IssuerAndSerialNumber (sections 3.3.4 and 3.3.5), what GetCert and GetCRL ask about; strings
 * as in struct cert_info. INVALID: it is none. */
enum outcome scep_serial_read(struct arena *a, struct bytes der, const char **issuer,
                              const char **serial, struct err *err) MUST_USE;

/* Loads OpenSSL's legacy provider into this process, for single DES. Once, before threads. */
enum outcome scep_legacy_load(struct err *err) MUST_USE;
/* Opens a pkcsPKIEnvelope with the key of recipient_der. *cipher: a literal, "AES-128-CBC",
 * "AES-192-CBC", "AES-256-CBC", "DES-EDE3-CBC" or, with allow_des, "DES-CBC". INVALID: another
 * algorithm (badAlg); DENIED: no envelope, or it cannot be decrypted with this key. */
enum outcome scep_envelope_open(struct bytes enveloped, struct bytes recipient_der,
                                const struct pkey *key, bool allow_des, struct buf *plain,
                                const char **cipher, struct err *err) MUST_USE;
/* Writes a CertRep, signed with ra_der's key. A reply to DES-CBC is encrypted with AES-256-CBC.
 * INVALID: a field of the reply, or a recipient nothing can be encrypted to. */
enum outcome scep_reply_write(const struct scep_reply *reply, struct bytes ra_der,
                              const struct pkey *ra_key, struct buf *der, struct err *err) MUST_USE;

/* Certificates alone (degenerate SignedData), as GetCACert and CertRep carry them. CMS keeps
 * them as a SET: the order is the encoding's, not the caller's. */
enum outcome cms_certs_write(const struct bytes *certs, size_t n, struct buf *der,
                             struct err *err) MUST_USE;
/* A revocation list alone, as the answer to GetCRL carries it. INVALID: it is none. */
enum outcome cms_crl_write(struct bytes crl, struct buf *der, struct err *err) MUST_USE;

#endif
