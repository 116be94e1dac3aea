/*
 * manager.h: `drover mdm` and `drover console`: a listening socket and the worker processes that
 * share it.
 *
 * With a listening socket on descriptor 0 (a web server started it) the process is itself the one
 * worker, and where a manager would replace a worker it runs the program anew on the same socket.
 *
 * SIGHUP: the configuration is read again; a bad one is refused and the old one kept; then the
 * workers are replaced one after another, the new one ready before the old one ends. SIGUSR1: the
 * log is opened again. SIGTERM, SIGINT: the workers drain, within the deadline of a request.
 */
#ifndef DROVER_PROC_MANAGER_H
#define DROVER_PROC_MANAGER_H

#include "base/conf.h"
#include "route/route.h"

/* A program started by `drover serve` finds here the number of a descriptor on which it says 'R'
 * when it is ready. */
#define MANAGER_READY_FD "DROVER_READY_FD"

/* Runs until it is told to end; the exit status. *conf may be replaced by a newer one. The log is
 * open. */
int manager_main(struct conf **conf, enum program program);

#endif
