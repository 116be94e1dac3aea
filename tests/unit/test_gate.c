/*
 * The gate: certificates by variable, proxy header and Mdm-Signature, API keys. The certificates
 * are made here; the API keys are in a real database.
 */
#include "testdb.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/net.h"
#include "route/gate.h"
#include "route/known.h"
#include "store/account.h"
#include "store/migrate.h"
#include "store/trust_set.h"
#include "wire/cms.h"
#include "wire/encode.h"

/* A key pair with its certificate. */
struct id {
    struct pkey *key;
    struct bytes der;
    const char *pem;
    uint8_t sha[SHA256_LEN];
};

static struct arena *forever, *a;
static struct err err;
static struct conf conf;
static struct app app;
static struct id ca, strange_ca, device, other, expired, not_yet, server, stranger;

static struct id issue(const struct id *issuer, struct cert_profile p)
{
    struct id id = {0};
    struct buf der = BUF_INIT(LIM_MB), pem = BUF_INIT(LIM_MB);
    assert_ok(pkey_new_p256(&id.key, &err), err);
    int64_t now = clock_now();
    if (!p.not_before)
        p.not_before = now - DAY_US;
    if (!p.not_after)
        p.not_after = now + DAY_US;
    p.path_len = -1;
    assert_ok(cert_issue(&p, bytes_of(NULL, 0), id.key, issuer ? issuer->der : bytes_of(NULL, 0),
                         issuer ? issuer->key : id.key, &der, &err),
              err);
    id.der = arena_bytes(forever, buf_bytes(&der));
    cert_to_pem(id.der, &pem);
    id.pem = arena_strdup(forever, buf_cstr(&pem));
    sha256(id.der, id.sha);
    buf_free(&der);
    buf_free(&pem);
    return id;
}

static void trust_only(const struct id *anchor)
{
    struct trust *t;
    assert_ok(trust_new(&t, &err), err);
    assert_ok(trust_add(t, anchor->der, &err), err);
    trust_set_install(app.trust, &t, 1);
}

static int make_all(void **state)
{
    (void)state;
    int64_t now = clock_now();
    forever = arena_new(4 * LIM_MB);
    a = arena_new(4 * LIM_MB);
    struct cert_profile leaf = {.common_name = "device", .client_auth = true}, p;
    ca = issue(NULL, (struct cert_profile){.common_name = "CA", .ca = true});
    strange_ca = issue(NULL, (struct cert_profile){.common_name = "Strange CA", .ca = true});
    device = issue(&ca, leaf);
    other = issue(&ca, leaf);
    stranger = issue(&strange_ca, leaf);
    p = leaf;
    p.not_before = now - 2 * DAY_US;
    p.not_after = now - DAY_US;
    expired = issue(&ca, p);
    p.not_before = now + DAY_US;
    p.not_after = now + 2 * DAY_US;
    not_yet = issue(&ca, p);
    server = issue(&ca, (struct cert_profile){.common_name = "server", .server_auth = true});
    conf = *testdb_conf(TESTDB_DIR, "drover_gate");
    conf.path = "test";
    conf.proxy_header = "Client-Cert";
    conf.proxy_trust = (struct conf_list){{"192.0.2.0/24", "2001:db8::1"}, 2};
    conf.identity_variables = conf.identity_signature = true;
    app.conf = &conf;
    app.trust = trust_set_new();
    assert_ok(gate_new(&conf, &app.gate, &err), err);
    assert_ok(db_pool_new(&conf, DB_OWNER, 2, &app.pool, &err), err);
    return 0;
}

/* One request and what became of it. */
static struct caller caller;
static struct resp resp;
static const char *vars[16];
static size_t nvars;
static const char *body;

static size_t feed_read(void *from, void *p, size_t n, bool *cut)
{
    struct bytes *f = from;
    size_t m = n < f->n ? n : f->n;
    if (m)
        memcpy(p, f->p, m);
    f->p += m;
    f->n -= m;
    *cut = false;
    return m;
}

static int fresh(void **state)
{
    (void)state;
    arena_reset(a);
    nvars = 0;
    body = "";
    resp_free(&resp);
    resp_init(&resp);
    trust_only(&ca);
    return 0;
}

static void set(const char *name, const char *value)
{
    vars[nvars++] = arena_fmt(forever, "%s=%s", name, value);
}

