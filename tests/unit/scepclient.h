/*
 * scepclient.h: a SCEP client for tests, on OpenSSL alone: it shares nothing with what it judges
 * but the reading of RFC 8894. For test programs only; failures end the test.
 */
#ifndef DROVER_TESTS_UNIT_SCEPCLIENT_H
#define DROVER_TESTS_UNIT_SCEPCLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/cms.h>
#include <openssl/pkcs7.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include "base/bytes.h"

#define SC_OID(n) "2.16.840.1.113733.1.9." #n

struct sc_request {
    const char *type; /* messageType; NULL: left out */
    const char *transaction;
    const char *cipher, *digest;
    EVP_PKEY *key;        /* signs, and is asked a certificate for */
    X509 *signer;         /* NULL: self-signed for key */
    EVP_PKEY *signer_key; /* with signer */
    const char *cn, *challenge;
    const char *san;  /* OpenSSL's text, "DNS:a,DNS:b"; NULL: none */
    X509 *asks_about; /* a CertPoll: the issuer it names, with cn as the subject */
    X509 *asks_for;   /* a GetCert or GetCRL: whose issuer and serial number it names */
    uint8_t nonce[16];
};

struct sc_reply {
    char type[8], status[8], fail[8], transaction[300];
    uint8_t recipient_nonce[16];
    bool has_sender_nonce, has_content;
    const char *digest;
    X509 *cert;    /* with success */
    X509_CRL *crl; /* or this */
};

static inline X509 *sc_self_signed(EVP_PKEY *key, const char *cn)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static inline void sc_san(X509_REQ *csr, const char *san)
{
    STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
    assert_non_null(e);
    sk_X509_EXTENSION_push(exts, e);
    X509_REQ_add_extensions(csr, exts);
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
}

/* IssuerAndSubject (RFC 8894 section 3.3.3). */
static inline BIO *sc_subject(const struct sc_request *r)
{
    X509_NAME *subject = X509_NAME_new();
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)r->cn, -1, -1,
                               0);
    unsigned char *a = NULL, *b = NULL;
    int n = i2d_X509_NAME(X509_get_subject_name(r->asks_about), &a);
    int m = i2d_X509_NAME(subject, &b);
    BIO *out = BIO_new(BIO_s_mem());
    assert_true(n > 0 && m > 0 && n + m < 65536);
    const unsigned char head[] = {0x30, 0x82, (unsigned char)((n + m) >> 8),
                                  (unsigned char)(n + m)};
    BIO_write(out, head, sizeof head);
    BIO_write(out, a, n);
    BIO_write(out, b, m);
    OPENSSL_free(a);
    OPENSSL_free(b);
    X509_NAME_free(subject);
    return out;
}

/* IssuerAndSerialNumber (RFC 8894 sections 3.3.4 and 3.3.5). */
static inline BIO *sc_serial(X509 *of)
{
    PKCS7_ISSUER_AND_SERIAL *is = PKCS7_ISSUER_AND_SERIAL_new();
    BIO *out = BIO_new(BIO_s_mem());
    unsigned char *der = NULL;
    X509_NAME_set(&is->issuer, X509_get_issuer_name(of));
    ASN1_INTEGER_free(is->serial);
    is->serial = ASN1_INTEGER_dup(X509_get0_serialNumber(of));
    int n = i2d_PKCS7_ISSUER_AND_SERIAL(is, &der);
    BIO_write(out, der, n);
    OPENSSL_free(der);
    PKCS7_ISSUER_AND_SERIAL_free(is);
    return out;
}

static inline BIO *sc_csr(const struct sc_request *r)
{
    if (r->asks_for)
        return sc_serial(r->asks_for);
    if (r->asks_about)
        return sc_subject(r);
    X509_REQ *csr = X509_REQ_new();
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(csr), "CN", MBSTRING_UTF8,
                               (const unsigned char *)r->cn, -1, -1, 0);
    X509_REQ_set_pubkey(csr, r->key);
    if (r->challenge)
        X509_REQ_add1_attr_by_txt(csr, "challengePassword", MBSTRING_UTF8,
                                  (const unsigned char *)r->challenge, -1);
    if (r->san)
        sc_san(csr, r->san);
    assert_true(X509_REQ_sign(csr, r->key, EVP_sha256()) > 0);
    BIO *out = BIO_new(BIO_s_mem());
    assert_true(i2d_X509_REQ_bio(out, csr));
    X509_REQ_free(csr);
    return out;
}

static inline void sc_put(CMS_SignerInfo *si, const char *oid, int type, const void *p, int n)
{
    ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
    assert_true(CMS_signed_add1_attr_by_OBJ(si, obj, type, p, n));
    ASN1_OBJECT_free(obj);
}

