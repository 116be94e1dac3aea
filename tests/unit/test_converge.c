/*
 * test_converge.c: what devices have is brought to what they are to have: by groups and filters,
 * with devices that refuse, fail, leave, come anew; in waves; and for many at once.
 */
#define CONVERGENCE_DB "drover_converge"
#include "convergence.h"

#include "command/bulk.h"
#include "store/bulk.h"
#include "store/filter.h"
#include "store/offer.h"
#include "store/preview.h"
#include "store/wanted.h"

static void a_profile_comes_and_goes(void **state)
{
    int64_t i = item("org.example.a", "com.apple.wifi.managed"), g = group("G", ""), a;
    (void)state;
    devices(1, 3, "iPhone14,2", "17.0");
    put_into(g, 1, 2, false);
    a = assign(g, i);
    turn();
    assert_int_equal(STATES(i, WANTED_QUEUED), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM command"), 1); /* once for all */
    assert_int_equal(number("SELECT COUNT(*) FROM push"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM command c JOIN library_version v ON v.id = "
                            "c.fill_from WHERE c.fill = 2 AND c.request_type = 'InstallProfile'"),
                     1);
    turn(); /* nothing is queued twice */
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 2);
    report(4, "1");
    turn();
    assert_int_equal(STATES(i, WANTED_INSTALLED), 2);
    /* a new version goes to both; a third device comes */
    new_version(i, "org.example.a");
    put_into(g, 3, 3, false);
    turn();
    assert_int_equal(STATES(i, WANTED_QUEUED), 3);
    report(4, "1");
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM device_item WHERE installed_version = 2"), 3);
    /* one leaves the group, then nobody is to have it */
    put_into(g, 1, 1, true);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id "
                            "WHERE c.request_type = 'RemoveProfile' AND q.enrollment_id = 1 AND "
                            "c.body LIKE '%%org.example.a%%'"),
                     1);
    report(4, "1");
    turn();
    assert_int_equal(STATES(i, WANTED_REMOVED), 1);
    assert_ok(assignment_delete(db, a, "t", "x", &err), err);
    turn();
    report(5, "1"); /* it is not there any more, says the device, and the inventory agrees */
    turn();
    assert_int_equal(STATES(i, WANTED_REMOVED), 3);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 0);
}

