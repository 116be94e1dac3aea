/* sandbox.h: rights that a process gives up before it reads a word from outside. */
#ifndef DROVER_PROC_SANDBOX_H
#define DROVER_PROC_SANDBOX_H

#include <stdbool.h>

#include "base/err.h"

/* Becomes the user (with its groups) when root and user is not "", then gives up gaining rights by
 * exec, core dumps, access of others to new files, and system calls that nobody here needs (see
 * seccomp.h; may_exec: it will run itself anew). Before there are other threads. A log line says
 * what was done and what is missing. INVALID: no such user; ERROR: the system says no. */
enum outcome sandbox_enter(const char *user, bool may_exec, struct err *err) MUST_USE;

#endif
