/* convergence.h: a database with devices and groups, and the engine that brings devices to what
 * they are to have. For test programs only, which define CONVERGENCE_DB. */
#ifndef DROVER_TESTS_UNIT_CONVERGENCE_H
#define DROVER_TESTS_UNIT_CONVERGENCE_H

#include "testdb.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "base/limits.h"
#include "allturns.h"
#include "library/converge.h"
#include "store/assignment.h"
#include "store/group.h"
#include "store/id.h"
#include "store/library.h"
#include "store/member.h"
#include "store/migrate.h"

static struct conf *conf;
static struct arena *arena;
static struct db *db;
static struct err err;
static struct converge *engine;
static int64_t now;

static inline void sql(const char *fmt, ...) PRINTF_LIKE(1, 2);
static inline void sql(const char *fmt, ...)
{
    char text[3000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    assert_ok(db_run(db, "sql", text, &err), err);
}

static inline int64_t number(const char *fmt, ...) PRINTF_LIKE(1, 2);
static inline int64_t number(const char *fmt, ...)
{
    char text[1000];
    struct rows r;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct sql s = {.name = "number", .text = text};
    assert_ok(db_select(db, &s, NULL, 0, arena, &r, &err), err);
    db_forget(db, &s);
    return r.n ? val_or_0(row_at(&r, 0, 0)) : -1;
}

/* Devices from..to that have enrolled, of that ProductName and OSVersion. */
static inline void devices(int from, int to, const char *product, const char *os)
{
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, product_name, "
        "os_version, created_at, last_seen_at) SELECT seq, CONCAT('D', seq), 1, seq, 2, seq, '%s', "
        "'%s', 1, 1 FROM seq_%d_to_%d",
        product, os, from, to);
    sql("INSERT INTO life (id, enrollment_id, state, opened_at, push_token) SELECT seq, seq, 2, 1, "
        "'t' FROM seq_%d_to_%d",
        from, to);
}

/* n users of device `of`, with ids from of * 100 + 1 on: D1:u101 and so on. */
static inline void users(int of, int n)
{
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, user_short_name, "
        "user_long_name, created_at, last_seen_at) SELECT seq, CONCAT('D%d:u', seq), 2, %d, 2, "
        "seq, CONCAT('u', seq), CONCAT('User ', seq), 1, 1 FROM seq_%d_to_%d",
        of, of, of * 100 + 1, of * 100 + n);
    sql("INSERT INTO life (id, enrollment_id, state, opened_at, push_token) SELECT seq, seq, 2, 1, "
        "'t' FROM seq_%d_to_%d",
        of * 100 + 1, of * 100 + n);
}

static inline int64_t group(const char *name, const char *filter)
{
    struct device_group g = {.name = name, .filter = filter, .note = ""};
    assert_ok(group_save(db, &g, "t", clock_now(), &err), err);
    return g.id;
}

static inline void put_into(int64_t id, int from, int to, bool out)
{
    const char **list = arena_array(arena, (size_t)(to - from + 2), sizeof *list);
    size_t n = 0;
    for (int i = from; i <= to; i++)
        list[n++] = arena_fmt(arena, "D%d", i);
    struct group_edit e = {
        .add = list, .nadd = out ? 0 : n, .remove = list, .nremove = out ? n : 0};
    assert_ok(group_edit(db, id, &e, "t", clock_now(), &err), err);
    assert_int_equal(e.unknown, 0);
}

static inline void turn(void)
{
    now = now > clock_now() ? now + SECOND_US : clock_now();
    err = (struct err){0};
    assert_ok(converge_all(engine, now, &err), err);
}

/* Devices report on everything that is open: state 4 acknowledged, 5 error. */
static inline void report(int state, const char *where)
{
    sql("INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at, report) "
        "SELECT "
        "enrollment_id, command_id, %d, queued_at, %lld, IF(%d = 5, '<plist><dict>"
        "<key>ErrorChain</key><array><dict><key>ErrorCode</key><integer>4001</integer>"
        "<key>ErrorDomain</key><string>MCInstallationErrorDomain</string>"
        "<key>USEnglishDescription</key><string>no &amp; "
        "no</string></dict></array></dict></plist>', "
        "NULL) FROM queue WHERE %s",
        state, (long long)now, state, where);
    sql("DELETE FROM queue WHERE %s", where);
}

/* A profile of the library with those payload types. */
static inline int64_t item(const char *identifier, const char *types)
{
    struct library_upload u = {.item = {.kind = LIBRARY_PROFILE,
                                        .identifier = identifier,
                                        .name = identifier,
                                        .signing = LIBRARY_SIGNED,
                                        .halt_percent = 25},
                               .v = {.id = id_new(),
                                     .uuid = "U",
                                     .size = 1,
                                     .signed_by = "",
                                     .types = types,
                                     .details = "{}"},
                               .content = bytes_str("x"),
                               .actor = "t",
                               .now = clock_now()};
    random_bytes(u.v.sha256, 32);
    assert_ok(library_add(db, &u, &err), err);
    return u.v.item_id;
}

static inline void new_version(int64_t id, const char *identifier)
{
    struct library_upload u = {
        .item = {.kind = LIBRARY_PROFILE, .identifier = identifier},
        .item_id = id,
        .v =
            {.id = id_new(), .uuid = "V", .size = 1, .signed_by = "", .types = "", .details = "{}"},
        .content = bytes_str("y"),
        .actor = "t",
        .now = clock_now()};
    random_bytes(u.v.sha256, 32);
    assert_ok(library_add(db, &u, &err), err);
}

static inline int64_t assign(int64_t g, int64_t i)
{
    int64_t id;
    assert_ok(assignment_add(db, g, i, "t", clock_now(), &id, &err), err);
    return id;
}

/* Channels with an item in a state. */
#define STATES(i, s)                                                                               \
    number("SELECT COUNT(*) FROM device_item WHERE item_id = %lld AND state = %d", (long long)(i), \
           (s))

static inline int each_setup(void **state)
{
    static const char *const tables[] = {"enrollment",
                                         "life",
                                         "queue",
                                         "result",
                                         "command",
                                         "push",
                                         "library_item",
                                         "library_version",
                                         "device_group",
                                         "group_member",
                                         "device_tag",
                                         "assignment",
                                         "device_item",
                                         "rollout",
                                         "newcomer",
                                         "audit",
                                         "inv_device",
                                         "inv_security",
                                         "inv_area",
                                         "inv_profile",
                                         "enroll_profile",
                                         "enroll_profile_item",
                                         "handout",
                                         "standing_order",
                                         "device_order",
                                         "group_blueprint",
                                         "approval",
                                         "approval_target",
                                         "device_item_wait",
                                         "inv_secret"};
    (void)state;
    arena_reset(arena);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        sql("TRUNCATE %s", tables[i]);
    converge_free(&engine);
    assert_ok(converge_new(conf, db, &engine, &err), err);
    now = clock_now();
    return 0;
}

static inline int set_up(void **state)
{
    int applied;
    (void)state;
    arena = arena_new(512 * LIM_MB);
    conf = testdb_conf(TESTDB_DIR, CONVERGENCE_DB);
    conf->apns_expiration_s = 3600;
    assert_ok(db_new(conf, DB_OWNER, &db, &err), err);
    assert_ok(migrate_run(db, "sql/schema", false, &applied, &err), err);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    converge_free(&engine);
    db_free(&db);
    arena_free(&arena);
    return 0;
}

#endif
