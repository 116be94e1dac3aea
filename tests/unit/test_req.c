/* Requests from CGI variables, as lighttpd, mod_proxy_fcgi and mod_fcgid give them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "http/req.h"

static struct arena *a;
static struct err err;

/* A body that comes in pieces of `step` octets and may break off. */
struct feed {
    const char *p;
    size_t n, step;
    bool cut_at_end;
    unsigned reads;
};

static size_t feed_read(void *from, void *p, size_t n, bool *cut)
{
    struct feed *f = from;
    size_t got = 0;
    f->reads++;
    while (got < n && f->n) {
        size_t m = f->step < f->n ? f->step : f->n;
        if (m > n - got)
            m = n - got;
        memcpy((char *)p + got, f->p, m);
        f->p += m;
        f->n -= m;
        got += m;
    }
    *cut = got < n && f->cut_at_end;
    return got;
}

static struct feed feed;

static enum outcome try_req(char **vars, const char *body, struct req **r)
{
    arena_reset(a);
    feed = (struct feed){.p = body, .n = strlen(body), .step = 3};
    return req_new(a, vars, (struct req_source){feed_read, &feed}, r, &err);
}

static struct req *make(char **vars, const char *body)
{
    struct req *r;
    assert_int_equal(try_req(vars, body, &r), OK);
    return r;
}

#define VARS(...) ((char *[]){__VA_ARGS__, NULL})

static void lighttpd(void **state)
{
    (void)state;
    struct req *r =
        make(VARS("CONTENT_LENGTH=5", "QUERY_STRING=a=1", "REQUEST_URI=/v1/push/A%2CB?a=1",
                  "REQUEST_METHOD=PUT", "SCRIPT_NAME=/v1", "PATH_INFO=/push/A,B",
                  "REMOTE_ADDR=192.0.2.1", "HTTPS=on", "HTTP_HOST=mdm.example.test",
                  "CONTENT_TYPE=Application/XML; charset=utf-8"),
             "hello");
    assert_int_equal(r->method, METHOD_PUT);
    assert_string_equal(r->path, "/v1/push/A%2CB");
    assert_string_equal(r->query, "a=1");
    assert_string_equal(r->remote_addr, "192.0.2.1");
    assert_string_equal(r->host, "mdm.example.test");
    assert_true(r->https);
    assert_int_equal(r->content_length, 5);
    assert_string_equal(req_media_type(r), "application/xml");
    assert_int_equal(strlen(r->id), REQ_ID_LEN);
    assert_int_equal(req_read_body(r, 5, &err), OK);
    assert_true(bytes_equal(r->body, bytes_str("hello")));
    assert_true(req_drained(r));
}

static void path_sources(void **state)
{
    (void)state;
    assert_string_equal(make(VARS("SCRIPT_NAME=/mdm", "PATH_INFO=/checkin"), "")->path,
                        "/mdm/checkin");
    assert_string_equal(make(VARS("REQUEST_URI=", "SCRIPT_NAME=/x"), "")->path, "/x");
    assert_string_equal(make(VARS("REQUEST_URI=http://host:1/a?b"), "")->path, "/a");
    assert_string_equal(make(VARS("REQUEST_URI=http://host"), "")->path, "/");
    assert_string_equal(make(VARS("REQUEST_URI=/a?q=1"), "")->query, "q=1");
    assert_string_equal(make(VARS("REQUEST_URI=/a?q=1", "QUERY_STRING="), "")->query, "");
    /* a name that another begins with is not that one */
    struct req *r = make(VARS("REQUEST_URI=/a", "HTTP_COOKIE2=x=no", "HTTP_COOKIE=x=yes"), "");
    assert_string_equal(req_var(r, "HTTP_COOKIE"), "x=yes");
    assert_null(req_var(r, "HTTP_COO"));
}

