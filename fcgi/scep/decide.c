/*
 * decide.c: what becomes of a PKIOperation.
 *
 * A request is opened by the signer, judged here and issued by the signer; it is recorded before
 * the certificate leaves. The same transaction with the same key is answered with the same
 * certificate, whether the first answer was lost or two workers got it at once.
 *
 * The signingTime of a request is not judged: a device fresh from its box may not know the time.
 */
#include "base/clock.h"
#include "base/log.h"
#include "scep/scep_int.h"
#include "store/crl.h"

#define EARLY_US HOUR_US /* a certificate begins so long ago, for clocks that are behind */

static enum outcome open_request(struct operation *op, struct err *err)
{
    struct arena *a = op->req->arena;
    enum outcome o =
        sign_scep_open(a, op->msg.enveloped, &op->plain, &op->cipher, &op->generation, err);
    if (o == INVALID)
        return scep_refuse(op, SCEP_BAD_ALG, o);
    if (o == DENIED)
        return scep_refuse(op, SCEP_BAD_MESSAGE_CHECK, o);
    if (o != OK)
        return o;
    if (strcmp(op->cipher, "DES-CBC") == 0)
        log_event(LOG_LEVEL_WARNING, "scep.des", "transaction", op->msg.transaction_id, "why",
                  "the request was encrypted with single DES; the answer is in AES", NULL);
    o = cert_info_read(a, op->msg.signer_der, &op->signer, err);
    return o == INVALID ? scep_refuse(op, SCEP_BAD_MESSAGE_CHECK, o) : o;
}

/* The certificate that this transaction and key were answered with goes to op->cert_der. NOT_FOUND:
 * none. */
static enum outcome answered_before(struct operation *op, struct err *err)
{
    enum outcome o = scep_answered(op->db, op->msg.transaction_id, op->csr.key_sha256,
                                   op->req->arena, &op->cert_der, err);
    return o == DENIED ? scep_refuse(op, SCEP_BAD_REQUEST, o) : o;
}

/* The transaction has just been answered by another worker, or comes with another key. */
static enum outcome answered_meanwhile(struct operation *op, struct err *err)
{
    enum outcome o = answered_before(op, err);
    if (o != NOT_FOUND)
        return o;
    return scep_refuse(op, SCEP_BAD_REQUEST,
                       err_set(err, DENIED, "the transaction was answered for another key"));
}

static enum outcome record(struct operation *op, struct bytes cert, struct err *err)
{
    struct arena *a = op->req->arena;
    struct cert_info info;
    enum outcome o = cert_info_read(a, cert, &info, err);
    if (o != OK)
        return err_set(err, ERROR, "the certificate just issued cannot be read");
    struct scep_issue issue = {.transaction_id = op->msg.transaction_id,
                               .challenge = op->kept ? NULL : op->challenge,
                               .why = op->why,
                               .renews_device_id = op->device_id,
                               .handout_id = op->kept ? op->kept->handout_id : 0,
                               .request_id = op->kept ? op->kept->id : 0,
                               .key_may_be_old = op->conf->scep_reuse_keys,
                               .cert_der = cert,
                               .serial = info.serial,
                               .subject = info.subject,
                               .issuer = info.issuer,
                               .not_before = info.not_before,
                               .not_after = info.not_after};
    memcpy(issue.cert_sha256, info.sha256, sizeof issue.cert_sha256);
    memcpy(issue.key_sha256, info.key_sha256, sizeof issue.key_sha256);
    o = scep_issue_record(op->db, &issue, a, err);
    if (o == CONFLICT)
        return answered_meanwhile(op, err);
    if (o != OK)
        return o == DENIED ? scep_refuse(op, SCEP_BAD_REQUEST, o) : o;
    op->cert_der = cert;
    log_event(LOG_LEVEL_INFO, "scep.issued", "transaction", op->msg.transaction_id, "serial",
              info.serial, "subject", info.subject, "by", op->why, "cipher", op->cipher, NULL);
    return OK;
}

enum outcome scep_issue_now(struct operation *op, struct err *err)
{
    struct bytes cert;
    enum outcome o = OK;
    struct sign_issue i = {.csr_der = op->plain,
                           .not_before = op->req->now - EARLY_US,
                           .not_after = op->req->now + op->conf->scep_validity_days * DAY_US};
    if (op->kept) {
        i.csr_der = op->kept->csr_sealed;
        i.common_name = op->kept->common_name;
        i.san = op->kept->san;
        o = scep_request_label(op->req->arena, op->kept->key_sha256, &i.sealed_label, err);
    } else {
        o = scep_names(op, &i.common_name, &i.san, err);
    }
    if (o == DENIED)
        return scep_refuse(op, SCEP_BAD_REQUEST, o);
    if (o == OK)
        o = sign_issue_identity(op->req->arena, &i, &cert, err);
    if (o == INVALID)
        return scep_refuse(op, SCEP_BAD_REQUEST, o);
    return o == OK ? record(op, cert, err) : o;
}

/* Must a person see it first? A renewal that Drover itself has asked for never waits: nobody must
 * lose a device to a list that was not read. */
static bool must_wait(const struct operation *op, bool proven_once)
{
    const char *when = op->conf->scep_approval;
    if (op->bound.device_id)
        return false;
    if (proven_once)
        return op->bound.approve || strcmp(when, "always") == 0;
    return strcmp(when, "static") == 0 || strcmp(when, "always") == 0;
}

