/* test_push.c: what Apple is asked and what its answers mean; the outbox and the lease. */
#include "testdb.h"

#include <pthread.h>

#include "base/clock.h"
#include "push/apns.h"
#include "store/lease.h"
#include "store/migrate.h"
#include "store/push.h"
#include "store/pushcert.h"
#include "wire/json.h"

#define DATABASE "drover_test_push"
#define NOW (INT64_C(1795317443) * SECOND_US)
#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}

static const struct conf *conf;
static struct db *db;
static struct arena *arena;
static struct err err;

/* --- requests and answers --- */

static struct apns_verdict judge(int status, const char *body, const char *retry_after)
{
    struct apns_verdict v;
    apns_judge(status, bytes_str(body), retry_after, NULL, NOW, &v);
    return v;
}

static void reasons_mean(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *reason;
        enum apns_action action;
    } cases[] = {
        {400, "BadCollapseId", APNS_FAIL},
        {400, "BadDeviceToken", APNS_DEAD},
        {400, "BadExpirationDate", APNS_FAIL},
        {400, "BadMessageId", APNS_FAIL},
        {400, "BadPriority", APNS_FAIL},
        {400, "BadTopic", APNS_FAIL},
        {400, "DeviceTokenNotForTopic", APNS_DEAD},
        {400, "DuplicateHeaders", APNS_FAIL},
        {400, "IdleTimeout", APNS_RETRY},
        {400, "InvalidPushType", APNS_FAIL},
        {400, "MissingDeviceToken", APNS_FAIL},
        {400, "MissingTopic", APNS_FAIL},
        {400, "PayloadEmpty", APNS_FAIL},
        {400, "TopicDisallowed", APNS_SUSPEND},
        {403, "BadCertificate", APNS_SUSPEND},
        {403, "BadCertificateEnvironment", APNS_SUSPEND},
        {403, "Forbidden", APNS_SUSPEND},
        {404, "BadPath", APNS_FAIL},
        {405, "MethodNotAllowed", APNS_FAIL},
        {410, "ExpiredToken", APNS_DEAD},
        {410, "Unregistered", APNS_DEAD},
        {413, "PayloadTooLarge", APNS_FAIL},
        {429, "TooManyRequests", APNS_RETRY},
        {500, "InternalServerError", APNS_RETRY},
        {502, "no reason", APNS_RETRY},
        {503, "ServiceUnavailable", APNS_RETRY},
        {503, "Shutdown", APNS_RETRY},
        {302, "no reason", APNS_FAIL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[100];
        snprintf(body, sizeof body, "{\"reason\":\"%s\"}", cases[i].reason);
        struct apns_verdict v = judge(cases[i].status, body, NULL);
        if (v.action != cases[i].action)
            fail_msg("%d %s means %d", cases[i].status, cases[i].reason, v.action);
        assert_string_equal(v.reason, cases[i].reason);
        assert_int_equal(v.status, cases[i].status);
    }
    struct apns_verdict ok = judge(200, "", NULL);
    assert_int_equal(ok.action, APNS_SENT);
    assert_string_equal(ok.reason, "");
}

/* A reason decides only with its own status: a proxy's 503 may say anything. */
static void strange_bodies(void **state)
{
    (void)state;
    char longest[600];
    assert_int_equal(judge(503, "{\"reason\":\"BadDeviceToken\"}", NULL).action, APNS_RETRY);
    assert_int_equal(judge(400, "<html>", NULL).action, APNS_FAIL);
    assert_string_equal(judge(400, "<html>", NULL).reason, "no reason");
    assert_string_equal(judge(410, "[1]", NULL).reason, "no reason");
    assert_string_equal(judge(410, "{\"reason\":7}", NULL).reason, "no reason");
    snprintf(longest, sizeof longest, "{\"reason\":\"%0500d\"}", 0);
    assert_int_equal(strlen(judge(400, longest, NULL).reason), APNS_REASON_MAX);
}

