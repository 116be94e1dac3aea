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
    assert_ok(standing_make(db, conf, arena, &p, &s, &found, &err), err);
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
        assert_outcome(standing_make(db, conf, arena, &p, &s, &found, &err), INVALID, err);
        js_free(&p.keys);
    }
}

/* ---- a second person ---- */

static void two_are_asked_for(void)
{
    conf->command_approval = "sensitive";
    conf->command_approval_hours = 24;
}

/* The request of an order that waits now; 0: none does. */
static int64_t asked(int64_t order_id)
{
    int64_t id = number("SELECT id FROM approval WHERE order_id = %lld AND state = 1 AND "
                        "expires_at > %lld",
                        (long long)order_id, (long long)now);
    return id > 0 ? id : 0;
}

static enum outcome decide_as(int64_t id, bool approve, const char *by, int64_t seen_at,
                              uint64_t *covered)
{
    struct approval x;
    now = now > clock_now() ? now : clock_now();
    const struct approval_decision d = {id, approve, by, "a look", now, seen_at};
    assert_ok(approval_get(db, id, arena, &x, &err), err);
    return standing_decide(db, &d, &x, covered, &err);
}

static uint64_t approved(int64_t id, const char *by)
{
    uint64_t covered;
    assert_ok(decide_as(id, true, by, 0, &covered), err);
    return covered;
}

static int64_t sensitive(int64_t g, const char *policy, int64_t days)
{
    return order(g, "PlayLostModeSound", NULL, policy, days);
}

static void a_second_person_is_asked(void **state)
{
    int64_t g = group("G", ""), id, ask;
    uint64_t covered;
    struct approval a;
    struct standing s;
    (void)state;
    two_are_asked_for();
    devices(1, 1, "iPhone14,2", "17.0");
    put_into(g, 1, 1, false);
    id = sensitive(g, "join", 0);
    assert_ok(standing_get(db, g, id, arena, &s, &err), err);
    assert_int_equal(s.state, STANDING_WAITS);
    ask = s.approval_id;
    turn();
    assert_int_equal(OPEN(), 0);
    assert_ok(approval_get(db, ask, arena, &a, &err), err);
    assert_string_equal(a.first_target, "group G");
    assert_int_equal(a.order_id, id);
    assert_outcome(decide_as(ask, true, "ann", 0, &covered), DENIED, err);
    assert_int_equal(number("SELECT COUNT(*) FROM approval_target"), 0);
    /* taken out and brought back while nobody has decided, it still waits */
    restore(g, 1);
    assert_ok(standing_get(db, g, id, arena, &s, &err), err);
    assert_int_equal(s.state, STANDING_WAITS);
    assert_int_equal(approved(ask, "bob"), 1);
    assert_outcome(decide_as(ask, true, "bob", 0, &covered), CONFLICT, err);
    assert_non_null(strstr(err.msg, "by bob, at 20"));
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'approval.approve'"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'group.order-approved'"), 1);
    turn();
    assert_int_equal(OPEN(), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'command.sensitive'"), 1);
}

