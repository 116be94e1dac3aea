/* test_db.c: the database helper against a real server. */
#include "testdb.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"

#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}

SQL(MAKE_T, "CREATE TABLE t (id BIGINT PRIMARY KEY, s VARCHAR(20), b LONGBLOB, n BIGINT "
            "CHECK (n >= 0))");
SQL(MAKE_CHILD, "CREATE TABLE child (t_id BIGINT NOT NULL, FOREIGN KEY (t_id) REFERENCES t (id))");
SQL(CLEAR_CHILD, "DELETE FROM child");
SQL(CLEAR_T, "DELETE FROM t");
SQL(INS, "INSERT INTO t (id, s, b, n) VALUES (?, ?, ?, ?)");
SQL(INS_CHILD, "INSERT INTO child (t_id) VALUES (?)");
SQL(SET_N, "UPDATE t SET n = ? WHERE id = ?");
SQL(ADD_N, "UPDATE t SET n = n + 1 WHERE id = ?");
SQL(GET, "SELECT id, s, b, n FROM t WHERE id = ?");
SQL(COUNT, "SELECT COUNT(*) FROM t");
SQL(ALL, "SELECT id, s, b, n FROM t ORDER BY id");
SQL(MY_ID, "SELECT CONNECTION_ID()");

static const struct conf *conf;
static struct db *db;
static struct arena *arena;
static struct err err;

static int64_t select_int(struct db *d, const struct sql *sql)
{
    struct rows r;
    assert_ok(db_select(d, sql, NULL, 0, arena, &r, &err), err);
    assert_int_equal(r.n, 1);
    return row_at(&r, 0, 0)->i;
}

static void insert(int64_t id, const char *s)
{
    assert_ok(db_exec(db, &INS, (struct val[]){val_int(id), val_str(s), val_null(), val_int(0)}, 4,
                      NULL, &err),
              err);
}

static struct db *connect_as(const struct conf *c, enum db_role role)
{
    struct db *d = NULL;
    assert_ok(db_new(c, role, &d, &err), err);
    return d;
}

/* Ends a connection from outside, as its owner. */
static void kill_connection(int64_t id)
{
    struct db *other = connect_as(conf, DB_OWNER);
    char text[64];
    snprintf(text, sizeof text, "KILL %lld", (long long)id);
    assert_ok(db_run(other, "kill", text, &err), err);
    db_free(&other);
    usleep(100000);
}

static int each_setup(void **state)
{
    (void)state;
    arena_reset(arena);
    db = connect_as(conf, DB_OWNER);
    assert_ok(db_exec(db, &CLEAR_CHILD, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &CLEAR_T, NULL, 0, NULL, &err), err);
    return 0;
}

static int each_teardown(void **state)
{
    (void)state;
    db_free(&db);
    return 0;
}

/* --- outcomes and values --------------------------------------------------------------------- */

static void outcomes_of_each_kind(void **state)
{
    (void)state;
    SQL(BAD_SQL, "SELEKT 1");
    SQL(NO_TABLE, "SELECT 1 FROM nowhere");
    SQL(NOT_NULL, "INSERT INTO child (t_id) VALUES (NULL)");
    SQL(PLAIN, "SELECT 1");
    struct rows r;
    insert(1, "one");
    struct val dup[] = {val_int(1), val_str("x"), val_null(), val_null()};
    assert_outcome(db_exec(db, &INS, dup, 4, NULL, &err), CONFLICT, err);
    assert_non_null(strstr(err.msg, "INS: database error 1062"));
    struct val neg[] = {val_int(2), val_str("x"), val_null(), val_int(-1)};
    assert_outcome(db_exec(db, &INS, neg, 4, NULL, &err), INVALID, err);
    struct val longer[] = {val_int(2), val_str("123456789012345678901"), val_null(), val_null()};
    assert_outcome(db_exec(db, &INS, longer, 4, NULL, &err), INVALID, err);
    struct val text[] = {val_str("no number"), val_null(), val_null(), val_null()};
    assert_outcome(db_exec(db, &INS, text, 4, NULL, &err), INVALID, err);
    struct val latin[] = {val_int(2), val_str("\xff\xfe"), val_null(), val_null()};
    assert_outcome(db_exec(db, &INS, latin, 4, NULL, &err), INVALID, err);
    assert_outcome(db_exec(db, &INS_CHILD, (struct val[]){val_int(7)}, 1, NULL, &err), INVALID,
                   err);
    assert_outcome(db_exec(db, &NOT_NULL, NULL, 0, NULL, &err), INVALID, err);
    assert_outcome(db_exec(db, &BAD_SQL, NULL, 0, NULL, &err), ERROR, err);
    assert_outcome(db_select(db, &NO_TABLE, NULL, 0, arena, &r, &err), ERROR, err);
    assert_non_null(strstr(err.msg, "droverctl migrate"));
    assert_outcome(db_exec(db, &INS, dup, 3, NULL, &err), ERROR, err);
    assert_outcome(db_exec(db, &PLAIN, NULL, 0, NULL, &err), ERROR, err);
    assert_outcome(db_select(db, &CLEAR_CHILD, NULL, 0, arena, &r, &err), ERROR, err);
    assert_outcome(db_run(db, "r", "DROP TABLE nowhere", &err), NOT_FOUND, err);
    assert_outcome(db_run(db, "r", "CREATE TABLE t (i INT)", &err), CONFLICT, err);
    assert_int_equal(select_int(db, &COUNT), 1);
}

