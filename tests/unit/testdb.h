/*
 * testdb.h: a real MariaDB server for the unit tests that need one, kept in build/testdb, or the
 * folder that TESTDB names, and left running for the next run (scripts/testdb stop build/testdb
 * ends it). Each test program has a database of its own, emptied first. Of two that run at once
 * each needs a server of its own: some count the rows that the whole server reads.
 */
#ifndef DROVER_TESTS_UNIT_TESTDB_H
#define DROVER_TESTS_UNIT_TESTDB_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "store/db.h"

#define TESTDB_DIR testdb_dir()

static inline const char *testdb_dir(void)
{
    const char *dir = getenv("TESTDB");
    return dir ? dir : "build/testdb";
}

/* Runs a shell command that must succeed. */
static inline void testdb_shell(const char *fmt, ...) PRINTF_LIKE(1, 2);
static inline void testdb_shell(const char *fmt, ...)
{
    char cmd[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(cmd, sizeof cmd, fmt, ap);
    va_end(ap);
    int rc = system(cmd);
    if (rc != 0)
        fail_msg("failed with %d: %s", rc, cmd);
}

/* Starts the server of dir, or finds it up, and makes an empty database there. name is
 * "drover_" and a word. The configuration it returns lives as long as the program. */
static inline struct conf *testdb_conf(const char *dir, const char *name)
{
    static const char *const roles[] = {"mdm", "console", "agent", "owner"};
    static struct conf kept[4];
    static size_t used;
    if (used == 4)
        abort();
    struct conf *c = &kept[used++];
    static char *text[4][9];
    char *path = realpath(".", NULL), **file = text[used - 1], **user = file + 4, *sock;
    testdb_shell("scripts/testdb start %s --fast", dir);
    for (int i = 0; i < 4; i++)
        if (asprintf(&file[i], "%s/%s/secrets/%s.password", path, dir, roles[i]) < 0 ||
            asprintf(&user[i], "drover_%s", roles[i]) < 0)
            abort();
    if (asprintf(&sock, "%s/%s/mysqld.sock", path, dir) < 0)
        abort();
    free(path);
    file[8] = sock;
    testdb_shell("mariadb --no-defaults --socket=%s --user=drover_owner --password=$(cat %s) "
                 "-e 'DROP DATABASE IF EXISTS %s; CREATE DATABASE %s "
                 "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'",
                 sock, file[3], name, name);
    *c = (struct conf){.db_socket = sock,
                       .db_name = name,
                       .db_mdm_user = user[0],
                       .db_mdm_password_file = file[0],
                       .db_console_user = user[1],
                       .db_console_password_file = file[1],
                       .db_agent_user = user[2],
                       .db_agent_password_file = file[2],
                       .db_owner_user = user[3],
                       .db_owner_password_file = file[3],
                       .db_tls_ca = "",
                       .db_timeout_s = 5,
                       .command_approval = "never"};
    return c;
}

#define assert_ok(expr, err)                                                                       \
    do {                                                                                           \
        enum outcome outcome_ = (expr);                                                            \
        if (outcome_ != OK)                                                                        \
            fail_msg("%s is %s: %s", #expr, outcome_name(outcome_), (err).msg);                    \
    } while (0)

#define assert_outcome(expr, want, err)                                                            \
    do {                                                                                           \
        enum outcome outcome_ = (expr);                                                            \
        if (outcome_ != (want))                                                                    \
            fail_msg("%s is %s, not %s: %s", #expr, outcome_name(outcome_), outcome_name(want),    \
                     outcome_ == OK ? "" : (err).msg);                                             \
    } while (0)

/* Rows that this connection's statements have passed over so far, read or not; asking adds some. */
static inline int64_t testdb_passed_over(struct db *db, struct arena *a)
{
    static const struct sql ask = {
        "passed_over",
        "SELECT CAST(SUM(variable_value) AS SIGNED) FROM information_schema.session_status WHERE "
        "variable_name IN ('HANDLER_READ_KEY', 'HANDLER_READ_NEXT', 'HANDLER_READ_PREV', "
        "'HANDLER_READ_RND', 'HANDLER_READ_RND_NEXT', 'HANDLER_ICP_ATTEMPTS')",
        0};
    struct rows r;
    struct err err = {0};

    assert_ok(db_select(db, &ask, NULL, 0, a, &r, &err), err);
    return row_at(&r, 0, 0)->i;
}

#endif
