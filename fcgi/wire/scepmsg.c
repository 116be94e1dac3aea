/* scepmsg.c: SCEP messages; see scepmsg.h and RFC 8894 section 3. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/provider.h>
#include "base/limits.h"
#include "base/uuid.h"
#include "wire/cms.h"
#include "wire/cms_ossl.h"
#include "wire/scepmsg.h"

/* The attributes of section 3.2.1, all below VeriSign's arc. */
#define OID_MESSAGE_TYPE "2.16.840.1.113733.1.9.2"
#define OID_PKI_STATUS "2.16.840.1.113733.1.9.3"
#define OID_FAIL_INFO "2.16.840.1.113733.1.9.4"
#define OID_SENDER_NONCE "2.16.840.1.113733.1.9.5"
#define OID_RECIPIENT_NONCE "2.16.840.1.113733.1.9.6"
#define OID_TRANSACTION_ID "2.16.840.1.113733.1.9.7"

static const struct {
    int nid;
    const char *name;
} ciphers[] = {{NID_aes_128_cbc, "AES-128-CBC"},
               {NID_aes_192_cbc, "AES-192-CBC"},
               {NID_aes_256_cbc, "AES-256-CBC"},
               {NID_des_ede3_cbc, "DES-EDE3-CBC"},
               {NID_des_cbc, "DES-CBC"}},
  digests[] = {
      {NID_sha1, "SHA1"}, {NID_sha256, "SHA256"}, {NID_sha384, "SHA384"}, {NID_sha512, "SHA512"}};
#define COUNT(list) (sizeof(list) / sizeof *(list))

static const EVP_MD *digest_by_name(const char *name)
{
    for (size_t i = 0; i < COUNT(digests); i++)
        if (strcmp(digests[i].name, name) == 0)
            return EVP_get_digestbynid(digests[i].nid);
    return NULL;
}

static const EVP_CIPHER *cipher_by_name(const char *name)
{
    for (size_t i = 0; i < COUNT(ciphers); i++)
        if (strcmp(ciphers[i].name, name) == 0)
            return EVP_get_cipherbynid(ciphers[i].nid);
    return NULL;
}

/* The one value of a signed attribute, NULL when it is absent, repeated or of another type. */
static const ASN1_STRING *attribute(CMS_SignerInfo *si, const char *oid, int type)
{
    ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
    const ASN1_STRING *s = obj ? CMS_signed_get0_data_by_OBJ(si, obj, -3, type) : NULL;
    ASN1_OBJECT_free(obj);
    return s;
}

/* A text attribute of 1 to max printable ASCII characters; NULL otherwise. */
static const char *attribute_text(struct arena *a, CMS_SignerInfo *si, const char *oid, size_t max)
{
    const ASN1_STRING *s = attribute(si, oid, V_ASN1_PRINTABLESTRING);
    if (!s) /* clients with a generic encoder send this where the RFC says PrintableString */
        s = attribute(si, oid, V_ASN1_UTF8STRING);
    int n = s ? ASN1_STRING_length(s) : 0;
    if (n <= 0 || (size_t)n > max)
        return NULL;
    const unsigned char *p = ASN1_STRING_get0_data(s);
    for (int i = 0; i < n; i++)
        if (p[i] < ' ' || p[i] > '~')
            return NULL;
    return arena_strndup(a, (const char *)p, (size_t)n);
}

/* A PrintableString of decimal digits, -1 when it is absent or none. */
static int attribute_number(struct arena *a, CMS_SignerInfo *si, const char *oid)
{
    const char *text = attribute_text(a, si, oid, 3);
    if (!text || strspn(text, "0123456789") != strlen(text))
        return -1;
    return atoi(text);
}

static struct bytes attribute_nonce(struct arena *a, CMS_SignerInfo *si, const char *oid)
{
    const ASN1_STRING *s = attribute(si, oid, V_ASN1_OCTET_STRING);
    int n = s ? ASN1_STRING_length(s) : 0;
    if (n <= 0 || n > SCEP_NONCE_MAX)
        return bytes_of(NULL, 0);
    return arena_bytes(a, bytes_of(ASN1_STRING_get0_data(s), (size_t)n));
}

