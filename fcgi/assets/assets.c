/* assets.c: see assets.h. */
#include "assets/assets.h"

#include "base/clock.h"
#include "base/limits.h"
#include "wire/encode.h"
#include "wire/filehash.h"
#include "wire/plist.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MANIFEST "manifest.plist"
#define MANIFEST_MAX (4u * LIM_MB)

bool asset_name_valid(const char *name)
{
    return name != NULL && strlen(name) == ASSET_NAME_LEN &&
           strspn(name, "0123456789abcdef") == ASSET_NAME_LEN;
}

static const char *incoming(const struct conf *conf, struct arena *a, const char *name)
{
    return asset_name_valid(name) ? arena_fmt(a, "%s/incoming/%s", conf->assets_dir, name) : NULL;
}

static const char *folder_of(const struct conf *conf, struct arena *a, const char *name)
{
    return asset_name_valid(name) ? arena_fmt(a, "%s/assets/%s", conf->assets_dir, name) : NULL;
}

const char *asset_path(const struct conf *conf, struct arena *a, const char *name)
{
    const char *folder = folder_of(conf, a, name), *path = incoming(conf, a, name);

    for (int i = 0; path != NULL && access(path, R_OK) != 0; i++)
        path = i == 0   ? arena_fmt(a, "%s/app.ipa", folder)
               : i == 1 ? arena_fmt(a, "%s/app.pkg", folder)
                        : NULL;
    return path;
}

/* Makes DIR/what; the web server may look in, nobody may list. */
static enum outcome folder_make(const struct conf *conf, struct arena *a, const char *what,
                                mode_t mode, struct err *err)
{
    const char *path = arena_fmt(a, "%s/%s", conf->assets_dir, what);

    if (path == NULL)
        return err_set(err, ERROR, "out of memory");
    if ((mkdir(path, mode) != 0 || chmod(path, mode) != 0) && errno != EEXIST)
        return err_set(err, ERROR, "%s: %m ([assets] dir)", path);
    return OK;
}

/* Whoever may upload must not fill the disk, on which the database may be too. */
static enum outcome room_check(const struct conf *conf, size_t more, struct err *err)
{
    uint64_t wanted = (uint64_t)conf->assets_reserve_mb * LIM_MB + more;
    struct statvfs fs;

    if (statvfs(conf->assets_dir, &fs) != 0)
        return err_set(err, ERROR, "%s: %m ([assets] dir)", conf->assets_dir);
    return (uint64_t)fs.f_bavail * fs.f_frsize >= wanted
               ? OK
               : err_set(err, UNAVAILABLE,
                         "the disk would have less than %lld MB left ([assets] reserve_mb)",
                         (long long)conf->assets_reserve_mb);
}

/* How many files grow. */
static enum outcome open_count(const struct conf *conf, struct arena *a, size_t *n, struct err *err)
{
    const char *path = arena_fmt(a, "%s/incoming", conf->assets_dir);
    DIR *d = path != NULL ? opendir(path) : NULL;
    struct dirent *e;

    *n = 0;
    if (d == NULL)
        return err_set(err, ERROR, "%s/incoming: %m", conf->assets_dir);
    while ((e = readdir(d)) != NULL)
        *n += asset_name_valid(e->d_name);
    closedir(d);
    return OK;
}

enum outcome asset_begin(const struct conf *conf, struct arena *a, char *name, struct err *err)
{
    enum outcome o = folder_make(conf, a, "incoming", 0700, err);
    const char *path;
    size_t n = 0;
    int fd;

    if (o == OK)
        o = open_count(conf, a, &n, err);
    if (o == OK && n >= ASSET_OPEN_MAX)
        return err_set(err, CONFLICT,
                       "%zu files are being uploaded; those that nothing happens to go after a day",
                       n);
    if (o == OK && (o = room_check(conf, 0, err)) == UNAVAILABLE)
        return err_set(err, CONFLICT, "the disk has less than %lld MB left ([assets] reserve_mb)",
                       (long long)conf->assets_reserve_mb);
    secret_new(ASSET_NAME_LEN / 2, name);
    path = incoming(conf, a, name);
    if (o == OK && path == NULL)
        return err_set(err, ERROR, "out of memory");
    if (o != OK)
        return o;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_set(err, ERROR, "%s: %m", path);
    close(fd);
    return OK;
}

static enum outcome write_at(int fd, int64_t offset, struct bytes b, struct err *err)
{
    size_t done = 0;

    while (done < b.n) {
        ssize_t k = pwrite(fd, b.p + done, b.n - done, (off_t)offset + (off_t)done);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return err_set(err, errno == ENOSPC ? UNAVAILABLE : ERROR, "writing the file: %m");
        done += (size_t)k;
    }
    return OK;
}

