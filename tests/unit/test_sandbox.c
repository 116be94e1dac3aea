/* test_sandbox.c: what a process can do no more, each in a process that gave it up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "proc/sandbox.h"
#include "proc/seccomp.h"

/* The exit status of a process that runs fn after it gave up its rights. */
static int after(int (*fn)(void), const char *user, bool may_exec)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = {.outcome = OK};
        if (log_open("/dev/null", LOG_LEVEL_ERROR, "test", &err) != OK ||
            sandbox_enter(user, may_exec, &err) != OK)
            _exit(99);
        _exit(fn());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int exec_true(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return errno == EPERM ? 10 : 11;
}

static void no_new_programs(void **state)
{
    (void)state;
    assert_int_equal(after(exec_true, "", false), 10);
    assert_int_equal(after(exec_true, "", true), 0);
}

#define DENIED(...) (errno = 0, syscall(__VA_ARGS__) == -1 && errno == EPERM)

/* Each must fail of EPERM, root or not. */
static int forbidden(void)
{
    const bool denied[] = {DENIED(SYS_unshare, CLONE_NEWUSER),
                           DENIED(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0),
                           DENIED(SYS_mount, "none", "/", NULL, MS_REMOUNT, NULL),
                           DENIED(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0),
                           DENIED(SYS_bpf, 0, NULL, 0),
                           DENIED(SYS_keyctl, 0, 0),
                           DENIED(SYS_perf_event_open, NULL, 0, 0, -1, 0)};
    for (size_t i = 0; i < sizeof denied / sizeof denied[0]; i++)
        if (!denied[i])
            return (int)i + 1;
    return 0;
}

static void no_namespaces_and_the_like(void **state)
{
    (void)state;
    assert_int_equal(after(forbidden, "", false), 0);
}

static void *nothing(void *arg)
{
    return arg;
}

/* Threads, processes and files are made as ever. */
static int ordinary(void)
{
    pthread_t t;
    int status = 1;
    if (pthread_create(&t, NULL, nothing, NULL) != 0 || pthread_join(t, NULL) != 0)
        return 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return 2;
    FILE *f = tmpfile();
    if (!f || fclose(f) != 0)
        return 3;
    struct rlimit core;
    return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 ? 0 : 4;
}

static void ordinary_work_goes_on(void **state)
{
    (void)state;
    assert_int_equal(after(ordinary, "", false), 0);
}

static int who(void)
{
    return geteuid() == 65534 && getegid() == 65534 && setuid(0) != 0 ? 0 : 1;
}

/* A worker that begins anew, again and again, has one filter. */
static int filters(void)
{
    struct err err;
    int n = -1;
    char line[128];
    for (int i = 0; i < 3; i++)
        if (sandbox_enter("", true, &err) != OK)
            return 90;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "Seccomp_filters: %d", &n);
    return n;
}

static void one_filter_however_often(void **state)
{
    (void)state;
    int before = after(filters, "", true);
    if (before == 255) /* kernels before 5.9 do not count them */
        skip();
    assert_int_equal(before, 1);
}

static void becomes_the_user(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(after(who, "nobody", false), 0);
    assert_int_equal(after(ordinary, "nobody", false), 0);
    assert_int_equal(after(who, "no-such-user", false), 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_new_programs),       cmocka_unit_test(no_namespaces_and_the_like),
        cmocka_unit_test(ordinary_work_goes_on), cmocka_unit_test(one_filter_however_often),
        cmocka_unit_test(becomes_the_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
