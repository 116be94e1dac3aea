/*
 * test_profiles.c: configuration and provisioning profiles as they are uploaded: what is taken,
 * what is refused, where it is warned; variables; what the library keeps of them.
 */
#include "testdb.h"

#include "base/clock.h"
#include "base/limits.h"
#include "library/config_profile.h"
#include "library/edit.h"
#include "library/payloads.h"
#include "library/profiles.h"
#include "library/provisioning.h"
#include "library/variables.h"
#include "store/migrate.h"
#include "wire/seal.h"

#define NOW (INT64_C(1800000000) * SECOND_US)
#define WIFI                                                                                       \
    "<dict><key>PayloadType</key><string>com.apple.wifi.managed</string>"                          \
    "<key>PayloadVersion</key><integer>1</integer><key>SSID_STR</key><string>x</string>"           \
    "<key>PayloadIdentifier</key><string>org.example.wifi</string>"                                \
    "<key>PayloadUUID</key><string>W</string></dict>"

static struct arena *arena;
static struct err err;
static struct config_profile p;
static struct conf *conf;
static struct db *db;
static char dir[] = "/tmp/drover-profiles-XXXXXX";

/* A payload of a type, with more keys. */
static const char *payload(const char *type, const char *id, const char *more)
{
    return arena_fmt(arena,
                     "<dict><key>PayloadType</key><string>%s</string><key>PayloadIdentifier</key>"
                     "<string>org.example.%s</string><key>PayloadUUID</key><string>%s</string>%s"
                     "</dict>",
                     type, id, id, more);
}

static struct bytes profile_of(const char *payloads, const char *more)
{
    return bytes_str(
        arena_fmt(arena,
                  "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>PayloadType</key>"
                  "<string>Configuration</string><key>PayloadVersion</key><integer>1</integer>"
                  "<key>PayloadIdentifier</key><string>org.example.p</string><key>PayloadUUID</key>"
                  "<string>P</string>%s<key>PayloadContent</key><array>%s</array></dict></plist>",
                  more, payloads));
}

static enum outcome read_it(struct bytes file)
{
    err = (struct err){0};
    return config_profile_read(arena, file, NOW, &p, &err);
}

/* What was found holds the text, as an error or as a warning. */
static void assert_found(bool error, const char *text)
{
    for (size_t i = 0; i < p.found.n; i++) {
        const char *line = arena_fmt(arena, "%s %s", p.found.list[i].path, p.found.list[i].text);

        if (p.found.list[i].error == error && strstr(line, text) != NULL)
            return;
    }
    fail_msg("nothing found like \"%s\"; first: %s", text,
             p.found.n ? p.found.list[0].text : "nothing");
}

static int each_setup(void **state)
{
    (void)state;
    arena_reset(arena);
    return 0;
}

/* ---- reading ---- */

static void a_plain_profile(void **state)
{
    (void)state;
    assert_ok(read_it(profile_of(WIFI, "<key>PayloadDisplayName</key><string>N</string>")), err);
    assert_string_equal(p.identifier, "org.example.p");
    assert_string_equal(p.uuid, "P");
    assert_string_equal(p.display_name, "N");
    assert_string_equal(p.types, "com.apple.wifi.managed");
    assert_string_equal(p.signed_by, "");
    assert_int_equal(p.found.n, 0);
    assert_int_equal(p.platforms, 0x3e);
}

static void binary_is_the_same(void **state)
{
    struct bytes xml = profile_of(WIFI, "");
    struct buf b = BUF_INIT(LIM_MB);
    pl root;
    (void)state;
    assert_ok(pl_parse(xml, &root, &err), err);
    assert_int_equal(pl_to_binary(root, &b), OK);
    assert_ok(read_it(buf_bytes(&b)), err);
    assert_string_equal(p.types, "com.apple.wifi.managed");
    pl_free(&root);
    buf_free(&b);
}