static void hostile_targets(void **state)
{
    (void)state;
    struct req *r;
    char *huge = malloc(LIM_QUERY + 64);
    assert_int_equal(try_req(VARS("REQUEST_URI=evil"), "", &r), INVALID);
    assert_non_null(r);
    assert_int_equal(try_req(VARS("REQUEST_URI=?x"), "", &r), INVALID);
    assert_int_equal(try_req(VARS("REQUEST_METHOD=GET"), "", &r), INVALID);
    sprintf(huge, "REQUEST_URI=/%0*d", (int)LIM_PATH - 1, 0);
    assert_int_equal(try_req(VARS(huge), "", &r), OK);
    sprintf(huge, "REQUEST_URI=/%0*d", (int)LIM_PATH, 0);
    assert_int_equal(try_req(VARS(huge), "", &r), INVALID);
    sprintf(huge, "QUERY_STRING=%0*d", (int)LIM_QUERY + 1, 0);
    assert_int_equal(try_req(VARS("REQUEST_URI=/", huge), "", &r), INVALID);
    free(huge);
}

static void lengths(void **state)
{
    (void)state;
    struct req *r;
    assert_int_equal(make(VARS("REQUEST_URI=/"), "")->content_length, -1);
    assert_int_equal(make(VARS("REQUEST_URI=/", "CONTENT_LENGTH="), "")->content_length, -1);
    assert_int_equal(make(VARS("REQUEST_URI=/", "CONTENT_LENGTH=-1"), "")->content_length, -1);
    static const char *const bad[] = {"-2", "+1", "1x", " 1", "0x10", "99999999999999999999", "1 "};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char var[64];
        snprintf(var, sizeof var, "CONTENT_LENGTH=%s", bad[i]);
        assert_int_equal(try_req(VARS("REQUEST_URI=/", var), "", &r), INVALID);
    }
}

static void declared_bodies(void **state)
{
    (void)state;
    struct req *r = make(VARS("REQUEST_URI=/", "CONTENT_LENGTH=6"), "hello");
    assert_int_equal(req_read_body(r, 100, &err), INVALID);
    assert_non_null(strstr(err.msg, "shorter"));
    r = make(VARS("REQUEST_URI=/", "CONTENT_LENGTH=4"), "hello");
    assert_int_equal(req_read_body(r, 100, &err), INVALID);
    assert_non_null(strstr(err.msg, "longer"));
    assert_false(req_drained(r));
    r = make(VARS("REQUEST_URI=/", "CONTENT_LENGTH=5"), "hello");
    assert_int_equal(req_read_body(r, 4, &err), DENIED);
    assert_int_equal(feed.reads, 0); /* refused by what was declared */
    r = make(VARS("REQUEST_URI=/", "CONTENT_LENGTH=9"), "hello");
    feed.cut_at_end = true;
    assert_int_equal(req_read_body(r, 100, &err), UNAVAILABLE);
    assert_false(req_drained(r));
    r = make(VARS("REQUEST_URI=/", "CONTENT_LENGTH=0"), "");
    assert_int_equal(req_read_body(r, 0, &err), OK);
    assert_int_equal(r->body.n, 0);
    r = make(VARS("REQUEST_URI=/", "CONTENT_LENGTH=9000000000000000000"), "x");
    assert_int_equal(req_read_body(r, (size_t)INT64_MAX, &err), ERROR); /* past the arena */
}

static void undeclared_bodies(void **state)
{
    (void)state;
    static char big[100001];
    memset(big, 'x', sizeof big - 1);
    struct req *r = make(VARS("REQUEST_URI=/"), big);
    assert_int_equal(req_read_body(r, 100000, &err), OK);
    assert_true(bytes_equal(r->body, bytes_str(big)));
    assert_true(req_drained(r));
    r = make(VARS("REQUEST_URI=/", "CONTENT_LENGTH=-1"), big);
    assert_int_equal(req_read_body(r, 99999, &err), DENIED);
    r = make(VARS("REQUEST_URI=/"), "");
    assert_int_equal(req_read_body(r, 0, &err), OK);
    assert_int_equal(r->body.n, 0);
    assert_true(req_drained(r));
    r = make(VARS("REQUEST_URI=/"), "x");
    assert_int_equal(req_read_body(r, 0, &err), DENIED);
    r = make(VARS("REQUEST_URI=/"), "abc");
    feed.cut_at_end = true;
    assert_int_equal(req_read_body(r, 100, &err), UNAVAILABLE);
    /* a refusal before the body was read: is there one? */
    r = make(VARS("REQUEST_URI=/", "REQUEST_METHOD=GET"), "");
    assert_true(req_drained(r));
    r = make(VARS("REQUEST_URI=/", "REQUEST_METHOD=GET"), "xy");
    assert_false(req_drained(r));
    r = make(VARS("REQUEST_URI=/", "REQUEST_METHOD=POST"), "");
    assert_false(req_drained(r));
}

