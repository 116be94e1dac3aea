/* client_cert.c: PEM, escaped PEM and RFC 9440 to DER. */
#include "http/client_cert.h"
#include "http/app.h"
#include "wire/encode.h"

#include <ctype.h>

static struct bytes trim(struct bytes b)
{
    while (b.n && isspace(b.p[0])) {
        b.p++;
        b.n--;
    }
    while (b.n && isspace(b.p[b.n - 1]))
        b.n--;
    return b;
}

static bool has_prefix(struct bytes b, const char *word)
{
    size_t n = strlen(word);
    return b.n >= n && memcmp(b.p, word, n) == 0;
}

/* Where `word` begins in b, a blank in word standing for any one blank or '+' in b; NULL: nowhere.
 */
static const uint8_t *find_armour(struct bytes b, const char *word)
{
    size_t n = strlen(word);
    for (size_t at = 0; at + n <= b.n; at++) {
        size_t i = 0;
        while (i < n) {
            char c = (char)b.p[at + i];
            bool blank = word[i] == ' ' && (c == ' ' || c == '\t' || c == '+');
            if (c != word[i] && !blank)
                break;
            i++;
        }
        if (i == n)
            return b.p + at;
    }
    return NULL;
}

static enum outcome one_base64(struct arena *a, struct bytes text, struct bytes *der,
                               struct err *err)
{
    if (base64_decode(a, text, der) != OK || der->n == 0)
        return err_set(err, INVALID, "the client certificate's base64 is broken");
    return OK;
}

static enum outcome pem_blocks(struct arena *a, struct bytes text,
                               struct bytes der[CLIENT_CERT_MAX], size_t *n, struct err *err)
{
    static const char BEGIN[] = "-----BEGIN CERTIFICATE-----";
    static const char END[] = "-----END CERTIFICATE-----";
    const uint8_t *stop = text.p + text.n;
    const uint8_t *at;
    while ((at = find_armour(text, BEGIN)) != NULL) {
        if (*n == CLIENT_CERT_MAX)
            return err_set(err, INVALID, "more than %d client certificates", CLIENT_CERT_MAX);
        at += sizeof BEGIN - 1;
        struct bytes rest = bytes_of(at, (size_t)(stop - at));
        const uint8_t *end = find_armour(rest, END);
        if (!end)
            return err_set(err, INVALID, "the client certificate's PEM has no end line");
        enum outcome o = one_base64(a, bytes_of(at, (size_t)(end - at)), &der[*n], err);
        if (o != OK)
            return o;
        (*n)++;
        at = end + sizeof END - 1;
        text = bytes_of(at, (size_t)(stop - at));
    }
    if (*n == 0)
        return err_set(err, INVALID, "the client certificate is neither PEM nor RFC 9440");
    return OK;
}

enum outcome client_cert_decode(struct arena *a, struct bytes text,
                                struct bytes der[CLIENT_CERT_MAX], size_t *n, struct err *err)
{
    *n = 0;
    if (text.n && text.p[0] == 0x30) { /* an ASN.1 SEQUENCE: DER already */
        der[0] = text;
        *n = 1;
        return OK;
    }
    text = trim(text);
    if (text.n && text.p[0] == ':') {
        if (text.n < 3 || text.p[text.n - 1] != ':')
            return err_set(err, INVALID, "the client certificate's byte sequence has no end");
        enum outcome o = one_base64(a, bytes_of(text.p + 1, text.n - 2), &der[0], err);
        *n = o == OK;
        return o;
    }
    if (!has_prefix(text, "-----BEGIN C") &&
        memchr(text.p ? text.p : (const uint8_t *)"", '%', text.n)) {
        char *plain = NULL;
        if (url_decode(a, text, false, &plain) != OK)
            return err_set(err, INVALID, "the client certificate's URL escapes are broken");
        text = bytes_str(plain);
    }
    return pem_blocks(a, text, der, n, err);
}

enum outcome caller_cert(const struct caller *caller, struct req *req, struct bytes *der,
                         struct err *err)
{
    struct bytes all[CLIENT_CERT_MAX];
    size_t n;
    enum outcome o = client_cert_decode(req->arena, caller->cert_text, all, &n, err);
    if (o == OK)
        *der = all[0];
    return o;
}
