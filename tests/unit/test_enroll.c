/*
 * test_enroll.c: the enrolment profile, as its link gives it: a real signer and database, judged by
 * openssl and python3's plistlib.
 */
#include "testdb.h"
#include "testsigner.h"

#include <signal.h>
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "enrollment/enroll.h"
#include "judge.h"
#include "proc/signer.h"
#include "store/enrollprofile.h"
#include "store/invitation.h"
#include "store/migrate.h"
#include "store/scep_challenge.h"
#include "wire/cms.h"
#include "wire/sign.h"

#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}
SQL(CHALLENGES, "SELECT COUNT(*) FROM scep_challenge");
SQL(USES, "SELECT COALESCE(SUM(uses), 0) FROM invitation");
SQL(CLEAR_OBJECT, "DELETE FROM enroll_profile");
SQL(HANDOUTS, "SELECT access_rights, way, topic, server_url, checkin_url, token FROM handout "
              "ORDER BY id DESC LIMIT 1");
SQL(IDENTITIES, "SELECT COUNT(*) FROM identity_cert c JOIN handout h ON h.id = c.handout_id "
                "WHERE c.issued_at IS NOT NULL AND c.sha256 = ?");
SQL(CHALLENGE_HANDOUT, "SELECT COUNT(*) FROM scep_challenge c JOIN handout h ON "
                       "h.id = c.handout_id");
SQL(CLEAR_CHALLENGE, "DELETE FROM scep_challenge");
SQL(CLEAR_INVITATION, "DELETE FROM invitation");
SQL(CLEAR_PUSHCERT, "DELETE FROM push_cert");
SQL(EXPIRE, "UPDATE invitation SET expires_at = 1");
SQL(PUSHCERT, "INSERT INTO push_cert (topic, cert_pem, key_sealed, sha256, not_before, not_after, "
              "added_at, added_by) VALUES (?, '', '', REPEAT('x', 32), 0, 0, 0, 'test')");

static char dir[] = "/tmp/drover-enroll-XXXXXX";
static struct conf *conf;
static struct db *owner;
static struct arena *arena;
static struct app app;
static struct err err;
static pid_t signer;

static const char *in_dir(const char *name)
{
    char *p = NULL;
    if (asprintf(&p, "%s/%s", dir, name) < 0)
        abort();
    return p;
}

