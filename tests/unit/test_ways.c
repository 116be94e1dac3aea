/*
 * test_ways.c: the ways in: configuration URL, Profile Service, account-driven enrolment: their
 * handlers with a real signer and database. openssl and python3 judge.
 */
#include "device.h"

#include "enrollment/account.h"
#include "enrollment/ade.h"
#include "enrollment/ota.h"
#include "store/assigned.h"
#include "store/enroluser.h"
#include "store/handout.h"
#include "store/invitation.h"
#include "store/scep.h"
#include "store/scep_challenge.h"

static int set_up(void **state)
{
    (void)state;
    site_up("drover_ways");
    apple_up();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    apple_down();
    site_down();
    return 0;
}

static int clear(void **state)
{
    (void)state;
    devices_clear();
    site.conf->enroll_open = false;
    site.conf->digest_algorithm = "MD5";
    site.conf->account_user_enrollment = "iPhone iPad";
    site.conf->account_device_enrollment = "Mac";
    return 0;
}

static int ade(const char *path, const struct device *d)
{
    return site_ask(ade_handle, METHOD_POST, path, "", sign(d));
}

/* ---- configuration URL ---- */

static void profile_for_a_device(void **state)
{
    (void)state;
    struct device d = device_new("U-1", "SERIAL1");
    assert_int_equal(ade("/enroll/ade", &d), 200);
    assert_string_equal(site.resp.content_type, "application/x-apple-aspen-config");
    judge_profile("c['com.apple.mdm']['Topic']", "com.apple.mgmt.External.one");
    assert_int_equal(site_count("SELECT COUNT(*) FROM handout WHERE way = 4"), 1);
    assert_int_equal(ade("/enroll/ade/none", &d), 404);
    assert_int_equal(ade("/enroll/ade/a/b", &d), 404);
    assert_int_equal(site_ask(ade_handle, METHOD_POST, "/enroll/ade", "", bytes_str("x")), 400);
    struct bytes old = device_cert("past", false, d.key, 1, DAY_US);
    assert_int_equal(
        site_ask(ade_handle, METHOD_POST, "/enroll/ade", "", sign_with(&d, old, d.key)), 403);
    assert_int_equal(site_count("SELECT COUNT(*) FROM scep_challenge"), 1);
    assert_int_equal(site_count("SELECT COUNT(*) FROM audit WHERE action = 'enroll.refused'"), 2);
    pkey_free(&d.key);
}

static void encrypted_to_the_device(void **state)
{
    (void)state;
    struct device d = device_new("U-1", "SERIAL1");
    struct buf inner = BUF_INIT(1 << 20);
    struct bytes content, sealed, signer, chain[8];
    size_t n = 8;
    pl root = NULL;
    object("secret", "encrypt", "yes", NULL, NULL);
    assert_int_equal(ade("/enroll/ade/secret", &d), 200);
    judge_profile("sorted(k for k in p if k.endswith('Content'))", "['EncryptedPayloadContent']");
    assert_ok(
        cms_verify_attached(site.a, buf_bytes(&site.resp.body), &content, &signer, chain, &n, &err),
        err);
    assert_ok(pl_parse(content, &root, &err), err);
    assert_true(pl_get_data(root, "EncryptedPayloadContent", &sealed));
    struct device other = device_new("U-2", "SERIAL2");
    assert_int_not_equal(cms_decrypt(sealed, other.cert, other.key, &inner, &err), OK);
    assert_ok(cms_decrypt(sealed, d.cert, d.key, &inner, &err), err);
    assert_non_null(strstr(buf_cstr(&inner), "com.apple.mdm"));
    pl_free(&root);
    buf_free(&inner);
    pkey_free(&d.key);
    pkey_free(&other.key);
}