static void a_secret_stays_out_of_messages(void **state)
{
    (void)state;
    SQL(UNIQ, "INSERT INTO uniq (s) VALUES (?)");
    struct val v = val_secret(bytes_str("hunter2"));
    assert_ok(
        db_run(db, "r", "CREATE TABLE IF NOT EXISTS uniq (s VARBINARY(20) PRIMARY KEY)", &err),
        err);
    assert_ok(db_run(db, "r", "DELETE FROM uniq", &err), err);
    assert_ok(db_exec(db, &UNIQ, &v, 1, NULL, &err), err);
    assert_outcome(db_exec(db, &UNIQ, &v, 1, NULL, &err), CONFLICT, err);
    assert_null(strstr(err.msg, "hunter2"));
    struct val shown = val_str("hunter2");
    assert_outcome(db_exec(db, &UNIQ, &shown, 1, NULL, &err), CONFLICT, err);
    assert_non_null(strstr(err.msg, "hunter2")); /* so the server does quote it */
    struct val many[2] = {val_secret(bytes_str("a")), v};
    assert_outcome(db_exec_many(db, &UNIQ, many, 1, 2, NULL, &err), CONFLICT, err);
    assert_null(strstr(err.msg, "hunter2"));
}

static void values_keep_their_type(void **state)
{
    (void)state;
    SQL(TYPES, "SELECT CAST(-9223372036854775808 AS SIGNED), CAST(9223372036854775807 AS UNSIGNED),"
               "(SELECT SUM(n) FROM (SELECT 3 AS n UNION ALL SELECT 4) x), 1.50, 2.5e0,"
               "TIMESTAMP'2026-11-22 08:15:30.000001', 'gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x91', '',"
               "X'00FF00', NULL, CAST('7' AS CHAR(3)), TRUE");
    struct rows r;
    assert_ok(db_select(db, &TYPES, NULL, 0, arena, &r, &err), err);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.cols, 12);
    assert_true(row_at(&r, 0, 0)->type == VAL_INT && row_at(&r, 0, 0)->i == INT64_MIN);
    assert_true(row_at(&r, 0, 1)->type == VAL_INT && row_at(&r, 0, 1)->i == INT64_MAX);
    assert_true(row_at(&r, 0, 2)->type == VAL_INT && row_at(&r, 0, 2)->i == 7);
    static const char *const text[] = {"1.50", "2.5", "2026-11-22 08:15:30.000001",
                                       "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x91", ""};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(row_at(&r, 0, 3 + i)->type, VAL_STR);
        assert_string_equal(row_at(&r, 0, 3 + i)->s, text[i]);
        assert_int_equal(row_at(&r, 0, 3 + i)->n, strlen(text[i]));
    }
    assert_int_equal(row_at(&r, 0, 8)->type, VAL_BIN);
    assert_int_equal(row_at(&r, 0, 8)->n, 3);
    assert_memory_equal(row_at(&r, 0, 8)->s, "\0\xff\0\0", 4);
    assert_true(val_is_null(row_at(&r, 0, 9)));
    assert_string_equal(row_at(&r, 0, 10)->s, "7");
    assert_int_equal(row_at(&r, 0, 11)->i, 1);
}

static void a_number_beyond_64_bits_is_an_error(void **state)
{
    (void)state;
    SQL(BIG, "SELECT 18446744073709551615 UNION ALL SELECT 1");
    SQL(BIG_DECIMAL, "SELECT CAST('123456789012345678901234567890' AS DECIMAL(40))");
    struct rows r;
    assert_outcome(db_select(db, &BIG, NULL, 0, arena, &r, &err), ERROR, err);
    assert_outcome(db_select(db, &BIG_DECIMAL, NULL, 0, arena, &r, &err), ERROR, err);
    assert_int_equal(select_int(db, &COUNT), 0); /* the rest of the result is out of the way */
}