static enum outcome request_attributes(struct arena *a, CMS_ContentInfo *c,
                                       struct scep_request *out, struct err *err)
{
    CMS_SignerInfo *si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(c), 0);
    X509_ALGOR *digest = NULL;
    if (!si)
        return err_set(err, INVALID, "the PKIMessage is not signed");
    CMS_SignerInfo_get0_algs(si, NULL, NULL, &digest, NULL);
    for (size_t i = 0; i < COUNT(digests); i++)
        if (OBJ_obj2nid(digest->algorithm) == digests[i].nid)
            out->digest = digests[i].name;
    out->type = attribute_number(a, si, OID_MESSAGE_TYPE);
    out->transaction_id = attribute_text(a, si, OID_TRANSACTION_ID, SCEP_TRANSACTION_MAX);
    out->sender_nonce = attribute_nonce(a, si, OID_SENDER_NONCE);
    if (out->type < 0)
        return err_ossl(err, INVALID, "the PKIMessage has no messageType");
    if (!out->transaction_id)
        return err_ossl(err, INVALID,
                        "the PKIMessage has no transactionID of 1 to %u printable characters",
                        SCEP_TRANSACTION_MAX);
    if (!out->sender_nonce.p)
        return err_ossl(err, INVALID, "the PKIMessage has no senderNonce of 1 to %d octets",
                        SCEP_NONCE_MAX);
    return OK;
}

static enum outcome request_check(struct arena *a, CMS_ContentInfo *c, struct scep_request *out,
                                  struct err *err)
{
    enum outcome o = request_attributes(a, c, out, err);
    if (o != OK)
        return o;
    ASN1_OCTET_STRING **content = CMS_get0_content(c);
    if (!content || !*content)
        return err_set(err, INVALID, "the PKIMessage has no content");
    out->enveloped = arena_bytes(
        a, bytes_of(ASN1_STRING_get0_data(*content), (size_t)ASN1_STRING_length(*content)));
    if (!out->enveloped.p)
        return err_set(err, ERROR, "out of memory");
    struct bytes chain[SCEP_CERTS_MAX];
    size_t nchain = SCEP_CERTS_MAX;
    return cms_check(a, c, NULL, NULL, &out->signer_der, chain, &nchain, err);
}

enum outcome scep_request_read(struct arena *a, struct bytes der, struct scep_request *out,
                               struct err *err)
{
    *out = (struct scep_request){0};
    CMS_ContentInfo *c = cms_parse(der, NID_pkcs7_signed, err);
    if (!c)
        return INVALID;
    enum outcome o = request_check(a, c, out, err);
    CMS_ContentInfo_free(c);
    ERR_clear_error();
    return o;
}

/* A whole element of a sequence that is a distinguished name. */
static bool is_name(const ASN1_TYPE *t)
{
    if (!t || t->type != V_ASN1_SEQUENCE)
        return false;
    const unsigned char *p = t->value.sequence->data, *end = p + t->value.sequence->length;
    X509_NAME *name = d2i_X509_NAME(NULL, &p, t->value.sequence->length);
    X509_NAME_free(name);
    return name && p == end;
}

enum outcome scep_subject_read(struct bytes der, struct err *err)
{
    const unsigned char *p = der.p;
    ASN1_SEQUENCE_ANY *seq =
        der.n && der.n <= LONG_MAX ? d2i_ASN1_SEQUENCE_ANY(NULL, &p, (long)der.n) : NULL;
    bool good = seq && p == der.p + der.n && sk_ASN1_TYPE_num(seq) == 2 &&
                is_name(sk_ASN1_TYPE_value(seq, 0)) && is_name(sk_ASN1_TYPE_value(seq, 1));
    sk_ASN1_TYPE_pop_free(seq, ASN1_TYPE_free);
    ERR_clear_error();
    return good ? OK : err_set(err, INVALID, "the message holds no IssuerAndSubject");
}

enum outcome scep_serial_read(struct arena *a, struct bytes der, const char **issuer,
                              const char **serial, struct err *err)
{
    const unsigned char *p = der.p;
    PKCS7_ISSUER_AND_SERIAL *is =
        der.n && der.n <= LONG_MAX ? d2i_PKCS7_ISSUER_AND_SERIAL(NULL, &p, (long)der.n) : NULL;
    enum outcome o = OK;
    if (!is || p != der.p + der.n) {
        o = err_ossl(err, INVALID, "the message holds no IssuerAndSerialNumber");
    } else {
        *issuer = ossl_name_text(a, is->issuer);
        *serial = ossl_serial_text(a, is->serial);
        if (!*issuer || !*serial)
            o = err_ossl(err, INVALID, "the issuer is no text");
    }
    PKCS7_ISSUER_AND_SERIAL_free(is);
    ERR_clear_error();
    return o;
}

static OSSL_PROVIDER *providers[2];

/* What the providers allocated is theirs to free, before OpenSSL's own clean-up. */
static void legacy_unload(void)
{
    for (size_t i = COUNT(providers); i-- > 0;)
        OSSL_PROVIDER_unload(providers[i]);
}

enum outcome scep_legacy_load(struct err *err)
{
    /* Loading any provider by name switches the automatic default off: name both. */
    providers[0] = OSSL_PROVIDER_load(NULL, "default");
    providers[1] = OSSL_PROVIDER_load(NULL, "legacy");
    if (!providers[0] || !providers[1])
        return err_ossl(err, UNAVAILABLE, "OpenSSL's legacy provider cannot be loaded");
    if (atexit(legacy_unload) != 0)
        return err_set(err, ERROR, "out of memory");
    return OK;
}

