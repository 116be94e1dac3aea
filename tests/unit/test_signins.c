/*
 * test_signins.c: what administrators see and end of the sign-ins of others: sessions, wrong
 * passwords; and keys that are limited from their first moment. Through the real pages.
 */
#include "pagesite.h"

#include "store/account.h"
#include "store/admin.h"
#include "store/group.h"
#include "store/scope.h"
#include "store/throttle.h"

#define PASSWORD "correct horse battery"

static int64_t audited(const char *action, const char *subject)
{
    return pagesite_number(
        arena_fmt(arena, "SELECT COUNT(*) FROM audit WHERE action = '%s' AND subject = '%s'",
                  action, subject));
}

static int64_t sessions_of(const char *name)
{
    return pagesite_number(
        arena_fmt(arena, "SELECT COUNT(*) FROM session WHERE admin = '%s'", name));
}

static void others_sessions_are_seen_and_ended(void **state)
{
    char theirs[SESSION_TOKEN_LEN + 1], sum[129];
    (void)state;
    pagesite_sign_in("ben");
    pagesite_sign_in("ben");
    memcpy(theirs, token, sizeof theirs);
    pagesite_sign_in("boss");
    assert_int_equal(pagesite_ask("GET", "/accounts", "", "", NULL), 200);
    assert_true(pagesite_tells("/signins?name=ben\">Sign-ins (2)"));
    assert_int_equal(pagesite_ask("GET", "/signins?name=ben", "", "", NULL), 200);
    const char *at = strstr(buf_cstr(&resp.body), "name=\"session\" value=\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "name=\"session\" value=\"%64[0-9a-f]\"", sum), 1);
    /* one of them; it is not found under another name */
    assert_int_equal(
        pagesite_post("/signins", arena_fmt(arena, "what=session&name=boss&session=%s", sum)), 303);
    assert_int_equal(sessions_of("ben"), 2);
    assert_int_equal(
        pagesite_post("/signins", arena_fmt(arena, "what=session&name=ben&session=%s", sum)), 303);
    assert_int_equal(sessions_of("ben"), 1);
    assert_int_equal(audited("admin.session_end", "ben"), 1);
    /* all of them */
    assert_int_equal(pagesite_post("/signins", "what=all&name=ben"), 303);
    assert_int_equal(sessions_of("ben"), 0);
    assert_int_equal(audited("admin.session_end", "ben"), 2);
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM audit WHERE action = "
                                     "'admin.session_end' AND actor = 'boss' AND detail = "
                                     "'sessions=1'"),
                     1);
    memcpy(token, theirs, sizeof theirs);
    assert_int_equal(pagesite_ask("GET", "/devices", "", "", NULL), 303); /* signed out */
    pagesite_sign_in("boss");
    assert_int_equal(pagesite_ask("GET", "/signins?name=nobody", "", "", NULL), 404);
    assert_int_equal(pagesite_post("/signins", "what=session&name=ben&session=zz"), 400);
    assert_int_equal(pagesite_post("/signins", "what=all&name="), 400);
}

static void lower_roles_do_neither(void **state)
{
    (void)state;
    pagesite_sign_in("ann");
    for (int r = 0; role_names[r] && strcmp(role_names[r], "administrator") != 0; r++) {
        assert_ok(admin_role_set(owner, "ben", role_names[r], "t", &err), err);
        pagesite_sign_in("ben");
        assert_int_equal(pagesite_ask("GET", "/signins?name=ann", "", "", NULL), 403);
        assert_int_equal(pagesite_post("/signins", "what=all&name=ann"), 403);
        assert_int_equal(pagesite_post("/signins", "what=clear&subject=admin%3Aann"), 403);
    }
    assert_int_equal(sessions_of("ann"), 1);
    /* their own page ends no other's either */
    int64_t before = sessions_of("ann");
    int status = pagesite_post("/account", "what=session&name=ann&session="
                                           "0000000000000000000000000000000000000000000000000000"
                                           "000000000000");
    assert_int_equal(status, 303);
    assert_int_equal(sessions_of("ann"), before);
}

static void wrong(const char *name, const char *address, int times)
{
    for (int i = 0; i < times; i++) {
        const struct throttle who = {THROTTLE_ADMINS, name, address};
        struct arena *a = arena_new(LIM_MB);
        int64_t wait = 0;
        /* as if the pauses had been waited for */
        assert_ok(db_run(owner, "w", "UPDATE login_throttle SET free_at = 0", &err), err);
        assert_ok(throttle_enter(owner, &who, clock_now(), &wait, &err), err);
        arena_free(&a);
    }
}

