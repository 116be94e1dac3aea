/* test_validate.c: what is wrong with a command for a device, told in full before it is sent. */
#include "command.h"

#include "command/checked.h"
#include "store/ident.h"

#include <stdio.h>
#include <stdlib.h>

/* An iPhone of a supervised fleet, and others that differ in what a test is about. */
static const struct device_facts phone = {.platform = PLATFORM_IOS,
                                          .version = VERSION(17, 0, 0),
                                          .rights = 8191,
                                          .supervised = SAYS_YES,
                                          .dep = SAYS_YES,
                                          .shared_ipad = SAYS_NO,
                                          .user_enrolment = SAYS_NO};

static struct device_facts a_mac(void)
{
    struct device_facts f = phone;
    f.platform = PLATFORM_MACOS;
    f.version = VERSION(14, 0, 0);
    return f;
}

static const char *check(const char *type, const char *keys, const struct device_facts *f)
{
    pl root = command_of(type, keys);
    enum outcome o;

    if (root == NULL)
        fail_msg("%s", findings_text());
    o = command_validate(arena, root, f, &found, &err);
    assert_int_equal(o, found.errors ? INVALID : OK);
    pl_free(&root);
    return findings_text();
}

#define CHECK(want, type, keys, f) assert_string_equal(check(type, keys, f), want)

static void good_commands_pass(void **state)
{
    struct device_facts mac = a_mac();
    (void)state;
    CHECK("", "DeviceLock", NULL, &phone);
    CHECK("", "DeviceLock", "{\"Message\": \"call us\", \"PhoneNumber\": \"1\"}", &phone);
    CHECK("", "DeviceLock", "{\"PIN\": \"123456\"}", &mac);
    CHECK("", "InstallApplication",
          "{\"iTunesStoreID\": 361285480, \"ManagementFlags\": 5, "
          "\"Options\": {\"PurchaseMethod\": 1}, \"Configuration\": {\"a\": [1, 2.5, {}]}}",
          &phone);
    CHECK("", "DeviceInformation", "{\"Queries\": [\"UDID\", \"OSVersion\", \"WiFiMAC\"]}", &phone);
    CHECK("", "Settings",
          "{\"Settings\": [{\"Item\": \"DeviceName\", \"DeviceName\": \"x\"}, "
          "{\"Item\": \"Wallpaper\", \"Image\": \"QUJD\", \"Where\": 3}]}",
          &phone);
    CHECK("", "ClearPasscode", NULL, &phone); /* UnlockToken is put in on delivery */
    CHECK("", "RequestMirroring", "{\"DestinationName\": \"tv\", \"ScanTime\": 300}", &phone);
}

static void keys_and_types(void **state)
{
    (void)state;
    CHECK("E : there is no request type \"devicelock\"\n", "devicelock", NULL, &phone);
    CHECK("E Pin: unknown key; it is spelt \"PIN\"\n", "DeviceLock", "{\"Pin\": \"1234\"}", &phone);
    CHECK("E Nonsense: unknown key\n", "DeviceLock", "{\"Nonsense\": 1}", &phone);
    CHECK("E Message: is of type integer; it must be of type string\n", "DeviceLock",
          "{\"Message\": 5}", &phone);
    CHECK("E Identifier: is missing\n", "RemoveProfile", NULL, &phone);
    CHECK("E Options: is of type string; it must be of type dictionary\n", "InstallApplication",
          "{\"Identifier\": \"a\", \"Options\": \"b\"}", &phone);
    CHECK("E Options.PurchaseMethod: must be one of 0, 1\n", "InstallApplication",
          "{\"Identifier\": \"a\", \"Options\": {\"PurchaseMethod\": 2}}", &phone);
    CHECK("E ManagementFlags: is of type real; it must be of type integer\n", "InstallApplication",
          "{\"Identifier\": \"a\", \"ManagementFlags\": 1.0}", &phone);
    CHECK("E Identifiers[1]: is of type integer; it must be of type string\n",
          "ManagedApplicationList", "{\"Identifiers\": [\"a\", 2, \"c\"]}", &phone);
    CHECK("E MediaType: must be Book\n", "RemoveMedia",
          "{\"MediaType\": \"Film\", \"PersistentID\": \"x\"}", &phone);
    /* all that is wrong, not the first only */
    check("InstallApplication",
          "{\"Identifier\": 1, \"ManifestURL\": \"http://x/\", \"Nope\": true, "
          "\"ManagementFlags\": 9}",
          &phone);
    assert_int_equal(found.errors, 5);
}