static void only_assigned_devices(void **state)
{
    (void)state;
    struct device d = device_new("U-1", "SERIAL1");
    const char *serial[] = {"SERIAL1", "SERIAL2"}, *bad[] = {"ok", "not; one"};
    uint64_t added;
    object("ours", "assigned_only", "yes", NULL, NULL);
    assert_int_equal(ade("/enroll/ade/ours", &d), 403);
    assert_int_equal(site_count("SELECT COUNT(*) FROM handout"), 0);
    assert_outcome(assigned_add(site.owner, bad, 2, "", "manual", "test", &added, &err), INVALID,
                   err);
    assert_ok(assigned_add(site.owner, serial, 2, "lab", "manual", "test", &added, &err), err);
    assert_int_equal(added, 2);
    assert_ok(assigned_add(site.owner, serial, 2, "x", "manual", "test", &added, &err), err);
    assert_int_equal(added, 0);
    assert_int_equal(ade("/enroll/ade/ours", &d), 200);
    assert_ok(assigned_remove(site.owner, "SERIAL1", "test", &err), err);
    assert_outcome(assigned_remove(site.owner, "SERIAL1", "test", &err), NOT_FOUND, err);
    assert_int_equal(ade("/enroll/ade/ours", &d), 403);
    pkey_free(&d.key);
}

static void another_devices_serial(void **state)
{
    (void)state;
    struct device d = device_new("U-1", "SERIAL1");
    site_run("INSERT INTO enrollment (id, ident, kind, device_id, state, serial, created_at, "
             "last_seen_at) VALUES (1, 'U-9', 1, 1, 2, 'SERIAL1', 0, 0)");
    assert_int_equal(ade("/enroll/ade", &d), 403);
    assert_non_null(strstr(site.resp.note, "U-9"));
    assert_null(strstr(buf_cstr(&site.resp.body), "U-9"));
    d.udid = "U-9"; /* the same device again */
    assert_int_equal(ade("/enroll/ade", &d), 200);
    d.serial = "SERIAL2";
    assert_int_equal(ade("/enroll/ade", &d), 403);
    /* one whose serial number nobody told is not everybody's */
    site_run("INSERT INTO enrollment (id, ident, kind, device_id, state, serial, created_at, "
             "last_seen_at) VALUES (2, 'U-8', 1, 2, 2, '', 0, 0)");
    assert_ok(claim_check(site.owner, "U-1", "", site.a, &err), err);
    site_run("UPDATE enrollment SET state = 3"); /* it has left */
    assert_int_equal(ade("/enroll/ade", &d), 200);
    pkey_free(&d.key);
}

static void old_systems_update_first(void **state)
{
    (void)state;
    struct device d = device_new("U-1", "SERIAL1");
    struct buf said = BUF_INIT(4096);
    object("new", "minimum_ios", "17.4", "minimum_macos", "14.0");
    d.os = "17.3.1";
    assert_int_equal(ade("/enroll/ade/new", &d), 200); /* it does not know how */
    d.updates = true;
    assert_int_equal(ade("/enroll/ade/new", &d), 403);
    assert_string_equal(site.resp.content_type, "application/json");
    assert_int_equal(judge("python3 -c \"import json; d = json.load(open('$1')); "
                           "print(d['code'], d['details'], sorted(d), end='')\"",
                           buf_bytes(&site.resp.body), &said),
                     0);
    assert_string_equal(buf_cstr(&said), "com.apple.softwareupdate.required {'OSVersion': '17.4'} "
                                         "['code', 'description', 'details', 'message']");
    site.accept = "application/xml";
    assert_int_equal(ade("/enroll/ade/new", &d), 403);
    assert_string_equal(site.resp.content_type, "application/xml");
    buf_clear(&said);
    assert_int_equal(judge("python3 -c \"import plistlib; d = plistlib.load(open('$1', 'rb')); "
                           "print(d['code'], d['details'], end='')\"",
                           buf_bytes(&site.resp.body), &said),
                     0);
    assert_string_equal(buf_cstr(&said), "com.apple.softwareupdate.required {'OSVersion': '17.4'}");
    d.os = "17.4";
    assert_int_equal(ade("/enroll/ade/new", &d), 200);
    d.os = "13.6";
    d.product = "Mac14,2";
    assert_int_equal(ade("/enroll/ade/new", &d), 403);
    d.product = "AppleTV11,1"; /* knows no such answer */
    assert_int_equal(ade("/enroll/ade/new", &d), 200);
    buf_free(&said);
    pkey_free(&d.key);
}

/* ---- login ---- */

