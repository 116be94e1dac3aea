/* respawn.c: fork, end, reap, back off. */
#include "proc/respawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define DELAY_FIRST (SECOND_US / 10)
#define DELAY_MAX (30 * SECOND_US)
#define GOOD_LIFE MINUTE_US

pid_t child_fork(struct child *c, const char *name, int *ctl)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        log_msg(LOG_LEVEL_ERROR, "fork", "%s: no socket: %s", name, strerror(errno));
        return -1;
    }
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        log_msg(LOG_LEVEL_ERROR, "fork", "%s: %s", name, strerror(errno));
        close(pair[0]);
        close(pair[1]);
        return -1;
    }
    if (pid == 0) {
        close(pair[0]);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) /* it died before that took effect */
            _exit(0);
        *ctl = pair[1];
        return 0;
    }
    close(pair[1]);
    *c = (struct child){.pid = pid, .ctl = pair[0], .started = clock_mono()};
    return pid;
}

void child_clear(struct child *c)
{
    if (c->ctl >= 0)
        close(c->ctl);
    *c = (struct child){.ctl = -1};
}

void child_end(struct child *c, int64_t grace_us)
{
    if (!c->pid || c->kill_at)
        return;
    kill(c->pid, SIGTERM);
    c->kill_at = clock_mono() + grace_us;
}

void child_overdue(struct child *c, const char *name)
{
    if (!c->pid || !c->kill_at || clock_mono() < c->kill_at)
        return;
    log_msg(LOG_LEVEL_ERROR, "child.kill", "%s[%ld] did not end when asked", name, (long)c->pid);
    kill(c->pid, SIGKILL);
    c->kill_at = clock_mono() + DELAY_MAX;
}

pid_t child_reap(int *status)
{
    pid_t pid;
    do
        pid = waitpid(-1, status, WNOHANG);
    while (pid < 0 && errno == EINTR);
    return pid > 0 ? pid : 0;
}

void child_log_end(const char *name, pid_t pid, int status, bool asked)
{
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    enum log_level level = asked && good ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR;
    if (WIFSIGNALED(status))
        log_msg(level, "child.end", "%s[%ld] ended by signal %d (%s)", name, (long)pid,
                WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        log_msg(level, "child.end", "%s[%ld] ended with status %d", name, (long)pid,
                WEXITSTATUS(status));
}

void respawn_after(struct respawn *r, int64_t started)
{
    int64_t now = clock_mono(), delay = DELAY_FIRST;
    if (now - started >= GOOD_LIFE)
        r->failures = 0;
    for (unsigned i = 0; i < r->failures && delay < DELAY_MAX; i++)
        delay *= 2;
    if (delay > DELAY_MAX)
        delay = DELAY_MAX;
    r->failures++;
    r->due = now + delay;
}

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGCHLD);
}

int signals_open(void)
{
    sigset_t set;
    signal_set(&set);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void signals_default(void)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}