/* One device has it by itself, beside what its groups have. */
static void an_item_of_one_device(void **state)
{
    int64_t i = item("org.example.a", ""), g = group("G", ""), a, id;
    struct preview_set reach;
    struct assignment *x;
    size_t n;
    (void)state;
    devices(1, 3, "iPhone14,2", "17.0");
    sql("UPDATE enrollment SET serial = IF(id = 1, 'S1', 'TWICE')");
    assert_ok(assignment_add_device(db, "S1", i, "t", now, &a, &err), err);
    assert_outcome(assignment_add_device(db, "D1", i, "t", now, &id, &err), CONFLICT, err);
    assert_outcome(assignment_add_device(db, "TWICE", i, "t", now, &id, &err), CONFLICT, err);
    assert_outcome(assignment_add_device(db, "D9", i, "t", now, &id, &err), NOT_FOUND, err);
    assert_outcome(assignment_add_device(db, "D1", 9, "t", now, &id, &err), NOT_FOUND, err);
    turn();
    assert_int_equal(number("SELECT enrollment_id FROM queue"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 1);
    report(4, "1");
    turn();
    new_version(i, "org.example.a");
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 1);
    report(4, "1");
    turn();
    assert_ok(assignment_of_devices(db, NULL, i, 0, 9, arena, &x, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(x[0].device, "D1");
    assert_ok(assignment_of_devices(db, "D2", 0, 0, 9, arena, &x, &n, &err), err);
    assert_int_equal(n, 0);
    assert_ok(assignment_list(db, 0, i, 0, 9, arena, &x, &n, &err), err);
    assert_int_equal(n, 0);
    /* a group has it too: whoever has it by itself is not told of twice */
    put_into(g, 1, 2, false);
    assert_ok(preview_assignment(db, i, g, arena, &reach, &err), err);
    assert_int_equal(reach.n, 1);
    assert_ok(preview_device(db, i, "S1", arena, &reach, &err), err);
    assert_int_equal(reach.n, 1);
    struct preview p = {.device = "S1"}; /* rid of all that it has by itself */
    assert_ok(preview_run(db, &p, arena, &err), err);
    assert_int_equal(p.devices, 1);
    assert_int_equal(p.nchanges, 1);
    assert_int_equal(p.changes[0].remove.n, 1);
    assert_false(p.changes[0].remove.for_users);
    p = (struct preview){.device = "D2", .items = &i, .nitems = 1};
    assert_ok(preview_run(db, &p, arena, &err), err);
    assert_int_equal(p.changes[0].install.n, 1);
    p = (struct preview){.device = "D1", .keep_items = true};
    assert_ok(preview_run(db, &p, arena, &err), err);
    assert_int_equal(p.changes[0].install.n + p.changes[0].remove.n, 0);
    p = (struct preview){.device = "TWICE"};
    assert_outcome(preview_run(db, &p, arena, &err), CONFLICT, err);
    p = (struct preview){.device = "D9"};
    assert_outcome(preview_run(db, &p, arena, &err), NOT_FOUND, err);
    assign(g, i);
    p = (struct preview){.device = "S1"}; /* it stays, by the group */
    assert_ok(preview_run(db, &p, arena, &err), err);
    assert_int_equal(p.changes[0].remove.n, 0);
    assert_ok(preview_device(db, i, "S1", arena, &reach, &err), err);
    assert_int_equal(reach.n, 0);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue WHERE enrollment_id = 2"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 1);
    report(4, "1");
    /* taken back, it stays by the group; then it goes */
    assert_ok(assignment_delete(db, a, "t", "x", &err), err);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 0);
    put_into(g, 1, 1, true);
    turn();
    assert_int_equal(number("SELECT enrollment_id FROM queue"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action LIKE 'assignment.%%' AND "
                            "subject = 'D1'"),
                     2);
    /* deleted from the library, it is nobody's */
    assert_ok(assignment_add_device(db, "D3", i, "t", now, &a, &err), err);
    assert_ok(library_delete(db, i, "t", "x", now, &err), err);
    assert_int_equal(number("SELECT COUNT(*) FROM assignment"), 0);
}

static void what_is_taken_back_before_it_went_out(void **state)
{
    int64_t i = item("org.example.a", ""), g = group("G", ""), a;
    (void)state;
    devices(1, 2, "Mac14,2", "14.0");
    put_into(g, 1, 2, false);
    a = assign(g, i);
    turn();
    sql("UPDATE queue SET state = 2, sent_count = 1 WHERE enrollment_id = 1");
    assert_ok(assignment_delete(db, a, "t", "x", &err), err);
    turn();
    /* the one that was sent is followed by a removal; the other was cancelled for one */
    assert_int_equal(number("SELECT COUNT(*) FROM queue WHERE enrollment_id = 1"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM queue WHERE enrollment_id = 2"), 1);
    report(4, "1");
    turn();
    assert_int_equal(STATES(i, WANTED_REMOVED), 2);
}

static void what_a_user_takes(void **state)
{
    int64_t i = item("org.example.a", ""), g = group("G", ""), id;
    (void)state;
    devices(1, 4, "iPad13,1", "17.0");
    put_into(g, 1, 3, false);
    assert_ok(offer_add(db, g, i, "t", now, &id, &err), err);
    assert_outcome(offer_add(db, g, i, "t", now, &id, &err), CONFLICT, err);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 0);
    assert_outcome(offer_take(db, 4, i, now, arena, &err), NOT_FOUND, err);
    assert_ok(offer_take(db, 1, i, now, arena, &err), err);
    assert_ok(offer_take(db, 1, i, now, arena, &err), err);
    assert_ok(offer_take(db, 2, i, now, arena, &err), err);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue WHERE enrollment_id IN (1, 2)"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 2);
    report(4, "1");
    turn();
    assert_int_equal(STATES(i, WANTED_INSTALLED), 2);
    new_version(i, "org.example.a");
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 2);
    report(4, "1");
    turn();
    /* given back, but one of its groups has it assigned: it stays */
    int64_t a = assign(g, i);
    assert_ok(offer_give_back(db, 1, i, &err), err);
    turn();
    report(4, "1");
    turn();
    assert_int_equal(STATES(i, WANTED_INSTALLED), 3);
    assert_ok(assignment_delete(db, a, "t", "", &err), err);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue WHERE enrollment_id IN (1, 3)"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 2);
    report(4, "1");
    /* whoever enrols the device anew has taken nothing */
    sql("INSERT INTO newcomer (device_id, at, awaiting) VALUES (2, %lld, 0)",
        (long long)(now + SECOND_US));
    now += 2 * SECOND_US;
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM offer_taken"), 0);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM device_item WHERE wanted = 1"), 0);
}