#define NO_ENVELOPE (-2)

/* The content encryption of an envelope, an index into ciphers[]; -1: none we know; or
 * NO_ENVELOPE. OpenSSL's CMS has no accessor for it, its PKCS#7 structure shows it. */
static int envelope_cipher(struct bytes enveloped)
{
    const unsigned char *p = enveloped.p;
    PKCS7 *p7 = enveloped.n <= LONG_MAX ? d2i_PKCS7(NULL, &p, (long)enveloped.n) : NULL;
    int found = NO_ENVELOPE;
    if (p7 && PKCS7_type_is_enveloped(p7) && p7->d.enveloped && p7->d.enveloped->enc_data) {
        found = -1;
        int nid = OBJ_obj2nid(p7->d.enveloped->enc_data->algorithm->algorithm);
        for (size_t i = 0; i < COUNT(ciphers); i++)
            if (ciphers[i].nid == nid)
                found = (int)i;
    }
    PKCS7_free(p7);
    return found;
}

enum outcome scep_envelope_open(struct bytes enveloped, struct bytes recipient_der,
                                const struct pkey *key, bool allow_des, struct buf *plain,
                                const char **cipher, struct err *err)
{
    *cipher = NULL;
    int at = envelope_cipher(enveloped);
    ERR_clear_error();
    if (at == NO_ENVELOPE)
        return err_set(err, DENIED, "the pkcsPKIEnvelope is none");
    if (at < 0)
        return err_set(err, INVALID,
                       "the pkcsPKIEnvelope is not encrypted with AES-CBC or "
                       "DES-EDE3-CBC");
    if (ciphers[at].nid == NID_des_cbc && !allow_des)
        return err_set(err, INVALID,
                       "the pkcsPKIEnvelope is encrypted with single DES, which is "
                       "turned off ([scep] des)");
    enum outcome o = cms_decrypt(enveloped, recipient_der, key, plain, err);
    if (o == OK)
        *cipher = ciphers[at].name;
    return o;
}

/* A SignedData that is nobody's and holds these alone. PKCS7 and CMS write the same octets here;
 * only PKCS7 lets the content be absent unsigned. */
static enum outcome degenerate_write(STACK_OF(X509) * certs, X509_CRL *crl, struct buf *der,
                                     struct err *err)
{
    enum outcome o = OK;
    PKCS7 *p7 = PKCS7_new();
    unsigned char *out = NULL;
    bool ok = p7 && PKCS7_set_type(p7, NID_pkcs7_signed) && PKCS7_content_new(p7, NID_pkcs7_data);
    if (ok)
        ok = PKCS7_set_detached(p7, 1) >= 0;
    for (int i = 0; ok && i < sk_X509_num(certs); i++)
        ok = PKCS7_add_certificate(p7, sk_X509_value(certs, i));
    if (ok && crl)
        ok = PKCS7_add_crl(p7, crl);
    int len = ok ? i2d_PKCS7(p7, &out) : -1;
    if (len > 0)
        buf_add(der, out, (size_t)len);
    if (len <= 0 || buf_failed(der))
        o = err_ossl(err, ERROR, "cannot encode the certificates");
    OPENSSL_free(out);
    PKCS7_free(p7);
    return o;
}

enum outcome cms_certs_write(const struct bytes *certs, size_t n, struct buf *der, struct err *err)
{
    STACK_OF(X509) *stack = ossl_cert_stack(certs, n, err);
    if (!stack)
        return INVALID;
    enum outcome o = degenerate_write(stack, NULL, der, err);
    sk_X509_pop_free(stack, X509_free);
    return o;
}

enum outcome cms_crl_write(struct bytes der_crl, struct buf *der, struct err *err)
{
    const unsigned char *p = der_crl.p;
    X509_CRL *crl =
        der_crl.n && der_crl.n <= LONG_MAX ? d2i_X509_CRL(NULL, &p, (long)der_crl.n) : NULL;
    if (!crl)
        return err_ossl(err, INVALID, "no DER certificate revocation list");
    enum outcome o = degenerate_write(NULL, crl, der, err);
    X509_CRL_free(crl);
    return o;
}

static bool put_attribute(CMS_SignerInfo *si, const char *oid, int type, const void *p, size_t n)
{
    ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
    bool ok = obj && CMS_signed_add1_attr_by_OBJ(si, obj, type, p, (int)n);
    ASN1_OBJECT_free(obj);
    return ok;
}

static bool put_number(CMS_SignerInfo *si, const char *oid, int value)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%d", value);
    return put_attribute(si, oid, V_ASN1_PRINTABLESTRING, text, (size_t)n);
}

