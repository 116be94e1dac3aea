/*
 * test_webhook.c: events, from the message that causes them to a receiver that Python plays and
 * that checks their signatures by itself: what is told and what not, order, failures, two agents,
 * an agent that dies.
 */
#include "device.h"

#include <sys/stat.h>
#include "base/uuid.h"
#include "checkin/checkin.h"
#include "command/digest.h"
#include "connect/connect.h"
#include "enrollment/ends.h"
#include "store/batch.h"
#include "store/exchange.h"
#include "store/expiry.h"
#include "store/inactive.h"
#include "store/queue.h"
#include "store/webhook_send.h"
#include "webhook/address.h"
#include "webhook/body.h"
#include "webhook/edit.h"
#include "webhook/sender.h"
#include "wire/encode.h"
#include "wire/json.h"

#define TOPIC "com.apple.mgmt.External.one"
#define SECRET "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

static struct db *agent;
static struct event_wants wants;
static pid_t receiver;
static int port;
static char udid[UUID_LEN + 1];
static struct bytes cert;

/* ---- the receiver ---- */

static void file_put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", site.dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void receiver_start(void)
{
    int out[2];
    char line[16] = "";
    assert_int_equal(pipe(out), 0);
    receiver = fork();
    if (receiver == 0) {
        dup2(out[1], 1);
        execl("/usr/bin/python3", "python3", "tests/unit/hook_server.py", site.dir, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    assert_non_null(fgets(line, sizeof line, f));
    fclose(f);
    port = atoi(line);
}

static const char *url_of(const char *path)
{
    return arena_fmt(site.a, "https://localhost:%d%s", port, path);
}

/* What python3 says of the requests that came: `r` is their list. */
static void judge_requests(const char *expression, const char *want)
{
    char cmd[2048], said[1024] = "";
    snprintf(cmd, sizeof cmd,
             "python3 -c \"import json, os; p = '%s/requests'; r = [json.loads(x) for x in "
             "open(p)] if os.path.exists(p) else []; print(%s, end='')\"",
             site.dir, expression);
    FILE *f = popen(cmd, "r");
    assert_non_null(f);
    said[fread(said, 1, sizeof said - 1, f)] = '\0';
    assert_int_equal(pclose(f), 0);
    if (strcmp(said, want) != 0)
        fail_msg("%s is \"%s\", not \"%s\"", expression, said, want);
}

/* ---- the site ---- */

static int up(void **state)
{
    (void)state;
    site_up("drover_test_webhook");
    struct conf *c = site.conf;
    c->webhook_timeout_s = 2;
    c->webhook_parallel = 8;
    c->webhook_attempts = 3;
    c->webhook_give_up_s = 86400;
    c->webhook_pause_s = 3600;
    c->webhook_keep_s = 86400;
    c->webhook_ca = site_path("ca.pem");
    c->webhook_networks = (struct conf_list){.item = {"127.0.0.0/8", "::1"}, .n = 2};
    c->user_authenticate = "refuse";
    c->restore_action = "accept";
    c->unknown_action = "hold";
    c->apns_expiration_s = 3600;
    assert_ok(batch_new(c, DB_MDM, 8, &site.app.batch, &err), err);
    site.app.events = &wants;
    assert_ok(db_new(c, DB_AGENT, &agent, &err), err);
    testdb_shell("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                 "-days 2 -subj /CN=localhost -keyout server.key -out server.pem -addext "
                 "subjectAltName=DNS:localhost,IP:127.0.0.1 2>openssl.log && cp server.pem ca.pem",
                 site.dir);
    file_put("secrets", SECRET "\n");
    receiver_start();
    return 0;
}

static int down(void **state)
{
    (void)state;
    kill(receiver, SIGTERM);
    waitpid(receiver, NULL, 0);
    batch_free(&site.app.batch);
    db_free(&agent);
    site_down();
    return 0;
}

/* Nothing is left of the test before; the device is a new one. */
static int clear(void **state)
{
    static const char *const tables[] = {"webhook",    "webhook_event", "webhook_delivery",
                                         "audit",      "queue",         "webhook_attempt",
                                         "enrollment", "life",          "identity_cert",
                                         "result",     "result_error",  "unknown_device"};
    char text[64];
    struct pkey *key = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        snprintf(text, sizeof text, "DELETE FROM %s", tables[i]);
        site_run(text);
    }
    assert_ok(event_wants_read(site.owner, &wants, &err), err);
    arena_reset(site.a);
    testdb_shell("rm -f %s/requests %s/behave", site.dir, site.dir);
    uuid_v4(udid);
    int64_t now = clock_now();
    assert_ok(pkey_new_p256(&key, &err), err);
    cert = device_cert("device", false, key, now - DAY_US, now + DAY_US);
    pkey_free(&key);
    sign_client_setup(site.dir, SIGN_AGENT);
    return 0;
}

static int64_t hook(const char *name, const char *path, const char *payload, const char *topic1,
                    const char *topic2)
{
    const char *topics[] = {topic1, topic2};
    char key[WEBHOOK_KEY_MAX];
    int64_t id;
    struct webhook_edit e = {.name = name,
                             .url = url_of(path),
                             .topics = topics,
                             .ntopics = topic2 ? 2 : 1,
                             .payload = payload,
                             .secret = SECRET};
    assert_ok(webhook_make(site.owner, site.conf, &e, "test", clock_now(), site.a, &id, key, &err),
              err);
    assert_ok(event_wants_read(site.owner, &wants, &err), err);
    return id;
}

/* A message of the device, through the real handlers. */
static int say(handler_fn *fn, const char *keys)
{
    char *xml = arena_fmt(site.a,
                          "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>UDID</key>"
                          "<string>%s</string>%s</dict></plist>",
                          udid, keys);
    struct req req = {.method = METHOD_PUT,
                      .path = "/mdm",
                      .query = "site=b%C3%BCro&handout=0123456789abcdef&x=1&x=2",
                      .content_type = "",
                      .body = bytes_str(xml),
                      .remote_addr = "192.0.2.1",
                      .var = site_var,
                      .now = clock_now(),
                      .start = clock_mono(),
                      .arena = site.a};
    struct caller caller = {.source = IDENTITY_SIGNATURE, .cert_text = cert};
    sha256(cert, caller.cert_sha256);
    resp_free(&site.resp);
    resp_init(&site.resp);
    fn(&site.app, &req, &caller, &site.resp);
    return site.resp.status;
}

#define S(key, value) "<key>" key "</key><string>" value "</string>"
#define D(key, value) "<key>" key "</key><data>" value "</data>"

static void enrol(void)
{
    assert_int_equal(say(checkin_handle, S("MessageType", "Authenticate") S("Topic", TOPIC)), 200);
    assert_int_equal(say(checkin_handle,
                         S("MessageType", "TokenUpdate") S("Topic", TOPIC) S("PushMagic", "magic")
                             D("Token", "dG9rZW4=") D("UnlockToken", "dW5sb2Nr")),
                     200);
}

static struct rows rows_of(const char *text)
{
    struct sql sql = {.name = "rows", .text = text};
    struct db *d = NULL;
    struct rows r;
    assert_ok(db_new(site.conf, DB_OWNER, &d, &err), err);
    assert_ok(db_select(d, &sql, NULL, 0, site.a, &r, &err), err);
    db_free(&d);
    return r;
}

/* ---- what is told ---- */

static void addresses_are_checked(void **state)
{
    static const struct {
        const char *url;
        enum outcome want;
    } cases[] = {
        {"https://hooks.example.org/a?b=c", OK},
        {"https://hooks.example.org:8443", OK},
        {"HTTPS://hooks.example.org", OK},
        {"https://8.8.8.8/", OK},
        {"https://[2606:4700::1]/x", OK},
        {"https://127.0.0.1/", OK}, /* private_networks */
        {"http://hooks.example.org/", INVALID},
        {"ftp://hooks.example.org/", INVALID},
        {"//hooks.example.org/", INVALID},
        {"https://", INVALID},
        {"https:///x", INVALID},
        {"https://:443/", INVALID},
        {"https://a:0/", INVALID},
        {"https://a:70000/", INVALID},
        {"https://a:8x/", INVALID},
        {"https://user:word@a/", INVALID},
        {"https://a/#b", INVALID},
        {"https://a/b c", INVALID},
        {"https://a/\r\nHost: b", INVALID},
        {"https://10.0.0.1/", INVALID},
        {"https://169.254.169.254/latest", INVALID},
        {"https://192.168.1.1/", INVALID},
        {"https://[fd00::1]/", INVALID},
        {"https://[::ffff:10.0.0.1]/", INVALID},
        {"https://[fe80::1]/", INVALID},
        {"https://0.0.0.0/", INVALID},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (webhook_url_check(site.conf, cases[i].url, &err) != cases[i].want)
            fail_msg("%s", cases[i].url);
    assert_true(webhook_address_allowed(site.conf, "1.1.1.1"));
    assert_true(webhook_address_allowed(site.conf, "127.0.0.1"));
    assert_false(webhook_address_allowed(site.conf, "172.16.0.1"));
    assert_false(webhook_address_allowed(site.conf, "100.100.1.1"));
    assert_false(webhook_address_allowed(site.conf, "64:ff9b::a00:1"));
    assert_false(webhook_address_allowed(site.conf, "::"));
    assert_false(webhook_address_allowed(site.conf, ""));
    site.conf->webhook_http = true;
    assert_ok(webhook_url_check(site.conf, "http://hooks.example.org/", &err), err);
    site.conf->webhook_http = false;
}

static void fields_are_checked(void **state)
{
    const char *topic = "mdm.Connect", *none = "mdm.Nothing";
    char key[WEBHOOK_KEY_MAX];
    int64_t id;
    struct webhook_edit good = {
        .name = "a", .url = "https://a.example.org", .topics = &topic, .ntopics = 1};
    (void)state;
#define TRY(field, value, want)                                                                    \
    do {                                                                                           \
        struct webhook_edit e = good;                                                              \
        e.field = value;                                                                           \
        assert_outcome(webhook_make(site.owner, site.conf, &e, "t", 1, site.a, &id, key, &err),    \
                       want, err);                                                                 \
    } while (0)
    TRY(name, "", INVALID);
    TRY(name, "a\nb", INVALID);
    TRY(name, "0123456789012345678901234567890123456789012345678901234567890123456789", INVALID);
    TRY(topics, &none, INVALID);
    TRY(ntopics, 0, INVALID);
    TRY(payload, "all", INVALID);
    TRY(secret, "short", INVALID);
    TRY(secret, "whsec_@@@@@@@@@@@@@@@@@@@@@@@@", INVALID);
    TRY(url, "http://a", INVALID);
    TRY(payload, "none", OK);
    assert_int_equal(strncmp(key, "whsec_", 6), 0);
    assert_int_equal(strlen(key), 6 + 44);
    TRY(payload, "none", CONFLICT); /* the name */
    /* the key is nowhere in the clear */
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook WHERE secret LIKE '%whsec%'"), 0);
    for (int i = 0; i < WEBHOOKS_MAX - 1; i++)
        TRY(name, arena_fmt(site.a, "n%d", i), OK);
    TRY(name, "one more", CONFLICT);
}

static void messages_are_told_without_their_secrets(void **state)
{
    (void)state;
    hook("all", "/", "stripped", "*", NULL);
    enrol();
    assert_int_equal(say(connect_handle, S("Status", "Idle")), 200);
    assert_int_equal(say(connect_handle, S("Status", "Acknowledged") S("CommandUUID", "no-such")),
                     200);
    assert_int_equal(say(checkin_handle, S("MessageType", "CheckOut")), 200);
    struct rows r = rows_of("SELECT topic, ident, kind, status, command_uuid, query, tally, raw, "
                            "sealed, enrollment_id = (SELECT id FROM enrollment) FROM "
                            "webhook_event ORDER BY id");
    assert_int_equal(r.n, 4); /* not of Idle, which "*" does not have in it */
    static const int topics[] = {EVENT_AUTHENTICATE, EVENT_TOKEN_UPDATE, EVENT_CONNECT,
                                 EVENT_CHECK_OUT};
    for (size_t i = 0; i < 4; i++) {
        const struct val *v = row_at(&r, i, 0);
        assert_int_equal(v[0].i, topics[i]);
        assert_string_equal(v[1].s, udid);
        assert_int_equal(v[2].i, IDENT_DEVICE);
        assert_string_equal(v[5].s, "site=b%C3%BCro&x=1&x=2"); /* not the way to its profile */
        assert_true(val_is_null(&v[8]));                       /* nobody asked for secrets */
        assert_int_equal(v[9].i, 1);
        assert_non_null(strstr(v[7].s, udid));
        assert_null(strstr(v[7].s, "dW5sb2Nr"));
        assert_null(strstr(v[7].s, "dG9rZW4="));
        assert_null(strstr(v[7].s, "magic"));
    }
    assert_int_equal(row_at(&r, 1, 6)->i, 1); /* just enrolled */
    assert_string_equal(row_at(&r, 2, 3)->s, "Acknowledged");
    assert_string_equal(row_at(&r, 2, 4)->s, "no-such");
}

static void whole_messages_are_sealed(void **state)
{
    (void)state;
    hook("whole", "/", "whole", "mdm.TokenUpdate", NULL);
    enrol();
    struct rows r = rows_of("SELECT raw, sealed FROM webhook_event");
    assert_int_equal(r.n, 1); /* the Authenticate is not wanted */
    assert_null(strstr(row_at(&r, 0, 0)->s, "dW5sb2Nr"));
    assert_true(row_at(&r, 0, 1)->n > 100);
    assert_null(memmem(row_at(&r, 0, 1)->s, row_at(&r, 0, 1)->n, "dW5sb2Nr", 8));
    /* the worker cannot open what it sealed */
    struct buf open = BUF_INIT(1 << 16);
    sign_client_setup(site.dir, SIGN_MDM);
    assert_outcome(sign_unseal("EventPayload", udid, val_bytes(row_at(&r, 0, 1)), bytes_of(NULL, 0),
                               "", &open, &err),
                   DENIED, err);
    sign_client_setup(site.dir, SIGN_AGENT);
    assert_ok(sign_unseal("EventPayload", udid, val_bytes(row_at(&r, 0, 1)), bytes_of(NULL, 0), "",
                          &open, &err),
              err);
    assert_non_null(strstr(buf_cstr(&open), "dW5sb2Nr"));
    buf_wipe(&open);
}

static void no_payload_is_stored_that_nobody_wants(void **state)
{
    (void)state;
    hook("bare", "/", "none", "mdm.TokenUpdate", "mdm.Connect/Idle");
    enrol();
    assert_int_equal(say(connect_handle, S("Status", "Idle")), 200);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event"), 2);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event WHERE raw IS NOT NULL"), 0);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event WHERE topic = 62 AND "
                                "status = 'Idle'"),
                     1);
}