static void who_comes_later_waits_for_another_look(void **state)
{
    int64_t g = group("G", ""), id, ask;
    struct approval_target *t;
    uint64_t covered;
    struct approval x;
    size_t n;
    (void)state;
    two_are_asked_for();
    devices(1, 4, "iPhone14,2", "17.0");
    put_into(g, 1, 2, false);
    id = sensitive(g, "join", 0);
    assert_int_equal(approved(asked(id), "bob"), 2);
    turn();
    assert_int_equal(OF(id, ORDER_QUEUED), 2);
    assert_int_equal(asked(id), 0);
    report(4, "1");
    now += SECOND_US;
    put_into(g, 3, 3, false);
    turn();
    assert_int_equal(OPEN(), 0);
    assert_int_equal(OF(id, ORDER_WAITS), 1);
    assert_int_equal(number("SELECT reason LIKE '%%second person%%' FROM device_order WHERE "
                            "enrollment_id = 3"),
                     1);
    ask = asked(id);
    assert_true(ask != 0);
    assert_ok(approval_get(db, ask, arena, &x, &err), err);
    assert_string_equal(x.asked_by, "t"); /* who put it there does not approve it */
    assert_int_equal(x.targets, 1);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'approval.ask' AND actor = "
                            "'rule:convergence'"),
                     1);
    assert_outcome(decide_as(ask, true, "t", 0, &covered), DENIED, err);
    assert_outcome(decide_as(ask, true, "droverctl:t", 0, &covered), DENIED, err);
    /* one more while it is open: the same request; who looked before it came looks again */
    int64_t before = now;
    put_into(g, 4, 4, false);
    turn();
    turn();
    assert_int_equal(asked(id), ask);
    assert_ok(standing_targets(db, &x, 0, 1, arena, &t, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(t[0].ident, "D3");
    assert_ok(standing_targets(db, &x, t[0].enrollment_id, 9, arena, &t, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(t[0].ident, "D4");
    assert_ok(standing_targets_count(db, &x, 1, arena, &err), err);
    assert_int_equal(x.targets, 2);
    assert_outcome(decide_as(ask, true, "bob", before, &covered), CONFLICT, err);
    assert_non_null(strstr(err.msg, "look again"));
    now += SECOND_US;
    assert_ok(decide_as(ask, true, "bob", now, &covered), err);
    assert_int_equal(covered, 2);
    assert_ok(approval_get(db, ask, arena, &x, &err), err);
    assert_ok(standing_targets(db, &x, 0, 9, arena, &t, &n, &err), err);
    assert_int_equal(n, 2);
    turn();
    assert_int_equal(OPEN(), 2);
    report(4, "1");
    turn();
    assert_int_equal(OF(id, ORDER_DONE), 4);
    /* one that leaves and comes again is looked at again */
    put_into(g, 1, 1, true);
    turn();
    put_into(g, 1, 1, false);
    sql("UPDATE group_member SET since = %lld WHERE device_id = 1", (long long)now + 1);
    turn();
    assert_int_equal(OPEN(), 0);
    assert_int_equal(OF(id, ORDER_WAITS), 1);
    assert_true(asked(id) != 0);
}

/* Who approves what another asked for, and has put a device into the group meanwhile. */
static void nobody_slips_one_in(void **state)
{
    int64_t g = group("G", ""), id;
    (void)state;
    two_are_asked_for();
    devices(1, 3, "iPhone14,2", "17.0");
    put_into(g, 1, 1, false);
    id = sensitive(g, "join", 0);
    put_into(g, 2, 3, false);
    now = clock_now();
    sql("UPDATE group_member SET since = %lld, by_whom = IF(device_id = 2, 'droverctl:bob', 'eve') "
        "WHERE device_id > 1",
        (long long)now);
    now += SECOND_US;
    assert_int_equal(approved(asked(id), "bob"), 2);
    turn();
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM queue WHERE enrollment_id IN (1, 3)"), 2);
    assert_int_equal(OPEN(), 2);
    assert_int_equal(OF(id, ORDER_WAITS), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM approval WHERE state = 1 AND asked_person = "
                            "'bob' AND targets = 1"),
                     1);
}

/* Each asks for those whom they have brought in, and none of them approves these. */
static void whoever_brings_a_device_in_asks(void **state)
{
    int64_t g = group("G", ""), f, id, of_bob, of_ann;
    uint64_t covered;
    (void)state;
    two_are_asked_for();
    devices(1, 3, "iPhone14,2", "17.0");
    id = sensitive(g, "join", 0);
    assert_int_equal(approved(asked(id), "bob"), 0);
    now += SECOND_US;
    put_into(g, 1, 3, false);
    sql("UPDATE group_member SET by_whom = CASE device_id WHEN 1 THEN 'bob' WHEN 2 THEN 'ann' END");
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM approval WHERE state = 1"), 3);
    of_bob = number("SELECT id FROM approval WHERE placed_by = 'bob'");
    of_ann = number("SELECT id FROM approval WHERE placed_by = 'ann'");
    /* of what nothing is known, who made the order asks */
    assert_int_equal(number("SELECT COUNT(*) FROM approval WHERE state = 1 AND placed_by IS NULL "
                            "AND asked_by = 'ann' AND targets = 1"),
                     1);
    assert_outcome(decide_as(of_bob, true, "bob", 0, &covered), DENIED, err);
    assert_int_equal(approved(of_bob, "ann"), 1);
    turn();
    assert_int_equal(number("SELECT enrollment_id FROM queue"), 1);
    assert_int_equal(OPEN(), 1);
    assert_outcome(decide_as(of_ann, true, "ann", 0, &covered), DENIED, err);
    assert_ok(decide_as(of_ann, false, "bob", 0, &covered), err);
    assert_int_equal(OF(id, ORDER_FAILED), 1);
    assert_int_equal(OF(id, ORDER_WAITS), 1);
    turn();
    assert_int_equal(number("SELECT COUNT(*) FROM approval WHERE state = 1"), 1);
    /* of a group by a filter, who wrote that */
    f = group("F", "{\"fact\":\"device_name\",\"is\":\"late\"}");
    id = sensitive(f, "join", 0);
    assert_int_equal(approved(asked(id), "bob"), 0);
    now += SECOND_US;
    sql("UPDATE enrollment SET device_name = 'late' WHERE id = 1");
    sql("INSERT INTO inv_device (enrollment_id, platform, device_name) VALUES (1, 1, 'late')");
    converge_free(&engine);
    assert_ok(converge_new(conf, db, &engine, &err), err);
    turn();
    turn();
    assert_int_equal(OF(id, ORDER_WAITS), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM approval WHERE order_id = %lld AND placed_by = "
                            "'t' AND asked_by = 't' AND asked_person = 't'",
                            (long long)id),
                     1);
}

static void an_empty_group_approves_nothing(void **state)
{
    int64_t g = group("G", ""), id;
    (void)state;
    two_are_asked_for();
    devices(1, 2, "iPhone14,2", "17.0");
    id = sensitive(g, "join", 0);
    assert_int_equal(approved(asked(id), "bob"), 0);
    turn();
    assert_int_equal(asked(id), 0);
    now += SECOND_US;
    put_into(g, 1, 2, false);
    turn();
    assert_int_equal(OPEN(), 0);
    assert_int_equal(OF(id, ORDER_WAITS), 2);
    assert_ok(standing_count_turn(db, now, &err), err);
    assert_int_equal(number("SELECT waiting FROM order_count WHERE order_id = %lld", (long long)id),
                     2);
    assert_true(asked(id) != 0);
    /* where one is enough from now on, they have it */
    conf->command_approval = "none";
    now += 2 * HOUR_US;
    turn();
    assert_int_equal(OF(id, ORDER_QUEUED), 2);
}

static void what_is_refused_or_forgotten(void **state)
{
    int64_t g = group("G", ""), id, ask;
    uint64_t covered, n;
    (void)state;
    two_are_asked_for();
    devices(1, 1, "iPhone14,2", "17.0");
    id = sensitive(g, "join", 0);
    assert_int_equal(approved(asked(id), "bob"), 0);
    now += SECOND_US;
    put_into(g, 1, 1, false);
    turn();
    ask = asked(id);
    /* nobody looked in time: it is asked again, in the same name */
    now += 25 * HOUR_US;
    turn();
    assert_true(asked(id) != 0 && asked(id) != ask);
    ask = asked(id);
    assert_ok(decide_as(ask, false, "bob", 0, &covered), err);
    assert_int_equal(OF(id, ORDER_FAILED), 1);
    assert_int_equal(number("SELECT reason = 'bob refused it: a look' FROM device_order"), 1);
    now += 40 * DAY_US;
    turn();
    assert_int_equal(OPEN(), 0);
    assert_int_equal(asked(id), 0); /* and not again, until a person wants it */
    assert_ok(standing_retry(db, id, NULL, "ann", now, &n, &err), err);
    assert_int_equal(n, 1);
    turn();
    assert_int_equal(OPEN(), 0);
    ask = asked(id);
    assert_true(ask != 0);
    /* taken out, there is nothing to approve; brought back, it is asked about anew */
    struct blueprint_save x = {.b = {.group_id = g, .note = ""}, .base = -1, .actor = "ann"};
    x.now = now;
    assert_ok(blueprint_put(db, conf, arena, &x, &err), err);
    assert_int_equal(asked(id), 0);
    assert_outcome(decide_as(ask, true, "bob", 0, &covered), CONFLICT, err);
    restore(g, 1);
    assert_true(asked(id) != 0);
    turn();
    assert_int_equal(OPEN(), 0);
    assert_int_equal(approved(asked(id), "bob"), 1);
    turn();
    assert_int_equal(OPEN(), 1);
}

static void again_and_again_for_those_who_were_there(void **state)
{
    int64_t g = group("G", ""), id, first;
    (void)state;
    two_are_asked_for();
    devices(1, 1, "iPhone14,2", "17.0");
    put_into(g, 1, 1, false);
    id = sensitive(g, "every", 7);
    assert_int_equal(approved(asked(id), "bob"), 1);
    turn();
    first = now;
    assert_int_equal(OPEN(), 1);
    report(4, "1");
    turn();
    now = first + 7 * DAY_US;
    turn();
    assert_int_equal(OPEN(), 1);
    report(5, "1");
    turn();
    now += HOUR_US;
    turn();
    assert_int_equal(OPEN(), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM approval"), 1);
}

/* An order that was in force before two were asked for is no exception. */
static void orders_from_before(void **state)
{
    int64_t g = group("G", ""), id;
    (void)state;
    devices(1, 1, "iPhone14,2", "17.0");
    id = sensitive(g, "join", 0);
    two_are_asked_for();
    put_into(g, 1, 1, false);
    turn();
    assert_int_equal(OPEN(), 0);
    assert_int_equal(approved(asked(id), "bob"), 1);
    turn();
    assert_int_equal(OPEN(), 1);
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
    assert_ok(blueprint_draft(db, g, &x.b, 0, NULL, 0, "bob", now, &err), err);
    assert_ok(blueprint_get(db, g, BLUEPRINT_DRAFT, arena, &d, &err), err);
    /* what somebody else changes in it meanwhile is neither lost nor put in force unseen */
    assert_outcome(blueprint_draft(db, g, &x.b, 0, NULL, 0, "ann", now, &err), CONFLICT, err);
    x.drafted = d.created_at;
    assert_ok(blueprint_draft(db, g, &x.b, d.created_at, NULL, 0, "ann", now, &err), err);
    assert_outcome(blueprint_put(db, conf, arena, &x, &err), CONFLICT, err);
    assert_outcome(blueprint_draft(db, g, NULL, x.drafted, NULL, 0, "bob", now, &err), CONFLICT,
                   err);
    assert_ok(blueprint_get(db, g, BLUEPRINT_DRAFT, arena, &d, &err), err);
    x.drafted = d.created_at;
    assert_ok(blueprint_put(db, conf, arena, &x, &err), err);
    assert_int_equal(x.number, 3);
    x.drafted = 0;
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

/* Two persons change the group: the second learns of it, and nothing of the first is lost. */
static void a_group_is_saved_as_it_was_seen(void **state)
{
    int64_t id = group("G", "{\"fact\":\"platform\",\"is\":\"iOS\"}");
    struct device_group ann, bob;
    (void)state;
    assert_ok(group_get(db, id, arena, &ann, &err), err);
    assert_ok(group_get(db, id, arena, &bob, &err), err);
    ann.filter = "{\"fact\":\"platform\",\"is\":\"macOS\"}";
    assert_ok(group_save(db, &ann, "ann", 1, &err), err); /* a clock that runs behind */
    bob.note = "of bob";
    assert_outcome(group_save(db, &bob, "bob", now, &err), CONFLICT, err);
    assert_ok(group_get(db, id, arena, &bob, &err), err);
    assert_string_equal(bob.filter, ann.filter);
    assert_string_equal(bob.note, "");
    bob.note = "of bob";
    assert_ok(group_save(db, &bob, "bob", now, &err), err);
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
        cmocka_unit_test_setup(who_comes_later_waits_for_another_look, own_setup),
        cmocka_unit_test_setup(nobody_slips_one_in, own_setup),
        cmocka_unit_test_setup(whoever_brings_a_device_in_asks, own_setup),
        cmocka_unit_test_setup(an_empty_group_approves_nothing, own_setup),
        cmocka_unit_test_setup(what_is_refused_or_forgotten, own_setup),
        cmocka_unit_test_setup(again_and_again_for_those_who_were_there, own_setup),
        cmocka_unit_test_setup(orders_from_before, own_setup),
        cmocka_unit_test_setup(blueprints_change_as_a_whole, own_setup),
        cmocka_unit_test_setup(a_group_is_saved_as_it_was_seen, own_setup),
        cmocka_unit_test_setup(ten_thousand_at_once, own_setup),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
