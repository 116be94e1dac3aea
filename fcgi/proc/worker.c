/*
 * worker.c: the accepting threads.
 *
 * Connections are accepted here and not by libfcgi, which would wait where neither a drain nor a
 * time limit reaches it. A thread waits in accept(2) itself, for half a second at a time, and looks
 * whether the worker drains. (Waiting in epoll for the socket and an event of our own costs three
 * system calls for one, and an exclusive waiter that is woken while it leaves takes the wake-up of
 * a connection with it.) libfcgi is then given the connection: its FCGX_Accept_r takes ipcFd when
 * that is set and keepConnection says that it may stay, and its own listening socket is -1, so that
 * it comes back with an error where it would wait for another connection. One connection carries
 * one request: a web server that keeps connections open cannot occupy a thread.
 */
#include "proc/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/resp.h"
#include "proc/access.h"
#include "proc/lane.h"
#include "proc/process.h"

#define STACK_SIZE (1024u * 1024u)
#define ACCEPT_WAIT_MS 500
#define READ_GAP_S 30 /* a web server that sends nothing for this long has lost its request */
#define DRAIN_ROUND_US SECOND_US
#define HEAD_MAX (64u * LIM_KB)

static void lane_begin(struct lane *lane, int fd)
{
    pthread_mutex_lock(&lane->lock);
    lane->fd = fd;
    lane->since = clock_mono();
    lane->id[0] = '\0';
    lane->strikes = 0;
    pthread_mutex_unlock(&lane->lock);
}

static void lane_name(struct lane *lane, const char *id)
{
    pthread_mutex_lock(&lane->lock);
    memcpy(lane->id, id, sizeof lane->id);
    pthread_mutex_unlock(&lane->lock);
}

/* From now on the watch leaves the descriptor alone: it is about to be closed. */
static void lane_end(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->fd = -1;
    lane->since = 0;
    pthread_mutex_unlock(&lane->lock);
}

static size_t read_stdin(void *from, void *p, size_t n, bool *cut)
{
    FCGX_Stream *in = from;
    size_t got = 0;
    while (got < n) {
        size_t step = n - got < LIM_MB ? n - got : LIM_MB;
        int r = FCGX_GetStr((char *)p + got, (int)step, in);
        got += (size_t)(r > 0 ? r : 0);
        if (r < (int)step)
            break;
    }
    *cut = FCGX_GetError(in) != 0;
    return got;
}

static void write_stdout(FCGX_Stream *out, struct bytes b)
{
    while (b.n) {
        size_t step = b.n < LIM_MB ? b.n : LIM_MB;
        if (FCGX_PutStr((const char *)b.p, (int)step, out) != (int)step)
            return; /* the web server went away: nobody is left to tell */
        b.p += step;
        b.n -= step;
    }
}

/* Answers the request that fcgi holds. True: all that was sent has been read. */
static bool answer(struct lane *lane, FCGX_Request *fcgi, struct arena *arena, struct buf *head)
{
    struct worker *w = lane->worker;
    struct err err = {.outcome = OK};
    struct req *req;
    struct resp resp;
    resp_init(&resp);
    enum outcome o =
        req_new(arena, fcgi->envp, (struct req_source){read_stdin, fcgi->in}, &req, &err);
    if (!req) {
        log_err(LOG_LEVEL_ERROR, "request", &err);
        write_stdout(fcgi->out, bytes_str("Status: 500 Internal Server Error\r\n\r\n"));
        resp_free(&resp);
        return false;
    }
    lane_name(lane, req->id);
    log_context_request(req->id);
    if (o == OK) {
        route_run(process_app(w->process), w->program, req, &resp);
    } else {
        resp_text(&resp, o == INVALID ? 400 : 500, "%s", o == INVALID ? err.msg : "internal error");
        resp_note(&resp, "%s", err.msg);
    }
    resp_head(&resp, req, head);
    struct bytes body = resp_payload(&resp, req);
    write_stdout(fcgi->out, buf_bytes(head));
    write_stdout(fcgi->out, body);
    FCGX_FClose(fcgi->err);
    FCGX_FClose(fcgi->out);
    access_log(req, &resp, body.n);
    log_context_clear();
    resp_free(&resp);
    return req_drained(req);
}