enum outcome asset_add(const struct conf *conf, struct arena *a, const char *name, int64_t offset,
                       struct bytes octets, int64_t *size, struct err *err)
{
    const char *path = incoming(conf, a, name);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat st;
    enum outcome o = OK;
    int fd = path != NULL ? open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC) : -1;

    *size = 0;
    if (fd < 0)
        return err_set(err, NOT_FOUND, "there is no file of that name being uploaded");
    if (fcntl(fd, F_OFD_SETLKW, &lock) != 0 || fstat(fd, &st) != 0)
        o = err_set(err, ERROR, "%s: %m", path);
    if (o == OK)
        *size = st.st_size;
    if (o == OK && offset != st.st_size &&
        (offset > st.st_size || offset + (int64_t)octets.n != st.st_size))
        o = err_set(err, CONFLICT, "the file has %lld octets: go on there", (long long)st.st_size);
    else if (o == OK && offset + (int64_t)octets.n > conf->assets_max_mb * LIM_MB)
        o = err_set(err, INVALID, "a file has at most %lld MB ([assets] max_mb)",
                    (long long)conf->assets_max_mb);
    if (o == OK && offset == st.st_size)
        o = room_check(conf, octets.n, err);
    if (o == OK && offset == st.st_size) {
        o = write_at(fd, offset, octets, err);
        if (o != OK && ftruncate(fd, st.st_size) != 0)
            err_prefix(err, "what was written of it stays");
    }
    if (o == OK)
        *size = offset + (int64_t)octets.n;
    close(fd);
    return o;
}

/* ---- publishing ---- */

static pl digests(const char *const *list, size_t n)
{
    pl out = pl_new_array();

    for (size_t i = 0; i < n; i++)
        pl_append(out, pl_new_str(list[i]));
    return out;
}

static enum outcome manifest_write(const char *path, const struct asset_app *app,
                                   const struct filehash *h, const char *url, struct err *err)
{
    struct buf xml = BUF_INIT(MANIFEST_MAX);
    pl root = pl_new_dict(), items = pl_new_array(), item = pl_new_dict(), assets = pl_new_array();
    pl asset = pl_new_dict(), meta = pl_new_dict();
    enum outcome o = OK;
    int fd;

    pl_set_str(asset, "kind", "software-package");
    pl_set_int(asset, "md5-size", ASSET_PART);
    pl_set(asset, "md5s", digests(h->md5s, h->n));
    pl_set_int(asset, "sha256-size", ASSET_PART);
    pl_set(asset, "sha256s", digests(h->sha256s, h->n));
    pl_set_str(asset, "url", url);
    pl_append(assets, asset);
    pl_set(item, "assets", assets);
    pl_set_str(meta, "bundle-identifier", app->bundle_id);
    pl_set_str(meta, "bundle-version", app->version);
    pl_set_str(meta, "kind", "software");
    pl_set_str(meta, "title", app->title);
    pl_set_int(meta, "sizeInBytes", h->size);
    pl_set(item, "metadata", meta);
    pl_append(items, item);
    pl_set(root, "items", items);
    if (pl_to_xml(root, &xml) != OK)
        o = err_set(err, INVALID, "the manifest is too long");
    pl_free(&root);
    fd = o == OK ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644) : -1;
    if (o == OK && fd < 0)
        o = err_set(err, ERROR, "%s: %m", path);
    if (o == OK)
        o = write_at(fd, 0, buf_bytes(&xml), err);
    if (fd >= 0) {
        if (o == OK && (fchmod(fd, 0644) != 0 || fsync(fd) != 0))
            o = err_set(err, ERROR, "%s: %m", path);
        close(fd);
    }
    buf_free(&xml);
    return o;
}

/* The file where devices find it, moved there if it is not yet. */
static enum outcome file_move(const char *from, const char *folder, const char *to, int *fd,
                              struct err *err)
{
    *fd = open(to, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd >= 0)
        return OK;
    *fd = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0)
        return err_set(err, NOT_FOUND, "there is no file of that name being uploaded");
    if ((mkdir(folder, 0711) != 0 && errno != EEXIST) || chmod(folder, 0711) != 0 ||
        fchmod(*fd, 0644) != 0 || fsync(*fd) != 0 || rename(from, to) != 0) {
        close(*fd);
        return err_set(err, ERROR, "%s: %m", to);
    }
    return OK;
}

