/*
 * test_standing.c: commands that devices get because of their group: once for each time that a
 * device comes in, once for each enrolment, again and again; blueprints with their versions.
 */
#define CONVERGENCE_DB "drover_standing"
#include "convergence.h"

#include "library/standing.h"
#include "store/assignment.h"
#include "store/id.h"
#include "store/library.h"
#include "store/preview.h"

static struct findings found;

static struct standing made(int64_t g, const char *type, const char *keys, const char *policy,
                            int64_t days)
{
    struct standing_put p = {.group_id = g,
                             .request_type = type,
                             .policy = policy,
                             .every_days = days,
                             .reason = "a test"};
    struct standing s;
    if (keys)
        assert_ok(js_parse(bytes_str(keys), &p.keys, &err), err);
    assert_ok(standing_make(conf, arena, &p, &s, &found, &err), err);
    js_free(&p.keys);
    return s;
}

/* Adds one command to what the group has; the id. */
static int64_t order(int64_t g, const char *type, const char *keys, const char *policy,
                     int64_t days)
{
    struct standing s = made(g, type, keys, policy, days);
    struct blueprint_save x = {.base = -1, .add = &s, .nadd = 1, .actor = "ann", .now = now};
    assert_ok(blueprint_now(db, g, arena, &x.b, &err), err);
    assert_ok(blueprint_put(db, conf, arena, &x, &err), err);
    return s.id;
}

static int64_t restore(int64_t g, int number)
{
    struct blueprint_save x = {.base = -1, .actor = "ann", .now = now};
    assert_ok(blueprint_get(db, g, number, arena, &x.b, &err), err);
    assert_ok(blueprint_put(db, conf, arena, &x, &err), err);
    return x.number;
}

#define OPEN() number("SELECT COUNT(*) FROM queue")
#define OF(id, s)                                                                                  \
    number("SELECT COUNT(*) FROM device_order WHERE order_id = %lld AND state = %d",               \
           (long long)(id), (s))

static int own_setup(void **state)
{
    conf->command_approval = "none";
    return each_setup(state);
}

static void once_for_each_time_a_device_comes_in(void **state)
{
    int64_t g = group("G", ""), id;
    (void)state;
    devices(1, 3, "iPhone14,2", "17.0");
    put_into(g, 1, 2, false);
    id = order(g, "SecurityInfo", NULL, "join", 0);
    turn();
    assert_int_equal(OF(id, ORDER_QUEUED), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM command WHERE request_type = 'SecurityInfo'"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM push"), 2);
    turn();
    assert_int_equal(OPEN(), 2);
    report(4, "1");
    turn();
    assert_int_equal(OF(id, ORDER_DONE), 2);
    now += 400 * DAY_US;
    turn();
    assert_int_equal(OPEN(), 0);
    /* another agent, which knows nothing but the database, sends nothing twice */
    converge_free(&engine);
    assert_ok(converge_new(conf, db, &engine, &err), err);
    turn();
    assert_int_equal(OPEN(), 0);
    /* one leaves and comes again, a third comes: each gets it */
    put_into(g, 1, 1, true);
    turn();
    sql("UPDATE device_order SET occasion = 1");
    sql("UPDATE group_member SET since = 1");
    put_into(g, 1, 1, false);
    put_into(g, 3, 3, false);
    turn();
    assert_int_equal(OPEN(), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM queue WHERE enrollment_id = 2"), 0);
    report(4, "1");
    turn();
    assert_int_equal(OF(id, ORDER_DONE), 3);
}

static void a_device_that_leaves_before_it_gets_it(void **state)
{
    int64_t g = group("G", ""), id;
    (void)state;
    devices(1, 2, "iPhone14,2", "17.0");
    put_into(g, 1, 2, false);
    id = order(g, "SecurityInfo", NULL, "join", 0);
    sql("INSERT INTO device_order (enrollment_id, order_id, occasion, state, due_at, changed_at) "
        "SELECT device_id, %lld, since, 1, 1, 1 FROM group_member",
        (long long)id);
    put_into(g, 1, 1, true);
    sql("UPDATE enrollment SET state = 3 WHERE id = 2");
    turn();
    assert_int_equal(OF(id, ORDER_WITHDRAWN), 2);
    assert_int_equal(OPEN(), 0);
    sql("UPDATE enrollment SET state = 2 WHERE id = 2");
    converge_free(&engine);
    assert_ok(converge_new(conf, db, &engine, &err), err);
    turn();
    assert_int_equal(OF(id, ORDER_QUEUED), 1); /* it never had it */
}

