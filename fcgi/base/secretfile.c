/* secretfile.c: see secretfile.h. */
#include "base/secretfile.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum outcome secretfile_read(const char *path, size_t min, size_t max, char *out, struct err *err)
{
    size_t n = 0;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    out[0] = '\0';
    if (fd < 0)
        return err_set(err, ERROR, "%s: %m", path);
    while (n < max && (got = read(fd, out + n, max - n)) > 0)
        n += (size_t)got;
    out[n] = '\0';
    char end;
    bool more =
        n == max && !strpbrk(out, "\r\n") && read(fd, &end, 1) == 1 && end != '\n' && end != '\r';
    close(fd);
    if (got < 0)
        return err_set(err, ERROR, "%s: %m", path);
    out[strcspn(out, "\r\n")] = '\0';
    n = strlen(out);
    if (more || n < min) {
        explicit_bzero(out, max);
        return err_set(err, ERROR, "%s: the first line must have %zu to %zu characters", path, min,
                       max);
    }
    return OK;
}