static void an_argument_gives_its_type_to_a_column(void **state)
{
    (void)state;
    SQL(ECHO, "SELECT ?");
    struct rows r;
    struct val in[] = {val_int(-5), val_str("text"), val_null(), val_bin(bytes_of("\0x", 2)),
                       val_str(""), val_int(6)};
    for (size_t i = 0; i < 6; i++) {
        assert_ok(db_select(db, &ECHO, &in[i], 1, arena, &r, &err), err);
        struct val *out = row_at(&r, 0, 0);
        assert_int_equal(out->type, in[i].type);
        assert_int_equal(out->i, in[i].i);
        assert_int_equal(out->n, in[i].n);
        if (in[i].n)
            assert_memory_equal(out->s, in[i].s, in[i].n);
    }
}

static void nulls_go_both_ways(void **state)
{
    (void)state;
    struct rows r;
    struct val in[] = {val_int(1), val_str(NULL), val_bin(bytes_of(NULL, 0)), val_null()};
    assert_ok(db_exec(db, &INS, in, 4, NULL, &err), err);
    struct val empty[] = {val_int(2), val_str(""), val_bin(bytes_of("", 0)), val_int(0)};
    assert_ok(db_exec(db, &INS, empty, 4, NULL, &err), err);
    assert_ok(db_select(db, &ALL, NULL, 0, arena, &r, &err), err);
    assert_int_equal(r.n, 2);
    for (size_t c = 1; c < 4; c++) {
        assert_true(val_is_null(row_at(&r, 0, c)));
        assert_false(val_is_null(row_at(&r, 1, c)));
        assert_int_equal(row_at(&r, 1, c)->n, 0);
    }
}

static void huge_blobs_come_back_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 255, 256, 65535, 65536, 16777215, 16777216, 33554432};
    struct rows r;
    char *p = malloc(33554432);
    assert_non_null(p);
    for (size_t i = 0; i < 33554432; i++)
        p[i] = (char)(i * 31 + (i >> 8));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct val in[] = {val_int((int64_t)i), val_null(), val_bin(bytes_of(p, sizes[i])),
                           val_null()};
        assert_ok(db_exec(db, &INS, in, 4, NULL, &err), err);
        assert_ok(db_select(db, &GET, in, 1, arena, &r, &err), err);
        assert_int_equal(row_at(&r, 0, 2)->n, sizes[i]);
        assert_memory_equal(row_at(&r, 0, 2)->s, p, sizes[i]);
        assert_int_equal(row_at(&r, 0, 2)->s[sizes[i]], 0);
        arena_reset(arena);
    }
    free(p);
}

static void more_than_a_packet_is_refused_here(void **state)
{
    (void)state;
    size_t n = 65 * 1024 * 1024;
    char *p = calloc(1, n);
    uint64_t trips;
    struct val in[] = {val_int(1), val_null(), val_bin(bytes_of(p, n)), val_null()};
    insert(9, "nine");
    trips = db_round_trips(db);
    assert_outcome(db_exec(db, &INS, in, 4, NULL, &err), INVALID, err);
    assert_non_null(strstr(err.msg, "max_allowed_packet"));
    assert_int_equal(db_round_trips(db), trips);
    assert_int_equal(select_int(db, &COUNT), 1);
    free(p);
}

static void a_result_larger_than_the_arena_is_an_error(void **state)
{
    (void)state;
    SQL(REPEAT, "SELECT REPEAT('x', 100000) FROM seq_1_to_20");
    struct arena *small = arena_new(LIM_MB);
    struct rows r;
    int64_t id = select_int(db, &MY_ID);
    assert_outcome(db_select(db, &REPEAT, NULL, 0, small, &r, &err), ERROR, err);
    assert_int_equal(select_int(db, &MY_ID), id); /* the connection is kept and in step */
    arena_free(&small);
}

static void many_rows(void **state)
{
    (void)state;
    SQL(SEQ, "SELECT seq, IF(seq % 3, CONCAT('row ', seq), NULL) FROM seq_1_to_5000");
    struct rows r;
    char want[32];
    assert_ok(db_select(db, &SEQ, NULL, 0, arena, &r, &err), err);
    assert_int_equal(r.n, 5000);
    for (size_t i = 0; i < r.n; i++) {
        snprintf(want, sizeof want, "row %zu", i + 1);
        assert_int_equal(row_at(&r, i, 0)->i, i + 1);
        if ((i + 1) % 3)
            assert_string_equal(row_at(&r, i, 1)->s, want);
        else
            assert_true(val_is_null(row_at(&r, i, 1)));
    }
}

/* --- arrays and lists ------------------------------------------------------------------------ */

