/*
 * judge.h: asks an independent program what it thinks of octets that we wrote. For test programs
 * only.
 */
#ifndef DROVER_TESTS_UNIT_JUDGE_H
#define DROVER_TESTS_UNIT_JUDGE_H

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Is the program installed? If not, says so loudly: the caller then skip()s. */
static inline bool judge_there(const char *program)
{
    char cmd[200];
    snprintf(cmd, sizeof cmd, "command -v %s >/dev/null 2>&1", program);
    FILE *p = popen(cmd, "r");
    bool there = p && pclose(p) == 0;
    if (!there)
        fprintf(stderr, "\n*** SKIPPED: %s is not installed, nobody judges this test ***\n\n",
                program);
    return there;
}

/* Runs the shell command with $1 the name of a file that holds b and $2 the name of another that
 * holds c; adds what it prints (errors too) to out. Its exit status, or -1. */
static inline int judge_two(const char *command, struct bytes b, struct bytes c, struct buf *out)
{
    char one[] = "/tmp/drover-judge-XXXXXX", two[] = "/tmp/drover-judge-XXXXXX";
    int f1 = mkstemp(one), f2 = mkstemp(two), status = -1;
    struct buf cmd = BUF_INIT(8192);
    if (f1 >= 0 && f2 >= 0 && (b.n == 0 || write(f1, b.p, b.n) == (ssize_t)b.n) &&
        (c.n == 0 || write(f2, c.p, c.n) == (ssize_t)c.n)) {
        buf_fmt(&cmd, "set -- %s %s; { %s ; } 2>&1", one, two, command);
        FILE *p = popen(buf_cstr(&cmd), "r");
        char text[4096];
        size_t n;
        while (p && (n = fread(text, 1, sizeof text, p)) > 0)
            buf_add(out, text, n);
        int s = p ? pclose(p) : -1;
        status = WIFEXITED(s) ? WEXITSTATUS(s) : -1;
    }
    buf_free(&cmd);
    if (f1 >= 0) {
        close(f1);
        unlink(one);
    }
    if (f2 >= 0) {
        close(f2);
        unlink(two);
    }
    return status;
}

static inline int judge(const char *command, struct bytes b, struct buf *out)
{
    return judge_two(command, b, bytes_of(NULL, 0), out);
}

#endif
