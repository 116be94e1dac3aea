/* test_template.c: the renderer against the Mustache specification's core, escaping, ceilings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/limits.h"
#include "html/escape.h"
#include "html/template.h"
#include "wire/json.h"

static char dir[] = "/tmp/drover-template-XXXXXX";
static struct arena *arena;
static struct err err;

static void file_write(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s.html", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void clear(void)
{
    char cmd[64];
    snprintf(cmd, sizeof cmd, "rm -f %s/*", dir);
    assert_int_equal(system(cmd), 0);
}

static struct value *from_json(js v);

static bool member(const char *key, js v, void *arg)
{
    value_set(arg, arena_strdup(arena, key), from_json(v));
    return true;
}

static struct value *from_json(js v)
{
    struct value *to;
    int64_t i;
    bool b;
    struct buf real = BUF_INIT(64);
    switch (js_type_of(v)) {
    case JS_STRING:
        return value_text(arena, arena_strdup(arena, js_str(v)));
    case JS_INT:
        assert_true(js_int(v, &i));
        return value_text(arena, arena_fmt(arena, "%lld", (long long)i));
    case JS_REAL:
        assert_int_equal(js_write(v, false, &real), OK);
        to = value_text(arena, arena_fmt(arena, "%g", atof(buf_cstr(&real))));
        buf_free(&real);
        return to;
    case JS_BOOL: {
        struct buf text = BUF_INIT(16);
        assert_int_equal(js_write(v, false, &text), OK);
        b = strcmp(buf_cstr(&text), "true") == 0;
        buf_free(&text);
        return value_bool(arena, b);
    }
    case JS_ARRAY:
        to = value_list(arena);
        for (size_t k = 0; k < js_size(v); k++)
            value_append(to, from_json(js_at(v, k)));
        return to;
    case JS_OBJECT:
        to = value_dict(arena);
        js_each(v, member, to);
        return to;
    default:
        return value_text(arena, NULL);
    }
}

static bool partial(const char *key, js v, void *arg)
{
    (void)arg;
    file_write(key, js_str(v));
    return true;
}

/* One case; true when it renders as expected. */
static bool spec_case(const char *file, js test)
{
    struct templates *t = NULL;
    struct buf out = BUF_INIT(LIM_MB);
    clear();
    arena_reset(arena);
    js_each(js_get(test, "partials"), partial, NULL);
    file_write("main-template", js_get_str(test, "template"));
    assert_int_equal(templates_new(dir, &t, &err), OK);
    enum outcome o =
        template_render(t, "main-template", from_json(js_get(test, "data")), arena, &out, &err);
    bool same = o == OK && strcmp(buf_cstr(&out), js_get_str(test, "expected")) == 0;
    if (!same)
        print_error("%s: %s: got %s\n%s\nwanted\n%s\n", file, js_get_str(test, "name"),
                    o == OK ? "" : err.msg, buf_cstr(&out), js_get_str(test, "expected"));
    buf_free(&out);
    templates_free(&t);
    return same;
}

static void the_specification(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t cases;
    } files[] = {{"comments", 12}, {"delimiters", 14}, {"interpolation", 42},
                 {"inverted", 22}, {"partials", 12},   {"sections", 34}};
    int wrong = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[128];
        struct buf text = BUF_INIT(LIM_MB);
        js root = NULL;
        snprintf(path, sizeof path, "tests/data/mustache/%s.json", files[i].name);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        char *room = buf_room(&text, 500000);
        buf_grew(&text, fread(room, 1, 500000, f));
        fclose(f);
        assert_int_equal(js_parse(buf_bytes(&text), &root, &err), OK);
        js tests = js_get(root, "tests");
        assert_int_equal(js_size(tests), files[i].cases);
        for (size_t k = 0; k < js_size(tests); k++)
            wrong += !spec_case(files[i].name, js_at(tests, k));
        js_free(&root);
        buf_free(&text);
    }
    assert_int_equal(wrong, 0);
}

static enum outcome render(const struct value *root, struct buf *out)
{
    struct templates *t = NULL;
    assert_int_equal(templates_new(dir, &t, &err), OK);
    enum outcome o = template_render(t, "main", root, arena, out, &err);
    templates_free(&t);
    return o;
}

static void five_characters_are_escaped(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1000);
    html_escape_add(&out, bytes_str("a\"><script>alert('&')</script>"));
    assert_string_equal(buf_cstr(&out),
                        "a&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;");
    buf_clear(&out);
    html_escape_add(&out, bytes_of("\xff<\x00\x1b\xc3\xa4\n", 7));
    assert_string_equal(buf_cstr(&out), "\xef\xbf\xbd&lt;\xef\xbf\xbd\xef\xbf\xbd\xc3\xa4\n");
    buf_free(&out);
    out = BUF_INIT(4);
    html_escape_add(&out, bytes_str("<<<<"));
    assert_true(buf_failed(&out));
    buf_free(&out);
}

