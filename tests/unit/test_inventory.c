/* test_inventory.c: reports become inventory, in the order of each device, once, and the poisoned
 * one stands in nobody's way. Runs as the agent, with its rights. */
#include "testdb.h"

#include <pthread.h>
#include <sched.h>

#include "base/clock.h"
#include "base/limits.h"
#include "command/digest.h"
#include "command/error_codes.h"
#include "store/history.h"
#include "store/inventory.h"
#include "store/migrate.h"
#include "store/purge.h"
#include "wire/encode.h"
#include "wire/x509.h"

#define DATABASE "drover_test_inventory"
#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}

SQL(ADD_DEVICE, "INSERT INTO enrollment (id, ident, kind, device_id, state, product_name, "
                "created_at, last_seen_at) VALUES (?, ?, 1, ?, 2, 'iPhone14,2', 1, 1)");
SQL(ADD_COMMAND, "INSERT INTO command (id, uuid, request_type, body, created_at, created_by) "
                 "VALUES (?, ?, ?, ?, 1, 'test')");
SQL(ADD_RESULT, "INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at, "
                "reported_at, report, digest) VALUES (?, ?, ?, 1, ?, ?, ?, 1)");

static struct conf *conf;
static struct db *owner, *agent;
static struct arena *arena;
static struct err err;
static struct digest_place place;
static int64_t last_command, clock_us;

/* ---- helpers ---- */

static const char *ask(const char *text)
{
    struct sql sql = {.name = "ask", .text = text};
    struct db *d = NULL; /* the statement's address is a local one */
    struct rows r;
    const char *answer = "(none)";

    assert_ok(db_new(conf, DB_OWNER, &d, &err), err);
    assert_ok(db_select(d, &sql, NULL, 0, arena, &r, &err), err);
    if (r.n > 0) {
        const struct val *v = row_at(&r, 0, 0);

        answer = val_is_null(v)       ? "(null)"
                 : v->type == VAL_INT ? arena_fmt(arena, "%lld", (long long)v->i)
                                      : v->s;
    }
    db_free(&d);
    return answer;
}

#define assert_sql(text, want) assert_string_equal(ask(text), want)

static void device(int64_t id)
{
    assert_ok(
        db_exec(owner, &ADD_DEVICE,
                (struct val[]){val_int(id), val_str(arena_fmt(arena, "DEVICE-%lld", (long long)id)),
                               val_int(id)},
                3, NULL, &err),
        err);
}

/* What was asked (keys of Command) and what the device said (keys of the report); returns the
 * command's id. state: 4 acknowledged, 5 error. */
static int64_t report_at(int64_t dev, int64_t at, const char *type, const char *asked, int state,
                         const char *said)
{
    int64_t id = ++last_command;
    const char *uuid = arena_fmt(arena, "C-%lld", (long long)id);
    const char *command = arena_fmt(
        arena,
        "<plist version=\"1.0\"><dict><key>CommandUUID</key><string>%s</string><key>Command</key>"
        "<dict><key>RequestType</key><string>%s</string>%s</dict></dict></plist>",
        uuid, type, asked);
    const char *body = said[0] != '<'
                           ? said
                           : arena_fmt(arena,
                                       "<plist version=\"1.0\"><dict><key>CommandUUID</key><string>"
                                       "%s</string><key>Status</key><string>x</string>%s</dict>"
                                       "</plist>",
                                       uuid, said);

    assert_ok(db_exec(owner, &ADD_COMMAND,
                      (struct val[]){val_int(id), val_str(uuid), val_str(type),
                                     val_bin(bytes_str(command))},
                      4, NULL, &err),
              err);
    assert_ok(db_exec(owner, &ADD_RESULT,
                      (struct val[]){val_int(dev), val_int(id), val_int(state), val_int(at),
                                     val_int(at), val_bin(bytes_str(body))},
                      6, NULL, &err),
              err);
    return id;
}

static int64_t report(int64_t dev, const char *type, const char *asked, const char *said)
{
    return report_at(dev, ++clock_us, type, asked, 4, said);
}

static void digest(void)
{
    size_t done = 1;

    while (done > 0)
        assert_ok(digest_turn(agent, &place, &done, &err), err);
    assert_sql("SELECT COUNT(*) FROM result WHERE digest = 1", "0");
}

#define S(k, v) "<key>" k "</key><string>" v "</string>"
#define I(k, v) "<key>" k "</key><integer>" v "</integer>"
#define B(k, v) "<key>" k "</key><" v "/>"
#define D(k, v) "<key>" k "</key><dict>" v "</dict>"
#define A(k, v) "<key>" k "</key><array>" v "</array>"