static void tokens_and_logins_are_told(void **state)
{
    (void)state;
    hook("all", "/", "stripped", "*", NULL);
    enrol();
    assert_int_equal(say(checkin_handle,
                         S("MessageType", "SetBootstrapToken") D("BootstrapToken", "Ym9vdHN0cmFw")),
                     200);
    sign_client_setup(site.dir, SIGN_MDM); /* who gives it back */
    assert_int_equal(say(checkin_handle, S("MessageType", "GetBootstrapToken")), 200);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event WHERE topic IN (4, 5) AND "
                                "enrollment_id > 0"),
                     2);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event WHERE raw LIKE "
                                "'%Ym9vdHN0cmFw%'"),
                     0);
}

/* A message that is not taken is no event; and the same without any webhook costs what it did. */
static void what_is_refused_is_not_told(void **state)
{
    (void)state;
    hook("all", "/", "stripped", "*", "mdm.Connect/Idle");
    assert_int_equal(say(connect_handle, S("Status", "Idle")), 503); /* unknown */
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event WHERE topic <> 10"), 0);
    enrol();
    site_run("DELETE FROM webhook");
    assert_ok(event_wants_read(site.owner, &wants, &err), err);
    site_run("DELETE FROM webhook_event");
    assert_int_equal(say(connect_handle, S("Status", "Idle")), 200);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event"), 0);
}

