/*
 * test_oauth.c: grants of OAuth 2: codes and refresh tokens serve once, a second time ends the
 * grant, a lost answer does not; PKCE; blocked people; devices that show another's token.
 */
#include "owner.h"

#include <pthread.h>

#include "base/clock.h"
#include "store/handout.h"
#include "store/oauth.h"
#include "wire/encode.h"

/* The example of RFC 7636, appendix B. */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define NOW (INT64_C(1800000000) * SECOND_US)

static const struct oauth_life life = {.access_s = 3600, .refresh_s = 86400};
static char code[OAUTH_TOKEN_LEN + 1];
static struct oauth_tokens t;

static int each_setup(void **state)
{
    (void)state;
    arena_reset(arena);
    sql("TRUNCATE oauth_grant");
    sql("TRUNCATE audit");
    sql("DELETE FROM enroll_user");
    sql("INSERT INTO enroll_user (name, password_hash, ha1_md5, ha1_sha256, created_at, "
        "created_by, "
        "password_at) VALUES ('ann@example.org', '', '', '', 1, 'test', 1)");
    return 0;
}

static void begin(int64_t kind, const char *challenge)
{
    struct oauth_person p = {kind, "ann@example.org", "ann@example.org", "BYOD"};
    assert_ok(oauth_begin(db, &p, challenge, NOW, code, &err), err);
    assert_int_equal(strlen(code), OAUTH_TOKEN_LEN);
}

static enum outcome redeem(const char *what, const char *verifier, int64_t at)
{
    return oauth_redeem(db, what, verifier, &life, at, arena, &t, &err);
}

static enum outcome refresh(const char *what, int64_t at)
{
    return oauth_refresh(db, what, &life, at, arena, &t, &err);
}

static struct oauth_grant look(const char *access, int64_t at)
{
    struct oauth_grant g;
    assert_ok(oauth_look(db, access, at, arena, &g, &err), err);
    return g;
}

static char *copy(const char *s)
{
    return arena_strdup(arena, s);
}

static void tokens_follow_each_other(void **state)
{
    (void)state;
    int64_t at = NOW + SECOND_US;
    begin(ACCOUNT_LOCAL, NULL);
    assert_int_equal(redeem(code, NULL, at), OK);
    const char *a1 = copy(t.access), *r1 = copy(t.refresh);
    struct oauth_grant g = look(a1, at);
    assert_int_equal(g.state, OAUTH_GOOD);
    assert_string_equal(g.account, "ann@example.org");
    assert_string_equal(g.mode, "BYOD");
    assert_int_equal(look(a1, at + 3600 * SECOND_US).state, OAUTH_STALE);
    /* what is of no grant, or of no kind, is unknown; a refresh token opens nothing */
    assert_int_equal(look(r1, at).state, OAUTH_UNKNOWN);
    assert_int_equal(look("x", at).state, OAUTH_UNKNOWN);
    char other[OAUTH_TOKEN_LEN + 1];
    snprintf(other, sizeof other, "a%080d", 0);
    assert_int_equal(look(other, at).state, OAUTH_UNKNOWN);
    /* a token that was never given, of a handle that was */
    snprintf(other, sizeof other, "%.33s%048d", a1, 0);
    assert_int_equal(look(other, at).state, OAUTH_STALE);
    at += HOUR_US;
    assert_int_equal(refresh(r1, at), OK);
    assert_int_equal(look(t.access, at).state, OAUTH_GOOD);
    assert_int_equal(look(a1, at).state, OAUTH_STALE); /* its hour is over */
    const char *a2 = copy(t.access);
    at += MINUTE_US;
    assert_int_equal(refresh(copy(t.refresh), at), OK);
    assert_int_equal(look(a2, at).state, OAUTH_GOOD); /* a message may be on its way */
    /* the grant lives as long as it is refreshed in time */
    at += 86400 * SECOND_US;
    assert_int_equal(refresh(copy(t.refresh), at), DENIED);
    assert_int_equal(number("SELECT COUNT(*) FROM oauth_grant WHERE ended_at IS NULL"), 1);
    /* nothing of a secret stands in the database */
    assert_int_equal(number("SELECT COUNT(*) FROM oauth_grant WHERE LENGTH(code_sha256) = 32 AND "
                            "LENGTH(access_sha256) = 32 AND LENGTH(refresh_sha256) = 32"),
                     1);
}