static int each_setup(void **state)
{
    (void)state;
    arena_reset(arena);
    return 0;
}

/* ---- facts ---- */

static void facts_are_merged(void **state)
{
    (void)state;
    device(1);
    report(
        1, "DeviceInformation", A("Queries", "<string>x</string>"),
        D("QueryResponses",
          S("DeviceName", "Ann's iPhone") S("OSVersion", "17.4.1") S("ProductName", "iPhone14,2")
              B("IsSupervised", "true") "<key>DeviceCapacity</key><real>128.5</real>" S(
                  "PhoneNumber", "+4917") S("WiFiMAC", "aa:bb") S("Fresh", "new fact")
                  A("ServiceSubscriptions",
                    "<dict>" S("ICCID", "89") "</dict>") "<key>LastCloudBackupDate</"
                                                         "key><date>2026-01-02T03:04:05Z</date>"));
    digest();
    assert_sql("SELECT CONCAT_WS('|', device_name, platform, os_number, is_supervised, "
               "device_capacity, imei, last_cloud_backup_date, extra) FROM inv_device "
               "WHERE enrollment_id = 1",
               "Ann's iPhone|1|17004001|1|128.5|1767323045000000|{\"Fresh\":\"new fact\"}");
    assert_sql("SELECT CONCAT_WS('|', phone_number, wifi_mac, extra) FROM inv_network WHERE "
               "enrollment_id = 1",
               "+4917|aa:bb|{\"ServiceSubscriptions\":[{\"ICCID\":\"89\"}]}");
    assert_sql("SELECT COUNT(*) FROM inv_event WHERE enrollment_id = 1", "0"); /* all is new */

    /* asked for three: one changed, one not answered any more, one as before */
    report(1, "DeviceInformation",
           A("Queries", "<string>OSVersion</string><string>PhoneNumber</string>"
                        "<string>Fresh</string><string>DeviceName</string>"),
           D("QueryResponses", S("OSVersion", "17.5") S("DeviceName", "Ann's iPhone")));
    digest();
    assert_sql("SELECT CONCAT_WS('|', device_name, os_number, is_supervised, IFNULL(extra, '-')) "
               "FROM inv_device WHERE enrollment_id = 1",
               "Ann's iPhone|17005000|1|-");
    assert_sql("SELECT CONCAT_WS('|', IFNULL(phone_number, '-'), wifi_mac, extra) FROM inv_network "
               "WHERE enrollment_id = 1",
               "-|aa:bb|{\"ServiceSubscriptions\":[{\"ICCID\":\"89\"}]}");
    assert_sql("SELECT GROUP_CONCAT(CONCAT_WS('|', area, happened, subject, was, IFNULL(became, "
               "'-')) ORDER BY id) FROM inv_event WHERE enrollment_id = 1",
               "2|2|PhoneNumber|+4917|-,1|2|OSVersion|17.4.1|17.5");
}

static void security_is_read(void **state)
{
    (void)state;
    device(2);
    report(
        2, "SecurityInfo", "",
        D("SecurityInfo",
          B("FDE_Enabled", "true") "<key>FDE_PersonalRecoveryKeyCMS</key><data>c2VjcmV0</data>" D(
              "FirewallSettings", B("FirewallEnabled", "true") B("StealthMode", "false")
                                      A("Applications", "<dict>" S("BundleID", "a.b") "</dict>"))
              D("ManagementStatus", B("EnrolledViaDEP", "false"))));
    digest();
    assert_sql("SELECT CONCAT_WS('|', fde_enabled, firewall_enabled, stealth_mode, "
               "enrolled_via_dep, extra) FROM inv_security WHERE enrollment_id = 2",
               "1|1|0|0|{\"FirewallSettings\":{\"Applications\":[{\"BundleID\":\"a.b\"}]}}");
}

/* ---- lists ---- */

#define PROFILE(id, uuid)                                                                          \
    "<dict>" S("PayloadIdentifier", id) S("PayloadUUID", uuid) B("IsManaged", "true") "</dict>"
#define OWN(id, uuid)                                                                              \
    "<dict>" S("PayloadIdentifier", id) S("PayloadUUID", uuid) B("IsManaged", "false") "</dict>"
#define PROFILES                                                                                   \
    "SELECT GROUP_CONCAT(CONCAT_WS('=', identifier, uuid) ORDER BY identifier) "                   \
    "FROM inv_profile WHERE enrollment_id = 3"