static void timestamps(void **state)
{
    (void)state;
    const char *at = "{\"reason\":\"Unregistered\",\"timestamp\":1795317443123}";
    assert_int_equal(judge(410, at, NULL).timestamp_us, NOW + 123000);
    assert_int_equal(judge(410, "{\"timestamp\":-5}", NULL).timestamp_us, 0);
    assert_int_equal(judge(410, "{\"timestamp\":9223372036854775807}", NULL).timestamp_us, 0);
    assert_int_equal(judge(410, "{\"timestamp\":\"1\"}", NULL).timestamp_us, 0);
}

static void retry_after(void **state)
{
    (void)state;
    assert_int_equal(judge(429, "", NULL).retry_after_us, -1);
    assert_int_equal(judge(429, "", "7").retry_after_us, 7 * SECOND_US);
    assert_int_equal(judge(429, "", "0").retry_after_us, 0);
    assert_int_equal(judge(429, "", "99999999999999999999").retry_after_us, DAY_US);
    assert_int_equal(judge(429, "", "soon").retry_after_us, -1);
    assert_int_equal(judge(429, "", "-3").retry_after_us, -1);
    assert_int_equal(judge(503, "", "Sun, 22 Nov 2026 03:18:23 GMT").retry_after_us, MINUTE_US);
    assert_int_equal(judge(503, "", "Sun, 22 Nov 2025 03:18:23 GMT").retry_after_us, 0);
    assert_int_equal(judge(503, "", "Fri, 22 Nov 2030 03:18:23 GMT").retry_after_us, DAY_US);
}

/* The bounds of many draws: at least `low`, at most `high`, and not all alike. */
static void between(const struct apns_verdict *v, int attempts, int64_t low, int64_t high)
{
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 200; i++) {
        int64_t t = apns_backoff(v, attempts);
        least = t < least ? t : least;
        most = t > most ? t : most;
    }
    if (least < low || most > high || least == most)
        fail_msg("attempt %d: %lld to %lld", attempts, (long long)least, (long long)most);
}

static void backoff(void **state)
{
    (void)state;
    struct apns_verdict lost, v503 = judge(503, "", NULL), v429 = judge(429, "", NULL);
    struct apns_verdict later = judge(503, "", "100"), refused = judge(403, "", NULL);
    apns_no_answer("reset", &lost);
    assert_int_equal(lost.action, APNS_RETRY);
    assert_string_equal(lost.reason, "reset");
    between(&lost, 1, 800000, 1200000);
    between(&lost, 4, 6400000, 9600000);
    between(&lost, 30000, 4 * MINUTE_US, 6 * MINUTE_US);
    between(&v503, 1, 1600000, 2400000);
    between(&v503, 2, 12 * MINUTE_US, 18 * MINUTE_US);
    between(&v503, 30000, 96 * MINUTE_US, 144 * MINUTE_US);
    between(&v429, 1, 24 * SECOND_US, 36 * SECOND_US);
    between(&refused, 1, 12 * MINUTE_US, 18 * MINUTE_US);
    between(&later, 1, 100 * SECOND_US, 120 * SECOND_US);
}

static void body_is_exact(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(APNS_BODY_MAX);
    apns_body("5F3A", &b);
    assert_string_equal(buf_cstr(&b), "{\"mdm\":\"5F3A\"}");
    buf_clear(&b);
    apns_body("a\"b\\c\n\xc3\xa9", &b);
    js root;
    assert_ok(js_parse(buf_bytes(&b), &root, &err), err);
    assert_int_equal(js_size(root), 1);
    assert_string_equal(js_get_str(root, "mdm"), "a\"b\\c\n\xc3\xa9");
    js_free(&root);
    buf_clear(&b);
    char longest[LIM_PUSH_MAGIC + 1];
    memset(longest, 1, LIM_PUSH_MAGIC);
    longest[LIM_PUSH_MAGIC] = '\0';
    apns_body(longest, &b);
    assert_false(buf_failed(&b));
    buf_free(&b);
}

