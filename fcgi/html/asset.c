/* asset.c: see asset.h. */
#include "html/asset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "wire/encode.h"

#define ASSET_MAX (512u * LIM_KB)
#define DIGITS 12

enum outcome asset_read(const char *share, const char *stem, const char *extension,
                        const char *type, const char *prefix, struct asset *out, struct err *err)
{
    char path[4096], hex[SHA256_HEX_LEN + 1];
    snprintf(path, sizeof path, "%s/htdocs/%s.%s", share, stem, extension);
    *out = (struct asset){.type = type};
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, ERROR, "%s: %s; [server] share_dir names its folder", path,
                       strerror(errno));
    out->data = malloc(ASSET_MAX);
    out->n = out->data ? fread(out->data, 1, ASSET_MAX, f) : 0;
    bool whole = out->data && !ferror(f) && out->n < ASSET_MAX;
    fclose(f);
    if (!whole)
        return err_set(err, ERROR, "%s: cannot be read, or is too long", path);
    char *less = realloc(out->data, out->n ? out->n : 1);
    out->data = less ? less : out->data;
    sha256_hex(bytes_of(out->data, out->n), hex);
    snprintf(out->url, sizeof out->url, "%s/%s.%.*s.%s", prefix, stem, DIGITS, hex, extension);
    return OK;
}

void asset_free(struct asset *a)
{
    free(a->data);
    *a = (struct asset){0};
}