static void a_second_time_ends_it(void **state)
{
    (void)state;
    begin(ACCOUNT_LOCAL, NULL);
    assert_int_equal(redeem(code, NULL, NOW), OK);
    const char *a1 = copy(t.access), *r1 = copy(t.refresh);
    assert_int_equal(redeem(code, NULL, NOW), DENIED);
    assert_int_equal(look(a1, NOW).state, OAUTH_ENDED);
    assert_string_equal(look(a1, NOW).why, "the code was used twice");
    assert_int_equal(refresh(r1, NOW), DENIED);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'oauth.end'"), 1);

    begin(ACCOUNT_LOCAL, NULL);
    assert_int_equal(redeem(code, NULL, NOW), OK);
    r1 = copy(t.refresh);
    assert_int_equal(refresh(r1, NOW), OK);
    const char *a2 = copy(t.access), *r2 = copy(t.refresh);
    struct oauth_grant g = look(a2, NOW);
    assert_ok(oauth_bind(db, &g, "DEVICE", &err), err); /* the device has had them */
    assert_int_equal(refresh(r1, NOW), DENIED);
    assert_int_equal(look(a2, NOW).state, OAUTH_ENDED);
    assert_int_equal(refresh(r2, NOW), DENIED);
}

/* The same request again is answered as long as nothing shows that the first answer came. */
static void a_lost_answer_does_not(void **state)
{
    (void)state;
    begin(ACCOUNT_LOCAL, NULL);
    assert_int_equal(redeem(code, NULL, NOW), OK);
    const char *r1 = copy(t.refresh);
    assert_int_equal(refresh(r1, NOW), OK);
    const char *a2 = copy(t.access), *r2 = copy(t.refresh);
    assert_int_equal(refresh(r1, NOW + MINUTE_US), OK);
    const char *a3 = copy(t.access), *r3 = copy(t.refresh);
    assert_int_equal(look(a2, NOW + MINUTE_US).state, OAUTH_STALE);
    assert_int_equal(look(a3, NOW + MINUTE_US).state, OAUTH_GOOD);
    assert_int_equal(refresh(r3, NOW + 2 * MINUTE_US), OK);
    /* whoever held the lost answer shows itself */
    assert_int_equal(refresh(r2, NOW + 2 * MINUTE_US), DENIED);
    assert_int_equal(look(t.access, NOW + 2 * MINUTE_US).state, OAUTH_ENDED);
    /* and late is too late */
    begin(ACCOUNT_LOCAL, NULL);
    assert_int_equal(redeem(code, NULL, NOW), OK);
    r1 = copy(t.refresh);
    assert_int_equal(refresh(r1, NOW), OK);
    assert_int_equal(refresh(r1, NOW + 11 * MINUTE_US), DENIED);
}

static void codes_are_short_lived_and_bound(void **state)
{
    (void)state;
    begin(ACCOUNT_LOCAL, NULL);
    assert_int_equal(redeem(code, NULL, NOW + OAUTH_CODE_S * SECOND_US), DENIED);
    assert_int_equal(redeem(code, VERIFIER, NOW), DENIED); /* no challenge was there to fit */
    assert_int_equal(redeem(code, NULL, NOW), OK);
    begin(ACCOUNT_LOCAL, CHALLENGE);
    assert_int_equal(redeem(code, NULL, NOW), DENIED);
    assert_int_equal(redeem(code, VERIFIER "x", NOW), DENIED);
    assert_int_equal(redeem(code, "short", NOW), DENIED);
    assert_int_equal(redeem(code, VERIFIER, NOW), OK);
    assert_int_equal(redeem(t.refresh, NULL, NOW), DENIED);
    assert_int_equal(refresh(code, NOW), DENIED);
    assert_int_equal(redeem("", NULL, NOW), DENIED);
    assert_int_equal(look(t.access, NOW).state, OAUTH_GOOD); /* none of that was a second use */
}

