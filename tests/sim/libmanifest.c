/* libmanifest.c: see libmanifest.h. */
#include "libmanifest.h"

#include "base/limits.h"
#include "wire/encode.h"
#include "wire/plist.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct digests {
    const char *name;
    const EVP_MD *md;
    EVP_MD_CTX *ctx;
    int64_t part;   /* octets of each, but the last */
    int64_t inside; /* octets of the present one */
    size_t at, n;   /* which it is, and of how many */
    char **hex;
};

static void digests_free(struct digests **dp)
{
    struct digests *d = *dp;
    if (!d)
        return;
    *dp = NULL;
    for (size_t i = 0; i < d->n; i++)
        free(d->hex[i]);
    free(d->hex);
    EVP_MD_CTX_free(d->ctx);
    free(d);
}

void manifest_free(struct manifest **mp)
{
    struct manifest *m = *mp;
    if (!m)
        return;
    *mp = NULL;
    digests_free(&m->sha256);
    digests_free(&m->md5);
    free(m->bundle_id);
    free(m->version);
    free(m->url);
    free(m);
}

static void digests_restart(struct digests *d)
{
    d->at = 0;
    d->inside = 0;
    if (EVP_DigestInit_ex(d->ctx, d->md, NULL) != 1)
        abort();
}

void manifest_restart(struct manifest *m)
{
    if (m->sha256)
        digests_restart(m->sha256);
    if (m->md5)
        digests_restart(m->md5);
}

/* ------------------------------------------------------------------ reading */

static bool is_hex(const char *s, size_t n)
{
    return s && strlen(s) == n && strspn(s, "0123456789abcdefABCDEF") == n;
}

/* What an asset lists under "md5s" and "md5-size", or the like. */
static enum outcome digests_read(pl asset, const char *name, const EVP_MD *md, struct digests **out,
                                 struct err *err)
{
    char list_key[16], size_key[16];
    snprintf(list_key, sizeof list_key, "%ss", name);
    snprintf(size_key, sizeof size_key, "%s-size", name);
    pl list = pl_get(asset, list_key);
    int64_t part = 0;
    bool sized = pl_get_int(asset, size_key, &part);
    if (!list)
        return OK;
    size_t n = pl_size(list), digits = 2 * (size_t)EVP_MD_get_size(md);
    if (pl_type_of(list) != PL_ARRAY || n == 0 || (sized ? part <= 0 : n > 1))
        return err_set(err, INVALID, "its %s do not say what they are of", list_key);
    struct digests *d = calloc(1, sizeof *d);
    if (!d || !(d->hex = calloc(n, sizeof *d->hex)) || !(d->ctx = EVP_MD_CTX_new()))
        abort();
    d->name = name;
    d->md = md;
    d->part = sized ? part : INT64_MAX;
    *out = d;
    for (size_t i = 0; i < n; i++) {
        const char *hex = pl_str(pl_at(list, i));
        if (!is_hex(hex, digits))
            return err_set(err, INVALID, "one of its %s is none", list_key);
        if (!(d->hex[i] = strdup(hex)))
            abort();
        d->n++;
    }
    digests_restart(d);
    return OK;
}

static char *copy(const char *s)
{
    char *d = strdup(s ? s : "");
    if (!d)
        abort();
    return d;
}

static pl software_package(pl item)
{
    pl assets = pl_get(item, "assets");
    for (size_t i = 0; i < pl_size(assets); i++) {
        const char *kind = pl_get_str(pl_at(assets, i), "kind");
        if (kind && strcmp(kind, "software-package") == 0)
            return pl_at(assets, i);
    }
    return NULL;
}

