/* x509_key.c: key pairs and certification requests (RFC 2986). */
#include <limits.h>
#include <stdlib.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include "wire/ossl.h"

#define SECURE_HEAP (512u * 1024u)
#define SECURE_LEAST 32
#define PKEY_PEM_MAX (16u * 1024u)
#define CSR_RSA_BITS_MAX 8192 /* checking a signature of a larger key is work for nothing */

enum outcome pkey_wrap(EVP_PKEY *k, struct pkey **out, struct err *err)
{
    struct pkey *key = k ? malloc(sizeof *key) : NULL;
    if (!key) {
        EVP_PKEY_free(k);
        return err_ossl(err, ERROR, "cannot make a key");
    }
    key->k = k;
    *out = key;
    return OK;
}

enum outcome pkey_new_rsa(int bits, struct pkey **out, struct err *err)
{
    *out = NULL;
    if (bits < 1024 || bits > 8192)
        return err_set(err, INVALID, "an RSA key of %d bits is not made here", bits);
    return pkey_wrap(EVP_RSA_gen((unsigned)bits), out, err);
}

enum outcome pkey_new_p256(struct pkey **out, struct err *err)
{
    *out = NULL;
    return pkey_wrap(EVP_EC_gen("P-256"), out, err);
}

/* Answers "no password": an encrypted key fails instead of asking at the terminal. */
static int no_password(char *out, int size, int rwflag, void *arg)
{
    (void)out, (void)size, (void)rwflag, (void)arg;
    return -1;
}

enum outcome pkey_from_pem(struct bytes pem, struct pkey **out, struct err *err)
{
    *out = NULL;
    if (pem.n == 0 || pem.n > PKEY_PEM_MAX)
        return err_set(err, INVALID, "no private key in %zu octets", pem.n);
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *k = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    if (!k)
        return err_ossl(err, INVALID, "no unencrypted PEM private key");
    return pkey_wrap(k, out, err);
}

enum outcome pkey_to_pem(const struct pkey *k, struct buf *out, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    enum outcome o = OK;
    if (!bio || !PEM_write_bio_PrivateKey(bio, k->k, NULL, NULL, 0, NULL, NULL))
        o = err_ossl(err, ERROR, "cannot write the key");
    else
        o = ossl_bio_take(bio, out, err);
    BIO_free(bio);
    return o;
}

enum outcome pkey_matches(const struct pkey *k, struct bytes cert_der, struct err *err)
{
    X509 *x = ossl_cert(cert_der, err);
    if (!x)
        return INVALID;
    int same = X509_check_private_key(x, k->k);
    X509_free(x);
    if (!same)
        return err_ossl(err, CONFLICT, "the certificate belongs to another key");
    return OK;
}

enum outcome pkey_sign(const struct pkey *k, const char *digest, struct bytes b, struct buf *out,
                       struct err *err)
{
    const EVP_MD *md = strcmp(digest, "SHA1") == 0     ? EVP_sha1()
                       : strcmp(digest, "SHA256") == 0 ? EVP_sha256()
                                                       : NULL;
    if (!md || !EVP_PKEY_is_a(k->k, "RSA"))
        return err_set(err, INVALID, "signed here is with RSA and SHA1 or SHA256");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = (size_t)EVP_PKEY_get_size(k->k);
    char *room = buf_room(out, n);
    enum outcome o = OK;
    if (!ctx || !room || EVP_DigestSignInit(ctx, NULL, md, NULL, k->k) != 1 ||
        EVP_DigestSign(ctx, (unsigned char *)room, &n, b.p, b.n) != 1)
        o = err_ossl(err, ERROR, "cannot sign");
    else
        buf_grew(out, n);
    EVP_MD_CTX_free(ctx);
    return o;
}

void pkey_free(struct pkey **k)
{
    if (!*k)
        return;
    EVP_PKEY_free((*k)->k);
    free(*k);
    *k = NULL;
}

void pkey_guard_memory(void)
{
    /* Answers 2 when the memory could not be locked (RLIMIT_MEMLOCK): it is used all the same. */
    CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_LEAST);
}

static enum outcome san_text(struct arena *a, const GENERAL_NAME *g, const char **out,
                             struct err *err)
{
    static const struct {
        int type;
        const char *prefix;
    } kinds[] = {{GEN_DNS, "DNS"}, {GEN_URI, "URI"}, {GEN_EMAIL, "email"}};
    *out = NULL;
    int type = 0;
    const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].type != type)
            continue;
        const unsigned char *p = ASN1_STRING_get0_data(s);
        int n = ASN1_STRING_length(s);
        if (memchr(p, 0, (size_t)n))
            return err_set(err, INVALID, "a NUL in a subjectAltName");
        *out = arena_fmt(a, "%s:%.*s", kinds[i].prefix, n, (const char *)p);
        return *out ? OK : err_set(err, ERROR, "out of memory");
    }
    return OK;
}

