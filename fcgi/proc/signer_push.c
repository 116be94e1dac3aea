/*
 * signer_push.c: the keys behind push certificates, and the key with which an MDM vendor signs the
 * requests for them.
 *
 * A key is made here, with its request, and goes out sealed at once: "WaitingKey:" and the digest
 * of its public half. When Apple's certificate for it has come it is sealed anew for what it is
 * then, so that the waiting form opens nothing and the final one is bound to its topic.
 */
#include "base/limits.h"
#include "proc/signer_int.h"
#include "wire/encode.h"

#define REQUEST_BITS 2048
#define NAME_MAX_OCTETS 64u /* X.520: commonName and organizationName */
#define KEY_PEM_MAX (16u * LIM_KB)
#define CSR_MAX (64u * LIM_KB)

static const char *waiting_label(struct arena *a, const uint8_t key_sha256[CERT_SHA256_LEN])
{
    char hex[SHA256_HEX_LEN + 1];
    hex_encode(bytes_of(key_sha256, CERT_SHA256_LEN), hex);
    return arena_fmt(a, "WaitingKey:%s", hex);
}

static enum outcome key_seal(struct call *c, const struct pkey *key, const char *label,
                             struct err *err)
{
    struct buf pem = BUF_INIT(KEY_PEM_MAX), sealed = BUF_INIT(KEY_PEM_MAX + SEAL_OVERHEAD);
    enum outcome o = label ? pkey_to_pem(key, &pem, err) : err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = seal(c->s->keys.seal.pub, label, buf_bytes(&pem), &sealed, err);
    if (o == OK)
        sign_put_bytes(c->out, buf_bytes(&sealed));
    buf_wipe(&pem);
    buf_free(&sealed);
    return o;
}

static enum outcome key_open(struct call *c, const char *label, struct bytes sealed,
                             struct pkey **key, struct err *err)
{
    struct buf pem = BUF_INIT(KEY_PEM_MAX + SEAL_OVERHEAD);
    enum outcome o = label ? seal_open(&c->s->keys.seal, label, sealed, &pem, err)
                           : err_set(err, ERROR, "out of memory");
    if (o == DENIED)
        o = err_set(err, CONFLICT, "the key was sealed for another certificate");
    if (o == OK)
        o = pkey_from_pem(buf_bytes(&pem), key, err);
    buf_wipe(&pem);
    return o;
}

enum outcome signer_op_key_new(struct call *c, struct err *err)
{
    struct buf csr = BUF_INIT(CSR_MAX);
    struct pkey *key = NULL;
    struct csr_info info;
    const char *name = sign_get_str(&c->in, c->a), *organization = sign_get_str(&c->in, c->a);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    c->purpose = "push-request";
    c->owner = name;
    if (!name[0] || strlen(name) > NAME_MAX_OCTETS || strlen(organization) > NAME_MAX_OCTETS)
        return err_set(err, INVALID, "a name has 1 to %u octets", NAME_MAX_OCTETS);
    enum outcome o = pkey_new_rsa(REQUEST_BITS, &key, err);
    if (o == OK)
        o = csr_new(key, name, organization[0] ? organization : NULL, NULL, &csr, err);
    if (o == OK)
        o = csr_read(c->a, buf_bytes(&csr), &info, err);
    if (o == OK) {
        sign_put_bytes(c->out, buf_bytes(&csr));
        o = key_seal(c, key, waiting_label(c->a, info.key_sha256), err);
    }
    pkey_free(&key);
    buf_free(&csr);
    return o;
}

/* What the key of this certificate is sealed for; INVALID: a push certificate without a topic. */
static enum outcome final_label(struct call *c, const struct cert_info *info, const char **label,
                                struct err *err)
{
    char hex[SHA256_HEX_LEN + 1];
    hex_encode(bytes_of(info->sha256, CERT_SHA256_LEN), hex);
    if (strcmp(c->purpose, "VendorKey") == 0) {
        c->owner = info->subject;
        *label = arena_fmt(c->a, SIGN_VENDOR_LABEL, hex);
        return OK;
    }
    if (strcmp(c->purpose, "PushKey") != 0)
        return err_set(err, INVALID, "a key is adopted as PushKey or VendorKey");
    if (!info->topic[0])
        return err_set(err, INVALID, "the certificate's subject has no UID: it has no topic");
    c->owner = info->topic;
    *label = arena_fmt(c->a, "PushKey:%s", info->topic);
    return OK;
}

enum outcome signer_op_key_adopt(struct call *c, struct err *err)
{
    struct pkey *key = NULL;
    struct cert_info info;
    const char *label = NULL;
    c->purpose = sign_get_str(&c->in, c->a);
    struct bytes sealed = sign_get_bytes(&c->in), cert = sign_get_bytes(&c->in);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    enum outcome o = cert_info_read(c->a, cert, &info, err);
    if (o == OK)
        o = final_label(c, &info, &label, err);
    if (o == OK)
        o = key_open(c, waiting_label(c->a, info.key_sha256), sealed, &key, err);
    if (o == OK)
        o = pkey_matches(key, cert, err);
    if (o == OK)
        o = key_seal(c, key, label, err);
    pkey_free(&key);
    return o;
}

enum outcome signer_op_vendor_sign(struct call *c, struct err *err)
{
    struct buf signature = BUF_INIT(LIM_KB);
    struct pkey *key = NULL;
    struct cert_info info;
    struct csr_info request;
    const char *label = NULL;
    struct bytes sealed = sign_get_bytes(&c->in), cert = sign_get_bytes(&c->in);
    struct bytes csr = sign_get_bytes(&c->in);
    const char *digest = sign_get_str(&c->in, c->a);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    c->purpose = "VendorKey";
    enum outcome o = cert_info_read(c->a, cert, &info, err);
    if (o == OK)
        o = csr_read(c->a, csr, &request, err);
    if (o == OK)
        o = final_label(c, &info, &label, err);
    if (o == OK)
        o = key_open(c, label, sealed, &key, err);
    if (o == OK)
        o = pkey_matches(key, cert, err);
    if (o == OK) {
        c->detail = request.subject;
        o = pkey_sign(key, digest, csr, &signature, err);
    }
    if (o == OK)
        sign_put_bytes(c->out, buf_bytes(&signature));
    buf_free(&signature);
    pkey_free(&key);
    return o;
}
