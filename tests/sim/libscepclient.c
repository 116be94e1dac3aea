/* libscepclient.c: see libscepclient.h. */
#include "libscepclient.h"

#include "wire/encode.h"
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <strings.h>

/* RFC 8894, 3.2.1 */
#define OID_MESSAGE_TYPE "2.16.840.1.113733.1.9.2"
#define OID_PKI_STATUS "2.16.840.1.113733.1.9.3"
#define OID_FAIL_INFO "2.16.840.1.113733.1.9.4"
#define OID_SENDER_NONCE "2.16.840.1.113733.1.9.5"
#define OID_RECIPIENT_NONCE "2.16.840.1.113733.1.9.6"
#define OID_TRANSACTION_ID "2.16.840.1.113733.1.9.7"

static enum outcome openssl_err(struct err *err, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    err_set(err, INVALID, "%s: %s", what, reason ? reason : "failed");
    ERR_clear_error();
    return INVALID;
}

void scepclient_caps(struct bytes text, struct scep_caps *out)
{
    memset(out, 0, sizeof *out);
    const char *p = (const char *)text.p, *end = p + text.n;
    while (p < end) {
        size_t n = 0;
        while (p + n < end && p[n] != '\n' && p[n] != '\r')
            n++;
#define IS(word) (n == sizeof(word) - 1 && strncasecmp(p, word, n) == 0)
        if (IS("SCEPStandard"))
            out->post = out->aes = out->sha256 = true;
        out->post |= IS("POSTPKIOperation");
        out->aes |= IS("AES");
        out->sha256 |= IS("SHA-256");
        out->sha512 |= IS("SHA-512");
        out->renewal |= IS("Renewal");
#undef IS
        p += n;
        while (p < end && (*p == '\n' || *p == '\r'))
            p++;
    }
}

void scepclient_ca_free(struct scep_ca *ca)
{
    sk_X509_pop_free(ca->all, X509_free);
    memset(ca, 0, sizeof *ca);
}

static bool fingerprint_is(X509 *x, struct bytes want)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    const EVP_MD *type = want.n == 16   ? EVP_md5()
                         : want.n == 20 ? EVP_sha1()
                         : want.n == 64 ? EVP_sha512()
                                        : EVP_sha256();
    return X509_digest(x, type, md, &n) == 1 && n == want.n && memcmp(md, want.p, n) == 0;
}

enum outcome scepclient_ca(struct bytes answer, struct bytes fingerprint, struct scep_ca *out,
                           struct err *err)
{
    const unsigned char *p = answer.p;
    memset(out, 0, sizeof *out);
    out->all = sk_X509_new_null();
    X509 *one = d2i_X509(NULL, &p, (long)answer.n);
    if (one) {
        sk_X509_push(out->all, one);
    } else {
        p = answer.p;
        PKCS7 *p7 = d2i_PKCS7(NULL, &p, (long)answer.n);
        STACK_OF(X509) *in = p7 && PKCS7_type_is_signed(p7) && p7->d.sign ? p7->d.sign->cert : NULL;
        for (int i = 0; i < sk_X509_num(in); i++) {
            X509 *x = sk_X509_value(in, i);
            X509_up_ref(x);
            sk_X509_push(out->all, x);
        }
        PKCS7_free(p7);
    }
    ERR_clear_error();
    for (int i = 0; i < sk_X509_num(out->all); i++) {
        X509 *x = sk_X509_value(out->all, i);
        bool ca = X509_check_ca(x) > 0;
        uint32_t usage = X509_get_key_usage(x); /* all bits when the extension is absent */
        if (ca && (!out->issuer || (fingerprint.n && fingerprint_is(x, fingerprint))))
            out->issuer = x;
        /* A certificate of its own for encryption goes before the CA's. */
        if ((usage & KU_KEY_ENCIPHERMENT) && (!out->encrypt || !ca))
            out->encrypt = x;
    }
    if (!out->encrypt)
        out->encrypt = out->issuer;
    if (!out->encrypt || !out->issuer) {
        scepclient_ca_free(out);
        return err_set(err, INVALID, "GetCACert: no CA certificate in the answer");
    }
    if (fingerprint.n && !fingerprint_is(out->issuer, fingerprint)) {
        scepclient_ca_free(out);
        return err_set(err, INVALID, "GetCACert: the CA is not the one of CAFingerprint");
    }
    return OK;
}

