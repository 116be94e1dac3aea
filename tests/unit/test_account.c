/* test_account.c: administrators, API keys, invitations and the audit log, on the real schema. */
#include "testdb.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/account.h"
#include "store/admin.h"
#include "store/audit.h"
#include "store/invitation.h"
#include "store/migrate.h"
#include "wire/encode.h"

#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}
#define BY "tester"

static const struct conf *conf;
static struct arena *arena;
static struct db *db;
static struct err err;

static int each_setup(void **state)
{
    (void)state;
    static const char *const tables[] = {"admin", "apikey", "invitation", "audit"};
    char text[64];
    arena_reset(arena);
    for (size_t i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "DELETE FROM %s", tables[i]);
        assert_ok(db_run(db, "r", text, &err), err);
    }
    return 0;
}

static struct rows audit_rows(void)
{
    SQL(READ, "SELECT actor, action, subject, detail, at FROM audit ORDER BY id");
    struct rows r;
    assert_ok(db_select(db, &READ, NULL, 0, arena, &r, &err), err);
    return r;
}

/* Does any column of the table hold this text? */
static bool table_holds(const char *table, const char *text)
{
    char cmd[1024];
    snprintf(cmd, sizeof cmd,
             "mariadb --no-defaults --socket=%s --user=drover_owner --password=$(cat %s) -N "
             "-e 'SELECT * FROM %s' %s | grep -q -F -e '%s'",
             conf->db_socket, conf->db_owner_password_file, table, conf->db_name, text);
    return system(cmd) == 0;
}

static void an_administrator(void **state)
{
    (void)state;
    struct admin a, *list;
    size_t n;
    assert_outcome(admin_find(db, "alice", arena, &a, &err), NOT_FOUND, err);
    assert_ok(admin_add(db, "alice", "administrator", "correct horse", BY, &err), err);
    assert_outcome(admin_add(db, "alice", "administrator", "battery staple", BY, &err), CONFLICT,
                   err);
    assert_ok(admin_find(db, "alice", arena, &a, &err), err);
    assert_string_equal(a.role, "administrator");
    assert_int_equal(a.disabled_at, 0);
    assert_ok(password_check("correct horse", a.password_hash, &err), err);
    assert_outcome(password_check("battery staple", a.password_hash, &err), DENIED, err);
    assert_ok(admin_password_set(db, "alice", "battery staple", NULL, BY, &err), err);
    assert_ok(admin_find(db, "alice", arena, &a, &err), err);
    assert_ok(password_check("battery staple", a.password_hash, &err), err);
    assert_outcome(admin_password_set(db, "nobody", "battery staple", NULL, BY, &err), NOT_FOUND,
                   err);
    assert_outcome(admin_disable(db, "alice", true, BY, &err), CONFLICT, err);
    assert_ok(admin_add(db, "zoe", "administrator", "battery staple", BY, &err), err);
    assert_ok(admin_disable(db, "alice", true, BY, &err), err);
    assert_ok(admin_find(db, "alice", arena, &a, &err), err);
    int64_t when = a.disabled_at;
    assert_true(when > 0);
    assert_ok(admin_disable(db, "alice", true, BY, &err), err);
    assert_ok(admin_find(db, "alice", arena, &a, &err), err);
    assert_int_equal(a.disabled_at, when);
    assert_ok(admin_disable(db, "alice", false, BY, &err), err);
    assert_outcome(admin_disable(db, "nobody", true, BY, &err), NOT_FOUND, err);
    assert_ok(admin_list(db, arena, &list, &n, &err), err);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].name, "alice");
    assert_string_equal(list[0].password_hash, "");
    assert_int_equal(list[0].disabled_at, 0);
    assert_false(table_holds("admin", "battery staple"));
    static const char *const actions[] = {"admin.add",     "admin.password", "admin.add",
                                          "admin.disable", "admin.disable",  "admin.enable"};
    struct rows r = audit_rows();
    assert_int_equal(r.n, 6); /* nothing that failed is in it */
    for (size_t i = 0; i < r.n; i++) {
        assert_string_equal(row_at(&r, i, 0)->s, BY);
        assert_string_equal(row_at(&r, i, 1)->s, actions[i]);
        assert_string_equal(row_at(&r, i, 2)->s, i == 2 ? "zoe" : "alice");
    }
}