enum outcome asset_publish(const struct conf *conf, struct arena *a, const char *name,
                           const struct asset_app *app, struct asset_made *out, struct err *err)
{
    const char *from = incoming(conf, a, name), *folder = folder_of(conf, a, name);
    const char *to = arena_fmt(a, "%s/%s", folder != NULL ? folder : "", app->file);
    const char *manifest = arena_fmt(a, "%s/" MANIFEST, folder != NULL ? folder : "");
    struct filehash h;
    enum outcome o;
    int fd = -1;

    out->url = arena_fmt(a, "%s/assets/%s/%s", conf->device_url, name, app->file);
    out->manifest_url = arena_fmt(a, "%s/assets/%s/" MANIFEST, conf->device_url, name);
    if (from == NULL || folder == NULL || to == NULL || manifest == NULL || out->url == NULL ||
        out->manifest_url == NULL)
        return err_set(err, NOT_FOUND, "there is no file of that name");
    o = folder_make(conf, a, "assets", 0711, err);
    if (o == OK)
        o = file_move(from, folder, to, &fd, err);
    if (o == OK)
        o = filehash_read(a, fd, ASSET_PART, &h, err);
    if (fd >= 0)
        close(fd);
    if (o == OK)
        o = manifest_write(manifest, app, &h, out->url, err);
    if (o != OK)
        return o;
    out->size = h.size;
    memcpy(out->sha256, h.sha256, sizeof out->sha256);
    return OK;
}

enum outcome asset_check(const struct conf *conf, struct arena *a, const char *name, int64_t size,
                         const uint8_t sha256[32], int64_t hash_max, struct err *err)
{
    const char *path = asset_path(conf, a, name);
    int fd = path != NULL ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    enum outcome o = OK;
    struct filehash h;
    struct stat st;

    if (fd < 0)
        return err_set(err, CONFLICT, "its file is not on this server any more");
    if (fstat(fd, &st) != 0)
        o = err_set(err, ERROR, "%s: %m", path);
    else if (st.st_size != size)
        o = err_set(err, CONFLICT,
                    "its file on this server has %lld octets, and had %lld when it was uploaded",
                    (long long)st.st_size, (long long)size);
    else if (size <= hash_max)
        o = filehash_read(a, fd, ASSET_PART, &h, err);
    if (o == OK && size <= hash_max && memcmp(h.sha256, sha256, sizeof h.sha256) != 0)
        o = err_set(err, CONFLICT, "its file on this server was changed after it was uploaded");
    close(fd);
    return o;
}

/* The files of a folder, then the folder: there is nothing below it. */
static enum outcome folder_remove(const char *path, struct err *err)
{
    DIR *d = opendir(path);
    struct dirent *e;

    if (d == NULL)
        return errno == ENOENT ? OK : err_set(err, ERROR, "%s: %m", path);
    while ((e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            unlinkat(dirfd(d), e->d_name, 0) != 0 && errno != ENOENT) {
            closedir(d);
            return err_set(err, ERROR, "%s: %m", path);
        }
    closedir(d);
    return rmdir(path) == 0 || errno == ENOENT ? OK : err_set(err, ERROR, "%s: %m", path);
}

enum outcome asset_remove(const struct conf *conf, struct arena *a, const char *name,
                          struct err *err)
{
    const char *from = incoming(conf, a, name), *folder = folder_of(conf, a, name);

    if (from == NULL || folder == NULL)
        return OK;
    if (unlink(from) != 0 && errno != ENOENT)
        return err_set(err, ERROR, "%s: %m", from);
    return folder_remove(folder, err);
}

/* A folder below DIR; *d NULL: it is not there, or is none of this account's. */
static enum outcome folder_open(const struct conf *conf, const char *what, DIR **d, struct err *err)
{
    char path[1024];

    *d = NULL;
    if (snprintf(path, sizeof path, "%s/%s", conf->assets_dir, what) >= (int)sizeof path)
        return err_set(err, INVALID, "[assets] dir is too long");
    *d = opendir(path);
    return *d != NULL || errno == ENOENT || errno == EACCES ? OK
                                                            : err_set(err, ERROR, "%s: %m", path);
}

enum outcome asset_each(const struct conf *conf,
                        void (*fn)(const char *name, int64_t since, void *arg), void *arg,
                        struct err *err)
{
    struct dirent *e;
    struct stat st;
    DIR *d;
    enum outcome o = folder_open(conf, "assets", &d, err);

    if (d == NULL)
        return o;
    while ((e = readdir(d)) != NULL)
        if (asset_name_valid(e->d_name) && fstatat(dirfd(d), e->d_name, &st, 0) == 0)
            fn(e->d_name, (int64_t)st.st_mtime * SECOND_US, arg);
    closedir(d);
    return OK;
}

enum outcome asset_sweep(const struct conf *conf, int64_t now, struct err *err)
{
    struct dirent *e;
    struct stat st;
    DIR *d;
    enum outcome o = folder_open(conf, "incoming", &d, err);

    if (d == NULL)
        return o;
    while ((e = readdir(d)) != NULL)
        if (asset_name_valid(e->d_name) && fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
            (int64_t)st.st_mtime * SECOND_US < now - DAY_US)
            unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    return OK;
}
