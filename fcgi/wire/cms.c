/* cms.c: signed and enveloped messages (RFC 5652). */
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include "wire/cms.h"
#include "wire/cms_ossl.h"

/* NULL: it is none. *p is then where reading ended. */
static CMS_ContentInfo *decode_in(OSSL_LIB_CTX *lib, const unsigned char **p, size_t n)
{
    CMS_ContentInfo *c = n && n <= INT_MAX ? CMS_ContentInfo_new_ex(lib, NULL) : NULL;
    return c && d2i_CMS_ContentInfo(&c, p, (long)n) ? c : NULL; /* which frees c when it fails */
}

static bool keys_known(CMS_ContentInfo *c)
{
    bool known = true;
    STACK_OF(X509) *certs = CMS_get1_certs(c);
    for (int i = 0; known && i < sk_X509_num(certs); i++)
        known = ossl_key_known(sk_X509_value(certs, i));
    sk_X509_pop_free(certs, X509_free);
    return known;
}

CMS_ContentInfo *cms_parse(struct bytes der, int nid, struct err *err)
{
    const unsigned char *p = der.p;
    OSSL_LIB_CTX *lib = nid == NID_pkcs7_signed ? ossl_lib() : NULL;
    CMS_ContentInfo *c = decode_in(lib, &p, der.n);
    if (c && lib && !keys_known(c)) {
        CMS_ContentInfo_free(c);
        p = der.p;
        c = decode_in(NULL, &p, der.n);
    }
    if (!c) {
        err_ossl(err, INVALID, "no CMS message in these %zu octets", der.n);
    } else if (p != der.p + der.n) {
        err_set(err, INVALID, "%zu octets follow the CMS message", (size_t)(der.p + der.n - p));
    } else if (OBJ_obj2nid(CMS_get0_type(c)) != nid) {
        err_set(err, INVALID, "the CMS message is no %s", OBJ_nid2ln(nid));
    } else {
        return c;
    }
    CMS_ContentInfo_free(c);
    ERR_clear_error();
    return NULL;
}

/* The one signer of c; NULL: none, several, or a digest we do not believe. */
static CMS_SignerInfo *only_signer(CMS_ContentInfo *c, struct err *err)
{
    STACK_OF(CMS_SignerInfo) *all = CMS_get0_SignerInfos(c);
    int n = all ? sk_CMS_SignerInfo_num(all) : 0;
    if (n != 1) {
        err_set(err, INVALID, "the message has %d signers, one is wanted", n);
        return NULL;
    }
    CMS_SignerInfo *si = sk_CMS_SignerInfo_value(all, 0);
    X509_ALGOR *digest = NULL;
    CMS_SignerInfo_get0_algs(si, NULL, NULL, &digest, NULL);
    switch (OBJ_obj2nid(digest->algorithm)) {
    case NID_sha1:
    case NID_sha256:
    case NID_sha384:
    case NID_sha512:
        return si;
    default:
        err_set(err, INVALID,
                "the message is signed with a digest other than SHA-1, SHA-256, "
                "SHA-384 or SHA-512");
        return NULL;
    }
}

/* Copies out the signer's certificate and the others. */
static enum outcome certs_out(struct arena *a, CMS_SignerInfo *si, STACK_OF(X509) * certs,
                              struct bytes *signer, struct bytes *chain, size_t *nchain,
                              struct err *err)
{
    size_t max = *nchain;
    *nchain = 0;
    *signer = bytes_of(NULL, 0);
    for (int i = 0; i < sk_X509_num(certs); i++) {
        X509 *x = sk_X509_value(certs, i);
        bool is_signer = !signer->p && CMS_SignerInfo_cert_cmp(si, x) == 0;
        if (!is_signer && *nchain == max)
            return err_set(err, INVALID, "the message carries more than %zu certificates", max + 1);
        struct bytes der = ossl_cert_der(a, x);
        if (!der.p)
            return err_set(err, ERROR, "out of memory");
        if (is_signer)
            *signer = der;
        else
            chain[(*nchain)++] = der;
    }
    if (!signer->p)
        return err_set(err, INVALID, "the signer's certificate is not in the message");
    return OK;
}

