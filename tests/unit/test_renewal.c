/*
 * test_renewal.c: which identities are planned, in which order and how many begin, what becomes of
 * those under way; and the plan over 100,000 enrollments.
 */
#include "owner.h"

#include <sys/resource.h>

#include "base/clock.h"
#include "store/renewal.h"
#include "wire/x509.h"

#define MANY 100000
#define MONTH (30 * DAY_US)

static int64_t now;

/* Enrollments 1..n with identities of Drover's: valid for a year, of which `left` days are left. */
static void enrolled(int n, int left)
{
    char text[700];
    long long end = now + left * DAY_US;
    snprintf(text, sizeof text,
             "INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, created_at, "
             "last_seen_at) SELECT seq, CONCAT('D', seq), 1, seq, 2, seq, 1, 1 FROM seq_1_to_%d",
             n);
    sql(text);
    snprintf(text, sizeof text,
             "INSERT INTO life (id, enrollment_id, state, opened_at, push_token, topic, "
             "cert_sha256) SELECT seq, seq, 2, 1, 'token', 'com.apple.mgmt.x', UNHEX(SHA2(seq, "
             "256)) FROM seq_1_to_%d",
             n);
    sql(text);
    snprintf(text, sizeof text,
             "INSERT INTO identity_cert (sha256, serial, not_before, not_after, issued_at, "
             "device_id, life_id) SELECT UNHEX(SHA2(seq, 256)), seq, %lld, %lld + (seq DIV 3), 1, "
             "seq, seq FROM seq_1_to_%d",
             end - 365 * DAY_US, end, n);
    sql(text);
}

static size_t plan(void)
{
    size_t n;
    assert_ok(renewal_plan(db, now, MONTH, &n, &err), err);
    return n;
}

static struct renewal_followed follow(int64_t when)
{
    struct renewal_followed f;
    assert_ok(renewal_follow(db, when, &f, &err), err);
    return f;
}

static int each_setup(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "TRUNCATE enrollment", "TRUNCATE life",  "TRUNCATE identity_cert", "TRUNCATE renewal",
        "TRUNCATE command",    "TRUNCATE queue", "TRUNCATE result",        "TRUNCATE audit"};
    arena_reset(arena);
    now = clock_now();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        sql(texts[i]);
    return 0;
}

static void who_is_planned(void **state)
{
    (void)state;
    char text[200];
    struct renewal_item *list;
    size_t n;
    enrolled(9, 10);
    sql("UPDATE identity_cert SET not_after = not_after + 3000000000000 WHERE device_id = 1");
    sql("UPDATE identity_cert SET issued_at = NULL WHERE device_id = 2"); /* another CA's */
    sql("UPDATE identity_cert SET revoked_at = 1 WHERE device_id = 3");
    sql("UPDATE enrollment SET state = 4 WHERE id = 4");
    sql("UPDATE enrollment SET life_id = 999 WHERE id = 5"); /* an identity of an earlier life */
    snprintf(text, sizeof text,
             "UPDATE identity_cert SET not_after = %lld WHERE device_id = 6", /* past */
             (long long)(now - DAY_US));
    sql(text);
    snprintf(text, sizeof text,
             "UPDATE identity_cert SET not_before = %lld WHERE device_id = 7", /* a short one */
             (long long)(now - DAY_US));
    sql(text);
    assert_int_equal(plan(), 3);
    assert_int_equal(number("SELECT COUNT(*) FROM renewal WHERE device_id IN (6, 8, 9)"), 3);
    assert_int_equal(plan(), 0);
    assert_ok(renewal_list(db, now + MONTH, 100, arena, &list, &n, &err), err);
    assert_string_equal(list[0].ident, "D6");
    assert_string_equal(renewal_state_name(list[0].state), "planned");
}

/* A CA certificate as a text of SQL. */
static const char *ca_pem(const char *name)
{
    struct pkey *key = NULL;
    struct buf der = BUF_INIT(1 << 16), pem = BUF_INIT(1 << 16);
    struct cert_profile p = {
        .common_name = name, .not_before = now, .not_after = now + DAY_US, .ca = true};
    assert_ok(pkey_new_p256(&key, &err), err);
    assert_ok(cert_issue(&p, bytes_of(NULL, 0), key, bytes_of(NULL, 0), key, &der, &err), err);
    cert_to_pem(buf_bytes(&der), &pem);
    const char *text = arena_strdup(arena, buf_cstr(&pem));
    pkey_free(&key);
    buf_free(&der);
    buf_free(&pem);
    return text;
}