static bool join(const char *name, const char *value, void *arg)
{
    char *out = arg;
    strcat(strcat(strcat(strcat(out, name), "="), value), ";");
    return strcmp(name, "stop") != 0;
}

static void queries(void **state)
{
    (void)state;
    char seen[256] = "";
    struct req *r = make(VARS("REQUEST_URI=/", "QUERY_STRING=a=1+2&b=%3Cx%3E&bad=%zz&nul=%00&&=v&"
                                               "a=second&flag&stop=1&never=2"),
                         "");
    assert_string_equal(req_query(r, "a"), "1 2");
    assert_string_equal(req_query(r, "b"), "<x>");
    assert_string_equal(req_query(r, "flag"), "");
    assert_null(req_query(r, "bad"));
    assert_null(req_query(r, "nul"));
    assert_null(req_query(r, "absent"));
    req_query_each(r, join, seen);
    assert_string_equal(seen, "a=1 2;b=<x>;=v;a=second;flag=;stop=1;");
}

static void forms(void **state)
{
    (void)state;
    struct req *r =
        make(VARS("REQUEST_URI=/", "CONTENT_TYPE=application/x-www-form-urlencoded; charset=UTF-8",
                  "CONTENT_LENGTH=22"),
             "name=J%C3%BCrgen&x=a+b");
    assert_int_equal(req_read_body(r, 100, &err), OK);
    assert_string_equal(req_form(r, "name"), "J\xc3\xbcrgen");
    assert_string_equal(req_form(r, "x"), "a b");
    assert_null(req_form(r, "y"));
    r = make(VARS("REQUEST_URI=/", "CONTENT_TYPE=text/plain"), "a=1");
    assert_int_equal(req_read_body(r, 100, &err), OK);
    assert_null(req_form(r, "a"));
}

#define MULTIPART "CONTENT_TYPE=multipart/form-data; boundary=\"--x y\""

static struct req *form(const char *type, const char *body, size_t n)
{
    struct req *r;
    arena_reset(a);
    feed = (struct feed){.p = body, .n = n, .step = 7};
    assert_int_equal(req_new(a, VARS("REQUEST_URI=/", (char *)type),
                             (struct req_source){feed_read, &feed}, &r, &err),
                     OK);
    assert_int_equal(req_read_body(r, 100000, &err), OK);
    return r;
}

static bool count_field(const char *name, const char *value, void *arg)
{
    (void)name, (void)value;
    ++*(int *)arg;
    return true;
}

