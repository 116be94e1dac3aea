/* test_bulk.c: one command for many devices: who is hit, slice by slice, once each. */
#include "testdb.h"

#include "base/clock.h"
#include "base/limits.h"
#include "command/bulk.h"
#include "http/csv.h"
#include "store/activity.h"
#include "store/bulk.h"
#include "store/failed.h"
#include "store/history.h"
#include "store/migrate.h"
#include "store/search.h"

static struct conf conf;
static struct arena *arena;
static struct db *owner, *agent, *console, *mdm;
static struct err err;
static const struct device_filter everything = {.text = "", .platform = "", .os = ""};

static void sql(const char *text)
{
    assert_ok(db_run(owner, "r", text, &err), err);
}

static int64_t number(const char *text)
{
    struct sql s = {.name = "number", .text = text};
    struct db *d = NULL;
    struct rows r;
    assert_ok(db_new(&conf, DB_OWNER, &d, &err), err);
    assert_ok(db_select(d, &s, NULL, 0, arena, &r, &err), err);
    db_free(&d);
    return row_at(&r, 0, 0)->i;
}

/* 450 devices: of each ten six iPhones, three Macs, and one that left. */
static int fill(void **state)
{
    static const char *const tables[] = {"queue",      "command",  "push",       "life",
                                         "enrollment", "bulk_job", "bulk_target"};
    char text[64];
    (void)state;
    arena_reset(arena);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        snprintf(text, sizeof text, "DELETE FROM %s", tables[i]);
        sql(text);
    }
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, serial, device_name, "
        "product_name, os_version, created_at, last_seen_at) SELECT seq, CONCAT('D', seq), 1, seq, "
        "IF(seq % 10 = 0, 3, 2), seq, CONCAT('SER', seq), CONCAT('Name ', seq), "
        "IF(seq % 10 < 7, 'iPhone14,2', 'Mac15,3'), IF(seq % 2, '18.1', '17.6'), 1, seq "
        "FROM seq_1_to_450");
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, user_short_name, created_at, "
        "last_seen_at) VALUES (9001, 'D1:u', 2, 1, 2, 'alice', 1, 1)");
    sql("INSERT INTO life (id, enrollment_id, state, topic, push_token, push_magic, opened_at, "
        "token_at) SELECT seq, seq, 2, 't', 'x', 'm', 1, 1 FROM seq_1_to_450");
    for (size_t n = 1; n > 0;)
        assert_ok(search_turn(agent, 1000, &n, &err), err);
    return 0;
}

static struct bulk_job job(const char *type, struct device_filter f)
{
    return (struct bulk_job){.request_type = type, .filter = f, .created_by = "ann"};
}

static struct bulk_job look(int64_t id)
{
    struct bulk_job j;
    assert_ok(bulk_get(console, id, arena, &j, &err), err);
    return j;
}

static int turns(void)
{
    bool more = true;
    int n = 0;
    for (; more; n++)
        assert_ok(bulk_turn(agent, &conf, &more, &err), err);
    return n;
}

static void everybody_gets_it_once(void **state)
{
    (void)state;
    struct bulk_job j = job("SecurityInfo", everything);
    assert_ok(bulk_add(console, &j, NULL, 0, 5, &err), err);
    assert_int_equal(j.total, 450);
    assert_int_equal(turns(), 3);
    struct bulk_job done = look(j.id);
    assert_int_equal(done.state, BULK_DONE);
    assert_int_equal(done.queued, 405);
    assert_int_equal(done.refused, 45);
    assert_true(done.ended_at > 0);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 405);
    assert_int_equal(number("SELECT COUNT(DISTINCT enrollment_id) FROM queue"), 405);
    assert_int_equal(number("SELECT COUNT(*) FROM push"), 405);
    assert_int_equal(number("SELECT COUNT(*) FROM command WHERE created_by = 'ann'"), 3);
    assert_int_equal(turns(), 1); /* nothing more to do */
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 405);
}

