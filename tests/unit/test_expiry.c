/* test_expiry.c: the calendar of ends: what stands in it, its addresses, and iCalendar. */
#include "testdb.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "store/expiry.h"
#include "store/migrate.h"
#include "wire/ical.h"

#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}
SQL(PUSH, "INSERT INTO push_cert (topic, cert_pem, key_sealed, sha256, not_before, not_after, "
          "added_at, added_by) VALUES ('com.apple.mgmt.x', '', '', REPEAT('x', 32), 1, ?, 1, 'y')");
SQL(CA, "INSERT INTO trust_ca (sha256, der, subject, not_after, added_at, added_by) VALUES "
        "(REPEAT('x', 32), '', REPEAT('CN=\xc3\xbc', 60), ?, 1, 'y')");
SQL(DEVICES, "INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, created_at, "
             "last_seen_at) SELECT seq, CONCAT('d', seq), 1, seq, 2, seq, 1, 1 FROM seq_1_to_50");
/* forty in one month, ten in another; the life before the last, and a revoked one, count for none
 */
SQL(IDENTITIES,
    "INSERT INTO identity_cert (sha256, not_before, not_after, device_id, life_id, revoked_at) "
    "SELECT UNHEX(SHA2(seq, 256)), 1, IF(seq > 40, 1800000000000000, 1900000000000000) + seq, "
    "LEAST(seq, 50), IF(seq > 51, 999, LEAST(seq, 50)), IF(seq = 51, 1, NULL) FROM seq_1_to_60");

static struct conf *conf;
static struct db *db;
static struct arena *a;
static struct err err;