/* ------------------------------------------------------------------ the request */

static X509_NAME *subject_of(const struct scep_payload *p,
                             const char *(*fill)(const char *, void *), void *arg)
{
    X509_NAME *name = X509_NAME_new();
    for (size_t i = 0; i < pl_size(p->subject); i++)
        for (size_t j = 0; j < pl_size(pl_at(p->subject, i)); j++) {
            pl pair = pl_at(pl_at(p->subject, i), j);
            const char *type = pl_str(pl_at(pair, 0)), *value = pl_str(pl_at(pair, 1));
            if (!type || !value)
                continue;
            const char *filled = *value == '%' ? fill(value, arg) : NULL;
            X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8,
                                       (const unsigned char *)(filled ? filled : value), -1, -1,
                                       j ? -1 : 0);
        }
    if (X509_NAME_entry_count(name) == 0)
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                   (const unsigned char *)"device identity", -1, -1, 0);
    ERR_clear_error();
    return name;
}

static void add_alt_names(X509_REQ *csr, pl alt)
{
    static const struct {
        const char *key;
        int type;
    } kinds[] = {
        {"rfc822Name", GEN_EMAIL}, {"dNSName", GEN_DNS}, {"uniformResourceIdentifier", GEN_URI}};
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        pl v = pl_get(alt, kinds[k].key);
        size_t n = pl_type_of(v) == PL_ARRAY ? pl_size(v) : v ? 1 : 0;
        for (size_t i = 0; i < n; i++) {
            const char *s = pl_str(pl_type_of(v) == PL_ARRAY ? pl_at(v, i) : v);
            GENERAL_NAME *g = s ? a2i_GENERAL_NAME(NULL, NULL, NULL, kinds[k].type, s, 0) : NULL;
            if (g)
                sk_GENERAL_NAME_push(names, g);
        }
    }
    if (sk_GENERAL_NAME_num(names) > 0) {
        STACK_OF(X509_EXTENSION) *list = NULL;
        X509V3_add1_i2d(&list, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND);
        X509_REQ_add_extensions(csr, list);
        sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
}

static X509_REQ *csr_make(const struct scep_payload *p, X509_NAME *name, EVP_PKEY *key)
{
    X509_REQ *csr = X509_REQ_new();
    bool good = csr && X509_REQ_set_subject_name(csr, name) && X509_REQ_set_pubkey(csr, key);
    if (good && p->challenge)
        good = X509_REQ_add1_attr_by_NID(csr, NID_pkcs9_challengePassword, MBSTRING_UTF8,
                                         (const unsigned char *)p->challenge, -1);
    if (good)
        add_alt_names(csr, p->alt_name);
    if (good && X509_REQ_sign(csr, key, EVP_sha256()) > 0)
        return csr;
    X509_REQ_free(csr);
    return NULL;
}

static X509 *self_signed(X509_NAME *name, EVP_PKEY *key)
{
    X509 *x = X509_new();
    if (x && X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
        X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
        X509_gmtime_adj(X509_getm_notAfter(x), 86400) && X509_set_subject_name(x, name) &&
        X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) &&
        X509_sign(x, key, EVP_sha256()) > 0)
        return x;
    X509_free(x);
    return NULL;
}

/* The transaction is the digest of the public key. */
static bool transaction_of(EVP_PKEY *key, char out[65])
{
    unsigned char *spki = NULL;
    int n = i2d_PUBKEY(key, &spki);
    if (n <= 0)
        return false;
    sha256_hex(bytes_of(spki, (size_t)n), out);
    OPENSSL_free(spki);
    return true;
}

