/*
 * gate_device.c: the certificate of a device. Three ways to show it:
 *   - in the TLS handshake: SSL_CLIENT_VERIFY and SSL_CLIENT_CERT of Apache (SUCCESS, GENEROUS,
 *     FAILED:reason, NONE) and lighttpd (SUCCESS, NONE, FAILED:reason without the certificate). The
 *     handshake proved that the client holds the key, whatever the server thinks of the chain: that
 *     is judged here;
 *   - in the TLS handshake with a proxy in front, which says so in a header;
 *   - as the signer of the body, in Mdm-Signature.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "http/client_cert.h"
#include "route/gate_state.h"
#include "store/trust_set.h"
#include "wire/cms.h"
#include "wire/encode.h"

/* Answers for the outcome of something that could not be decided. */
static bool refuse_fault(struct resp *resp, const struct err *err)
{
    resp_bare(resp, err->outcome == UNAVAILABLE ? 503 : 500, "%s", err->msg);
    return false;
}

static const char *verdict_refusal(enum trust_verdict v, int *status)
{
    *status = v == TRUST_BROKEN ? 400 : 403;
    switch (v) {
    case TRUST_GOOD:
    case TRUST_EXPIRED:
        return NULL;
    case TRUST_NOT_YET:
        return "the certificate is not valid yet";
    case TRUST_REVOKED:
        return "the certificate is revoked";
    case TRUST_UNKNOWN_CA:
        return "the certificate's CA is not trusted";
    case TRUST_WRONG_USAGE:
        return "the certificate is not for client authentication";
    case TRUST_BROKEN:
        break;
    }
    return "the certificate cannot be read";
}

/* Chain, usage and validity of der[0], not yet known under key: judged, and remembered. */
static bool judge(struct app *app, struct req *req, const uint8_t key[SHA256_LEN],
                  const struct bytes *der, size_t n, struct known_cert *out, struct resp *resp)
{
    struct err err = {.outcome = OK};
    enum trust_verdict verdict;
    struct cert_info info;
    const char *why = "";
    int status;
    uint64_t generation = trust_set_generation(app->trust);
    if (trust_set_check(app->trust, der[0], der + 1, n - 1, req->now, &verdict, &why, &err) != OK)
        return refuse_fault(resp, &err);
    const char *refusal = verdict_refusal(verdict, &status);
    if (refusal) {
        resp_bare(resp, status, "%s (%s)", refusal, why ? why : "");
        return false;
    }
    switch (cert_info_read(req->arena, der[0], &info, &err)) {
    case OK:
        break;
    case INVALID:
        resp_bare(resp, 400, "%s", err.msg);
        return false;
    default:
        return refuse_fault(resp, &err);
    }
    memcpy(out->sha256, info.sha256, sizeof out->sha256);
    out->not_after = info.not_after;
    known_certs_put(app->gate->certs, key, generation, req->start, out);
    return true;
}

static void believe(struct req *req, struct caller *caller, const struct known_cert *cert,
                    enum identity_source source, struct bytes text)
{
    caller->source = source;
    memcpy(caller->cert_sha256, cert->sha256, sizeof caller->cert_sha256);
    caller->cert_text = text;
    caller->cert_not_after = cert->not_after;
    caller->expired = cert->not_after < req->now;
}

/* A certificate in a variable or header. Not even its PEM is decoded when it is known. */
static bool identify_text(struct app *app, struct req *req, const char *value,
                          enum identity_source source, struct caller *caller, struct resp *resp)
{
    struct bytes text = bytes_str(value);
    struct bytes der[CLIENT_CERT_MAX];
    struct known_cert cert;
    struct err err = {.outcome = OK};
    uint8_t key[SHA256_LEN];
    size_t n;
    if (text.n > LIM_HEADER_CERT) {
        resp_bare(resp, 400, "the client certificate is longer than %u bytes", LIM_HEADER_CERT);
        return false;
    }
    sha256(text, key);
    if (!known_certs_find(app->gate->certs, key, trust_set_generation(app->trust), req->start,
                          &cert)) {
        enum outcome o = client_cert_decode(req->arena, text, der, &n, &err);
        if (o == INVALID) {
            resp_bare(resp, 400, "%s", err.msg);
            return false;
        }
        if (o != OK)
            return refuse_fault(resp, &err);
        if (!judge(app, req, key, der, n, &cert, resp))
            return false;
    }
    believe(req, caller, &cert, source, text);
    return true;
}