static void failures_wait_longer_each_time(void **state)
{
    int64_t i = item("org.example.a", ""), g = group("G", ""), due;
    (void)state;
    devices(1, 1, "iPad13,1", "17.0");
    put_into(g, 1, 1, false);
    assign(g, i);
    turn();
    report(5, "1");
    turn();
    assert_int_equal(STATES(i, WANTED_FAILED), 1);
    assert_int_equal(number("SELECT reason = 'no & no (MCInstallationErrorDomain 4001)' FROM "
                            "device_item"),
                     1);
    due = number("SELECT due_at FROM device_item");
    assert_true(due >= now + 4 * MINUTE_US && due <= now + 6 * MINUTE_US);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 0);
    now = due;
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 1);
    report(5, "1");
    turn();
    due = number("SELECT due_at FROM device_item");
    assert_true(due >= now + 19 * MINUTE_US && due <= now + 21 * MINUTE_US);
    /* a person tries at once */
    uint64_t n;
    assert_ok(wanted_retry(db, i, "D1", "t", now, &n, &err), err);
    assert_int_equal(n, 1);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 1);
    /* somebody cancels the command: it comes again, later */
    sql("INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at, closed_why) "
        "SELECT enrollment_id, command_id, 7, 1, %lld, 'alice: no' FROM queue",
        (long long)now);
    sql("DELETE FROM queue");
    turn();
    assert_int_equal(STATES(i, WANTED_FAILED), 1);
    assert_int_equal(number("SELECT reason = 'alice: no' FROM device_item"), 1);
}

static void devices_that_cannot_have_it(void **state)
{
    int64_t i = item("org.example.a", "com.apple.dock"), g = group("G", "");
    (void)state;
    devices(1, 1, "iPhone14,2", "17.0");
    devices(2, 2, "Mac14,2", "14.0");
    devices(3, 3, "Mac14,2", "14.0");
    put_into(g, 1, 3, false);
    sql("UPDATE enrollment SET state = 3 WHERE id = 3");
    assign(g, i);
    turn();
    assert_int_equal(STATES(i, WANTED_REFUSED), 1);
    assert_int_equal(STATES(i, WANTED_QUEUED), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM device_item WHERE reason LIKE "
                            "'%%com.apple.dock is not for this platform'"),
                     1);
}