static void lists_are_replaced_whole(void **state)
{
    (void)state;
    device(3);
    report(3, "ProfileList", "",
           A("ProfileList", PROFILE("a", "1") PROFILE("b", "1") OWN("o", "1")));
    digest();
    assert_sql(PROFILES, "a=1,b=1,o=1");
    report(3, "ProfileList", "",
           A("ProfileList", PROFILE("b", "2") PROFILE("c", "1") OWN("o", "1")));
    digest();
    assert_sql(PROFILES, "b=2,c=1,o=1");
    assert_sql("SELECT GROUP_CONCAT(CONCAT_WS('|', happened, subject, was, became) ORDER BY id) "
               "FROM inv_event WHERE enrollment_id = 3",
               "3|a|1,2|b|1|2,1|c|1");
    /* an answer about managed ones says nothing of others */
    report(3, "ProfileList", B("ManagedOnly", "true"), A("ProfileList", PROFILE("c", "1")));
    digest();
    assert_sql(PROFILES, "c=1,o=1");
    assert_sql("SELECT items FROM inv_area WHERE enrollment_id = 3 AND area = 4", "2");
    /* the same list again writes nothing but when it came */
    const char *was = ask("SELECT changed_at FROM inv_area WHERE enrollment_id = 3 AND area = 4");
    report(3, "ProfileList", "", A("ProfileList", OWN("o", "1") PROFILE("c", "1")));
    digest();
    assert_sql("SELECT changed_at FROM inv_area WHERE enrollment_id = 3 AND area = 4", was);
    /* an older report that comes late changes nothing */
    report_at(3, 1, "ProfileList", "", 4, A("ProfileList", PROFILE("old", "1")));
    digest();
    assert_sql(PROFILES, "c=1,o=1");
    report(3, "ProfileList", "", "<key>ProfileList</key><array/>");
    digest();
    assert_sql(PROFILES, "(null)");
}

static void odd_lists(void **state)
{
    (void)state;
    device(4);
    /* one key twice, keys that differ in blanks at the end, one without a key, one that is long */
    report(4, "ProfileList", "",
           A("ProfileList",
             PROFILE("a", "1") PROFILE("a ", "2") PROFILE("a", "3") "<dict/>"
                                                                    "<string>no</string>"));
    digest();
    assert_sql("SELECT GROUP_CONCAT(CONCAT_WS('=', identifier, uuid)) FROM inv_profile WHERE "
               "enrollment_id = 4",
               "a=3");
    char *list = arena_alloc(arena, 600000), *p = list;
    for (int i = 0; i < 3000; i++)
        p += sprintf(p, "<dict>" S("PayloadIdentifier", "com.example.%04d") "</dict>", i);
    report(4, "ProfileList", "", arena_fmt(arena, A("ProfileList", "%s"), list));
    digest();
    assert_sql("SELECT COUNT(*) FROM inv_profile WHERE enrollment_id = 4", "3000");
    report(4, "ProfileList", "", A("ProfileList", PROFILE("com.example.0007", "1")));
    digest();
    assert_sql("SELECT COUNT(*) FROM inv_profile WHERE enrollment_id = 4", "1");
}

#define APP(id, version, size)                                                                     \
    "<dict>" S("Identifier", id) S("Name", id) S("Version", version) S("ShortVersion", version)    \
        I("BundleSize", "100") I("DynamicSize", size) B("IsValidated", "true")                     \
            B("Installing", "false") "</dict>"
#define APPS                                                                                       \
    "SELECT GROUP_CONCAT(CONCAT_WS('|', s.identifier, s.version, a.dynamic_size, a.known, "        \
    "a.flags) "                                                                                    \
    "ORDER BY s.identifier) FROM inv_app a JOIN software s ON s.id = a.software_id WHERE "         \
    "a.enrollment_id = 5"

