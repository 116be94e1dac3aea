/*
 * libwake.c: the push service's simulator: the Unix socket on which simulated devices wait (the
 * protocol stands in apns.1). One thread reads; pushes are written by whoever serves
 * them, under one mutex. A client is closed by the reading thread alone.
 */
#include "libapns.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BUCKETS 65536
#define LINE_MAX_LEN (APNS_TOKEN_MAX + 16)
#define WAITING_MAX LIM_MB /* octets a client may leave unread */
#define STORED_MAX 1000000

struct client {
    int fd;
    bool all;
    char line[LINE_MAX_LEN];
    size_t len;
    struct buf out;
    struct sub *subs;
    struct client *next; /* all clients */
};

struct sub {
    struct client *client;
    struct device *device;
    struct sub *next_of_client, *next_of_device;
};

struct device {
    struct device *next;
    struct sub *subs;
    char *magic; /* kept for the next subscriber */
    char token[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct device *buckets[BUCKETS];
static struct client *clients;
static int64_t woken, stored, subscribers;
static int epoll = -1, listener = -1;

static struct device *device_get(const char *token)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (const char *s = token; *s; s++)
        h = (h ^ (uint8_t)*s) * 16777619u;
    struct device **slot = &buckets[h % BUCKETS], *d;
    for (d = *slot; d; d = d->next)
        if (strcmp(d->token, token) == 0)
            return d;
    size_t n = strlen(token) + 1;
    if ((d = calloc(1, sizeof *d + n))) {
        memcpy(d->token, token, n);
        d->next = *slot;
        *slot = d;
    }
    return d;
}

/* Sends what waits; the rest goes when the socket is writable again. */
static void client_flush(struct client *c)
{
    ssize_t n = 0;
    if (c->out.len > 0)
        n = send(c->fd, c->out.data, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
        memmove(c->out.data, c->out.data + n, c->out.len - (size_t)n);
        c->out.len -= (size_t)n;
    }
    struct epoll_event e = {.events = EPOLLIN | (c->out.len ? EPOLLOUT : 0u), .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
    if (buf_failed(&c->out))
        shutdown(c->fd, SHUT_RDWR);
}

static void client_push(struct client *c, const char *token, const char *magic)
{
    buf_fmt(&c->out, "%s %s\n", token, magic);
    client_flush(c);
    woken++;
}

void wake_send(const char *token, const char *magic)
{
    bool heard = false;
    pthread_mutex_lock(&mutex);
    struct device *d = device_get(token);
    for (struct sub *s = d ? d->subs : NULL; s; s = s->next_of_device) {
        client_push(s->client, token, magic);
        heard = true;
    }
    for (struct client *c = clients; c; c = c->next)
        if (c->all) {
            client_push(c, token, magic);
            heard = true;
        }
    if (d && !heard && (d->magic || stored < STORED_MAX)) {
        stored += d->magic ? 0 : 1;
        free(d->magic);
        d->magic = strdup(magic);
    }
    pthread_mutex_unlock(&mutex);
}

void wake_counts(int64_t *w, int64_t *st, int64_t *su)
{
    pthread_mutex_lock(&mutex);
    *w = woken;
    *st = stored;
    *su = subscribers;
    pthread_mutex_unlock(&mutex);
}

static void subscribe(struct client *c, const char *token)
{
    struct device *d = device_get(token);
    struct sub *s = d ? d->subs : NULL;
    while (s && s->client != c)
        s = s->next_of_device;
    if (d && !s && (s = calloc(1, sizeof *s))) {
        *s = (struct sub){c, d, c->subs, d->subs};
        c->subs = d->subs = s;
        subscribers++;
    }
    buf_str(&c->out, "OK\n");
    if (d && d->magic) {
        char *magic = d->magic;
        d->magic = NULL;
        stored--;
        client_push(c, token, magic);
        free(magic);
    }
}

static void sub_free(struct sub *s)
{
    struct sub **p = &s->device->subs;
    while (*p != s)
        p = &(*p)->next_of_device;
    *p = s->next_of_device;
    p = &s->client->subs;
    while (*p != s)
        p = &(*p)->next_of_client;
    *p = s->next_of_client;
    subscribers--;
    free(s);
}

static void unsubscribe(struct client *c, const char *token)
{
    struct device *d = device_get(token);
    for (struct sub *s = d ? d->subs : NULL; s; s = s->next_of_device)
        if (s->client == c) {
            sub_free(s);
            break;
        }
    buf_str(&c->out, "OK\n");
}

static void client_line(struct client *c, const char *line)
{
    if (strncmp(line, "SUB ", 4) == 0) {
        subscribe(c, line + 4);
    } else if (strncmp(line, "UNSUB ", 6) == 0) {
        unsubscribe(c, line + 6);
    } else if (strcmp(line, "SUBALL") == 0) {
        c->all = true;
        buf_str(&c->out, "OK\n");
    } else {
        shutdown(c->fd, SHUT_RDWR);
    }
}

/* Takes in n octets. False: a line too long. */
static bool client_take(struct client *c, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n') {
            c->line[c->len] = '\0';
            client_line(c, c->line);
            c->len = 0;
        } else if (c->len + 1 < sizeof c->line) {
            c->line[c->len++] = p[i];
        } else {
            return false;
        }
    }
    return true;
}

static void client_close(struct client *c)
{
    while (c->subs)
        sub_free(c->subs);
    struct client **p = &clients;
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    close(c->fd);
    buf_free(&c->out);
    free(c);
}

static void client_event(struct client *c)
{
    char chunk[65536];
    ssize_t n = recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
        (n > 0 && !client_take(c, chunk, (size_t)n)))
        client_close(c);
    else
        client_flush(c);
}

static void client_accept(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct client *c = fd < 0 ? NULL : calloc(1, sizeof *c);
    if (!c) {
        if (fd >= 0)
            close(fd);
        return;
    }
    c->fd = fd;
    buf_init(&c->out, WAITING_MAX);
    c->next = clients;
    clients = c;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static void *wake_run(void *arg)
{
    (void)arg;
    for (;;) {
        struct epoll_event e[64];
        int n = epoll_wait(epoll, e, 64, -1);
        pthread_mutex_lock(&mutex);
        for (int i = 0; i < n; i++) {
            if (e[i].data.ptr)
                client_event(e[i].data.ptr);
            else
                client_accept();
        }
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

bool wake_start(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct epoll_event e = {.events = EPOLLIN};
    pthread_t t;
    if (strlen(path) >= sizeof a.sun_path)
        return false;
    strcpy(a.sun_path, path);
    unlink(path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || epoll < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(listener, 128) != 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) != 0 ||
        pthread_create(&t, NULL, wake_run, NULL) != 0)
        return false;
    pthread_detach(t);
    return true;
}
