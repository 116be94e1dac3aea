/* self.h: this program as others see it: how it was called, its pid file, its word to systemd. */
#ifndef DROVER_PROC_SELF_H
#define DROVER_PROC_SELF_H

#include "base/err.h"

/* Remembers how the program was called. To be called first of all. */
void self_save(char **argv);
/* Runs the program of today anew in this process, with the same arguments and descriptors 0 to 2.
 * Returns only when that fails. */
void self_again(void);
/* Runs `drover COMMAND -c CONF` in this process; as self_again(). */
void self_run(const char *command, const char *conf_path);

/* Writes the process id to run_dir/NAME.pid and holds a lock on that file until the process ends.
 * CONFLICT: another process holds it; ERROR: the file cannot be written. */
enum outcome self_pidfile(const char *run_dir, const char *name, struct err *err) MUST_USE;
/* In a forked child: lets go of the lock, which would otherwise outlive the parent. */
void self_pidfile_forget(void);
/* Empties the pid file, as far as the rights go. */
void self_pidfile_done(void);

/* Tells the service manager (sd_notify(3), without its library): "READY=1", "RELOADING=1",
 * "STOPPING=1". Without NOTIFY_SOCKET nothing happens. */
void self_notify(const char *state);

#endif
