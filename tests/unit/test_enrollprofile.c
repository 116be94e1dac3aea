/*
 * test_enrollprofile.c: enrolment profiles as objects: fields, versions, what an edit is refused
 * for, and how the configured values become the default one.
 */
#include "owner.h"

#include "base/clock.h"
#include "store/enrollprofile.h"
#include "store/handout.h"
#include "store/id.h"
#include "store/invitation.h"

#define BY "test:ann"

static char dir[] = "/tmp/drover-profiles-XXXXXX";

static struct enroll_content content(void)
{
    struct enroll_content c;
    assert_ok(enroll_content_of_conf(conf, arena, &c, &err), err);
    return c;
}

static enum outcome set(struct enroll_content *c, const char *field, const char *text)
{
    const struct enroll_field *f = enroll_field_find(field);
    assert_non_null(f);
    enum outcome o = enroll_field_set(f, arena, c, text, &err);
    return o == OK ? enroll_content_check(c, arena, &err) : o;
}

static enum outcome make(const char *name, const struct enroll_content *c)
{
    struct enrollprofile_change x = {.name = name, .c = c, .by = BY, .note = ""};
    return enrollprofile_new(db, conf, &x, &err);
}

static enum outcome save(const char *name, const struct enroll_content *c, int64_t expected)
{
    int64_t version;
    struct enrollprofile_change x = {
        .name = name, .c = c, .expected = expected, .by = BY, .note = "a reason"};
    return enrollprofile_save(db, conf, &x, &version, &err);
}

static struct enrollprofile find(const char *name)
{
    struct enrollprofile p;
    assert_ok(enrollprofile_find(db, conf, name, arena, &p, &err), err);
    return p;
}

static int each_setup(void **state)
{
    (void)state;
    static const char *const tables[] = {"enroll_profile",
                                         "enroll_profile_version",
                                         "enroll_profile_item",
                                         "handout",
                                         "life",
                                         "enrollment",
                                         "invitation",
                                         "push_cert",
                                         "audit"};
    char text[80];
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        snprintf(text, sizeof text, "DELETE FROM %s", tables[i]);
        sql(text);
    }
    arena_reset(arena);
    conf->enroll_topic = "com.apple.mgmt.External.site";
    conf->enroll_access_rights = 8191;
    conf->enroll_certificates = "";
    return 0;
}

