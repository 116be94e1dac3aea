/* cms_certs.c: see cms_certs.h. */
#include "wire/cms_certs.h"

#include "wire/encode.h"

#include <openssl/asn1.h>
#include <pthread.h>

#define SETS 256
#define WAYS 2
#define KEEP_MAX 4096 /* octets of certificates worth remembering */

/* ---- splitting ---- */

struct tlv {
    const uint8_t *start, *value, *end;
};

/* Reads the element at p, which must end at or before `end`, with a definite length. */
static bool tlv_read(const uint8_t *p, const uint8_t *end, int want_class, int want_tag,
                     struct tlv *out)
{
    const unsigned char *value = p;
    long len = 0;
    int tag = 0, class = 0, flags;

    if (p >= end)
        return false;
    flags = ASN1_get_object(&value, &len, &tag, &class, end - p);
    if (flags & 0x81 || class != want_class || tag != want_tag || len > end - value)
        return false;
    *out = (struct tlv){p, value, value + len};
    return true;
}

static void put_header(struct buf *b, int class, int tag, size_t len)
{
    unsigned char head[16], *p = head;

    ASN1_put_object(&p, 1, (int)len, tag, class);
    buf_add(b, head, (size_t)(p - head));
}

static size_t sized(int tag, size_t len)
{
    return (size_t)ASN1_object_size(1, (int)len, tag);
}

bool cms_certs_split(struct bytes der, struct cms_split *out)
{
    const uint8_t *end = der.p + der.n;
    struct tlv info, oid, wrap, data, version, digests, content, certs;
    size_t inner;

    out->rest = BUF_INIT(der.n + 16);
    if (der.n == 0 || der.n > (1u << 24) ||
        !tlv_read(der.p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &info) || info.end != end ||
        !tlv_read(info.value, info.end, V_ASN1_UNIVERSAL, V_ASN1_OBJECT, &oid) ||
        !tlv_read(oid.end, info.end, V_ASN1_CONTEXT_SPECIFIC, 0, &wrap) || wrap.end != end ||
        !tlv_read(wrap.value, wrap.end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &data) ||
        data.end != end || !tlv_read(data.value, end, V_ASN1_UNIVERSAL, V_ASN1_INTEGER, &version) ||
        !tlv_read(version.end, end, V_ASN1_UNIVERSAL, V_ASN1_SET, &digests) ||
        !tlv_read(digests.end, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &content) ||
        !tlv_read(content.end, end, V_ASN1_CONTEXT_SPECIFIC, 0, &certs))
        return false;
    out->certs = bytes_of(certs.value, (size_t)(certs.end - certs.value));
    inner = (size_t)(certs.start - data.value) + (size_t)(end - certs.end);
    put_header(&out->rest, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE,
               (size_t)(oid.end - oid.start) + sized(0, sized(V_ASN1_SEQUENCE, inner)));
    buf_add(&out->rest, oid.start, (size_t)(oid.end - oid.start));
    put_header(&out->rest, V_ASN1_CONTEXT_SPECIFIC, 0, sized(V_ASN1_SEQUENCE, inner));
    put_header(&out->rest, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, inner);
    buf_add(&out->rest, data.value, (size_t)(certs.start - data.value));
    buf_add(&out->rest, certs.end, (size_t)(end - certs.end));
    if (!buf_failed(&out->rest))
        return true;
    buf_free(&out->rest);
    return false;
}

/* ---- remembering ---- */

struct entry {
    uint8_t key[SHA256_LEN];
    STACK_OF(X509) * stack; /* NULL: free */
    uint64_t used;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry table[SETS][WAYS];
static uint64_t clock_ticks;

static struct entry *set_of(const uint8_t key[SHA256_LEN])
{
    return table[(key[0] | key[1] << 8) % SETS];
}

STACK_OF(X509) * cms_certs_find(struct bytes certs)
{
    STACK_OF(X509) *found = NULL;
    uint8_t key[SHA256_LEN];
    struct entry *e;

    if (certs.n > KEEP_MAX)
        return NULL;
    sha256(certs, key);
    pthread_mutex_lock(&lock);
    e = set_of(key);
    for (int i = 0; i < WAYS; i++) {
        if (e[i].stack == NULL || memcmp(e[i].key, key, sizeof(key)) != 0)
            continue;
        found = X509_chain_up_ref(e[i].stack);
        e[i].used = ++clock_ticks;
        break;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void cms_certs_keep(struct bytes certs, STACK_OF(X509) * stack)
{
    STACK_OF(X509) * mine, *old;
    uint8_t key[SHA256_LEN];
    struct entry *e, *victim;

    if (certs.n > KEEP_MAX || (mine = X509_chain_up_ref(stack)) == NULL)
        return;
    sha256(certs, key);
    pthread_mutex_lock(&lock);
    e = victim = set_of(key);
    for (int i = 0; i < WAYS; i++) {
        if (e[i].stack != NULL && memcmp(e[i].key, key, sizeof(key)) == 0) {
            victim = &e[i];
            break;
        }
        if (e[i].used < victim->used)
            victim = &e[i];
    }
    old = victim->stack;
    memcpy(victim->key, key, sizeof(key));
    victim->stack = mine;
    victim->used = ++clock_ticks;
    pthread_mutex_unlock(&lock);
    sk_X509_pop_free(old, X509_free);
}
