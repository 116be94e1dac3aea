/*
 * sign.h: asking the signer. One short connection to run_dir/signer-ROLE.sock for each operation;
 * the signer knows the caller by that socket and by SO_PEERCRED, and has a list of operations for
 * each role. Every call: UNAVAILABLE when the signer does not answer within ten seconds, DENIED
 * when this role may not.
 */
#ifndef DROVER_WIRE_SIGN_H
#define DROVER_WIRE_SIGN_H

#include "wire/x509.h"

enum sign_role { SIGN_MDM, SIGN_CONSOLE, SIGN_AGENT, SIGN_CTL };

/* Set once per process before the first call; copies the folder. */
void sign_client_setup(const char *run_dir, enum sign_role role);

/* SCEP (RFC 8894): the signer decrypts the pkcsPKIEnvelope with the RA/CA key. */
enum outcome sign_scep_open(struct arena *a, struct bytes enveloped, struct bytes *plain,
                            const char **cipher, struct err *err) MUST_USE;
/* Issues a device identity for csr: an end entity, clientAuth, never a CA. *cert_der in a. */
enum outcome sign_issue_identity(struct arena *a, struct bytes csr_der, const char *common_name,
                                 int64_t not_before, int64_t not_after, struct bytes *cert_der,
                                 struct err *err) MUST_USE;
/* Signs a SCEP CertRep: `attrs` is the signed-attributes request of scep/ (see scep_reply). */
struct scep_reply {
    const char *transaction_id;
    struct bytes recipient_nonce; /* the request's senderNonce */
    int pki_status;               /* 0 success, 2 failure, 3 pending */
    int fail_info;                /* with failure */
    struct bytes issued_der;      /* with success: goes into a degenerate SignedData, */
    struct bytes recipient_der;   /* encrypted to this certificate (the request's signer) */
    const char *cipher;           /* "AES-128-CBC", "AES-256-CBC", "DES-EDE3-CBC" */
    const char *digest;           /* "SHA1", "SHA256", "SHA512" */
};
enum outcome sign_scep_reply(struct arena *a, const struct scep_reply *reply, struct bytes *der,
                             struct err *err) MUST_USE;
/* A configuration profile as signed CMS. */
enum outcome sign_profile(struct arena *a, struct bytes profile, struct bytes *der,
                          struct err *err) MUST_USE;
/* Opens a sealed secret. purpose decides who may: "BootstrapToken" the mdm role, "PushKey" the
 * agent; "UnlockToken" takes a ticket (see proc/signer.c) and the mdm role. The answer is the
 * caller's to wipe (buf_wipe). */
enum outcome sign_unseal(const char *purpose, const char *owner, struct bytes sealed,
                         struct bytes ticket, struct buf *out, struct err *err) MUST_USE;
/* The certificates that devices and administrators may see, as DER: "ca", "ra" (scep
 * encryption/signature certificate when separate), "profile". NOT_FOUND when there is none. */
enum outcome sign_certificate(struct arena *a, const char *which, struct bytes *der,
                              struct err *err) MUST_USE;
/* Is the signer there? Its version in a. */
enum outcome sign_ping(struct arena *a, const char **version, struct err *err) MUST_USE;

#endif
