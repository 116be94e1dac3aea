/*
 * db.c: one connection to MariaDB, on MariaDB Connector/C. The only file that includes mysql.h.
 *
 * What is worth knowing before changing it:
 * - A result is read row by row from the network buffer straight into the caller's arena; string
 *   columns are bound with no buffer at all, so that the length is known before memory is taken
 *   (mysql_stmt_fetch_column copies then).
 * - Before a statement outside a unit the socket is asked, without waiting, whether the server has
 *   closed it. That finds nearly every dead connection before a write is sent over it, so that
 *   "uncertain" stays rare.
 * - A unit in which the server has already rolled back (deadlock, lost connection) is doomed:
 *   further statements of it are refused here, because the server would run them one by one in
 *   transactions of their own.
 */
#include "store/db.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <mysql.h>
#include <errmsg.h>
#include <mysqld_error.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/uuid.h"

#define STMT_MAX 128           /* statements a connection keeps prepared */
#define STMT_BUCKETS 64        /* a power of two */
#define RUNS_MAX 5             /* a unit is run at most so often */
#define PLACEHOLDERS_MAX 65535 /* the protocol counts them in 16 bits */
#define PACKET_SLACK 1024      /* of a packet, for what is not a value */
#define SCRATCH_KEEP (64 * LIM_KB)
#define NUMBER_TEXT_MAX 72 /* DECIMAL has 65 digits, a sign and a point */
#define PASSWORD_MAX 512

enum column_kind { COLUMN_INT, COLUMN_TEXT, COLUMN_STR, COLUMN_BIN };

struct column {
    enum enum_field_types type; /* what the server said when the column was bound */
    enum column_kind kind;
    my_bool null, error;
    unsigned long len;
    long long i;
    char text[NUMBER_TEXT_MAX]; /* COLUMN_TEXT: decimals, floating point numbers, times */
};

struct stmt {
    const struct sql *sql;
    size_t in; /* elements of its %IN% list, 0 without */
    MYSQL_STMT *h;
    struct stmt *next; /* in its bucket */
    uint64_t used;
    bool read; /* a SELECT: running it twice is harmless */
    size_t nparams, ncols;
    MYSQL_BIND *param, *result;
    struct column *col;
};

/* What became of the unit that is open. */
enum doom { DOOM_NONE, DOOM_AGAIN, DOOM_ABORT };

struct db {
    const struct conf *conf;
    enum db_role role;
    MYSQL *my;     /* NULL when not connected */
    size_t target; /* of the connection list: the last that answered */
    size_t packet_max;
    bool in_unit;
    bool locked; /* holds a named lock: it would be lost with the connection */
    enum doom doom;
    struct err doom_err;
    int64_t insert_id;
    uint64_t trips;
    uint64_t ticks; /* counts uses, for the oldest statement */
    size_t nstmts;
    struct stmt *bucket[STMT_BUCKETS];
    char *scratch; /* columns of an array binding */
    size_t scratch_cap;
};

/* --- what an error number means -------------------------------------------------------------- */

enum fail {
    FAIL_OTHER,
    FAIL_CONFLICT,
    FAIL_MISSING,
    FAIL_INVALID,
    FAIL_LOST,  /* the connection is of no use any more; another host may serve */
    FAIL_AGAIN, /* the server rolled back; the same again may succeed */
    FAIL_AWAY,  /* the server cannot at the moment */
    FAIL_STALE  /* the prepared statement is of no use any more */
};

/* Numbers this library's headers do not all name. */
#define ER_WSREP_NOT_READY 1047 /* ER_UNKNOWN_COM_ERROR: a Galera node outside its cluster */
#define ER_CHECK_FAILED 4025
#define ER_CHECK_FAILED_MYSQL 3819
#define ER_IDLE_CLOSED 4031

