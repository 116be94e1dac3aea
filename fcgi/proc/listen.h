/* listen.h: the socket on which a web server speaks FastCGI to a pool of workers. */
#ifndef DROVER_PROC_LISTEN_H
#define DROVER_PROC_LISTEN_H

#include "base/conf.h"

/* Is descriptor 0 a listening socket (lighttpd's bin-path, mod_fcgid, spawn-fcgi)? */
bool listen_inherited(void);
/* Opens pool->socket with its mode and group. A socket left by a process that is gone is replaced
 * in one step; within run_dir, whose lock the caller holds, also one at which the workers of a
 * manager that died still answer what they had taken. *fd: closed on exec. CONFLICT: a stranger
 * answers there; INVALID: the path, mode or group cannot be; ERROR: the system says no. */
enum outcome listen_open(const struct conf_pool *pool, const char *run_dir, int *fd,
                         struct err *err) MUST_USE;
/* Removes the path, as far as the rights go: nobody can connect any more. */
void listen_unlink(const struct conf_pool *pool);

#endif
