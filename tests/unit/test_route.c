/* What the dispatcher refuses before a handler runs. The table is this file's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "console/console.h"
#include "http/resp.h"
#include "route/gate.h"
#include "route/route.h"

static int handled;
static struct bytes seen_body;

static void handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)app;
    (void)caller;
    handled++;
    seen_body = req->body;
    resp_text(resp, 200, "handled");
}

static void handle_put(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    (void)app;
    (void)req;
    (void)caller;
    resp_text(resp, 200, "put");
}

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
const struct route routes[] = {
    {PROGRAM_MDM, METHOD_GET, "/page", GATE_OPEN, handle, 0, NULL, NULL},
    {PROGRAM_MDM, METHOD_PUT, "/page", GATE_OPEN, handle_put, 8, NULL, NULL},
    {PROGRAM_MDM, METHOD_POST, "/typed", GATE_OPEN, handle, 8, "text/plain application/json", NULL},
    {PROGRAM_MDM, METHOD_ANY, "/tree/*", GATE_OPEN, handle, 8, NULL, NULL},
    {PROGRAM_CONSOLE, METHOD_GET, "/console", GATE_CONSOLE, handle, 0, NULL, NULL},
    {PROGRAM_MDM, METHOD_POST, "/device", GATE_DEVICE, handle, 1024, NULL, NULL},
    {PROGRAM_CONSOLE, METHOD_POST, "/api", GATE_API, handle, 8, "application/json", NULL},
};
const size_t routes_n = sizeof routes / sizeof routes[0];

static struct arena *a;
static struct resp resp;
static struct app app;

struct feed {
    const char *p;
    size_t n;
};

static size_t feed_read(void *from, void *p, size_t n, bool *cut)
{
    struct feed *f = from;
    size_t m = n < f->n ? n : f->n;
    if (m)
        memcpy(p, f->p, m);
    f->p += m;
    f->n -= m;
    *cut = false;
    return m;
}

/* Sends "METHOD path", with a body and type or NULL; the status. */
static int ask(enum program program, const char *method, const char *path, const char *type,
               const char *body)
{
    struct err err;
    struct req *req;
    arena_reset(a);
    resp_free(&resp);
    resp_init(&resp);
    handled = 0;
    char *vars[] = {arena_fmt(a, "REQUEST_METHOD=%s", method), arena_fmt(a, "REQUEST_URI=%s", path),
                    arena_fmt(a, "CONTENT_TYPE=%s", type ? type : ""),
                    arena_fmt(a, "CONTENT_LENGTH=%.0zu", body ? strlen(body) : 0), NULL};
    struct feed f = {body, body ? strlen(body) : 0};
    assert_int_equal(req_new(a, vars, (struct req_source){feed_read, &f}, &req, &err), OK);
    route_run(&app, program, req, &resp);
    return resp.status;
}

static void paths_and_methods(void **state)
{
    (void)state;
    assert_int_equal(ask(PROGRAM_MDM, "GET", "/page", NULL, NULL), 200);
    assert_int_equal(handled, 1);
    assert_int_equal(ask(PROGRAM_MDM, "HEAD", "/page", NULL, NULL), 200);
    assert_int_equal(ask(PROGRAM_MDM, "PUT", "/page", NULL, "x"), 200);
    assert_string_equal(buf_cstr(&resp.body), "put\n");
    static const char *const other[] = {"/",       "/pag",  "/page/", "/page2",    "//page",
                                        "/%70age", "/PAGE", "/tree",  "/x/../page"};
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        assert_int_equal(ask(PROGRAM_MDM, "GET", other[i], NULL, NULL), 404);
    assert_int_equal(ask(PROGRAM_MDM, "GET", "/tree/a/b", NULL, NULL), 200);
    assert_int_equal(ask(PROGRAM_MDM, "BREW", "/tree/", NULL, NULL), 200);
}

