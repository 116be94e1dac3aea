/*
 * ossl_lib.c: a library context in which decoding a certificate is cheap. OpenSSL 3.0 makes up a
 * chain of decoders anew for every public key, out of all that its providers offer, which takes 80
 * of the 100 us that a certificate costs, more than the signature it is decoded for. So here is a
 * provider that is the default one, except that it offers two decoders: of RSA and of EC keys. A
 * certificate with another key is decoded again in the ordinary context (ossl.c, cms.c).
 */
#include "wire/ossl.h"

#include <openssl/core_dispatch.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <pthread.h>

#define KEPT_MAX 8

static OSSL_PROVIDER *whole; /* the default provider of the default context */
static OSSL_ALGORITHM decoders[KEPT_MAX + 1];
static OSSL_LIB_CTX *lib;

static bool is_wanted(const OSSL_ALGORITHM *a)
{
    return strstr(a->property_definition, "input=der") != NULL &&
           strstr(a->property_definition, "structure=SubjectPublicKeyInfo") != NULL &&
           (strcmp(a->algorithm_names, "RSA") == 0 || strcmp(a->algorithm_names, "EC") == 0);
}

static const OSSL_ALGORITHM *query(void *ctx, int operation, int *no_cache)
{
    (void)ctx;
    if (operation != OSSL_OP_DECODER)
        return OSSL_PROVIDER_query_operation(whole, operation, no_cache);
    *no_cache = 0;
    return decoders;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **out, void **ctx)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query}, {0, NULL}};

    (void)handle;
    (void)in;
    *out = functions;
    *ctx = OSSL_PROVIDER_get0_provider_ctx(whole);
    return 1;
}

static bool decoders_choose(void)
{
    int no_cache;
    const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(whole, OSSL_OP_DECODER, &no_cache);
    size_t n = 0;

    for (; a != NULL && a->algorithm_names != NULL && n < KEPT_MAX; a++)
        if (is_wanted(a))
            decoders[n++] = *a;
    return n > 0;
}

/* Where the machine's configuration does without the default provider, so do we. */
static void lib_make(void)
{
    static const char name[] = "drover-certificates";
    OSSL_LIB_CTX *fresh = OSSL_LIB_CTX_new();

    ERR_set_mark();
    if (fresh != NULL && OSSL_PROVIDER_available(NULL, "default") &&
        (whole = OSSL_PROVIDER_load(NULL, "default")) != NULL && decoders_choose() &&
        OSSL_PROVIDER_add_builtin(fresh, name, provider_init) &&
        OSSL_PROVIDER_load(fresh, name) != NULL)
        lib = fresh;
    else
        OSSL_LIB_CTX_free(fresh);
    ERR_pop_to_mark();
}

OSSL_LIB_CTX *ossl_lib(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, lib_make);
    return lib;
}