static void apps_are_kept(void **state)
{
    (void)state;
    device(5);
    report(5, "InstalledApplicationList", "",
           A("InstalledApplicationList", APP("a", "1", "100") APP("b", "1", "100000000")));
    digest();
    assert_sql(APPS, "a|1|100|3|1,b|1|100000000|3|1");
    /* a little more data is no change; much more is; a new version is one event */
    report(5, "InstalledApplicationList", "",
           A("InstalledApplicationList",
             APP("a", "2", "200") APP("b", "1", "100000999") APP("c", "1", "1")));
    digest();
    assert_sql(APPS, "a|2|200|3|1,b|1|100000000|3|1,c|1|1|3|1");
    assert_sql(
        "SELECT GROUP_CONCAT(CONCAT_WS('|', happened, subject, was, became) ORDER BY subject) "
        "FROM inv_event WHERE enrollment_id = 5",
        "2|a|1 (1)|2 (2),1|c|1 (1)");
    /* more about an app than anybody says is not kept, and the rest is */
    char *much = arena_alloc(arena, 70001);
    memset(much, 'x', 70000);
    report(5, "InstalledApplicationList", A("Identifiers", "<string>d</string>"),
           arena_fmt(arena,
                     A("InstalledApplicationList",
                       "<dict>" S("Identifier", "d") S("Odd", "%s") "</dict>"),
                     much));
    digest();
    assert_sql("SELECT COUNT(*) FROM inv_app WHERE enrollment_id = 5 AND extra IS NULL", "4");
    report(5, "InstalledApplicationList", A("Identifiers", "<string>d</string>"),
           "<key>InstalledApplicationList</key><array/>");
    /* an answer about some of them */
    report(5, "InstalledApplicationList", A("Identifiers", "<string>a</string><string>b</string>"),
           A("InstalledApplicationList", APP("b", "1", "300000000")));
    digest();
    assert_sql(APPS, "b|1|300000000|3|1,c|1|1|3|1");
    assert_sql("SELECT COUNT(*) FROM software WHERE identifier IN ('a', 'b', 'c')", "4");
}

#define MANAGED                                                                                    \
    "SELECT GROUP_CONCAT(CONCAT_WS('|', identifier, status, status_at > 0, has_feedback, extra) "  \
    "ORDER BY identifier) FROM inv_managed_app WHERE enrollment_id = 6"

static void managed_apps_have_states(void **state)
{
    (void)state;
    device(6);
    report(6, "InstallApplication", S("Identifier", "a"),
           S("Identifier", "a") S("State", "Prompting"));
    digest();
    assert_sql(MANAGED, "a|Prompting|1");
    report(6, "ManagedApplicationList", "",
           D("ManagedApplicationList",
             D("a", S("Status", "UserRejected") I("ManagementFlags", "1") B("HasFeedback", "true")
                        S("UnusedRedemptionCode", "CODE77")) D("b", S("Status", "Managed"))));
    digest();
    assert_sql(MANAGED, "a|UserRejected|1|1,b|Managed|1");
    report(6, "ManagedApplicationList", A("Identifiers", "<string>a</string>"),
           D("ManagedApplicationList", ""));
    report_at(6, ++clock_us, "InstallApplication", S("Identifier", "b"), 5,
              S("Identifier", "b") S("RejectionReason", "AppAlreadyInstalled")
                  A("ErrorChain", "<dict>" S("ErrorDomain", "MCMDMErrorDomain")
                                      I("ErrorCode", "12025") "</dict>"));
    digest();
    assert_sql(MANAGED, "b|Managed|1|{\"RejectionReason\":\"AppAlreadyInstalled\"}");
    assert_sql(
        "SELECT GROUP_CONCAT(CONCAT_WS('|', happened, subject, was, became) ORDER BY id) "
        "FROM inv_event WHERE enrollment_id = 6",
        "4|a|Prompting|UserRejected,2|a|Prompting|UserRejected,1|b|Managed,3|a|UserRejected");
    report(6, "RemoveApplication", S("Identifier", "b"), "<key>x</key><true/>");
    report(6, "ManagedApplicationFeedback", A("Identifiers", "<string>b</string>"),
           A("ManagedApplicationFeedback",
             "<dict>" S("Identifier", "b") D("Feedback", I("n", "3")) "</dict>"));
    digest();
    assert_sql(MANAGED, "(null)");
    assert_sql("SELECT CONCAT_WS('|', identifier, kind, content) FROM inv_app_data",
               "b|3|{\"n\":3}");
}

