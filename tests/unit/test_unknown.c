/* test_unknown.c: devices that the database does not know: held, listed, decided about. */
#include "testdb.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/ident.h"
#include "store/migrate.h"
#include "store/purge.h"
#include "store/unknown.h"
#include "store/who.h"

#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}
SQL(CLEAR, "DELETE FROM unknown_device");
SQL(CLEAR_ENROLLMENT, "DELETE FROM enrollment");
SQL(CLEAR_LIFE, "DELETE FROM life");
SQL(CLEAR_CERT, "DELETE FROM identity_cert");
SQL(CLEAR_AUDIT, "DELETE FROM audit");
SQL(CLEAR_MARK, "DELETE FROM site WHERE name='restored'");
SQL(AUDIT, "SELECT COUNT(*) FROM audit WHERE action=?");
SQL(ENROLLED,
    "SELECT e.ident, e.kind, e.state, e.device_id=e.id, l.state, l.topic, "
    "l.push_token IS NULL, i.life_id=l.id FROM enrollment e JOIN life l ON l.id=e.life_id "
    "JOIN identity_cert i ON i.sha256=l.cert_sha256");

static struct conf *conf;
static struct db *db;
static struct arena *arena;
static struct err err;
static int64_t now;

static int set_up(void **state)
{
    int applied;
    (void)state;
    conf = testdb_conf(TESTDB_DIR, "drover_unknown");
    conf->unknown_action = "hold";
    conf->unknown_hours = 24;
    conf->unknown_max = 3;
    arena = arena_new(64 * LIM_MB);
    assert_ok(db_new(conf, DB_OWNER, &db, &err), err);
    assert_ok(migrate_run(db, "sql/schema", false, &applied, &err), err);
    return 0;
}

static int clear(void **state)
{
    static const struct sql *const all[] = {&CLEAR,      &CLEAR_ENROLLMENT, &CLEAR_LIFE,
                                            &CLEAR_CERT, &CLEAR_AUDIT,      &CLEAR_MARK};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_ok(db_exec(db, all[i], NULL, 0, NULL, &err), err);
    arena_reset(arena);
    conf->unknown_action = "hold";
    now = clock_now();
    return 0;
}

static struct ident device(const char *udid)
{
    struct ident id = {.kind = IDENT_DEVICE, .udid = udid};
    snprintf(id.name, sizeof id.name, "%s", udid);
    snprintf(id.device, sizeof id.device, "%s", udid);
    return id;
}

static enum unknown_answer contact_with(const char *udid, uint8_t cert)
{
    struct ident id = device(udid);
    uint8_t sha[32];
    enum unknown_answer answer;
    memset(sha, cert, sizeof sha);
    assert_ok(unknown_note(db, conf, &id, sha, "CN=x", "com.apple.mgmt.T", "Idle", now, arena,
                           &answer, &err),
              err);
    return answer;
}

static enum unknown_answer contact(const char *udid)
{
    return contact_with(udid, (uint8_t)udid[0]);
}

static size_t listed(struct unknown_device **out)
{
    size_t n;
    assert_ok(unknown_list(db, -1, 0, LIM_PAGE, arena, out, &n, &err), err);
    return n;
}

static int64_t audited(const char *action)
{
    struct rows r;
    assert_ok(db_select(db, &AUDIT, (struct val[]){val_str(action)}, 1, arena, &r, &err), err);
    return row_at(&r, 0, 0)->i;
}

static void is_held_and_written_once_a_minute(void **state)
{
    struct unknown_device *d;
    (void)state;
    assert_int_equal(contact("A"), UNKNOWN_HOLD);
    now += 30 * SECOND_US;
    assert_int_equal(contact("A"), UNKNOWN_HOLD);
    assert_int_equal(listed(&d), 1);
    assert_string_equal(d[0].ident, "A");
    assert_string_equal(d[0].topic, "com.apple.mgmt.T");
    assert_int_equal(d[0].contacts, 1);
    assert_true(d[0].last_seen_at == d[0].first_seen_at);
    now += MINUTE_US;
    assert_int_equal(contact("A"), UNKNOWN_HOLD);
    assert_int_equal(listed(&d), 1);
    assert_int_equal(d[0].contacts, 2);
    assert_true(d[0].last_seen_at == now);
}

