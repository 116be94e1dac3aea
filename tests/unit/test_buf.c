/* test_buf.c: the buffer, bytes, outcomes and UTF-8. */
#include "base/buf.h"
#include "base/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void test_adding(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(1000);
    assert_string_equal(buf_cstr(&b), "");
    assert_int_equal(buf_bytes(&b).n, 0);
    buf_add(&b, NULL, 0);
    buf_str(&b, NULL);
    buf_str(&b, "ab");
    buf_char(&b, 'c');
    buf_fmt(&b, "-%03d-%s", 7, "x");
    buf_add(&b, "\0y", 2);
    assert_int_equal(b.len, 11);
    assert_memory_equal(b.data, "abc-007-x\0y", 12);
    buf_clear(&b);
    assert_string_equal(buf_cstr(&b), "");
    for (int i = 0; i < 1000; i++)
        buf_char(&b, (char)('0' + i % 10));
    assert_false(buf_failed(&b));
    assert_int_equal(strlen(buf_cstr(&b)), 1000);
    assert_memory_equal(b.data + 990, "0123456789", 11);
    buf_free(&b);
    assert_int_equal(b.max, 1000);
    assert_string_equal(buf_cstr(&b), "");
}

static void test_ceiling(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_str(&b, "abcd");
    assert_false(buf_failed(&b));
    buf_char(&b, 'e');
    assert_true(buf_failed(&b));
    buf_str(&b, ""); /* stays failed */
    assert_true(buf_failed(&b));
    assert_string_equal(buf_cstr(&b), "abcd");
    buf_clear(&b);
    assert_false(buf_failed(&b));
    buf_fmt(&b, "%s", "12345");
    assert_true(buf_failed(&b));
    assert_string_equal(buf_cstr(&b), "");
    buf_clear(&b);
    buf_fmt(&b, "%d", 1234);
    assert_false(buf_failed(&b));
    assert_string_equal(buf_cstr(&b), "1234");
    buf_clear(&b);
    assert_null(buf_room(&b, SIZE_MAX));
    assert_null(buf_room(&b, 1)); /* failed */
    buf_clear(&b);
    buf_add(&b, "x", SIZE_MAX - 1);
    assert_true(buf_failed(&b));
    buf_free(&b);
    buf_init(&b, 0);
    buf_str(&b, "");
    assert_false(buf_failed(&b));
    buf_char(&b, 'x');
    assert_true(buf_failed(&b));
    buf_free(&b);
}

static void test_room(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(100);
    char *p = buf_room(&b, 50);
    assert_non_null(p);
    memcpy(p, "hello", 5);
    buf_grew(&b, 5);
    assert_string_equal(buf_cstr(&b), "hello");
    assert_null(buf_room(&b, 96));
    buf_wipe(&b);
    assert_int_equal(b.len, 0);
    assert_false(buf_failed(&b));
}

static void test_long_formats(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(100000);
    for (int i = 0; i < 300; i++) /* each crosses the capacity somewhere else */
        buf_fmt(&b, "%0*d", i, i);
    size_t want = 1; /* "%00d" of 0 is one digit */
    for (int i = 1; i < 300; i++)
        want += (size_t)i;
    assert_int_equal(b.len, want);
    assert_int_equal(strlen(b.data), want);
    buf_free(&b);
}

static void test_bytes(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_str(""), bytes_of(NULL, 0)));
    assert_true(bytes_equal(bytes_str("ab"), bytes_of("ab", 2)));
    assert_false(bytes_equal(bytes_str("ab"), bytes_str("ac")));
    assert_false(bytes_equal(bytes_str("ab"), bytes_str("abc")));
    assert_int_equal(bytes_str(NULL).n, 0);
}

static enum outcome failing(struct err *e)
{
    return err_set(e, CONFLICT, "row %d", 3);
}

static void test_err(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(failing(NULL), CONFLICT);
    errno = ENOSPC;
    assert_int_equal(failing(&e), CONFLICT);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(e.outcome, CONFLICT);
    assert_string_equal(e.msg, "row 3");
    assert_non_null(strstr(e.file, "test_buf.c"));
    assert_true(e.line > 0);
    assert_int_equal(err_prefix(&e, "table %s", "t"), CONFLICT);
    assert_string_equal(e.msg, "table t: row 3");
    assert_int_equal(err_prefix(NULL, "x"), ERROR);
    char far[1000];
    memset(far, 'f', sizeof far - 1);
    far[sizeof far - 1] = '\0';
    (void)err_prefix(&e, "%s", far);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    (void)err_set(&e, INVALID, "%s", far);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    (void)err_prefix(&e, "p");
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    assert_memory_equal(e.msg, "p: fff", 6);
    assert_string_equal(outcome_name(NOT_FOUND), "not_found");
    assert_string_equal(outcome_name((enum outcome)99), "unknown");
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        bool good;
        const char *clean;
    } cases[] = {
        {"", true, ""},
        {"plain ascii, longer than a word", true, "plain ascii, longer than a word"},
        {"eight888\xc3\xa9", true, "eight888\xc3\xa9"},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", true, "\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", true,
         "\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80"},
        {"a\xff"
         "b",
         false,
         "a\xef\xbf\xbd"
         "b"},
        {"\x80", false, "\xef\xbf\xbd"},
        {"\xc0\x80", false, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc1\xbf", false, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe0\x80\x80", false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf8\x88\x80\x80\x80", false,
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"12345678\xe2\x82", false, "12345678\xef\xbf\xbd\xef\xbf\xbd"},
        {"1234567\xc3", false, "1234567\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT(1000);
        if (utf8_valid(bytes_str(cases[i].s)) != cases[i].good)
            fail_msg("case %zu", i);
        utf8_clean_add(&b, bytes_str(cases[i].s));
        assert_string_equal(buf_cstr(&b), cases[i].clean);
        assert_true(utf8_valid(buf_bytes(&b)));
        buf_free(&b);
    }
    uint32_t c = 0;
    assert_int_equal(utf8_next((const uint8_t *)"", 0, &c), 0);
    assert_int_equal(utf8_next((const uint8_t *)"\xe2\x82\xac", 3, &c), 3);
    assert_int_equal(c, 0x20ac);
    assert_true(utf8_valid(bytes_of("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adding), cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_room),   cmocka_unit_test(test_long_formats),
        cmocka_unit_test(test_bytes),  cmocka_unit_test(test_err),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
