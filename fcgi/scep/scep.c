/*
 * scep.c: the operations of SCEP.
 *
 * A request is opened by the signer, judged here and issued by the signer; it is recorded before
 * the certificate leaves. The same transaction with the same key is answered with the same
 * certificate, whether the first answer was lost or two workers got it at once.
 *
 * The signingTime of a request is not judged: a device fresh from its box may not know the time.
 */
#include "scep/scep.h"

#include <stdio.h>
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "wire/scepmsg.h"

#define TYPE_MESSAGE "application/x-pki-message"
#define TYPE_CA_RA "application/x-x509-ca-ra-cert"
/* SHA-384 is no word of RFC 8894, but true, and strongSwan 5.9.8 takes a server without it for one
 * without AES and SHA-256. */
#define CAPS                                                                                       \
    "AES\nDES3\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-1\nSHA-256\nSHA-384\nSHA-512\n"
#define COMMON_NAME_MAX 64u
#define EARLY_US HOUR_US /* a certificate begins so long ago, for clocks that are behind */

/* One PKIOperation. */
struct operation {
    const struct conf *conf;
    struct req *req;
    struct db *db;
    struct scep_request msg;
    struct csr_info csr;
    struct bytes csr_der;
    const char *cipher;
    int fail; /* failInfo, when it is refused */
    const char *why;
    const char *challenge; /* one-time challenge to use up, or NULL */
    int64_t device_id;     /* of a renewal */
    struct bytes cert_der; /* the answer */
};

/* Refuses with a failInfo; err holds the words. */
static enum outcome refuse(struct operation *op, int fail, enum outcome o)
{
    op->fail = fail;
    return o;
}

static enum outcome open_request(struct operation *op, struct err *err)
{
    struct arena *a = op->req->arena;
    enum outcome o = sign_scep_open(a, op->msg.enveloped, &op->csr_der, &op->cipher, err);
    if (o == INVALID)
        return refuse(op, SCEP_BAD_ALG, o);
    if (o == DENIED)
        return refuse(op, SCEP_BAD_MESSAGE_CHECK, o);
    if (o != OK)
        return o;
    if (strcmp(op->cipher, "DES-CBC") == 0)
        log_event(LOG_LEVEL_WARNING, "scep.des", "transaction", op->msg.transaction_id, "why",
                  "the request was encrypted with single DES; the answer is in AES", NULL);
    o = csr_read(a, op->csr_der, &op->csr, err);
    return o == INVALID ? refuse(op, SCEP_BAD_REQUEST, o) : o;
}

/* A RenewalReq is signed with an identity that Drover issued and that still holds. */
static enum outcome renewal_allowed(struct operation *op, const struct cert_info *signer,
                                    struct err *err)
{
    struct scep_identity id;
    enum outcome o = scep_identity_find(op->db, signer->sha256, op->req->arena, &id, err);
    if (o == NOT_FOUND)
        return refuse(op, SCEP_BAD_CERT_ID, o);
    if (o != OK)
        return o;
    if (id.revoked)
        return refuse(op, SCEP_BAD_REQUEST,
                      err_set(err, DENIED, "the identity that signs the renewal is revoked"));
    if (id.ended)
        return refuse(op, SCEP_BAD_REQUEST,
                      err_set(err, DENIED, "the enrollment of this identity was ended"));
    if (signer->not_after <= op->req->now || signer->not_before > op->req->now)
        return refuse(op, SCEP_BAD_TIME,
                      err_set(err, DENIED, "the identity that signs the renewal has expired"));
    op->device_id = id.device_id;
    op->why = "renewal";
    return OK;
}

/* The certificate this transaction and key were answered with before goes to op->cert_der.
 * NOT_FOUND: none. */
static enum outcome answered_before(struct operation *op, struct err *err)
{
    enum outcome o = scep_answered(op->db, op->msg.transaction_id, op->csr.key_sha256,
                                   op->req->arena, &op->cert_der, err);
    return o == DENIED ? refuse(op, SCEP_BAD_REQUEST, o) : o;
}

/* The transaction has just been answered by another worker, or comes with another key. */
static enum outcome answered_meanwhile(struct operation *op, struct err *err)
{
    enum outcome o = answered_before(op, err);
    if (o != NOT_FOUND)
        return o;
    return refuse(op, SCEP_BAD_REQUEST,
                  err_set(err, DENIED, "the transaction was answered for another key"));
}

