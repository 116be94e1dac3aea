/* pem_parts.c: see pem_parts.h. */
#include "push/pem_parts.h"
#include "base/limits.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

static bool type_is(struct bytes type, const char *name)
{
    return bytes_equal(type, bytes_str(name));
}

static bool contains(struct bytes b, const char *word)
{
    return b.n > 0 && memmem(b.p, b.n, word, strlen(word)) != NULL;
}

/* One block, with its first and last line. */
static enum outcome block_take(struct arena *a, struct bytes block, struct bytes type,
                               struct pem_parts *p, struct err *err)
{
    if (type_is(type, "CERTIFICATE")) {
        size_t n = 0;
        if (p->ncert == PEM_PARTS_MAX)
            return err_set(err, INVALID, "more than %d certificates", PEM_PARTS_MAX);
        enum outcome o = cert_from_pem(a, block, &p->cert[p->ncert], 1, &n, err);
        p->ncert += n;
        return o;
    }
    if (type_is(type, "EC PARAMETERS")) /* openssl ecparam writes it before the key */
        return OK;
    if (type_is(type, "ENCRYPTED PRIVATE KEY") || contains(block, "Proc-Type: 4,ENCRYPTED"))
        return err_set(err, INVALID,
                       "the private key is encrypted; decrypt it first (openssl pkey -in FILE)");
    if (type_is(type, "PRIVATE KEY") || type_is(type, "RSA PRIVATE KEY") ||
        type_is(type, "EC PRIVATE KEY")) {
        if (p->key.len > 0)
            return err_set(err, INVALID, "more than one private key");
        buf_add(&p->key, block.p, block.n);
        buf_char(&p->key, '\n');
        return OK;
    }
    return err_set(err, INVALID,
                   "a PEM block of type \"%.*s\"; CERTIFICATE and PRIVATE KEY are "
                   "expected",
                   (int)(type.n > 40 ? 40 : type.n), (const char *)type.p);
}

/* Where the next `word` begins in text from *at on; *at is moved behind it. False: nowhere. */
static bool find(struct bytes text, size_t *at, const char *word, size_t *start)
{
    const uint8_t *f = memmem(text.p + *at, text.n - *at, word, strlen(word));
    if (!f)
        return false;
    *start = (size_t)(f - text.p);
    *at = *start + strlen(word);
    return true;
}

/* Walks the blocks, whatever stands between them. */
enum outcome pem_parts_read(struct arena *a, struct bytes pem, struct pem_parts *p, struct err *err)
{
    size_t at = 0, start, end, type_at;
    enum outcome o = OK;
    while (o == OK && pem.n > 0 && find(pem, &at, BEGIN, &start)) {
        type_at = at;
        if (!find(pem, &at, DASHES, &end))
            return err_set(err, INVALID, "a PEM block whose first line does not end");
        struct bytes type = bytes_of(pem.p + type_at, end - type_at);
        if (!find(pem, &at, END, &end) || !find(pem, &at, DASHES, &end))
            return err_set(err, INVALID, "a PEM block that does not end");
        o = block_take(a, bytes_of(pem.p + start, at - start), type, p, err);
    }
    if (o != OK)
        return o;
    if (p->ncert == 0)
        return err_set(err, INVALID, "no certificate in the PEM text");
    return buf_failed(&p->key) ? err_set(err, INVALID, "the private key is too long") : OK;
}

/* Which of the certificates is the key's; the others are its chain. */
enum outcome pem_parts_leaf(const struct pem_parts *p, size_t *leaf, struct err *err)
{
    struct pkey *key = NULL;
    enum outcome o = pkey_from_pem(buf_bytes(&p->key), &key, err);
    if (o == OK) {
        o = CONFLICT;
        for (size_t i = 0; i < p->ncert && o == CONFLICT; i++) {
            o = pkey_matches(key, p->cert[i], err);
            *leaf = i;
        }
        if (o == CONFLICT)
            o = err_set(err, INVALID, "the private key does not belong to the certificate");
    }
    pkey_free(&key);
    return o;
}
