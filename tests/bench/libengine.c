/*
 * libengine.c: HTTP/1.1 over kept connections on one thread: epoll, one request in flight on each
 * connection, every latency remembered. Nothing here allocates while it measures.
 */
#include "libload.h"

#include "base/clock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_MAX (256 * 1024)
#define ERRORS_MAX 100         /* then it is of no use to go on */
#define SAMPLES_MAX (8u << 20) /* latencies; later ones replace earlier ones in turn */

struct lane {
    int fd;
    unsigned number;
    bool busy, fresh; /* fresh: nothing was answered on this connection yet */
    struct bytes request;
    size_t sent;
    char *in;
    size_t nin;
    char *plain; /* a de-chunked body */
    int64_t started;
};

struct engine {
    struct sockaddr_storage to;
    socklen_t nto;
    int epoll;
    struct lane *lane;
    unsigned lanes, busy;
    uint32_t *sample; /* microseconds */
    uint64_t requests, errors, reconnects, limit;
    int64_t spent_us;
    uint64_t status[600];
    char first_error[200];
    const struct work *work;
    bool ending;
};

static enum outcome lane_open(struct engine *e, struct lane *l, struct err *err)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};
    if (l->fd >= 0)
        close(l->fd);
    l->fd = socket(e->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&e->to, e->nto) != 0)
        return err_set(err, ERROR, "connect: %s", strerror(errno));
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    l->fresh = true;
    if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, l->fd, &ev) != 0)
        return err_set(err, ERROR, "epoll_ctl: %s", strerror(errno));
    return OK;
}

enum outcome engine_new(const char *host, const char *port, unsigned lanes, struct engine **out,
                        struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *ai = NULL;
    struct engine *e = calloc(1, sizeof *e);
    enum outcome o = OK;
    if (!e || !(e->sample = malloc(SAMPLES_MAX * sizeof *e->sample)) ||
        !(e->lane = calloc(lanes, sizeof *e->lane)))
        return err_set(err, ERROR, "out of memory");
    if (getaddrinfo(host, port, &hints, &ai) != 0) {
        o = err_set(err, INVALID, "%s port %s: no such address", host, port);
        goto out;
    }
    memcpy(&e->to, ai->ai_addr, ai->ai_addrlen);
    e->nto = ai->ai_addrlen;
    freeaddrinfo(ai);
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    e->lanes = lanes;
    for (unsigned i = 0; i < lanes; i++)
        e->lane[i].fd = -1;
    for (unsigned i = 0; o == OK && i < lanes; i++) {
        struct lane *l = &e->lane[i];
        l->number = i;
        l->in = malloc(IN_MAX);
        l->plain = malloc(IN_MAX);
        o = l->in && l->plain ? lane_open(e, l, err) : err_set(err, ERROR, "out of memory");
    }
out:
    if (o != OK)
        engine_free(&e);
    *out = e;
    return o;
}

void engine_free(struct engine **ep)
{
    struct engine *e = *ep;
    if (!e)
        return;
    *ep = NULL;
    for (unsigned i = 0; i < e->lanes; i++) {
        if (e->lane[i].fd >= 0)
            close(e->lane[i].fd);
        free(e->lane[i].in);
        free(e->lane[i].plain);
    }
    if (e->epoll > 0)
        close(e->epoll);
    free(e->lane);
    free(e->sample);
    free(e);
}

/* ------------------------------------------------------------------ one request */

/* Requests are small: the socket buffer takes them whole, or the rest is waited for. */
static enum outcome lane_send(struct lane *l, struct err *err)
{
    while (l->sent < l->request.n) {
        ssize_t n = send(l->fd, l->request.p + l->sent, l->request.n - l->sent, MSG_NOSIGNAL);
        if (n <= 0)
            return err_set(err, ERROR, "send: %s", strerror(errno));
        l->sent += (size_t)n;
    }
    return OK;
}

static enum outcome lane_start(struct engine *e, struct lane *l, struct err *err)
{
    if (e->ending || !e->work->next(e->work->arg, l->number, &l->request)) {
        if (l->busy)
            e->busy--;
        l->busy = false;
        return OK;
    }
    if (!l->busy)
        e->busy++;
    l->busy = true;
    l->sent = l->nin = 0;
    l->started = clock_mono();
    if (lane_send(l, err) == OK)
        return OK;
    e->reconnects++; /* the server had closed it meanwhile */
    enum outcome o = lane_open(e, l, err);
    l->sent = 0;
    return o == OK ? lane_send(l, err) : o;
}

/* De-chunks into l->plain. 1: complete, 0: more is needed, -1: no such coding. */
static int dechunk(struct lane *l, size_t at, size_t *n)
{
    *n = 0;
    for (;;) {
        char *line = l->in + at, *eol = memmem(line, l->nin - at, "\r\n", 2), *end;
        if (!eol)
            return 0;
        unsigned long size = strtoul(line, &end, 16);
        size_t head = (size_t)(eol - line) + 2;
        if (end == line || size > IN_MAX)
            return -1;
        if (l->nin - at < head + size + 2)
            return 0;
        if (size == 0)
            return 1;
        memcpy(l->plain + *n, line + head, size);
        *n += size;
        at += head + size + 2;
    }
}