static void restrictions_users_updates_settings(void **state)
{
    (void)state;
    device(7);
    report(7, "Restrictions", B("ProfileRestrictions", "true"),
           D("GlobalRestrictions", D("restrictedBool", D("allowCamera", B("value", "false"))) D(
                                       "restrictedValue", D("maxFailedAttempts", I("value", "6")))
                                       D("union", D("trusted", A("values", "<string>x</string>"))))
               D("ProfileRestrictions",
                 D("com.example.p", D("restrictedBool", D("allowCamera", B("value", "false"))))));
    report(7, "UserList", "",
           A("Users", "<dict>" S("UserName", "ann") B("IsLoggedIn", "true") I("UID", "501")
                          S("Odd", "1") "</dict>"));
    report(7, "AvailableOSUpdates", "",
           A("AvailableOSUpdates",
             "<dict>" S("ProductKey", "k") S("Version", "18.0") I("DownloadSize", "5000000000")
                 B("IsCritical", "false") "</dict>"));
    report(7, "OSUpdateStatus", "",
           A("OSUpdateStatus",
             "<dict>" S("ProductKey", "k")
                 S("Status",
                   "Downloading") "<key>DownloadPercentComplete</key><real>0.25</real></dict>"));
    report(7, "Settings",
           A("Settings", "<dict>" S("Item", "DeviceName") S("DeviceName", "x") "</dict><dict>" S(
                             "Item", "ApplicationAttributes") S("Identifier", "a.b") "</dict>"),
           A("Settings",
             "<dict>" S("Item", "DeviceName") S("Status", "Acknowledged") "</dict><dict>" S(
                 "Item", "ApplicationAttributes") S("Status", "Error")
                 A("ErrorChain",
                   "<dict>" S("ErrorDomain", "MCSettingsErrorDomain") I("ErrorCode", "28000")
                       S("LocalizedDescription", "L") "</dict>") "</dict>"));
    report(7, "DeviceLocation", "", "<key>Latitude</key><real>52.5</real>" S("Timestamp", "now"));
    digest();
    assert_sql(
        "SELECT GROUP_CONCAT(CONCAT_WS('|', profile, kind, name, value, list) ORDER BY profile, "
        "kind) "
        "FROM inv_restriction WHERE enrollment_id = 7",
        "|1|allowCamera|0,|2|maxFailedAttempts|6,|4|trusted|[\"x\"],com.example.p|1|allowCamera|0");
    assert_sql("SELECT CONCAT_WS('|', user_name, uid, is_logged_in, extra) FROM inv_user",
               "ann|501|1|{\"Odd\":\"1\"}");
    assert_sql(
        "SELECT CONCAT_WS('|', product_key, version, download_size, is_critical) FROM inv_update",
        "k|18.0|5000000000|0");
    assert_sql("SELECT CONCAT_WS('|', status, download_percent_complete) FROM inv_update_status",
               "Downloading|0.25");
    assert_sql("SELECT GROUP_CONCAT(CONCAT_WS('|', item, identifier, status) ORDER BY item) FROM "
               "inv_setting",
               "ApplicationAttributes|a.b|Error,DeviceName||Acknowledged");
    assert_sql("SELECT CONCAT_WS('|', item, position, domain, code, localized) FROM result_error "
               "WHERE enrollment_id = 7",
               "2|0|MCSettingsErrorDomain|28000|L");
    assert_sql(
        "SELECT CONCAT_WS('|', request_type, content) FROM inv_answer WHERE enrollment_id = 7",
        "DeviceLocation|{\"Latitude\":52.5,\"Timestamp\":\"now\"}");
    /* without ProfileRestrictions only the global ones are told of */
    report(7, "Restrictions", "", D("GlobalRestrictions", D("restrictedBool", "")));
    digest();
    assert_sql("SELECT GROUP_CONCAT(profile) FROM inv_restriction WHERE enrollment_id = 7",
               "com.example.p");
}

static void certificates_are_parsed(void **state)
{
    (void)state;
    struct cert_profile p = {.common_name = "Ann",
                             .organization = "Example",
                             .not_before = 0,
                             .not_after = INT64_C(1900000000000000),
                             .client_auth = true};
    struct buf der = BUF_INIT(8192), text = BUF_INIT(16384);
    struct pkey *key = NULL;

    assert_ok(pkey_new_p256(&key, &err), err);
    assert_ok(cert_issue(&p, bytes_of(NULL, 0), key, bytes_of(NULL, 0), key, &der, &err), err);
    base64_add(&text, buf_bytes(&der));
    device(8);
    report(8, "CertificateList", "",
           arena_fmt(arena,
                     A("CertificateList",
                       "<dict>" S("CommonName", "Ann")
                           B("IsIdentity", "true") "<key>Data</key><data>%s</data></dict><dict>" S(
                               "CommonName", "Odd") "<key>Data</key><data>AAAA</data></dict>"),
                     buf_cstr(&text)));
    digest();
    assert_sql("SELECT CONCAT_WS('|', i.common_name, i.is_identity, c.subject, c.issuer, "
               "c.not_after, c.key_type) "
               "FROM inv_certificate i JOIN seen_certificate c ON c.sha256 = i.sha256 WHERE "
               "i.common_name = 'Ann'",
               "Ann|1|O=Example,CN=Ann|O=Example,CN=Ann|1900000000000000|EC");
    assert_sql(
        "SELECT CONCAT_WS('|', subject, not_after) FROM seen_certificate WHERE LENGTH(der) = 3",
        "|0");
    buf_free(&der);
    buf_free(&text);
    pkey_free(&key);
}