static void version(int number, const char *certificates)
{
    sql(arena_fmt(arena,
                  "INSERT INTO enroll_profile_version (profile_id, version, made_at, made_by, "
                  "description, consent, access_rights, sign_message, check_out_when_removed, "
                  "use_development_apns, certificates, identity) VALUES (7, %d, 1, 'x', '', '', 1, "
                  "0, 0, 0, '%s', 1)",
                  number, certificates));
}

static size_t plan_changed(void)
{
    size_t n;
    assert_ok(renewal_plan_changed(db, now, &n, &err), err);
    return n;
}

/* Devices get a profile anew when it brings a certificate that they lack, and only then. */
static void what_a_profile_installs(void **state)
{
    (void)state;
    const char *one = ca_pem("one"), *two = ca_pem("two");
    enrolled(4, 300);
    sql("TRUNCATE enroll_profile");
    sql("TRUNCATE enroll_profile_version");
    sql("TRUNCATE handout");
    sql("INSERT INTO enroll_profile (id, name, version, created_at, created_by) VALUES (7, 'lab', "
        "1, 1, 'x')");
    version(1, one);
    version(2, arena_fmt(arena, "a comment\n%s", one)); /* other words, the same certificate */
    version(3, "");                                     /* less than before */
    version(4, arena_fmt(arena, "%s%s", two, one));
    sql("INSERT INTO handout (id, profile_id, profile_version, way, topic, server_url, "
        "checkin_url, access_rights, server_capabilities, made_at) SELECT seq, 7, IF(seq = 4, 4, "
        "1), 1, '', '', '', 1, '', 1 FROM seq_1_to_4");
    sql("UPDATE life SET handout_id = id");
    sql("UPDATE life SET handout_id = NULL WHERE id = 3"); /* what it enrolled with is not known */
    assert_int_equal(plan_changed(), 0);
    sql("UPDATE enroll_profile SET version = 2");
    assert_int_equal(plan_changed(), 0);
    sql("UPDATE enroll_profile SET version = 3");
    assert_int_equal(plan_changed(), 0);
    sql("UPDATE enroll_profile SET version = 4");
    assert_int_equal(plan_changed(), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM renewal WHERE state = 1 AND device_id IN (1, 2)"),
                     2);
    assert_int_equal(plan_changed(), 0);
    struct renewal_due *due;
    size_t n;
    assert_ok(renewal_due_read(db, now, 10, arena, &due, &n, &err), err);
    assert_int_equal(n, 2);
    /* the new profile is in: the device is one of the new version */
    sql("UPDATE life SET handout_id = 4, cert_sha256 = UNHEX(SHA2('new', 256)) WHERE id = 1");
    assert_int_equal(plan_changed(), 0);
    /* and what has failed before is left to its back-off */
    sql("UPDATE renewal SET due_at = 9000000000000000, attempts = 3 WHERE device_id = 2");
    assert_int_equal(plan_changed(), 0);
    assert_int_equal(number("SELECT attempts FROM renewal WHERE device_id = 2"), 3);
}

static void a_renewal_and_its_proof(void **state)
{
    (void)state;
    struct renewal_due *due;
    const char *uuid;
    int64_t id;
    size_t n;
    enrolled(2, 10);
    plan();
    assert_ok(renewal_due_read(db, now, 10, arena, &due, &n, &err), err);
    assert_int_equal(n, 2);
    assert_string_equal(due[0].topic, "com.apple.mgmt.x");
    assert_ok(renewal_begin(db, 1, "U1", now, now + DAY_US, &err), err);
    assert_outcome(renewal_begin(db, 1, "U2", now, now + DAY_US, &err), CONFLICT, err);
    assert_outcome(renewal_command(db, "D1", arena, &id, &uuid, &err), NOT_FOUND, err);
    sql("INSERT INTO command (id, uuid, request_type, body, created_at, created_by) VALUES (5, "
        "'U1', 'InstallProfile', '', 1, 'x')");
    sql("INSERT INTO queue (enrollment_id, urgency, queued_at, command_id, state) VALUES (1, 0, 1, "
        "5, 1)");
    assert_ok(renewal_command(db, "D1", arena, &id, &uuid, &err), err);
    assert_int_equal(id, 5);
    assert_outcome(renewal_command(db, "D2", arena, &id, &uuid, &err), NOT_FOUND, err);
    struct renewal_followed f = follow(now);
    assert_int_equal(f.done + f.failed, 0);
    /* acknowledged is no proof; another identity in the current life is */
    sql("DELETE FROM queue");
    sql("INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at) VALUES (1, 5, "
        "4, 1, 1)");
    f = follow(now);
    assert_int_equal(f.done + f.failed, 0);
    sql("UPDATE life SET cert_sha256 = UNHEX(SHA2('new', 256)) WHERE id = 1");
    f = follow(now);
    assert_int_equal(f.done, 1);
    assert_int_equal(number("SELECT state FROM renewal WHERE device_id = 1"), RENEWAL_DONE);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'renewal.done'"), 1);
}