static void fields_take_what_they_should(void **state)
{
    (void)state;
    static const struct {
        const char *field, *text;
        bool good;
    } cases[] = {
        {"access_rights", "8191", true},
        {"access_rights", "3", true},
        {"access_rights", "0", false},
        {"access_rights", "8192", false},
        {"access_rights", "2", false},
        {"access_rights", "128", false},
        {"access_rights", "all", false},
        {"access_rights", "99999999999999999999", false},
        {"topic", "com.apple.mgmt.External.x", true},
        {"topic", "", true},
        {"topic", "com.example.x", false},
        {"server_url", "https://mdm.example.org:8443/base", true},
        {"server_url", "http://mdm.example.org", false},
        {"server_url", "https://", false},
        {"server_url", "https://mdm.example.org/", false},
        {"checkin_url", "https://mdm.example.org/?x=1", false},
        {"sign_message", "yes", true},
        {"sign_message", "perhaps", false},
        {"server_capabilities", "com.apple.mdm.per-user-connections com.apple.mdm.token", true},
        {"server_capabilities", "com.apple.mdm.telepathy", false},
        {"certificates", "no certificate", false},
        {"certificates", "", true},
        {"identity", "pkcs12", true},
        {"identity", "scep-external", false}, /* without a URL */
        {"identity", "telepathy", false},
        {"key_size", "4096", true},
        {"key_size", "1024", false},
        {"key_type", "EC", false}, /* with SCEP */
        {"scep_url", "https://scep.example.org", false},
        {"removal", "disallowed", true},
        {"removal", "password", false}, /* without one */
        {"title", "\"><script>alert(1)</script>", true},
        {"title", "two\nlines", false},
        {"description", "two\nlines", true},
        {"organization", "\xff\xfe", false},
        {"profiles", "Wi-Fi, Mail", true},
        {"profiles", "Wi-Fi, Wi-Fi", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct enroll_content c = content();
        enum outcome o = set(&c, cases[i].field, cases[i].text);
        if (o != (cases[i].good ? OK : INVALID))
            fail_msg("%s = %s is %s: %s", cases[i].field, cases[i].text, outcome_name(o), err.msg);
        if (o == INVALID && !strstr(err.msg, "key_") && !strstr(err.msg, "scep_") &&
            !strstr(err.msg, "removal_") && !strstr(err.msg, cases[i].field))
            fail_msg("%s is not named: %s", cases[i].field, err.msg);
    }
    struct enroll_content c = content();
    char *huge = arena_alloc(arena, 10 * LIM_MB);
    memset(huge, 'x', 10 * LIM_MB - 1);
    for (size_t i = 0; i < enroll_fields_n; i++)
        assert_int_equal(enroll_field_set(&enroll_fields[i], arena, &c, huge, &err), INVALID);
}

static void the_default_is_as_configured(void **state)
{
    (void)state;
    bool made;
    conf->enroll_access_rights = 1024;
    struct enrollprofile p = find("default"); /* before it is made */
    assert_int_equal(p.id, 0);
    assert_int_equal(p.c.access_rights, 1024);
    assert_ok(enrollprofile_default(db, conf, BY, &made, &err), err);
    assert_true(made);
    conf->enroll_access_rights = 8191; /* from now on the object counts */
    p = find("default");
    assert_int_not_equal(p.id, 0);
    assert_int_equal(p.version, 1);
    assert_int_equal(p.c.access_rights, 1024);
    assert_int_equal(p.c.web, 1);
    assert_ok(enrollprofile_default(db, conf, BY, &made, &err), err);
    assert_false(made);
    assert_outcome(enrollprofile_remove(db, "default", BY, &err), CONFLICT, err);
    conf->enroll_certificates = "/nonexistent";
    assert_int_equal(find("default").c.access_rights, 1024); /* the file is not read any more */
}

static void versions(void **state)
{
    (void)state;
    struct enroll_content c = content();
    struct enrollprofile p, *list;
    size_t n;
    assert_ok(set(&c, "profiles", "Wi-Fi, Mail"), err);
    assert_ok(set(&c, "apps", "com.example.app"), err);
    assert_ok(make("staff", &c), err);
    assert_outcome(make("staff", &c), CONFLICT, err);
    assert_outcome(make("no good", &c), INVALID, err);
    assert_outcome(make("../etc", &c), INVALID, err);
    p = find("staff");
    assert_int_equal(p.c.profiles.n, 2);
    assert_string_equal(p.c.profiles.name[0], "Wi-Fi");
    assert_string_equal(p.c.profiles.name[1], "Mail");
    assert_int_equal(p.c.apps.n, 1);
    c = p.c;
    assert_ok(set(&c, "organization", "Other"), err);
    assert_ok(set(&c, "profiles", "Mail"), err);
    assert_outcome(save("staff", &c, 2), CONFLICT, err);
    assert_ok(save("staff", &c, 1), err);
    assert_outcome(save("staff", &c, 1), CONFLICT, err);
    assert_outcome(save("nobody", &c, 0), NOT_FOUND, err);
    p = find("staff");
    assert_int_equal(p.version, 2);
    assert_string_equal(p.c.organization, "Other");
    assert_int_equal(p.c.profiles.n, 1);
    assert_string_equal(p.note, "a reason");
    assert_ok(enrollprofile_version(db, "staff", 1, arena, &p, &err), err);
    assert_string_equal(p.c.organization, "");
    assert_int_equal(p.c.profiles.n, 2);
    assert_int_equal(p.current, 2);
    assert_outcome(enrollprofile_version(db, "staff", 3, arena, &p, &err), NOT_FOUND, err);
    assert_ok(enrollprofile_history(db, "staff", arena, &list, &n, &err), err);
    assert_int_equal(n, 2);
    assert_int_equal(list[0].version, 2);
    assert_ok(enrollprofile_list(db, arena, &list, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE actor = '" BY "' AND subject = "
                            "'staff' AND action IN ('enrollprofile.new', 'enrollprofile.edit')"),
                     2);
}

static void secrets_are_sealed_and_stay(void **state)
{
    (void)state;
    struct enroll_content c = content();
    assert_ok(enroll_field_set(enroll_field_find("removal_password"), arena, &c, "hunter2", &err),
              err);
    assert_ok(set(&c, "removal", "password"), err);
    assert_ok(make("kiosk", &c), err);
    assert_int_equal(number("SELECT COUNT(*) FROM enroll_profile_version WHERE "
                            "LENGTH(removal_password) > 40 AND "
                            "removal_password NOT LIKE '%hunter2%'"),
                     1);
    struct enrollprofile p = find("kiosk");
    assert_null(p.c.new_removal_password);
    c = p.c;
    assert_ok(set(&c, "title", "Kiosk"), err);
    assert_ok(save("kiosk", &c, 0), err);
    assert_true(bytes_equal(find("kiosk").c.removal_password, p.c.removal_password));
    c.new_removal_password = "";
    assert_outcome(save("kiosk", &c, 0), INVALID, err); /* removal = password needs one */
    assert_ok(set(&c, "removal", "allowed"), err);
    assert_ok(save("kiosk", &c, 0), err);
    assert_int_equal(find("kiosk").c.removal_password.n, 0);
}

/* A device that is enrolled with the profile in force. */
static void enrol(const char *name, int64_t device)
{
    struct enrollprofile p = find(name);
    char text[400];
    struct handout h = {.id = id_new(),
                        .profile_id = p.id,
                        .version = p.version,
                        .way = WAY_INVITATION,
                        .topic = p.c.topic[0] ? p.c.topic : conf->enroll_topic,
                        .server_url = "https://mdm.example.org/mdm/connect",
                        .checkin_url = "https://mdm.example.org/mdm/checkin?handout=x",
                        .server_capabilities = p.c.server_capabilities,
                        .access_rights = p.c.access_rights,
                        .account_kind = ACCOUNT_LOCAL,
                        .account = "ann",
                        .made_at = 1};
    assert_ok(handout_add(db, &h, &err), err);
    snprintf(text, sizeof text,
             "INSERT INTO life (id, enrollment_id, state, opened_at, handout_id) VALUES "
             "(%lld, %lld, 2, 1, %lld)",
             (long long)device, (long long)device, (long long)h.id);
    sql(text);
    snprintf(text, sizeof text,
             "INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, created_at, "
             "last_seen_at) VALUES (%lld, 'D%lld', 1, %lld, 2, %lld, 1, 1)",
             (long long)device, (long long)device, (long long)device, (long long)device);
    sql(text);
}

static void what_installed_profiles_forbid(void **state)
{
    (void)state;
    static const struct {
        const char *field, *text, *said;
    } refused[] = {
        {"access_rights", "1", "AccessRights"},
        {"topic", "com.apple.mgmt.External.other", "Topic"},
        {"server_url", "https://other.example.org", "ServerURL"},
        {"checkin_url", "https://other.example.org", "CheckInURL"},
        {"server_capabilities", "com.apple.mdm.bootstraptoken", "per-user"},
    };
    struct enroll_content c = content();
    assert_ok(make("staff", &c), err);
    enrol("staff", 1);
    enrol("staff", 2);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        c = find("staff").c;
        assert_ok(set(&c, refused[i].field, refused[i].text), err);
        assert_outcome(save("staff", &c, 0), CONFLICT, err);
        if (!strstr(err.msg, refused[i].said) || !strstr(err.msg, "2 enrolled devices"))
            fail_msg("%s: %s", refused[i].field, err.msg);
    }
    assert_int_equal(find("staff").version, 1);
    /* what the device has anyway is no change; the rest is free */
    c = find("staff").c;
    assert_ok(set(&c, "topic", conf->enroll_topic), err);
    assert_ok(set(&c, "server_url", "https://mdm.example.org"), err);
    assert_ok(set(&c, "sign_message", "yes"), err);
    assert_ok(set(&c, "organization", "Renamed"), err);
    assert_ok(save("staff", &c, 0), err);
    assert_outcome(enrollprofile_remove(db, "staff", BY, &err), CONFLICT, err);
    /* nobody has it any more */
    sql("UPDATE enrollment SET state = 3");
    c = find("staff").c;
    assert_ok(set(&c, "access_rights", "1"), err);
    assert_ok(save("staff", &c, 0), err);
    struct handout h;
    sql("UPDATE enrollment SET state = 2");
    assert_ok(handout_of_device(db, 1, arena, &h, &err), err);
    assert_int_equal(h.access_rights, 8191);
    assert_int_equal(h.version, 1);
    assert_string_equal(h.account, "ann");
    assert_outcome(handout_of_device(db, 3, arena, &h, &err), NOT_FOUND, err);
}

