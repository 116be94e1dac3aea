/* libdigest.c: see libdigest.h. */
#include "libdigest.h"

#include "wire/encode.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of a parameter of a challenge, without its quotes. */
bool challenge_value(const char *challenge, const char *name, char *out, size_t size)
{
    const char *at = strstr(challenge, name);
    size_t n;
    if (!at || at[strlen(name)] != '=')
        return false;
    at += strlen(name) + 1;
    at += *at == '"';
    n = strcspn(at, "\", ");
    return n < size && snprintf(out, size, "%.*s", (int)n, at) >= 0;
}

/* H of the text in hexadecimal: MD5 or SHA-256. */
static void hash_text(const char *algorithm, const char *text, char out[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    const EVP_MD *md = strcmp(algorithm, "SHA-256") == 0 ? EVP_sha256() : EVP_md5();
    if (!EVP_Digest(text, strlen(text), sum, &n, md, NULL))
        abort();
    hex_encode(bytes_of(sum, n), out);
}

bool digest_reply(const struct digest_reply *r, char *out, size_t max)
{
    char realm[64], nonce[128], algorithm[16], text[512], ha1[65], ha2[65], response[65];
    if (!challenge_value(r->challenge, "realm", realm, sizeof realm) ||
        !challenge_value(r->challenge, "nonce", nonce, sizeof nonce))
        return false;
    if (!challenge_value(r->challenge, "algorithm", algorithm, sizeof algorithm))
        snprintf(algorithm, sizeof algorithm, "MD5");
    snprintf(text, sizeof text, "%s:%s:%s", r->name, realm, r->password);
    hash_text(algorithm, text, ha1);
    snprintf(text, sizeof text, "%s:%s", r->method, r->uri);
    hash_text(algorithm, text, ha2);
    snprintf(text, sizeof text, "%s:%s:%08x:0a4f113b:auth:%s", ha1, nonce, r->count, ha2);
    hash_text(algorithm, text, response);
    int n = snprintf(out, max,
                     "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", "
                     "algorithm=%s, qop=auth, nc=%08x, cnonce=\"0a4f113b\", response=\"%s\"",
                     r->name, realm, nonce, r->uri, algorithm, r->count, response);
    return n > 0 && (size_t)n < max;
}
