/* test_json.c: JSON, read and written; Python is the judge. */
#include "base/limits.h"
#include "judge.h"
#include "wire/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define MB (1u << 20)

static js parsed(const char *text)
{
    struct err e = {0};
    js v;
    if (js_parse(bytes_str(text), &v, &e) != OK)
        fail_msg("%s: %s", text, e.msg);
    return v;
}

static void assert_refused(struct bytes b, const char *why)
{
    struct err e = {0};
    js v = &e;
    if (js_parse(b, &v, &e) != INVALID)
        fail_msg("taken: %.60s", (const char *)b.p);
    assert_null(v);
    if (!strstr(e.msg, why))
        fail_msg("\"%s\" does not say \"%s\"", e.msg, why);
}

static bool count(const char *key, js value, void *arg)
{
    assert_non_null(value);
    strcat(arg, key);
    return strcmp(key, "b") != 0;
}

static void test_read(void **state)
{
    (void)state;
    js v = parsed("{\"s\":\"\\u00e9\\ud83d\\ude00\",\"i\":-5,\"r\":1.5,\"t\":true,\"f\":false,"
                  "\"n\":null,\"a\":[1,[],{}],\"max\":9223372036854775807}");
    int64_t i;
    bool b;
    assert_int_equal(js_type_of(v), JS_OBJECT);
    assert_int_equal(js_size(v), 8);
    assert_string_equal(js_get_str(v, "s"), "\xc3\xa9\xf0\x9f\x98\x80");
    assert_true(js_get_int(v, "i", &i) && i == -5);
    assert_true(js_get_int(v, "max", &i) && i == INT64_MAX);
    assert_false(js_get_int(v, "r", &i));
    assert_false(js_get_int(v, "none", &i));
    assert_true(js_get_bool(v, "t", &b) && b);
    assert_true(js_get_bool(v, "f", &b) && !b);
    assert_false(js_get_bool(v, "n", &b));
    assert_int_equal(js_type_of(js_get(v, "n")), JS_NULL);
    assert_int_equal(js_type_of(js_get(v, "r")), JS_REAL);
    assert_int_equal(js_type_of(js_get(v, "x")), JS_NONE);
    js a = js_get(v, "a");
    assert_int_equal(js_size(a), 3);
    assert_int_equal(js_type_of(js_at(a, 1)), JS_ARRAY);
    assert_null(js_at(a, 3));
    assert_null(js_at(v, 0));
    assert_null(js_get(a, "x"));
    assert_null(js_get(NULL, "x"));
    assert_null(js_str(a));
    assert_null(js_str(NULL));
    assert_int_equal(js_size(NULL), 0);
    js_free(&v);
    assert_null(v);
    js_free(&v);
    v = parsed("\"scalar\"");
    assert_string_equal(js_str(v), "scalar");
    js_free(&v);
    char keys[10] = "";
    v = parsed("{\"z\":1,\"a\":2,\"b\":3,\"c\":4}");
    js_each(v, count, keys);
    assert_string_equal(keys, "zab");
    js_each(NULL, count, keys);
    js_free(&v);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "empty"},
        {" ", "line 1"},
        {"{", "line 1"},
        {"{\"a\":1,}", "line 1"},
        {"{'a':1}", "line 1"},
        {"{\"a\" 1}", "line 1"},
        {"[1,2", "line 1"},
        {"[1 2]", "line 1"},
        {"[01]", "line 1"},
        {"[+1]", "line 1"},
        {"[1.]", "line 1"},
        {"[NaN]", "line 1"},
        {"[1e999]", "line 1"},
        {"[9223372036854775808]", "line 1"},
        {"[tru]", "line 1"},
        {"[1]x", "line 1"},
        {"[1][2]", "line 1"},
        {"[\"a\nb\"]", "line 1"},
        {"[\"\\x\"]", "line 1"},
        {"[\"\\u0000\"]", "line 1"},
        {"{\"\\u0000\":1}", "line 1"},
        {"[\"\\ud800\"]", "line 1"},
        {"[\"\xff\"]", "line 1"},
        {"[\"\xed\xa0\x80\"]", "line 1"},
        {"[\"abc", "line 1"},
        {"[\"abc\\", "line 1"},
        {"// c\n[1]", "line 1"},
        {"{\"a\":1,\"b\":2,\n\"a\":3}", "duplicate"},
        {"{\"a\":1,\"\\u0061\":3}", "duplicate"},
        {"\n\n]", "line 3"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(bytes_str(bad[i].text), bad[i].why);
    assert_refused(bytes_of("[\"a\0b\"]", 7), "line 1");
    assert_refused(bytes_of("[1]\0", 4), "line 1");
}

