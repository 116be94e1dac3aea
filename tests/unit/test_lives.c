/*
 * test_lives.c: the lives of an enrolment in any order. Random messages of one device, of some
 * identities and of two of its users, with decisions about it in between; after each, and after
 * many at once in two batches as if they were two workers, the rows must still agree.
 */
#include "owner.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "store/authenticate.h"
#include "store/exchange.h"
#include "store/leave.h"
#include "store/queue.h"
#include "store/token_update.h"
#include "wire/encode.h"

#include <pthread.h>

#define TOPIC "com.apple.mgmt.External.test"
#define CERTS 4
#define USERS 2
#define RUNS 40
#define STEPS 60
#define THREADS 8

static _Atomic int faults;

struct device {
    char udid[UUID_LEN + 1];
    uint8_t cert[CERTS][32];
    struct ident id, user[USERS];
};

static struct device device_new(void)
{
    struct device d = {.id = {.kind = IDENT_DEVICE}};
    char udid[sizeof d.udid];

    uuid_v4(udid);
    memcpy(d.udid, udid, sizeof udid);
    random_bytes(d.cert, sizeof(d.cert));
    snprintf(d.id.name, sizeof(d.id.name), "%s", d.udid);
    snprintf(d.id.device, sizeof(d.id.device), "%s", d.udid);
    for (int i = 0; i < USERS; i++) {
        d.user[i] = d.id;
        d.user[i].kind = IDENT_USER;
        snprintf(d.user[i].name, sizeof(d.user[i].name), "%.36s:user%d", udid, i);
    }
    return d;
}

/* One who speaks for the device: with a batch, or alone on a connection. */
struct speaker {
    struct device *d;
    struct batch *batch;
    struct db *db;
    struct arena *a;
    uint64_t seed;
};

static unsigned dice(struct speaker *s, unsigned sides)
{
    s->seed = s->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(s->seed >> 33) % sides;
}

/* What was told to come back later, after deadlocks in a row, comes back: eight speak for one
 * device at once. */
#define COMES_BACK 20
static bool comes_back(enum outcome o, int *times)
{
    return o == UNAVAILABLE && ++*times < COMES_BACK;
}

static bool fault(const char *what, enum outcome o, const struct err *e)
{
    fprintf(stderr, "%s: %s: %s\n", what, outcome_name(o), e->msg);
    faults++;
    return false;
}

static bool run(struct speaker *s, struct unit *u)
{
    enum outcome o;
    int times = 0;

    do
        o = s->batch != NULL ? batch_do(s->batch, u) : unit_do(s->db, u);
    while (comes_back(o, &times));
    return o == OK || fault(u->kind->name, o, &u->err);
}

static enum verdict authenticate(struct speaker *s, int cert)
{
    struct authenticate x;

    authenticate_init(&x, s->a, clock_now(), s->d->cert[cert], &s->d->id);
    x.topic = TOPIC;
    x.cert_subject = "CN=test";
    x.cert_serial = "1";
    x.cert_not_before = clock_now();
    return run(s, &x.unit) ? x.verdict : WHO_MISMATCH;
}

static bool token_update(struct speaker *s, int cert, const struct ident *id)
{
    struct token_update x;

    token_update_init(&x, s->a, clock_now(), s->d->cert[cert], id);
    x.topic = TOPIC;
    x.push_magic = "magic";
    x.push_token = bytes_str("token");
    x.accept_restore = dice(s, 2) != 0;
    x.push_keep_s = 3600;
    return run(s, &x.unit) && x.accepted;
}

static enum verdict poll(struct speaker *s, int cert, const struct ident *id)
{
    struct exchange x, y;

    exchange_init(&x, s->a, clock_now(), s->d->cert[cert], id);
    if (!run(s, &x.unit))
        return WHO_MISMATCH;
    if (x.command_id != 0 && dice(s, 3) != 0) {
        exchange_init(&y, s->a, clock_now(), s->d->cert[cert], id);
        y.status = (enum report_status)(REPORT_ACKNOWLEDGED + (int)dice(s, 4));
        y.uuid = x.command_uuid;
        y.report = bytes_str("<report>");
        run(s, &y.unit);
    }
    return x.who.verdict;
}

