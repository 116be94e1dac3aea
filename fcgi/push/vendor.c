/* vendor.c: see vendor.h. */
#include "push/vendor.h"
#include "base/clock.h"
#include "base/limits.h"
#include "push/pem_parts.h"
#include "store/audit.h"
#include "store/pushcert.h"
#include "wire/encode.h"
#include "wire/plist.h"
#include "wire/seal.h"
#include "wire/sign.h"
#include <stdio.h>

enum outcome vendor_request_new(struct db *db, const struct conf *conf, enum push_purpose purpose,
                                const char *name, const char *topic, const char *by,
                                struct arena *a, struct push_request *out, struct err *err)
{
    struct sign_request made;
    struct pushcert_row row;
    struct csr_info info;
    enum outcome o = OK;
    if (topic[0])
        o = pushcert_get(db, topic, a, &row, err);
    if (o == OK)
        o = sign_key_new(a, name, conf->organization, &made, err);
    if (o == OK)
        o = csr_read(a, made.csr_der, &info, err);
    if (o != OK)
        return o;
    *out = (struct push_request){.purpose = purpose,
                                 .name = name,
                                 .topic = topic,
                                 .csr = made.csr_der,
                                 .key_sealed = made.key_sealed,
                                 .created_at = clock_now(),
                                 .created_by = by};
    memcpy(out->key_sha256, info.key_sha256, sizeof out->key_sha256);
    return push_request_add(db, out, err);
}

/* --- the vendor's certificate --- */

struct import {
    struct pem_parts parts;
    struct bytes chain[PEM_PARTS_MAX]; /* the leaf first */
    size_t nchain;
    struct cert_info leaf;
    int64_t request; /* where its key has waited; 0: it came with it */
};

/* The key's certificate; without a key, the one that is no CA. */
static enum outcome leaf_find(struct arena *a, struct import *m, size_t *leaf, struct err *err)
{
    if (m->parts.key.len > 0)
        return pem_parts_leaf(&m->parts, leaf, err);
    for (*leaf = 0; *leaf < m->parts.ncert; ++*leaf) {
        struct cert_info info;
        enum outcome o = cert_info_read(a, m->parts.cert[*leaf], &info, err);
        if (o != OK || !info.is_ca)
            return o;
    }
    return err_set(err, INVALID,
                   "all certificates are CAs: the MDM signing certificate is missing");
}

/* Puts the issuers behind the leaf, each behind what it has issued. Apple wants all of them, the
 * root too: a portal that refuses says no more than that. */
static enum outcome chain_order(struct arena *a, struct import *m, struct err *err)
{
    while (m->nchain <= m->parts.ncert) {
        struct cert_info last;
        size_t i = 0;
        enum outcome o = cert_info_read(a, m->chain[m->nchain - 1], &last, err);
        if (o != OK)
            return o;
        if (strcmp(last.subject, last.issuer) == 0)
            return OK;
        while (i < m->parts.ncert &&
               cert_issued_by(m->chain[m->nchain - 1], m->parts.cert[i], NULL) != OK)
            i++;
        if (i == m->parts.ncert || m->nchain == PEM_PARTS_MAX)
            return err_set(err, INVALID,
                           "the chain lacks the certificate of \"%.200s\": give the MDM signing "
                           "certificate, the intermediate and Apple's root",
                           last.issuer);
        m->chain[m->nchain++] = m->parts.cert[i];
    }
    return err_set(err, INVALID, "the certificates issue each other in a circle");
}

static enum outcome import_read(struct arena *a, struct bytes pem, struct import *m,
                                struct err *err)
{
    char when[CLOCK_TEXT_MAX];
    size_t leaf = 0;
    enum outcome o = pem_parts_read(a, pem, &m->parts, err);
    if (o == OK)
        o = leaf_find(a, m, &leaf, err);
    if (o != OK)
        return o;
    m->chain[0] = m->parts.cert[leaf];
    m->nchain = 1;
    o = cert_info_read(a, m->chain[0], &m->leaf, err);
    if (o == OK && m->leaf.not_after <= clock_now())
        o = err_set(err, INVALID, "the certificate expired at %s",
                    clock_rfc3339(m->leaf.not_after, false, when));
    if (o == OK && strcmp(m->leaf.key_type, "RSA") != 0)
        o = err_set(err, INVALID, "an MDM signing certificate has an RSA key, not %s",
                    m->leaf.key_type);
    return o == OK ? chain_order(a, m, err) : o;
}

