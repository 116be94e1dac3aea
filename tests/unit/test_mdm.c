/*
 * test_mdm.c: lives, queues and exchanges against a real server, each case with every unit alone
 * and in batches made by many threads at once.
 */
#include "testdb.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "store/authenticate.h"
#include "store/exchange.h"
#include "store/inventory.h"
#include "store/later.h"
#include "store/leave.h"
#include "store/migrate.h"
#include "store/queue.h"
#include "store/token_update.h"
#include "wire/encode.h"

#include <pthread.h>
#include <unistd.h>

#define TOPIC "com.apple.mgmt.External.test"

static struct conf *conf;
static struct db *db;
static struct arena *arena;
static struct batch *batch; /* NULL: units are done alone on db */
static struct err err;

/* ---- a device ---- */

struct device {
    char udid[UUID_LEN + 1];
    uint8_t cert[32];
    struct ident id;
};

static void cert_new(struct device *d)
{
    random_bytes(d->cert, sizeof(d->cert));
}

static struct device device_new(void)
{
    struct device d = {{0}, {0}, {.kind = IDENT_DEVICE}};

    uuid_v4(d.udid);
    cert_new(&d);
    snprintf(d.id.name, sizeof(d.id.name), "%s", d.udid);
    snprintf(d.id.device, sizeof(d.id.device), "%s", d.udid);
    return d;
}

/* The ident points at its owner's UDID only while it is asked for. */
static const struct ident *id_of(struct device *d)
{
    d->id.udid = d->udid;
    return &d->id;
}

/* cmocka's assertions must not be used in a thread: what fails there is counted here. */
static _Atomic int faults;

static void run(struct unit *u)
{
    enum outcome o = batch != NULL ? batch_do(batch, u) : unit_do(db, u);

    if (o != OK) {
        fprintf(stderr, "%s: %s: %s\n", u->kind->name, outcome_name(o), u->err.msg);
        faults++;
    }
}

static enum verdict authenticate_with(struct device *d, struct arena *a)
{
    struct authenticate x;

    authenticate_init(&x, a, clock_now(), d->cert, id_of(d));
    x.topic = TOPIC;
    x.cert_subject = "CN=test";
    x.cert_serial = "1";
    x.cert_not_before = clock_now();
    x.facts.serial = "C02TEST";
    run(&x.unit);
    return x.verdict;
}

static enum verdict authenticate(struct device *d)
{
    return authenticate_with(d, arena);
}

static struct token_update token_update_with(struct device *d, const char *unlock, struct arena *a)
{
    struct token_update x;

    token_update_init(&x, a, clock_now(), d->cert, id_of(d));
    x.topic = TOPIC;
    x.push_magic = "magic";
    x.push_token = bytes_str("token");
    x.unlock_token = bytes_str(unlock);
    x.accept_restore = true;
    x.push_keep_s = 3600;
    run(&x.unit);
    return x;
}

static bool token_update(struct device *d, const char *unlock)
{
    return token_update_with(d, unlock, arena).accepted;
}

static struct device enrolled(void)
{
    struct device d = device_new();

    assert_int_equal(authenticate(&d), WHO_GOOD);
    assert_true(token_update(&d, "unlock"));
    return d;
}

static struct exchange say_with(struct device *d, enum report_status status, const char *uuid,
                                struct arena *a)
{
    struct exchange x;

    exchange_init(&x, a, clock_now(), d->cert, id_of(d));
    x.status = status;
    x.uuid = uuid;
    x.report = bytes_str("<report>");
    run(&x.unit);
    return x;
}

static struct exchange say(struct device *d, enum report_status status, const char *uuid)
{
    return say_with(d, status, uuid, arena);
}

static struct enqueue command_new(struct device *d, const char *uuid, const char *type)
{
    static const char *ident[1];
    static int64_t ids[1];
    static enum enqueue_outcome outcomes[1];

    ident[0] = d->udid;
    return (struct enqueue){.uuid = uuid,
                            .request_type = type,
                            .body = bytes_str("<plist/>"),
                            .idents = ident,
                            .n = 1,
                            .actor = "test",
                            .now = clock_now(),
                            .outcomes = outcomes,
                            .enrollment_ids = ids};
}

static char *queue_command(struct device *d, const char *type)
{
    char *uuid = arena_alloc(arena, UUID_LEN + 1);
    struct enqueue e;

    uuid_v4(uuid);
    e = command_new(d, uuid, type);
    assert_ok(queue_add(db, &e, &err), err);
    return uuid;
}

/* One number the database knows. */
static int64_t ask(const char *text, const char *arg)
{
    struct sql *sql = arena_alloc(arena, sizeof(*sql));
    struct val v = val_str(arg);
    struct rows r;

    *sql = (struct sql){"ask", text, 0};
    assert_ok(db_select(db, sql, &v, 1, arena, &r, &err), err);
    assert_int_equal(r.n, 1);
    return val_is_null(row_at(&r, 0, 0)) ? -1 : row_at(&r, 0, 0)->i;
}

static int64_t state_of(const char *uuid)
{
    return ask("SELECT COALESCE((SELECT q.state FROM queue q WHERE q.command_id=c.id), "
               "(SELECT r.state FROM result r WHERE r.command_id=c.id)) FROM command c "
               "WHERE c.uuid=?",
               uuid);
}

#define assert_next(x, uuid)                                                                       \
    do {                                                                                           \
        struct exchange x_ = (x);                                                                  \
        assert_true(x_.command_id != 0);                                                           \
        assert_string_equal(x_.command_uuid, (uuid));                                              \
    } while (0)
#define assert_empty(x) assert_int_equal((x).command_id, 0)

/* ---- cases ---- */

static void cycle(void **state)
{
    struct device d = enrolled();
    char *a = queue_command(&d, "DeviceInformation"), *b = queue_command(&d, "ProfileList");
    struct exchange x;

    (void)state;
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    assert_int_equal(state_of(a), QUEUE_SENT);
    x = say(&d, REPORT_ACKNOWLEDGED, a);
    assert_int_equal(x.effect, EFFECT_STORED);
    assert_next(x, b);
    assert_int_equal(state_of(a), QUEUE_ACKNOWLEDGED);
    x = say(&d, REPORT_ERROR, b);
    assert_empty(x);
    assert_int_equal(state_of(b), QUEUE_ERROR);
    assert_empty(say(&d, REPORT_IDLE, NULL));
}

/* Left on the queue until a final status comes: offered again under the same UUID. */
static void delivered_again(void **state)
{
    struct device d = enrolled();
    char *a = queue_command(&d, "DeviceInformation");
    struct exchange x;

    (void)state;
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    x = say(&d, REPORT_ACKNOWLEDGED, a);
    assert_int_equal(x.effect, EFFECT_STORED);
    x = say(&d, REPORT_ERROR, a); /* the first final status is the result */
    assert_int_equal(x.effect, EFFECT_REPEATED);
    assert_int_equal(state_of(a), QUEUE_ACKNOWLEDGED);
    assert_int_equal(ask("SELECT r.sent_count FROM result r JOIN command c ON c.id=r.command_id "
                         "WHERE c.uuid=?",
                         a),
                     2);
}

#define PUSHES                                                                                     \
    "SELECT COUNT(*) FROM push p JOIN enrollment e ON e.id=p.enrollment_id WHERE e.ident=?"

static void not_now(void **state)
{
    struct device d = enrolled();
    char *a = queue_command(&d, "InstallProfile"), *b = queue_command(&d, "DeviceInformation");
    struct exchange x;

    (void)state;
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    x = say(&d, REPORT_NOT_NOW, a);
    assert_int_equal(x.effect, EFFECT_STORED);
    assert_next(x, b); /* others may be offered */
    assert_int_equal(state_of(a), QUEUE_NOT_NOW);
    assert_empty(say(&d, REPORT_ACKNOWLEDGED, b)); /* not again in this exchange */
    assert_int_equal(say(&d, REPORT_NOT_NOW, a).effect, EFFECT_REPEATED);
    assert_int_equal(ask("SELECT q.notnow_count FROM queue q JOIN command c ON c.id=q.command_id "
                         "WHERE c.uuid=?",
                         a),
                     1);
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    assert_empty(say(&d, REPORT_ACKNOWLEDGED, a));
    assert_int_equal(state_of(a), QUEUE_ACKNOWLEDGED);
    assert_int_equal(ask("SELECT r.notnow_count FROM result r JOIN command c ON c.id=r.command_id "
                         "WHERE c.uuid=?",
                         a),
                     1);
    assert_int_equal(ask(PUSHES, d.udid), 0); /* it comes back by itself */
}