static void command(struct speaker *s, const struct ident *id)
{
    const char *ident = id->name;
    enum enqueue_outcome outcome;
    char uuid[UUID_LEN + 1];
    int64_t found;
    struct err e;
    struct enqueue q = {.uuid = uuid,
                        .request_type = dice(s, 4) == 0 ? "EraseDevice" : "ProfileList",
                        .body = bytes_str("<plist/>"),
                        .idents = &ident,
                        .n = 1,
                        .actor = "test",
                        .now = clock_now(),
                        .outcomes = &outcome,
                        .enrollment_ids = &found};
    enum outcome o;
    int times = 0;

    uuid_v4(uuid);
    do
        o = queue_add(s->db, &q, &e);
    while (comes_back(o, &times));
    if (o != OK && o != NOT_FOUND)
        fault("command", o, &e);
}

static void decision(struct speaker *s)
{
    bool ends = dice(s, 2) == 0;
    size_t n, sent;
    struct err e;
    enum outcome o;
    int times = 0;

    do
        o = ends ? leave_end(s->db, s->d->udid, clock_now(), "admin:test", "sold", &e)
                 : queue_cancel(s->db, s->d->udid, NULL, "admin:test", "no", clock_now(), &n, &sent,
                                &e);
    while (comes_back(o, &times));
    if (o != OK && o != NOT_FOUND && o != CONFLICT)
        fault("decision", o, &e);
}

static void check_out(struct speaker *s, int cert)
{
    struct who who;
    struct err e;
    enum outcome o;
    int times = 0;

    do
        o = leave_check_out(s->db, s->d->cert[cert], &s->d->id, clock_now(), NULL, s->a, &who, &e);
    while (comes_back(o, &times));
    if (o != OK)
        fault("CheckOut", o, &e);
}

/* One message or decision. alone: what it promises can be asked for at once. */
static void step(struct speaker *s, bool alone)
{
    int cert = (int)dice(s, CERTS);
    unsigned what = dice(s, 20);
    const struct ident *user = &s->d->user[dice(s, USERS)];

    if (what < 4) {
        bool good = authenticate(s, cert) == WHO_GOOD;

        if (alone && good && dice(s, 2) == 0) {
            assert_true(token_update(s, cert, &s->d->id));
            assert_int_equal(poll(s, cert, &s->d->id), WHO_GOOD);
        }
    } else if (what < 8) {
        bool accepted = token_update(s, cert, &s->d->id);

        if (alone && accepted)
            assert_int_equal(poll(s, cert, &s->d->id), WHO_GOOD);
    } else if (what < 10) {
        bool accepted = token_update(s, cert, user);

        if (alone && accepted)
            assert_int_equal(poll(s, cert, user), WHO_GOOD);
    } else if (what < 14) {
        poll(s, cert, what == 10 ? user : &s->d->id);
    } else if (what < 18) {
        command(s, what == 14 ? user : &s->d->id);
    } else if (what == 18) {
        check_out(s, cert);
    } else if (dice(s, 3) == 0) {
        decision(s);
        if (alone) /* a new identity: what was ended may return */
            random_bytes(s->d->cert[dice(s, CERTS)], 32);
    }
    arena_reset(s->a);
}

/* ---- what must hold, whatever came ---- */

