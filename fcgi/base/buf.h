/*
 * buf.h: the one growing buffer. It has a ceiling, always ends in a NUL that its length does not
 * count, and remembers a failure: add freely, ask once with buf_failed().
 */
#ifndef DROVER_BASE_BUF_H
#define DROVER_BASE_BUF_H

#include "base/bytes.h"
#include "base/err.h"
#include <stdarg.h>

struct buf {
    char *data; /* NULL until something was added; NUL-terminated then */
    size_t len;
    size_t cap;
    size_t max; /* len never exceeds it */
    bool failed;
};

#define BUF_INIT(ceiling) ((struct buf){.max = (ceiling)})

/* Makes b an empty buffer with that ceiling. */
void buf_init(struct buf *b, size_t max);
/* Adds; past the ceiling or out of memory the buffer is marked failed and keeps what it had. */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vfmt(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* Makes room for n more octets and returns where they go, or NULL (failed); then count them with
 * buf_grew(). */
char *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);
bool buf_failed(const struct buf *b);
struct bytes buf_bytes(const struct buf *b);
/* The content as a string, "" when empty. Valid until the next change. */
const char *buf_cstr(const struct buf *b);
/* Empties it and keeps the memory. */
void buf_clear(struct buf *b);
/* Frees the memory; buf_wipe overwrites it first. Both leave an empty buffer with its ceiling. */
void buf_free(struct buf *b);
void buf_wipe(struct buf *b);

#endif
