/* known.c: fixed tables; nothing is allocated after the start. */
#include "route/known.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "wire/encode.h"

#define WAYS 8u
#define CERT_SETS 1024u /* 8192 certificates */
#define CERT_AGE (10 * MINUTE_US)
#define FAIL_SETS 256u
#define FAIL_BURST 10
#define FAIL_REFILL (6 * SECOND_US)

struct cert_entry {
    uint8_t key[CERT_SHA256_LEN];
    struct known_cert cert;
    uint64_t generation; /* 0: empty */
    int64_t since, used;
};

struct known_certs {
    pthread_mutex_t lock;
    struct cert_entry set[CERT_SETS][WAYS];
};

struct known_certs *known_certs_new(void)
{
    struct known_certs *k = calloc(1, sizeof *k);
    if (k)
        pthread_mutex_init(&k->lock, NULL);
    return k;
}

void known_certs_free(struct known_certs **k)
{
    if (!*k)
        return;
    pthread_mutex_destroy(&(*k)->lock);
    free(*k);
    *k = NULL;
}

/* A digest is as good as random: its first octets choose the set. */
static struct cert_entry *cert_set(struct known_certs *k, const uint8_t key[CERT_SHA256_LEN])
{
    return k->set[(key[0] | (unsigned)key[1] << 8) % CERT_SETS];
}

bool known_certs_find(struct known_certs *k, const uint8_t key[CERT_SHA256_LEN],
                      uint64_t generation, int64_t now, struct known_cert *out)
{
    struct cert_entry *set = cert_set(k, key);
    bool found = false;
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < WAYS && !found; i++) {
        struct cert_entry *e = &set[i];
        if (e->generation == generation && generation && now - e->since < CERT_AGE &&
            memcmp(e->key, key, CERT_SHA256_LEN) == 0) {
            e->used = now;
            *out = e->cert;
            found = true;
        }
    }
    pthread_mutex_unlock(&k->lock);
    return found;
}

void known_certs_put(struct known_certs *k, const uint8_t key[CERT_SHA256_LEN], uint64_t generation,
                     int64_t now, const struct known_cert *cert)
{
    struct cert_entry *set = cert_set(k, key);
    pthread_mutex_lock(&k->lock);
    struct cert_entry *place = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (memcmp(set[i].key, key, CERT_SHA256_LEN) == 0) {
            place = &set[i];
            break;
        }
        if (set[i].used < place->used)
            place = &set[i];
    }
    memcpy(place->key, key, CERT_SHA256_LEN);
    place->cert = *cert;
    place->generation = generation;
    place->since = place->used = now;
    pthread_mutex_unlock(&k->lock);
}

/* A leaky bucket: `level` is when it will be empty again. */
struct fail_entry {
    uint8_t key[8];
    int64_t empty_at;
};

struct known_failures {
    pthread_mutex_t lock;
    uint8_t secret[16]; /* so that nobody chooses whose neighbour he is */
    struct fail_entry set[FAIL_SETS][WAYS];
};

struct known_failures *known_failures_new(void)
{
    struct known_failures *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    pthread_mutex_init(&k->lock, NULL);
    random_bytes(k->secret, sizeof k->secret);
    return k;
}

void known_failures_free(struct known_failures **k)
{
    if (!*k)
        return;
    pthread_mutex_destroy(&(*k)->lock);
    free(*k);
    *k = NULL;
}

/* The address's entry or, when it has none, the one that is or will be empty first. */
static struct fail_entry *fail_find(struct known_failures *k, const char *addr, uint8_t key[8],
                                    bool *found)
{
    uint8_t digest[SHA256_LEN];
    hmac_sha256(bytes_of(k->secret, sizeof k->secret), bytes_str(addr), digest);
    memcpy(key, digest, 8);
    struct fail_entry *set = k->set[digest[8] % FAIL_SETS], *place = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (memcmp(set[i].key, key, 8) == 0) {
            *found = true;
            return &set[i];
        }
        if (set[i].empty_at < place->empty_at)
            place = &set[i];
    }
    *found = false;
    return place;
}

void known_failures_add(struct known_failures *k, const char *addr, int64_t now)
{
    uint8_t key[8];
    bool found;
    pthread_mutex_lock(&k->lock);
    struct fail_entry *e = fail_find(k, addr, key, &found);
    if (!found || e->empty_at < now)
        e->empty_at = now;
    memcpy(e->key, key, 8);
    e->empty_at += FAIL_REFILL;
    pthread_mutex_unlock(&k->lock);
}

unsigned known_failures_wait(struct known_failures *k, const char *addr, int64_t now)
{
    uint8_t key[8];
    bool found;
    pthread_mutex_lock(&k->lock);
    const struct fail_entry *e = fail_find(k, addr, key, &found);
    int64_t over = found ? e->empty_at - now - FAIL_BURST * FAIL_REFILL : -1;
    pthread_mutex_unlock(&k->lock);
    return over < 0 ? 0 : (unsigned)(over / SECOND_US) + 1;
}
