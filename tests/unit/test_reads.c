/* test_reads.c: enrollments, queues and results as people and the HTTP API read them. */
#include "testdb.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/enrollment.h"
#include "store/ident.h"
#include "store/migrate.h"
#include "store/queue.h"

#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}
SQL(ADD_ENROLLMENT, "INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, serial, "
                    "user_short_name, created_at, last_seen_at) VALUES (?,?,?,?,?,?,?,?,?,?)");
SQL(ADD_LIFE,
    "INSERT INTO life (id, enrollment_id, state, cert_sha256, topic, push_token, "
    "unlock_token, opened_at, token_at) VALUES (?,?,2,?,'com.apple.mgmt.T','tok','x',1,2)");
SQL(ADD_CERT, "INSERT INTO identity_cert (sha256, der) VALUES (?,'DER')");
SQL(ADD_COMMAND, "INSERT INTO command (id, uuid, request_type, body, created_at, created_by) "
                 "VALUES (?,?,'ProfileList',?,?,'tester')");
SQL(ADD_QUEUE, "INSERT INTO queue (enrollment_id, urgency, queued_at, command_id, state) "
               "VALUES (?,?,?,?,1)");
SQL(ADD_RESULT, "INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at, "
                "report) VALUES (?,?,4,5,6,'report')");
SQL(DEQUEUE, "DELETE FROM queue WHERE command_id=?");

static struct db *db;
static struct arena *arena;
static struct err err;

static void run(const struct sql *sql, const struct val *args, size_t n)
{
    assert_ok(db_exec(db, sql, args, n, NULL, &err), err);
}
#define RUN(sql, ...)                                                                              \
    run(&(sql), (struct val[]){__VA_ARGS__},                                                       \
        sizeof((struct val[]){__VA_ARGS__}) / sizeof(struct val))

/* Devices D00 to D29: D00 to D09 enrolled with a life, D10 to D19 pending, the others left; each
 * third has a user. All of one state were seen at the same moment. */
static void fill_enrollments(void)
{
    for (int i = 0; i < 30; i++) {
        char name[32], serial[16];
        uint8_t sha[32];
        int64_t id = 1000 + i, life = i < 10 ? 5000 + i : 0;
        int state = i < 10 ? ENROLLMENT_ENROLLED : i < 20 ? ENROLLMENT_PENDING : ENROLLMENT_LEFT;
        snprintf(name, sizeof name, "D%02d", i);
        snprintf(serial, sizeof serial, "S%02d", i);
        memset(sha, i + 1, sizeof sha);
        RUN(ADD_ENROLLMENT, val_int(id), val_str(name), val_int(IDENT_DEVICE), val_int(id),
            val_int(state), life ? val_int(life) : val_null(), val_str(serial), val_null(),
            val_int(100), val_int(1000 + i / 10));
        if (life) {
            RUN(ADD_LIFE, val_int(life), val_int(id), val_bin(bytes_of(sha, 32)));
            RUN(ADD_CERT, val_bin(bytes_of(sha, 32)));
        }
        if (i % 3)
            continue;
        snprintf(name, sizeof name, "D%02d:user%d", i, i);
        RUN(ADD_ENROLLMENT, val_int(id + 1000), val_str(name), val_int(IDENT_USER), val_int(id),
            val_int(state), val_null(), val_null(), val_str(i == 3 ? "it's \"her\"" : "him"),
            val_int(100), val_int(1000));
    }
}

static int set_up(void **state)
{
    int applied;
    (void)state;
    arena = arena_new(64 * LIM_MB);
    assert_ok(db_new(testdb_conf(TESTDB_DIR, "drover_reads"), DB_OWNER, &db, &err), err);
    assert_ok(migrate_run(db, "sql/schema", false, &applied, &err), err);
    fill_enrollments();
    return 0;
}

static struct enrollment *list(const struct enrollment_filter *f, enum enrollment_order order,
                               struct enrollment_cursor after, size_t offset, size_t max, size_t *n)
{
    struct enrollment *e;
    bool more;
    assert_ok(enrollment_list(db, f, order, &after, offset, max, false, arena, &e, n, &more, &err),
              err);
    assert_true(*n == 0 ||
                (after.id == e[*n - 1].id && after.last_seen_at == e[*n - 1].last_seen_at) ||
                !more);
    return e;
}