/* A PKCSReq is signed with the key it asks a certificate for, and carries a challenge. */
static enum outcome enrol(struct operation *op, struct err *err)
{
    bool none = false;
    if (memcmp(op->signer.key_sha256, op->csr.key_sha256, CERT_SHA256_LEN) != 0)
        return scep_refuse(op, SCEP_BAD_MESSAGE_CHECK,
                           err_set(err, DENIED,
                                   "the message is signed with another key than it asks a "
                                   "certificate for"));
    enum outcome o = answered_before(op, err);
    if (o == NOT_FOUND)
        o = scep_kept(op, err);
    if (o != NOT_FOUND)
        return o == OK && op->kept ? scep_issue_now(op, err) : o;
    o = scep_challenge_judge(op, &none, err);
    if (o == CONFLICT)
        return answered_meanwhile(op, err);
    if (o == DENIED && none && strcmp(op->conf->scep_approval, "never") != 0) {
        op->why = "nothing";
        return scep_keep(op, err);
    }
    if (o == DENIED)
        return scep_refuse(op, SCEP_BAD_REQUEST, o);
    if (o != OK)
        return o;
    return must_wait(op, op->challenge != NULL) ? scep_keep(op, err) : scep_issue_now(op, err);
}

/* The identity that signs a message is one that Drover issued and that still holds. */
static enum outcome identity_holds(struct operation *op, int64_t *device_id, struct err *err)
{
    struct scep_identity id;
    enum outcome o = scep_identity_find(op->db, op->signer.sha256, op->req->arena, &id, err);
    if (o == NOT_FOUND)
        return scep_refuse(op, SCEP_BAD_CERT_ID, o);
    if (o != OK)
        return o;
    if (id.revoked)
        return scep_refuse(op, SCEP_BAD_REQUEST,
                           err_set(err, DENIED, "the identity that signs the message is revoked"));
    if (id.ended)
        return scep_refuse(op, SCEP_BAD_REQUEST,
                           err_set(err, DENIED, "the enrollment of this identity was ended"));
    if (op->signer.not_after <= op->req->now || op->signer.not_before > op->req->now)
        return scep_refuse(op, SCEP_BAD_TIME,
                           err_set(err, DENIED, "the identity that signs the message has expired"));
    *device_id = id.device_id;
    return OK;
}

static enum outcome renew(struct operation *op, struct err *err)
{
    enum outcome o = identity_holds(op, &op->device_id, err);
    op->why = "renewal";
    if (o != OK) /* NOT_FOUND too: an identity that nobody issued renews nothing */
        return o;
    o = answered_before(op, err);
    return o == NOT_FOUND ? scep_issue_now(op, err) : o;
}

static enum outcome request(struct operation *op, struct err *err)
{
    enum outcome o = csr_read(op->req->arena, op->plain, &op->csr, err);
    if (o == INVALID)
        return scep_refuse(op, SCEP_BAD_REQUEST, o);
    if (o != OK)
        return o;
    return op->msg.type == SCEP_PKCS_REQ ? enrol(op, err) : renew(op, err);
}

/* Asks what became of its request; the names in it say no more than transaction and key do. */
static enum outcome poll(struct operation *op, struct err *err)
{
    enum outcome o = scep_subject_read(op->plain, err);
    if (o != OK)
        return o == INVALID ? scep_refuse(op, SCEP_BAD_REQUEST, o) : o;
    memcpy(op->csr.key_sha256, op->signer.key_sha256, sizeof op->csr.key_sha256);
    o = answered_before(op, err);
    if (o == NOT_FOUND)
        o = scep_kept(op, err);
    if (o == NOT_FOUND)
        return scep_refuse(op, SCEP_BAD_CERT_ID, o);
    return o == OK && op->kept ? scep_issue_now(op, err) : o;
}

/* GetCert and GetCRL, for who has an identity of this CA that holds. */
static enum outcome look_up(struct operation *op, struct err *err)
{
    const char *issuer, *serial;
    struct crl_row crl;
    int64_t device_id;
    struct arena *a = op->req->arena;
    enum outcome o = scep_serial_read(a, op->plain, &issuer, &serial, err);
    if (o == INVALID)
        return scep_refuse(op, SCEP_BAD_REQUEST, o);
    if (o == OK)
        o = identity_holds(op, &device_id, err);
    if (o != OK)
        return o;
    if (op->msg.type == SCEP_GET_CERT) {
        o = scep_cert_find(op->db, issuer, serial, a, &op->cert_der, err);
    } else {
        o = crl_of_issuer(op->db, issuer, a, &crl, err);
        op->cert_der = o == OK ? crl.der : op->cert_der;
        op->is_crl = true;
    }
    return o == NOT_FOUND ? scep_refuse(op, SCEP_BAD_CERT_ID, o) : o;
}

/* THE messages that are served. */
static const struct {
    int type;
    enum outcome (*run)(struct operation *op, struct err *err);
} messages[] = {{SCEP_PKCS_REQ, request},
                {SCEP_RENEWAL_REQ, request},
                {SCEP_CERT_POLL, poll},
                {SCEP_GET_CERT, look_up},
                {SCEP_GET_CRL, look_up}};

enum outcome scep_decide(struct operation *op, struct err *err)
{
    size_t i = 0, n = sizeof messages / sizeof *messages;
    while (i < n && messages[i].type != op->msg.type)
        i++;
    if (i == n)
        return scep_refuse(op, SCEP_BAD_REQUEST,
                           err_set(err, INVALID, "messageType %d is not served", op->msg.type));
    enum outcome o = open_request(op, err);
    return o == OK ? messages[i].run(op, err) : o;
}