/* The answer to the last challenge; nc as eight digits. */
static const char *answer(const char *name, const char *password, const char *nc, const char *uri)
{
    const char *challenge = site_header("WWW-Authenticate");
    char ha1[DIGEST_HEX_MAX + 1], nonce[DIGEST_NONCE_LEN + 1] = "";
    bool sha = strstr(challenge, "algorithm=SHA-256") != NULL;
    memcpy(nonce, strstr(challenge, "nonce=\"") + 7, DIGEST_NONCE_LEN);
    struct buf said = BUF_INIT(256), cmd = BUF_INIT(2048);
    /* python3 calculates it, by RFC 7616 */
    buf_fmt(&cmd,
            "python3 -c \"import hashlib; h = lambda s: hashlib.%s(s.encode()).hexdigest(); "
            "print(h(':'.join([h('%s:Drover:%s'), '%s', '%s', 'c', 'auth', h('POST:%s')])), "
            "end='')\"",
            sha ? "sha256" : "md5", name, password, nonce, nc, uri);
    assert_int_equal(judge(buf_cstr(&cmd), bytes_of(NULL, 0), &said), 0);
    (void)ha1;
    const char *text = arena_fmt(site.a,
                                 "Digest username=\"%s\", realm=\"Drover\", nonce=\"%s\", "
                                 "uri=\"%s\", algorithm=%s, qop=auth, nc=%s, cnonce=\"c\", "
                                 "response=\"%s\"",
                                 name, nonce, uri, sha ? "SHA-256" : "MD5", nc, buf_cstr(&said));
    buf_free(&said);
    buf_free(&cmd);
    return text;
}

#define LOGIN_PATH "/enroll/ade/login"

/* Asks without a login, then with the answer. */
static int try_login(const struct device *d, const char *name, const char *password)
{
    site.authorization = NULL;
    assert_int_equal(ade(LOGIN_PATH, d), 401);
    site.authorization = answer(name, password, "00000001", LOGIN_PATH);
    return ade(LOGIN_PATH, d);
}

static void login_with_digest(void **state)
{
    (void)state;
    struct device d = device_new("U-1", "SERIAL1"), other = device_new("U-2", "SERIAL2");
    object("login", "login", "digest", "login_text", "Staff only.");
    assert_ok(enroluser_add(site.owner, site.conf->signer_dir, "ann",
                            &(struct enroluser_edit){.full_name = "", .password = "correct horse"},
                            "test", &err),
              err);
    for (int i = 0; i < 2; i++) {
        site.conf->digest_algorithm = i ? "SHA-256" : "MD5";
        site.authorization = NULL;
        assert_int_equal(ade(LOGIN_PATH, &d), 401);
        assert_string_equal(buf_cstr(&site.resp.body), "Staff only.\n");
        const char *good = answer("ann", "correct horse", "00000005", LOGIN_PATH);
        const char *higher = answer("ann", "correct horse", "00000006", LOGIN_PATH);
        /* another device cannot use it */
        site.authorization = good;
        assert_int_equal(ade(LOGIN_PATH, &other), 401);
        assert_non_null(strstr(site_header("WWW-Authenticate"), "stale=true"));
        assert_int_equal(ade(LOGIN_PATH, &d), 200); /* nc may start above 1 */
        judge_profile("c['com.apple.mdm']['Topic']", "com.apple.mgmt.External.one");
        assert_int_equal(ade(LOGIN_PATH, &d), 401); /* replayed */
        assert_non_null(strstr(site_header("WWW-Authenticate"), "stale=true"));
        site.authorization = higher;
        assert_int_equal(ade(LOGIN_PATH, &d), 200);
    }
    assert_int_equal(site_count("SELECT COUNT(*) FROM handout WHERE account = 'ann' AND "
                                "account_kind = 1"),
                     4);
    /* for another address; not as it was asked for */
    site.authorization = NULL;
    assert_int_equal(ade(LOGIN_PATH, &d), 401);
    site.authorization = answer("ann", "correct horse", "00000001", "/enroll/ade/other");
    assert_int_equal(ade(LOGIN_PATH, &d), 400);
    site.authorization = "Digest nonsense";
    assert_int_equal(ade(LOGIN_PATH, &d), 400);
    site.authorization = "Basic YTpi";
    assert_int_equal(ade(LOGIN_PATH, &d), 401);
    /* the nonce expires */
    site.authorization = NULL;
    assert_int_equal(ade(LOGIN_PATH, &d), 401);
    site.authorization = answer("ann", "correct horse", "00000001", LOGIN_PATH);
    site_run("UPDATE enroll_session SET expires_at = 1");
    assert_int_equal(ade(LOGIN_PATH, &d), 401);
    pkey_free(&d.key);
    pkey_free(&other.key);
}