static void invitations_bind_to_a_profile(void **state)
{
    (void)state;
    char token[INVITATION_TOKEN_LEN + 1];
    struct invitation inv;
    struct enroll_content c = content();
    int64_t until = clock_now() + HOUR_US;
    assert_ok(make("staff", &c), err);
    assert_outcome(invitation_new(db, "nobody", "", 1, until, BY, token, &err), NOT_FOUND, err);
    assert_ok(invitation_new(db, "default", "", 1, until, BY, token, &err), err);
    assert_ok(invitation_new(db, "staff", "", 2, until, BY, token, &err), err);
    assert_ok(invitation_find(db, token, arena, &inv, &err), err);
    assert_string_equal(inv.profile, "staff");
    assert_int_equal(inv.profile_id, find("staff").id);
    assert_outcome(enrollprofile_remove(db, "staff", BY, &err), CONFLICT, err);
    assert_ok(invitation_revoke(db, inv.id, BY, &err), err);
    assert_outcome(invitation_consume(db, token, arena, &inv, &err), DENIED, err);
    assert_non_null(strstr(err.msg, "taken back"));
    assert_outcome(invitation_revoke(db, inv.id + 1000, BY, &err), NOT_FOUND, err);
    assert_ok(enrollprofile_remove(db, "staff", BY, &err), err);
    assert_outcome(enrollprofile_remove(db, "staff", BY, &err), NOT_FOUND, err);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    owner_up("drover_enrollprofile");
    conf->device_url = "https://mdm.example.org";
    conf->organization = "Example";
    conf->signer_dir = dir;
    testdb_shell("head -c 32 /dev/urandom >%s/seal.pub", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    owner_down();
    testdb_shell("rm -rf %s", dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fields_take_what_they_should, each_setup),
        cmocka_unit_test_setup(the_default_is_as_configured, each_setup),
        cmocka_unit_test_setup(versions, each_setup),
        cmocka_unit_test_setup(secrets_are_sealed_and_stay, each_setup),
        cmocka_unit_test_setup(what_installed_profiles_forbid, each_setup),
        cmocka_unit_test_setup(invitations_bind_to_a_profile, each_setup),
    };
    return cmocka_run_group_tests_name("enrollprofile", tests, set_up, tear_down);
}
