/* asset.h: a static file of pages. Its address holds a digest of its content, so that a browser
 * keeps it for a year and still sees a new version at once. */
#ifndef DROVER_HTML_ASSET_H
#define DROVER_HTML_ASSET_H

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>

struct asset {
    const char *type; /* Content-Type */
    char *data;
    size_t n;
    char *packed; /* the same, as gzip */
    size_t npacked;
    char url[80]; /* PREFIX/STEM.DIGEST.EXTENSION */
};

/* Reads SHARE/htdocs/STEM.EXTENSION. type and prefix live as long as the asset. ERROR: it cannot be
 * read. */
enum outcome asset_read(const char *share, const char *stem, const char *extension,
                        const char *type, const char *prefix, struct asset *out,
                        struct err *err) MUST_USE;
void asset_free(struct asset *a);
/* What is sent to a browser that says this in Accept-Encoding (NULL: nothing); *packed: as gzip. */
struct bytes asset_body(const struct asset *a, const char *accept_encoding, bool *packed);

#endif
