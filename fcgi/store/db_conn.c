/* db_conn.c: connecting: accounts, hosts, time-outs and the session's settings. */
#include "store/db_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PASSWORD_MAX 512

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_start(void)
{
    (void)mysql_library_init(0, NULL, NULL);
}

void db_conn_library(void)
{
    pthread_once(&library_once, library_start);
}

void db_conn_close(struct db *db)
{
    db_stmt_drop_all(db);
    if (db->my)
        mysql_close(db->my);
    db->my = NULL;
}

void db_conn_lost(struct db *db, unsigned code)
{
    db_conn_close(db);
    if (db_fail_of_host(code) && db->conf->db_hosts.n > 0)
        db->target = (db->target + 1) % db->conf->db_hosts.n;
}

/* The password stands in the first line of its file, which may end in a line feed. */
static enum outcome password_read(const char *path, char out[PASSWORD_MAX], struct err *err)
{
    out[0] = '\0';
    if (path[0] == '\0')
        return OK; /* the account is known by the socket's peer */
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERROR, "password file %s: %s", path, strerror(errno));
    size_t n = 0;
    ssize_t got = 0;
    while (n < PASSWORD_MAX - 1 && (got = read(fd, out + n, PASSWORD_MAX - 1 - n)) > 0)
        n += (size_t)got;
    close(fd);
    if (got < 0 || n == PASSWORD_MAX - 1) {
        explicit_bzero(out, PASSWORD_MAX);
        return err_set(err, ERROR, "password file %s: %s", path,
                       got < 0 ? strerror(errno) : "longer than a password may be");
    }
    out[n] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return OK;
}

static void account_of(const struct db *db, const char **user, const char **file)
{
    const struct conf *c = db->conf;
    switch (db->role) {
    case DB_MDM:
        *user = c->db_mdm_user;
        *file = c->db_mdm_password_file;
        return;
    case DB_CONSOLE:
        *user = c->db_console_user;
        *file = c->db_console_password_file;
        return;
    case DB_AGENT:
        *user = c->db_agent_user;
        *file = c->db_agent_password_file;
        return;
    case DB_OWNER:
        break;
    }
    *user = c->db_owner_user;
    *file = c->db_owner_password_file;
}

/* "host:port", "[v6]:port" or "host" into host and port. */
static bool target_parse(const char *s, char *host, size_t size, unsigned *port)
{
    const char *end, *colon;
    *port = 3306;
    if (*s == '[') {
        s++;
        end = strchr(s, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        colon = end[1] ? end + 1 : NULL;
    } else {
        colon = strrchr(s, ':');
        end = colon ? colon : s + strlen(s);
    }
    if (end == s || (size_t)(end - s) >= size)
        return false;
    memcpy(host, s, (size_t)(end - s));
    host[end - s] = '\0';
    if (!colon)
        return true;
    char *rest;
    errno = 0;
    unsigned long p = strtoul(colon + 1, &rest, 10);
    if (errno || rest == colon + 1 || *rest || p == 0 || p > 65535)
        return false;
    *port = (unsigned)p;
    return true;
}

/* Migrations may take as long as they need; everybody else has the configured time. */
static void conn_options(struct db *db, MYSQL *my, bool tcp)
{
    unsigned timeout = (unsigned)db->conf->db_timeout_s, forever = 24 * 3600;
    unsigned io = db->role == DB_OWNER ? forever : timeout;
    my_bool no = 0, yes = 1;
    unsigned local_infile = 0;
    mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &io);
    mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &io);
    mysql_options(my, MYSQL_OPT_RECONNECT, &no);
    mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &local_infile);
    mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(my, MYSQL_REPORT_DATA_TRUNCATION, &yes);
    if (tcp && db->conf->db_tls_ca[0]) {
        mysql_options(my, MYSQL_OPT_SSL_CA, db->conf->db_tls_ca);
        mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &yes);
        mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    }
}

bool db_conn_query(struct db *db, const char *text)
{
    db->trips++;
    return mysql_real_query(db->my, text, strlen(text)) == 0;
}

/* The server's defaults are not trusted: strict mode, isolation, time zone and waits are ours. The
 * messages of devices ask each sub-select once for each row: a cache of its results is made and
 * thrown away each time, a tenth to a fifth of a poll's time in the database. */
