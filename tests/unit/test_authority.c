/* test_authority.c: what an API key may do with accounts and keys: the matrix of what it has and
 * what others have or get, on the real schema with the console's rights. */
#include "owner.h"

#include "base/clock.h"
#include "store/authority.h"
#include "store/group.h"
#include "wire/encode.h"

#define OPERATES "read push command sensitive approve reveal library enroll users identity decide"
static const struct holder {
    const char *scopes, *may; /* roles by their letters: viewer, Auditor, helpdesk, operator, ! */
} holders[] = {
    {"accounts", ""},
    {"read", "V"},
    {"accounts read", "V"},
    {"accounts audit", ""},
    {"accounts read audit", "VA"},
    {"accounts read push command", "V"},
    {"accounts read push command sensitive", "VH"},
    {"accounts " OPERATES, "VHO"},
    {"accounts audit " OPERATES, "VAHO"},
    {"accounts audit settings webhook pushcert migrate " OPERATES, "VAHO"},
    {"*", "VAHO!"},
};
static const char letters[] = "VAHO!"; /* in the order of role_names */
static struct db *console;

static bool may(const struct holder *h, size_t role)
{
    return strchr(h->may, letters[role]) != NULL;
}

static enum outcome wanted(bool allowed)
{
    return allowed ? OK : DENIED;
}

/* Accounts as they begin; made once, as a password takes its time. */
static bool kept;

static int each_setup(void **state)
{
    (void)state;
    arena_reset(arena);
    sql("DELETE FROM admin");
    sql("DELETE FROM apikey");
    sql("DELETE FROM scope_group");
    sql("DELETE FROM audit");
    if (kept) {
        sql("INSERT INTO admin SELECT * FROM kept");
        return 0;
    }
    assert_ok(admin_add(db, "boss", "administrator", "a long password", "t", &err), err);
    for (size_t i = 0; role_names[i]; i++)
        assert_ok(admin_add(db, role_names[i], role_names[i], "a long password", "t", &err), err);
    sql("CREATE TABLE kept AS SELECT * FROM admin");
    kept = true;
    return 0;
}

static const char *role_of(const char *name)
{
    struct admin a;
    assert_ok(admin_find(db, name, arena, &a, &err), err);
    return a.role;
}

static void nobody_gives_a_role_he_lacks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof holders / sizeof *holders; i++) {
        const struct authority a = {.scopes = holders[i].scopes, .by = "api:t"};
        for (size_t r = 0; role_names[r]; r++) {
            struct account_edit add = {.role = role_names[r]};
            const char *name = arena_fmt(arena, "n%zu-%zu", i, r);
            enum outcome o = authority_admin_add(console, &a, name, &add, &err);
            if (o != wanted(may(&holders[i], r)))
                fail_msg("%s adds a %s: %s", a.scopes, role_names[r], err.msg);
            assert_int_equal(strlen(add.password), o == OK ? ADMIN_GIVEN_LEN : 0);
            if (o == OK) { /* who has the password gets in, and must change it */
                struct admin made;
                assert_string_equal(role_of(name), role_names[r]);
                assert_ok(admin_find(db, name, arena, &made, &err), err);
                assert_ok(password_check(add.password, made.password_hash, &err), err);
                assert_true(made.password_due);
            } else
                assert_outcome(admin_find(db, name, arena, &(struct admin){0}, &err), NOT_FOUND,
                               err);
        }
    }
}

/* From each role to each: both must be covered. */
static void nobody_changes_who_has_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof holders / sizeof *holders; i++) {
        const struct authority a = {.scopes = holders[i].scopes, .by = "api:t"};
        for (size_t from = 0; role_names[from]; from++)
            for (size_t to = 0; role_names[to]; to++) {
                struct account_edit edit = {.role = role_names[to]};
                bool allowed = may(&holders[i], from) && may(&holders[i], to);
                assert_outcome(authority_admin_change(console, &a, role_names[from], &edit, &err),
                               wanted(allowed), err);
                assert_string_equal(role_of(role_names[from]), role_names[allowed ? to : from]);
                assert_ok(admin_role_set(db, role_names[from], role_names[from], "t", &err), err);
            }
    }
}