static enum fail fail_of(unsigned code)
{
    switch (code) {
    case ER_DUP_ENTRY:
    case ER_DUP_ENTRY_WITH_KEY_NAME:
    case ER_DUP_KEY:
    case ER_TABLE_EXISTS_ERROR:
    case ER_DUP_FIELDNAME:
    case ER_DUP_KEYNAME:
    case ER_DUP_CONSTRAINT_NAME:
    case ER_TRG_ALREADY_EXISTS:
        return FAIL_CONFLICT;
    case ER_CANT_DROP_FIELD_OR_KEY:
    case ER_BAD_TABLE_ERROR:
    case ER_TRG_DOES_NOT_EXIST:
        return FAIL_MISSING;
    case ER_NO_REFERENCED_ROW:
    case ER_NO_REFERENCED_ROW_2:
    case ER_ROW_IS_REFERENCED:
    case ER_ROW_IS_REFERENCED_2:
    case ER_CHECK_FAILED:
    case ER_CHECK_FAILED_MYSQL:
    case ER_DATA_TOO_LONG:
    case ER_WARN_DATA_OUT_OF_RANGE:
    case ER_DATA_OUT_OF_RANGE:
    case WARN_DATA_TRUNCATED:
    case ER_TRUNCATED_WRONG_VALUE:
    case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
    case ER_BAD_NULL_ERROR:
    case ER_NO_DEFAULT_FOR_FIELD:
        return FAIL_INVALID;
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_UNKNOWN_HOST:
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_SERVER_LOST_EXTENDED:
    case CR_SSL_CONNECTION_ERROR:
    case CR_MALFORMED_PACKET:
    case CR_COMMANDS_OUT_OF_SYNC:
    case ER_WSREP_NOT_READY:
    case ER_SERVER_SHUTDOWN:
    case ER_NORMAL_SHUTDOWN:
    case ER_CONNECTION_KILLED:
    case ER_NEW_ABORTING_CONNECTION:
    case ER_ABORTING_CONNECTION:
    case ER_NET_PACKET_TOO_LARGE:
    case ER_NET_READ_ERROR_FROM_PIPE:
    case ER_NET_FCNTL_ERROR:
    case ER_NET_PACKETS_OUT_OF_ORDER:
    case ER_NET_UNCOMPRESS_ERROR:
    case ER_NET_READ_ERROR:
    case ER_NET_READ_INTERRUPTED:
    case ER_NET_ERROR_ON_WRITE:
    case ER_NET_WRITE_INTERRUPTED:
    case ER_HOST_IS_BLOCKED:
    case ER_IDLE_CLOSED:
    case ER_OPTION_PREVENTS_STATEMENT: /* read_only: this host is a replica now */
    case ER_READ_ONLY_MODE:
        return FAIL_LOST;
    case ER_LOCK_DEADLOCK:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_CHECKREAD:
    case ER_ERROR_DURING_COMMIT:
    case ER_QUERY_INTERRUPTED:
    case ER_TOO_MANY_CONCURRENT_TRXS:
        return FAIL_AGAIN;
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_USER_LIMIT_REACHED:
    case ER_STATEMENT_TIMEOUT:
    case ER_DISK_FULL:
    case ER_RECORD_FILE_FULL:
    case ER_ERROR_ON_WRITE:
    case ER_OUTOFMEMORY:
    case ER_OUT_OF_RESOURCES:
        return FAIL_AWAY;
    case ER_NEED_REPREPARE:
    case ER_UNKNOWN_STMT_HANDLER:
    case ER_MAX_PREPARED_STMT_COUNT_REACHED:
    case CR_NEW_STMT_METADATA:
        return FAIL_STALE;
    default:
        return FAIL_OTHER;
    }
}

static enum outcome fail_outcome(enum fail f)
{
    switch (f) {
    case FAIL_CONFLICT:
        return CONFLICT;
    case FAIL_MISSING:
        return NOT_FOUND;
    case FAIL_INVALID:
        return INVALID;
    case FAIL_LOST:
    case FAIL_AGAIN:
    case FAIL_AWAY:
        return UNAVAILABLE;
    case FAIL_OTHER:
    case FAIL_STALE:
        break;
    }
    return ERROR;
}

static const char *fail_advice(unsigned code)
{
    switch (code) {
    case ER_NO_SUCH_TABLE:
    case ER_BAD_FIELD_ERROR:
        return "; is the schema current? See droverctl migrate";
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
        return "; does the account have its rights? See droverctl grants";
    case ER_MAX_PREPARED_STMT_COUNT_REACHED:
        return "; raise max_prepared_stmt_count of the server";
    default:
        return "";
    }
}

/* The server quotes values in some messages, so a statement with a secret shows the number only. */
static enum outcome fail_report(const char *name, unsigned code, const char *msg, bool secret,
                                struct err *err)
{
    return err_set(err, fail_outcome(fail_of(code)), "%s: database error %u: %s%s", name, code,
                   secret ? "(not shown)" : msg, fail_advice(code));
}

/* --- connecting ------------------------------------------------------------------------------ */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_start(void)
{
    (void)mysql_library_init(0, NULL, NULL);
}

enum outcome db_new(const struct conf *conf, enum db_role role, struct db **out, struct err *err)
{
    pthread_once(&library_once, library_start);
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    (*out)->conf = conf;
    (*out)->role = role;
    return OK;
}

static void stmt_free(struct stmt *st)
{
    if (st->h)
        mysql_stmt_close(st->h);
    free(st->param);
    free(st->result);
    free(st->col);
    free(st);
}

static void stmts_drop(struct db *db)
{
    for (size_t i = 0; i < STMT_BUCKETS; i++) {
        while (db->bucket[i]) {
            struct stmt *st = db->bucket[i];
            db->bucket[i] = st->next;
            stmt_free(st);
        }
    }
    db->nstmts = 0;
}

static void conn_close(struct db *db)
{
    stmts_drop(db);
    if (db->my)
        mysql_close(db->my);
    db->my = NULL;
}