static void a_throttle_is_told_and_taken_away(void **state)
{
    int64_t wait;
    struct arena *a = arena_new(LIM_MB);
    (void)state;
    wrong("eve@example.org", "192.0.2.7", 2);
    wrong("eve", "2001:db8::7", 11);
    assert_ok(signin_attempt(owner, "eve", "2001:db8::7", clock_now(), a, &wait, &err), err);
    assert_in_range(wait, 800, 900);
    /* the person sees it, and cannot take it away */
    pagesite_sign_in("eve");
    assert_int_equal(pagesite_ask("GET", "/account", "", "", NULL), 200);
    assert_true(pagesite_tells("2001:db8::7"));
    assert_true(pagesite_tells("held up"));
    assert_false(pagesite_tells("192.0.2.7")); /* of another, whose name begins the same */
    assert_false(pagesite_tells("value=\"clear\""));
    /* an administrator sees since when and until when, and takes it away */
    pagesite_sign_in("boss");
    assert_int_equal(pagesite_ask("GET", "/accounts", "", "", NULL), 200);
    assert_true(pagesite_tells("value=\"admin:eve@2001:db8::7\""));
    assert_int_equal(pagesite_ask("GET", "/signins?name=eve", "", "", NULL), 200);
    assert_true(pagesite_tells("<td>11</td><td><time"));
    assert_true(pagesite_tells("in 15 min"));
    assert_int_equal(
        pagesite_post("/signins", "what=clear&name=eve&subject=admin%3Aeve%402001%3Adb8%3A%3A7"),
        303);
    assert_int_equal(audited("login.release", "admin:eve@2001:db8::7"), 1);
    assert_ok(signin_attempt(owner, "eve", "2001:db8::7", clock_now(), a, &wait, &err), err);
    assert_int_equal(wait, 0);
    /* what is not there is not audited as taken away */
    assert_int_equal(pagesite_post("/signins", "what=clear&subject=admin%3Anobody"), 303);
    assert_int_equal(audited("login.release", "admin:nobody"), 0);
    arena_free(&a);
}

static void since_when_is_the_first_of_those_that_count(void **state)
{
    const struct throttle who = {THROTTLE_ADMINS, "kim", "192.0.2.8"};
    struct throttled *t;
    size_t n;
    int64_t at = clock_now() - 3 * HOUR_US;
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_ok(throttle_enter(owner, &who, at + i * MINUTE_US, NULL, &err), err);
    assert_ok(throttle_of(owner, THROTTLE_ADMINS, "kim", at + 5 * MINUTE_US, arena, &t, &n, &err),
              err);
    assert_int_equal(n, 2); /* at the address, and anywhere */
    assert_int_equal(t[0].first_at, at);
    assert_int_equal(t[0].failures, 3);
    /* after an hour they are forgotten, and the next one is the first */
    assert_ok(throttle_enter(owner, &who, at + 2 * HOUR_US, NULL, &err), err);
    assert_ok(throttle_of(owner, THROTTLE_ADMINS, "kim", at + 2 * HOUR_US, arena, &t, &n, &err),
              err);
    assert_int_equal(t[0].first_at, at + 2 * HOUR_US);
    assert_int_equal(t[0].failures, 1);
    /* a right password after a wrong one of the past does not carry its time on */
    assert_ok(throttle_right(owner, &who, &err), err);
    assert_ok(throttle_of(owner, THROTTLE_ADMINS, "kim", at + 2 * HOUR_US, arena, &t, &n, &err),
              err);
    assert_int_equal(n, 0);
    assert_ok(throttle_enter(owner, &who, at + 2 * HOUR_US + 5, NULL, &err), err);
    assert_ok(throttle_of(owner, THROTTLE_ADMINS, "kim", at + 2 * HOUR_US + 6, arena, &t, &n, &err),
              err);
    assert_int_equal(n, 2);
    assert_int_equal(t[0].first_at, at + 2 * HOUR_US + 5);
    assert_int_equal(t[1].first_at, at + 2 * HOUR_US + 5);
}

static void a_reset_opens_the_way_again(void **state)
{
    char given[ADMIN_GIVEN_LEN + 1];
    int64_t wait;
    (void)state;
    wrong("ann", "192.0.2.30", 11);
    wrong("ann (code)", "192.0.2.31", 11); /* her second factor was tried too */
    pagesite_sign_in("boss");
    assert_int_equal(pagesite_ask("GET", "/signins?name=ann", "", "", NULL), 200);
    assert_true(pagesite_tells("value=\"admin:ann (code)@192.0.2.31\""));
    assert_ok(admin_reset(owner, "ann", "t", given, &err), err);
    assert_ok(signin_attempt(owner, "ann", "192.0.2.30", clock_now(), arena, &wait, &err), err);
    assert_int_equal(wait, 0);
    assert_ok(signin_attempt(owner, "ann (code)", "192.0.2.31", clock_now(), arena, &wait, &err),
              err);
    assert_int_equal(wait, 0);
}

