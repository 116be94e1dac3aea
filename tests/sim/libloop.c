/* libloop.c: see libloop.h. */
#include "libloop.h"

#include "base/clock.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 256

struct loop {
    int epoll;
    bool stop;
    struct loop_timer **heap;
    size_t nheap, cap;
    /* The events of the present round, so that a watch that ends within it is not called. */
    struct epoll_event ready[BATCH];
    int nready;
};

enum outcome loop_new(struct loop **out, struct err *err)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ERROR, "out of memory");
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0) {
        free(l);
        return err_set(err, ERROR, "epoll_create1: %s", strerror(errno));
    }
    *out = l;
    return OK;
}

void loop_free(struct loop **l)
{
    if (!*l)
        return;
    close((*l)->epoll);
    free((*l)->heap);
    free(*l);
    *l = NULL;
}

enum outcome loop_watch_set(struct loop *l, struct loop_watch *w, int events, struct err *err)
{
    if (events == w->events)
        return OK;
    if (events == 0) {
        loop_watch_end(l, w);
        return OK;
    }
    struct epoll_event ev = {.data.ptr = w};
    ev.events = (events & LOOP_READ ? EPOLLIN | EPOLLRDHUP : 0) |
                (events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0);
    int op = w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(l->epoll, op, w->fd, &ev) != 0)
        return err_set(err, ERROR, "epoll_ctl: %s", strerror(errno));
    w->events = events;
    return OK;
}

void loop_watch_end(struct loop *l, struct loop_watch *w)
{
    if (w->events)
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    w->events = 0;
    for (int i = 0; i < l->nready; i++)
        if (l->ready[i].data.ptr == w)
            l->ready[i].data.ptr = NULL;
}

static void put(struct loop *l, size_t i, struct loop_timer *t)
{
    l->heap[i] = t;
    t->place = i + 1;
}

static void sift_up(struct loop *l, size_t i)
{
    struct loop_timer *t = l->heap[i];
    while (i > 0 && l->heap[(i - 1) / 2]->at > t->at) {
        put(l, i, l->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(l, i, t);
}

static void sift_down(struct loop *l, size_t i)
{
    struct loop_timer *t = l->heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= l->nheap)
            break;
        if (child + 1 < l->nheap && l->heap[child + 1]->at < l->heap[child]->at)
            child++;
        if (l->heap[child]->at >= t->at)
            break;
        put(l, i, l->heap[child]);
        i = child;
    }
    put(l, i, t);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_us)
{
    loop_timer_end(l, t);
    t->at = clock_mono() + (delay_us > 0 ? delay_us : 0);
    if (l->nheap == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 256;
        struct loop_timer **heap = reallocarray(l->heap, cap, sizeof *heap);
        if (!heap) {
            fprintf(stderr, "out of memory\n");
            exit(1);
        }
        l->heap = heap;
        l->cap = cap;
    }
    put(l, l->nheap++, t);
    sift_up(l, l->nheap - 1);
}

void loop_timer_end(struct loop *l, struct loop_timer *t)
{
    if (!t->place)
        return;
    size_t i = t->place - 1;
    t->place = 0;
    struct loop_timer *last = l->heap[--l->nheap];
    if (last == t)
        return;
    put(l, i, last);
    sift_up(l, i);
    sift_down(l, last->place - 1);
}

static int next_wait_ms(const struct loop *l)
{
    if (l->nheap == 0)
        return -1;
    int64_t left = l->heap[0]->at - clock_mono();
    if (left <= 0)
        return 0;
    return left > 60 * SECOND_US ? 60000 : (int)((left + 999) / 1000);
}

static void run_timers(struct loop *l)
{
    int64_t now = clock_mono();
    /* A timer set again by its own function with no delay waits for the next round. */
    while (!l->stop && l->nheap && l->heap[0]->at <= now) {
        struct loop_timer *t = l->heap[0];
        loop_timer_end(l, t);
        t->fn(t->arg);
    }
}

void loop_run(struct loop *l)
{
    l->stop = false;
    while (!l->stop) {
        l->nready = epoll_wait(l->epoll, l->ready, BATCH, next_wait_ms(l));
        for (int i = 0; i < l->nready && !l->stop; i++) {
            struct loop_watch *w = l->ready[i].data.ptr;
            uint32_t e = l->ready[i].events;
            if (!w)
                continue;
            bool ended = e & (EPOLLHUP | EPOLLERR | EPOLLRDHUP);
            w->fn(w->arg, (e & EPOLLIN || ended ? LOOP_READ : 0) |
                              (e & EPOLLOUT || ended ? LOOP_WRITE : 0));
        }
        l->nready = 0;
        run_timers(l);
    }
}

void loop_stop(struct loop *l)
{
    l->stop = true;
}