/* Two put off; at the next Idle a more urgent one goes first, and both are offered after it. */
static void not_now_both(void **state)
{
    struct device d = enrolled();
    char *a = queue_command(&d, "InstallProfile"), *b = queue_command(&d, "RemoveProfile");
    char urgent[UUID_LEN + 1];
    struct enqueue e;

    (void)state;
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    assert_next(say(&d, REPORT_NOT_NOW, a), b);
    assert_empty(say(&d, REPORT_NOT_NOW, b));
    uuid_v4(urgent);
    e = command_new(&d, urgent, "DeviceLock");
    e.priority = 10;
    assert_ok(queue_add(db, &e, &err), err);
    assert_next(say(&d, REPORT_IDLE, NULL), urgent);
    assert_next(say(&d, REPORT_ACKNOWLEDGED, urgent), a);
    assert_next(say(&d, REPORT_ACKNOWLEDGED, a), b);
    assert_empty(say(&d, REPORT_ACKNOWLEDGED, b));
}

/* One put off, one queued after it: the order of the queue holds at the next Idle. */
static void not_now_in_order(void **state)
{
    struct device d = enrolled();
    char *a = queue_command(&d, "InstallProfile"), *b;

    (void)state;
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    assert_empty(say(&d, REPORT_NOT_NOW, a));
    b = queue_command(&d, "RemoveProfile");
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    assert_next(say(&d, REPORT_NOT_NOW, a), b);
    assert_next(say(&d, REPORT_IDLE, NULL), a); /* b was sent and not answered */
    assert_next(say(&d, REPORT_ACKNOWLEDGED, a), b);
    assert_empty(say(&d, REPORT_ACKNOWLEDGED, b));
}

static int64_t rows_read(void)
{
    return ask(
        "SELECT CAST(SUM(VARIABLE_VALUE) AS INTEGER) FROM information_schema.GLOBAL_STATUS WHERE "
        "VARIABLE_NAME LIKE 'HANDLER_READ%' AND VARIABLE_NAME <> ?",
        "");
}

/* However many are put off, the next one costs the same, and nothing goes through the queue. */
static void not_now_to_all(void **state)
{
    enum { COMMANDS = 400, STEP = 100 };
    struct device d = enrolled();
    char *uuid[COMMANDS];
    struct exchange x;
    int64_t first = 0, before = 0, last = 0;

    (void)state;
    for (int i = 0; i < COMMANDS; i++)
        uuid[i] = queue_command(&d, "DeviceInformation");
    x = say(&d, REPORT_IDLE, NULL);
    for (int i = 0; i < COMMANDS; i++) {
        assert_next(x, uuid[i]);
        if (i == 0 || i == COMMANDS - STEP)
            before = rows_read();
        x = say(&d, REPORT_NOT_NOW, uuid[i]);
        if (i == STEP - 1)
            first = rows_read() - before;
        if (i == COMMANDS - 1)
            last = rows_read() - before;
    }
    assert_empty(x);
    assert_in_range(first, 1, STEP * 60);
    assert_in_range(last, 1, first * 3 / 2);
    assert_next(say(&d, REPORT_IDLE, NULL), uuid[0]);
}

#define LATER                                                                                      \
    "SELECT COUNT(*) FROM push_later p JOIN enrollment e ON e.id=p.enrollment_id WHERE e.ident=?"

static void push_later(struct device *d, const char *uuid, int64_t at, const char *apns_id)
{
    struct enqueue e = command_new(d, uuid, "DeviceLock");

    e.not_before = at;
    e.push = true;
    e.push_keep_s = 3600;
    e.apns_ids = &apns_id;
    assert_ok(queue_add(db, &e, &err), err);
}

/* A device is woken for a command when the command may be offered: neither before nor never. */
static void pushed_when_it_is_time(void **state)
{
    struct device d = enrolled(), other = enrolled();
    int64_t at = clock_now() + HOUR_US;
    char a[UUID_LEN + 1], b[UUID_LEN + 1], id[UUID_LEN + 1];
    size_t moved, dropped, n;

    (void)state;
    uuid_v4(a);
    uuid_v4(b);
    uuid_v4(id);
    push_later(&d, a, at, id);
    push_later(&other, b, at, NULL);
    assert_int_equal(ask(PUSHES, d.udid), 0);
    assert_ok(later_run(db, at - 1, 3600, &moved, &dropped, &err), err);
    assert_int_equal(moved + dropped, 0);
    /* no command waits for it any more */
    assert_ok(queue_cancel(db, other.udid, b, "ann", "no", clock_now(), &n, &n, &err), err);
    assert_ok(later_run(db, at, 3600, &moved, &dropped, &err), err);
    assert_int_equal(moved, 1);
    assert_int_equal(dropped, 1);
    assert_int_equal(
        ask(PUSHES " AND p.state=1 AND p.due_at <= UNIX_TIMESTAMP(NOW(6))*1000000", d.udid), 1);
    assert_int_equal(ask("SELECT COUNT(*) FROM push WHERE apns_id=?", id), 1);
    assert_int_equal(ask(PUSHES, other.udid), 0);
    assert_int_equal(ask(LATER, d.udid) + ask(LATER, other.udid), 0);
    assert_ok(later_run(db, at, 3600, &moved, &dropped, &err), err);
    assert_int_equal(moved + dropped, 0);
}

static void order_and_time(void **state)
{
    struct device d = enrolled();
    char later[UUID_LEN + 1], gone[UUID_LEN + 1], *a = queue_command(&d, "ProfileList");
    struct enqueue e;
    size_t n;

    (void)state;
    uuid_v4(later);
    e = command_new(&d, later, "DeviceLock");
    e.priority = 100;
    e.not_before = clock_now() + HOUR_US;
    assert_ok(queue_add(db, &e, &err), err);
    uuid_v4(gone);
    e = command_new(&d, gone, "DeviceLock");
    e.priority = 50;
    e.expires_at = clock_now() - 1;
    assert_ok(queue_add(db, &e, &err), err);
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    assert_ok(queue_expire(db, clock_now(), 100, &n, &err), err);
    assert_true(n >= 1);
    assert_int_equal(state_of(gone), QUEUE_EXPIRED);
    /* it was sent before, and the device answers after all */
    assert_int_equal(say(&d, REPORT_ACKNOWLEDGED, gone).effect, EFFECT_LATE);
    assert_int_equal(state_of(gone), QUEUE_ACKNOWLEDGED);
    assert_int_equal(state_of(later), QUEUE_QUEUED);
}

static void unknown_command(void **state)
{
    struct device d = enrolled(), other = enrolled();
    char *a = queue_command(&d, "ProfileList"), *theirs = queue_command(&other, "ProfileList");
    struct exchange x = say(&d, REPORT_ACKNOWLEDGED, "no-such-uuid");

    (void)state;
    assert_int_equal(x.effect, EFFECT_UNKNOWN);
    assert_next(x, a);
    assert_int_equal(say(&d, REPORT_ACKNOWLEDGED, theirs).effect, EFFECT_UNKNOWN);
    assert_int_equal(state_of(theirs), QUEUE_QUEUED);
}