static const struct {
    const char *what, *count;
} rules[] = {
    {"an enrolled channel has a current life that is its own",
     "SELECT COUNT(*) FROM enrollment e LEFT JOIN life l ON l.id=e.life_id WHERE e.ident LIKE ? "
     "AND e.state=2 AND NOT (l.state<=>2 AND l.enrollment_id<=>e.id)"},
    {"only the life that an enrollment names is current",
     "SELECT COUNT(*) FROM life l JOIN enrollment e ON e.id=l.enrollment_id WHERE e.ident LIKE ? "
     "AND l.state=2 AND NOT (e.life_id<=>l.id AND e.state IN (1,2))"},
    {"only the life that an enrollment names is pending",
     "SELECT COUNT(*) FROM life l JOIN enrollment e ON e.id=l.enrollment_id WHERE e.ident LIKE ? "
     "AND l.state=1 AND NOT e.pending_life_id<=>l.id"},
    {"a pending life is pending",
     "SELECT COUNT(*) FROM enrollment e LEFT JOIN life l ON l.id=e.pending_life_id WHERE e.ident "
     "LIKE ? AND e.pending_life_id IS NOT NULL AND NOT (l.state<=>1 AND l.enrollment_id<=>e.id)"},
    {"an identity's life is one of its device",
     "SELECT COUNT(*) FROM identity_cert i JOIN enrollment e ON e.id=i.device_id LEFT JOIN life l "
     "ON l.id=i.life_id WHERE e.ident LIKE ? AND NOT l.enrollment_id<=>e.id"},
    {"a command stands in the queue or among the results",
     "SELECT COUNT(*) FROM queue q JOIN result r USING (enrollment_id, command_id) JOIN enrollment "
     "e ON e.id=q.enrollment_id WHERE e.ident LIKE ?"},
    {"no command is lost",
     "SELECT COUNT(*) FROM audit a JOIN command c ON c.uuid=a.subject WHERE "
     "a.action='command.queue' AND ?<>'' AND NOT EXISTS (SELECT 1 FROM queue q WHERE "
     "q.command_id=c.id) AND NOT EXISTS (SELECT 1 FROM result r WHERE r.command_id=c.id)"},
    {"what is ended was ended by somebody",
     "SELECT COUNT(*) FROM enrollment e WHERE e.ident LIKE ? AND e.state=4 AND e.ended_by IS NULL"},
};

static void assert_sound(const struct device *d, uint64_t seed)
{
    char like[UUID_LEN + 2];

    snprintf(like, sizeof(like), "%s%%", d->udid);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        static struct sql sql[sizeof(rules) / sizeof(rules[0])];
        struct val v = val_str(like);
        struct rows r;

        sql[i] = (struct sql){"rule", rules[i].count, 0};
        assert_ok(db_select(db, &sql[i], &v, 1, arena, &r, &err), err);
        if (row_at(&r, 0, 0)->i != 0)
            fail_msg("seed %llu: it does not hold that %s", (unsigned long long)seed,
                     rules[i].what);
    }
    arena_reset(arena);
}

static void one_after_another(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        struct device d = device_new();
        struct speaker s = {&d, NULL, db, arena_new(1 << 22), seed};

        for (int i = 0; i < STEPS; i++) {
            step(&s, true);
            assert_sound(&d, seed);
        }
        arena_free(&s.a);
    }
    assert_int_equal(faults, 0);
}

static void *speak(void *arg)
{
    struct speaker *s = arg;

    for (int i = 0; i < STEPS; i++)
        step(s, false);
    return NULL;
}

