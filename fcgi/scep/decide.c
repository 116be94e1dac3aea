/*
 * decide.c: what becomes of a PKIOperation.
 *
 * A request is opened by the signer, judged here and issued by the signer (issue.c).
 *
 * The signingTime of a request is not judged: a device fresh from its box may not know the time.
 */
#include "base/clock.h"
#include "base/log.h"
#include "scep/scep_int.h"
#include "store/crl.h"

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
    enum outcome o = scep_answered_before(op, err);
    if (o == NOT_FOUND)
        o = scep_kept(op, err);
    if (o != NOT_FOUND)
        return o == OK && op->kept ? scep_issue_now(op, err) : o;
    o = scep_challenge_judge(op, &none, err);
    if (o == CONFLICT)
        return scep_answered_meanwhile(op, err);
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
    o = scep_answered_before(op, err);
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
    o = scep_answered_before(op, err);
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
