/* test_ctl.c: droverctl's helpers and verbs; what they print is read back. */
#include "testdb.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "ctl/ctl.h"
#include "store/migrate.h"
#include "store/account.h"
#include "store/admin.h"
#include "store/invitation.h"
#include "wire/json.h"

static const struct conf *conf;
static struct ctl ctl;
static struct err err;
static char out[65536], errors[65536]; /* of the last call of run() */
static char dir[] = "/tmp/drover-ctl-XXXXXX";

static void file_read(FILE *f, char *to, size_t size)
{
    rewind(f);
    to[fread(to, 1, size - 1, f)] = '\0';
    fclose(f);
}

/* Calls a verb and catches what it prints. */
static int run(ctl_fn *fn, ...)
{
    char *argv[16] = {NULL};
    int argc = 0, saved[2] = {dup(1), dup(2)};
    FILE *f[2] = {tmpfile(), tmpfile()};
    va_list ap;
    va_start(ap, fn);
    for (char *s; (s = va_arg(ap, char *));)
        argv[argc++] = s;
    va_end(ap);
    fflush(NULL);
    dup2(fileno(f[0]), 1);
    dup2(fileno(f[1]), 2);
    int status = fn(&ctl, argc, argv);
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i + 1);
        close(saved[i]);
    }
    file_read(f[0], out, sizeof out);
    file_read(f[1], errors, sizeof errors);
    return status;
}

static char *file_of(const char *name, const char *text)
{
    char *path = arena_fmt(ctl.arena, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

/* --- helpers --------------------------------------------------------------------------------- */

static const char *rest[2], *value, *preset;
static bool flag;
static int nrest;

static int args_verb(struct ctl *c, int argc, char **argv)
{
    (void)c;
    const struct ctl_option options[] = {{.name = "value", .value = &value},
                                         {.name = "preset", .value = &preset},
                                         {.name = "flag", .flag = &flag}};
    value = NULL;
    preset = "everything"; /* what it is without the option */
    flag = false;
    nrest = ctl_args(argc, argv, options, 3, rest, 1, 2);
    return nrest < 0 ? CTL_USAGE : CTL_OK;
}

static void arguments(void **state)
{
    (void)state;
    assert_int_equal(run(args_verb, "v", "one", "--value", "x", NULL), CTL_OK);
    assert_int_equal(nrest, 1);
    assert_string_equal(value, "x");
    assert_false(flag);
    assert_null(rest[1]);
    assert_int_equal(run(args_verb, "v", "--flag", "--value=y=z", "one", "two", NULL), CTL_OK);
    assert_string_equal(value, "y=z");
    assert_true(flag);
    assert_string_equal(rest[1], "two");
    assert_int_equal(run(args_verb, "v", "--value=", "-", NULL), CTL_OK);
    assert_string_equal(value, "");
    assert_string_equal(rest[0], "-");
    assert_int_equal(run(args_verb, "v", "--", "--flag", NULL), CTL_OK);
    assert_string_equal(rest[0], "--flag");
    assert_int_equal(run(args_verb, "v", NULL), CTL_USAGE);
    assert_int_equal(run(args_verb, "v", "1", "2", "3", NULL), CTL_USAGE);
    assert_non_null(strstr(errors, "\"3\""));
    assert_int_equal(run(args_verb, "v", "1", "--value", NULL), CTL_USAGE);
    assert_int_equal(run(args_verb, "v", "1", "--preset", NULL), CTL_USAGE);
    assert_string_equal(errors, "droverctl: --preset needs a value\n");
    assert_int_equal(run(args_verb, "v", "1", "--flag=1", NULL), CTL_USAGE);
    assert_int_equal(run(args_verb, "v", "1", "--nix", NULL), CTL_USAGE);
    assert_int_equal(run(args_verb, "v", "1", "--valu", "x", NULL), CTL_USAGE);
    assert_int_equal(run(args_verb, "v", "1", "-f", NULL), CTL_USAGE);
    assert_string_equal(out, "");
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"1s", SECOND_US},  {"30m", 30 * MINUTE_US}, {"12h", 12 * HOUR_US},
                {"7d", 7 * DAY_US}, {"2w", 14 * DAY_US},     {"36525d", 36525 * DAY_US}};
    static const char *const bad[] = {"",
                                      "7",
                                      "d",
                                      "0d",
                                      "-1d",
                                      " 1d",
                                      "1dd",
                                      "1.5d",
                                      "1y",
                                      "+1d",
                                      "36526d",
                                      "99999999999999999999d",
                                      "9223372036854775807s"};
    int64_t us;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(ctl_duration(good[i].text, &us));
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ctl_duration(bad[i], &us));
}

