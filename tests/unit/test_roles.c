/*
 * test_roles.c: the privilege matrix: every row of the route table that wants a session, asked by
 * every role through route_run(), against what is written down here. The console is the real one,
 * with the real database.
 */
#include "pagesite.h"

#include "console/remote.h"
#include "store/admin.h"

/* Who passes, by the first letters of the roles: viewer, Auditor, helpdesk, operator, administrator
 * (V A H O !). A row of the table that is missing here fails the test, and so does one too many. */
static const struct {
    int method;
    const char *path, *who;
} MATRIX[] = {
    {METHOD_POST, "/signout", "VAHO!"},
    {METHOD_GET, "/", "VAHO!"},
    {METHOD_GET, "/devices", "VAHO!"},
    {METHOD_POST, "/devices", "VAHO!"},
    {METHOD_GET, "/devices.csv", "VAHO!"},
    {METHOD_GET, "/failed", "VAHO!"},
    {METHOD_GET, "/failed/retry", "O!"},
    {METHOD_POST, "/failed/retry", "O!"},
    {METHOD_POST, "/device/retry", "HO!"},
    {METHOD_GET, "/pushes", "VAHO!"},
    {METHOD_GET, "/bulk", "O!"},
    {METHOD_POST, "/bulk", "O!"},
    {METHOD_GET, "/bulk/jobs", "VAHO!"},
    {METHOD_GET, "/bulk/job", "VAHO!"},
    {METHOD_POST, "/bulk/stop", "O!"},
    {METHOD_GET, "/device", "VAHO!"},
    {METHOD_GET, "/device/command", "VAHO!"},
    {METHOD_POST, "/device/command", "HO!"},
    {METHOD_GET, "/device/part", "VAHO!"},
    {METHOD_POST, "/device/answer", "O!"},
    {METHOD_POST, "/device/secret", "O!"},
    {METHOD_GET, "/device/send", "HO!"}, /* the helpdesk: what the page of a device offers */
    {METHOD_POST, "/device/send", "HO!"},
    {METHOD_POST, "/device/cancel", "HO!"},
    {METHOD_POST, "/device/push", "HO!"},
    {METHOD_GET, "/profiles", "VAHO!"},
    {METHOD_POST, "/profiles", "O!"},
    {METHOD_GET, "/profiles.csv", "VAHO!"},
    {METHOD_GET, "/profile", "VAHO!"},
    {METHOD_POST, "/profile", "O!"},
    {METHOD_GET, "/profile/compare", "VAHO!"},
    {METHOD_POST, "/profile/file", "O!"},
    {METHOD_GET, "/draft", "O!"},
    {METHOD_POST, "/draft", "O!"},
    {METHOD_POST, "/device/tag", "O!"},
    {METHOD_GET, "/groups", "VAHO!"},
    {METHOD_POST, "/groups", "O!"},
    {METHOD_GET, "/group", "VAHO!"},
    {METHOD_POST, "/group/devices", "O!"},
    {METHOD_POST, "/group/delete", "O!"},
    {METHOD_GET, "/group/filter", "VAHO!"},
    {METHOD_POST, "/group/filter", "O!"},
    {METHOD_GET, "/group/contents", "VAHO!"},
    {METHOD_POST, "/group/contents", "O!"},
    {METHOD_GET, "/group/command", "O!"},
    {METHOD_POST, "/group/command", "O!"},
    {METHOD_GET, "/group/preview", "VAHO!"},
    {METHOD_POST, "/group/preview", "O!"},
    {METHOD_GET, "/group/versions", "VAHO!"},
    {METHOD_POST, "/group/versions", "O!"},
    {METHOD_GET, "/group/order", "VAHO!"},
    {METHOD_GET, "/rollouts", "VAHO!"},
    {METHOD_GET, "/rollout", "VAHO!"},
    {METHOD_POST, "/rollout", "O!"},
    {METHOD_POST, "/offers", "O!"},
    {METHOD_GET, "/draft/form", "O!"},
    {METHOD_POST, "/draft/form", "O!"},
    {METHOD_GET, "/draft/raw", "O!"},
    {METHOD_POST, "/draft/raw", "O!"},
    {METHOD_GET, "/apps", "VAHO!"},
    {METHOD_POST, "/apps", "O!"},
    {METHOD_GET, "/app/new", "O!"},
    {METHOD_POST, "/app/new", "O!"},
    {METHOD_POST, "/app/upload", "O!"},
    {METHOD_GET, "/app", "VAHO!"},
    {METHOD_POST, "/app", "O!"},
    {METHOD_GET, "/approvals", "O!"},
    {METHOD_POST, "/approvals", "O!"},
    {METHOD_GET, "/approval", "O!"},
    {METHOD_GET, "/unknown", "VAHO!"},
    {METHOD_POST, "/unknown", "O!"},
    {METHOD_GET, "/invitations", "O!"},
    {METHOD_POST, "/invitations", "O!"},
    {METHOD_GET, "/people", "VAHO!"},
    {METHOD_POST, "/people", "O!"},
    {METHOD_GET, "/apikeys", "!"},
    {METHOD_POST, "/apikeys", "!"},
    {METHOD_GET, "/pushcerts", "VAHO!"},
    {METHOD_POST, "/pushcerts", "!"},
    {METHOD_GET, "/enrollment-profiles", "VAHO!"},
    {METHOD_POST, "/enrollment-profiles", "O!"},
    {METHOD_GET, "/enrollment-profile", "VAHO!"},
    {METHOD_GET, "/enrollment-profile/preview", "VAHO!"},
    {METHOD_POST, "/enrollment-profile", "O!"},
    {METHOD_GET, "/certificates", "VAHO!"},
    {METHOD_POST, "/certificates", "O!"},
    {METHOD_GET, "/certificate", "VAHO!"},
    {METHOD_POST, "/certificate", "O!"},
    {METHOD_GET, "/calendar", "VAHO!"},
    {METHOD_POST, "/calendar", "O!"},
    {METHOD_GET, "/audit.csv", "A!"},
    {METHOD_GET, "/audit.json", "A!"},
    {METHOD_GET, "/audit", "A!"},
    {METHOD_POST, "/audit", "A!"},
    {METHOD_GET, "/setup", "!"},
    {METHOD_POST, "/setup", "!"},
    {METHOD_GET, "/setup/request", "!"},
    {METHOD_GET, "/settings", "!"},
    {METHOD_POST, "/settings", "!"},
    {METHOD_GET, "/webhooks", "!"},
    {METHOD_POST, "/webhooks", "!"},
    {METHOD_GET, "/webhook", "!"},
    {METHOD_POST, "/webhook", "!"},
    {METHOD_GET, "/scope", "!"},
    {METHOD_POST, "/scope", "!"},
    {METHOD_GET, "/accounts", "!"},
    {METHOD_POST, "/accounts", "!"},
    {METHOD_GET, "/signins", "!"},
    {METHOD_POST, "/signins", "!"},
    {METHOD_GET, "/account", "VAHO!"},
    {METHOD_POST, "/account", "VAHO!"},
};
#define ROWS (sizeof MATRIX / sizeof MATRIX[0])
static const char LETTERS[] = "VAHO!"; /* in the order of role_names */
#define PASSWORD "correct horse battery"

