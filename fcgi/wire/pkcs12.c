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