static void arrays_with_nulls(void **state)
{
    (void)state;
    uint64_t affected = 7, trips;
    struct rows r;
    struct val v[5][4] = {
        {val_int(1), val_null(), val_bin(bytes_of("a\0b", 3)), val_null()},
        {val_int(2), val_str("two"), val_null(), val_null()},
        {val_int(3), val_str(""), val_bin(bytes_of("", 0)), val_null()},
        {val_int(4), val_null(), val_null(), val_null()},
        {val_int(INT64_MIN), val_str("min"), val_bin(bytes_str("x")), val_null()},
    };
    assert_ok(db_exec_many(db, &INS, v[0], 4, 0, &affected, &err), err);
    assert_int_equal(affected, 0);
    trips = db_round_trips(db);
    assert_ok(db_exec_many(db, &INS, v[0], 4, 0, NULL, &err), err);
    assert_int_equal(db_round_trips(db), trips);
    assert_ok(db_exec_many(db, &INS, v[0], 4, 5, &affected, &err), err);
    assert_int_equal(affected, 5);
    assert_ok(db_select(db, &ALL, NULL, 0, arena, &r, &err), err);
    assert_int_equal(r.n, 5);
    for (size_t i = 0; i < 5; i++) {
        for (size_t c = 0; c < 4; c++) {
            const struct val *want = &v[(i + 4) % 5][c], *got = row_at(&r, i, c);
            assert_int_equal(got->type, want->type);
            assert_int_equal(got->i, want->i);
            assert_int_equal(got->n, want->n);
            if (want->n)
                assert_memory_equal(got->s, want->s, want->n);
        }
    }
    struct val u[3][2] = {
        {val_int(5), val_int(1)}, {val_null(), val_int(2)}, {val_int(6), val_int(99)}};
    assert_ok(db_exec_many(db, &SET_N, u[0], 2, 3, &affected, &err), err);
    assert_int_equal(affected, 2);
    /* One row after an array, on the same statement. */
    assert_ok(db_exec(db, &SET_N, u[0], 2, &affected, &err), err);
    assert_int_equal(affected, 1); /* found, though nothing changed */
}

static enum outcome ignore_failure(struct db *d, void *arg, struct err *e)
{
    enum outcome o = db_exec_many(d, &INS, arg, 4, 3, NULL, e);
    return o == OK ? INVALID : OK;
}

static void an_array_is_all_or_nothing(void **state)
{
    (void)state;
    struct val v[3][4] = {{val_int(1), val_null(), val_null(), val_null()},
                          {val_int(2), val_null(), val_null(), val_null()},
                          {val_int(1), val_null(), val_null(), val_null()}};
    assert_outcome(db_exec_many(db, &INS, v[0], 4, 3, NULL, &err), CONFLICT, err);
    assert_int_equal(select_int(db, &COUNT), 0);
    /* A unit that overlooks the failure is not committed either. */
    assert_outcome(db_unit(db, ignore_failure, v, &err), ERROR, err);
    assert_int_equal(select_int(db, &COUNT), 0);
    insert(1, "a");
    insert(2, "b");
    struct val u[3][2] = {
        {val_int(5), val_int(1)}, {val_int(-1), val_int(2)}, {val_int(6), val_int(1)}};
    assert_outcome(db_exec_many(db, &SET_N, u[0], 2, 3, NULL, &err), INVALID, err);
    struct rows r;
    assert_ok(db_select(db, &GET, (struct val[]){val_int(1)}, 1, arena, &r, &err), err);
    assert_int_equal(row_at(&r, 0, 3)->i, 0);
}

static void an_array_of_mixed_types_is_an_error(void **state)
{
    (void)state;
    struct val u[2][2] = {{val_int(5), val_int(1)}, {val_str("x"), val_int(2)}};
    assert_outcome(db_exec_many(db, &SET_N, u[0], 2, 2, NULL, &err), ERROR, err);
    assert_int_equal(select_int(db, &COUNT), 0);
}

static void an_array_larger_than_a_packet_is_split(void **state)
{
    (void)state;
    SQL(SIZES, "SELECT SUM(LENGTH(b)) FROM t");
    size_t n = 24 * 1024 * 1024;
    char *p = calloc(1, n);
    uint64_t affected;
    struct val v[3][4] = {{val_int(1), val_null(), val_bin(bytes_of(p, n)), val_null()},
                          {val_int(2), val_null(), val_bin(bytes_of(p, n)), val_null()},
                          {val_int(3), val_null(), val_bin(bytes_of(p, n)), val_null()}};
    assert_ok(db_exec_many(db, &INS, v[0], 4, 3, &affected, &err), err);
    assert_int_equal(affected, 3);
    assert_int_equal(select_int(db, &SIZES), 3 * n);
    free(p);
}

