/*
 * libloop.h: one thread's event loop for the simulators: descriptors (epoll) and timers (a heap).
 * A watch or a timer lives inside the object that waits; the loop keeps a pointer to it.
 */
#ifndef DROVER_SIM_LIBLOOP_H
#define DROVER_SIM_LIBLOOP_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* A descriptor that is waited for. Zero it before first use. */
struct loop_watch {
    int fd;
    int events; /* what is waited for now; 0: not registered */
    void (*fn)(void *arg, int events);
    void *arg;
};

/* Something to do later, once. Zero it before first use. */
struct loop_timer {
    int64_t at;   /* microseconds of clock_mono() */
    size_t place; /* 1 + index in the heap; 0: not set */
    void (*fn)(void *arg);
    void *arg;
};

enum outcome loop_new(struct loop **out, struct err *err) MUST_USE;
void loop_free(struct loop **l);

/* Waits for LOOP_READ and/or LOOP_WRITE on w->fd from now on; 0 stops waiting. A closed peer is
 * told as both. w->fd, w->fn and w->arg are set by the caller. */
enum outcome loop_watch_set(struct loop *l, struct loop_watch *w, int events,
                            struct err *err) MUST_USE;
/* Stops waiting; call it before the descriptor is closed. */
void loop_watch_end(struct loop *l, struct loop_watch *w);

/* Calls t->fn(t->arg) once, delay_us from now; sets an already set timer anew. Out of memory
 * ends the program: a simulator that forgets a timer is of no use. */
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_us);
void loop_timer_end(struct loop *l, struct loop_timer *t);

/* Runs until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

#endif
