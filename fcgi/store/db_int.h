/*
 * db_int.h: what the db*.c files share. Only they include this header and mysql.h.
 *
 * What is worth knowing before changing them:
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
#ifndef DROVER_STORE_DB_INT_H
#define DROVER_STORE_DB_INT_H

#include <mysql.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "store/rows.h"

#define STMT_BUCKETS 64        /* a power of two */
#define PLACEHOLDERS_MAX 65535 /* the protocol counts them in 16 bits */
#define PACKET_SLACK 1024      /* octets of a packet, for what is not a value */
#define NUMBER_TEXT_MAX 72     /* DECIMAL has 65 digits, a sign and a point */

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
    size_t in;     /* elements of its %IN% list, 0 without */
    int64_t scope; /* it was prepared for; 0: for all */
    bool few;      /* for few devices */
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
    int64_t scope; /* what its statements reach; 0: all */
    bool units_only, impatient;
    bool scope_measured, scope_few;
    bool in_unit;
    bool waited;   /* in vain, for a lock, in the unit that is open */
    bool rivalled; /* the last unit was given up over others' locks */
    bool locked;   /* holds a named lock: it would be lost with the connection */
    void (*at_commit)(void *arg);
    void *at_commit_arg;
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

/* A call: one statement with its arguments, and where its result goes. */
struct call {
    const struct sql *sql;
    size_t in;
    const struct val *args; /* nrows * nargs values */
    size_t nargs;
    size_t nrows;        /* 1, or more for an array */
    bool secret;         /* an argument is one: no message of the server is shown */
    struct arena *arena; /* with rows: a result is expected */
    struct rows *rows;
    uint64_t affected;
};

/* db_fail.c: what an error number of the server or the library means. */
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
enum fail db_fail_of(unsigned code);
/* FAIL_LOST because this host serves nobody at the moment, though it answers: another one may. */
bool db_fail_of_host(unsigned code);
/* FAIL_AGAIN because another holds a lock, for longer than is waited. */
bool db_fail_of_lock(unsigned code);
/* Fills err with name, number, message (not if secret: the server quotes values in some) and
 * advice; returns the outcome that the number means. */
enum outcome db_fail_report(const char *name, unsigned code, const char *msg, bool secret,
                            struct err *err);

/* db_conn.c: the connection. db_conn_ready() finds a closed one and connects again, except inside
 * a unit of work and while a named lock is held. */
enum outcome db_conn_ready(struct db *db, struct err *err) MUST_USE;
/* Before the first connection of the process; may be called again. */
void db_conn_library(void);
void db_conn_close(struct db *db);
/* Closes it after a FAIL_LOST; the next one is made to another host where that may help. */
void db_conn_lost(struct db *db, unsigned code);
/* Sends text and reads the first answer; a result is left to be read. */
bool db_conn_query(struct db *db, const char *text);

/* db_unit.c: units of work. */
#define DB_RUNS_MAX 5 /* a unit is run at most so often */
typedef enum outcome db_work_fn(struct db *db, void *arg, struct err *err);
/* See db_unit_at(). twice: the unit may be run again when it is unknown whether its COMMIT went
 * through. */
enum outcome db_unit_run(struct db *db, db_work_fn *fn, void *arg, bool twice, struct err *err,
                         const char *file, int line) MUST_USE;
/* The unit that is open, if there is one, cannot come to a good end. */
void db_unit_doom(struct db *db, enum doom doom, const struct err *e);
/* Sleeps 5, 10, 20, 40 ms, each times a half to one and a half, so that rivals part. */
void db_pause(int run);

/* db_scope.c: what statements reach, as text. */
/* Has the text a mark for a scope? */
bool db_scope_marked(const struct sql *sql);
/* Writes a text with its scopes written out; scope 0: none; few: it reaches few devices. */
enum outcome db_scope_build(const char *text, int64_t scope, bool few, struct buf *b,
                            struct err *err) MUST_USE;
/* What counts up to `most` devices of a scope; the length of the text, as snprintf() has it. */
int db_scope_count(char *text, size_t room, int64_t scope, int most);

/* db_stmt.c: prepared statements. *code is the number of the server's or the library's error, 0
 * for faults of ours. */
/* How many lists the text of a statement has. */
size_t db_stmt_lists(const struct sql *sql);
/* Finds the statement among the prepared ones or prepares it. few: the connection's scope has few
 * devices. */
enum outcome db_stmt_get(struct db *db, const struct sql *sql, size_t in, bool few,
                         struct stmt **out, unsigned *code, struct err *err) MUST_USE;
void db_stmt_drop(struct db *db, struct stmt *st);
void db_stmt_drop_all(struct db *db);
/* Drops what is prepared of sql. */
void db_stmt_forget(struct db *db, const struct sql *sql);
/* Binds, sends, and reads the whole answer. */
enum outcome db_stmt_execute(struct db *db, struct stmt *st, struct call *c, unsigned *code,
                             struct err *err) MUST_USE;
/* Gives memory back that a large array took. */
void db_stmt_trim(struct db *db);

#endif