static void lists_of_1_to_64(void **state)
{
    (void)state;
    SQL(IN, "SELECT id FROM t WHERE id > ? AND id IN (%IN%) AND id < ? ORDER BY id");
    static const struct sql PAIRS = {.name = "PAIRS",
                                     .text = "SELECT id FROM t WHERE (id, s) IN (%IN%) ORDER BY id",
                                     .tuple = 2};
    struct val rows[70][4], list[64], pairs[128];
    struct rows r;
    for (int i = 0; i < 70; i++) {
        memcpy(rows[i],
               (struct val[]){val_int(i), val_str(i % 2 ? "odd" : "even"), val_null(), val_null()},
               sizeof rows[i]);
        if (i < 64) {
            list[i] = val_int(i + 1);
            pairs[2 * i] = val_int(i);
            pairs[2 * i + 1] = val_str("odd");
        }
    }
    assert_ok(db_exec_many(db, &INS, rows[0], 4, 70, NULL, &err), err);
    for (size_t n = 1; n <= 64; n++) {
        struct val low = val_int(1), high = val_int(64);
        assert_ok(db_select_in(db, &IN, &low, 1, list, n, &high, 1, arena, &r, &err), err);
        assert_int_equal(r.n, n == 64 ? 62 : n - 1); /* 2 to min(n, 63) */
        for (size_t i = 0; i < r.n; i++)
            assert_int_equal(row_at(&r, i, 0)->i, i + 2);
        assert_ok(db_select_in(db, &PAIRS, NULL, 0, pairs, n, NULL, 0, arena, &r, &err), err);
        assert_int_equal(r.n, n / 2);
    }
    uint64_t trips = db_round_trips(db);
    for (size_t n = 33; n <= 64; n++)
        assert_ok(db_select_in(db, &PAIRS, NULL, 0, pairs, n, NULL, 0, arena, &r, &err), err);
    assert_int_equal(db_round_trips(db) - trips, 32); /* one prepared statement for all of them */
    assert_outcome(db_select_in(db, &IN, NULL, 0, list, 0, NULL, 0, arena, &r, &err), ERROR, err);
    struct val *wide = arena_array(arena, 40000, sizeof *wide);
    assert_outcome(db_select_in(db, &IN, NULL, 0, wide, 40000, NULL, 0, arena, &r, &err), ERROR,
                   err);
    assert_outcome(db_select(db, &IN, list, 3, arena, &r, &err), ERROR, err);
}

/* --- the connection -------------------------------------------------------------------------- */

static enum outcome two_inserts(struct db *d, void *arg, struct err *e)
{
    int64_t *id = arg;
    struct val a[] = {val_int(*id), val_null(), val_null(), val_null()};
    struct val b[] = {val_int(*id + 1), val_null(), val_null(), val_null()};
    enum outcome o = db_exec(d, &INS, a, 4, NULL, e);
    return o == OK ? db_exec(d, &INS, b, 4, NULL, e) : o;
}

static void round_trips_are_counted(void **state)
{
    (void)state;
    int64_t id = 10;
    uint64_t t = db_round_trips(db);
    (void)select_int(db, &COUNT);
    assert_int_equal(db_round_trips(db) - t, 2); /* prepare, execute */
    (void)select_int(db, &COUNT);
    assert_int_equal(db_round_trips(db) - t, 3);
    insert(1, "a");
    t = db_round_trips(db);
    assert_ok(db_unit(db, two_inserts, &id, &err), err);
    assert_int_equal(db_round_trips(db) - t, 4); /* begin, two, commit */
    t = db_round_trips(db);
    assert_outcome(db_unit(db, two_inserts, &id, &err), CONFLICT, err);
    assert_int_equal(db_round_trips(db) - t, 3); /* begin, one, rollback */
    assert_int_equal(select_int(db, &COUNT), 3);
}

static void the_session_is_ours(void **state)
{
    (void)state;
    SQL(SESSION, "SELECT @@tx_isolation, @@time_zone, @@character_set_client, @@autocommit, "
                 "@@sql_mode, @@collation_connection");
    struct rows r;
    assert_ok(db_select(db, &SESSION, NULL, 0, arena, &r, &err), err);
    assert_string_equal(row_at(&r, 0, 0)->s, "READ-COMMITTED");
    assert_string_equal(row_at(&r, 0, 1)->s, "+00:00");
    assert_string_equal(row_at(&r, 0, 2)->s, "utf8mb4");
    assert_int_equal(row_at(&r, 0, 3)->i, 1);
    assert_non_null(strstr(row_at(&r, 0, 4)->s, "STRICT_ALL_TABLES"));
}