static void what_is_refused(void **state)
{
    static const struct {
        const char *payloads, *more, *says;
    } cases[] = {
        {WIFI WIFI, "", "PayloadUUID W stands in several places"},
        {WIFI WIFI, "", "PayloadIdentifier org.example.wifi stands in several places"},
        {"<string>x</string>", "", "PayloadContent[0] is no dictionary"},
        {"<dict></dict>", "", "PayloadContent[0].PayloadType is missing"},
        {WIFI, "<key>PayloadScope</key><string>All</string>", "must be System or User"},
        {WIFI, "<key>PayloadDisplayName</key><integer>1</integer>", "must be a string"},
        {WIFI, "<key>RemovalDate</key><string>soon</string>", "must be a date"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_outcome(read_it(profile_of(cases[i].payloads, cases[i].more)), INVALID, err);
        assert_found(true, cases[i].says);
    }
    assert_outcome(read_it(profile_of(payload("com.apple.mdm", "m", ""), "")), INVALID, err);
    assert_found(true, "a device has one MDM payload");
    assert_outcome(read_it(profile_of(payload("com.apple.mail.managed", "%UDID%", ""), "")),
                   INVALID, err);
    assert_found(true, "holds a variable");
    assert_outcome(read_it(bytes_str("<plist><array/></plist>")), INVALID, err);
    assert_outcome(read_it(bytes_str("no plist")), INVALID, err);
    assert_outcome(read_it(bytes_str("")), INVALID, err);
    assert_outcome(read_it(bytes_str("0\x80")), INVALID, err);
}

/* The same UUID in other letters is the same; the payload's may not be the profile's. */
static void uuids_are_compared_without_case(void **state)
{
    (void)state;
    assert_outcome(read_it(profile_of(payload("com.apple.font", "p", ""), "")), INVALID, err);
    assert_found(true, "PayloadUUID");
}

static void where_it_is_warned(void **state)
{
    const char *two = arena_fmt(arena, "%s%s", payload("com.apple.mail.managed", "a", ""),
                                payload("com.apple.caldav.account", "b", ""));
    (void)state;
    assert_ok(read_it(profile_of(two, "<key>PayloadRemovalDisallowed</key><true/>")), err);
    assert_found(false, "sets up 2 accounts");
    assert_found(false, "locks the profile");
    assert_true(p.removal_disallowed);
    assert_ok(read_it(profile_of(payload("com.apple.applicationaccess", "r", ""), "")), err);
    assert_found(false, "gives nothing for them");
    assert_ok(
        read_it(profile_of(
            arena_fmt(arena, "%s" WIFI, payload("com.apple.applicationaccess", "r", "")), "")),
        err);
    assert_int_equal(p.found.n, 0);
    assert_ok(read_it(profile_of(payload("com.example.app", "c",
                                         "<key>api</key><dict><key>API_Key</key><string>k</string>"
                                         "</dict>"),
                                 "")),
              err);
    assert_found(false, "com.example.app is not among the types");
    assert_found(false, "PayloadContent[0].api.API_Key looks like a password");
    assert_ok(read_it(profile_of(WIFI, "<key>PayloadDescription</key><string>%Serial%</string>")),
              err);
    assert_found(false, "%Serial% is not a variable");
    assert_ok(read_it(profile_of(arena_fmt(arena, "%s%s", payload("com.apple.dock", "d1", ""),
                                           payload("com.apple.dock", "d2", "")),
                                 "<key>RemovalDate</key><date>2020-01-01T00:00:00Z</date>")),
              err);
    assert_found(false, "a device takes one");
    assert_found(false, "RemovalDate is past");
    assert_int_equal(p.platforms, 1 << PLATFORM_MACOS);
    assert_ok(read_it(profile_of("", "")), err);
    assert_found(false, "has no payloads");
}

/* Long and deep ones end in a refusal, soon. */
static void hostile_files(void **state)
{
    struct buf b = BUF_INIT(64 * LIM_MB);
    (void)state;
    for (int i = 0; i < 100000; i++)
        buf_str(&b, "<array>");
    assert_outcome(read_it(profile_of(arena_strndup(arena, b.data, 700), "")), INVALID, err);
    buf_clear(&b);
    for (int i = 0; i < 600; i++)
        buf_str(&b, WIFI);
    assert_outcome(read_it(profile_of(buf_cstr(&b), "")), INVALID, err);
    assert_found(true, "at most 512");
    buf_clear(&b);
    buf_str(&b, "<key>PayloadDescription</key><string>");
    for (int i = 0; i < 10 * 1024 * 1024 / 8; i++)
        buf_str(&b, "%UDID%%a");
    buf_str(&b, "</string>");
    assert_ok(read_it(profile_of(WIFI, buf_cstr(&b))), err);
    assert_int_equal(p.variables, variables_in("%UDID%", NULL, 0));
    buf_free(&b);
}

/* ---- signatures ---- */

static struct bytes file_read(const char *name)
{
    static char room[LIM_MB];
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(room, 1, sizeof room, f);
    fclose(f);
    return bytes_of(room, n);
}

static void file_write(const char *name, struct bytes b)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    assert_int_equal(fclose(f), 0);
}