static enum outcome csr_san(struct arena *a, X509_REQ *req, struct csr_info *out, struct err *err)
{
    STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(req);
    GENERAL_NAMES *names = exts ? X509V3_get_d2i(exts, NID_subject_alt_name, NULL, NULL) : NULL;
    enum outcome o = OK;
    int n = names ? sk_GENERAL_NAME_num(names) : 0;
    const char **list = arena_array(a, (size_t)n + 1, sizeof *list);
    if (!list)
        o = err_set(err, ERROR, "out of memory");
    for (int i = 0; o == OK && i < n; i++) {
        const char *text = NULL;
        o = san_text(a, sk_GENERAL_NAME_value(names, i), &text, err);
        if (o == OK && text)
            list[out->nsan++] = text;
    }
    out->san = list;
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    return o;
}

static enum outcome csr_challenge(struct arena *a, X509_REQ *req, const char **out, struct err *err)
{
    *out = "";
    int at = X509_REQ_get_attr_by_NID(req, NID_pkcs9_challengePassword, -1);
    if (at < 0)
        return OK;
    const ASN1_TYPE *v = X509_ATTRIBUTE_get0_type(X509_REQ_get_attr(req, at), 0);
    unsigned char *utf8 = NULL;
    int n = -1;
    if (v && v->type != V_ASN1_BOOLEAN && v->type != V_ASN1_NULL && v->type != V_ASN1_OBJECT)
        n = ASN1_STRING_to_UTF8(&utf8, v->value.asn1_string);
    enum outcome o = OK;
    if (n < 0 || memchr(utf8, 0, (size_t)n))
        o = err_ossl(err, INVALID, "the challengePassword is no text");
    else if (!(*out = arena_strndup(a, (const char *)utf8, (size_t)n)))
        o = err_set(err, ERROR, "out of memory");
    if (utf8)
        OPENSSL_clear_free(utf8, n > 0 ? (size_t)n : 0);
    return o;
}

static enum outcome csr_fill(struct arena *a, X509_REQ *req, struct csr_info *out, struct err *err)
{
    EVP_PKEY *k = X509_REQ_get0_pubkey(req);
    enum outcome o = ossl_key_describe(X509_REQ_get_X509_PUBKEY(req), &out->key_type,
                                       &out->key_bits, out->key_sha256, err);
    if (o != OK)
        return o;
    if (out->key_bits > CSR_RSA_BITS_MAX)
        return err_set(err, INVALID, "a key of %d bits", out->key_bits);
    if (X509_REQ_verify(req, k) != 1)
        return err_ossl(err, INVALID, "the request is not signed by its own key");
    const X509_NAME *subject = X509_REQ_get_subject_name(req);
    out->subject = ossl_name_text(a, subject);
    out->common_name = ossl_name_field(a, subject, NID_commonName);
    if (!out->subject || !out->common_name)
        return err_ossl(err, INVALID, "the request's subject is no text");
    o = csr_challenge(a, req, &out->challenge, err);
    if (o == OK)
        o = csr_san(a, req, out, err);
    return o;
}

enum outcome csr_read(struct arena *a, struct bytes der, struct csr_info *out, struct err *err)
{
    *out = (struct csr_info){0};
    const unsigned char *p = der.p;
    X509_REQ *req = der.n && der.n <= LONG_MAX ? d2i_X509_REQ(NULL, &p, (long)der.n) : NULL;
    if (!req)
        return err_ossl(err, INVALID, "no PKCS#10 request");
    enum outcome o;
    if (p != der.p + der.n)
        o = err_set(err, INVALID, "octets follow the PKCS#10 request");
    else
        o = csr_fill(a, req, out, err);
    X509_REQ_free(req);
    ERR_clear_error();
    return o;
}

static bool name_add(X509_NAME *name, const char *field, const char *value)
{
    return !value || !*value ||
           X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1,
                                      -1, 0);
}

enum outcome csr_new(const struct pkey *k, const char *common_name, const char *organization,
                     const char *challenge, struct buf *der, struct err *err)
{
    enum outcome o = OK;
    unsigned char *out = NULL;
    X509_REQ *req = X509_REQ_new();
    if (!req || !X509_REQ_set_version(req, X509_REQ_VERSION_1) ||
        !name_add(X509_REQ_get_subject_name(req), "CN", common_name) ||
        !name_add(X509_REQ_get_subject_name(req), "O", organization) ||
        !X509_REQ_set_pubkey(req, k->k) ||
        (challenge && !X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword, MBSTRING_UTF8,
                                                 (const unsigned char *)challenge, -1)) ||
        X509_REQ_sign(req, k->k, EVP_PKEY_is_a(k->k, "ED25519") ? NULL : EVP_sha256()) <= 0) {
        o = err_ossl(err, INVALID, "cannot make the request");
        goto out;
    }
    int n = i2d_X509_REQ(req, &out);
    if (n > 0)
        buf_add(der, out, (size_t)n);
    if (n <= 0 || buf_failed(der))
        o = err_ossl(err, ERROR, "cannot encode the request");
out:
    OPENSSL_free(out);
    X509_REQ_free(req);
    return o;
}
