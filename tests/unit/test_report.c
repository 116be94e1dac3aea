/*
 * test_report.c: reports that are too large to be kept, through the real handlers, on a server of
 * its own that takes packets of a megabyte: what the device says is recorded, and it goes on to the
 * next command.
 */
#include "device.h"

#include "base/uuid.h"
#include "checkin/checkin.h"
#include "command/digest.h"
#include "connect/connect.h"
#include "store/batch.h"
#include "store/event.h"
#include "store/queue.h"
#include "wire/encode.h"

#define TOPIC "com.apple.mgmt.External.one"
#define SERVER "build/testdb-small"

static struct db *agent;
static struct event_wants wants;
static char udid[UUID_LEN + 1];
static struct bytes cert;

/* ---- the site ---- */

static int up(void **state)
{
    (void)state;
    testdb_shell("mkdir -p " SERVER " && scripts/testdb stop " SERVER
                 " && scripts/testdb start " SERVER " --fast -- --max-allowed-packet=1M");
    assert_int_equal(setenv("TESTDB", SERVER, 1), 0);
    site_up("drover_test_report");
    struct conf *c = site.conf;
    c->user_authenticate = "refuse";
    c->restore_action = "accept";
    c->unknown_action = "hold";
    c->apns_expiration_s = 3600;
    assert_ok(batch_new(c, DB_MDM, 8, &site.app.batch, &err), err);
    site.app.events = &wants;
    assert_ok(db_new(c, DB_AGENT, &agent, &err), err);
    return 0;
}

static int down(void **state)
{
    (void)state;
    batch_free(&site.app.batch);
    db_free(&agent);
    site_down();
    testdb_shell("scripts/testdb stop " SERVER);
    return 0;
}

/* A message of the device; what it says beside its UDID. The request's arena is as in a worker. */
static int say(handler_fn *fn, struct bytes keys)
{
    struct arena *a = arena_new(LIM_ARENA_REQUEST);
    struct buf xml = BUF_INIT(LIM_BODY_CONNECT);
    buf_fmt(&xml, "<plist><dict><key>UDID</key><string>%s</string>", udid);
    buf_add(&xml, keys.p, keys.n);
    buf_str(&xml, "</dict></plist>");
    assert_false(buf_failed(&xml));
    struct req req = {.method = METHOD_PUT,
                      .path = "/mdm",
                      .query = "",
                      .content_type = "",
                      .body = arena_bytes(a, buf_bytes(&xml)),
                      .remote_addr = "192.0.2.1",
                      .var = site_var,
                      .now = clock_now(),
                      .start = clock_mono(),
                      .arena = a};
    struct caller caller = {.source = IDENTITY_SIGNATURE, .cert_text = cert};
    buf_free(&xml);
    sha256(cert, caller.cert_sha256);
    resp_free(&site.resp);
    resp_init(&site.resp);
    fn(&site.app, &req, &caller, &site.resp);
    arena_free(&a);
    return site.resp.status;
}

#define S(key, value) "<key>" key "</key><string>" value "</string>"
#define D(key, value) "<key>" key "</key><data>" value "</data>"

/* Nothing is left of the test before; a new device has enrolled. */
static int clear(void **state)
{
    static const char *const tables[] = {"webhook_event", "queue",  "enrollment",     "life",
                                         "identity_cert", "result", "digest_failure", "webhook"};
    char text[64];
    struct pkey *key = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        snprintf(text, sizeof text, "DELETE FROM %s", tables[i]);
        site_run(text);
    }
    arena_reset(site.a);
    atomic_store(&wants.told, 0);
    uuid_v4(udid);
    int64_t now = clock_now();
    assert_ok(pkey_new_p256(&key, &err), err);
    cert = device_cert("device", false, key, now - DAY_US, now + DAY_US);
    pkey_free(&key);
    assert_int_equal(
        say(checkin_handle, bytes_str(S("MessageType", "Authenticate") S("Topic", TOPIC))), 200);
    assert_int_equal(say(checkin_handle, bytes_str(S("MessageType", "TokenUpdate") S("Topic", TOPIC)
                                                       S("PushMagic", "m") D("Token", "dG9rZW4="))),
                     200);
    return 0;
}

