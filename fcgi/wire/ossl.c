/* ossl.c: conversions between OpenSSL's objects and ours. */
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include "wire/ossl.h"

enum outcome err_ossl_at(struct err *e, enum outcome o, const char *file, int line, const char *fmt,
                         ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (reason)
        err_set_at(e, o, file, line, "%s: %s", text, reason);
    else
        err_set_at(e, o, file, line, "%s", text);
    ERR_clear_error();
    return o;
}

/* NULL: it is none. *p is then where reading ended. */
static X509 *cert_decode_in(OSSL_LIB_CTX *lib, const unsigned char **p, size_t n)
{
    X509 *x = n && n <= LONG_MAX ? X509_new_ex(lib, NULL) : NULL;
    return x && d2i_X509(&x, p, (long)n) ? x : NULL; /* which frees x when it fails */
}

bool ossl_key_known(X509 *x)
{
    ERR_set_mark();
    bool known = X509_get0_pubkey(x) != NULL;
    ERR_pop_to_mark();
    return known;
}

static X509 *cert_decode(struct bytes b, struct err *err)
{
    const unsigned char *p = b.p;
    X509 *x = cert_decode_in(ossl_lib(), &p, b.n);
    if (x && ossl_lib() && !ossl_key_known(x)) {
        X509_free(x);
        p = b.p;
        x = cert_decode_in(NULL, &p, b.n);
    }
    if (!x) {
        err_ossl(err, INVALID, "no DER certificate in these %zu octets", b.n);
        return NULL;
    }
    if (p != b.p + b.n) {
        X509_free(x);
        err_set(err, INVALID, "%zu octets follow the certificate", (size_t)(b.p + b.n - p));
        return NULL;
    }
    return x;
}

/* The certificate that this thread decoded last. A message's identity is looked at from several
 * sides in one request (chain, validity, name). */
#define LAST_MAX 4096

struct last_cert {
    X509 *x;
    size_t n;
    uint8_t der[LAST_MAX];
};

static pthread_key_t last_key;

static void last_free(void *p)
{
    struct last_cert *last = p;
    X509_free(last->x);
    free(last);
}

static void last_key_make(void)
{
    if (pthread_key_create(&last_key, last_free) != 0)
        abort();
}

static struct last_cert *last_of_thread(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, last_key_make);
    struct last_cert *last = pthread_getspecific(last_key);
    if (!last && (last = calloc(1, sizeof *last)) && pthread_setspecific(last_key, last) != 0) {
        free(last);
        last = NULL;
    }
    return last;
}

X509 *ossl_cert(struct bytes b, struct err *err)
{
    struct last_cert *last = b.n <= LAST_MAX ? last_of_thread() : NULL;
    if (last && last->x && last->n == b.n && memcmp(last->der, b.p, b.n) == 0) {
        X509_up_ref(last->x);
        return last->x;
    }
    X509 *x = cert_decode(b, err);
    if (x && last) {
        X509_free(last->x);
        X509_up_ref(x);
        last->x = x;
        last->n = b.n;
        memcpy(last->der, b.p, b.n);
    }
    return x;
}

STACK_OF(X509) * ossl_cert_stack(const struct bytes *der, size_t n, struct err *err)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    if (!stack) {
        err_ossl(err, ERROR, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        X509 *x = ossl_cert(der[i], err);
        if (x && sk_X509_push(stack, x))
            continue;
        if (x)
            err_ossl(err, ERROR, "out of memory");
        X509_free(x);
        sk_X509_pop_free(stack, X509_free);
        return NULL;
    }
    return stack;
}

struct bytes ossl_cert_der(struct arena *a, const X509 *x)
{
    int n = i2d_X509(x, NULL);
    unsigned char *p = n > 0 ? arena_alloc(a, (size_t)n) : NULL;
    unsigned char *w = p;
    if (!p || i2d_X509(x, &w) != n)
        return bytes_of(NULL, 0);
    return bytes_of(p, (size_t)n);
}

enum outcome ossl_bio_take(BIO *bio, struct buf *out, struct err *err)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    if (n > 0)
        buf_add(out, p, (size_t)n);
    if (buf_failed(out))
        return err_set(err, ERROR, "result of %ld octets is past its ceiling", n);
    return OK;
}

const char *ossl_name_text(struct arena *a, const X509_NAME *name)
{
    const char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    /* RFC 2253, but UTF-8 as it is instead of a \XX for each of its octets */
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        char *p = NULL;
        long n = BIO_get_mem_data(bio, &p);
        text = arena_strndup(a, n > 0 ? p : "", n > 0 ? (size_t)n : 0);
    }
    BIO_free(bio);
    return text;
}

const char *ossl_name_field(struct arena *a, const X509_NAME *name, int nid)
{
    int at = X509_NAME_get_index_by_NID(name, nid, -1);
    if (at < 0)
        return "";
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    const char *text = NULL;
    if (n >= 0 && !memchr(utf8, 0, (size_t)n))
        text = arena_strndup(a, (const char *)utf8, (size_t)n);
    OPENSSL_free(utf8);
    return text;
}

static const char *key_type(EVP_PKEY *k)
{
    if (EVP_PKEY_is_a(k, "RSA"))
        return "RSA";
    if (EVP_PKEY_is_a(k, "ED25519"))
        return "Ed25519";
    if (!EVP_PKEY_is_a(k, "EC"))
        return "other";
    /* A curve spelt out by its parameters may get a name from OpenSSL, but a certificate with such
     * a key passes no verification. */
    char group[64] = "";
    size_t n = 0;
    int spelt_out = 0;
    if (!EVP_PKEY_get_group_name(k, group, sizeof group, &n) ||
        !EVP_PKEY_get_int_param(k, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &spelt_out) ||
        spelt_out)
        return "EC-other";
    static const char *const known[] = {"prime256v1", "secp384r1", "secp521r1"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(group, known[i]) == 0)
            return "EC";
    return "EC-other";
}

enum outcome ossl_key_describe(X509_PUBKEY *spki_of, const char **type, int *bits,
                               uint8_t sha256[CERT_SHA256_LEN], struct err *err)
{
    EVP_PKEY *k = spki_of ? X509_PUBKEY_get0(spki_of) : NULL;
    if (!k)
        return err_ossl(err, INVALID, "the public key cannot be read");
    unsigned char *spki = NULL;
    int n = i2d_X509_PUBKEY(spki_of, &spki); /* as it came; i2d_PUBKEY looks for an encoder */
    if (n <= 0)
        return err_ossl(err, INVALID, "the public key cannot be encoded");
    SHA256(spki, (size_t)n, sha256);
    OPENSSL_free(spki);
    *type = key_type(k);
    *bits = EVP_PKEY_get_bits(k);
    return OK;
}