static void cancelled(void **state)
{
    struct device d = enrolled();
    char *a = queue_command(&d, "ProfileList"), *b = queue_command(&d, "DeviceLock");
    size_t n, sent;

    (void)state;
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    assert_ok(queue_cancel(db, d.udid, a, "test", "why", clock_now(), &n, &sent, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(sent, 1);
    assert_next(say(&d, REPORT_IDLE, NULL), b);
    assert_int_equal(say(&d, REPORT_ERROR, a).effect, EFFECT_LATE);
    assert_int_equal(state_of(a), QUEUE_ERROR);
    assert_int_equal(queue_cancel(db, d.udid, a, "test", "why", clock_now(), &n, &sent, &err),
                     NOT_FOUND);
    assert_ok(queue_cancel(db, d.udid, NULL, "test", "why", clock_now(), &n, &sent, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(state_of(b), QUEUE_CANCELLED);
}

/* A reason as long as forms and API take it: with the command nearly all, in the audit log all. */
static void cancelled_for_a_long_reason(void **state)
{
    static const struct sql DETAIL = {
        "t", "SELECT detail FROM audit WHERE action = 'command.cancel' AND subject = ?", 0};
    struct device d = enrolled();
    char *a = queue_command(&d, "ProfileList"), why[2 * 255 + 1];
    struct queue_item item;
    struct rows r;
    size_t n, sent;

    (void)state;
    for (size_t i = 0; i < 255; i++)
        memcpy(&why[2 * i], "\xc3\xa4", 3);
    assert_ok(queue_cancel(db, d.udid, a, "test", why, clock_now(), &n, &sent, &err), err);
    assert_ok(queue_get(db, d.udid, a, arena, &item, &err), err);
    assert_int_equal(strncmp(item.closed_why, "test: \xc3\xa4", 8), 0);
    assert_int_equal(strlen(item.closed_why), 6 + 2 * 189);
    assert_ok(db_select(db, &DETAIL, (struct val[]){val_str(a)}, 1, arena, &r, &err), err);
    assert_int_equal(r.n, 1);
    assert_string_equal(strstr(row_at(&r, 0, 0)->s, "why=") + 4, why);
}

/* The same message once more, after its command was given up or the batch it was in was undone. */
static void cancelled_before_another_try(void **state)
{
    struct device d = enrolled();
    char *a = queue_command(&d, "ProfileList");
    struct exchange x = say(&d, REPORT_IDLE, NULL);
    size_t n, sent;

    (void)state;
    assert_next(x, a);
    assert_ok(queue_cancel(db, d.udid, a, "test", "why", clock_now(), &n, &sent, &err), err);
    run(&x.unit);
    assert_empty(x);
}

static void dedupe(void **state)
{
    struct device d = enrolled();
    char a[UUID_LEN + 1], b[UUID_LEN + 1], c[UUID_LEN + 1];
    struct enqueue e;

    (void)state;
    uuid_v4(a), uuid_v4(b), uuid_v4(c);
    e = command_new(&d, a, "DeviceInformation");
    e.dedupe_key = "inventory";
    assert_ok(queue_add(db, &e, &err), err);
    e = command_new(&d, b, "DeviceInformation");
    e.dedupe_key = "inventory";
    assert_int_equal(queue_add(db, &e, &err), NOT_FOUND);
    assert_int_equal(e.outcomes[0], ENQUEUE_DUPLICATE);
    e = command_new(&d, c, "DeviceInformation");
    e.dedupe_key = "inventory";
    e.dedupe = DEDUPE_SUPERSEDE;
    assert_ok(queue_add(db, &e, &err), err);
    assert_int_equal(state_of(a), QUEUE_CANCELLED);
    assert_next(say(&d, REPORT_IDLE, NULL), c);
    e = command_new(&d, c, "DeviceInformation"); /* the same UUID once more */
    assert_int_equal(queue_add(db, &e, &err), CONFLICT);
}

/* Until the new life's TokenUpdate everything old stays valid; then nothing of it is left. */
static void wiped_and_enrolled_anew(void **state)
{
    struct device d = enrolled(), old = d;
    char *a = queue_command(&d, "ProfileList"), *erase = queue_command(&d, "EraseDevice"), *b;

    (void)state;
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    assert_next(say(&d, REPORT_ACKNOWLEDGED, a), erase);
    b = queue_command(&d, "DeviceLock");
    cert_new(&d);
    assert_int_equal(authenticate(&d), WHO_GOOD);
    assert_int_equal(state_of(erase), QUEUE_UNCONFIRMED);
    assert_next(say(&old, REPORT_IDLE, NULL), b);
    assert_int_equal(say(&d, REPORT_IDLE, NULL).who.verdict, WHO_PENDING);
    assert_true(token_update(&d, ""));
    assert_int_equal(state_of(b), QUEUE_CANCELLED);
    assert_int_equal(say(&old, REPORT_IDLE, NULL).who.verdict, WHO_OLD);
    assert_empty(say(&d, REPORT_IDLE, NULL));
    assert_int_equal(ask("SELECT l.unlock_token IS NULL FROM enrollment e JOIN life l "
                         "ON l.id=e.life_id WHERE e.ident=?",
                         d.udid),
                     1);
    assert_int_equal(ask("SELECT l.token_update_tally FROM enrollment e JOIN life l ON "
                         "l.id=e.life_id WHERE e.ident=?",
                         d.udid),
                     1);
    assert_true(token_update(&d, "x"));
    assert_int_equal(ask("SELECT l.token_update_tally FROM enrollment e JOIN life l ON "
                         "l.id=e.life_id WHERE e.ident=?",
                         d.udid),
                     2);
}

static void renewed(void **state)
{
    static const struct sql RENEWS = {
        "renews",
        "INSERT INTO identity_cert (sha256, renews_device_id) SELECT ?, id FROM enrollment "
        "WHERE ident=?",
        0};
    struct device d = enrolled(), old = d;
    char *a = queue_command(&d, "ProfileList");

    (void)state;
    cert_new(&d);
    assert_ok(db_exec(db, &RENEWS, (struct val[]){val_bin(bytes_of(d.cert, 32)), val_str(d.udid)},
                      2, NULL, &err),
              err);
    assert_int_equal(authenticate(&d), WHO_GOOD);
    assert_next(say(&old, REPORT_IDLE, NULL), a); /* the old identity still serves */
    assert_true(token_update(&d, ""));
    assert_next(say(&d, REPORT_IDLE, NULL), a); /* the queue carried over, and the secret */
    assert_int_equal(ask("SELECT l.unlock_token IS NULL FROM enrollment e JOIN life l "
                         "ON l.id=e.life_id WHERE e.ident=?",
                         d.udid),
                     0);
}

static void authenticate_repeated(void **state)
{
    struct device d = device_new();

    (void)state;
    assert_int_equal(authenticate(&d), WHO_GOOD);
    assert_int_equal(authenticate(&d), WHO_GOOD);
    assert_int_equal(ask("SELECT COUNT(*) FROM life l JOIN enrollment e ON e.id=l.enrollment_id "
                         "WHERE e.ident=?",
                         d.udid),
                     1);
    assert_true(token_update(&d, ""));
    assert_true(token_update(&d, ""));
}

/* The installation failed: the device goes on with what it had, and tries again later. */
static void update_failed(void **state)
{
    struct device d = enrolled(), second = d, third = d;
    char *a = queue_command(&d, "ProfileList");

    (void)state;
    cert_new(&second);
    assert_int_equal(authenticate(&second), WHO_GOOD);
    assert_true(token_update(&d, "")); /* the old identity's token changes meanwhile */
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    cert_new(&third);
    assert_int_equal(authenticate(&third), WHO_GOOD);
    assert_int_equal(say(&second, REPORT_IDLE, NULL).who.verdict, WHO_OLD);
    assert_true(token_update(&third, ""));
    assert_int_equal(say(&third, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);
}

static void identities(void **state)
{
    struct device a = enrolled(), b = enrolled(), thief = a, stranger = device_new();

    (void)state;
    memcpy(thief.cert, b.cert, 32); /* b's identity with a's UDID */
    assert_int_equal(say(&thief, REPORT_IDLE, NULL).who.verdict, WHO_MISMATCH);
    assert_int_equal(authenticate(&thief), WHO_MISMATCH);
    assert_false(token_update(&thief, ""));
    cert_new(&thief); /* an identity of nobody with a's UDID */
    assert_int_equal(say(&thief, REPORT_IDLE, NULL).who.verdict, WHO_MISMATCH);
    assert_int_equal(say(&stranger, REPORT_IDLE, NULL).who.verdict, WHO_UNBOUND);
    assert_int_equal(say(&a, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);
}

static void change(const char *text, struct device *d)
{
    struct sql *sql = arena_alloc(arena, sizeof(*sql));
    struct val v = val_str(d->udid);

    *sql = (struct sql){"change", text, 0};
    assert_ok(db_exec(db, sql, &v, 1, NULL, &err), err);
}

/* As droverctl moves a device in from another server. */
static void forget_certificate(struct device *d)
{
    change("DELETE i FROM identity_cert i JOIN enrollment e ON e.id=i.device_id WHERE e.ident=?",
           d);
    change("UPDATE life l JOIN enrollment e ON e.life_id=l.id SET l.cert_sha256=NULL "
           "WHERE e.ident=?",
           d);
}

static void left_and_restored(void **state)
{
    struct device d = enrolled();
    char *a = queue_command(&d, "ProfileList");
    struct who who;
    struct token_update t;

    (void)state;
    assert_ok(leave_check_out(db, d.cert, id_of(&d), clock_now(), NULL, arena, &who, &err), err);
    assert_int_equal(who.verdict, WHO_GOOD);
    assert_int_equal(state_of(a), QUEUE_CANCELLED);
    assert_int_equal(say(&d, REPORT_IDLE, NULL).who.verdict, WHO_LEFT);
    assert_ok(leave_check_out(db, d.cert, id_of(&d), clock_now(), NULL, arena, &who, &err), err);
    assert_int_equal(who.verdict, WHO_LEFT);
    t = token_update_with(&d, "", arena);
    assert_true(t.accepted);
    assert_int_equal(say(&d, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);
}

/* The result of its last command overtakes nothing: it comes after the CheckOut. */
static void reported_after_leaving(void **state)
{
    struct device d = enrolled();
    char *a = queue_command(&d, "RemoveProfile");
    struct exchange x;
    struct who who;

    (void)state;
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    assert_ok(leave_check_out(db, d.cert, id_of(&d), clock_now(), NULL, arena, &who, &err), err);
    x = say(&d, REPORT_ACKNOWLEDGED, a);
    assert_int_equal(x.who.verdict, WHO_LEFT);
    assert_int_equal(x.effect, EFFECT_LATE);
    assert_empty(x);
    assert_int_equal(state_of(a), QUEUE_ACKNOWLEDGED);
}

/* A device that was moved in without a certificate leaves with its first message. */
static void left_at_first_contact(void **state)
{
    struct device d = enrolled(), thief = d, other = enrolled();
    struct who who;

    (void)state;
    assert_int_equal(ask("SELECT COUNT(*) FROM enrollment WHERE ident=?", d.udid), 1);
    forget_certificate(&d);
    assert_ok(leave_check_out(db, d.cert, id_of(&d), clock_now(), NULL, arena, &who, &err), err);
    assert_int_equal(who.verdict, WHO_GOOD);
    assert_int_equal(ask("SELECT state FROM enrollment WHERE ident=?", d.udid), ENROLLMENT_LEFT);

    /* and the certificate of another device binds nobody, whatever was read before */
    d = enrolled();
    memcpy(thief.cert, other.cert, 32);
    memcpy(&thief.id, &d.id, sizeof d.id);
    memcpy(thief.udid, d.udid, sizeof d.udid);
    forget_certificate(&d);
    assert_ok(who_look(db, thief.cert, id_of(&thief), arena, &who, &err), err);
    assert_int_equal(who.verdict, WHO_MISMATCH);
    assert_int_equal(say(&other, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);
    assert_int_equal(say(&d, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);
    assert_ok(who_look(db, d.cert, id_of(&d), arena, &who, &err), err); /* bound since it asked */
    assert_int_equal(who.verdict, WHO_GOOD);
}

static void ended(void **state)
{
    struct device d = enrolled(), again = d;

    (void)state;
    assert_ok(leave_end(db, d.udid, clock_now(), "admin:test", "sold", &err), err);
    assert_int_equal(say(&d, REPORT_IDLE, NULL).who.verdict, WHO_ENDED);
    assert_int_equal(leave_end(db, d.udid, clock_now(), "admin:test", "sold", &err), CONFLICT);
    assert_int_equal(authenticate(&d), WHO_ENDED); /* the old identity does not come back */
    cert_new(&again);
    assert_int_equal(authenticate(&again), WHO_GOOD);
    assert_int_equal(say(&d, REPORT_IDLE, NULL).who.verdict, WHO_ENDED);
    assert_true(token_update(&again, ""));
    assert_int_equal(say(&again, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);
    assert_int_not_equal(say(&d, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);
}

static void user_channel(void **state)
{
    struct device d = enrolled(), u = d;
    char *a;
    struct enqueue e;
    static char uuid[UUID_LEN + 1];

    (void)state;
    u.id.kind = IDENT_USER;
    snprintf(u.id.name, sizeof(u.id.name), "%.36s:some-user", d.udid);
    assert_int_equal(say(&u, REPORT_IDLE, NULL).who.verdict, WHO_NO_CHANNEL);
    assert_true(token_update(&u, ""));
    assert_true(token_update(&u, ""));
    uuid_v4(uuid);
    e = command_new(&u, uuid, "ProfileList");
    e.idents = (const char *[]){u.id.name};
    assert_ok(queue_add(db, &e, &err), err);
    assert_empty(say(&d, REPORT_IDLE, NULL)); /* not on the device's channel */
    assert_next(say(&u, REPORT_IDLE, NULL), uuid);
    a = queue_command(&d, "ProfileList");
    assert_next(say(&d, REPORT_IDLE, NULL), a);
    cert_new(&d); /* the device is enrolled anew: its users wait for a TokenUpdate */
    assert_int_equal(authenticate(&d), WHO_GOOD);
    assert_true(token_update(&d, ""));
    memcpy(u.cert, d.cert, 32);
    assert_int_equal(state_of(uuid), QUEUE_CANCELLED);
    assert_true(token_update(&u, ""));
    assert_empty(say(&u, REPORT_IDLE, NULL));
}

static int64_t rows_sent(void)
{
    return ask("SELECT CAST(VARIABLE_VALUE AS INTEGER) FROM information_schema.SESSION_STATUS "
               "WHERE VARIABLE_NAME='ROWS_SENT' AND ?<>''",
               "x");
}

/* What is read for the message of one user does not grow with the number of users. */
static void many_users(void **state)
{
    static const struct sql USERS = {
        "many_users",
        "INSERT INTO enrollment (id, ident, kind, device_id, state, created_at, last_seen_at) "
        "SELECT e.id + seq, CONCAT(e.ident, ':user-', seq), 2, e.id, 2, 0, 0 FROM enrollment e "
        "JOIN seq_1_to_500 WHERE e.ident=?",
        0};
    struct device d = enrolled(), u = d;
    struct exchange x;
    struct token_update t;
    struct val ident = val_str(d.udid);
    int64_t before;

    (void)state;
    assert_ok(db_exec(db, &USERS, &ident, 1, NULL, &err), err);
    u.id.kind = IDENT_USER;
    snprintf(u.id.name, sizeof(u.id.name), "%.36s:user-77", d.udid);
    exchange_init(&x, arena, clock_now(), u.cert, id_of(&u));
    x.status = REPORT_IDLE;
    before = rows_sent();
    assert_int_equal(unit_do(db, &x.unit), OK);
    assert_int_equal(x.who.verdict, WHO_GOOD);
    exchange_init(&x, arena, clock_now(), u.cert, id_of(&u));
    x.status = REPORT_ACKNOWLEDGED;
    x.uuid = "none";
    assert_int_equal(unit_do(db, &x.unit), OK);
    assert_int_equal(x.who.verdict, WHO_GOOD);
    token_update_init(&t, arena, clock_now(), u.cert, id_of(&u));
    t.topic = TOPIC;
    t.push_magic = "magic";
    t.push_token = bytes_str("token");
    assert_int_equal(unit_do(db, &t.unit), OK);
    assert_true(t.accepted);
    assert_in_range(rows_sent() - before, 1, 20);
}

/* Ended between its Authenticate and its TokenUpdate: it does not slip through. */
static void ended_while_pending(void **state)
{
    struct device d = device_new(), again = enrolled();

    (void)state;
    assert_int_equal(authenticate(&d), WHO_GOOD);
    assert_ok(leave_end(db, d.udid, clock_now(), "admin:test", "sold", &err), err);
    assert_false(token_update(&d, ""));
    assert_int_equal(say(&d, REPORT_IDLE, NULL).who.verdict, WHO_ENDED);
    assert_int_equal(authenticate(&d), WHO_ENDED);

    cert_new(&again); /* the same for a device that had an installation before */
    assert_int_equal(authenticate(&again), WHO_GOOD);
    assert_ok(leave_end(db, again.udid, clock_now(), "admin:test", "sold", &err), err);
    assert_false(token_update(&again, ""));
    assert_int_equal(say(&again, REPORT_IDLE, NULL).who.verdict, WHO_ENDED);
}

static void renewal_of(struct device *d)
{
    static const struct sql RENEWS = {
        "renewal_since",
        "INSERT INTO identity_cert (sha256, renews_device_id, issued_at) SELECT ?, id, ? "
        "FROM enrollment WHERE ident=?",
        0};

    cert_new(d);
    assert_ok(db_exec(db, &RENEWS,
                      (struct val[]){val_bin(bytes_of(d->cert, 32)), val_int(clock_now()),
                                     val_str(d->udid)},
                      3, NULL, &err),
              err);
}

/* An identity that the ended device got by renewing its old one is no new enrolment. */
static void ended_and_renewed(void **state)
{
    struct device d = enrolled();

    (void)state;
    assert_ok(leave_end(db, d.udid, clock_now(), "admin:test", "sold", &err), err);
    renewal_of(&d);
    assert_int_equal(authenticate(&d), WHO_ENDED);
    assert_false(token_update(&d, ""));
}

/* What was read does not hold any more when it is written: the unit is to be done again. */
static enum outcome write_late(struct db *on, void *arg, struct err *e)
{
    struct unit *u = arg;

    return u->kind->write(on, &u, 1, arena, e);
}

static struct token_update token_update_read(struct device *d)
{
    struct token_update x;
    struct unit *u = &x.unit;

    token_update_init(&x, arena, clock_now(), d->cert, id_of(d));
    x.topic = TOPIC;
    x.push_magic = "magic";
    x.push_token = bytes_str("token");
    x.accept_restore = true;
    x.push_keep_s = 3600;
    assert_ok(x.unit.kind->prepare(db, &u, 1, arena, &err), err);
    return x;
}

static void token_update_overtaken(void **state)
{
    struct device sold = enrolled(), left = enrolled(), old = enrolled(), anew = old;
    struct token_update x = token_update_read(&sold);
    struct who who;

    (void)state;
    assert_ok(leave_end(db, sold.udid, clock_now(), "admin:test", "sold", &err), err);
    assert_int_equal(db_unit(db, write_late, &x.unit, &err), CONFLICT);
    assert_int_equal(say(&sold, REPORT_IDLE, NULL).who.verdict, WHO_ENDED);

    x = token_update_read(&left);
    assert_ok(leave_check_out(db, left.cert, id_of(&left), clock_now(), NULL, arena, &who, &err),
              err);
    assert_int_equal(db_unit(db, write_late, &x.unit, &err), CONFLICT);
    run(&x.unit); /* read again it is no restored backup: it came before */
    assert_false(x.accepted);
    assert_true(x.overtaken);
    assert_int_equal(say(&left, REPORT_IDLE, NULL).who.verdict, WHO_LEFT);

    x = token_update_read(&old); /* of the installation that is replaced meanwhile */
    cert_new(&anew);
    assert_int_equal(authenticate(&anew), WHO_GOOD);
    assert_true(token_update(&anew, "new"));
    assert_int_equal(db_unit(db, write_late, &x.unit, &err), CONFLICT);
    run(&x.unit);
    assert_false(x.accepted);
    assert_true(x.overtaken);
    assert_int_equal(say(&anew, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);
    assert_true(token_update(&old, "")); /* a backup that is restored after it */
    assert_int_equal(say(&old, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);
}

/* A wiped device enrols, and again before its TokenUpdate comes: that restores no backup, and what
 * was queued for the device as it was is not for it. */
static void token_update_of_a_replaced_authenticate(void **state)
{
    (void)state;
    for (int accept_restore = 0; accept_restore < 2; accept_restore++) {
        struct device old = enrolled(), first = old, second = old;
        char *a = queue_command(&old, "InstallProfile");
        struct token_update x;

        cert_new(&first);
        assert_int_equal(authenticate(&first), WHO_GOOD);
        cert_new(&second);
        assert_int_equal(authenticate(&second), WHO_GOOD);
        x = token_update_read(&first);
        x.accept_restore = accept_restore != 0;
        run(&x.unit);
        assert_true(x.accepted);
        assert_int_equal(state_of(a), QUEUE_CANCELLED);
        assert_empty(say(&first, REPORT_IDLE, NULL));
        assert_int_equal(say(&old, REPORT_IDLE, NULL).who.verdict, WHO_OLD);
        assert_int_equal(ask("SELECT COUNT(*) FROM audit WHERE action='enrollment.restore' AND "
                             "subject=?",
                             old.udid),
                         0);
        assert_int_equal(ask("SELECT COUNT(*) FROM life l JOIN enrollment e ON "
                             "e.id=l.enrollment_id WHERE e.ident=? AND l.unlock_token IS NOT NULL",
                             old.udid),
                         0);
        assert_true(token_update(&second, ""));
        assert_int_equal(say(&second, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);
        assert_true(token_update(&first, "")); /* now it would be one */
        assert_int_equal(ask("SELECT COUNT(*) FROM audit WHERE action='enrollment.restore' AND "
                             "subject=?",
                             old.udid),
                         1);
    }
}

static void user_token_update_overtaken(void **state)
{
    struct device d = enrolled(), u = d, anew = d;
    struct token_update x;

    (void)state;
    u.id.kind = IDENT_USER;
    snprintf(u.id.name, sizeof(u.id.name), "%.36s:some-user", d.udid);
    assert_true(token_update(&u, ""));
    x = token_update_read(&u);
    cert_new(&anew);
    assert_int_equal(authenticate(&anew), WHO_GOOD);
    assert_true(token_update(&anew, ""));
    assert_int_equal(db_unit(db, write_late, &x.unit, &err), CONFLICT);
    assert_int_equal(ask("SELECT state FROM enrollment WHERE ident=?", u.id.name), 1);
}

static struct authenticate authenticate_new(struct device *d, int64_t now)
{
    struct authenticate x;

    authenticate_init(&x, arena, now, d->cert, id_of(d));
    x.topic = TOPIC;
    x.cert_subject = "CN=test";
    x.cert_serial = "1";
    return x;
}

static void authenticate_overtaken(void **state)
{
    struct device d = device_new(), sold = enrolled();
    struct authenticate x;
    struct unit *u = &x.unit;

    (void)state;
    assert_int_equal(authenticate(&d), WHO_GOOD);
    /* the same once more, slower */
    x = authenticate_new(&d, clock_now());
    assert_ok(x.unit.kind->prepare(db, &u, 1, arena, &err), err);
    assert_true(token_update(&d, ""));
    assert_int_equal(db_unit(db, write_late, &x.unit, &err), CONFLICT);
    assert_int_equal(say(&d, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);

    cert_new(&sold);
    x = authenticate_new(&sold, clock_now());
    assert_ok(x.unit.kind->prepare(db, &u, 1, arena, &err), err);
    assert_ok(leave_end(db, sold.udid, clock_now(), "admin:test", "sold", &err), err);
    assert_int_equal(db_unit(db, write_late, &x.unit, &err), CONFLICT);
}

/* Several at once whose EraseDevice was delivered. */
static void erased_in_company(void **state)
{
    struct device d[2] = {enrolled(), enrolled()};
    struct authenticate x[2];
    struct unit *u[2] = {&x[0].unit, &x[1].unit};
    char *erase[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        erase[i] = queue_command(&d[i], "EraseDevice");
        assert_next(say(&d[i], REPORT_IDLE, NULL), erase[i]);
        cert_new(&d[i]);
        x[i] = authenticate_new(&d[i], clock_now());
    }
    assert_ok(x[0].unit.kind->prepare(db, u, 2, arena, &err), err);
    assert_ok(x[0].unit.kind->write(db, u, 2, arena, &err), err);
    for (int i = 0; i < 2; i++)
        assert_int_equal(state_of(erase[i]), QUEUE_UNCONFIRMED);
}

/* An Authenticate that was held up until its own TokenUpdate was done opens nothing. */
static void authenticate_late(void **state)
{
    struct device d = enrolled();
    char *a = queue_command(&d, "ProfileList");
    struct authenticate x;

    (void)state;
    x = authenticate_new(&d, clock_now() - MINUTE_US);
    run(&x.unit);
    assert_int_equal(x.verdict, WHO_GOOD);
    assert_true(token_update(&d, ""));
    assert_next(say(&d, REPORT_IDLE, NULL), a);
}

/* The identity came with the profile and is the same after the device was wiped. */
static void same_identity_again(void **state)
{
    struct device d = enrolled();
    char *a = queue_command(&d, "DeviceLock"), *b;
    struct who who;
    struct token_update x;

    (void)state;
    assert_int_equal(authenticate(&d), WHO_GOOD);
    assert_next(say(&d, REPORT_IDLE, NULL), a); /* valid until the TokenUpdate */
    assert_true(token_update(&d, ""));
    assert_int_equal(state_of(a), QUEUE_CANCELLED);
    assert_empty(say(&d, REPORT_IDLE, NULL));
    assert_int_equal(ask("SELECT l.unlock_token IS NULL AND e.pending_life_id IS NULL "
                         "FROM enrollment e JOIN life l ON l.id=e.life_id WHERE e.ident=?",
                         d.udid),
                     1);
    b = queue_command(&d, "ProfileList");
    assert_true(token_update(&d, "unlock")); /* an ordinary one */
    assert_next(say(&d, REPORT_IDLE, NULL), b);

    /* after a CheckOut it is a new enrolment, not a restored backup */
    assert_ok(leave_check_out(db, d.cert, id_of(&d), clock_now(), NULL, arena, &who, &err), err);
    assert_int_equal(authenticate(&d), WHO_GOOD);
    token_update_init(&x, arena, clock_now(), d.cert, id_of(&d));
    x.topic = TOPIC;
    x.push_magic = "magic";
    x.push_token = bytes_str("token");
    x.push_keep_s = 3600; /* accept_restore is off */
    run(&x.unit);
    assert_true(x.accepted);
    assert_int_equal(say(&d, REPORT_IDLE, NULL).who.verdict, WHO_GOOD);
    assert_int_equal(ask("SELECT l.unlock_token IS NULL FROM enrollment e JOIN life l "
                         "ON l.id=e.life_id WHERE e.ident=?",
                         d.udid),
                     1);
}

static void round_trips(void **state)
{
    struct device d = enrolled();
    char *a;
    uint64_t before;

    (void)state;
    say(&d, REPORT_IDLE, NULL);
    before = db_round_trips(db);
    say(&d, REPORT_IDLE, NULL);
    assert_int_equal(db_round_trips(db) - before, 1);
    a = queue_command(&d, "ProfileList");
    before = db_round_trips(db);
    say(&d, REPORT_IDLE, NULL);
    assert_true(db_round_trips(db) - before <= 6);
    before = db_round_trips(db);
    say(&d, REPORT_ACKNOWLEDGED, a);
    assert_true(db_round_trips(db) - before <= 6);
    before = db_round_trips(db);
    token_update(&d, "");
    assert_true(db_round_trips(db) - before <= 6);
}

/* ---- what a batch reads ---- */

#define CROWD 8
#define OTHERS 3000

struct crowd {
    struct unit *u[CROWD];
};

static enum outcome crowd_write(struct db *d, void *arg, struct err *e)
{
    struct crowd *c = arg;

    return c->u[0]->kind->write(d, c->u, CROWD, arena, e);
}

static int by_key(const void *a, const void *b)
{
    const struct unit *x = *(struct unit *const *)a, *y = *(struct unit *const *)b;

    return (x->key > y->key) - (x->key < y->key);
}

/* Does them in one batch; the rows that it passed over. */
static int64_t together(struct crowd *c)
{
    int64_t own = testdb_passed_over(db, arena), before = testdb_passed_over(db, arena);

    own = before - own;
    qsort(c->u, CROWD, sizeof(c->u[0]), by_key);
    assert_ok(c->u[0]->kind->prepare(db, c->u, CROWD, arena, &err), err);
    assert_ok(db_unit(db, crowd_write, c, &err), err);
    return testdb_passed_over(db, arena) - before - own;
}

static int64_t all_say(struct device *d, enum report_status status, char *const *uuid)
{
    struct exchange x[CROWD];
    struct crowd c;

    for (size_t i = 0; i < CROWD; i++) {
        exchange_init(&x[i], arena, clock_now(), d[i].cert, id_of(&d[i]));
        x[i].status = status;
        x[i].uuid = uuid[i];
        x[i].report = bytes_str("<report>");
        c.u[i] = &x[i].unit;
    }
    return together(&c);
}

static int64_t all_enrol(struct device *d)
{
    struct authenticate x[CROWD];
    struct token_update t[CROWD];
    struct crowd c;
    int64_t rows;

    for (size_t i = 0; i < CROWD; i++) {
        cert_new(&d[i]);
        authenticate_init(&x[i], arena, clock_now(), d[i].cert, id_of(&d[i]));
        x[i].topic = TOPIC;
        x[i].cert_subject = x[i].cert_serial = "1";
        c.u[i] = &x[i].unit;
    }
    rows = together(&c);
    for (size_t i = 0; i < CROWD; i++) {
        token_update_init(&t[i], arena, clock_now(), d[i].cert, id_of(&d[i]));
        t[i].topic = TOPIC;
        t[i].push_magic = "magic";
        t[i].push_token = bytes_str("token");
        c.u[i] = &t[i].unit;
    }
    return rows + together(&c);
}

/* The server counts a table's rows some time after they came: for a fleet that has just enrolled it
 * believes the tables to be empty. What a batch reads must not depend on that. (The DELETE of what
 * is reported does: for it the server heeds no hint once it believes that all rows are meant.) */
static void many_are_not_passed_over(void **state)
{
    static const char *const tables[] = {"identity_cert", "enrollment", "life", "queue", "result"};
    struct device d[CROWD];
    char *uuid[CROWD], sql[80];

    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        snprintf(sql, sizeof(sql), "DELETE FROM %s", tables[i]);
        assert_ok(db_run(db, "empty", sql, &err), err);
        snprintf(sql, sizeof(sql), "ANALYZE TABLE %s", tables[i]);
        assert_ok(db_run(db, "count", sql, &err), err);
        snprintf(sql, sizeof(sql), "ALTER TABLE %s STATS_AUTO_RECALC=0", tables[i]);
        assert_ok(db_run(db, "keep", sql, &err), err);
    }
    assert_ok(db_run(db, "certs",
                     "INSERT INTO identity_cert (sha256, device_id, life_id) SELECT "
                     "UNHEX(SHA2(seq, 256)), seq, seq FROM seq_1_to_3000",
                     &err),
              err);
    assert_ok(db_run(db, "enrollments",
                     "INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, "
                     "created_at, last_seen_at) SELECT seq, CONCAT('O-', seq), 1, seq, 2, seq, 1, "
                     "1 FROM seq_1_to_3000",
                     &err),
              err);
    assert_ok(db_run(db, "lives",
                     "INSERT INTO life (id, enrollment_id, state, opened_at) SELECT seq, seq, 2, 1 "
                     "FROM seq_1_to_3000",
                     &err),
              err);
    assert_ok(db_run(db, "queue",
                     "INSERT INTO queue (enrollment_id, command_id, state, queued_at, urgency, "
                     "not_before) SELECT seq, "
                     "seq, 1, 1, 0, 0 FROM seq_1_to_3000",
                     &err),
              err);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        /* what it remembers of the table is gone, as after a restart */
        snprintf(sql, sizeof(sql), "RENAME TABLE %s TO renamed, renamed TO %s", tables[i],
                 tables[i]);
        assert_ok(db_run(db, "rename", sql, &err), err);
    }
    for (size_t i = 0; i < CROWD; i++) {
        d[i] = enrolled();
        uuid[i] = queue_command(&d[i], "ProfileList");
    }
    assert_in_range(all_say(d, REPORT_IDLE, uuid), 0, OTHERS / 4);
    assert_in_range(all_say(d, REPORT_NOT_NOW, uuid), 0, OTHERS / 4);
    assert_in_range(all_say(d, REPORT_IDLE, uuid), 0, OTHERS / 4);
    assert_in_range(all_enrol(d), 0, OTHERS / 4);
    for (size_t i = 0; i < CROWD; i++)
        uuid[i] = queue_command(&d[i], "ProfileList");
    assert_in_range(all_say(d, REPORT_IDLE, uuid), 0, OTHERS / 4);
}

/* A command of that many octets for two devices: the round trips of each poll that gets it. */
static void send_to_two(struct device *one, struct device *two, size_t size, uint64_t trips[2])
{
    struct device *to[] = {one, two};
    const char *idents[] = {one->udid, two->udid};
    enum enqueue_outcome outcomes[2];
    int64_t ids[2];
    char uuid[UUID_LEN + 1];
    struct enqueue e;

    uuid_v4(uuid);
    e = command_new(one, uuid, "InstallProfile");
    e.idents = idents;
    e.n = 2;
    e.outcomes = outcomes;
    e.enrollment_ids = ids;
    e.body = bytes_of(memset(arena_alloc(arena, size), 'x', size), size);
    assert_ok(queue_add(db, &e, &err), err);
    for (size_t i = 0; i < 2; i++) {
        uint64_t before = db_round_trips(db);
        struct exchange x = say(to[i], REPORT_IDLE, NULL);

        trips[i] = db_round_trips(db) - before;
        assert_next(x, uuid);
        assert_int_equal(x.body.n, size);
        assert_memory_equal(x.body.p, e.body.p, size);
        assert_empty(say(to[i], REPORT_ACKNOWLEDGED, uuid));
    }
}

/* It is read for the first device alone, unless it is too long to be kept. */
static void a_body_is_read_once(void **state)
{
    struct device one = enrolled(), two = enrolled();
    uint64_t trips[2];

    (void)state;
    send_to_two(&one, &two, 100, trips); /* prepares the statements */
    send_to_two(&one, &two, 100, trips);
    assert_int_equal(trips[0], trips[1] + 1);
    send_to_two(&one, &two, 100000, trips);
    assert_int_equal(trips[0], trips[1]);
    for (int i = 0; i < 40; i++) /* more than are kept */
        send_to_two(&one, &two, 100 + (size_t)i, trips);
    assert_int_equal(trips[0], trips[1] + 1);
}

/* ---- many at once ---- */

#define THREADS 24
#define ROUNDS 20

static void *one_device(void *arg)
{
    struct arena *a = arena_new(1 << 20);
    struct device *d = arg;

    for (int i = 0; i < ROUNDS; i++) {
        struct exchange x = say_with(d, REPORT_IDLE, NULL, a);

        if (x.command_id != 0)
            say_with(d, i % 3 == 0 ? REPORT_ERROR : REPORT_ACKNOWLEDGED, x.command_uuid, a);
        if (i % 5 == 0)
            token_update_with(d, "", a);
        arena_reset(a);
    }
    arena_free(&a);
    return NULL;
}

static void *one_newcomer(void *arg)
{
    struct arena *a = arena_new(1 << 20);
    struct device *d = arg;

    faults += authenticate_with(d, a) != WHO_GOOD;
    faults += !token_update_with(d, "", a).accepted;
    arena_free(&a);
    return NULL;
}

static void at_once(void *(*fn)(void *), struct device *d, size_t n)
{
    pthread_t t[THREADS];

    for (size_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&t[i], NULL, fn, &d[i]), 0);
    for (size_t i = 0; i < n; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(faults, 0);
}

static void in_company(void **state)
{
    static struct device d[THREADS];
    struct batch_stats s;

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        d[i] = i % 6 == 5 ? d[i - 1] : device_new(); /* some message comes twice at once */
    at_once(one_newcomer, d, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        for (int k = 0; k < ROUNDS / 2; k++)
            queue_command(&d[i], "ProfileList");
    at_once(one_device, d, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(ask("SELECT COUNT(*) FROM queue q JOIN enrollment e "
                             "ON e.id=q.enrollment_id WHERE e.ident=?",
                             d[i].udid),
                         0);
    s = batch_stats(batch);
    assert_true(s.batches < s.units);
}

struct first_contact {
    struct device *d;
    struct who who;
    enum outcome o;
};

static void *look(void *arg)
{
    struct first_contact *x = arg;
    struct arena *a = arena_new(1 << 20);
    struct db *own = NULL;
    struct err e;

    x->o = db_new(conf, DB_OWNER, &own, &e);
    if (x->o == OK)
        x->o = who_look(own, x->d->cert, id_of(x->d), a, &x->who, &e);
    db_free(&own);
    arena_free(&a);
    return NULL;
}

static enum outcome bind_while_looked(struct db *d, void *arg, struct err *e)
{
    static const struct sql TAKE = {"take",
                                    "UPDATE life l JOIN enrollment e ON e.life_id=l.id SET "
                                    "l.cert_sha256=? WHERE e.ident=?",
                                    0};
    static const struct sql BIND = {"bind",
                                    "INSERT INTO identity_cert (sha256, device_id, life_id) SELECT "
                                    "?, id, life_id FROM enrollment WHERE ident=?",
                                    0};
    struct first_contact *x = arg;
    struct device owner = *x->d;
    pthread_t t;
    enum outcome o;

    cert_new(&owner);
    struct val v[] = {val_bin(bytes_of(owner.cert, 32)), val_str(owner.udid)};
    o = db_exec(d, &TAKE, v, 2, NULL, e);
    if (pthread_create(&t, NULL, look, x) != 0)
        return ERROR;
    usleep(300000); /* it has read what was, and waits for the row */
    if (o == OK)
        o = db_exec(d, &BIND, v, 2, NULL, e);
    pthread_detach(t);
    return o;
}

/* Two certificates for one device that was moved in, at once: one of them has it. */
static void two_certificates_at_first_contact(void **state)
{
    struct device d = enrolled();
    static struct first_contact x;

    (void)state;
    forget_certificate(&d);
    x = (struct first_contact){.d = &d};
    assert_ok(db_unit(db, bind_while_looked, &x, &err), err);
    usleep(700000);
    assert_int_equal(x.o, OK);
    assert_int_equal(x.who.verdict, WHO_MISMATCH);
    assert_int_equal(ask("SELECT COUNT(*) FROM identity_cert i JOIN enrollment e ON "
                         "e.id=i.device_id WHERE e.ident=?",
                         d.udid),
                     1);
}

/* ---- a row that somebody holds ---- */

#define HELD_N 6

struct waiting {
    struct device d;
    struct token_update x;
    struct arena *arena;
    pthread_t thread;
};

static void *updates_its_token(void *arg)
{
    struct waiting *w = arg;

    token_update_init(&w->x, w->arena, clock_now(), w->d.cert, id_of(&w->d));
    w->x.topic = TOPIC;
    w->x.push_magic = "magic";
    w->x.push_token = bytes_str("another");
    w->x.push_keep_s = 3600;
    (void)batch_do(batch, &w->x.unit);
    return NULL;
}

static void hold(struct db *other, struct device *d)
{
    char text[300];

    assert_ok(db_run(other, "begin", "START TRANSACTION", &err), err);
    snprintf(text, sizeof text,
             "UPDATE life l JOIN enrollment e ON e.life_id=l.id SET l.push_magic='x' WHERE "
             "e.ident='%s'",
             d->udid);
    assert_ok(db_run(other, "hold", text, &err), err);
}

/* Of a batch the one whose row is held waits in vain, and no other with it. */
static void a_held_row_is_one_devices_fault(void **state)
{
    static struct waiting w[HELD_N];
    struct db *first = NULL, *held = NULL;

    (void)state;
    assert_ok(db_new(conf, DB_OWNER, &first, &err), err);
    assert_ok(db_new(conf, DB_OWNER, &held, &err), err);
    for (int i = 0; i < HELD_N; i++) {
        w[i].d = enrolled();
        w[i].arena = arena_new(1 << 20);
    }
    hold(first, &w[0].d);
    hold(held, &w[1].d);
    for (int i = 0; i < HELD_N; i++) { /* the first leads, alone; the others gather behind it */
        assert_int_equal(pthread_create(&w[i].thread, NULL, updates_its_token, &w[i]), 0);
        usleep(100000);
    }
    assert_ok(db_run(first, "end", "ROLLBACK", &err), err);
    for (int i = HELD_N - 1; i >= 0; i--) {
        if (i == 1) /* nobody needed it */
            assert_ok(db_run(held, "end", "ROLLBACK", &err), err);
        pthread_join(w[i].thread, NULL);
        assert_true(i == 1 || w[i].x.unit.outcome == OK);
    }
    assert_int_equal(batch_stats(batch).one_by_one, 1);
    db_free(&first);
    db_free(&held);
    for (int i = 0; i < HELD_N; i++)
        arena_free(&w[i].arena);
}

/* Nobody waits with it: neither those that came with it nor those that come while it waits, and
 * when the row is let go it is done, too. */
static void a_held_row_holds_up_nobody_else(void **state)
{
    static struct waiting w[HELD_N];
    struct db *holder = NULL;
    int64_t begin;

    (void)state;
    assert_ok(db_new(conf, DB_OWNER, &holder, &err), err);
    for (int i = 0; i < HELD_N; i++) {
        w[i] = (struct waiting){.d = enrolled(), .arena = arena_new(1 << 20)};
    }
    hold(holder, &w[0].d);
    begin = clock_mono();
    for (int i = 0; i < HELD_N / 2; i++)
        assert_int_equal(pthread_create(&w[i].thread, NULL, updates_its_token, &w[i]), 0);
    for (int i = 1; i < HELD_N / 2; i++)
        pthread_join(w[i].thread, NULL);
    assert_in_range(clock_mono() - begin, 0, 2500000);
    while (batch_stats(batch).by_itself == 0) /* its thread may have come last */
        usleep(1000);
    begin = clock_mono();
    for (int i = HELD_N / 2; i < HELD_N; i++)
        assert_int_equal(pthread_create(&w[i].thread, NULL, updates_its_token, &w[i]), 0);
    for (int i = HELD_N / 2; i < HELD_N; i++)
        pthread_join(w[i].thread, NULL);
    assert_in_range(clock_mono() - begin, 0, 500000);
    for (int i = 1; i < HELD_N; i++)
        assert_int_equal(w[i].x.unit.outcome, OK);
    assert_ok(db_run(holder, "end", "ROLLBACK", &err), err);
    pthread_join(w[0].thread, NULL);
    assert_ok(w[0].x.unit.outcome, w[0].x.unit.err);
    assert_true(w[0].x.accepted);
    assert_int_equal(batch_stats(batch).by_itself, 1);
    assert_ok(token_update(&w[0].d, "unlock") ? OK : ERROR, err); /* its key is free again */
    db_free(&holder);
    for (int i = 0; i < HELD_N; i++)
        arena_free(&w[i].arena);
}

static int set_up(void **state)
{
    int applied;

    (void)state;
    conf = testdb_conf(TESTDB_DIR, "drover_mdm_units");
    arena = arena_new(64 << 20);
    assert_ok(db_new(conf, DB_OWNER, &db, &err), err);
    assert_ok(migrate_run(db, "sql/schema", false, &applied, &err), err);
    return 0;
}

static int batched(void **state)
{
    (void)state;
    return batch_new(conf, DB_OWNER, LIM_BATCH, &batch, &err) == OK ? 0 : -1;
}

/* The shortest wait for a lock. */
static int hasty(void **state)
{
    static struct conf c;

    (void)state;
    c = *conf;
    c.db_timeout_s = 2;
    return batch_new(&c, DB_OWNER, LIM_BATCH, &batch, &err) == OK ? 0 : -1;
}

static int unbatched(void **state)
{
    (void)state;
    batch_free(&batch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(faults, 0);
    db_free(&db);
    arena_free(&arena);
    return 0;
}

#define BOTH(fn)                                                                                   \
    cmocka_unit_test(fn),                                                                          \
    {                                                                                              \
#fn "_batched", fn, batched, unbatched, NULL                                               \
    }

/* A TokenUpdate with a token that is known again by its digest; is what is stored then as told? */
static bool keeps(struct device *d, const char *sealed, const char *digest, const char *kept)
{
    struct token_update x;
    char *q = arena_fmt(arena,
                        "SELECT l.unlock_token = '%s' FROM enrollment e JOIN life l ON l.id = "
                        "e.life_id WHERE e.ident = ?",
                        kept);

    token_update_init(&x, arena, clock_now(), d->cert, id_of(d));
    x.topic = TOPIC;
    x.push_magic = "magic";
    x.push_token = bytes_str("token");
    x.unlock_token = bytes_str(sealed);
    x.unlock_sha256 = bytes_str(digest);
    x.push_keep_s = 3600;
    run(&x.unit);
    return x.accepted && ask(q, d->udid) == 1;
}

/* What is sealed differs each time; the digest tells that it is the same. */
static void an_UnlockToken_that_comes_again_stays(void **state)
{
    static const char a[] = "the digest of a, of 32 octets...",
                      b[] = "that of b, of 32 octets too.....";
    struct device d = enrolled();
    (void)state;
    assert_true(keeps(&d, "a once", a, "a once"));
    assert_true(keeps(&d, "a twice", a, "a once"));
    assert_true(keeps(&d, "b once", b, "b once"));
    assert_true(keeps(&d, "a again", a, "a again"));
    assert_true(keeps(&d, "", "", "a again"));
    /* a RequestUnlockToken brought another one: what came before is news */
    const struct inv_source src = {.enrollment_id =
                                       ask("SELECT id FROM enrollment WHERE ident = ?", d.udid)};
    assert_ok(inv_unlock_token(db, &src, bytes_str("told"), &err), err);
    assert_true(keeps(&d, "", "", "told"));
    assert_true(keeps(&d, "a at last", a, "a at last"));
    /* what is gone is not known */
    static const struct sql FORGET = {"forget", "UPDATE life SET unlock_token = NULL", 0};
    assert_ok(db_exec(db, &FORGET, NULL, 0, NULL, &err), err);
    assert_true(keeps(&d, "a anew", a, "a anew"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(cycle),
        BOTH(delivered_again),
        BOTH(not_now),
        BOTH(not_now_both),
        BOTH(not_now_in_order),
        BOTH(not_now_to_all),
        BOTH(order_and_time),
        cmocka_unit_test(pushed_when_it_is_time),
        BOTH(unknown_command),
        BOTH(cancelled),
        BOTH(cancelled_for_a_long_reason),
        BOTH(cancelled_before_another_try),
        BOTH(dedupe),
        BOTH(wiped_and_enrolled_anew),
        BOTH(renewed),
        BOTH(an_UnlockToken_that_comes_again_stays),
        BOTH(authenticate_repeated),
        BOTH(update_failed),
        BOTH(identities),
        BOTH(left_and_restored),
        BOTH(reported_after_leaving),
        cmocka_unit_test(left_at_first_contact),
        cmocka_unit_test(two_certificates_at_first_contact),
        BOTH(ended),
        BOTH(user_channel),
        BOTH(ended_while_pending),
        BOTH(ended_and_renewed),
        BOTH(token_update_overtaken),
        BOTH(token_update_of_a_replaced_authenticate),
        BOTH(user_token_update_overtaken),
        BOTH(authenticate_overtaken),
        BOTH(authenticate_late),
        cmocka_unit_test(erased_in_company),
        BOTH(same_identity_again),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(a_body_is_read_once),
        cmocka_unit_test(many_are_not_passed_over),
        cmocka_unit_test(many_users),
        cmocka_unit_test_setup_teardown(in_company, batched, unbatched),
        cmocka_unit_test_setup_teardown(a_held_row_is_one_devices_fault, hasty, unbatched),
        cmocka_unit_test_setup_teardown(a_held_row_holds_up_nobody_else, batched, unbatched),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
