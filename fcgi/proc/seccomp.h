/* seccomp.h: system calls that a process of Drover never needs, and somebody who has taken it over
 * would like to have. */
#ifndef DROVER_PROC_SECCOMP_H
#define DROVER_PROC_SECCOMP_H

#include <stdbool.h>

#include "base/err.h"

/* From now on this thread and those it makes get EPERM from them (seccomp(2)): new programs, unless
 * may_exec; a look into other processes; namespaces, mounts, modules, and what is often found
 * broken in kernels. no_new_privs must be set. False: the kernel or the processor knows no such
 * filters, and errno says why; nothing has changed then. */
bool seccomp_enter(bool may_exec) MUST_USE;

#endif
