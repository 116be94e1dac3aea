/* scep.c: the operations of SCEP; what becomes of a PKIOperation is decided in decide.c. */
#include <stdio.h>
#include "base/limits.h"
#include "base/log.h"
#include "scep/scep_int.h"

#define TYPE_MESSAGE "application/x-pki-message"
#define TYPE_NEXT_CA "application/x-x509-next-ca-cert"
#define TYPE_CA_RA "application/x-x509-ca-ra-cert"
/* SHA-384 is no word of RFC 8894, but true, and strongSwan 5.9.8 takes a server without it for one
 * without AES and SHA-256. */
#define CAPS                                                                                       \
    "AES\nDES3\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-1\nSHA-256\nSHA-384\nSHA-512\n"

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
                           .pki_status = decided != OK ? SCEP_FAILURE
                                         : op->pending ? SCEP_PENDING
                                                       : SCEP_SUCCESS,
                           .fail_info = op->fail,
                           .issued_der = op->cert_der,
                           .is_crl = op->is_crl,
                           .recipient_der = op->msg.signer_der,
                           .cipher = op->cipher,
                           .digest = op->msg.digest,
                           .generation = op->generation};
    if (decided != OK) {
        char fail[16];
        snprintf(fail, sizeof fail, "%d", op->fail);
        log_event(LOG_LEVEL_WARNING, "scep.refused", "transaction", op->msg.transaction_id,
                  "fail_info", fail, "why", err->msg, NULL);
        note(resp, err);
    }
    if (r.pki_status != SCEP_SUCCESS) {
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
            o = scep_decide(&op, &err);
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

/* GetNextCACert is among them while there is a next CA. Without the signer they are the others. */
static void get_ca_caps(struct req *req, struct resp *resp)
{
    struct sign_authority all[SIGN_AUTHORITIES_MAX];
    struct err err = {.outcome = OK};
    size_t n = 0;
    resp->content_type = "text/plain";
    buf_str(&resp->body, CAPS);
    if (sign_authorities(req->arena, all, &n, &err) == OK && n > 0 && all[n - 1].state > 0)
        buf_str(&resp->body, "GetNextCACert\n");
}

static void get_next_ca_cert(struct req *req, struct resp *resp)
{
    struct err err = {.outcome = OK};
    struct bytes der;
    enum outcome o = sign_next_ca(req->arena, &der, &err);
    if (o == NOT_FOUND) {
        resp_text(resp, 404, "there is no next CA");
    } else if (o != OK) {
        answer_fault(resp, &err);
    } else {
        resp->content_type = TYPE_NEXT_CA;
        buf_add(&resp->body, der.p, der.n);
    }
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
        get_ca_caps(req, resp);
    } else if (operation && !post && strcmp(operation, "GetNextCACert") == 0) {
        get_next_ca_cert(req, resp);
    } else if (operation && !post && strcmp(operation, "GetCACert") == 0) {
        get_ca_cert(req, resp);
    } else {
        resp_text(resp, 400,
                  "operation is one of GetCACaps, GetCACert, GetNextCACert, PKIOperation");
    }
}