static const char *queued(const char *type)
{
    char *uuid = arena_alloc(site.a, UUID_LEN + 1);
    const char *idents[] = {udid};
    enum enqueue_outcome outcome;
    int64_t id;
    uuid_v4(uuid);
    struct enqueue e = {.uuid = uuid,
                        .request_type = type,
                        .body = bytes_str("<plist><dict/></plist>"),
                        .idents = idents,
                        .n = 1,
                        .actor = "test",
                        .now = clock_now(),
                        .outcomes = &outcome,
                        .enrollment_ids = &id};
    assert_ok(queue_add(site.owner, &e, &err), err);
    return uuid;
}

/* A report with n entries of that many octets each, in the array Many. */
static struct buf report_of(const char *uuid, const char *status, const char *more, size_t n,
                            size_t each)
{
    struct buf b = BUF_INIT(LIM_BODY_CONNECT);
    char *text = arena_alloc(site.a, each + 1);
    memset(text, 'x', each);
    buf_fmt(&b, S("Status", "%s") S("CommandUUID", "%s") "%s<key>Many</key><array>", status, uuid,
            more);
    for (size_t i = 0; i < n; i++)
        buf_fmt(&b, "<string>%s</string>", text);
    buf_str(&b, "</array>");
    assert_false(buf_failed(&b));
    return b;
}

/* The device polls, is given the command, and says that. */
static int answers(const char *uuid, struct buf report)
{
    int status;
    assert_int_equal(say(connect_handle, bytes_str(S("Status", "Idle"))), 200);
    status = say(connect_handle, buf_bytes(&report));
    buf_free(&report);
    assert_int_equal(site_count(arena_fmt(site.a,
                                          "SELECT COUNT(*) FROM queue q JOIN command c ON c.id = "
                                          "q.command_id WHERE c.uuid = '%s'",
                                          uuid)),
                     status != 200);
    return status;
}

/* The result as people and programs see it; its report, parsed. */
static pl kept(const char *uuid, struct queue_item *q)
{
    pl root = NULL;
    assert_ok(queue_get(site.owner, udid, uuid, site.a, q, &err), err);
    assert_in_range(q->report.n, 1, 2 * LIM_REPORT_SHORT);
    assert_ok(pl_parse(q->report, &root, &err), err);
    assert_string_equal(pl_get_str(root, "UDID"), udid);
    assert_string_equal(pl_get_str(root, "CommandUUID"), uuid);
    return root;
}

static void read_all(void)
{
    struct digest_place place = {0};
    size_t done = 1;
    while (done > 0)
        assert_ok(digest_turn(agent, &place, &done, &err), err);
}

/* ---- cases ---- */

static const char token[] = D("UnlockToken", "dW5sb2Nr");

/* Written anew, with its secret sealed, it has a tab more in each line than it came with. */
static void one_that_grows(void **state)
{
    struct queue_item q;
    int64_t octets = 0;
    struct bytes sealed;
    (void)state;
    const char *uuid = queued("RequestUnlockToken");
    queued("ProfileList");
    assert_int_equal(answers(uuid, report_of(uuid, "Acknowledged", token, 90000, 168)), 200);
    assert_non_null(strstr(buf_cstr(&site.resp.body), "<plist>")); /* the next command */
    assert_int_equal(site_count("SELECT COUNT(*) FROM queue WHERE state = 2"), 1);
    pl root = kept(uuid, &q);
    assert_int_equal(q.state, QUEUE_ACKNOWLEDGED);
    assert_true(pl_get_int(root, DIGEST_LEFT_OUT, &octets));
    assert_in_range(octets, 90000 * 185, LIM_BODY_CONNECT);
    assert_null(pl_get(root, "Many"));
    assert_true(pl_get_data(root, "UnlockToken", &sealed));
    assert_memory_equal(sealed.p, "drover-sealed:", 14);
    pl_free(&root);
    read_all();
    assert_ok(queue_get(site.owner, udid, uuid, site.a, &q, &err), err);
    assert_non_null(strstr(q.aside, "more than can be kept"));
}