static void only_those_that_fit(void **state)
{
    (void)state;
    struct device_filter f = everything;
    int64_t n, all, reached;
    f.platform = "iPhone";
    assert_ok(device_count_reached(console, &f, arena, &all, &reached, &err), err);
    assert_int_equal(all, 315);
    assert_int_equal(reached, 270);
    f.states = 1u << ENROLLMENT_LEFT;
    assert_ok(device_count_reached(console, &f, arena, &all, &reached, &err), err);
    assert_int_equal(all, 45);
    assert_int_equal(reached, 0);
    f.platform = "Mac";
    f.states = 1u << ENROLLMENT_ENROLLED;
    assert_ok(device_count(console, &f, arena, &n, &err), err);
    assert_int_equal(n, 135);
    f.os = "18";
    assert_ok(device_count(console, &f, arena, &n, &err), err);
    assert_int_equal(n, 90);
    f.seen_before = 100;
    assert_ok(device_count(console, &f, arena, &n, &err), err);
    assert_int_equal(n, 20);
    struct bulk_job j = job("DeviceInformation", f);
    assert_ok(bulk_add(console, &j, NULL, 0, 5, &err), err);
    assert_int_equal(turns(), 1);
    assert_int_equal(look(j.id).queued, 20);
    assert_int_equal(number("SELECT COUNT(*) FROM queue q JOIN enrollment e ON e.id = "
                            "q.enrollment_id WHERE e.product_name = 'Mac15,3' AND e.id < 100"),
                     20);
    assert_int_equal(number("SELECT COUNT(*) FROM command WHERE body LIKE '%<string>OSVersion<%'"),
                     1);
    /* what the text finds; a user's name leads to the device */
    f = everything;
    f.text = "ALICE";
    assert_ok(device_count(console, &f, arena, &n, &err), err);
    assert_int_equal(n, 1);
    f.text = "%";
    assert_ok(device_count(console, &f, arena, &n, &err), err);
    assert_int_equal(n, 0);
    j = job("ProfileList", f);
    assert_outcome(bulk_add(console, &j, NULL, 0, 5, &err), NOT_FOUND, err);
}

static void those_that_were_picked(void **state)
{
    (void)state;
    static const char *const picked[] = {"D7", "D3", "D10", "nobody", "D1:u"};
    struct bulk_job j = job("RestartDevice", everything);
    assert_ok(bulk_add(console, &j, picked, 5, 5, &err), err);
    assert_int_equal(j.total, 3); /* the user is no device */
    assert_int_equal(turns(), 1);
    assert_int_equal(look(j.id).queued, 2);
    assert_int_equal(look(j.id).refused, 1);
    assert_int_equal(number("SELECT COUNT(*) FROM queue WHERE enrollment_id IN (3, 7)"), 2);
}

static void stopped_and_refused(void **state)
{
    (void)state;
    struct bulk_job j = job("SecurityInfo", everything), *list;
    bool more;
    size_t n;
    assert_ok(bulk_add(console, &j, NULL, 0, 5, &err), err);
    assert_ok(bulk_turn(agent, &conf, &more, &err), err);
    assert_true(more);
    assert_ok(bulk_stop(console, j.id, "ben", 9, &err), err);
    assert_int_equal(turns(), 1);
    struct bulk_job s = look(j.id);
    assert_int_equal(s.state, BULK_STOPPED);
    assert_string_equal(s.ended_why, "ben");
    assert_int_equal(s.queued, 180);
    assert_outcome(bulk_add(console, &j, NULL, 0, 5, &err), CONFLICT, err); /* it is there */
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 180);
    assert_outcome(bulk_stop(console, j.id, "ben", 9, &err), CONFLICT, err);
    /* what somebody wrote into the table by hand does not get out */
    j = job("EraseDevice", everything);
    assert_false(bulk_command_known("EraseDevice"));
    assert_ok(bulk_add(console, &j, NULL, 0, 5, &err), err);
    assert_int_equal(turns(), 1);
    assert_int_equal(look(j.id).state, BULK_FAILED);
    assert_int_equal(number("SELECT COUNT(*) FROM command WHERE request_type = 'EraseDevice'"), 0);
    assert_ok(bulk_list(console, 0, 10, arena, &list, &n, &err), err);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].request_type, "EraseDevice");
}

