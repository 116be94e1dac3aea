/*
 * sign.h: asking the signer. One short connection to run_dir/signer-ROLE.sock for each operation;
 * the signer knows the caller by that socket and by SO_PEERCRED, and has a list of operations for
 * each role. Every call: UNAVAILABLE when the signer does not answer within ten seconds, DENIED
 * when this role may not.
 */
#ifndef DROVER_WIRE_SIGN_H
#define DROVER_WIRE_SIGN_H

#include "wire/digest.h"
#include "wire/x509.h"

enum sign_role { SIGN_MDM, SIGN_CONSOLE, SIGN_AGENT, SIGN_CTL };

/* Set once per process before the first call; copies the folder. */
void sign_client_setup(const char *run_dir, enum sign_role role);

/* SCEP (RFC 8894): the signer decrypts the pkcsPKIEnvelope with the RA key. INVALID and DENIED as
 * scep_envelope_open() (wire/scepmsg.h). *plain is a PKCS#10 request with its challengePassword:
 * the caller's arena is to be wiped. *generation: whose RA could open it, which signs the answer.
 */
enum outcome sign_scep_open(struct arena *a, struct bytes enveloped, struct bytes *plain,
                            const char **cipher, int64_t *generation, struct err *err) MUST_USE;
/* Issues a device identity for the key of csr: an end entity, clientAuth and [scep] purposes, never
 * a CA; nothing of the request but its key is taken over, the names are those given here. INVALID:
 * the key is neither RSA of 2048 (or [scep] min_rsa) to 4096 bits nor P-256 or P-384, a name is
 * none, or the validity is past [scep] validity_days; an end past the CA's own is cut to that.
 * *cert_der in a. */
struct sign_issue {
    struct bytes csr_der;
    const char *sealed_label; /* csr_der is sealed with it (wire/seal.h); NULL: it is not */
    const char *common_name;
    const char *san; /* subjectAltNames, one a line: "DNS:name"; NULL or "": none */
    int64_t not_before, not_after;
};
enum outcome sign_issue_identity(struct arena *a, const struct sign_issue *issue,
                                 struct bytes *cert_der, struct err *err) MUST_USE;
/* Makes a key and issues its identity, under the rules of sign_issue_identity(), as a PKCS#12 whose
 * random password is made there too: the key is known to nobody else until the profile has it. For
 * all but the console. INVALID besides: key_type is neither "RSA" (2048, 3072, 4096) nor "EC"
 * (256). All in a, which is to be wiped. */
struct sign_pkcs12 {
    const char *key_type;
    int64_t key_size;
    const char *common_name;
    int64_t not_before, not_after;
};
enum outcome sign_pkcs12(struct arena *a, const struct sign_pkcs12 *ask, struct bytes *cert_der,
                         struct bytes *pkcs12, const char **password, struct err *err) MUST_USE;
/* Signs a SCEP CertRep with the RA key. INVALID as scep_reply_write(). */
#define SIGN_SCEP_MAX (4u * LIM_MB) /* octets of an answer: a revocation list may be long */
struct scep_reply {
    const char *transaction_id;
    struct bytes recipient_nonce; /* the request's senderNonce */
    int pki_status;               /* 0 success, 2 failure, 3 pending */
    int fail_info;                /* with failure */
    struct bytes issued_der;      /* with success: goes into a degenerate SignedData, */
    bool is_crl;                  /* it is a revocation list, not a certificate */
    struct bytes recipient_der;   /* encrypted to this certificate (the request's signer) */
    const char *cipher;           /* "AES-128-CBC", "AES-256-CBC", "DES-EDE3-CBC" */
    const char *digest;           /* "SHA1", "SHA256", "SHA384", "SHA512" */
    int64_t generation;           /* of the RA that signs; 0: the present one */
};
enum outcome sign_scep_reply(struct arena *a, const struct scep_reply *reply, struct bytes *der,
                             struct err *err) MUST_USE;
/* A configuration profile as signed CMS. */
enum outcome sign_profile(struct arena *a, struct bytes profile, struct bytes *der,
                          struct err *err) MUST_USE;
/* Opens a sealed secret; it was sealed with the label "PURPOSE:OWNER". purpose decides who may:
 * "BootstrapToken" and "RedemptionCode" the mdm role, "PushKey", "EscrowKey", "WebhookSecret" and
 * "EventPayload" (a device's message for webhooks that ask for secrets) the agent, "ScepChallenge"
 * and "RemovalPassword" both, "LibraryFile" all but the agent, "LibraryDraft" the console;
 * "UnlockToken" the mdm role with the ticket that was made for the command (see
 * proc/signer_ticket.c) and that command's CommandUUID. Other purposes take an empty ticket and "".
 * NOT_FOUND: no such ticket, ended or expired. The answer is the caller's to wipe (buf_wipe). */
enum outcome sign_unseal(const char *purpose, const char *owner, struct bytes sealed,
                         struct bytes ticket, const char *command_uuid, struct buf *out,
                         struct err *err) MUST_USE;

/* A ticket to open purpose ("UnlockToken") of owner once the command command_uuid is delivered.
 * For the console and ctl roles, at the moment an authorised person or key approved the command:
 * reason names them, for the signer's log. expires: microseconds, at most 90 days ahead. It is
 * good for that owner and that command only, however often the command is delivered again. */
#define SIGN_TICKET_LEN 32
enum outcome sign_ticket(const char *purpose, const char *owner, const char *command_uuid,
                         const char *reason, int64_t expires, uint8_t ticket[SIGN_TICKET_LEN],
                         struct err *err) MUST_USE;