static void wrong_passwords(void **state)
{
    (void)state;
    struct device d = device_new("U-1", "SERIAL1");
    object("login", "login", "digest", NULL, NULL);
    assert_ok(enroluser_add(site.owner, site.conf->signer_dir, "ann",
                            &(struct enroluser_edit){.full_name = "", .password = "correct horse"},
                            "test", &err),
              err);
    assert_int_equal(try_login(&d, "nobody", "correct horse"), 401);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(try_login(&d, "ann", "wrong"), 401);
        site_run("UPDATE login_throttle SET free_at = 0 WHERE failures < 10");
    }
    /* even the right one is not judged now */
    assert_int_equal(try_login(&d, "ann", "correct horse"), 401);
    assert_int_equal(site_count("SELECT COUNT(*) FROM audit WHERE action = 'login.block'"), 1);
    assert_true(site_count("SELECT COUNT(*) FROM audit WHERE action = 'login.failed'") >= 1);
    assert_int_equal(site_count("SELECT COUNT(*) FROM handout"), 0);
    site_run("UPDATE login_throttle SET free_at = 0");
    assert_int_equal(try_login(&d, "ann", "correct horse"), 200);
    assert_ok(enroluser_change(site.owner, NULL, "ann", &(struct enroluser_edit){.disable = true},
                               "test", &err),
              err);
    assert_int_equal(try_login(&d, "ann", "correct horse"), 401);
    pkey_free(&d.key);
}

/* ---- Profile Service ---- */

static const char *invite(void)
{
    char token[INVITATION_TOKEN_LEN + 1];
    assert_ok(invitation_new(site.owner, NULL, "", 1, clock_now() + DAY_US, "test", token, &err),
              err);
    return arena_fmt(site.a, "/enroll/ota/%s", token);
}

/* A text of the property list in the last answer, by the path of keys. */
static const char *inside(const char *k1, const char *k2)
{
    struct bytes content, signer, chain[8];
    size_t n = 8;
    pl root = NULL;
    assert_ok(
        cms_verify_attached(site.a, buf_bytes(&site.resp.body), &content, &signer, chain, &n, &err),
        err);
    assert_ok(pl_parse(content, &root, &err), err);
    pl at = pl_get(root, k1);
    if (pl_type_of(at) == PL_ARRAY)
        at = pl_get(pl_at(at, 0), k1);
    const char *s = pl_get_str(at, k2);
    char *copy = s ? arena_strdup(site.a, s) : NULL;
    pl_free(&root);
    return copy;
}

static int ota(const struct device *d)
{
    return site_ask(ota_handle, METHOD_POST, "/enroll/ota", "", sign(d));
}

static struct device begin(const char *udid)
{
    struct device d = device_new(udid, arena_fmt(site.a, "S%s", udid + 2));
    assert_int_equal(site_ask(ota_begin, METHOD_GET, invite(), "", bytes_of(NULL, 0)), 200);
    judge_profile("p['PayloadType'], p['PayloadContent']['URL'], "
                  "'UDID' in p['PayloadContent']['DeviceAttributes']",
                  "Profile Service https://mdm.example.org:8443/enroll/ota True");
    d.challenge = inside("PayloadContent", "Challenge");
    return d;
}