/* The status that the signed-in person gets; body: of the form. */
static int ask(int method, const char *path, const char *body)
{
    return pagesite_ask(method == METHOD_POST ? "POST" : "GET", path, body, PAGESITE_FORM, NULL);
}

static void every_row_is_in_the_matrix(void **state)
{
    (void)state;
    size_t found = 0;
    for (size_t i = 0; i < routes_n; i++) {
        size_t k = 0;
        if (routes[i].gate != GATE_CONSOLE)
            continue;
        while (k < ROWS && (MATRIX[k].method != routes[i].methods ||
                            strcmp(MATRIX[k].path, routes[i].path) != 0))
            k++;
        if (k == ROWS)
            fail_msg("%s is not in the matrix of tests/unit/test_roles.c", routes[i].path);
        found++;
        assert_non_null(routes[i].scope);
    }
    assert_int_equal(found, ROWS);
}

static void every_role_gets_what_the_matrix_says(void **state)
{
    (void)state;
    for (int r = 0; role_names[r]; r++) {
        pagesite_sign_in(role_names[r]);
        for (size_t k = 0; k < ROWS; k++) {
            /* A form without its token does nothing, but is refused for another reason. */
            bool may = strchr(MATRIX[k].who, LETTERS[r]) != NULL;
            int status = ask(MATRIX[k].method, MATRIX[k].path, "");
            bool role_refused = status == 403 && strstr(resp.note, "Your role") != NULL;
            if (role_refused == may)
                fail_msg("%s %s: %d %s", role_names[r], MATRIX[k].path, status, resp.note);
            if (may && MATRIX[k].method == METHOD_POST)
                assert_int_equal(status, 403);
        }
        arena_reset(arena);
    }
}

