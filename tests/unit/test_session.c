/* test_session.c: sessions of the console, and the throttle of sign-ins. */
#include "testdb.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/account.h"
#include "store/admin.h"
#include "store/migrate.h"
#include "store/purge.h"
#include "store/session.h"

#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}
#define NOW INT64_C(1800000000000000)
#define PASSWORD "correct horse battery"

static const struct conf *conf;
static struct arena *arena;
static struct db *db;
static struct err err;

static void make(const char *old, char token[SESSION_TOKEN_LEN + 1])
{
    const struct session_start s = {.admin = "ann",
                                    .old_token = old,
                                    .user_agent = "a browser",
                                    .address = "192.0.2.1",
                                    .now = NOW};
    assert_ok(session_new(db, &s, token, &err), err);
}

static enum outcome find(const char *token, int64_t at, struct session *s)
{
    return session_find(db, token, at, arena, s, &err);
}

/* The person does something with it. */
static enum outcome use(const char *token, int64_t at, struct session *s)
{
    enum outcome o = find(token, at, s);
    return o == OK ? session_keep(db, s, at, &err) : o;
}

static void a_session_is_found_by_its_token_alone(void **state)
{
    (void)state;
    char token[SESSION_TOKEN_LEN + 1], hex[] = "00";
    struct session s;
    SQL(LOOK, "SELECT HEX(token_sha256) FROM session");
    struct rows r;
    make(NULL, token);
    assert_int_equal(strlen(token), SESSION_TOKEN_LEN);
    assert_ok(find(token, NOW + 1, &s), err);
    assert_string_equal(s.admin, "ann");
    assert_string_equal(s.user_agent, "a browser");
    token[0] = token[0] == '0' ? '1' : '0';
    assert_outcome(find(token, NOW + 1, &s), NOT_FOUND, err);
    assert_outcome(find("", NOW + 1, &s), NOT_FOUND, err);
    assert_outcome(find(hex, NOW + 1, &s), NOT_FOUND, err);
    assert_ok(db_select(db, &LOOK, NULL, 0, arena, &r, &err), err);
    assert_int_equal(r.n, 1);
    assert_string_not_equal(row_at(&r, 0, 0)->s, token);
}

static void signing_in_ends_the_session_that_came_along(void **state)
{
    (void)state;
    char first[SESSION_TOKEN_LEN + 1], second[SESSION_TOKEN_LEN + 1];
    struct session s;
    make(NULL, first);
    make(first, second);
    assert_string_not_equal(first, second);
    assert_outcome(find(first, NOW, &s), NOT_FOUND, err);
    assert_ok(find(second, NOW, &s), err);
    /* a token that somebody made up is not adopted */
    make("0123456789", second);
    assert_outcome(find("0123456789", NOW, &s), NOT_FOUND, err);
}

static void a_session_ends_when_idle_and_in_any_case(void **state)
{
    (void)state;
    char token[SESSION_TOKEN_LEN + 1];
    struct session s;
    int64_t idle = SESSION_IDLE_MIN * MINUTE_US;
    make(NULL, token);
    assert_outcome(find(token, NOW + idle, &s), NOT_FOUND, err);
    int64_t at = NOW;
    for (; at < NOW + SESSION_HOURS * HOUR_US; at += idle - SECOND_US)
        assert_ok(use(token, at, &s), err);
    assert_outcome(find(token, NOW + SESSION_HOURS * HOUR_US, &s), NOT_FOUND, err);
}

/* Looking whose it is uses nothing: what is found again and again is idle all the same. */
static void what_is_only_found_is_idle(void **state)
{
    (void)state;
    char token[SESSION_TOKEN_LEN + 1];
    struct session s;
    int64_t idle = SESSION_IDLE_MIN * MINUTE_US;
    make(NULL, token);
    for (int64_t at = NOW; at < NOW + idle; at += 2 * MINUTE_US)
        assert_ok(find(token, at, &s), err);
    assert_outcome(find(token, NOW + idle, &s), NOT_FOUND, err);
}