static void headers(void **state)
{
    (void)state;
    struct apns_headers h;
    char topic[LIM_TOPIC + 1];
    memset(topic, 't', LIM_TOPIC);
    topic[LIM_TOPIC] = '\0';
    apns_headers(&h, "com.apple.mgmt.X", "", NOW + 999999);
    assert_int_equal(h.n, 5);
    assert_string_equal(h.p[0], "apns-topic: com.apple.mgmt.X");
    assert_string_equal(h.p[1], "apns-push-type: mdm");
    assert_string_equal(h.p[2], "apns-priority: 10");
    assert_string_equal(h.p[3], "apns-expiration: 1795317443");
    apns_headers(&h, topic, "5B1A2C3D-0000-4000-8000-0123456789AB", NOW);
    assert_int_equal(h.n, 6);
    assert_int_equal(strlen(h.p[0]), strlen("apns-topic: ") + LIM_TOPIC);
    assert_string_equal(h.p[5], "apns-id: 5B1A2C3D-0000-4000-8000-0123456789AB");
}

/* --- the outbox --- */

SQL(CLEAR_PUSH, "DELETE FROM push");
SQL(CLEAR_LIFE, "DELETE FROM life");
SQL(CLEAR_ENROLLMENT, "DELETE FROM enrollment");
SQL(ADD_ENROLLMENT, "INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, "
                    "created_at, last_seen_at) VALUES (?, ?, 1, ?, 2, ?, 0, 0)");
SQL(ADD_LIFE, "INSERT INTO life (id, enrollment_id, state, topic, push_token, push_magic, "
              "opened_at, token_at) VALUES (?, ?, 2, 'com.apple.mgmt.X', ?, 'magic', 0, 5)");
SQL(NEW_TOKEN, "UPDATE life SET push_token = ?, token_at = 6, push_dead_at = NULL WHERE id = ?");
SQL(ASK_DEAD, "SELECT push_dead_at IS NOT NULL FROM life WHERE id = ?");
SQL(FUTURE, "UPDATE push SET due_at = due_at + 3600000000, attempts = 3 WHERE enrollment_id = ?");

static int64_t ask(const struct sql *sql, int64_t id)
{
    struct rows r;
    assert_ok(db_select(db, sql, (struct val[]){val_int(id)}, 1, arena, &r, &err), err);
    assert_int_equal(r.n, 1);
    return row_at(&r, 0, 0)->i;
}

static int outbox_begin(void **state)
{
    (void)state;
    arena_reset(arena);
    assert_ok(db_exec(db, &CLEAR_PUSH, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &CLEAR_LIFE, NULL, 0, NULL, &err), err);
    assert_ok(db_exec(db, &CLEAR_ENROLLMENT, NULL, 0, NULL, &err), err);
    for (int64_t i = 1; i <= 5; i++) {
        char ident[16];
        snprintf(ident, sizeof ident, "U%d", (int)i);
        assert_ok(db_exec(db, &ADD_ENROLLMENT,
                          (struct val[]){val_int(i), val_str(ident), val_int(i), val_int(i)}, 4,
                          NULL, &err),
                  err);
        assert_ok(db_exec(db, &ADD_LIFE,
                          (struct val[]){val_int(i), val_int(i), val_bin(bytes_str("token"))}, 3,
                          NULL, &err),
                  err);
    }
    return 0;
}

static void want(int64_t id, const char *apns_id)
{
    struct push_want w = {id, apns_id};
    assert_ok(push_request(db, &w, 1, 3600, &err), err);
}

static struct push_row get(int64_t id)
{
    struct push_row *r;
    size_t n;
    assert_ok(push_read(db, &id, 1, arena, &r, &n, &err), err);
    assert_int_equal(n, 1);
    return *r;
}

