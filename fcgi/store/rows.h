/* rows.h: what goes to the database and comes from it: values, statements, rows. */
#ifndef DROVER_STORE_ROWS_H
#define DROVER_STORE_ROWS_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

enum val_type { VAL_NULL, VAL_INT, VAL_STR, VAL_BIN };

/* A value: an argument or a column. Text is UTF-8 (utf8mb4), NUL-terminated in results. */
struct val {
    enum val_type type;
    bool secret;   /* never in a log */
    int64_t i;     /* VAL_INT */
    const char *s; /* VAL_STR and VAL_BIN: n octets */
    size_t n;
};

static inline struct val val_null(void)
{
    return (struct val){.type = VAL_NULL};
}
static inline struct val val_int(int64_t i)
{
    return (struct val){.type = VAL_INT, .i = i};
}
/* NULL becomes SQL NULL. */
static inline struct val val_str(const char *s)
{
    return s ? (struct val){.type = VAL_STR, .s = s, .n = strlen(s)} : val_null();
}
static inline struct val val_strn(const char *s, size_t n)
{
    return s ? (struct val){.type = VAL_STR, .s = s, .n = n} : val_null();
}
/* A NULL pointer becomes SQL NULL. */
static inline struct val val_bin(struct bytes b)
{
    return b.p ? (struct val){.type = VAL_BIN, .s = (const char *)b.p, .n = b.n} : val_null();
}
static inline struct val val_secret(struct bytes b)
{
    struct val v = val_bin(b);
    v.secret = true;
    return v;
}
static inline bool val_is_null(const struct val *v)
{
    return v->type == VAL_NULL;
}
/* The number; 0 when it is NULL. v may be NULL too. */
static inline int64_t val_or_0(const struct val *v)
{
    return v == NULL || val_is_null(v) ? 0 : v->i;
}
/* The text; "" when it is NULL. */
static inline const char *val_text(const struct val *v)
{
    return val_is_null(v) ? "" : v->s;
}
/* An id, 0 as NULL. */
static inline struct val val_id(int64_t id)
{
    return id != 0 ? val_int(id) : val_null();
}
/* How many rows a list may have: as many as are asked for, a page at most. */
static inline struct val val_page(size_t max)
{
    return val_int((int64_t)(max < LIM_PAGE ? max : LIM_PAGE));
}
/* The first `chars` characters of s: what a column of that width takes. NULL becomes SQL NULL. */
static inline struct val val_cut(const char *s, size_t chars)
{
    return s != NULL ? val_strn(s, utf8_prefix(s, chars)) : val_null();
}
static inline struct bytes val_bytes(const struct val *v)
{
    return bytes_of(v->s, v->n);
}

/* A statement. `text` may hold "%IN%", which db_select_in() and db_exec_in() replace by a list of
 * placeholders; `tuple` is then how many values one element has (0 and 1: "?", 2: "(?,?)"). It may
 * hold several, with no other arguments between them: each is a list of as many elements. */
struct sql {
    const char *name; /* for logs */
    const char *text;
    unsigned tuple;
};

struct rows {
    size_t n;
    size_t cols;
    struct val *v; /* n * cols, row by row */
};

static inline struct val *row_at(const struct rows *r, size_t row, size_t col)
{
    return &r->v[row * r->cols + col];
}

/* Whose account a connection uses. */
enum db_role { DB_MDM, DB_CONSOLE, DB_AGENT, DB_OWNER };

#endif
