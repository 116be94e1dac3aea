/* x509_crl.c: certificate revocation lists of other CAs (RFC 5280 section 5), before they are
 * believed. */
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/clock.h"
#include "wire/ossl.h"

static X509_CRL *crl_parse(struct bytes text)
{
    const unsigned char *p = text.p;
    X509_CRL *crl = NULL;
    if (text.n == 0 || text.n > INT_MAX)
        return NULL;
    if (text.p[0] == 0x30)
        return d2i_X509_CRL(NULL, &p, (long)text.n);
    BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
    if (bio)
        crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return crl;
}

static bool time_of(const ASN1_TIME *t, int64_t *us)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *us = (int64_t)timegm(&tm) * SECOND_US;
    return true;
}

/* A part of a list, or one of changes, says so in a critical extension; it would have every
 * certificate of its CA refused. */
static bool is_whole(const X509_CRL *crl)
{
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++)
        if (X509_EXTENSION_get_critical(X509_CRL_get_ext(crl, i)))
            return false;
    return true;
}

static enum outcome crl_take(struct arena *a, X509_CRL *crl, struct crl_info *out, struct err *err)
{
    unsigned char *der = NULL;
    int n = i2d_X509_CRL(crl, &der);
    out->der = n > 0 ? arena_bytes(a, bytes_of(der, (size_t)n)) : bytes_of(NULL, 0);
    OPENSSL_free(der);
    if (!out->der.p)
        return err_ossl(err, ERROR, "no memory for a revocation list");
    out->entries = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl));
    if (out->entries < 0) /* no list at all: nobody is revoked */
        out->entries = 0;
    if (!time_of(X509_CRL_get0_lastUpdate(crl), &out->this_update))
        return err_set(err, INVALID, "the revocation list does not say when it was made");
    if (!time_of(X509_CRL_get0_nextUpdate(crl), &out->next_update))
        out->next_update = 0;
    return OK;
}

enum outcome crl_read(struct arena *a, struct bytes text, struct crl_info *out, struct err *err)
{
    X509_CRL *crl = crl_parse(text);
    enum outcome o = OK;
    *out = (struct crl_info){0};
    if (!crl)
        o = err_ossl(err, INVALID, "no certificate revocation list, in PEM or DER");
    else if (!is_whole(crl))
        o = err_set(err, INVALID,
                    "a list of changes or of a part: only whole revocation lists are taken");
    else
        o = crl_take(a, crl, out, err);
    X509_CRL_free(crl);
    ERR_clear_error();
    return o;
}

enum outcome crl_signed_by(struct bytes crl_der, struct bytes ca_der, struct err *err)
{
    X509_CRL *crl = crl_parse(crl_der);
    X509 *ca = ossl_cert(ca_der, err);
    enum outcome o = OK;
    if (!crl || !ca)
        o = err_set(err, INVALID, "the list or the CA cannot be read");
    else if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(ca)) != 0 ||
             X509_CRL_verify(crl, X509_get0_pubkey(ca)) != 1)
        o = err_set(err, NOT_FOUND, "another CA signed it");
    else if (!(X509_get_key_usage(ca) & KU_CRL_SIGN))
        o = err_set(err, INVALID, "its CA's certificate is not for signing revocation lists");
    X509_CRL_free(crl);
    X509_free(ca);
    ERR_clear_error();
    return o;
}