static void nobody_takes_over_who_has_more(void **state)
{
    struct admin now;
    (void)state;
    for (size_t i = 0; i < sizeof holders / sizeof *holders; i++) {
        const struct authority a = {.scopes = holders[i].scopes, .by = "api:t"};
        for (size_t r = 0; role_names[r]; r++) {
            struct account_edit reset = {.reset = true}, off = {.disable = true},
                                on = {.enable = true}, nothing = {.role = NULL};
            const enum outcome want = wanted(may(&holders[i], r));
            struct account_edit *const edits[] = {&reset, &off, &on, &nothing};
            for (size_t e = 0; e < 4; e++)
                assert_outcome(authority_admin_change(console, &a, role_names[r], edits[e], &err),
                               want, err);
            assert_int_equal(strlen(reset.password), want == OK ? ADMIN_GIVEN_LEN : 0);
            assert_ok(admin_find(db, role_names[r], arena, &now, &err), err);
            assert_int_equal(now.password_due, want == OK);
            assert_int_equal(now.disabled_at, 0);
            sql("UPDATE admin a JOIN kept k ON k.id = a.id SET a.password_hash = "
                "k.password_hash, a.password_due = 0");
        }
    }
}

static void nobody_gives_a_scope_he_lacks(void **state)
{
    char key[APIKEY_LEN + 1], name[32];
    struct apikey found;
    (void)state;
    for (size_t i = 0; i < sizeof holders / sizeof *holders; i++) {
        const struct authority a = {.scopes = holders[i].scopes, .by = "api:t"};
        for (size_t k = 0; k < sizeof holders / sizeof *holders; k++) {
            /* one that holds all words of the other, by these few sets */
            bool covers = authority_covers(a.scopes, holders[k].scopes);
            snprintf(name, sizeof name, "k%zu-%zu", i, k);
            assert_outcome(
                authority_key_add(console, &a, name, holders[k].scopes, 0, NULL, key, &err),
                wanted(covers), err);
            assert_int_equal(strlen(key), covers ? APIKEY_LEN : 0);
            if (covers)
                assert_ok(apikey_find(db, key, arena, &found, &err), err);
            /* nor revokes or limits one that has more */
            snprintf(name, sizeof name, "given%zu-%zu", i, k);
            assert_ok(apikey_new(db, name, holders[k].scopes, 0, "t", key, &err), err);
            assert_outcome(
                authority_key_change(console, &a, name, &(struct scope){.limited = true}, &err),
                wanted(covers), err);
            assert_outcome(authority_key_change(console, &a, name, NULL, &err), wanted(covers),
                           err);
            assert_outcome(apikey_find(db, key, arena, &found, &err), covers ? DENIED : OK, err);
        }
    }
    assert_true(authority_covers("accounts read", "read"));
    assert_true(authority_covers("read accounts", "accounts read"));
    assert_false(authority_covers("accounts rea", "read"));
    assert_false(authority_covers("accounts reads", "read"));
    assert_false(authority_covers("accounts read", "*"));
    assert_true(authority_covers("*", "* anything"));
}

static void nothing_lasts_longer_than_its_maker(void **state)
{
    int64_t now = clock_now() / SECOND_US * SECOND_US;
    const struct authority a = {.scopes = "*", .expires_at = now + DAY_US, .by = "api:t"};
    char key[APIKEY_LEN + 1];
    struct apikey k;
    (void)state;
    assert_ok(authority_key_add(console, &a, "same", "read", 0, NULL, key, &err), err);
    assert_ok(apikey_get(db, "same", arena, &k, &err), err);
    assert_int_equal(k.expires_at, a.expires_at);
    assert_ok(authority_key_add(console, &a, "less", "read", now + HOUR_US, NULL, key, &err), err);
    assert_outcome(
        authority_key_add(console, &a, "more", "read", now + 2 * DAY_US, NULL, key, &err), DENIED,
        err);
    assert_outcome(apikey_get(db, "more", arena, &k, &err), NOT_FOUND, err);
}