static uint64_t idle_trips(struct db *d, const struct event *e)
{
    struct exchange x;
    struct ident id = {.kind = IDENT_DEVICE};
    uint8_t sha[32];
    sha256(cert, sha);
    snprintf(id.name, sizeof id.name, "%s", udid);
    snprintf(id.device, sizeof id.device, "%s", udid);
    exchange_init(&x, site.a, clock_now(), sha, &id);
    x.unit.event = e;
    uint64_t before = db_round_trips(d);
    assert_ok(unit_do(d, &x.unit), x.unit.err);
    assert_int_equal(x.who.verdict, WHO_GOOD);
    return db_round_trips(d) - before;
}

static void a_poll_costs_nothing_more(void **state)
{
    struct db *d = NULL;
    (void)state;
    enrol();
    assert_ok(db_new(site.conf, DB_MDM, &d, &err), err);
    idle_trips(d, NULL); /* its last_seen is written */
    assert_int_equal(idle_trips(d, NULL), 1);
    idle_trips(d, &(struct event){.topic = EVENT_CONNECT_IDLE, .at = 1, .ident = udid});
    assert_int_equal(idle_trips(d, &(struct event){.topic = EVENT_CONNECT_IDLE, .ident = udid}),
                     4); /* begin, event, commit */
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event"), 2);
    db_free(&d);
}

/* ---- deliveries ---- */

/* n events of one enrollment, without a message. */
static void events(int n, int64_t enrollment_id)
{
    for (int i = 0; i < n; i++) {
        struct event e = {.topic = EVENT_CONNECT,
                          .at = clock_now(),
                          .enrollment_id = enrollment_id,
                          .ident = arena_fmt(site.a, "device-%lld", (long long)enrollment_id),
                          .kind = IDENT_DEVICE,
                          .status = "Acknowledged",
                          .command_uuid = arena_fmt(site.a, "c%d", i),
                          .raw = bytes_str("<plist/>")};
        assert_ok(event_add_wanted(site.owner, &e, &err), err);
    }
}

static void spread(void)
{
    struct webhook *w;
    size_t n, done;
    assert_ok(webhook_list(agent, false, site.a, &w, &n, &err), err);
    assert_ok(webhook_spread(agent, w, n, &done, &err), err);
}

static void events_go_to_those_who_want_them(void **state)
{
    (void)state;
    int64_t a = hook("a", "/", "none", "mdm.Connect", NULL);
    int64_t b = hook("b", "/", "none", "*", NULL);
    hook("c", "/", "none", "drover.Alarm", NULL);
    events(2, 1);
    struct event alarm = {.topic = EVENT_TOKEN_UPDATE, .at = clock_now()};
    assert_ok(event_add_wanted(site.owner, &alarm, &err), err);
    alarm.topic = EVENT_CONNECT_IDLE; /* which nobody wants: not written */
    assert_ok(event_add_wanted(site.owner, &alarm, &err), err);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event"), 3);
    /* one made later is not told of what was before */
    hook("d", "/", "none", "*", NULL);
    spread();
    spread();
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_delivery"), 5);
    assert_int_equal(
        site_count(arena_fmt(site.a, "SELECT COUNT(*) FROM webhook_delivery WHERE webhook_id=%lld",
                             (long long)a)),
        2);
    assert_int_equal(
        site_count(arena_fmt(site.a, "SELECT COUNT(*) FROM webhook_delivery WHERE webhook_id=%lld",
                             (long long)b)),
        3);
    /* an event whose webhook is gone before it is spread is gone too */
    site_run("DELETE FROM webhook WHERE name IN ('a', 'b', 'd')");
    site_run("INSERT INTO webhook_event (id, topic, at) VALUES (5, 6, 1)");
    spread();
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event WHERE id = 5"), 0);
}

static size_t claim(int64_t id, struct webhook_claim **c)
{
    size_t n;
    assert_ok(webhook_claim(agent, id, LIM_BATCH, 1000, 5 * SECOND_US, site.a, c, &n, &err), err);
    return n;
}

static void record(int64_t id, const struct webhook_claim *c, enum delivery_state s)
{
    struct webhook_result r = {.webhook_id = id,
                               .event_id = c->event_id,
                               .claim = c->claim,
                               .tried = true,
                               .state = s,
                               .at = clock_now(),
                               .status = s == DELIVERY_DONE ? 200 : 500};
    assert_ok(webhook_record(agent, &r, 1, &err), err);
}

