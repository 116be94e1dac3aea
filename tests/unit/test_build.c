/* test_build.c: commands from JSON; Python's plistlib and xmllint judge what becomes of them. */
#include "command.h"
#include "judge.h"

#include "command/plist_json.h"

static void types_follow_the_catalogue(void **state)
{
    pl root =
        command_of("Settings", "{\"Settings\": [{\"Item\": \"Wallpaper\", \"Image\": \"QUJD\", "
                               "\"Where\": 2}, {\"Item\": \"Bluetooth\", \"Enabled\": false}]}");
    pl list = pl_get(pl_get(root, "Command"), "Settings");
    struct bytes b;
    int64_t i;
    bool yes = true;
    (void)state;
    assert_int_equal(found.n, 0);
    assert_string_equal(pl_get_str(pl_get(root, "Command"), "RequestType"), "Settings");
    assert_true(pl_get_data(pl_at(list, 0), "Image", &b));
    assert_int_equal(b.n, 3);
    assert_memory_equal(b.p, "ABC", 3);
    assert_true(pl_get_int(pl_at(list, 0), "Where", &i) && i == 2);
    assert_true(pl_get_bool(pl_at(list, 1), "Enabled", &yes) && !yes);
    pl_free(&root);
}

static void each_has_a_uuid_of_its_own(void **state)
{
    pl one = command_of("ProfileList", NULL), two = command_of("ProfileList", "{}");
    const char *a = pl_get_str(one, "CommandUUID"), *b = pl_get_str(two, "CommandUUID");
    (void)state;
    assert_true(uuid_valid(a) && uuid_valid(b));
    assert_string_not_equal(a, b);
    assert_int_equal(pl_size(one), 2);
    pl_free(&one);
    pl_free(&two);
}

static void data_and_dates_where_any_type_may_stand(void **state)
{
    pl root =
        command_of("InstallApplication",
                   "{\"Identifier\": \"a\", \"Configuration\": {\"d\": {\"$data\": \"/wA=\"}, "
                   "\"t\": {\"$date\": \"2026-11-22T09:15:30+01:00\"}, \"r\": -0.5, "
                   "\"big\": 9223372036854775807, \"two\": {\"$data\": \"\", \"x\": 1}}}");
    pl c = pl_get(pl_get(root, "Command"), "Configuration");
    struct bytes b;
    int64_t i;
    double d;
    (void)state;
    assert_true(pl_get_data(c, "d", &b) && b.n == 2 && b.p[0] == 0xff && b.p[1] == 0);
    assert_true(pl_date(pl_get(c, "t"), &i) && i == INT64_C(1795335330) * 1000000);
    assert_true(pl_real(pl_get(c, "r"), &d) && d == -0.5);
    assert_true(pl_get_int(c, "big", &i) && i == INT64_MAX);
    assert_int_equal(pl_type_of(pl_get(c, "two")), PL_DICT); /* two keys: an ordinary one */
    pl_free(&root);
}

/* A command that was sent is made again of what is kept of it, whatever the catalogue says of a
 * key. */
static void made_again_it_is_the_same(void **state)
{
    static const char *const sent[][2] = {
        {"InstallApplication", "{\"Identifier\": \"a\", \"Configuration\": {\"d\": {\"$data\": "
                               "\"/wA=\"}, \"t\": {\"$date\": "
                               "\"2026-11-22T09:15:30Z\"}, \"r\": -0.5, \"big\": "
                               "9223372036854775807, \"l\": [true, [], {}, "
                               "\"\"]}}"},
        {"Settings",
         "{\"Settings\": [{\"Item\": \"Wallpaper\", \"Image\": \"QUJD\", \"Where\": 2}]}"},
        {"ProfileList", "{}"}};
    (void)state;
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        pl one = command_of(sent[i][0], sent[i][1]), two = NULL;
        struct buf a = BUF_INIT(LIM_MB), b = BUF_INIT(LIM_MB);
        char uuid[UUID_LEN + 1];
        pl_remove(pl_get(one, "Command"), "RequestType");
        js keys = plist_json_keys(pl_get(one, "Command"), arena);
        assert_int_equal(command_build(arena, sent[i][0], keys, &two, uuid, &found, &err), OK);
        pl_remove(pl_get(two, "Command"), "RequestType");
        js other = plist_json_keys(pl_get(two, "Command"), arena);
        assert_int_equal(js_write(keys, false, &a), OK); /* in the order of their keys */
        assert_int_equal(js_write(other, false, &b), OK);
        assert_string_equal(buf_cstr(&a), buf_cstr(&b));
        js_free(&other);
        buf_free(&a);
        buf_free(&b);
        js_free(&keys);
        pl_free(&one);
        pl_free(&two);
    }
}

/* A type that does not fit is taken over, for the check to tell; so are keys nobody knows. */
static void strangers_are_taken_over(void **state)
{
    pl root = command_of("DeviceLock", "{\"Message\": 5, \"New\": [{\"a\": \"b\"}, 1.5]}");
    pl c = pl_get(root, "Command");
    (void)state;
    assert_int_equal(pl_type_of(pl_get(c, "Message")), PL_INT);
    assert_int_equal(pl_size(pl_get(c, "New")), 2);
    pl_free(&root);
    root = command_of("BrandNewCommand", "{\"x\": {\"$data\": \"QQ==\"}}");
    assert_int_equal(pl_type_of(pl_get(pl_get(root, "Command"), "x")), PL_DATA);
    pl_free(&root);
}

