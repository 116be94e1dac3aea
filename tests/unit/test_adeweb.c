/*
 * test_adeweb.c: the web view of automated device enrolment: a device opens it, a person logs in,
 * reads and gets the profile.
 */
#include "device.h"

#include "enrollment/ade.h"
#include "enrollment/enroll.h"
#include "store/enroll_session.h"
#include "store/enroluser.h"
#include "wire/encode.h"

static int set_up(void **state)
{
    (void)state;
    site_up("drover_adeweb");
    apple_up();
    site.conf->share_dir = ".";
    assert_ok(enroll_web_new(site.conf, &site.app.enroll, &err), err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    enroll_web_free(&site.app.enroll);
    apple_down();
    site_down();
    return 0;
}

static int clear(void **state)
{
    (void)state;
    devices_clear();
    site.conf->enroll_login = "local";
    site.type = "application/x-www-form-urlencoded";
    site.remote_user = NULL;
    assert_ok(enroluser_add(site.owner, site.conf->signer_dir, "ann",
                            &(struct enroluser_edit){.full_name = "", .password = "correct horse"},
                            "test", &err),
              err);
    object("web", "login", "web", "encrypt", "yes");
    return 0;
}

/* A device opens the page. */
static int view(const char *path, struct bytes cms)
{
    struct buf header = BUF_INIT(1 << 16);
    base64_add(&header, cms);
    site.device_info = arena_strdup(site.a, buf_cstr(&header));
    buf_free(&header);
    int status = site_ask(ade_view, METHOD_GET, path, "", bytes_of(NULL, 0));
    site.device_info = NULL;
    return status;
}

/* Its web view keeps the last cookie. */
static void keep_cookie(void)
{
    const char *at = NULL;
    for (const char *p = buf_cstr(&site.resp.headers); (p = strstr(p, "Set-Cookie: ")); p++)
        at = p;
    assert_non_null(at);
    assert_non_null(strstr(at, "Secure; HttpOnly"));
    site.cookie = arena_strndup(site.a, at + 12, strcspn(at + 12, ";"));
}

/* The token of the page's forms. */
static const char *csrf(void)
{
    const char *at = strstr(buf_cstr(&site.resp.body), "name=\"csrf\" value=\"");
    assert_non_null(at);
    return arena_strndup(site.a, at + 19, strcspn(at + 19, "\""));
}

static int post(const char *token, const char *fields)
{
    const char *form = arena_fmt(site.a, "csrf=%s&%s", token, fields);
    return site_ask(ade_view_post, METHOD_POST, ADE_VIEW_PATH, "", bytes_str(form));
}

static bool shows(const char *text)
{
    return strstr(buf_cstr(&site.resp.body), text) != NULL;
}

static void a_person_gets_the_profile(void **state)
{
    (void)state;
    struct device d = device_new("U-1", "SERIAL1");
    assert_int_equal(view("/enroll/ade/web", sign(&d)), 200);
    assert_string_equal(site.resp.content_type, "text/html; charset=utf-8");
    assert_true(shows("type=\"password\"") && shows("action=\"/enroll/view\""));
    keep_cookie();
    const char *token = csrf();
    /* not before the login; not with a wrong password; not from another page */
    assert_int_equal(post(token, "do=get"), 200);
    assert_true(shows("type=\"password\""));
    assert_int_equal(post(token, "do=login&name=ann&password=wrong"), 403);
    assert_true(shows("type=\"password\"") && shows("action=\"/enroll/view\""));
    assert_int_equal(post("00", "do=login&name=ann&password=correct+horse"), 403);
    assert_int_equal(site_count("SELECT COUNT(*) FROM handout"), 0);
    assert_int_equal(post(token, "do=login&name=ann&password=correct+horse"), 200);
    assert_true(shows("value=\"get\"") && !shows("type=\"password\""));
    assert_int_equal(site_count("SELECT COUNT(*) FROM handout"), 0);
    assert_int_equal(post("00", "do=get"), 403);
    for (int i = 0; i < 2; i++) { /* and again, when the answer was lost */
        assert_int_equal(post(token, "do=get"), 200);
        assert_string_equal(site.resp.content_type, "application/x-apple-aspen-config");
        judge_profile("sorted(k for k in p if k.endswith('Content'))",
                      "['EncryptedPayloadContent']");
    }
    assert_int_equal(site_count("SELECT COUNT(*) FROM handout WHERE way = 4 AND account = 'ann' "
                                "AND account_kind = 1"),
                     2);
    /* who was disabled meanwhile gets nothing */
    assert_ok(enroluser_change(site.owner, NULL, "ann", &(struct enroluser_edit){.disable = true},
                               "test", &err),
              err);
    assert_int_equal(post(token, "do=get"), 410);
    assert_ok(enroluser_change(site.owner, NULL, "ann", &(struct enroluser_edit){.enable = true},
                               "test", &err),
              err);
    /* another web view has another cookie; the view expires */
    const char *cookie = site.cookie;
    site.cookie = arena_fmt(site.a, "__Host-drover-enroll=%048d", 0);
    assert_int_equal(post(token, "do=get"), 410);
    site.cookie = cookie;
    site_run("UPDATE enroll_session SET expires_at = 1");
    assert_int_equal(post(token, "do=get"), 410);
    pkey_free(&d.key);
}

static void devices_that_may_not(void **state)
{
    (void)state;
    struct device d = device_new("U-1", "SERIAL1");
    struct bytes old = device_cert("past", false, d.key, 1, DAY_US);
    assert_int_equal(site_ask(ade_view, METHOD_GET, "/enroll/ade/web", "", bytes_of(NULL, 0)), 400);
    site.device_info = "no base64!";
    assert_int_equal(site_ask(ade_view, METHOD_GET, "/enroll/ade/web", "", bytes_of(NULL, 0)), 400);
    assert_int_equal(view("/enroll/ade/web", bytes_str("nonsense")), 400);
    assert_int_equal(view("/enroll/ade/web", sign_with(&d, old, d.key)), 403);
    assert_int_equal(view("/enroll/ade/none", sign(&d)), 404);
    assert_int_equal(view("/enroll/ade", sign(&d)), 403); /* that profile asks for no such login */
    site.conf->enroll_login = "no";
    assert_int_equal(view("/enroll/ade/web", sign(&d)), 403); /* nobody can log in */
    site.type = "application/pkcs7-signature";
    assert_int_equal(site_ask(ade_handle, METHOD_POST, "/enroll/ade/web", "", sign(&d)), 403);
    assert_int_equal(site_count("SELECT COUNT(*) FROM enroll_session"), 0);
    pkey_free(&d.key);
}

static void the_web_server_knows_the_person(void **state)
{
    (void)state;
    struct device d = device_new("U-1", "SERIAL1");
    site.conf->enroll_login = "remote_user";
    assert_int_equal(view("/enroll/ade/web", sign(&d)), 403);
    site.remote_user = "bob@example.org";
    assert_int_equal(view("/enroll/ade/web", sign(&d)), 200);
    assert_true(shows("value=\"get\"") && shows("bob@example.org"));
    keep_cookie();
    assert_int_equal(post(csrf(), "do=get"), 200);
    assert_int_equal(site_count("SELECT COUNT(*) FROM handout WHERE account = 'bob@example.org' "
                                "AND account_kind = 2"),
                     1);
    pkey_free(&d.key);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, clear)
    const struct CMUnitTest tests[] = {T(a_person_gets_the_profile), T(devices_that_may_not),
                                       T(the_web_server_knows_the_person)};
    return cmocka_run_group_tests_name("adeweb", tests, set_up, tear_down);
}