/* ---- the work list ---- */

static void a_poisoned_report_is_set_aside(void **state)
{
    (void)state;
    struct digest_failure *f;
    struct digest_lag lag;
    size_t n;

    device(9);
    report(9, "UserList", "", A("Users", "<dict>" S("UserName", "one") "</dict>"));
    report(9, "ProfileList", "", "this is no property list");
    report(9, "CertificateList", "", S("CertificateList", "no list"));
    report(9, "UserList", "", A("Users", "<dict>" S("UserName", "two") "</dict>"));
    digest();
    assert_sql("SELECT GROUP_CONCAT(user_name) FROM inv_user WHERE enrollment_id = 9", "two");
    assert_ok(digest_failures(agent, 10, arena, &f, &n, &err), err);
    assert_int_equal(n, 2);
    assert_string_equal(f[0].ident, "DEVICE-9");
    assert_ok(digest_lag(agent, arena, &lag, &err), err);
    assert_int_equal(lag.waiting, 0);
    assert_int_equal(lag.aside, 2);
    assert_sql("SELECT GROUP_CONCAT(why ORDER BY command_id) LIKE "
               "'%,the answer has no array CertificateList' FROM digest_failure",
               "1");
    /* once it can be read, it is */
    assert_sql("SELECT COUNT(*) FROM inv_certificate WHERE enrollment_id = 9", "0");
    assert_ok(db_run(owner, "mend",
                     "UPDATE result r JOIN command c ON c.id = r.command_id SET report = "
                     "'<plist><dict><key>CertificateList</key><array/><key>ProfileList</key><array/"
                     "></dict></plist>' WHERE r.digest = 2",
                     &err),
              err);
    assert_ok(digest_again(agent, 100, &n, &err), err);
    assert_int_equal(n, 2);
    digest();
    assert_sql("SELECT COUNT(*) FROM digest_failure", "0");
    assert_sql("SELECT COUNT(*) FROM result WHERE digest NOT IN (0, 3)", "0");
    /* those of commands that failed are told apart */
    assert_sql("SELECT COUNT(*) FROM result WHERE (digest = 3) <> (state IN (5, 6))", "0");
}

/* A crash after the work, before its end is known, does it again. */
static void twice_is_once(void **state)
{
    (void)state;
    static const char *const all =
        "SELECT CONCAT_WS('|', (SELECT COUNT(*) FROM inv_event), (SELECT COUNT(*) FROM inv_app), "
        "(SELECT COUNT(*) FROM inv_profile), (SELECT COUNT(*) FROM inv_managed_app), "
        "(SELECT COUNT(*) FROM inv_restriction), (SELECT SUM(CRC32(CONCAT_WS('|', enrollment_id, "
        "area, "
        "reported_at, changed_at, command_id, items))) FROM inv_area))";
    const char *was = ask(all);

    assert_ok(db_run(owner, "again",
                     "UPDATE result SET digest = 1 WHERE enrollment_id IN (1, 3, 5, 7)", &err),
              err);
    place = (struct digest_place){0};
    digest();
    assert_sql(all, was);
}

static void many_devices_in_one_go(void **state)
{
    (void)state;
    for (int i = 100; i < 400; i++) {
        device(i);
        report(i, "UserList", "", A("Users", "<dict>" S("UserName", "old") "</dict>"));
    }
    for (int i = 399; i >= 100; i--)
        report(i, "UserList", "", A("Users", "<dict>" S("UserName", "new") "</dict>"));
    digest();
    assert_sql("SELECT COUNT(*) FROM inv_user WHERE enrollment_id >= 100 AND user_name = 'new'",
               "300");
    assert_sql("SELECT COUNT(*) FROM inv_user WHERE enrollment_id >= 100", "300");
}