static void an_enrollment_keeps_its_order(void **state)
{
    struct webhook_claim *c, *d;
    (void)state;
    int64_t id = hook("a", "/", "none", "*", NULL);
    events(3, 7);
    events(1, 8);
    events(1, 0);
    events(1, 0); /* about no enrollment: in no order */
    spread();
    assert_int_equal(claim(id, &c), 4);
    assert_int_equal(claim(id, &d), 0); /* they are somebody's */
    record(id, &c[0], DELIVERY_WAITS);  /* the first of 7, due again at once */
    assert_int_equal(claim(id, &d), 1);
    assert_int_equal(d[0].event_id, c[0].event_id);
    assert_int_equal(d[0].attempts, 1);
    record(id, &d[0], DELIVERY_DONE);
    assert_int_equal(claim(id, &d), 1); /* the second */
    assert_true(d[0].event_id > c[0].event_id);
    /* who has failed often enough lets the next one by */
    site_run("UPDATE webhook_delivery SET attempts = 5, due_at = due_at + 99000000 WHERE "
             "enrollment_id = 7 AND state = 1 ORDER BY event_id LIMIT 1");
    assert_int_equal(claim(id, &c), 1);
    assert_true(c[0].event_id > d[0].event_id);
}

static void a_claim_ends(void **state)
{
    struct webhook_claim *c, *d;
    (void)state;
    int64_t id = hook("a", "/", "none", "*", NULL);
    events(1, 7);
    spread();
    assert_int_equal(claim(id, &c), 1);
    assert_int_equal(claim(id, &d), 0);
    site_run("UPDATE webhook_delivery SET due_at = due_at - 6000000");
    assert_int_equal(claim(id, &d), 1);
    record(id, &c[0], DELIVERY_DEAD); /* too late: it is another's */
    assert_int_equal(site_count("SELECT state FROM webhook_delivery"), DELIVERY_WAITS);
    record(id, &d[0], DELIVERY_DONE);
    assert_int_equal(site_count("SELECT state FROM webhook_delivery"), DELIVERY_DONE);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_attempt"), 2); /* both were made */
}

static void long_messages_go_by_few(void **state)
{
    struct webhook_claim *c;
    (void)state;
    int64_t id = hook("a", "/", "none", "*", NULL);
    events(3, 0);
    site_run("UPDATE webhook_event SET raw = REPEAT('x', 600)");
    spread();
    assert_int_equal(claim(id, &c), 1); /* 1000 together, or one alone */
}

static void events_are_sent_again_when_asked(void **state)
{
    struct webhook_claim *c;
    struct webhook w;
    size_t n;
    (void)state;
    int64_t id = hook("a", "/", "none", "*", NULL);
    assert_ok(webhook_get(site.owner, id, site.a, &w, &err), err);
    int64_t t0 = clock_now();
    events(3, 0);
    int64_t t1 = clock_now();
    events(1, 0);
    spread();
    assert_int_equal(claim(id, &c), 4);
    for (int i = 0; i < 4; i++)
        record(id, &c[i], i < 2 ? DELIVERY_DEAD : DELIVERY_DONE);
    struct replay one = {.event_id = c[3].event_id}, dead = {.dead = true};
    struct replay range = {.from = t0, .to = t1};
    assert_ok(webhook_replay(site.owner, &w, &one, "test", clock_now(), &n, &err), err);
    assert_int_equal(n, 1);
    assert_outcome(webhook_replay(site.owner, &w, &one, "test", clock_now(), &n, &err), NOT_FOUND,
                   err); /* it waits */
    assert_ok(webhook_replay(site.owner, &w, &dead, "test", clock_now(), &n, &err), err);
    assert_int_equal(n, 2);
    assert_ok(webhook_replay(site.owner, &w, &range, "test", clock_now(), &n, &err), err);
    assert_int_equal(n, 1); /* the third; the others wait already, the fourth is later */
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_delivery WHERE state = 1 AND "
                                "attempts = 0"),
                     4);
    assert_int_equal(site_count("SELECT COUNT(*) FROM audit WHERE action = 'webhook.replay'"), 3);
    assert_int_equal(claim(id, &c), 4);
}

static void old_ones_are_given_up_and_forgotten(void **state)
{
    struct webhook_claim *c;
    size_t n;
    (void)state;
    int64_t id = hook("a", "/", "none", "*", NULL);
    events(2, 0);
    spread();
    site_run("UPDATE webhook_delivery SET asked_at = asked_at - 90000000 LIMIT 1");
    assert_ok(webhook_bury(agent, clock_now() - MINUTE_US, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_delivery WHERE state = 3 AND "
                                "failure = 'not sent in time'"),
                     1);
    assert_int_equal(claim(id, &c), 1);
    record(id, &c[0], DELIVERY_DONE);
    assert_ok(webhook_purge(agent, clock_now() - MINUTE_US, 1000, &n, &err), err);
    assert_int_equal(n, 0);
    assert_ok(webhook_purge(agent, clock_now() + MINUTE_US, 1000, &n, &err), err);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event"), 0);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_delivery"), 0);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_attempt"), 0);
    /* of a deleted webhook nothing is kept */
    events(1, 0);
    spread();
    site_run("DELETE FROM webhook");
    assert_ok(webhook_purge(agent, clock_now() + MINUTE_US, 1000, &n, &err), err);
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event"), 0);
}

/* ---- to the receiver ---- */

static bool turn(struct webhook_sender *s)
{
    bool busy;
    assert_ok(webhook_sender_turn(s, INT64_MAX, &busy, &err), err);
    return busy;
}

/* Turns until a count is what it should be. */
static void until(struct webhook_sender *s, const char *count, int64_t want)
{
    for (int64_t end = clock_mono() + 20 * SECOND_US; site_count(count) != want;) {
        if (clock_mono() > end)
            fail_msg("%s is %lld, not %lld", count, (long long)site_count(count), (long long)want);
        if (!turn(s))
            usleep(20000);
    }
}

#define DELIVERED "SELECT COUNT(*) FROM webhook_delivery WHERE state = 2"
#define DEAD "SELECT COUNT(*) FROM webhook_delivery WHERE state = 3"
#define TRIED "SELECT COUNT(*) FROM webhook_attempt"

static struct webhook_sender *sender(void)
{
    struct webhook_sender *s;
    assert_ok(webhook_sender_new(site.conf, agent, &s, &err), err);
    return s;
}

