/* signer.c: the signer's process: its sockets, what it gives up, its loop, its end. */
#include "proc/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "proc/sandbox.h"
#include "proc/signer_conn.h"
#include "wire/scepmsg.h"

#define SWEEP_US (SECOND_US / 4)
#define TICKETS_SWEEP_US HOUR_US
#define FILES_SPARE 32 /* descriptors beside those of callers */

static enum outcome uid_of(const char *user, uid_t *uid, struct err *err)
{
    *uid = geteuid();
    if (!user[0])
        return OK;
    struct passwd *pw = getpwnam(user);
    if (!pw)
        return err_set(err, INVALID, "there is no account \"%s\"", user);
    *uid = pw->pw_uid;
    return OK;
}

/* One signer for a run_dir: a second would take the sockets away from the first. */
static enum outcome lock_take(struct server *v, const char *run_dir, struct err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/signer.lock", run_dir);
    v->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (v->lock_fd < 0)
        return err_set(err, ERROR, "%s: %m", path);
    if (flock(v->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, CONFLICT, "%s is held: another signer runs here", path);
    return OK;
}

static enum outcome listen_on(struct server *v, struct listener *l, const char *run_dir,
                              struct err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(at.sun_path, sizeof at.sun_path, "%s/signer-%s.sock", run_dir,
                     sign_role_name(l->role));
    if (n < 0 || (size_t)n >= sizeof at.sun_path)
        return err_set(err, INVALID,
                       "[server] run_dir: the path of a socket has at most %zu octets",
                       sizeof at.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, ERROR, "socket: %m");
    l->fd = fd;
    /* Another account must be able to connect; who it is, the kernel tells at each connection. */
    mode_t mode = l->uid == geteuid() ? 0600 : 0666;
    unlink(at.sun_path);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || chmod(at.sun_path, mode) != 0 ||
        listen(fd, 256) != 0)
        return err_set(err, ERROR, "%s: %m", at.sun_path);
    memcpy(l->path, at.sun_path, sizeof l->path);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};
    if (epoll_ctl(v->epoll, EPOLL_CTL_ADD, fd, &ev) != 0)
        return err_set(err, ERROR, "epoll: %m");
    return OK;
}

static enum outcome listeners_open(struct server *v, struct err *err)
{
    const struct conf *c = v->signer.conf;
    const char *const users[SIGN_ROLES] = {[SIGN_MDM] = c->mdm.user,
                                           [SIGN_CONSOLE] = c->console.user,
                                           [SIGN_AGENT] = c->agent_user,
                                           [SIGN_CTL] = ""};
    for (int i = 0; i < SIGN_ROLES; i++) {
        struct listener *l = &v->listeners[i];
        l->role = (enum sign_role)i;
        l->quota = i == SIGN_MDM ? SIGNER_QUOTA_MDM : SIGNER_QUOTA_OTHER;
        enum outcome o = uid_of(users[i], &l->uid, err);
        if (o == OK)
            o = listen_on(v, l, c->run_dir, err);
        if (o != OK)
            return o;
    }
    return OK;
}

static enum outcome events_open(struct server *v, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    v->epoll = epoll_create1(EPOLL_CLOEXEC);
    v->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    v->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    v->signal_kind = KIND_SIGNAL;
    v->wake_kind = KIND_WAKE;
    struct epoll_event sig = {.events = EPOLLIN, .data.ptr = &v->signal_kind};
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = &v->wake_kind};
    if (v->epoll < 0 || v->signals < 0 || v->wake < 0 ||
        epoll_ctl(v->epoll, EPOLL_CTL_ADD, v->signals, &sig) != 0 ||
        epoll_ctl(v->epoll, EPOLL_CTL_ADD, v->wake, &wake) != 0)
        return err_set(err, ERROR, "epoll, signalfd or eventfd: %m");
    return OK;
}

/* Root has opened what lies in root's folders; the rest is read as the signer's own account. */
static enum outcome account_take(struct server *v, struct err *err)
{
    const char *user = v->signer.conf->signer_user;
    struct passwd *pw = user[0] && geteuid() == 0 ? getpwnam(user) : NULL;
    enum outcome o = OK;
    if (pw)
        o = journal_give(v->signer.journal, pw->pw_uid, pw->pw_gid, err);
    return o == OK ? sandbox_enter(user, false, err) : o;
}

/* What it needs still less of than other programs: files, and the sight of a debugger. */
static enum outcome rights_drop(struct err *err)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > SIGNER_CONNS_MAX + FILES_SPARE)
        files.rlim_cur = files.rlim_max = SIGNER_CONNS_MAX + FILES_SPARE;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_set(err, ERROR, "cannot give up rights: %m");
    return OK;
}

static void des_prepare(struct server *v)
{
    struct err err = {0};
    if (!v->signer.conf->scep_des)
        return;
    v->signer.des = scep_legacy_load(&err) == OK;
    if (!v->signer.des)
        log_err(LOG_LEVEL_WARNING, "signer.des", &err);
}

static void warn_expiry(const struct signer_keys *k)
{
    struct arena *a = arena_new(LIM_MB);
    const struct {
        const char *name;
        struct bytes cert;
    } all[] = {{"ca", k->ca.cert}, {"ra", k->ra.cert}, {"profile", k->profile.cert}};
    for (size_t i = 0; a && i < sizeof all / sizeof *all; i++) {
        struct cert_info info;
        char when[CLOCK_TEXT_MAX];
        if (cert_info_read(a, all[i].cert, &info, NULL) == OK &&
            info.not_after < clock_now() + 60 * DAY_US)
            log_event(LOG_LEVEL_WARNING, "signer.expiry", "certificate", all[i].name, "not_after",
                      clock_rfc3339(info.not_after, false, when), NULL);
    }
    arena_free(&a);
}

