/* test_pool.c: connections that a pool does not need are closed; with a clock of the test's own. */
#include "testdb.h"

#include "base/clock.h"
#include "base/limits.h"

static int64_t now = HOUR_US;

static int64_t test_mono(void)
{
    return now;
}

#define clock_mono test_mono
#include "../../fcgi/store/pool.c"

static const struct conf *conf;
static struct arena *arena;
static struct err err;

static int64_t connections(struct db *d)
{
    static const struct sql COUNT = {
        .name = "count",
        .text = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE()"};
    struct rows r;
    usleep(100000);
    assert_ok(db_select(d, &COUNT, NULL, 0, arena, &r, &err), err);
    return row_at(&r, 0, 0)->i;
}

static void idle_connections_are_closed(void **state)
{
    (void)state;
    struct db_pool *p;
    struct db *d[3], *eye = NULL;
    assert_ok(db_new(conf, DB_OWNER, &eye, &err), err);
    assert_ok(db_pool_new(conf, DB_OWNER, 3, &p, &err), err);
    for (int i = 0; i < 3; i++) {
        assert_ok(db_pool_take(p, &d[i], &err), err);
        assert_ok(db_ping(d[i], &err), err);
    }
    for (int i = 0; i < 3; i++)
        db_pool_give(p, &d[i]);
    assert_int_equal(connections(eye), 4);
    for (int i = 0; i < 6; i++) { /* one is in use each minute; the others are not */
        now += MINUTE_US - 1;
        assert_ok(db_pool_take(p, &d[0], &err), err);
        db_pool_give(p, &d[0]);
        assert_int_equal(connections(eye), i < 5 ? 4 : 3);
    }
    assert_ok(db_pool_take(p, &d[0], &err), err);
    db_pool_give(p, &d[0]);
    assert_int_equal(connections(eye), 2);
    now += HOUR_US;
    assert_ok(db_pool_take(p, &d[0], &err), err); /* what is taken is not closed */
    db_pool_give(p, &d[0]);
    assert_int_equal(connections(eye), 2);
    db_pool_free(&p);
    assert_int_equal(connections(eye), 1);
    db_free(&eye);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(idle_connections_are_closed)};
    conf = testdb_conf(TESTDB_DIR, "drover_test_pool");
    arena = arena_new(LIM_MB);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
