/*
 * test_own.c: the page of one's own devices, asked by somebody hostile: for no device, for
 * another's, with a session of before, under the name of somebody who has left.
 */
#include "site.h"

#include "enrollment/enroll.h"
#include "enrollment/errands.h"
#include "enrollment/own.h"
#include "html/form.h"
#include "store/enroll_session.h"
#include "store/enroluser.h"
#include "store/handout.h"

#define PASSWORD "correct horse"

static char cookie[ENROLL_SESSION_LEN + 1];

static void person(const char *name)
{
    assert_ok(enroluser_add(site.owner, site.conf->signer_dir, name,
                            &(struct enroluser_edit){.full_name = "", .password = PASSWORD}, "t",
                            &err),
              err);
}

static void keep_cookie(void)
{
    const char *set = site_header("Set-Cookie");
    if (!set)
        return;
    assert_int_equal(sscanf(set, "__Host-drover-enroll=%48[0-9a-f]", cookie), 1);
    site.cookie = arena_fmt(site.a, "__Host-drover-enroll=%s", cookie);
}

/* A form of the page with its token. */
static int post(const char *fields)
{
    char token[FORM_TOKEN_LEN + 1];
    form_token(bytes_str(cookie), token);
    site.type = "application/x-www-form-urlencoded";
    int status = site_ask(own_post, METHOD_POST, "/enroll/me", "",
                          bytes_str(arena_fmt(site.a, "csrf=%s&%s", token, fields)));
    keep_cookie();
    return status;
}

static int get(const char *query)
{
    int status = site_ask(own_handle, METHOD_GET, "/enroll/me", query, bytes_of(NULL, 0));
    keep_cookie();
    return status;
}

static bool shows(const char *text)
{
    return strstr(buf_cstr(&site.resp.body), text) != NULL;
}

static void log_in(const char *name)
{
    site.cookie = NULL;
    get("");
    assert_int_equal(post(arena_fmt(site.a, "do=login&name=%s&password=correct+horse", name)), 303);
}

static int64_t errands(void)
{
    return site_count("SELECT COUNT(*) FROM errand");
}

static void a_form_that_names_no_device_does_nothing(void **state)
{
    (void)state;
    log_in("ann");
    assert_int_equal(get(""), 200);
    assert_true(shows("ANNS-ONE") && shows("ANNS-TWO"));
    assert_false(shows("BENS"));
    assert_int_equal(post("do=lock&sure=1&password=correct+horse"), 404);
    assert_int_equal(post("do=lock&sure=1&password=correct+horse&device="), 404);
    assert_int_equal(get("device="), 404);
    assert_int_equal(errands(), 0);
    assert_int_equal(post("do=lock&sure=1&password=correct+horse&device=D2"), 303);
    assert_int_equal(errands(), 1);
    assert_int_equal(site_count("SELECT enrollment_id FROM errand"), 2);
}

static void anothers_device_is_not_there(void **state)
{
    (void)state;
    log_in("ann");
    assert_int_equal(get("device=D3"), 404);
    assert_false(shows("BENS"));
    assert_int_equal(post("do=lock&sure=1&password=correct+horse&device=D3"), 404);
    assert_int_equal(post("do=take&item=1&device=D3"), 404);
    assert_int_equal(errands(), 0);
}

static void a_form_of_another_site_does_nothing(void **state)
{
    (void)state;
    log_in("ann");
    site.type = "application/x-www-form-urlencoded";
    assert_int_equal(site_ask(own_post, METHOD_POST, "/enroll/me", "",
                              bytes_str("do=lock&sure=1&password=correct+horse&device=D2")),
                     403);
    assert_int_equal(errands(), 0);
    /* nor does one with a cookie that was lost on the way */
    site.cookie = NULL;
    assert_int_equal(site_ask(own_post, METHOD_POST, "/enroll/me", "",
                              bytes_str("do=lock&sure=1&password=correct+horse&device=D2")),
                     200);
    assert_true(shows("name=\"password\""));
    assert_int_equal(errands(), 0);
}