/* The check itself, with the certificates of the message. */
static enum outcome check_with(struct arena *a, CMS_ContentInfo *c, STACK_OF(X509) * certs,
                               BIO *body, BIO *out, struct bytes *signer, struct bytes *chain,
                               size_t *nchain, struct err *err)
{
    CMS_SignerInfo *si = only_signer(c, err);
    if (!si)
        return INVALID;
    enum outcome o = certs_out(a, si, certs, signer, chain, nchain, err);
    if (o != OK)
        return o;
    /* OpenSSL finds the same certificate again; chains are trust_check's business. */
    if (CMS_verify(c, certs, NULL, body, out, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) == 1)
        return OK;
    unsigned long code = ERR_peek_last_error();
    bool other_body = ERR_GET_REASON(code) == CMS_R_CONTENT_VERIFY_ERROR ||
                      ERR_GET_REASON(code) == CMS_R_VERIFICATION_FAILURE;
    if (other_body)
        return err_ossl(err, DENIED, "the signature does not belong to this content");
    return err_ossl(err, INVALID, "the signature cannot be checked");
}

enum outcome cms_check(struct arena *a, CMS_ContentInfo *c, BIO *body, BIO *out,
                       struct bytes *signer, struct bytes *chain, size_t *nchain, struct err *err)
{
    STACK_OF(X509) *certs = CMS_get1_certs(c);
    enum outcome o = check_with(a, c, certs, body, out, signer, chain, nchain, err);
    sk_X509_pop_free(certs, X509_free);
    return o;
}

static bool has_content(CMS_ContentInfo *c)
{
    ASN1_OCTET_STRING **content = CMS_get0_content(c);
    return content && *content;
}

/* The body to check. CMS_verify() makes a copy of a plain memory BIO's view and, when the message
 * names a digest that it does not know, forgets it (OpenSSL 3.0): anybody could make a worker grow.
 * One with a filter before it is taken as it is. */
static BIO *body_bio(struct bytes body)
{
    BIO *filter = BIO_new(BIO_f_null());
    BIO *mem = filter ? BIO_new_mem_buf(body.n ? body.p : (const void *)"", (int)body.n) : NULL;
    if (mem)
        return BIO_push(filter, mem);
    BIO_free(filter);
    return NULL;
}

enum outcome cms_verify_detached(struct arena *a, struct bytes cms, struct bytes body,
                                 struct bytes *signer, struct bytes *chain, size_t *nchain,
                                 struct err *err)
{
    enum outcome o;
    BIO *bio = NULL;
    CMS_ContentInfo *c = cms_parse(cms, NID_pkcs7_signed, err);
    if (!c)
        o = INVALID;
    else if (has_content(c))
        o = err_set(err, INVALID, "the signature carries a content of its own");
    else if (body.n > INT_MAX || !(bio = body_bio(body)))
        o = err_ossl(err, ERROR, "out of memory");
    else
        o = cms_check(a, c, bio, NULL, signer, chain, nchain, err);
    BIO_free_all(bio);
    CMS_ContentInfo_free(c);
    ERR_clear_error();
    return o;
}

enum outcome cms_verify_attached(struct arena *a, struct bytes cms, struct bytes *content,
                                 struct bytes *signer, struct bytes *chain, size_t *nchain,
                                 struct err *err)
{
    enum outcome o;
    BIO *out = NULL;
    CMS_ContentInfo *c = cms_parse(cms, NID_pkcs7_signed, err);
    if (!c)
        return INVALID;
    if (!has_content(c))
        o = err_set(err, INVALID, "the signed message carries no content");
    else if (!(out = BIO_new(BIO_s_mem())))
        o = err_ossl(err, ERROR, "out of memory");
    else
        o = cms_check(a, c, NULL, out, signer, chain, nchain, err);
    if (o == OK) {
        char *p = NULL;
        long n = BIO_get_mem_data(out, &p);
        *content = arena_bytes(a, bytes_of(p, n > 0 ? (size_t)n : 0));
        if (!content->p)
            o = err_set(err, ERROR, "the signed content of %ld octets is past the ceiling", n);
    }
    BIO_free(out);
    CMS_ContentInfo_free(c);
    ERR_clear_error();
    return o;
}