/* There must be somebody who reaches everything: one who is limited does not keep the site. */
/* Whoever is locked out may know keys that go on working: it is told, and where. */
static void keys_of_a_disabled_account_are_told(void **state)
{
    char text[APIKEY_LEN + 1];
    (void)state;
    assert_ok(admin_add(owner, "leaver", "operator", PASSWORD, "t", &err), err);
    assert_ok(apikey_new(owner, "left behind", "*", 0, "leaver", text, &err), err);
    pagesite_sign_in("boss");
    for (int revoked = 0; revoked < 2; revoked++) {
        assert_int_equal(pagesite_post("/accounts", "what=disable&name=leaver"), 303);
        assert_non_null(strstr(buf_cstr(&resp.headers), revoked
                                                            ? "Location: /accounts?done=saved"
                                                            : "Location: /apikeys?done=keys_left"));
        assert_int_equal(pagesite_ask("GET", "/apikeys?done=keys_left", "", "", NULL), 200);
        assert_true(pagesite_tells("still work: revoke below"));
        assert_true(pagesite_tells("leaver <span class=\"badge\">disabled</span>"));
        assert_ok(apikey_revoke(owner, "left behind", "boss", &err), err);
        assert_int_equal(pagesite_post("/accounts", "what=enable&name=leaver"), 303);
        assert_int_equal(pagesite_ask("GET", "/apikeys", "", "", NULL), 200);
        assert_false(pagesite_tells("leaver <span"));
    }
}

static void the_last_who_reaches_everything_stays(void **state)
{
    const struct scope some = {.limited = true};
    (void)state;
    assert_ok(admin_role_set(owner, "ben", "administrator", "t", &err), err);
    assert_ok(scope_set(owner, SCOPE_ADMIN, "ben", &some, "t", &err), err);
    assert_ok(admin_role_set(owner, "ann", "viewer", "t", &err), err);
    assert_outcome(admin_disable(owner, "boss", true, "t", &err), CONFLICT, err);
    assert_outcome(admin_role_set(owner, "boss", "viewer", "t", &err), CONFLICT, err);
    assert_ok(scope_set(owner, SCOPE_ADMIN, "ben", &(struct scope){0}, "t", &err), err);
    assert_ok(admin_role_set(owner, "boss", "viewer", "t", &err), err);
    assert_ok(admin_role_set(owner, "boss", "administrator", "t", &err), err);
}

static void a_key_is_limited_in_the_form_that_makes_it(void **state)
{
    struct device_group g = {.name = "north", .filter = "", .note = ""};
    struct scope s;
    (void)state;
    assert_ok(group_save(owner, &g, "t", 1, &err), err);
    pagesite_sign_in("boss");
    assert_int_equal(pagesite_ask("GET", "/apikeys", "", "", NULL), 200);
    assert_true(pagesite_tells("north"));
    const char *form =
        arena_fmt(arena, "name=bounded&scope_read=1&days=1&limited=1&group=%lld", (long long)g.id);
    assert_int_equal(pagesite_post("/apikeys", form), 200);
    assert_ok(scope_get(owner, SCOPE_KEY, "bounded", arena, &s, &err), err);
    assert_true(s.limited);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.groups[0], g.id);
    assert_int_equal(audited("apikey.scope", "bounded"), 1);
    /* ticked groups that would not limit are a mistake, and keep their ticks */
    form = arena_fmt(arena, "name=loose&scope_read=1&days=1&group=%lld", (long long)g.id);
    assert_int_equal(pagesite_post("/apikeys", form), 400);
    assert_true(pagesite_tells(arena_fmt(arena, "value=\"%lld\" checked", (long long)g.id)));
    assert_outcome(scope_get(owner, SCOPE_KEY, "loose", arena, &s, &err), NOT_FOUND, err);
    /* with a group that is gone there is no key at all */
    assert_int_equal(
        pagesite_post("/apikeys", "name=gone&scope_read=1&days=1&limited=1&group=4711"), 404);
    assert_outcome(scope_get(owner, SCOPE_KEY, "gone", arena, &s, &err), NOT_FOUND, err);
    assert_int_equal(pagesite_post("/apikeys", "name=open&scope_read=1&days=1"), 200);
    assert_ok(scope_get(owner, SCOPE_KEY, "open", arena, &s, &err), err);
    assert_false(s.limited);
}

static int set_up(void **state)
{
    static const char *const names[] = {"boss", "ann", "ben", "eve", "eve@example.org"};
    (void)state;
    pagesite_up("drover_test_signins");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_ok(admin_add(owner, names[i], i ? "viewer" : "administrator", PASSWORD, "t", &err),
                  err);
    assert_ok(admin_role_set(owner, "ann", "administrator", "t", &err), err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_sessions_are_seen_and_ended),
        cmocka_unit_test(lower_roles_do_neither),
        cmocka_unit_test(a_throttle_is_told_and_taken_away),
        cmocka_unit_test(since_when_is_the_first_of_those_that_count),
        cmocka_unit_test(a_reset_opens_the_way_again),
        cmocka_unit_test(keys_of_a_disabled_account_are_told),
        cmocka_unit_test(the_last_who_reaches_everything_stays),
        cmocka_unit_test(a_key_is_limited_in_the_form_that_makes_it),
    };
    return cmocka_run_group_tests(tests, set_up, pagesite_down);
}