/* 1: an answer is complete, 0: more is needed, -1: it is broken. */
static int lane_parse(struct lane *l, struct answer *a, bool *closes)
{
    char *end = memmem(l->in, l->nin, "\r\n\r\n", 4);
    if (!end)
        return l->nin >= IN_MAX ? -1 : 0;
    size_t head = (size_t)(end - l->in) + 4;
    char kept = end[2];
    if (memcmp(l->in, "HTTP/1.1 ", 9) != 0)
        return -1;
    a->status = atoi(l->in + 9);
    end[2] = '\0';
    const char *length = strcasestr(l->in, "\r\nContent-Length:");
    bool chunked = strcasestr(l->in, "\r\nTransfer-Encoding: chunked") != NULL;
    *closes = strcasestr(l->in, "\r\nConnection: close") != NULL;
    size_t want = length ? strtoul(length + 17, NULL, 10) : 0;
    end[2] = kept;
    if (chunked) {
        size_t n;
        int rc = dechunk(l, head, &n);
        a->body = bytes_of(l->plain, n);
        return rc;
    }
    if (l->nin - head < want)
        return head + want > IN_MAX ? -1 : 0;
    a->body = bytes_of(l->in + head, want);
    return 1;
}

static void fault(struct engine *e, const char *what, int status, struct bytes body)
{
    if (e->errors++ == 0)
        snprintf(e->first_error, sizeof e->first_error, "%s, status %d: %.*s", what, status,
                 (int)(body.n > 120 ? 120 : body.n), body.n ? (const char *)body.p : "");
}

static enum outcome lane_event(struct engine *e, struct lane *l, struct err *err)
{
    struct answer a = {0};
    bool closes = false;
    ssize_t n = recv(l->fd, l->in + l->nin, IN_MAX - l->nin, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return OK;
    if (n <= 0) {
        /* A kept connection that the server closes between two requests is opened again; one
         * that closes without answering its first request is a fault. */
        if (l->busy && (l->fresh || l->nin > 0))
            fault(e, "connection closed", 0, (struct bytes){0});
        e->reconnects++;
        enum outcome o = lane_open(e, l, err);
        l->sent = l->nin = 0;
        return o == OK && l->busy ? lane_send(l, err) : o;
    }
    l->nin += (size_t)n;
    int rc = l->busy ? lane_parse(l, &a, &closes) : -1;
    if (rc == 0)
        return OK;
    if (rc < 0)
        return err_set(err, ERROR, "the answer is not HTTP: %.*s",
                       (int)(l->nin > 120 ? 120 : l->nin), l->in);
    l->fresh = false;
    e->sample[e->requests % SAMPLES_MAX] = (uint32_t)(clock_mono() - l->started);
    e->requests++;
    e->status[a.status > 0 && a.status < 600 ? a.status : 0]++;
    if (!e->work->done(e->work->arg, l->number, &a))
        fault(e, "not the answer expected", a.status, a.body);
    if ((e->limit && e->requests >= e->limit) || e->errors >= ERRORS_MAX)
        e->ending = true;
    if (closes) {
        e->reconnects++;
        enum outcome o = lane_open(e, l, err);
        if (o != OK)
            return o;
    }
    return lane_start(e, l, err);
}

enum outcome engine_run(struct engine *e, const struct work *w, double seconds, uint64_t requests,
                        struct err *err)
{
    struct epoll_event ready[64];
    int64_t start = clock_mono(), last_answer = start;
    enum outcome o = OK;
    e->work = w;
    e->ending = false;
    e->limit = requests ? e->requests + requests : 0;
    for (unsigned i = 0; o == OK && i < e->lanes; i++)
        o = lane_start(e, &e->lane[i], err);
    while (o == OK && e->busy > 0) {
        int n = epoll_wait(e->epoll, ready, 64, 1000);
        for (int i = 0; o == OK && i < n; i++)
            o = lane_event(e, ready[i].data.ptr, err);
        int64_t now = clock_mono();
        if (n > 0)
            last_answer = now;
        if (now - last_answer > 60 * SECOND_US)
            o = err_set(err, UNAVAILABLE, "no answer for a minute");
        if (seconds > 0 && now - start >= (int64_t)(seconds * SECOND_US))
            e->ending = true;
    }
    e->spent_us += clock_mono() - start;
    return o;
}

/* ------------------------------------------------------------------ the report */

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double ms_at(const struct engine *e, size_t n, double share)
{
    size_t i = (size_t)(share * (double)n);
    return n ? e->sample[i < n ? i : n - 1] / 1000.0 : 0;
}

void engine_report(struct engine *e, struct buf *out)
{
    size_t n = e->requests < SAMPLES_MAX ? (size_t)e->requests : SAMPLES_MAX;
    double s = engine_seconds(e);
    const char *comma = "";
    qsort(e->sample, n, sizeof *e->sample, by_value);
    buf_fmt(out,
            "\"requests\":%llu,\"seconds\":%.3f,\"rps\":%.1f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,"
            "\"p99_ms\":%.3f,\"max_ms\":%.3f,\"errors\":%llu,\"reconnects\":%llu,\"statuses\":{",
            (unsigned long long)e->requests, s, s > 0 ? (double)e->requests / s : 0,
            ms_at(e, n, 0.5), ms_at(e, n, 0.9), ms_at(e, n, 0.99), ms_at(e, n, 1),
            (unsigned long long)e->errors, (unsigned long long)e->reconnects);
    for (int i = 0; i < 600; i++)
        if (e->status[i]) {
            buf_fmt(out, "%s\"%d\":%llu", comma, i, (unsigned long long)e->status[i]);
            comma = ",";
        }
    buf_str(out, "}");
    if (e->errors)
        fprintf(stderr, "load: first error: %s\n", e->first_error);
}

uint64_t engine_requests(const struct engine *e)
{
    return e->requests;
}

double engine_seconds(const struct engine *e)
{
    return (double)e->spent_us / SECOND_US;
}

uint64_t engine_errors(const struct engine *e)
{
    return e->errors;
}