static void serve(struct lane *lane, int fd, FCGX_Request *fcgi, struct arena *arena,
                  struct buf *head)
{
    struct timeval gap = {.tv_sec = READ_GAP_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &gap, sizeof gap);
    fcgi->ipcFd = fd;
    fcgi->keepConnection = 1;
    if (FCGX_Accept_r(fcgi) != 0)
        return; /* it was no FastCGI request; libfcgi has closed the connection */
    lane_begin(lane, fd);
    bool drained = answer(lane, fcgi, arena, head);
    lane_end(lane);
    /* Without this libfcgi waits until the web server has closed its end, which matters only when
     * there may be unread octets: closing then would make the kernel drop what was answered. */
    if (drained)
        FCGX_Detach(fcgi);
    FCGX_Free(fcgi, 1);
    buf_clear(head);
    arena_wipe(arena);
    atomic_fetch_add_explicit(&lane->worker->served, 1, memory_order_relaxed);
}

/* Over TCP: no delay, and only the web servers that FCGI_WEB_SERVER_ADDRS names (FastCGI
 * specification, section 3.2). False: not one of them. */
static bool tcp_admit(int fd)
{
    const char *list = getenv("FCGI_WEB_SERVER_ADDRS");
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;
    char text[INET6_ADDRSTRLEN];
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!list || !*list)
        return true;
    if (getpeername(fd, (struct sockaddr *)&peer, &n) != 0)
        return false;
    const void *addr = peer.ss_family == AF_INET6
                           ? (const void *)&((struct sockaddr_in6 *)&peer)->sin6_addr
                           : (const void *)&((struct sockaddr_in *)&peer)->sin_addr;
    if (!inet_ntop(peer.ss_family, addr, text, sizeof text))
        return false;
    for (size_t len = strlen(text); *list; list += strspn(list, ", ")) {
        size_t word = strcspn(list, ", ");
        if (word == len && strncmp(list, text, len) == 0)
            return true;
        list += word;
    }
    return false;
}

/* Takes one connection and serves it, or returns after a while when none comes. */
static void serve_next(struct lane *lane, FCGX_Request *fcgi, struct arena *arena, struct buf *head)
{
    struct worker *w = lane->worker;
    int fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            log_msg(LOG_LEVEL_ERROR, "accept", "%s", strerror(errno));
            usleep(50000); /* out of descriptors or memory: not in a hurry */
        }
        return;
    }
    if (w->tcp && !tcp_admit(fd)) {
        log_msg(LOG_LEVEL_WARNING, "accept", "a peer that FCGI_WEB_SERVER_ADDRS does not name");
        close(fd);
        return;
    }
    serve(lane, fd, fcgi, arena, head);
}

