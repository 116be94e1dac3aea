/* bodies.c: see bodies.h. */
#include "store/bodies.h"

#include "base/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct sql BODIES = {"command_bodies",
                                  "SELECT id, uuid, request_type, fill, body, fill_from, sealed "
                                  "FROM command FORCE INDEX (PRIMARY) WHERE id IN (%IN%)",
                                  1};

/* What is kept: so many, of at most this size each. */
#define KEPT_MAX 32
#define KEPT_OCTETS (16 * LIM_KB)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept {
    struct arena *arena; /* of the body; NULL: the place is free */
    struct body body;
    uint64_t used;
} kept[KEPT_MAX];
static uint64_t uses;

/* A copy of it in the arena; false: out of memory. */
static bool body_copy(const struct body *from, struct arena *a, struct body *to)
{
    *to = *from;
    to->uuid = arena_strdup(a, from->uuid);
    to->request_type = arena_strdup(a, from->request_type);
    to->body = arena_bytes(a, from->body);
    to->sealed = arena_bytes(a, from->sealed);
    return to->uuid != NULL && to->request_type != NULL && to->body.p != NULL &&
           (to->sealed.p != NULL || from->sealed.n == 0);
}

/* Lock held. */
static struct kept *kept_find(int64_t id)
{
    for (size_t i = 0; i < KEPT_MAX; i++)
        if (kept[i].arena != NULL && kept[i].body.command_id == id)
            return &kept[i];
    return NULL;
}

/* The place that is free, or was not asked for the longest; lock held. */
static struct kept *kept_place(void)
{
    struct kept *old = kept;

    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (kept[i].arena == NULL)
            return &kept[i];
        if (kept[i].used < old->used)
            old = &kept[i];
    }
    return old;
}

/* Keeping is a convenience: without memory for it the next delivery reads again. */
static void keep(const struct body *b)
{
    struct arena *a;
    struct kept *k;

    if (b->body.n + b->sealed.n > KEPT_OCTETS || (a = arena_new(2 * KEPT_OCTETS)) == NULL)
        return;
    pthread_mutex_lock(&lock);
    k = kept_find(b->command_id) == NULL ? kept_place() : NULL;
    if (k != NULL) {
        arena_free(&k->arena);
        if (body_copy(b, a, &k->body)) {
            k->arena = a;
            k->used = ++uses;
            a = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    arena_free(&a);
}

static bool take_kept(int64_t id, struct arena *a, struct body *out)
{
    struct kept *k;
    bool has;

    pthread_mutex_lock(&lock);
    k = kept_find(id);
    has = k != NULL && body_copy(&k->body, a, out);
    if (has)
        k->used = ++uses;
    pthread_mutex_unlock(&lock);
    return has;
}

static struct body body_of(const struct val *v)
{
    return (struct body){.command_id = v[0].i,
                         .uuid = v[1].s,
                         .request_type = v[2].s,
                         .fill = v[3].i,
                         .body = val_bytes(&v[4]),
                         .fill_from = val_or_0(&v[5]),
                         .sealed = val_bytes(&v[6])};
}

enum outcome bodies_get(struct db *db, const int64_t *ids, size_t n, struct arena *a,
                        struct body *out, struct err *err)
{
    struct val list[LIM_BATCH];
    size_t missing = 0;
    struct rows r;
    enum outcome o;

    if (n > LIM_BATCH)
        return err_set(err, ERROR, "bodies_get: %zu at once", n);
    for (size_t i = 0; i < n; i++) {
        if (take_kept(ids[i], a, &out[i]))
            continue;
        out[i] = (struct body){0};
        list[missing++] = val_int(ids[i]);
    }
    if (missing == 0)
        return OK;
    if ((o = db_select_in(db, &BODIES, NULL, 0, list, missing, NULL, 0, a, &r, err)) != OK)
        return o;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < r.n && out[i].command_id == 0; j++)
            if (row_at(&r, j, 0)->i == ids[i]) {
                out[i] = body_of(row_at(&r, j, 0));
                keep(&out[i]);
            }
        if (out[i].command_id == 0)
            return err_set(err, ERROR, "command %lld has no row", (long long)ids[i]);
    }
    return OK;
}
