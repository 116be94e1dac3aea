/*
 * signer.c: the signer's process: sockets, limits and threads.
 *
 * The main thread accepts, asks the kernel who is there (SO_PEERCRED), and gathers requests from
 * all connections at once with epoll; only whole requests reach the threads, which do the
 * arithmetic and write the answer. So a caller who connects and says nothing, or speaks slowly,
 * costs a descriptor for five seconds and no thread. Each role has its own share of connections:
 * one that floods its socket waits in its own line.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
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
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "proc/sandbox.h"
#include "proc/signer.h"
#include "proc/signer_int.h"
#include "wire/scepmsg.h"

#define REQUEST_US (5 * SECOND_US) /* to say what one wants; the same again to take the answer */
#define SWEEP_US (SECOND_US / 4)
#define TICKETS_SWEEP_US HOUR_US
#define ARENA_MAX (8u * LIM_MB)
#define QUOTA_MDM 128
#define QUOTA_OTHER 32
#define CONNS_MAX (QUOTA_MDM + (SIGN_ROLES - 1) * QUOTA_OTHER)
#define THREADS_MAX 64
#define FILES_SPARE 32 /* descriptors beside those of callers */

enum kind { KIND_LISTENER, KIND_SIGNAL, KIND_WAKE, KIND_CONN };

struct listener {
    enum kind kind;
    int fd;
    enum sign_role role;
    uid_t uid; /* whom it serves */
    size_t count, quota;
    bool paused;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

struct conn {
    enum kind kind;
    int fd;
    struct listener *from;
    struct signer_peer peer;
    int64_t deadline;
    bool working; /* a thread has it */
    bool answered;
    size_t want; /* octets of the whole request; 0 until its length is known */
    struct buf in, out;
    size_t sent;
    struct conn *next;
};

struct server {
    struct signer signer;
    struct listener listeners[SIGN_ROLES];
    struct conn *conns[CONNS_MAX];
    size_t nconns;
    int epoll, signals, wake, lock_fd;
    enum kind signal_kind, wake_kind;
    pthread_t threads[THREADS_MAX];
    size_t nthreads;

    pthread_mutex_t lock; /* of the rest */
    pthread_cond_t work;
    struct conn *todo, **todo_end;
    struct conn *done;
    bool stop;
};

/* --- connections ------------------------------------------------------------------------- */

static void conn_close(struct server *v, struct conn *c)
{
    for (size_t i = 0; i < v->nconns; i++)
        if (v->conns[i] == c) {
            v->conns[i] = v->conns[--v->nconns];
            break;
        }
    c->from->count--;
    if (c->from->paused && c->from->count < c->from->quota) {
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c->from};
        c->from->paused = epoll_ctl(v->epoll, EPOLL_CTL_MOD, c->from->fd, &ev) != 0;
    }
    close(c->fd);
    buf_wipe(&c->in);
    buf_wipe(&c->out);
    free(c);
}

/* Sends what the socket takes. True when all is sent or nobody is there to take it. */
static bool conn_send(struct conn *c)
{
    while (c->sent < c->out.len) {
        ssize_t n =
            send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno != EAGAIN;
        c->sent += (size_t)n;
    }
    return true;
}

static bool peer_allowed(const struct listener *l, const struct ucred *who)
{
    return who->uid == l->uid || (l->role == SIGN_CTL && who->uid == 0);
}

static void refuse_peer(const struct listener *l, const struct ucred *who)
{
    char pid[24], uid[24];
    snprintf(pid, sizeof pid, "%ld", (long)who->pid);
    snprintf(uid, sizeof uid, "%lu", (unsigned long)who->uid);
    log_event(LOG_LEVEL_WARNING, "signer.refused", "role", sign_role_name(l->role), "pid", pid,
              "uid", uid, "why", "not the account of this role", NULL);
}

static void conn_accept(struct server *v, struct listener *l)
{
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct ucred who;
    socklen_t n = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 || !peer_allowed(l, &who)) {
        refuse_peer(l, &who);
        close(fd);
        return;
    }
    struct conn *c = calloc(1, sizeof *c);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    if (!c || epoll_ctl(v->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        log_event(LOG_LEVEL_ERROR, "signer.accept", "why", "out of memory", NULL);
        close(fd);
        free(c);
        return;
    }
    c->kind = KIND_CONN;
    c->fd = fd;
    c->from = l;
    c->peer = (struct signer_peer){.role = l->role, .pid = who.pid, .uid = who.uid};
    c->deadline = clock_mono() + REQUEST_US;
    buf_init(&c->in, SIGN_HEAD + SIGN_MSG_MAX);
    buf_init(&c->out, SIGN_HEAD + SIGN_MSG_MAX + LIM_KB);
    v->conns[v->nconns++] = c;
    if (++l->count >= l->quota) {
        struct epoll_event none = {.events = 0, .data.ptr = l};
        l->paused = epoll_ctl(v->epoll, EPOLL_CTL_MOD, l->fd, &none) == 0;
    }
}