/* What SCEP does with the challenge: an identity for this key. */
static struct bytes scep(const char *challenge, const struct pkey *key)
{
    struct buf csr = BUF_INIT(1 << 16);
    struct bytes der;
    struct cert_info info;
    int64_t now = clock_now();
    struct db *db = NULL;
    assert_ok(csr_new(key, "x", "y", challenge, &csr, &err), err);
    assert_ok(sign_issue_identity(site.a,
                                  &(struct sign_issue){.csr_der = buf_bytes(&csr),
                                                       .common_name = "device",
                                                       .not_before = now,
                                                       .not_after = now + DAY_US},
                                  &der, &err),
              err);
    assert_ok(cert_info_read(site.a, der, &info, &err), err);
    struct scep_issue i = {.transaction_id = arena_fmt(site.a, "t-%s", info.serial),
                           .challenge = challenge,
                           .why = "challenge",
                           .cert_der = der,
                           .serial = info.serial,
                           .subject = info.subject,
                           .not_before = info.not_before,
                           .not_after = info.not_after};
    memcpy(i.cert_sha256, info.sha256, 32);
    memcpy(i.key_sha256, info.key_sha256, 32);
    assert_ok(db_pool_take(site.app.pool, &db, &err), err);
    assert_ok(scep_issue_record(db, &i, site.a, &err), err);
    db_pool_give(site.app.pool, &db);
    buf_free(&csr);
    return der;
}

static void three_phases(void **state)
{
    (void)state;
    struct device d = begin("U-1");
    assert_int_equal(ota(&d), 200);
    judge_profile("[x['PayloadType'] for x in p['PayloadContent']]", "['com.apple.security.scep']");
    site.conf->scep_min_rsa = 4096; /* SCEP certifies no shorter key */
    assert_int_equal(ota(&d), 200);
    judge_profile("p['PayloadContent'][0]['PayloadContent']['Keysize']", "4096");
    site.conf->scep_min_rsa = 2048;
    assert_int_equal(ota(&d), 200); /* repeated: another challenge, the same enrolment */
    struct device id = d;
    id.key = NULL;
    assert_ok(pkey_new_rsa(2048, &id.key, &err), err);
    id.cert = scep(inside("PayloadContent", "Challenge"), id.key);
    for (int i = 0; i < 2; i++) { /* and again */
        struct buf inner = BUF_INIT(1 << 20);
        struct bytes content, sealed, signer, chain[8];
        size_t n = 8;
        pl root = NULL;
        id.challenge = i ? NULL : d.challenge; /* devices need not tell it here */
        assert_int_equal(ota(&id), 200);
        assert_ok(cms_verify_attached(site.a, buf_bytes(&site.resp.body), &content, &signer, chain,
                                      &n, &err),
                  err);
        assert_ok(pl_parse(content, &root, &err), err);
        assert_true(pl_get_data(root, "EncryptedPayloadContent", &sealed));
        assert_ok(cms_decrypt(sealed, id.cert, id.key, &inner, &err), err);
        assert_non_null(strstr(buf_cstr(&inner), "com.apple.mdm"));
        pl_free(&root);
        buf_free(&inner);
    }
    assert_int_equal(site_count("SELECT COUNT(*) FROM handout WHERE way = 5"), 2);
    /* another device's attributes, signed with this identity; a revoked one */
    struct device liar = id;
    liar.udid = "U-7";
    liar.serial = "S7";
    assert_int_equal(ota(&liar), 403);
    site_run("UPDATE identity_cert SET revoked_at = 1");
    assert_int_equal(ota(&id), 403);
    pkey_free(&d.key);
    pkey_free(&id.key);
}

static void links_over_the_air(void **state)
{
    (void)state;
    const char *link = invite();
    struct device d[3];
    for (int i = 0; i < 3; i++) { /* looking uses nothing up */
        assert_int_equal(site_ask(ota_begin, METHOD_GET, link, "", bytes_of(NULL, 0)), 200);
        d[i] = device_new(arena_fmt(site.a, "U-%d", i), arena_fmt(site.a, "S%d", i));
        d[i].challenge = inside("PayloadContent", "Challenge");
    }
    assert_int_equal(ota(&d[1]), 200);
    assert_int_equal(ota(&d[1]), 200);
    assert_int_equal(ota(&d[0]), 403); /* one device was invited */
    assert_int_equal(site_ask(ota_begin, METHOD_GET, link, "", bytes_of(NULL, 0)), 410);
    assert_int_equal(site_count("SELECT SUM(uses) FROM invitation"), 1);
    link = invite();
    assert_int_equal(site_ask(ota_begin, METHOD_GET, link, "", bytes_of(NULL, 0)), 200);
    d[2].challenge = inside("PayloadContent", "Challenge");
    site_run("UPDATE invitation SET revoked_at = 1");
    assert_int_equal(ota(&d[2]), 403);
    for (int i = 0; i < 3; i++)
        pkey_free(&d[i].key);
}