static void lists_few_names_of_one_certificate(void **state)
{
    struct unknown_device *d;
    (void)state;
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "N%d", i);
        assert_int_equal(contact_with(name, 7), UNKNOWN_HOLD);
    }
    assert_int_equal(listed(&d), 16);
    assert_int_equal(contact_with("other", 8), UNKNOWN_HOLD);
    assert_int_equal(listed(&d), 17);
}

static void is_accepted_by_a_person(void **state)
{
    struct unknown_device *d, one;
    struct rows r;
    (void)state;
    contact("A");
    assert_int_equal(listed(&d), 1);
    assert_ok(
        unknown_decide(db, d[0].id, DECISION_ACCEPT, "ann", "it is mine", now, arena, &one, &err),
        err);
    assert_int_equal(one.decision, DECISION_ACCEPT);
    assert_string_equal(one.decided_by, "ann");
    assert_outcome(unknown_decide(db, d[0].id, DECISION_ACCEPT, "ann", "", now, arena, &one, &err),
                   CONFLICT, err);
    assert_int_equal(contact("A"), UNKNOWN_ACCEPT);
    assert_int_equal(listed(&d), 0);
    assert_ok(db_select(db, &ENROLLED, NULL, 0, arena, &r, &err), err);
    assert_int_equal(r.n, 1);
    assert_string_equal(row_at(&r, 0, 0)->s, "A");
    assert_int_equal(row_at(&r, 0, 1)->i, IDENT_DEVICE);
    assert_int_equal(row_at(&r, 0, 2)->i, ENROLLMENT_ENROLLED);
    assert_int_equal(row_at(&r, 0, 3)->i, 1);
    assert_int_equal(row_at(&r, 0, 4)->i, LIFE_CURRENT);
    assert_string_equal(row_at(&r, 0, 5)->s, "com.apple.mgmt.T");
    assert_int_equal(row_at(&r, 0, 6)->i, 1);
    assert_int_equal(row_at(&r, 0, 7)->i, 1);
    assert_int_equal(audited("unknown.decide"), 1);
    assert_int_equal(audited("unknown.accepted"), 1);

    struct ident id = device("A");
    struct who who;
    uint8_t sha[32];
    memset(sha, 'A', sizeof sha);
    assert_ok(who_look(db, sha, &id, arena, &who, &err), err);
    assert_int_not_equal(who.verdict, WHO_UNBOUND);
}

static void is_ended_by_a_person_and_held_again(void **state)
{
    struct unknown_device *d, one;
    (void)state;
    contact("A");
    listed(&d);
    assert_ok(unknown_decide(db, d[0].id, DECISION_END, "ann", "sold", now, arena, &one, &err),
              err);
    assert_int_equal(contact("A"), UNKNOWN_END);
    assert_int_equal(contact("A"), UNKNOWN_END);
    assert_ok(unknown_decide(db, d[0].id, DECISION_OPEN, "ann", "no", now, arena, &one, &err), err);
    assert_string_equal(one.decided_by, "");
    assert_int_equal(contact("A"), UNKNOWN_HOLD);
    assert_outcome(
        unknown_decide(db, d[0].id + 1000, DECISION_END, "ann", "", now, arena, &one, &err),
        NOT_FOUND, err);
}

static void rule_waits_for_its_hours(void **state)
{
    struct unknown_device *d;
    (void)state;
    conf->unknown_action = "end";
    assert_int_equal(contact("A"), UNKNOWN_HOLD);
    now += 24 * HOUR_US - 1;
    assert_int_equal(contact("A"), UNKNOWN_HOLD);
    now += 1;
    assert_int_equal(contact("A"), UNKNOWN_END);
    assert_int_equal(contact("A"), UNKNOWN_END);
    assert_int_equal(audited("unknown.end"), 1);
    assert_int_equal(listed(&d), 1);
    assert_string_equal(d[0].decided_by, "rule:unknown-device");
    conf->unknown_action = "hold"; /* what the rule did binds nobody */
    assert_int_equal(contact("A"), UNKNOWN_HOLD);
}

static void rule_spares_a_fleet(void **state)
{
    (void)state;
    conf->unknown_action = "end";
    assert_int_equal(contact("A"), UNKNOWN_HOLD);
    assert_int_equal(contact("B"), UNKNOWN_HOLD);
    assert_int_equal(contact_with("B", 9), UNKNOWN_HOLD); /* the same device twice is one */
    now += 25 * HOUR_US;
    assert_int_equal(contact("A"), UNKNOWN_END);
    assert_int_equal(contact("C"), UNKNOWN_HOLD);
    /* A was ended and counts on: three are unknown */
    assert_int_equal(contact("B"), UNKNOWN_HOLD);
    assert_int_equal(contact("A"), UNKNOWN_HOLD);
}