/* The command has its final status (mdm), or was cancelled (console, ctl): the ticket is void. OK
 * also when it is void already. */
enum outcome sign_ticket_end(struct bytes ticket, struct err *err) MUST_USE;

/* HTTP Digest (wire/digest.h): is the answer that of the password whose HA1 was sealed as
 * SIGN_DIGEST_LABEL of that algorithm and d->username? The HA1 does not leave the signer. For the
 * mdm role. DENIED: another password; INVALID: sealed for another account. */
#define SIGN_DIGEST_LABEL "DigestHA1-%s:%s" /* algorithm, account */
enum outcome sign_digest_check(const struct digest_answer *d, struct bytes ha1_sealed,
                               const char *method, struct err *err) MUST_USE;

/* The generations of the device CA, oldest first. */
#define SIGN_AUTHORITIES_MAX 8
struct sign_authority {
    int64_t generation;
    int64_t state; /* -1 before, 0 the one that issues, 1 the next */
    struct bytes ca_der, ra_der;
};
/* At most SIGN_AUTHORITIES_MAX go to out; *n tells how many. */
enum outcome sign_authorities(struct arena *a, struct sign_authority *out, size_t *n,
                              struct err *err) MUST_USE;
/* Changes the CA, for the ctl role. "next": makes the next one's keys; CONFLICT: there is one.
 * "switch": the next one issues from now on; NOT_FOUND: there is none. "retire": the one of that
 * generation, which must be an earlier one, is believed no longer; NOT_FOUND, CONFLICT. Waits two
 * minutes, not ten seconds: keys are made. */
enum outcome sign_ca_change(const char *change, int64_t generation, struct err *err) MUST_USE;
/* Makes the keys of a signer that has none, as `droverctl ca init` does: device CA, SCEP and
 * profile certificates, sealing key. For the console and ctl roles: where there is nothing yet,
 * nothing can be lost. CONFLICT: there are keys; INVALID: an organization has 1 to 64 octets. Waits
 * likewise. */
enum outcome sign_ca_init(const char *organization, struct err *err) MUST_USE;
/* The answer to GetNextCACert: the next CA's certificates in a message that the present CA signs.
 * For the mdm role. NOT_FOUND: there is no next one. */
enum outcome sign_next_ca(struct arena *a, struct bytes *der, struct err *err) MUST_USE;
/* A revocation list of that generation's CA, for the agent and ctl roles. INVALID: a serial number
 * is none, or the times are no times; NOT_FOUND: no such generation. */
struct sign_crl {
    int64_t generation, number;
    int64_t this_update, next_update;
    const struct crl_entry *entries; /* wire/x509.h */
    size_t n;
};
enum outcome sign_crl(struct arena *a, const struct sign_crl *crl, struct bytes *der,
                      struct err *err) MUST_USE;

/* Keys of push certificates, and of the certificate that an MDM vendor signs requests for them
 * with: made in the signer, kept sealed, and never out of it but to the agent that pushes. For the
 * console and ctl roles.
 *
 * sign_key_new() makes an RSA 2048 key, what Apple's portals take, and a request for it; the key is
 * sealed until its certificate comes. INVALID: a name is none. */
struct sign_request {
    struct bytes csr_der, key_sealed;
};
enum outcome sign_key_new(struct arena *a, const char *common_name, const char *organization,
                          struct sign_request *out, struct err *err) MUST_USE;
/* The certificate has come: the key is sealed for what it is now. purpose "PushKey", then for the
 * certificate's topic, or "VendorKey", then for the certificate's SHA-256 in hexadecimal. CONFLICT:
 * the certificate belongs to another key; INVALID: a push certificate without a topic. */
enum outcome sign_key_adopt(struct arena *a, const char *purpose, struct bytes key_sealed,
                            struct bytes cert_der, struct bytes *sealed, struct err *err) MUST_USE;
/* Signs a request for a push certificate as its vendor: RSA with digest "SHA1" or "SHA256".
 * INVALID: the request is none, or not signed by its own key; CONFLICT: the sealed key is not the
 * certificate's. */
enum outcome sign_vendor(struct arena *a, struct bytes key_sealed, struct bytes cert_der,
                         struct bytes csr_der, const char *digest, struct bytes *signature,
                         struct err *err) MUST_USE;
/* What a vendor's key is sealed with when it is imported. */
#define SIGN_VENDOR_LABEL "VendorKey:%s" /* SHA-256 of the certificate, hexadecimal */

/* The code of an administrator's second factor (wire/totp.h), whose secret was sealed as
 * SIGN_TOTP_LABEL of the name, at now: *step is its time step. For the console. DENIED: another
 * code; INVALID: sealed for another account. */
#define SIGN_TOTP_LABEL "TotpSecret:%s"
enum outcome sign_totp_check(const char *name, struct bytes sealed, const char *code, int64_t now,
                             int64_t *step, struct err *err) MUST_USE;

/* The certificates that devices and administrators may see, as DER: "ca", "ra" (what SCEP
 * requests are encrypted to and replies signed with), "profile". NOT_FOUND: another name. */
enum outcome sign_certificate(struct arena *a, const char *which, struct bytes *der,
                              struct err *err) MUST_USE;
/* Is the signer there? Its version in a. */
enum outcome sign_ping(struct arena *a, const char **version, struct err *err) MUST_USE;

#endif