static void challenges_of_the_service(void **state)
{
    (void)state;
    struct device d = begin("U-1"), other = device_new("U-2", "S2");
    const char *challenge = d.challenge;
    /* nobody's, none, another device's, one that has expired */
    d.challenge = "000000000000000000000000000000000000000000000000";
    assert_int_equal(ota(&d), 403);
    d.challenge = NULL;
    assert_int_equal(ota(&d), 403);
    d.challenge = challenge;
    assert_int_equal(ota(&d), 200);
    other.challenge = challenge;
    assert_int_equal(ota(&other), 403);
    for (int i = 1; i < 10; i++)
        assert_int_equal(ota(&d), 200);
    assert_int_equal(ota(&d), 403); /* repeated too often */
    struct device late = begin("U-3");
    site_run("UPDATE enroll_session SET expires_at = 1");
    assert_int_equal(ota(&late), 403);
    /* a device that Apple did not certify; an identity of ours that was issued for nothing of this
     */
    struct device fake = begin("U-4");
    struct pkey *apple = apple_key;
    struct bytes cert = apple_cert;
    apple_key = fake.key;
    apple_cert = bytes_of(NULL, 0);
    fake.cert = device_cert("fake", false, fake.key, clock_now() - DAY_US, clock_now() + DAY_US);
    apple_key = apple;
    apple_cert = cert;
    assert_int_equal(ota(&fake), 403);
    char plain[SCEP_CHALLENGE_LEN + 1];
    assert_ok(scep_challenge_new(site.owner, "x", 0, 0, clock_now() + DAY_US, plain, &err), err);
    fake.cert = scep(plain, fake.key);
    assert_int_equal(ota(&fake), 403);
    assert_int_equal(site_ask(ota_begin, METHOD_GET, "/enroll/ota", "", bytes_of(NULL, 0)), 404);
    assert_int_equal(site_ask(ota_begin, METHOD_GET, "/enroll/ota/xyz", "", bytes_of(NULL, 0)),
                     404);
    site.conf->enroll_open = true;
    assert_int_equal(site_ask(ota_begin, METHOD_GET, "/enroll/ota", "", bytes_of(NULL, 0)), 200);
    pkey_free(&d.key);
    pkey_free(&other.key);
    pkey_free(&late.key);
    pkey_free(&fake.key);
}

/* ---- account-driven ---- */

static int discover(const char *query)
{
    return site_ask(account_discover, METHOD_GET, "/.well-known/com.apple.remotemanagement", query,
                    bytes_of(NULL, 0));
}

static void discovery(void **state)
{
    (void)state;
    assert_int_equal(discover("user-identifier=ann%40example.org&model-family=iPhone"), 200);
    assert_string_equal(buf_cstr(&site.resp.body),
                        "{\"Servers\":[{\"Version\":\"mdm-byod\",\"BaseURL\":"
                        "\"https://mdm.example.org:8443/enroll/account/byod\"}]}");
    assert_string_equal(site.resp.content_type, "application/json");
    assert_int_equal(discover("user-identifier=ann%40example.org&model-family=Mac"), 200);
    assert_non_null(strstr(buf_cstr(&site.resp.body), "mdm-adde"));
    static const char *const bad[] = {
        "user-identifier=ann%40example.org&model-family=AppleTV",
        "user-identifier=ann%40example.org&model-family=iPhon",
        "user-identifier=ann%40example.org&model-family=",
        "user-identifier=ann&model-family=iPhone",
        "user-identifier=ann%40%22example.org&model-family=iPhone",
        "", /* two modes: which one? */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(discover(bad[i]), 403);
        assert_non_null(strstr(buf_cstr(&site.resp.body), "com.apple.well-known.failed"));
    }
    site.conf->account_user_enrollment = "";
    assert_int_equal(discover(""), 200); /* redirected, and the query lost */
    assert_non_null(strstr(buf_cstr(&site.resp.body), "mdm-adde"));
    site.conf->account_device_enrollment = "";
    assert_int_equal(discover(""), 403);
}