static void a_receiver_understands_and_believes(void **state)
{
    (void)state;
    hook("a", "/in?k=v", "stripped", "*", NULL);
    enrol();
    struct webhook_sender *s = sender();
    until(s, DELIVERED, 2);
    events(1, 1);
    until(s, DELIVERED, 3);
    judge_requests("[x['body']['topic'] for x in r]",
                   "['mdm.Authenticate', 'mdm.TokenUpdate', 'mdm.Connect']");
    judge_requests("[x['good'] + x['nano'] for x in r]",
                   "[[True, True], [True, True], [True, True]]");
    judge_requests("r[0]['path'], max(x['age'] for x in r) < 5", "/in?k=v True");
    judge_requests("[x['headers']['content-type'] for x in r][:1]",
                   "['application/json; charset=utf-8']");
    judge_requests("all(x['headers']['webhook-id'] == x['body']['event_id'] for x in r)", "True");
    judge_requests("sorted(r[1]['body'])", "['checkin_event', 'created_at', 'event_id', 'topic']");
    judge_requests("sorted(r[1]['body']['checkin_event'])",
                   "['ids', 'raw_payload', 'token_update_tally', 'udid', 'url_params']");
    judge_requests("r[1]['body']['checkin_event']['url_params'] == {'site': 'b\\u00fcro', 'x': "
                   "'1'}",
                   "True");
    judge_requests("sorted(__import__('plistlib').loads(__import__('base64').b64decode("
                   "r[1]['body']['checkin_event']['raw_payload'])))",
                   "['MessageType', 'Topic', 'UDID']");
    judge_requests("[(x['ids'], x['status'], x['command_uuid'], x['raw_payload']) for x in "
                   "[r[2]['body']['acknowledge_event']]]",
                   "[({'id': 'device-1', 'type': 'Device'}, 'Acknowledged', 'c0', "
                   "'PHBsaXN0Lz4=')]");
    webhook_sender_free(&s);
}

/* As INSTALL says it is done. */
static void openssl_agrees(void **state)
{
    struct buf sig = BUF_INIT(200), said = BUF_INIT(200), cmd = BUF_INIT(2048);
    struct bytes key, body = bytes_str("{\"topic\":\"drover.Ping\"}");
    (void)state;
    assert_ok(webhook_key_octets(SECRET, site.a, &key, &err), err);
    webhook_signature(&key, 1, "0a1b2c3d4e5f6071", 1790000000, body, &sig);
    buf_fmt(&cmd,
            "secret=%s; webhook_id=0a1b2c3d4e5f6071; webhook_timestamp=1790000000; "
            "key=$(printf %%s \"${secret#whsec_}\" | base64 -d | od -An -vtx1 | tr -d ' \\n'); "
            "{ printf %%s. \"$webhook_id\" \"$webhook_timestamp\"; cat $1; } | "
            "openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64 | tr -d '\\n'",
            SECRET);
    assert_int_equal(judge_two(buf_cstr(&cmd), body, bytes_of(NULL, 0), &said), 0);
    assert_string_equal(buf_cstr(&said), buf_cstr(&sig) + 3);
    buf_free(&sig);
    buf_free(&said);
    buf_free(&cmd);
}

static void two_secrets_sign_for_a_while(void **state)
{
    char key[WEBHOOK_KEY_MAX];
    (void)state;
    int64_t id = hook("a", "/", "none", "*", NULL);
    assert_ok(webhook_rotate(site.owner, site.conf, id, "a new secret of people", 3600, "test",
                             clock_now(), site.a, key, &err),
              err);
    file_put("secrets", SECRET "\na-wrong-secret-of-16\n");
    events(1, 0);
    struct webhook_sender *s = sender();
    until(s, DELIVERED, 1);
    judge_requests("r[0]['good']", "[True, False]");
    judge_requests("len(r[0]['headers']['webhook-signature'].split(' '))", "2");
    /* the time is over */
    assert_ok(webhook_keys_end(agent, clock_now() + 2 * HOUR_US, &err), err);
    webhook_sender_free(&s);
    s = sender();
    events(1, 0);
    until(s, DELIVERED, 2);
    judge_requests("r[1]['good'], len(r[1]['headers']['webhook-signature'].split(' '))",
                   "[False, False] 1");
    webhook_sender_free(&s);
    file_put("secrets", SECRET "\n");
}

static void secrets_are_sent_to_who_asks_for_them(void **state)
{
    (void)state;
    hook("whole", "/whole", "whole", "mdm.TokenUpdate", NULL);
    hook("bare", "/bare", "none", "mdm.TokenUpdate", NULL);
    enrol();
    struct webhook_sender *s = sender();
    until(s, DELIVERED, 2);
    judge_requests("{x['path']: sorted(__import__('plistlib').loads(__import__('base64').b64decode("
                   "x['body']['checkin_event']['raw_payload']))) if "
                   "x['body']['checkin_event']['raw_payload'] else [] for x in sorted(r, key="
                   "lambda x: x['path'])}",
                   "{'/bare': [], '/whole': ['MessageType', 'PushMagic', 'Token', 'Topic', "
                   "'UDID', 'UnlockToken']}");
    webhook_sender_free(&s);
}

static void failures_come_again_and_end(void **state)
{
    (void)state;
    int64_t id = hook("a", "/", "none", "*", NULL);
    file_put("behave", "{\"status\": 500, \"body\": \"out of \\u00fc\"}");
    events(1, 3);
    struct webhook_sender *s = sender();
    until(s, TRIED, 1);
    struct rows r = rows_of("SELECT d.status, d.failure, d.attempts, t.answer, d.due_at - t.at "
                            "FROM webhook_delivery d JOIN webhook_attempt t");
    assert_int_equal(row_at(&r, 0, 0)->i, 500);
    assert_string_equal(row_at(&r, 0, 1)->s, "it answered 500");
    assert_string_equal(row_at(&r, 0, 3)->s, "out of \xc3\xbc");
    assert_in_range(row_at(&r, 0, 4)->i, 3900000, 7500000); /* five seconds, a fifth more or less */
    assert_int_equal(site_count("SELECT failing_since IS NOT NULL FROM webhook"), 1);
    for (int i = 2; i <= 3; i++) {
        site_run("UPDATE webhook_delivery SET due_at = 0");
        until(s, TRIED, i);
    }
    until(s, DEAD, 1); /* attempts = 3 */
    /* sent again by a person, it succeeds: nothing of the trouble is left */
    struct webhook w;
    size_t n;
    file_put("behave", "{}");
    assert_ok(webhook_get(site.owner, id, site.a, &w, &err), err);
    assert_int_equal(w.dead, 1);
    assert_ok(webhook_replay(site.owner, &w, &(struct replay){.dead = true}, "test", clock_now(),
                             &n, &err),
              err);
    webhook_sender_free(&s); /* which holds back a webhook that fails */
    s = sender();
    until(s, DELIVERED, 1);
    assert_int_equal(
        site_count("SELECT failing_since IS NULL AND failure IS NULL AND last_ok_at > 0 "
                   "FROM webhook"),
        1);
    judge_requests("len({x['body']['event_id'] for x in r}), len(r)", "1 4");
    webhook_sender_free(&s);
}