static void the_statement_cache_is_bounded(void **state)
{
    (void)state;
    SQL(COUNTS, "SELECT SUM(IF(variable_name = 'COM_STMT_PREPARE', variable_value, "
                "-variable_value)) FROM information_schema.session_status WHERE variable_name IN "
                "('COM_STMT_PREPARE', 'COM_STMT_CLOSE')");
    struct sql *sqls = calloc(500, sizeof *sqls);
    struct rows r;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 500; i++) {
            sqls[i] = (struct sql){.name = "many", .text = "SELECT 1"};
            assert_ok(db_select(db, &sqls[i], NULL, 0, arena, &r, &err), err);
        }
    }
    assert_ok(db_select(db, &COUNTS, NULL, 0, arena, &r, &err), err);
    double open = atof(row_at(&r, 0, 0)->s);
    assert_true(open >= 100 && open <= 128);
    uint64_t t = db_round_trips(db);
    assert_ok(db_select(db, &sqls[499], NULL, 0, arena, &r, &err), err);
    assert_int_equal(db_round_trips(db) - t, 1); /* the newest is kept */
    free(sqls);
}

static void a_changed_table_is_prepared_again(void **state)
{
    (void)state;
    SQL(STAR, "SELECT * FROM star");
    SQL(STAR_ADD, "INSERT INTO star VALUES (?)");
    struct rows r;
    assert_ok(db_run(db, "r", "CREATE TABLE star (a INT)", &err), err);
    assert_ok(db_exec(db, &STAR_ADD, (struct val[]){val_int(5)}, 1, NULL, &err), err);
    assert_ok(db_select(db, &STAR, NULL, 0, arena, &r, &err), err);
    assert_int_equal(r.cols, 1);
    assert_ok(db_run(db, "r", "ALTER TABLE star ADD b VARCHAR(10) DEFAULT 'b', MODIFY a VARCHAR(9)",
                     &err),
              err);
    assert_ok(db_select(db, &STAR, NULL, 0, arena, &r, &err), err);
    assert_int_equal(r.cols, 2);
    assert_string_equal(row_at(&r, 0, 0)->s, "5");
    assert_string_equal(row_at(&r, 0, 1)->s, "b");
    assert_ok(db_run(db, "r", "DROP TABLE star", &err), err);
}

static void a_killed_connection_outside_a_unit(void **state)
{
    (void)state;
    int64_t id = select_int(db, &MY_ID);
    kill_connection(id);
    assert_int_not_equal(select_int(db, &MY_ID), id);
    insert(2, "before"); /* prepared already when the next one finds the connection dead */
    kill_connection(select_int(db, &MY_ID));
    insert(1, "after"); /* seen before the write is sent */
    kill_connection(select_int(db, &MY_ID));
    assert_ok(db_ping(db, &err), err);
    assert_int_equal(select_int(db, &COUNT), 2);
}

static void *kill_soon(void *arg)
{
    usleep(300000);
    kill_connection(*(int64_t *)arg);
    return NULL;
}

static void a_connection_killed_while_a_statement_runs(void **state)
{
    (void)state;
    SQL(SLOW, "SELECT SLEEP(2)");
    SQL(SLOW_WRITE, "UPDATE t SET n = SLEEP(2) + 5 WHERE id = 1");
    struct rows r;
    pthread_t t;
    int64_t id = select_int(db, &MY_ID);
    insert(1, "a");
    assert_int_equal(pthread_create(&t, NULL, kill_soon, &id), 0);
    assert_ok(db_select(db, &SLOW, NULL, 0, arena, &r, &err), err); /* a read is run again */
    pthread_join(t, NULL);
    id = select_int(db, &MY_ID);
    assert_int_equal(pthread_create(&t, NULL, kill_soon, &id), 0);
    assert_outcome(db_exec(db, &SLOW_WRITE, NULL, 0, NULL, &err), UNAVAILABLE, err);
    pthread_join(t, NULL);
    assert_int_equal(select_int(db, &COUNT), 1);
}

/* --- units of work --------------------------------------------------------------------------- */

struct run {
    int runs;
    int64_t id;
    enum outcome second; /* of a statement after the failure */
};

static enum outcome killed_once(struct db *d, void *arg, struct err *e)
{
    struct run *x = arg;
    struct val v[] = {val_int(x->id), val_null(), val_null(), val_null()};
    enum outcome o = db_exec(d, &INS, v, 4, NULL, e);
    if (o == OK && x->runs++ == 0) {
        kill_connection(select_int(d, &MY_ID));
        o = db_exec(d, &ADD_N, v, 1, NULL, e);
        assert_int_equal(o, UNAVAILABLE);
        x->second = db_exec(d, &ADD_N, v, 1, NULL, e);
        return OK; /* a unit that overlooks it is still run again */
    }
    return o;
}