static bool put_attributes(CMS_SignerInfo *si, const struct scep_reply *r)
{
    uint8_t nonce[SCEP_NONCE_LEN];
    random_bytes(nonce, sizeof nonce);
    return put_number(si, OID_MESSAGE_TYPE, SCEP_CERT_REP) &&
           put_attribute(si, OID_TRANSACTION_ID, V_ASN1_PRINTABLESTRING, r->transaction_id,
                         strlen(r->transaction_id)) &&
           put_attribute(si, OID_SENDER_NONCE, V_ASN1_OCTET_STRING, nonce, sizeof nonce) &&
           put_attribute(si, OID_RECIPIENT_NONCE, V_ASN1_OCTET_STRING, r->recipient_nonce.p,
                         r->recipient_nonce.n) &&
           put_number(si, OID_PKI_STATUS, r->pki_status) &&
           (r->pki_status != SCEP_FAILURE || put_number(si, OID_FAIL_INFO, r->fail_info));
}

/* The outer SignedData. Without success there is no content at all (section 3.3.2). */
static enum outcome reply_sign(const struct scep_reply *r, struct bytes content,
                               struct bytes signer_der, const struct pkey *key, struct buf *der,
                               struct err *err)
{
    enum outcome o = OK;
    BIO *bio = NULL;
    CMS_ContentInfo *c = NULL;
    CMS_SignerInfo *si = NULL;
    const EVP_MD *md = digest_by_name(r->digest);
    unsigned flags = CMS_BINARY | (content.n ? 0u : CMS_DETACHED);
    X509 *signer = ossl_cert(signer_der, err);
    if (!signer)
        return INVALID;
    if (!md)
        o = err_set(err, INVALID, "a SCEP message cannot be signed with %s", r->digest);
    else if (content.n > INT_MAX ||
             !(bio = BIO_new_mem_buf(content.n ? content.p : (const void *)"", (int)content.n)) ||
             !(c = CMS_sign(NULL, NULL, NULL, NULL, flags | CMS_PARTIAL)) ||
             !(si = CMS_add1_signer(c, signer, key->k, md, flags | CMS_NOSMIMECAP)) ||
             !put_attributes(si, r) || !CMS_final(c, bio, NULL, flags))
        o = err_ossl(err, ERROR, "cannot sign the SCEP message");
    else
        o = cms_write(c, der, err);
    BIO_free(bio);
    CMS_ContentInfo_free(c);
    X509_free(signer);
    return o;
}

static bool transaction_ok(const char *id)
{
    size_t n = strlen(id);
    for (const char *p = id; *p; p++)
        if (*p < ' ' || *p > '~')
            return false;
    return n >= 1 && n <= SCEP_TRANSACTION_MAX;
}

static enum outcome reply_envelope(const struct scep_reply *r, struct buf *out, struct err *err)
{
    const char *name = strcmp(r->cipher, "DES-CBC") == 0 ? "AES-256-CBC" : r->cipher;
    const EVP_CIPHER *cipher = cipher_by_name(name);
    if (!cipher)
        return err_set(err, INVALID, "a reply cannot be encrypted with %s", name);
    struct buf certs = BUF_INIT(SIGN_SCEP_MAX);
    enum outcome o = r->is_crl ? cms_crl_write(r->issued_der, &certs, err)
                               : cms_certs_write(&r->issued_der, 1, &certs, err);
    if (o == OK)
        o = cms_encrypt_with(cipher, buf_bytes(&certs), r->recipient_der, out, err);
    buf_free(&certs);
    return o;
}

enum outcome scep_reply_write(const struct scep_reply *r, struct bytes ra_der,
                              const struct pkey *ra_key, struct buf *der, struct err *err)
{
    if (!transaction_ok(r->transaction_id) || r->recipient_nonce.n == 0 ||
        r->recipient_nonce.n > SCEP_NONCE_MAX)
        return err_set(err, INVALID, "the reply's transactionID or recipientNonce is refused");
    if ((r->pki_status != SCEP_SUCCESS && r->pki_status != SCEP_FAILURE &&
         r->pki_status != SCEP_PENDING) ||
        r->fail_info < 0 || r->fail_info > SCEP_BAD_CERT_ID)
        return err_set(err, INVALID, "pkiStatus %d with failInfo %d is no answer", r->pki_status,
                       r->fail_info);
    struct buf content = BUF_INIT(SIGN_SCEP_MAX);
    enum outcome o = OK;
    if (r->pki_status == SCEP_SUCCESS)
        o = reply_envelope(r, &content, err);
    if (o == OK)
        o = reply_sign(r, buf_bytes(&content), ra_der, ra_key, der, err);
    buf_free(&content);
    return o;
}