static void settings_are_told_apart_by_item(void **state)
{
    (void)state;
    CHECK("E Settings[0]: needs a string Item that says what it is\n", "Settings",
          "{\"Settings\": [{\"Enabled\": true}]}", &phone);
    CHECK(
        "E Settings[1]: there is no Item \"Flying\"\n", "Settings",
        "{\"Settings\": [{\"Item\": \"DataRoaming\", \"Enabled\": true}, {\"Item\": \"Flying\"}]}",
        &phone);
    CHECK("E Settings[0]: is of type string; it must be a dictionary\n", "Settings",
          "{\"Settings\": [\"DataRoaming\"]}", &phone);
    CHECK("E Settings[0].Enabled: is missing\n", "Settings",
          "{\"Settings\": [{\"Item\": \"Bluetooth\"}]}", &phone);
    CHECK("E Settings[0].Where: must be one of 1, 2, 3\n", "Settings",
          "{\"Settings\": [{\"Item\": \"Wallpaper\", \"Image\": \"QQ==\", \"Where\": 0}]}", &phone);
    CHECK("W Settings[0]: is of the protocol as it was in 2014\n"
          "E Settings[0]: iOS does not have it\n",
          "Settings", "{\"Settings\": [{\"Item\": \"Language\", \"Language\": \"en\"}]}", &phone);
}

static void rules(void **state)
{
    struct device_facts mac = a_mac();
    (void)state;
    CHECK("E ScanTime: is 9; it must be from 10 to 300\n", "RequestMirroring",
          "{\"DestinationName\": \"tv\", \"ScanTime\": 9}", &phone);
    CHECK("E ScanTime: is 301; it must be from 10 to 300\n", "RequestMirroring",
          "{\"DestinationName\": \"tv\", \"ScanTime\": 301}", &phone);
    CHECK("E : needs at least one of DestinationName, DestinationDeviceID\n", "RequestMirroring",
          NULL, &phone);
    CHECK("E DestinationDeviceID: must be a hardware address, xx:xx:xx:xx:xx:xx\n",
          "RequestMirroring", "{\"DestinationDeviceID\": \"00:11:22:33:44-55\"}", &phone);
    CHECK("", "RequestMirroring", "{\"DestinationDeviceID\": \"00:11:22:aa:BB:ff\"}", &phone);
    CHECK("E PIN: has 5 characters; allowed are 4, 6\n"
          "W PIN: is not 6 digits, which is what devices expect\n",
          "DeviceLock", "{\"PIN\": \"12345\"}", &mac);
    CHECK("W PIN: is not 6 digits, which is what devices expect\n", "EraseDevice",
          "{\"PIN\": \"\xc3\xa4\xc3\xb6\xc3\xbc!\"}", &mac); /* four characters, seven octets */
    CHECK("E : needs one of Identifier, iTunesStoreID, ManifestURL\n", "InstallApplication", "{}",
          &phone);
    CHECK("E : may have only one of Identifier, iTunesStoreID, ManifestURL\n", "InstallApplication",
          "{\"Identifier\": \"a\", \"iTunesStoreID\": 1}", &phone);
    CHECK("E ManifestURL: must begin with https://\n", "InstallApplication",
          "{\"ManifestURL\": \"http://a/b.plist\"}", &phone);
    CHECK("E ManifestURL: names no host\n", "InstallApplication",
          "{\"ManifestURL\": \"https:///b.plist\"}", &phone);
    CHECK("E ManifestURL: is no URL: it holds a blank or a control character\n",
          "InstallApplication", "{\"ManifestURL\": \"https://a/ b\"}", &phone);
    CHECK("", "InstallApplication", "{\"ManifestURL\": \"HTTPS://a.example/b\"}", &phone);
    CHECK("E : needs at least one of Message, PhoneNumber\n", "EnableLostMode",
          "{\"Footnote\": \"f\"}", &phone);
    CHECK("E : needs UserName unless DeleteAllUsers is true\n", "DeleteUser", "{}", &mac);
    CHECK("E : DeviceAttestationNonce is of use with DevicePropertiesAttestation in Queries only\n",
          "DeviceInformation", "{\"Queries\": [\"UDID\"], \"DeviceAttestationNonce\": \"QUJD\"}",
          &phone);
    CHECK("W FileVaultUnlock.PrivateKeyExport: is deprecated since macOS 10.15\n"
          "E FileVaultUnlock: PrivateKeyExport needs PrivateKeyExportPassword beside it\n"
          "E : needs NewCertificate when KeyType is institutional\n",
          "RotateFileVaultKey",
          "{\"KeyType\": \"institutional\", \"FileVaultUnlock\": {\"PrivateKeyExport\": \"QUJD\"}}",
          &mac);
    CHECK("E : LockPrimaryAccountInfo and DontAutoPopulatePrimaryAccountInfo cannot be true and "
          "true together\n",
          "AccountConfiguration",
          "{\"LockPrimaryAccountInfo\": true, \"DontAutoPopulatePrimaryAccountInfo\": true}", &mac);
    CHECK("E NewPassword: must be of printable ASCII characters\n", "SetFirmwarePassword",
          "{\"NewPassword\": \"a\xc3\xa4\"}", &mac);
}