static BIO *envelope(X509_REQ *csr, const struct scep_ca *ca, const struct scep_caps *caps)
{
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    STACK_OF(X509) *to = sk_X509_new_null();
    sk_X509_push(to, ca->encrypt);
    i2d_X509_REQ_bio(in, csr);
    CMS_ContentInfo *cms =
        CMS_encrypt(to, in, caps->aes ? EVP_aes_256_cbc() : EVP_des_ede3_cbc(), CMS_BINARY);
    bool good = cms && i2d_CMS_bio(out, cms) == 1;
    CMS_ContentInfo_free(cms);
    sk_X509_free(to);
    BIO_free(in);
    if (good)
        return out;
    BIO_free(out);
    return NULL;
}

static bool sign_message(struct scep_request *r, BIO *content, const struct scep_caps *caps,
                         struct buf *der)
{
    const EVP_MD *md = caps->sha512 ? EVP_sha512() : caps->sha256 ? EVP_sha256() : EVP_sha1();
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, content, CMS_PARTIAL | CMS_BINARY);
    CMS_SignerInfo *si =
        cms ? CMS_add1_signer(cms, r->self, r->key, md, CMS_PARTIAL | CMS_BINARY | CMS_NOSMIMECAP)
            : NULL;
    unsigned char *out = NULL;
    int n = 0;
    bool good =
        si && CMS_signed_add1_attr_by_txt(si, OID_MESSAGE_TYPE, V_ASN1_PRINTABLESTRING, "19", 2) &&
        CMS_signed_add1_attr_by_txt(si, OID_TRANSACTION_ID, V_ASN1_PRINTABLESTRING, r->transaction,
                                    sizeof r->transaction - 1) &&
        CMS_signed_add1_attr_by_txt(si, OID_SENDER_NONCE, V_ASN1_OCTET_STRING, r->nonce,
                                    sizeof r->nonce) &&
        CMS_final(cms, content, NULL, CMS_BINARY) && (n = i2d_CMS_ContentInfo(cms, &out)) > 0;
    if (good)
        buf_add(der, out, (size_t)n);
    OPENSSL_free(out);
    CMS_ContentInfo_free(cms);
    return good && !buf_failed(der);
}

enum outcome scepclient_request(const struct scep_payload *p, const struct scep_ca *ca,
                                const struct scep_caps *caps, EVP_PKEY *key,
                                const char *(*fill)(const char *, void *), void *arg,
                                struct scep_request *req, struct buf *der, struct err *err)
{
    memset(req, 0, sizeof *req);
    req->key = key;
    X509_NAME *name = subject_of(p, fill, arg);
    X509_REQ *csr = csr_make(p, name, key);
    BIO *content = csr ? envelope(csr, ca, caps) : NULL;
    req->self = self_signed(name, key);
    bool good = content && req->self && transaction_of(key, req->transaction) &&
                RAND_bytes(req->nonce, sizeof req->nonce) == 1 &&
                sign_message(req, content, caps, der);
    BIO_free(content);
    X509_REQ_free(csr);
    X509_NAME_free(name);
    if (good)
        return OK;
    scepclient_request_free(req);
    return openssl_err(err, "SCEP request");
}

void scepclient_request_free(struct scep_request *req)
{
    X509_free(req->self);
    memset(req, 0, sizeof *req);
}

/* ------------------------------------------------------------------ the reply */

/* The one value of a signed attribute as octets, or empty. */
static struct bytes attribute(CMS_SignerInfo *si, const char *oid)
{
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    int at = CMS_signed_get_attr_by_OBJ(si, o, -1);
    ASN1_OBJECT_free(o);
    X509_ATTRIBUTE *a = at >= 0 ? CMS_signed_get_attr(si, at) : NULL;
    ASN1_TYPE *t = a && X509_ATTRIBUTE_count(a) == 1 ? X509_ATTRIBUTE_get0_type(a, 0) : NULL;
    if (!t || (t->type != V_ASN1_PRINTABLESTRING && t->type != V_ASN1_OCTET_STRING))
        return (struct bytes){0};
    return bytes_of(ASN1_STRING_get0_data(t->value.asn1_string),
                    (size_t)ASN1_STRING_length(t->value.asn1_string));
}

