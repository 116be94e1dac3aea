/* testsigner.h: a signer in a process of its own. For test programs only. */
#ifndef DROVER_TESTS_UNIT_TESTSIGNER_H
#define DROVER_TESTS_UNIT_TESTSIGNER_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "proc/signer.h"
#include "wire/sign.h"

/* Starts it on conf's folders and waits until it answers this process, which asks as a worker does
 * from then on. */
static inline pid_t testsigner_start(const struct conf *conf, struct arena *a)
{
    const char *version;
    pid_t pid = fork();
    if (pid == 0)
        _exit(log_open("stderr", LOG_LEVEL_ERROR, "signer", NULL) != OK ? 2 : signer_main(conf));
    sign_client_setup(conf->run_dir, SIGN_MDM);
    for (int i = 0; i < 500 && sign_ping(a, &version, NULL) != OK; i++)
        usleep(10000);
    return pid;
}

static inline void testsigner_stop(pid_t pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

#endif
