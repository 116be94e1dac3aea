/* agent.h: `drover agent`, the one process of a site that opens outgoing connections. */
#ifndef DROVER_PROC_AGENT_H
#define DROVER_PROC_AGENT_H

#include "base/conf.h"

/*
 * Runs until SIGTERM or SIGINT (finishing what is in flight, at most five seconds); SIGHUP and
 * SIGUSR1 open the log again. Many may run, on many hosts: the database lease "agent" makes one of
 * them work, and another takes over within LEASE seconds when that one dies. The log is open
 * already. Returns the exit status: 0 after a signal, 1 when it could not start.
 */
int agent_main(const struct conf *conf);

#endif