static void an_unknown_role_may_nothing(void **state)
{
    (void)state;
    assert_ok(db_run(owner, "r", "UPDATE admin SET role = 'king' WHERE name = 'odd'", &err), err);
    pagesite_sign_in("odd");
    for (size_t k = 0; k < ROWS; k++)
        assert_int_equal(ask(MATRIX[k].method, MATRIX[k].path, ""), 403);
}

static void a_given_password_opens_the_account_page_only(void **state)
{
    (void)state;
    pagesite_sign_in("new");
    for (size_t k = 0; k < ROWS; k++) {
        int status = ask(MATRIX[k].method, MATRIX[k].path, "");
        if (strcmp(MATRIX[k].path, "/account") == 0 && MATRIX[k].method == METHOD_GET)
            assert_int_equal(status, 200);
        else if (MATRIX[k].method == METHOD_GET)
            assert_int_equal(status, 303);
        else
            assert_int_equal(status, 403);
    }
}

static void a_second_factor_that_is_required(void **state)
{
    (void)state;
    conf.console_second_factor = "required";
    pagesite_sign_in("administrator");
    assert_int_equal(ask(METHOD_GET, "/devices", ""), 303);
    assert_int_equal(ask(METHOD_GET, "/account", ""), 200);
    assert_ok(
        db_run(owner, "r", "UPDATE admin SET totp_secret = 'x' WHERE name = 'administrator'", &err),
        err);
    assert_int_equal(ask(METHOD_GET, "/devices", ""), 200);
    assert_ok(db_run(owner, "r", "UPDATE admin SET totp_secret = NULL", &err), err);
    conf.console_second_factor = "optional";
}

static const char *remote, *groups;

static int ask_remote(const char *path)
{
    const char *const more[] = {arena_fmt(arena, "REMOTE_USER=%s", remote),
                                arena_fmt(arena, "OIDC_CLAIM_groups=%s", groups),
                                "HTTP_REMOTE_USER=boss", NULL};
    pagesite_ask("GET", path, "", "", more);
    const char *set = strstr(buf_cstr(&resp.headers), CONSOLE_COOKIE "=");
    if (set)
        snprintf(token, sizeof token, "%s", set + strlen(CONSOLE_COOKIE "="));
    return resp.status;
}

static void the_web_servers_own_people(void **state)
{
    (void)state;
    struct admin a;
    remote = "eve@example.org";
    groups = "staff,mdm admins";
    token[0] = '\0';
    assert_int_equal(ask_remote("/signin"), 200); /* not believed: the form */
    conf.console_remote_user = true;
    assert_int_equal(ask_remote("/signin"), 403); /* no role */
    assert_outcome(admin_find(owner, remote, arena, &a, &err), NOT_FOUND, err);
    conf.console_remote_roles = "nobody = administrator, mdm admins= operator ,staff=viewer";
    groups = "mdm admins";
    assert_int_equal(ask_remote("/signin?next=%2Fdevices"), 303);
    assert_non_null(strstr(buf_cstr(&resp.headers), "Location: /devices"));
    assert_int_equal(ask_remote("/devices"), 200);
    assert_int_equal(ask_remote("/accounts"), 403);
    assert_ok(admin_find(owner, remote, arena, &a, &err), err);
    assert_true(a.remote);
    assert_string_equal(a.role, "operator");
    /* another group at the next sign-in, another role; somebody else's session is none */
    groups = "x,staff";
    assert_int_equal(ask_remote("/signin"), 303);
    assert_ok(admin_find(owner, remote, arena, &a, &err), err);
    assert_string_equal(a.role, "viewer");
    remote = "mallory";
    assert_int_equal(ask_remote("/devices"), 303);
    assert_non_null(strstr(buf_cstr(&resp.headers), "Location: /signin"));
    /* not with the name of somebody who has a password here, nor once disabled */
    remote = "administrator";
    assert_int_equal(ask_remote("/signin"), 403);
    remote = "eve@example.org";
    assert_int_equal(ask_remote("/signin"), 303);
    assert_ok(admin_disable(owner, remote, true, "test", &err), err);
    assert_int_equal(ask_remote("/signin"), 403);
    /* and there is no way in with a password */
    assert_outcome(admin_password_set(owner, remote, "correct horse", NULL, "x", &err), NOT_FOUND,
                   err);
    conf.console_remote_user = false;
}