static void secrets_from_files(void **state)
{
    (void)state;
    char *s;
    assert_ok(ctl_secret_file(&ctl, file_of("a", "secret\nsecond"), 6, &s, &err), err);
    assert_string_equal(s, "secret");
    assert_ok(ctl_secret_file(&ctl, file_of("a", "secret\r\n"), 20, &s, &err), err);
    assert_string_equal(s, "secret");
    assert_ok(ctl_secret_file(&ctl, file_of("a", "no line feed"), 20, &s, &err), err);
    assert_outcome(ctl_secret_file(&ctl, file_of("a", "longer\n"), 5, &s, &err), INVALID, err);
    assert_outcome(ctl_secret_file(&ctl, file_of("a", "\nsecond"), 20, &s, &err), INVALID, err);
    assert_outcome(ctl_secret_file(&ctl, file_of("a", ""), 20, &s, &err), INVALID, err);
    assert_outcome(ctl_secret_file(&ctl, "/nonexistent", 20, &s, &err), NOT_FOUND, err);
}

static bool as_json;

static int list_verb(struct ctl *c, int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct ctl_column cols[] = {
        {"name", CTL_TEXT}, {"seen_at", CTL_TIME}, {"n", CTL_INT}};
    const struct val cells[] = {val_str("gr\xc3\xbc\xc3\x9f"), val_int(0), val_int(-5),
                                val_str("evil\x1b[2J\n"),      val_null(), val_null()};
    return ctl_list(c, as_json, cols, 3, cells, 2);
}

static void lists(void **state)
{
    (void)state;
    as_json = false;
    assert_int_equal(run(list_verb, "l", NULL), CTL_OK);
    assert_string_equal(out, "NAME             SEEN AT               N\n"
                             "gr\xc3\xbc\xc3\x9f             1970-01-01T00:00:00Z  -5\n"
                             "evil\\x1b[2J\\x0a  -                     -\n");
    as_json = true;
    assert_int_equal(run(list_verb, "l", NULL), CTL_OK);
    js root;
    assert_ok(js_parse(bytes_str(out), &root, &err), err);
    assert_int_equal(js_size(root), 2);
    assert_string_equal(js_get_str(js_at(root, 0), "name"), "gr\xc3\xbc\xc3\x9f");
    assert_string_equal(js_get_str(js_at(root, 0), "seen_at"), "1970-01-01T00:00:00Z");
    assert_string_equal(js_get_str(js_at(root, 1), "name"), "evil\x1b[2J\n");
    assert_int_equal(js_type_of(js_get(js_at(root, 1), "n")), JS_NULL);
    js_free(&root);
}

/* --- verbs ----------------------------------------------------------------------------------- */

