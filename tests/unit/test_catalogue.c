/* test_catalogue.c: looking up commands, keys, values and what they need, on each platform. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "command/catalogue.h"

static cat at(const char *request_type, const char *path)
{
    cat c = catalogue_find(request_type);
    assert_non_null(c);
    cat row = catalogue_path(c, path);
    if (row == NULL)
        fail_msg("%s has no %s", request_type, path);
    return row;
}

static void commands_are_found_by_name(void **state)
{
    (void)state;
    assert_true(catalogue_count() >= 66);
    for (size_t i = 0; i < catalogue_count(); i++) {
        const char *name = catalogue_name(catalogue_at(i));
        assert_ptr_equal(catalogue_find(name), catalogue_at(i));
        assert_int_equal(catalogue_kind(catalogue_at(i)), CATALOGUE_COMMAND);
        assert_null(catalogue_parent(catalogue_at(i)));
        assert_null(catalogue_next(catalogue_at(i)));
        assert_true(i == 0 || strcmp(catalogue_name(catalogue_at(i - 1)), name) < 0);
        assert_true(catalogue_about(catalogue_at(i))[0] != '\0');
    }
    assert_null(catalogue_find(""));
    assert_null(catalogue_find("devicelock"));
    assert_null(catalogue_find("DeviceLockX"));
    assert_null(catalogue_find("\xff\xff"));
}

/* Each row is reached once by walking down, and knows the row above. */
static size_t walk(cat row, uint8_t *seen)
{
    size_t n = 1;
    assert_true(catalogue_row(row) < catalogue_rows());
    assert_int_equal(seen[catalogue_row(row)]++, 0);
    for (cat c = catalogue_first(row); c != NULL; c = catalogue_next(c)) {
        assert_ptr_equal(catalogue_parent(c), row);
        n += walk(c, seen);
    }
    return n;
}

static void every_row_is_reached_once(void **state)
{
    static uint8_t seen[8192];
    size_t n = 1; /* row 0 is none */
    (void)state;
    assert_true(catalogue_rows() <= sizeof seen);
    for (size_t i = 0; i < catalogue_count(); i++)
        n += walk(catalogue_at(i), seen);
    assert_int_equal(n, catalogue_rows());
}

static void keys_are_found_by_path(void **state)
{
    (void)state;
    assert_int_equal(catalogue_type(at("RequestMirroring", "ScanTime")), CATALOGUE_INTEGER);
    assert_int_equal(catalogue_type(at("InstallApplication", "Options.PurchaseMethod")),
                     CATALOGUE_INTEGER);
    assert_int_equal(catalogue_type(at("Settings", "Settings[Wallpaper].Image")), CATALOGUE_DATA);
    assert_true(
        catalogue_is(at("ScheduleOSUpdate", "Updates[].InstallAction"), CATALOGUE_REQUIRED));
    assert_string_equal(catalogue_default(at("ScheduleOSUpdate", "Updates[].Priority")), "Low");
    assert_int_equal(catalogue_kind(at("DeviceInformation", "Queries[][UDID]")), CATALOGUE_VALUE);
    assert_true(catalogue_is(at("DeviceInformation", "Queries[][Locales]"), CATALOGUE_LEGACY));
    /* any name, in a request and in an answer */
    assert_int_equal(catalogue_type(at("InstallApplication", "Configuration.whatever")),
                     CATALOGUE_ANY);
    assert_int_equal(catalogue_type(at("ManagedApplicationList",
                                       "answer:ManagedApplicationList.<app-identifier>.Status")),
                     CATALOGUE_STRING);
    /* a key of the request is none of the answer, and the other way round */
    assert_null(catalogue_path(catalogue_find("DeviceLock"), "MessageResult"));
    assert_null(catalogue_path(catalogue_find("DeviceLock"), "answer:PIN"));
    assert_int_equal(catalogue_kind(at("DeviceLock", "answer:MessageResult")), CATALOGUE_ANSWER);
}