static void failures_and_back_off(void **state)
{
    (void)state;
    struct renewal_due *due;
    size_t n;
    int64_t when = now, wait = HOUR_US;
    enrolled(1, 10);
    plan();
    for (int i = 0; i < 7; i++) {
        assert_ok(renewal_begin(db, 1, "U1", when, when + DAY_US, &err), err);
        assert_int_equal(follow(when).failed, 1); /* there is no such command */
        assert_ok(renewal_due_read(db, when + wait - 1, 10, arena, &due, &n, &err), err);
        assert_int_equal(n, 0);
        assert_ok(renewal_due_read(db, when + wait, 10, arena, &due, &n, &err), err);
        assert_int_equal(n, 1);
        when += wait;
        wait = i < 4 ? wait * 2 : DAY_US;
    }
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'renewal.fail'"), 7);
    /* not confirmed in time */
    assert_ok(renewal_begin(db, 1, "U1", when, when + DAY_US, &err), err);
    sql("INSERT INTO command (id, uuid, request_type, body, created_at, created_by) VALUES (5, "
        "'U1', 'InstallProfile', '', 1, 'x')");
    sql("INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at) VALUES (1, 5, "
        "4, 1, 1)");
    assert_int_equal(follow(when + DAY_US - 1).failed, 0);
    assert_int_equal(follow(when + DAY_US).failed, 1);
}

static void the_pace(void **state)
{
    (void)state;
    struct renewal_due *due;
    size_t n, allowed;
    bool halted;
    enrolled(60, 10);
    plan();
    assert_ok(renewal_due_read(db, now, 60, arena, &due, &n, &err), err);
    for (int i = 0; i < 40; i++)
        assert_ok(renewal_begin(db, due[i].device_id, "U", now, now + DAY_US, &err), err);
    assert_ok(renewal_allowance(db, now, 50, &allowed, &halted, &err), err);
    assert_int_equal(allowed, 10);
    assert_ok(renewal_allowance(db, now, 40, &allowed, &halted, &err), err);
    assert_int_equal(allowed, 0);
    assert_ok(renewal_allowance(db, now + HOUR_US, 40, &allowed, &halted, &err), err);
    assert_int_equal(allowed, 40);
    assert_false(halted);
    for (int i = 0; i < 11; i++)
        assert_ok(renewal_fail(db, due[i].device_id, now, "test", &err), err);
    assert_ok(renewal_allowance(db, now + HOUR_US, 40, &allowed, &halted, &err), err);
    assert_true(halted);
    assert_int_equal(allowed, 0);
    assert_ok(renewal_allowance(db, now + 2 * DAY_US, 40, &allowed, &halted, &err), err);
    assert_false(halted);
}

static void the_plan_of_a_hundred_thousand(void **state)
{
    (void)state;
    struct rusage before, after;
    enrolled(MANY, 10);
    getrusage(RUSAGE_SELF, &before);
    int64_t start = clock_mono();
    assert_int_equal(plan(), MANY);
    int64_t first = clock_mono() - start;
    start = clock_mono();
    assert_int_equal(plan(), 0);
    int64_t again = clock_mono() - start;
    getrusage(RUSAGE_SELF, &after);
    printf("%d identities planned in %.2f s, again in %.2f s, %ld kB more\n", MANY,
           (double)first / SECOND_US, (double)again / SECOND_US,
           after.ru_maxrss - before.ru_maxrss);
#ifndef __SANITIZE_ADDRESS__ /* which keeps for a while what was freed */
    assert_true(after.ru_maxrss - before.ru_maxrss < 8192);
#endif
    assert_int_equal(number("SELECT COUNT(*) FROM renewal"), MANY);
}

static int setup(void **state)
{
    (void)state;
    owner_up("drover_renewal");
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
        cmocka_unit_test_setup(who_is_planned, each_setup),
        cmocka_unit_test_setup(what_a_profile_installs, each_setup),
        cmocka_unit_test_setup(a_renewal_and_its_proof, each_setup),
        cmocka_unit_test_setup(failures_and_back_off, each_setup),
        cmocka_unit_test_setup(the_pace, each_setup),
        cmocka_unit_test_setup(the_plan_of_a_hundred_thousand, each_setup),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