static void the_verbs(void **state)
{
    (void)state;
    struct admin a;
    struct apikey k;
    struct invitation i;
    char key[APIKEY_LEN + 1];
    char *password = file_of("pw", "correct horse\n");
    char *given = file_of("key", "0123456789abcdef0123456789abcdef\n");

    assert_int_equal(run(ctl_migrate, "migrate", "--sql=sql", "--dry-run", NULL), CTL_OK);
    assert_non_null(strstr(out, "version 0; "));
    assert_non_null(strstr(out, " to apply"));
    assert_int_equal(run(ctl_migrate, "migrate", "--sql", "sql", NULL), CTL_OK);
    char newest[32];
    snprintf(newest, sizeof newest, "version %d; ", SCHEMA_VERSION);
    assert_non_null(strstr(out, newest));
    assert_non_null(strstr(out, " applied"));
    assert_non_null(strstr(out, "rights"));
    assert_int_equal(run(ctl_grants, "grants", "--sql", "sql", NULL), CTL_OK);
    assert_int_equal(run(ctl_grants, "grants", "--sql", "/nonexistent", NULL), CTL_FAILED);
    assert_int_equal(run(ctl_migrate, "migrate", "extra", NULL), CTL_USAGE);

    assert_int_equal(run(ctl_admin, "admin", "add", "alice", "--password-file", password, NULL),
                     CTL_OK);
    assert_int_equal(run(ctl_admin, "admin", "add", "alice", "--password-file", password, NULL),
                     CTL_FAILED);
    assert_int_equal(run(ctl_admin, "admin", "set", "alice", "--password-file", password, NULL),
                     CTL_OK);
    assert_int_equal(run(ctl_admin, "admin", "set", "bob", "--password-file", password, NULL),
                     CTL_OK);
    assert_int_equal(run(ctl_admin, "admin", "disable", "bob", NULL), CTL_OK);
    assert_ok(admin_find(ctl.db, "bob", ctl.arena, &a, &err), err);
    assert_true(a.disabled_at > 0);
    assert_int_equal(run(ctl_admin, "admin", "list", NULL), CTL_OK);
    assert_non_null(strstr(out, "alice"));
    assert_int_equal(run(ctl_admin, "admin", "list", "alice", NULL), CTL_USAGE);
    assert_int_equal(run(ctl_admin, "admin", "add", NULL), CTL_USAGE);
    assert_int_equal(run(ctl_admin, "admin", "remove", "alice", NULL), CTL_USAGE);

    assert_int_equal(run(ctl_apikey, "apikey", "add", "ci", "--expires", "1d", NULL), CTL_OK);
    assert_int_equal(strlen(out), APIKEY_LEN + 1); /* the key alone, to be piped */
    memcpy(key, out, APIKEY_LEN);
    key[APIKEY_LEN] = '\0';
    assert_ok(apikey_find(ctl.db, key, ctl.arena, &k, &err), err);
    assert_true(apikey_allows(&k, "push"));
    assert_true(k.expires_at - clock_now() > 23 * HOUR_US && k.expires_at - clock_now() <= DAY_US);
    assert_string_equal(k.created_by, "droverctl:tester");
    assert_int_equal(
        run(ctl_apikey, "apikey", "set", "own", "--key-file", given, "--scopes", "read", NULL),
        CTL_OK);
    assert_ok(apikey_find(ctl.db, "0123456789abcdef0123456789abcdef", ctl.arena, &k, &err), err);
    assert_string_equal(k.scopes, "read");
    assert_int_equal(run(ctl_apikey, "apikey", "set", "own", NULL), CTL_USAGE);
    assert_int_equal(run(ctl_apikey, "apikey", "add", "own", "--key-file", given, NULL), CTL_USAGE);
    assert_int_equal(run(ctl_apikey, "apikey", "add", "x", "--expires", "soon", NULL), CTL_USAGE);
    assert_int_equal(run(ctl_apikey, "apikey", "revoke", "ci", NULL), CTL_OK);
    assert_outcome(apikey_find(ctl.db, key, ctl.arena, &k, &err), DENIED, err);
    assert_int_equal(run(ctl_apikey, "apikey", "list", "--json", NULL), CTL_OK);
    assert_null(strstr(out, key));

    assert_int_equal(run(ctl_invite, "invite", "--uses", "2", "--expires", "1h", NULL), CTL_OK);
    assert_int_equal(strncmp(out, "https://mdm.example.org/enroll/", 31), 0);
    out[31 + INVITATION_TOKEN_LEN] = '\0';
    assert_ok(invitation_find(ctl.db, out + 31, ctl.arena, &i, &err), err);
    assert_int_equal(i.uses_max, 2);
    assert_int_equal(run(ctl_invite, "invite", "--uses", "0", NULL), CTL_FAILED);
    assert_int_equal(run(ctl_invite, "invite", "--uses", "2x", NULL), CTL_USAGE);
    assert_int_equal(run(ctl_invite, "invite", "--expires", "0d", NULL), CTL_USAGE);
}

static void a_database_that_is_away(void **state)
{
    (void)state;
    struct conf away = *conf;
    struct ctl kept = ctl;
    away.db_socket = "/nonexistent/mysqld.sock";
    ctl.conf = &away;
    ctl.db = NULL;
    assert_int_equal(run(ctl_apikey, "apikey", "list", NULL), CTL_FAILED);
    assert_string_equal(out, "");
    assert_non_null(strstr(errors, "/nonexistent/mysqld.sock"));
    db_free(&ctl.db);
    ctl = kept;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments),          cmocka_unit_test(durations),
        cmocka_unit_test(secrets_from_files), cmocka_unit_test(lists),
        cmocka_unit_test(the_verbs),          cmocka_unit_test(a_database_that_is_away),
    };
    struct conf *c = testdb_conf(TESTDB_DIR, "drover_test_ctl");
    c->device_url = "https://mdm.example.org";
    conf = c;
    ctl = (struct ctl){.conf = c, .arena = arena_new(64 * LIM_MB), .actor = "droverctl:tester"};
    if (!mkdtemp(dir))
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    testdb_shell("rm -rf %s", dir);
    db_free(&ctl.db);
    return rc;
}
