/*
 * libapnsc.c: listens to the simulated push service (its wake socket, see apns.1) and wakes the
 * device whose token a push names, when the PushMagic is that device's present one.
 */
#include "libsimdev.h"

#include "base/clock.h"
#include "base/limits.h"
#include "wire/encode.h"
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct subscription {
    uint8_t token[TOKEN_LEN]; /* first: the tree compares it */
    struct simdev *device;
    unsigned channel;
};

struct apnsc {
    struct fleet *fleet;
    char path[108];
    struct loop_watch watch;
    struct loop_timer again;
    void *tree; /* tsearch() */
    struct buf in, out;
};

static void reconnect(void *arg);

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, TOKEN_LEN);
}

static void lost(struct apnsc *a)
{
    loop_watch_end(a->fleet->loop, &a->watch);
    if (a->watch.fd >= 0)
        close(a->watch.fd);
    a->watch.fd = -1;
    buf_clear(&a->in);
    buf_clear(&a->out);
    loop_timer_set(a->fleet->loop, &a->again, SECOND_US);
}

static void flush_out(struct apnsc *a)
{
    struct err err;
    size_t at = 0;
    while (a->watch.fd >= 0 && at < a->out.len) {
        ssize_t n = send(a->watch.fd, a->out.data + at, a->out.len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            lost(a);
            return;
        }
        at += (size_t)n;
    }
    if (at) {
        memmove(a->out.data, a->out.data + at, a->out.len - at);
        a->out.len -= at;
    }
    if (a->watch.fd >= 0 &&
        loop_watch_set(a->fleet->loop, &a->watch, a->out.len ? LOOP_READ | LOOP_WRITE : LOOP_READ,
                       &err) != OK)
        lost(a);
}

static void say_sub(struct apnsc *a, const uint8_t token[TOKEN_LEN])
{
    char hex[2 * TOKEN_LEN + 1];
    hex_encode(bytes_of(token, TOKEN_LEN), hex);
    buf_fmt(&a->out, "SUB %s\n", hex);
}

static void pushed(struct apnsc *a, const char *hex, const char *magic)
{
    struct subscription key;
    char now[37];
    for (size_t i = 0; i < TOKEN_LEN; i++) {
        unsigned v;
        if (sscanf(hex + 2 * i, "%2x", &v) != 1)
            return;
        key.token[i] = (uint8_t)v;
    }
    struct subscription *const *found = tfind(&key, &a->tree, compare);
    if (!found)
        return;
    struct simdev *d = (*found)->device;
    unsigned channel = (*found)->channel;
    uint8_t token[TOKEN_LEN];
    channel_token(d, channel, token);
    channel_magic(d, channel, now);
    /* An old token, or a push that was not meant for this enrolment: a device ignores it. */
    if (!d->mdm || !d->channel[channel].enrolled || strcmp(magic, now) != 0 ||
        memcmp(token, key.token, TOKEN_LEN) != 0) {
        d->stale_pushes++;
        return;
    }
    d->pushes++;
    simdev_poll(d, channel);
}

static void take_line(struct apnsc *a, char *line)
{
    char *space = strchr(line, ' ');
    if (space && space - line == 2 * TOKEN_LEN) {
        *space = '\0';
        pushed(a, line, space + 1);
    }
}

static void on_event(void *arg, int events)
{
    struct apnsc *a = arg;
    if (events & LOOP_READ) {
        char *room = buf_room(&a->in, 65536);
        ssize_t n = room ? recv(a->watch.fd, room, 65536, 0) : 0;
        if (n < 0 && errno == EAGAIN)
            n = 0;
        else if (n <= 0) {
            lost(a);
            return;
        }
        buf_grew(&a->in, (size_t)n);
        char *p = a->in.data, *end = a->in.data + a->in.len, *nl;
        while ((nl = memchr(p, '\n', (size_t)(end - p)))) {
            *nl = '\0';
            take_line(a, p);
            p = nl + 1;
        }
        a->in.len = (size_t)(end - p);
        memmove(a->in.data, p, a->in.len);
    }
    flush_out(a);
}

static struct apnsc *walking; /* twalk() passes no argument */

static void sub_again(const void *node, VISIT visit, int depth)
{
    (void)depth;
    if (visit == postorder || visit == leaf)
        say_sub(walking, (*(struct subscription *const *)node)->token);
}

static bool dial(struct apnsc *a)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", a->path);
    a->watch.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (a->watch.fd < 0)
        return false;
    if (connect(a->watch.fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(a->watch.fd);
        a->watch.fd = -1;
        return false;
    }
    int flags = fcntl(a->watch.fd, F_GETFL);
    return fcntl(a->watch.fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static void reconnect(void *arg)
{
    struct apnsc *a = arg;
    if (!dial(a)) {
        loop_timer_set(a->fleet->loop, &a->again, SECOND_US);
        return;
    }
    walking = a;
    twalk(a->tree, sub_again);
    flush_out(a);
}

enum outcome apnsc_new(struct fleet *f, const char *socket_path, struct apnsc **out,
                       struct err *err)
{
    struct apnsc *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ERROR, "out of memory");
    a->fleet = f;
    a->in = BUF_INIT(LIM_MB);
    a->out = BUF_INIT(64 * LIM_MB);
    a->watch.fd = -1;
    a->watch.fn = on_event;
    a->watch.arg = a;
    a->again.fn = reconnect;
    a->again.arg = a;
    if (strlen(socket_path) >= sizeof a->path) {
        free(a);
        return err_set(err, INVALID, "%s: too long for a socket", socket_path);
    }
    snprintf(a->path, sizeof a->path, "%s", socket_path);
    reconnect(a); /* a push service that is not there yet is waited for */
    *out = a;
    return OK;
}

void apnsc_free(struct apnsc **ap)
{
    struct apnsc *a = *ap;
    if (!a)
        return;
    *ap = NULL;
    loop_timer_end(a->fleet->loop, &a->again);
    loop_watch_end(a->fleet->loop, &a->watch);
    if (a->watch.fd >= 0)
        close(a->watch.fd);
    tdestroy(a->tree, free);
    buf_free(&a->in);
    buf_free(&a->out);
    free(a);
}

void apnsc_subscribe(struct apnsc *a, struct simdev *d, unsigned channel)
{
    struct subscription *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    channel_token(d, channel, s->token);
    s->device = d;
    s->channel = channel;
    struct subscription **found = tsearch(s, &a->tree, compare);
    if (!found)
        abort();
    say_sub(a, s->token);
    if (*found != s)
        free(s);
    if (a->watch.fd >= 0)
        flush_out(a);
    else
        buf_clear(&a->out);
}
