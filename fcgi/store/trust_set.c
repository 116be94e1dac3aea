/* trust_set.c: see trust_set.h. */
#include "store/trust_set.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/limits.h"
#include "wire/sign.h"

#define REFRESH_ARENA (64u * LIM_MB) /* for all revocation lists */

static const struct sql TRUST_VERSION = {.name = "trust_version",
                                         .text = "SELECT version FROM site WHERE name = 'trust'"};

struct trust_set {
    pthread_rwlock_t lock;
    struct trust *trust; /* NULL until it was made once */
    int64_t version;
    uint64_t generation;
};

struct trust_set *trust_set_new(void)
{
    struct trust_set *t = calloc(1, sizeof *t);
    if (t)
        pthread_rwlock_init(&t->lock, NULL);
    return t;
}

void trust_set_free(struct trust_set **t)
{
    if (!*t)
        return;
    trust_free(&(*t)->trust);
    pthread_rwlock_destroy(&(*t)->lock);
    free(*t);
    *t = NULL;
}

static enum outcome add_lists(struct db *db, struct arena *a, struct trust *t, struct err *err)
{
    struct trust_crl *list;
    size_t n;
    enum outcome o = trust_crl_list(db, a, &list, &n, err);
    for (size_t i = 0; o == OK && i < n; i++)
        if ((o = trust_add_crl(t, list[i].crl, err)) != OK)
            err_prefix(err, "revocation list of \"%s\"", list[i].subject);
    return o;
}

static enum outcome trust_set_make(struct db *db, struct arena *a, struct trust **out,
                                   struct err *err)
{
    struct sign_authority own[SIGN_AUTHORITIES_MAX];
    struct trust_ca *list;
    size_t n, k = 0;
    struct trust *t = NULL;
    enum outcome o = trust_new(&t, err);
    if (o == OK)
        o = sign_authorities(a, own, &k, err);
    for (size_t i = 0; o == OK && i < k; i++) /* the one before and the next one too */
        o = trust_add(t, own[i].ca_der, err);
    if (o == OK)
        o = trust_ca_list(db, a, &list, &n, err);
    for (size_t i = 0; o == OK && i < n; i++)
        if ((o = trust_add(t, list[i].der, err)) != OK)
            err_prefix(err, "trusted CA \"%s\"", list[i].subject);
    if (o == OK)
        o = add_lists(db, a, t, err);
    if (o != OK)
        trust_free(&t);
    *out = t;
    return o;
}

void trust_set_install(struct trust_set *t, struct trust **fresh, int64_t version)
{
    pthread_rwlock_wrlock(&t->lock);
    struct trust *old = t->trust;
    t->trust = *fresh;
    t->version = version;
    t->generation++;
    pthread_rwlock_unlock(&t->lock);
    *fresh = NULL;
    trust_free(&old);
}

enum outcome trust_set_refresh(struct trust_set *t, struct db *db, struct err *err)
{
    struct rows r;
    struct trust *fresh = NULL;
    struct arena *a = arena_new(REFRESH_ARENA);
    if (!a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = db_select(db, &TRUST_VERSION, NULL, 0, a, &r, err);
    if (o == OK && r.n != 1)
        o = err_set(err, ERROR, "table site has no row 'trust': run droverctl migrate");
    if (o != OK)
        goto out;
    int64_t version = row_at(&r, 0, 0)->i;
    if (trust_set_generation(t) && version == t->version) /* only this function writes version */
        goto out;
    o = trust_set_make(db, a, &fresh, err);
    if (o != OK)
        goto out;
    trust_set_install(t, &fresh, version);
out:
    arena_free(&a);
    return o;
}

uint64_t trust_set_generation(struct trust_set *t)
{
    pthread_rwlock_rdlock(&t->lock);
    uint64_t g = t->generation;
    pthread_rwlock_unlock(&t->lock);
    return g;
}

enum outcome trust_set_check(struct trust_set *t, struct bytes der, const struct bytes *chain,
                             size_t nchain, int64_t now, enum trust_verdict *verdict,
                             const char **why, struct err *err)
{
    enum outcome o = OK;
    pthread_rwlock_rdlock(&t->lock);
    if (t->trust)
        *verdict = trust_check(t->trust, der, chain, nchain, now, why);
    else
        o = err_set(err, UNAVAILABLE, "the trusted CAs could not be read yet");
    pthread_rwlock_unlock(&t->lock);
    return o;
}
