/* Answers: the CGI header, what must not get into it, and what is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "http/resp.h"

static struct req req = {.method = METHOD_GET, .id = "0123456789abcdef"};
static struct resp p;
static struct buf head = {.max = LIM_MB};

static const char *head_of(enum method m)
{
    req.method = m;
    buf_clear(&head);
    resp_head(&p, &req, &head);
    return buf_cstr(&head);
}

static int fresh(void **state)
{
    (void)state;
    resp_init(&p);
    return 0;
}

static int done(void **state)
{
    (void)state;
    resp_free(&p);
    return 0;
}

static void text(void **state)
{
    (void)state;
    resp_text(&p, 404, "no %s", "such");
    assert_string_equal(head_of(METHOD_GET), "Status: 404 Not Found\r\n"
                                             "Content-Type: text/plain; charset=utf-8\r\n"
                                             "Content-Length: 8\r\n"
                                             "X-Request-Id: 0123456789abcdef\r\n"
                                             "Cache-Control: no-store\r\n\r\n");
    assert_true(bytes_equal(resp_payload(&p, &req), bytes_str("no such\n")));
    /* HEAD: the same header, no body */
    char *get = strdup(head_of(METHOD_GET));
    assert_string_equal(head_of(METHOD_HEAD), get);
    assert_int_equal(resp_payload(&p, &req).n, 0);
    free(get);
}

static void bare(void **state)
{
    (void)state;
    resp_text(&p, 200, "thrown away");
    resp_bare(&p, 401, "ended by %s", "admin");
    const char *h = head_of(METHOD_PUT);
    assert_null(strstr(h, "Content-Type"));
    assert_non_null(strstr(h, "Status: 401 Unauthorized\r\n"));
    assert_non_null(strstr(h, "Content-Length: 0\r\n"));
    assert_null(strstr(h, "admin"));
    assert_int_equal(resp_payload(&p, &req).n, 0);
    assert_string_equal(p.note, "ended by admin");
}

static void no_injection(void **state)
{
    (void)state;
    resp_header(&p, "X-Name", "a\r\nSet-Cookie: evil=1\n\x7f\x01z");
    const char *h = head_of(METHOD_GET);
    assert_non_null(strstr(h, "\r\nX-Name: aSet-Cookie: evil=1z\r\n"));
    assert_null(strstr(h, "\nSet-Cookie"));
}

static void redirects(void **state)
{
    (void)state;
    static const char *const evil[] = {"//evil.example",
                                       "/\\evil.example",
                                       "https://evil.example",
                                       "javascript:alert(1)",
                                       "/a\r\nX: y",
                                       "",
                                       "/a b",
                                       "/a\\b"};
    for (size_t i = 0; i < sizeof evil / sizeof evil[0]; i++) {
        resp_free(&p);
        resp_init(&p);
        resp_redirect(&p, 303, evil[i]);
        assert_non_null(strstr(head_of(METHOD_GET), "\r\nLocation: /\r\n"));
    }
    resp_free(&p);
    resp_init(&p);
    resp_redirect(&p, 302, "/devices?q=%22");
    assert_non_null(strstr(head_of(METHOD_GET), "Status: 302 Found\r\n"));
    assert_non_null(strstr(head_of(METHOD_GET), "\r\nLocation: /devices?q=%22\r\n"));
}

static void json(void **state)
{
    (void)state;
    resp_json_error(&p, 400, "bad \"%s\"", "<x>");
    assert_non_null(strstr(head_of(METHOD_GET), "Content-Type: application/json\r\n"));
    assert_string_equal(buf_cstr(&p.body), "{\n\t\"error\": \"bad \\\"\\u003cx\\u003e\\\"\"\n}\n");
}

static void caching(void **state)
{
    (void)state;
    resp_header(&p, "X-Cache-Control", "no");
    assert_non_null(strstr(head_of(METHOD_GET), "\r\nCache-Control: no-store\r\n"));
    resp_header(&p, "cache-control", "max-age=60");
    assert_null(strstr(head_of(METHOD_GET), "no-store"));
}

static void past_the_ceiling(void **state)
{
    (void)state;
    static char chunk[LIM_MB];
    p.content_type = "application/octet-stream";
    for (int i = 0; i <= 32; i++)
        buf_add(&p.body, chunk, sizeof chunk);
    const char *h = head_of(METHOD_GET);
    assert_non_null(strstr(h, "Status: 500 "));
    assert_null(strstr(h, "octet-stream"));
    assert_int_equal(resp_payload(&p, &req).n, 0);
    assert_non_null(strstr(p.note, "ceiling"));
}

static void too_many_headers(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++)
        resp_header(&p, "X-Filler", "0123456789");
    assert_non_null(strstr(head_of(METHOD_GET), "Status: 500 "));
    assert_null(strstr(head_of(METHOD_GET), "X-Filler"));
}

static void no_content(void **state)
{
    (void)state;
    p.status = 204;
    p.content_type = "text/plain";
    buf_str(&p.body, "x");
    assert_null(strstr(head_of(METHOD_GET), "Content-"));
    assert_int_equal(resp_payload(&p, &req).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text, fresh, done),
        cmocka_unit_test_setup_teardown(bare, fresh, done),
        cmocka_unit_test_setup_teardown(no_injection, fresh, done),
        cmocka_unit_test_setup_teardown(redirects, fresh, done),
        cmocka_unit_test_setup_teardown(json, fresh, done),
        cmocka_unit_test_setup_teardown(caching, fresh, done),
        cmocka_unit_test_setup_teardown(past_the_ceiling, fresh, done),
        cmocka_unit_test_setup_teardown(too_many_headers, fresh, done),
        cmocka_unit_test_setup_teardown(no_content, fresh, done),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&head);
    return failed;
}
