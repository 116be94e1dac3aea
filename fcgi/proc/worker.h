/*
 * worker.h: one worker process: several threads that accept FastCGI connections from one listening
 * socket, and the main thread that watches over them (watch.c).
 */
#ifndef DROVER_PROC_WORKER_H
#define DROVER_PROC_WORKER_H

#include "base/conf.h"
#include "route/route.h"

/* What a worker says to its manager, one octet each. */
#define WORKER_READY 'R'  /* its threads accept */
#define WORKER_RETIRE 'X' /* it wants to be replaced: memory, requests or a stuck handler */

enum worker_end {
    WORKER_DRAINED, /* asked to end, and ended */
    WORKER_AGAIN,   /* wants to begin afresh (no manager): memory, requests, SIGHUP */
    WORKER_FAILED   /* could not start */
};

/* Runs until SIGTERM or SIGINT (or, without a manager, until it must begin afresh); then takes no
 * more connections, lets the requests in flight end, within pool->deadline_s, and returns.
 * listen_fd: made blocking, with a time limit. manager_fd: a socket to the manager, or -1 without
 * one. The caller has no other threads; signals are blocked on return. */
enum worker_end worker_run(const struct conf *conf, enum program program, int listen_fd,
                           int manager_fd);

#endif
