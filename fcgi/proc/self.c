/* self.c: exec, pid file, sd_notify. */
#include "proc/self.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static char **saved_argv;
static char exe[PATH_MAX];
static int pidfile_fd = -1;

void self_save(char **argv)
{
    saved_argv = argv;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0)
        exe[n] = '\0';
}

/* The file of that name, so that an update takes effect; the one running when it is gone. */
static void exec_self(char *const argv[])
{
    execv(exe, argv);
    execv("/proc/self/exe", argv);
    log_msg(LOG_LEVEL_ERROR, "exec", "cannot run %s: %s", exe, strerror(errno));
}

void self_again(void)
{
    exec_self(saved_argv);
}

void self_run(const char *command, const char *conf_path)
{
    char *argv[] = {saved_argv[0], (char *)(uintptr_t)command, "-c", (char *)(uintptr_t)conf_path,
                    NULL};
    exec_self(argv);
}

enum outcome self_pidfile(const char *run_dir, const char *name, struct err *err)
{
    char path[PATH_MAX], text[32];
    snprintf(path, sizeof path, "%s/%s.pid", run_dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_set(err, ERROR, "cannot open %s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return err_set(err, CONFLICT, "another process holds %s: end it first", path);
    }
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        int why = errno;
        close(fd);
        return err_set(err, ERROR, "cannot write %s: %s", path, strerror(why));
    }
    pidfile_fd = fd;
    return OK;
}

void self_pidfile_forget(void)
{
    if (pidfile_fd >= 0)
        close(pidfile_fd);
    pidfile_fd = -1;
}

void self_pidfile_done(void)
{
    if (pidfile_fd < 0)
        return;
    if (ftruncate(pidfile_fd, 0) != 0)
        log_msg(LOG_LEVEL_DEBUG, "pidfile", "cannot empty it: %s", strerror(errno));
    close(pidfile_fd);
    pidfile_fd = -1;
}

void self_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    char text[128];
    size_t n = path ? strlen(path) : 0;
    if (n == 0 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    struct timespec now; /* RELOADING wants the time, by the clock that systemd compares with */
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "%s\nMONOTONIC_USEC=%lld\n", state,
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, len) < 0)
        log_msg(LOG_LEVEL_WARNING, "notify", "cannot tell %s: %s", path, strerror(errno));
    close(fd);
}