static void roles_and_the_last_administrator(void **state)
{
    (void)state;
    struct admin a;
    char given[ADMIN_GIVEN_LEN + 1];
    assert_outcome(admin_add(db, "x", "king", "correct horse", BY, &err), INVALID, err);
    assert_ok(admin_add(db, "ann", "administrator", "correct horse", BY, &err), err);
    assert_ok(admin_invite(db, "ben", "helpdesk", BY, given, &err), err);
    assert_int_equal(strlen(given), ADMIN_GIVEN_LEN);
    assert_ok(admin_find(db, "ben", arena, &a, &err), err);
    assert_true(a.password_due && !a.remote && !a.has_totp);
    assert_string_equal(a.role, "helpdesk");
    assert_ok(password_check(given, a.password_hash, &err), err);
    assert_ok(admin_password_set(db, "ben", "my own words", NULL, "ben", &err), err);
    assert_ok(admin_find(db, "ben", arena, &a, &err), err);
    assert_false(a.password_due);

    assert_outcome(admin_role_set(db, "ann", "viewer", BY, &err), CONFLICT, err);
    assert_outcome(admin_disable(db, "ann", true, BY, &err), CONFLICT, err);
    assert_outcome(admin_role_set(db, "ben", "king", BY, &err), INVALID, err);
    assert_ok(admin_role_set(db, "ben", "administrator", BY, &err), err);
    assert_ok(admin_role_set(db, "ann", "viewer", BY, &err), err);
    assert_outcome(admin_role_set(db, "ben", "viewer", BY, &err), CONFLICT, err);
    assert_outcome(admin_role_set(db, "cid", "viewer", BY, &err), NOT_FOUND, err);
    assert_ok(admin_reset(db, "ben", BY, given, &err), err);
    assert_ok(admin_find(db, "ben", arena, &a, &err), err);
    assert_true(a.password_due);
    assert_ok(password_check(given, a.password_hash, &err), err);
    assert_outcome(admin_reset(db, "cid", BY, given, &err), NOT_FOUND, err);
    assert_true(role_allows("viewer", "view") && !role_allows("viewer", "assist"));
    assert_true(role_allows("auditor", "audit") && !role_allows("operator", "audit"));
    assert_false(role_allows("king", "self") || role_allows("administrator", "everything") ||
                 role_allows(NULL, "self") || role_allows("viewer", NULL));
}

static void names_and_passwords_that_are_refused(void **state)
{
    (void)state;
    char name[200], password[1100];
    memset(name, 'n', sizeof name);
    memset(password, 'p', sizeof password);
    name[129] = password[1025] = '\0';
    assert_outcome(admin_add(db, "", "administrator", "correct horse", BY, &err), INVALID, err);
    assert_outcome(admin_add(db, name, "administrator", "correct horse", BY, &err), INVALID, err);
    assert_outcome(admin_add(db, "a\nb", "administrator", "correct horse", BY, &err), INVALID, err);
    assert_outcome(admin_add(db, "a:b", "administrator", "correct horse", BY, &err), INVALID, err);
    assert_outcome(admin_add(db, "a", "administrator", "123456789", BY, &err), INVALID, err);
    assert_outcome(admin_add(db, "a", "administrator", password, BY, &err), INVALID, err);
    name[128] = password[1024] = '\0';
    assert_ok(admin_add(db, name, "administrator", password, BY, &err), err);
    assert_int_equal(audit_rows().n, 1);
}

static void an_api_key(void **state)
{
    (void)state;
    char key[APIKEY_LEN + 1], again[APIKEY_LEN + 1];
    struct apikey k, *list;
    size_t n;
    assert_ok(apikey_new(db, "ci", "push read", 0, BY, key, &err), err);
    assert_int_equal(strlen(key), APIKEY_LEN);
    assert_outcome(apikey_new(db, "ci", "*", 0, BY, again, &err), CONFLICT, err);
    assert_int_equal(again[0], 0);
    assert_ok(apikey_find(db, key, arena, &k, &err), err);
    assert_string_equal(k.name, "ci");
    assert_int_equal(k.last_used_at, 0);
    assert_true(apikey_allows(&k, "push") && apikey_allows(&k, "read"));
    assert_false(apikey_allows(&k, "pus") || apikey_allows(&k, "") || apikey_allows(&k, "*") ||
                 apikey_allows(&k, "push read") || apikey_allows(&k, "enqueue"));
    uint64_t trips = db_round_trips(db);
    assert_ok(apikey_find(db, key, arena, &k, &err), err);
    assert_true(k.last_used_at > clock_now() - MINUTE_US);
    assert_int_equal(db_round_trips(db) - trips, 1); /* its use is written once an hour */
    key[0] ^= 1;
    assert_outcome(apikey_find(db, key, arena, &k, &err), NOT_FOUND, err);
    key[0] ^= 1;
    assert_outcome(apikey_find(db, "", arena, &k, &err), NOT_FOUND, err);
    assert_outcome(apikey_revoke(db, "nobody", BY, &err), NOT_FOUND, err);
    assert_ok(apikey_revoke(db, "ci", BY, &err), err);
    assert_outcome(apikey_find(db, key, arena, &k, &err), DENIED, err);
    assert_ok(apikey_list(db, arena, &list, &n, &err), err);
    assert_int_equal(n, 1);
    int64_t when = list[0].revoked_at;
    assert_true(when > 0);
    usleep(1000);
    assert_ok(apikey_revoke(db, "ci", BY, &err), err);
    assert_ok(apikey_list(db, arena, &list, &n, &err), err);
    assert_int_equal(list[0].revoked_at, when);
    assert_false(table_holds("apikey", key));
}