static struct bytes signed_by_openssl(struct bytes b)
{
    file_write("plain", b);
    testdb_shell("cd %s && { test -f key || openssl req -x509 -newkey ec -pkeyopt "
                 "ec_paramgen_curve:P-256 -nodes -subj '/CN=Some Signer' -keyout key -out cert "
                 "2>/dev/null; } && openssl cms -sign -nodetach -binary -in plain -signer cert "
                 "-inkey key -outform DER -out signed",
                 dir);
    return arena_bytes(arena, file_read("signed"));
}

static void a_signed_profile(void **state)
{
    struct bytes good = signed_by_openssl(profile_of(WIFI, "")), bad;
    (void)state;
    assert_ok(read_it(good), err);
    assert_string_equal(p.signed_by, "CN=Some Signer");
    assert_string_equal(p.types, "com.apple.wifi.managed");
    assert_int_equal(p.found.n, 0);
    for (size_t at = 60; at < good.n; at += good.n / 7) {
        bad = arena_bytes(arena, good);
        ((uint8_t *)bad.p)[at] ^= 0x20;
        if (read_it(bad) == OK) /* in what the signature does not cover */
            assert_string_equal(p.identifier, "org.example.p");
    }
    bad = arena_bytes(arena, good);
    for (size_t i = 0; i + 13 < bad.n; i++)
        if (memcmp(bad.p + i, "org.example.p<", 13) == 0)
            ((uint8_t *)bad.p)[i + 12] = 'q';
    assert_outcome(read_it(bad), INVALID, err);
    assert_non_null(strstr(err.msg, "signature"));
    assert_outcome(read_it(bytes_of(good.p, good.n - 9)), INVALID, err);
    assert_ok(read_it(signed_by_openssl(
                  profile_of(WIFI, "<key>PayloadDescription</key><string>%UDID%</string>"))),
              err);
    assert_found(false, "is signed and holds variables");
}

static void a_provisioning_profile(void **state)
{
    static const char plist[] =
        "<plist><dict><key>Name</key><string>Inhouse</string><key>UUID</key><string>U-1</string>"
        "<key>ExpirationDate</key><date>2020-01-01T00:00:00Z</date><key>TeamName</key>"
        "<string>Example</string><key>Entitlements</key><dict><key>application-identifier</key>"
        "<string>T.org.example.app</string></dict><key>ProvisionedDevices</key><array>"
        "<string>a</string><string>b</string></array></dict></plist>";
    struct provisioning v;
    (void)state;
    assert_ok(provisioning_read(arena, signed_by_openssl(bytes_str(plist)), NOW, &v, &err), err);
    assert_string_equal(v.name, "Inhouse");
    assert_string_equal(v.uuid, "U-1");
    assert_string_equal(v.app_id, "T.org.example.app");
    assert_int_equal(v.devices, 2);
    assert_int_equal(v.found.warnings, 2); /* expired, limited */
    assert_outcome(provisioning_read(arena, bytes_str(plist), NOW, &v, &err), INVALID, err);
    assert_outcome(provisioning_read(arena,
                                     signed_by_openssl(bytes_str("<plist><dict></dict></plist>")),
                                     NOW, &v, &err),
                   INVALID, err);
}

/* ---- variables ---- */