static void conn_hand_over(struct server *v, struct conn *c)
{
    epoll_ctl(v->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    c->working = true;
    c->next = NULL;
    pthread_mutex_lock(&v->lock);
    *v->todo_end = c;
    v->todo_end = &c->next;
    pthread_cond_signal(&v->work);
    pthread_mutex_unlock(&v->lock);
}

/* The length is known: is it one we take? */
static bool conn_head(struct conn *c)
{
    const uint8_t *p = (const uint8_t *)c->in.data;
    uint32_t n = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    if (n < 2 || n > SIGN_MSG_MAX)
        return false;
    c->want = SIGN_HEAD + n;
    return true;
}

/* Reads what is there; no further than the request goes. False: the connection is to be closed. */
static bool conn_read(struct server *v, struct conn *c)
{
    for (;;) {
        size_t need = (c->want ? c->want : SIGN_HEAD) - c->in.len;
        size_t step = need < 65536 ? need : 65536;
        char *room = buf_room(&c->in, step);
        ssize_t n = room ? recv(c->fd, room, step, MSG_DONTWAIT) : 0;
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        buf_grew(&c->in, (size_t)n);
        if (!c->want && c->in.len == SIGN_HEAD && !conn_head(c)) {
            log_event(LOG_LEVEL_WARNING, "signer.refused", "role", sign_role_name(c->peer.role),
                      "why", "the request's length is out of bounds", NULL);
            return false;
        }
        if (c->want && c->in.len == c->want) {
            conn_hand_over(v, c);
            return true;
        }
    }
}

static void conn_event(struct server *v, struct conn *c, uint32_t events)
{
    if (c->answered) {
        if ((events & (EPOLLERR | EPOLLHUP)) || conn_send(c))
            conn_close(v, c);
        return;
    }
    if (!conn_read(v, c))
        conn_close(v, c);
}

/* Takes back what the threads have finished. */
static void conns_done(struct server *v)
{
    uint64_t n;
    (void)!read(v->wake, &n, sizeof n);
    pthread_mutex_lock(&v->lock);
    struct conn *c = v->done;
    v->done = NULL;
    pthread_mutex_unlock(&v->lock);
    while (c) {
        struct conn *next = c->next;
        struct epoll_event ev = {.events = EPOLLOUT, .data.ptr = c};
        c->working = false;
        c->answered = true;
        c->deadline = clock_mono() + REQUEST_US;
        if (conn_send(c) || epoll_ctl(v->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
            conn_close(v, c);
        c = next;
    }
}

static void conns_sweep(struct server *v)
{
    int64_t now = clock_mono();
    for (size_t i = v->nconns; i-- > 0;) {
        struct conn *c = v->conns[i];
        if (c->working || c->deadline > now)
            continue;
        log_event(LOG_LEVEL_WARNING, "signer.timeout", "role", sign_role_name(c->peer.role), "why",
                  c->answered ? "the answer was not taken" : "the request did not come", NULL);
        conn_close(v, c);
    }
}

/* --- threads ----------------------------------------------------------------------------- */

static struct conn *next_todo(struct server *v)
{
    pthread_mutex_lock(&v->lock);
    while (!v->todo && !v->stop)
        pthread_cond_wait(&v->work, &v->lock);
    struct conn *c = v->todo;
    if (c) {
        v->todo = c->next;
        if (!v->todo)
            v->todo_end = &v->todo;
    }
    pthread_mutex_unlock(&v->lock);
    return c;
}

static void *thread_main(void *arg)
{
    struct server *v = arg;
    struct arena *a = arena_new(ARENA_MAX);
    for (struct conn *c; a && (c = next_todo(v));) {
        struct bytes msg = buf_bytes(&c->in);
        signer_answer(&v->signer, &c->peer, bytes_of(msg.p + SIGN_HEAD, msg.n - SIGN_HEAD), a,
                      &c->out);
        arena_wipe(a);
        conn_send(c); /* mostly all of it; the main thread closes, or sends the rest */
        pthread_mutex_lock(&v->lock);
        c->next = v->done;
        v->done = c;
        pthread_mutex_unlock(&v->lock);
        uint64_t one = 1;
        (void)!write(v->wake, &one, sizeof one);
    }
    arena_free(&a);
    return NULL;
}

static enum outcome threads_start(struct server *v, struct err *err)
{
    int64_t n = v->signer.conf->signer_threads;
    n = n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : n;
    for (; v->nthreads < (size_t)n; v->nthreads++) {
        int rc = pthread_create(&v->threads[v->nthreads], NULL, thread_main, v);
        if (rc != 0)
            return err_set(err, ERROR, "cannot start a thread: %s", strerror(rc));
    }
    return OK;
}

static void threads_stop(struct server *v)
{
    pthread_mutex_lock(&v->lock);
    v->stop = true;
    pthread_cond_broadcast(&v->work);
    pthread_mutex_unlock(&v->lock);
    while (v->nthreads)
        pthread_join(v->threads[--v->nthreads], NULL);
}

/* --- start and end ------------------------------------------------------------------------ */

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
        l->quota = i == SIGN_MDM ? QUOTA_MDM : QUOTA_OTHER;
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
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > CONNS_MAX + FILES_SPARE)
        files.rlim_cur = files.rlim_max = CONNS_MAX + FILES_SPARE;
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
        o = signer_keys_load(c, &v->signer.keys, err);
    if (o == OK)
        o = signer_tickets_open(c->signer_dir, &v->signer.tickets, err);
    if (o == OK)
        o = rights_drop(err);
    if (o == OK)
        o = threads_start(v, err);
    if (o == OK &&
        journal_event(v->signer.journal, "signer.start", "version", DROVER_VERSION, NULL) != OK)
        o = err_set(err, ERROR, "cannot write %s", c->signer_log);
    if (o == OK)
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
    while (v->nconns)
        conn_close(v, v->conns[0]);
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
            signer_tickets_sweep(v->signer.tickets);
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
