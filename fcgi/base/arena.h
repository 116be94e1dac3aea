/*
 * arena.h: memory that is freed all at once: one arena per request. Not for use by two threads at
 * the same time.
 */
#ifndef DROVER_BASE_ARENA_H
#define DROVER_BASE_ARENA_H

#include "base/bytes.h"
#include "base/err.h"

struct arena;

/* A new arena that hands out at most `ceiling` bytes between resets, or NULL (out of memory). */
struct arena *arena_new(size_t ceiling);
/* n zeroed bytes, aligned for any type, or NULL past the ceiling. n may be 0. */
void *arena_alloc(struct arena *a, size_t n) MUST_USE;
/* count * size zeroed bytes; NULL on overflow too. */
void *arena_array(struct arena *a, size_t count, size_t size) MUST_USE;
char *arena_strdup(struct arena *a, const char *s) MUST_USE;
/* n octets and a NUL. */
char *arena_strndup(struct arena *a, const char *s, size_t n) MUST_USE;
char *arena_fmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;
/* A copy of b's octets, NUL-terminated beyond the count. p is NULL past the ceiling. */
struct bytes arena_bytes(struct arena *a, struct bytes b) MUST_USE;
/* Everything handed out becomes invalid. Memory beyond a first block goes back to the system;
 * with wipe, all of it is overwritten first. */
void arena_reset(struct arena *a);
void arena_wipe(struct arena *a);
/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *a);
void arena_free(struct arena **a);

#endif
