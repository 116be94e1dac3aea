/* manager.c: pre-forks, replaces, reloads, drains. One thread, one poll(2). */
#include "proc/manager.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/listen.h"
#include "proc/respawn.h"
#include "proc/sandbox.h"
#include "proc/self.h"
#include "proc/worker.h"

#define SEATS_MAX 64 /* the most that conf.c lets [mdm] processes be */
#define LEAVING_MAX (2 * SEATS_MAX)
#define GRACE (10 * SECOND_US) /* beyond what a draining worker takes by itself */
#define TICK_MS 1000
#define TICK_BUSY_MS 50

/* A place for one worker. */
struct seat {
    struct child cur;
    struct child next; /* starting, to take over from cur */
    bool stale;        /* cur is to be replaced */
    struct respawn respawn;
};

struct manager {
    struct conf **conf;
    enum program program;
    const char *name;
    int listen_fd, sigfd;
    size_t n; /* seats in use */
    struct seat seat[SEATS_MAX];
    struct child leaving[LEAVING_MAX];
    bool stopping, told_ready;
};

static const struct conf_pool *pool_of(const struct conf *conf, enum program program)
{
    return program == PROGRAM_MDM ? &conf->mdm : &conf->console;
}

static int64_t grace(const struct manager *m)
{
    return pool_of(*m->conf, m->program)->deadline_s * SECOND_US + GRACE;
}

/* In the worker's process: runs it, never returns. */
static void worker_process(struct manager *m, int ctl)
{
    close(m->sigfd);
    self_pidfile_forget();
    for (size_t i = 0; i < SEATS_MAX; i++) {
        child_clear(&m->seat[i].cur);
        child_clear(&m->seat[i].next);
    }
    for (size_t i = 0; i < LEAVING_MAX; i++)
        child_clear(&m->leaving[i]);
    enum worker_end end = worker_run(*m->conf, m->program, m->listen_fd, ctl);
    _exit(end == WORKER_FAILED ? 1 : 0);
}

static void worker_start(struct manager *m, struct seat *s, struct child *c)
{
    int ctl;
    pid_t pid = child_fork(c, m->name, &ctl);
    if (pid == 0)
        worker_process(m, ctl);
    if (pid < 0)
        respawn_after(&s->respawn, clock_mono());
}

/* Tells a worker to end and keeps it in mind until it has. */
static void worker_leave(struct manager *m, struct child *c)
{
    child_end(c, grace(m));
    for (size_t i = 0; i < LEAVING_MAX; i++)
        if (!m->leaving[i].pid) {
            m->leaving[i] = *c;
            *c = (struct child){.ctl = -1};
            return;
        }
    kill(c->pid, SIGKILL); /* never in practice: two generations are still ending */
    child_clear(c);
}

static bool somebody_starts(const struct manager *m)
{
    for (size_t i = 0; i < SEATS_MAX; i++)
        if (m->seat[i].next.pid)
            return true;
    return false;
}

/* One step of one seat towards what it should be. */
static void seat_step(struct manager *m, struct seat *s, bool wanted)
{
    bool due = clock_mono() >= s->respawn.due;
    if (!wanted || m->stopping) {
        if (s->next.pid)
            worker_leave(m, &s->next);
        if (s->cur.pid)
            worker_leave(m, &s->cur);
        s->stale = false;
        return;
    }
    if (s->next.pid && (s->next.ready || !s->cur.pid)) {
        if (s->cur.pid)
            worker_leave(m, &s->cur);
        s->cur = s->next;
        s->next = (struct child){.ctl = -1};
        s->stale = false;
    }
    if (!s->cur.pid && due) {
        s->stale = false;
        worker_start(m, s, &s->cur);
    } else if (s->stale && !s->next.pid && due && !somebody_starts(m)) {
        worker_start(m, s, &s->next);
    }
}

static void say_ready(struct manager *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (!m->seat[i].cur.ready)
            return;
    m->told_ready = true;
    const char *fd = getenv(MANAGER_READY_FD);
    if (fd && write(atoi(fd), "R", 1) != 1)
        log_msg(LOG_LEVEL_WARNING, "ready", "the supervisor does not listen: %s", strerror(errno));
    self_notify("READY=1");
    log_msg(LOG_LEVEL_INFO, "ready", "%zu worker processes on %s", m->n,
            pool_of(*m->conf, m->program)->socket);
}

