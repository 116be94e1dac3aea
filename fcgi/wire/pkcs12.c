/* pkcs12.c: see pkcs12.h. */
#include "wire/pkcs12.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "wire/ossl.h"

#define ITERATIONS 2048
#define NO_MAC (-1)

enum outcome pkcs12_write(const struct pkey *key, struct bytes cert_der, const char *name,
                          const char *password, struct buf *out, struct err *err)
{
    enum outcome o = OK;
    PKCS12 *p = NULL;
    unsigned char *der = NULL;
    X509 *x = ossl_cert(cert_der, err);
    if (!x)
        return INVALID;
    p = PKCS12_create(password, name, key->k, x, NULL, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                      NID_pbe_WithSHA1And3_Key_TripleDES_CBC, ITERATIONS, NO_MAC, 0);
    if (!p || !PKCS12_set_mac(p, password, -1, NULL, 0, ITERATIONS, EVP_sha1()))
        o = err_ossl(err, INVALID, "cannot make the PKCS#12");
    int n = o == OK ? i2d_PKCS12(p, &der) : 0;
    if (n > 0)
        buf_add(out, der, (size_t)n);
    if (o == OK && (n <= 0 || buf_failed(out)))
        o = err_ossl(err, ERROR, "cannot encode the PKCS#12");
    OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
    PKCS12_free(p);
    X509_free(x);
    ERR_clear_error();
    return o;
}

enum outcome pkcs12_read(struct arena *a, struct bytes pkcs12, const char *password,
                         struct pkey **key, struct bytes *cert_der, struct err *err)
{
    const unsigned char *at = pkcs12.p;
    PKCS12 *p = d2i_PKCS12(NULL, &at, (long)pkcs12.n);
    EVP_PKEY *k = NULL;
    X509 *x = NULL;
    unsigned char *der = NULL;
    enum outcome o = OK;
    *key = NULL;
    *cert_der = bytes_of(NULL, 0);
    if (!p)
        return err_ossl(err, INVALID, "this is no PKCS#12");
    if (!PKCS12_verify_mac(p, password, -1))
        o = err_set(err, DENIED, "the PKCS#12 has another password");
    else if (!PKCS12_parse(p, password, &k, &x, NULL) || !k || !x)
        o = err_ossl(err, INVALID, "the PKCS#12 has no key and certificate");
    int n = o == OK ? i2d_X509(x, &der) : 0;
    if (n > 0)
        *cert_der = arena_bytes(a, bytes_of(der, (size_t)n));
    if (o == OK && !cert_der->p)
        o = err_set(err, ERROR, "out of memory");
    if (o == OK) {
        o = pkey_wrap(k, key, err);
        k = NULL;
    }
    OPENSSL_free(der);
    EVP_PKEY_free(k);
    X509_free(x);
    PKCS12_free(p);
    ERR_clear_error();
    return o;
}

bool pkcs12_is(struct bytes pkcs12)
{
    const unsigned char *at = pkcs12.p;
    PKCS12 *p = pkcs12.n ? d2i_PKCS12(NULL, &at, (long)pkcs12.n) : NULL;
    bool is = p && at == pkcs12.p + pkcs12.n;
    PKCS12_free(p);
    ERR_clear_error();
    return is;
}