static void signing_out_and_disabling_end_it(void **state)
{
    (void)state;
    char token[SESSION_TOKEN_LEN + 1], other[SESSION_TOKEN_LEN + 1];
    struct session s, *list;
    uint64_t ended;
    size_t n;
    make(NULL, token);
    make(NULL, other);
    assert_ok(find(token, NOW, &s), err);
    assert_ok(session_list(db, "ann", NOW, arena, &list, &n, &err), err);
    assert_int_equal(n, 2);
    assert_ok(session_end_others(db, &s, &ended, &err), err);
    assert_int_equal(ended, 1);
    assert_outcome(find(other, NOW, &s), NOT_FOUND, err);
    assert_ok(find(token, NOW, &s), err);
    assert_ok(session_end(db, &s, &err), err);
    assert_ok(session_end(db, &s, &err), err);
    assert_outcome(find(token, NOW, &s), NOT_FOUND, err);
    make(NULL, token);
    assert_ok(admin_disable(db, "ann", true, "cli", &err), err);
    assert_outcome(find(token, NOW, &s), NOT_FOUND, err);
    assert_ok(admin_disable(db, "ann", false, "cli", &err), err);
    assert_outcome(find(token, NOW, &s), NOT_FOUND, err);
    make(NULL, token);
    assert_ok(admin_language_set(db, "ann", "de", &err), err);
    assert_ok(find(token, NOW, &s), err);
    assert_string_equal(s.language, "de");
}

/* Whoever knew the old password is signed out with the new one, wherever it was set; a session that
 * waits for its second factor has had the old one as well. */
static void another_password_ends_sessions(void **state)
{
    (void)state;
    char token[SESSION_TOKEN_LEN + 1], other[SESSION_TOKEN_LEN + 1], waits[SESSION_TOKEN_LEN + 1];
    const struct session_start start = {.admin = "ann", .address = "", .now = NOW, .pending = true};
    struct session s, none;
    make(NULL, token);
    make(NULL, other);
    assert_ok(session_new(db, &start, waits, &err), err);
    assert_ok(find(token, NOW, &s), err);
    assert_ok(admin_password_set(db, "ann", PASSWORD " 2", &s, "ann", &err), err);
    assert_ok(find(token, NOW, &s), err);
    assert_outcome(find(other, NOW, &none), NOT_FOUND, err);
    assert_outcome(find(waits, NOW, &none), NOT_FOUND, err);
    /* at the shell */
    assert_ok(admin_password_set(db, "ann", PASSWORD, NULL, "droverctl:root", &err), err);
    assert_outcome(find(token, NOW, &none), NOT_FOUND, err);
}

static void a_session_that_waits_for_a_second_factor(void **state)
{
    (void)state;
    char token[SESSION_TOKEN_LEN + 1], whole[SESSION_TOKEN_LEN + 1];
    struct session s, *list;
    size_t n;
    struct session_start start = {.admin = "ann", .address = "", .now = NOW, .pending = true};
    assert_ok(session_new(db, &start, token, &err), err);
    assert_ok(find(token, NOW, &s), err);
    assert_true(s.pending);
    assert_int_equal(s.fresh_at, 0);
    assert_string_equal(s.role, "administrator");
    assert_ok(session_list(db, "ann", NOW, arena, &list, &n, &err), err);
    assert_int_equal(n, 0);
    assert_outcome(find(token, NOW + SESSION_PENDING_MIN * MINUTE_US, &s), NOT_FOUND, err);
    start.pending = false;
    start.old_token = token;
    assert_ok(session_new(db, &start, whole, &err), err);
    assert_outcome(find(token, NOW, &s), NOT_FOUND, err);
    assert_ok(find(whole, NOW, &s), err);
    assert_int_equal(s.fresh_at, NOW);
    assert_ok(session_fresh(db, &s, NOW + 5, &err), err);
    assert_ok(find(whole, NOW, &s), err);
    assert_int_equal(s.fresh_at, NOW + 5);
    /* a session is ended by its owner only */
    struct bytes sum = bytes_of(s.token_sha256, sizeof s.token_sha256);
    assert_ok(session_end_one(db, "zoe", sum, "zoe", &err), err);
    assert_ok(find(whole, NOW, &s), err);
    assert_ok(session_end_one(db, "ann", sum, "ann", &err), err);
    assert_outcome(find(whole, NOW, &s), NOT_FOUND, err);
}

static int64_t attempt(const char *account, const char *address, int64_t at)
{
    int64_t wait = -1;
    assert_ok(signin_attempt(db, account, address, at, arena, &wait, &err), err);
    return wait;
}