static void platforms_and_versions(void **state)
{
    struct device_facts mac = a_mac(), f = phone;
    (void)state;
    CHECK("E PIN: iOS does not have it\n", "DeviceLock", "{\"PIN\": \"123456\"}", &phone);
    CHECK("E : macOS does not have it\n", "Restrictions", NULL, &mac);
    f.platform = PLATFORM_WATCHOS;
    f.version = VERSION(10, 0, 0);
    CHECK("E : watchOS does not have it\n", "RestartDevice", NULL, &f);
    f = phone;
    f.version = VERSION(10, 3, 4);
    CHECK("E PreserveDataPlan: needs iOS 11.0; the device has 10.3.4\n", "EraseDevice",
          "{\"PreserveDataPlan\": true}", &f);
    f.version = VERSION(6, 1, 6);
    assert_non_null(strstr(check("RequestMirroring", "{\"DestinationName\": \"x\"}", &f),
                           "E : needs iOS 7.0; the device has 6.1.6\n"));
    f.version = VERSION(16, 0, 0);
    CHECK("W Settings[0]: is deprecated since iOS 16.0\n", "Settings",
          "{\"Settings\": [{\"Item\": \"VoiceRoaming\", \"Enabled\": true}]}", &f);
    f.version = VERSION(15, 7, 9);
    CHECK("", "Settings", "{\"Settings\": [{\"Item\": \"VoiceRoaming\", \"Enabled\": true}]}", &f);
    /* a device leaves out a query that it does not know */
    CHECK("W Queries[1].IMEI: macOS does not have it\n", "DeviceInformation",
          "{\"Queries\": [\"UDID\", \"IMEI\"]}", &mac);
    CHECK("E Queries[0]: \"Nope\" is no value that the catalogue knows\n", "DeviceInformation",
          "{\"Queries\": [\"Nope\"]}", &mac);
    /* what a platform does not have is not missing there */
    f = a_mac();
    f.platform = PLATFORM_UNKNOWN;
    CHECK("E UUID: is missing\n", "RemoveProvisioningProfile", "{}", &mac);
}

static void rights_of_the_profile(void **state)
{
    struct device_facts f = phone;
    (void)state;
    f.rights = 8191 & ~4;
    CHECK("E : needs the access right 4 (device lock and passcode removal), which the device's "
          "profile does not have\n",
          "DeviceLock", NULL, &f);
    f.rights = 2; /* 2 needs 1 */
    check("InstallProfile", "{\"Payload\": \"QUJD\"}", &f);
    assert_int_equal(found.errors, 1);
    f.rights = 3;
    CHECK("", "InstallProfile", "{\"Payload\": \"QUJD\"}", &f);
    f.rights = 128;
    check("RemoveProvisioningProfile", "{\"UUID\": \"x\"}", &f);
    assert_int_equal(found.errors, 1);
    f.rights = 2048;
    check("Settings",
          "{\"Settings\": [{\"Item\": \"PersonalHotspot\", \"Enabled\": true}, "
          "{\"Item\": \"DataRoaming\", \"Enabled\": true}]}",
          &f);
    assert_int_equal(found.errors, 2); /* 32 for each */
    f.rights = 512;
    CHECK("", "Restrictions", "{\"ProfileRestrictions\": false}", &f);
    check("Restrictions", "{\"ProfileRestrictions\": true}", &f);
    assert_int_equal(found.errors, 1);
    /* queries are dropped by the device */
    f.rights = 16;
    check("DeviceInformation",
          "{\"Queries\": [\"OSVersion\", \"ModelName\", \"WiFiMAC\", \"UDID\"]}", &f);
    assert_int_equal(found.errors, 0);
    assert_int_equal(found.warnings, 1);
    assert_string_equal(found.list[0].path, "Queries[2].WiFiMAC");
}