/* A PKCSReq is signed with the key it asks a certificate for, and carries a challenge. */
static enum outcome enrolment_allowed(struct operation *op, const struct cert_info *signer,
                                      struct err *err)
{
    bool one_time = false;
    if (memcmp(signer->key_sha256, op->csr.key_sha256, CERT_SHA256_LEN) != 0)
        return refuse(op, SCEP_BAD_MESSAGE_CHECK,
                      err_set(err, DENIED,
                              "the message is signed with another key than it asks a "
                              "certificate for"));
    enum outcome o = answered_before(op, err);
    if (o != NOT_FOUND)
        return o;
    o = challenge_check(op->conf, op->db, op->csr.challenge, op->msg.transaction_id, op->req->arena,
                        &one_time, err);
    if (o == CONFLICT)
        return answered_meanwhile(op, err);
    op->challenge = one_time ? op->csr.challenge : NULL;
    op->why = one_time ? "challenge" : "static-challenge";
    return o == DENIED ? refuse(op, SCEP_BAD_REQUEST, o) : o;
}

static enum outcome authorise(struct operation *op, struct err *err)
{
    struct cert_info signer;
    enum outcome o = cert_info_read(op->req->arena, op->msg.signer_der, &signer, err);
    if (o == INVALID)
        return refuse(op, SCEP_BAD_MESSAGE_CHECK, o);
    if (o != OK)
        return o;
    if (op->msg.type == SCEP_PKCS_REQ)
        return enrolment_allowed(op, &signer, err);
    o = renewal_allowed(op, &signer, err);
    if (o != OK)
        return o;
    o = answered_before(op, err);
    return o == NOT_FOUND ? OK : o;
}

/* The name in the certificate: the request's, cut to what X.520 allows. It is for people: what a
 * certificate may do hangs on its fingerprint. */
static const char *identity_name(struct operation *op)
{
    const char *cn = op->csr.common_name;
    size_t n = strlen(cn);
    if (n == 0)
        return "Device identity";
    if (n > COMMON_NAME_MAX)
        for (n = COMMON_NAME_MAX; n && ((unsigned char)cn[n] & 0xc0) == 0x80; n--)
            ;
    return arena_strndup(op->req->arena, cn, n);
}

static enum outcome record(struct operation *op, struct bytes cert, struct err *err)
{
    struct arena *a = op->req->arena;
    struct cert_info info;
    enum outcome o = cert_info_read(a, cert, &info, err);
    if (o != OK)
        return err_set(err, ERROR, "the certificate just issued cannot be read");
    struct scep_issue issue = {.transaction_id = op->msg.transaction_id,
                               .challenge = op->challenge,
                               .why = op->why,
                               .renews_device_id = op->device_id,
                               .cert_der = cert,
                               .serial = info.serial,
                               .subject = info.subject,
                               .not_before = info.not_before,
                               .not_after = info.not_after};
    memcpy(issue.cert_sha256, info.sha256, sizeof issue.cert_sha256);
    memcpy(issue.key_sha256, info.key_sha256, sizeof issue.key_sha256);
    o = scep_issue_record(op->db, &issue, a, err);
    if (o == CONFLICT)
        return answered_meanwhile(op, err);
    if (o != OK)
        return o == DENIED ? refuse(op, SCEP_BAD_REQUEST, o) : o;
    op->cert_der = cert;
    log_event(LOG_LEVEL_INFO, "scep.issued", "transaction", op->msg.transaction_id, "serial",
              info.serial, "subject", info.subject, "by", op->why, "cipher", op->cipher, NULL);
    return OK;
}

static enum outcome issue(struct operation *op, struct err *err)
{
    struct bytes cert;
    const char *name = identity_name(op);
    if (!name)
        return err_set(err, ERROR, "out of memory");
    int64_t from = op->req->now - EARLY_US;
    int64_t to = op->req->now + op->conf->scep_validity_days * DAY_US;
    enum outcome o = sign_issue_identity(op->req->arena, op->csr_der, name, from, to, &cert, err);
    if (o == INVALID)
        return refuse(op, SCEP_BAD_REQUEST, o);
    return o == OK ? record(op, cert, err) : o;
}

/* OK with a certificate, or a refusal with a failInfo. */
static enum outcome decide(struct operation *op, struct err *err)
{
    if (op->msg.type != SCEP_PKCS_REQ && op->msg.type != SCEP_RENEWAL_REQ)
        return refuse(op, SCEP_BAD_REQUEST,
                      err_set(err, INVALID, "messageType %d is not served", op->msg.type));
    enum outcome o = open_request(op, err);
    if (o == OK)
        o = authorise(op, err);
    if (o == OK && !op->cert_der.p)
        o = issue(op, err);
    return o;
}

static bool is_fault(enum outcome o)
{
    return o == ERROR || o == UNAVAILABLE;
}

static void note(struct resp *resp, const struct err *err)
{
    snprintf(resp->note, sizeof resp->note, "%.150s", err->msg);
}