static int account(const char *mode, const struct device *d, const char *token)
{
    site.authorization = token ? arena_fmt(site.a, "Bearer %s", token) : NULL;
    return site_ask(account_handle, METHOD_POST, arena_fmt(site.a, "/enroll/account/%s", mode), "",
                    sign(d));
}

static void account_enrolment(void **state)
{
    (void)state;
    struct device d = device_new(NULL, NULL), other = device_new(NULL, NULL);
    char token[ENROLL_SESSION_LEN + 1], adde[ENROLL_SESSION_LEN + 1];
    const struct account_mode *byod = account_mode_find("byod");
    assert_int_equal(account("byod", &d, NULL), 401);
    assert_string_equal(site_header("WWW-Authenticate"),
                        "Bearer method=\"apple-as-web\", "
                        "url=\"https://mdm.example.org:8443/enroll/account/byod/login\"");
    assert_int_equal(account("adde", &d, NULL), 403); /* an iPhone is not enrolled so */
    assert_int_equal(account("none", &d, NULL), 404);
    assert_ok(account_token_new(site.owner, byod, ACCOUNT_LOCAL, "ann", "ann@example.org",
                                clock_now(), token, &err),
              err);
    assert_int_equal(account("byod", &d, "0000"), 403);
    assert_int_equal(account("byod", &d, token), 200);
    judge_profile("c['com.apple.mdm']['EnrollmentMode'], "
                  "c['com.apple.mdm']['AssignedManagedAppleID'], "
                  "'AccessRights' in c['com.apple.mdm']",
                  "BYOD ann@example.org False");
    assert_int_equal(account("byod", &d, token), 200); /* the answer was lost */
    assert_int_equal(account("byod", &other, token), 403);
    assert_int_equal(site_count("SELECT COUNT(*) FROM handout WHERE way = 6 AND account = 'ann'"),
                     2);
    /* for one mode and one purpose, and for a time */
    d.product = other.product = "Mac14,2";
    assert_int_equal(account("adde", &d, token), 403);
    assert_ok(account_token_new(site.owner, account_mode_find("adde"), ACCOUNT_LOCAL, "ann",
                                "ann@example.org", clock_now(), adde, &err),
              err);
    assert_int_equal(account("adde", &other, adde), 200);
    judge_profile("c['com.apple.mdm']['EnrollmentMode'], c['com.apple.mdm']['AccessRights']",
                  "ADDE 8191");
    struct device service = begin("U-5");
    d.product = "iPhone12,1";
    assert_int_equal(account("byod", &d, service.challenge), 403);
    site_run("UPDATE enroll_session SET expires_at = 1");
    assert_int_equal(account("byod", &d, token), 403);
    assert_outcome(account_managed_check("ann", "", &err), INVALID, err);
    /* a secret is nowhere in the clear */
    assert_int_equal(site_count("SELECT COUNT(*) FROM enroll_session WHERE "
                                "LENGTH(secret_sha256) <> 32"),
                     0);
    account_redirect(&site.resp, token);
    assert_int_equal(site.resp.status, 308);
    pkey_free(&d.key);
    pkey_free(&other.key);
    pkey_free(&service.key);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, clear)
    const struct CMUnitTest tests[] = {T(profile_for_a_device),
                                       T(encrypted_to_the_device),
                                       T(only_assigned_devices),
                                       T(another_devices_serial),
                                       T(old_systems_update_first),
                                       T(login_with_digest),
                                       T(wrong_passwords),
                                       T(three_phases),
                                       T(links_over_the_air),
                                       T(challenges_of_the_service),
                                       T(discovery),
                                       T(account_enrolment)};
    return cmocka_run_group_tests_name("ways", tests, set_up, tear_down);
}
