/* serve.c: four programs, each in a process of its own that runs this program anew. */
#include "proc/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "proc/manager.h"
#include "proc/respawn.h"
#include "proc/self.h"
#include "wire/sign.h"

#define TICK_MS 100
#define GRACE (20 * SECOND_US)

enum { SIGNER, MDM, CONSOLE, AGENT, PROGRAMS };

static const struct {
    const char *name;
    int stop_round; /* those of a round end together, before the next round is asked */
    bool says_ready;
} TABLE[PROGRAMS] = {[SIGNER] = {"signer", 2, false},
                     [MDM] = {"mdm", 0, true},
                     [CONSOLE] = {"console", 0, true},
                     [AGENT] = {"agent", 1, false}};

struct serve {
    struct conf **conf;
    int sigfd;
    struct child child[PROGRAMS];
    struct respawn respawn[PROGRAMS];
    bool signer_answered, told_ready, stopping;
    bool agent_reloads; /* it was told of a new configuration */
};

/* In the child's process: becomes the program, never returns. */
static void program_process(struct serve *s, int which, int ctl)
{
    char number[16];
    close(s->sigfd);
    signals_default();
    if (TABLE[which].says_ready) {
        fcntl(ctl, F_SETFD, 0);
        snprintf(number, sizeof number, "%d", ctl);
        setenv(MANAGER_READY_FD, number, 1);
    }
    unsetenv("NOTIFY_SOCKET"); /* the supervisor speaks for all */
    self_run(TABLE[which].name, (*s->conf)->path);
    _exit(1);
}

static void program_start(struct serve *s, int which)
{
    int ctl;
    pid_t pid = child_fork(&s->child[which], TABLE[which].name, &ctl);
    if (pid == 0)
        program_process(s, which, ctl);
    if (pid < 0)
        respawn_after(&s->respawn[which], clock_mono());
    else
        log_msg(LOG_LEVEL_INFO, "child.start", "%s[%ld]", TABLE[which].name, (long)pid);
}

static bool signer_answers(void)
{
    struct err err = {.outcome = OK};
    const char *version;
    struct arena *a = arena_new(LIM_MB);
    bool yes = a && sign_ping(a, &version, &err) == OK;
    arena_free(&a);
    return yes;
}

static void serve_step(struct serve *s)
{
    for (int i = 0; i < PROGRAMS; i++)
        if (!s->child[i].pid && clock_mono() >= s->respawn[i].due &&
            (i == SIGNER || s->signer_answered))
            program_start(s, i);
    if (!s->signer_answered && s->child[SIGNER].pid)
        s->signer_answered = signer_answers();
    if (!s->told_ready && s->child[MDM].ready && s->child[CONSOLE].ready && s->child[AGENT].pid) {
        s->told_ready = true;
        self_notify("READY=1");
        log_msg(LOG_LEVEL_INFO, "ready", "signer, mdm, console and agent run");
    }
}

/* Asks the programs of the first round that still lives. False: none lives. */
static bool stop_step(struct serve *s)
{
    for (int round = 0; round <= 2; round++) {
        bool lives = false;
        for (int i = 0; i < PROGRAMS; i++)
            if (TABLE[i].stop_round == round && s->child[i].pid) {
                const struct conf *c = *s->conf;
                int64_t deadline = c->mdm.deadline_s > c->console.deadline_s
                                       ? c->mdm.deadline_s
                                       : c->console.deadline_s;
                lives = true;
                child_end(&s->child[i], deadline * SECOND_US + GRACE);
                child_overdue(&s->child[i], TABLE[i].name);
            }
        if (lives)
            return true;
    }
    return false;
}

static void forward(struct serve *s, int sig)
{
    for (int i = 0; i < PROGRAMS; i++)
        if (s->child[i].pid)
            kill(s->child[i].pid, sig);
}

static void reload(struct serve *s)
{
    struct conf *fresh = NULL;
    struct err err = {.outcome = OK};
    log_reopen();
    if (conf_load((*s->conf)->path, &fresh, &err) != OK) {
        err_prefix(&err, "the old configuration stays");
        log_err(LOG_LEVEL_ERROR, "reload", &err);
        return;
    }
    conf_free(s->conf);
    *s->conf = fresh;
    s->agent_reloads = s->child[AGENT].pid != 0;
    forward(s, SIGHUP);
}

static void program_died(struct serve *s, pid_t pid, int status)
{
    for (int i = 0; i < PROGRAMS; i++)
        if (s->child[i].pid == pid) {
            /* the agent ends for a new configuration: it is no failure that is waited after */
            bool anew = i == AGENT && s->agent_reloads && WIFEXITED(status) && !WEXITSTATUS(status);
            child_log_end(TABLE[i].name, pid, status, anew || s->child[i].kill_at != 0);
            if (anew)
                s->respawn[i] = (struct respawn){.failures = 0};
            else
                respawn_after(&s->respawn[i], s->child[i].started);
            child_clear(&s->child[i]);
            s->agent_reloads &= i != AGENT;
        }
}

static void take_signals(struct serve *s)
{
    struct signalfd_siginfo si;
    pid_t pid;
    int status;
    while (read(s->sigfd, &si, sizeof si) == (ssize_t)sizeof si) {
        switch ((int)si.ssi_signo) {
        case SIGCHLD:
            break;
        case SIGUSR1:
            log_reopen();
            forward(s, SIGUSR1);
            break;
        case SIGHUP:
            if (!s->stopping)
                reload(s);
            break;
        default:
            if (!s->stopping)
                self_notify("STOPPING=1");
            s->stopping = true;
        }
    }
    while ((pid = child_reap(&status)) != 0)
        program_died(s, pid, status);
}

static void serve_wait(struct serve *s)
{
    struct pollfd p[1 + PROGRAMS];
    int which[1 + PROGRAMS];
    nfds_t n = 0;
    char word;
    p[n++] = (struct pollfd){.fd = s->sigfd, .events = POLLIN};
    for (int i = 0; i < PROGRAMS; i++)
        if (s->child[i].pid && s->child[i].ctl >= 0 && TABLE[i].says_ready) {
            which[n] = i;
            p[n++] = (struct pollfd){.fd = s->child[i].ctl, .events = POLLIN};
        }
    if (poll(p, n, TICK_MS) <= 0)
        return;
    for (nfds_t i = 1; i < n; i++) {
        struct child *c = &s->child[which[i]];
        if (!p[i].revents)
            continue;
        if (read(c->ctl, &word, 1) == 1) {
            c->ready = true;
        } else {
            close(c->ctl);
            c->ctl = -1;
        }
    }
    if (p[0].revents)
        take_signals(s);
}

int serve_main(struct conf **conf)
{
    struct err err = {.outcome = OK};
    struct serve s = {.conf = conf};
    for (int i = 0; i < PROGRAMS; i++)
        s.child[i].ctl = -1;
    if (self_pidfile((*conf)->run_dir, "drover", &err) != OK) {
        log_err(LOG_LEVEL_ERROR, "start", &err);
        return 1;
    }
    sign_client_setup((*conf)->run_dir, SIGN_CTL);
    s.sigfd = signals_open();
    if (s.sigfd < 0) {
        log_msg(LOG_LEVEL_ERROR, "start", "no signalfd: %s", strerror(errno));
        return 1;
    }
    while (!s.stopping) {
        serve_step(&s);
        serve_wait(&s);
    }
    while (stop_step(&s))
        serve_wait(&s);
    self_pidfile_done();
    return 0;
}
