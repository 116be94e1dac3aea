/* encode.c: text forms of octets, digests, secrets. */
#include "wire/encode.h"

#include "base/uuid.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* OpenSSL counts in int: longer inputs go through in pieces of whole groups. */
#define BASE64_PIECE ((size_t)3 << 20)

void base64_add(struct buf *out, struct bytes b)
{
    if (b.n > SIZE_MAX / 4) {
        out->failed = true;
        return;
    }
    char *to = buf_room(out, (b.n + 2) / 3 * 4);
    if (!to)
        return;
    size_t wrote = 0;
    for (size_t at = 0; at < b.n; at += BASE64_PIECE) {
        size_t n = b.n - at < BASE64_PIECE ? b.n - at : BASE64_PIECE;
        wrote += (size_t)EVP_EncodeBlock((unsigned char *)to + wrote, b.p + at, (int)n);
    }
    buf_grew(out, wrote);
}

void base64url(struct bytes b, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < b.n; i++) {
        held = (held & 63) << 8 | b.p[i];
        for (bits += 8; bits >= 6; bits -= 6)
            *out++ = digits[held >> (bits - 6) & 63];
    }
    if (bits)
        *out++ = digits[held << (6 - bits) & 63];
    *out = '\0';
}

/* What a character stands for: one of 64 digits ('-' and '_' are twins of '+' and '/'), or: */
enum { PAD = 64, SPACE, NEITHER };

static unsigned base64_value(unsigned char c)
{
    /* clang-format off */
    static const unsigned char table[128] = {
        66, 66, 66, 66, 66, 66, 66, 66, 66, 65, 65, 66, 66, 65, 66, 66,
        66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
        65, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 62, 66, 62, 66, 63,
        52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 66, 66, 66, 64, 66, 66,
        66,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
        15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 66, 66, 66, 66, 63,
        66, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
        41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 66, 66, 66, 66, 66,
    };
    /* clang-format on */
    return c < sizeof table ? table[c] : NEITHER;
}

/* Decodes into `to`, which has room for text.n / 4 * 3 + 3 octets. EVP_DecodeBlock is no help: it
 * refuses white space and missing padding and takes '=' for a digit. */
static bool base64_into(struct bytes text, uint8_t *to, size_t *wrote)
{
    uint32_t group = 0;
    size_t digits = 0, pads = 0, n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned v = base64_value(text.p[i]);
        if (v < PAD && pads == 0) {
            group = group << 6 | v;
            if (++digits % 4 == 0) {
                to[n++] = (uint8_t)(group >> 16);
                to[n++] = (uint8_t)(group >> 8);
                to[n++] = (uint8_t)group;
            }
        } else if (v == PAD) {
            pads++;
        } else if (v != SPACE) {
            return false;
        }
    }
    size_t rest = digits % 4;
    if (rest == 1 || (pads && (digits + pads) % 4 != 0) || pads > 2)
        return false;
    if (rest == 2)
        to[n++] = (uint8_t)(group >> 4);
    if (rest == 3) {
        to[n++] = (uint8_t)(group >> 10);
        to[n++] = (uint8_t)(group >> 2);
    }
    *wrote = n;
    return true;
}

enum outcome base64_decode(struct arena *a, struct bytes text, struct bytes *out)
{
    uint8_t *to = arena_alloc(a, text.n / 4 * 3 + 4); /* and a NUL */
    if (!to)
        return ERROR;
    size_t n;
    if (!base64_into(text, to, &n))
        return INVALID;
    to[n] = '\0';
    *out = bytes_of(to, n);
    return OK;
}

