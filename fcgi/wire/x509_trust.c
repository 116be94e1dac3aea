/* x509_trust.c: whom we believe. A set of anchors and CRLs, and the verdict on one certificate. */
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <limits.h>
#include <stdlib.h>
#include "base/clock.h"
#include "wire/ossl.h"

struct trust {
    X509_STORE *store;
    bool crls;
    bool pinned; /* see trust_pin_issuers() */
};

enum outcome trust_new(struct trust **out, struct err *err)
{
    *out = NULL;
    struct trust *t = calloc(1, sizeof *t);
    if (t)
        t->store = X509_STORE_new();
    if (!t || !t->store) {
        trust_free(&t);
        return err_ossl(err, ERROR, "out of memory");
    }
    *out = t;
    return OK;
}

void trust_free(struct trust **t)
{
    if (!*t)
        return;
    X509_STORE_free((*t)->store);
    free(*t);
    *t = NULL;
}

enum outcome trust_add(struct trust *t, struct bytes der, struct err *err)
{
    X509 *x = ossl_cert(der, err);
    if (!x)
        return INVALID;
    enum outcome o = OK;
    /* An end entity as an anchor would be its own proof: whoever adds it means its CA. */
    if (X509_check_ca(x) != 1)
        o = err_set(err, INVALID, "the certificate is not a CA (basicConstraints CA:TRUE missing)");
    else if (!X509_STORE_add_cert(t->store, x))
        o = err_ossl(err, ERROR, "cannot add the CA");
    X509_free(x);
    return o;
}

enum outcome trust_add_crl(struct trust *t, struct bytes der, struct err *err)
{
    const unsigned char *p = der.p;
    X509_CRL *crl = der.n && der.n <= LONG_MAX ? d2i_X509_CRL(NULL, &p, (long)der.n) : NULL;
    if (!crl)
        return err_ossl(err, INVALID, "no DER certificate revocation list");
    enum outcome o = OK;
    if (!X509_STORE_add_crl(t->store, crl))
        o = err_ossl(err, ERROR, "cannot add the revocation list");
    else
        t->crls = true;
    X509_CRL_free(crl);
    return o;
}

void trust_pin_issuers(struct trust *t)
{
    t->pinned = true;
}

/* What the verification met besides a clean chain. */
struct findings {
    bool expired, not_yet, stale_crl;
    bool pinned; /* dates of issuers are not judged */
};

static int ctx_slot = -1;

static void __attribute__((constructor)) slot_init(void)
{
    ctx_slot = X509_STORE_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* Lets the verification go on past a wrong time, so that what is merely expired can be told from
 * what is wrong as well. An issuer without a CRL is not checked. An outdated CRL still counts: it
 * names certificates that were revoked, and refusing everybody for its age would shut the fleet
 * out; the verdict's `why` says so. */
static int on_verify(int ok, X509_STORE_CTX *ctx)
{
    if (ok)
        return 1;
    struct findings *f = X509_STORE_CTX_get_ex_data(ctx, ctx_slot);
    bool dated = !f->pinned || X509_STORE_CTX_get_error_depth(ctx) == 0;
    switch (X509_STORE_CTX_get_error(ctx)) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        f->expired |= dated;
        return 1;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        f->not_yet |= dated;
        return 1;
    case X509_V_ERR_CRL_HAS_EXPIRED:
        f->stale_crl = true;
        return 1;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_NOT_YET_VALID: /* by a clock that is behind */
        return 1;
    default:
        return 0;
    }
}

static enum trust_verdict verdict_of(int code)
{
    switch (code) {
    case X509_V_ERR_CERT_REVOKED:
        return TRUST_REVOKED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return TRUST_UNKNOWN_CA;
    case X509_V_ERR_INVALID_PURPOSE:
        return TRUST_WRONG_USAGE;
    default:
        return TRUST_BROKEN;
    }
}

/* Without OpenSSL's security level, which the links of pinned issuers do not reach: is no link
 * weaker than SHA-1 with RSA of 1024 bits? (A digest that is none of its own: Ed25519.) */
static bool links_hold(X509_STORE_CTX *ctx)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *x = sk_X509_value(chain, i);
        EVP_PKEY *key = X509_get0_pubkey(x);
        int digest = NID_undef, bits = key ? EVP_PKEY_get_security_bits(key) : 0;
        bool anchor = i + 1 == sk_X509_num(chain); /* its own signature proves nothing */
        if (bits < 80 || (!anchor && !X509_get_signature_info(x, &digest, NULL, NULL, NULL)) ||
            (!anchor && (digest == NID_md5 || digest == NID_md4 || digest == NID_md2 ||
                         digest == NID_mdc2 || digest == NID_md5_sha1)))
            return false;
    }
    return true;
}

/* What is asked of the chain. */
static bool demands_set(const struct trust *t, X509_STORE_CTX *ctx, int64_t now)
{
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN; /* an intermediate may be the anchor */
    if (t->crls)
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    if (!t->pinned && !X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT))
        return false;
    X509_VERIFY_PARAM_set_flags(p, flags);
    X509_VERIFY_PARAM_set_depth(p, 8);
    X509_VERIFY_PARAM_set_auth_level(p, t->pinned ? 0 : 1); /* 1: no SHA-1, no 512-bit links */
    X509_VERIFY_PARAM_set_time(p, (time_t)(now / SECOND_US));
    X509_STORE_CTX_set_verify_cb(ctx, on_verify);
    return true;
}

static enum trust_verdict verify(const struct trust *t, X509 *x, STACK_OF(X509) * untrusted,
                                 int64_t now, const char **why)
{
    struct findings f = {.pinned = t->pinned};
    enum trust_verdict v = TRUST_BROKEN;
    *why = "out of memory";
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (!ctx || !X509_STORE_CTX_init(ctx, t->store, x, untrusted) ||
        !X509_STORE_CTX_set_ex_data(ctx, ctx_slot, &f) || !demands_set(t, ctx, now))
        goto out;
    if (X509_verify_cert(ctx) != 1) {
        int code = X509_STORE_CTX_get_error(ctx);
        v = verdict_of(code);
        *why = X509_verify_cert_error_string(code);
    } else if (t->pinned && !links_hold(ctx)) {
        *why = "a key or a signature of the chain is too weak";
    } else if (f.expired) {
        v = TRUST_EXPIRED;
        *why = "the certificate or one of its issuers has expired";
    } else if (f.not_yet) {
        v = TRUST_NOT_YET;
        *why = "the certificate or one of its issuers is not valid yet";
    } else {
        v = TRUST_GOOD;
        *why = f.stale_crl ? "good, but the revocation list is past its next update" : "good";
    }
out:
    X509_STORE_CTX_free(ctx);
    return v;
}

enum trust_verdict trust_check(const struct trust *t, struct bytes der, const struct bytes *chain,
                               size_t nchain, int64_t now, const char **why)
{
    enum trust_verdict v = TRUST_BROKEN;
    X509 *x = ossl_cert(der, NULL);
    STACK_OF(X509) *untrusted = ossl_cert_stack(chain, nchain, NULL);
    if (x && untrusted)
        v = verify(t, x, untrusted, now, why);
    else
        *why = x ? "a certificate of the chain cannot be read" : "the certificate cannot be read";
    sk_X509_pop_free(untrusted, X509_free);
    X509_free(x);
    ERR_clear_error();
    return v;
}
