/* serve.h: `drover serve`: starts and supervises signer, mdm, console and agent. */
#ifndef DROVER_PROC_SERVE_H
#define DROVER_PROC_SERVE_H

#include "base/conf.h"

/* Runs until SIGTERM or SIGINT; the exit status. The signer comes first and the others when it
 * answers; the workers end first, the signer last. SIGHUP goes to all of them, if the
 * configuration can be read; SIGUSR1 opens the logs again. The log is open. */
int serve_main(struct conf **conf);

#endif