static void one_waits_for_another_and_for_the_passcode(void **state)
{
    int64_t first = item("org.example.first", ""), then = item("org.example.then", "");
    int64_t g = group("G", "");
    struct library_item x;
    (void)state;
    devices(1, 1, "iPhone14,2", "17.0");
    put_into(g, 1, 1, false);
    assert_ok(library_get(db, then, arena, &x, &err), err);
    x.after_id = first;
    x.after_passcode = true;
    assert_ok(library_change(db, &x, "t", "", clock_now() + 1, &err), err);
    assign(g, then);
    assign(g, first);
    turn();
    assert_int_equal(STATES(first, WANTED_QUEUED), 1);
    assert_int_equal(STATES(then, WANTED_PENDING), 1);
    report(4, "1");
    turn(); /* woken by the first: now it asks about the passcode */
    assert_int_equal(STATES(then, WANTED_PENDING), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id "
                            "WHERE c.request_type = 'SecurityInfo'"),
                     1);
    sql("DELETE FROM queue");
    sql("INSERT INTO inv_security (enrollment_id, passcode_compliant) VALUES (1, 1)");
    now += 11 * MINUTE_US;
    turn();
    assert_int_equal(STATES(then, WANTED_QUEUED), 1);
}

static void waves_and_a_halt(void **state)
{
    int64_t i = item("org.example.a", ""), g = group("G", "");
    struct library_item x;
    (void)state;
    devices(1, 300, "iPhone14,2", "17.0");
    put_into(g, 1, 300, false);
    assert_ok(library_get(db, i, arena, &x, &err), err);
    x.wave_first = 10;
    assert_ok(library_change(db, &x, "t", "", clock_now() + 1, &err), err);
    assign(g, i);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 10);
    report(4, "1");
    now += 2 * MINUTE_US;
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 90);
    report(5, "enrollment_id % 3 = 0");
    report(4, "1");
    now += 2 * MINUTE_US;
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM rollout WHERE halted_at IS NOT NULL"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'rollout.halt'"), 1);
    now += 2 * MINUTE_US;
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 0);
    assert_ok(rollout_resume(db, i, "t", "seen", now, &err), err);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue q JOIN device_item d ON d.enrollment_id = "
                            "q.enrollment_id WHERE d.attempts = 1"),
                     200);
    assert_outcome(rollout_resume(db, i, "t", "seen", now, &err), NOT_FOUND, err);
}

