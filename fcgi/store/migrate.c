/*
 * migrate.c: schema files and grants.
 *
 * MariaDB commits before and after each CREATE and ALTER, so a file cannot be one transaction.
 * Instead each statement leaves a mark before and after it in schema_migration. A run that died
 * between a statement and its second mark finds, when it goes on, that the statement may have been
 * done: then "exists already" and "is gone already" count as done. Statements that change rows are
 * one transaction with their mark.
 */
#include "store/migrate.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/script.h"
#include "wire/encode.h"

#define FILES_MAX 9999
#define LOCK_NAME "migrate"
#define LOCK_WAIT_S 300

static const struct sql TABLE_FIND = {
    .name = "migrate_table_find",
    .text = "SELECT COUNT(*) FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name = 'schema_migration'"};
static const char TABLE_MAKE[] =
    "CREATE TABLE IF NOT EXISTS schema_migration ("
    "version INT NOT NULL COMMENT 'number of the schema file',"
    "name VARCHAR(128) NOT NULL COMMENT 'its name',"
    "statements INT NOT NULL COMMENT 'how many statements it has',"
    "begun INT NOT NULL COMMENT 'the statement begun last, counted from 1',"
    "done INT NOT NULL COMMENT 'statements that are done',"
    "checksum CHAR(64) CHARACTER SET ascii NOT NULL COMMENT 'SHA-256 of the statements done',"
    "began_at BIGINT NOT NULL COMMENT 'when its first statement began',"
    "applied_at BIGINT NULL COMMENT 'when its last statement was done',"
    "PRIMARY KEY (version)"
    ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='schema files applied'";
static const struct sql VERSION_FIND = {
    .name = "migrate_version",
    .text = "SELECT COALESCE(MAX(version), 0) FROM schema_migration WHERE applied_at IS NOT NULL"};
static const struct sql NEWEST_FIND = {
    .name = "migrate_newest", .text = "SELECT COALESCE(MAX(version), 0) FROM schema_migration"};
static const struct sql FILE_FIND = {
    .name = "migrate_file_find",
    .text = "SELECT statements, begun, done, checksum, applied_at FROM schema_migration "
            "WHERE version = ?"};
static const struct sql FILE_BEGIN = {
    .name = "migrate_file_begin",
    .text = "INSERT INTO schema_migration (version, name, statements, begun, done, checksum, "
            "began_at) VALUES (?, ?, ?, 0, 0, '', ?) "
            "ON DUPLICATE KEY UPDATE name = VALUES(name), statements = VALUES(statements)"};
static const struct sql STATEMENT_BEGIN = {
    .name = "migrate_statement_begin",
    .text = "UPDATE schema_migration SET begun = ? WHERE version = ?"};
static const struct sql STATEMENT_DONE = {
    .name = "migrate_statement_done",
    .text = "UPDATE schema_migration SET done = ?, checksum = ?, applied_at = ? "
            "WHERE version = ?"};

/* --- files ----------------------------------------------------------------------------------- */

struct file {
    int version;
    const char *name;
    struct script_statement *st;
    int n;
};

/* NNNN-name.sql: its number, or 0 when the name is not of this form. */
static int name_version(const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; i < 4; i++)
        if (!isdigit((unsigned char)name[i]))
            return 0;
    if (n < 10 || n > 128 || name[4] != '-' || strcmp(name + n - 4, ".sql") != 0)
        return 0;
    return atoi(name);
}

/* Finds the files of dir by number: names[1] to names[*n]. */
static enum outcome dir_list(const char *dir, struct arena *a, const char **names, int *n,
                             struct err *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    enum outcome o = OK;
    *n = 0;
    if (!d)
        return err_set(err, errno == ENOENT ? NOT_FOUND : ERROR, "%s: %s", dir, strerror(errno));
    while (o == OK && (e = readdir(d))) {
        size_t len = strlen(e->d_name);
        int v = name_version(e->d_name);
        if (e->d_name[0] == '.' || len < 4 || strcmp(e->d_name + len - 4, ".sql") != 0)
            continue;
        if (v == 0)
            o = err_set(err, INVALID, "%s/%s: not called NNNN-name.sql", dir, e->d_name);
        else if (names[v])
            o = err_set(err, INVALID, "%s: two files have the number %04d", dir, v);
        else if (!(names[v] = arena_strdup(a, e->d_name)))
            o = err_set(err, ERROR, "out of memory");
        else if (v > *n)
            *n = v;
    }
    closedir(d);
    for (int v = 1; o == OK && v <= *n; v++)
        if (!names[v])
            o = err_set(err, INVALID, "%s: the file with the number %04d is missing", dir, v);
    if (o == OK && *n == 0)
        o = err_set(err, NOT_FOUND, "%s: there is no schema file in it", dir);
    return o;
}