static void an_api_key_that_expires(void **state)
{
    (void)state;
    char key[APIKEY_LEN + 1];
    struct apikey k;
    assert_outcome(apikey_new(db, "x", "*", clock_now() - 1, BY, key, &err), INVALID, err);
    assert_ok(apikey_new(db, "x", "*", clock_now() + SECOND_US, BY, key, &err), err);
    assert_ok(apikey_find(db, key, arena, &k, &err), err);
    assert_true(apikey_allows(&k, "anything"));
    usleep(1100000);
    assert_outcome(apikey_find(db, key, arena, &k, &err), DENIED, err);
}

static void an_api_key_that_is_given(void **state)
{
    (void)state;
    const char *key = "0123456789abcdef0123456789abcdef",
               *other = "x123456789abcdef0123456789abcdef";
    struct apikey k;
    assert_outcome(apikey_set(db, "x", "too short", "*", 0, BY, &err), INVALID, err);
    assert_outcome(apikey_set(db, "x", "0123456789abcdef0123456789 bcdef", "*", 0, BY, &err),
                   INVALID, err);
    assert_ok(apikey_set(db, "x", key, "*", 0, BY, &err), err);
    assert_ok(apikey_set(db, "x", key, "read", 0, BY, &err), err);
    assert_ok(apikey_find(db, key, arena, &k, &err), err);
    assert_string_equal(k.scopes, "read");
    assert_outcome(apikey_set(db, "y", key, "*", 0, BY, &err), CONFLICT, err);
    assert_ok(apikey_revoke(db, "x", BY, &err), err);
    assert_ok(apikey_set(db, "x", other, "*", 0, BY, &err), err);
    assert_ok(apikey_find(db, other, arena, &k, &err), err);
    assert_outcome(apikey_find(db, key, arena, &k, &err), NOT_FOUND, err);
}

static void scopes_that_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     " ",      " read", "read ",      "read  push",
                                      "*  ",  "* read", "reed",  "read,push",  "read\n",
                                      "Read", "rea",    "readd", "push --all", "\xc3\xa4"};
    char key[APIKEY_LEN + 1], lots[300];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_outcome(apikey_new(db, "x", bad[i], 0, BY, key, &err), INVALID, err);
    assert_outcome(apikey_new(db, "x", "read comand push", 0, BY, key, &err), INVALID, err);
    assert_non_null(strstr(err.msg, "\"comand\" is no scope"));
    assert_non_null(strstr(err.msg, " command "));
    for (size_t i = 0; i < sizeof lots; i++) /* 259 octets: "push push ... push" */
        lots[i] = "push "[i % 5];
    lots[259] = '\0';
    assert_outcome(apikey_new(db, "x", lots, 0, BY, key, &err), INVALID, err);
    lots[254] = '\0';
    assert_ok(apikey_new(db, "x", lots, 0, BY, key, &err), err);
}

