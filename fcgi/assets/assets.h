/*
 * assets.h: files that the web server gives to devices: apps and their manifests. Each is in a
 * folder with a name that nobody can guess, DIR/assets/NAME/, which
 * https://DEVICE_HOST/assets/NAME/ shows. A file grows in DIR/incoming/ until it is whole.
 */
#ifndef DROVER_ASSETS_ASSETS_H
#define DROVER_ASSETS_ASSETS_H

#include "base/arena.h"
#include "base/conf.h"

#define ASSET_NAME_LEN 32
#define ASSET_PART (10u * 1024u * 1024u) /* of a manifest's digests */

/* Is it a name of the kind that this makes? */
bool asset_name_valid(const char *name);

#define ASSET_OPEN_MAX 100u /* files that are being uploaded */

/* A new empty file; name has room for ASSET_NAME_LEN + 1. CONFLICT: ASSET_OPEN_MAX grow already, or
 * the disk has no more than [assets] reserve_mb left; ERROR: the folder cannot be written. */
enum outcome asset_begin(const struct conf *conf, struct arena *a, char *name,
                         struct err *err) MUST_USE;
/* Adds octets at `offset`, which must be the file's length; *size: its length then. Repeated, the
 * part before is found to be there. CONFLICT: another offset, *size says which; NOT_FOUND: no such
 * file; INVALID: past [assets] max_mb; UNAVAILABLE: less than [assets] reserve_mb of the disk would
 * be left. */
enum outcome asset_add(const struct conf *conf, struct arena *a, const char *name, int64_t offset,
                       struct bytes octets, int64_t *size, struct err *err) MUST_USE;
/* The path of a file, growing or published, in the arena; NULL: no such file. */
const char *asset_path(const struct conf *conf, struct arena *a, const char *name);

/* What the manifest says of the app. */
struct asset_app {
    const char *bundle_id, *version, *title;
    const char *file; /* name of the file in its folder: "app.ipa", "app.pkg" */
};
struct asset_made {
    int64_t size;
    uint8_t sha256[32];
    const char *url, *manifest_url; /* in the arena */
};
/* Moves the file to where devices find it, and writes its manifest beside it, with digests of each
 * 10 MB. Done again, it is found done. NOT_FOUND: no such file. */
enum outcome asset_publish(const struct conf *conf, struct arena *a, const char *name,
                           const struct asset_app *app, struct asset_made *out,
                           struct err *err) MUST_USE;
/* Is the published file still what it was? CONFLICT, with words: it is not there, or of another
 * size or SHA-256. A file past `hash_max` octets is judged by its size alone. */
enum outcome asset_check(const struct conf *conf, struct arena *a, const char *name, int64_t size,
                         const uint8_t sha256[32], int64_t hash_max, struct err *err) MUST_USE;
/* Takes it away; OK also when it is not there. */
enum outcome asset_remove(const struct conf *conf, struct arena *a, const char *name,
                          struct err *err) MUST_USE;
/* Deletes files that have not grown for a day. */
enum outcome asset_sweep(const struct conf *conf, int64_t now, struct err *err) MUST_USE;

/* Calls fn with the name of each file that devices can find, and since when. ERROR: the folder
 * cannot be read; one that is not there is empty. */
enum outcome asset_each(const struct conf *conf,
                        void (*fn)(const char *name, int64_t since, void *arg), void *arg,
                        struct err *err) MUST_USE;

#endif