/* The status; 0: let through. */
static int ask(enum gate gate, const char *scope)
{
    const struct route row = {.gate = gate, .body_max = LIM_MB, .scope = scope};
    struct req *req;
    struct bytes feed = bytes_str(body);
    char **all = arena_array(a, nvars + 3, sizeof *all);
    for (size_t i = 0; i < nvars; i++)
        all[i] = (char *)(uintptr_t)vars[i];
    all[nvars] = arena_strdup(a, "REQUEST_URI=/mdm");
    all[nvars + 1] = arena_fmt(a, "CONTENT_LENGTH=%zu", strlen(body));
    resp_free(&resp);
    resp_init(&resp);
    memset(&caller, 0, sizeof caller);
    assert_ok(req_new(a, all, (struct req_source){feed_read, &feed}, &req, &err), err);
    if (!gate_enter(&app, &row, req, &caller, &resp))
        return resp.status;
    assert_ok(req_read_body(req, row.body_max, &err), err);
    if (!gate_admit(&app, &row, req, &caller, &resp))
        return resp.status;
    if (gate == GATE_DEVICE) {
        struct bytes der;
        assert_ok(caller_cert(&caller, req, &der, &err), err);
        uint8_t sha[SHA256_LEN];
        sha256(der, sha);
        assert_memory_equal(sha, caller.cert_sha256, SHA256_LEN);
    }
    return 0;
}

static void tls(const char *verify, const char *pem)
{
    nvars = 0;
    set("SSL_CLIENT_VERIFY", verify);
    set("SSL_CLIENT_CERT", pem);
}

static char *replace(const char *s, char from, const char *to)
{
    struct buf b = BUF_INIT(LIM_MB);
    for (; *s; s++)
        if (*s == from)
            buf_str(&b, to);
        else
            buf_char(&b, *s);
    char *out = arena_strdup(forever, buf_cstr(&b));
    buf_free(&b);
    return out;
}

static void refused(int status)
{
    assert_int_equal(ask(GATE_DEVICE, NULL), status);
    assert_true(resp.no_body);
    assert_true(resp.note[0]);
}