static const char *signature_of(struct app *app, struct req *req)
{
    const char *s = app->conf->identity_signature ? req_var(req, "HTTP_MDM_SIGNATURE") : NULL;
    return s && *s ? s : NULL;
}

static const char *variable_of(struct app *app, struct req *req)
{
    if (!app->conf->identity_variables)
        return NULL;
    const char *verify = req_var(req, "SSL_CLIENT_VERIFY");
    const char *cert = req_var(req, "SSL_CLIENT_CERT");
    bool shown = verify && *verify && strcmp(verify, "NONE") != 0;
    return shown && cert && *cert ? cert : NULL;
}

/* No identity in variables, header or signature: a bare 400, or 403 when a certificate was shown
 * that the web server kept to itself (lighttpd passes on none that it refuses). */
static bool refuse_nobody(struct app *app, struct req *req, const char *header, struct resp *resp)
{
    const char *verify = req_var(req, "SSL_CLIENT_VERIFY");
    if (app->conf->identity_variables && verify && strncmp(verify, "FAILED", 6) == 0)
        resp_bare(resp, 403, "the web server refuses the client certificate (%s)", verify);
    else if (header && *header)
        resp_bare(resp, 400, "no identity: %s from %s, which is not in [proxy] trust",
                  app->conf->proxy_header, req->remote_addr);
    else
        resp_bare(resp, 400, "no identity: no client certificate and no Mdm-Signature");
    return false;
}

bool gate_device_enter(struct app *app, struct req *req, struct caller *caller, struct resp *resp)
{
    const struct gatekeeper *g = app->gate;
    const char *header = g->proxy_var[0] ? req_var(req, g->proxy_var) : NULL;
    if (header && *header) {
        /* A trusted proxy may show a certificate of its own in the handshake: its word about the
         * device goes before that. */
        if (net_match(g->proxies, g->nproxies, req->remote_addr))
            return identify_text(app, req, header, IDENTITY_PROXY, caller, resp);
    }
    const char *variable = variable_of(app, req);
    if (variable)
        return identify_text(app, req, variable, IDENTITY_VARIABLE, caller, resp);
    return signature_of(app, req) || refuse_nobody(app, req, header, resp);
}

/* The signer's certificate of Mdm-Signature over the body; the signature itself is never
 * remembered. */
static bool identify_signature(struct app *app, struct req *req, const char *header,
                               struct known_cert *cert, struct bytes *signer, struct resp *resp)
{
    struct bytes all[CLIENT_CERT_MAX], cms;
    size_t nchain = CLIENT_CERT_MAX - 1;
    struct err err = {.outcome = OK};
    uint8_t key[SHA256_LEN];
    struct bytes text = bytes_str(header);
    if (text.n > LIM_HEADER_SIGNATURE) {
        resp_bare(resp, 400, "Mdm-Signature is longer than %u bytes", LIM_HEADER_SIGNATURE);
        return false;
    }
    if (base64_decode(req->arena, text, &cms) != OK) {
        resp_bare(resp, 400, "Mdm-Signature is no base64");
        return false;
    }
    switch (cms_verify_detached(req->arena, cms, req->body, &all[0], all + 1, &nchain, &err)) {
    case OK:
        break;
    case INVALID:
        resp_bare(resp, 400, "Mdm-Signature: %s", err.msg);
        return false;
    case DENIED:
        resp_bare(resp, 403, "Mdm-Signature: %s", err.msg);
        return false;
    default:
        return refuse_fault(resp, &err);
    }
    *signer = all[0];
    sha256(all[0], key);
    return known_certs_find(app->gate->certs, key, trust_set_generation(app->trust), req->start,
                            cert) ||
           judge(app, req, key, all, 1 + nchain, cert, resp);
}

bool gate_device_admit(struct app *app, struct req *req, struct caller *caller, struct resp *resp)
{
    struct known_cert cert;
    struct bytes signer;
    const char *header = signature_of(app, req);
    if (!header)
        return true;
    if (!identify_signature(app, req, header, &cert, &signer, resp))
        return false;
    if (caller->source == IDENTITY_NONE) {
        believe(req, caller, &cert, IDENTITY_SIGNATURE, signer);
        return true;
    }
    if (memcmp(cert.sha256, caller->cert_sha256, sizeof cert.sha256) != 0) {
        resp_bare(resp, 403, "Mdm-Signature is of another certificate than the connection");
        return false;
    }
    return true;
}