static void states_of_the_device(void **state)
{
    struct device_facts f = phone;
    (void)state;
    f.supervised = SAYS_NO;
    CHECK("E : needs a supervised device\n", "DisableLostMode", NULL, &f);
    CHECK("E Settings[0]: needs a supervised device\n", "Settings",
          "{\"Settings\": [{\"Item\": \"Wallpaper\", \"Image\": \"QQ==\", \"Where\": 1}]}", &f);
    f = phone;
    f.user_enrolment = SAYS_YES;
    CHECK("E : cannot be used with User Enrolment\n", "EraseDevice", NULL, &f);
    CHECK("", "DeviceLock", NULL, &f);
    f = phone;
    CHECK("E : needs Shared iPad\n", "LogOutUser", NULL, &f);
    f.shared_ipad = SAYS_YES;
    CHECK("", "LogOutUser", NULL, &f);
    CHECK("W Message: is ignored with Shared iPad\n", "DeviceLock", "{\"Message\": \"m\"}", &f);
    CHECK("E : cannot be used with Shared iPad\n", "ApplyRedemptionCode",
          "{\"Identifier\": \"a\", \"RedemptionCode\": \"b\"}", &f);
    f = a_mac();
    f.dep = SAYS_NO;
    CHECK("E : needs a device that came by automated enrolment\n", "DeviceConfigured", NULL, &f);
}

static void channels(void **state)
{
    struct device_facts f = a_mac();
    (void)state;
    CHECK("E : goes to a user's channel only\n", "NSExtensionMappings", NULL, &f);
    f.user_channel = true;
    CHECK("", "NSExtensionMappings", NULL, &f);
    CHECK("", "ProfileList", NULL, &f);
    CHECK("E : does not go to a user's channel\n", "DeviceLock", NULL, &f);
    f = phone;
    f.user_channel = true;
    CHECK("E : iOS has a user channel on Shared iPads only\n", "ProfileList", NULL, &f);
    f.shared_ipad = SAYS_YES;
    CHECK("", "ProfileList", NULL, &f);
    CHECK("", "UserConfigured", NULL, &f);
    CHECK("E : does not go to a user's channel\n", "EraseDevice", NULL, &f);
    f.user_channel = false;
    CHECK("E : goes to a user's channel only\n", "UserConfigured", NULL, &f);
    f = phone;
    f.platform = PLATFORM_TVOS;
    f.user_channel = true;
    CHECK("E : does not go to a user's channel\n", "ProfileList", NULL, &f);
}

/* What is wrong with the whole is not told again of its parts. */
static void each_fault_is_told_once(void **state)
{
    struct device_facts f = phone, mac = a_mac();
    (void)state;
    f.rights = 8191 & ~RIGHT_ERASE;
    check("EraseDevice",
          "{\"PreserveDataPlan\": true, \"DisallowProximitySetup\": true, "
          "\"ReturnToService\": {\"Enabled\": true}}",
          &f);
    assert_int_equal(found.errors, 1);
    mac.platform = PLATFORM_TVOS;
    check("InstallMedia", "{\"MediaType\": \"Book\", \"MediaURL\": \"https://a/\"}", &mac);
    assert_int_equal(found.errors, 1);
    CHECK("E ReturnToService: macOS does not have it\n", "EraseDevice",
          "{\"ReturnToService\": {\"Enabled\": true, \"WiFiProfileData\": \"QUJD\"}}",
          (f = a_mac(), &f));
    /* types are told all the same */
    check("Restrictions", "{\"ProfileRestrictions\": \"yes\"}", &f);
    assert_int_equal(found.errors, 2);
}

