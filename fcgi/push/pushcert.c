/* pushcert.c: push certificates: see pushcert.h. */
#include "push/pushcert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "push/pem_parts.h"
#include "store/pushcert.h"
#include "store/pushrequest.h"
#include "wire/encode.h"
#include "wire/seal.h"
#include "wire/sign.h"
#include <stdio.h>

/* The key's certificate; without a key, the one that is a push certificate's. */
static enum outcome leaf_find(struct arena *a, const struct pem_parts *p, size_t *leaf,
                              struct err *err)
{
    if (p->key.len > 0)
        return pem_parts_leaf(p, leaf, err);
    *leaf = 0;
    for (size_t i = 0; i < p->ncert; i++) {
        struct cert_info info;
        enum outcome o = cert_info_read(a, p->cert[i], &info, err);
        if (o != OK)
            return o;
        if (info.topic[0] && !info.is_ca)
            *leaf = i;
    }
    return OK;
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
    struct pem_parts p = {.key = BUF_INIT(PUSHCERT_PEM_MAX)};
    struct buf chain = BUF_INIT(PUSHCERT_PEM_MAX * 2);
    size_t leaf = 0;
    enum outcome o;
    memset(out, 0, sizeof *out);
    if (pem.n > PUSHCERT_PEM_MAX)
        return err_set(err, INVALID, "a push certificate with key has no %zu octets", pem.n);
    if ((o = pem_parts_read(a, pem, &p, err)) != OK || (o = leaf_find(a, &p, &leaf, err)) != OK ||
        (o = cert_info_read(a, p.cert[leaf], &out->info, err)) != OK ||
        (o = info_check(&out->info, err)) != OK)
        goto out;
    cert_to_pem(p.cert[leaf], &chain);
    for (size_t i = 0; i < p.ncert; i++)
        if (i != leaf)
            cert_to_pem(p.cert[i], &chain);
    out->cert_pem = arena_bytes(a, buf_bytes(&chain));
    out->cert_der = p.cert[leaf];
    if (p.key.len > 0)
        out->key_pem = arena_bytes(a, buf_bytes(&p.key));
    if (buf_failed(&chain) || !out->cert_pem.p || (p.key.len > 0 && !out->key_pem.p))
        o = err_set(err, ERROR, "out of memory");
out:
    buf_free(&chain);
    buf_wipe(&p.key);
    return o;
}

/* A key that came with its certificate is sealed here. */
static enum outcome key_seal(const struct conf *conf, const struct pushcert *cert, struct arena *a,
                             struct bytes *sealed, struct err *err)
{
    uint8_t pub[SEAL_KEY_LEN];
    char label[LIM_TOPIC + 16];
    struct buf b = BUF_INIT(PUSHCERT_PEM_MAX + SEAL_OVERHEAD);
    enum outcome o = seal_public_load(conf->signer_dir, pub, err);
    snprintf(label, sizeof label, "PushKey:%s", cert->info.topic);
    if (o == OK)
        o = seal(pub, label, cert->key_pem, &b, err);
    if (o == OK && !(*sealed = arena_bytes(a, buf_bytes(&b))).p)
        o = err_set(err, ERROR, "out of memory");
    buf_free(&b);
    return o;
}

/* The key that waits for this certificate in a request made here; *request is its id. */
static enum outcome key_adopt(struct db *db, const struct pushcert *cert, struct arena *a,
                              struct bytes *sealed, int64_t *request, struct err *err)
{
    struct push_request r;
    enum outcome o = push_request_of_key(db, cert->info.key_sha256, a, &r, err);
    if (o == NOT_FOUND)
        return err_set(err, INVALID,
                       "no private key in the PEM text, and no request made here waits for this "
                       "certificate");
    if (o != OK)
        return o;
    if (r.topic[0] && strcmp(r.topic, cert->info.topic) != 0)
        return err_set(err, CONFLICT,
                       "the request was made to renew topic %s, and this certificate is for topic "
                       "%s: in Apple's portal, renew the certificate that is there instead of "
                       "creating one",
                       r.topic, cert->info.topic);
    *request = r.id;
    return sign_key_adopt(a, "PushKey", r.key_sealed, cert->cert_der, sealed, err);
}

enum outcome pushcert_store(struct db *db, const struct conf *conf, const struct pushcert *cert,
                            const char *by, int64_t *version, struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    struct pushcert_row stored, row = {.topic = cert->info.topic,
                                       .not_before = cert->info.not_before,
                                       .not_after = cert->info.not_after,
                                       .added_by = by,
                                       .sha256 = bytes_of(cert->info.sha256, CERT_SHA256_LEN),
                                       .cert_pem = cert->cert_pem};
    int64_t request = 0;
    enum outcome o = a ? OK : err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = cert->key_pem.n ? key_seal(conf, cert, a, &row.key_sealed, err)
                            : key_adopt(db, cert, a, &row.key_sealed, &request, err);
    if (o == OK)
        o = pushcert_put(db, &row, err);
    if (o == OK && request)
        o = push_request_done(db, request, clock_now(), err);
    if (o == OK && version && (o = pushcert_get(db, cert->info.topic, a, &stored, err)) == OK)
        *version = stored.version;
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
