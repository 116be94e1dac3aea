/* x509.c: reading certificates, DER and PEM. */
#include <ctype.h>
#include <time.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include "base/clock.h"
#include "wire/ossl.h"

static bool time_us(const ASN1_TIME *t, int64_t *out)
{
    struct tm tm;
    if (!t || !ASN1_TIME_to_tm(t, &tm))
        return false;
    *out = (int64_t)timegm(&tm) * SECOND_US;
    return true;
}

const char *ossl_serial_text(struct arena *a, const ASN1_INTEGER *serial)
{
    BIGNUM *bn = ASN1_INTEGER_to_BN(serial, NULL);
    char *hex = bn ? BN_bn2hex(bn) : NULL;
    char *text = NULL;
    if (hex) {
        const char *p = hex;
        bool minus = *p == '-';
        p += minus;
        while (p[0] == '0' && p[1])
            p++;
        text = arena_fmt(a, "%s%s", minus ? "-" : "", p);
        for (char *q = text; q && *q; q++)
            *q = (char)tolower((unsigned char)*q);
    }
    OPENSSL_free(hex);
    BN_free(bn);
    return text;
}

/* Apple's marks in push certificates. One that is good for both services has both. */
#define OID_PUSH_DEVELOPMENT "1.2.840.113635.100.6.3.1"
#define OID_PUSH_PRODUCTION "1.2.840.113635.100.6.3.2"

static bool has_extension(const X509 *x, const char *oid)
{
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    bool has = o && X509_get_ext_by_OBJ(x, o, -1) >= 0;
    ASN1_OBJECT_free(o);
    return has;
}

enum outcome cert_info_read(struct arena *a, struct bytes der, struct cert_info *out,
                            struct err *err)
{
    *out = (struct cert_info){0};
    X509 *x = ossl_cert(der, err);
    if (!x)
        return INVALID;
    enum outcome o = OK;
    SHA256(der.p, der.n, out->sha256);
    const X509_NAME *subject = X509_get_subject_name(x);
    out->subject = ossl_name_text(a, subject);
    out->issuer = ossl_name_text(a, X509_get_issuer_name(x));
    out->serial = ossl_serial_text(a, X509_get0_serialNumber(x));
    out->common_name = ossl_name_field(a, subject, NID_commonName);
    out->topic = ossl_name_field(a, subject, NID_userId);
    if (!out->subject || !out->issuer || !out->serial)
        o = err_ossl(err, ERROR, "cannot keep the certificate's names");
    else if (!out->common_name || !out->topic)
        o = err_ossl(err, INVALID, "the certificate's subject holds a name that is no text");
    else if (!time_us(X509_get0_notBefore(x), &out->not_before) ||
             !time_us(X509_get0_notAfter(x), &out->not_after))
        o = err_ossl(err, INVALID, "the certificate's validity is no pair of times");
    else
        o = ossl_key_describe(X509_get_X509_PUBKEY(x), &out->key_type, &out->key_bits,
                              out->key_sha256, err);
    if (o == OK) {
        out->is_ca = X509_check_ca(x) == 1;
        out->client_auth = (X509_get_extended_key_usage(x) & XKU_SSL_CLIENT) != 0;
        out->sandbox_push =
            has_extension(x, OID_PUSH_DEVELOPMENT) && !has_extension(x, OID_PUSH_PRODUCTION);
    }
    X509_free(x);
    ERR_clear_error();
    return o;
}

enum outcome cert_issued_by(struct bytes der, struct bytes issuer, struct err *err)
{
    X509 *x = ossl_cert(der, err), *ca = x ? ossl_cert(issuer, err) : NULL;
    enum outcome o = x && ca ? OK : INVALID;
    if (o == OK && (X509_check_ca(ca) < 1 ||
                    X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(ca)) != 0 ||
                    X509_verify(x, X509_get0_pubkey(ca)) != 1))
        o = err_ossl(err, DENIED, "the one certificate is not issued by the other");
    X509_free(x);
    X509_free(ca);
    ERR_clear_error();
    return o;
}

static enum outcome pem_read_all(struct arena *a, BIO *bio, struct bytes *der, size_t max,
                                 size_t *n, struct err *err)
{
    for (;;) {
        X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (!x) {
            unsigned long code = ERR_peek_last_error();
            if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
                return err_ossl(err, INVALID, "certificate %zu of the PEM text is broken", *n + 1);
            ERR_clear_error();
            if (*n == 0)
                return err_set(err, INVALID, "no certificate in the PEM text");
            return OK;
        }
        if (*n == max) {
            X509_free(x);
            return err_set(err, INVALID, "more than %zu certificates in the PEM text", max);
        }
        der[*n] = ossl_cert_der(a, x);
        X509_free(x);
        if (!der[*n].p)
            return err_ossl(err, ERROR, "cannot keep certificate %zu", *n + 1);
        ++*n;
    }
}

enum outcome cert_from_pem(struct arena *a, struct bytes pem, struct bytes *der, size_t max,
                           size_t *n, struct err *err)
{
    *n = 0;
    if (pem.n == 0 || pem.n > INT32_MAX)
        return err_set(err, INVALID, "no certificate in %zu octets", pem.n);
    if (pem.p[0] == 0x30) { /* a DER SEQUENCE: no PEM text begins with '0' */
        X509 *x = max ? ossl_cert(pem, err) : NULL;
        if (!x)
            return INVALID;
        der[0] = ossl_cert_der(a, x);
        X509_free(x);
        if (!der[0].p)
            return err_set(err, ERROR, "out of memory");
        *n = 1;
        return OK;
    }
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (!bio)
        return err_ossl(err, ERROR, "out of memory");
    enum outcome o = pem_read_all(a, bio, der, max, n, err);
    BIO_free(bio);
    return o;
}

void cert_to_pem(struct bytes der, struct buf *out)
{
    X509 *x = ossl_cert(der, NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    if (!x || !bio || !PEM_write_bio_X509(bio, x) || ossl_bio_take(bio, out, NULL) != OK)
        out->failed = true;
    BIO_free(bio);
    X509_free(x);
    ERR_clear_error();
}

void csr_to_pem(struct bytes der, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || der.n > INT_MAX ||
        !PEM_write_bio(bio, PEM_STRING_X509_REQ, "", der.p, (long)der.n) ||
        ossl_bio_take(bio, out, NULL) != OK)
        out->failed = true;
    BIO_free(bio);
    ERR_clear_error();
}

enum outcome csr_from_pem(struct arena *a, struct bytes pem, struct bytes *der, struct err *err)
{
    if (pem.n == 0 || pem.n > INT_MAX)
        return err_set(err, INVALID, "no request in %zu octets", pem.n);
    *der = pem;
    if (pem.p[0] == 0x30)
        return OK;
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    unsigned char *data = NULL;
    long n = 0;
    bool found = bio && PEM_bytes_read_bio(&data, &n, NULL, PEM_STRING_X509_REQ, bio, NULL, NULL);
    enum outcome o = OK;
    if (!found)
        o = err_ossl(err, INVALID, "no CERTIFICATE REQUEST in the PEM text");
    else if (!(*der = arena_bytes(a, bytes_of(data, (size_t)n))).p)
        o = err_set(err, ERROR, "out of memory");
    OPENSSL_free(data);
    BIO_free(bio);
    ERR_clear_error();
    return o;
}
