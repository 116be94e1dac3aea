/* test_personal.c: an answer that tells where a person is: who sees it, in the console and by the
 * API, and that it is put on record. */
#include "pagesite.h"

#include "store/account.h"
#include "store/admin.h"

#define WHERE "at-the-harbour"
#define LOCATION                                                                                   \
    "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>Status</key><string>Acknowledged"    \
    "</string><key>Timestamp</key><string>" WHERE "</string></dict></plist>"

static int64_t looks(void)
{
    return pagesite_number("SELECT COUNT(*) FROM audit WHERE action = 'report.look' AND subject = "
                           "'D1' AND detail LIKE 'request_type=DeviceLocation%'");
}

#define PAGE "/device/command?id=D1&uuid=C-90"

static void who_may_not_ask_does_not_see_it(void **state)
{
    (void)state;
    int64_t before = looks();
    pagesite_sign_in("mallory");
    assert_int_equal(pagesite_ask("GET", PAGE, "", "", NULL), 200);
    assert_false(pagesite_tells(WHERE));
    assert_true(pagesite_tells("where a person is"));
    assert_false(pagesite_tells("/device/answer"));
    assert_int_equal(pagesite_post("/device/answer", "device=D1&uuid=C-90"), 403);
    assert_false(pagesite_tells(WHERE));
    assert_int_equal(pagesite_ask("GET", "/device/part?id=D1&part=results", "", "", NULL), 200);
    assert_true(pagesite_tells("where a person is"));
    /* who helps asks what the device's page offers, and not this */
    pagesite_sign_in("hal");
    assert_int_equal(pagesite_post("/device/answer", "device=D1&uuid=C-90"), 403);
    assert_int_equal(looks(), before);
    /* another answer is no secret */
    pagesite_sign_in("mallory");
    assert_int_equal(pagesite_ask("GET", "/device/command?id=D1&uuid=C-91", "", "", NULL), 200);
    assert_true(pagesite_tells(WHERE));
}

static void a_look_is_on_record(void **state)
{
    (void)state;
    int64_t before = looks();
    pagesite_sign_in("ann");
    assert_int_equal(pagesite_ask("GET", PAGE, "", "", NULL), 200);
    assert_false(pagesite_tells(WHERE));
    assert_true(pagesite_tells("/device/answer"));
    assert_int_equal(looks(), before);
    assert_int_equal(pagesite_post("/device/answer", "device=D1&uuid=C-90"), 200);
    assert_true(pagesite_tells(WHERE));
    assert_int_equal(looks(), before + 1);
}

static void a_key_sees_what_it_may_ask_for(void **state)
{
    static const struct {
        const char *path;
        const char *what; /* that is withheld */
    } cases[] = {{"/v1/results/D1/C-90", "report"},
                 {"/v1/results/D1?include_report=1", "report"},
                 {"/api/v1/devices/D1/results/C-90", "report"},
                 {"/api/v1/devices/D1/answers", "answer"}};
    (void)state;
    for (int may = 0; may < 2; may++) {
        const char *const more[] = {
            pagesite_key(may ? "asks" : "reads", may ? "read command sensitive" : "read command"),
            NULL};
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const char *key = arena_fmt(arena, "\"%s_withheld\"", cases[i].what);
            int64_t before = looks();
            assert_int_equal(pagesite_ask("GET", cases[i].path, "", "", more), 200);
            if (pagesite_tells(key) == may || (looks() == before) == may)
                fail_msg("%s, %s: %s", cases[i].path, may ? "may" : "may not",
                         buf_cstr(&resp.body));
            if (strcmp(cases[i].what, "answer") == 0)
                assert_int_equal(pagesite_tells(WHERE), may);
        }
    }
}

static int set_up(void **state)
{
    static const char *const all[] = {
        "INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, udid, created_at, "
        "enrolled_at, last_seen_at) VALUES (1, 'D1', 1, 1, 2, 1, 'D1', 1, 1, 1)",
        "INSERT INTO command (id, uuid, request_type, body, created_at, created_by) VALUES (90, "
        "'C-90', 'DeviceLocation', 'x', 1, 't'), (91, 'C-91', 'SecurityInfo', 'x', 1, 't')",
        "INSERT INTO result (enrollment_id, command_id, state, queued_at, sent_count, closed_at, "
        "reported_at, report) VALUES (1, 90, 4, 1, 1, 1, 1, '" LOCATION
        "'), (1, 91, 4, 1, 1, 1, 1, "
        "'" LOCATION "')",
        "INSERT INTO inv_answer (enrollment_id, request_type, command_id, reported_at, content) "
        "VALUES (1, "
        "'DeviceLocation', 90, 1, '{\"Timestamp\":\"" WHERE "\"}')"};
    (void)state;
    pagesite_up("drover_test_personal");
    assert_ok(admin_add(owner, "ann", "operator", "correct horse battery", "t", &err), err);
    assert_ok(admin_add(owner, "hal", "helpdesk", "correct horse battery", "t", &err), err);
    assert_ok(admin_add(owner, "mallory", "viewer", "correct horse battery", "t", &err), err);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_ok(db_run(owner, "t", all[i], &err), err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_not_ask_does_not_see_it),
        cmocka_unit_test(a_look_is_on_record),
        cmocka_unit_test(a_key_sees_what_it_may_ask_for),
    };
    return cmocka_run_group_tests(tests, set_up, pagesite_down);
}