enum outcome cms_write(CMS_ContentInfo *c, struct buf *der, struct err *err)
{
    unsigned char *out = NULL;
    int n = i2d_CMS_ContentInfo(c, &out);
    if (n > 0)
        buf_add(der, out, (size_t)n);
    OPENSSL_free(out);
    if (n <= 0 || buf_failed(der))
        return err_ossl(err, ERROR, "cannot encode the CMS message");
    return OK;
}

enum outcome cms_sign(struct bytes content, struct bytes signer_der, const struct pkey *key,
                      const struct bytes *chain, size_t nchain, bool detached, struct buf *der,
                      struct err *err)
{
    enum outcome o = INVALID;
    CMS_ContentInfo *c = NULL;
    BIO *bio = NULL;
    unsigned flags = CMS_BINARY | (detached ? CMS_DETACHED : 0u);
    X509 *signer = ossl_cert(signer_der, err);
    STACK_OF(X509) *extra = signer ? ossl_cert_stack(chain, nchain, err) : NULL;
    if (!extra)
        goto out;
    o = OK;
    if (content.n > INT_MAX ||
        !(bio = BIO_new_mem_buf(content.n ? content.p : (const void *)"", (int)content.n)) ||
        !(c = CMS_sign(NULL, NULL, extra, NULL, flags | CMS_PARTIAL)) ||
        !CMS_add1_signer(c, signer, key->k, EVP_sha256(), flags | CMS_NOSMIMECAP) ||
        !CMS_final(c, bio, NULL, flags))
        o = err_ossl(err, ERROR, "cannot sign");
    else
        o = cms_write(c, der, err);
out:
    BIO_free(bio);
    CMS_ContentInfo_free(c);
    sk_X509_pop_free(extra, X509_free);
    X509_free(signer);
    return o;
}

enum outcome cms_encrypt_with(const EVP_CIPHER *cipher, struct bytes content,
                              struct bytes recipient_der, struct buf *der, struct err *err)
{
    enum outcome o = INVALID;
    CMS_ContentInfo *c = NULL;
    BIO *bio = NULL;
    STACK_OF(X509) *to = ossl_cert_stack(&recipient_der, 1, err);
    if (!to)
        goto out;
    if (content.n > INT_MAX ||
        !(bio = BIO_new_mem_buf(content.n ? content.p : (const void *)"", (int)content.n)) ||
        !(c = CMS_encrypt(to, bio, cipher, CMS_BINARY)))
        o = err_ossl(err, INVALID, "cannot encrypt to this certificate");
    else
        o = cms_write(c, der, err);
out:
    BIO_free(bio);
    CMS_ContentInfo_free(c);
    sk_X509_pop_free(to, X509_free);
    return o;
}

enum outcome cms_encrypt(struct bytes content, struct bytes recipient_der, struct buf *der,
                         struct err *err)
{
    return cms_encrypt_with(EVP_aes_256_cbc(), content, recipient_der, der, err);
}

enum outcome cms_decrypt(struct bytes cms, struct bytes recipient_der, const struct pkey *key,
                         struct buf *out, struct err *err)
{
    enum outcome o = INVALID;
    BIO *bio = NULL;
    CMS_ContentInfo *c = cms_parse(cms, NID_pkcs7_enveloped, err);
    X509 *x = c ? ossl_cert(recipient_der, err) : NULL;
    if (!x)
        goto out;
    /* With the certificate given, OpenSSL answers a wrong padding with a random key: no oracle. */
    if (!(bio = BIO_new(BIO_s_secmem())) || CMS_decrypt(c, key->k, x, NULL, bio, CMS_BINARY) != 1)
        o = err_ossl(err, DENIED, "the message cannot be decrypted with this key");
    else
        o = ossl_bio_take(bio, out, err);
out:
    BIO_free(bio);
    X509_free(x);
    CMS_ContentInfo_free(c);
    ERR_clear_error();
    return o;
}