static void another_password_ends_sessions(void **state)
{
    (void)state;
    log_in("ann");
    assert_int_equal(get(""), 200);
    assert_true(shows("ANNS-ONE"));
    assert_ok(enroluser_change(site.owner, site.conf->signer_dir, "ann",
                               &(struct enroluser_edit){.password = "another horse"}, "t", &err),
              err);
    assert_int_equal(get(""), 200);
    assert_false(shows("ANNS-ONE"));
    assert_true(shows("name=\"password\""));
    assert_int_equal(post("do=give-back&item=1&device=D2"), 200);
    assert_int_equal(errands(), 0);
}

/* A secret of another purpose opens no session, and neither does one of the console. */
static void sessions_of_other_kinds_are_none(void **state)
{
    struct enroll_session s = {.kind = SESSION_ACCESS,
                               .account = "ann",
                               .account_kind = ACCOUNT_LOCAL,
                               .created_at = clock_now(),
                               .expires_at = clock_now() + HOUR_US};
    (void)state;
    assert_ok(enroll_session_new(site.owner, &s, cookie, &err), err);
    site.cookie = arena_fmt(site.a, "__Host-drover-enroll=%s; __Host-drover=%064d", cookie, 1);
    assert_int_equal(get(""), 200);
    assert_false(shows("ANNS-ONE"));
    assert_true(shows("name=\"password\""));
}

static void who_gets_the_name_later_gets_no_devices(void **state)
{
    struct handout h;
    (void)state;
    log_in("ann");
    assert_ok(enroluser_remove(site.owner, "ann", "t", &err), err);
    assert_int_equal(get(""), 200);
    assert_false(shows("ANNS-ONE"));
    person("ann");
    assert_int_equal(get(""), 200); /* the session of before */
    assert_true(shows("name=\"password\""));
    log_in("ann");
    assert_int_equal(get(""), 200);
    assert_false(shows("ANNS-ONE"));
    assert_int_equal(get("device=D1"), 404);
    /* a renewal of such a device is for nobody */
    assert_ok(handout_of_device(site.owner, 1, site.a, &h, &err), err);
    assert_int_equal(h.account_kind, ACCOUNT_NONE);
    assert_null(h.account);
    assert_ok(handout_of_device(site.owner, 3, site.a, &h, &err), err);
    assert_string_equal(h.account, "ben");
}

/* What was asked for by somebody who has been kept out since is not done. */
/* A device that has changed hands does not tell what was asked for by who had it before. */
static void what_others_asked_for_is_not_told(void **state)
{
    (void)state;
    site_run(
        "INSERT INTO errand (id, enrollment_id, account_kind, account, what, asked_at, is_open, "
        "done_at, refused, outcome) VALUES (1, 2, 1, 'ben', 3, 1, NULL, 2, 1, 'BENS-WORDS'), "
        "(2, 2, 2, 'ann', 3, 1, NULL, 2, 1, 'OTHER-ANNS'), (3, 2, 1, 'ann', 4, 1, NULL, 2, 1, "
        "'ANNS-WORDS')");
    site_run(
        "REPLACE INTO library_item (id, kind, identifier, name, version, created_at, created_by, "
        "changed_at, changed_by) VALUES (9, 1, 'i', 'A<b>item', 1, 1, 't', 1, 't')");
    site_run(
        "INSERT INTO errand (id, enrollment_id, account_kind, account, what, item_id, asked_at, "
        "is_open, done_at) VALUES (4, 2, 1, 'ann', 1, 9, 1, NULL, 2)");
    log_in("ann");
    assert_int_equal(get("device=D2"), 200);
    assert_true(shows("ANNS-WORDS"));
    assert_true(shows("</b> A&lt;b&gt;item: "));
    assert_false(shows("BENS-WORDS"));
    assert_false(shows("OTHER-ANNS"));
}