static void what_is_lost_comes_again(void **state)
{
    int64_t i = item("org.example.a", ""), g = group("G", "");
    (void)state;
    devices(1, 2, "iPhone14,2", "17.0");
    put_into(g, 1, 2, false);
    assign(g, i);
    turn();
    report(4, "1");
    turn();
    sql("INSERT INTO inv_profile (enrollment_id, identifier) VALUES (1, 'org.example.a')");
    sql("INSERT INTO inv_area (enrollment_id, area, reported_at, changed_at, command_id) SELECT "
        "seq, "
        "4, %lld, 1, 1 FROM seq_1_to_2",
        (long long)(now + 1));
    turn();
    assert_int_equal(number("SELECT enrollment_id FROM queue"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 1);
}

static void a_device_that_enrols(void **state)
{
    int64_t i = item("org.example.a", ""), g = group("G", "{\"fact\":\"platform\",\"is\":\"iOS\"}");
    (void)state;
    assign(g, i);
    turn();
    devices(1, 2, "iPhone14,2", "17.0");
    sql("INSERT INTO newcomer (device_id, at, awaiting) VALUES (1, %lld, 1), (2, %lld, 1)",
        (long long)now, (long long)now);
    assert_ok(converge_turn(engine, now, &err), err);
    assert_int_equal(number("SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id "
                            "WHERE c.request_type = 'InstallProfile'"),
                     2);
    assert_ok(converge_turn(engine, now, &err), err);
    assert_int_equal(number("SELECT COUNT(*) FROM newcomer"), 2);
    report(4, "enrollment_id = 1");
    assert_ok(converge_turn(engine, now, &err), err);
    assert_ok(converge_turn(engine, now, &err), err);
    assert_int_equal(number("SELECT q.enrollment_id FROM queue q JOIN command c ON c.id = "
                            "q.command_id WHERE c.request_type = 'DeviceConfigured'"),
                     1);
    assert_int_equal(number("SELECT COUNT(*) FROM newcomer"), 1);
    now += 21 * MINUTE_US; /* the other one goes on without */
    assert_ok(converge_turn(engine, now, &err), err);
    assert_int_equal(number("SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id "
                            "WHERE c.request_type = 'DeviceConfigured'"),
                     2);
    assert_int_equal(number("SELECT COUNT(*) FROM newcomer"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = "
                            "'enrollment.configure-timeout'"),
                     1);
    /* enrolled anew: it has nothing */
    sql("DELETE FROM queue");
    sql("INSERT INTO newcomer (device_id, at, awaiting) VALUES (1, %lld, 0)", (long long)now + 1);
    assert_ok(converge_turn(engine, now, &err), err);
    assert_int_equal(number("SELECT COUNT(*) FROM queue WHERE enrollment_id = 1"), 1);
}

/* More than a few at once; and one that is looked at late keeps what it got since it enrolled. */
static void many_enrol_at_once(void **state)
{
    int64_t i = item("org.example.a", ""), g = group("G", "{\"fact\":\"platform\",\"is\":\"iOS\"}");
    (void)state;
    assign(g, i);
    devices(1, 500, "iPhone14,2", "17.0");
    sql("INSERT INTO newcomer (device_id, at, awaiting) SELECT seq, %lld, 0 FROM seq_1_to_500",
        (long long)now - SECOND_US);
    assert_ok(converge_turn(engine, now, &err), err);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 500);
    report(4, "1");
    assert_ok(converge_turn(engine, now, &err), err);
    assert_int_equal(STATES(i, WANTED_INSTALLED), 500);
    assert_int_equal(number("SELECT COUNT(*) FROM newcomer"), 0);
    sql("INSERT INTO newcomer (device_id, at, awaiting) VALUES (1, %lld, 0), (2, %lld, 0)",
        (long long)now - SECOND_US, (long long)now + SECOND_US);
    assert_ok(converge_turn(engine, now, &err), err);
    assert_int_equal(number("SELECT enrollment_id FROM queue"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 1);
}

/* What an enrolment profile lists comes to those who enrolled with it. */
static void what_an_enrolment_profile_lists(void **state)
{
    int64_t i = item("org.example.a", "");
    (void)state;
    devices(1, 2, "iPhone14,2", "17.0");
    sql("INSERT INTO enroll_profile (id, name, version, created_at, created_by) VALUES (5, 'work', "
        "2, "
        "1, 't')");
    sql("INSERT INTO enroll_profile_item (profile_id, version, kind, name, place) VALUES (5, 2, 1, "
        "'org.example.a', 1), (5, 2, 2, 'not.there', 2), (5, 1, 1, 'old', 1)");
    sql("INSERT INTO handout (id, profile_id, profile_version, way, topic, server_url, "
        "checkin_url, "
        "access_rights, server_capabilities, made_at) VALUES (7, 5, 2, 1, '', '', '', 1, '', 1)");
    sql("UPDATE life SET handout_id = 7 WHERE id = 2");
    sql("INSERT INTO newcomer (device_id, at, awaiting) VALUES (2, %lld, 0)", (long long)now);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM device_group WHERE name = 'enrolment:work'"), 1);
    now += 2 * MINUTE_US;
    turn();
    assert_int_equal(STATES(i, WANTED_QUEUED), 1);
    assert_int_equal(number("SELECT enrollment_id FROM queue"), 2);
    sql("DELETE FROM enroll_profile_item WHERE name = 'org.example.a'");
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM assignment"), 0);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id "
                            "WHERE c.request_type = 'RemoveProfile'"),
                     1);
}

/* ---- filters ---- */