static void manager_step(struct manager *m)
{
    for (size_t i = 0; i < SEATS_MAX; i++)
        seat_step(m, &m->seat[i], i < m->n);
    for (size_t i = 0; i < LEAVING_MAX; i++)
        child_overdue(&m->leaving[i], m->name);
    if (!m->told_ready && !m->stopping)
        say_ready(m);
}

static void worker_died(struct manager *m, pid_t pid, int status)
{
    for (size_t i = 0; i < LEAVING_MAX; i++)
        if (m->leaving[i].pid == pid) {
            child_log_end(m->name, pid, status, true);
            child_clear(&m->leaving[i]);
            return;
        }
    for (size_t i = 0; i < SEATS_MAX; i++) {
        struct seat *s = &m->seat[i];
        struct child *c = s->cur.pid == pid ? &s->cur : s->next.pid == pid ? &s->next : NULL;
        if (!c)
            continue;
        child_log_end(m->name, pid, status, false);
        respawn_after(&s->respawn, c->started);
        child_clear(c);
        return;
    }
}

static void workers_signal(struct manager *m, int sig)
{
    for (size_t i = 0; i < SEATS_MAX; i++) {
        if (m->seat[i].cur.pid)
            kill(m->seat[i].cur.pid, sig);
        if (m->seat[i].next.pid)
            kill(m->seat[i].next.pid, sig);
    }
    for (size_t i = 0; i < LEAVING_MAX; i++)
        if (m->leaving[i].pid)
            kill(m->leaving[i].pid, sig);
}

static void reload(struct manager *m)
{
    struct conf *fresh = NULL;
    struct err err = {.outcome = OK};
    log_reopen();
    workers_signal(m, SIGUSR1);
    if (conf_load((*m->conf)->path, &fresh, &err) != OK) {
        err_prefix(&err, "the old configuration stays");
        log_err(LOG_LEVEL_ERROR, "reload", &err);
        return;
    }
    self_notify("RELOADING=1");
    enum log_level level;
    if (log_level_parse(fresh->log_level, &level))
        log_set_level(level);
    if (strcmp(pool_of(fresh, m->program)->socket, pool_of(*m->conf, m->program)->socket) != 0)
        log_msg(LOG_LEVEL_WARNING, "reload", "another socket path counts after a restart");
    conf_free(m->conf); /* the workers have their own copy of this process's memory */
    *m->conf = fresh;
    m->n = (size_t)pool_of(fresh, m->program)->processes;
    for (size_t i = 0; i < SEATS_MAX; i++) {
        if (m->seat[i].next.pid) /* of the configuration before */
            worker_leave(m, &m->seat[i].next);
        m->seat[i].stale = m->seat[i].cur.pid != 0;
        m->seat[i].respawn = (struct respawn){0};
    }
    log_msg(LOG_LEVEL_INFO, "reload", "%s was read; workers are being replaced", fresh->path);
    self_notify("READY=1");
}

static void take_signals(struct manager *m)
{
    struct signalfd_siginfo si;
    pid_t pid;
    int status;
    while (read(m->sigfd, &si, sizeof si) == (ssize_t)sizeof si) {
        switch ((int)si.ssi_signo) {
        case SIGCHLD:
            break;
        case SIGUSR1:
            log_reopen();
            workers_signal(m, SIGUSR1);
            break;
        case SIGHUP:
            if (!m->stopping)
                reload(m);
            break;
        default:
            if (!m->stopping)
                self_notify("STOPPING=1");
            m->stopping = true;
        }
    }
    while ((pid = child_reap(&status)) != 0)
        worker_died(m, pid, status);
}

/* What a worker said, if anything. */
static void hear(struct seat *s, struct child *c)
{
    char word;
    ssize_t n = read(c->ctl, &word, 1);
    if (n <= 0) { /* it is ending: SIGCHLD follows */
        close(c->ctl);
        c->ctl = -1;
    } else if (word == WORKER_READY) {
        c->ready = true;
    } else if (word == WORKER_RETIRE && c == &s->cur) {
        s->stale = true;
    }
}