static struct push_due *due(size_t want_n)
{
    struct push_due *d;
    size_t n;
    assert_ok(push_due_read(db, 100, arena, &d, &n, &err), err);
    assert_int_equal(n, want_n);
    return d;
}

static void apply(struct push_change c)
{
    assert_ok(push_apply(db, &c, 1, arena, &err), err);
}

/* Claims the one due push with mark m. */
static struct push_change claim(int64_t id, int64_t m)
{
    struct push_due *d = due(1);
    assert_int_equal(d->enrollment_id, id);
    struct push_change c = {.enrollment_id = id,
                            .wanted_at = d->wanted_at,
                            .claim = m,
                            .state = PUSH_CLAIMED,
                            .life_id = d->life_id,
                            .token_at = d->token_at,
                            .token = d->token};
    apply(c);
    assert_int_equal(get(id).state, PUSH_CLAIMED);
    c.tried = true;
    c.status = 200;
    c.reason = "";
    c.state = PUSH_SENT;
    return c;
}

static void wanted_claimed_sent(void **state)
{
    (void)state;
    want(1, "5B1A2C3D-0000-4000-8000-0123456789AB");
    assert_false(push_settled(&(struct push_row){.state = PUSH_WANTED}));
    struct push_due *d = due(1);
    assert_true(d->enrolled);
    assert_string_equal(d->magic, "magic");
    assert_string_equal(d->apns_id, "5B1A2C3D-0000-4000-8000-0123456789AB");
    assert_true(bytes_equal(d->token, bytes_str("token")));
    assert_int_equal(d->expires_at - d->wanted_at, 3600 * SECOND_US);
    apply(claim(1, NOW));
    struct push_row r = get(1);
    assert_int_equal(r.state, PUSH_SENT);
    assert_int_equal(r.attempts, 1);
    assert_int_equal(r.last_status, 200);
    assert_true(r.sent_at >= r.wanted_at);
    assert_true(push_settled(&r));
    due(0);
}

static void a_new_wish_is_stronger_than_an_old_result(void **state)
{
    (void)state;
    want(1, NULL);
    struct push_change c = claim(1, NOW);
    want(1, NULL);
    apply(c);
    assert_int_equal(get(1).state, PUSH_WANTED);
    c = claim(1, NOW + 1);
    struct push_change old = c;
    old.claim = NOW;
    apply(old); /* the late answer of the first flight is not the second's */
    assert_int_equal(get(1).state, PUSH_CLAIMED);
    old.state = PUSH_FAILED;
    old.status = 400;
    apply(old);
    assert_int_equal(get(1).state, PUSH_CLAIMED);
    apply(c);
    assert_int_equal(get(1).state, PUSH_SENT);
}

static void many_in_one_call(void **state)
{
    (void)state;
    struct push_want w[5] = {{5, NULL}, {1, NULL}, {4, NULL}, {2, NULL}, {3, NULL}};
    assert_ok(push_request(db, w, 5, 3600, &err), err);
    struct push_due *d = due(5);
    struct push_change c[5] = {0};
    for (size_t i = 0; i < 5; i++) {
        c[i].enrollment_id = d[i].enrollment_id;
        c[i].wanted_at = d[i].wanted_at;
        c[i].claim = NOW + (int64_t)i / 3;
        c[i].state = PUSH_CLAIMED;
        assert_int_equal(strlen(d[i].apns_id), UUID_LEN);
        if (i > 0)
            assert_string_not_equal(d[i].apns_id, d[0].apns_id);
    }
    uint64_t trips = db_round_trips(db);
    assert_ok(push_apply(db, c, 5, arena, &err), err);
    trips = db_round_trips(db) - trips;
    for (size_t i = 0; i < 5; i++) {
        c[i].state = i == 4 ? PUSH_FAILED : PUSH_SENT;
        c[i].tried = true;
        c[i].status = i == 4 ? 413 : 200;
        c[i].reason = i == 4 ? "PayloadTooLarge" : "";
    }
    int64_t failed = c[4].enrollment_id;
    assert_ok(push_apply(db, c, 5, arena, &err), err);
    for (int64_t id = 1; id <= 5; id++)
        assert_int_equal(get(id).state, id == failed ? PUSH_FAILED : PUSH_SENT);
    assert_string_equal(get(failed).reason, "PayloadTooLarge");
    assert_true(trips <= 6); /* the statements may have been prepared */
}