static bool somebody_waits(const struct worker *w)
{
    struct pollfd p = {.fd = w->listen_fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* Serves until the worker drains; then what waits in the queue already, but not for ever: others
 * may share the socket, and where nobody does, nobody new can come. */
static void lane_loop(struct lane *lane, FCGX_Request *fcgi, struct arena *arena, struct buf *head)
{
    struct worker *w = lane->worker;
    while (!atomic_load_explicit(&w->draining, memory_order_relaxed))
        serve_next(lane, fcgi, arena, head);
    int64_t until = clock_mono() + DRAIN_ROUND_US;
    while (somebody_waits(w) && clock_mono() < until)
        serve_next(lane, fcgi, arena, head);
}

static void *lane_main(void *arg)
{
    struct lane *lane = arg;
    struct worker *w = lane->worker;
    FCGX_Request fcgi;
    struct buf head = BUF_INIT(HEAD_MAX);
    uint64_t one = 1;
    struct arena *arena = arena_new(LIM_ARENA_REQUEST);
    FCGX_InitRequest(&fcgi, -1, 0);
    if (arena)
        lane_loop(lane, &fcgi, arena, &head);
    else
        log_msg(LOG_LEVEL_ERROR, "worker", "no memory for a thread");
    arena_free(&arena);
    buf_free(&head);
    atomic_fetch_sub(&w->alive, 1);
    while (write(w->done_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    return NULL;
}

static bool lanes_start(struct worker *w)
{
    pthread_attr_t attr;
    bool ok = true;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    for (size_t i = 0; i < w->n && ok; i++) {
        struct lane *lane = &w->lanes[i];
        lane->worker = w;
        lane->fd = -1;
        pthread_mutex_init(&lane->lock, NULL);
        atomic_fetch_add(&w->alive, 1);
        if (pthread_create(&lane->thread, &attr, lane_main, lane) != 0) {
            atomic_fetch_sub(&w->alive, 1);
            log_msg(LOG_LEVEL_ERROR, "worker", "cannot start %zu threads", w->n);
            ok = false;
        }
    }
    pthread_attr_destroy(&attr);
    return ok;
}

static int block_signals(void)
{
    sigset_t set;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Memory of a large request goes back to the system at once, and stays with it. Without fast bins:
 * libfcgi's buffers, large ones for each request, would have malloc() go through them all each
 * time. */
static void tune_malloc(void)
{
    mallopt(M_MXFAST, 0);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    mallopt(M_ARENA_MAX, 4);
}

static bool worker_open(struct worker *w, struct err *err)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    struct timeval wait = {.tv_usec = ACCEPT_WAIT_MS * 1000};
    int flags = fcntl(w->listen_fd, F_GETFL);
    w->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->lanes = calloc(w->n, sizeof *w->lanes);
    if (w->done_fd < 0 || !w->lanes || FCGX_Init() != 0 || flags < 0 ||
        fcntl(w->listen_fd, F_SETFL, flags & ~O_NONBLOCK) != 0 ||
        setsockopt(w->listen_fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0) {
        err_set(err, ERROR, "cannot prepare a worker: %s", strerror(errno));
        return false;
    }
    w->tcp =
        getsockname(w->listen_fd, (struct sockaddr *)&at, &len) == 0 && at.ss_family != AF_UNIX;
    return process_open(w->conf, w->program, &w->process, err) == OK;
}

enum worker_end worker_run(const struct conf *conf, enum program program, int listen_fd,
                           int manager_fd)
{
    struct err err = {.outcome = OK};
    enum worker_end end = WORKER_FAILED;
    char ready = WORKER_READY;
    struct worker w = {.conf = conf,
                       .pool = program == PROGRAM_MDM ? &conf->mdm : &conf->console,
                       .program = program,
                       .listen_fd = listen_fd,
                       .manager_fd = manager_fd,
                       .done_fd = -1};
    w.n = (size_t)w.pool->threads;
    tune_malloc();
    int sigfd = block_signals();
    if (sigfd < 0 || !worker_open(&w, &err)) {
        log_err(LOG_LEVEL_ERROR, "worker.start", &err);
        return WORKER_FAILED;
    }
    if (!lanes_start(&w))
        return WORKER_FAILED;
    log_msg(LOG_LEVEL_INFO, "worker.start", "%zu threads accept", w.n);
    if (manager_fd >= 0 && send(manager_fd, &ready, 1, MSG_NOSIGNAL) != 1)
        return WORKER_FAILED; /* the manager is gone */
    watch_run(&w, sigfd, &end);
    if (atomic_load(&w.alive) > 0) {
        log_msg(LOG_LEVEL_ERROR, "worker.end", "%d requests did not end in time",
                atomic_load(&w.alive));
        return end; /* their threads still use what would be freed */
    }
    for (size_t i = 0; i < w.n; i++)
        pthread_join(w.lanes[i].thread, NULL);
    process_close(&w.process);
    free(w.lanes);
    close(w.done_fd);
    close(sigfd);
    log_msg(LOG_LEVEL_INFO, "worker.end", "%llu requests served",
            (unsigned long long)atomic_load(&w.served));
    return end;
}