static void blocked_people_have_none(void **state)
{
    static const char *const blocks[] = {
        "UPDATE enroll_user SET disabled_at = 5",
        "UPDATE enroll_user SET password_at = 1900000000000000",
        "DELETE FROM enroll_user",
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        each_setup(NULL);
        begin(ACCOUNT_LOCAL, NULL);
        assert_int_equal(redeem(code, NULL, NOW), OK);
        sql(blocks[i]);
        assert_int_equal(look(t.access, NOW).state, OAUTH_ENDED);
        assert_int_equal(refresh(copy(t.refresh), NOW), DENIED);
        begin(ACCOUNT_LOCAL, NULL);
        assert_int_equal(redeem(code, NULL, NOW), DENIED);
        /* whom the web server vouches for is not in the table */
        begin(ACCOUNT_WEB_SERVER, NULL);
        assert_int_equal(redeem(code, NULL, NOW), OK);
        assert_int_equal(look(t.access, NOW).state, OAUTH_GOOD);
    }
}

static void a_grant_is_one_device_s(void **state)
{
    (void)state;
    begin(ACCOUNT_LOCAL, NULL);
    assert_int_equal(redeem(code, NULL, NOW), OK);
    struct oauth_grant g = look(t.access, NOW);
    for (int i = 0; i < OAUTH_USES_MAX; i++)
        assert_ok(oauth_use(db, g.id, "one", &err), err);
    assert_outcome(oauth_use(db, g.id, "one", &err), DENIED, err);
    sql("UPDATE oauth_grant SET uses = 0");
    assert_outcome(oauth_use(db, g.id, "two", &err), DENIED, err);
    assert_ok(oauth_bind(db, &g, "DEVICE-1", &err), err);
    g = look(t.access, NOW);
    assert_string_equal(g.ident, "DEVICE-1");
    assert_true(g.confirmed && g.latest);
    assert_ok(oauth_bind(db, &g, "DEVICE-1", &err), err);
    assert_outcome(oauth_bind(db, &g, "DEVICE-2", &err), DENIED, err);
}

struct rival {
    pthread_barrier_t *start;
    enum outcome outcome;
};

static void *rival_run(void *arg)
{
    struct rival *r = arg;
    struct oauth_tokens mine;
    struct arena *a = arena_new(1 << 20);
    struct db *d = NULL;
    struct err why = {.outcome = OK};
    r->outcome = db_new(conf, DB_OWNER, &d, &why);
    if (r->outcome == OK)
        r->outcome = db_ping(d, &why);
    pthread_barrier_wait(r->start);
    if (r->outcome == OK)
        r->outcome = oauth_redeem(d, code, NULL, &life, NOW, a, &mine, &why);
    db_free(&d);
    arena_free(&a);
    return NULL;
}

static void two_at_once_have_one_code(void **state)
{
    (void)state;
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, 2);
    for (int round = 0; round < 10; round++) {
        struct rival r[2];
        pthread_t thread[2];
        begin(ACCOUNT_LOCAL, NULL);
        for (int i = 0; i < 2; i++) {
            r[i].start = &start;
            assert_int_equal(pthread_create(&thread[i], NULL, rival_run, &r[i]), 0);
        }
        for (int i = 0; i < 2; i++)
            pthread_join(thread[i], NULL);
        assert_int_equal(r[0].outcome + r[1].outcome, OK + DENIED);
    }
    pthread_barrier_destroy(&start);
    assert_int_equal(number("SELECT COUNT(*) FROM oauth_grant WHERE ended_at IS NOT NULL"), 10);
}

static int set_up(void **state)
{
    (void)state;
    owner_up("drover_oauth_units");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    owner_down();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tokens_follow_each_other, each_setup),
        cmocka_unit_test_setup(a_second_time_ends_it, each_setup),
        cmocka_unit_test_setup(a_lost_answer_does_not, each_setup),
        cmocka_unit_test_setup(codes_are_short_lived_and_bound, each_setup),
        cmocka_unit_test_setup(blocked_people_have_none, each_setup),
        cmocka_unit_test_setup(a_grant_is_one_device_s, each_setup),
        cmocka_unit_test_setup(two_at_once_have_one_code, each_setup),
    };
    return cmocka_run_group_tests_name("oauth", tests, set_up, tear_down);
}