static void variables(void **state)
{
    (void)state;
    static const char *const verify[] = {"SUCCESS", "GENEROUS",
                                         "FAILED:unable to get local issuer certificate"};
    for (size_t i = 0; i < 3; i++)
        for (int twice = 0; twice < 2; twice++) {
            tls(verify[i], device.pem);
            assert_int_equal(ask(GATE_DEVICE, NULL), 0);
            assert_int_equal(caller.source, IDENTITY_VARIABLE);
            assert_memory_equal(caller.cert_sha256, device.sha, SHA256_LEN);
            assert_false(caller.expired);
        }
    tls("SUCCESS", replace(device.pem, '\n', " "));
    assert_int_equal(ask(GATE_DEVICE, NULL), 0);
    tls("SUCCESS", replace(device.pem, '\n', "\t"));
    assert_int_equal(ask(GATE_DEVICE, NULL), 0);
    tls("NONE", device.pem); /* no handshake proved the key */
    refused(400);
    tls("", device.pem);
    refused(400);
    nvars = 0;
    set("SSL_CLIENT_CERT", device.pem);
    refused(400);
    tls("SUCCESS", "");
    refused(400);
    tls("FAILED:certificate has expired", ""); /* as lighttpd has it */
    refused(403);
    tls("SUCCESS", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    refused(400);
    tls("SUCCESS", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n");
    refused(400);
    tls("SUCCESS", "-----BEGIN CERTIFICATE-----\nMIIB");
    refused(400);
    tls("SUCCESS", arena_fmt(forever, "%0*d", (int)LIM_HEADER_CERT + 1, 0));
    refused(400);
    conf.identity_variables = false;
    tls("SUCCESS", device.pem);
    refused(400);
    conf.identity_variables = true;
}

static void verdicts(void **state)
{
    (void)state;
    tls("SUCCESS", stranger.pem); /* whatever the web server thinks */
    refused(403);
    tls("SUCCESS", server.pem);
    refused(403);
    tls("SUCCESS", not_yet.pem);
    refused(403);
    for (int twice = 0; twice < 2; twice++) {
        tls("FAILED:certificate has expired", expired.pem);
        assert_int_equal(ask(GATE_DEVICE, NULL), 0);
        assert_true(caller.expired);
    }
}

static void forgets_when_trust_changes(void **state)
{
    (void)state;
    tls("SUCCESS", device.pem);
    assert_int_equal(ask(GATE_DEVICE, NULL), 0);
    trust_only(&strange_ca);
    refused(403);
    tls("SUCCESS", stranger.pem);
    assert_int_equal(ask(GATE_DEVICE, NULL), 0);
    trust_only(&ca);
    refused(403);
}

static void no_trust_yet(void **state)
{
    (void)state;
    struct trust_set *full = app.trust;
    app.trust = trust_set_new();
    tls("SUCCESS", device.pem);
    refused(503);
    trust_set_free(&app.trust);
    app.trust = full;
}

static const char *rfc9440(const struct id *id)
{
    struct buf b = BUF_INIT(LIM_MB);
    buf_char(&b, ':');
    base64_add(&b, id->der);
    buf_char(&b, ':');
    char *out = arena_strdup(forever, buf_cstr(&b));
    buf_free(&b);
    return out;
}

static const char *escaped(const struct id *id)
{
    struct buf b = BUF_INIT(LIM_MB);
    url_encode_add(&b, id->pem);
    char *out = arena_strdup(forever, buf_cstr(&b));
    buf_free(&b);
    return out;
}

static void by_proxy(const char *addr, const char *value)
{
    nvars = 0;
    set("REMOTE_ADDR", addr);
    set("HTTP_CLIENT_CERT", value);
}

static void proxies(void **state)
{
    (void)state;
    static const char *const good[] = {"192.0.2.7", "2001:db8::1", "::ffff:192.0.2.200"};
    static const char *const bad[] = {"192.0.3.7", "2001:db8::2", "",
                                      "unix:", "192.0.2.7, 1.2.3.4"};
    const char *forms[] = {rfc9440(&device), escaped(&device), device.pem,
                           replace(escaped(&device), ' ', "+")};
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 4; j++) {
            by_proxy(good[i], forms[j]);
            assert_int_equal(ask(GATE_DEVICE, NULL), 0);
            assert_int_equal(caller.source, IDENTITY_PROXY);
            assert_memory_equal(caller.cert_sha256, device.sha, SHA256_LEN);
        }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        by_proxy(bad[i], rfc9440(&device));
        refused(400);
    }
    static const char *const broken[] = {":", "::", ":AAAA", ":A", ":!!:", "AAAA", "%zz", "%2D%2D"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        by_proxy("192.0.2.7", broken[i]);
        refused(400);
    }
    /* the proxy's own certificate does not stand in for the device's */
    tls("SUCCESS", other.pem);
    set("REMOTE_ADDR", "192.0.2.7");
    set("HTTP_CLIENT_CERT", rfc9440(&device));
    assert_int_equal(ask(GATE_DEVICE, NULL), 0);
    assert_memory_equal(caller.cert_sha256, device.sha, SHA256_LEN);
    /* from elsewhere the header is as good as absent */
    nvars = 0;
    tls("SUCCESS", other.pem);
    set("REMOTE_ADDR", "198.51.100.1");
    set("HTTP_CLIENT_CERT", rfc9440(&device));
    assert_int_equal(ask(GATE_DEVICE, NULL), 0);
    assert_memory_equal(caller.cert_sha256, other.sha, SHA256_LEN);
}

static const char *signature(const struct id *id, const char *text)
{
    struct buf der = BUF_INIT(LIM_MB), b = BUF_INIT(LIM_MB);
    assert_ok(cms_sign(bytes_str(text), id->der, id->key, NULL, 0, true, &der, &err), err);
    base64_add(&b, buf_bytes(&der));
    char *out = arena_strdup(forever, buf_cstr(&b));
    buf_free(&der);
    buf_free(&b);
    return out;
}

static void signatures(void **state)
{
    (void)state;
    body = "the message";
    for (int twice = 0; twice < 2; twice++) {
        nvars = 0;
        set("HTTP_MDM_SIGNATURE", signature(&device, body));
        assert_int_equal(ask(GATE_DEVICE, NULL), 0);
        assert_int_equal(caller.source, IDENTITY_SIGNATURE);
        assert_memory_equal(caller.cert_sha256, device.sha, SHA256_LEN);
    }
    body = "another message"; /* replayed */
    refused(403);
    body = "the message";
    nvars = 0;
    set("HTTP_MDM_SIGNATURE", signature(&stranger, body));
    refused(403);
    nvars = 0;
    set("HTTP_MDM_SIGNATURE", "bm8gQ01T");
    refused(400);
    nvars = 0;
    set("HTTP_MDM_SIGNATURE", "*");
    refused(400);
    nvars = 0;
    set("HTTP_MDM_SIGNATURE", arena_fmt(forever, "%0*d", (int)LIM_HEADER_SIGNATURE + 1, 0));
    refused(400);
    conf.identity_signature = false;
    nvars = 0;
    set("HTTP_MDM_SIGNATURE", signature(&device, body));
    refused(400);
    conf.identity_signature = true;
}

