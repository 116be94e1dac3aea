/*
 * test_people.c: local users, HTTP Digest (with RFC 7616's own example as the judge), the throttle
 * of wrong passwords, challenges and AuthTokens, on the real schema.
 */
#include "owner.h"

#include "base/clock.h"
#include "store/enroluser.h"
#include "store/throttle.h"
#include "store/userauth.h"
#include "wire/encode.h"
#include "wire/seal.h"

#define BY "tester"
#define KEYS "build/test_people.keys"
#define ALICE "C0FFEE:A11CE"

static struct seal_pair pair;

static int each_setup(void **state)
{
    (void)state;
    static const char *const texts[] = {"DELETE FROM enroll_user", "DELETE FROM user_auth",
                                        "DELETE FROM login_throttle", "DELETE FROM enrollment",
                                        "DELETE FROM audit"};
    arena_reset(arena);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_ok(db_run(db, "r", texts[i], &err), err);
    return 0;
}

/* The example of RFC 7616, section 3.9.1. */
#define EXAMPLE(algorithm, response)                                                               \
    "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", "       \
    "algorithm=" algorithm ", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "            \
    "nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, "             \
    "response=\"" response "\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

static void the_example_of_the_standard(void **state)
{
    (void)state;
    static const char *const text[] = {
        EXAMPLE("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        EXAMPLE("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")};
    static const char *const ha1[] = {
        "3d78807defe7de2157e2b0b6573a855f",
        "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"};
    for (int i = 0; i < 2; i++) {
        struct digest_answer d;
        assert_ok(digest_read(arena, text[i], &d, &err), err);
        assert_int_equal(d.algorithm, i == 0 ? DIGEST_MD5 : DIGEST_SHA256);
        assert_string_equal(d.username, "Mufasa");
        assert_int_equal(d.count, 1);
        assert_ok(digest_check(&d, ha1[i], "GET", &err), err);
        assert_outcome(digest_check(&d, ha1[i], "PUT", &err), DENIED, err);
        assert_outcome(digest_check(&d, ha1[1 - i], "GET", &err), DENIED, err);
        d.response = "";
        assert_outcome(digest_check(&d, ha1[i], "GET", &err), DENIED, err);
    }
    char mine[DIGEST_HEX_MAX + 1], md5[33] = "";
    digest_ha1(DIGEST_MD5, "alice", "correct horse", mine);
    FILE *f = popen("printf %s 'alice:" DIGEST_REALM ":correct horse' | md5sum", "r");
    assert_non_null(f);
    assert_int_equal(fread(md5, 1, 32, f), 32);
    pclose(f);
    assert_string_equal(mine, md5);
}

static void answers_that_are_none(void **state)
{
    (void)state;
#define ALL                                                                                        \
    "username=\"a\", realm=\"r\", nonce=\"n\", uri=\"/\", cnonce=\"c\", qop=auth, response=\"x\""
    static const char *const bad[] = {"",
                                      "Digest",
                                      "Basic YTpi",
                                      ALL,
                                      ALL ", nc=1",
                                      ALL ", nc=0000000g",
                                      ALL ", nc=00000001, nc=00000002",
                                      ALL ", nc=00000001, algorithm=MD5-sess",
                                      ALL ", nc=00000001, username=b",
                                      ALL " nc=00000001",
                                      ALL ", nc=00000001, x=\"never ends",
                                      ALL ", nc=00000001, x=\"\x01\"",
                                      ALL ", =x"};
    struct digest_answer d;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_outcome(digest_read(arena, bad[i], &d, &err), INVALID, err);
    char *longest = arena_alloc(arena, 20000);
    memset(longest, 'x', 19999);
    longest[19999] = '\0';
    assert_outcome(digest_read(arena, longest, &d, &err), INVALID, err);
    memcpy(longest, "username=\"", 10);
    longest[3000] = '\0';
    assert_outcome(digest_read(arena, longest, &d, &err), INVALID, err);
    assert_ok(digest_read(arena, ALL ", nc=000000fF, algorithm=sha-256", &d, &err), err);
    assert_int_equal(d.count, 255);
    assert_ok(digest_read(arena,
                          "username=\"a\\\"b\", realm=\"r\", nonce=\"n\", uri=\"/\", "
                          "cnonce=\"c\", qop=\"auth\", response=\"x\", nc=00000001",
                          &d, &err),
              err);
    assert_string_equal(d.username, "a\"b");
}

static enum outcome add(const char *name, const char *full_name, const char *password)
{
    const struct enroluser_edit e = {.full_name = full_name, .password = password};
    return enroluser_add(db, KEYS, name, &e, BY, &err);
}

static enum outcome change(const char *name, const struct enroluser_edit *e)
{
    return enroluser_change(db, KEYS, name, e, BY, &err);
}

static void a_user(void **state)
{
    (void)state;
    struct enroluser u, *list;
    struct buf ha1 = BUF_INIT(200);
    char want[DIGEST_HEX_MAX + 1];
    size_t n;
    assert_ok(add("alice", "Alice Example", "correct horse"), err);
    assert_outcome(add("alice", "", "correct horse"), CONFLICT, err);
    static const char *const names[] = {"", "a:b", "a\"b", "a\nb", "a\\b", "\xff"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_outcome(add(names[i], "", "correct horse"), INVALID, err);
    assert_outcome(add("bob", "", "1234567"), INVALID, err);
    assert_ok(enroluser_find(db, "alice", arena, &u, &err), err);
    assert_string_equal(u.full_name, "Alice Example");
    assert_ok(password_check("correct horse", u.password_hash, &err), err);
    digest_ha1(DIGEST_SHA256, "alice", "correct horse", want);
    assert_ok(seal_open(&pair, "DigestHA1-SHA-256:alice", u.ha1_sha256, &ha1, &err), err);
    assert_string_equal(buf_cstr(&ha1), want);
    buf_clear(&ha1);
    /* another account's row is of no use */
    assert_outcome(seal_open(&pair, "DigestHA1-MD5:bob", u.ha1_md5, &ha1, &err), DENIED, err);
    assert_ok(change("alice", &(struct enroluser_edit){.password = "battery staple"}), err);
    assert_outcome(change("bob", &(struct enroluser_edit){.password = "battery staple"}), NOT_FOUND,
                   err);
    assert_ok(change("alice", &(struct enroluser_edit){.disable = true}), err);
    assert_outcome(change("bob", &(struct enroluser_edit){.disable = true}), NOT_FOUND, err);
    assert_ok(enroluser_list(db, "", "alice", 10, arena, &list, &n, &err), err);
    assert_int_equal(n, 0);
    assert_ok(enroluser_list(db, "", "", 1, arena, &list, &n, &err), err);
    assert_int_equal(n, 1);
    assert_true(list[0].disabled_at > 0);
    assert_string_equal(list[0].password_hash, "");
    assert_int_equal(number("SELECT COUNT(*) FROM audit"), 3);
    buf_free(&ha1);
}

static void a_challenge_and_its_token(void **state)
{
    (void)state;
    char nonce[DIGEST_NONCE_LEN + 1], other[DIGEST_NONCE_LEN + 1], token[USERAUTH_TOKEN_LEN + 1],
        second[USERAUTH_TOKEN_LEN + 1];
    int64_t now = clock_now();
    assert_ok(db_run(db, "e",
                     "INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, "
                     "created_at, last_seen_at) VALUES (7, 'C0FFEE', 1, 7, 2, 70, 1, 1)",
                     &err),
              err);
    assert_ok(userauth_check(db, ALICE, NULL, arena, &err), err); /* never challenged */
    assert_ok(userauth_challenge(db, ALICE, 7, 70, now, nonce, &err), err);
    assert_outcome(userauth_check(db, ALICE, NULL, arena, &err), DENIED, err);
    assert_outcome(userauth_nonce_take(db, "C0FFEE:B0B", nonce, 1, now, &err), DENIED, err);
    assert_outcome(userauth_nonce_take(db, ALICE, "none", 1, now, &err), DENIED, err);
    assert_outcome(userauth_nonce_take(db, ALICE, nonce, 1, now + USERAUTH_NONCE_US, &err), DENIED,
                   err);
    assert_outcome(userauth_nonce_take(db, ALICE, nonce, 0, now, &err), DENIED, err);
    assert_ok(userauth_nonce_take(db, ALICE, nonce, 5, now, &err), err);
    assert_outcome(userauth_nonce_take(db, ALICE, nonce, 5, now, &err), DENIED, err);
    assert_outcome(userauth_nonce_take(db, ALICE, nonce, 4, now, &err), DENIED, err);
    assert_ok(userauth_nonce_take(db, ALICE, nonce, 6, now, &err), err);
    assert_ok(userauth_login(db, ALICE, nonce, 70, "alice", now, token, &err), err);
    assert_outcome(userauth_nonce_take(db, ALICE, nonce, 7, now, &err), DENIED, err);
    assert_outcome(userauth_login(db, ALICE, nonce, 70, "alice", now, second, &err), DENIED, err);
    assert_ok(userauth_check(db, ALICE, token, arena, &err), err);
    assert_outcome(userauth_check(db, ALICE, "", arena, &err), DENIED, err);
    token[0] ^= 1;
    assert_outcome(userauth_check(db, ALICE, token, arena, &err), DENIED, err);
    token[0] ^= 1;
    assert_ok(db_run(db, "e", "UPDATE enrollment SET life_id = 71", &err), err);
    assert_outcome(userauth_check(db, ALICE, token, arena, &err), DENIED, err);
    assert_ok(db_run(db, "e", "UPDATE enrollment SET life_id = 70", &err), err);
    /* another password, and another challenge, void it */
    assert_ok(add("alice", "", "correct horse"), err);
    assert_ok(change("alice", &(struct enroluser_edit){.password = "battery staple"}), err);
    assert_outcome(userauth_check(db, ALICE, token, arena, &err), DENIED, err);
    assert_ok(userauth_challenge(db, ALICE, 7, 70, now, nonce, &err), err);
    assert_ok(userauth_challenge(db, ALICE, 7, 70, now, other, &err), err);
    assert_outcome(userauth_nonce_take(db, ALICE, nonce, 1, now, &err), DENIED, err);
    assert_ok(userauth_nonce_take(db, ALICE, other, 1, now, &err), err);
}

static enum outcome enter(const char *account, const char *address, int64_t now)
{
    const struct throttle who = {THROTTLE_USERS, account, address};
    int64_t wait = -1;
    enum outcome o = throttle_enter(db, &who, now, &wait, &err);
    assert_true(o == DENIED ? wait > 0 && wait <= 900 : wait == 0);
    return o;
}

static void slowed_then_blocked(void **state)
{
    (void)state;
    int64_t now = clock_now();
    const struct throttle alice = {THROTTLE_USERS, "alice", "192.0.2.1"};
    const struct throttle admin = {THROTTLE_ADMINS, "alice", "192.0.2.8"};
    for (int i = 1; i <= THROTTLE_BLOCK; i++) {
        assert_ok(enter("alice", "192.0.2.1", now), err);
        if (i > THROTTLE_FREE)
            assert_outcome(enter("alice", "192.0.2.1", now), DENIED, err);
        if (i < THROTTLE_BLOCK)
            now += i > THROTTLE_FREE ? SECOND_US << (i - THROTTLE_FREE - 1) : 1;
    }
    assert_outcome(enter("alice", "192.0.2.1", now + 14 * MINUTE_US), DENIED, err);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'login.block' AND "
                            "subject = 'account:alice@192.0.2.1'"),
                     1);
    /* nobody else is kept out: not she elsewhere, not others here, not the administrator */
    assert_ok(enter("alice", "192.0.2.9", now), err);
    assert_ok(enter("bob", "192.0.2.1", now), err);
    assert_ok(throttle_enter(db, &admin, now, NULL, &err), err);
    assert_ok(enter("alice", "192.0.2.1", now + 16 * MINUTE_US), err);
    assert_outcome(enter("alice", "192.0.2.1", now + 17 * MINUTE_US), DENIED, err);
    assert_ok(throttle_right(db, &alice, &err), err);
    assert_ok(enter("alice", "192.0.2.1", now + 17 * MINUTE_US), err);
}

/* Who was given another password is not kept out for the wrong ones of before; others are, whose
 * name begins so too. */
static void another_password_forgets_wrong_ones(void **state)
{
    (void)state;
    static const char *const names[] = {"alice", "alice@192.0.2.1.example", "alic_"};
    int64_t now = clock_now();
    assert_ok(add("alice", "", "correct horse"), err);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (int i = 0; i < THROTTLE_FREE + 1; i++)
            assert_ok(enter(names[k], "192.0.2.1", now), err);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        assert_outcome(enter(names[k], "192.0.2.1", now), DENIED, err);
    assert_ok(db_run(db, "e", "DELETE FROM login_throttle WHERE subject LIKE 'address:%'", &err),
              err);
    assert_ok(change("alice", &(struct enroluser_edit){.password = "battery staple"}), err);
    assert_outcome(enter(names[1], "192.0.2.1", now), DENIED, err);
    assert_outcome(enter(names[2], "192.0.2.1", now), DENIED, err);
    assert_ok(enter("alice", "192.0.2.1", now), err);
}

/* All of it or nothing, each with its entry; the rights of the console are enough. */
static void a_user_changes_as_a_whole(void **state)
{
    (void)state;
    struct enroluser u, *list;
    size_t n;
    struct db *console = NULL;
    struct enroluser_edit e = {.full_name = "Al \"><script>", .managed_account = "al@example.com"};
    assert_ok(add("alice", "Alice", "correct horse"), err);
    assert_ok(add("bob@example.org", "", "correct horse"), err);
    assert_ok(migrate_grants(db, "sql/grants.sql", conf, &err), err);
    assert_ok(db_new(conf, DB_CONSOLE, &console, &err), err);
    assert_ok(enroluser_change(console, KEYS, "alice", &e, BY, &err), err);
    e.full_name = "other";
    e.password = "short";
    assert_outcome(enroluser_change(console, KEYS, "alice", &e, BY, &err), INVALID, err);
    e.password = NULL;
    e.managed_account = "nobody";
    assert_outcome(enroluser_change(console, KEYS, "alice", &e, BY, &err), INVALID, err);
    assert_ok(enroluser_find(db, "alice", arena, &u, &err), err);
    assert_string_equal(u.full_name, "Al \"><script>");
    assert_string_equal(u.managed_account, "al@example.com");
    assert_ok(enroluser_list(db, "EXAMPLE", "", 10, arena, &list, &n, &err), err);
    assert_int_equal(n, 2);
    assert_ok(enroluser_list(db, "", "alice", 10, arena, &list, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(list[0].name, "bob@example.org");
    assert_ok(enroluser_list(db, "%", "", 10, arena, &list, &n, &err), err);
    assert_int_equal(n, 0);
    assert_ok(enroluser_list(db, "", "", 1, arena, &list, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE subject = 'alice'"), 3);
    assert_ok(db_run(db, "e",
                     "INSERT INTO user_auth (ident, device_id, life_id, token_sha256, account) "
                     "VALUES ('X:Y', 1, 1, REPEAT('x', 32), 'alice')",
                     &err),
              err);
    assert_ok(enroluser_remove(console, "alice", BY, &err), err);
    assert_outcome(enroluser_remove(console, "alice", BY, &err), NOT_FOUND, err);
    assert_int_equal(number("SELECT COUNT(*) FROM user_auth WHERE token_sha256 IS NULL"), 1);
    assert_outcome(enroluser_find(db, "alice", arena, &u, &err), NOT_FOUND, err);
    assert_outcome(enroluser_change(console, KEYS, "alice",
                                    &(struct enroluser_edit){.disable = true}, BY, &err),
                   NOT_FOUND, err);
    db_free(&console);
}

/* Many addresses against one account. */
static void an_account_that_many_addresses_try(void **state)
{
    (void)state;
    int64_t now = clock_now();
    char address[32];
    int n = 0;
    for (; n < 200; n++) {
        snprintf(address, sizeof address, "198.51.100.%d", n);
        if (enter("carol", address, now + n) != OK)
            break;
    }
    assert_int_equal(n, (THROTTLE_FREE + 1) * THROTTLE_WIDE_FACTOR);
}

static void an_address_that_tries_many_accounts(void **state)
{
    (void)state;
    int64_t now = clock_now();
    char name[32];
    int n = 0;
    for (;; n++) {
        snprintf(name, sizeof name, "user%d", n);
        if (enter(name, "192.0.2.1", now + n) != OK)
            break;
        assert_true(n < 100);
    }
    assert_int_equal(n, (THROTTLE_FREE + 1) * THROTTLE_WIDE_FACTOR);
    assert_int_equal(err.outcome, DENIED);
    /* the refused attempt is counted nowhere */
    snprintf(name, sizeof name, "user%d", n);
    assert_ok(enter(name, "192.0.2.2", now), err);
    assert_ok(enter("x", "192.0.2.1", now + 2 * HOUR_US), err);
}

static int setup(void **state)
{
    (void)state;
    uint8_t *pub = pair.pub;
    owner_up("drover_people");
    assert_ok(seal_pair_new(&pair, &err), err);
    testdb_shell("mkdir -p " KEYS);
    FILE *f = fopen(KEYS "/seal.pub", "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(pub, 1, SEAL_KEY_LEN, f), SEAL_KEY_LEN);
    fclose(f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    owner_down();
    testdb_shell("rm -rf " KEYS);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_example_of_the_standard, each_setup),
        cmocka_unit_test_setup(answers_that_are_none, each_setup),
        cmocka_unit_test_setup(a_user, each_setup),
        cmocka_unit_test_setup(a_challenge_and_its_token, each_setup),
        cmocka_unit_test_setup(slowed_then_blocked, each_setup),
        cmocka_unit_test_setup(another_password_forgets_wrong_ones, each_setup),
        cmocka_unit_test_setup(a_user_changes_as_a_whole, each_setup),
        cmocka_unit_test_setup(an_account_that_many_addresses_try, each_setup),
        cmocka_unit_test_setup(an_address_that_tries_many_accounts, each_setup),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