static void waiting_wishes_are_one_and_back_off_goes_on(void **state)
{
    (void)state;
    want(1, "5B1A2C3D-0000-4000-8000-0123456789AB");
    want(1, NULL);
    assert_string_equal(get(1).apns_id, "5B1A2C3D-0000-4000-8000-0123456789AB");
    want(1, "6B1A2C3D-0000-4000-8000-0123456789AB");
    assert_string_equal(get(1).apns_id, "6B1A2C3D-0000-4000-8000-0123456789AB");
    due(1);
    assert_ok(db_exec(db, &FUTURE, (struct val[]){val_int(1)}, 1, NULL, &err), err);
    want(1, NULL);
    due(0);
    struct push_row r = get(1);
    assert_int_equal(r.attempts, 3);
    assert_true(push_settled(&r));
}

static void a_dead_token(void **state)
{
    (void)state;
    want(1, NULL);
    struct push_change c = claim(1, NOW);
    c.state = PUSH_DEAD;
    c.status = 410;
    c.reason = "Unregistered";
    apply(c);
    assert_int_equal(get(1).state, PUSH_DEAD);
    assert_int_equal(ask(&ASK_DEAD, 1), 1);
    want(1, NULL);
    assert_string_equal(due(1)->dead_why, "Unregistered");
    /* a TokenUpdate */
    apply((struct push_change){.enrollment_id = 1,
                               .wanted_at = due(1)->wanted_at,
                               .state = PUSH_DEAD,
                               .reason = "Unregistered"});
    assert_int_equal(get(1).state, PUSH_DEAD);
    assert_ok(db_exec(db, &NEW_TOKEN, (struct val[]){val_bin(bytes_str("fresh")), val_int(1)}, 2,
                      NULL, &err),
              err);
    assert_ok(push_revive(db, (int64_t[]){1}, 1, &err), err);
    assert_true(bytes_equal(due(1)->token, bytes_str("fresh")));
    assert_string_equal(due(1)->dead_why, "");
}

static void a_token_that_changed_while_its_answer_was_under_way(void **state)
{
    (void)state;
    want(1, NULL);
    struct push_change c = claim(1, NOW);
    c.state = PUSH_DEAD;
    c.status = 410;
    c.reason = "Unregistered";
    assert_ok(db_exec(db, &NEW_TOKEN, (struct val[]){val_bin(bytes_str("fresh")), val_int(1)}, 2,
                      NULL, &err),
              err);
    apply(c);
    assert_int_equal(ask(&ASK_DEAD, 1), 0);
    assert_int_equal(get(1).state, PUSH_WANTED);
    due(1);
}

static void revival_spares_what_was_sent(void **state)
{
    (void)state;
    want(1, NULL);
    apply(claim(1, NOW));
    assert_ok(push_revive(db, (int64_t[]){1, 2}, 2, &err), err);
    assert_int_equal(get(1).state, PUSH_SENT);
    want(2, NULL);
    struct push_change c = claim(2, NOW + 1);
    assert_ok(push_revive(db, (int64_t[]){2}, 1, &err), err);
    apply(c); /* it went to the old token */
    assert_int_equal(get(2).state, PUSH_WANTED);
}