/* Who is in the group no longer has its role no longer, nor the session that has it. */
static void a_role_falls_with_the_rule_that_gave_it(void **state)
{
    (void)state;
    struct admin a;
    static const struct {
        const char *groups, *otherwise, *given, *role; /* role NULL: kept out */
    } steps[] = {{"mdm admins", "none", NULL, "administrator"},
                 {"staff", "none", NULL, NULL},
                 {"staff", "viewer", NULL, "viewer"},
                 {"staff", "viewer", "operator", "operator"}, /* a person gave it: it stays */
                 {"", "none", NULL, "operator"},
                 {"mdm admins", "none", NULL, "administrator"},
                 {"staff", "viewer", NULL, "viewer"},
                 {"staff", "none", NULL, NULL}};
    conf.console_remote_user = true;
    conf.console_remote_roles = "mdm admins = administrator";
    remote = "finn@example.org";
    token[0] = '\0';
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        groups = steps[i].groups;
        conf.console_remote_role = steps[i].otherwise;
        if (steps[i].given)
            assert_ok(admin_role_set(owner, remote, steps[i].given, "boss", &err), err);
        if (ask_remote("/signin") != (steps[i].role ? 303 : 403))
            fail_msg("step %zu: %d", i, resp.status);
        if (!steps[i].role) { /* the session that is there still is over as well */
            assert_int_equal(ask_remote("/devices"), 303);
            assert_int_equal(
                pagesite_number("SELECT COUNT(*) FROM session s JOIN admin a ON a.name "
                                "= s.admin WHERE a.name = 'finn@example.org'"),
                0);
            continue;
        }
        assert_ok(admin_find(owner, remote, arena, &a, &err), err);
        assert_string_equal(a.role, steps[i].role);
        assert_int_equal(ask_remote("/devices"), 200);
    }
    conf.console_remote_user = false;
    conf.console_remote_role = "none";
    conf.console_remote_roles = "";
}

static int post_remote(const char *path, const char *fields, const char *user)
{
    const char *const more[] = {"OIDC_CLAIM_groups=mdm admins",
                                user ? arena_fmt(arena, "REMOTE_USER=%s", user) : NULL, NULL};
    return pagesite_ask("POST", path, fields, PAGESITE_FORM, more);
}

/* Who has no password here shows the web server again who it is: a cookie alone is no proof, nor is
 * a form of another site. */
static void the_web_servers_own_people_prove_it_there(void **state)
{
    static const char fresh[] = "SELECT fresh_at > 1 FROM session WHERE admin = 'gus'";
    (void)state;
    conf.console_remote_user = true;
    conf.console_remote_roles = "mdm admins = operator";
    remote = "gus";
    groups = "mdm admins";
    token[0] = '\0';
    assert_int_equal(ask_remote("/signin"), 303);
    const char *csrf = pagesite_csrf(), *good = arena_fmt(arena, "%s&again=1", csrf);
    const char *form = arena_fmt(arena, "%s&what=remove&name=nobody&sure=a%%3Cb", csrf);
    assert_ok(db_run(owner, "r", "UPDATE session SET fresh_at = 1", &err), err);
    assert_int_equal(post_remote("/people", form, NULL), 403);
    assert_true(pagesite_tells("name=\"again\""));
    assert_false(pagesite_tells("name=\"proof\""));
    assert_true(pagesite_tells("name=\"sure\" value=\"a&lt;b\""));
    assert_int_equal(post_remote("/people", arena_fmt(arena, "%s&proof=x", form), remote), 403);
    assert_int_equal(post_remote("/signin", "again=1", remote), 403);
    assert_int_equal(post_remote("/signin", good, "somebody"), 403);
    assert_int_equal(post_remote("/signin", good, NULL), 403);
    assert_int_equal(pagesite_number(fresh), 0);
    assert_int_equal(post_remote("/signin", good, remote), 200);
    assert_int_equal(pagesite_number(fresh), 1);
    assert_int_equal(post_remote("/people", form, NULL), 404); /* it is done: there is nobody */
    /* whoever has lost the role meanwhile is out */
    conf.console_remote_roles = "mdm chiefs = operator";
    assert_int_equal(post_remote("/signin", good, remote), 403);
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM session WHERE admin = 'gus'"), 0);
    conf.console_remote_user = false;
    conf.console_remote_roles = "";
}

