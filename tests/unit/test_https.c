/* test_https.c: the HTTP client against a TLS server of Python's, certificates made by openssl(1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "wire/https.h"
#include "wire/json.h"

static char dir[] = "/tmp/drover-https-XXXXXX";
static char ca[64], rogue[64];
static struct arena *arena;
static struct https *client;
static struct err err;
static struct server {
    pid_t pid;
    int port;
} plain, strict; /* strict: wants a client certificate */

static void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void sh(const char *fmt, ...)
{
    char cmd[2048];
    int n = snprintf(cmd, sizeof cmd, "cd %s && { ", dir);
    va_list ap;
    va_start(ap, fmt);
    n += vsnprintf(cmd + n, sizeof cmd - (size_t)n, fmt, ap);
    va_end(ap);
    snprintf(cmd + n, sizeof cmd - (size_t)n, " ; } >out 2>&1");
    if (system(cmd) != 0)
        fail_msg("failed: %s", cmd);
}

static void certificate(const char *stem, const char *issuer, const char *subject,
                        const char *extension)
{
    sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '%s' "
       "-keyout %s.key -out %s.pem -addext '%s' %s%s %s%s",
       subject, stem, stem, extension, issuer ? "-CA " : "", issuer ? issuer : "",
       issuer ? "-CAkey ca.key " : "", issuer ? "-addext basicConstraints=critical,CA:FALSE" : "");
}