static void an_invitation_is_used_up(void **state)
{
    (void)state;
    char token[INVITATION_TOKEN_LEN + 1];
    struct invitation i;
    int64_t until = clock_now() + HOUR_US;
    assert_outcome(invitation_new(db, NULL, "", 0, until, BY, token, &err), INVALID, err);
    assert_outcome(invitation_new(db, NULL, "", 1000001, until, BY, token, &err), INVALID, err);
    assert_outcome(invitation_new(db, NULL, "", 1, clock_now(), BY, token, &err), INVALID, err);
    assert_ok(invitation_new(db, NULL, "class 3b", 2, until, BY, token, &err), err);
    assert_int_equal(strlen(token), INVITATION_TOKEN_LEN);
    assert_false(table_holds("invitation", token));
    assert_ok(invitation_find(db, token, arena, &i, &err), err);
    assert_int_equal(i.uses, 0);
    assert_string_equal(i.note, "class 3b");
    assert_string_equal(i.created_by, BY);
    assert_int_equal(i.expires_at, until);
    assert_ok(invitation_consume(db, token, arena, &i, &err), err);
    assert_int_equal(i.uses, 1);
    assert_ok(invitation_consume(db, token, arena, &i, &err), err);
    assert_int_equal(i.uses, 2);
    assert_outcome(invitation_consume(db, token, arena, &i, &err), DENIED, err);
    assert_non_null(strstr(err.msg, "used 2 times"));
    assert_outcome(invitation_find(db, token, arena, &i, &err), DENIED, err);
    assert_outcome(invitation_consume(db, "nonsense", arena, &i, &err), NOT_FOUND, err);
    assert_outcome(invitation_find(db, "", arena, &i, &err), NOT_FOUND, err);
}

static void an_invitation_expires(void **state)
{
    (void)state;
    char token[INVITATION_TOKEN_LEN + 1];
    struct invitation i;
    assert_ok(invitation_new(db, NULL, "", 9, clock_now() + SECOND_US, BY, token, &err), err);
    assert_ok(invitation_consume(db, token, arena, &i, &err), err);
    usleep(1100000);
    assert_outcome(invitation_consume(db, token, arena, &i, &err), DENIED, err);
    assert_non_null(strstr(err.msg, "expired"));
    assert_int_equal(i.uses, 1);
}

struct guest {
    const char *token;
    int fine, denied;
};

static void *guest_main(void *arg)
{
    struct guest *g = arg;
    struct arena *a = arena_new(LIM_MB);
    struct db *d = NULL;
    struct err e;
    if (!a || db_new(conf, DB_OWNER, &d, &e) != OK)
        abort();
    for (int i = 0; i < 40; i++) {
        struct invitation inv;
        enum outcome o = invitation_consume(d, g->token, a, &inv, &e);
        g->fine += o == OK;
        g->denied += o == DENIED;
    }
    db_free(&d);
    arena_free(&a);
    return NULL;
}

static void guests_at_once_do_not_exceed_the_uses(void **state)
{
    (void)state;
    char token[INVITATION_TOKEN_LEN + 1];
    struct guest g[3];
    pthread_t t[3];
    assert_ok(invitation_new(db, NULL, "", 50, clock_now() + HOUR_US, BY, token, &err), err);
    for (int i = 0; i < 3; i++) {
        g[i] = (struct guest){.token = token};
        assert_int_equal(pthread_create(&t[i], NULL, guest_main, &g[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(g[0].fine + g[1].fine + g[2].fine, 50);
    assert_int_equal(g[0].denied + g[1].denied + g[2].denied, 70);
}

static void long_subjects_are_cut_between_characters(void **state)
{
    (void)state;
    char lots[1000] = "";
    for (int i = 0; i < 300; i++)
        strcat(lots, "\xc3\xa4");
    assert_ok(audit_add(db, lots, "test.cut", lots, "k=v", &err), err);
    struct rows r = audit_rows();
    assert_int_equal(row_at(&r, 0, 0)->n, 256);
    assert_int_equal(row_at(&r, 0, 2)->n, 510);
    assert_string_equal(row_at(&r, 0, 3)->s, "k=v");
    assert_true(row_at(&r, 0, 4)->i > clock_now() - MINUTE_US);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, each_setup)
    const struct CMUnitTest tests[] = {
        TEST(an_administrator),
        TEST(roles_and_the_last_administrator),
        TEST(names_and_passwords_that_are_refused),
        TEST(an_api_key),
        TEST(an_api_key_that_expires),
        TEST(an_api_key_that_is_given),
        TEST(scopes_that_are_refused),
        TEST(an_invitation_is_used_up),
        TEST(an_invitation_expires),
        TEST(guests_at_once_do_not_exceed_the_uses),
        TEST(long_subjects_are_cut_between_characters),
    };
    int applied;
    conf = testdb_conf(TESTDB_DIR, "drover_test_account");
    arena = arena_new(64 * LIM_MB);
    if (db_new(conf, DB_OWNER, &db, &err) != OK ||
        migrate_run(db, "sql/schema", false, &applied, &err) != OK) {
        fprintf(stderr, "test_account: %s\n", err.msg);
        return 1;
    }
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(&db);
    return rc;
}