static void once_for_each_enrolment(void **state)
{
    int64_t g = group("G", ""), id;
    (void)state;
    devices(1, 2, "iPhone14,2", "17.0");
    sql("UPDATE enrollment SET enrolled_at = 5");
    put_into(g, 1, 2, false);
    id = order(g, "DeviceInformation", "{\"Queries\":[\"DeviceName\"]}", "enrol", 0);
    turn();
    assert_int_equal(OPEN(), 0); /* they are here already */
    sql("UPDATE enrollment SET enrolled_at = %lld WHERE id = 1", (long long)now + 1);
    sql("INSERT INTO newcomer (device_id, at, awaiting) VALUES (1, %lld, 1)", (long long)now + 1);
    turn();
    assert_int_equal(OF(id, ORDER_QUEUED), 1);
    /* a device that waits in Setup Assistant waits for it */
    assert_int_equal(number("SELECT COUNT(*) FROM newcomer"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM command WHERE request_type = 'DeviceConfigured'"),
                     0);
    report(4, "1");
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM command WHERE request_type = 'DeviceConfigured'"),
                     1);
    report(4, "1");
    /* a renewal of the identity is no enrolment */
    sql("UPDATE life SET renewal = 1");
    sql("UPDATE enrollment SET enrolled_at = %lld", (long long)now + 1000);
    converge_free(&engine);
    assert_ok(converge_new(conf, db, &engine, &err), err);
    turn();
    assert_int_equal(OPEN(), 0);
    sql("UPDATE life SET renewal = 0");
    converge_free(&engine);
    assert_ok(converge_new(conf, db, &engine, &err), err);
    turn();
    assert_int_equal(OPEN(), 2);
}

static void again_and_again(void **state)
{
    int64_t g = group("G", ""), id, first;
    (void)state;
    devices(1, 1, "iPhone14,2", "17.0");
    put_into(g, 1, 1, false);
    id = order(g, "ProfileList", NULL, "every", 7);
    turn();
    first = now;
    report(4, "1");
    turn();
    assert_int_equal(OF(id, ORDER_DONE), 1);
    now = first + 6 * DAY_US;
    turn();
    assert_int_equal(OPEN(), 0);
    now = first + 7 * DAY_US;
    turn();
    assert_int_equal(OPEN(), 1);
    /* one that was not fetched for a week is not there twice */
    now += 8 * DAY_US;
    turn();
    assert_int_equal(OPEN(), 1);
    report(5, "1");
    turn();
    assert_int_equal(OF(id, ORDER_FAILED), 1);
    assert_int_equal(number("SELECT reason LIKE 'no & no%%' FROM device_order"), 1);
    now += 6 * MINUTE_US;
    turn();
    assert_int_equal(OPEN(), 1);
    /* taken out, it comes no more */
    report(4, "1");
    turn();
    struct blueprint_save x = {
        .b = {.group_id = g, .note = ""}, .base = 1, .actor = "ann", .now = now};
    assert_ok(blueprint_put(db, conf, arena, &x, &err), err);
    now += 30 * DAY_US;
    turn();
    assert_int_equal(OPEN(), 0);
    assert_int_equal(OF(id, ORDER_WITHDRAWN), 1);
}

