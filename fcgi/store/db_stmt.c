/*
 * db_stmt.c: prepared statements: the connection's cache of them, binding arguments, reading
 * results.
 */
#include "store/db_int.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"

#define STMT_MAX 128 /* statements a connection keeps prepared */
#define SCRATCH_KEEP (64 * LIM_KB)

static size_t bucket_of(const struct sql *sql, size_t in)
{
    uintptr_t p = (uintptr_t)sql;
    return ((p >> 4) ^ (p >> 10) ^ (in * 7)) & (STMT_BUCKETS - 1);
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

void db_stmt_drop_all(struct db *db)
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

void db_stmt_drop(struct db *db, struct stmt *st)
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

void db_stmt_forget(struct db *db, const struct sql *sql)
{
    for (size_t i = 0; i < STMT_BUCKETS; i++)
        for (struct stmt *st = db->bucket[i], *next; st; st = next) {
            next = st->next;
            if (st->sql == sql)
                db_stmt_drop(db, st);
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
        db_stmt_drop(db, old);
}

static const char MARK[] = "%IN%";

size_t db_stmt_lists(const struct sql *sql)
{
    size_t n = 0;
    for (const char *p = sql->text; (p = strstr(p, MARK)) != NULL; p += sizeof MARK - 1)
        n++;
    return n;
}

static void list_build(const struct sql *sql, size_t in, struct buf *b)
{
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
}

/* Writes the text with each %IN% widened to `in` elements. */
static enum outcome list_text_build(const struct sql *sql, const char *at, size_t in, struct buf *b,
                                    struct err *err)
{
    if ((strstr(at, MARK) != NULL) != (in > 0))
        return err_set(err, ERROR, "%s: %%IN%% and db_select_in() belong together", sql->name);
    for (const char *mark; (mark = strstr(at, MARK)) != NULL; at = mark + sizeof MARK - 1) {
        buf_add(b, at, (size_t)(mark - at));
        list_build(sql, in, b);
    }
    buf_str(b, at);
    return buf_failed(b) ? err_set(err, ERROR, "out of memory") : OK;
}

static enum outcome text_build(const struct stmt *st, struct buf *b, struct err *err)
{
    struct buf text = BUF_INIT(4 * LIM_MB);
    if (!db_scope_marked(st->sql))
        return list_text_build(st->sql, st->sql->text, st->in, b, err);
    enum outcome o = db_scope_build(st->sql->text, st->scope, st->few, &text, err);
    if (o == OK)
        o = list_text_build(st->sql, buf_cstr(&text), st->in, b, err);
    buf_free(&text);
    return o;
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
    enum outcome o = st->h ? text_build(st, &text, err) : err_set(err, ERROR, "out of memory");
    if (o != OK)
        goto out;
    db->trips++;
    if (mysql_stmt_prepare(st->h, text.data, text.len)) {
        *code = mysql_stmt_errno(st->h);
        o = db_fail_report(st->sql->name, *code, mysql_stmt_error(st->h), false, err);
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

enum outcome db_stmt_get(struct db *db, const struct sql *sql, size_t in, bool few,
                         struct stmt **out, unsigned *code, struct err *err)
{
    size_t b = bucket_of(sql, in);
    int64_t scope = db->scope != 0 && db_scope_marked(sql) ? db->scope : 0;
    for (struct stmt *st = db->bucket[b]; st; st = st->next) {
        if (st->sql == sql && st->in == in && st->scope == scope && st->few == few) {
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
    st->scope = scope;
    st->few = few;
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

void db_stmt_trim(struct db *db)
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
static enum outcome rows_read(struct db *db, struct stmt *st, struct call *c, unsigned *code,
                              struct err *err)
{
    size_t cap = 0;
    enum outcome o = OK;
    *c->rows = (struct rows){.cols = st->ncols};
    for (;;) {
        int rc = mysql_stmt_fetch(st->h);
        if (rc == MYSQL_NO_DATA)
            return OK;
        if (rc != 0 && rc != MYSQL_DATA_TRUNCATED) {
            /* what ends a result in its midst (a deadlock of FOR UPDATE, a server that is gone)
             * the library tells of the connection alone */
            bool here = mysql_stmt_errno(st->h) != 0;
            *code = here ? mysql_stmt_errno(st->h) : mysql_errno(db->my);
            return db_fail_report(c->sql->name, *code,
                                  here ? mysql_stmt_error(st->h) : mysql_error(db->my), c->secret,
                                  err);
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
enum outcome db_stmt_execute(struct db *db, struct stmt *st, struct call *c, unsigned *code,
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
        return db_fail_report(c->sql->name, *code, mysql_stmt_error(st->h), c->secret, err);
    }
    if (c->rows)
        return rows_read(db, st, c, code, err);
    c->affected += mysql_stmt_affected_rows(st->h);
    db->insert_id = (int64_t)mysql_stmt_insert_id(st->h);
    return OK;
}