static void a_connection_killed_in_a_unit(void **state)
{
    (void)state;
    struct run x = {.id = 5};
    assert_ok(db_unit(db, killed_once, &x, &err), err);
    assert_int_equal(x.runs, 2);
    assert_int_equal(x.second, UNAVAILABLE);
    assert_int_equal(select_int(db, &COUNT), 1);
}

static enum outcome always_killed(struct db *d, void *arg, struct err *e)
{
    struct run *x = arg;
    struct val v[] = {val_int(x->id)};
    x->runs++;
    kill_connection(select_int(d, &MY_ID));
    return db_exec(d, &ADD_N, v, 1, NULL, e);
}

static void a_unit_is_not_run_for_ever(void **state)
{
    (void)state;
    struct run x = {.id = 5};
    assert_outcome(db_unit(db, always_killed, &x, &err), UNAVAILABLE, err);
    assert_int_equal(x.runs, 5);
    assert_int_equal(select_int(db, &COUNT), 0);
}

static enum outcome nesting(struct db *d, void *arg, struct err *e)
{
    return db_unit(d, two_inserts, arg, e);
}

static void units_do_not_nest(void **state)
{
    (void)state;
    int64_t id = 1;
    assert_outcome(db_unit(db, nesting, &id, &err), ERROR, err);
    assert_int_equal(select_int(db, &COUNT), 0);
}

/* Without a word to begin; nothing of it is seen before the COMMIT, and nothing of one that failed
 * is left for the next. */
static enum outcome two_unseen(struct db *d, void *arg, struct err *e)
{
    enum outcome o = two_inserts(d, arg, e);
    assert_int_equal(select_int(db, &COUNT), 0);
    return o;
}

static enum outcome own_number(struct db *d, void *arg, struct err *e)
{
    SQL(SELF, "SELECT CONNECTION_ID()");
    struct rows r;
    enum outcome o = db_select(d, &SELF, NULL, 0, arena, &r, e);
    if (o == OK)
        *(int64_t *)arg = row_at(&r, 0, 0)->i;
    return o;
}

static enum outcome insert_then_fail(struct db *d, void *arg, struct err *e)
{
    enum outcome o = two_inserts(d, arg, e);
    return o == OK ? err_set(e, DENIED, "no") : o;
}

static void a_connection_for_units_alone(void **state)
{
    (void)state;
    struct db *d = connect_as(conf, DB_OWNER);
    int64_t id = 1, connection = 0;
    uint64_t t;
    db_units_only(d);
    assert_outcome(db_exec(d, &INS, (struct val[]){val_int(1), val_null(), val_null(), val_null()},
                           4, NULL, &err),
                   ERROR, err);
    assert_outcome(db_run(d, "text", "DO 1", &err), ERROR, err);
    assert_ok(db_unit(d, two_unseen, &id, &err), err);
    assert_int_equal(select_int(db, &COUNT), 2);
    id = 3;
    t = db_round_trips(d);
    assert_ok(db_unit(d, two_inserts, &id, &err), err);
    assert_int_equal(db_round_trips(d) - t, 3); /* two, commit */
    id = 5;
    assert_outcome(db_unit(d, insert_then_fail, &id, &err), DENIED, err);
    assert_ok(db_unit(d, own_number, &connection, &err), err);
    assert_int_equal(select_int(db, &COUNT), 4);
    kill_connection(connection);
    assert_ok(db_unit(d, two_inserts, &id, &err), err);
    assert_int_equal(select_int(db, &COUNT), 6);
    db_free(&d);
    assert_int_equal(select_int(db, &COUNT), 6);
}

struct rival {
    struct db *db;
    int64_t first, second;
    int runs;
    pthread_barrier_t *both;
    enum outcome o;
};

static enum outcome lock_two(struct db *d, void *arg, struct err *e)
{
    struct rival *x = arg;
    struct val a = val_int(x->first), b = val_int(x->second);
    enum outcome o = db_exec(d, &ADD_N, &a, 1, NULL, e);
    if (x->runs++ == 0)
        pthread_barrier_wait(x->both);
    return o == OK ? db_exec(d, &ADD_N, &b, 1, NULL, e) : o;
}

static void *rival_main(void *arg)
{
    struct rival *x = arg;
    struct err e;
    x->o = db_unit(x->db, lock_two, x, &e);
    return NULL;
}