static enum outcome files_load(const char *dir, struct arena *a, struct file **out, int *n,
                               struct err *err)
{
    const char **names = arena_array(a, FILES_MAX + 1, sizeof *names);
    if (!names)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = dir_list(dir, a, names, n, err);
    *out = o == OK ? arena_array(a, (size_t)*n, sizeof **out) : NULL;
    if (o == OK && !*out)
        o = err_set(err, ERROR, "out of memory");
    for (int i = 0; o == OK && i < *n; i++) {
        struct file *f = &(*out)[i];
        char *path = arena_fmt(a, "%s/%s", dir, names[i + 1]);
        *f = (struct file){.version = i + 1, .name = names[i + 1]};
        o = path ? script_read(path, f->name, a, &f->st, &f->n, err)
                 : err_set(err, ERROR, "out of memory");
        if (o == OK && f->n == 0)
            o = err_set(err, INVALID, "%s: holds no statement", f->name);
    }
    return o;
}

/* SHA-256 over the first n statements; comments do not count. */
static enum outcome checksum(const struct file *f, int n, char hex[SHA256_HEX_LEN + 1],
                             struct err *err)
{
    struct buf b = BUF_INIT(SCRIPT_MAX * 2);
    for (int i = 0; i < n; i++) {
        buf_str(&b, f->st[i].text);
        buf_str(&b, ";\n");
    }
    sha256_hex(buf_bytes(&b), hex);
    bool failed = buf_failed(&b);
    buf_free(&b);
    return failed ? err_set(err, ERROR, "out of memory") : OK;
}

/* --- applying -------------------------------------------------------------------------------- */

struct progress {
    bool known;
    int statements, begun, done;
    const char *checksum;
    bool applied;
};

static enum outcome progress_find(struct db *db, int version, struct arena *a, struct progress *p,
                                  struct err *err)
{
    struct rows r;
    *p = (struct progress){.checksum = ""};
    enum outcome o = db_select(db, &FILE_FIND, (struct val[]){val_int(version)}, 1, a, &r, err);
    if (o != OK || r.n == 0)
        return o;
    *p = (struct progress){.known = true,
                           .statements = (int)row_at(&r, 0, 0)->i,
                           .begun = (int)row_at(&r, 0, 1)->i,
                           .done = (int)row_at(&r, 0, 2)->i,
                           .checksum = row_at(&r, 0, 3)->s,
                           .applied = !val_is_null(row_at(&r, 0, 4))};
    return OK;
}

/* What was done must still stand in the file. The rest of a file that was cut off may change: that
 * is how a statement that fails is mended. */
static enum outcome progress_check(const struct file *f, const struct progress *p, struct err *err)
{
    char hex[SHA256_HEX_LEN + 1] = "";
    if (!p->known)
        return OK;
    if (p->done > f->n || (p->applied && f->n != p->statements))
        return err_set(
            err, INVALID,
            "%s: was applied with %d statements and has %d now; write a new file instead", f->name,
            p->applied ? p->statements : p->done, f->n);
    enum outcome o = p->done ? checksum(f, p->done, hex, err) : OK;
    if (o == OK && strcmp(hex, p->checksum) != 0)
        o = err_set(err, INVALID,
                    "%s: has changed since it was applied; put it back and write a new file",
                    f->name);
    return o;
}

/* One statement that is run together with its mark. */
struct step {
    const struct file *f;
    int i; /* from 0 */
    char checksum[SHA256_HEX_LEN + 1];
};

static enum outcome step_done(struct db *db, const struct step *s, struct err *err)
{
    bool last = s->i + 1 == s->f->n;
    return db_exec(db, &STATEMENT_DONE,
                   (struct val[]){val_int(s->i + 1), val_str(s->checksum),
                                  last ? val_int(clock_now()) : val_null(), val_int(s->f->version)},
                   4, NULL, err);
}

static enum outcome step_unit(struct db *db, void *arg, struct err *err)
{
    struct step *s = arg;
    enum outcome o = db_run(db, s->f->name, s->f->st[s->i].text, err);
    return o == OK ? step_done(db, s, err) : o;
}

static bool text_begins(const char *text, const char *word)
{
    size_t n = strlen(word);
    return strncasecmp(text, word, n) == 0 && !isalnum((unsigned char)text[n]);
}