static int set_up(void **state)
{
    (void)state;
    int applied;
    if (!mkdtemp(dir))
        return -1;
    arena = arena_new(64u << 20);
    assert_ok(log_open(arena_fmt(arena, "%s/log", dir), LOG_LEVEL_DEBUG, "test", &err), err);
    conf = testdb_conf(TESTDB_DIR, "drover_enroll");
    conf->run_dir = dir;
    conf->signer_dir = in_dir("keys");
    conf->signer_log = in_dir("signer.log");
    conf->signer_user = conf->agent_user = conf->mdm.user = conf->console.user = "";
    conf->organization = "Example & <Sons>";
    conf->profile_chain = "";
    conf->signer_threads = 1;
    conf->scep_validity_days = 30;
    conf->scep_challenge_file = "";
    assert_ok(db_new(conf, DB_OWNER, &owner, &err), err);
    assert_ok(migrate_run(owner, "sql/schema", false, &applied, &err), err);
    assert_ok(migrate_grants(owner, "sql/grants.sql", conf, &err), err);
    assert_ok(signer_setup(conf, "Example", &err), err);
    signer = testsigner_start(conf, arena);
    app.conf = conf;
    assert_ok(db_pool_new(conf, DB_MDM, 2, &app.pool, &err), err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    testsigner_stop(signer);
    db_pool_free(&app.pool);
    db_free(&owner);
    testdb_shell("rm -rf %s", dir);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    static const struct sql *const all[] = {&CLEAR_CHALLENGE, &CLEAR_INVITATION, &CLEAR_PUSHCERT,
                                            &CLEAR_OBJECT};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_ok(db_exec(owner, all[i], NULL, 0, NULL, &err), err);
    arena_reset(arena);
    conf->device_url = "https://mdm.example.org:8443";
    conf->enroll_topic = "com.apple.mgmt.External.one";
    conf->enroll_open = false;
    conf->enroll_login = "no";
    conf->enroll_access_rights = 8191;
    conf->enroll_sign_message = true;
    conf->enroll_certificates = "";
    return 0;
}

static int64_t count(const struct sql *sql)
{
    struct rows r;
    assert_ok(db_select(owner, sql, NULL, 0, arena, &r, &err), err);
    return row_at(&r, 0, 0)->i;
}

static int get(const char *path, struct bytes *out)
{
    struct req req = {.method = METHOD_GET,
                      .path = path,
                      .query = "",
                      .content_type = "",
                      .now = clock_now(),
                      .start = clock_mono(),
                      .arena = arena};
    struct resp resp = {.status = 200, .body = BUF_INIT(LIM_RESPONSE), .headers = BUF_INIT(4096)};
    enroll_handle(&app, &req, NULL, &resp);
    *out = arena_bytes(arena, buf_bytes(&resp.body));
    if (resp.status == 200) {
        assert_string_equal(resp.content_type, "application/x-apple-aspen-config");
        assert_true(resp.secret);
        assert_non_null(strstr(buf_cstr(&resp.headers), "no-store"));
    }
    buf_free(&resp.body);
    buf_free(&resp.headers);
    return resp.status;
}

static const char *invite_to(const char *profile, int64_t uses)
{
    char token[INVITATION_TOKEN_LEN + 1];
    assert_ok(invitation_new(owner, profile, "for a test", uses, clock_now() + HOUR_US, "test",
                             token, &err),
              err);
    return arena_fmt(arena, "/enroll/%s", token);
}

static const char *invite(int64_t uses)
{
    return invite_to(NULL, uses);
}

/* Makes an object of fields and texts, ended by NULL. */
static void object(const char *name, const char *const *set)
{
    struct enroll_content c;
    assert_ok(enroll_content_of_conf(conf, arena, &c, &err), err);
    for (; *set; set += 2)
        assert_ok(enroll_field_set(enroll_field_find(set[0]), arena, &c, set[1], &err), err);
    struct enrollprofile_change x = {.name = name, .c = &c, .by = "test", .note = ""};
    assert_ok(enrollprofile_new(owner, conf, &x, &err), err);
}

/* The profile checked by others, printed key by key. */
static const char *judged(struct bytes profile)
{
    static const char script[] =
        "openssl cms -verify -binary -inform DER -in $1 -CAfile $(cat $2) -out $1.plist && "
        "xmllint --noout --nonet $1.plist && /usr/bin/python3 -c '\n"
        "import plistlib, sys\n"
        "p = plistlib.load(open(sys.argv[1], \"rb\"))\n"
        "c = p[\"PayloadContent\"]\n"
        "ids = [p[\"PayloadUUID\"]] + [x[\"PayloadUUID\"] for x in c]\n"
        "assert len(set(ids)) == len(ids)\n"
        "names = [x[\"PayloadIdentifier\"] for x in c]\n"
        "assert len(set(names)) == len(names)\n"
        "for x in [p] + c: assert x[\"PayloadVersion\"] == 1 and x[\"PayloadDisplayName\"]\n"
        "m = [x for x in c if x[\"PayloadType\"] == \"com.apple.mdm\"][0]\n"
        "s = [x for x in c if x[\"PayloadType\"] == \"com.apple.security.scep\"][0]\n"
        "assert m[\"IdentityCertificateUUID\"] == s[\"PayloadUUID\"]\n"
        "for k in sorted(m):\n"
        "    if \"UUID\" not in k: print(k, \"=\", m[k])\n"
        "for k, v in sorted(s[\"PayloadContent\"].items()): print(\"scep\", k, \"=\", v)\n"
        "print(\"types\", *[x[\"PayloadType\"] for x in c])\n"
        "print(p[\"PayloadIdentifier\"], p[\"PayloadOrganization\"], p[\"PayloadType\"])\n"
        "' $1.plist; r=$?; rm -f $1.plist; [ $r = 0 ]";
    struct buf out = BUF_INIT(1 << 20);
    const char *ca = arena_fmt(arena, "%s/keys/ca.pem", dir);
    int status = judge_two(script, profile, bytes_str(ca), &out);
    if (status != 0)
        fail_msg("%s", buf_cstr(&out));
    const char *text = arena_strdup(arena, buf_cstr(&out));
    buf_free(&out);
    return text;
}

#define HAS(text, what)                                                                            \
    do {                                                                                           \
        if (!strstr((text), (what)))                                                               \
            fail_msg("\"%s\" is not in: %s", (what), (text));                                      \
    } while (0)

static void whole_profile(void **state)
{
    (void)state;
    struct bytes out;
    assert_int_equal(get(invite(1), &out), 200);
    const char *text = judged(out);
    HAS(text, "AccessRights = 8191\n");
    HAS(text, "ServerURL = https://mdm.example.org:8443/mdm/connect\n");
    HAS(text, "CheckInURL = https://mdm.example.org:8443/mdm/checkin\n");
    HAS(text, "CheckOutWhenRemoved = True\n");
    HAS(text, "SignMessage = True\n");
    HAS(text, "Topic = com.apple.mgmt.External.one\n");
    HAS(text, "UseDevelopmentAPNS = False\n");
    HAS(text, "'com.apple.mdm.per-user-connections', 'com.apple.mdm.bootstraptoken'");
    HAS(text, "scep URL = https://mdm.example.org:8443/scep\n");
    HAS(text, "scep Keysize = 2048\n");
    HAS(text, "scep KeyIsExtractable = False\n");
    HAS(text, "org.example.mdm.drover Example & <Sons> Configuration");
    HAS(text, "types com.apple.security.root com.apple.security.scep com.apple.mdm\n");
    assert_int_equal(count(&CHALLENGES), 1);
    /* the challenge works, once */
    const char *p = strstr(text, "scep Challenge = ") + strlen("scep Challenge = ");
    char *challenge = arena_strndup(arena, p, SCEP_CHALLENGE_LEN);
    struct scep_challenge bound;
    assert_int_equal(scep_challenge_check(owner, challenge, "t", arena, &bound, &err), OK);
    assert_null(bound.common_name);
}

static void invitations(void **state)
{
    (void)state;
    struct bytes out;
    const char *twice = invite(2);
    assert_int_equal(get(twice, &out), 200);
    assert_int_equal(get(twice, &out), 200);
    assert_int_equal(get(twice, &out), 410);
    assert_int_equal(count(&USES), 2);
    assert_int_equal(count(&CHALLENGES), 2);
    const char *old = invite(1);
    assert_ok(db_exec(owner, &EXPIRE, NULL, 0, NULL, &err), err);
    assert_int_equal(get(old, &out), 410);
    static const char *const bad[] = {
        "/enroll",     "/enroll/",
        "/enroll/x",   "/enroll/../../etc/passwd",
        "/enrollment", "/enroll/0123456789abcdef0123456789abcdef0123456789abcdef"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(get(bad[i], &out), 404);
    conf->enroll_open = true;
    assert_int_equal(get("/enroll", &out), 200);
    assert_int_equal(get(old, &out), 410); /* an invitation is still judged */
}

/* Whatever is missing, nobody loses a use of a link over it. */
static void faults(void **state)
{
    (void)state;
    struct bytes out;
    const char *link = invite(1);
    conf->enroll_topic = "";
    assert_int_equal(get(link, &out), 503); /* no push certificate, so no topic */
    struct val topic = val_str("com.apple.mgmt.External.stored");
    assert_ok(db_exec(owner, &PUSHCERT, &topic, 1, NULL, &err), err);
    conf->enroll_access_rights = 2;
    assert_int_equal(get(link, &out), 500);
    conf->enroll_access_rights = 0;
    assert_int_equal(get(link, &out), 500);
    conf->enroll_access_rights = 8191;
    conf->device_url = "http://mdm.example.org";
    assert_int_equal(get(link, &out), 500);
    conf->device_url = "https://mdm.example.org";
    conf->enroll_certificates = "/nonexistent";
    assert_int_equal(get(link, &out), 500);
    conf->enroll_certificates = "";
    testsigner_stop(signer);
    assert_int_equal(get(link, &out), 503);
    signer = testsigner_start(conf, arena);
    assert_int_equal(count(&USES), 0);
    assert_int_equal(count(&CHALLENGES), 0);
    assert_int_equal(get(link, &out), 200);
    HAS(judged(out), "Topic = com.apple.mgmt.External.stored\n");
    struct val second = val_str("com.apple.mgmt.External.second");
    assert_ok(db_exec(owner, &PUSHCERT, &second, 1, NULL, &err), err);
    assert_int_equal(get(invite(1), &out), 503); /* which of the two? */
}

static void more_certificates(void **state)
{
    (void)state;
    struct bytes out;
    testdb_shell("cat %s/keys/ca.pem %s/keys/ra.pem >%s/more.pem", dir, dir, dir);
    conf->enroll_certificates = arena_fmt(arena, "%s/more.pem", dir);
    assert_int_equal(get(invite(1), &out), 200); /* the device CA only once */
    HAS(judged(out), "types com.apple.security.root com.apple.security.pkcs1 "
                     "com.apple.security.scep com.apple.mdm\n");
}

/* A file of what a judge said, for the next: the profile's property list. */
static const char *plist_of(struct bytes der)
{
    const char *path = arena_fmt(arena, "%s/p.der", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(der.p, 1, der.n, f), der.n);
    assert_int_equal(fclose(f), 0);
    testdb_shell("openssl cms -verify -binary -inform DER -in %s -CAfile %s/keys/ca.pem "
                 "-out %s/p.plist 2>/dev/null",
                 path, dir, dir);
    return arena_fmt(arena, "%s/p.plist", dir);
}

/* The signer makes key and certificate; openssl opens what the profile holds. */
static void pkcs12_identity(void **state)
{
    (void)state;
    static const char *const kinds[][2] = {{"RSA", "2048"}, {"EC", "256"}};
    for (size_t i = 0; i < 2; i++) {
        struct bytes out;
        struct rows r;
        uint8_t sum[32];
        const char *name = arena_fmt(arena, "p12-%zu", i);
        object(name, (const char *const[]){"identity", "pkcs12", "key_type", kinds[i][0],
                                           "key_size", kinds[i][1], "access_rights", "1024", NULL});
        assert_int_equal(get(invite_to(name, 1), &out), 200);
        plist_of(out);
        testdb_shell(
            "cd %s && /usr/bin/python3 -c 'import plistlib; "
            "p = plistlib.load(open(\"p.plist\", \"rb\")); "
            "c = {x[\"PayloadType\"]: x for x in p[\"PayloadContent\"]}; "
            "assert \"com.apple.security.scep\" not in c; "
            "i = c[\"com.apple.security.pkcs12\"]; m = c[\"com.apple.mdm\"]; "
            "assert m[\"IdentityCertificateUUID\"] == i[\"PayloadUUID\"]; "
            "assert m[\"AccessRights\"] == 1024; "
            "assert i[\"KeyIsExtractable\"] is False; "
            "open(\"p12\", \"wb\").write(i[\"PayloadContent\"]); "
            "open(\"word\", \"w\").write(i[\"Password\"])' && test $(wc -c <word) -ge 32 && "
            "openssl pkcs12 -in p12 -passin file:word -nodes -out p12.pem 2>/dev/null && "
            "openssl x509 -in p12.pem -outform DER -out cert.der && "
            "openssl verify -CAfile keys/ca.pem -purpose sslclient p12.pem >/dev/null && "
            "test \"$(openssl pkey -in p12.pem -pubout)\" = "
            "\"$(openssl x509 -in p12.pem -noout -pubkey)\" && "
            "! grep -q \"$(cat word)\" log signer.log && grep -q op=pkcs12 signer.log",
            dir);
        testdb_shell("openssl dgst -sha256 -binary -out %s/sum %s/cert.der", dir, dir);
        FILE *f = fopen(arena_fmt(arena, "%s/sum", dir), "r");
        assert_non_null(f);
        assert_int_equal(fread(sum, 1, 32, f), 32);
        fclose(f);
        assert_ok(db_select(owner, &IDENTITIES, (struct val[]){val_bin(bytes_of(sum, 32))}, 1,
                            arena, &r, &err),
                  err);
        assert_int_equal(row_at(&r, 0, 0)->i, 1);
    }
    assert_int_equal(count(&CHALLENGES), 0);
}

/* A device is not told to make a key that the own SCEP refuses. */
static void keys_that_are_certified(void **state)
{
    (void)state;
    struct bytes out;
    conf->scep_min_rsa = 3072;
    object("short", (const char *const[]){"identity", "scep", "key_size", "2048", NULL});
    assert_int_equal(get(invite_to("short", 1), &out), 200);
    HAS(judged(out), "scep Keysize = 4096\n");
    conf->scep_min_rsa = 2048;
    assert_int_equal(get(invite_to("short", 1), &out), 200);
    HAS(judged(out), "scep Keysize = 2048\n");
}

/* The challenge of a file, and another SCEP server, lead to the handout by the CheckInURL. */
static void other_sources(void **state)
{
    (void)state;
    struct bytes out;
    struct rows r;
    testdb_shell("echo 'a static challenge' >%s/static", dir);
    conf->scep_challenge_file = arena_fmt(arena, "%s/static", dir);
    object("static", (const char *const[]){"identity", "scep-static", "key_size", "4096", NULL});
    assert_int_equal(get(invite_to("static", 1), &out), 200);
    const char *text = judged(out);
    HAS(text, "scep Challenge = a static challenge\n");
    HAS(text, "scep Keysize = 4096\n");
    HAS(text, "CheckInURL = https://mdm.example.org:8443/mdm/checkin?handout=");
    HAS(text, "ServerURL = https://mdm.example.org:8443/mdm/connect\n");
    assert_ok(db_select(owner, &HANDOUTS, NULL, 0, arena, &r, &err), err);
    HAS(text, row_at(&r, 0, 4)->s);
    HAS(text, row_at(&r, 0, 5)->s);
    conf->scep_challenge_file = "";
    assert_int_equal(get(invite_to("static", 1), &out), 500);
    object("other", (const char *const[]){"identity",
                                          "scep-external",
                                          "scep_url",
                                          "https://ca.example.net/scep",
                                          "scep_name",
                                          "Devices",
                                          "scep_challenge",
                                          "of the other",
                                          "scep_fingerprint",
                                          "000102030405060708090a0b0c0d0e0f10111213",
                                          "scep_subject",
                                          "/C=DE/O=A/B Inc/CN=Device %UUID%",
                                          "title",
                                          "\"><script>",
                                          "consent",
                                          "I agree & so on",
                                          "removal",
                                          "password",
                                          "removal_password",
                                          "hunter2 & co",
                                          NULL});
    assert_int_equal(get(invite_to("other", 1), &out), 200);
    text = judged(out);
    HAS(text, "scep URL = https://ca.example.net/scep\n");
    HAS(text, "scep Name = Devices\n");
    HAS(text, "scep Challenge = of the other\n");
    HAS(text, "scep CAFingerprint = b'\\x00\\x01\\x02\\x03");
    HAS(text, "scep Subject = [[['C', 'DE']], [['O', 'A/B Inc']], [['CN', 'Device ");
    HAS(text, "types com.apple.security.root com.apple.security.scep com.apple.mdm "
              "com.apple.profileRemovalPassword\n");
    const char *plist = plist_of(out);
    testdb_shell("/usr/bin/python3 -c 'import plistlib, sys; "
                 "p = plistlib.load(open(\"%s\", \"rb\")); "
                 "assert p[\"PayloadRemovalDisallowed\"] and p[\"HasRemovalPasscode\"]; "
                 "assert p[\"PayloadContent\"][-1][\"RemovalPassword\"] == \"hunter2 & co\"; "
                 "assert p[\"ConsentText\"] == {\"default\": \"I agree & so on\"}; "
                 "assert \"<script>\" in p[\"PayloadDisplayName\"]' && "
                 "! grep -q -e 'of the other' -e hunter2 %s/log %s/signer.log",
                 plist, dir, dir);
    /* a one-time challenge leads there by itself */
    object("once", (const char *const[]){"topic", "com.apple.mgmt.External.two", NULL});
    assert_int_equal(get(invite_to("once", 1), &out), 200);
    text = judged(out);
    HAS(text, "CheckInURL = https://mdm.example.org:8443/mdm/checkin\n");
    HAS(text, "Topic = com.apple.mgmt.External.two\n");
    assert_int_equal(count(&CHALLENGE_HANDOUT), 1);
}

/* openssl opens what profile_encrypt() closed, for the holder of the certificate alone. */
static void encrypted(void **state)
{
    (void)state;
    pl root = NULL;
    struct buf xml = BUF_INIT(PROFILE_MAX);
    static const char text[] = "<plist><dict><key>PayloadType</key><string>Configuration</string>"
                               "<key>PayloadContent</key><array><dict><key>Secret</key>"
                               "<string>of the payloads</string></dict></array></dict></plist>";
    struct bytes der;
    size_t n;
    testdb_shell("cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout to.key -out to.pem "
                 "-subj /CN=to -days 1 2>/dev/null && cat to.pem >to.all",
                 dir);
    struct buf pem = BUF_INIT(1 << 16);
    FILE *f = fopen(arena_fmt(arena, "%s/to.pem", dir), "r");
    assert_non_null(f);
    char *place = buf_room(&pem, 8192);
    buf_grew(&pem, fread(place, 1, 8192, f));
    fclose(f);
    assert_ok(cert_from_pem(arena, buf_bytes(&pem), &der, 1, &n, &err), err);
    assert_ok(pl_parse(bytes_str(text), &root, &err), err);
    assert_ok(profile_encrypt(root, der, &err), err);
    assert_ok(pl_to_xml(root, &xml), err);
    assert_null(strstr(buf_cstr(&xml), "of the payloads"));
    f = fopen(arena_fmt(arena, "%s/e.plist", dir), "w");
    assert_non_null(f);
    fwrite(xml.data, 1, xml.len, f);
    fclose(f);
    testdb_shell("cd %s && /usr/bin/python3 -c 'import plistlib; "
                 "p = plistlib.load(open(\"e.plist\", \"rb\")); "
                 "assert p[\"IsEncrypted\"] is True and \"PayloadContent\" not in p; "
                 "open(\"e.cms\", \"wb\").write(p[\"EncryptedPayloadContent\"])' && "
                 "openssl cms -decrypt -inform DER -in e.cms -recip to.pem -inkey to.key "
                 "-out e.inner && /usr/bin/python3 -c 'import plistlib; "
                 "assert plistlib.load(open(\"e.inner\", \"rb\")) == "
                 "[{\"Secret\": \"of the payloads\"}]'",
                 dir);
    pl_free(&root);
    buf_free(&xml);
    buf_free(&pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(whole_profile, clear),
        cmocka_unit_test_setup(invitations, clear),
        cmocka_unit_test_setup(faults, clear),
        cmocka_unit_test_setup(more_certificates, clear),
        cmocka_unit_test_setup(pkcs12_identity, clear),
        cmocka_unit_test_setup(keys_that_are_certified, clear),
        cmocka_unit_test_setup(other_sources, clear),
        cmocka_unit_test_setup(encrypted, clear),
    };
    return cmocka_run_group_tests_name("enroll", tests, set_up, tear_down);
}