static void backing_off_doubles(void **state)
{
    (void)state;
    assert_int_equal(webhook_backoff(1), 5 * SECOND_US);
    assert_int_equal(webhook_backoff(2), 10 * SECOND_US);
    assert_int_equal(webhook_backoff(5), 80 * SECOND_US);
    assert_int_equal(webhook_backoff(11), HOUR_US);
    assert_int_equal(webhook_backoff(1000), HOUR_US);
}

static void retry_after_is_heeded(void **state)
{
    (void)state;
    hook("a", "/", "none", "*", NULL);
    file_put("behave", "{\"status\": 429, \"headers\": {\"Retry-After\": \"120\"}}");
    events(1, 3);
    struct webhook_sender *s = sender();
    until(s, TRIED, 1);
    struct rows r = rows_of("SELECT MAX(d.due_at - t.at) FROM webhook_delivery d JOIN "
                            "webhook_attempt t ON t.event_id = d.event_id");
    assert_in_range(row_at(&r, 0, 0)->i, 119 * SECOND_US, 123 * SECOND_US);
    /* and by the webhook as a whole: whatever comes now waits too */
    file_put("behave", "{}");
    events(1, 5);
    for (int i = 0; i < 20; i++)
        turn(s);
    assert_int_equal(site_count(TRIED), 1);
    webhook_sender_free(&s);
}

static void who_is_gone_is_paused_with_an_alarm(void **state)
{
    (void)state;
    hook("gone", "/", "none", "mdm.Connect", NULL);
    hook("watch", "/watch", "none", "drover.Alarm", NULL);
    site_run("UPDATE webhook SET state = 2 WHERE name = 'watch'"); /* keeps its events */
    file_put("behave", "{\"status\": 410}");
    events(1, 3);
    struct webhook_sender *s = sender();
    until(s,
          "SELECT COUNT(*) FROM webhook WHERE name = 'gone' AND state = 3 AND state_why LIKE "
          "'%410%'",
          1);
    assert_int_equal(site_count(DEAD), 1);
    assert_int_equal(site_count("SELECT COUNT(*) FROM audit WHERE action = 'alarm.webhook-paused' "
                                "AND subject = 'gone' AND actor = 'rule:webhook'"),
                     1);
    until(s,
          "SELECT COUNT(*) FROM webhook_event e JOIN webhook_delivery d ON d.event_id = e.id "
          "WHERE e.topic = 12 AND e.facts LIKE '%webhook-paused%'",
          1);
    /* until a person says so, nothing more is sent there */
    file_put("behave", "{}");
    events(1, 3);
    for (int i = 0; i < 10; i++)
        turn(s);
    assert_int_equal(site_count(DELIVERED), 0);
    struct webhook *w;
    size_t n;
    assert_ok(webhook_list(site.owner, true, site.a, &w, &n, &err), err);
    assert_string_equal(webhook_state_name(w[0].state), "failed");
    assert_ok(webhook_resume(site.owner, &w[0], "test", clock_now(), &err), err);
    assert_outcome(webhook_resume(site.owner, &w[0], "test", clock_now(), &err), CONFLICT, err);
    until(s, DELIVERED, 1);
    webhook_sender_free(&s);
}

static void long_failure_pauses(void **state)
{
    (void)state;
    hook("a", "/", "none", "mdm.Connect", NULL);
    site_run("UPDATE webhook SET failing_since = 1"); /* since 1970 */
    file_put("behave", "{\"status\": 503}");
    events(1, 3);
    struct webhook_sender *s = sender();
    until(s, "SELECT COUNT(*) FROM webhook WHERE state = 3 AND state_why LIKE '%answered 503%'", 1);
    webhook_sender_free(&s);
}

static const char *failure_of_last(void)
{
    struct rows r =
        rows_of("SELECT failure, took_us FROM webhook_attempt ORDER BY at DESC LIMIT 1");
    assert_int_equal(r.n, 1);
    return val_text(row_at(&r, 0, 0));
}

static void bad_receivers(void **state)
{
    static const struct {
        const char *behave, *want;
    } cases[] = {
        {"{\"delay\": 4}", "imed out"},
        {"{\"close\": true}", "mpty reply"},
        {"{\"status\": 302, \"headers\": {\"Location\": \"https://localhost:1/\"}}",
         "redirects are not followed"},
        {"{\"status\": 404}", "it answered 404"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        clear(NULL);
        hook("a", "/", "none", "*", NULL);
        file_put("behave", cases[i].behave);
        events(1, 3);
        struct webhook_sender *s = sender();
        until(s, TRIED, 1);
        if (!strstr(failure_of_last(), cases[i].want))
            fail_msg("%s: %s", cases[i].behave, failure_of_last());
        assert_int_equal(site_count("SELECT state FROM webhook_delivery"), DELIVERY_WAITS);
        webhook_sender_free(&s);
    }
    /* a long answer is none of our business */
    clear(NULL);
    hook("a", "/", "none", "*", NULL);
    char *text = arena_alloc(site.a, 300000);
    memset(text, 'x', 200000);
    file_put("behave", arena_fmt(site.a, "{\"body\": \"%s\"}", text));
    events(1, 3);
    struct webhook_sender *s = sender();
    until(s, DELIVERED, 1);
    webhook_sender_free(&s);
}

/* A name that leads inside, an unknown CA: no request leaves. */
static void where_nothing_is_sent(void **state)
{
    struct conf_list nets = site.conf->webhook_networks;
    const char *ca = site.conf->webhook_ca;
    (void)state;
    hook("a", "/", "none", "*", NULL);
    events(1, 3);
    site.conf->webhook_networks.n = 0;
    struct webhook_sender *s = sender();
    until(s, TRIED, 1);
    if (!strstr(failure_of_last(), "not connected to"))
        fail_msg("%s", failure_of_last());
    webhook_sender_free(&s);
    site.conf->webhook_networks = nets;
    site.conf->webhook_ca = "";
    site_run("UPDATE webhook_delivery SET due_at = 0");
    s = sender();
    until(s, TRIED, 2);
    if (!strstr(failure_of_last(), "certificate"))
        fail_msg("%s", failure_of_last());
    webhook_sender_free(&s);
    site.conf->webhook_ca = ca;
    judge_requests("len(r)", "0");
}

/* Enrollments one after the other, enrollments beside each other. */
static void many_at_once_in_order(void **state)
{
    (void)state;
    hook("a", "/", "none", "*", NULL);
    file_put("behave", "{\"delay\": 0.01}");
    for (int i = 101; i <= 120; i++) /* no other test's: its requests may be under way still */
        events(5, i);
    struct webhook_sender *s = sender();
    until(s, DELIVERED, 100);
    webhook_sender_free(&s);
    judge_requests("len(r), max(x['together'] for x in r)", "100 1");
    judge_requests("[w for w in {x['body']['acknowledge_event']['ids']['id'] for x in r} if "
                   "[x['body']['acknowledge_event']['command_uuid'] for x in r if "
                   "x['body']['acknowledge_event']['ids']['id'] == w] != ['c0', 'c1', 'c2', 'c3', "
                   "'c4']]",
                   "[]");
    judge_requests("len({x['headers']['x-drover-attempt'] for x in r})", "1");
}

/* A sender in a process of its own, until it is killed. */
static pid_t sender_fork(void)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct db *own = NULL;
    struct webhook_sender *s;
    bool busy;
    if (db_new(site.conf, DB_AGENT, &own, &err) != OK ||
        webhook_sender_new(site.conf, own, &s, &err) != OK)
        _exit(1);
    for (;;)
        if (webhook_sender_turn(s, INT64_MAX, &busy, &err) != OK || !busy)
            usleep(10000);
}