static void forms_with_files(void **state)
{
    (void)state;
    static const char body[] =
        "a preamble\r\n----x y  \r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nt\r\n"
        "----x y\r\ncontent-disposition: form-data; x=\"a;name=no\"; name=\"a%22\"\r\n\r\n"
        "one\r\ntwo\r\n----x yz\r\n\r\n"
        "----x y\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\d\\p.bin\"\r\n"
        "Content-Type: application/x\r\n\r\n\0\x01\r\n--\r\n\r\n"
        "----x y\r\nContent-Disposition: form-data; name=none; filename=\"\"\r\n\r\n\r\n"
        "----x y\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n"
        "----x y\r\nContent-Disposition: form-data; name=nul\r\n\r\na\0b\r\n"
        "----x y\r\n\r\nwithout a name\r\n"
        "----x y--\r\nan epilogue\r\n----x y\r\n";
    struct req *r = form(MULTIPART, body, sizeof body - 1);
    struct bytes file;
    const char *name;
    int fields = 0;
    assert_string_equal(req_form(r, "csrf"), "t");
    assert_string_equal(req_form(r, "a\""), "one\r\ntwo\r\n----x yz\r\n");
    assert_string_equal(req_form(r, "empty"), "");
    assert_null(req_form(r, "nul"));
    assert_null(req_form(r, "file"));
    assert_null(req_form(r, "no"));
    assert_true(req_form_file(r, "file", &file, &name));
    assert_true(bytes_equal(file, bytes_of("\0\x01\r\n--\r\n", 8)));
    assert_string_equal(name, "p.bin");
    assert_false(req_form_file(r, "none", &file, &name));
    assert_false(req_form_file(r, "csrf", &file, &name));
    req_form_each(r, count_field, &fields);
    assert_int_equal(fields, 3);
}

static void forms_with_files_that_are_broken(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "--b",
        "--b\r\n",
        "--b--\r\n",
        "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx",
        "--b\r\nContent-Disposition: form-data; name=a\r\n",
        "--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--b--",
        "--b x\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: form-data; filename=a\r\n\r\nx\r\n--b--"};
    struct bytes file;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct req *r =
            form("CONTENT_TYPE=multipart/form-data; boundary=b", bodies[i], strlen(bodies[i]));
        assert_null(req_form(r, "a"));
        assert_false(req_form_file(r, "a", &file, NULL));
    }
    static const char good[] = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--";
    static char *const types[] = {
        "CONTENT_TYPE=multipart/form-data",
        "CONTENT_TYPE=multipart/form-data; boundary=", "CONTENT_TYPE=multipart/mixed; boundary=b"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        assert_null(req_form(form(types[i], good, sizeof good - 1), "a"));
    assert_string_equal(
        req_form(form("CONTENT_TYPE=multipart/form-data; boundary=b", good, sizeof good - 1), "a"),
        "x");
    /* one boundary after the other: too many parts are none */
    struct buf many = BUF_INIT(100000);
    for (int i = 0; i < 5000; i++)
        buf_str(&many, "--b\r\n\r\n\r\n");
    buf_str(&many, good);
    assert_null(
        req_form(form("CONTENT_TYPE=multipart/form-data; boundary=b", many.data, many.len), "a"));
    buf_free(&many);
}

static void cookies(void **state)
{
    (void)state;
    struct req *r = make(VARS("REQUEST_URI=/", "HTTP_COOKIE=xa=0; a=1;b=\"two\" ; c= ;d"), "");
    assert_string_equal(req_cookie(r, "a"), "1");
    assert_string_equal(req_cookie(r, "b"), "two");
    assert_string_equal(req_cookie(r, "c"), "");
    assert_null(req_cookie(r, "d"));
    assert_null(req_cookie(r, "x"));
    assert_null(req_cookie(make(VARS("REQUEST_URI=/"), ""), "a"));
}

static void ids_differ(void **state)
{
    (void)state;
    char before[REQ_ID_LEN + 1];
    memcpy(before, make(VARS("REQUEST_URI=/"), "")->id, sizeof before);
    assert_string_not_equal(make(VARS("REQUEST_URI=/"), "")->id, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lighttpd),         cmocka_unit_test(path_sources),
        cmocka_unit_test(hostile_targets),  cmocka_unit_test(lengths),
        cmocka_unit_test(declared_bodies),  cmocka_unit_test(undeclared_bodies),
        cmocka_unit_test(queries),          cmocka_unit_test(forms),
        cmocka_unit_test(forms_with_files), cmocka_unit_test(forms_with_files_that_are_broken),
        cmocka_unit_test(cookies),          cmocka_unit_test(ids_differ),
    };
    a = arena_new(4 * LIM_MB);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&a);
    return failed;
}
