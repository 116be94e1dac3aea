/*
 * db.c: running statements, and running them again. See db_int.h for how the
 * pieces fit together.
 */
#include "store/db.h"

#include <stdlib.h>

#include "base/limits.h"
#include "store/db_int.h"

#define FEW 5000 /* devices of a scope */

enum outcome db_new(const struct conf *conf, enum db_role role, struct db **out, struct err *err)
{
    db_conn_library();
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    (*out)->conf = conf;
    (*out)->role = role;
    return OK;
}

void db_free(struct db **db)
{
    if (!*db)
        return;
    db_conn_close(*db);
    free((*db)->scratch);
    free(*db);
    *db = NULL;
}

enum outcome db_ping(struct db *db, struct err *err)
{
    enum outcome o = OK;
    for (int run = 0; run < 2; run++) {
        o = db_conn_ready(db, err);
        if (o != OK)
            return o;
        db->trips++;
        if (mysql_ping(db->my) == 0)
            return OK;
        o = db_fail_report("ping", mysql_errno(db->my), mysql_error(db->my), false, err);
        db_conn_close(db);
    }
    return o;
}

void db_forget(struct db *db, const struct sql *sql)
{
    db_stmt_forget(db, sql);
}

/* --- what statements reach ------------------------------------------------------------------- */

enum outcome db_scope_few(struct db *db, bool *few, struct err *err)
{
    char text[256];
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
    enum outcome o = OK;
    *few = false;
    if (db->scope != 0 && !db->scope_measured) {
        if ((o = db_conn_ready(db, err)) != OK)
            return o;
        db_scope_count(text, sizeof text, db->scope, FEW);
        if (!db_conn_query(db, text) || (r = mysql_store_result(db->my)) == NULL ||
            (row = mysql_fetch_row(r)) == NULL)
            return db_fail_report("scope_few", mysql_errno(db->my), mysql_error(db->my), false,
                                  err);
        db->scope_few = strtoll(row[0], NULL, 10) < FEW;
        db->scope_measured = true;
        mysql_free_result(r);
    }
    *few = db->scope != 0 && db->scope_few;
    return OK;
}

void db_scope(struct db *db, int64_t scope)
{
    db->scope = scope;
    db->scope_measured = false;
}

int64_t db_scope_of(const struct db *db)
{
    return db->scope;
}

bool db_scoped(const struct db *db)
{
    return db->scope != 0;
}

enum outcome db_whole(const struct db *db, struct err *err)
{
    return db->scope == 0 ? OK
                          : err_set(err, DENIED,
                                    "this concerns devices of other groups too: who is limited to "
                                    "groups does not do it");
}

/* --- statements ------------------------------------------------------------------------------ */