static void method_not_allowed(void **state)
{
    (void)state;
    assert_int_equal(ask(PROGRAM_MDM, "DELETE", "/page", NULL, NULL), 405);
    assert_string_equal(buf_cstr(&resp.headers), "Allow: GET, HEAD, PUT\r\n");
    assert_int_equal(handled, 0);
    assert_int_equal(ask(PROGRAM_MDM, "get", "/page", NULL, NULL), 405);
}

static void programs(void **state)
{
    (void)state;
    assert_int_equal(ask(PROGRAM_CONSOLE, "GET", "/page", NULL, NULL), 404);
    assert_int_equal(ask(PROGRAM_MDM, "GET", "/console", NULL, NULL), 404);
    /* who is not signed in is led to the sign-in page; a form from nowhere is refused */
    assert_int_equal(ask(PROGRAM_CONSOLE, "GET", "/console", NULL, NULL), 303);
    assert_non_null(strstr(buf_cstr(&resp.headers), "Location: /signin?next=%2Fconsole"));
    assert_int_equal(handled, 0);
}

static void bodies(void **state)
{
    (void)state;
    assert_int_equal(ask(PROGRAM_MDM, "POST", "/tree/x", NULL, "12345678"), 200);
    assert_true(bytes_equal(seen_body, bytes_str("12345678")));
    assert_int_equal(ask(PROGRAM_MDM, "POST", "/tree/x", NULL, "123456789"), 413);
    assert_int_equal(ask(PROGRAM_MDM, "GET", "/page", NULL, "x"), 413);
    assert_int_equal(handled, 0);
}

static void types(void **state)
{
    (void)state;
    assert_int_equal(ask(PROGRAM_MDM, "POST", "/typed", "text/plain", "x"), 200);
    assert_int_equal(ask(PROGRAM_MDM, "POST", "/typed", " Application/JSON;x=y", "x"), 200);
    static const char *const bad[] = {
        NULL, "", "text", "text/plain2", "text/htm", "json", "text/plain application/json"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0] - 1; i++) {
        assert_int_equal(ask(PROGRAM_MDM, "POST", "/typed", bad[i], "x"), 415);
        assert_int_equal(handled, 0);
    }
}

/* Whoever speaks JSON is refused in it, also before a handler runs. */
static void api_in_json(void **state)
{
    (void)state;
    const struct {
        const char *method, *type, *body;
        int status;
    } bad[] = {{"DELETE", NULL, NULL, 405},
               {"POST", "text/plain", "{}", 415},
               {"POST", "application/json", "123456789", 413},
               {"POST", "application/json", "{}", 401}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ask(PROGRAM_CONSOLE, bad[i].method, "/api", bad[i].type, bad[i].body),
                         bad[i].status);
        assert_string_equal(resp.content_type, "application/json");
        assert_non_null(strstr(buf_cstr(&resp.body), "\"error\": \""));
    }
    assert_int_equal(handled, 0);
}

static void device_without_identity(void **state)
{
    (void)state;
    assert_int_equal(ask(PROGRAM_MDM, "POST", "/device", NULL, "x"), 400);
    assert_true(resp.no_body);
    assert_int_equal(handled, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_and_methods),
        cmocka_unit_test(method_not_allowed),
        cmocka_unit_test(programs),
        cmocka_unit_test(bodies),
        cmocka_unit_test(types),
        cmocka_unit_test(api_in_json),
        cmocka_unit_test(device_without_identity),
    };
    struct conf conf = {.path = "test",
                        .proxy_header = "",
                        .identity_signature = true,
                        .share_dir = ".",
                        .console_remote_roles = "",
                        .console_remote_groups = "",
                        .organization = ""};
    struct err err;
    a = arena_new(LIM_MB);
    resp_init(&resp);
    app.conf = &conf;
    if (gate_new(&conf, &app.gate, &err) != OK || console_new(&conf, &app.console, &err) != OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    console_free(&app.console);
    gate_free(&app.gate);
    resp_free(&resp);
    arena_free(&a);
    return failed;
}
