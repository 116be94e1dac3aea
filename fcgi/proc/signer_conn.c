/*
 * signer_conn.c: who asks the signer, and the threads that answer.
 *
 * The main thread accepts, asks the kernel who is there (SO_PEERCRED), and gathers requests from
 * all connections at once with epoll; only whole requests reach the threads, which do the
 * arithmetic and write the answer. So a caller who connects and says nothing, or speaks slowly,
 * costs a descriptor for five seconds and no thread. Each role has its own share of connections:
 * one that floods its socket waits in its own line.
 */
#include "proc/signer_conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"

#define REQUEST_US (5 * SECOND_US) /* to say what one wants; the same again to take the answer */
#define ARENA_MAX (8u * LIM_MB)

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

void conn_accept(struct server *v, struct listener *l)
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

void conn_event(struct server *v, struct conn *c, uint32_t events)
{
    if (c->answered) {
        if ((events & (EPOLLERR | EPOLLHUP)) || conn_send(c))
            conn_close(v, c);
        return;
    }
    if (!conn_read(v, c))
        conn_close(v, c);
}

void conns_done(struct server *v)
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

void conns_sweep(struct server *v)
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

void conns_close(struct server *v)
{
    while (v->nconns)
        conn_close(v, v->conns[0]);
}

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

enum outcome threads_start(struct server *v, struct err *err)
{
    int64_t n = v->signer.conf->signer_threads;
    n = n < 1 ? 1 : n > SIGNER_THREADS_MAX ? SIGNER_THREADS_MAX : n;
    for (; v->nthreads < (size_t)n; v->nthreads++) {
        int rc = pthread_create(&v->threads[v->nthreads], NULL, thread_main, v);
        if (rc != 0)
            return err_set(err, ERROR, "cannot start a thread: %s", strerror(rc));
    }
    return OK;
}

void threads_stop(struct server *v)
{
    pthread_mutex_lock(&v->lock);
    v->stop = true;
    pthread_cond_broadcast(&v->work);
    pthread_mutex_unlock(&v->lock);
    while (v->nthreads)
        pthread_join(v->threads[--v->nthreads], NULL);
}