static void manager_wait(struct manager *m)
{
    struct pollfd p[1 + 2 * SEATS_MAX];
    struct seat *seat_of[1 + 2 * SEATS_MAX];
    struct child *child_of[1 + 2 * SEATS_MAX];
    nfds_t n = 0;
    bool busy = m->stopping;
    p[n++] = (struct pollfd){.fd = m->sigfd, .events = POLLIN};
    for (size_t i = 0; i < SEATS_MAX; i++) {
        struct seat *s = &m->seat[i];
        struct child *both[2] = {&s->cur, &s->next};
        busy |= i < m->n && (!s->cur.pid || s->stale);
        for (size_t j = 0; j < 2; j++)
            if (both[j]->pid && both[j]->ctl >= 0) {
                seat_of[n] = s;
                child_of[n] = both[j];
                p[n++] = (struct pollfd){.fd = both[j]->ctl, .events = POLLIN};
            }
    }
    if (poll(p, n, busy ? TICK_BUSY_MS : TICK_MS) <= 0)
        return;
    for (nfds_t i = 1; i < n; i++)
        if (p[i].revents)
            hear(seat_of[i], child_of[i]);
    if (p[0].revents)
        take_signals(m);
}

static bool somebody_lives(const struct manager *m)
{
    for (size_t i = 0; i < SEATS_MAX; i++)
        if (m->seat[i].cur.pid || m->seat[i].next.pid)
            return true;
    for (size_t i = 0; i < LEAVING_MAX; i++)
        if (m->leaving[i].pid)
            return true;
    return false;
}

static int manager_run(struct manager *m)
{
    for (size_t i = 0; i < SEATS_MAX; i++)
        m->seat[i].cur.ctl = m->seat[i].next.ctl = -1;
    for (size_t i = 0; i < LEAVING_MAX; i++)
        m->leaving[i].ctl = -1;
    m->n = (size_t)pool_of(*m->conf, m->program)->processes;
    while (!m->stopping) {
        manager_step(m);
        manager_wait(m);
    }
    /* Nobody new can come; what waits in the queue is still served by the draining workers. */
    listen_unlink(pool_of(*m->conf, m->program));
    do {
        manager_step(m);
        manager_wait(m);
    } while (somebody_lives(m));
    return 0;
}

/* The web server started this process and will start it again: it is the worker. */
static int run_alone(struct conf *conf, enum program program)
{
    struct err err = {.outcome = OK};
    if (sandbox_enter("", true, &err) != OK) {
        log_err(LOG_LEVEL_ERROR, "start", &err);
        return 1;
    }
    for (;;) {
        enum worker_end end = worker_run(conf, program, 0, -1);
        if (end != WORKER_AGAIN)
            return end == WORKER_FAILED;
        struct conf *probe = NULL;
        if (conf_load(conf->path, &probe, &err) == OK) {
            conf_free(&probe);
            self_again();
        } else {
            err_prefix(&err, "the old configuration stays");
            log_err(LOG_LEVEL_ERROR, "reload", &err);
        }
    }
}

int manager_main(struct conf **conf, enum program program)
{
    struct err err = {.outcome = OK};
    struct manager *m = NULL;
    const char *name = program == PROGRAM_MDM ? "mdm" : "console";
    int status = 1;
    if (listen_inherited())
        return run_alone(*conf, program);
    m = calloc(1, sizeof *m);
    if (!m)
        return 1;
    *m = (struct manager){.conf = conf, .program = program, .name = name, .listen_fd = -1};
    enum outcome o = self_pidfile((*conf)->run_dir, name, &err);
    if (o == OK)
        o = listen_open(pool_of(*conf, program), (*conf)->run_dir, &m->listen_fd, &err);
    if (o == OK)
        o = sandbox_enter(pool_of(*conf, program)->user, false, &err);
    m->sigfd = signals_open();
    if (o != OK || m->sigfd < 0)
        log_err(LOG_LEVEL_ERROR, "start", &err);
    else
        status = manager_run(m);
    self_pidfile_done();
    free(m);
    return status;
}