static void wait_for(const char *count, int64_t want)
{
    for (int64_t end = clock_mono() + 20 * SECOND_US; site_count(count) != want; usleep(20000))
        if (clock_mono() > end)
            fail_msg("%s is not %lld", count, (long long)want);
}

static void two_agents_send_once(void **state)
{
    (void)state;
    hook("a", "/", "none", "*", NULL);
    for (int i = 201; i <= 260; i++)
        events(3, i);
    pid_t one = sender_fork(), two = sender_fork();
    wait_for(DELIVERED, 180);
    kill(one, SIGKILL);
    kill(two, SIGKILL);
    waitpid(one, NULL, 0);
    waitpid(two, NULL, 0);
    judge_requests("len(r), len({x['body']['event_id'] for x in r}), max(x['together'] for x in r)",
                   "180 180 1");
}

static void an_agent_dies_between_sending_and_noting(void **state)
{
    char path[128];
    struct stat st;
    (void)state;
    hook("a", "/", "none", "*", NULL);
    file_put("behave", "{\"delay\": 1}");
    events(1, 3);
    snprintf(path, sizeof path, "%s/requests", site.dir);
    pid_t one = sender_fork();
    for (int64_t end = clock_mono() + 10 * SECOND_US; stat(path, &st) != 0; usleep(10000))
        assert_true(clock_mono() < end);
    kill(one, SIGKILL); /* the receiver has it, and nobody knows */
    waitpid(one, NULL, 0);
    file_put("behave", "{}");
    struct webhook_sender *s = sender();
    for (int i = 0; i < 10; i++)
        turn(s); /* it is still the dead one's */
    judge_requests("len(r)", "1");
    site_run("UPDATE webhook_delivery SET due_at = due_at - 30000000"); /* its claim is over */
    until(s, DELIVERED, 1);
    judge_requests("len(r), len({x['body']['event_id'] for x in r}), "
                   "len({x['headers']['webhook-id'] for x in r})",
                   "2 1 1");
    webhook_sender_free(&s);
}