static void test_ceilings(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(32 * MB);
    for (size_t depth = LIM_JSON_DEPTH; depth <= LIM_JSON_DEPTH + 1; depth++) {
        buf_clear(&b);
        for (size_t i = 0; i < depth; i++)
            buf_str(&b, i % 2 ? "[" : "{\"a\":");
        buf_str(&b, "1");
        for (size_t i = depth; i-- > 0;)
            buf_str(&b, i % 2 ? "]" : "}");
        if (depth <= LIM_JSON_DEPTH) {
            js v = parsed(buf_cstr(&b));
            struct buf out = BUF_INIT(MB);
            assert_int_equal(js_write(v, true, &out), OK);
            buf_free(&out);
            js_free(&v);
        } else {
            assert_refused(buf_bytes(&b), "nested deeper");
        }
    }
    buf_clear(&b);
    for (int i = 0; i < 1000000; i++)
        buf_char(&b, '[');
    assert_refused(buf_bytes(&b), "nested deeper");
    buf_clear(&b);
    buf_str(&b, "[[]");
    for (int i = 0; i < 1000000; i++)
        buf_str(&b, ",[]");
    buf_char(&b, ']');
    assert_refused(buf_bytes(&b), "more values");
    /* brackets and commas inside strings count for nothing */
    buf_clear(&b);
    buf_str(&b, "[\"");
    for (int i = 0; i < 300000; i++)
        buf_str(&b, "[,\\\"{");
    buf_str(&b, "\"]");
    js v = parsed(buf_cstr(&b));
    assert_int_equal(strlen(js_str(js_at(v, 0))), 1200000);
    js_free(&v);
    buf_free(&b);
}

