/* test_setting.c: settings that are changed while the programs run: what is taken, who has the last
 * word, versions, and what a process goes by, with the rights it has. */
#include "testdb.h"

#include "base/limits.h"
#include "store/audit.h"
#include "store/migrate.h"
#include "store/setting.h"

#define DATABASE "drover_test_setting"

static struct arena *arena;
static struct conf conf;
static struct db *owner, *console, *mdm;
static struct err err;

static enum outcome save(const char *name, const char *value, int64_t expected)
{
    const struct setting_change x = {name, value};
    return setting_save(console, &conf, &x, 1, expected, "ann", &err);
}

static int64_t version(size_t *n)
{
    struct setting *s;
    int64_t v;
    assert_ok(setting_list(console, arena, &s, n, &v, &err), err);
    return v;
}

static void what_is_taken(void **state)
{
    (void)state;
    size_t n;
    assert_outcome(save("inactive.day", "9", 0), INVALID, err);
    assert_outcome(save("", "9", 0), INVALID, err);
    assert_outcome(save("scep.min_rsa", "2048", 0), INVALID, err); /* not while it runs */
    assert_outcome(save("inactive.days", "1", 0), INVALID, err);
    assert_non_null(strstr(err.msg, "2 to 365"));
    assert_outcome(save("inactive.days", "many", 0), INVALID, err);
    assert_outcome(save("command.approval", "always", 0), INVALID, err);
    assert_outcome(save("server.support", "a\nb", 0), INVALID, err);
    char *lengthy = arena_alloc(arena, 400);
    memset(lengthy, 'x', 399);
    lengthy[399] = '\0';
    assert_outcome(save("server.support", lengthy, 0), INVALID, err);
    version(&n);
    assert_int_equal(n, 0);
    assert_ok(save("inactive.days", "9", 0), err);
    assert_ok(save("inactive.days", NULL, 0), err);
    version(&n);
    assert_int_equal(n, 0);
}

static void the_file_has_the_last_word(void **state)
{
    (void)state;
    const struct conf_key *k = conf_key_find("history.days");
    conf.given_[k - conf_keys] = true;
    assert_outcome(save("history.days", "10", 0), INVALID, err);
    assert_non_null(strstr(err.msg, "change it there"));
    /* what was set before the file named it does not count */
    assert_ok(db_run(owner, "x", "INSERT INTO setting VALUES ('history.days', '10', 1, 'x')", &err),
              err);
    assert_ok(
        db_run(owner, "x", "UPDATE site SET version = version + 1 WHERE name = 'settings'", &err),
        err);
    struct settings *s = settings_new(&conf);
    assert_ok(settings_refresh(s, mdm, NULL, &err), err);
    assert_int_equal(settings_conf(s, arena)->history_days, 365);
    settings_free(&s);
    conf.given_[k - conf_keys] = false;
    assert_ok(db_run(owner, "x", "DELETE FROM setting", &err), err);
}

static void all_or_none_and_not_over_another(void **state)
{
    (void)state;
    struct setting_change two[] = {{"inactive.days", "30"}, {"inactive.daze", "30"}};
    size_t n;
    assert_outcome(setting_save(console, &conf, two, 2, 0, "ann", &err), INVALID, err);
    int64_t was = version(&n);
    assert_int_equal(n, 0);
    assert_ok(save("inactive.days", "30", was), err);
    assert_outcome(save("inactive.days", "31", was), CONFLICT, err);
    assert_true(version(&n) > was);
    assert_int_equal(n, 1);
    struct audit_entry *e;
    struct audit_filter f = {.action = "setting.change"};
    assert_ok(audit_list(console, &f, 0, 10, arena, &e, &n, &err), err);
    assert_string_equal(e[0].actor, "ann");
    assert_string_equal(e[0].subject, "inactive.days");
    assert_string_equal(e[0].detail, "was=default became=30");
    /* the same once more is no change */
    assert_ok(save("inactive.days", "30", 0), err);
    size_t again;
    assert_ok(audit_list(console, &f, 0, 10, arena, &e, &again, &err), err);
    assert_int_equal(again, n);
    assert_ok(save("inactive.days", NULL, 0), err);
}

static void what_a_process_goes_by(void **state)
{
    (void)state;
    struct settings *s = settings_new(&conf);
    struct conf live = conf;
    bool changed;
    assert_ptr_not_equal(settings_conf(s, arena), NULL);
    assert_ok(settings_refresh(s, mdm, &changed, &err), err);
    assert_ok(settings_refresh(s, mdm, &changed, &err), err);
    assert_false(changed);
    assert_ok(save("server.organization", "Vier Jahreszeiten \xe2\x82\xac", 0), err);
    assert_ok(save("renewal.grace", "yes", 0), err);
    const struct conf *before = settings_conf(s, arena);
    assert_ok(settings_refresh(s, mdm, &changed, &err), err);
    assert_true(changed);
    const struct conf *now = settings_conf(s, arena);
    assert_string_equal(before->organization, "Example");
    assert_string_equal(now->organization, "Vier Jahreszeiten \xe2\x82\xac");
    assert_true(now->renewal_grace && !before->renewal_grace);
    assert_string_equal(now->device_url, conf.device_url);
    settings_into(s, &live);
    assert_string_equal(live.organization, now->organization);
    /* a value that this version does not know is as if it were not there */
    assert_ok(db_run(owner, "x",
                     "UPDATE setting SET value = 'perhaps' WHERE name = 'renewal.grace'", &err),
              err);
    assert_ok(save("server.organization", NULL, 0), err);
    assert_ok(settings_refresh(s, mdm, &changed, &err), err);
    settings_into(s, &live);
    assert_string_equal(live.organization, "Example");
    assert_false(live.renewal_grace);
    assert_string_equal(now->organization, "Vier Jahreszeiten \xe2\x82\xac"); /* as long as a */
    settings_free(&s);
}

static int setup(void **state)
{
    (void)state;
    int applied;
    arena = arena_new(4 * LIM_MB);
    conf = *testdb_conf(TESTDB_DIR, DATABASE);
    conf.path = "drover.conf";
    for (size_t i = 0; i < conf_keys_n; i++)
        if (conf_keys[i].live)
            assert_ok(conf_key_set(&conf, arena, &conf_keys[i], conf_keys[i].def, &err), err);
    conf.organization = "Example";
    conf.device_url = "https://mdm.example.org";
    assert_ok(db_new(&conf, DB_OWNER, &owner, &err), err);
    assert_ok(migrate_run(owner, "sql/schema", false, &applied, &err), err);
    assert_ok(migrate_grants(owner, "sql/grants.sql", &conf, &err), err);
    assert_ok(db_new(&conf, DB_CONSOLE, &console, &err), err);
    assert_ok(db_new(&conf, DB_MDM, &mdm, &err), err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    db_free(&mdm);
    db_free(&console);
    db_free(&owner);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken),
        cmocka_unit_test(the_file_has_the_last_word),
        cmocka_unit_test(all_or_none_and_not_over_another),
        cmocka_unit_test(what_a_process_goes_by),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