/* Sixty that failed of two commands, one sensitive one, and one that was sent again before. */
static void what_failed_is_sent_again(void **state)
{
    struct bulk_job j = {.task = BULK_FAILED_AGAIN,
                         .failed_since = 1,
                         .failed_before = 5000,
                         .no_push = true,
                         .created_by = "ann"},
                    done;
    bool more;
    (void)state;
    sql("DELETE FROM result");
    sql("INSERT INTO command (id, uuid, request_type, body, created_at, created_by) SELECT seq, "
        "CONCAT('U', seq), ELT(seq, 'ProfileList', 'SecurityInfo', 'DeviceLock'), "
        "CONCAT('<plist "
        "version=\"1.0\"><dict><key>Command</key><dict><key>RequestType</key><string>', "
        "ELT(seq, 'ProfileList', 'SecurityInfo', 'DeviceLock'), '</string></dict><key>CommandUUID"
        "</key><string>U', seq, '</string></dict></plist>'), 1, 'ben' FROM seq_1_to_3");
    sql("INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at, digest) "
        "SELECT "
        "e.id, IF(e.id % 2, 1, 2), 5, 1, 1000 + e.id, 3 FROM enrollment e WHERE e.kind = 1 AND "
        "e.state = 2 AND e.id < 67");
    assert_int_equal(number("SELECT COUNT(*) FROM result"), 60);
    sql("INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at, digest) "
        "VALUES "
        "(71, 3, 5, 1, 900, 3), (72, 1, 5, 1, 901, 3), (73, 1, 5, 1, 6000, 3)");
    sql("INSERT INTO command (id, uuid, request_type, body, created_at, created_by, retry_of) "
        "VALUES (4, 'U4', 'ProfileList', 'x', 1, 'ben', 1)");
    sql("INSERT INTO queue (enrollment_id, command_id, state, queued_at, urgency, not_before) "
        "VALUES (72, 4, 1, 1, 0, 0)");
    assert_ok(bulk_add(console, &j, NULL, 0, 5, &err), err);
    assert_int_equal(j.total, -1);
    assert_ok(bulk_turn(agent, &conf, &more, &err), err);
    assert_true(more);
    done = look(j.id);
    assert_int_equal(done.total, 61);
    assert_int_equal(done.queued, 50);
    /* the agent ends before it wrote down how far it was: nobody gets it twice */
    sql("UPDATE bulk_job SET last_id = 0, queued = 0, total = -1");
    while (more)
        assert_ok(bulk_turn(agent, &conf, &more, &err), err);
    done = look(j.id);
    assert_int_equal(done.state, BULK_DONE);
    assert_int_equal(done.total, 11);
    assert_int_equal(done.queued, 10);
    assert_int_equal(done.refused, 1);
    assert_int_equal(number("SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id "
                            "WHERE c.retry_of IN (1, 2)"),
                     61);
    assert_int_equal(number("SELECT COUNT(*) FROM command WHERE created_by = 'ann'"), 4);
    assert_int_equal(number("SELECT COUNT(*) FROM command WHERE retry_of = 3"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM push"), 0);
    /* of one command alone; and a slice that is under way does not wake a job that was stopped */
    sql("DELETE FROM queue");
    sql("DELETE FROM command WHERE id > 3");
    j.request_type = "SecurityInfo";
    j.reason = "once more";
    j.id = 0;
    assert_ok(bulk_add(console, &j, NULL, 0, 6, &err), err);
    done = look(j.id);
    assert_ok(bulk_stop(console, j.id, "ben", 9, &err), err);
    done.queued = 7;
    assert_ok(bulk_progress(agent, &done, NULL, 10, &err), err);
    done = look(j.id);
    assert_int_equal(done.state, BULK_STOPPED);
    assert_int_equal(done.queued, 7);
    assert_string_equal(done.ended_why, "ben");
    assert_int_equal(turns(), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'bulk.retry'"), 2);
    sql("DELETE FROM result");
}

/* Jobs that are over go with the other histories; what is open stays, whatever its age. */
static void old_jobs_go(void **state)
{
    (void)state;
    size_t n;
    sql("INSERT INTO bulk_job (id, request_type, state, picked, total, created_at, created_by, "
        "ended_at) SELECT seq, 'SecurityInfo', 2, 1, 2, seq, 'ann', seq FROM seq_1_to_25");
    sql("INSERT INTO bulk_job (id, request_type, state, picked, total, created_at, created_by) "
        "VALUES (26, 'SecurityInfo', 1, 1, 2, 1, 'ann')");
    sql("INSERT INTO bulk_target (job_id, enrollment_id) SELECT j.id, e.id FROM bulk_job j JOIN "
        "enrollment e ON e.id < 3");
    assert_ok(history_purge(agent, 24, 100000, &n, &err), err);
    assert_int_equal(n, 23);
    assert_int_equal(number("SELECT COUNT(*) FROM bulk_job WHERE id IN (24, 25, 26)"), 3);
    assert_int_equal(number("SELECT COUNT(*) FROM bulk_job"), 3);
    assert_int_equal(number("SELECT COUNT(*) FROM bulk_target"), 6);
    assert_ok(history_purge(agent, 1000, 100000, &n, &err), err);
    assert_int_equal(number("SELECT COUNT(*) FROM bulk_job"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM bulk_target WHERE job_id = 26"), 2);
}

static void what_the_overview_shows(void **state)
{
    (void)state;
    struct activity x[4];
    struct device_share *live, *counted;
    struct failed *failed;
    size_t n, m;
    int64_t next;
    int64_t hour = INT64_C(500000) * HOUR_US, now = hour + 10 * MINUTE_US;
    char text[400];
    snprintf(text, sizeof text,
             "UPDATE enrollment SET last_seen_at = %lld - id * 60000000, enrolled_at = %lld "
             "WHERE kind = 1",
             (long long)now, (long long)(hour - MINUTE_US));
    sql(text);
    sql("DELETE FROM result");
    sql("DELETE FROM fleet_share");
    snprintf(text, sizeof text,
             "INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at, digest) "
             "SELECT seq, 1, IF(seq <= 3, 5, 4), 1, %lld - seq * 60000000, IF(seq <= 3, 3, 0) "
             "FROM seq_1_to_100",
             (long long)now);
    sql(text);
    assert_ok(activity_note(agent, now, &err), err);
    assert_ok(activity_list(console, now, x, 4, arena, &err), err);
    assert_int_equal(x[3].hour, hour);
    assert_int_equal(x[3].seen, 10);
    assert_int_equal(x[3].answered, 10);
    assert_int_equal(x[3].failed, 3);
    assert_int_equal(x[2].answered, 60);
    assert_int_equal(x[2].enrolled, 450);
    assert_int_equal(x[1].answered + x[0].answered, 0); /* not looked at while they lasted */
    /* what the workers counted is added once, and not more often than once a minute */
    activity_polled();
    activity_polled();
    assert_ok(activity_flush(mdm, now, false, &err), err);
    activity_polled();
    assert_ok(activity_flush(mdm, now + 1, false, &err), err);
    assert_ok(activity_list(console, now, x, 4, arena, &err), err);
    assert_int_equal(x[3].polls, 2);
    assert_ok(activity_flush(mdm, now + 2, true, &err), err);
    assert_ok(activity_flush(mdm, now + 3, true, &err), err);
    assert_ok(activity_list(console, now, x, 4, arena, &err), err);
    assert_int_equal(x[3].polls, 3);
    assert_int_equal(x[3].answered, 10);
    assert_ok(failed_list(console, &(struct failed_filter){.since = 1, .before = INT64_MAX}, 2,
                          arena, &failed, &n, &next, &err),
              err);
    assert_int_equal(n, 0); /* of commands that are not there */
    sql("INSERT INTO command (id, uuid, request_type, body, created_at, created_by) VALUES (1, "
        "'U', 'DeviceLock', 'x', 1, 'ann')");
    sql("REPLACE INTO result_error (enrollment_id, command_id, item, position, domain, code, "
        "english) VALUES (2, 1, 0, 0, 'd', 1, 'because')");
    assert_ok(failed_list(console, &(struct failed_filter){.since = 1, .before = INT64_MAX}, 2,
                          arena, &failed, &n, &next, &err),
              err);
    assert_int_equal(n, 2);
    assert_int_equal(next, failed[1].closed_at);
    assert_string_equal(failed[0].ident, "D1");
    assert_string_equal(failed[1].why, "because");
    assert_ok(failed_list(console, &(struct failed_filter){.since = 1, .before = next}, 2, arena,
                          &failed, &n, &next, &err),
              err);
    assert_int_equal(n, 1);
    assert_int_equal(next, 0);
    assert_string_equal(failed[0].name, "Name 3");
    /* two of the same microsecond are not parted */
    sql("UPDATE result a JOIN result b ON b.command_id = 1 AND b.enrollment_id = 3 SET a.closed_at "
        "= b.closed_at WHERE a.command_id = 1 AND a.enrollment_id = 2");
    assert_ok(failed_list(console, &(struct failed_filter){.since = 1, .before = INT64_MAX}, 2,
                          arena, &failed, &n, &next, &err),
              err);
    assert_int_equal(n, 1);
    assert_ok(failed_list(console, &(struct failed_filter){.since = 1, .before = next}, 2, arena,
                          &failed, &n, &next, &err),
              err);
    assert_int_equal(n, 2);
    assert_int_equal(next, 0);
    /* nor is what was sent again in the way of what was not */
    sql("INSERT INTO command (id, uuid, request_type, body, created_at, created_by, retry_of) "
        "VALUES (2, 'V', 'DeviceLock', 'x', 1, 'ann', 1)");
    sql("INSERT INTO queue (enrollment_id, command_id, state, queued_at, urgency, not_before) "
        "SELECT id, 2, 1, 1, 0, 0 FROM enrollment WHERE ident = 'D1'");
    assert_ok(
        failed_list(console,
                    &(struct failed_filter){.since = 1, .before = INT64_MAX, .not_again = true}, 2,
                    arena, &failed, &n, &next, &err),
        err);
    assert_int_equal(n, 2);
    assert_int_equal(next, 0);
    assert_string_not_equal(failed[0].ident, "D1");
    assert_string_not_equal(failed[1].ident, "D1");
    sql("DELETE FROM queue WHERE command_id = 2");
    sql("DELETE FROM command WHERE id = 2");
    /* an hour later those that came again are not lost for the hour before */
    sql("UPDATE enrollment SET last_seen_at = last_seen_at + 360000000000");
    assert_ok(activity_note(agent, now + HOUR_US, &err), err);
    assert_ok(activity_list(console, now + HOUR_US, x, 4, arena, &err), err);
    assert_int_equal(x[2].seen, 10);
    /* counted shares tell what was counted, for five minutes */
    assert_ok(device_groups(console, now, arena, &live, &n, &err), err);
    assert_ok(device_groups_count(agent, now, &err), err);
    assert_ok(device_groups(console, now + MINUTE_US, arena, &counted, &m, &err), err);
    assert_int_equal(n, m);
    sql("DELETE FROM enrollment");
    assert_ok(device_groups(console, now + MINUTE_US, arena, &counted, &m, &err), err);
    assert_int_equal(m, n);
    assert_ok(device_groups(console, now + 6 * MINUTE_US, arena, &counted, &m, &err), err);
    assert_int_equal(m, 0);
}

static void no_spreadsheet_takes_it_for_a_formula(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(LIM_MB);
    static const char *const cells[] = {"=1+1",
                                        "+1",
                                        "-1",
                                        "@x",
                                        "\tx",
                                        "a\"b",
                                        "",
                                        "a=b",
                                        "\n=1",
                                        "\xef\xbc\x9d"
                                        "1",
                                        "\xef\xbc\x8b"
                                        "1",
                                        "\xef\xbc\x8d"
                                        "1",
                                        "\xef\xbc\xa0"
                                        "1",
                                        "\xef\xbc\xa1"};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        csv_cell(&b, cells[i], i == 0);
    csv_end(&b);
    assert_string_equal(buf_cstr(&b), "\"'=1+1\",\"'+1\",\"'-1\",\"'@x\",\"'\tx\",\"a\"\"b\",\"\","
                                      "\"a=b\",\"'\n=1\",\"'\xef\xbc\x9d"
                                      "1\","
                                      "\"'\xef\xbc\x8b"
                                      "1\",\"'\xef\xbc\x8d"
                                      "1\","
                                      "\"'\xef\xbc\xa0"
                                      "1\",\"\xef\xbc\xa1\"\r\n");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(everybody_gets_it_once, fill),
        cmocka_unit_test_setup(only_those_that_fit, fill),
        cmocka_unit_test_setup(those_that_were_picked, fill),
        cmocka_unit_test_setup(stopped_and_refused, fill),
        cmocka_unit_test_setup(what_failed_is_sent_again, fill),
        cmocka_unit_test_setup(old_jobs_go, fill),
        cmocka_unit_test_setup(what_the_overview_shows, fill),
        cmocka_unit_test(no_spreadsheet_takes_it_for_a_formula),
    };
    int applied;
    conf = *testdb_conf(TESTDB_DIR, "drover_test_bulk");
    arena = arena_new(16 * LIM_MB);
    if (!arena || db_new(&conf, DB_OWNER, &owner, &err) != OK ||
        migrate_run(owner, "sql/schema", false, &applied, &err) != OK ||
        migrate_grants(owner, "sql/grants.sql", &conf, &err) != OK ||
        db_new(&conf, DB_AGENT, &agent, &err) != OK || db_new(&conf, DB_MDM, &mdm, &err) != OK ||
        db_new(&conf, DB_CONSOLE, &console, &err) != OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(&console);
    db_free(&mdm);
    db_free(&agent);
    db_free(&owner);
    arena_free(&arena);
    return rc;
}
