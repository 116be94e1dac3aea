/* test_audit_chain.c: the audit log as a chain, and what is found when somebody tampers with it. */
#include "testdb.h"

#include "base/clock.h"
#include "base/limits.h"
#include "proc/auditor.h"
#include "store/audit.h"
#include "store/audit_chain.h"
#include "store/checkrun.h"
#include "store/migrate.h"

static const struct conf *conf;
static struct db *owner, *agent, *console;
static struct err err;
static struct audit_head head;

static void sql(const char *text)
{
    assert_ok(db_run(owner, "r", text, &err), err);
}

static void add(const char *subject, const char *detail)
{
    assert_ok(audit_add(console, "ann", "a.b", subject, detail, &err), err);
}

/* Links all there is; how many. */
static size_t extend(void)
{
    size_t n, all = 0;
    do {
        assert_ok(audit_chain_extend(agent, &head, &n, &err), err);
        all += n;
    } while (n == AUDIT_CHAIN_STEP);
    return all;
}

static struct audit_check verify(const struct audit_head *known)
{
    struct audit_check c;
    assert_ok(audit_chain_verify(owner, known, &c, &err), err);
    return c;
}

static int fill(void **state)
{
    (void)state;
    sql("DELETE FROM audit_chain");
    sql("DELETE FROM audit");
    for (int i = 0; i < 5; i++)
        add(i == 2 ? "x:y 3:abc" : "x", i == 3 ? NULL : "k=v");
    assert_int_equal(extend(), 5);
    assert_int_equal(head.seq, 5);
    return 0;
}

static void entries_are_linked_once(void **state)
{
    (void)state;
    struct audit_check c = verify(NULL);
    assert_int_equal(c.links, 5);
    assert_int_equal(c.bad_seq, 0);
    assert_int_equal(c.unlinked, 0);
    assert_memory_equal(c.head.digest, head.digest, SHA256_LEN);
    assert_int_equal(extend(), 0);
    add("y", NULL);
    c = verify(NULL);
    assert_int_equal(c.unlinked, 1);
    /* an entry whose transaction ended late, with a lower id */
    sql("UPDATE audit SET id = id + 1000 WHERE subject = 'y'");
    assert_int_equal(extend(), 1);
    sql("INSERT INTO audit (id, at, actor, action, subject) SELECT MAX(id) - 1, 1, 'late', 'a.b', "
        "'s' "
        "FROM audit");
    assert_int_equal(extend(), 1);
    assert_int_equal(verify(NULL).links, 7);
    /* more than fit in one step */
    sql("INSERT INTO audit (at, actor, action, subject) SELECT seq, 'ann', 'a.b', 's' "
        "FROM seq_1_to_1200");
    assert_int_equal(extend(), 1200);
    c = verify(NULL);
    assert_int_equal(c.links, 1207);
    assert_int_equal(c.bad_seq, 0);
}

static void tampering_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        int64_t at;
    } acts[] = {
        {"UPDATE audit SET actor = 'eve' ORDER BY id LIMIT 1", 1},
        {"UPDATE audit SET detail = 'k=w' WHERE detail = 'k=v' ORDER BY id DESC LIMIT 1", 5},
        {"UPDATE audit SET at = at + 1 WHERE subject = 'x:y 3:abc'", 3},
        {"UPDATE audit SET detail = '' WHERE detail IS NULL", 0}, /* says the same */
        {"DELETE FROM audit WHERE detail IS NULL", 4},
        {"DELETE FROM audit_chain WHERE seq = 2", 3},
        {"UPDATE audit_chain SET digest = REPEAT('x', 32) WHERE seq = 4", 4},
    };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        fill(NULL);
        sql(acts[i].sql);
        struct audit_check c = verify(NULL);
        if (c.bad_seq != acts[i].at)
            fail_msg("%s: found at %lld", acts[i].sql, (long long)c.bad_seq);
    }
}

/* Whoever writes everything anew has another chain than the one that was noted. */
static void a_chain_made_anew_is_another_one(void **state)
{
    (void)state;
    struct audit_head noted = head;
    add("later", NULL);
    extend();
    assert_true(verify(&noted).known_found);
    sql("DELETE FROM audit_chain");
    sql("UPDATE audit SET actor = 'eve' ORDER BY id LIMIT 1");
    extend();
    struct audit_check c = verify(&noted);
    assert_int_equal(c.bad_seq, 0);
    assert_false(c.known_found);
    /* and one that was cut off lacks the link */
    fill(NULL);
    noted = head;
    sql("DELETE FROM audit ORDER BY id DESC LIMIT 1");
    sql("DELETE FROM audit_chain ORDER BY seq DESC LIMIT 1");
    c = verify(&noted);
    assert_int_equal(c.bad_seq, 0);
    assert_false(c.known_found);
}