/* What nothing has changed costs a few round trips for all, not for each. */
static void unchanged_facts_cost_little(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        uint64_t trips = db_round_trips(agent);

        for (int i = 500; i < 564; i++) {
            if (turn == 0)
                device(i);
            report(i, "DeviceInformation", "",
                   D("QueryResponses", S("OSVersion", "17.4") S("WiFiMAC", "aa:bb:cc:dd:ee:ff")));
        }
        digest();
        if (turn == 1) /* two units of work, and the looks before and after */
            assert_in_range(db_round_trips(agent) - trips, 1, 30);
    }
    assert_sql("SELECT COUNT(*) FROM inv_area WHERE enrollment_id BETWEEN 500 AND 563 AND "
               "area IN (1, 2) AND reported_at > changed_at AND items = 1",
               "128");
    assert_sql("SELECT COUNT(*) FROM inv_device WHERE enrollment_id BETWEEN 500 AND 563 AND "
               "os_number = 17004000",
               "64");
}

/* Of several reports of a device in one unit the later finds what the earlier has written. */
static void reports_of_one_unit_see_each_other(void **state)
{
    (void)state;
    device(570);
    report(570, "DeviceInformation", "", D("QueryResponses", S("OSVersion", "17.1")));
    report(570, "EnableLostMode", "", S("UDID", "DEVICE-570"));
    report(570, "DeviceInformation", "", D("QueryResponses", S("OSVersion", "17.2")));
    report(570, "DeviceInformation", "", D("QueryResponses", S("OSVersion", "17.3")));
    report_at(570, 1, "DeviceInformation", "", 4, D("QueryResponses", S("OSVersion", "9.0")));
    digest();
    assert_sql("SELECT CONCAT(os_version, '|', is_mdm_lost_mode_enabled) FROM inv_device WHERE "
               "enrollment_id = 570",
               "17.3|1");
    assert_sql("SELECT GROUP_CONCAT(was, '>', became ORDER BY at SEPARATOR ' ') FROM inv_event "
               "WHERE enrollment_id = 570 AND subject = 'OSVersion'",
               "9.0>17.1 17.1>17.2 17.2>17.3");
    /* one that came too late, in a unit of its own, changes nothing */
    report_at(570, 2, "DeviceInformation", "", 4, D("QueryResponses", S("OSVersion", "9.1")));
    place = (struct digest_place){0};
    digest();
    assert_sql("SELECT os_version FROM inv_device WHERE enrollment_id = 570", "17.3");
}

/* ---- history, errors ---- */

static void what_is_old_goes(void **state)
{
    (void)state;
    size_t n;
    const char *inventory = ask("SELECT COUNT(*) FROM inv_profile");

    /* all reports of this program came in 1970 but for those of this device */
    device(11);
    report_at(11, clock_now(), "ProfileList", "", 5,
              A("ErrorChain", "<dict>" S("ErrorDomain", "D") I("ErrorCode", "1") "</dict>"));
    digest();
    report_at(11, 2, "ProfileList", "", 5, A("ErrorChain", ""));
    assert_ok(history_purge(agent, clock_now() - DAY_US, 100000, &n, &err), err);
    assert_true(n > 600);
    assert_sql("SELECT COUNT(*) FROM result WHERE digest = 3", "1");
    assert_sql("SELECT COUNT(*) FROM result WHERE digest = 0", "0");
    assert_sql("SELECT COUNT(*) FROM result WHERE digest = 1", "1"); /* it was not read yet */
    assert_sql("SELECT COUNT(*) FROM result_error", "1");
    assert_sql("SELECT COUNT(*) FROM command", "2");
    assert_sql("SELECT COUNT(*) FROM inv_profile", inventory);
    assert_ok(history_purge(agent, clock_now() + DAY_US, 100000, &n, &err), err);
    assert_sql("SELECT COUNT(*) FROM inv_event", "0");
    assert_sql("SELECT COUNT(*) FROM software s WHERE NOT EXISTS (SELECT 1 FROM inv_app a WHERE "
               "a.software_id = s.id)",
               "0");
    place = (struct digest_place){0};
    digest();
}

static _Atomic int purged;

static void *purge(void *arg)
{
    struct err why = {.outcome = OK};
    uint64_t gone;

    purged = purge_run(arg, &gone, &why) == OK ? 1 : -1;
    return NULL;
}

/* Has the purge come to the certificates, and stands there? An account sees its own. */
static bool waits(struct db *d)
{
    SQL(PURGING, "SELECT COUNT(*) FROM information_schema.processlist WHERE time_ms > 20 AND info "
                 "LIKE 'DELETE FROM seen_certificate%'");
    struct rows r;

    assert_ok(db_select(d, &PURGING, NULL, 0, arena, &r, &err), err);
    return row_at(&r, 0, 0)->i > 0;
}