static void a_deadlock_is_run_again(void **state)
{
    (void)state;
    pthread_barrier_t both;
    pthread_t t[2];
    insert(1, "a");
    insert(2, "b");
    pthread_barrier_init(&both, NULL, 2);
    struct rival x[2] = {
        {.db = db, .first = 1, .second = 2, .both = &both},
        {.db = connect_as(conf, DB_OWNER), .first = 2, .second = 1, .both = &both}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, rival_main, &x[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(x[0].o, OK);
    assert_int_equal(x[1].o, OK);
    assert_int_equal(x[0].runs + x[1].runs, 3);
    struct rows r;
    assert_ok(db_select(db, &ALL, NULL, 0, arena, &r, &err), err);
    assert_int_equal(row_at(&r, 0, 3)->i, 2);
    assert_int_equal(row_at(&r, 1, 3)->i, 2);
    db_free(&x[1].db);
    pthread_barrier_destroy(&both);
}

static void *hold_lock(void *arg)
{
    struct db *other = arg;
    struct err e;
    if (db_run(other, "h", "START TRANSACTION", &e) != OK ||
        db_run(other, "h", "UPDATE t SET n = 1 WHERE id = 1", &e) != OK)
        abort();
    usleep(3000000);
    if (db_run(other, "h", "COMMIT", &e) != OK)
        abort();
    return NULL;
}

static void a_lock_timeout_is_run_again(void **state)
{
    (void)state;
    struct db *other = connect_as(conf, DB_OWNER);
    pthread_t t;
    insert(1, "a");
    assert_int_equal(pthread_create(&t, NULL, hold_lock, other), 0);
    usleep(300000);
    int64_t before = clock_mono();
    assert_ok(db_exec(db, &ADD_N, (struct val[]){val_int(1)}, 1, NULL, &err), err);
    assert_true(clock_mono() - before > 2 * SECOND_US); /* longer than one wait for the lock */
    pthread_join(t, NULL);
    db_free(&other);
}

static void a_named_lock(void **state)
{
    (void)state;
    struct db *other = connect_as(conf, DB_OWNER);
    struct rows r;
    assert_ok(db_lock(db, "x", 0, &err), err);
    assert_outcome(db_lock(other, "x", 0, &err), CONFLICT, err);
    assert_ok(db_lock(other, "y", 0, &err), err);
    db_unlock(other, "y");
    db_unlock(db, "x");
    assert_ok(db_lock(other, "x", 0, &err), err);
    kill_connection(select_int(other, &MY_ID));
    assert_outcome(db_select(other, &MY_ID, NULL, 0, arena, &r, &err), UNAVAILABLE, err);
    assert_outcome(db_run(other, "r", "DELETE FROM t", &err), UNAVAILABLE, err);
    db_unlock(other, "x");
    assert_ok(db_ping(other, &err), err);
    db_free(&other);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, each_setup, each_teardown)
    const struct CMUnitTest tests[] = {
        TEST(outcomes_of_each_kind),
        TEST(a_secret_stays_out_of_messages),
        TEST(values_keep_their_type),
        TEST(a_number_beyond_64_bits_is_an_error),
        TEST(an_argument_gives_its_type_to_a_column),
        TEST(nulls_go_both_ways),
        TEST(huge_blobs_come_back_whole),
        TEST(more_than_a_packet_is_refused_here),
        TEST(a_result_larger_than_the_arena_is_an_error),
        TEST(many_rows),
        TEST(arrays_with_nulls),
        TEST(an_array_is_all_or_nothing),
        TEST(an_array_of_mixed_types_is_an_error),
        TEST(an_array_larger_than_a_packet_is_split),
        TEST(lists_of_1_to_64),
        TEST(round_trips_are_counted),
        TEST(the_session_is_ours),
        TEST(the_statement_cache_is_bounded),
        TEST(a_changed_table_is_prepared_again),
        TEST(a_killed_connection_outside_a_unit),
        TEST(a_connection_killed_while_a_statement_runs),
        TEST(a_connection_killed_in_a_unit),
        TEST(a_unit_is_not_run_for_ever),
        TEST(units_do_not_nest),
        TEST(a_connection_for_units_alone),
        TEST(a_deadlock_is_run_again),
        TEST(a_lock_timeout_is_run_again),
        TEST(a_named_lock),
    };
    conf = testdb_conf(TESTDB_DIR, "drover_test_db");
    arena = arena_new(128 * LIM_MB);
    db = connect_as(conf, DB_OWNER);
    if (db_exec(db, &MAKE_T, NULL, 0, NULL, &err) != OK ||
        db_exec(db, &MAKE_CHILD, NULL, 0, NULL, &err) != OK) {
        fprintf(stderr, "test_db: %s\n", err.msg);
        return 1;
    }
    db_free(&db);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