void hex_encode(struct bytes b, char *out)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < b.n; i++) {
        *out++ = digit[b.p[i] >> 4];
        *out++ = digit[b.p[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum outcome hex_decode(struct arena *a, const char *text, struct bytes *out)
{
    size_t n = strlen(text);
    if (n % 2)
        return INVALID;
    uint8_t *to = arena_alloc(a, n / 2 + 1);
    if (!to)
        return ERROR;
    for (size_t i = 0; i < n / 2; i++) {
        int hi = hex_value(text[2 * i]), lo = hex_value(text[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return INVALID;
        to[i] = (uint8_t)(hi << 4 | lo);
    }
    *out = bytes_of(to, n / 2);
    return OK;
}

bool fingerprint_digits(const char *text, char out[SHA256_HEX_LEN + 1])
{
    size_t n = 0;
    for (; *text; text++) {
        if (*text == ':')
            continue;
        int v = hex_value(*text);
        if (v < 0 || n == SHA256_HEX_LEN)
            return false;
        out[n++] = "0123456789abcdef"[v];
    }
    out[n] = '\0';
    return n >= FINGERPRINT_DIGITS;
}

enum outcome url_decode(struct arena *a, struct bytes text, bool plus, char **out)
{
    char *to = arena_alloc(a, text.n + 1);
    if (!to)
        return ERROR;
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = (char)text.p[i];
        if (c == '%') {
            int hi = i + 2 < text.n ? hex_value((char)text.p[i + 1]) : -1;
            int lo = i + 2 < text.n ? hex_value((char)text.p[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return INVALID;
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0')
            return INVALID;
        to[n++] = c;
    }
    *out = to;
    return OK;
}

void url_encode_add(struct buf *out, const char *s)
{
    static const char digit[] = "0123456789ABCDEF";
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            buf_char(out, (char)c);
        } else {
            char e[3] = {'%', digit[c >> 4], digit[c & 15]};
            buf_add(out, e, sizeof e);
        }
    }
}

/* Fetched once: a fetch for each digest costs more than the digest. */
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256_md;

static void sha256_setup(void)
{
    sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void sha256(struct bytes b, uint8_t out[SHA256_LEN])
{
    pthread_once(&sha256_once, sha256_setup);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!sha256_md || !ctx || !EVP_DigestInit_ex2(ctx, sha256_md, NULL) ||
        !EVP_DigestUpdate(ctx, b.p, b.n) || !EVP_DigestFinal_ex(ctx, out, NULL))
        abort(); /* without memory for a digest nothing that follows could be trusted */
    EVP_MD_CTX_free(ctx);
}

void sha256_hex(struct bytes b, char out[SHA256_HEX_LEN + 1])
{
    uint8_t d[SHA256_LEN];
    sha256(b, d);
    hex_encode(bytes_of(d, sizeof d), out);
}

void sha1(struct bytes b, uint8_t out[SHA1_LEN])
{
    if (!EVP_Digest(b.n ? b.p : (const void *)"", b.n, out, NULL, EVP_sha1(), NULL))
        abort(); /* as above */
}

void hmac_sha256(struct bytes key, struct bytes msg, uint8_t out[SHA256_LEN])
{
    static const uint8_t none[1];
    unsigned len = SHA256_LEN;
    if (key.n > INT_MAX || !HMAC(EVP_sha256(), key.n ? key.p : none, (int)key.n,
                                 msg.n ? msg.p : none, msg.n, out, &len))
        abort(); /* as above */
}

void hmac_sha1(struct bytes key, struct bytes msg, uint8_t out[SHA1_LEN])
{
    unsigned len = SHA1_LEN;
    if (key.n > INT_MAX || !HMAC(EVP_sha1(), key.p, (int)key.n, msg.p, msg.n, out, &len))
        abort(); /* as above */
}

void base32(struct bytes b, char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint32_t held = 0;
    int bits = 0;
    for (size_t i = 0; i < b.n; i++) {
        held = held << 8 | b.p[i];
        for (bits += 8; bits >= 5; bits -= 5)
            *out++ = letters[held >> (bits - 5) & 31];
    }
    if (bits > 0)
        *out++ = letters[held << (5 - bits) & 31];
    *out = '\0';
}

bool secret_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void secret_wipe(void *p, size_t n)
{
    if (p)
        OPENSSL_cleanse(p, n);
}

void secret_new(size_t n, char *out)
{
    uint8_t piece[64];
    for (size_t done = 0; done < n;) {
        size_t take = n - done < sizeof piece ? n - done : sizeof piece;
        random_bytes(piece, take);
        hex_encode(bytes_of(piece, take), out + 2 * done);
        done += take;
    }
    out[2 * n] = '\0';
    secret_wipe(piece, sizeof piece);
}

#define SCRYPT_LOG_N 15
#define SCRYPT_R 8
#define SCRYPT_P 1
#define SCRYPT_SALT 16
#define SCRYPT_KEY 32
#define SCRYPT_MEMORY ((uint64_t)96 << 20)

enum outcome password_hash(const char *password, char out[PASSWORD_HASH_MAX], struct err *err)
{
    uint8_t salt[SCRYPT_SALT], key[SCRYPT_KEY];
    random_bytes(salt, sizeof salt);
    if (!EVP_PBE_scrypt(password, strlen(password), salt, sizeof salt, 1u << SCRYPT_LOG_N, SCRYPT_R,
                        SCRYPT_P, SCRYPT_MEMORY, key, sizeof key)) {
        ERR_clear_error();
        return err_set(err, ERROR, "scrypt failed (out of memory?)");
    }
    char salt64[SCRYPT_SALT * 2], key64[SCRYPT_KEY * 2];
    EVP_EncodeBlock((unsigned char *)salt64, salt, sizeof salt);
    EVP_EncodeBlock((unsigned char *)key64, key, sizeof key);
    snprintf(out, PASSWORD_HASH_MAX, "scrypt$%d$%d$%d$%s$%s", SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P,
             salt64, key64);
    secret_wipe(key, sizeof key);
    return OK;
}

/* A decimal number and the '$' after it. */
static bool scrypt_number(const char **s, unsigned max, unsigned *out)
{
    unsigned v = 0;
    const char *first = *s;
    for (; **s >= '0' && **s <= '9' && *s - first < 3; (*s)++)
        v = v * 10 + (unsigned)(**s - '0');
    if (*s == first || *(*s)++ != '$' || v < 1 || v > max)
        return false;
    *out = v;
    return true;
}

enum outcome password_check(const char *password, const char *hash, struct err *err)
{
    static const char head[] = "scrypt$";
    uint8_t salt[PASSWORD_HASH_MAX], want[PASSWORD_HASH_MAX], key[SCRYPT_KEY];
    size_t salt_n, want_n;
    unsigned log_n, r, p;
    bool ours = strncmp(hash, head, strlen(head)) == 0 && strlen(hash) < PASSWORD_HASH_MAX;
    const char *at = ours ? hash + strlen(head) : "", *dollar;
    /* the ceilings keep a forged hash from taking more than 96 MB */
    if (!scrypt_number(&at, 16, &log_n) || !scrypt_number(&at, 8, &r) ||
        !scrypt_number(&at, 4, &p) || !(dollar = strchr(at, '$')) ||
        !base64_into(bytes_of(at, (size_t)(dollar - at)), salt, &salt_n) ||
        !base64_into(bytes_str(dollar + 1), want, &want_n) || want_n != SCRYPT_KEY)
        return err_set(err, INVALID, "the stored password hash has an unknown form");
    if (!EVP_PBE_scrypt(password, strlen(password), salt, salt_n, (uint64_t)1 << log_n, r, p,
                        SCRYPT_MEMORY, key, sizeof key)) {
        ERR_clear_error();
        return err_set(err, ERROR, "scrypt failed (out of memory?)");
    }
    bool same = secret_equal(bytes_of(key, sizeof key), bytes_of(want, want_n));
    secret_wipe(key, sizeof key);
    return same ? OK : err_set(err, DENIED, "wrong password");
}