/* A group's name may hold blanks: who may make groups elsewhere must not become somebody here. */
static void a_groups_name_is_not_taken_apart(void **state)
{
    (void)state;
    conf.console_remote_roles = "admins=administrator, mdm staff = operator, staff=viewer";
    assert_null(remote_role(&conf, "eve", "all but admins"));
    assert_null(remote_role(&conf, "eve", "x, all but admins;admins of nothing|y"));
    assert_string_equal(remote_role(&conf, "eve", "x,mdm staff"), "operator");
    assert_string_equal(remote_role(&conf, "eve", "x ;  staff  | y"), "viewer");
    assert_string_equal(remote_role(&conf, "eve", "admins"), "administrator");
    assert_null(remote_role(&conf, "eve", ""));
    conf.console_remote_roles = "";
}

static void remote_roles_that_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"staff", "staff = king", "= viewer", "a=viewer, b="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        conf.console_remote_roles = bad[i];
        assert_outcome(remote_check(&conf, &err), INVALID, err);
    }
    conf.console_remote_roles = "";
    conf.console_remote_groups = "HTTP_X_GROUPS";
    assert_outcome(remote_check(&conf, &err), INVALID, err);
    conf.console_remote_groups = "OIDC_CLAIM_groups";
    assert_ok(remote_check(&conf, &err), err);
}

static void what_administers_wants_a_proof(void **state)
{
    (void)state;
    pagesite_sign_in("administrator");
    assert_ok(db_run(owner, "r", "UPDATE session SET fresh_at = 1", &err), err);
    const char *form = arena_fmt(arena, "%s&what=add&name=x%%3Cy&role=viewer", pagesite_csrf());
    assert_int_equal(ask(METHOD_POST, "/accounts", form), 403);
    assert_non_null(strstr(buf_cstr(&resp.body), "name=\"proof\""));
    assert_non_null(strstr(buf_cstr(&resp.body), "name=\"name\" value=\"x&lt;y\""));
    assert_int_equal(ask(METHOD_POST, "/accounts", arena_fmt(arena, "%s&proof=wrong+one", form)),
                     403);
    assert_non_null(strstr(buf_cstr(&resp.body), "name=\"proof\""));
    assert_null(strstr(buf_cstr(&resp.body), "wrong one"));
    assert_int_equal(
        ask(METHOD_POST, "/accounts", arena_fmt(arena, "%s&proof=correct+horse+battery", form)),
        200);
    /* and it holds for a while */
    assert_int_equal(
        ask(METHOD_POST, "/accounts",
            arena_fmt(arena, "%s&what=role&name=x%%3Cy&role=helpdesk", pagesite_csrf())),
        303);
    struct admin a;
    assert_ok(admin_find(owner, "x<y", arena, &a, &err), err);
    assert_string_equal(a.role, "helpdesk");
}

static void what_is_too_long_is_told_on_a_page(void **state)
{
    (void)state;
    pagesite_sign_in("viewer");
    char *body = arena_alloc(arena, LIM_BODY_FORM + 2);
    memset(body, 'x', LIM_BODY_FORM + 1);
    assert_int_equal(ask(METHOD_POST, "/account", body), 413);
    assert_non_null(strstr(buf_cstr(&resp.body), "<h1>"));
    assert_non_null(strstr(buf_cstr(&resp.body), "at most 64 KB"));
}

static int setup(void **state)
{
    (void)state;
    char given[ADMIN_GIVEN_LEN + 1];
    pagesite_up("drover_test_roles");
    conf.console_remote_groups = "OIDC_CLAIM_groups";
    for (int r = 0; role_names[r]; r++)
        assert_ok(admin_add(owner, role_names[r], role_names[r], PASSWORD, "test", &err), err);
    assert_ok(admin_add(owner, "odd", "viewer", PASSWORD, "test", &err), err);
    assert_ok(admin_invite(owner, "new", "administrator", "test", given, &err), err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_in_the_matrix),
        cmocka_unit_test(every_role_gets_what_the_matrix_says),
        cmocka_unit_test(an_unknown_role_may_nothing),
        cmocka_unit_test(a_given_password_opens_the_account_page_only),
        cmocka_unit_test(a_second_factor_that_is_required),
        cmocka_unit_test(the_web_servers_own_people),
        cmocka_unit_test(a_role_falls_with_the_rule_that_gave_it),
        cmocka_unit_test(the_web_servers_own_people_prove_it_there),
        cmocka_unit_test(a_groups_name_is_not_taken_apart),
        cmocka_unit_test(remote_roles_that_are_refused),
        cmocka_unit_test(what_administers_wants_a_proof),
        cmocka_unit_test(what_is_too_long_is_told_on_a_page),
    };
    return cmocka_run_group_tests(tests, setup, pagesite_down);
}
