/*
 * respawn.h: children and when to start them again; for the workers of a manager and the programs
 * of `drover serve`. A child that dies is started again after 100 ms, then 200, ... up to 30 s; one
 * that lived a minute counts as well and begins at 100 ms again.
 */
#ifndef DROVER_PROC_RESPAWN_H
#define DROVER_PROC_RESPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
    pid_t pid;       /* 0: none */
    int ctl;         /* our end of the socket to it; -1: none */
    bool ready;      /* it said so */
    int64_t started; /* clock_mono() */
    int64_t kill_at; /* told to end: killed then; 0: not told */
};

struct respawn {
    unsigned failures;
    int64_t due; /* clock_mono(): not started earlier */
};

/* Forks. In the child: returns 0 with *ctl the child's end of the socket (kept over exec), the
 * death of the parent sends SIGTERM, signals are as they were. In the parent: fills c, returns the
 * process id, or -1 (logged). name: for the log. */
pid_t child_fork(struct child *c, const char *name, int *ctl);
/* Notes that it is gone. */
void child_clear(struct child *c);
/* Asks it to end, and to be killed if it has not after grace_us. Once is enough. */
void child_end(struct child *c, int64_t grace_us);
/* Kills it when its grace is over (logged). */
void child_overdue(struct child *c, const char *name);
/* Waits for any child that ended; 0: none. Logs how it ended when that was not asked for. */
pid_t child_reap(int *status);
void child_log_end(const char *name, pid_t pid, int status, bool asked);

/* After a death: when it may be started again. */
void respawn_after(struct respawn *r, int64_t started);

/* Blocks SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGCHLD, ignores SIGPIPE; a signalfd of them, or -1.
 */
int signals_open(void);
/* For a child of such a process before it runs something else: all signals as they were born. */
void signals_default(void);

#endif