static size_t matches(const char *text)
{
    struct filter f;
    int64_t *ids;
    size_t n = 0;
    js e = NULL;
    assert_ok(js_parse(bytes_str(text), &e, &err), err);
    enum outcome o = filter_compile(e, arena, &f, &err);
    js_free(&e);
    if (o == INVALID)
        return SIZE_MAX;
    assert_ok(o, err);
    assert_ok(filter_devices(db, &f, 0, arena, &ids, &n, &err), err);
    for (size_t i = 1; i < n; i++)
        assert_true(ids[i - 1] < ids[i]);
    return n;
}

static void filters(void **state)
{
    static const struct {
        const char *text;
        size_t n;
    } cases[] = {
        {"{\"fact\":\"platform\",\"is\":\"iOS\"}", 2},
        {"{\"fact\":\"platform\",\"in\":[\"iOS\",\"macOS\"]}", 3},
        {"{\"not\":{\"fact\":\"platform\",\"is\":\"iOS\"}}", 2},
        {"{\"fact\":\"os_version\",\"at_least\":\"17.10\"}", 1},
        {"{\"fact\":\"os_version\",\"below\":\"17.10\"}", 2}, /* 17.9 and the Mac's 14.2.1 */
        {"{\"fact\":\"os_version\",\"is\":\"14.2.1\"}", 1},
        {"{\"fact\":\"supervised\",\"is\":true}", 1},
        {"{\"fact\":\"supervised\",\"is\":false}", 0}, /* not known is not false */
        {"{\"fact\":\"supervised\",\"is_not\":true}", 0},
        {"{\"fact\":\"supervised\",\"known\":false}", 3},
        {"{\"fact\":\"IsSupervised\",\"is\":true}", 1},
        {"{\"fact\":\"PasscodeCompliant\",\"is\":true}", 1},
        {"{\"fact\":\"BatteryLevel\",\"above\":0.4}", 1},
        {"{\"fact\":\"BatteryLevel\",\"above\":1}", 0},
        {"{\"fact\":\"device_name\",\"contains\":\"'%_\"}", 1},
        {"{\"fact\":\"device_name\",\"begins\":\"O'\"}", 1},
        {"{\"tag\":\"office\"}", 2},
        {"{\"profile\":\"org.example.x\"}", 1},
        {"{\"all\":[{\"tag\":\"office\"},{\"not\":{\"profile\":\"org.example.x\"}}]}", 1},
        {"{\"any\":[{\"tag\":\"office\"},{\"fact\":\"platform\",\"is\":\"macOS\"}]}", 2},
        {"{\"fact\":\"nonsense\",\"is\":1}", SIZE_MAX},
        {"{\"fact\":\"platform\",\"is\":\"Windows\"}", SIZE_MAX},
        {"{\"fact\":\"os_version\",\"is\":\"17.x\"}", SIZE_MAX},
        {"{\"fact\":\"os_version\",\"is\":\"1.2.3.4\"}", SIZE_MAX},
        {"{\"fact\":\"supervised\",\"above\":true}", SIZE_MAX},
        {"{\"fact\":\"supervised\",\"is\":\"yes\"}", SIZE_MAX},
        {"{\"fact\":\"platform\"}", SIZE_MAX},
        {"{\"all\":[]}", SIZE_MAX},
        {"{}", SIZE_MAX},
        {"[]", SIZE_MAX},
        {"{\"fact\":\"udid\",\"is\":\"' OR 1=1 -- \"}", 0},
    };
    struct group_edit e = {.add = (const char *const[]){"D1", "D3", "D9"}, .nadd = 3};
    (void)state;
    devices(1, 1, "iPhone14,2", "17.9");
    devices(2, 2, "iPad13,1", "17.10");
    devices(3, 3, "Mac14,2", "14.2.1");
    devices(4, 4, "Toaster", "");
    sql("INSERT INTO inv_device (enrollment_id, platform, os_number, is_supervised, battery_level, "
        "device_name) VALUES (1, 1, 17009000, 1, 0.5, 'O''Hara''%%_')");
    sql("INSERT INTO inv_security (enrollment_id, passcode_compliant) VALUES (2, 1)");
    sql("INSERT INTO inv_profile (enrollment_id, identifier) VALUES (3, 'org.example.x')");
    assert_ok(tag_edit(db, "office", &e, "t", 1, &err), err);
    assert_int_equal(e.unknown, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (matches(cases[i].text) != cases[i].n)
            fail_msg("%s: %zd, not %zd: %s", cases[i].text, matches(cases[i].text), cases[i].n,
                     err.msg);
    for (size_t i = 0; filter_fact_name(i) != NULL; i++) /* each name makes a statement that runs */
        assert_int_not_equal(matches(arena_fmt(arena, "{\"fact\":\"%s\",\"known\":true}",
                                               filter_fact_name(i))) == SIZE_MAX &&
                                 strstr(err.msg, "no fact") == NULL,
                             1);
}

static void a_deep_filter_is_refused(void **state)
{
    struct buf b = BUF_INIT(LIM_MB);
    (void)state;
    for (int i = 0; i < 30; i++)
        buf_str(&b, "{\"not\":");
    buf_str(&b, "{\"tag\":\"x\"}");
    for (int i = 0; i < 30; i++)
        buf_char(&b, '}');
    assert_int_equal(matches(buf_cstr(&b)), SIZE_MAX);
    buf_free(&b);
}

/* ---- many ---- */

#define MANY 10000

static void ten_thousand_at_once(void **state)
{
    int64_t i = item("org.example.a", "com.apple.wifi.managed"), start;
    int64_t g =
        group("G", "{\"all\":[{\"fact\":\"platform\",\"is\":\"iOS\"},{\"fact\":\"os_version\","
                   "\"at_least\":\"16\"}]}");
    (void)state;
    devices(1, MANY, "iPhone14,2", "17.0");
    assign(g, i);
    start = clock_mono();
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), MANY);
    assert_true(number("SELECT COUNT(*) FROM command") <= MANY / 1000);
    print_message("10,000 devices: found, planned and queued in %lld ms\n",
                  (long long)(clock_mono() - start) / 1000);
    report(4, "1");
    start = clock_mono();
    turn();
    assert_int_equal(STATES(i, WANTED_INSTALLED), MANY);
    print_message("10,000 results followed in %lld ms\n", (long long)(clock_mono() - start) / 1000);
}

