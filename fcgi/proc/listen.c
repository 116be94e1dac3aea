/* listen.c: binds under another name and renames, so that the path always answers. */
#include "proc/listen.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define BACKLOG 4096 /* the kernel takes less when net.core.somaxconn is less */

bool listen_inherited(void)
{
    int listening = 0;
    socklen_t n = sizeof listening;
    return getsockopt(0, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) == 0 && listening;
}

static bool somebody_answers(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool yes = connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno == EAGAIN;
    close(fd);
    return yes;
}

static enum outcome set_rights(const struct conf_pool *pool, const char *path, struct err *err)
{
    char *end;
    unsigned long mode = strtoul(pool->socket_mode, &end, 8);
    if (!pool->socket_mode[0] || *end || mode > 0777)
        return err_set(err, INVALID, "socket_mode \"%s\" is no octal mode", pool->socket_mode);
    if (pool->socket_group[0]) {
        const struct group *g = getgrnam(pool->socket_group);
        if (!g)
            return err_set(err, INVALID, "there is no group \"%s\"", pool->socket_group);
        if (chown(path, (uid_t)-1, g->gr_gid) != 0)
            return err_set(err, ERROR, "cannot give %s to group %s: %s", path, pool->socket_group,
                           strerror(errno));
    }
    if (chmod(path, (mode_t)mode) != 0)
        return err_set(err, ERROR, "cannot set the mode of %s: %s", path, strerror(errno));
    return OK;
}

static bool is_within(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/';
}

enum outcome listen_open(const struct conf_pool *pool, const char *run_dir, int *out,
                         struct err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX}, tmp = {.sun_family = AF_UNIX};
    enum outcome o = OK;
    int fd = -1;
    *out = -1;
    int n = snprintf(at.sun_path, sizeof at.sun_path, "%s", pool->socket);
    int m = snprintf(tmp.sun_path, sizeof tmp.sun_path, "%s.new", pool->socket);
    if (n <= 0 || m >= (int)sizeof tmp.sun_path)
        return err_set(err, INVALID, "a socket path has 1 to %zu bytes: \"%s\"",
                       sizeof tmp.sun_path - 5, pool->socket);
    if (!is_within(at.sun_path, run_dir) && somebody_answers(&at))
        return err_set(err, CONFLICT, "a process answers on %s already", at.sun_path);
    unlink(tmp.sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0177);
    int bound = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&tmp, sizeof tmp);
    umask(mask);
    if (bound != 0 || listen(fd, BACKLOG) != 0) {
        o = err_set(err, ERROR, "cannot listen on %s: %s", at.sun_path, strerror(errno));
        goto out;
    }
    o = set_rights(pool, tmp.sun_path, err);
    if (o == OK && rename(tmp.sun_path, at.sun_path) != 0)
        o = err_set(err, ERROR, "cannot make %s: %s", at.sun_path, strerror(errno));
    if (o != OK)
        goto out;
    *out = fd;
    fd = -1;
out:
    if (fd >= 0) {
        unlink(tmp.sun_path);
        close(fd);
    }
    return o;
}

void listen_unlink(const struct conf_pool *pool)
{
    if (unlink(pool->socket) != 0 && errno != ENOENT)
        log_msg(LOG_LEVEL_DEBUG, "listen", "cannot remove %s: %s", pool->socket, strerror(errno));
}
