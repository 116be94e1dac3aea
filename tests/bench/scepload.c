/*
 * scepload: SCEP requests as fast as a server takes them, for `make bench`.
 *
 *   scepload --url http://ADDRESS:PORT/scep --challenge TEXT [--requests N] [--connections C]
 *
 * Gets the RA's certificate, makes N PKCSReqs before the clock starts, each for an RSA-2048 key of
 * its own, and sends each once. An answer counts when it is a CertRep of pkiStatus SUCCESS; every
 * fiftieth is opened, and its certificate must be for the key that asked. Prints one JSON object;
 * with an error the exit status is 1.
 *
 * RSA keys take long to make and a server sees their public half only. So 64 primes are made, and
 * each pair of them is a key.
 */
#include "libload.h"

#include "base/limits.h"
#include "wire/encode.h"
#include "wire/https.h"
#include <getopt.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pkcs7.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <unistd.h>

#define PRIMES 64
#define PRIME_BITS 1024
#define OPENED_EACH 50
#define LANES_MAX 256

struct one {
    EVP_PKEY *key;
    X509 *self;
    struct buf http;
};

static struct {
    const char *url, *challenge;
    char host[64], port[8], path[256];
    unsigned n, connections;
    X509 *ra;
    struct one *all;
    unsigned sent, lane[LANES_MAX];
} load = {.n = 1500, .connections = 8};

static void die(const char *words) __attribute__((noreturn));
static void die(const char *words)
{
    fprintf(stderr, "scepload: %s\n", words);
    exit(2);
}

static void must(bool good, const char *what)
{
    if (!good)
        die(what);
}

/* ---------------------------------------------------------------- keys */

static BIGNUM *primes[PRIMES];

static void primes_make(void)
{
    BIGNUM *e = BN_new(), *rest = BN_new();
    BN_CTX *ctx = BN_CTX_new();
    must(e && rest && ctx && BN_set_word(e, RSA_F4), "out of memory");
    for (int i = 0; i < PRIMES; i++) {
        must((primes[i] = BN_new()) != NULL, "out of memory");
        do
            must(BN_generate_prime_ex2(primes[i], PRIME_BITS, 0, NULL, NULL, NULL, ctx),
                 "no prime");
        while (BN_mod_word(primes[i], RSA_F4) == 1); /* e must have an inverse */
    }
    BN_free(e);
    BN_free(rest);
    BN_CTX_free(ctx);
}

static EVP_PKEY *key_of(const BIGNUM *p, const BIGNUM *q)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *n = BN_new(), *e = BN_new(), *d = BN_new(), *phi = BN_new(), *a = BN_new();
    BIGNUM *b = BN_new(), *dp = BN_new(), *dq = BN_new(), *qi = BN_new();
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *made = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    must(ctx && n && e && d && phi && a && b && dp && dq && qi && bld && made, "out of memory");
    must(BN_mul(n, p, q, ctx) && BN_set_word(e, RSA_F4) && BN_sub(a, p, BN_value_one()) &&
             BN_sub(b, q, BN_value_one()) && BN_mul(phi, a, b, ctx) &&
             BN_mod_inverse(d, e, phi, ctx) && BN_mod(dp, d, a, ctx) && BN_mod(dq, d, b, ctx) &&
             BN_mod_inverse(qi, q, p, ctx),
         "cannot compute a key");
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_D, d);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_FACTOR1, p);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_FACTOR2, q);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_EXPONENT1, dp);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_EXPONENT2, dq);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, qi);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    must(params && EVP_PKEY_fromdata_init(made) > 0 &&
             EVP_PKEY_fromdata(made, &key, EVP_PKEY_KEYPAIR, params) > 0,
         "cannot make a key");
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(made);
    BIGNUM *all[] = {n, e, d, phi, a, b, dp, dq, qi};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        BN_clear_free(all[i]);
    BN_CTX_free(ctx);
    return key;
}

/* ---------------------------------------------------------------- requests */

static void name_add(X509_NAME *name, unsigned i)
{
    char cn[32];
    snprintf(cn, sizeof cn, "bench %u", i);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (unsigned char *)cn, -1, -1, 0);
}