static enum outcome import_key(struct db *db, const struct conf *conf, struct arena *a,
                               struct import *m, struct bytes *sealed, struct err *err)
{
    char hex[SHA256_HEX_LEN + 1];
    uint8_t pub[SEAL_KEY_LEN];
    struct push_request r;
    enum outcome o;
    if (m->parts.key.len == 0) {
        o = push_request_of_key(db, m->leaf.key_sha256, a, &r, err);
        if (o == NOT_FOUND)
            return err_set(err, INVALID,
                           "no private key in the PEM text, and no request made here waits for "
                           "this certificate");
        m->request = o == OK ? r.id : 0;
        return o == OK ? sign_key_adopt(a, "VendorKey", r.key_sealed, m->chain[0], sealed, err) : o;
    }
    struct buf b = BUF_INIT(VENDOR_PEM_MAX + SEAL_OVERHEAD);
    hex_encode(bytes_of(m->leaf.sha256, CERT_SHA256_LEN), hex);
    o = seal_public_load(conf->signer_dir, pub, err);
    if (o == OK)
        o = seal(pub, arena_fmt(a, SIGN_VENDOR_LABEL, hex), buf_bytes(&m->parts.key), &b, err);
    if (o == OK && !(*sealed = arena_bytes(a, buf_bytes(&b))).p)
        o = err_set(err, ERROR, "out of memory");
    buf_free(&b);
    return o;
}

enum outcome vendor_import(struct db *db, const struct conf *conf, struct bytes pem, const char *by,
                           struct arena *a, struct vendor_cert *out, struct err *err)
{
    struct import m = {.parts = {.key = BUF_INIT(VENDOR_PEM_MAX)}};
    struct buf chain = BUF_INIT(2 * VENDOR_PEM_MAX);
    struct bytes sealed = {0};
    enum outcome o = pem.n > VENDOR_PEM_MAX
                         ? err_set(err, INVALID, "more than %u octets", VENDOR_PEM_MAX)
                         : import_read(a, pem, &m, err);
    if (o == OK)
        o = import_key(db, conf, a, &m, &sealed, err);
    for (size_t i = 0; o == OK && i < m.nchain; i++)
        cert_to_pem(m.chain[i], &chain);
    if (o == OK && buf_failed(&chain))
        o = err_set(err, ERROR, "cannot write the chain");
    if (o == OK) {
        *out = (struct vendor_cert){.subject = m.leaf.subject,
                                    .chain_pem = buf_bytes(&chain),
                                    .key_sealed = sealed,
                                    .not_after = m.leaf.not_after,
                                    .added_by = by};
        memcpy(out->sha256, m.leaf.sha256, sizeof out->sha256);
        o = vendor_cert_put(db, out, err);
        out->chain_pem = out->key_sealed = bytes_of(NULL, 0);
    }
    if (o == OK && m.request)
        o = push_request_done(db, m.request, clock_now(), err);
    buf_free(&chain);
    buf_wipe(&m.parts.key);
    return o;
}

/* --- signing --- */

static enum outcome base64_text(struct arena *a, struct bytes b, const char **out, struct err *err)
{
    struct buf text = BUF_INIT(VENDOR_REQUEST_MAX);
    base64_add(&text, b);
    *out = buf_failed(&text) ? NULL : arena_strdup(a, buf_cstr(&text));
    buf_free(&text);
    return *out ? OK : err_set(err, ERROR, "out of memory");
}

static enum outcome web_request(struct arena *a, struct bytes csr, struct bytes signature,
                                struct bytes chain_pem, struct buf *out, struct err *err)
{
    struct buf xml = BUF_INIT(VENDOR_REQUEST_MAX);
    const char *csr_text, *signature_text, *chain;
    enum outcome o = base64_text(a, csr, &csr_text, err);
    if (o == OK)
        o = base64_text(a, signature, &signature_text, err);
    chain = arena_strndup(a, (const char *)chain_pem.p, chain_pem.n);
    if (o != OK || !chain)
        return err_set(err, ERROR, "out of memory");
    pl d = pl_new_dict();
    pl_set_str(d, "PushCertRequestCSR", csr_text);
    pl_set_str(d, "PushCertCertificateChain", chain);
    pl_set_str(d, "PushCertSignature", signature_text);
    o = pl_to_xml(d, &xml);
    pl_free(&d);
    if (o == OK)
        base64_add(out, buf_bytes(&xml));
    if (o != OK || buf_failed(out))
        o = err_set(err, ERROR, "cannot write the request");
    buf_free(&xml);
    return o;
}

enum outcome vendor_sign(struct db *db, struct bytes csr, const char *digest, const char *by,
                         struct arena *a, struct buf *out, struct err *err)
{
    struct vendor_cert v;
    struct csr_info info;
    struct bytes der, chain[PEM_PARTS_MAX], signature;
    char when[CLOCK_TEXT_MAX];
    size_t n = 0;
    enum outcome o = csr_from_pem(a, csr, &der, err);
    if (o == OK)
        o = csr_read(a, der, &info, err);
    if (o == OK)
        o = vendor_cert_latest(db, a, &v, err);
    if (o == OK && v.not_after <= clock_now())
        o = err_set(err, INVALID, "the MDM signing certificate expired at %s: import a new one",
                    clock_rfc3339(v.not_after, false, when));
    if (o == OK)
        o = cert_from_pem(a, v.chain_pem, chain, PEM_PARTS_MAX, &n, err);
    if (o == OK)
        o = sign_vendor(a, v.key_sealed, chain[0], der, digest, &signature, err);
    if (o == OK)
        o = web_request(a, der, signature, v.chain_pem, out, err);
    return o == OK ? audit_add(db, by, "pushcert.sign", info.subject, digest, err) : o;
}
