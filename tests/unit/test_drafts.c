/*
 * test_drafts.c: profiles that are being changed: with the real database and signer. What is
 * stored, what differs between versions, what is told of secrets, two people at once, and which
 * devices a change would reach.
 */
#include "site.h"

#include "library/contents.h"
#include "library/draft.h"
#include "store/itemcount.h"
#include "store/preview.h"

static struct db *db; /* the console's */

static struct bytes profile(const char *id, const char *payloads)
{
    return bytes_str(arena_fmt(
        site.a,
        "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>PayloadType</key>"
        "<string>Configuration</string><key>PayloadVersion</key><integer>1</integer>"
        "<key>PayloadIdentifier</key><string>org.example.%s</string><key>PayloadUUID</key>"
        "<string>%s</string><key>PayloadDisplayName</key><string>Name of %s</string>"
        "<key>PayloadContent</key><array>%s</array></dict></plist>",
        id, id, id, payloads));
}

static const char *wifi(const char *ssid, const char *password)
{
    return arena_fmt(site.a,
                     "<dict><key>PayloadType</key><string>com.apple.wifi.managed</string>"
                     "<key>PayloadIdentifier</key><string>org.example.wifi</string>"
                     "<key>PayloadUUID</key><string>W</string><key>PayloadVersion</key>"
                     "<integer>1</integer><key>SSID_STR</key><string>%s</string><key>Password</key>"
                     "<string>%s</string><key>EAPClientConfiguration</key><dict><key>AcceptEAPTypes"
                     "</key><array><integer>13</integer></array></dict></dict>",
                     ssid, password);
}

static enum outcome publish(const struct draft *d, struct bytes file, int base,
                            struct profile_put *p)
{
    *p = (struct profile_put){.base = base, .actor = "ann", .now = clock_now()};
    err = (struct err){0};
    return profile_draft_publish(db, site.conf, site.a, d, file, p, &err);
}

static struct draft begin(struct bytes file)
{
    struct draft d = {.name = ""};
    assert_ok(profile_draft_new(db, site.conf, site.a, &d, file, "ann", clock_now(), &err), err);
    return d;
}

static int64_t count(const char *text)
{
    struct sql sql = {.name = "c", .text = text};
    struct rows r;
    assert_ok(db_select(site.owner, &sql, NULL, 0, site.a, &r, &err), err);
    db_forget(site.owner, &sql);
    return row_at(&r, 0, 0)->i;
}

static void a_draft_becomes_an_item(void **state)
{
    (void)state;
    struct bytes file = profile("one", wifi("Lobby", "geheim-77"));
    struct draft d = begin(file), e;
    struct buf back = BUF_INIT(LIM_PROFILE);
    struct profile_put p;
    struct library_item i;
    struct bytes sealed;
    int newest;
    bool same;
    assert_string_equal(d.identifier, "org.example.one");
    assert_string_equal(d.name, "Name of one");
    assert_ok(draft_get(db, d.id, site.a, &e, &sealed, &err), err);
    assert_null(memmem(sealed.p, sealed.n, "geheim", 6));
    assert_ok(profile_draft_open(db, site.a, d.id, &e, &back, &err), err);
    assert_true(bytes_equal(buf_bytes(&back), file));
    assert_ok(publish(&d, file, 0, &p), err);
    assert_ok(library_get(db, p.stored_id, site.a, &i, &err), err);
    assert_string_equal(i.name, "Name of one");
    assert_outcome(draft_get(db, d.id, site.a, &e, NULL, &err), NOT_FOUND, err);
    assert_ok(profile_draft_same(db, site.a, i.id, file, &newest, &same, &err), err);
    assert_true(same && newest == 1);
    assert_ok(profile_draft_same(db, site.a, i.id, profile("one", wifi("Other", "x")), &newest,
                                 &same, &err),
              err);
    assert_true(!same && newest == 1);
    /* a crash before the deletion: published again, it is the version that is there */
    d = begin(file);
    d.item_id = i.id;
    assert_ok(publish(&d, file, 1, &p), err);
    assert_true(p.repeated);
    /* no property list is no draft */
    e = (struct draft){.name = ""};
    assert_outcome(profile_draft_new(db, site.conf, site.a, &e, bytes_str("MZ"), "ann", 1, &err),
                   INVALID, err);
    buf_wipe(&back);
}

