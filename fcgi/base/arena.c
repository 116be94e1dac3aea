/*
 * arena.c: blocks in a list, the newest first; the first block of all stays over a reset, so that
 * an ordinary request allocates nothing from the system.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_ALIGN _Alignof(max_align_t)
#define ARENA_FIRST ((size_t)16 * 1024)
#define ARENA_BLOCK_MAX ((size_t)1024 * 1024)

/* Under AddressSanitizer what was not handed out is poisoned, with a gap after each piece. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define ARENA_GAP ARENA_ALIGN
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define ARENA_GAP 0
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

struct block {
    struct block *older;
    size_t size; /* of data */
    size_t used;
    _Alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct block *newest;
    size_t ceiling;
    size_t handed; /* bytes handed out, rounded up to the alignment */
};

static struct block *block_new(size_t size)
{
    struct block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->older = NULL;
    b->size = size;
    b->used = 0;
    POISON(b->data, size);
    return b;
}

struct arena *arena_new(size_t ceiling)
{
    struct arena *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->ceiling = ceiling;
    a->newest = block_new(ARENA_FIRST);
    if (!a->newest) {
        free(a);
        return NULL;
    }
    return a;
}

/* A block with room for need bytes at its start, made the newest; NULL when out of memory. */
static struct block *arena_grow(struct arena *a, size_t need)
{
    size_t size = a->newest->size * 2;
    if (size > ARENA_BLOCK_MAX)
        size = ARENA_BLOCK_MAX;
    if (size < need)
        size = need;
    struct block *b = block_new(size);
    if (!b)
        return NULL;
    b->older = a->newest;
    a->newest = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > a->ceiling || a->handed > a->ceiling - n)
        return NULL;
    size_t step = (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (step == 0)
        step = ARENA_ALIGN; /* every piece has an address of its own */
    size_t need = step + ARENA_GAP;
    struct block *b = a->newest;
    if (b->size - b->used < need) {
        b = arena_grow(a, need);
        if (!b)
            return NULL;
    }
    void *p = b->data + b->used;
    b->used += need;
    a->handed += step;
    UNPOISON(p, n);
    memset(p, 0, n);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n))
        return NULL;
    return arena_alloc(a, n);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    if (n == SIZE_MAX)
        return NULL;
    char *p = arena_alloc(a, n + 1);
    if (p && n)
        memcpy(p, s, n);
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_fmt(struct arena *a, const char *fmt, ...)
{
    char small[256];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    char *p = NULL;
    if (n >= 0 && (size_t)n < sizeof small) {
        p = arena_strndup(a, small, (size_t)n);
    } else if (n >= 0) {
        p = arena_alloc(a, (size_t)n + 1);
        if (p)
            vsnprintf(p, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    va_end(ap);
    explicit_bzero(small, sizeof small); /* the arena may be one that is wiped */
    return p;
}

struct bytes arena_bytes(struct arena *a, struct bytes b)
{
    char *p = arena_strndup(a, (const char *)b.p, b.n);
    return bytes_of(p, p ? b.n : 0);
}

static void block_wipe(struct block *b)
{
    UNPOISON(b->data, b->size);
    explicit_bzero(b->data, b->used);
}

static void arena_drop(struct arena *a, bool wipe)
{
    while (a->newest->older) {
        struct block *b = a->newest;
        a->newest = b->older;
        if (wipe)
            block_wipe(b);
        UNPOISON(b->data, b->size);
        free(b);
    }
    if (wipe)
        block_wipe(a->newest);
    a->newest->used = 0;
    a->handed = 0;
    POISON(a->newest->data, a->newest->size);
}

void arena_reset(struct arena *a)
{
    arena_drop(a, false);
}

void arena_wipe(struct arena *a)
{
    arena_drop(a, true);
}

size_t arena_used(const struct arena *a)
{
    return a->handed;
}

void arena_free(struct arena **a)
{
    if (!*a)
        return;
    arena_drop(*a, false);
    UNPOISON((*a)->newest->data, (*a)->newest->size);
    free((*a)->newest);
    free(*a);
    *a = NULL;
}