static enum outcome item_read(pl item, struct manifest *m, int64_t *code, struct err *err)
{
    pl asset = software_package(item), about = pl_get(item, "metadata");
    const char *kind = pl_get_str(about, "kind"), *id = pl_get_str(about, "bundle-identifier");
    const char *url = pl_get_str(asset, "url");
    if (!asset || !url)
        return err_set(err, INVALID, "it names no software-package with its URL");
    if (!kind || strcmp(kind, "software") != 0 || !id || strlen(id) < 2)
        return err_set(err, INVALID, "its metadata are of no software");
    if (strncasecmp(url, "https://", 8) != 0) {
        *code = MDM_URL_IS_NOT_HTTPS;
        return err_set(err, INVALID, "the package's URL is not https");
    }
    m->bundle_id = copy(id);
    m->version = copy(pl_get_str(about, "bundle-version"));
    m->url = copy(url);
    enum outcome o = digests_read(asset, "sha256", EVP_sha256(), &m->sha256, err);
    return o == OK ? digests_read(asset, "md5", EVP_md5(), &m->md5, err) : o;
}

enum outcome manifest_read(struct bytes octets, struct manifest **out, int64_t *code,
                           struct err *err)
{
    struct manifest *m = calloc(1, sizeof *m);
    pl root = NULL;
    enum outcome o = m ? pl_parse(octets, &root, err) : err_set(err, ERROR, "out of memory");
    pl items = pl_get(root, "items");
    *code = MDM_INVALID_MANIFEST;
    if (o == OK && (pl_type_of(items) != PL_ARRAY || pl_size(items) == 0))
        o = err_set(err, INVALID, "it has no items");
    if (o == OK && pl_size(items) > 1) {
        *code = MDM_TOO_MANY_APPS;
        o = err_set(err, INVALID, "it has %zu items", pl_size(items));
    }
    if (o == OK)
        o = item_read(pl_at(items, 0), m, code, err);
    pl_free(&root);
    if (o != OK)
        manifest_free(&m);
    *out = m;
    return o == OK ? OK : INVALID;
}

/* ------------------------------------------------------------------ checking */

static enum outcome part_end(struct digests *d, struct err *err)
{
    uint8_t is[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;
    if (EVP_DigestFinal_ex(d->ctx, is, &n) != 1)
        return err_set(err, ERROR, "a digest could not be made");
    hex_encode(bytes_of(is, n), hex);
    if (d->at >= d->n)
        return err_set(err, INVALID, "the package is longer than its manifest says");
    if (strcasecmp(hex, d->hex[d->at]) != 0)
        return err_set(err, INVALID, "part %zu of the package does not have the %s of its manifest",
                       d->at + 1, d->name);
    d->at++;
    d->inside = 0;
    return EVP_DigestInit_ex(d->ctx, d->md, NULL) == 1 ? OK : err_set(err, ERROR, "no digest");
}

static enum outcome digests_check(struct digests *d, struct bytes b, struct err *err)
{
    enum outcome o = OK;
    while (d && o == OK && b.n > 0) {
        int64_t room = d->part - d->inside;
        size_t n = (int64_t)b.n < room ? b.n : (size_t)room;
        if (EVP_DigestUpdate(d->ctx, b.p, n) != 1)
            return err_set(err, ERROR, "a digest could not be made");
        d->inside += (int64_t)n;
        b = bytes_of(b.p + n, b.n - n);
        if (d->inside == d->part)
            o = part_end(d, err);
    }
    return o;
}

enum outcome manifest_check(struct manifest *m, struct bytes octets, struct err *err)
{
    enum outcome o = digests_check(m->sha256, octets, err);
    return o == OK ? digests_check(m->md5, octets, err) : o;
}

static enum outcome digests_end(struct digests *d, struct err *err)
{
    enum outcome o = d && d->inside > 0 ? part_end(d, err) : OK;
    if (o == OK && d && d->at < d->n)
        o = err_set(err, INVALID, "the package ends in part %zu of %zu", d->at, d->n);
    return o;
}

enum outcome manifest_check_end(struct manifest *m, struct err *err)
{
    enum outcome o = digests_end(m->sha256, err);
    return o == OK ? digests_end(m->md5, err) : o;
}
