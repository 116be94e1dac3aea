/*
 * test_user_profiles.c: profiles that are for the users of devices: who gets them, on which
 * channel, what waits for what, and what happens when that is changed.
 */
#define CONVERGENCE_DB "drover_user_profiles"
#include "convergence.h"

#include "store/itemcount.h"
#include "store/preview.h"
#include "store/wanted.h"

static void channel_of(int64_t id, int channel, enum outcome want)
{
    struct library_item x;
    assert_ok(library_get(db, id, arena, &x, &err), err);
    x.channel = channel;
    assert_outcome(library_change(db, &x, "t", "", x.changed_at + 1, &err), want, err);
}

static int64_t scoped_item(const char *identifier, const char *types, int scope)
{
    int64_t id = item(identifier, types);
    sql("UPDATE library_version SET scope = %d WHERE item_id = %lld", scope, (long long)id);
    return id;
}

#define OPEN_FOR(type, where)                                                                      \
    number("SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id WHERE "             \
           "c.request_type = '" type "' AND q.enrollment_id " where)

/* Devices and users that would get it, and devices without one. */
static void previewed(int64_t g, int64_t i, size_t n, size_t users, size_t waiting)
{
    struct preview_set s;
    struct preview p = {.group_id = g, .items = &i, .nitems = 1};
    assert_ok(preview_assignment(db, i, g, arena, &s, &err), err);
    assert_true(s.for_users);
    assert_int_equal(s.n, n);
    assert_int_equal(s.users, users);
    assert_int_equal(s.waiting, waiting);
    assert_ok(preview_run(db, &p, arena, &err), err);
    assert_int_equal(p.changes[0].install.n, n);
    assert_int_equal(p.changes[0].install.users, users);
}

/* Devices and users that a version would change. */
static void previewed_version(int64_t i, int number, size_t n, size_t users, size_t same)
{
    struct preview_version v = {.item_id = i, .number = number};
    assert_ok(preview_version(db, &v, arena, &err), err);
    assert_int_equal(v.change.n, n);
    assert_int_equal(v.change.users, users);
    assert_int_equal(v.same, same);
}

/* D3 is to have it, and says what it waits for: of the device, and of the item in its place among
 * the others, page by page. */