void db_free(struct db **db)
{
    if (!*db)
        return;
    conn_close(*db);
    free((*db)->scratch);
    free(*db);
    *db = NULL;
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

static bool conn_query(struct db *db, const char *text)
{
    db->trips++;
    return mysql_real_query(db->my, text, strlen(text)) == 0;
}

/* The server's defaults are not trusted: strict mode, isolation, time zone and waits are ours. */
static bool conn_session(struct db *db)
{
    char text[400];
    long long timeout = db->conf->db_timeout_s;
    long long wait = timeout >= 10 ? 5 : timeout >= 2 ? timeout / 2 : 1;
    if (!conn_query(db, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"))
        return false;
    int n = snprintf(text, sizeof text,
                     "SET SESSION sql_mode='STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
                     "NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION', time_zone='+00:00', "
                     "autocommit=1, innodb_lock_wait_timeout=%lld",
                     wait);
    if (db->role != DB_OWNER)
        snprintf(text + n, sizeof text - (size_t)n,
                 ", lock_wait_timeout=%lld, "
                 "max_statement_time=%lld",
                 timeout, timeout);
    if (!conn_query(db, text) || !conn_query(db, "SELECT @@max_allowed_packet"))
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
    bool tcp = !(c->db_socket[0] && target == 0);
    if (tcp) {
        item = c->db_hosts.item[target - (c->db_socket[0] ? 1 : 0)];
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
    o = fail_report(tcp ? item : c->db_socket, mysql_errno(db->my), mysql_error(db->my), false,
                    err);
    conn_close(db);
    return o;
}

/* Tries every host once, beginning with the one that answered last. A host that refuses the
 * account is a fault to report even if the others are merely away. */
static enum outcome conn_any(struct db *db, struct err *err)
{
    const struct conf *c = db->conf;
    size_t n = c->db_hosts.n + (c->db_socket[0] ? 1 : 0), first = db->target;
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

static enum outcome conn_ready(struct db *db, struct err *err)
{
    if (db->my && (db->in_unit || !conn_dead(db)))
        return OK;
    if (db->my)
        conn_close(db);
    if (db->locked)
        return err_set(err, UNAVAILABLE, "the connection that held the lock was lost");
    return conn_any(db, err);
}

enum outcome db_ping(struct db *db, struct err *err)
{
    enum outcome o = OK;
    for (int run = 0; run < 2; run++) {
        o = conn_ready(db, err);
        if (o != OK)
            return o;
        db->trips++;
        if (mysql_ping(db->my) == 0)
            return OK;
        o = fail_report("ping", mysql_errno(db->my), mysql_error(db->my), false, err);
        conn_close(db);
    }
    return o;
}

/* --- prepared statements --------------------------------------------------------------------- */

static size_t bucket_of(const struct sql *sql, size_t in)
{
    uintptr_t p = (uintptr_t)sql;
    return ((p >> 4) ^ (p >> 10) ^ (in * 7)) & (STMT_BUCKETS - 1);
}

static void stmt_drop(struct db *db, struct stmt *st)
{
    for (struct stmt **p = &db->bucket[bucket_of(st->sql, st->in)]; *p; p = &(*p)->next) {
        if (*p == st) {
            *p = st->next;
            db->nstmts--;
            stmt_free(st);
            return;
        }
    }
}

static void stmt_drop_oldest(struct db *db)
{
    struct stmt *old = NULL;
    for (size_t i = 0; i < STMT_BUCKETS; i++)
        for (struct stmt *st = db->bucket[i]; st; st = st->next)
            if (!old || st->used < old->used)
                old = st;
    if (old)
        stmt_drop(db, old);
}

/* Writes the text with %IN% widened to `in` elements. */
static enum outcome text_build(const struct sql *sql, size_t in, struct buf *b, struct err *err)
{
    const char *mark = strstr(sql->text, "%IN%");
    if ((mark != NULL) != (in > 0))
        return err_set(err, ERROR, "%s: %%IN%% and db_select_in() belong together", sql->name);
    if (!mark) {
        buf_str(b, sql->text);
        return buf_failed(b) ? err_set(err, ERROR, "out of memory") : OK;
    }
    buf_add(b, sql->text, (size_t)(mark - sql->text));
    for (size_t i = 0; i < in; i++) {
        buf_str(b, i ? "," : "");
        if (sql->tuple <= 1) {
            buf_char(b, '?');
            continue;
        }
        for (unsigned k = 0; k < sql->tuple; k++)
            buf_str(b, k ? ",?" : "(?");
        buf_char(b, ')');
    }
    buf_str(b, mark + strlen("%IN%"));
    return buf_failed(b) ? err_set(err, ERROR, "out of memory") : OK;
}

static bool text_is_select(const char *s)
{
    while (isspace((unsigned char)*s) || *s == '(')
        s++;
    return strncasecmp(s, "SELECT", 6) == 0 || strncasecmp(s, "WITH", 4) == 0;
}

static bool field_is_int(const MYSQL_FIELD *f)
{
    switch (f->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
        return true;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL: /* SUM() of integers is one */
        return f->decimals == 0;
    default:
        return false;
    }
}

static enum column_kind field_kind(const MYSQL_FIELD *f)
{
    if (field_is_int(f))
        return COLUMN_INT;
    switch (f->type) {
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_NEWDATE:
        return COLUMN_TEXT;
    default:
        return f->charsetnr == 63 ? COLUMN_BIN : COLUMN_STR; /* 63 is "binary" */
    }
}

/* Binds the result's columns; a column's type may turn out to be another one at execution. */
static bool result_bind(struct stmt *st)
{
    const MYSQL_FIELD *f = mariadb_stmt_fetch_fields(st->h);
    for (size_t i = 0; i < st->ncols; i++) {
        struct column *c = &st->col[i];
        MYSQL_BIND *b = &st->result[i];
        c->type = f[i].type;
        c->kind = field_kind(&f[i]);
        *b = (MYSQL_BIND){.length = &c->len, .is_null = &c->null, .error = &c->error};
        switch (c->kind) {
        case COLUMN_INT:
            b->buffer_type = MYSQL_TYPE_LONGLONG;
            b->buffer = &c->i;
            break;
        case COLUMN_TEXT:
            b->buffer_type = MYSQL_TYPE_STRING;
            b->buffer = c->text;
            b->buffer_length = sizeof c->text;
            break;
        case COLUMN_STR:
            b->buffer_type = MYSQL_TYPE_STRING;
            break;
        case COLUMN_BIN:
            b->buffer_type = MYSQL_TYPE_BLOB;
            break;
        }
    }
    return mysql_stmt_bind_result(st->h, st->result) == 0;
}

static bool result_changed(const struct stmt *st)
{
    const MYSQL_FIELD *f = mariadb_stmt_fetch_fields(st->h);
    for (size_t i = 0; i < st->ncols; i++)
        if (f[i].type != st->col[i].type)
            return true;
    return false;
}

static enum outcome stmt_prepare(struct db *db, struct stmt *st, unsigned *code, struct err *err)
{
    struct buf text = BUF_INIT(4 * LIM_MB);
    st->h = mysql_stmt_init(db->my);
    enum outcome o =
        st->h ? text_build(st->sql, st->in, &text, err) : err_set(err, ERROR, "out of memory");
    if (o != OK)
        goto out;
    db->trips++;
    if (mysql_stmt_prepare(st->h, text.data, text.len)) {
        *code = mysql_stmt_errno(st->h);
        o = fail_report(st->sql->name, *code, mysql_stmt_error(st->h), false, err);
        goto out;
    }
    st->read = text_is_select(st->sql->text);
    st->nparams = mysql_stmt_param_count(st->h);
    st->ncols = mysql_stmt_field_count(st->h);
    st->param = calloc(st->nparams + 1, sizeof *st->param);
    st->result = calloc(st->ncols + 1, sizeof *st->result);
    st->col = calloc(st->ncols + 1, sizeof *st->col);
    if (!st->param || !st->result || !st->col || (st->ncols && !result_bind(st)))
        o = err_set(err, ERROR, "%s: out of memory", st->sql->name);
out:
    buf_free(&text);
    return o;
}

/* Finds the statement among the prepared ones or prepares it. */
static enum outcome stmt_get(struct db *db, const struct sql *sql, size_t in, struct stmt **out,
                             unsigned *code, struct err *err)
{
    size_t b = bucket_of(sql, in);
    for (struct stmt *st = db->bucket[b]; st; st = st->next) {
        if (st->sql == sql && st->in == in) {
            st->used = ++db->ticks;
            *out = st;
            return OK;
        }
    }
    if (db->nstmts >= STMT_MAX)
        stmt_drop_oldest(db);
    struct stmt *st = calloc(1, sizeof *st);
    if (!st)
        return err_set(err, ERROR, "out of memory");
    st->sql = sql;
    st->in = in;
    enum outcome o = stmt_prepare(db, st, code, err);
    if (o != OK) {
        stmt_free(st);
        return o;
    }
    st->used = ++db->ticks;
    st->next = db->bucket[b];
    db->bucket[b] = st;
    db->nstmts++;
    *out = st;
    return OK;
}

/* --- arguments and results ------------------------------------------------------------------- */

/* A call: one statement with its arguments, and where its result goes. */
struct call {
    const struct sql *sql;
    size_t in;
    const struct val *args; /* nrows * nargs values */
    size_t nargs;
    size_t nrows; /* 1, or more for an array */
    bool secret;
    struct arena *arena; /* with rows: a result is expected */
    struct rows *rows;
    uint64_t affected;
};

static enum enum_field_types type_of(const struct val *v)
{
    switch (v->type) {
    case VAL_INT:
        return MYSQL_TYPE_LONGLONG;
    case VAL_BIN:
        return MYSQL_TYPE_BLOB;
    case VAL_NULL:
    case VAL_STR:
        break;
    }
    return MYSQL_TYPE_STRING;
}

static bool args_bind(struct stmt *st, const struct val *args)
{
    static my_bool yes = 1;
    for (size_t i = 0; i < st->nparams; i++) {
        const struct val *v = &args[i];
        MYSQL_BIND *b = &st->param[i];
        *b = (MYSQL_BIND){.buffer_type = type_of(v)};
        if (v->type == VAL_NULL) {
            b->is_null = &yes;
        } else if (v->type == VAL_INT) {
            b->buffer = (void *)&v->i;
        } else {
            b->buffer = (void *)v->s;
            b->buffer_length = v->n;
        }
    }
    return mysql_stmt_bind_param(st->h, st->param) == 0;
}

static void *scratch_take(struct db *db, size_t n)
{
    if (n > db->scratch_cap) {
        char *p = realloc(db->scratch, n);
        if (!p)
            return NULL;
        db->scratch = p;
        db->scratch_cap = n;
    }
    return db->scratch;
}

static void scratch_trim(struct db *db)
{
    if (db->scratch_cap > SCRATCH_KEEP) {
        free(db->scratch);
        db->scratch = NULL;
        db->scratch_cap = 0;
    }
}

/* Column-wise binding: for each column an array of integers or of pointers, one of lengths, one of
 * NULL indicators. */
static enum outcome args_bind_array(struct db *db, struct stmt *st, const struct val *args,
                                    size_t nrows, struct err *err)
{
    size_t n = st->nparams, one = nrows * (2 * sizeof(uint64_t)) + ((nrows + 7) & ~(size_t)7);
    char *p = scratch_take(db, n * one);
    if (!p)
        return err_set(err, ERROR, "%s: out of memory", st->sql->name);
    for (size_t c = 0; c < n; c++, p += one) {
        union {
            int64_t i;
            const char *s;
        } *value = (void *)p;
        unsigned long *len = (void *)(value + nrows);
        char *ind = (char *)(len + nrows);
        enum val_type type = VAL_NULL;
        for (size_t r = 0; r < nrows; r++) {
            const struct val *v = &args[r * n + c];
            ind[r] = v->type == VAL_NULL ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
            len[r] = v->type == VAL_STR || v->type == VAL_BIN ? v->n : 0;
            value[r].i = 0;
            if (v->type == VAL_NULL)
                continue;
            if (type != VAL_NULL && type != v->type)
                return err_set(err, ERROR, "%s: argument %zu has several types", st->sql->name,
                               c + 1);
            type = v->type;
            if (type == VAL_INT)
                value[r].i = v->i;
            else
                value[r].s = v->s;
        }
        st->param[c] = (MYSQL_BIND){.buffer_type = type_of(&(struct val){.type = type}),
                                    .buffer = value,
                                    .length = len,
                                    .u.indicator = ind};
    }
    return mysql_stmt_bind_param(st->h, st->param)
               ? err_set(err, ERROR, "%s: cannot bind: %s", st->sql->name, mysql_stmt_error(st->h))
               : OK;
}

/* One column of the row just fetched. */
static enum outcome column_read(struct stmt *st, size_t i, struct arena *a, struct val *v,
                                struct err *err)
{
    struct column *c = &st->col[i];
    if (c->null) {
        *v = val_null();
        return OK;
    }
    if (c->kind == COLUMN_INT) {
        if (c->error)
            return err_set(err, ERROR, "%s: column %zu does not fit 64 bits", st->sql->name, i + 1);
        *v = val_int(c->i);
        return OK;
    }
    char *p = arena_alloc(a, c->len + 1);
    if (!p)
        return err_set(err, ERROR, "%s: the result is larger than a request may use",
                       st->sql->name);
    if (c->kind == COLUMN_TEXT) {
        memcpy(p, c->text, c->len);
    } else if (c->len) {
        my_bool null, error;
        unsigned long len;
        MYSQL_BIND b = {.buffer_type = st->result[i].buffer_type,
                        .buffer = p,
                        .buffer_length = c->len,
                        .length = &len,
                        .is_null = &null,
                        .error = &error};
        if (mysql_stmt_fetch_column(st->h, &b, (unsigned)i, 0))
            return err_set(err, ERROR, "%s: column %zu cannot be read", st->sql->name, i + 1);
    }
    p[c->len] = '\0';
    *v = (struct val){.type = c->kind == COLUMN_BIN ? VAL_BIN : VAL_STR, .s = p, .n = c->len};
    return OK;
}

/* Makes room for one more row. Old arrays stay in the arena until it is reset. */
static bool rows_grow(struct rows *r, size_t *cap, struct arena *a)
{
    if (r->n < *cap)
        return true;
    size_t want = *cap ? *cap * 2 : 4;
    struct val *v = arena_array(a, want * r->cols, sizeof *v);
    if (!v)
        return false;
    if (r->n)
        memcpy(v, r->v, r->n * r->cols * sizeof *v);
    r->v = v;
    *cap = want;
    return true;
}

/* Reads all rows. An outcome other than OK with *code 0 is a fault of this side; the rest of the
 * result has been read and thrown away then. */
static enum outcome rows_read(struct stmt *st, struct call *c, unsigned *code, struct err *err)
{
    size_t cap = 0;
    enum outcome o = OK;
    *c->rows = (struct rows){.cols = st->ncols};
    for (;;) {
        int rc = mysql_stmt_fetch(st->h);
        if (rc == MYSQL_NO_DATA)
            return OK;
        if (rc != 0 && rc != MYSQL_DATA_TRUNCATED) {
            *code = mysql_stmt_errno(st->h);
            return fail_report(c->sql->name, *code, mysql_stmt_error(st->h), c->secret, err);
        }
        if (!rows_grow(c->rows, &cap, c->arena))
            o = err_set(err, ERROR, "%s: the result is larger than a request may use",
                        c->sql->name);
        for (size_t i = 0; o == OK && i < st->ncols; i++)
            o = column_read(st, i, c->arena, row_at(c->rows, c->rows->n, i), err);
        if (o != OK) {
            mysql_stmt_free_result(st->h);
            return o;
        }
        c->rows->n++;
    }
}

/* Binds, sends, reads. *code is the server's or library's error number, 0 for faults of ours. */
static enum outcome stmt_execute(struct db *db, struct stmt *st, struct call *c, unsigned *code,
                                 struct err *err)
{
    if (st->nparams != c->nargs)
        return err_set(err, ERROR, "%s: takes %zu arguments, got %zu", c->sql->name, st->nparams,
                       c->nargs);
    if ((st->ncols > 0) != (c->rows != NULL))
        return err_set(err, ERROR, "%s: %s", c->sql->name,
                       c->rows ? "gives no rows" : "gives rows that nobody reads");
    unsigned array = c->nrows > 1 ? (unsigned)c->nrows : 0;
    mysql_stmt_attr_set(st->h, STMT_ATTR_ARRAY_SIZE, &array);
    if (array) {
        enum outcome o = args_bind_array(db, st, c->args, c->nrows, err);
        if (o != OK)
            return o;
    } else if (!args_bind(st, c->args)) {
        return err_set(err, ERROR, "%s: cannot bind: %s", c->sql->name, mysql_stmt_error(st->h));
    }
    db->trips++;
    if (mysql_stmt_execute(st->h) || (c->rows && result_changed(st) && !result_bind(st))) {
        *code = mysql_stmt_errno(st->h);
        return fail_report(c->sql->name, *code, mysql_stmt_error(st->h), c->secret, err);
    }
    if (c->rows)
        return rows_read(st, c, code, err);
    c->affected += mysql_stmt_affected_rows(st->h);
    db->insert_id = (int64_t)mysql_stmt_insert_id(st->h);
    return OK;
}

/* --- running, and running again -------------------------------------------------------------- */

/* Sleeps 5, 10, 20, 40 ms, each times a half to one and a half, so that rivals part. */
static void pause_before(int run)
{
    uint32_t r;
    random_bytes(&r, sizeof r);
    long ms = 5L << run;
    long us = ms * 500 + (long)(r % 1000) * ms;
    nanosleep(&(struct timespec){.tv_sec = 0, .tv_nsec = us * 1000}, NULL);
}

static void unit_doom(struct db *db, enum doom doom, const struct err *e)
{
    if (!db->in_unit || db->doom != DOOM_NONE)
        return;
    db->doom = doom;
    db->doom_err = *e;
}

/* Runs one statement. Run again here: with a statement prepared afresh when the server has
 * forgotten it; outside a unit also after a deadlock (the server has undone it), and a SELECT once
 * after a lost connection. */
static enum outcome call_run(struct db *db, struct call *c, struct err *err)
{
    bool prepared_afresh = false, reconnected = false;
    struct err e = {.outcome = OK};
    enum outcome o;
    for (int run = 1;;) {
        unsigned code = 0;
        struct stmt *st = NULL;
        c->affected = 0;
        if (db->in_unit && db->doom != DOOM_NONE)
            return err_set(err, UNAVAILABLE, "%s", db->doom_err.msg);
        o = conn_ready(db, err);
        if (o != OK)
            return o;
        o = stmt_get(db, c->sql, c->in, &st, &code, &e);
        if (o == OK)
            o = stmt_execute(db, st, c, &code, &e);
        if (o == OK)
            return OK;
        enum fail f = code ? fail_of(code) : FAIL_OTHER;
        bool read = st && st->read;
        if (f == FAIL_STALE && !prepared_afresh) {
            if (st)
                stmt_drop(db, st);
            else
                stmts_drop(db);
            prepared_afresh = true;
            continue;
        }
        if (f == FAIL_LOST) {
            conn_close(db);
            unit_doom(db, DOOM_AGAIN, &e);
            if (!db->in_unit && (read || !st) && !reconnected) {
                reconnected = true;
                continue;
            }
        }
        if (f == FAIL_AGAIN) {
            unit_doom(db, DOOM_AGAIN, &e);
            if (!db->in_unit && run++ < RUNS_MAX) {
                pause_before(run - 2);
                continue;
            }
        }
        if (c->nrows > 1)
            unit_doom(db, DOOM_ABORT, &e);
        break;
    }
    if (err)
        *err = e;
    return o;
}

static bool args_secret(const struct val *args, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (args[i].secret)
            return true;
    return false;
}

static size_t args_size(const struct val *args, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += args[i].n + 12;
    return size;
}

/* Values the server would refuse are refused here: it closes the connection over them. */
static enum outcome size_check(struct db *db, const struct sql *sql, const struct val *args,
                               size_t n, struct err *err)
{
    size_t size = args_size(args, n) + PACKET_SLACK;
    if (!db->my || size <= db->packet_max)
        return OK;
    return err_set(err, INVALID,
                   "%s: %zu octets are more than the server's max_allowed_packet of %zu", sql->name,
                   size, db->packet_max);
}

static enum outcome call_checked(struct db *db, struct call *c, struct err *err)
{
    enum outcome o = OK;
    if (!db->my && !db->in_unit)
        o = conn_ready(db, err);
    if (o == OK)
        o = size_check(db, c->sql, c->args, c->nargs, err);
    c->secret = args_secret(c->args, c->nargs);
    return o == OK ? call_run(db, c, err) : o;
}

enum outcome db_select(struct db *db, const struct sql *sql, const struct val *args, size_t nargs,
                       struct arena *a, struct rows *out, struct err *err)
{
    struct call c = {.sql = sql, .args = args, .nargs = nargs, .nrows = 1, .arena = a, .rows = out};
    *out = (struct rows){0};
    return call_checked(db, &c, err);
}

enum outcome db_select_in(struct db *db, const struct sql *sql, const struct val *before,
                          size_t nbefore, const struct val *list, size_t n, const struct val *after,
                          size_t nafter, struct arena *a, struct rows *out, struct err *err)
{
    size_t tuple = sql->tuple > 1 ? sql->tuple : 1, wide = 1;
    *out = (struct rows){0};
    if (n == 0)
        return err_set(err, ERROR, "%s: an empty list", sql->name);
    while (wide < n && wide <= PLACEHOLDERS_MAX)
        wide *= 2;
    size_t nargs = nbefore + wide * tuple + nafter;
    if (nargs > PLACEHOLDERS_MAX)
        return err_set(err, ERROR, "%s: a list of %zu is too long", sql->name, n);
    struct val *args = arena_array(a, nargs, sizeof *args);
    if (!args)
        return err_set(err, ERROR, "%s: the list is larger than a request may use", sql->name);
    struct val *p = args;
    if (nbefore)
        memcpy(p, before, nbefore * sizeof *p);
    p += nbefore;
    for (size_t i = 0; i < wide; i++, p += tuple)
        memcpy(p, list + (i < n ? i : n - 1) * tuple, tuple * sizeof *p);
    if (nafter)
        memcpy(p, after, nafter * sizeof *p);
    struct call c = {
        .sql = sql, .in = wide, .args = args, .nargs = nargs, .nrows = 1, .arena = a, .rows = out};
    return call_checked(db, &c, err);
}

enum outcome db_exec(struct db *db, const struct sql *sql, const struct val *args, size_t nargs,
                     uint64_t *affected, struct err *err)
{
    struct call c = {.sql = sql, .args = args, .nargs = nargs, .nrows = 1};
    enum outcome o = call_checked(db, &c, err);
    if (affected)
        *affected = c.affected;
    return o;
}

/* As many rows as one packet takes, at a time. */
static enum outcome array_run(struct db *db, void *arg, struct err *err)
{
    struct call *all = arg;
    uint64_t affected = 0;
    enum outcome o = OK;
    for (size_t done = 0; done < all->nrows && o == OK;) {
        struct call c = *all;
        size_t size = PACKET_SLACK;
        c.args = all->args + done * all->nargs;
        for (c.nrows = 0; done + c.nrows < all->nrows; c.nrows++) {
            size_t row = args_size(c.args + c.nrows * c.nargs, c.nargs);
            if (c.nrows && size + row > db->packet_max)
                break;
            size += row;
        }
        o = c.nrows == 1 ? size_check(db, c.sql, c.args, c.nargs, err) : OK;
        if (o == OK)
            o = call_run(db, &c, err);
        affected += c.affected;
        done += c.nrows;
    }
    if (o != OK && err)
        unit_doom(db, DOOM_ABORT, err);
    all->affected = affected;
    return o;
}

static enum outcome unit_run(struct db *db, db_unit_fn *fn, void *arg, bool twice, struct err *err,
                             const char *file, int line);

enum outcome db_exec_many(struct db *db, const struct sql *sql, const struct val *args,
                          size_t nargs, size_t n, uint64_t *affected, struct err *err)
{
    struct err e;
    enum outcome o = OK;
    if (affected)
        *affected = 0;
    if (n == 0)
        return OK;
    if (n == 1 || nargs == 0)
        return n == 1 ? db_exec(db, sql, args, nargs, affected, err)
                      : err_set(err, ERROR, "%s: an array without arguments", sql->name);
    struct call c = {.sql = sql,
                     .args = args,
                     .nargs = nargs,
                     .nrows = n,
                     .secret = args_secret(args, nargs * n)};
    if (db->in_unit)
        o = array_run(db, &c, err ? err : &e);
    else /* the server runs an UPDATE's rows one by one: make them one transaction */
        o = unit_run(db, array_run, &c, false, err, __FILE__, __LINE__);
    scratch_trim(db);
    if (affected)
        *affected = c.affected;
    return o;
}

int64_t db_insert_id(struct db *db)
{
    return db->insert_id;
}

uint64_t db_round_trips(const struct db *db)
{
    return db->trips;
}

/* --- units of work --------------------------------------------------------------------------- */

/* Sends BEGIN, COMMIT or ROLLBACK. A connection that fails here is closed: what it is in the
 * middle of is unknown. */
static enum fail unit_word(struct db *db, const char *word, enum outcome *o, struct err *err)
{
    *o = OK;
    if (conn_query(db, word))
        return FAIL_OTHER;
    unsigned code = mysql_errno(db->my);
    enum fail f = fail_of(code);
    *o = fail_report(word, code, mysql_error(db->my), false, err);
    if (f != FAIL_AGAIN)
        conn_close(db);
    return f;
}

static void unit_rollback(struct db *db)
{
    enum outcome o;
    struct err e;
    if (db->my)
        (void)unit_word(db, "ROLLBACK", &o, &e);
}

/* One run. *again: nothing of it is stored (or, if the COMMIT's answer was lost, *uncertain). */
static enum outcome unit_once(struct db *db, db_unit_fn *fn, void *arg, bool *again,
                              bool *uncertain, struct err *err)
{
    enum outcome o = conn_ready(db, err);
    *again = *uncertain = false;
    if (o != OK)
        return o;
    enum fail f = unit_word(db, "START TRANSACTION", &o, err);
    if (o != OK) {
        *again = f == FAIL_LOST || f == FAIL_AGAIN;
        return o;
    }
    db->in_unit = true;
    db->doom = DOOM_NONE;
    o = fn(db, arg, err);
    db->in_unit = false;
    if (db->doom == DOOM_AGAIN) {
        unit_rollback(db);
        *again = true;
        return err_set(err, UNAVAILABLE, "%s", db->doom_err.msg);
    }
    if (o == OK && db->doom == DOOM_ABORT)
        o = err_set(err, ERROR, "a failure was not handed on: %s", db->doom_err.msg);
    if (o != OK) {
        unit_rollback(db);
        return o;
    }
    f = unit_word(db, "COMMIT", &o, err);
    if (o != OK) {
        *uncertain = f == FAIL_LOST;
        *again = f == FAIL_LOST || f == FAIL_AGAIN;
        if (f == FAIL_AGAIN)
            unit_rollback(db);
    }
    return o;
}

/* twice: the unit may be run again when it is unknown whether its COMMIT went through. */
static enum outcome unit_run(struct db *db, db_unit_fn *fn, void *arg, bool twice, struct err *err,
                             const char *file, int line)
{
    struct err own, *e = err ? err : &own;
    enum outcome o = OK;
    if (db->in_unit)
        return err_set(err, ERROR, "%s:%d: units of work do not nest", file, line);
    for (int run = 1;; run++) {
        bool again, uncertain;
        o = unit_once(db, fn, arg, &again, &uncertain, e);
        if (o == OK || !again || (uncertain && !twice))
            return o;
        bool last = run == RUNS_MAX;
        log_msg(last ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, last ? "db.unit_failed" : "db.unit_again",
                "%s:%d run %d of %d%s: %s", file, line, run, RUNS_MAX,
                uncertain ? ", commit uncertain" : "", e->msg);
        if (last)
            return o;
        pause_before(run - 1);
    }
}

enum outcome db_unit_at(struct db *db, db_unit_fn *fn, void *arg, struct err *err, const char *file,
                        int line)
{
    return unit_run(db, fn, arg, true, err, file, line);
}
