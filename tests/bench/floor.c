/*
 * floor.c: what the benchmarks are measured against.
 *
 *   floor a SOCKET [PROCESSES]      an empty FastCGI responder: the plain loop of libfcgi
 *   floor b SOCKET DBSOCKET USER PASSWORDFILE DATABASE [PROCESSES]
 *                                   the same with one SELECT by primary key for each request, a
 *                                   prepared statement of Connector/C on a connection per process
 *
 * Four pre-forked processes of one thread each by default. Floor b makes table floor_b (1,000 rows)
 * when it is missing. Runs until SIGTERM. Prints "ready" when it accepts.
 */
#include <errno.h>
#include <fcgiapp.h>
#include <mysql.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS 1000
#define BACKLOG 4096

static const char ANSWER[] = "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
                             "\r\nok\n";

struct database {
    const char *socket, *user, *password, *name;
    MYSQL *my;
    MYSQL_STMT *stmt;
    int64_t id;
    char value[64];
    unsigned long value_len;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "floor: %s: %s\n", what, why);
    exit(1);
}

static void db_connect(struct database *d)
{
    d->my = mysql_init(NULL);
    if (!mysql_real_connect(d->my, NULL, d->user, d->password, d->name, 0, d->socket, 0))
        die("connect", mysql_error(d->my));
}

static void db_query(struct database *d, const char *sql)
{
    if (mysql_query(d->my, sql) != 0)
        die(sql, mysql_error(d->my));
}

static void db_fill(struct database *d)
{
    char sql[160];
    db_connect(d);
    db_query(d, "CREATE TABLE IF NOT EXISTS floor_b (id BIGINT NOT NULL PRIMARY KEY, "
                "value VARCHAR(64) NOT NULL) ENGINE=InnoDB");
    snprintf(sql, sizeof sql,
             "INSERT IGNORE INTO floor_b SELECT seq, CONCAT('row ', seq) FROM seq_1_to_%d", ROWS);
    db_query(d, sql);
    mysql_close(d->my);
}

static void db_prepare(struct database *d)
{
    static const char SQL[] = "SELECT value FROM floor_b WHERE id = ?";
    MYSQL_BIND arg = {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &d->id};
    MYSQL_BIND col = {.buffer_type = MYSQL_TYPE_STRING,
                      .buffer = d->value,
                      .buffer_length = sizeof d->value,
                      .length = &d->value_len};
    db_connect(d);
    d->stmt = mysql_stmt_init(d->my);
    if (!d->stmt || mysql_stmt_prepare(d->stmt, SQL, sizeof SQL - 1) != 0 ||
        mysql_stmt_bind_param(d->stmt, &arg) != 0 || mysql_stmt_bind_result(d->stmt, &col) != 0)
        die("prepare", mysql_error(d->my));
}

static void db_select(struct database *d)
{
    d->id = d->id % ROWS + 1;
    if (mysql_stmt_execute(d->stmt) != 0 || mysql_stmt_fetch(d->stmt) != 0)
        die("select", mysql_stmt_error(d->stmt));
    mysql_stmt_free_result(d->stmt);
}

static void respond(int sock, struct database *d)
{
    FCGX_Request req;
    if (FCGX_Init() != 0 || FCGX_InitRequest(&req, sock, 0) != 0)
        die("libfcgi", "cannot start");
    if (d)
        db_prepare(d);
    while (FCGX_Accept_r(&req) == 0) {
        if (d)
            db_select(d);
        FCGX_PutStr(ANSWER, sizeof ANSWER - 1, req.out);
        FCGX_Finish_r(&req);
    }
}

static void read_password(const char *path, char *out, int room)
{
    FILE *f = fopen(path, "r");
    if (!f || !fgets(out, room, f))
        die(path, strerror(errno));
    fclose(f);
    out[strcspn(out, "\n")] = '\0';
}

int main(int argc, char **argv)
{
    struct database d = {0}, *use = NULL;
    char password[128];
    int status;
    const char *processes = "4";
    if (argc >= 3 && argc <= 4 && strcmp(argv[1], "a") == 0) {
        processes = argc == 4 ? argv[3] : processes;
    } else if (argc >= 7 && argc <= 8 && strcmp(argv[1], "b") == 0) {
        processes = argc == 8 ? argv[7] : processes;
        read_password(argv[5], password, sizeof password);
        d = (struct database){
            .socket = argv[3], .user = argv[4], .password = password, .name = argv[6]};
        use = &d;
        db_fill(use);
    } else {
        die("usage", "floor a SOCKET [N] | floor b SOCKET DBSOCKET USER PASSWORDFILE DATABASE [N]");
    }
    unlink(argv[2]);
    int sock = FCGX_OpenSocket(argv[2], BACKLOG);
    if (sock < 0 || chmod(argv[2], 0666) != 0)
        die(argv[2], strerror(errno));
    for (int i = 0; i < atoi(processes); i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            respond(sock, use);
            _exit(1);
        }
    puts("ready");
    fflush(stdout);
    return wait(&status) > 0; /* no worker ends by itself */
}