static void variables_are_filled_in(void **state)
{
    struct enrollment e = {
        .serial = "S1", .device_name = "</string><true/>&amp; %UDID%", .udid = "U"};
    struct variables v;
    pl root, out;
    (void)state;
    variables_of(&e, "Org", &v);
    assert_ok(pl_parse(bytes_str("<plist><dict><key>%UDID%</key><string>a%SerialNumber%b%%x%Nope%"
                                 "%DeviceName%</string><key>l</key><array><string>%Organization%"
                                 "</string><integer>4</integer><data>JVVESUQl</data></array></dict>"
                                 "</plist>"),
                       &root, &err),
              err);
    assert_ok(variables_fill(root, &v, 1000, &out, &err), err);
    /* What a value holds is not looked at again, keys stay, and nothing breaks out. */
    assert_string_equal(pl_get_str(out, "%UDID%"), "aS1b%%x%Nope%</string><true/>&amp; %UDID%");
    assert_int_equal(pl_size(out), 2);
    assert_string_equal(pl_str(pl_at(pl_get(out, "l"), 0)), "Org");
    assert_int_equal(pl_size(pl_get(out, "l")), 3);
    pl_free(&out);
    assert_outcome(variables_fill(root, &v, 20, &out, &err), INVALID, err);
    assert_null(out);
    e.serial = "";
    variables_of(&e, "Org", &v);
    assert_outcome(variables_fill(root, &v, 1000, &out, &err), NOT_FOUND, err);
    assert_non_null(strstr(err.msg, "SerialNumber"));
    pl_free(&root);
}

static void every_variable_has_a_name_and_a_value(void **state)
{
    struct enrollment e = {0};
    struct variables v;
    unsigned seen = 0;
    (void)state;
    variables_of(&e, "Org", &v);
    for (size_t i = 0; variable_name(i) != NULL; i++) {
        const char *text = arena_fmt(arena, "x%%%s%%y", variable_name(i));
        unsigned bit = variables_in(text, NULL, 0);
        assert_int_equal(bit, 1u << i);
        assert_non_null(v.value[i]);
        assert_true(strlen(variable_about(i)) > 3);
        seen |= bit;
    }
    assert_true(seen >= 0x7fff);
}

/* ---- what a device can have ---- */

static void devices_that_cannot_have_it(void **state)
{
    struct device_facts f = DEVICE_FACTS_UNKNOWN;
    (void)state;
    assert_true(payload_count() >= 120);
    assert_null(config_profile_refused(arena, "com.apple.dock com.example.app", &f));
    f.platform = PLATFORM_IOS;
    assert_string_equal(config_profile_refused(arena, "com.apple.dock", &f),
                        "the payload com.apple.dock is not for this platform");
    assert_null(config_profile_refused(arena, "com.apple.wifi.managed com.example.app", &f));
    f.version = VERSION(8, 0, 0);
    assert_non_null(strstr(config_profile_refused(arena, "com.apple.relay.managed", &f), "later"));
    f.supervised = SAYS_NO;
    assert_non_null(strstr(config_profile_refused(arena, "com.apple.app.lock", &f), "supervised"));
    f = (struct device_facts){.platform = PLATFORM_MACOS, .rights = -1};
    assert_non_null(strstr(config_profile_refused(arena, "com.apple.mail.managed", &f), "user's"));
    f.user_channel = true;
    assert_null(config_profile_refused(arena, "com.apple.mail.managed", &f));
    assert_non_null(config_profile_refused(arena, "com.apple.loginwindow", &f));
}

/* ---- the library ---- */

static enum outcome put(struct profile_put *x, struct bytes file)
{
    x->file = file;
    x->actor = "api:t";
    x->now = clock_now();
    err = (struct err){0};
    return profile_put(db, conf, arena, x, &err);
}