static BIO *csr_make(EVP_PKEY *key, unsigned i)
{
    X509_REQ *csr = X509_REQ_new();
    BIO *out = BIO_new(BIO_s_mem());
    name_add(X509_REQ_get_subject_name(csr), i);
    must(X509_REQ_set_pubkey(csr, key) &&
             X509_REQ_add1_attr_by_txt(csr, "challengePassword", MBSTRING_UTF8,
                                       (const unsigned char *)load.challenge, -1) &&
             X509_REQ_sign(csr, key, EVP_sha256()) > 0 && i2d_X509_REQ_bio(out, csr),
         "cannot make a request");
    X509_REQ_free(csr);
    return out;
}

static X509 *self_make(EVP_PKEY *key, unsigned i)
{
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    name_add(X509_get_subject_name(x), i);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    must(X509_set_pubkey(x, key) && X509_sign(x, key, EVP_sha256()) > 0, "cannot sign");
    return x;
}

static void attribute(CMS_SignerInfo *si, const char *oid, int type, const void *p, int n)
{
    ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
    must(CMS_signed_add1_attr_by_OBJ(si, obj, type, p, n), "cannot add an attribute");
    ASN1_OBJECT_free(obj);
}

static void message_make(struct one *o, unsigned i)
{
    uint8_t nonce[16];
    char transaction[48];
    unsigned char *der = NULL, *out = NULL;
    STACK_OF(X509) *to = sk_X509_new_null();
    sk_X509_push(to, load.ra);
    BIO *csr = csr_make(o->key, i);
    CMS_ContentInfo *env = CMS_encrypt(to, csr, EVP_aes_128_cbc(), CMS_BINARY);
    int n = env ? i2d_CMS_ContentInfo(env, &der) : -1;
    BIO *content = BIO_new_mem_buf(der, n);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
    CMS_SignerInfo *si =
        CMS_add1_signer(cms, o->self, o->key, EVP_sha256(), CMS_BINARY | CMS_NOSMIMECAP);
    must(n > 0 && content && si, "cannot encrypt or sign");
    RAND_bytes(nonce, sizeof nonce);
    RAND_bytes((unsigned char *)transaction, 16);
    char hex[33];
    hex_encode(bytes_of(transaction, 16), hex);
    attribute(si, "2.16.840.1.113733.1.9.2", V_ASN1_PRINTABLESTRING, "19", 2);
    attribute(si, "2.16.840.1.113733.1.9.7", V_ASN1_PRINTABLESTRING, hex, 32);
    attribute(si, "2.16.840.1.113733.1.9.5", V_ASN1_OCTET_STRING, nonce, sizeof nonce);
    must(CMS_final(cms, content, NULL, CMS_BINARY), "cannot sign");
    int len = i2d_CMS_ContentInfo(cms, &out);
    o->http = BUF_INIT(LIM_MB);
    buf_fmt(&o->http,
            "POST %s?operation=PKIOperation HTTP/1.1\r\nHost: %s:%s\r\n"
            "Content-Type: application/x-pki-message\r\nContent-Length: %d\r\n\r\n",
            load.path, load.host, load.port, len);
    buf_add(&o->http, out, (size_t)len);
    OPENSSL_free(der);
    OPENSSL_free(out);
    CMS_ContentInfo_free(cms);
    CMS_ContentInfo_free(env);
    BIO_free(csr);
    BIO_free(content);
    sk_X509_free(to);
}

/* ---------------------------------------------------------------- the RA */

static bool get_done(void *arg, unsigned lane, const struct answer *a)
{
    (void)arg, (void)lane;
    const unsigned char *p = a->body.p;
    PKCS7 *p7 = a->status == 200 ? d2i_PKCS7(NULL, &p, (long)a->body.n) : NULL;
    for (int i = 0; p7 && i < sk_X509_num(p7->d.sign->cert); i++) {
        X509 *x = sk_X509_value(p7->d.sign->cert, i);
        if (X509_check_ca(x) != 1 && !load.ra)
            load.ra = X509_dup(x);
    }
    PKCS7_free(p7);
    return load.ra != NULL;
}

static bool get_next(void *arg, unsigned lane, struct bytes *r)
{
    struct buf *request = arg;
    (void)lane;
    *r = buf_bytes(request);
    return load.ra == NULL;
}

static void ra_get(void)
{
    struct buf request = BUF_INIT(LIM_KB);
    struct work w = {get_next, get_done, &request};
    struct engine *e = NULL;
    struct err err = {0};
    buf_fmt(&request, "GET %s?operation=GetCACert HTTP/1.1\r\nHost: %s:%s\r\n\r\n", load.path,
            load.host, load.port);
    if (engine_new(load.host, load.port, 1, &e, &err) != OK || engine_run(e, &w, 5, 1, &err) != OK)
        die(err.msg);
    must(load.ra != NULL, "GetCACert gave no RA certificate");
    engine_free(&e);
    buf_free(&request);
}

