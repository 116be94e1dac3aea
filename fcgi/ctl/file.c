/* file.c: whole files, read and replaced. */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum outcome ctl_file(struct ctl *c, const char *path, size_t max, struct bytes *out,
                      struct err *err)
{
    if (strcmp(path, "-") == 0)
        return file_read_fd(STDIN_FILENO, path, max, c->arena, out, err);
    return file_read(path, max, c->arena, out, err);
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
