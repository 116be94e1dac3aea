/*
 * test_factor.c: signing in, step by step, by somebody who is in a hurry or hostile: forms of other
 * sites, one code for two, two at once, and guessing. Through the real pages, with a signer.
 */
#include "testsigner.h"

#include "pagesite.h"

#include <pthread.h>
#include <stdio.h>

#include "console/admit.h"
#include "store/admin.h"
#include "store/factor.h"
#include "wire/totp.h"

#define PASSWORD "correct horse battery"
#define GOOD "name=ann&password=correct+horse+battery"
#define AT_ONCE 6

static char dir[] = "/tmp/drover-factor-XXXXXX";
static pid_t signer;
static uint8_t secret[TOTP_SECRET_LEN];
static char codes[FACTOR_CODES][FACTOR_CODE_TEXT];
static char form[65]; /* the cookie of the form that signs in */

#define RUN(text) assert_ok(db_run(owner, "t", (text), &err), err)

/* A form with these cookies. */
static int post(const char *path, const char *cookies, const char *fields)
{
    const char *const more[] = {arena_fmt(arena, "HTTP_COOKIE=%s", cookies), NULL};
    return pagesite_ask("POST", path, fields, PAGESITE_FORM, more);
}

static const char *cookie(const char *name, const char *value)
{
    return arena_fmt(arena, "%s=%s", name, value);
}

static void form_get(void)
{
    static const char *const more[] = {"HTTP_COOKIE=a=b", NULL};
    assert_int_equal(pagesite_ask("GET", "/signin", "", "", more), 200);
    const char *set = strstr(buf_cstr(&resp.headers), ADMIT_FORM_COOKIE "=");
    assert_non_null(set);
    assert_int_equal(sscanf(set + strlen(ADMIT_FORM_COOKIE), "=%32[0-9a-f]", form), 1);
}

static const char *form_csrf(const char *of)
{
    char out[FORM_TOKEN_LEN + 1];
    form_token(bytes_str(of), out);
    return arena_strdup(arena, out);
}

/* The password was right; the session waits for its code. */
static const char *wait_for_code(void)
{
    const char *with = cookie(ADMIT_FORM_COOKIE, form);
    char out[SESSION_TOKEN_LEN + 1];
    assert_int_equal(post("/signin", with, arena_fmt(arena, "csrf=%s&" GOOD, form_csrf(form))),
                     303);
    assert_non_null(strstr(buf_cstr(&resp.headers), "Location: /signin/code"));
    const char *set = strstr(buf_cstr(&resp.headers), CONSOLE_COOKIE "=");
    assert_non_null(set);
    assert_int_equal(sscanf(set + strlen(CONSOLE_COOKIE), "=%64[0-9a-f]", out), 1);
    return arena_strdup(arena, out);
}

static int give(const char *session, const char *code, bool with_token)
{
    memcpy(token, session, SESSION_TOKEN_LEN + 1);
    return post("/signin/code", cookie(CONSOLE_COOKIE, session),
                arena_fmt(arena, "code=%s&%s", code, with_token ? pagesite_csrf() : "x="));
}

/* The code that the app shows, `later` steps from now. */
static const char *app_code(int later)
{
    char out[TOTP_DIGITS + 1];
    totp_code(bytes_of(secret, sizeof secret), clock_now() / SECOND_US / TOTP_STEP_S + later, out);
    return arena_strdup(arena, out);
}

/* ann's second factor, as the account page makes it; the session that asks stays. */
static void factor_set(void)
{
    char text[FACTOR_SECRET_TEXT];
    struct session own, *keep = NULL;
    struct db *db = NULL;
    size_t n = 0;
    unsigned bits = 0, held = 0;
    assert_ok(db_pool_take(app.pool, &db, &err), err);
    assert_ok(factor_begin(db, conf.signer_dir, "ann", text, &err), err);
    for (const char *p = text; *p && n < sizeof secret; p++) { /* base32 */
        bits = bits << 5 | (unsigned)(*p >= 'A' ? *p - 'A' : *p - '2' + 26);
        if ((held += 5) >= 8)
            secret[n++] = (uint8_t)(bits >> (held -= 8));
    }
    assert_int_equal(n, sizeof secret);
    if (session_find(db, token, clock_now(), arena, &own, &err) == OK)
        keep = &own;
    assert_ok(factor_confirm(db, "ann", app_code(0), keep, clock_now(), codes, &err), err);
    db_pool_give(app.pool, &db);
}

static int64_t whole_sessions(void)
{
    return pagesite_number("SELECT COUNT(*) FROM session WHERE pending = 0");
}

static void a_form_of_another_site_signs_nobody_in(void **state)
{
    const char *with = cookie(ADMIT_FORM_COOKIE, form);
    const char *other = "0123456789abcdef0123456789abcdef";
    (void)state;
    assert_int_equal(post("/signin", with, GOOD), 403);
    assert_int_equal(post("/signin", with, "csrf=&" GOOD), 403);
    assert_int_equal(post("/signin", with, arena_fmt(arena, "csrf=%s&" GOOD, form_csrf(other))),
                     403);
    assert_int_equal(post("/signin", "a=b", arena_fmt(arena, "csrf=%s&" GOOD, form_csrf(""))), 403);
    assert_int_equal(post("/signin", cookie(ADMIT_FORM_COOKIE, "x"),
                          arena_fmt(arena, "csrf=%s&" GOOD, form_csrf("x"))),
                     403);
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM session"), 0);
    /* nor does one give the code of a session that waits */
    const char *session = wait_for_code();
    assert_int_equal(give(session, app_code(0), false), 403);
    assert_int_equal(whole_sessions(), 0);
    assert_int_equal(give(session, app_code(0), true), 303);
    assert_int_equal(whole_sessions(), 1);
    assert_int_equal(pagesite_number("SELECT COUNT(*) FROM session WHERE pending = 1"), 0);
}