static void two_people_at_once(void **state)
{
    (void)state;
    struct draft a = begin(profile("two", wifi("A", "x"))), b, again;
    struct bytes his = profile("two", wifi("B", "x")), hers = profile("two", wifi("C", "x"));
    struct profile_put p;
    struct library_item i;
    assert_ok(publish(&a, profile("two", wifi("A", "x")), 0, &p), err);
    assert_ok(library_get(db, p.stored_id, site.a, &i, &err), err);
    assert_ok(profile_draft_of(db, site.conf, site.a, &i, 0, "ann", 5, &a, &err), err);
    assert_ok(profile_draft_of(db, site.conf, site.a, &i, 1, "ben", 5, &b, &err), err);
    assert_int_equal(a.base, 1);
    /* one draft in two windows */
    again = b;
    assert_ok(profile_draft_keep(db, site.conf, site.a, &b, hers, "ben", 6, &err), err);
    assert_int_equal(b.revision, 2);
    assert_outcome(profile_draft_keep(db, site.conf, site.a, &again, his, "ann", 7, &err), CONFLICT,
                   err);
    /* what was stored while the other window published stays */
    assert_ok(draft_delete(db, b.id, 1, "ann", "published", &err), err);
    /* two drafts of one version: the second is told, and is still there */
    assert_ok(publish(&a, his, a.base, &p), err);
    assert_int_equal(p.number, 2);
    assert_outcome(publish(&b, hers, b.base, &p), CONFLICT, err);
    assert_ok(draft_get(db, b.id, site.a, &again, NULL, &err), err);
    assert_ok(publish(&b, hers, 2, &p), err);
    assert_int_equal(p.number, 3);
    assert_int_equal(count("SELECT COUNT(*) FROM audit WHERE action = 'library.draft'"), 5);
}

static const struct content_change *change_at(const struct content_changes *c, const char *path)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->list[i].path, path) == 0)
            return &c->list[i];
    fail_msg("no change at %s", path);
    return NULL;
}

static void what_differs(void **state)
{
    (void)state;
    struct contents old, new;
    struct content_changes c;
    static const char clip[] = "<dict><key>PayloadType</key><string>com.apple.webClip.managed"
                               "</string><key>PayloadIdentifier</key><string>org.example.clip"
                               "</string><key>PayloadUUID</key><string>C</string></dict>";
    assert_ok(contents_read(site.a, profile("d", wifi("Lobby", "one")), &old, &err), err);
    assert_int_equal(old.n, 1);
    assert_int_equal(old.payloads[0].n, 3);
    for (size_t i = 0; i < old.payloads[0].n; i++)
        assert_null(strstr(old.payloads[0].facts[i].value.text, "one"));
    assert_ok(contents_read(site.a,
                            profile("d", arena_fmt(site.a, "%s%s", clip, wifi("Hall", "two"))),
                            &new, &err),
              err);
    assert_ok(contents_compare(site.a, &old, &new, &c, &err), err);
    assert_int_equal(c.n, 3);
    assert_string_equal(change_at(&c, "SSID_STR")->was.text, "Lobby");
    assert_string_equal(change_at(&c, "SSID_STR")->became.text, "Hall");
    assert_int_equal(change_at(&c, "Password")->was.kind, CONTENT_SECRET);
    assert_string_equal(change_at(&c, "Password")->became.text, "");
    assert_int_equal(change_at(&c, "")->was.kind, CONTENT_ABSENT);
    assert_ok(contents_compare(site.a, &new, &old, &c, &err), err);
    assert_int_equal(change_at(&c, "")->became.kind, CONTENT_ABSENT);
    assert_ok(contents_compare(site.a, &old, &old, &c, &err), err);
    assert_int_equal(c.n, 0);
    /* lists, numbers that became texts, overlong paths and values */
    struct buf deep = BUF_INIT(LIM_MB);
    for (int i = 0; i < 40; i++)
        buf_str(&deep, "<key>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</key><dict>");
    buf_str(&deep, "<key>k</key><string>\xc3\xa4");
    for (int i = 0; i < 1000; i++)
        buf_str(&deep, "\xc3\xa4");
    buf_str(&deep, "</string>");
    for (int i = 0; i < 40; i++)
        buf_str(&deep, "</dict>");
    assert_ok(contents_read(site.a,
                            profile("d", arena_fmt(site.a,
                                                   "<dict><key>PayloadType</key><string>x</string>"
                                                   "%s</dict>",
                                                   buf_cstr(&deep))),
                            &new, &err),
              err);
    assert_int_equal(new.payloads[0].n, 1);
    assert_true(strlen(new.payloads[0].facts[0].path) < 400);
    assert_true(strlen(new.payloads[0].facts[0].value.text) < 700);
    buf_free(&deep);
}