/* What is not known is told once and refuses nothing. */
static void unknown_facts_warn(void **state)
{
    struct device_facts f = DEVICE_FACTS_UNKNOWN;
    (void)state;
    check("Settings",
          "{\"Settings\": [{\"Item\": \"Wallpaper\", \"Image\": \"QQ==\", "
          "\"Where\": 1}, {\"Item\": \"HostName\", \"HostName\": \"x\"}]}",
          &f);
    assert_int_equal(found.errors, 0);
    assert_int_equal(found.warnings, 1);
    f.platform = PLATFORM_IOS;
    check("Settings",
          "{\"Settings\": [{\"Item\": \"Wallpaper\", \"Image\": \"QQ==\", "
          "\"Where\": 1}, {\"Item\": \"TimeZone\", \"TimeZone\": \"x\"}]}",
          &f);
    assert_int_equal(found.errors, 0);
    assert_int_equal(found.warnings, 3); /* version, rights, supervision */
    /* what is wrong in any case is wrong still */
    check("RequestMirroring", "{\"ScanTime\": 1}", &f);
    assert_int_equal(found.errors, 2);
}

static void what_an_enrollment_tells(void **state)
{
    struct enrollment e = {.kind = IDENT_DEVICE,
                           .product_name = "iPhone14,2",
                           .os_version = "17.1",
                           .access_rights = 1024};
    struct device_facts f = device_facts_of(&e);
    (void)state;
    assert_int_equal(f.platform, PLATFORM_IOS);
    assert_int_equal(f.version, VERSION(17, 1, 0));
    assert_int_equal(f.rights, 1024); /* what it enrolled with */
    assert_false(f.user_channel);
    assert_int_equal(f.user_enrolment, SAYS_NO);
    assert_int_equal(f.supervised, SAYS_NOTHING);
    e = (struct enrollment){
        .kind = IDENT_USER, .product_name = "", .os_version = "", .access_rights = -1};
    f = device_facts_of(&e);
    assert_int_equal(f.platform, PLATFORM_MACOS);
    assert_int_equal(f.version, 0);
    assert_int_equal(f.rights, -1);
    assert_true(f.user_channel);
    e.kind = IDENT_SHARED_IPAD;
    f = device_facts_of(&e);
    assert_true(f.user_channel && f.shared_ipad == SAYS_YES && f.platform == PLATFORM_IOS);
    e.kind = IDENT_USER_ENROLLMENT_DEVICE;
    f = device_facts_of(&e);
    assert_true(!f.user_channel && f.user_enrolment == SAYS_YES);
    assert_int_equal(f.rights, 8191); /* AccessRights is ignored there */
    e.kind = IDENT_USER_ENROLLMENT;
    f = device_facts_of(&e);
    assert_true(f.user_channel && f.user_enrolment == SAYS_YES);
}

/* ---- hostile ---- */

static void raw(const char *xml, size_t errors)
{
    char text[2000];
    pl root = NULL;

    snprintf(text, sizeof text, "<plist version=\"1.0\">%s</plist>", xml);
    assert_int_equal(pl_parse(bytes_str(text), &root, &err), OK);
    assert_int_equal(command_validate(arena, root, &phone, &found, &err), errors ? INVALID : OK);
    assert_int_equal(found.errors, errors);
    pl_free(&root);
}

static void things_that_are_no_commands(void **state)
{
    (void)state;
    raw("<string>x</string>", 1);
    raw("<array/>", 1);
    raw("<dict/>", 1);
    raw("<dict><key>Command</key><array/></dict>", 1);
    raw("<dict><key>Command</key><dict/></dict>", 1);
    raw("<dict><key>Command</key><dict><key>RequestType</key><integer>1</integer></dict></dict>",
        1);
    raw("<dict><key>Command</key><dict><key>RequestType</key><string/></dict></dict>", 1);
    raw("<dict><key>Command</key><dict><key>RequestType</key><string>DeviceLock</string></dict>"
        "<key>Else</key><true/></dict>",
        0);
    assert_int_equal(found.warnings, 1);
    assert_int_equal(command_validate(arena, NULL, &phone, &found, &err), INVALID);
    /* <date> and <data> where strings belong */
    raw("<dict><key>Command</key><dict><key>RequestType</key><string>DeviceLock</string>"
        "<key>Message</key><date>2026-11-22T08:15:30Z</date>"
        "<key>PhoneNumber</key><data>QUJD</data></dict></dict>",
        2);
}

