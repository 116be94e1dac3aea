/* sandbox.h: rights that a process gives up before it reads a word from outside. */
#ifndef DROVER_PROC_SANDBOX_H
#define DROVER_PROC_SANDBOX_H

#include "base/err.h"

/* Becomes the user (with its groups) when root and user is not "", then gives up gaining rights by
 * exec, core dumps, and access of others to new files. A log line says what was done and what is
 * missing. INVALID: no such user; ERROR: the system says no. */
enum outcome sandbox_enter(const char *user, struct err *err) MUST_USE;

#endif