/* What is limited is limited from the first moment, or is not made. */
static void all_of_it_or_nothing(void **state)
{
    const struct authority a = {.scopes = "*", .by = "api:t"};
    struct device_group g = {.name = "some", .filter = "", .note = ""};
    char key[APIKEY_LEN + 1];
    struct apikey k;
    struct scope s;
    (void)state;
    sql("DELETE FROM device_group");
    assert_ok(group_save(db, &g, "t", clock_now(), &err), err);
    const struct scope some = {.limited = true, .groups = &g.id, .n = 1},
                       none = {.limited = true, .groups = (int64_t[]){7}, .n = 1};
    struct account_edit add = {.role = "viewer", .scope = &none};
    assert_outcome(authority_admin_add(console, &a, "limited", &add, &err), NOT_FOUND, err);
    assert_outcome(admin_find(db, "limited", arena, &(struct admin){0}, &err), NOT_FOUND, err);
    add.scope = &some;
    assert_ok(authority_admin_add(console, &a, "limited", &add, &err), err);
    assert_ok(scope_get(db, SCOPE_ADMIN, "limited", arena, &s, &err), err);
    assert_true(s.limited && s.n == 1 && s.groups[0] == g.id);
    assert_outcome(authority_key_add(console, &a, "limited", "read", 0, &none, key, &err),
                   NOT_FOUND, err);
    assert_outcome(apikey_get(db, "limited", arena, &k, &err), NOT_FOUND, err);
    assert_ok(authority_key_add(console, &a, "limited", "read", 0, &some, key, &err), err);
    assert_ok(apikey_find(db, key, arena, &k, &err), err);
    assert_true(k.limited);
    /* a change that fails in its last part changes nothing */
    struct account_edit edit = {.role = "operator", .scope = &none, .disable = true};
    assert_outcome(authority_admin_change(console, &a, "limited", &edit, &err), NOT_FOUND, err);
    assert_string_equal(role_of("limited"), "viewer");
    /* the last administrator stays one, whoever asks */
    sql("UPDATE admin SET disabled_at = 1 WHERE name = 'administrator'");
    edit = (struct account_edit){.role = "viewer"};
    assert_outcome(authority_admin_change(console, &a, "boss", &edit, &err), CONFLICT, err);
    edit = (struct account_edit){.disable = true};
    assert_outcome(authority_admin_change(console, &a, "boss", &edit, &err), CONFLICT, err);
    edit = (struct account_edit){.scope = &some};
    assert_outcome(authority_admin_change(console, &a, "boss", &edit, &err), CONFLICT, err);
    /* names, roles and scopes that are none */
    edit = (struct account_edit){.role = "emperor"};
    assert_outcome(authority_admin_add(console, &a, "x", &edit, &err), INVALID, err);
    edit = (struct account_edit){.role = "viewer"};
    assert_outcome(authority_admin_add(console, &a, "x:y", &edit, &err), INVALID, err);
    assert_outcome(authority_admin_add(console, &a, "limited", &edit, &err), CONFLICT, err);
    assert_outcome(authority_admin_change(console, &a, "nobody", &edit, &err), NOT_FOUND, err);
    assert_outcome(authority_key_add(console, &a, "limited", "read", 0, NULL, key, &err), CONFLICT,
                   err);
    assert_outcome(authority_key_add(console, &a, "y", "read  x", 0, NULL, key, &err), INVALID,
                   err);
    assert_outcome(authority_key_change(console, &a, "nobody", NULL, &err), NOT_FOUND, err);
    /* on record, who did it */
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE actor = 'api:t' AND subject = "
                            "'limited' AND action IN ('admin.add', 'admin.scope', 'apikey.add', "
                            "'apikey.scope')"),
                     4);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE actor = 'api:t' AND subject NOT IN "
                            "('limited')"),
                     0);
}

static int up(void **state)
{
    (void)state;
    owner_up("drover_test_authority");
    assert_ok(migrate_grants(db, "sql/grants.sql", conf, &err), err);
    assert_ok(db_new(conf, DB_CONSOLE, &console, &err), err);
    return 0;
}

static int down(void **state)
{
    (void)state;
    db_free(&console);
    owner_down();
    return 0;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, each_setup)
    const struct CMUnitTest tests[] = {
        TEST(nobody_gives_a_role_he_lacks),        TEST(nobody_changes_who_has_more),
        TEST(nobody_takes_over_who_has_more),      TEST(nobody_gives_a_scope_he_lacks),
        TEST(nothing_lasts_longer_than_its_maker), TEST(all_of_it_or_nothing),
    };
    return cmocka_run_group_tests(tests, up, down);
}