/* Walks all pages; how many rows, each of them once. */
static size_t walk(const struct enrollment_filter *f, enum enrollment_order order, size_t page)
{
    struct enrollment_cursor after = {0, 0};
    char seen[3000] = {0};
    size_t total = 0, n;
    int64_t last = INT64_MAX;
    do {
        struct enrollment *e = list(f, order, after, 0, page, &n);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(seen[e[i].id]++, 0);
            if (order == ENROLLMENT_BY_LAST_SEEN) {
                assert_true(e[i].last_seen_at <= last);
                last = e[i].last_seen_at;
            }
            after = (struct enrollment_cursor){e[i].id, e[i].last_seen_at};
        }
        total += n;
    } while (n == page);
    return total;
}

static void pages_are_exact_in_both_orders(void **state)
{
    struct enrollment_filter all = {0}, enrolled = {.states = 1u << ENROLLMENT_ENROLLED};
    (void)state;
    for (size_t page = 1; page < 12; page++) {
        assert_int_equal(walk(&all, ENROLLMENT_BY_ID, page), 40);
        assert_int_equal(walk(&all, ENROLLMENT_BY_LAST_SEEN, page), 40);
        assert_int_equal(walk(&enrolled, ENROLLMENT_BY_ID, page), 14);
    }
}

static void filters_hold_together(void **state)
{
    const char *idents[] = {"D01", "D03:user3", "D15", "' OR 1=1 --", "D01"};
    const char *serials[] = {"S15", "S01", "S02", "x"};
    const char *users[] = {"it's \"her\"", "D"};
    struct enrollment_filter f = {.idents = idents, .nidents = 5};
    struct enrollment_cursor start = {0, 0};
    struct enrollment *e;
    size_t n;
    (void)state;
    e = list(&f, ENROLLMENT_BY_ID, start, 0, 10, &n);
    assert_int_equal(n, 3);
    assert_string_equal(e[0].ident, "D01");
    assert_string_equal(e[2].device_ident, "D03");
    f.serials = serials;
    f.nserials = 4;
    list(&f, ENROLLMENT_BY_ID, start, 0, 10, &n);
    assert_int_equal(n, 2);
    f.states = 1u << ENROLLMENT_PENDING;
    e = list(&f, ENROLLMENT_BY_LAST_SEEN, start, 0, 10, &n);
    assert_int_equal(n, 1);
    assert_string_equal(e[0].ident, "D15");
    f = (struct enrollment_filter){.user_short_names = users, .nuser_short_names = 2};
    e = list(&f, ENROLLMENT_BY_ID, start, 0, 10, &n);
    assert_int_equal(n, 1);
    assert_string_equal(e[0].user_short_name, "it's \"her\"");
    f = (struct enrollment_filter){.serials = serials, .nserials = 0};
    list(&f, ENROLLMENT_BY_ID, start, 0, 10, &n);
    assert_int_equal(n, 0);
    f = (struct enrollment_filter){.kinds = 1u << IDENT_USER};
    list(&f, ENROLLMENT_BY_ID, start, 0, 50, &n);
    assert_int_equal(n, 10);
    list(&f, ENROLLMENT_BY_ID, start, 8, 50, &n);
    assert_int_equal(n, 2);
}

static void one_has_its_life_and_certificate(void **state)
{
    struct enrollment e;
    (void)state;
    assert_ok(enrollment_get(db, "D04", arena, &e, &err), err);
    assert_string_equal(e.topic, "com.apple.mgmt.T");
    assert_int_equal(e.token_at, 2);
    assert_true(e.has_unlock_token);
    assert_false(e.has_bootstrap_token);
    assert_true(bytes_equal(e.cert_der, bytes_str("DER")));
    assert_int_equal(e.cert_sha256.p[0], 5);
    assert_ok(enrollment_get(db, "D15", arena, &e, &err), err);
    assert_string_equal(e.topic, "");
    assert_int_equal(e.token_at, 0);
    assert_outcome(enrollment_get(db, "nobody", arena, &e, &err), NOT_FOUND, err);
}

