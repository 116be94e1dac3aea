/* test_checkrun.c: checks that the agent makes for the console: who asks, takes up, and reads, each
 * with its own rights; and findings as they travel. */
#include "testdb.h"

#include "base/limits.h"
#include "doctor/doctor.h"
#include "store/checkrun.h"
#include "store/migrate.h"

static struct arena *arena;
static struct conf conf;
static struct db *owner, *console, *agent;
static struct err err;

static struct checkrun get(int64_t now)
{
    struct checkrun r;
    assert_ok(checkrun_get(console, CHECKRUN_NETWORK, now, arena, &r, &err), err);
    return r;
}

static bool take(int64_t now)
{
    bool taken;
    assert_ok(checkrun_take(agent, CHECKRUN_NETWORK, now, &taken, &err), err);
    return taken;
}

static void ask(const char *by, int64_t now)
{
    assert_ok(checkrun_ask(console, CHECKRUN_NETWORK, by, now, &err), err);
}

static void asked_taken_done(void **state)
{
    (void)state;
    assert_false(take(1000));
    assert_false(get(1000).waits);
    ask("ann", 2000);
    ask("ben", 2500); /* the same */
    assert_string_equal(get(2600).asked_by, "ann");
    assert_true(get(2600).waits);
    assert_true(take(3000));
    assert_false(take(3001));
    /* asked again while it runs: once more afterwards */
    ask("ben", 4000);
    assert_ok(checkrun_done(agent, CHECKRUN_NETWORK, 3900, bytes_str("[]"), &err), err);
    assert_true(get(4100).waits);
    assert_true(take(4200));
    assert_ok(checkrun_done(agent, CHECKRUN_NETWORK, 4300, bytes_str("[1]"), &err), err);
    struct checkrun r = get(4400);
    assert_false(r.waits);
    assert_true(bytes_equal(r.findings, bytes_str("[1]")));
    assert_false(take(4500));
}

static void an_agent_that_dies_is_followed_by_another(void **state)
{
    (void)state;
    int64_t t = 10 * CHECKRUN_LATE_US;
    ask("ann", t);
    assert_true(take(t + 1));
    assert_false(take(t + CHECKRUN_LATE_US));
    assert_true(take(t + CHECKRUN_LATE_US + 2));
    /* and nobody waits for ever */
    assert_true(get(t + 2).waits);
    assert_false(get(t + 2 * CHECKRUN_LATE_US + 1).waits);
    assert_ok(
        checkrun_done(agent, CHECKRUN_NETWORK, t + 2 * CHECKRUN_LATE_US, bytes_str("[]"), &err),
        err);
}

static void the_console_tells_no_findings(void **state)
{
    (void)state;
    assert_int_not_equal(checkrun_done(console, CHECKRUN_NETWORK, 1, bytes_str("[]"), &err), OK);
    bool taken;
    assert_int_not_equal(checkrun_take(console, CHECKRUN_NETWORK, 1, &taken, &err), OK);
}

static void findings_travel(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "{}",
                                      "[1]",
                                      "[{}]",
                                      "[{\"check\":\"a\",\"detail\":\"b\"}]",
                                      "[{\"check\":\"a\",\"detail\":\"b\",\"result\":\"grand\"}]"};
    struct doctor *d = arena_alloc(arena, sizeof *d), *e = arena_alloc(arena, sizeof *e);
    struct buf b = BUF_INIT(LIM_MB);
    *d = *e = (struct doctor){.conf = &conf, .arena = arena, .tls_ca = ""};
    doctor_note(d, FINDING_OK, "one", "unneeded", "%s", "fine <b>\xc3\xa9");
    doctor_note(d, FINDING_WARN, "two", "do \"this\"", "%d of %d", 1, 2);
    doctor_note(d, FINDING_FAIL, "three", "do that", "line\nline");
    assert_ok(doctor_write(d, &b, &err), err);
    assert_ok(doctor_read(e, buf_bytes(&b), &err), err);
    assert_int_equal(e->n, 3);
    assert_int_equal(e->fails, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(e->f[i].check, d->f[i].check);
        assert_string_equal(e->f[i].detail, d->f[i].detail);
        assert_int_equal(e->f[i].result, d->f[i].result);
    }
    assert_string_equal(e->f[1].say, "doctor_d_of_d");
    assert_int_equal(e->f[1].nwith, 2);
    assert_string_equal(e->f[1].with[0], "1");
    assert_string_equal(e->f[1].with[1], "2");
    assert_string_equal(e->f[0].with[0], "fine <b>\xc3\xa9");
    assert_null(e->f[0].fix);
    assert_string_equal(e->f[1].fix, "do \"this\"");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_outcome(doctor_read(e, bytes_str(bad[i]), &err), INVALID, err);
    buf_free(&b);
}

static int setup(void **state)
{
    (void)state;
    int applied;
    arena = arena_new(4 * LIM_MB);
    conf = *testdb_conf(TESTDB_DIR, "drover_test_checkrun");
    assert_ok(db_new(&conf, DB_OWNER, &owner, &err), err);
    assert_ok(migrate_run(owner, "sql/schema", false, &applied, &err), err);
    assert_ok(migrate_grants(owner, "sql/grants.sql", &conf, &err), err);
    assert_ok(db_new(&conf, DB_CONSOLE, &console, &err), err);
    assert_ok(db_new(&conf, DB_AGENT, &agent, &err), err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    db_free(&agent);
    db_free(&console);
    db_free(&owner);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_taken_done),
        cmocka_unit_test(an_agent_that_dies_is_followed_by_another),
        cmocka_unit_test(the_console_tells_no_findings),
        cmocka_unit_test(findings_travel),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
