/* asset.h: a static file of pages. Its address holds a digest of its content, so that a browser
 * keeps it for a year and still sees a new version at once. */
#ifndef DROVER_HTML_ASSET_H
#define DROVER_HTML_ASSET_H

#include "base/err.h"

#include <stddef.h>

struct asset {
    const char *type; /* Content-Type */
    char *data;
    size_t n;
    char url[80]; /* PREFIX/STEM.DIGEST.EXTENSION */
};

/* Reads SHARE/htdocs/STEM.EXTENSION. type and prefix live as long as the asset. ERROR: it cannot be
 * read. */
enum outcome asset_read(const char *share, const char *stem, const char *extension,
                        const char *type, const char *prefix, struct asset *out,
                        struct err *err) MUST_USE;
void asset_free(struct asset *a);

#endif
