/*
 * multipart.h: the body of a form with files, multipart/form-data (RFC 7578, RFC 2046 section 5.1),
 * as browsers send it.
 */
#ifndef DROVER_HTTP_MULTIPART_H
#define DROVER_HTTP_MULTIPART_H

#include "base/arena.h"

#define MULTIPART_PARTS_MAX 4096u

struct part {
    const char *name;
    const char *filename; /* without folders; NULL: not a file */
    const char *text;     /* the value of a part that is no file; NULL: it holds a NUL */
    struct bytes body;    /* the octets, within the body that was read */
};

/* Splits a body. content_type: the header, which names the boundary. *parts is in the arena; their
 * bodies live as long as body. A part without a name is left out. INVALID: no boundary, a part that
 * does not end, more than MULTIPART_PARTS_MAX of them; ERROR: memory. */
enum outcome multipart_read(struct arena *a, const char *content_type, struct bytes body,
                            struct part **parts, size_t *n, struct err *err) MUST_USE;

#endif
