/* asset.c: see asset.h. */
#include "html/asset.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "wire/encode.h"
#include "wire/gzip.h"

#define ASSET_MAX (512u * LIM_KB)
#define DIGITS 12

static enum outcome pack(struct asset *a, struct err *err)
{
    struct buf b = BUF_INIT(ASSET_MAX);
    enum outcome o = gzip_pack(bytes_of(a->data, a->n), &b, err);
    if (o == OK && b.len > 0 && b.len < a->n && (a->packed = malloc(b.len))) {
        memcpy(a->packed, b.data, b.len);
        a->npacked = b.len;
    }
    buf_free(&b);
    return o;
}

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
    return pack(out, err);
}

/* Is the coding among those that are taken (RFC 9110, section 12.5.3)? "gzip;q=0" is not. */
static bool takes(const char *said, const char *coding)
{
    size_t n = strlen(coding);
    while (said && *said) {
        said += strspn(said, " \t,");
        size_t len = strcspn(said, ",");
        if (len >= n && strncasecmp(said, coding, n) == 0 && !isalnum((unsigned char)said[n])) {
            const char *q = memchr(said, ';', len);
            q = q ? q + 1 + strspn(q + 1, " \t") : NULL;
            return !q || strncasecmp(q, "q=", 2) != 0 || strtod(q + 2, NULL) > 0;
        }
        said += len;
    }
    return false;
}

struct bytes asset_body(const struct asset *a, const char *accept_encoding, bool *packed)
{
    *packed = a->packed && takes(accept_encoding, "gzip");
    return *packed ? bytes_of(a->packed, a->npacked) : bytes_of(a->data, a->n);
}

void asset_free(struct asset *a)
{
    free(a->data);
    free(a->packed);
    *a = (struct asset){0};
}