static void who_is_kept_out_asks_in_vain(void **state)
{
    struct db *agent = NULL;
    size_t n;
    (void)state;
    log_in("ann");
    assert_int_equal(post("do=lock&sure=1&password=correct+horse&device=D2"), 303);
    assert_ok(enroluser_change(site.owner, site.conf->signer_dir, "ann",
                               &(struct enroluser_edit){.disable = true}, "t", &err),
              err);
    assert_int_equal(get(""), 200);
    assert_true(shows("name=\"password\""));
    assert_ok(db_new(site.conf, DB_AGENT, &agent, &err), err);
    assert_ok(errands_turn(agent, site.conf, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(site_count("SELECT COUNT(*) FROM errand WHERE refused = 1"), 1);
    assert_int_equal(site_count("SELECT COUNT(*) FROM queue"), 0);
    db_free(&agent);
}

/* A word that can be no profile's name is one that none has. */
static void a_profile_of_no_name_is_not_there(void **state)
{
    static const char *const names[] = {"profile=%C3%BC", "profile=%FF", "profile=nobody"};
    (void)state;
    log_in("ann");
    site.accept = "text/html";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(
            site_ask(enroll_handle, METHOD_GET, "/enroll", names[i], bytes_of(NULL, 0)), 404);
    site.accept = NULL;
}

/* What a device told last counts, not what it said when it enrolled. */
static void the_latest_is_shown(void **state)
{
    (void)state;
    site_run("UPDATE enrollment SET os_version = '17.0.1' WHERE id IN (1, 2)");
    site_run("INSERT INTO inv_device (enrollment_id, device_name, os_version) VALUES (1, "
             "'ANNS-LATEST', '18.1.2')");
    log_in("ann");
    assert_int_equal(get(""), 200);
    assert_true(shows("ANNS-LATEST") && shows("18.1.2"));
    assert_false(shows("ANNS-ONE"));
    assert_true(shows("ANNS-TWO") && shows("17.0.1"));
}

static int clear(void **state)
{
    static const char *const all[] = {"DELETE FROM errand",      "DELETE FROM enroll_session",
                                      "DELETE FROM enroll_user", "DELETE FROM enrollment",
                                      "DELETE FROM life",        "DELETE FROM handout",
                                      "DELETE FROM inv_device",  "DELETE FROM login_throttle"};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        site_run(all[i]);
    person("ann");
    person("ben");
    site_run(
        "INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, device_name, "
        "product_name, created_at, last_seen_at) VALUES (1, 'D1', 1, 1, 2, 1, 'ANNS-ONE', "
        "'iPhone15,2', 1, 1), (2, 'D2', 1, 2, 2, 2, 'ANNS-TWO', 'iPhone15,2', 1, 1), (3, 'D3', "
        "1, 3, 2, 3, 'BENS', 'iPhone15,2', 1, 1)");
    site_run("INSERT INTO handout (id, way, topic, server_url, checkin_url, access_rights, "
             "server_capabilities, account_kind, account, made_at) VALUES (1, 3, 't', 'u', 'c', "
             "8191, '', 1, 'ann', 1), (2, 3, 't', 'u', 'c', 8191, '', 1, 'ann', 1), (3, 3, 't', "
             "'u', 'c', 8191, '', 1, 'ben', 1)");
    site_run("INSERT INTO life (id, enrollment_id, state, opened_at, handout_id) VALUES (1, 1, 2, "
             "1, 1), (2, 2, 2, 1, 2), (3, 3, 2, 1, 3)");
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    site_up("drover_test_own");
    site.conf->share_dir = ".";
    site.conf->enroll_login = "local";
    assert_ok(enroll_web_new(site.conf, &site.app.enroll, &err), err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    enroll_web_free(&site.app.enroll);
    site_down();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_form_that_names_no_device_does_nothing, clear),
        cmocka_unit_test_setup(the_latest_is_shown, clear),
        cmocka_unit_test_setup(anothers_device_is_not_there, clear),
        cmocka_unit_test_setup(a_form_of_another_site_does_nothing, clear),
        cmocka_unit_test_setup(another_password_ends_sessions, clear),
        cmocka_unit_test_setup(sessions_of_other_kinds_are_none, clear),
        cmocka_unit_test_setup(who_gets_the_name_later_gets_no_devices, clear),
        cmocka_unit_test_setup(what_others_asked_for_is_not_told, clear),
        cmocka_unit_test_setup(who_is_kept_out_asks_in_vain, clear),
        cmocka_unit_test_setup(a_profile_of_no_name_is_not_there, clear),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
