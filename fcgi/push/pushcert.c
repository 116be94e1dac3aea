/* pushcert.c: push certificates: see pushcert.h. */
#include "push/pushcert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/pushcert.h"
#include "wire/encode.h"
#include "wire/seal.h"
#include <stdio.h>

#define CHAIN_MAX 8
#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

/* What was found in a PEM text. */
struct parts {
    struct bytes cert[CHAIN_MAX]; /* DER */
    size_t ncert;
    struct buf key; /* the key's block, PEM */
};

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
                               struct parts *p, struct err *err)
{
    if (type_is(type, "CERTIFICATE")) {
        size_t n = 0;
        if (p->ncert == CHAIN_MAX)
            return err_set(err, INVALID, "more than %d certificates", CHAIN_MAX);
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
static enum outcome parts_read(struct arena *a, struct bytes pem, struct parts *p, struct err *err)
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
    if (p->key.len == 0)
        return err_set(err, INVALID, "no private key in the PEM text");
    return buf_failed(&p->key) ? err_set(err, INVALID, "the private key is too long") : OK;
}

/* Which of the certificates is the key's; the others are its chain. */
static enum outcome leaf_find(const struct parts *p, size_t *leaf, struct err *err)
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

static enum outcome info_check(const struct cert_info *i, struct err *err)
{
    char at[CLOCK_TEXT_MAX];
    int64_t now = clock_now();
    if (!*i->topic)
        return err_set(err, INVALID,
                       "the certificate's subject has no UID: it is no push certificate");
    if (strncmp(i->topic, PUSHCERT_TOPIC_PREFIX, strlen(PUSHCERT_TOPIC_PREFIX)) != 0 ||
        strlen(i->topic) > LIM_TOPIC || strpbrk(i->topic, "\r\n"))
        return err_set(err, INVALID,
                       "the topic \"%.100s\" does not begin with %s: a push "
                       "certificate for MDM is needed",
                       i->topic, PUSHCERT_TOPIC_PREFIX);
    if (i->not_after <= now)
        return err_set(err, INVALID,
                       "the certificate expired at %s: renew it at "
                       "identity.apple.com/pushcert",
                       clock_rfc3339(i->not_after, false, at));
    return OK;
}

enum outcome pushcert_check(struct arena *a, struct bytes pem, struct pushcert *out,
                            struct err *err)
{
    struct parts p = {.key = BUF_INIT(PUSHCERT_PEM_MAX)};
    struct buf chain = BUF_INIT(PUSHCERT_PEM_MAX * 2);
    size_t leaf = 0;
    enum outcome o;
    memset(out, 0, sizeof *out);
    if (pem.n > PUSHCERT_PEM_MAX)
        return err_set(err, INVALID, "a push certificate with key has no %zu octets", pem.n);
    if ((o = parts_read(a, pem, &p, err)) != OK || (o = leaf_find(&p, &leaf, err)) != OK ||
        (o = cert_info_read(a, p.cert[leaf], &out->info, err)) != OK ||
        (o = info_check(&out->info, err)) != OK)
        goto out;
    cert_to_pem(p.cert[leaf], &chain);
    for (size_t i = 0; i < p.ncert; i++)
        if (i != leaf)
            cert_to_pem(p.cert[i], &chain);
    out->cert_pem = arena_bytes(a, buf_bytes(&chain));
    out->key_pem = arena_bytes(a, buf_bytes(&p.key));
    if (buf_failed(&chain) || !out->cert_pem.p || !out->key_pem.p)
        o = err_set(err, ERROR, "out of memory");
out:
    buf_free(&chain);
    buf_wipe(&p.key);
    return o;
}

enum outcome pushcert_store(struct db *db, const struct conf *conf, const struct pushcert *cert,
                            const char *by, int64_t *version, struct err *err)
{
    uint8_t pub[SEAL_KEY_LEN];
    char label[LIM_TOPIC + 16];
    struct buf sealed = BUF_INIT(PUSHCERT_PEM_MAX + SEAL_OVERHEAD);
    struct arena *a = arena_new(LIM_MB);
    struct pushcert_row stored;
    enum outcome o =
        a ? seal_public_load(conf->signer_dir, pub, err) : err_set(err, ERROR, "out of memory");
    snprintf(label, sizeof label, "PushKey:%s", cert->info.topic);
    if (o != OK || (o = seal(pub, label, cert->key_pem, &sealed, err)) != OK)
        goto out;
    struct pushcert_row row = {.topic = cert->info.topic,
                               .not_before = cert->info.not_before,
                               .not_after = cert->info.not_after,
                               .added_by = by,
                               .sha256 = bytes_of(cert->info.sha256, CERT_SHA256_LEN),
                               .cert_pem = cert->cert_pem,
                               .key_sealed = buf_bytes(&sealed)};
    if ((o = pushcert_put(db, &row, err)) != OK || !version)
        goto out;
    if ((o = pushcert_get(db, cert->info.topic, a, &stored, err)) == OK)
        *version = stored.version;
out:
    buf_free(&sealed);
    arena_free(&a);
    return o;
}

enum outcome pushcert_renewal_check(struct db *db, const char *topic, struct err *err)
{
    struct topic_use *used;
    size_t n = 0;
    struct buf names = BUF_INIT(300);
    struct arena *a = arena_new(LIM_MB);
    enum outcome o =
        a ? pushcert_topics_used(db, a, &used, &n, err) : err_set(err, ERROR, "out of memory");
    bool found = n == 0;
    for (size_t i = 0; o == OK && i < n; i++) {
        found = found || strcmp(used[i].topic, topic) == 0;
        buf_fmt(&names, "%s%s (%lld)", i ? ", " : "", used[i].topic, (long long)used[i].channels);
    }
    if (o == OK && !found)
        o = err_set(err, CONFLICT,
                    "this certificate is for topic %s, and devices are enrolled with %s; they "
                    "could not be pushed with it. Renew the certificate that was used before "
                    "instead of making a new one",
                    topic, buf_cstr(&names));
    buf_free(&names);
    arena_free(&a);
    return o;
}

void pushcert_wipe(struct pushcert *c)
{
    if (c->key_pem.p)
        secret_wipe((void *)c->key_pem.p, c->key_pem.n);
    c->key_pem = bytes_of(NULL, 0);
}