/* A list is under way that names a certificate no device has had until now. */
static enum outcome list_unit(struct db *d, void *arg, struct err *why)
{
    static const uint8_t sum[1][32] = {"the certificate of the test ...."};
    struct db *other = arg;
    struct rows known;
    pthread_t t;
    enum outcome o = seen_certificate_known(d, sum, 1, arena, &known, why);

    assert_int_equal(known.n, 1);
    purged = 0;
    assert_int_equal(pthread_create(&t, NULL, purge, other), 0);
    while (purged == 0 && o == OK && !waits(d))
        sched_yield();
    if (o == OK)
        o = db_run(d, "add",
                   "INSERT INTO inv_certificate (enrollment_id, sha256) VALUES (11, 'the "
                   "certificate of the test ....')",
                   why);
    if (o == OK)
        o = db_run(d, "commit", "COMMIT", why);
    pthread_join(t, NULL);
    return o;
}

static void certificates_that_nobody_has_go(void **state)
{
    struct db *other = NULL;
    uint64_t gone;

    (void)state;
    assert_ok(db_run(owner, "add",
                     "INSERT INTO seen_certificate (sha256, der) VALUES (REPEAT('o', 32), 'x'), "
                     "(REPEAT('h', 32), 'x')",
                     &err),
              err);
    assert_ok(db_run(owner, "has",
                     "INSERT INTO inv_certificate (enrollment_id, sha256) VALUES (11, REPEAT('h', "
                     "32))",
                     &err),
              err);
    assert_ok(purge_run(agent, &gone, &err), err);
    assert_sql("SELECT COUNT(*) FROM seen_certificate WHERE sha256 = REPEAT('o', 32)", "0");
    assert_sql("SELECT COUNT(*) FROM seen_certificate WHERE sha256 = REPEAT('h', 32)", "1");
    assert_sql("SELECT COUNT(*) FROM inv_certificate i LEFT JOIN seen_certificate s USING (sha256) "
               "WHERE s.sha256 IS NULL",
               "0");
    assert_ok(db_run(owner, "add",
                     "INSERT INTO seen_certificate (sha256, der) VALUES ('the certificate of the "
                     "test ....', 'x')",
                     &err),
              err);
    assert_ok(db_new(conf, DB_AGENT, &other, &err), err);
    assert_ok(db_unit(agent, list_unit, other, &err), err);
    assert_int_equal(purged, 1);
    assert_sql("SELECT COUNT(*) FROM seen_certificate WHERE sha256 = 'the certificate of the test "
               "....'",
               "1");
    db_free(&other);
}

static void errors_are_explained(void **state)
{
    (void)state;
    const char *text[ERROR_MEANINGS_MAX];

    assert_int_equal(error_meanings("MCMDMErrorDomain", 12007, text, ERROR_MEANINGS_MAX), 1);
    assert_int_equal(error_meanings("MCInstallationErrorDomain", 4001, text, 2), 2);
    assert_int_equal(error_meanings("MCAPNErrorDomain", 11000, text, 2), 2);
    assert_int_equal(error_meanings("MCMDMErrorDomain", 1, text, 2), 0);
    assert_int_equal(error_meanings(NULL, 12007, text, 2), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, each_setup)
    const struct CMUnitTest tests[] = {
        TEST(facts_are_merged),
        TEST(security_is_read),
        TEST(lists_are_replaced_whole),
        TEST(odd_lists),
        TEST(apps_are_kept),
        TEST(managed_apps_have_states),
        TEST(restrictions_users_updates_settings),
        TEST(certificates_are_parsed),
        TEST(a_poisoned_report_is_set_aside),
        TEST(twice_is_once),
        TEST(many_devices_in_one_go),
        TEST(unchanged_facts_cost_little),
        TEST(reports_of_one_unit_see_each_other),
        TEST(what_is_old_goes),
        TEST(certificates_that_nobody_has_go),
        TEST(errors_are_explained),
    };
    int applied, rc;

    conf = testdb_conf(TESTDB_DIR, DATABASE);
    arena = arena_new(64 * LIM_MB);
    if (db_new(conf, DB_OWNER, &owner, &err) != OK ||
        migrate_run(owner, "sql/schema", false, &applied, &err) != OK ||
        migrate_grants(owner, "sql/grants.sql", conf, &err) != OK ||
        db_new(conf, DB_AGENT, &agent, &err) != OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(&agent);
    db_free(&owner);
    arena_free(&arena);
    return rc;
}
