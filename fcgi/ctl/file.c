/* file.c: whole files, read and replaced. */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum outcome ctl_file(struct ctl *c, const char *path, size_t max, struct bytes *out,
                      struct err *err)
{
    bool in = strcmp(path, "-") == 0;
    int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct buf b = BUF_INIT(max);
    char part[16384];
    ssize_t n;
    enum outcome o = OK;

    *out = bytes_of(NULL, 0);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? NOT_FOUND : ERROR, "%s: %s", path, strerror(errno));
    while ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_add(&b, part, (size_t)n);
    if (n < 0)
        o = err_set(err, ERROR, "%s: %s", path, strerror(errno));
    else if (buf_failed(&b))
        o = err_set(err, INVALID, "%s: longer than %zu octets", path, max);
    if (!in)
        close(fd);
    if (o == OK && (*out = arena_bytes(c->arena, buf_bytes(&b))).p == NULL)
        o = err_set(err, ERROR, "%s: out of memory", path);
    explicit_bzero(part, sizeof(part)); /* it may have been a key */
    buf_wipe(&b);
    return o;
}

/* So that the new name survives a power cut. */
static void sync_folder(struct ctl *c, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash != NULL ? arena_strndup(c->arena, path, (size_t)(slash - path) + 1) : ".";
    int fd = dir != NULL ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

enum outcome ctl_file_replace(struct ctl *c, const char *path, struct bytes content, mode_t mode,
                              struct err *err)
{
    char *tmp = arena_fmt(c->arena, "%s.new.%d", path, (int)getpid());
    size_t done = 0;
    ssize_t n = 0;
    enum outcome o = OK;
    int fd;

    if (tmp == NULL)
        return err_set(err, ERROR, "out of memory");
    fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return err_set(err, ERROR, "%s: %s", tmp, strerror(errno));
    while (done < content.n &&
           ((n = write(fd, content.p + done, content.n - done)) > 0 || (n < 0 && errno == EINTR)))
        done += n > 0 ? (size_t)n : 0;
    if (done < content.n || fchmod(fd, mode) != 0 || fsync(fd) != 0 || rename(tmp, path) != 0)
        o = err_set(err, ERROR, "%s: %s", path, strerror(errno));
    close(fd);
    if (o != OK)
        unlink(tmp);
    else
        sync_folder(c, path);
    return o;
}