static void rule_rests_after_a_restore(void **state)
{
    int64_t at;
    (void)state;
    conf->unknown_action = "end";
    contact("A");
    assert_outcome(unknown_restored_set(db, true, "ann", "done", now, &err), CONFLICT, err);
    assert_ok(unknown_restored_set(db, false, "ann", "disk died", now, &err), err);
    assert_ok(unknown_restored_get(db, arena, &at, &err), err);
    assert_true(at == now);
    now += 25 * HOUR_US;
    assert_int_equal(contact("A"), UNKNOWN_HOLD);
    contact("B"); /* first seen after the restore: as lost as the others */
    now += 25 * HOUR_US;
    assert_int_equal(contact("B"), UNKNOWN_HOLD);
    assert_ok(unknown_restored_set(db, true, "ann", "all accepted", now, &err), err);
    assert_int_equal(contact("B"), UNKNOWN_END);
}

static void long_and_strange_texts_fit(void **state)
{
    struct ident id = device("A");
    struct unknown_device *d;
    enum unknown_answer answer;
    uint8_t sha[32] = {1};
    char *text = malloc(100001);
    (void)state;
    for (int i = 0; i < 100000; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    text[100000] = '\0';
    assert_ok(unknown_note(db, conf, &id, sha, text, text, text, now, arena, &answer, &err), err);
    free(text);
    assert_int_equal(listed(&d), 1);
    assert_int_equal(strlen(d[0].subject), 1024);
}

/* Both were looked up before either was bound. */
static void one_certificate_is_accepted_once(void **state)
{
    static const struct sql OWNER = {
        "OWNER", "SELECT e.ident FROM identity_cert i JOIN enrollment e ON e.id=i.device_id", 0};
    struct unknown_device *d, done;
    struct rows r;
    (void)state;
    contact_with("A", 7);
    contact_with("B", 7);
    assert_int_equal(listed(&d), 2);
    for (int i = 0; i < 2; i++)
        assert_ok(
            unknown_decide(db, d[i].id, DECISION_ACCEPT, "ann", "ours", now, arena, &done, &err),
            err);
    assert_int_equal(contact_with("A", 7), UNKNOWN_ACCEPT);
    assert_int_equal(contact_with("B", 7), UNKNOWN_HOLD);
    assert_ok(db_select(db, &OWNER, NULL, 0, arena, &r, &err), err);
    assert_int_equal(r.n, 1);
    assert_string_equal(row_at(&r, 0, 0)->s, "A");
    assert_int_equal(audited("unknown.accepted"), 1);
}

static void pages_and_is_purged(void **state)
{
    struct unknown_device *d;
    size_t n;
    uint64_t gone;
    (void)state;
    contact("A");
    contact("B");
    now += 2 * DAY_US;
    contact("C");
    assert_ok(unknown_list(db, DECISION_OPEN, 0, 2, arena, &d, &n, &err), err);
    assert_int_equal(n, 2);
    assert_ok(unknown_list(db, DECISION_OPEN, d[1].id, 2, arena, &d, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(d[0].ident, "C");
    assert_ok(unknown_list(db, DECISION_END, 0, 2, arena, &d, &n, &err), err);
    assert_int_equal(n, 0);
    now -= 200 * DAY_US;
    contact("D");
    assert_int_equal(listed(&d), 4);
    assert_ok(purge_run(db, &gone, &err), err);
    assert_int_equal(listed(&d), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(is_held_and_written_once_a_minute, clear),
        cmocka_unit_test_setup(lists_few_names_of_one_certificate, clear),
        cmocka_unit_test_setup(is_accepted_by_a_person, clear),
        cmocka_unit_test_setup(is_ended_by_a_person_and_held_again, clear),
        cmocka_unit_test_setup(rule_waits_for_its_hours, clear),
        cmocka_unit_test_setup(rule_spares_a_fleet, clear),
        cmocka_unit_test_setup(rule_rests_after_a_restore, clear),
        cmocka_unit_test_setup(long_and_strange_texts_fit, clear),
        cmocka_unit_test_setup(one_certificate_is_accepted_once, clear),
        cmocka_unit_test_setup(pages_and_is_purged, clear),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