static struct server server_start(bool client_ca)
{
    struct server s = {0};
    int out[2];
    char port[16] = "";
    assert_int_equal(pipe(out), 0);
    s.pid = fork();
    if (s.pid == 0) {
        dup2(out[1], 1);
        close(out[0]);
        execlp("/usr/bin/python3", "python3", "tests/unit/https_server.py", dir,
               client_ca ? "--client-ca" : NULL, ca, NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    assert_non_null(f);
    assert_non_null(fgets(port, sizeof port, f));
    assert_non_null(strchr(port, '\n'));
    fclose(f);
    s.port = atoi(port);
    return s;
}

static struct bytes slurp(const char *name)
{
    char path[128], *p = arena_alloc(arena, 8192);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(p, 1, 8192, f);
    fclose(f);
    return bytes_of(p, n);
}

/* One request to path of s; the answer's body is in *body. */
static enum outcome call(const struct server *s, const char *path, struct https_request r,
                         int *status, struct bytes *body)
{
    static const struct https_tls trusting = {.ca_file = ca};
    char url[128];
    snprintf(url, sizeof url, "https://localhost:%d%s", s->port, path);
    r.url = r.url ? r.url : url;
    r.method = r.method ? r.method : "GET";
    r.tls = r.tls ? r.tls : &trusting;
    r.timeout_ms = r.timeout_ms ? r.timeout_ms : 5000;
    r.answer_max = r.answer_max ? r.answer_max : LIM_MB;
    return https_once(client, &r, arena, status, body, &err);
}

static js echo(const struct server *s, struct https_request r)
{
    int status = 0;
    struct bytes body;
    js root = NULL;
    if (call(s, "/echo", r, &status, &body) != OK)
        fail_msg("%s", err.msg);
    assert_int_equal(status, 200);
    assert_int_equal(js_parse(body, &root, &err), OK);
    return root;
}

static enum outcome outcome_of(const struct server *s, const char *path, struct https_request r)
{
    int status = 0;
    struct bytes body;
    return call(s, path, r, &status, &body);
}

static void requests_arrive_as_given(void **state)
{
    (void)state;
    const char *lines[] = {"X-One: 1", "Content-Type: application/json"};
    js a = echo(&plain, (struct https_request){.method = "POST",
                                               .headers = lines,
                                               .nheaders = 2,
                                               .body = bytes_str("{\"a\":1}")});
    js h = js_get(a, "headers");
    assert_string_equal(js_get_str(a, "method"), "POST");
    assert_string_equal(js_get_str(a, "body"), "{\"a\":1}");
    assert_string_equal(js_get_str(h, "x-one"), "1");
    assert_string_equal(js_get_str(h, "content-type"), "application/json");
    assert_string_equal(js_get_str(h, "user-agent"), "drover/" DROVER_VERSION);
    js_free(&a);
    a = echo(&plain, (struct https_request){.method = "PUT", .body = bytes_str("body")});
    h = js_get(a, "headers");
    assert_string_equal(js_get_str(a, "method"), "PUT");
    assert_string_equal(js_get_str(a, "body"), "body");
    assert_null(js_get(h, "content-type"));
    assert_null(js_get(h, "expect"));
    assert_null(js_get(h, "x-one")); /* nothing of the request before */
    js_free(&a);
    a = echo(&plain, (struct https_request){.method = "DELETE"});
    assert_string_equal(js_get_str(a, "method"), "DELETE");
    js_free(&a);
    a = echo(&plain, (struct https_request){.method = "GET"});
    assert_string_equal(js_get_str(a, "method"), "GET");
    assert_string_equal(js_get_str(a, "body"), "");
    js_free(&a);
    int status = 0;
    struct bytes body;
    assert_int_equal(
        call(&plain, "/echo", (struct https_request){.method = "HEAD"}, &status, &body), OK);
    assert_int_equal(body.n, 0);
}

static void connections_are_kept(void **state)
{
    (void)state;
    int64_t before, after;
    js a = echo(&plain, (struct https_request){0});
    js_get_int(a, "connections", &before);
    js_free(&a);
    for (int i = 0; i < 5; i++) {
        a = echo(&plain, (struct https_request){0});
        js_get_int(a, "connections", &after);
        js_free(&a);
    }
    assert_int_equal(before, after);
}

static void any_status_is_an_answer_and_none_is_followed(void **state)
{
    (void)state;
    int status;
    struct bytes body;
    static const int codes[] = {302, 307, 401, 404, 500};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char path[32];
        snprintf(path, sizeof path, "/status/%d", codes[i]);
        assert_int_equal(call(&plain, path, (struct https_request){0}, &status, &body), OK);
        assert_int_equal(status, codes[i]);
        assert_true(bytes_equal(body, bytes_str("as asked")));
    }
}

static void answers_have_a_ceiling(void **state)
{
    (void)state;
    struct https_request r = {.answer_max = 100000};
    assert_int_equal(outcome_of(&plain, "/bytes/100000", r), OK);
    assert_int_equal(outcome_of(&plain, "/bytes/100001", r), INVALID);
    assert_non_null(strstr(err.msg, "longer"));
    assert_int_equal(outcome_of(&plain, "/bytes/10000000", r), INVALID);
}

static void only_what_is_trusted(void **state)
{
    (void)state;
    struct https_tls other = {.ca_file = rogue}, system_store = {.ca_file = ""};
    char url[64];
    assert_int_equal(outcome_of(&plain, "/echo", (struct https_request){.tls = &other}), DENIED);
    assert_int_equal(outcome_of(&plain, "/echo", (struct https_request){.tls = &system_store}),
                     DENIED);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/echo", plain.port); /* not in the certificate */
    assert_int_equal(outcome_of(&plain, "/echo", (struct https_request){.url = url}), DENIED);
    assert_int_equal(outcome_of(&plain, "/echo", (struct https_request){0}), OK);
    /* whoever signed it, when all that is wanted is when it ends; not with a secret of ours */
    const struct https_tls any = {.any_certificate = true};
    assert_int_equal(outcome_of(&plain, "/echo", (struct https_request){.url = url, .tls = &any}),
                     OK);
    const struct https_tls mine = {
        .any_certificate = true, .client_cert = slurp("one.pem"), .client_key = slurp("one.key")};
    assert_int_equal(outcome_of(&plain, "/echo", (struct https_request){.url = url, .tls = &mine}),
                     DENIED);
}

static void client_certificates(void **state)
{
    (void)state;
    struct https_tls one = {
        .ca_file = ca, .client_cert = slurp("one.pem"), .client_key = slurp("one.key")};
    struct https_tls two = {
        .ca_file = ca, .client_cert = slurp("two.pem"), .client_key = slurp("two.key")};
    struct https_tls wrong = {
        .ca_file = ca, .client_cert = slurp("one.pem"), .client_key = slurp("two.key")};
    /* TLS 1.3 refuses after the handshake, and closing the connection may overtake the alert. */
    enum outcome o = outcome_of(&strict, "/echo", (struct https_request){0});
    assert_true(o == DENIED || o == UNAVAILABLE);
    assert_int_equal(outcome_of(&strict, "/echo", (struct https_request){.tls = &wrong}), DENIED);
    for (int i = 0; i < 2; i++) {
        js a = echo(&strict, (struct https_request){.tls = &one});
        assert_string_equal(js_get_str(a, "client"), "Client One");
        js_free(&a);
        a = echo(&strict, (struct https_request){.tls = &two});
        assert_string_equal(js_get_str(a, "client"), "Client Two");
        js_free(&a);
    }
}

static void servers_that_fail(void **state)
{
    (void)state;
    int64_t begun = clock_mono();
    assert_int_equal(outcome_of(&plain, "/slow", (struct https_request){.timeout_ms = 300}),
                     UNAVAILABLE);
    assert_true(clock_mono() - begun < 2 * SECOND_US);
    assert_int_equal(outcome_of(&plain, "/cut", (struct https_request){0}), UNAVAILABLE);
    assert_int_equal(
        outcome_of(&plain, "", (struct https_request){.url = "https://localhost:1/echo"}),
        UNAVAILABLE);
    assert_int_equal(
        outcome_of(&plain, "", (struct https_request){.url = "https://name.invalid/echo"}),
        UNAVAILABLE);
    assert_true(err.msg[0] != '\0');
    assert_int_equal(outcome_of(&plain, "/echo", (struct https_request){0}), OK);
}

static void http2_only_means_it(void **state)
{
    (void)state;
    struct https_request r = {.http2_only = true, .timeout_ms = 2000};
    assert_int_equal(outcome_of(&plain, "/echo", r), UNAVAILABLE);
    assert_non_null(strstr(err.msg, "HTTP/2"));
}

static void only_http(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(&plain, "", (struct https_request){.url = "file:///etc/passwd"}),
                     INVALID);
    assert_int_equal(outcome_of(&plain, "", (struct https_request){.url = "https://a b/"}),
                     INVALID);
    assert_int_equal(
        outcome_of(&plain, "",
                   (struct https_request){.url = "http://localhost:1/", .http2_only = true}),
        INVALID);
}