static void paths_that_lead_nowhere(void **state)
{
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "[",
        "[]",
        "Settings.",
        "Nope",
        "settings",
        "Settings[",
        "Settings]",
        "Settings[x]",
        "Settings[Wallpaper",
        "answer",
        "answer:",
        "answer:Nope",
        "Settings[Wallpaper].",
        "Settings[Wallpaper]Image",
        "Settings[Wallpaper].Image.x",
        "Settings[Wallpaper].Image[]",
        "Settings[]",
    };
    char longer[70000];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (catalogue_path(catalogue_find("Settings"), bad[i]) != NULL)
            fail_msg("%s leads somewhere", bad[i]);
    memset(longer, '[', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_null(catalogue_path(catalogue_find("Settings"), longer));
    memset(longer, 'A', sizeof longer - 1);
    assert_null(catalogue_path(catalogue_find("Settings"), longer));
}

static void what_rows_above_say_holds_below(void **state)
{
    struct catalogue_support s;
    (void)state;
    s = catalogue_support(catalogue_find("EraseDevice"), PLATFORM_IOS);
    assert_int_equal(s.introduced, VERSION(4, 0, 0));
    assert_int_equal(s.right, RIGHT_ERASE);
    assert_true(s.device && !s.user && s.shared_device && !s.shared_user);
    assert_int_equal(s.user_enrolment, MODE_FORBIDDEN);
    /* a key without a word on macOS has the command's, with one its own */
    s = catalogue_support(at("EraseDevice", "PreserveDataPlan"), PLATFORM_IOS);
    assert_int_equal(s.introduced, VERSION(11, 0, 0));
    assert_int_equal(s.right, RIGHT_ERASE);
    s = catalogue_support(at("EraseDevice", "PreserveDataPlan"), PLATFORM_MACOS);
    assert_int_equal(s.introduced, VERSION_NEVER);
    /* two levels down */
    s = catalogue_support(at("EraseDevice", "ReturnToService.Enabled"), PLATFORM_TVOS);
    assert_int_equal(s.introduced, VERSION(18, 0, 0));
    s = catalogue_support(at("Settings", "Settings[Wallpaper].Image"), PLATFORM_IOS);
    assert_true(s.supervised);
    assert_int_equal(s.introduced, VERSION(8, 0, 0));
    s = catalogue_support(at("Settings", "Settings[PersonalHotspot].Enabled"), PLATFORM_IOS);
    assert_int_equal(s.right, RIGHT_NETWORK_INFO);
    /* a platform that is not named, and none at all */
    s = catalogue_support(catalogue_find("Restrictions"), PLATFORM_MACOS);
    assert_int_equal(s.introduced, VERSION_NEVER);
    s = catalogue_support(catalogue_find("Restrictions"), PLATFORM_UNKNOWN);
    assert_int_equal(s.introduced, VERSION_NEVER);
}

static void versions(void **state)
{
    char text[VERSION_TEXT_MAX];
    (void)state;
    assert_true(version_read("9.3") < version_read("10.0"));
    assert_true(version_read("10.9") < version_read("10.10"));
    assert_true(version_read("10.15.4") < version_read("10.15.7"));
    assert_true(version_read("10.15") < version_read("10.15.1"));
    assert_true(version_read("17") == version_read("17.0"));
    assert_true(version_read("16.4.1 (a)") == VERSION(16, 4, 1));
    assert_true(version_read("26.1") == VERSION(26, 1, 0));
    assert_int_equal(version_read(NULL), 0);
    assert_int_equal(version_read(""), 0);
    assert_int_equal(version_read("iOS 9"), 0);
    assert_int_equal(version_read("-1"), 0);
    assert_int_equal(version_read(".5"), 0);
    assert_true(version_read("7.") == VERSION(7, 0, 0));
    assert_true(version_read("7..9") == VERSION(7, 0, 0));
    /* too large for it: the largest, and never VERSION_NEVER */
    assert_true(version_read("99999999999999999999.99.99") == VERSION(126, 31, 15));
    assert_true(version_read("99999999999999999999.99.99") < VERSION_NEVER);
    assert_true(version_read("10.4294967301") == VERSION(10, 31, 0));
    assert_string_equal(version_text(VERSION(10, 15, 7), text), "10.15.7");
    assert_string_equal(version_text(VERSION(17, 0, 0), text), "17.0");
    assert_string_equal(version_text(VERSION(126, 31, 15), text), "126.31.15");
    assert_string_equal(version_text(VERSION_NEVER, text), "");
    assert_string_equal(version_text(0, text), "");
}

