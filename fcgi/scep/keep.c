/*
 * keep.c: requests that a person decides about. The device gets PENDING and asks again, by CertPoll
 * or by sending its request once more (Apple's devices do so, Retries and RetryDelay of their SCEP
 * payload), with the same transactionID and key.
 *
 * What is kept holds the challenge, so it is sealed: the signer alone opens it, to issue.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "scep/scep_int.h"
#include "wire/seal.h"

#define KEEP_US (14 * DAY_US)

static enum outcome request_seal(struct operation *op, struct bytes *out, struct err *err)
{
    uint8_t pub[SEAL_KEY_LEN];
    const char *label;
    struct buf sealed = BUF_INIT(LIM_BODY_SCEP + SEAL_OVERHEAD);
    enum outcome o = scep_request_label(op->req->arena, op->csr.key_sha256, &label, err);
    if (o == OK)
        o = seal_public_load(op->conf->signer_dir, pub, err);
    if (o == OK)
        o = seal(pub, label, op->plain, &sealed, err);
    if (o == OK && !(*out = arena_bytes(op->req->arena, buf_bytes(&sealed))).p)
        o = err_set(err, ERROR, "out of memory");
    buf_free(&sealed);
    return o;
}

enum outcome scep_keep(struct operation *op, struct err *err)
{
    struct arena *a = op->req->arena;
    struct scep_waiting w = {.transaction_id = op->msg.transaction_id,
                             .subject = op->csr.subject,
                             .proof = op->why,
                             .remote_addr = op->req->remote_addr ? op->req->remote_addr : "",
                             .created_at = op->req->now,
                             .expires_at = op->req->now + KEEP_US};
    memcpy(w.key_sha256, op->csr.key_sha256, sizeof w.key_sha256);
    enum outcome o = scep_names(op, &w.common_name, &w.san, err);
    w.key_text = arena_fmt(a, "%s %d", op->csr.key_type, op->csr.key_bits);
    if (o == OK && !w.key_text)
        o = err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = request_seal(op, &w.csr_sealed, err);
    if (o == OK)
        o = scep_request_add(op->db, &w, op->challenge, a, err);
    if (o == CONFLICT) /* another worker has kept it, or the challenge served another key */
        o = scep_kept(op, err);
    if (o == NOT_FOUND || o == DENIED)
        return scep_refuse(op, SCEP_BAD_REQUEST, o);
    if (o == OK && op->kept) /* and somebody has approved it in this very moment */
        return scep_issue_now(op, err);
    op->pending = o == OK;
    if (op->pending)
        log_event(LOG_LEVEL_INFO, "scep.pending", "transaction", w.transaction_id, "subject",
                  w.subject, "proof", w.proof, NULL);
    return o;
}

enum outcome scep_kept(struct operation *op, struct err *err)
{
    struct scep_waiting *w = arena_alloc(op->req->arena, sizeof *w);
    if (!w)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = scep_request_find(op->db, op->msg.transaction_id, op->signer.key_sha256,
                                       op->req->arena, w, err);
    if (o != OK)
        return o;
    if (w->state == SCEP_REQUEST_DENIED)
        return scep_refuse(
            op, SCEP_BAD_REQUEST,
            err_set(err, DENIED, "%s has denied the request: %s", w->decided_by, w->decided_why));
    if (w->expires_at <= op->req->now)
        return scep_refuse(op, SCEP_BAD_REQUEST,
                           err_set(err, DENIED, "nobody has decided about the request in time"));
    if (w->state == SCEP_REQUEST_WAITS) {
        op->pending = true;
        return OK;
    }
    op->kept = w;
    op->device_id = w->device_id;
    op->why = arena_fmt(op->req->arena, "approval of %s", w->decided_by);
    memcpy(op->csr.key_sha256, w->key_sha256, sizeof op->csr.key_sha256);
    return op->why ? OK : err_set(err, ERROR, "out of memory");
}