/* A group is looked at some thousands at a time: at the edges of these, and behind the last one,
 * nobody is left out, and nobody is found twice. */
static void a_large_group_is_looked_at_in_parts(void **state)
{
    static const int lack[] = {1, 4999, 5000, 5001, 9999, 10000, 10001, 12000};
    struct wanted_walk w = {.now = now};
    int64_t i = item("org.example.a", "com.apple.wifi.managed"), g = group("G", "");
    (void)state;
    devices(1, 12000, "iPhone14,2", "17.0");
    sql("INSERT INTO group_member (group_id, device_id, since) SELECT %lld, seq, 1 FROM "
        "seq_1_to_12000",
        (long long)g);
    sql("INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, "
        "changed_at) SELECT seq, %lld, 1, 1, 3, 1, 1 FROM seq_1_to_12000",
        (long long)i);
    for (size_t k = 0; k < sizeof lack / sizeof *lack; k++)
        sql("DELETE FROM device_item WHERE enrollment_id = %d", lack[k]);
    assign(g, i);
    while (!w.done)
        assert_ok(wanted_plan(db, &w, 2, &err), err);
    assert_int_equal(w.changes, sizeof lack / sizeof *lack);
    assert_int_equal(STATES(i, WANTED_PENDING), sizeof lack / sizeof *lack);
    assert_int_equal(STATES(i, WANTED_INSTALLED), 12000 - sizeof lack / sizeof *lack);
}