static void nobody_has_logged_in(int64_t i)
{
    struct wanted_row *x;
    int64_t counts[WANTED__MAX], after = 0, seen[8];
    size_t n, k = 0;
    assert_ok(wanted_of_device(db, "D3", arena, &x, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(x[0].state, WANTED_PENDING);
    assert_true(x[0].waits_user);
    assert_string_equal(x[0].reason, "waits until a user logs in");
    assert_ok(item_count_states(db, i, 0, arena, counts, &err), err);
    assert_int_equal(counts[WANTED_QUEUED], 3);
    assert_int_equal(counts[WANTED_PENDING], 1);
    for (n = 1; n == 1; after = n ? x[0].enrollment_id : 0) {
        assert_ok(wanted_of_item(db, i, 0, after, 1, arena, &x, &n, &err), err);
        if (n)
            seen[k++] = x[0].enrollment_id;
    }
    assert_int_equal(k, 4);
    assert_int_equal(seen[0], 3);
    assert_int_equal(seen[3], 201);
    assert_ok(wanted_of_item(db, i, WANTED_PENDING, 0, 9, arena, &x, &n, &err), err);
    assert_int_equal(n, 1);
    assert_ok(wanted_of_item(db, i, WANTED_FAILED, 0, 9, arena, &x, &n, &err), err);
    assert_int_equal(n, 0);
    /* nothing is sent for it, and no device waits in Setup Assistant for it */
    assert_int_equal(number("SELECT COUNT(*) FROM queue WHERE enrollment_id = 3"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM device_item WHERE enrollment_id = 3"), 0);
}

static void a_profile_of_users(void **state)
{
    int64_t i = scoped_item("org.example.u", "com.apple.dock", LIBRARY_SCOPE_USER);
    int64_t g = group("G", ""), a;
    struct wanted_row *x;
    size_t n;
    (void)state;
    devices(1, 2, "Mac14,2", "14.0");
    devices(3, 3, "MacBookPro18,3", "14.0");
    users(1, 2);
    users(2, 1);
    put_into(g, 1, 3, false);
    previewed(g, i, 3, 3, 1);
    a = assign(g, i);
    turn();
    /* three users get it, no device, nor one on which nobody has logged in yet */
    assert_int_equal(OPEN_FOR("InstallProfile", "IN (101, 102, 201)"), 3);
    assert_int_equal(number("SELECT COUNT(*) FROM device_item"), 3);
    nobody_has_logged_in(i);
    report(4, "enrollment_id <> 102");
    report(5, "enrollment_id = 102");
    turn();
    assert_int_equal(STATES(i, WANTED_INSTALLED), 2);
    assert_int_equal(STATES(i, WANTED_FAILED), 1);
    assert_ok(wanted_of_device(db, "D1", arena, &x, &n, &err), err);
    assert_int_equal(n, 2);
    assert_string_equal(x[0].user, "u101");
    assert_string_equal(x[1].user_name, "User 102");
    assert_string_equal(x[1].device_ident, "D1");
    assert_int_equal(x[1].state, WANTED_FAILED);
    assert_ok(wanted_of_device(db, "D1:u101", arena, &x, &n, &err), err);
    assert_int_equal(n, 1);
    /* of D1 one user has it, D2 has it, D3 has nobody */
    previewed_version(i, 1, 2, 1, 1);
    previewed_version(i, 0, 3, 3, 0);
    struct preview_set have;
    assert_ok(preview_having(db, i, arena, &have, &err), err);
    assert_int_equal(have.n, 2);
    assert_string_equal(have.sample[0], "D1");
    sql("UPDATE device_item SET state = 3, installed_version = 1");
    previewed_version(i, 1, 1, 0, 2);
    /* a new user gets it by the TokenUpdate; a new version goes to all */
    users(3, 1);
    sql("INSERT INTO newcomer (device_id, at, awaiting) VALUES (301, %lld, 1)", (long long)now);
    assert_ok(converge_turn(engine, now, &err), err);
    assert_int_equal(OPEN_FOR("InstallProfile", "= 301"), 1);
    assert_int_equal(OPEN_FOR("UserConfigured", "= 301"), 0);
    assert_ok(wanted_of_device(db, "D3", arena, &x, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(x[0].user, "u301");
    report(4, "1");
    turn();
    turn();
    assert_int_equal(OPEN_FOR("UserConfigured", "= 301"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM newcomer"), 0);
    sql("DELETE FROM queue");
    new_version(i, "org.example.u");
    sql("UPDATE library_version SET scope = 2");
    turn();
    assert_int_equal(OPEN_FOR("InstallProfile", "IN (101, 102, 201, 301)"), 4);
    report(4, "1");
    turn();
    /* what a user's channel tells is not there comes again to that user */
    sql("INSERT INTO inv_area (enrollment_id, area, reported_at, changed_at, command_id) VALUES "
        "(101, 4, %lld, 1, 1), (1, 4, %lld, 1, 1)",
        (long long)(now + 1), (long long)(now + 1));
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 1);
    assert_int_equal(OPEN_FOR("InstallProfile", "= 101"), 1);
    sql("DELETE FROM inv_area");
    report(4, "1");
    turn();
    /* a device leaves the group, then nobody is to have it */
    put_into(g, 1, 1, true);
    turn();
    assert_int_equal(OPEN_FOR("RemoveProfile", "IN (101, 102)"), 2);
    report(4, "1");
    assert_ok(assignment_delete(db, a, "t", "x", &err), err);
    turn();
    assert_int_equal(OPEN_FOR("RemoveProfile", "IN (201, 301)"), 2);
    report(4, "1");
    turn();
    assert_int_equal(STATES(i, WANTED_REMOVED), 4);
    assert_int_equal(number("SELECT COUNT(*) FROM device_item_wait"), 0);
}

/* The last user is gone, the profile is for users no more, a single device has it and then not. */
static void what_waits_comes_and_goes(void **state)
{
    int64_t i = scoped_item("org.example.u", "com.apple.dock", LIBRARY_SCOPE_USER), a, n;
    (void)state;
    devices(1, 1, "Mac14,2", "14.0");
    devices(2, 2, "iPhone14,2", "17.0");
    users(1, 1);
    assert_ok(assignment_add_device(db, "D1", i, "t", now, &a, &err), err);
    assert_ok(assignment_add_device(db, "D2", i, "t", now, &n, &err), err);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM device_item_wait"), 0);
    sql("UPDATE enrollment SET state = 3 WHERE id = 101");
    assert_ok(assignment_delete(db, n, "t", "x", &err), err);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM device_item_wait WHERE device_id = 1"), 1);
    channel_of(i, 1, OK); /* for devices */
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM device_item_wait"), 0);
    channel_of(i, 2, OK);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM device_item_wait"), 1);
    assert_ok(assignment_delete(db, a, "t", "x", &err), err);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM device_item_wait"), 0);
}

static void a_profile_changes_its_channel(void **state)
{
    int64_t i = scoped_item("org.example.u", "com.apple.dock", LIBRARY_SCOPE_NONE);
    int64_t system = scoped_item("org.example.s", "", LIBRARY_SCOPE_SYSTEM), g = group("G", "");
    (void)state;
    devices(1, 1, "iMac21,1", "14.0");
    users(1, 1);
    put_into(g, 1, 1, false);
    assign(g, i);
    turn();
    assert_int_equal(OPEN_FOR("InstallProfile", "= 1"), 1);
    report(4, "1");
    turn();
    channel_of(i, LIBRARY_CHANNEL_USER, OK);
    turn();
    assert_int_equal(OPEN_FOR("RemoveProfile", "= 1"), 1);
    assert_int_equal(OPEN_FOR("InstallProfile", "= 101"), 1);
    report(4, "1");
    turn();
    channel_of(i, LIBRARY_CHANNEL_DEVICE, OK);
    turn();
    assert_int_equal(OPEN_FOR("RemoveProfile", "= 101"), 1);
    assert_int_equal(OPEN_FOR("InstallProfile", "= 1"), 1);
    /* what says that it is for the system alone never goes to users */
    channel_of(system, LIBRARY_CHANNEL_USER, INVALID);
    assert_non_null(strstr(err.msg, "PayloadScope is System"));
}

/* PayloadScope is a key of Macs; an iPad has users where it is shared. */
static void users_of_other_devices(void **state)
{
    int64_t i = scoped_item("org.example.u", "com.apple.webClip.managed", LIBRARY_SCOPE_USER);
    int64_t mail = scoped_item("org.example.m", "com.apple.mail.managed", LIBRARY_SCOPE_NONE);
    int64_t software = scoped_item("org.example.s", "com.apple.SoftwareUpdate", LIBRARY_SCOPE_USER);
    int64_t g = group("G", "");
    (void)state;
    devices(1, 1, "iPhone14,2", "17.0");
    devices(2, 3, "iPad13,1", "17.0");
    devices(4, 4, "Mac14,2", "14.0");
    users(3, 1);
    users(4, 1);
    sql("UPDATE enrollment SET kind = 3 WHERE id = 301");
    sql("INSERT INTO inv_device (enrollment_id, is_multi_user) VALUES (2, 1), (3, 1)");
    put_into(g, 1, 4, false);
    assign(g, i);
    turn();
    assert_int_equal(OPEN_FOR("InstallProfile", "IN (1, 301, 401)"), 3);
    assert_int_equal(number("SELECT COUNT(*) FROM device_item"), 3);
    sql("DELETE FROM queue");
    /* what has no effect on a channel is not sent to it */
    assign(g, mail);
    assign(g, software);
    turn();
    assert_int_equal(
        number("SELECT COUNT(*) FROM device_item WHERE item_id = %lld AND state = 5 AND "
               "enrollment_id IN (2, 3, 4) AND reason LIKE '%%for a user%%channel only'",
               (long long)mail),
        3);
    assert_int_equal(
        number("SELECT COUNT(*) FROM device_item WHERE item_id = %lld AND state = 5 AND "
               "enrollment_id = 401 AND reason LIKE '%%not for a user%%channel'",
               (long long)software),
        1);
}

static void an_item_of_users_waits(void **state)
{
    int64_t first = item("org.example.first", "");
    int64_t then = scoped_item("org.example.then", "", LIBRARY_SCOPE_USER), g = group("G", "");
    struct library_item x;
    (void)state;
    devices(1, 1, "Mac14,2", "14.0");
    users(1, 1);
    put_into(g, 1, 1, false);
    assert_ok(library_get(db, then, arena, &x, &err), err);
    x.after_id = first;
    x.after_passcode = true;
    assert_ok(library_change(db, &x, "t", "", clock_now() + 1, &err), err);
    assign(g, then);
    assign(g, first);
    turn();
    assert_int_equal(STATES(then, WANTED_PENDING), 1);
    report(4, "1");
    turn(); /* the device has the first: now the device, not the user, is asked */
    assert_int_equal(OPEN_FOR("SecurityInfo", "= 1"), 1);
    sql("DELETE FROM queue");
    sql("INSERT INTO inv_security (enrollment_id, passcode_compliant) VALUES (1, 1)");
    now += 11 * MINUTE_US;
    turn();
    assert_int_equal(OPEN_FOR("InstallProfile", "= 101"), 1);
}

/* Devices and users are asked for their profiles, each on its own channel. */
static void who_has_not_told_is_asked(void **state)
{
    int64_t i = scoped_item("org.example.u", "com.apple.dock", LIBRARY_SCOPE_USER);
    int64_t s = item("org.example.s", ""), g = group("G", "");
    (void)state;
    devices(1, 3, "Mac14,2", "14.0");
    users(1, 1);
    put_into(g, 1, 2, false);
    assign(g, i);
    assign(g, s);
    turn();
    report(4, "1");
    turn();
    conf->library_look_hours = 24;
    now += 25 * HOUR_US;
    sql("INSERT INTO inv_profile (enrollment_id, identifier) VALUES (2, 'org.example.s')");
    sql("INSERT INTO inv_area (enrollment_id, area, reported_at, changed_at, command_id) VALUES "
        "(2, "
        "4, %lld, 1, 1)",
        (long long)(now - HOUR_US));
    turn();
    assert_int_equal(OPEN_FOR("ProfileList", "IN (1, 101)"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM command WHERE request_type = 'ProfileList'"), 1);
    now += 7 * HOUR_US;
    turn(); /* not twice while it is open */
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 2);
    /* the user's list lacks it */
    sql("DELETE FROM queue");
    sql("INSERT INTO inv_profile (enrollment_id, identifier) VALUES (1, 'org.example.s')");
    sql("INSERT INTO inv_area (enrollment_id, area, reported_at, changed_at, command_id) VALUES "
        "(1, "
        "4, %lld, 1, 1), (101, 4, %lld, 1, 1)",
        (long long)now, (long long)now);
    now += 10 * MINUTE_US;
    turn();
    assert_int_equal(OPEN_FOR("InstallProfile", "= 101"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM queue"), 1);
    sql("DELETE FROM queue");
    conf->library_look_hours = 0;
    now += 100 * HOUR_US;
    turn();
    assert_int_equal(OPEN_FOR("ProfileList", "> 0"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_profile_of_users, each_setup),
        cmocka_unit_test_setup(what_waits_comes_and_goes, each_setup),
        cmocka_unit_test_setup(a_profile_changes_its_channel, each_setup),
        cmocka_unit_test_setup(users_of_other_devices, each_setup),
        cmocka_unit_test_setup(an_item_of_users_waits, each_setup),
        cmocka_unit_test_setup(who_has_not_told_is_asked, each_setup)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