/* ---------------------------------------------------------------- answers */

/* pkiStatus (2.16.840.1.113733.1.9.3), one PrintableString "0", as DER. */
static const uint8_t success[] = {0x06, 0x0a, 0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x45,
                                  0x01, 0x09, 0x03, 0x31, 0x03, 0x13, 0x01, 0x30};

static bool is_for(const struct one *o, struct bytes body)
{
    const unsigned char *p = body.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)body.n);
    ASN1_OCTET_STRING **content = cms ? CMS_get0_content(cms) : NULL;
    const unsigned char *in = content && *content ? ASN1_STRING_get0_data(*content) : NULL;
    CMS_ContentInfo *env = in ? d2i_CMS_ContentInfo(NULL, &in, ASN1_STRING_length(*content)) : NULL;
    BIO *plain = BIO_new(BIO_s_mem());
    PKCS7 *p7 = NULL;
    bool good = env && CMS_decrypt(env, o->key, o->self, NULL, plain, CMS_BINARY) == 1 &&
                (p7 = d2i_PKCS7_bio(plain, NULL)) != NULL && sk_X509_num(p7->d.sign->cert) == 1 &&
                X509_check_private_key(sk_X509_value(p7->d.sign->cert, 0), o->key) == 1;
    PKCS7_free(p7);
    BIO_free(plain);
    CMS_ContentInfo_free(env);
    CMS_ContentInfo_free(cms);
    return good;
}

static bool next(void *arg, unsigned lane, struct bytes *r)
{
    (void)arg;
    if (load.sent == load.n)
        return false;
    load.lane[lane] = load.sent++;
    *r = buf_bytes(&load.all[load.lane[lane]].http);
    return true;
}

static bool done(void *arg, unsigned lane, const struct answer *a)
{
    (void)arg;
    unsigned i = load.lane[lane];
    return a->status == 200 && memmem(a->body.p, a->body.n, success, sizeof success) &&
           (i % OPENED_EACH != 0 || is_for(&load.all[i], a->body));
}

static void parse(int argc, char **argv)
{
    static const struct option options[] = {{"url", 1, NULL, 'u'},
                                            {"challenge", 1, NULL, 'p'},
                                            {"requests", 1, NULL, 'n'},
                                            {"connections", 1, NULL, 'c'},
                                            {0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'u')
            load.url = optarg;
        else if (c == 'p')
            load.challenge = optarg;
        else if (c == 'n')
            load.n = (unsigned)atoi(optarg);
        else if (c == 'c')
            load.connections = (unsigned)atoi(optarg);
        else
            exit(2);
    }
    must(load.url && load.challenge && load.n > 0 && load.n <= PRIMES * (PRIMES - 1) / 2 &&
             load.connections > 0 && load.connections <= LANES_MAX,
         "see the head of tests/bench/scepload.c");
    must(sscanf(load.url, "http://%63[0-9.]:%7[0-9]%255s", load.host, load.port, load.path) == 3,
         "the URL is http://ADDRESS:PORT/PATH");
}

int main(int argc, char **argv)
{
    struct work w = {next, done, NULL};
    struct engine *e = NULL;
    struct err err = {0};
    struct buf out = BUF_INIT(LIM_MB);
    parse(argc, argv);
    ra_get();
    primes_make();
    must((load.all = calloc(load.n, sizeof *load.all)) != NULL, "out of memory");
    unsigned i = 0;
    for (int p = 0; p < PRIMES && i < load.n; p++)
        for (int q = p + 1; q < PRIMES && i < load.n; q++, i++) {
            load.all[i].key = key_of(primes[p], primes[q]);
            load.all[i].self = self_make(load.all[i].key, i);
            message_make(&load.all[i], i);
        }
    if (engine_new(load.host, load.port, load.connections, &e, &err) != OK ||
        engine_run(e, &w, 600, load.n, &err) != OK)
        die(err.msg);
    buf_str(&out, "{\"mode\":\"scep\",");
    engine_report(e, &out);
    buf_str(&out, "}");
    puts(buf_cstr(&out));
    return engine_errors(e) ? 1 : 0;
}