static bool changes_rows(const char *text)
{
    return text_begins(text, "INSERT") || text_begins(text, "UPDATE") ||
           text_begins(text, "DELETE") || text_begins(text, "REPLACE");
}

/* begun: an earlier run died in this statement. */
static enum outcome step_run(struct db *db, struct step *s, bool begun, struct err *err)
{
    const struct script_statement *st = &s->f->st[s->i];
    enum outcome o = checksum(s->f, s->i + 1, s->checksum, err);
    if (o == OK && changes_rows(st->text)) {
        o = db_unit(db, step_unit, s, err);
    } else if (o == OK) {
        o = db_exec(db, &STATEMENT_BEGIN, (struct val[]){val_int(s->i + 1), val_int(s->f->version)},
                    2, NULL, err);
        if (o == OK)
            o = db_run(db, s->f->name, st->text, err);
        if (begun && (o == CONFLICT || o == NOT_FOUND))
            o = OK;
        if (o == OK)
            o = step_done(db, s, err);
    }
    return o == OK ? OK : err_prefix(err, "line %d", st->line);
}

static enum outcome file_apply(struct db *db, const struct file *f, const struct progress *p,
                               struct err *err)
{
    enum outcome o = db_exec(
        db, &FILE_BEGIN,
        (struct val[]){val_int(f->version), val_str(f->name), val_int(f->n), val_int(clock_now())},
        4, NULL, err);
    for (int i = p->done; o == OK && i < f->n; i++) {
        struct step s = {.f = f, .i = i};
        o = step_run(db, &s, p->begun == i + 1, err);
    }
    return o;
}

static enum outcome table_exists(struct db *db, struct arena *a, bool *yes, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &TABLE_FIND, NULL, 0, a, &r, err);
    *yes = o == OK && row_at(&r, 0, 0)->i > 0;
    return o;
}

static enum outcome number_find(struct db *db, const struct sql *sql, struct arena *a, int *out,
                                struct err *err)
{
    struct rows r;
    bool table;
    *out = 0;
    enum outcome o = table_exists(db, a, &table, err);
    if (o != OK || !table)
        return o;
    o = db_select(db, sql, NULL, 0, a, &r, err);
    if (o == OK)
        *out = (int)row_at(&r, 0, 0)->i;
    return o;
}

/* Checks all files against what the database has before the first statement is run. */
static enum outcome files_apply(struct db *db, const struct file *f, int n, bool dry_run,
                                struct arena *a, int *applied, struct err *err)
{
    int newest;
    bool table = false;
    enum outcome o = number_find(db, &NEWEST_FIND, a, &newest, err);
    if (o == OK && newest > n)
        return err_set(err, INVALID,
                       "the database has schema %04d, newer than the files (%04d): a newer Drover "
                       "has used it",
                       newest, n);
    struct progress *p = arena_array(a, (size_t)n, sizeof *p);
    if (o == OK)
        o = p ? table_exists(db, a, &table, err) : err_set(err, ERROR, "out of memory");
    for (int i = 0; o == OK && table && i < n; i++) {
        o = progress_find(db, f[i].version, a, &p[i], err);
        if (o == OK)
            o = progress_check(&f[i], &p[i], err);
    }
    if (o == OK && !table && !dry_run)
        o = db_run(db, "schema_migration", TABLE_MAKE, err);
    for (int i = 0; o == OK && i < n; i++) {
        if (p[i].applied)
            continue;
        log_event(LOG_LEVEL_INFO, dry_run ? "schema.pending" : "schema.apply", "file", f[i].name,
                  NULL);
        if (!dry_run)
            o = file_apply(db, &f[i], &p[i], err);
        if (o == OK)
            ++*applied;
    }
    return o;
}

enum outcome migrate_run(struct db *db, const char *dir, bool dry_run, int *applied,
                         struct err *err)
{
    struct arena *a = arena_new(64 * LIM_MB);
    struct file *files = NULL;
    int n = 0;
    *applied = 0;
    if (!a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = files_load(dir, a, &files, &n, err);
    if (o == OK)
        o = db_lock(db, LOCK_NAME, LOCK_WAIT_S, err);
    if (o == OK) {
        o = files_apply(db, files, n, dry_run, a, applied, err);
        db_unlock(db, LOCK_NAME);
    }
    arena_free(&a);
    return o;
}

enum outcome migrate_version(struct db *db, int *version, struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    if (!a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = number_find(db, &VERSION_FIND, a, version, err);
    arena_free(&a);
    return o;
}