static bool conn_session(struct db *db)
{
    char text[480];
    long long timeout = db->conf->db_timeout_s;
    long long wait = db->impatient ? 1 : timeout >= 10 ? 5 : timeout >= 2 ? timeout / 2 : 1;
    if (!db_conn_query(db, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"))
        return false;
    int n = snprintf(text, sizeof text,
                     "SET SESSION sql_mode='STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
                     "NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION,NO_AUTO_CREATE_USER', "
                     "time_zone='+00:00', "
                     "autocommit=%d, innodb_lock_wait_timeout=%lld%s",
                     !db->units_only, wait,
                     db->role == DB_MDM ? ", optimizer_switch='subquery_cache=off'" : "");
    if (db->role != DB_OWNER)
        snprintf(text + n, sizeof text - (size_t)n,
                 ", lock_wait_timeout=%lld, "
                 "max_statement_time=%lld",
                 timeout, timeout);
    if (!db_conn_query(db, text) || !db_conn_query(db, "SELECT @@max_allowed_packet"))
        return false;
    MYSQL_RES *r = mysql_store_result(db->my);
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    db->packet_max = row && row[0] ? strtoul(row[0], NULL, 10) : 0;
    mysql_free_result(r);
    return db->packet_max > PACKET_SLACK;
}

static enum outcome conn_open(struct db *db, size_t target, struct err *err)
{
    const struct conf *c = db->conf;
    const char *user, *file, *item = NULL;
    char host[256] = "localhost", password[PASSWORD_MAX];
    unsigned port = 0;
    bool tcp = c->db_hosts.n > 0; /* the socket is for a server on this machine alone */
    if (tcp) {
        item = c->db_hosts.item[target];
        if (!target_parse(item, host, sizeof host, &port))
            return err_set(err, ERROR, "[database] hosts: \"%s\" is no host:port", item);
        if (strcmp(host, "localhost") == 0) /* the library takes that for a socket */
            snprintf(host, sizeof host, "127.0.0.1");
    }
    account_of(db, &user, &file);
    enum outcome o = password_read(file, password, err);
    if (o != OK)
        return o;
    db->my = mysql_init(NULL);
    if (!db->my) {
        explicit_bzero(password, sizeof password);
        return err_set(err, ERROR, "out of memory");
    }
    conn_options(db, db->my, tcp);
    bool ok = mysql_real_connect(db->my, host, user, password, c->db_name, port,
                                 tcp ? NULL : c->db_socket, CLIENT_FOUND_ROWS) != NULL;
    explicit_bzero(password, sizeof password);
    if (ok && conn_session(db))
        return OK;
    o = db_fail_report(tcp ? item : c->db_socket, mysql_errno(db->my), mysql_error(db->my), false,
                       err);
    db_conn_close(db);
    return o;
}

/* Tries every host once, beginning with the one that answered last. A host that refuses the
 * account is a fault to report even if the others are merely away. */
static enum outcome conn_any(struct db *db, struct err *err)
{
    const struct conf *c = db->conf;
    size_t n = c->db_hosts.n ? c->db_hosts.n : c->db_socket[0] != '\0', first = db->target;
    enum outcome worst = UNAVAILABLE;
    struct err e, kept = {.outcome = OK};
    if (n == 0)
        return err_set(err, ERROR, "[database] names neither socket nor hosts");
    for (size_t i = 0; i < n; i++) {
        db->target = (first + i) % n;
        enum outcome o = conn_open(db, db->target, &e);
        if (o == OK)
            return OK;
        if (kept.outcome == OK || (o != UNAVAILABLE && worst == UNAVAILABLE))
            kept = e;
        if (o != UNAVAILABLE)
            worst = o;
    }
    db->target = first;
    return err_set(err, worst, "%s", kept.msg);
}

/* Between statements the server has nothing to say: octets or an end of file mean that it has
 * closed the connection. */
static bool conn_dead(const struct db *db)
{
    struct pollfd p = {.fd = mysql_get_socket(db->my), .events = POLLIN | POLLRDHUP};
    return poll(&p, 1, 0) > 0;
}

enum outcome db_conn_ready(struct db *db, struct err *err)
{
    if (db->my && (db->in_unit || !conn_dead(db)))
        return OK;
    if (db->my)
        db_conn_close(db);
    if (db->locked)
        return err_set(err, UNAVAILABLE, "the connection that held the lock was lost");
    return conn_any(db, err);
}
