/* scep_int.h: what the files of the SCEP service share. */
#ifndef DROVER_SCEP_SCEP_INT_H
#define DROVER_SCEP_SCEP_INT_H

#include "scep/scep.h"
#include "store/scep.h"
#include "store/scep_challenge.h"
#include "store/scep_request.h"
#include "wire/scepmsg.h"

/* One PKIOperation: what came, then what was decided. */
struct operation {
    const struct conf *conf;
    struct req *req;
    struct db *db;
    struct scep_request msg;
    struct bytes plain; /* what was in the envelope: a PKCS#10 request, or whom it asks about */
    const char *cipher;
    int64_t generation; /* of the RA that opened it */
    struct cert_info signer;
    struct csr_info csr;

    /* how it was authorised */
    const char *why;                 /* for the audit */
    const char *challenge;           /* one-time challenge to use up, or NULL */
    struct scep_challenge bound;     /* what that challenge is bound to */
    int64_t device_id;               /* of a renewal */
    const struct scep_waiting *kept; /* the request that waited and was approved, or NULL */

    /* the answer: OK and a certificate, OK and pending, or a failInfo */
    struct bytes cert_der;
    bool is_crl; /* a revocation list instead */
    bool pending;
    int fail;
};

/* Refuses with a failInfo; err holds the words. Returns o. */
static inline enum outcome scep_refuse(struct operation *op, int fail, enum outcome o)
{
    op->fail = fail;
    return o;
}

/* Judges op->msg and, where it may, issues. OK with an answer in op, or a refusal with op->fail;
 * ERROR, UNAVAILABLE: a fault, and no answer. */
enum outcome scep_decide(struct operation *op, struct err *err) MUST_USE;

/* Whether the challengePassword lets it in: OK, op->challenge, bound and why tell by what;
 * DENIED: none, or a wrong one (*none tells which); CONFLICT as scep_challenge_check(). */
enum outcome scep_challenge_judge(struct operation *op, bool *none, struct err *err) MUST_USE;

/* The names of the certificate by the rules of [scep] and of the challenge: *common_name cut to
 * what X.520 allows, *san one a line. DENIED: a name that is not allowed. */
enum outcome scep_names(struct operation *op, const char **common_name, const char **san,
                        struct err *err) MUST_USE;

/* Keeps the request until a person has decided: op->pending. Refusals as scep_request_add(). */
enum outcome scep_keep(struct operation *op, struct err *err) MUST_USE;
/* What became of the request of this transaction and the signer's key, if it is kept: op->pending;
 * op->kept when it was approved, op->csr holding its key; DENIED with op->fail; NOT_FOUND: it is
 * not. */
enum outcome scep_kept(struct operation *op, struct err *err) MUST_USE;

/* The certificate that this transaction and key were answered with goes to op->cert_der. NOT_FOUND:
 * none; DENIED with op->fail: the transaction is another key's. */
enum outcome scep_answered_before(struct operation *op, struct err *err) MUST_USE;
/* The same, for a transaction that somebody has answered: DENIED with op->fail where there is no
 * certificate for this key. */
enum outcome scep_answered_meanwhile(struct operation *op, struct err *err) MUST_USE;
/* Issues for op->csr, or for op->kept, and records: op->cert_der. */
enum outcome scep_issue_now(struct operation *op, struct err *err) MUST_USE;

#endif
