/* file.c: see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

enum outcome file_read_fd(int fd, const char *name, size_t max, struct arena *a, struct bytes *out,
                          struct err *err)
{
    struct buf b = BUF_INIT(max);
    char part[16384];
    ssize_t n;
    enum outcome o = OK;
    *out = bytes_of(NULL, 0);
    while ((n = read(fd, part, sizeof part)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_add(&b, part, (size_t)n);
    if (n < 0)
        o = err_set(err, ERROR, "%s: %s", name, strerror(errno));
    else if (buf_failed(&b))
        o = err_set(err, INVALID, "%s: longer than %zu octets", name, max);
    if (o == OK && !(*out = arena_bytes(a, buf_bytes(&b))).p)
        o = err_set(err, ERROR, "%s: out of memory", name);
    explicit_bzero(part, sizeof part); /* it may have been a key */
    buf_wipe(&b);
    return o;
}

enum outcome file_read(const char *path, size_t max, struct arena *a, struct bytes *out,
                       struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *out = bytes_of(NULL, 0);
    if (fd < 0)
        return err_set(err,
                       errno == ENOENT   ? NOT_FOUND
                       : errno == EACCES ? DENIED
                                         : ERROR,
                       "%s: %s", path, strerror(errno));
    enum outcome o = file_read_fd(fd, path, max, a, out, err);
    close(fd);
    return o;
}