/* The PKIMessage; *out is OPENSSL_free()d by the caller. */
static inline int sc_write(struct sc_request *r, X509 *ra, unsigned char **out)
{
    RAND_bytes(r->nonce, sizeof r->nonce);
    X509 *self = r->signer ? NULL : sc_self_signed(r->key, r->cn);
    STACK_OF(X509) *to = sk_X509_new_null();
    sk_X509_push(to, ra);
    BIO *csr = sc_csr(r);
    CMS_ContentInfo *env = CMS_encrypt(to, csr, EVP_get_cipherbyname(r->cipher), CMS_BINARY);
    assert_non_null(env);
    unsigned char *der = NULL;
    int n = i2d_CMS_ContentInfo(env, &der);
    BIO *content = BIO_new_mem_buf(der, n);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
    CMS_SignerInfo *si =
        CMS_add1_signer(cms, self ? self : r->signer, self ? r->key : r->signer_key,
                        EVP_get_digestbyname(r->digest), CMS_BINARY | CMS_NOSMIMECAP);
    assert_non_null(si);
    if (r->type)
        sc_put(si, SC_OID(2), V_ASN1_PRINTABLESTRING, r->type, (int)strlen(r->type));
    sc_put(si, SC_OID(7), V_ASN1_PRINTABLESTRING, r->transaction, (int)strlen(r->transaction));
    sc_put(si, SC_OID(5), V_ASN1_OCTET_STRING, r->nonce, sizeof r->nonce);
    assert_true(CMS_final(cms, content, NULL, CMS_BINARY));
    *out = NULL;
    int len = i2d_CMS_ContentInfo(cms, out);
    CMS_ContentInfo_free(cms);
    CMS_ContentInfo_free(env);
    BIO_free(csr);
    BIO_free(content);
    OPENSSL_free(der);
    sk_X509_free(to);
    X509_free(self);
    return len;
}

static inline void sc_text(CMS_SignerInfo *si, const char *oid, char *to, size_t room)
{
    ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
    ASN1_STRING *s = CMS_signed_get0_data_by_OBJ(si, obj, -3, V_ASN1_PRINTABLESTRING);
    ASN1_OBJECT_free(obj);
    snprintf(to, room, "%.*s", s ? ASN1_STRING_length(s) : 0,
             s ? (const char *)ASN1_STRING_get0_data(s) : "");
}

static inline X509 *sc_open(ASN1_OCTET_STRING *content, X509 *me, EVP_PKEY *key, X509_CRL **crl)
{
    const unsigned char *p = ASN1_STRING_get0_data(content);
    CMS_ContentInfo *env = d2i_CMS_ContentInfo(NULL, &p, ASN1_STRING_length(content));
    assert_non_null(env);
    BIO *plain = BIO_new(BIO_s_mem());
    assert_int_equal(CMS_decrypt(env, key, me, NULL, plain, CMS_BINARY), 1);
    PKCS7 *p7 = d2i_PKCS7_bio(plain, NULL);
    assert_non_null(p7);
    bool list = sk_X509_CRL_num(p7->d.sign->crl) == 1;
    assert_true(list || sk_X509_num(p7->d.sign->cert) == 1);
    X509 *cert = list ? NULL : X509_dup(sk_X509_value(p7->d.sign->cert, 0));
    *crl = list ? X509_CRL_dup(sk_X509_CRL_value(p7->d.sign->crl, 0)) : NULL;
    PKCS7_free(p7);
    BIO_free(plain);
    CMS_ContentInfo_free(env);
    return cert;
}

/* Reads the answer to r, whose signature must be ra's. */
static inline struct sc_reply sc_read(const struct sc_request *r, X509 *ra, struct bytes der)
{
    struct sc_reply out = {.cert = NULL};
    const unsigned char *p = der.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.n);
    assert_non_null(cms);
    ASN1_OCTET_STRING **content = CMS_get0_content(cms);
    out.has_content = content && *content;
    BIO *none = out.has_content ? NULL : BIO_new_mem_buf("", 0);
    STACK_OF(X509) *by = sk_X509_new_null();
    sk_X509_push(by, ra);
    assert_int_equal(CMS_verify(cms, by, NULL, none, NULL,
                                CMS_BINARY | CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY),
                     1);
    CMS_SignerInfo *si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    X509_ALGOR *digest = NULL;
    CMS_SignerInfo_get0_algs(si, NULL, NULL, &digest, NULL);
    out.digest = OBJ_nid2sn(OBJ_obj2nid(digest->algorithm));
    sc_text(si, SC_OID(2), out.type, sizeof out.type);
    sc_text(si, SC_OID(3), out.status, sizeof out.status);
    sc_text(si, SC_OID(4), out.fail, sizeof out.fail);
    sc_text(si, SC_OID(7), out.transaction, sizeof out.transaction);
    for (int i = 5; i <= 6; i++) {
        ASN1_OBJECT *obj = OBJ_txt2obj(i == 5 ? SC_OID(5) : SC_OID(6), 1);
        ASN1_STRING *s = CMS_signed_get0_data_by_OBJ(si, obj, -3, V_ASN1_OCTET_STRING);
        ASN1_OBJECT_free(obj);
        assert_true(s && ASN1_STRING_length(s) == 16);
        if (i == 6)
            memcpy(out.recipient_nonce, ASN1_STRING_get0_data(s), 16);
        else
            out.has_sender_nonce = true;
    }
    assert_string_equal(out.type, "3");
    assert_string_equal(out.transaction, r->transaction);
    assert_memory_equal(out.recipient_nonce, r->nonce, 16);
    if (strcmp(out.status, "0") == 0) {
        X509 *self = r->signer ? NULL : sc_self_signed(r->key, r->cn);
        out.cert =
            sc_open(*content, self ? self : r->signer, self ? r->key : r->signer_key, &out.crl);
        X509_free(self);
    }
    CMS_ContentInfo_free(cms);
    sk_X509_free(by);
    BIO_free(none);
    return out;
}

#endif
