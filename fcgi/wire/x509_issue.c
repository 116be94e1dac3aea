/* x509_issue.c: making certificates (RFC 5280). */
#include <limits.h>
#include <stdio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include "base/clock.h"
#include "wire/ossl.h"

#define SERIAL_BITS 127 /* positive, unguessable, 16 octets (RFC 5280 4.1.2.2 allows 20) */
#define PURPOSES_TEXT_MAX 2048
#define CRL_URL_MAX 1024

static bool set_serial(X509 *x)
{
    BIGNUM *bn = BN_new();
    bool ok = bn && BN_rand(bn, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
    BN_free(bn);
    return ok;
}

static bool name_field(X509_NAME *name, int nid, const char *value)
{
    return !value || !*value ||
           X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)value, -1,
                                      -1, 0);
}

static bool set_subject(X509 *x, const struct cert_profile *p)
{
    X509_NAME *name = X509_get_subject_name(x);
    return name_field(name, NID_userId, p->topic) &&
           name_field(name, NID_commonName, p->common_name) &&
           name_field(name, NID_organizationName, p->organization);
}

static bool ext(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, ctx, nid, value);
    bool ok = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    return ok;
}

static bool ext_usage(X509 *x, X509V3_CTX *ctx, const struct cert_profile *p)
{
    char text[32];
    if (p->ca) {
        snprintf(text, sizeof text, "critical,CA:TRUE,pathlen:%d", p->path_len);
        return ext(x, ctx, NID_basic_constraints, p->path_len < 0 ? "critical,CA:TRUE" : text) &&
               ext(x, ctx, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    /* keyEncipherment is for keys that encrypt: an EC key only signs here */
    bool rsa = EVP_PKEY_is_a(X509_get0_pubkey(x), "RSA");
    return ext(x, ctx, NID_basic_constraints, "critical,CA:FALSE") &&
           ext(x, ctx, NID_key_usage,
               rsa ? "critical,digitalSignature,keyEncipherment" : "critical,digitalSignature");
}

static bool ext_purposes(X509 *x, X509V3_CTX *ctx, const struct cert_profile *p)
{
    char text[PURPOSES_TEXT_MAX];
    int n = snprintf(text, sizeof text, "%s%s%s%s", p->client_auth ? ",clientAuth" : "",
                     p->server_auth ? ",serverAuth" : "", p->code_signing ? ",codeSigning" : "",
                     p->email_protection ? ",emailProtection" : "");
    for (size_t i = 0; i < p->npurposes && n >= 0 && (size_t)n < sizeof text; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, ",%s", p->purposes[i]);
    if (n < 0 || (size_t)n >= sizeof text)
        return false;
    return !text[0] || ext(x, ctx, NID_ext_key_usage, text + 1);
}

bool cert_purpose_known(const char *name)
{
    ASN1_OBJECT *obj = strpbrk(name, ",: ") ? NULL : OBJ_txt2obj(name, 0);
    bool known = obj != NULL;
    ASN1_OBJECT_free(obj);
    ERR_clear_error();
    return known;
}

/* "DNS:name" as it would stand in a certificate; NULL when it is none of the kinds we write, or
 * has a comma, which those who read the names as text would take for the start of the next. */
static GENERAL_NAME *general_name(const char *text)
{
    static const struct {
        const char *prefix;
        int type;
    } kinds[] = {{"DNS:", GEN_DNS}, {"IP:", GEN_IPADD}, {"email:", GEN_EMAIL}, {"URI:", GEN_URI}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = strlen(kinds[i].prefix);
        if (strncmp(text, kinds[i].prefix, n) == 0 && text[n] && !strpbrk(text, ",\n"))
            return a2i_GENERAL_NAME(NULL, NULL, NULL, kinds[i].type, text + n, 0);
    }
    return NULL;
}

static bool ext_names(X509 *x, const struct cert_profile *p)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool ok = names != NULL;
    for (size_t i = 0; ok && i < p->nsan; i++) {
        GENERAL_NAME *g = general_name(p->san[i]);
        ok = g && sk_GENERAL_NAME_push(names, g) > 0;
        if (!ok)
            GENERAL_NAME_free(g);
    }
    if (ok && p->nsan)
        ok = X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) > 0;
    GENERAL_NAMES_free(names);
    return ok;
}

static bool ext_crl(X509 *x, X509V3_CTX *ctx, const struct cert_profile *p)
{
    char text[CRL_URL_MAX + 8];
    if (!p->crl_url || !*p->crl_url)
        return true;
    int n = snprintf(text, sizeof text, "URI:%s", p->crl_url);
    return n > 0 && (size_t)n < sizeof text && ext(x, ctx, NID_crl_distribution_points, text);
}

/* The digest a CA's key signs with: as strong as the key, none for Ed25519. */
static const EVP_MD *issuer_digest(EVP_PKEY *k)
{
    if (EVP_PKEY_is_a(k, "ED25519"))
        return NULL;
    return EVP_PKEY_is_a(k, "EC") && EVP_PKEY_get_bits(k) >= 384 ? EVP_sha384() : EVP_sha256();
}

static EVP_PKEY *subject_pubkey(struct bytes csr_der, const struct pkey *key, X509_REQ **req)
{
    if (csr_der.n == 0)
        return key ? key->k : NULL;
    const unsigned char *p = csr_der.p;
    *req = csr_der.n <= LONG_MAX ? d2i_X509_REQ(NULL, &p, (long)csr_der.n) : NULL;
    return *req ? X509_REQ_get0_pubkey(*req) : NULL;
}

