/*
 * seal.c: secrets at rest.
 *
 * A sealed value is: 1 octet version (1), 32 octets ephemeral X25519 public key, 16 random octets,
 * the ciphertext, 16 octets GCM tag. Key and nonce come from HKDF-SHA256 over the shared secret,
 * salted with both public keys and the random octets, with the label as info; the header and the
 * label are authenticated as well.
 *
 * An ephemeral key serves all that a process seals within one second (making one and agreeing costs
 * 35 us, more than the rest of a TokenUpdate); the random octets make key and nonce of each value
 * its own. The private half is forgotten at once, the shared secret when the next one is made.
 */
#include <stdio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include "base/clock.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "wire/ossl.h"
#include "wire/seal.h"

#define SEAL_VERSION 1
#define TAG_LEN 16
#define RANDOM_LEN 16
#define HEAD_LEN (1 + SEAL_KEY_LEN + RANDOM_LEN)
_Static_assert(HEAD_LEN + TAG_LEN == SEAL_ADDED, "seal.h says how long a sealed value is");
#define SALT_LEN (2 * SEAL_KEY_LEN + RANDOM_LEN)
#define EPHEMERAL_US SECOND_US
#define AES_LEN 32
#define NONCE_LEN 12
#define OKM_LEN (AES_LEN + NONCE_LEN)

static enum outcome pair_of(EVP_PKEY *k, struct seal_pair *out, struct err *err)
{
    size_t pub = SEAL_KEY_LEN;
    size_t priv = SEAL_KEY_LEN;
    if (!k || !EVP_PKEY_get_raw_public_key(k, out->pub, &pub) ||
        !EVP_PKEY_get_raw_private_key(k, out->priv, &priv))
        return err_ossl(err, ERROR, "cannot make an X25519 key");
    return OK;
}

enum outcome seal_pair_new(struct seal_pair *out, struct err *err)
{
    EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    enum outcome o = pair_of(k, out, err);
    EVP_PKEY_free(k);
    return o;
}

static bool derive(EVP_PKEY *mine, EVP_PKEY *theirs, uint8_t shared[SEAL_KEY_LEN])
{
    size_t n = SEAL_KEY_LEN;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(mine, NULL);
    bool ok = ctx && EVP_PKEY_derive_init(ctx) > 0 && EVP_PKEY_derive_set_peer(ctx, theirs) > 0 &&
              EVP_PKEY_derive(ctx, shared, &n) > 0 && n == SEAL_KEY_LEN;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool hkdf(const uint8_t shared[SEAL_KEY_LEN], const uint8_t salt[SALT_LEN],
                 const char *label, uint8_t okm[OKM_LEN])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)shared, SEAL_KEY_LEN),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, SALT_LEN),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)label, strlen(label)),
        OSSL_PARAM_construct_end()};
    bool ok = ctx && EVP_KDF_derive(ctx, okm, OKM_LEN, params) > 0;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

/* The secret that our private half shares with the other's public half. */
static enum outcome agree(EVP_PKEY *mine, const uint8_t peer[SEAL_KEY_LEN],
                          uint8_t shared[SEAL_KEY_LEN], struct err *err)
{
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, SEAL_KEY_LEN);
    enum outcome o = OK;
    if (!mine || !theirs || !derive(mine, theirs, shared))
        o = err_ossl(err, DENIED, "no key can be agreed on");
    EVP_PKEY_free(theirs);
    return o;
}

/* Key and nonce of one value, from its header; the salt is ephemeral || recipient || random. */
static enum outcome okm_of(const uint8_t shared[SEAL_KEY_LEN], const uint8_t head[HEAD_LEN],
                           const uint8_t recipient[SEAL_KEY_LEN], const char *label,
                           uint8_t okm[OKM_LEN], struct err *err)
{
    uint8_t salt[SALT_LEN];
    memcpy(salt, head + 1, SEAL_KEY_LEN);
    memcpy(salt + SEAL_KEY_LEN, recipient, SEAL_KEY_LEN);
    memcpy(salt + 2 * SEAL_KEY_LEN, head + 1 + SEAL_KEY_LEN, RANDOM_LEN);
    return hkdf(shared, salt, label, okm) ? OK : err_ossl(err, ERROR, "no key can be derived");
}

/* The ephemeral key of this second. */
struct ephemeral {
    uint8_t recipient[SEAL_KEY_LEN], pub[SEAL_KEY_LEN], shared[SEAL_KEY_LEN];
    int64_t made; /* clock_mono(); 0: none */
};

static enum outcome ephemeral_new(const uint8_t recipient[SEAL_KEY_LEN], struct ephemeral *out,
                                  struct err *err)
{
    struct seal_pair pair = {0};
    EVP_PKEY *mine = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    enum outcome o = pair_of(mine, &pair, err);
    out->made = 0;
    if (o == OK)
        o = agree(mine, recipient, out->shared, err);
    if (o == OK) {
        memcpy(out->recipient, recipient, SEAL_KEY_LEN);
        memcpy(out->pub, pair.pub, SEAL_KEY_LEN);
        out->made = clock_mono();
    }
    EVP_PKEY_free(mine);
    OPENSSL_cleanse(&pair, sizeof pair);
    return o;
}

static enum outcome ephemeral_get(const uint8_t recipient[SEAL_KEY_LEN], struct ephemeral *out,
                                  struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct ephemeral now;
    enum outcome o = OK;
    pthread_mutex_lock(&lock);
    if (now.made == 0 || clock_mono() - now.made > EPHEMERAL_US ||
        memcmp(now.recipient, recipient, SEAL_KEY_LEN) != 0)
        o = ephemeral_new(recipient, &now, err);
    *out = now;
    pthread_mutex_unlock(&lock);
    return o;
}