static void all_at_once(void **state)
{
    struct batch *worker[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_ok(batch_new(conf, DB_OWNER, LIM_BATCH, &worker[i], &err), err);
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct device d = device_new();
        struct speaker s[THREADS];
        pthread_t t[THREADS];

        for (int i = 0; i < THREADS; i++) {
            s[i] = (struct speaker){&d, worker[i % 2], NULL, arena_new(1 << 22), seed * 100 + i};
            assert_ok(db_new(conf, DB_OWNER, &s[i].db, &err), err);
            assert_int_equal(pthread_create(&t[i], NULL, speak, &s[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(t[i], NULL);
            db_free(&s[i].db);
            arena_free(&s[i].a);
        }
        assert_int_equal(faults, 0);
        assert_sound(&d, seed);
    }
    for (int i = 0; i < 2; i++)
        batch_free(&worker[i]);
}

/* What it signed for on its way in is held against what it says of itself when it enrols. */
static void another_than_it_signed_for(void **state)
{
    static const struct {
        const char *udid, *serial, *tells;
        enum verdict verdict;
    } cases[] = {{"", "F1", "F1", WHO_GOOD},
                 {"", "F1", NULL, WHO_GOOD}, /* the rights do not let it tell */
                 {NULL, NULL, "F1", WHO_GOOD},
                 {"", "F1", "F2", WHO_NOT_ATTESTED},
                 {"ANOTHER-UDID", "F1", "F1", WHO_NOT_ATTESTED},
                 {"ANOTHER-UDID", NULL, NULL, WHO_NOT_ATTESTED}};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        bool by_token = i % 2; /* of its CheckInURL, where the identity does not lead there */
        const char *udid = cases[i / 2].udid;
        struct device d = device_new();
        struct arena *a = arena_new(1 << 22);
        char token[33], hex[65], text[600];
        struct authenticate x;

        snprintf(token, sizeof token, "%032zx", i + 1);
        hex_encode(bytes_of(d.cert[0], 32), hex);
        snprintf(text, sizeof text,
                 "INSERT INTO handout (id, way, token, topic, server_url, checkin_url, "
                 "access_rights, server_capabilities, made_at, udid, serial) VALUES (%zu, 4, '%s', "
                 "'" TOPIC "', '', '', 1, '', 1, %s%s%s, %s%s%s)",
                 i + 1, token, udid ? "'" : "", udid ? udid[0] ? udid : d.udid : "NULL",
                 udid ? "'" : "", cases[i / 2].serial ? "'" : "",
                 cases[i / 2].serial ? cases[i / 2].serial : "NULL",
                 cases[i / 2].serial ? "'" : "");
        sql(text);
        snprintf(
            text, sizeof text,
            "INSERT INTO identity_cert (sha256, issued_at, handout_id) VALUES (UNHEX('%s'), 1, "
            "%zu)",
            hex, i + 1);
        if (!by_token)
            sql(text);
        authenticate_init(&x, a, clock_now(), d.cert[0], &d.id);
        x.topic = TOPIC;
        x.facts.serial = cases[i / 2].tells;
        x.token = by_token ? token : NULL;
        x.cert_der = bytes_str("der");
        x.cert_serial = x.cert_subject = "1";
        assert_int_equal(unit_do(db, &x.unit), OK);
        assert_int_equal(x.verdict, cases[i / 2].verdict);
        arena_free(&a);
    }
}

/* A device that enrols anew and tells what it told before leaves its row's indexes alone, and
 * nothing for the search to follow; one that tells something else is found by it. */
static void what_it_told_before(void **state)
{
    (void)state;
    static const struct {
        const char *name, *os;
        bool changes;
        const char *kept; /* the name that stands there then */
    } turns[] = {{"Anna", "17.4", true, "Anna"},    {"Anna", "17.4", false, "Anna"},
                 {NULL, "17.4", false, "Anna"},     {"Anna", "17.5", true, "Anna"},
                 {"anna", "17.5", true, "anna"},    {"anna", NULL, false, "anna"},
                 {"Annabel", NULL, true, "Annabel"}};
    struct device d = device_new();

    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        struct arena *a = arena_new(1 << 22);
        struct authenticate x;
        char ask[120];

        sql("UPDATE enrollment SET search_due = 0");
        authenticate_init(&x, a, clock_now(), d.cert[i % 2], &d.id);
        x.topic = TOPIC;
        x.facts.device_name = turns[i].name;
        x.facts.os_version = turns[i].os;
        x.cert_der = bytes_str("der");
        x.cert_serial = x.cert_subject = "1";
        assert_int_equal(unit_do(db, &x.unit), OK);
        assert_int_equal(x.verdict, WHO_GOOD);
        assert_int_equal(number("SELECT COUNT(*) FROM enrollment WHERE search_due = 1"),
                         turns[i].changes);
        snprintf(ask, sizeof ask,
                 "SELECT COUNT(*) FROM enrollment WHERE BINARY device_name = '%s' AND "
                 "pending_life_id IS NOT NULL",
                 turns[i].kept);
        assert_int_equal(number(ask), 1);
        arena_free(&a);
    }
}

static int set_up(void **state)
{
    (void)state;
    owner_up("drover_lives_units");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    owner_down();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_another),
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(another_than_it_signed_for),
        cmocka_unit_test(what_it_told_before),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