static void both_must_agree(void **state)
{
    (void)state;
    body = "the message";
    tls("SUCCESS", device.pem);
    set("HTTP_MDM_SIGNATURE", signature(&device, body));
    assert_int_equal(ask(GATE_DEVICE, NULL), 0);
    assert_int_equal(caller.source, IDENTITY_VARIABLE);
    tls("SUCCESS", device.pem);
    set("HTTP_MDM_SIGNATURE", signature(&other, body));
    refused(403);
    tls("SUCCESS", device.pem);
    set("HTTP_MDM_SIGNATURE", signature(&device, "something else"));
    refused(403);
}

static void nothing_at_all(void **state)
{
    (void)state;
    refused(400);
    set("HTTP_MDM_SIGNATURE", "");
    refused(400);
}

static void nets(void **state)
{
    (void)state;
    struct net n;
    static const char *const bad[] = {"",         "x",      "10.0.0.0/33", "10.0.0.0/",
                                      "10.0.0/8", "::/129", "10.0.0.0/-1", "10.0.0.0/8x",
                                      "::1/ 8",   "[::1]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(net_parse(bad[i], &n));
    assert_true(net_parse("10.128.0.0/9", &n));
    assert_true(net_match(&n, 1, "10.200.1.1"));
    assert_false(net_match(&n, 1, "10.127.255.255"));
    assert_false(net_match(&n, 1, "::a80:1"));
    assert_true(net_parse("0.0.0.0/0", &n));
    assert_true(net_match(&n, 1, "1.2.3.4"));
    assert_false(net_match(&n, 1, "::1"));
    assert_true(net_parse("::/0", &n));
    assert_true(net_match(&n, 1, "1.2.3.4"));
    conf.proxy_trust.item[1] = "nonsense";
    struct gatekeeper *g;
    assert_int_equal(gate_new(&conf, &g, &err), INVALID);
    assert_null(g);
    conf.proxy_trust.item[1] = "2001:db8::1";
}

static void known_expires(void **state)
{
    (void)state;
    struct known_certs *k = known_certs_new();
    struct known_cert c = {.not_after = 7}, got;
    uint8_t key[SHA256_LEN] = {1};
    int64_t now = clock_mono();
    known_certs_put(k, key, 1, now, &c);
    assert_true(known_certs_find(k, key, 1, now + 9 * MINUTE_US, &got));
    assert_int_equal(got.not_after, 7);
    assert_false(known_certs_find(k, key, 2, now, &got));
    assert_false(known_certs_find(k, key, 1, now + 10 * MINUTE_US, &got));
    /* the one used longest ago gives way to a ninth in its set */
    for (uint8_t i = 0; i < 9; i++) {
        key[2] = i;
        known_certs_put(k, key, 1, now + i, &c);
        key[2] = 0;
        if (i < 8)
            assert_true(known_certs_find(k, key, 1, now + i, &got));
    }
    assert_true(known_certs_find(k, key, 1, now + 9, &got));
    key[2] = 1;
    assert_false(known_certs_find(k, key, 1, now + 9, &got));
    known_certs_free(&k);
}

static const char *basic(const char *user, const char *password)
{
    struct buf b = BUF_INIT(LIM_MB);
    buf_str(&b, "Basic ");
    base64_add(&b, bytes_str(arena_fmt(forever, "%s:%s", user, password)));
    char *out = arena_strdup(forever, buf_cstr(&b));
    buf_free(&b);
    return out;
}

static int ask_api(const char *authorization, const char *addr, const char *scope)
{
    nvars = 0;
    set("REMOTE_ADDR", addr);
    if (authorization)
        set("HTTP_AUTHORIZATION", authorization);
    return ask(GATE_API, scope);
}

/* What a browser that knows the key asks, on a page of which site. */
static int ask_api_from(const char *authorization, const char *site)
{
    nvars = 0;
    set("REMOTE_ADDR", "198.51.100.5");
    set("HTTP_AUTHORIZATION", authorization);
    set("HTTP_SEC_FETCH_SITE", site);
    return ask(GATE_API, NULL);
}

static void api_keys(void **state)
{
    (void)state;
    char key[APIKEY_LEN + 1], gone[APIKEY_LEN + 1];
    struct db *db;
    int applied;
    assert_ok(db_pool_take(app.pool, &db, &err), err);
    assert_ok(migrate_run(db, "sql/schema", false, &applied, &err), err);
    assert_ok(apikey_new(db, "ci", "push command", 0, "test", key, &err), err);
    assert_ok(apikey_new(db, "old", "*", 0, "test", gone, &err), err);
    assert_ok(apikey_revoke(db, "old", "test", &err), err);
    const char *good = basic("nanomdm", key);

    assert_int_equal(ask_api(good, "198.51.100.1", "push"), 0);
    assert_string_equal(caller.key_name, "ci");
    assert_int_equal(ask_api(basic("micromdm", key), "198.51.100.1", NULL), 0);
    assert_int_equal(ask_api(good, "198.51.100.1", "admin"), 403);
    assert_int_equal(ask_api(basic("nanomdm", gone), "198.51.100.1", NULL), 401);

    assert_int_equal(ask_api(NULL, "198.51.100.2", NULL), 401);
    assert_string_equal(buf_cstr(&resp.body), "{\n\t\"error\": \"Unauthorized: no API key\"\n}\n");
    assert_string_equal(buf_cstr(&resp.headers), "WWW-Authenticate: Basic realm=\"nanomdm\"\r\n");
    static const char *const bad[] = {"Basic", "Basic ", "Bearer x", "Basic !!",
                                      "Basic bm9jb2xvbg=="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ask_api(bad[i], "198.51.100.2", NULL), 401);

    /* guessing is slowed down, for that address, and not for keys that are known */
    int refused_after = 0;
    const char *wrong = basic("nanomdm", "wrong");
    while (ask_api(wrong, "198.51.100.3", NULL) == 401 && refused_after < 100)
        refused_after++;
    assert_int_equal(resp.status, 429);
    assert_in_range(refused_after, 10, 12);
    assert_non_null(strstr(buf_cstr(&resp.headers), "Retry-After: "));
    assert_int_equal(ask_api(wrong, "198.51.100.4", NULL), 401);
    assert_int_equal(ask_api(good, "198.51.100.3", NULL), 0);

    /* a browser does not lend its key to pages of other sites */
    assert_int_equal(ask_api_from(good, "cross-site"), 403);
    assert_int_equal(ask_api_from(good, "same-site"), 403);
    assert_int_equal(ask_api_from(good, "same-origin"), 0);
    assert_int_equal(ask_api_from(good, "none"), 0);
    db_pool_give(app.pool, &db);
}

static void api_without_database(void **state)
{
    (void)state;
    struct db_pool *full = app.pool;
    struct conf away = conf;
    away.db_socket = "/nonexistent/mysqld.sock";
    away.db_timeout_s = 1;
    assert_ok(db_pool_new(&away, DB_OWNER, 1, &app.pool, &err), err);
    assert_int_equal(ask_api(basic("nanomdm", "unseen"), "198.51.100.9", NULL), 503);
    db_pool_free(&app.pool);
    app.pool = full;
}

static int drop_all(void **state)
{
    (void)state;
    struct id *ids[] = {&ca, &strange_ca, &device, &other, &expired, &not_yet, &server, &stranger};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        pkey_free(&ids[i]->key);
    gate_free(&app.gate);
    trust_set_free(&app.trust);
    db_pool_free(&app.pool);
    resp_free(&resp);
    arena_free(&a);
    arena_free(&forever);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(variables, fresh),
        cmocka_unit_test_setup(verdicts, fresh),
        cmocka_unit_test_setup(forgets_when_trust_changes, fresh),
        cmocka_unit_test_setup(no_trust_yet, fresh),
        cmocka_unit_test_setup(proxies, fresh),
        cmocka_unit_test_setup(signatures, fresh),
        cmocka_unit_test_setup(both_must_agree, fresh),
        cmocka_unit_test_setup(nothing_at_all, fresh),
        cmocka_unit_test_setup(nets, fresh),
        cmocka_unit_test_setup(known_expires, fresh),
        cmocka_unit_test_setup(api_keys, fresh),
        cmocka_unit_test_setup(api_without_database, fresh),
    };
    return cmocka_run_group_tests(tests, make_all, drop_all);
}