static void versions_in_the_library(void **state)
{
    struct profile_put x = {.signing = -1}, again = {.signing = -1}, next = {.signing = -1};
    struct library_version *v;
    struct library_item i, *list;
    struct bytes sealed;
    size_t n;
    (void)state;
    assert_ok(put(&x, profile_of(WIFI, "")), err);
    assert_int_equal(x.number, 1);
    assert_outcome(put(&again, profile_of(WIFI, "")), CONFLICT, err);
    again.item_id = next.item_id = x.stored_id;
    assert_ok(put(&again, profile_of(WIFI, "")), err);
    assert_true(again.repeated);
    assert_int_equal(again.number, 1);
    next.stage = true;
    assert_ok(put(&next, profile_of(WIFI, "<key>PayloadDescription</key><string>%UDID%</string>")),
              err);
    assert_int_equal(next.number, 2);
    assert_ok(library_get(db, x.stored_id, arena, &i, &err), err);
    assert_int_equal(i.version, 1);
    assert_int_equal(i.signing, LIBRARY_SIGNED);
    assert_string_equal(i.current.uuid, "P");
    assert_ok(library_versions(db, i.id, 0, 10, arena, &v, &n, &err), err);
    assert_int_equal(n, 2);
    assert_int_equal(v[0].number, 2);
    assert_int_not_equal(v[0].variables, 0);
    assert_ok(library_version_get(db, i.id, 1, arena, &v[0], &sealed, &err), err);
    assert_null(memmem(sealed.p, sealed.n, "SSID_STR", 8));
    assert_outcome(library_version_get(db, i.id, 3, arena, &v[0], &sealed, &err), NOT_FOUND, err);
    assert_ok(library_list(db, 0, "EXAMPLE.p", 0, 10, arena, &list, &n, &err), err);
    assert_int_equal(n, 1);
    assert_ok(library_list(db, 0, "%", 0, 10, arena, &list, &n, &err), err);
    assert_int_equal(n, 0);
    /* another profile's file is not a version of this one */
    next.item_id = x.stored_id;
    struct bytes other = profile_of(WIFI, "");
    memcpy(memmem(other.p, other.n, "org.example.p<", 14), "org.example.q<", 14);
    assert_outcome(put(&next, other), CONFLICT, err);
}

/* WIFI as a profile with another identifier. */
static struct bytes profile_called(const char *identifier)
{
    struct bytes file = profile_of(WIFI, "");
    const char *text = arena_fmt(arena, "%.*s", (int)file.n, (const char *)file.p);
    const char *at = strstr(text, "org.example.p<");

    return bytes_str(arena_fmt(arena, "%.*s%s%s", (int)(at - text), text, identifier, at + 13));
}

static void the_profile_that_manages_is_none_of_the_library(void **state)
{
    struct profile_put x = {.signing = -1}, told = {.signing = -1};
    struct profile_look look;
    (void)state;
    assert_outcome(put(&x, profile_called("org.example.mdm.drover")), INVALID, err);
    assert_string_equal(err.msg,
                        "PayloadIdentifier org.example.mdm.drover is the enrolment profile "
                        "of this server: installed, it would take that one's place and "
                        "end management; give it another identifier");
    assert_int_equal(x.found.errors, 1);
    assert_outcome(put(&x, profile_called("Org.example.MDM.drover")), INVALID, err);
    assert_outcome(
        profile_look(db, conf, arena, profile_called("org.example.mdm.drover"), NOW, &look, &err),
        INVALID, err);
    assert_string_equal(look.found.list[0].path, "PayloadIdentifier");
    assert_ok(
        profile_look(db, conf, arena, profile_called("org.example.mdm.drover2"), NOW, &look, &err),
        err);
    /* what a device says of itself keeps nobody from a change */
    assert_ok(db_run(db, "sql",
                     "INSERT INTO inv_profile (enrollment_id, identifier, extra) VALUES (1, "
                     "'org.example.elsewhere', "
                     "'{\"PayloadContent\":[{\"PayloadType\":\"com.apple.mdm\"}]}')",
                     &err),
              err);
    assert_ok(put(&told, profile_called("org.example.elsewhere")), err);
    assert_int_equal(told.found.errors, 0);
    assert_non_null(strstr(told.found.list[0].text, "by which some devices are managed"));
}

static enum outcome edit(struct library_item *i, const char *text)
{
    js v = NULL;
    err = (struct err){0};
    assert_ok(js_parse(bytes_str(text), &v, &err), err);
    enum outcome o = library_edit(db, arena, i, v, "api:t", clock_now(), &err);
    js_free(&v);
    return o;
}