static void what_is_told_is_bounded_and_tame(void **state)
{
    struct buf b = BUF_INIT(LIM_MB);
    (void)state;
    buf_str(&b, "{");
    for (int i = 0; i < 500; i++)
        buf_fmt(&b, "%s\"key%d\": 1", i ? ", " : "", i);
    buf_str(&b, "}");
    check("DeviceLock", buf_cstr(&b), &phone);
    assert_int_equal(found.errors, 500);
    assert_int_equal(found.n, FINDINGS_MAX);
    /* control characters and long names do not get out */
    buf_clear(&b);
    buf_str(&b, "{\"a\\u001b[31m\\nx\": 1, \"");
    for (int i = 0; i < 3000; i++)
        buf_str(&b, "\xe2\x82\xac");
    buf_str(&b, "\": 1}");
    check("DeviceLock", buf_cstr(&b), &phone);
    assert_int_equal(found.errors, 2);
    for (size_t i = 0; i < found.n; i++) {
        assert_true(strlen(found.list[i].path) <= 64);
        for (const char *p = found.list[i].path; *p; p++)
            assert_true((unsigned char)*p >= 0x20);
    }
    buf_free(&b);
}

/* The path of something deep is cut off, not overrun. */
static void deep(void **state)
{
    struct buf b = BUF_INIT(LIM_MB);
    (void)state;
    buf_str(&b, "{\"Identifier\": \"a\", \"Configuration\": ");
    for (int i = 0; i < 50; i++)
        buf_str(&b, "{\"a_rather_long_name_for_a_key_of_a_configuration_of_an_app\": ");
    buf_str(&b, "{\"$date\": \"never\"}");
    for (int i = 0; i < 50; i++)
        buf_str(&b, "}");
    buf_str(&b, "}");
    assert_null(command_of("InstallApplication", buf_cstr(&b)));
    assert_int_equal(found.errors, 1);
    assert_true(strlen(found.list[0].path) < 512);
    buf_free(&b);
}

/* Every command, with keys of every type and of none, on every platform: nothing crashes, and what
 * is required is missed. */
static void every_command_everywhere(void **state)
{
    static const char *const values[] = {"1",  "1.5", "true", "\"x\"",
                                         "[]", "{}",  "[[]]", "[{\"Item\": 1}]"};
    (void)state;
    for (size_t i = 0; i < catalogue_count(); i++)
        for (int p = PLATFORM_UNKNOWN; p < PLATFORM__MAX; p++) {
            struct device_facts f = phone;
            cat row = catalogue_at(i);
            bool needs = false;
            f.platform = (enum platform)p;
            for (cat k = catalogue_first(row); k != NULL; k = catalogue_next(k)) {
                if (catalogue_kind(k) != CATALOGUE_KEY)
                    continue;
                needs |= catalogue_is(k, CATALOGUE_REQUIRED) && p == PLATFORM_UNKNOWN &&
                         strcmp(catalogue_name(k), "UnlockToken") != 0;
                for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                    char keys[300];
                    pl root;
                    snprintf(keys, sizeof keys, "{\"%s\": %s}", catalogue_name(k), values[v]);
                    root = command_of(catalogue_name(row), keys);
                    if (root != NULL)
                        assert_true(command_validate(arena, root, &f, &found, &err) != ERROR);
                    pl_free(&root);
                }
                arena_reset(arena);
            }
            check(catalogue_name(row), NULL, &f);
            assert_true(!needs || found.errors != 0);
        }
}

static void memory_runs_out(void **state)
{
    struct arena *small = arena_new(64);
    pl root = command_of("DeviceLock", "{\"Nonsense\": 1, \"More\": 2, \"Else\": 3}");
    (void)state;
    assert_int_equal(command_validate(small, root, &phone, &found, &err), ERROR);
    pl_free(&root);
    arena_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_commands_pass),
        cmocka_unit_test(keys_and_types),
        cmocka_unit_test(settings_are_told_apart_by_item),
        cmocka_unit_test(rules),
        cmocka_unit_test(platforms_and_versions),
        cmocka_unit_test(rights_of_the_profile),
        cmocka_unit_test(states_of_the_device),
        cmocka_unit_test(channels),
        cmocka_unit_test(each_fault_is_told_once),
        cmocka_unit_test(unknown_facts_warn),
        cmocka_unit_test(what_an_enrollment_tells),
        cmocka_unit_test(things_that_are_no_commands),
        cmocka_unit_test(what_is_told_is_bounded_and_tame),
        cmocka_unit_test(deep),
        cmocka_unit_test(every_command_everywhere),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, command_set_up, command_tear_down);
}