static void released(void **state)
{
    (void)state;
    uint64_t n;
    want(1, NULL);
    struct push_change c = claim(1, clock_now() + HOUR_US);
    assert_ok(push_release(db, true, &n, &err), err);
    assert_int_equal(n, 0);
    assert_ok(push_release(db, false, &n, &err), err);
    assert_int_equal(n, 1);
    apply(c);
    claim(1, clock_now() - SECOND_US);
    assert_ok(push_release(db, true, &n, &err), err);
    assert_int_equal(n, 1);
    due(1);
}

static void waited_for(void **state)
{
    (void)state;
    struct push_row *r;
    size_t n;
    want(1, NULL);
    int64_t begun = clock_mono();
    assert_ok(push_wait(db, (int64_t[]){1, 77}, 2, 150, arena, &r, &n, &err), err);
    assert_true(clock_mono() - begun >= 150000);
    assert_int_equal(n, 1);
    assert_false(push_settled(r));
    apply(claim(1, NOW));
    begun = clock_mono();
    assert_ok(push_wait(db, (int64_t[]){1}, 1, 2000, arena, &r, &n, &err), err);
    assert_true(clock_mono() - begun < 1000000);
    assert_int_equal(r->state, PUSH_SENT);
}

/* --- the lease --- */

static bool hold(const char *who, int64_t us)
{
    bool held;
    assert_ok(lease_hold(db, "test", who, us, &held, &err), err);
    return held;
}

static void lease_has_one_holder(void **state)
{
    (void)state;
    assert_true(hold("a", 300000));
    assert_false(hold("b", 300000));
    assert_true(hold("a", 300000));
    usleep(400000);
    assert_true(hold("b", HOUR_US));
    assert_false(hold("a", HOUR_US));
    assert_ok(lease_release(db, "test", "a", &err), err); /* not its own */
    assert_false(hold("a", HOUR_US));
    assert_ok(lease_release(db, "test", "b", &err), err);
    assert_true(hold("a", SECOND_US));
}

struct racer {
    pthread_t thread;
    char name[16];
    bool held;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    struct db *own;
    if (db_new(conf, DB_OWNER, &own, NULL) == OK &&
        lease_hold(own, "race", r->name, HOUR_US, &r->held, NULL) != OK)
        r->held = false;
    db_free(&own);
    return NULL;
}

static void of_many_one_gets_it(void **state)
{
    (void)state;
    struct racer r[8] = {0};
    int holders = 0;
    for (int i = 0; i < 8; i++) {
        snprintf(r[i].name, sizeof r[i].name, "r%d", i);
        assert_int_equal(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(r[i].thread, NULL);
        holders += r[i].held;
    }
    assert_int_equal(holders, 1);
}

static int setup(void **state)
{
    int applied;
    (void)state;
    conf = testdb_conf(TESTDB_DIR, DATABASE);
    arena = arena_new(LIM_MB);
    assert_ok(db_new(conf, DB_OWNER, &db, &err), err);
    assert_ok(migrate_run(db, "sql/schema", false, &applied, &err), err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    db_free(&db);
    arena_free(&arena);
    return 0;
}

#define OUTBOX(f) cmocka_unit_test_setup(f, outbox_begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_mean),
        cmocka_unit_test(strange_bodies),
        cmocka_unit_test(timestamps),
        cmocka_unit_test(retry_after),
        cmocka_unit_test(backoff),
        cmocka_unit_test(body_is_exact),
        cmocka_unit_test(headers),
        OUTBOX(wanted_claimed_sent),
        OUTBOX(a_new_wish_is_stronger_than_an_old_result),
        OUTBOX(many_in_one_call),
        OUTBOX(waiting_wishes_are_one_and_back_off_goes_on),
        OUTBOX(a_dead_token),
        OUTBOX(a_token_that_changed_while_its_answer_was_under_way),
        OUTBOX(revival_spares_what_was_sent),
        OUTBOX(released),
        OUTBOX(waited_for),
        cmocka_unit_test(lease_has_one_holder),
        cmocka_unit_test(of_many_one_gets_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