static void assert_written(js v, bool tabs, const char *want)
{
    struct buf b = BUF_INIT(MB);
    assert_int_equal(js_write(v, tabs, &b), OK);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static js sample(void)
{
    js o = js_object(), status = js_object(), a = js_array(), one = js_object();
    js_set_str(one, "push_error", "a \"b\" \\ <c> & d/e\b\f\n\r\t\x01\x1f\x7f");
    js_set_str(one, "push_result", "\xc3\xa9\xe2\x80\xa8\xe2\x80\xa9\xe2\x82\xac");
    js_set(status, "E1", one);
    js_set(o, "status", status);
    js_set_bool(o, "no_push", true);
    js_set_int(o, "n", INT64_MIN);
    js_set(o, "r", js_new_real(0.1));
    js_set(o, "whole", js_new_real(3));
    js_set(o, "nan", js_new_real(NAN));
    js_set(o, "nothing", js_null());
    js_set_str(o, "left_out", NULL);
    js_append(a, js_new_int(1));
    js_append(a, js_array());
    js_append(a, js_object());
    js_append(a, js_new_bool(false));
    js_append(a, js_new_str(NULL));
    js_set(o, "list", a);
    return o;
}

static void test_write(void **state)
{
    (void)state;
    js o = sample();
    /* the text that Go's json.MarshalIndent(v, "", "\t") gives for the same values */
    assert_written(o, true,
                   "{\n"
                   "\t\"status\": {\n"
                   "\t\t\"E1\": {\n"
                   "\t\t\t\"push_error\": \"a \\\"b\\\" \\\\ \\u003cc\\u003e \\u0026 "
                   "d/e\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\",\n"
                   "\t\t\t\"push_result\": \"\xc3\xa9\\u2028\\u2029\xe2\x82\xac\"\n"
                   "\t\t}\n"
                   "\t},\n"
                   "\t\"no_push\": true,\n"
                   "\t\"n\": -9223372036854775808,\n"
                   "\t\"r\": 0.1,\n"
                   "\t\"whole\": 3,\n"
                   "\t\"nan\": null,\n"
                   "\t\"nothing\": null,\n"
                   "\t\"list\": [\n"
                   "\t\t1,\n"
                   "\t\t[],\n"
                   "\t\t{},\n"
                   "\t\tfalse,\n"
                   "\t\tnull\n"
                   "\t]\n"
                   "}");
    js_free(&o);
    o = parsed("{\"b\":[1,2,{\"c\":\"d\"}],\"a\":{}}");
    assert_written(o, false, "{\"b\":[1,2,{\"c\":\"d\"}],\"a\":{}}");
    js_free(&o);
    o = js_object();
    assert_written(o, true, "{}");
    js_set(o, "bad\xff", js_new_str("\xc3("));
    js_set(o, "a", js_new_int(1));
    js_set(o, "a", js_new_int(2));
    assert_written(o, false, "{\"bad\xef\xbf\xbd\":\"\xef\xbf\xbd(\",\"a\":2}");
    struct buf small = BUF_INIT(5);
    assert_int_equal(js_write(o, true, &small), ERROR);
    buf_clear(&small);
    assert_int_equal(js_write(NULL, true, &small), ERROR);
    buf_free(&small);
    js_append(o, js_new_int(3)); /* freed, not leaked */
    js_set(NULL, "x", js_new_int(3));
    js_free(&o);
}

static void test_write_depth(void **state)
{
    (void)state;
    js v = js_array();
    for (int i = 0; i < 300; i++) {
        js outer = js_array();
        js_append(outer, v);
        v = outer;
    }
    struct buf b = BUF_INIT(MB);
    assert_int_equal(js_write(v, false, &b), ERROR);
    js_free(&v);
    buf_free(&b);
}

static void test_judged(void **state)
{
    (void)state;
    if (!judge_there("python3"))
        skip();
    js o = sample();
    struct buf b = BUF_INIT(MB), out = BUF_INIT(MB);
    assert_int_equal(js_write(o, true, &b), OK);
    static const char ask[] =
        "/usr/bin/python3 -c \"import json,sys\n"
        "v=json.load(open(sys.argv[1],encoding='utf-8'))\n"
        "assert v['status']['E1']['push_error']=='a '+chr(34)+'b'+chr(34)+' '+chr(92)+"
        "' <c> & d/e'+''.join(map(chr,(8,12,10,13,9,1,31,127)))\n"
        "assert v['status']['E1']['push_result']==chr(0xe9)+chr(0x2028)+chr(0x2029)+chr(0x20ac)\n"
        "assert v['n']==-2**63 and v['r']==0.1 and v['list']==[1,[],{},False,None]\n"
        "assert list(v)==['status','no_push','n','r','whole','nan','nothing','list']\n"
        "print('agreed')\" $1";
    int status = judge(ask, buf_bytes(&b), &out);
    if (status != 0 || strcmp(buf_cstr(&out), "agreed\n") != 0)
        fail_msg("%s", buf_cstr(&out));
    js_free(&o);
    buf_free(&b);
    buf_free(&out);
}

static void test_mutations(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    js o = sample();
    struct buf b = BUF_INIT(MB), out = BUF_INIT(MB);
    assert_int_equal(js_write(o, false, &b), OK);
    js_free(&o);
    int taken = 0;
    for (int round = 0; round < 40000; round++) {
        char *m = malloc(b.len);
        memcpy(m, b.data, b.len);
        for (int k = 0; k < 1 + round % 3; k++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            m[seed % b.len] = seed & 0x10000 ? (char)(seed >> 20) : m[(seed >> 20) % b.len];
        }
        size_t n = seed & 0x20000 ? (seed >> 30) % b.len : b.len;
        char *exact = realloc(m, n ? n : 1);
        struct err e = {0};
        js v;
        if (js_parse(bytes_of(exact, n), &v, &e) == OK) {
            js again;
            taken++;
            buf_clear(&out);
            assert_int_equal(js_write(v, round % 2, &out), OK);
            assert_int_equal(js_parse(buf_bytes(&out), &again, &e), OK);
            js_free(&again);
            js_free(&v);
        }
        free(exact);
    }
    assert_in_range(taken, 1, 39999);
    buf_free(&b);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ceilings),    cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_depth), cmocka_unit_test(test_judged),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