/* The agent's check as it stands in the database. */
static struct audit_check checked(struct arena *a)
{
    struct auditor r = {.runs = false};
    struct checkrun run;
    struct audit_check c;
    int turns = 0;
    do
        assert_ok(auditor_turn(&r, agent, &err), err);
    while (r.runs && ++turns < 100);
    assert_ok(checkrun_get(console, CHECKRUN_AUDIT, clock_now(), a, &run, &err), err);
    assert_false(run.waits);
    assert_ok(audit_check_read(run.findings, a, &c, &err), err);
    return c;
}

static int64_t alarms(struct arena *a)
{
    static const struct sql count = {
        "alarms", "SELECT COUNT(*) FROM audit WHERE action = 'alarm.audit-chain'", 0};
    struct rows r;
    assert_ok(db_select(owner, &count, NULL, 0, a, &r, &err), err);
    return row_at(&r, 0, 0)->i;
}

static void ask(void)
{
    assert_ok(checkrun_ask(console, CHECKRUN_AUDIT, "ann", clock_now(), &err), err);
}

static void the_agent_goes_through_it(void **state)
{
    struct arena *a = arena_new(LIM_MB);
    (void)state;
    sql("UPDATE checkup SET asked_at = NULL, begun_at = NULL, done_at = NULL, findings = NULL");
    struct audit_check c = checked(a); /* by itself, as it never was */
    assert_int_equal(c.links, 5);
    assert_int_equal(c.bad_seq, 0);
    assert_memory_equal(c.head.digest, head.digest, SHA256_LEN);
    /* not again within a day, unless somebody asks */
    add("more", NULL);
    extend();
    assert_int_equal(checked(a).links, 5);
    ask();
    assert_int_equal(checked(a).links, 6);
    assert_int_equal(alarms(a), 0);
    sql("UPDATE audit SET actor = 'eve' ORDER BY id LIMIT 1");
    ask();
    c = checked(a);
    assert_int_equal(c.bad_seq, 1);
    assert_non_null(strstr(c.bad, "changed"));
    assert_int_equal(alarms(a), 1);
    arena_free(&a);
}

/* Whoever can write to the database makes the whole chain anew, or cuts its end off. */
static void a_chain_that_is_another_than_before_is_told(void **state)
{
    struct arena *a = arena_new(LIM_MB);
    (void)state;
    sql("UPDATE checkup SET asked_at = NULL, begun_at = NULL, done_at = NULL, findings = NULL");
    assert_int_equal(checked(a).bad_seq, 0);
    sql("DELETE FROM audit_chain");
    sql("UPDATE audit SET actor = 'eve' ORDER BY id LIMIT 1");
    extend();
    ask();
    assert_int_equal(checked(a).bad_seq, 5);
    fill(NULL);
    sql("UPDATE checkup SET asked_at = NULL, begun_at = NULL, done_at = NULL, findings = NULL");
    assert_int_equal(checked(a).bad_seq, 0);
    sql("DELETE FROM audit ORDER BY id DESC LIMIT 1");
    sql("DELETE FROM audit_chain ORDER BY seq DESC LIMIT 1");
    ask();
    assert_int_equal(checked(a).bad_seq, 5);
    arena_free(&a);
}

static void nobody_else_writes_links(void **state)
{
    (void)state;
    size_t n;
    assert_outcome(audit_chain_extend(console, &head, &n, &err), ERROR, err);
    assert_non_null(strstr(err.msg, "denied"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(entries_are_linked_once, fill),
        cmocka_unit_test_setup(tampering_is_found, fill),
        cmocka_unit_test_setup(a_chain_made_anew_is_another_one, fill),
        cmocka_unit_test_setup(the_agent_goes_through_it, fill),
        cmocka_unit_test_setup(a_chain_that_is_another_than_before_is_told, fill),
        cmocka_unit_test_setup(nobody_else_writes_links, fill),
    };
    int applied;
    conf = testdb_conf(TESTDB_DIR, "drover_test_audit_chain");
    if (db_new(conf, DB_OWNER, &owner, &err) != OK ||
        migrate_run(owner, "sql/schema", false, &applied, &err) != OK ||
        migrate_grants(owner, "sql/grants.sql", conf, &err) != OK ||
        db_new(conf, DB_AGENT, &agent, &err) != OK ||
        db_new(conf, DB_CONSOLE, &console, &err) != OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(&console);
    db_free(&agent);
    db_free(&owner);
    return rc;
}
