/*
 * ossl_lib.c: a library context in which decoding a certificate is cheap. OpenSSL 3.0 makes up a
 * chain of decoders anew for every public key, out of all that its providers offer, which takes 80
 * of the 100 us that a certificate costs, more than the signature it is decoded for. So here is a
 * provider that is the default one, except that it knows and decodes two kinds of keys: RSA and EC.
 * A certificate with another key is decoded again in the ordinary context (ossl.c, cms.c).
 */
#include "wire/ossl.h"

#include <openssl/core_dispatch.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <pthread.h>

#define KEPT_MAX 8

static OSSL_PROVIDER *whole; /* the default provider of the default context */
static OSSL_ALGORITHM decoders[KEPT_MAX + 1], keys[KEPT_MAX + 1];
static OSSL_LIB_CTX *lib;

/* The first of an algorithm's names, "NAME:OTHER:..." */
static bool is_named(const OSSL_ALGORITHM *a, const char *name)
{
    size_t n = strlen(name);

    return strncmp(a->algorithm_names, name, n) == 0 &&
           (a->algorithm_names[n] == '\0' || a->algorithm_names[n] == ':');
}

static bool is_wanted(const OSSL_ALGORITHM *a, int operation)
{
    if (!is_named(a, "RSA") && !is_named(a, "EC"))
        return false;
    return operation == OSSL_OP_KEYMGMT ||
           (strstr(a->property_definition, "input=der") != NULL &&
            strstr(a->property_definition, "structure=SubjectPublicKeyInfo") != NULL);
}

static const OSSL_ALGORITHM *query(void *ctx, int operation, int *no_cache)
{
    (void)ctx;
    *no_cache = 0;
    if (operation == OSSL_OP_DECODER)
        return decoders;
    if (operation == OSSL_OP_KEYMGMT)
        return keys;
    return OSSL_PROVIDER_query_operation(whole, operation, no_cache);
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

static bool choose(int operation, OSSL_ALGORITHM *out)
{
    int no_cache;
    const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(whole, operation, &no_cache);
    size_t n = 0;

    for (; a != NULL && a->algorithm_names != NULL && n < KEPT_MAX; a++)
        if (is_wanted(a, operation))
            out[n++] = *a;
    return n > 0;
}

/* Where the machine's configuration does without the default provider, so do we. */
static void lib_make(void)
{
    static const char name[] = "drover-certificates";
    OSSL_LIB_CTX *fresh = OSSL_LIB_CTX_new();

    ERR_set_mark();
    if (fresh != NULL && OSSL_PROVIDER_available(NULL, "default") &&
        (whole = OSSL_PROVIDER_load(NULL, "default")) != NULL &&
        choose(OSSL_OP_DECODER, decoders) && choose(OSSL_OP_KEYMGMT, keys) &&
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