static void what_a_device_cannot_have(void **state)
{
    int64_t g = group("G", ""), id;
    struct standing_progress *d;
    size_t n;
    (void)state;
    devices(1, 1, "AppleTV11,1", "17.0");
    devices(2, 2, "Mac14,2", "14.0");
    put_into(g, 1, 2, false);
    id = order(g, "UserList", NULL, "join", 0);
    turn();
    assert_int_equal(OF(id, ORDER_REFUSED), 1);
    assert_int_equal(OF(id, ORDER_QUEUED), 1);
    assert_ok(standing_of_device(db, "D1", arena, &d, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(d[0].group, "G");
    assert_true(strlen(d[0].reason) > 0);
    assert_outcome(standing_of_device(db, "nobody", arena, &d, &n, &err), NOT_FOUND, err);
}

static void what_cannot_be_ordered(void **state)
{
    static const struct {
        const char *type, *keys, *policy;
        int64_t days;
        const char *reason;
    } bad[] = {{"NoSuchThing", NULL, "join", 0, NULL},
               {"ClearPasscode", NULL, "join", 0, "x"},
               {"DeviceLock", NULL, "join", 0, NULL},
               {"SecurityInfo", NULL, "sometimes", 0, NULL},
               {"SecurityInfo", NULL, "every", 0, NULL},
               {"SecurityInfo", NULL, "every", 4000, NULL},
               {"SecurityInfo", "{\"Nonsense\":[null]}", "join", 0, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct standing_put p = {.group_id = 1,
                                 .request_type = bad[i].type,
                                 .policy = bad[i].policy,
                                 .every_days = bad[i].days,
                                 .reason = bad[i].reason};
        struct standing s;
        if (bad[i].keys)
            assert_ok(js_parse(bytes_str(bad[i].keys), &p.keys, &err), err);
        assert_outcome(standing_make(conf, arena, &p, &s, &found, &err), INVALID, err);
        js_free(&p.keys);
    }
}

static void a_second_person_is_asked(void **state)
{
    int64_t g = group("G", ""), id, ask;
    struct approval a;
    struct standing s;
    (void)state;
    conf->command_approval = "sensitive";
    conf->command_approval_hours = 24;
    conf->signer_dir = TESTDB_DIR "/standing-signer";
    testdb_shell("mkdir -p %s && openssl genpkey -algorithm X25519 2>/dev/null | openssl pkey "
                 "-pubout -outform DER 2>/dev/null | tail -c 32 >/dev/null; true",
                 conf->signer_dir);
    devices(1, 1, "iPhone14,2", "17.0");
    put_into(g, 1, 1, false);
    s = made(g, "PlayLostModeSound", NULL, "join", 0);
    /* without the key to seal the request with, nothing is half done */
    struct blueprint_save x = {.base = -1, .add = &s, .nadd = 1, .actor = "ann", .now = now};
    assert_ok(blueprint_now(db, g, arena, &x.b, &err), err);
    assert_true(blueprint_put(db, conf, arena, &x, &err) != OK);
    assert_int_equal(number("SELECT COUNT(*) FROM standing_order"), 0);
    /* the store's half: it waits until somebody else approves it */
    struct blueprint_ask asks = {
        .order = &s,
        .approval = {.id = id_new(), .request = bytes_str("x"), .expires_at = now + DAY_US}};
    x.asks = &asks;
    x.nasks = 1;
    assert_ok(blueprint_save(db, &x, &err), err);
    id = s.id;
    assert_ok(standing_get(db, g, id, arena, &s, &err), err);
    assert_int_equal(s.state, STANDING_WAITS);
    ask = s.approval_id;
    turn();
    assert_int_equal(OPEN(), 0);
    assert_ok(approval_get(db, ask, arena, &a, &err), err);
    assert_string_equal(a.first_target, "group G");
    assert_outcome(approval_decide(db, ask, true, "ann", "x", now, &err), DENIED, err);
    /* taken out and brought back while nobody has decided, it still waits */
    restore(g, 1);
    assert_ok(standing_get(db, g, id, arena, &s, &err), err);
    assert_int_equal(s.state, STANDING_WAITS);
    assert_ok(approval_decide(db, ask, true, "bob", "fine", now, &err), err);
    assert_ok(standing_approve(db, id, "bob", now, &err), err);
    assert_ok(standing_approve(db, id, "bob", now, &err), err); /* again: nothing more */
    turn();
    assert_int_equal(OPEN(), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'command.sensitive'"), 1);
}

static int64_t app(const char *identifier)
{
    struct library_upload u = {
        .item = {.kind = LIBRARY_APP, .identifier = identifier, .name = identifier},
        .v = {.id = id_new(), .uuid = "1", .signed_by = "", .types = "", .details = "{}"},
        .actor = "t",
        .now = clock_now()};
    assert_ok(library_add(db, &u, &err), err);
    return u.v.item_id;
}

static void blueprints_change_as_a_whole(void **state)
{
    int64_t g = group("G", ""), a = app("org.a"), b = app("org.b"), id, assigned;
    struct blueprint *v, d;
    struct standing s, other;
    size_t n;
    (void)state;
    assert_ok(assignment_add(db, g, a, "ann", now, &assigned, &err), err);
    id = order(g, "SecurityInfo", NULL, "join", 0);
    assert_ok(blueprint_now(db, g, arena, &d, &err), err);
    assert_int_equal(d.number, 2);
    assert_int_equal(d.nitems, 1);
    assert_int_equal(d.norders, 1);
    /* another item, another command, a draft of which goes with it */
    s = made(g, "ProfileList", NULL, "join", 0);
    struct blueprint_save x = {.b = {.group_id = g, .items = &b, .nitems = 1, .note = "new"},
                               .base = 2,
                               .add = &s,
                               .nadd = 1,
                               .actor = "bob",
                               .now = now};
    assert_ok(blueprint_draft(db, g, &x.b, NULL, 0, "bob", now, &err), err);
    assert_ok(blueprint_get(db, g, BLUEPRINT_DRAFT, arena, &d, &err), err);
    assert_ok(blueprint_put(db, conf, arena, &x, &err), err);
    assert_int_equal(x.number, 3);
    assert_outcome(blueprint_get(db, g, BLUEPRINT_DRAFT, arena, &d, &err), NOT_FOUND, err);
    x.nadd = 0;
    x.add = NULL;
    assert_outcome(blueprint_put(db, conf, arena, &x, &err), CONFLICT, err); /* an old base */
    /* back to the second, which is the fourth; the same again is none */
    assert_int_equal(restore(g, 2), 4);
    assert_int_equal(restore(g, 2), 4);
    assert_ok(standing_get(db, g, id, arena, &other, &err), err);
    assert_int_equal(other.state, STANDING_LIVE);
    assert_ok(standing_get(db, g, s.id, arena, &other, &err), err);
    assert_int_equal(other.state, STANDING_OUT);
    assert_int_equal(number("SELECT item_id FROM assignment"), a);
    assert_ok(blueprint_list(db, g, 0, 10, arena, &v, &n, &err), err);
    assert_int_equal(n, 4);
    assert_string_equal(v[1].note, "new");
    assert_string_equal(v[1].created_by, "bob");
    /* an item that was deleted meanwhile, a command of another group: nothing is half done */
    sql("DELETE FROM assignment WHERE item_id = %lld", (long long)b);
    assert_ok(library_delete(db, b, "ann", "x", now, &err), err);
    struct blueprint_save back = {.base = -1, .actor = "ann", .now = now};
    assert_ok(blueprint_get(db, g, 3, arena, &back.b, &err), err);
    assert_outcome(blueprint_put(db, conf, arena, &back, &err), NOT_FOUND, err);
    int64_t h = group("H", "");
    back = (struct blueprint_save){.b = {.group_id = h, .orders = &id, .norders = 1, .note = ""},
                                   .base = -1,
                                   .actor = "ann",
                                   .now = now};
    assert_outcome(blueprint_put(db, conf, arena, &back, &err), NOT_FOUND, err);
    assert_int_equal(number("SELECT COUNT(*) FROM assignment"), 1);
    assert_ok(group_delete(db, g, "ann", "x", now, &err), err);
    assert_int_equal(number("SELECT COUNT(*) FROM standing_order WHERE state <> 3"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM group_blueprint"), 0);
}

#define MANY 10000

static void ten_thousand_at_once(void **state)
{
    int64_t g = group("G", "{\"fact\":\"platform\",\"is\":\"iOS\"}"), start, id;
    (void)state;
    devices(1, MANY, "iPhone14,2", "17.0");
    id = order(g, "SecurityInfo", NULL, "join", 0);
    start = clock_mono();
    turn();
    assert_int_equal(OPEN(), MANY);
    assert_true(number("SELECT COUNT(*) FROM command") <= MANY / 1000);
    print_message("10,000 devices: planned and queued in %lld ms\n",
                  (long long)(clock_mono() - start) / 1000);
    report(4, "1");
    turn();
    assert_int_equal(OF(id, ORDER_DONE), MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(once_for_each_time_a_device_comes_in, own_setup),
        cmocka_unit_test_setup(a_device_that_leaves_before_it_gets_it, own_setup),
        cmocka_unit_test_setup(once_for_each_enrolment, own_setup),
        cmocka_unit_test_setup(again_and_again, own_setup),
        cmocka_unit_test_setup(what_a_device_cannot_have, own_setup),
        cmocka_unit_test_setup(what_cannot_be_ordered, own_setup),
        cmocka_unit_test_setup(a_second_person_is_asked, own_setup),
        cmocka_unit_test_setup(blueprints_change_as_a_whole, own_setup),
        cmocka_unit_test_setup(ten_thousand_at_once, own_setup),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