static enum outcome fill_and_sign(X509 *x, X509 *issuer, const struct cert_profile *p,
                                  EVP_PKEY *subject, EVP_PKEY *issuer_key, struct err *err)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&ctx);
    if (!X509_set_version(x, X509_VERSION_3) || !set_serial(x) || !set_subject(x, p) ||
        !X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x)) ||
        !ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(p->not_before / SECOND_US)) ||
        !ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(p->not_after / SECOND_US)) ||
        !X509_set_pubkey(x, subject))
        return err_ossl(err, INVALID, "the certificate's fields are refused");
    if (!ext_usage(x, &ctx, p) || !ext_purposes(x, &ctx, p) || !ext_names(x, p) ||
        !ext_crl(x, &ctx, p) || !ext(x, &ctx, NID_subject_key_identifier, "hash") ||
        !ext(x, &ctx, NID_authority_key_identifier, "keyid"))
        return err_ossl(err, INVALID, "the certificate's extensions are refused");
    if (X509_sign(x, issuer_key, issuer_digest(issuer_key)) <= 0)
        return err_ossl(err, ERROR, "cannot sign the certificate");
    return OK;
}

enum outcome cert_issue(const struct cert_profile *p, struct bytes csr_der,
                        const struct pkey *subject_key, struct bytes issuer_der,
                        const struct pkey *issuer_key, struct buf *der, struct err *err)
{
    enum outcome o = ERROR;
    X509_REQ *req = NULL;
    X509 *issuer = NULL;
    unsigned char *out = NULL;
    X509 *x = X509_new();
    EVP_PKEY *subject = subject_pubkey(csr_der, subject_key, &req);
    if (!x || !subject) {
        o = err_ossl(err, INVALID, "no key to certify");
        goto out;
    }
    if (issuer_der.n && !(issuer = ossl_cert(issuer_der, err))) {
        o = INVALID;
        goto out;
    }
    o = fill_and_sign(x, issuer, p, subject, issuer_key->k, err);
    if (o != OK)
        goto out;
    int n = i2d_X509(x, &out);
    if (n > 0)
        buf_add(der, out, (size_t)n);
    if (n <= 0 || buf_failed(der))
        o = err_ossl(err, ERROR, "cannot encode the certificate");
out:
    OPENSSL_free(out);
    X509_free(issuer);
    X509_REQ_free(req);
    X509_free(x);
    ERR_clear_error();
    return o;
}

static bool crl_add(X509_CRL *crl, const struct crl_entry *e)
{
    BIGNUM *bn = NULL;
    X509_REVOKED *r = X509_REVOKED_new();
    ASN1_INTEGER *serial = NULL;
    ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)(e->revoked_at / SECOND_US));
    bool ok = r && at && *e->serial && BN_hex2bn(&bn, e->serial) == (int)strlen(e->serial) &&
              (serial = BN_to_ASN1_INTEGER(bn, NULL)) && X509_REVOKED_set_serialNumber(r, serial) &&
              X509_REVOKED_set_revocationDate(r, at) && X509_CRL_add0_revoked(crl, r);
    if (!ok)
        X509_REVOKED_free(r);
    ASN1_TIME_free(at);
    ASN1_INTEGER_free(serial);
    BN_free(bn);
    return ok;
}

static bool crl_extensions(X509_CRL *crl, X509 *issuer, int64_t number)
{
    X509V3_CTX ctx;
    ASN1_INTEGER *n = ASN1_INTEGER_new();
    X509V3_set_ctx(&ctx, issuer, NULL, NULL, crl, 0);
    X509_EXTENSION *key = X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid");
    bool ok = n && key && ASN1_INTEGER_set_int64(n, number) && X509_CRL_add_ext(crl, key, -1) &&
              X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0, X509V3_ADD_DEFAULT) > 0;
    X509_EXTENSION_free(key);
    ASN1_INTEGER_free(n);
    return ok;
}

enum outcome crl_issue(struct bytes issuer_der, const struct pkey *issuer_key, int64_t number,
                       int64_t this_update, int64_t next_update, const struct crl_entry *entries,
                       size_t n, struct buf *der, struct err *err)
{
    enum outcome o = OK;
    unsigned char *out = NULL;
    int len = -1;
    X509 *issuer = ossl_cert(issuer_der, err);
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)(this_update / SECOND_US));
    ASN1_TIME *to = ASN1_TIME_set(NULL, (time_t)(next_update / SECOND_US));
    if (!issuer || !crl || !from || !to || !X509_CRL_set_version(crl, X509_CRL_VERSION_2) ||
        !X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) ||
        !X509_CRL_set1_lastUpdate(crl, from) || !X509_CRL_set1_nextUpdate(crl, to) ||
        !crl_extensions(crl, issuer, number))
        o = err_ossl(err, INVALID, "the revocation list's fields are refused");
    for (size_t i = 0; o == OK && i < n; i++)
        if (!crl_add(crl, &entries[i]))
            o = err_ossl(err, INVALID, "the serial number \"%.60s\" is none", entries[i].serial);
    if (o == OK && (!X509_CRL_sort(crl) ||
                    X509_CRL_sign(crl, issuer_key->k, issuer_digest(issuer_key->k)) <= 0 ||
                    (len = i2d_X509_CRL(crl, &out)) <= 0))
        o = err_ossl(err, ERROR, "cannot sign the revocation list");
    if (o == OK)
        buf_add(der, out, (size_t)len);
    if (o == OK && buf_failed(der))
        o = err_set(err, ERROR, "the revocation list is too long");
    OPENSSL_free(out);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    X509_CRL_free(crl);
    X509_free(issuer);
    ERR_clear_error();
    return o;
}
