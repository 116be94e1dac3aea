/* test_migrate.c: schema files, from splitting them to a run that is cut off; grants. */
#include "testdb.h"

#include <pthread.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "store/itemcount.h"
#include "store/migrate.h"
#include "store/script.h"

#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}
#define DATABASE "drover_test_migrate"

static const struct conf *conf;
static struct arena *arena;
static struct db *db;
static struct err err;
static char dir[] = "/tmp/drover-migrate-XXXXXX";
static int applied;

static void file_write(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static int64_t select_int(const char *text)
{
    struct sql sql = {.name = "select_int", .text = text};
    struct db *d = NULL; /* the statement's address is a local one */
    struct rows r;
    assert_ok(db_new(conf, DB_OWNER, &d, &err), err);
    assert_ok(db_select(d, &sql, NULL, 0, arena, &r, &err), err);
    db_free(&d);
    return row_at(&r, 0, 0)->i;
}

static int version(void)
{
    int v = -1;
    assert_ok(migrate_version(db, &v, &err), err);
    return v;
}

static int each_setup(void **state)
{
    (void)state;
    arena_reset(arena);
    testdb_shell("rm -rf %s/*", dir);
    assert_ok(db_new(conf, DB_OWNER, &db, &err), err);
    assert_ok(db_run(db, "r", "DROP DATABASE " DATABASE, &err), err);
    assert_ok(db_run(db, "r", "CREATE DATABASE " DATABASE, &err), err);
    assert_ok(db_run(db, "r", "USE " DATABASE, &err), err);
    return 0;
}

static int each_teardown(void **state)
{
    (void)state;
    db_free(&db);
    return 0;
}

static enum outcome run(void)
{
    return migrate_run(db, dir, false, &applied, &err);
}

/* --- splitting ------------------------------------------------------------------------------- */

static struct script_statement *split(const char *text, int *n, enum outcome want)
{
    struct script_statement *st = NULL;
    char path[256];
    file_write("split.sql", text);
    snprintf(path, sizeof path, "%s/split.sql", dir);
    assert_outcome(script_read(path, "split.sql", arena, &st, n, &err), want, err);
    return st;
}

static void statements_are_split(void **state)
{
    (void)state;
    int n;
    struct script_statement *st =
        split("-- a; comment\n"
              "CREATE TABLE a (s CHAR(9) DEFAULT 'x;''y\\';' COMMENT \";\");;\n"
              "# another; one\n"
              "/* and; a\n third */ INSERT /* inner; */ INTO `a;b``` VALUES (1) -- it's\n"
              ";\n ; SELECT 1--1; SELECT /*M!100100 2; */ ;\n",
              &n, OK);
    assert_int_equal(n, 5);
    assert_string_equal(st[0].text, "CREATE TABLE a (s CHAR(9) DEFAULT 'x;''y\\';' COMMENT \";\")");
    assert_int_equal(st[0].line, 2);
    assert_string_equal(st[1].text, "INSERT   INTO `a;b``` VALUES (1)");
    assert_int_equal(st[1].line, 5);
    assert_string_equal(st[2].text, "SELECT 1--1");
    assert_int_equal(st[2].line, 7);
    /* A semicolon in a comment that MariaDB executes ends the statement: it is one for it too. */
    assert_string_equal(st[3].text, "SELECT /*M!100100 2");
    assert_string_equal(st[4].text, "*/");
}

static void files_that_cannot_be_split(void **state)
{
    (void)state;
    int n;
    split("", &n, OK);
    assert_int_equal(n, 0);
    split("-- only a comment", &n, OK);
    assert_int_equal(n, 0);
    split("SELECT 1; SELECT 2", &n, INVALID);
    assert_non_null(strstr(err.msg, "split.sql:1"));
    split("SELECT 1;\nSELECT 'x;", &n, INVALID);
    assert_non_null(strstr(err.msg, "split.sql:2"));
    struct script_statement *st;
    assert_outcome(script_read("/nonexistent/x.sql", "x.sql", arena, &st, &n, &err), NOT_FOUND,
                   err);
    assert_outcome(script_read("/dev/null", "x.sql", arena, &st, &n, &err), INVALID, err);
    testdb_shell("head -c 10 /dev/zero >%s/nul.sql; truncate -s 5M %s/long.sql", dir, dir);
    char path[256];
    snprintf(path, sizeof path, "%s/nul.sql", dir);
    assert_outcome(script_read(path, "x.sql", arena, &st, &n, &err), INVALID, err);
    snprintf(path, sizeof path, "%s/long.sql", dir);
    assert_outcome(script_read(path, "x.sql", arena, &st, &n, &err), INVALID, err);
}

/* --- runs ------------------------------------------------------------------------------------ */

static void files_are_applied_in_order_once(void **state)
{
    (void)state;
    assert_int_equal(version(), 0);
    file_write("0002-more.sql", "ALTER TABLE a ADD n INT NOT NULL DEFAULT 3;");
    file_write("0001-first.sql", "CREATE TABLE a (id INT PRIMARY KEY);\n"
                                 "INSERT INTO a (id) VALUES (1), (2);\n");
    file_write("README", "not a schema file");
    assert_ok(migrate_run(db, dir, true, &applied, &err), err);
    assert_int_equal(applied, 2);
    assert_int_equal(version(), 0);
    assert_int_equal(select_int("SELECT COUNT(*) FROM information_schema.tables "
                                "WHERE table_schema = '" DATABASE "'"),
                     0);
    assert_ok(run(), err);
    assert_int_equal(applied, 2);
    assert_int_equal(version(), 2);
    assert_int_equal(select_int("SELECT SUM(n) FROM a"), 6);
    assert_ok(run(), err);
    assert_int_equal(applied, 0);
    file_write("0003-last.sql", "UPDATE a SET n = 5;");
    assert_ok(run(), err);
    assert_int_equal(applied, 1);
    assert_int_equal(version(), 3);
    assert_int_equal(select_int("SELECT SUM(n) FROM a"), 10);
}

static void folders_that_are_refused(void **state)
{
    (void)state;
    assert_outcome(run(), NOT_FOUND, err); /* no file */
    file_write("0002-b.sql", "SELECT 1;");
    assert_outcome(run(), INVALID, err);
    assert_non_null(strstr(err.msg, "0001 is missing"));
    file_write("0001-a.sql", "SELECT 1;");
    file_write("0001-b.sql", "SELECT 1;");
    assert_outcome(run(), INVALID, err);
    testdb_shell("rm %s/0001-b.sql", dir);
    file_write("3-c.sql", "SELECT 1;");
    assert_outcome(run(), INVALID, err);
    testdb_shell("rm %s/3-c.sql", dir);
    file_write("0003-c.sql", "-- nothing\n");
    assert_outcome(run(), INVALID, err);
    assert_outcome(migrate_run(db, "/nonexistent", false, &applied, &err), NOT_FOUND, err);
    assert_int_equal(version(), 0); /* nothing was begun */
    testdb_shell("rm %s/0003-c.sql", dir);
    assert_ok(run(), err);
    testdb_shell("rm %s/0002-b.sql", dir);
    assert_outcome(run(), INVALID, err);
    assert_non_null(strstr(err.msg, "newer"));
}

static void a_changed_file_is_refused(void **state)
{
    (void)state;
    file_write("0001-a.sql", "CREATE TABLE a (id INT);\nINSERT INTO a VALUES (1);\n");
    assert_ok(run(), err);
    file_write("0001-a.sql", "-- now with a comment\nCREATE TABLE a (id INT);\n"
                             "INSERT INTO a VALUES (1);\n");
    assert_ok(run(), err);
    file_write("0002-b.sql", "INSERT INTO a VALUES (7);");
    file_write("0001-a.sql", "CREATE TABLE a (id BIGINT);\nINSERT INTO a VALUES (1);\n");
    assert_outcome(run(), INVALID, err);
    assert_non_null(strstr(err.msg, "0001-a.sql"));
    file_write("0001-a.sql",
               "CREATE TABLE a (id INT);\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\n");
    assert_outcome(run(), INVALID, err);
    file_write("0001-a.sql", "CREATE TABLE a (id INT);\n");
    assert_outcome(run(), INVALID, err);
    assert_int_equal(select_int("SELECT SUM(id) FROM a"), 1); /* nor was 0002 begun */
}

static void a_failing_statement_is_mended_and_the_run_goes_on(void **state)
{
    (void)state;
    file_write("0001-a.sql", "CREATE TABLE a (id INT);\nINSERT INTO a VALUES (1);\n"
                             "CREATE TABLE b (id WHATEVER);\nINSERT INTO a VALUES (2);\n");
    assert_outcome(run(), ERROR, err);
    assert_non_null(strstr(err.msg, "line 3"));
    assert_int_equal(applied, 0);
    assert_int_equal(version(), 0);
    file_write("0001-a.sql", "CREATE TABLE a (id INT);\nINSERT INTO a VALUES (9);\n"
                             "CREATE TABLE b (id INT);\nINSERT INTO a VALUES (2);\n");
    assert_outcome(run(), INVALID, err); /* what was done must stand */
    file_write("0001-a.sql", "CREATE TABLE a (id INT);\nINSERT INTO a VALUES (1);\n"
                             "CREATE TABLE b (id INT);\nINSERT INTO a VALUES (2);\n");
    assert_ok(run(), err);
    assert_int_equal(select_int("SELECT SUM(id) FROM a"), 3);
    assert_int_equal(version(), 1);
}

/* Ends the migration's connection while its slow statement runs. */
static void *cut_off(void *arg)
{
    (void)arg;
    SQL(FIND, "SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(3)%' "
              "AND info NOT LIKE '%processlist%' AND db = '" DATABASE "'");
    struct arena *a = arena_new(LIM_MB);
    struct db *d = NULL;
    struct rows r;
    struct err e;
    char text[64];
    if (!a || db_new(conf, DB_OWNER, &d, &e) != OK)
        abort();
    for (int i = 0; i < 50; i++) {
        usleep(50000);
        if (db_select(d, &FIND, NULL, 0, a, &r, &e) != OK)
            abort();
        if (r.n == 0)
            continue;
        snprintf(text, sizeof text, "KILL %lld", (long long)row_at(&r, 0, 0)->i);
        if (db_run(d, "kill", text, &e) != OK)
            abort();
        break;
    }
    db_free(&d);
    arena_free(&a);
    return NULL;
}

static void a_run_that_is_cut_off_goes_on(void **state)
{
    (void)state;
    pthread_t t;
    file_write("0001-a.sql", "CREATE TABLE a (id INT);\nINSERT INTO a VALUES (1);\n"
                             "CREATE TABLE slow AS SELECT SLEEP(3);\nINSERT INTO a VALUES (2);\n");
    assert_int_equal(pthread_create(&t, NULL, cut_off, NULL), 0);
    assert_outcome(run(), UNAVAILABLE, err);
    pthread_join(t, NULL);
    assert_int_equal(select_int("SELECT SUM(id) FROM a"), 1);
    assert_int_equal(version(), 0);
    assert_ok(run(), err);
    assert_int_equal(applied, 1);
    assert_int_equal(select_int("SELECT SUM(id) FROM a"), 3);
    assert_int_equal(select_int("SELECT COUNT(*) FROM slow"), 1);
}

/* The process dies between a statement and its mark. */
static void a_statement_done_but_not_marked(void **state)
{
    (void)state;
    file_write("0001-a.sql", "CREATE TABLE a (id INT);\nALTER TABLE a ADD n INT;\n"
                             "CREATE TABLE b (id INT);\nALTER TABLE a DROP n;\nDROP TABLE b;\n"
                             "ALTER TABLE a ADD KEY k (id);\nINSERT INTO a VALUES (1);\n");
    assert_ok(run(), err);
    SQL(REWIND, "UPDATE schema_migration SET done = ?, checksum = (SELECT ?), applied_at = NULL, "
                "begun = ? WHERE version = 1");
    SQL(SUM, "SELECT SHA2(?, 256)");
    static const char *const done[] = {"", "CREATE TABLE a (id INT);\n",
                                       "CREATE TABLE a (id INT);\nALTER TABLE a ADD n INT;\n"};
    struct rows r;
    for (int i = 0; i < 3; i++) {
        /* back to the state after statement i + 1, whose mark is missing */
        assert_ok(db_run(db, "r", "DROP TABLE a", &err), err);
        assert_ok(db_run(db, "r", "DROP TABLE IF EXISTS b", &err), err);
        assert_ok(
            db_run(db, "r", i ? "CREATE TABLE a (id INT, n INT)" : "CREATE TABLE a (id INT)", &err),
            err);
        if (i == 2)
            assert_ok(db_run(db, "r", "CREATE TABLE b (id INT)", &err), err);
        assert_ok(db_select(db, &SUM, (struct val[]){val_str(done[i])}, 1, arena, &r, &err), err);
        struct val v[] = {val_int(i), i ? *row_at(&r, 0, 0) : val_str(""), val_int(i + 1)};
        assert_ok(db_exec(db, &REWIND, v, 3, NULL, &err), err);
        assert_ok(run(), err);
        assert_int_equal(select_int("SELECT COUNT(*) FROM a"), 1);
        assert_int_equal(version(), 1);
    }
    /* Without the mark before it, "exists already" is a failure. */
    assert_ok(
        db_exec(db, &REWIND, (struct val[]){val_int(0), val_str(""), val_int(0)}, 3, NULL, &err),
        err);
    assert_outcome(run(), CONFLICT, err);
}

struct migrator {
    enum outcome o;
    int applied;
    struct err e;
};

static void *migrator_main(void *arg)
{
    struct migrator *m = arg;
    struct db *d = NULL;
    m->o = db_new(conf, DB_OWNER, &d, &m->e);
    if (m->o == OK)
        m->o = migrate_run(d, dir, false, &m->applied, &m->e);
    db_free(&d);
    return NULL;
}

static void two_migrators_at_once(void **state)
{
    (void)state;
    struct migrator m[3] = {{0}};
    pthread_t t[3];
    file_write("0001-a.sql",
               "CREATE TABLE a (id INT);\nDO SLEEP(0.5);\nINSERT INTO a VALUES (1);\n");
    file_write("0002-b.sql", "INSERT INTO a VALUES (10);\n");
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, migrator_main, &m[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 3; i++)
        assert_ok(m[i].o, m[i].e);
    assert_int_equal(m[0].applied + m[1].applied + m[2].applied, 2);
    assert_int_equal(select_int("SELECT SUM(id) FROM a"), 11);
}

static void the_schema_of_this_program(void **state)
{
    (void)state;
    assert_ok(migrate_run(db, "sql/schema", false, &applied, &err), err);
    assert_int_equal(applied, SCHEMA_VERSION);
    assert_int_equal(version(), SCHEMA_VERSION);
    assert_int_equal(select_int("SELECT COUNT(*) FROM information_schema.columns "
                                "WHERE table_schema = '" DATABASE "' AND column_comment = ''"),
                     0); /* every column says what it is */
    assert_int_equal(select_int("SELECT COUNT(*) FROM information_schema.tables t WHERE "
                                "table_schema = '" DATABASE "' AND NOT EXISTS (SELECT 1 FROM "
                                "information_schema.statistics s WHERE s.table_schema = "
                                "t.table_schema AND s.table_name = t.table_name AND "
                                "s.index_name = 'PRIMARY')"),
                     0); /* Galera wants a primary key everywhere */
}

/* A site that has run with the first schema keeps what it has. */
static void a_filled_database_is_upgraded(void **state)
{
    (void)state;
    testdb_shell("cp sql/schema/0001-core.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(version(), 1);
    SQL(ADMIN, "INSERT INTO admin (name, password_hash, created_at) VALUES ('ann', 'h', 1)");
    SQL(AUDIT, "INSERT INTO audit (at, actor, action, subject, detail) SELECT seq, 'ann', 'a.b', "
               "CONCAT('s', seq), NULL FROM seq_1_to_5000");
    SQL(DEVICE, "INSERT INTO enrollment (id, ident, kind, state, created_at, last_seen_at) "
                "SELECT seq, CONCAT('D', seq), 1, 2, 1, seq FROM seq_1_to_5000");
    SQL(IDENTITY, "INSERT INTO identity_cert (sha256, serial, subject, issued_at, key_sha256) "
                  "SELECT UNHEX(SHA2(seq, 256)), HEX(seq), 'CN=x', 1, UNHEX(SHA2(seq DIV 2, 256)) "
                  "FROM seq_1_to_5000");
    SQL(CHALLENGE, "INSERT INTO scep_challenge (sha256, created_at, expires_at, note) VALUES "
                   "(UNHEX(SHA2('x', 256)), 1, 2, 'invitation')");
    assert_ok(db_exec(db, &IDENTITY, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &CHALLENGE, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &ADMIN, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &AUDIT, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &DEVICE, NULL, 0, NULL, &err), err);
    SQL(LIFE, "INSERT INTO life (id, enrollment_id, state, opened_at) SELECT seq, seq, 2, 1 "
              "FROM seq_1_to_5000");
    SQL(LINK, "INSERT INTO invitation (token_sha256, created_at, created_by, expires_at) VALUES "
              "(REPEAT('x', 32), 1, 'ann', 2)");
    assert_ok(db_exec(db, &LIFE, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &LINK, NULL, 0, NULL, &err), err);
    SQL(RESULT, "INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at) "
                "SELECT seq, 1, 4, 1, seq FROM seq_1_to_5000");
    assert_ok(db_exec(db, &RESULT, NULL, 0, NULL, &err), err);
    SQL(WAITS, "INSERT INTO queue (enrollment_id, urgency, queued_at, command_id, state, "
               "not_before) SELECT seq, 0, 1, seq, 1, IF(seq < 3, 5, "
               "(UNIX_TIMESTAMP() + 3600) * 1000000) FROM seq_1_to_5");
    assert_ok(db_exec(db, &WAITS, NULL, 0, NULL, &err), err);
    assert_ok(db_run(db, "q", "UPDATE queue SET state = 3 WHERE enrollment_id = 2", &err), err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(applied, SCHEMA_VERSION - 1);
    assert_int_equal(version(), SCHEMA_VERSION);
    assert_int_equal(select_int("SELECT COUNT(*) FROM admin WHERE name = 'ann' AND language = ''"),
                     1);
    /* who could do everything still can */
    assert_int_equal(select_int("SELECT COUNT(*) FROM admin WHERE role = 'administrator' AND "
                                "origin = 'local' AND password_due = 0 AND totp_secret IS NULL"),
                     1);
    assert_int_equal(select_int("SELECT COUNT(*) FROM audit WHERE actor = 'ann'"), 5000);
    assert_int_equal(select_int("SELECT COUNT(*) FROM enrollment"), 5000);
    /* the agent makes the index of words for all of them */
    assert_int_equal(select_int("SELECT COUNT(*) FROM enrollment WHERE search_due = 1"), 5000);
    assert_int_equal(select_int("SELECT COUNT(*) FROM identity_cert WHERE word_due = 1"), 5000);
    assert_int_equal(select_int("SELECT COUNT(*) FROM session"), 0);
    /* what they enrolled with is not known; a link gives the default profile */
    assert_int_equal(select_int("SELECT COUNT(*) FROM life WHERE handout_id IS NULL"), 5000);
    assert_int_equal(select_int("SELECT COUNT(*) FROM invitation WHERE profile_id IS NULL AND "
                                "revoked_at IS NULL"),
                     1);
    /* nothing is offered, and nobody has asked for anything */
    assert_int_equal(select_int("SELECT (SELECT COUNT(*) FROM offer) + (SELECT COUNT(*) FROM "
                                "offer_taken) + (SELECT COUNT(*) FROM errand)"),
                     0);
    /* a command that waits for its moment is pushed then */
    assert_int_equal(select_int("SELECT COUNT(*) FROM push_later WHERE enrollment_id > 2"), 3);
    assert_int_equal(select_int("SELECT COUNT(*) FROM push_later"), 3);
    /* what was put off stands behind the rest */
    assert_int_equal(select_int("SELECT COUNT(*) FROM queue WHERE put_off = (state = 3)"), 5);
    /* what was reported before becomes inventory; what is closed from now on without one does not
     */
    assert_int_equal(select_int("SELECT COUNT(*) FROM result WHERE digest = 1"), 5000);
    assert_ok(db_run(db, "r",
                     "INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at) "
                     "VALUES (1, 2, 7, 1, 1)",
                     &err),
              err);
    assert_int_equal(select_int("SELECT COUNT(*) FROM result WHERE digest = 0"), 1);
    assert_int_equal(select_int("SELECT COUNT(*) FROM identity_cert WHERE issuer IS NULL"), 5000);
    /* keys that have served, some of them twice, serve no more */
    assert_int_equal(select_int("SELECT COUNT(*) FROM issued_key"), 2501);
    assert_int_equal(select_int("SELECT COUNT(*) FROM scep_challenge WHERE approve = 0 AND "
                                "common_name IS NULL AND san IS NULL AND note = 'invitation'"),
                     1);
}

/* A job that was under way goes on as what it was: a command for devices. */
static void jobs_are_upgraded(void **state)
{
    (void)state;
    testdb_shell("cp sql/schema/00[0-4]*.sql sql/schema/005[0-6]-*.sql %s/", dir);
    assert_ok(run(), err);
    assert_ok(db_run(db, "a",
                     "INSERT INTO bulk_job (id, request_type, state, picked, total, last_id, "
                     "created_at, created_by) VALUES (7, 'SecurityInfo', 1, 0, 9, 4, 1, 'ann')",
                     &err),
              err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(version(), SCHEMA_VERSION);
    assert_int_equal(
        select_int("SELECT COUNT(*) FROM bulk_job WHERE id = 7 AND task = 1 AND push = "
                   "1 AND reason IS NULL AND total = 9 AND last_id = 4"),
        1);
}

/* What was over before can be told by its age, and secrets stay. */
static void ended_jobs_are_upgraded(void **state)
{
    (void)state;
    testdb_shell("for f in sql/schema/*.sql; do case $f in *-jobs-ended.sql) break ;; esac; cp $f "
                 "%s/; done",
                 dir);
    assert_ok(run(), err);
    assert_ok(db_run(db, "a",
                     "INSERT INTO life (id, enrollment_id, state, topic, opened_at, unlock_token) "
                     "VALUES (1, 1, 2, 't', 1, 'sealed')",
                     &err),
              err);
    assert_ok(db_run(db, "a",
                     "INSERT INTO bulk_job (id, request_type, state, picked, total, created_at, "
                     "created_by, ended_at) VALUES (7, 'SecurityInfo', 2, 0, 9, 1, 'ann', 5), "
                     "(8, 'SecurityInfo', 1, 0, 9, 1, 'ann', NULL)",
                     &err),
              err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(version(), SCHEMA_VERSION);
    assert_int_equal(
        select_int("SELECT COUNT(*) FROM bulk_job FORCE INDEX (ended) WHERE ended_at < 6"), 1);
    assert_int_equal(select_int("SELECT COUNT(*) FROM bulk_job"), 2);
    /* and an UnlockToken of before is not known again until it has come once more */
    assert_int_equal(select_int("SELECT COUNT(*) FROM life WHERE unlock_token = 'sealed' AND "
                                "unlock_sha256 IS NULL"),
                     1);
}

/* A request that waits for a second person is about the device it names, or the group. */
static void requests_that_wait_are_upgraded(void **state)
{
    (void)state;
    testdb_shell("cp sql/schema/00[0-3]*.sql sql/schema/0040-*.sql %s/", dir);
    assert_ok(run(), err);
    assert_ok(db_run(db, "a",
                     "INSERT INTO enrollment (id, ident, kind, device_id, state, created_at, "
                     "last_seen_at) VALUES (1, 'D1', 1, 1, 2, 1, 1)",
                     &err),
              err);
    assert_ok(db_run(db, "a",
                     "INSERT INTO approval (id, state, request_type, targets, first_target, "
                     "request, reason, asked_at, asked_by, expires_at) VALUES (1, 1, 'X', 1, 'D1', "
                     "'x', 'r', 1, 'ann', 2), (2, 1, 'X', 2, 'D1', 'x', 'r', 1, 'api:key', 2), "
                     "(3, 1, 'X', 5, 'group g', 'x', 'r', 1, 'droverctl:bob', 2)",
                     &err),
              err);
    assert_ok(db_run(db, "a",
                     "INSERT INTO standing_order (id, group_id, request_type, command_keys, "
                     "policy, reason, state, approval_id, created_at, created_by, changed_at) "
                     "VALUES (9, 77, 'X', '{}', 1, '', 2, 3, 1, 'x', 1), (10, 78, 'X', '{}', 1, "
                     "'', 1, 4, 1, 'x', 1)",
                     &err),
              err);
    /* approved for those that were in the group then */
    assert_ok(db_run(db, "a",
                     "INSERT INTO approval (id, state, request_type, targets, first_target, "
                     "request, reason, asked_at, asked_by, expires_at, decided_at, decided_by) "
                     "VALUES (4, 2, 'X', 5, 'group h', 'x', 'r', 1, 'ann', 2, 50, 'bob')",
                     &err),
              err);
    assert_ok(db_run(db, "a",
                     "INSERT INTO group_member (group_id, device_id, since) VALUES (78, 1, 50), "
                     "(78, 2, 51), (77, 1, 1)",
                     &err),
              err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(version(), SCHEMA_VERSION);
    assert_int_equal(select_int("SELECT COUNT(*) FROM approval_target WHERE approval_id = 1 AND "
                                "enrollment_id = 1"),
                     1);
    assert_int_equal(select_int("SELECT COUNT(*) FROM approval_target WHERE approval_id = 4 AND "
                                "enrollment_id = 1"),
                     1);
    assert_int_equal(select_int("SELECT COUNT(*) FROM approval_target"), 2);
    assert_int_equal(select_int("SELECT group_id FROM approval WHERE id = 3"), 77);
    assert_int_equal(select_int("SELECT order_id FROM approval WHERE id = 3"), 9);
    assert_int_equal(select_int("SELECT order_id FROM approval WHERE id = 4"), 10);
    assert_int_equal(select_int("SELECT COUNT(*) FROM approval WHERE group_id IS NULL"), 2);
    assert_int_equal(select_int("SELECT COUNT(*) FROM approval WHERE (id, asked_person) IN ((1, "
                                "'ann'), (2, 'key'), (3, 'bob'))"),
                     3);
}

/* Of the last days those that failed are told apart; the rest is left alone. */
static void failed_results_are_upgraded(void **state)
{
    (void)state;
    testdb_shell("for f in sql/schema/*.sql; do case $f in *-failed.sql) break ;; esac; cp $f %s/; "
                 "done",
                 dir);
    assert_ok(run(), err);
    SQL(RESULTS, "INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at, "
                 "digest) SELECT seq, 1, 3 + seq, 1, (UNIX_TIMESTAMP() - IF(seq = 3, 30, 1) * "
                 "86400) * 1000000, seq = 5 FROM seq_1_to_5");
    assert_ok(db_exec(db, &RESULTS, NULL, 0, NULL, &err), err);
    assert_ok(db_run(db, "r", "UPDATE result SET state = 5 WHERE enrollment_id IN (4, 5)", &err),
              err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    /* 1 succeeded, 2 and 4 failed, 3 failed long ago, 5 is not read yet */
    assert_int_equal(select_int("SELECT SUM(digest << (2 * enrollment_id)) FROM result"),
                     3 << 4 | 3 << 8 | 1 << 10);
}

static void tags_are_counted(void **state)
{
    (void)state;
    testdb_shell("for f in sql/schema/*.sql; do case $f in *-list-speed.sql) break ;; esac; cp $f "
                 "%s/; done",
                 dir);
    assert_ok(run(), err);
    SQL(TAGS, "INSERT INTO device_tag (device_id, tag, at, by_whom) SELECT seq, IF(seq > 700, "
              "'kiosk', 'school'), 1, 'ann' FROM seq_1_to_1000");
    assert_ok(db_exec(db, &TAGS, NULL, 0, NULL, &err), err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(select_int("SELECT devices FROM tag_count WHERE tag = 'kiosk'"), 300);
    assert_int_equal(select_int("SELECT SUM(devices) FROM tag_count"), 1000);
}

/* The order of identities tells which are revoked, and has them as it had. */
static void revoked_identities_are_in_the_order(void **state)
{
    (void)state;
    testdb_shell("for f in sql/schema/*.sql; do case $f in *-revoked-order.sql) break ;; esac; cp "
                 "$f %s/; done",
                 dir);
    assert_ok(run(), err);
    SQL(CERTS, "INSERT INTO identity_cert (sha256, not_after, revoked_at) SELECT UNHEX(SHA2(seq, "
               "256)), seq, IF(seq % 10, NULL, 1) FROM seq_1_to_1000");
    assert_ok(db_exec(db, &CERTS, NULL, 0, NULL, &err), err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(select_int("SELECT SUM(not_after) FROM identity_cert FORCE INDEX (not_after) "
                                "WHERE revoked_at IS NOT NULL"),
                     50500);
    assert_int_equal(select_int("SELECT COUNT(*) FROM information_schema.statistics WHERE "
                                "table_schema = DATABASE() AND table_name = 'identity_cert' AND "
                                "index_name = 'not_after'"),
                     3);
}

/* A role that nobody gave by hand is the configuration's, which may take it away. */
static void roles_are_whose_gave_them(void **state)
{
    (void)state;
    testdb_shell("for f in sql/schema/*.sql; do case $f in *-role-given.sql) break ;; esac; cp "
                 "$f %s/; done",
                 dir);
    assert_ok(run(), err);
    SQL(ADMINS, "INSERT INTO admin (id, name, password_hash, role, created_at, origin) SELECT seq, "
                "CONCAT('a', seq), '', 'operator', 1, IF(seq % 2, 'remote', 'local') FROM "
                "seq_1_to_100");
    SQL(GIVEN, "INSERT INTO audit (at, actor, action, subject, detail) SELECT 1, IF(seq % 10 = 5, "
               "'boss', 'REMOTE_USER'), 'admin.role', CONCAT('a', seq), '' FROM seq_1_to_50");
    SQL(AGAIN, "INSERT INTO audit (at, actor, action, subject, detail) VALUES (2, 'REMOTE_USER', "
               "'admin.role', 'a15', '')");
    assert_ok(db_exec(db, &ADMINS, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &GIVEN, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &AGAIN, NULL, 0, NULL, &err), err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(select_int("SELECT COUNT(*) FROM admin WHERE role_ruled = 1"), 46);
    assert_int_equal(select_int("SELECT COUNT(*) FROM admin WHERE role_ruled = 1 AND (origin = "
                                "'local' OR name IN ('a5', 'a25', 'a35', 'a45'))"),
                     0);
}

/* What people and profiles were before the ways in were is what they are after. */
static void people_and_profiles_are_upgraded(void **state)
{
    (void)state;
    testdb_shell("cp sql/schema/000*.sql sql/schema/0010-*.sql %s/", dir); /* before "ways" */
    assert_ok(run(), err);
    SQL(PERSON, "INSERT INTO enroll_user (name, password_hash, ha1_md5, ha1_sha256, created_at, "
                "created_by, password_at) SELECT CONCAT('u', seq), 'h', 'm', 's', 1, 'ann', 1 "
                "FROM seq_1_to_1000");
    SQL(PROFILE, "INSERT INTO enroll_profile_version (profile_id, version, made_at, made_by, "
                 "description, consent, access_rights, sign_message, check_out_when_removed, "
                 "use_development_apns, certificates, identity) "
                 "SELECT seq, 1, 1, 'ann', '', '', 8191, 0, 1, 0, '', 1 FROM seq_1_to_100");
    assert_ok(db_exec(db, &PERSON, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &PROFILE, NULL, 0, NULL, &err), err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(version(), SCHEMA_VERSION);
    assert_int_equal(select_int("SELECT COUNT(*) FROM enroll_user WHERE managed_account IS NULL"),
                     1000);
    /* nobody is asked for more than before */
    assert_int_equal(select_int("SELECT COUNT(*) FROM enroll_profile_version WHERE login = 1 AND "
                                "encrypt = 0 AND assigned_only = 0 AND minimum_ios = '' AND "
                                "minimum_macos = '' AND login_text = ''"),
                     100);
}

/* Items of the library are not counted yet, and nobody is changing them. */
static void a_library_is_upgraded(void **state)
{
    (void)state;
    testdb_shell("cp sql/schema/000*.sql sql/schema/001*.sql sql/schema/002[0-5]-*.sql %s/", dir);
    assert_ok(run(), err);
    SQL(ITEM, "INSERT INTO library_item (id, kind, identifier, name, version, created_at, "
              "created_by, changed_at, changed_by) SELECT seq, 1, CONCAT('i', seq), 'n', 1, 1, "
              "'ann', 1, 'ann' FROM seq_1_to_1000");
    SQL(AT, "INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, "
            "changed_at) SELECT seq, 1, 1, 1, 3, 1, 1 FROM seq_1_to_1000");
    assert_ok(db_exec(db, &ITEM, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &AT, NULL, 0, NULL, &err), err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(version(), SCHEMA_VERSION);
    assert_int_equal(select_int("SELECT COUNT(*) FROM profile_draft"), 0);
    assert_int_equal(select_int("SELECT COUNT(*) FROM item_count"), 0);
    assert_ok(item_count_turn(db, 7, &err), err);
    assert_int_equal(select_int("SELECT installed FROM item_count WHERE item_id = 1"), 1000);
}

/* What ends stays noted; nothing of it counts as told yet. */
static void a_calendar_is_upgraded(void **state)
{
    (void)state;
    testdb_shell("cp sql/schema/00[0-3]*.sql sql/schema/004[0-2]-*.sql %s/", dir);
    assert_ok(run(), err);
    SQL(ENDS, "INSERT INTO expiry (kind, name, ends_at, seen_at) SELECT 'scep-ca', "
              "CONCAT('CN=', seq), seq, 1 FROM seq_1_to_1000");
    assert_ok(db_exec(db, &ENDS, NULL, 0, NULL, &err), err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(version(), SCHEMA_VERSION);
    assert_int_equal(select_int("SELECT COUNT(*) FROM expiry"), 1000);
    assert_int_equal(select_int("SELECT COUNT(*) FROM expiry_told"), 0);
}

/* Devices that have apps are not told settings that they have. */
static void apps_are_upgraded(void **state)
{
    (void)state;
    testdb_shell("cp sql/schema/000*.sql sql/schema/001*.sql sql/schema/002[0-8]-*.sql %s/", dir);
    assert_ok(run(), err);
    SQL(APPS,
        "INSERT INTO library_item (id, kind, identifier, name, version, settings, created_at, "
        "created_by, changed_at, changed_by) SELECT seq, 3, CONCAT('org.example.', seq), 'A', "
        "1, '{}', 1, 'ann', 1, 'ann' FROM seq_1_to_10");
    SQL(HAVE, "INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, "
              "changed_at) SELECT d.seq, i.seq, 1, 1, 3, 1, 1 FROM seq_1_to_500 d, seq_1_to_10 i");
    assert_ok(db_exec(db, &APPS, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &HAVE, NULL, 0, NULL, &err), err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(version(), SCHEMA_VERSION);
    assert_int_equal(select_int("SELECT COUNT(*) FROM device_item d JOIN library_item i ON i.id = "
                                "d.item_id WHERE d.settings_rev = i.settings_rev AND d.feedback_at "
                                "IS NULL AND i.codes_low = 10"),
                     5000);
    SQL(NEW, "INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, "
             "changed_at) VALUES (9999, 1, 1, 1, 1, 1, 1)");
    assert_ok(db_exec(db, &NEW, NULL, 0, NULL, &err), err);
    assert_int_equal(select_int("SELECT settings_rev FROM device_item WHERE enrollment_id = 9999"),
                     0);
}

/* A profile that says User is on devices already: it stays there; the next one goes to users. */
static void profiles_stay_on_their_channel(void **state)
{
    (void)state;
    testdb_shell("cp sql/schema/00[0-3]*.sql sql/schema/0040-*.sql %s/", dir);
    assert_ok(run(), err);
    SQL(ITEMS, "INSERT INTO library_item (id, kind, identifier, name, version, created_at, "
               "created_by, changed_at, changed_by) SELECT seq, 1, CONCAT('org.example.', seq), "
               "'A', 2, 1, 'ann', 1, 'ann' FROM seq_1_to_300");
    SQL(VERSIONS, "INSERT INTO library_version (id, item_id, number, sha256, size, types, details, "
                  "created_at, created_by) SELECT i.seq * 10 + n.seq, i.seq, n.seq, REPEAT('x', "
                  "32), 1, '', CASE (i.seq + n.seq) % 3 WHEN 0 THEN '{\"scope\":\"User\"}' WHEN 1 "
                  "THEN '{\"scope\":\"System\",\"warnings\":[]}' ELSE '{}' END, 1, 'ann' FROM "
                  "seq_1_to_300 i, seq_1_to_2 n");
    assert_ok(db_exec(db, &ITEMS, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &VERSIONS, NULL, 0, NULL, &err), err);
    testdb_shell("cp sql/schema/*.sql %s/", dir);
    assert_ok(run(), err);
    assert_int_equal(version(), SCHEMA_VERSION);
    assert_int_equal(select_int("SELECT COUNT(*) FROM library_version WHERE scope = 2"), 200);
    assert_int_equal(select_int("SELECT COUNT(*) FROM library_version WHERE scope = 1"), 200);
    assert_int_equal(select_int("SELECT COUNT(*) FROM library_item WHERE channel = 1"), 100);
    assert_int_equal(select_int("SELECT COUNT(*) FROM library_item i JOIN library_version v ON "
                                "v.item_id = i.id AND v.number = 2 WHERE (i.channel = 1) <> "
                                "(v.scope = 2)"),
                     0);
}

/* --- grants ---------------------------------------------------------------------------------- */

static void grants_are_given(void **state)
{
    (void)state;
    char path[256];
    struct db *mdm = NULL;
    struct rows r;
    SQL(READ, "SELECT id FROM a");
    SQL(WRITE, "INSERT INTO a VALUES (1)");
    assert_ok(db_run(db, "r", "CREATE TABLE a (id INT)", &err), err);
    snprintf(path, sizeof path, "%s/grants.sql", dir);
    file_write("grants.sql", "GRANT SELECT ON @db@.a TO @mdm@, @agent@;\n"
                             "REVOKE DELETE ON @db@.a FROM @console@;\n");
    assert_ok(migrate_grants(db, path, conf, &err), err);
    assert_ok(migrate_grants(db, path, conf, &err), err);
    assert_ok(db_new(conf, DB_MDM, &mdm, &err), err);
    assert_ok(db_select(mdm, &READ, NULL, 0, arena, &r, &err), err);
    assert_outcome(db_exec(mdm, &WRITE, NULL, 0, NULL, &err), ERROR, err);
    assert_non_null(strstr(err.msg, "droverctl grants"));
    file_write("grants.sql",
               "REVOKE SELECT ON @db@.a FROM @mdm@;\n\nGRANT SELECT ON @db@.nix TO @mdm@;\n");
    assert_outcome(migrate_grants(db, path, conf, &err), ERROR, err);
    assert_non_null(strstr(err.msg, "grants.sql:3"));
    assert_outcome(db_select(mdm, &READ, NULL, 0, arena, &r, &err), ERROR, err);
    db_free(&mdm);
}

/* What the rights are for: a program that is taken over reads and does no more than its own. */
static void the_grants_of_this_program(void **state)
{
    (void)state;
    static const struct {
        enum db_role role;
        struct sql sql;
        bool may;
    } cases[] = {
        {DB_MDM, {.name = "1", .text = "SELECT id FROM enrollment"}, true},
        {DB_MDM, {.name = "2", .text = "SELECT id FROM enrollment WHERE id = 1 FOR UPDATE"}, true},
        {DB_MDM, {.name = "3", .text = "SELECT topic FROM push_cert"}, true},
        {DB_MDM, {.name = "4", .text = "SELECT key_sealed FROM push_cert"}, false},
        {DB_MDM, {.name = "5", .text = "SELECT sha256 FROM apikey"}, false},
        {DB_MDM, {.name = "6", .text = "SELECT password_hash FROM admin"}, false},
        {DB_MDM, {.name = "7", .text = "SELECT id FROM audit"}, false},
        {DB_MDM, {.name = "8", .text = "SELECT name FROM lease"}, false},
        {DB_CONSOLE, {.name = "9", .text = "SELECT sha256 FROM apikey"}, true},
        {DB_CONSOLE, {.name = "10", .text = "SELECT id FROM audit"}, true},
        {DB_AGENT, {.name = "11", .text = "SELECT key_sealed FROM push_cert"}, true},
        {DB_AGENT, {.name = "12", .text = "SELECT sha256 FROM apikey"}, false},
        {DB_AGENT, {.name = "13", .text = "SELECT password_hash FROM admin"}, false},
        {DB_MDM, {.name = "14", .text = "SELECT token_sha256 FROM session"}, false},
        {DB_CONSOLE, {.name = "15", .text = "SELECT csrf FROM session"}, true},
        {DB_AGENT, {.name = "19", .text = "SELECT key_sealed FROM push_request"}, false},
        {DB_MDM, {.name = "20", .text = "SELECT key_sealed FROM vendor_cert"}, false},
        {DB_CONSOLE, {.name = "17", .text = "SELECT subject FROM scep_request"}, true},
        {DB_AGENT, {.name = "18", .text = "SELECT csr_sealed FROM scep_request"}, false},
        {DB_MDM, {.name = "21", .text = "SELECT sealed FROM redemption_code"}, true},
        {DB_AGENT, {.name = "16", .text = "SELECT token_sha256 FROM session"}, false},
        {DB_MDM, {.name = "21", .text = "SELECT secret FROM webhook"}, false},
        {DB_MDM, {.name = "22", .text = "SELECT raw FROM webhook_event"}, false},
        {DB_CONSOLE, {.name = "23", .text = "SELECT sealed FROM webhook_event"}, false},
        {DB_AGENT, {.name = "24", .text = "SELECT secret FROM webhook"}, true},
    };
    static const struct sql writes[] = {
        {.name = "w1", .text = "DELETE FROM audit"},
        {.name = "w2", .text = "UPDATE audit SET actor = 'x'"},
        {.name = "w3", .text = "DELETE FROM enrollment"},
        {.name = "w4", .text = "INSERT INTO apikey (id) VALUES (1)"},
        {.name = "w5", .text = "DROP TABLE result"},
    };
    struct db *d[3] = {NULL, NULL, NULL};
    struct rows r;
    assert_ok(migrate_run(db, "sql/schema", false, &applied, &err), err);
    assert_ok(migrate_grants(db, "sql/grants.sql", conf, &err), err);
    for (int i = 0; i < 3; i++)
        assert_ok(db_new(conf, DB_MDM + i, &d[i], &err), err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum outcome o = db_select(d[cases[i].role], &cases[i].sql, NULL, 0, arena, &r, &err);
        assert_outcome(o, cases[i].may ? OK : ERROR, err);
    }
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        assert_outcome(db_exec(d[DB_MDM], &writes[i], NULL, 0, NULL, &err), ERROR, err);
        assert_non_null(strstr(err.msg, "denied"));
    }
    for (int i = 0; i < 3; i++)
        db_free(&d[i]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, each_setup, each_teardown)
    const struct CMUnitTest tests[] = {
        TEST(statements_are_split),
        TEST(files_that_cannot_be_split),
        TEST(files_are_applied_in_order_once),
        TEST(folders_that_are_refused),
        TEST(a_changed_file_is_refused),
        TEST(a_failing_statement_is_mended_and_the_run_goes_on),
        TEST(a_run_that_is_cut_off_goes_on),
        TEST(a_statement_done_but_not_marked),
        TEST(two_migrators_at_once),
        TEST(the_schema_of_this_program),
        TEST(a_filled_database_is_upgraded),
        TEST(failed_results_are_upgraded),
        TEST(revoked_identities_are_in_the_order),
        TEST(tags_are_counted),
        TEST(roles_are_whose_gave_them),
        TEST(people_and_profiles_are_upgraded),
        TEST(a_library_is_upgraded),
        TEST(a_calendar_is_upgraded),
        TEST(apps_are_upgraded),
        TEST(profiles_stay_on_their_channel),
        TEST(requests_that_wait_are_upgraded),
        TEST(jobs_are_upgraded),
        TEST(ended_jobs_are_upgraded),
        TEST(grants_are_given),
        TEST(the_grants_of_this_program),
    };
    conf = testdb_conf(TESTDB_DIR, DATABASE);
    arena = arena_new(64 * LIM_MB);
    if (!mkdtemp(dir))
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    testdb_shell("rm -rf %s", dir);
    return rc;
}