/* The statement, prepared for what the connection reaches. */
static enum outcome stmt_of(struct db *db, const struct call *c, struct stmt **st, unsigned *code,
                            struct err *err)
{
    bool few = false;
    if (db->scope != 0 && db_scope_marked(c->sql)) {
        enum outcome o = db_scope_few(db, &few, err);
        if (o != OK) {
            *code = db->my ? mysql_errno(db->my) : 0;
            return o;
        }
    }
    return db_stmt_get(db, c->sql, c->in, few, st, code, err);
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
        if (db->units_only && !db->in_unit)
            return err_set(err, ERROR, "%s: outside a unit", c->sql->name);
        o = db_conn_ready(db, err);
        if (o != OK)
            return o;
        o = stmt_of(db, c, &st, &code, &e);
        if (o == OK)
            o = db_stmt_execute(db, st, c, &code, &e);
        if (o == OK)
            return OK;
        enum fail f = code ? db_fail_of(code) : FAIL_OTHER;
        bool read = st && st->read;
        if (f == FAIL_STALE && !prepared_afresh) {
            if (st)
                db_stmt_drop(db, st);
            else
                db_stmt_drop_all(db);
            prepared_afresh = true;
            continue;
        }
        if (f == FAIL_LOST) {
            db_conn_lost(db, code);
            db_unit_doom(db, DOOM_AGAIN, &e);
            if (!db->in_unit && (read || !st) && !reconnected) {
                reconnected = true;
                continue;
            }
        }
        if (f == FAIL_AGAIN) {
            db->waited = db_fail_of_lock(code);
            db_unit_doom(db, DOOM_AGAIN, &e);
            if (!db->in_unit && run++ < DB_RUNS_MAX) {
                db_pause(run - 2);
                continue;
            }
        }
        if (c->nrows > 1)
            db_unit_doom(db, DOOM_ABORT, &e);
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
        o = db_conn_ready(db, err);
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

/* The arguments of a statement with %IN%. */
struct in_list {
    const struct val *before;
    size_t nbefore;
    const struct val *list;
    size_t n;
    const struct val *after;
    size_t nafter;
};

/* Runs c with its %IN% as wide as the list; its arguments are put together in a. One tuple alone is
 * written twice: for UPDATE and DELETE with (a, b) IN ((?,?)) MariaDB 10.11 sees no index and
 * reads, and locks, the whole table; from two on it is a range. */
static enum outcome in_run(struct db *db, struct call *c, struct in_list l, struct arena *a,
                           struct err *err)
{
    const struct sql *sql = c->sql;
    size_t tuple = sql->tuple > 1 ? sql->tuple : 1, wide = tuple > 1 ? 2 : 1;
    size_t lists = db_stmt_lists(sql);
    if (l.n == 0)
        return err_set(err, ERROR, "%s: an empty list", sql->name);
    while (wide < l.n && wide <= PLACEHOLDERS_MAX)
        wide *= 2;
    size_t nargs = l.nbefore + lists * wide * tuple + l.nafter;
    if (nargs > PLACEHOLDERS_MAX)
        return err_set(err, ERROR, "%s: a list of %zu is too long", sql->name, l.n);
    struct val *args = arena_array(a, nargs, sizeof *args);
    if (!args)
        return err_set(err, ERROR, "%s: the list is larger than a request may use", sql->name);
    struct val *p = args;
    if (l.nbefore)
        memcpy(p, l.before, l.nbefore * sizeof *p);
    p += l.nbefore;
    for (size_t k = 0; k < lists; k++)
        for (size_t i = 0; i < wide; i++, p += tuple)
            memcpy(p, l.list + (k * l.n + (i < l.n ? i : l.n - 1)) * tuple, tuple * sizeof *p);
    if (l.nafter)
        memcpy(p, l.after, l.nafter * sizeof *p);
    c->in = wide;
    c->args = args;
    c->nargs = nargs;
    c->nrows = 1;
    return call_checked(db, c, err);
}

enum outcome db_select_in(struct db *db, const struct sql *sql, const struct val *before,
                          size_t nbefore, const struct val *list, size_t n, const struct val *after,
                          size_t nafter, struct arena *a, struct rows *out, struct err *err)
{
    struct call c = {.sql = sql, .arena = a, .rows = out};
    *out = (struct rows){0};
    return in_run(db, &c, (struct in_list){before, nbefore, list, n, after, nafter}, a, err);
}

enum outcome db_exec_in(struct db *db, const struct sql *sql, const struct val *before,
                        size_t nbefore, const struct val *list, size_t n, struct arena *a,
                        uint64_t *affected, struct err *err)
{
    struct call c = {.sql = sql};
    enum outcome o = in_run(db, &c, (struct in_list){before, nbefore, list, n, NULL, 0}, a, err);
    if (affected)
        *affected = c.affected;
    return o;
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
        db_unit_doom(db, DOOM_ABORT, err);
    all->affected = affected;
    return o;
}

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
        o = db_unit_run(db, array_run, &c, false, err, __FILE__, __LINE__);
    db_stmt_trim(db);
    if (affected)
        *affected = c.affected;
    return o;
}

enum outcome db_run(struct db *db, const char *name, const char *text, struct err *err)
{
    struct err e;
    if (db->in_unit && db->doom != DOOM_NONE)
        return err_set(err, UNAVAILABLE, "%s", db->doom_err.msg);
    if (db->units_only && !db->in_unit)
        return err_set(err, ERROR, "%s: outside a unit", name);
    enum outcome o = db_conn_ready(db, err);
    if (o != OK)
        return o;
    if (db_conn_query(db, text)) {
        mysql_free_result(mysql_store_result(db->my));
        if (mysql_errno(db->my) == 0)
            return OK;
    }
    unsigned code = mysql_errno(db->my);
    o = db_fail_report(name, code, mysql_error(db->my), false, &e);
    if (db_fail_of(code) == FAIL_LOST)
        db_conn_lost(db, code);
    if (db_fail_of(code) == FAIL_LOST || db_fail_of(code) == FAIL_AGAIN)
        db_unit_doom(db, DOOM_AGAIN, &e);
    if (err)
        *err = e;
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

bool db_unit_rivalled(const struct db *db)
{
    return db->rivalled;
}

void db_units_only(struct db *db)
{
    db->units_only = true;
}

void db_impatient(struct db *db)
{
    db->impatient = true;
}

void db_at_commit(struct db *db, void (*fn)(void *arg), void *arg)
{
    db->at_commit = fn;
    db->at_commit_arg = arg;
}

enum outcome db_unit_at(struct db *db, db_unit_fn *fn, void *arg, struct err *err, const char *file,
                        int line)
{
    return db_unit_run(db, fn, arg, true, err, file, line);
}
