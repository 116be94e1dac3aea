/* lane.h: what worker.c (the accepting threads, "lanes") and watch.c (the main thread) share. */
#ifndef DROVER_PROC_LANE_H
#define DROVER_PROC_LANE_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/req.h"
#include "proc/worker.h"

struct process;

struct lane {
    struct worker *worker;
    pthread_t thread;
    pthread_mutex_t lock; /* of the following four */
    int fd;               /* the connection of the request; -1: none that may be cut */
    int64_t since;        /* clock_mono() of its beginning; 0: idle */
    char id[REQ_ID_LEN + 1];
    int strikes; /* 1: past the deadline and cut, 2: past twice the deadline */
};

struct worker {
    const struct conf *conf;
    const struct conf_pool *pool;
    enum program program;
    struct process *process;
    int listen_fd;
    bool tcp;
    int manager_fd;
    int done_fd; /* eventfd, readable when a lane has ended */
    atomic_bool draining;
    atomic_int alive; /* lanes that run */
    atomic_uint_fast64_t served;
    size_t n;
    struct lane *lanes;
};

/* The main thread's part: signals, deadlines, ceilings; returns when all lanes have ended or had
 * the deadline to do so. *end: how. sigfd: a signalfd. */
void watch_run(struct worker *w, int sigfd, enum worker_end *end);

#endif