static void the_environment_names_no_proxy(void **state)
{
    (void)state;
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    struct https *kept = client;
    assert_int_equal(https_new(2, 10, &client, &err), OK);
    enum outcome o = outcome_of(&plain, "/echo", (struct https_request){0});
    https_free(&client);
    client = kept;
    unsetenv("https_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(o, OK);
}

static int done_count, again;

static void count_done(const struct https_answer *a)
{
    char url[64];
    struct https_tls tls = {.ca_file = ca};
    assert_int_equal(a->outcome, OK);
    assert_string_equal(a->header(a, "x-answer"), "Yes");
    assert_null(a->header(a, "x-question"));
    assert_ptr_equal(a->arg, &done_count);
    done_count++;
    if (again-- > 0) { /* asks anew from inside */
        snprintf(url, sizeof url, "https://localhost:%d/echo", plain.port);
        struct https_request r = {.method = "GET",
                                  .url = url,
                                  .tls = &tls,
                                  .timeout_ms = 5000,
                                  .answer_max = LIM_MB,
                                  .arg = &done_count};
        assert_int_equal(https_send(client, &r, count_done, &err), OK);
    }
}

static void many_at_once(void **state)
{
    (void)state;
    char url[64];
    static struct https_tls tls;
    tls.ca_file = ca;
    snprintf(url, sizeof url, "https://localhost:%d/echo", plain.port);
    struct https_request r = {.method = "GET",
                              .url = url,
                              .tls = &tls,
                              .timeout_ms = 5000,
                              .answer_max = LIM_MB,
                              .arg = &done_count};
    done_count = 0;
    again = 20;
    for (int i = 0; i < 30; i++)
        assert_int_equal(https_send(client, &r, count_done, &err), OK);
    while (https_run(client, 100) > 0)
        continue;
    assert_int_equal(done_count, 50);
}

static void never_done(const struct https_answer *a)
{
    (void)a;
    fail_msg("done was called");
}

static void *wake_soon(void *arg)
{
    usleep(200000);
    https_wake(arg);
    return NULL;
}

static void woken_and_dropped(void **state)
{
    (void)state;
    char url[64];
    struct https *own;
    pthread_t t;
    struct https_tls tls = {.ca_file = ca};
    snprintf(url, sizeof url, "https://localhost:%d/slow", plain.port);
    struct https_request r = {
        .method = "GET", .url = url, .tls = &tls, .timeout_ms = 20000, .answer_max = 10};
    assert_int_equal(https_new(1, 1, &own, &err), OK);
    assert_int_equal(https_run(own, 10000), 0); /* nothing to do: at once */
    assert_int_equal(https_send(own, &r, never_done, &err), OK);
    assert_int_equal(pthread_create(&t, NULL, wake_soon, own), 0);
    int64_t begun = clock_mono();
    assert_int_equal(https_run(own, 4000), 1);
    int64_t took = clock_mono() - begun;
    pthread_join(t, NULL);
    assert_true(took >= 150000 && took < 2 * SECOND_US);
    https_free(&own);
    assert_null(own);
    https_free(&own);
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(ca, sizeof ca, "%s/ca.pem", dir);
    snprintf(rogue, sizeof rogue, "%s/rogue.pem", dir);
    certificate("ca", NULL, "/CN=Test CA", "keyUsage=critical,keyCertSign");
    certificate("rogue", NULL, "/CN=Other CA", "keyUsage=critical,keyCertSign");
    certificate("server", "ca.pem", "/CN=localhost", "subjectAltName=DNS:localhost");
    certificate("one", "ca.pem", "/CN=Client One", "extendedKeyUsage=clientAuth");
    certificate("two", "ca.pem", "/CN=Client Two", "extendedKeyUsage=clientAuth");
    plain = server_start(false);
    strict = server_start(true);
    arena = arena_new(32 * LIM_MB);
    return https_new(8, 10, &client, &err) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char cmd[64];
    kill(plain.pid, SIGKILL);
    kill(strict.pid, SIGKILL);
    waitpid(plain.pid, NULL, 0);
    waitpid(strict.pid, NULL, 0);
    https_free(&client);
    arena_free(&arena);
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    return system(cmd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_arrive_as_given),
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(any_status_is_an_answer_and_none_is_followed),
        cmocka_unit_test(answers_have_a_ceiling),
        cmocka_unit_test(only_what_is_trusted),
        cmocka_unit_test(client_certificates),
        cmocka_unit_test(servers_that_fail),
        cmocka_unit_test(http2_only_means_it),
        cmocka_unit_test(only_http),
        cmocka_unit_test(the_environment_names_no_proxy),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(woken_and_dropped),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, setup, teardown);
}