static void answer_fault(struct resp *resp, const struct err *err)
{
    log_err(LOG_LEVEL_ERROR, "scep.fault", err);
    resp_text(resp, err->outcome == UNAVAILABLE ? 503 : 500, "try again later");
}

/* Signs and sends the CertRep for what was decided. */
static void reply(struct operation *op, enum outcome decided, struct resp *resp, struct err *err)
{
    struct bytes der;
    struct scep_reply r = {.transaction_id = op->msg.transaction_id,
                           .recipient_nonce = op->msg.sender_nonce,
                           .pki_status = decided == OK ? SCEP_SUCCESS : SCEP_FAILURE,
                           .fail_info = op->fail,
                           .issued_der = op->cert_der,
                           .recipient_der = op->msg.signer_der,
                           .cipher = op->cipher,
                           .digest = op->msg.digest};
    if (decided != OK) {
        char fail[16];
        snprintf(fail, sizeof fail, "%d", op->fail);
        log_event(LOG_LEVEL_WARNING, "scep.refused", "transaction", op->msg.transaction_id,
                  "fail_info", fail, "why", err->msg, NULL);
        note(resp, err);
        r.issued_der = r.recipient_der = bytes_of("", 0);
        r.cipher = "";
    }
    enum outcome o = sign_scep_reply(op->req->arena, &r, &der, err);
    if (is_fault(o)) {
        answer_fault(resp, err);
    } else if (o != OK) {
        resp_text(resp, 400, "no answer can be made to this message");
        note(resp, err);
    } else {
        resp->content_type = TYPE_MESSAGE;
        buf_add(&resp->body, der.p, der.n);
    }
}

static void pki_operation(struct app *app, struct req *req, struct bytes der, struct resp *resp)
{
    struct err err = {.outcome = OK};
    struct operation op = {.conf = app->conf, .req = req, .cipher = ""};
    enum outcome o = scep_request_read(req->arena, der, &op.msg, &err);
    if (is_fault(o)) {
        answer_fault(resp, &err);
        return;
    }
    if (o == DENIED) {
        op.fail = SCEP_BAD_MESSAGE_CHECK;
    } else if (o != OK) {
        resp_text(resp, 400, "the message is no PKIMessage");
        note(resp, &err);
        return;
    } else {
        o = db_pool_take(app->pool, &op.db, &err);
        if (o == OK)
            o = decide(&op, &err);
        db_pool_give(app->pool, &op.db);
    }
    if (is_fault(o))
        answer_fault(resp, &err);
    else
        reply(&op, o, resp, &err);
}

/* The message of a GET: base64 in the query. Clients that forget to escape '+' meet the form
 * rule, by which it was read as a space. */
static void pki_operation_get(struct app *app, struct req *req, struct resp *resp)
{
    struct bytes der;
    const char *message = req_query(req, "message");
    char *text = message ? arena_strdup(req->arena, message) : NULL;
    if (!text) {
        resp_text(resp, 400, "PKIOperation by GET needs a message");
        return;
    }
    for (char *p = text; *p; p++)
        if (*p == ' ')
            *p = '+';
    enum outcome o = base64_decode(req->arena, bytes_str(text), &der);
    if (o == ERROR)
        resp_text(resp, 500, "out of memory");
    else if (o != OK || der.n > LIM_BODY_SCEP)
        resp_text(resp, 400, "the message is no base64 of a PKIMessage");
    else
        pki_operation(app, req, der, resp);
}

static void get_ca_cert(struct req *req, struct resp *resp)
{
    struct err err = {.outcome = OK};
    struct bytes certs[2];
    enum outcome o = sign_certificate(req->arena, "ra", &certs[0], &err);
    if (o == OK)
        o = sign_certificate(req->arena, "ca", &certs[1], &err);
    if (o == OK)
        o = cms_certs_write(certs, 2, &resp->body, &err);
    if (o == OK)
        resp->content_type = TYPE_CA_RA;
    else
        answer_fault(resp, &err);
}

void scep_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)caller;
    const char *operation = req_query(req, "operation");
    bool post = req->method == METHOD_POST;
    if (operation && strcmp(operation, "PKIOperation") == 0) {
        if (post)
            pki_operation(app, req, req->body, resp);
        else
            pki_operation_get(app, req, resp);
    } else if (operation && !post && strcmp(operation, "GetCACaps") == 0) {
        resp->content_type = "text/plain";
        buf_str(&resp->body, CAPS);
    } else if (operation && !post && strcmp(operation, "GetCACert") == 0) {
        get_ca_cert(req, resp);
    } else {
        resp_text(resp, 400, "operation is one of GetCACaps, GetCACert, PKIOperation");
    }
}