static int set_up(void **state)
{
    (void)state;
    int applied;
    a = arena_new(16u << 20);
    conf = testdb_conf(TESTDB_DIR, "drover_expiry");
    assert_ok(db_new(conf, DB_OWNER, &db, &err), err);
    assert_ok(migrate_run(db, "sql/schema", false, &applied, &err), err);
    assert_ok(migrate_grants(db, "sql/grants.sql", conf, &err), err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    db_free(&db);
    arena_free(&a);
    return 0;
}

static void listed(void **state)
{
    (void)state;
    struct val t = val_int(1700000000000000);
    struct expiry *e;
    struct db *agent = NULL, *console = NULL;
    size_t n;
    assert_ok(db_exec(db, &PUSH, &t, 1, NULL, &err), err);
    t = val_int(1600000000000000);
    assert_ok(db_exec(db, &CA, &t, 1, NULL, &err), err);
    assert_ok(db_exec(db, &DEVICES, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &IDENTITIES, NULL, 0, NULL, &err), err);
    assert_ok(db_new(conf, DB_AGENT, &agent, &err), err);
    assert_ok(db_new(conf, DB_CONSOLE, &console, &err), err);
    struct expiry put = {
        .kind = "scep-ca", .name = "CN=CA", .detail = "d", .ends_at = 5, .count = 1};
    assert_ok(expiry_put(agent, &put, 10, &err), err);
    put.ends_at = 1750000000000000;
    assert_ok(expiry_put(agent, &put, 11, &err), err);
    assert_ok(expiry_identities(agent, 12, &err), err);
    assert_ok(expiry_identities(agent, 13, &err), err);
    assert_ok(expiry_list(console, INT64_MAX, 100, a, &e, &n, &err), err);
    assert_int_equal(n, 5);
    assert_string_equal(e[0].kind, "trusted-ca");
    assert_int_equal(e[0].ends_at, 1600000000000000);
    assert_string_equal(e[1].kind, "push-certificate");
    assert_string_equal(e[1].name, "com.apple.mgmt.x");
    assert_string_equal(e[2].kind, "scep-ca");
    assert_string_equal(e[3].name, "2027-01");
    assert_int_equal(e[3].count, 10);
    assert_int_equal(e[3].ends_at, 1800000000000041);
    assert_int_equal(e[4].count, 40);
    for (size_t i = 0; i < n; i++)
        assert_string_not_equal(expiry_title(e[i].kind), "Something");
    assert_ok(expiry_list(console, 1700000000000000, 100, a, &e, &n, &err), err);
    assert_int_equal(n, 1);
    /* what is not seen any more goes, what other tables hold stays */
    assert_ok(expiry_forget(agent, 12, &err), err);
    assert_ok(expiry_list(agent, INT64_MAX, 100, a, &e, &n, &err), err);
    assert_int_equal(n, 4);
    db_free(&agent);
    db_free(&console);
}

/* The agent's look, in a process that knows nothing of the one before. */
static void look_anew(int64_t now)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct db *agent = NULL;
        struct expiry *e;
        size_t n = 0;
        bool good = db_new(conf, DB_AGENT, &agent, &err) == OK &&
                    expiry_list(agent, INT64_MAX, 100, a, &e, &n, &err) == OK;
        for (size_t i = 0; good && i < n; i++)
            good = expiry_tell(agent, &e[i], now, a, &err) == OK;
        db_free(&agent);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int64_t told(const char *what)
{
    static const struct sql COUNT = {"told",
                                     "SELECT COUNT(*) FROM webhook_event WHERE topic = 11 AND "
                                     "INSTR(facts, ?) > 0",
                                     0};
    struct rows r;
    assert_ok(db_select(db, &COUNT, (struct val[]){val_str(what)}, 1, a, &r, &err), err);
    return row_at(&r, 0, 0)->i;
}

/* Once for each end and each step by which it comes nearer, however often the agent starts. */
static void told_once(void **state)
{
    (void)state;
    const int64_t end = 2000000000000000;
    const char *one = "\"CN=told\"", *month = "\"2033-06\"";
    struct expiry put = {
        .kind = "scep-ca", .name = "CN=told", .detail = "", .ends_at = end, .count = 1};
    struct expiry devices = {
        .kind = "device-identities", .name = "2033-06", .detail = "", .ends_at = end, .count = 2};
    assert_ok(expiry_put(db, &put, 1, &err), err);
    assert_ok(expiry_put(db, &devices, 1, &err), err);
    look_anew(end - DAY_US); /* nobody wants it: nothing is used up */
    assert_ok(db_run(db, "hook",
                     "INSERT INTO webhook (id, name, url, wants, payload, secret, state, state_at, "
                     "state_by, created_at, created_by) VALUES (1, 'w', 'https://x', 1 << 11, 0, "
                     "'x', 1, 1, 't', 1, 't')",
                     &err),
              err);
    look_anew(end - 31 * DAY_US);
    assert_int_equal(told(one), 0);
    for (int i = 0; i < 3; i++) {
        look_anew(end - 29 * DAY_US + i * HOUR_US);
        assert_int_equal(told(one), 1);
    }
    assert_int_equal(told(month), 0); /* they renew themselves */
    for (int i = 0; i < 2; i++) {
        look_anew(end - 6 * DAY_US + i * DAY_US);
        assert_int_equal(told(one), 2);
        assert_int_equal(told(month), 1);
        devices.ends_at += HOUR_US; /* the first of them was renewed */
        assert_ok(expiry_put(db, &devices, 1, &err), err);
    }
    look_anew(end + DAY_US);
    look_anew(end + 2 * DAY_US);
    assert_int_equal(told(one), 3);
    put.ends_at = end + 300 * DAY_US; /* its successor */
    assert_ok(expiry_put(db, &put, 1, &err), err);
    look_anew(end + 2 * DAY_US);
    assert_int_equal(told(one), 3);
    look_anew(end + 280 * DAY_US);
    assert_int_equal(told(one), 4);
}

static void addresses(void **state)
{
    (void)state;
    char one[FEED_TOKEN_LEN + 1], two[FEED_TOKEN_LEN + 1];
    struct calendar_feed *f;
    size_t n;
    assert_ok(feed_new(db, "ops", "anna", one, &err), err);
    assert_outcome(feed_new(db, "ops", "anna", two, &err), CONFLICT, err);
    assert_outcome(feed_new(db, "", "anna", two, &err), INVALID, err);
    assert_ok(feed_new(db, "boss", "anna", two, &err), err);
    assert_string_not_equal(one, two);
    assert_ok(feed_check(db, one, clock_now(), a, &err), err);
    assert_ok(feed_list(db, a, &f, &n, &err), err);
    assert_int_equal(n, 2);
    assert_true(f[1].last_used_at > 0 && f[0].last_used_at == 0);
    assert_ok(feed_revoke(db, "ops", "anna", &err), err);
    assert_outcome(feed_revoke(db, "ops", "anna", &err), NOT_FOUND, err);
    assert_outcome(feed_check(db, one, clock_now(), a, &err), NOT_FOUND, err);
    assert_ok(feed_check(db, two, clock_now(), a, &err), err);
}

/* The unfolded lines of text; each physical one must end in CR LF, be of at most 75 octets and cut
 * no character. */
static const char *unfold(const char *text)
{
    struct buf out = BUF_INIT(LIM_MB);
    for (const char *p = text; *p;) {
        const char *end = strstr(p, "\r\n");
        assert_non_null(end);
        size_t n = (size_t)(end - p);
        assert_true(n <= 75);
        assert_true(utf8_valid(bytes_of(p, n)));
        if (*p == ' ')
            buf_add(&out, p + 1, n - 1);
        else
            buf_fmt(&out, "%s%.*s", out.len ? "\n" : "", (int)n, p);
        p = end + 2;
    }
    const char *s = arena_strdup(a, buf_cstr(&out));
    buf_free(&out);
    return s;
}

static void icalendar(void **state)
{
    (void)state;
    static const int alarms[] = {30};
    struct buf b = BUF_INIT(LIM_MB), names = BUF_INIT(LIM_MB);
    for (int pad = 0; pad < 5; pad++) { /* every place at which a character could be cut */
        buf_clear(&b);
        buf_clear(&names);
        for (int i = 0; i < pad; i++)
            buf_char(&names, 'x');
        for (int i = 0; i < 60; i++)
            buf_str(&names, i % 3 ? "\xc3\xbc" : "\xf0\x9f\x90\x91");
        struct ical_event e = {.uid = "u@h",
                               .summary = buf_cstr(&names),
                               .description = "a\\b;c,d\ne\x01\r",
                               .category = "C",
                               .at = 1700000000000000,
                               .alarm_days = alarms,
                               .nalarms = 1};
        ical_begin(&b, "Drover");
        ical_event(&b, &e, 1600000000000000);
        ical_end(&b);
        const char *s = unfold(buf_cstr(&b));
        assert_true(strncmp(s, "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:", 35) == 0);
        assert_non_null(strstr(s, "\nDESCRIPTION:a\\\\b\\;c\\,d\\ne\n"));
        assert_non_null(strstr(s, "\nDTSTART:20231114T221320Z\n"));
        assert_non_null(strstr(s, "\nDTSTAMP:20200913T122640Z\n"));
        assert_non_null(strstr(s, "\nTRIGGER:-P30D\n"));
        assert_non_null(strstr(s, arena_fmt(a, "\nSUMMARY:%s\n", buf_cstr(&names))));
        assert_non_null(strstr(s, "\nEND:VEVENT\nEND:VCALENDAR"));
    }
    buf_free(&b);
    buf_free(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(listed), cmocka_unit_test(told_once),
                                       cmocka_unit_test(addresses), cmocka_unit_test(icalendar)};
    return cmocka_run_group_tests_name("expiry", tests, set_up, tear_down);
}