static void guessing_is_slowed_down(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(attempt("ann", "192.0.2.9", NOW + i), 0);
    assert_in_range(attempt("ann", "192.0.2.9", NOW + 6), 1, 2);
    assert_int_equal(attempt("ann", "192.0.2.10", NOW + 7), 0); /* she herself is not kept out */
    assert_int_equal(attempt("ben", "192.0.2.9", NOW + 7), 0);
    /* waits grow to a quarter of an hour, and no further */
    int64_t at = NOW + 10, longest = 0;
    for (int i = 0; i < 30; i++) {
        int64_t wait = attempt("ann", "192.0.2.9", at);
        longest = wait > longest ? wait : longest;
        at += (wait ? wait : 1) * SECOND_US;
    }
    assert_in_range(longest, 512, 900);
    at += HOUR_US + SECOND_US;
    assert_int_equal(attempt("ann", "192.0.2.9", at), 0);
}

static void a_right_password_clears_the_count(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 4; i++)
            assert_int_equal(attempt("ann", "192.0.2.9", NOW + round * HOUR_US), 0);
        assert_ok(signin_succeeded(db, "ann", "192.0.2.9", arena, &err), err);
        if (round == 3)
            break; /* twelve wrong ones from this address, which has as many */
    }
    assert_int_equal(attempt("ann", "192.0.2.9", NOW + 3 * HOUR_US), 0);
}

static void what_is_over_is_purged_by_the_agent(void **state)
{
    (void)state;
    char token[SESSION_TOKEN_LEN + 1];
    struct db *agent = NULL;
    struct session s;
    uint64_t gone;
    int64_t now = clock_now();
    make(NULL, token); /* far in the future */
    const struct session_start old = {.admin = "ann", .address = "", .now = now - 3 * DAY_US};
    assert_ok(session_new(db, &old, token, &err), err);
    attempt("ann", "x", now - 2 * DAY_US);
    assert_ok(db_new(conf, DB_AGENT, &agent, &err), err);
    assert_ok(purge_run(agent, &gone, &err), err);
    assert_int_equal(gone, 4);
    assert_outcome(find(token, now - 3 * DAY_US, &s), NOT_FOUND, err);
    db_free(&agent);
}

static int clear(void **state)
{
    (void)state;
    SQL(SESSIONS, "DELETE FROM session");
    SQL(SIGNINS, "DELETE FROM login_throttle");
    arena_reset(arena);
    return db_exec(db, &SESSIONS, NULL, 0, NULL, &err) != OK ||
           db_exec(db, &SIGNINS, NULL, 0, NULL, &err) != OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_session_is_found_by_its_token_alone, clear),
        cmocka_unit_test_setup(signing_in_ends_the_session_that_came_along, clear),
        cmocka_unit_test_setup(a_session_ends_when_idle_and_in_any_case, clear),
        cmocka_unit_test_setup(what_is_only_found_is_idle, clear),
        cmocka_unit_test_setup(signing_out_and_disabling_end_it, clear),
        cmocka_unit_test_setup(another_password_ends_sessions, clear),
        cmocka_unit_test_setup(a_session_that_waits_for_a_second_factor, clear),
        cmocka_unit_test_setup(guessing_is_slowed_down, clear),
        cmocka_unit_test_setup(a_right_password_clears_the_count, clear),
        cmocka_unit_test_setup(what_is_over_is_purged_by_the_agent, clear),
    };
    struct db *owner = NULL;
    int applied;
    conf = testdb_conf(TESTDB_DIR, "drover_test_session");
    arena = arena_new(16 * LIM_MB);
    if (!arena || db_new(conf, DB_OWNER, &owner, &err) != OK ||
        migrate_run(owner, "sql/schema", false, &applied, &err) != OK ||
        migrate_grants(owner, "sql/grants.sql", conf, &err) != OK ||
        admin_add(owner, "ann", "administrator", PASSWORD, "cli", &err) != OK ||
        admin_add(owner, "zoe", "administrator", PASSWORD, "cli", &err) != OK ||
        db_new(conf, DB_CONSOLE, &db, &err) != OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(&db);
    db_free(&owner);
    arena_free(&arena);
    return rc;
}
