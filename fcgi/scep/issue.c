/*
 * issue.c: a certificate, by the signer; it is recorded before it leaves. The same transaction with
 * the same key is answered with the same certificate, whether the first answer was lost or two
 * workers got it at once.
 */
#include "base/clock.h"
#include "base/log.h"
#include "scep/scep_int.h"

#define EARLY_US HOUR_US /* a certificate begins so long ago, for clocks that are behind */

enum outcome scep_answered_before(struct operation *op, struct err *err)
{
    enum outcome o = scep_answered(op->db, op->msg.transaction_id, op->csr.key_sha256,
                                   op->req->arena, &op->cert_der, err);
    return o == DENIED ? scep_refuse(op, SCEP_BAD_REQUEST, o) : o;
}

enum outcome scep_answered_meanwhile(struct operation *op, struct err *err)
{
    enum outcome o = scep_answered_before(op, err);
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
        return scep_answered_meanwhile(op, err);
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
