/* libattest.c: see libattest.h. */
#include "libattest.h"

#include "base/limits.h"
#include "wire/cms.h"
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

struct attest_ca {
    X509 *cert;
    EVP_PKEY *key;
};

enum outcome attest_ca_load(const char *path, struct attest_ca **out, struct err *err)
{
    BIO *in = BIO_new_file(path, "r");
    struct attest_ca *ca = calloc(1, sizeof *ca);
    *out = ca;
    if (!in || !ca || !(ca->cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) || BIO_reset(in) != 0 ||
        !(ca->key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL)))
        attest_ca_free(out);
    BIO_free(in);
    ERR_clear_error();
    return *out ? OK : err_set(err, INVALID, "%s: no PEM of a certificate and its key", path);
}

void attest_ca_free(struct attest_ca **ca)
{
    if (!*ca)
        return;
    X509_free((*ca)->cert);
    EVP_PKEY_free((*ca)->key);
    free(*ca);
    *ca = NULL;
}

static bool fill(X509 *x, const struct attest_ca *ca, const char *common_name, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(x);
    uint64_t serial = (uint64_t)time(NULL) << 20 ^ (uintptr_t)key >> 4;
    return X509_set_version(x, X509_VERSION_3) &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial) &&
           X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Apple Inc.",
                                      -1, -1, 0) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                      -1, -1, 0) &&
           X509_set_issuer_name(x, X509_get_subject_name(ca->cert)) &&
           X509_gmtime_adj(X509_getm_notBefore(x), -86400) &&
           X509_gmtime_adj(X509_getm_notAfter(x), 365 * 86400L) && X509_set_pubkey(x, key) &&
           X509_sign(x, ca->key, EVP_sha1());
}

enum outcome attest_issue(const struct attest_ca *ca, const char *common_name, EVP_PKEY *key,
                          struct identity *out, struct err *err)
{
    X509 *x = X509_new();
    unsigned char *cert = NULL, *private = NULL;
    int n = -1, k = -1;
    if (x && fill(x, ca, common_name, key)) {
        n = i2d_X509(x, &cert);
        k = i2d_PrivateKey(key, &private);
    }
    if (n > 0 && k > 0) {
        *out = (struct identity){.cert = malloc((size_t)n), .key = malloc((size_t)k)};
        if (!out->cert || !out->key)
            abort();
        memcpy(out->cert, cert, out->ncert = (size_t)n);
        memcpy(out->key, private, out->nkey = (size_t)k);
    }
    OPENSSL_free(cert);
    OPENSSL_clear_free(private, k > 0 ? (size_t)k : 0);
    X509_free(x);
    ERR_clear_error();
    return n > 0 && k > 0 ? OK : err_set(err, ERROR, "no built-in identity could be made");
}

static pl attributes(const struct simdev *d, enum attest_kind kind, const char *challenge)
{
    const struct hardware *h = &d->hw;
    pl dict = pl_new_dict();
    pl_set_str(dict, "PRODUCT", h->product);
    pl_set_str(dict, "VERSION", h->build);
    if (kind != ATTEST_SERVICE) {
        pl_set_str(dict, "LANGUAGE", "en");
        pl_set_str(dict, "OS_VERSION", h->os);
        pl_set_bool(dict, "MDM_CAN_REQUEST_SOFTWARE_UPDATE", true);
    }
    if (kind == ATTEST_ACCOUNT)
        return dict;
    pl_set_str(dict, "UDID", h->udid);
    pl_set_str(dict, "SERIAL", h->serial);
    if (h->imei[0])
        pl_set_str(dict, "IMEI", h->imei);
    if (h->meid[0])
        pl_set_str(dict, "MEID", h->meid);
    if (kind == ATTEST_SERVICE)
        pl_set_str(dict, "DEVICE_NAME", h->name);
    if (challenge)
        pl_set_str(dict, "CHALLENGE", challenge);
    return dict;
}

/* The identity as OpenSSL has it. */
static bool identity_open(const struct identity *id, X509 **cert, EVP_PKEY **key)
{
    const unsigned char *pc = id->cert, *pk = id->key;
    *cert = d2i_X509(NULL, &pc, (long)id->ncert);
    *key = d2i_AutoPrivateKey(NULL, &pk, (long)id->nkey);
    return *cert && *key;
}

enum outcome attest_sign(const struct simdev *d, const struct identity *id, enum attest_kind kind,
                         const char *challenge, struct buf *der, struct err *err)
{
    struct buf xml = BUF_INIT(64 * LIM_KB);
    X509 *cert;
    EVP_PKEY *key;
    CMS_ContentInfo *cms = NULL;
    unsigned char *out = NULL;
    int n = 0;
    pl dict = attributes(d, kind, challenge);
    BIO *in = NULL;
    if (identity_open(id, &cert, &key) && pl_to_xml(dict, &xml) == OK &&
        (in = BIO_new_mem_buf(xml.data, (int)xml.len)) &&
        (cms = CMS_sign(cert, key, NULL, in, CMS_BINARY | CMS_NOSMIMECAP)))
        n = i2d_CMS_ContentInfo(cms, &out);
    if (n > 0)
        buf_add(der, out, (size_t)n);
    OPENSSL_free(out);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    EVP_PKEY_free(key);
    X509_free(cert);
    pl_free(&dict);
    buf_free(&xml);
    ERR_clear_error();
    return n > 0 ? OK : err_set(err, ERROR, "the device cannot sign what it says of itself");
}

/* ---- the answer ---- */

static enum outcome decrypt(struct bytes sealed, const struct identity *id, struct buf *out,
                            struct err *err)
{
    const unsigned char *p = sealed.p;
    X509 *cert;
    EVP_PKEY *key;
    BIO *bio = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)sealed.n);
    char *text = NULL;
    bool good = identity_open(id, &cert, &key) && cms && bio &&
                CMS_decrypt(cms, key, cert, NULL, bio, CMS_BINARY) == 1;
    long n = good ? BIO_get_mem_data(bio, &text) : 0;
    buf_add(out, text, (size_t)n);
    CMS_ContentInfo_free(cms);
    BIO_free(bio);
    EVP_PKEY_free(key);
    X509_free(cert);
    ERR_clear_error();
    return good ? OK : err_set(err, DENIED, "the profile is encrypted to somebody else");
}

static enum outcome unseal(pl root, const struct identity *id, struct err *err)
{
    struct buf inner = BUF_INIT(LIM_MB);
    struct bytes sealed;
    pl content = NULL;
    if (!pl_get_data(root, "EncryptedPayloadContent", &sealed))
        return OK;
    enum outcome o = decrypt(sealed, id, &inner, err);
    if (o == OK)
        o = pl_parse(buf_bytes(&inner), &content, err);
    if (o == OK)
        pl_set(root, "PayloadContent", content);
    buf_wipe(&inner);
    return o;
}

enum outcome attest_open(struct bytes profile, const struct identity *id, pl *root, struct err *err)
{
    struct arena *a = arena_new(LIM_ARENA_REQUEST);
    struct bytes signer, chain[16], content = profile;
    size_t n = 16;
    enum outcome o = a ? OK : err_set(err, ERROR, "out of memory");
    *root = NULL;
    if (o == OK && profile.n && profile.p[0] == 0x30)
        o = cms_verify_attached(a, profile, &content, &signer, chain, &n, err);
    if (o == OK)
        o = pl_parse(content, root, err);
    if (o == OK)
        o = unseal(*root, id, err);
    if (o != OK)
        pl_free(root);
    arena_free(&a);
    return o;
}