/* More than the server's max_allowed_packet, with a webhook that wants the message. */
static void one_the_server_does_not_take(void **state)
{
    struct queue_item q;
    int64_t octets = 0;
    (void)state;
    atomic_store(&wants.told, INT64_MAX);
    atomic_store(&wants.payload, INT64_MAX);
    const char *uuid = queued("ProfileList");
    assert_int_equal(answers(uuid, report_of(uuid, "Acknowledged", "", 20000, 100)), 200);
    pl root = kept(uuid, &q);
    assert_true(pl_get_int(root, DIGEST_LEFT_OUT, &octets));
    assert_in_range(octets, 2000000, 3000000);
    pl_free(&root);
    assert_int_equal(site_count(arena_fmt(site.a,
                                          "SELECT COUNT(*) FROM webhook_event WHERE command_uuid = "
                                          "'%s' AND status = 'Acknowledged' AND raw IS NULL",
                                          uuid)),
                     1);
    /* said again, it changes nothing */
    int64_t at = q.reported_at;
    struct buf again = report_of(uuid, "Acknowledged", "", 20000, 100);
    assert_int_equal(say(connect_handle, buf_bytes(&again)), 200);
    buf_free(&again);
    assert_ok(queue_get(site.owner, udid, uuid, site.a, &q, &err), err);
    assert_int_equal(q.reported_at, at);
}

/* What went wrong is short: it is read and found like any other. */
static void one_of_a_command_that_failed(void **state)
{
    static const char chain[] =
        "<key>ErrorChain</key><array><dict><key>ErrorCode</key><integer>12021</integer>"
        "<key>ErrorDomain</key><string>MCMDMErrorDomain</string></dict></array>";
    struct queue_item q;
    (void)state;
    const char *uuid = queued("ProfileList");
    assert_int_equal(answers(uuid, report_of(uuid, "Error", chain, 20000, 100)), 200);
    pl root = kept(uuid, &q);
    pl_free(&root);
    read_all();
    assert_ok(queue_get(site.owner, udid, uuid, site.a, &q, &err), err);
    assert_int_equal(q.state, QUEUE_ERROR);
    assert_string_equal(q.aside, "");
    assert_int_equal(site_count("SELECT COUNT(*) FROM result WHERE digest = 3"), 1);
    assert_int_equal(site_count("SELECT code FROM result_error"), 12021);
}

/* A secret that is longer than any is goes nowhere; the command has its result. */
static void one_with_an_endless_secret(void **state)
{
    struct queue_item q;
    (void)state;
    const char *uuid = queued("ActivationLockBypassCode");
    char *code = arena_alloc(site.a, LIM_SECRET + 2);
    memset(code, 'k', LIM_SECRET + 1);
    const char *more = arena_fmt(site.a, S("ActivationLockBypassCode", "%s"), code);
    assert_int_equal(answers(uuid, report_of(uuid, "Acknowledged", more, 3, 3)), 200);
    pl root = kept(uuid, &q);
    assert_null(pl_get(root, "ActivationLockBypassCode"));
    assert_int_equal(pl_size(pl_get(root, "Many")), 3);
    pl_free(&root);
    assert_null(memmem(q.report.p, q.report.n, "kkkkkkkk", 8));
}

/* One that fits is kept as it came, to the octet. */
static void one_that_fits(void **state)
{
    struct queue_item q;
    (void)state;
    const char *uuid = queued("ProfileList");
    assert_int_equal(answers(uuid, report_of(uuid, "Acknowledged", "", 7000, 100)), 200);
    assert_ok(queue_get(site.owner, udid, uuid, site.a, &q, &err), err);
    assert_in_range(q.report.n, 7000 * 117, 7000 * 117 + 400);
    assert_memory_equal(q.report.p, "<plist><dict>", 13);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, clear)
    const struct CMUnitTest tests[] = {T(one_that_grows), T(one_the_server_does_not_take),
                                       T(one_of_a_command_that_failed),
                                       T(one_with_an_endless_secret), T(one_that_fits)};
    return cmocka_run_group_tests(tests, up, down);
}