/* A word that OpenSSL does not know would stop every issuing later. */
static enum outcome purposes_check(const struct conf *c, struct err *err)
{
    for (size_t i = 0; i < c->scep_purposes.n; i++)
        if (!cert_purpose_known(c->scep_purposes.item[i]))
            return err_set(err, INVALID,
                           "[scep] purposes: \"%.60s\" is no extended key usage; a name such as "
                           "emailProtection or a dotted number is one",
                           c->scep_purposes.item[i]);
    return OK;
}

/* Without any it waits for somebody to have them made: the set-up needs it to be there. */
static enum outcome keys_take(struct server *v, struct err *err)
{
    const struct conf *c = v->signer.conf;
    if (signer_keys_none(c)) {
        log_event(LOG_LEVEL_WARNING, "signer.no_keys", "dir", c->signer_dir, NULL);
        return OK;
    }
    enum outcome o = signer_keys_load(c, &v->signer.keys, err);
    return o == OK ? signer_tickets_open(c->signer_dir, &v->signer.tickets, err) : o;
}

/* They come with the first keys, in another thread. */
static void tickets_sweep(struct signer *s)
{
    pthread_rwlock_rdlock(&s->lock);
    if (s->tickets)
        signer_tickets_sweep(s->tickets);
    pthread_rwlock_unlock(&s->lock);
}

static enum outcome server_start(struct server *v, struct err *err)
{
    const struct conf *c = v->signer.conf;
    pkey_guard_memory();
    des_prepare(v);
    enum outcome o = purposes_check(c, err);
    if (o == OK)
        o = lock_take(v, c->run_dir, err);
    if (o == OK)
        o = journal_open(c->signer_log, "signer", &v->signer.journal, err);
    if (o == OK)
        o = events_open(v, err);
    if (o == OK)
        o = listeners_open(v, err);
    if (o == OK)
        o = account_take(v, err);
    if (o == OK)
        o = keys_take(v, err);
    if (o == OK)
        o = rights_drop(err);
    if (o == OK)
        o = threads_start(v, err);
    if (o == OK &&
        journal_event(v->signer.journal, "signer.start", "version", DROVER_VERSION, NULL) != OK)
        o = err_set(err, ERROR, "cannot write %s", c->signer_log);
    if (o == OK && v->signer.keys.nauth)
        warn_expiry(&v->signer.keys);
    return o;
}

static void server_end(struct server *v)
{
    threads_stop(v);
    for (int i = 0; i < SIGN_ROLES; i++) {
        if (v->listeners[i].path[0])
            unlink(v->listeners[i].path);
        if (v->listeners[i].fd >= 0)
            close(v->listeners[i].fd);
        v->listeners[i].paused = false;
    }
    conns_close(v);
    const int fds[] = {v->epoll, v->signals, v->wake, v->lock_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    signer_keys_free(&v->signer.keys);
    signer_tickets_free(&v->signer.tickets);
    journal_close(&v->signer.journal);
}

/* False when it is time to end. */
static bool on_signal(struct server *v)
{
    struct signalfd_siginfo info;
    bool go_on = true;
    while (read(v->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP || info.ssi_signo == SIGUSR1) {
            journal_reopen(v->signer.journal);
            log_reopen();
        } else {
            go_on = false;
        }
    }
    return go_on;
}

static bool on_event(struct server *v, const struct epoll_event *ev)
{
    enum kind *kind = ev->data.ptr;
    switch (*kind) {
    case KIND_LISTENER:
        conn_accept(v, ev->data.ptr);
        return true;
    case KIND_SIGNAL:
        return on_signal(v);
    case KIND_WAKE:
        conns_done(v);
        return true;
    case KIND_CONN:
        conn_event(v, ev->data.ptr, ev->events);
        return true;
    }
    return true;
}

static void server_loop(struct server *v)
{
    int64_t swept = clock_mono(), tickets = swept;
    for (bool go_on = true; go_on;) {
        /* one event at a time: what it closes cannot be in the rest of a list */
        struct epoll_event ev;
        int n = epoll_wait(v->epoll, &ev, 1, (int)(SWEEP_US / 1000));
        if (n > 0)
            go_on = on_event(v, &ev);
        int64_t now = clock_mono();
        if (now - swept >= SWEEP_US) {
            conns_sweep(v);
            swept = now;
        }
        if (now - tickets >= TICKETS_SWEEP_US) {
            tickets_sweep(&v->signer);
            tickets = now;
        }
    }
}

int signer_main(const struct conf *conf)
{
    struct err err = {0};
    struct server *v = calloc(1, sizeof *v);
    if (!v)
        return 1;
    v->signer.conf = conf;
    v->epoll = v->signals = v->wake = v->lock_fd = -1;
    for (int i = 0; i < SIGN_ROLES; i++)
        v->listeners[i].fd = -1;
    pthread_mutex_init(&v->lock, NULL);
    pthread_rwlock_init(&v->signer.lock, NULL);
    pthread_cond_init(&v->work, NULL);
    v->todo_end = &v->todo;
    enum outcome o = server_start(v, &err);
    if (o == OK) {
        log_event(LOG_LEVEL_INFO, "signer.start", "dir", conf->signer_dir, NULL);
        server_loop(v);
        log_event(LOG_LEVEL_INFO, "signer.end", NULL);
    } else {
        log_err(LOG_LEVEL_ERROR, "signer.start", &err);
    }
    server_end(v);
    pthread_cond_destroy(&v->work);
    pthread_mutex_destroy(&v->lock);
    pthread_rwlock_destroy(&v->signer.lock);
    free(v);
    return o == OK ? 0 : 1;
}