static void what_can_be_changed(void **state)
{
    struct profile_put a = {.signing = -1}, b = {.signing = -1};
    struct library_item i, j, old;
    struct bytes other = profile_of(WIFI, "");
    (void)state;
    memcpy(memmem(other.p, other.n, "org.example.p<", 14), "org.example.a<", 14);
    assert_ok(put(&a, other), err);
    memcpy(memmem(other.p, other.n, "org.example.a<", 14), "org.example.b<", 14);
    assert_ok(put(&b, other), err);
    assert_ok(library_get(db, a.stored_id, arena, &i, &err), err);
    old = i;
    assert_ok(edit(&i, "{\"name\":\"A\",\"encrypt\":true,\"wave_first\":10,\"halt_percent\":0}"),
              err);
    assert_string_equal(i.name, "A");
    assert_true(i.encrypt);
    assert_int_equal(i.wave_first, 10);
    assert_outcome(edit(&old, "{\"name\":\"B\"}"), CONFLICT, err);
    assert_outcome(edit(&i, "{\"signing\":\"uploaded\"}"), INVALID, err);
    assert_outcome(edit(&i, "{\"colour\":1}"), INVALID, err);
    assert_outcome(edit(&i, "{\"halt_percent\":101}"), INVALID, err);
    assert_outcome(edit(&i, "{\"version\":7}"), INVALID, err);
    assert_outcome(edit(&i, "{\"after\":\"77\"}"), INVALID, err);
    assert_outcome(edit(&i, "[]"), INVALID, err);
    assert_ok(library_get(db, a.stored_id, arena, &i, &err), err);
    assert_ok(edit(&i, arena_fmt(arena, "{\"after\":\"%lld\"}", (long long)b.stored_id)), err);
    assert_ok(library_get(db, b.stored_id, arena, &j, &err), err);
    assert_outcome(edit(&j, arena_fmt(arena, "{\"after\":\"%lld\"}", (long long)a.stored_id)),
                   INVALID, err);
    assert_outcome(library_delete(db, j.id, "api:t", "x", clock_now(), &err), CONFLICT, err);
    assert_ok(edit(&i, "{\"after\":null}"), err);
    assert_ok(library_delete(db, j.id, "api:t", "x", clock_now(), &err), err);
    assert_outcome(library_get(db, j.id, arena, &j, &err), NOT_FOUND, err);
    /* what is deleted may come anew */
    assert_ok(put(&b, other), err);
}

static int set_up(void **state)
{
    int applied;
    char path[256];
    struct seal_pair pair;
    (void)state;
    arena = arena_new(256 * LIM_MB);
    conf = testdb_conf(TESTDB_DIR, "drover_profiles");
    assert_ok(db_new(conf, DB_OWNER, &db, &err), err);
    assert_ok(migrate_run(db, "sql/schema", false, &applied, &err), err);
    assert_non_null(mkdtemp(dir));
    assert_ok(seal_pair_new(&pair, &err), err);
    conf->signer_dir = dir;
    conf->device_url = "https://mdm.example.org:8443";
    snprintf(path, sizeof path, "%s/seal.pub", dir);
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite(pair.pub, 1, sizeof pair.pub, f), sizeof pair.pub);
    fclose(f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    testdb_shell("rm -rf %s", dir);
    db_free(&db);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_plain_profile, each_setup),
        cmocka_unit_test_setup(binary_is_the_same, each_setup),
        cmocka_unit_test_setup(what_is_refused, each_setup),
        cmocka_unit_test_setup(uuids_are_compared_without_case, each_setup),
        cmocka_unit_test_setup(where_it_is_warned, each_setup),
        cmocka_unit_test_setup(hostile_files, each_setup),
        cmocka_unit_test_setup(a_signed_profile, each_setup),
        cmocka_unit_test_setup(a_provisioning_profile, each_setup),
        cmocka_unit_test_setup(variables_are_filled_in, each_setup),
        cmocka_unit_test_setup(every_variable_has_a_name_and_a_value, each_setup),
        cmocka_unit_test_setup(devices_that_cannot_have_it, each_setup),
        cmocka_unit_test_setup(versions_in_the_library, each_setup),
        cmocka_unit_test_setup(what_can_be_changed, each_setup),
        cmocka_unit_test_setup(the_profile_that_manages_is_none_of_the_library, each_setup),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