static enum outcome check_attributes(const struct scep_request *req, CMS_SignerInfo *si,
                                     struct err *err)
{
    struct bytes type = attribute(si, OID_MESSAGE_TYPE), status = attribute(si, OID_PKI_STATUS),
                 nonce = attribute(si, OID_RECIPIENT_NONCE), fail = attribute(si, OID_FAIL_INFO);
    if (!bytes_equal(type, bytes_str("3")))
        return err_set(err, INVALID, "CertRep: messageType is not 3");
    if (!bytes_equal(attribute(si, OID_TRANSACTION_ID), bytes_str(req->transaction)))
        return err_set(err, INVALID, "CertRep: another transactionID");
    if (!bytes_equal(nonce, bytes_of(req->nonce, sizeof req->nonce)))
        return err_set(err, INVALID, "CertRep: recipientNonce is not our senderNonce");
    if (bytes_equal(status, bytes_str("3")))
        return err_set(err, UNAVAILABLE, "CertRep: pending");
    if (bytes_equal(status, bytes_str("2")))
        return err_set(err, DENIED, "CertRep: failure, failInfo %.*s", (int)fail.n,
                       (const char *)fail.p);
    if (!bytes_equal(status, bytes_str("0")))
        return err_set(err, INVALID, "CertRep: no pkiStatus");
    return OK;
}

/* Decrypts the enveloped degenerate SignedData and takes the certificate for our key. */
static enum outcome open_envelope(const struct scep_request *req, BIO *enveloped,
                                  struct buf *cert_der, struct err *err)
{
    CMS_ContentInfo *env = d2i_CMS_bio(enveloped, NULL), *certs = NULL;
    STACK_OF(X509) *list = NULL;
    BIO *plain = BIO_new(BIO_s_mem());
    enum outcome o = OK;
    if (!env || CMS_decrypt(env, req->key, req->self, NULL, plain, CMS_BINARY) != 1) {
        o = openssl_err(err, "CertRep: cannot be decrypted");
        goto out;
    }
    certs = d2i_CMS_bio(plain, NULL);
    list = certs ? CMS_get1_certs(certs) : NULL;
    o = err_set(err, INVALID, "CertRep: no certificate for our key");
    for (int i = 0; i < sk_X509_num(list); i++) {
        X509 *x = sk_X509_value(list, i);
        unsigned char *der = NULL;
        if (EVP_PKEY_eq(X509_get0_pubkey(x), req->key) != 1)
            continue;
        int n = i2d_X509(x, &der);
        if (n > 0) {
            buf_add(cert_der, der, (size_t)n);
            o = OK;
        }
        OPENSSL_free(der);
        break;
    }
out:
    sk_X509_pop_free(list, X509_free);
    CMS_ContentInfo_free(certs);
    CMS_ContentInfo_free(env);
    BIO_free(plain);
    ERR_clear_error();
    return o;
}

enum outcome scepclient_reply(const struct scep_request *req, const struct scep_ca *ca,
                              struct bytes answer, struct buf *cert_der, struct err *err)
{
    const unsigned char *p = answer.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)answer.n);
    BIO *content = BIO_new(BIO_s_mem()), *nothing = NULL;
    enum outcome o;
    if (!cms) {
        o = openssl_err(err, "CertRep: not CMS");
        goto out;
    }
    CMS_SignerInfo *si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    if (!si || sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)) != 1) {
        o = err_set(err, INVALID, "CertRep: not exactly one signer");
        goto out;
    }
    /* Signed by the CA or its RA: a certificate that GetCACert gave, and no other. A failure and a
     * pending reply carry no content. */
    ASN1_OCTET_STRING **inner = CMS_get0_content(cms);
    if (inner && !*inner)
        nothing = BIO_new_mem_buf("", 0);
    if (CMS_verify(cms, ca->all, NULL, nothing, content,
                   CMS_NO_SIGNER_CERT_VERIFY | CMS_NOINTERN | CMS_BINARY) != 1) {
        o = openssl_err(err, "CertRep: signature");
        goto out;
    }
    o = check_attributes(req, si, err);
    if (o == OK)
        o = open_envelope(req, content, cert_der, err);
out:
    BIO_free(nothing);
    BIO_free(content);
    CMS_ContentInfo_free(cms);
    return o;
}
