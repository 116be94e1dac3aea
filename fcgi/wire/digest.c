/* digest.c: see digest.h. */
#include "wire/digest.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <strings.h>

#include "wire/encode.h"

#define PARAM_MAX 1024u
#define TEXT_MAX 8192u

bool digest_algorithm_read(const char *name, enum digest_algorithm *out)
{
    *out = strcasecmp(name, "SHA-256") == 0 ? DIGEST_SHA256 : DIGEST_MD5;
    return *out == DIGEST_SHA256 || strcasecmp(name, "MD5") == 0;
}

const char *digest_algorithm_name(enum digest_algorithm a)
{
    return a == DIGEST_SHA256 ? "SHA-256" : "MD5";
}

/* H(part:part:...) in hexadecimal. Like sha256(), it ends the process without memory. */
static void hash(enum digest_algorithm a, const char *const *part, size_t n,
                 char out[DIGEST_HEX_MAX + 1])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && EVP_DigestInit_ex(ctx, a == DIGEST_SHA256 ? EVP_sha256() : EVP_md5(), NULL);
    for (size_t i = 0; good && i < n; i++)
        good = (i == 0 || EVP_DigestUpdate(ctx, ":", 1)) &&
               EVP_DigestUpdate(ctx, part[i], strlen(part[i]));
    if (!good || !EVP_DigestFinal_ex(ctx, sum, &len))
        abort();
    EVP_MD_CTX_free(ctx);
    hex_encode(bytes_of(sum, len), out);
    secret_wipe(sum, sizeof sum);
}

void digest_ha1(enum digest_algorithm a, const char *name, const char *password,
                char out[DIGEST_HEX_MAX + 1])
{
    hash(a, (const char *const[]){name, DIGEST_REALM, password}, 3, out);
}

enum outcome digest_check(const struct digest_answer *d, const char *ha1, const char *method,
                          struct err *err)
{
    char ha2[DIGEST_HEX_MAX + 1], want[DIGEST_HEX_MAX + 1], given[DIGEST_HEX_MAX + 1];
    size_t n = strlen(d->response);
    hash(d->algorithm, (const char *const[]){method, d->uri}, 2, ha2);
    hash(d->algorithm, (const char *const[]){ha1, d->nonce, d->nc, d->cnonce, d->qop, ha2}, 6,
         want);
    if (n > DIGEST_HEX_MAX)
        return err_set(err, DENIED, "the response is too long");
    for (size_t i = 0; i <= n; i++)
        given[i] = (char)tolower((unsigned char)d->response[i]);
    bool same = secret_equal(bytes_str(want), bytes_str(given));
    secret_wipe(want, sizeof want);
    return same ? OK : err_set(err, DENIED, "the response is not that of the password");
}

void digest_challenge(struct buf *out, enum digest_algorithm a, const char *nonce)
{
    buf_fmt(out, "Digest realm=\"%s\", qop=\"auth\", algorithm=%s, nonce=\"%s\"", DIGEST_REALM,
            digest_algorithm_name(a), nonce);
}

/* ---- reading ---- */

/* A quoted string (RFC 9110 section 5.6.4) or token, unescaped, into a. NULL: neither. */
static char *value_read(struct arena *a, const char **s)
{
    char *out = arena_alloc(a, PARAM_MAX + 1);
    size_t n = 0;
    bool quoted = **s == '"';
    *s += quoted;
    for (; out && **s && n < PARAM_MAX; (*s)++) {
        char c = **s;
        if (quoted ? c == '"' : (c == ',' || isspace((unsigned char)c)))
            break;
        if (quoted && c == '\\' && (*s)[1])
            c = *++*s;
        if (iscntrl((unsigned char)c))
            return NULL;
        out[n++] = c;
    }
    if (!out || (quoted && **s != '"') || n == PARAM_MAX)
        return NULL;
    *s += quoted;
    out[n] = '\0';
    return out;
}

static const char *blanks(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

/* One NAME=VALUE into the place of that name. False: not of that form, or said twice. */
static bool param_read(struct arena *a, const char **s, const char *const *names,
                       const char ***place, size_t n)
{
    const char *name = *s;
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-*");
    *s = blanks(name + len);
    if (len == 0 || **s != '=')
        return false;
    *s = blanks(*s + 1);
    const char *value = value_read(a, s);
    if (!value)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strlen(names[i]) == len && strncasecmp(names[i], name, len) == 0) {
            if (*place[i])
                return false;
            *place[i] = value;
        }
    return true; /* others are ignored (RFC 7616 section 3.4) */
}

static bool count_read(const char *nc, uint32_t *out)
{
    if (strlen(nc) != 8 || strspn(nc, "0123456789abcdefABCDEF") != 8)
        return false;
    *out = (uint32_t)strtoul(nc, NULL, 16);
    return true;
}

enum outcome digest_read(struct arena *a, const char *text, struct digest_answer *out,
                         struct err *err)
{
    static const char *const names[] = {"username", "realm", "nonce",    "uri",      "nc",
                                        "cnonce",   "qop",   "response", "algorithm"};
    const char *algorithm = NULL;
    *out = (struct digest_answer){0};
    const char **place[] = {&out->username, &out->realm, &out->nonce,    &out->uri, &out->nc,
                            &out->cnonce,   &out->qop,   &out->response, &algorithm};
    const size_t n = sizeof names / sizeof *names;
    if (strlen(text) > TEXT_MAX)
        return err_set(err, INVALID, "the digest is longer than %u octets", TEXT_MAX);
    const char *s = blanks(text);
    if (strncasecmp(s, "Digest ", 7) == 0)
        s = blanks(s + 7);
    while (*s) {
        if (!param_read(a, &s, names, place, n))
            return err_set(err, INVALID, "the digest is no list of NAME=VALUE, each once");
        s = blanks(s);
        if (*s && *s != ',')
            return err_set(err, INVALID, "the digest has no comma between two parameters");
        s = blanks(*s ? s + 1 : s);
    }
    for (size_t i = 0; i + 1 < n; i++)
        if (!*place[i])
            return err_set(err, INVALID, "the digest has no %s", names[i]);
    if (!digest_algorithm_read(algorithm ? algorithm : "MD5", &out->algorithm))
        return err_set(err, INVALID, "the digest is neither of MD5 nor of SHA-256");
    if (strcasecmp(out->qop, "auth") != 0)
        return err_set(err, INVALID, "the digest's qop is not auth");
    if (!count_read(out->nc, &out->count))
        return err_set(err, INVALID, "the digest's nc is not eight hexadecimal digits");
    return OK;
}