static void a_ping_goes_to_one(void **state)
{
    struct webhook w;
    int64_t event;
    (void)state;
    int64_t id = hook("a", "/a", "none", "drover.Alarm", NULL);
    hook("b", "/b", "none", "*", NULL);
    assert_ok(webhook_get(site.owner, id, site.a, &w, &err), err);
    assert_ok(webhook_ping(site.owner, &w, "test", clock_now(), &event, &err), err);
    struct webhook_sender *s = sender();
    until(s, DELIVERED, 1);
    judge_requests("[(x['path'], x['body']['topic'], x['body']['drover_event']) for x in r]",
                   "[('/a', 'drover.Ping', {})]");
    struct delivery *d;
    struct delivery_attempt *t;
    struct delivery_filter f = {.topic = -1};
    size_t n;
    assert_ok(delivery_list(site.owner, id, &f, 0, 10, site.a, &d, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(d[0].event_id, event);
    assert_int_equal(d[0].status, 200);
    assert_ok(delivery_attempts(site.owner, id, event, site.a, &t, &n, &err), err);
    assert_int_equal(n, 1);
    webhook_sender_free(&s);
}

/* Of 8000 every thousandth is dead: the events of a page, the newest first. */
static void the_log_tells_each_state(void **state)
{
    struct delivery_filter f = {.topic = -1};
    struct delivery *d;
    size_t n;
    (void)state;
    int64_t id = hook("a", "/a", "none", "*", NULL);
    site_run("INSERT INTO webhook_event (id, topic, at, spread) SELECT seq, 6, 1, 1 FROM "
             "seq_1_to_8000");
    site_run(arena_fmt(site.a,
                       "INSERT INTO webhook_delivery (webhook_id, event_id, enrollment_id, topic, "
                       "state, asked_at, due_at) SELECT %lld, seq, 0, 6, IF(seq %% 1000, 2, 3), 1, "
                       "9000 - seq FROM seq_1_to_8000",
                       (long long)id));
    f.state = DELIVERY_DEAD;
    assert_ok(delivery_list(site.owner, id, &f, 0, 3, site.a, &d, &n, &err), err);
    assert_int_equal(n, 3);
    assert_int_equal(d[0].event_id, 8000);
    assert_ok(delivery_list(site.owner, id, &f, d[2].event_id, 10, site.a, &d, &n, &err), err);
    assert_int_equal(n, 5);
    assert_int_equal(d[0].event_id, 5000);
    f.state = DELIVERY_DONE;
    assert_ok(delivery_list(site.owner, id, &f, 8000, 10, site.a, &d, &n, &err), err);
    assert_int_equal(n, 10);
    assert_int_equal(d[0].event_id, 7999);
    f.state = DELIVERY_WAITS;
    assert_ok(delivery_list(site.owner, id, &f, 0, 10, site.a, &d, &n, &err), err);
    assert_int_equal(n, 0);
    f = (struct delivery_filter){.state = DELIVERY_DEAD, .topic = EVENT_ALARM};
    assert_ok(delivery_list(site.owner, id, &f, 0, 10, site.a, &d, &n, &err), err);
    assert_int_equal(n, 0);
}

/* ---- what Drover itself tells ---- */

/* The facts of the newest event of a topic, and whom it is about; "" when there is none. */
static const char *newest(enum event_topic topic)
{
    struct rows r = rows_of(arena_fmt(site.a,
                                      "SELECT CONCAT(ident, ' ', facts) FROM webhook_event WHERE "
                                      "topic = %d ORDER BY id DESC LIMIT 1",
                                      topic));
    return r.n ? row_at(&r, 0, 0)->s : "";
}

static void ends_of_commands_are_told(void **state)
{
    size_t n, sent;
    struct digest_place place = {0};
    (void)state;
    enrol();
    hook("a", "/", "none", "drover.CommandFinished", NULL);
    site_run(
        "INSERT INTO command (id, uuid, request_type, body, created_at, created_by) VALUES "
        "(1, 'U1', 'DeviceLock', '<plist/>', 1, 't'), (2, 'U2', 'SecurityInfo', '<plist/>', 1, "
        "'t'), (3, 'U3', 'ProfileList', '<plist/>', 1, 't'), (4, 'U4', 'ProfileList', "
        "'<plist/>', 1, 't')");
    site_run("INSERT INTO queue (enrollment_id, urgency, queued_at, command_id, state, not_before, "
             "expires_at) SELECT e.id, 0, c.id, c.id, 1, 0, IF(c.id = 2, 5, NULL) FROM enrollment "
             "e, command c");
    assert_ok(
        queue_cancel(site.owner, udid, "U1", "ann", "a mistake", clock_now(), &n, &sent, &err),
        err);
    assert_string_equal(newest(EVENT_COMMAND_FINISHED),
                        arena_fmt(site.a,
                                  "%s {\"command_uuid\":\"U1\",\"request_type\":\"DeviceLock\","
                                  "\"state\":\"cancelled\",\"why\":\"ann: a mistake\"}",
                                  udid));
    assert_ok(queue_expire(agent, clock_now(), 100, &n, &err), err);
    assert_non_null(strstr(newest(EVENT_COMMAND_FINISHED), "\"U2\""));
    assert_non_null(strstr(newest(EVENT_COMMAND_FINISHED), "\"expired\""));
    /* an answer is told once it is inventory, with what its ErrorChain says */
    assert_int_equal(say(connect_handle, S("Status", "Idle")), 200);
    assert_int_equal(
        say(connect_handle,
            S("Status", "Error")
                S("CommandUUID",
                  "U3") "<key>ErrorChain</key><array><dict><key>ErrorCode</key><integer>12021"
                        "</integer>" S("ErrorDomain", "MCMDMErrorDomain")
                            S("USEnglishDescription", "no") "</dict></array>"),
        200);
    assert_null(strstr(newest(EVENT_COMMAND_FINISHED), "\"U3\""));
    assert_ok(digest_turn(agent, &place, &n, &err), err);
    assert_string_equal(
        newest(EVENT_COMMAND_FINISHED),
        arena_fmt(
            site.a,
            "%s {\"command_uuid\":\"U3\",\"request_type\":\"ProfileList\",\"state\":\"error\","
            "\"errors\":[{\"domain\":\"MCMDMErrorDomain\",\"code\":12021,\"text\":\"no\"}]}",
            udid));
    /* who leaves takes what waited along */
    assert_int_equal(say(checkin_handle, S("MessageType", "CheckOut")), 200);
    assert_non_null(strstr(newest(EVENT_COMMAND_FINISHED), "\"U4\""));
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event"), 4);
    site_run("DELETE FROM command");
}

static void silence_and_strangers_are_told(void **state)
{
    (void)state;
    hook("a", "/", "none", "*", NULL);
    assert_int_equal(say(connect_handle, S("Status", "Idle")), 503);
    assert_int_equal(say(connect_handle, S("Status", "Idle")), 503); /* once is enough */
    assert_int_equal(site_count("SELECT COUNT(*) FROM webhook_event WHERE topic = 10"), 1);
    assert_int_equal(strncmp(newest(EVENT_DEVICE_UNKNOWN), udid, strlen(udid)), 0);
    assert_non_null(strstr(newest(EVENT_DEVICE_UNKNOWN), "\"certificate_sha256\":\""));
    site_run("DELETE FROM unknown_device");
    enrol();
    struct inactive_sweep s = {.now = clock_now() + 30 * DAY_US,
                               .after_us = 7 * DAY_US,
                               .nudge_us = DAY_US,
                               .push_keep = 60};
    assert_ok(inactive_sweep(agent, &s, &err), err);
    assert_int_equal(strncmp(newest(EVENT_DEVICE_INACTIVE), udid, strlen(udid)), 0);
    site_run("UPDATE enrollment SET last_seen_at = inactive_at + 1");
    assert_ok(inactive_sweep(agent, &s, &err), err);
    assert_non_null(strstr(newest(EVENT_DEVICE_RETURNED), "last_seen_at"));
}

static void ends_and_alarms_are_told(void **state)
{
    (void)state;
    hook("a", "/", "none", "*", NULL);
    assert_ok(expiry_put(agent,
                         &(struct expiry){.kind = "scep-ca",
                                          .name = udid,
                                          .detail = "",
                                          .count = 1,
                                          .ends_at = clock_now() + 3 * DAY_US},
                         clock_now(), &err),
              err);
    const char *url = site.conf->device_url;
    site.conf->device_url = site.conf->console_url = ""; /* whose certificates are not looked at */
    assert_ok(ends_look(agent, site.conf, &err), err);
    assert_int_equal(site_count(arena_fmt(site.a,
                                          "SELECT COUNT(*) FROM webhook_event WHERE topic = 11 AND "
                                          "facts LIKE '%%\"kind\":\"scep-ca\",\"name\":\"%s\"%%'",
                                          udid)),
                     1);
    site.conf->device_url = url;
    assert_ok(event_alarm(agent, "rule:test", "test", "a \"thing\"", "it hurts", 1, &err), err);
    assert_string_equal(newest(EVENT_ALARM), " {\"kind\":\"test\",\"about\":\"a \\\"thing\\\"\","
                                             "\"text\":\"it hurts\"}");
    assert_int_equal(site_count("SELECT COUNT(*) FROM audit WHERE action = 'alarm.test'"), 1);
    site_run("DELETE FROM expiry");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, clear)
    const struct CMUnitTest tests[] = {T(addresses_are_checked),
                                       T(fields_are_checked),
                                       T(messages_are_told_without_their_secrets),
                                       T(whole_messages_are_sealed),
                                       T(no_payload_is_stored_that_nobody_wants),
                                       T(tokens_and_logins_are_told),
                                       T(what_is_refused_is_not_told),
                                       T(a_poll_costs_nothing_more),
                                       T(events_go_to_those_who_want_them),
                                       T(an_enrollment_keeps_its_order),
                                       T(a_claim_ends),
                                       T(long_messages_go_by_few),
                                       T(events_are_sent_again_when_asked),
                                       T(old_ones_are_given_up_and_forgotten),
                                       T(a_receiver_understands_and_believes),
                                       T(openssl_agrees),
                                       T(two_secrets_sign_for_a_while),
                                       T(secrets_are_sent_to_who_asks_for_them),
                                       T(failures_come_again_and_end),
                                       T(backing_off_doubles),
                                       T(retry_after_is_heeded),
                                       T(who_is_gone_is_paused_with_an_alarm),
                                       T(long_failure_pauses),
                                       T(bad_receivers),
                                       T(where_nothing_is_sent),
                                       T(many_at_once_in_order),
                                       T(two_agents_send_once),
                                       T(an_agent_dies_between_sending_and_noting),
                                       T(a_ping_goes_to_one),
                                       T(the_log_tells_each_state),
                                       T(ends_of_commands_are_told),
                                       T(silence_and_strangers_are_told),
                                       T(ends_and_alarms_are_told)};
    return cmocka_run_group_tests(tests, up, down);
}