static void what_is_secret(void **state)
{
    (void)state;
    static const struct {
        const char *type, *key;
        bool secret;
    } cases[] = {{"com.apple.wifi.managed", "Password", true},
                 {"com.apple.vpn.managed", "SharedSecret", true},
                 {"com.apple.security.pkcs12", "PayloadContent", true},
                 {"com.apple.security.root", "PayloadContent", false},
                 {"com.apple.mobiledevice.passwordpolicy", "passwordContentRegex", false},
                 {"com.apple.eas.account", "OAuthTokenRequestURL", false},
                 {"com.example.app", "apiToken", true},
                 {"com.apple.wifi.managed", "SSID_STR", false}};
    pl s = pl_new_str("x"), n = pl_new_int(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (content_secret(cases[i].type, cases[i].key, s) != cases[i].secret)
            fail_msg("%s %s", cases[i].type, cases[i].key);
    assert_false(content_secret("x", "Password", n));
    pl_free(&s);
    pl_free(&n);
}

static void sql(const char *text)
{
    assert_ok(db_run(site.owner, "fill", text, &err), err);
}

static struct rollout_row rollout(int64_t asked, int64_t id)
{
    struct rollout_row *r;
    size_t n;
    assert_ok(rollout_list(db, asked, LIM_PAGE, site.a, &r, &n, &err), err);
    for (size_t i = 0; i < n; i++)
        if (r[i].item_id == id)
            return r[i];
    fail_msg("the item is not in the list");
    return r[0];
}

static void state_is(int64_t id, const char *want)
{
    struct rollout_row r = rollout(0, id);
    assert_string_equal(rollout_state(&r), want);
}

/* One more than a list counts itself waits for the agent, and is told without numbers until then.
 */
static void a_list_counts_few_itself(int64_t id)
{
    sql("INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, reason, "
        "changed_at) SELECT 1000 + seq, item_id, 1, 2, 1, 1, '', 1 FROM device_item JOIN "
        "seq_1_to_9997 WHERE enrollment_id = 110");
    assert_false(rollout(0, id).uncounted);
    assert_int_equal(rollout(0, id).counts[WANTED_PENDING], 10000);
    sql("INSERT INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, reason, "
        "changed_at) SELECT 11000, item_id, 1, 2, 1, 1, '', 1 FROM device_item WHERE enrollment_id "
        "= 110");
    assert_true(rollout(0, id).uncounted);
    assert_int_equal(rollout(0, id).counts[WANTED_PENDING], 0);
    assert_int_equal(rollout(id, id).counts[WANTED_PENDING], 10001);
    sql("DELETE FROM device_item WHERE enrollment_id > 1000");
}

/* 10 of 12 devices have version 1, and the agent has counted. */
static void the_list_of_rollouts(int64_t id)
{
    assert_int_equal(rollout(0, id).counts[WANTED_INSTALLED], 10);
    assert_int_equal(rollout(0, id).counts[WANTED_FAILED], 2);
    state_is(id, "failed");
    /* what changes meanwhile is told at once of one alone */
    sql("UPDATE device_item SET state = 3 WHERE state = 4");
    assert_int_equal(rollout(0, id).counts[WANTED_INSTALLED], 10);
    assert_int_equal(rollout(id, id).counts[WANTED_INSTALLED], 12);
    /* and how it stands of each */
    state_is(id, "finished");
    sql("UPDATE device_item SET state = 7 WHERE enrollment_id = 109");
    state_is(id, "running");
    sql("UPDATE device_item SET state = 3 WHERE enrollment_id = 109");
    /* and of a version that was not counted yet */
    sql("UPDATE library_item SET version = 2");
    sql("UPDATE device_item SET version = 2, state = 1 WHERE enrollment_id > 109");
    assert_int_equal(rollout(0, id).counts[WANTED_PENDING], 3);
    assert_int_equal(rollout(0, id).counts[WANTED_INSTALLED], 0);
    a_list_counts_few_itself(id);
    /* devices that have another version are not of it; nor are those that are to be rid of it */
    sql("UPDATE device_item SET wanted = 0 WHERE enrollment_id > 111");
    assert_ok(item_count_turn(site.owner, 78, &err), err);
    assert_int_equal(rollout(0, id).counts[WANTED_PENDING], 2);
    assert_int_equal(rollout(0, id).counts[WANTED_INSTALLED], 0);
    /* what was counted before all had it does not stand beside "finished" */
    sql("UPDATE device_item SET state = 3 WHERE enrollment_id > 109");
    state_is(id, "finished");
    assert_int_equal(rollout(0, id).counts[WANTED_PENDING], 0);
}

static void which_devices_it_reaches(void **state)
{
    (void)state;
    struct draft d = begin(profile("reach", wifi("A", "x")));
    struct profile_put p;
    struct preview_version v;
    struct preview_set s;
    struct item_count c[2];
    assert_ok(publish(&d, profile("reach", wifi("A", "x")), 0, &p), err);
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, serial, device_name, "
        "created_at,"
        " last_seen_at) SELECT 100 + seq, CONCAT('D', seq), 1, 100 + seq, 2, CONCAT('S', seq), "
        "IF(seq = 2, 'Anna', NULL), 1, 1 FROM seq_1_to_12");
    sql("INSERT INTO device_group (id, name, created_at, created_by, changed_at, changed_by) "
        "VALUES "
        "(1, 'g', 1, 'x', 1, 'x'), (2, 'h', 1, 'x', 1, 'x')");
    sql("INSERT INTO group_member (group_id, device_id, since) SELECT 1, 100 + seq, 1 FROM "
        "seq_1_to_12");
    sql("INSERT INTO group_member (group_id, device_id, since) VALUES (2, 112, 1)");
    assert_ok(preview_assignment(db, p.stored_id, 1, site.a, &s, &err), err);
    assert_int_equal(s.n, 12);
    assert_int_equal(s.nsample, PREVIEW_SAMPLE);
    assert_string_equal(s.name[0], "S1");
    assert_string_equal(s.name[1], "Anna");
    sql(arena_fmt(site.a,
                  "INSERT INTO assignment (id, group_id, item_id, created_at, created_by) VALUES "
                  "(1, 1, %lld, 1, 'x')",
                  (long long)p.stored_id));
    sql(arena_fmt(site.a,
                  "INSERT INTO device_item (enrollment_id, item_id, wanted, version, "
                  "installed_version, state, due_at, changed_at) SELECT 100 + seq, %lld, 1, 1, "
                  "IF(seq > 2, 1, 0), IF(seq > 2, 3, 4), 1, 1 FROM seq_1_to_12",
                  (long long)p.stored_id));
    assert_ok(preview_assignment(db, p.stored_id, 2, site.a, &s, &err), err);
    assert_int_equal(s.n, 0); /* it has it by the other group */
    assert_ok(preview_assignment(db, p.stored_id, 1, site.a, &s, &err), err);
    assert_int_equal(s.n, 12); /* would be rid of it */
    v = (struct preview_version){.item_id = p.stored_id};
    assert_ok(preview_version(db, &v, site.a, &err), err);
    assert_int_equal(v.change.n, 12);
    v.number = 1;
    assert_ok(preview_version(db, &v, site.a, &err), err);
    assert_int_equal(v.change.n, 2);
    assert_int_equal(v.same, 10);
    /* what the agent counts */
    assert_ok(item_count_turn(site.owner, 77, &err), err);
    assert_ok(item_counts(db, (int64_t[]){5, p.stored_id}, 2, site.a, c, &err), err);
    assert_int_equal(c[0].counted_at, 0);
    assert_int_equal(c[1].counted_at, 77);
    assert_int_equal(c[1].devices[WANTED_INSTALLED], 10);
    assert_int_equal(c[1].devices[WANTED_FAILED], 2);
    assert_int_equal(c[1].devices[WANTED_PENDING], 0);
    assert_int_equal(c[1].of_version[WANTED_INSTALLED], 10);
    the_list_of_rollouts(p.stored_id);
}

static int set_up(void **state)
{
    (void)state;
    site_up("drover_drafts");
    sign_client_setup(site.conf->run_dir, SIGN_CONSOLE);
    assert_ok(db_new(site.conf, DB_CONSOLE, &db, &err), err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    db_free(&db);
    site_down();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draft_becomes_an_item),
        cmocka_unit_test(two_people_at_once),
        cmocka_unit_test(what_differs),
        cmocka_unit_test(what_is_secret),
        cmocka_unit_test(which_devices_it_reaches),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
