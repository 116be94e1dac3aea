/*
 * test_inactive.c: the daily sweep over 100,000 enrollments: what is nudged, called inactive, seen
 * to return; two sweeps at once; and that neither time nor memory runs away.
 */
#include "owner.h"

#include <pthread.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "store/enrollment.h"
#include "store/inactive.h"

#define MANY 100000

static int64_t now;

/* Enrollments 1..n, seen hours ago, that can be pushed. */
static void enrolled(int n, int hours)
{
    char text[400];
    snprintf(text, sizeof text,
             "INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, created_at, "
             "last_seen_at) SELECT seq, CONCAT('D', seq), 1, seq, 2, seq, 1, %lld FROM seq_1_to_%d",
             (long long)(now - hours * HOUR_US), n);
    sql(text);
    snprintf(text, sizeof text,
             "INSERT INTO life (id, enrollment_id, state, opened_at, push_token) SELECT seq, seq, "
             "2, 1, 'token' FROM seq_1_to_%d",
             n);
    sql(text);
}

static struct inactive_sweep sweep_at(int64_t when)
{
    struct inactive_sweep s = {
        .now = when, .after_us = 7 * DAY_US, .nudge_us = DAY_US, .push_keep = 3600};
    assert_ok(inactive_sweep(db, &s, &err), err);
    return s;
}

static int each_setup(void **state)
{
    (void)state;
    static const char *const texts[] = {"TRUNCATE enrollment", "TRUNCATE life", "TRUNCATE push",
                                        "TRUNCATE audit"};
    arena_reset(arena);
    now = clock_now();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        sql(texts[i]);
    return 0;
}

static void who_is_nudged(void **state)
{
    (void)state;
    enrolled(6, 25);
    sql("UPDATE enrollment SET last_seen_at = last_seen_at + 7200000000 WHERE id = 1");
    sql("UPDATE enrollment SET state = 4 WHERE id = 2");
    sql("UPDATE life SET push_dead_at = 1 WHERE id = 3");
    sql("UPDATE life SET push_token = NULL WHERE id = 4");
    struct inactive_sweep s = sweep_at(now);
    assert_int_equal(s.nudged, 2);
    assert_int_equal(s.inactive, 0);
    assert_int_equal(number("SELECT COUNT(*) FROM push WHERE enrollment_id IN (5, 6)"), 2);
    assert_int_equal(sweep_at(now + HOUR_US).nudged, 0);      /* once a day */
    assert_int_equal(sweep_at(now + 25 * HOUR_US).nudged, 3); /* and 1, which is silent by now */
}

static const struct enrollment *listed(const struct enrollment_filter *f, size_t *n)
{
    struct enrollment_cursor at = {0, 0};
    struct enrollment *list;
    bool more;
    assert_ok(
        enrollment_list(db, f, ENROLLMENT_BY_ID, &at, 0, 10, false, arena, &list, n, &more, &err),
        err);
    assert_false(more);
    return list;
}

static void inactive_and_back(void **state)
{
    (void)state;
    struct enrollment_filter f = {.inactive = true};
    const struct enrollment *list;
    size_t n;
    enrolled(3, 8 * 24);
    sql("UPDATE enrollment SET last_seen_at = last_seen_at + 172800000000 WHERE id = 3");
    assert_int_equal(sweep_at(now).inactive, 2);
    assert_int_equal(sweep_at(now).inactive, 0);
    list = listed(&f, &n);
    assert_int_equal(n, 2);
    assert_int_equal(list[0].inactive_at, now);
    /* it is back with its next message, the sweep only notes that */
    char text[100];
    snprintf(text, sizeof text, "UPDATE enrollment SET last_seen_at = %lld WHERE id = 1",
             (long long)now + 1);
    sql(text);
    list = listed(&f, &n);
    assert_int_equal(n, 1);
    assert_string_equal(list[0].ident, "D2");
    assert_int_equal(sweep_at(now + HOUR_US).returned, 1);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'enrollment.inactive'"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'enrollment.return' AND "
                            "subject = 'D1'"),
                     1);
    f = (struct enrollment_filter){.push_dead = true};
    sql("UPDATE life SET push_dead_at = 5 WHERE id = 2");
    list = listed(&f, &n);
    assert_int_equal(n, 1);
    assert_string_equal(list[0].ident, "D2");
}

struct sweeper {
    struct inactive_sweep s;
    enum outcome o;
    struct err err;
};

static void *sweeper_main(void *arg)
{
    struct sweeper *w = arg;
    struct db *mine = NULL;
    w->o = db_new(conf, DB_OWNER, &mine, &w->err);
    if (w->o == OK)
        w->o = inactive_sweep(mine, &w->s, &w->err);
    db_free(&mine);
    return NULL;
}

static void two_agents_at_once(void **state)
{
    (void)state;
    struct sweeper w[2];
    pthread_t t[2];
    enrolled(5000, 8 * 24);
    for (int i = 0; i < 2; i++) {
        w[i] = (struct sweeper){
            .s = {.now = now, .after_us = 7 * DAY_US, .nudge_us = DAY_US, .push_keep = 3600}};
        assert_int_equal(pthread_create(&t[i], NULL, sweeper_main, &w[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_ok(w[0].o, w[0].err);
    assert_ok(w[1].o, w[1].err);
    sweep_at(now); /* what one skipped because the other had it */
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'enrollment.inactive'"),
                     5000); /* each once */
    assert_int_equal(number("SELECT COUNT(*) FROM push"), 5000);
}

static void a_hundred_thousand(void **state)
{
    (void)state;
    struct rusage before, after;
    enrolled(MANY, 25);
    getrusage(RUSAGE_SELF, &before);
    int64_t start = clock_mono();
    struct inactive_sweep s = sweep_at(now);
    int64_t first = clock_mono() - start;
    assert_int_equal(s.nudged, MANY);
    start = clock_mono();
    assert_int_equal(sweep_at(now).nudged, 0);
    int64_t idle = clock_mono() - start;
    getrusage(RUSAGE_SELF, &after);
    printf("%d enrollments: all nudged in %.1f s, a sweep that finds nothing %.3f s, %ld kB more\n",
           MANY, (double)first / SECOND_US, (double)idle / SECOND_US,
           after.ru_maxrss - before.ru_maxrss);
#ifndef __SANITIZE_ADDRESS__ /* which keeps for a while what was freed */
    assert_true(after.ru_maxrss - before.ru_maxrss < 8192);
#endif
}

static int setup(void **state)
{
    (void)state;
    owner_up("drover_inactive");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    owner_down();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_is_nudged, each_setup),
        cmocka_unit_test_setup(inactive_and_back, each_setup),
        cmocka_unit_test_setup(two_agents_at_once, each_setup),
        cmocka_unit_test_setup(a_hundred_thousand, each_setup),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