static void broken_templates_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {{"a\n{{#x}}b", "main.html:2: a section is not closed"},
               {"a {{/x}}", "was not opened"},
               {"{{#x}}{{/y}}", "another section"},
               {"{{x", "does not end"},
               {"{{}}", "no name"},
               {"{{=x=}}", "two delimiters"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf out = BUF_INIT(1000);
        file_write("main", bad[i].text);
        assert_int_equal(render(value_dict(arena), &out), INVALID);
        assert_non_null(strstr(err.msg, bad[i].says));
        buf_free(&out);
    }
}

static void recursion_and_output_are_bounded(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(LIM_MB);
    file_write("main", "x{{>main}}");
    assert_int_equal(render(value_dict(arena), &out), INVALID);
    assert_non_null(strstr(err.msg, "too deeply"));
    buf_free(&out);
    out = BUF_INIT(100);
    struct value *root = value_dict(arena), *list = value_list(arena);
    for (int i = 0; i < 60; i++)
        value_append(list, value_bool(arena, true));
    value_set(root, "l", list);
    file_write("main", "{{#l}}ab{{/l}}");
    assert_int_equal(render(root, &out), ERROR);
    buf_free(&out);
    /* 33 sections in each other */
    struct buf deep = BUF_INIT(LIM_MB);
    for (int i = 0; i < 33; i++)
        buf_str(&deep, "{{#a}}");
    for (int i = 0; i < 33; i++)
        buf_str(&deep, "{{/a}}");
    file_write("main", buf_cstr(&deep));
    out = BUF_INIT(100);
    assert_int_equal(render(value_dict(arena), &out), INVALID);
    buf_free(&deep);
    buf_free(&out);
}

static void a_tree_without_memory_is_refused(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(100);
    struct value *root = value_dict(arena);
    file_write("main", "x");
    value_set(root, "lost", NULL);
    assert_int_equal(render(root, &out), ERROR);
    assert_int_equal(render(NULL, &out), ERROR);
    buf_free(&out);
}

static void a_changed_file_is_read_again(void **state)
{
    (void)state;
    struct templates *t = NULL;
    struct buf out = BUF_INIT(100);
    file_write("main", "old");
    assert_int_equal(templates_new(dir, &t, &err), OK);
    assert_int_equal(template_render(t, "main", value_dict(arena), arena, &out, &err), OK);
    file_write("main", "newer");
    usleep(1100000);
    assert_int_equal(template_render(t, "main", value_dict(arena), arena, &out, &err), OK);
    assert_string_equal(buf_cstr(&out), "oldnewer");
    assert_int_equal(template_render(t, "../main", value_dict(arena), arena, &out, &err), INVALID);
    assert_int_equal(template_render(t, "none", value_dict(arena), arena, &out, &err), NOT_FOUND);
    templates_free(&t);
    buf_free(&out);
}

static const char *shout(const void *arg, const char *key)
{
    return strcmp(key, "hello") == 0 ? arg : NULL;
}

static void texts_come_from_a_catalogue(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(100);
    struct value *root = value_dict(arena);
    value_set(root, "t", value_lookup(arena, shout, "h<i"));
    file_write("main", "{{t.hello}}{{t.none}}{{#t.hello}}!{{/t.hello}}");
    assert_int_equal(render(root, &out), OK);
    assert_string_equal(buf_cstr(&out), "h&lt;i!");
    buf_free(&out);
}

static void an_empty_text_is_nothing(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(100);
    struct value *root = value_dict(arena);
    value_set_text(root, "none", "");
    value_set_text(root, "some", "0");
    file_write("main", "{{#none}}a{{/none}}{{^none}}b{{/none}}{{#some}}c{{/some}}");
    assert_int_equal(render(root, &out), OK);
    assert_string_equal(buf_cstr(&out), "bc");
    buf_free(&out);
}

static int fresh(void **state)
{
    (void)state;
    arena_reset(arena);
    clear();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_specification, fresh),
        cmocka_unit_test_setup(five_characters_are_escaped, fresh),
        cmocka_unit_test_setup(broken_templates_are_refused, fresh),
        cmocka_unit_test_setup(recursion_and_output_are_bounded, fresh),
        cmocka_unit_test_setup(a_tree_without_memory_is_refused, fresh),
        cmocka_unit_test_setup(a_changed_file_is_read_again, fresh),
        cmocka_unit_test_setup(an_empty_text_is_nothing, fresh),
        cmocka_unit_test_setup(texts_come_from_a_catalogue, fresh),
    };
    arena = arena_new(16 * LIM_MB);
    if (!arena || !mkdtemp(dir))
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    clear();
    rmdir(dir);
    arena_free(&arena);
    return rc;
}