static void briefs_and_counts(void **state)
{
    const char *idents[1200];
    struct enrollment_brief *b;
    int64_t counts[5];
    size_t n;
    (void)state;
    for (size_t i = 0; i < 1200; i++)
        idents[i] = i == 7 ? "D05" : i == 1100 ? "D25" : "nobody";
    assert_ok(enrollment_briefs(db, idents, 1200, arena, &b, &n, &err), err);
    assert_int_equal(n, 2);
    assert_string_equal(b[0].ident, "D05");
    assert_true(b[0].pushable && b[0].unlockable);
    assert_int_equal(b[1].state, ENROLLMENT_LEFT);
    assert_false(b[1].pushable || b[1].unlockable);
    assert_ok(enrollment_count(db, arena, counts, &err), err);
    assert_int_equal(counts[ENROLLMENT_ENROLLED], 14);
    assert_int_equal(counts[ENROLLMENT_PENDING], 13);
    assert_int_equal(counts[ENROLLMENT_LEFT], 13);
    assert_int_equal(counts[ENROLLMENT_ENDED], 0);
}

/* Thirty commands for D00: three urgencies, all queued in two moments. */
static void queue_pages_in_order_while_it_moves(void **state)
{
    struct queue_item *q, last = {0}, *after = NULL;
    size_t n, total = 0;
    (void)state;
    for (int i = 0; i < 30; i++) {
        char uuid[16];
        snprintf(uuid, sizeof uuid, "C%02d", i);
        RUN(ADD_COMMAND, val_int(100 + i), val_str(uuid), val_bin(bytes_str("body")), val_int(1));
        RUN(ADD_QUEUE, val_int(1000), val_int(i % 3 - 1), val_int(50 + i % 2), val_int(100 + i));
    }
    do {
        assert_ok(queue_list(db, "D00", after, 7, after == NULL ? 4 : 3, arena, &q, &n, &err), err);
        for (size_t i = 0; i < n; i++) {
            bool ordered =
                total + i == 0 || last.priority > q[i].priority ||
                (last.priority == q[i].priority &&
                 (last.queued_at < q[i].queued_at ||
                  (last.queued_at == q[i].queued_at && last.command_id < q[i].command_id)));
            assert_true(ordered);
            assert_true(bytes_equal(q[i].body, bytes_str(after == NULL ? "body" : "")));
            last = q[i];
        }
        total += n;
        after = &last;
        RUN(DEQUEUE, val_int(last.command_id)); /* the row the next page goes on from is gone */
    } while (n == 7);
    assert_int_equal(total, 30);
    assert_outcome(queue_list(db, "nobody", NULL, 7, 0, arena, &q, &n, &err), NOT_FOUND, err);
}

static void results_newest_first(void **state)
{
    struct queue_item *q, one;
    int64_t before = 0;
    size_t n, total = 0;
    (void)state;
    for (int i = 0; i < 10; i++)
        RUN(ADD_RESULT, val_int(1001), val_int(100 + i));
    do {
        assert_ok(queue_results(db, "D01", before, 4, 6, arena, &q, &n, &err), err);
        for (size_t i = 0; i < n; i++) {
            assert_true(before == 0 || q[i].command_id < before);
            assert_true(bytes_equal(q[i].report, bytes_str("report")));
            before = q[i].command_id;
        }
        total += n;
    } while (n == 4);
    assert_int_equal(total, 10);
    assert_ok(queue_get(db, "D01", "C03", arena, &one, &err), err);
    assert_int_equal(one.state, QUEUE_ACKNOWLEDGED);
    assert_true(bytes_equal(one.report, bytes_str("report")));
    assert_true(bytes_equal(one.body, bytes_str("body")));
    assert_outcome(queue_get(db, "D01", "C29", arena, &one, &err), NOT_FOUND, err);
    assert_outcome(queue_get(db, "D02", "C03", arena, &one, &err), NOT_FOUND, err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_exact_in_both_orders),
        cmocka_unit_test(filters_hold_together),
        cmocka_unit_test(one_has_its_life_and_certificate),
        cmocka_unit_test(briefs_and_counts),
        cmocka_unit_test(queue_pages_in_order_while_it_moves),
        cmocka_unit_test(results_newest_first),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