/* Thousands at a time, as a job, with one note of it; one device at once. */
static void many_are_tried_again(void **state)
{
    (void)state;
    struct bulk_job j = {.task = BULK_ITEM, .item_id = 77, .created_by = "t"}, done;
    uint64_t n;
    bool more;
    int turns = 0;
    sql("INSERT INTO library_item (id, kind, identifier, name, version, created_at, created_by, "
        "changed_at, changed_by) VALUES (77, 1, 'many', 'Many', 1, 1, 'x', 1, 'x')");
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, created_at, last_seen_at) "
        "SELECT "
        "70000 + seq, CONCAT('MANY', seq), 1, 70000 + seq, 2, 1, 1 FROM seq_1_to_5000");
    sql("INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, "
        "changed_at) SELECT 70000 + seq, 77, 1, 1, IF(seq %% 5 = 0, 3, 4), 9000000000000000, 1 "
        "FROM "
        "seq_1_to_5000");
    assert_ok(wanted_retry(db, 77, "MANY1", "t", now, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(STATES(77, WANTED_PENDING), 1);
    /* of a large fleet the pages show what was counted last: the job knows what it is for */
    sql("REPLACE INTO item_count (item_id, counted_at, installed, failed) VALUES (77, 1, 20000, "
        "7)");
    assert_ok(bulk_add(db, &j, NULL, 0, now, &err), err);
    assert_int_equal(j.total, 3999);
    assert_ok(bulk_turn(db, conf, &more, &err), err);
    assert_true(more);
    assert_int_equal(STATES(77, WANTED_PENDING), 2001);
    /* what fails meanwhile is not tried again and again */
    sql("UPDATE device_item SET state = 4, changed_at = %lld WHERE item_id = 77 AND state = 1",
        (long long)now + 1);
    for (more = true; more; turns++)
        assert_ok(bulk_turn(db, conf, &more, &err), err);
    assert_true(turns <= 2);
    assert_ok(bulk_get(db, j.id, arena, &done, &err), err);
    assert_int_equal(done.state, BULK_DONE);
    assert_int_equal(done.queued, 3999);
    assert_string_equal(done.item, "Many");
    assert_int_equal(STATES(77, WANTED_PENDING), 1999);
    assert_int_equal(STATES(77, WANTED_INSTALLED), 1000);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE subject = 'many'"), 2);
    j = (struct bulk_job){.task = BULK_ITEM, .item_id = 78, .created_by = "t"};
    assert_outcome(bulk_add(db, &j, NULL, 0, now, &err), NOT_FOUND, err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(many_are_tried_again, each_setup),
        cmocka_unit_test_setup(a_profile_comes_and_goes, each_setup),
        cmocka_unit_test_setup(an_item_of_one_device, each_setup),
        cmocka_unit_test_setup(what_is_taken_back_before_it_went_out, each_setup),
        cmocka_unit_test_setup(what_a_user_takes, each_setup),
        cmocka_unit_test_setup(failures_wait_longer_each_time, each_setup),
        cmocka_unit_test_setup(devices_that_cannot_have_it, each_setup),
        cmocka_unit_test_setup(one_waits_for_another_and_for_the_passcode, each_setup),
        cmocka_unit_test_setup(waves_and_a_halt, each_setup),
        cmocka_unit_test_setup(what_is_lost_comes_again, each_setup),
        cmocka_unit_test_setup(a_device_that_enrols, each_setup),
        cmocka_unit_test_setup(many_enrol_at_once, each_setup),
        cmocka_unit_test_setup(what_an_enrolment_profile_lists, each_setup),
        cmocka_unit_test_setup(filters, each_setup),
        cmocka_unit_test_setup(a_deep_filter_is_refused, each_setup),
        cmocka_unit_test_setup(ten_thousand_at_once, each_setup),
        cmocka_unit_test_setup(a_large_group_is_looked_at_in_parts, each_setup),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