static void platforms(void **state)
{
    static const struct {
        const char *product;
        enum platform platform;
    } cases[] = {
        {"iPhone3,1", PLATFORM_IOS},
        {"iPad13,4", PLATFORM_IOS},
        {"iPod9,1", PLATFORM_IOS},
        {"MacBookPro18,3", PLATFORM_MACOS},
        {"Mac15,3", PLATFORM_MACOS},
        {"Macmini9,1", PLATFORM_MACOS},
        {"iMac21,1", PLATFORM_MACOS},
        {"VirtualMac2,1", PLATFORM_MACOS},
        {"AppleTV11,1", PLATFORM_TVOS},
        {"Watch6,7", PLATFORM_WATCHOS},
        {"RealityDevice14,1", PLATFORM_VISIONOS},
        {"", PLATFORM_UNKNOWN},
        {"Toaster1,1", PLATFORM_UNKNOWN},
        {"iphone3,1", PLATFORM_UNKNOWN},
        {NULL, PLATFORM_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(platform_of(cases[i].product), cases[i].platform);
    assert_string_equal(platform_name(PLATFORM_MACOS), "macOS");
    assert_string_equal(platform_name((enum platform)77), "unknown");
}

static void rights(void **state)
{
    (void)state;
    assert_true(right_held(1, RIGHT_INSPECT));
    assert_true(right_held(3, RIGHT_PROFILES));
    assert_false(right_held(2, RIGHT_PROFILES)); /* 2 needs 1 */
    assert_false(right_held(128, RIGHT_PROVISIONING));
    assert_true(right_held(192, RIGHT_PROVISIONING));
    assert_true(right_held(0, RIGHT_NONE) && right_held(0, RIGHT_EACH));
    assert_false(right_held(8191 & ~RIGHT_ERASE, RIGHT_ERASE));
    for (unsigned r = 1; r <= RIGHT_APPS; r <<= 1) {
        assert_true(right_held(8191, r));
        assert_non_null(right_about(r));
        assert_int_equal(right_read(right_name(r), strlen(right_name(r))), r);
    }
    assert_null(right_name(3));
    assert_int_equal(right_read("nothing", 7), RIGHT_NONE);
}

/* What is printed is JSON, holds every command, and is small enough for one answer. */
static void json(void **state)
{
    struct buf text = BUF_INIT(LIM_RESPONSE);
    js all = catalogue_json_all(), again = NULL, one;
    struct err err;
    (void)state;
    assert_int_equal(js_write(all, false, &text), OK);
    assert_int_equal(js_parse(buf_bytes(&text), &again, &err), OK);
    assert_int_equal(js_size(again), catalogue_count());
    for (size_t i = 0; i < catalogue_count(); i++)
        assert_string_equal(js_get_str(js_at(again, i), "request_type"),
                            catalogue_name(catalogue_at(i)));
    one = catalogue_json(at("DeviceLock", "PIN"));
    assert_true(js_size(js_get(one, "rules")) == 2);
    assert_string_equal(js_str(js_at(js_get(one, "rules"), 0)), "length 4 6");
    js_free(&one);
    js_free(&all);
    js_free(&again);
    buf_free(&text);
}

/* What destroys data, keeps the owner out or tells a secret asks for a reason and who it is. */
static void what_harms_is_sensitive(void **state)
{
    static const char *const names[] = {"EraseDevice",
                                        "DeleteUser",
                                        "DeviceLock",
                                        "ClearPasscode",
                                        "EnableLostMode",
                                        "DisableLostMode",
                                        "DeviceLocation",
                                        "PlayLostModeSound",
                                        "ActivationLockBypassCode",
                                        "RequestUnlockToken",
                                        "ClearRestrictionsPassword",
                                        "ClearActivationLockBypassCode"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!catalogue_is(catalogue_find(names[i]), CATALOGUE_SENSITIVE))
            fail_msg("%s is not sensitive", names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_harms_is_sensitive),
        cmocka_unit_test(commands_are_found_by_name),
        cmocka_unit_test(every_row_is_reached_once),
        cmocka_unit_test(keys_are_found_by_path),
        cmocka_unit_test(paths_that_lead_nowhere),
        cmocka_unit_test(what_rows_above_say_holds_below),
        cmocka_unit_test(versions),
        cmocka_unit_test(platforms),
        cmocka_unit_test(rights),
        cmocka_unit_test(json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