static void a_code_is_for_one(void **state)
{
    const char *first = wait_for_code(), *second = wait_for_code();
    const char *code = app_code(0), *recovery = codes[0];
    (void)state;
    assert_int_equal(give(first, code, true), 303);
    assert_int_equal(give(second, code, true), 403);
    assert_int_equal(give(second, app_code(-1), true), 403); /* nor one from before */
    assert_int_equal(give(second, app_code(1), true), 303);
    first = wait_for_code(), second = wait_for_code();
    assert_int_equal(give(first, recovery, true), 303);
    assert_int_equal(give(second, recovery, true), 403);
    assert_int_equal(whole_sessions(), 3);
    /* what waited and got nothing is none */
    memcpy(token, second, SESSION_TOKEN_LEN + 1);
    assert_int_equal(pagesite_ask("GET", "/devices", "", "", NULL), 303);
}

/* Who got in by the password alone is out once a second factor is asked for. */
static void another_factor_ends_the_sessions_of_before(void **state)
{
    char others[SESSION_TOKEN_LEN + 1];
    (void)state;
    pagesite_sign_in("ann");
    memcpy(others, token, sizeof others);
    pagesite_sign_in("ann");
    factor_set();
    assert_int_equal(pagesite_ask("GET", "/devices", "", "", NULL), 200);
    memcpy(token, others, sizeof others);
    assert_int_equal(pagesite_ask("GET", "/devices", "", "", NULL), 303);
}

struct guest {
    const char *code;
    pthread_barrier_t *gate;
    enum outcome o;
};

static void *guest_main(void *arg)
{
    struct guest *g = arg;
    struct db *d = NULL;
    struct err e = {0};
    if (db_new(&conf, DB_CONSOLE, &d, &e) != OK)
        abort();
    pthread_barrier_wait(g->gate);
    g->o = factor_check(d, "ann", g->code, clock_now(), &e);
    db_free(&d);
    return NULL;
}

static int taken_at_once(const char *code)
{
    struct guest g[AT_ONCE];
    pthread_barrier_t gate;
    pthread_t t[AT_ONCE];
    int fine = 0;
    pthread_barrier_init(&gate, NULL, AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++) {
        g[i] = (struct guest){code, &gate, OK};
        assert_int_equal(pthread_create(&t[i], NULL, guest_main, &g[i]), 0);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        pthread_join(t[i], NULL);
        fine += g[i].o == OK;
    }
    pthread_barrier_destroy(&gate);
    return fine;
}

static void of_many_at_once_one_gets_in(void **state)
{
    (void)state;
    for (int i = 1; i < 5; i++)
        assert_int_equal(taken_at_once(codes[i]), 1);
    for (int later = -1; later < 2; later++)
        assert_int_equal(taken_at_once(app_code(later)), 1);
}

/* Whoever has the password does not have a million guesses, in however many sessions. */
static void guessing_a_code_is_slowed_down(void **state)
{
    int tries = 0;
    (void)state;
    while (tries < 20 && !pagesite_tells("Too many")) {
        assert_int_equal(give(wait_for_code(), "ffff-ffff-ffff-ffff", true), 403);
        tries++;
    }
    assert_in_range(tries, 3, 10);
    RUN("UPDATE login_throttle SET free_at = free_at + 30000000");   /* however slow we are */
    assert_int_equal(give(wait_for_code(), app_code(0), true), 403); /* not even the right one */
    RUN("DELETE FROM login_throttle");
    assert_int_equal(give(wait_for_code(), app_code(0), true), 303);
}

/* ---- before and after ---- */

static int again(void **state)
{
    (void)state;
    RUN("DELETE FROM session");
    RUN("DELETE FROM login_throttle");
    RUN("UPDATE admin SET totp_step = 0");
    form_get();
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    pagesite_up("drover_test_factor");
    conf.run_dir = dir;
    conf.signer_dir = arena_fmt(arena, "%s/keys", dir);
    conf.signer_log = arena_fmt(arena, "%s/signer.log", dir);
    conf.signer_user = conf.agent_user = conf.mdm.user = conf.console.user = "";
    conf.profile_chain = conf.scep_challenge_file = "";
    conf.signer_threads = 2;
    conf.signer_ca_bits = 2048;
    assert_ok(signer_setup(&conf, "Example", &err), err);
    signer = testsigner_start(&conf, arena);
    sign_client_setup(conf.run_dir, SIGN_CONSOLE);
    assert_ok(admin_add(owner, "ann", "administrator", PASSWORD, "t", &err), err);
    factor_set();
    return 0;
}

static int tear_down(void **state)
{
    testsigner_stop(signer);
    pagesite_down(state);
    testdb_shell("rm -rf %s", dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_form_of_another_site_signs_nobody_in, again),
        cmocka_unit_test_setup(a_code_is_for_one, again),
        cmocka_unit_test_setup(another_factor_ends_the_sessions_of_before, again),
        cmocka_unit_test_setup(of_many_at_once_one_gets_in, again),
        cmocka_unit_test_setup(guessing_a_code_is_slowed_down, again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