static void refused(const char *type, const char *keys, const char *want)
{
    pl root = command_of(type, keys);
    assert_null(root);
    assert_string_equal(findings_text(), want);
}

static void what_has_no_form_is_refused(void **state)
{
    (void)state;
    refused("DeviceLock", "{\"Message\": null}",
            "E Message: null has no form in a property list; leave the key out\n");
    refused("InstallProfile", "{\"Payload\": \"not base64!\"}", "E Payload: is no base64\n");
    refused("InstallProfile", "{\"Payload\": {\"$data\": 5}}",
            "E Payload: needs data as a string in base64\n");
    refused("X", "{\"a\": {\"b\": [1, {\"$date\": \"yesterday\"}]}}",
            "E a.b[1]: is no time like 2026-11-22T08:15:30Z\n");
    refused("DeviceLock", "[]", "E : the keys must be a JSON object\n");
    refused("DeviceLock", "\"x\"", "E : the keys must be a JSON object\n");
    refused("DeviceLock", "{\"RequestType\": \"EraseDevice\"}",
            "E : RequestType is told by the command's name, not among its keys\n");
    refused("Settings", "{\"Settings\": [null, {\"Item\": \"Wallpaper\", \"Image\": \"*\"}]}",
            "E Settings[0]: null has no form in a property list; leave the key out\n"
            "E Settings[1].Image: is no base64\n");
}

/* Its own CommandUUID cannot be chosen, nor the command be left. */
static void keys_stay_inside_the_command(void **state)
{
    pl root = command_of("DeviceLock", "{\"CommandUUID\": \"x\", \"Command\": {}}");
    (void)state;
    assert_true(uuid_valid(pl_get_str(root, "CommandUUID")));
    assert_string_equal(pl_get_str(pl_get(root, "Command"), "CommandUUID"), "x");
    pl_free(&root);
}

static void a_long_string_and_markup(void **state)
{
    struct buf keys = BUF_INIT(16 * LIM_MB), xml = BUF_INIT(32 * LIM_MB), out = BUF_INIT(LIM_MB);
    pl root;
    (void)state;
    buf_str(&keys, "{\"Message\": \"\\\"><script>&amp;]]>");
    for (size_t i = 0; i < 10 * LIM_MB; i += 16)
        buf_str(&keys, "0123456789abcdef");
    buf_str(&keys, "\"}");
    root = command_of("DeviceLock", buf_cstr(&keys));
    assert_int_equal(pl_to_xml(root, &xml), OK);
    pl_free(&root);
    if (judge_there("python3")) {
        int status = judge("/usr/bin/python3 -c 'import plistlib, sys\n"
                           "d = plistlib.load(open(sys.argv[1], \"rb\"))\n"
                           "m = d[\"Command\"][\"Message\"]\n"
                           "assert m.startswith(\"\\\"><script>&amp;]]>0123\"), m[:40]\n"
                           "assert len(m) == 10 * 1024 * 1024 + 18, len(m)' \"$1\"",
                           buf_bytes(&xml), &out);
        if (status != 0)
            fail_msg("%s", buf_cstr(&out));
    }
    buf_free(&keys);
    buf_free(&xml);
    buf_free(&out);
}

/* The command as a device would get it, read by somebody else. */
static void others_read_it(void **state)
{
    struct buf xml = BUF_INIT(LIM_MB), out = BUF_INIT(LIM_MB);
    pl root =
        command_of("ScheduleOSUpdate", "{\"Updates\": [{\"ProductKey\": \"a\", \"InstallAction\": "
                                       "\"InstallLater\", \"MaxUserDeferrals\": 3}]}");
    int status;
    (void)state;
    assert_int_equal(pl_to_xml(root, &xml), OK);
    pl_free(&root);
    if (!judge_there("python3"))
        skip();
    status = judge("/usr/bin/python3 -c 'import plistlib, sys\n"
                   "d = plistlib.load(open(sys.argv[1], \"rb\"))\n"
                   "assert set(d) == {\"CommandUUID\", \"Command\"}, d\n"
                   "assert d[\"Command\"] == {\"RequestType\": \"ScheduleOSUpdate\", \"Updates\": "
                   "[{\"ProductKey\": \"a\", \"InstallAction\": \"InstallLater\", "
                   "\"MaxUserDeferrals\": 3}]}, d' \"$1\"",
                   buf_bytes(&xml), &out);
    if (status != 0)
        fail_msg("%s", buf_cstr(&out));
    buf_free(&xml);
    buf_free(&out);
}

static void memory_runs_out(void **state)
{
    struct arena *small = arena_new(16);
    char uuid[UUID_LEN + 1];
    pl root;
    js keys = NULL;
    (void)state;
    assert_int_equal(js_parse(bytes_str("{\"a\": null, \"b\": null}"), &keys, &err), OK);
    assert_int_equal(command_build(small, "DeviceLock", keys, &root, uuid, &found, &err), ERROR);
    assert_null(root);
    js_free(&keys);
    arena_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_follow_the_catalogue),
        cmocka_unit_test(each_has_a_uuid_of_its_own),
        cmocka_unit_test(data_and_dates_where_any_type_may_stand),
        cmocka_unit_test(made_again_it_is_the_same),
        cmocka_unit_test(strangers_are_taken_over),
        cmocka_unit_test(what_has_no_form_is_refused),
        cmocka_unit_test(keys_stay_inside_the_command),
        cmocka_unit_test(a_long_string_and_markup),
        cmocka_unit_test(others_read_it),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, command_set_up, command_tear_down);
}