static bool gcm(bool encrypt, const uint8_t okm[OKM_LEN], const uint8_t head[HEAD_LEN],
                const char *label, struct bytes in, uint8_t *out, uint8_t tag[TAG_LEN])
{
    int n = 0;
    int on = encrypt ? 1 : 0;
    uint8_t unused[TAG_LEN];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok = c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, okm, okm + AES_LEN, on) &&
              EVP_CipherUpdate(c, NULL, &n, head, HEAD_LEN) &&
              EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)label, (int)strlen(label));
    if (ok && !encrypt)
        ok = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag);
    if (ok && in.n)
        ok = EVP_CipherUpdate(c, out, &n, in.p, (int)in.n);
    ok = ok && EVP_CipherFinal_ex(c, unused, &n) > 0;
    if (ok && encrypt)
        ok = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag);
    EVP_CIPHER_CTX_free(c);
    return ok;
}

static enum outcome seal_any(const uint8_t pub[SEAL_KEY_LEN], const char *label,
                             struct bytes secret, size_t max, struct buf *out, struct err *err)
{
    if (secret.n > max)
        return err_set(err, INVALID, "a secret of %zu octets, at most %zu are kept", secret.n, max);
    struct ephemeral eph = {.made = 0};
    uint8_t okm[OKM_LEN];
    uint8_t head[HEAD_LEN] = {SEAL_VERSION};
    uint8_t tag[TAG_LEN];
    enum outcome o = ephemeral_get(pub, &eph, err);
    memcpy(head + 1, eph.pub, SEAL_KEY_LEN);
    random_bytes(head + 1 + SEAL_KEY_LEN, RANDOM_LEN);
    if (o == OK)
        o = okm_of(eph.shared, head, pub, label, okm, err);
    if (o != OK)
        goto out;
    uint8_t *room = (uint8_t *)buf_room(out, HEAD_LEN + secret.n + TAG_LEN);
    if (!room) {
        o = err_set(err, ERROR, "no room for a sealed secret of %zu octets", secret.n);
        goto out;
    }
    memcpy(room, head, HEAD_LEN);
    if (!gcm(true, okm, head, label, secret, room + HEAD_LEN, tag)) {
        o = err_ossl(err, ERROR, "cannot encrypt");
        goto out;
    }
    memcpy(room + HEAD_LEN + secret.n, tag, TAG_LEN);
    buf_grew(out, HEAD_LEN + secret.n + TAG_LEN);
out:
    OPENSSL_cleanse(&eph, sizeof eph);
    OPENSSL_cleanse(okm, sizeof okm);
    return o;
}

enum outcome seal(const uint8_t pub[SEAL_KEY_LEN], const char *label, struct bytes secret,
                  struct buf *out, struct err *err)
{
    return seal_any(pub, label, secret, LIM_SECRET, out, err);
}

enum outcome seal_file(const uint8_t pub[SEAL_KEY_LEN], const char *label, struct bytes file,
                       struct buf *out, struct err *err)
{
    return seal_any(pub, label, file, LIM_PROFILE, out, err);
}

enum outcome seal_open(const struct seal_pair *pair, const char *label, struct bytes sealed,
                       struct buf *out, struct err *err)
{
    if (sealed.n < HEAD_LEN + TAG_LEN || sealed.n > LIM_PROFILE + HEAD_LEN + TAG_LEN ||
        sealed.p[0] != SEAL_VERSION)
        return err_set(err, DENIED, "these %zu octets are no sealed secret", sealed.n);
    uint8_t okm[OKM_LEN];
    uint8_t tag[TAG_LEN];
    size_t n = sealed.n - HEAD_LEN - TAG_LEN;
    memcpy(tag, sealed.p + HEAD_LEN + n, TAG_LEN);
    EVP_PKEY *mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, pair->priv, SEAL_KEY_LEN);
    uint8_t shared[SEAL_KEY_LEN] = {0};
    enum outcome o = agree(mine, sealed.p + 1, shared, err);
    if (o == OK)
        o = okm_of(shared, sealed.p, pair->pub, label, okm, err);
    if (o != OK)
        goto out;
    uint8_t *room = (uint8_t *)buf_room(out, n + 1);
    if (!room) {
        o = err_set(err, ERROR, "no room for a secret of %zu octets", n);
    } else if (!gcm(false, okm, sealed.p, label, bytes_of(sealed.p + HEAD_LEN, n), room, tag)) {
        OPENSSL_cleanse(room, n);
        o = err_ossl(err, DENIED, "sealed to another key, for another label, or altered");
    } else {
        buf_grew(out, n);
    }
out:
    EVP_PKEY_free(mine);
    OPENSSL_cleanse(shared, sizeof shared);
    OPENSSL_cleanse(okm, sizeof okm);
    return o;
}

enum outcome seal_public_load(const char *signer_dir, uint8_t pub[SEAL_KEY_LEN], struct err *err)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/seal.pub", signer_dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ERROR, "the path of the signer's folder is too long");
    FILE *f = fopen(path, "rbe");
    if (!f)
        return err_set(err, ERROR, "%s: %m (made by \"droverctl ca init\")", path);
    uint8_t read[SEAL_KEY_LEN + 1];
    size_t got = fread(read, 1, sizeof read, f);
    fclose(f);
    if (got != SEAL_KEY_LEN)
        return err_set(err, ERROR, "%s: %zu octets, a key has %d", path, got, SEAL_KEY_LEN);
    memcpy(pub, read, SEAL_KEY_LEN);
    return OK;
}
