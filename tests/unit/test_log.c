/* test_log.c: what stands in a line, and that nobody forges one. */
#include "base/log.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/drover-log-XXXXXX";
static char path[64], moved[64];
static char text[1 << 20];

static const char *log_text(const char *name)
{
    FILE *f = fopen(name, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static int set_up(void **state)
{
    (void)state;
    struct err e;
    assert_true(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/log", dir);
    snprintf(moved, sizeof moved, "%s/log.1", dir);
    return log_open(path, LOG_LEVEL_DEBUG, "test", &e) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    unlink(moved);
    rmdir(dir);
    return 0;
}

static int empty_log(void **state)
{
    (void)state;
    log_context_clear();
    log_set_level(LOG_LEVEL_DEBUG);
    return truncate(path, 0);
}

/* What the one line of the log holds from "event=" on. */
static const char *line(void)
{
    const char *t = log_text(path), *event = strstr(t, "event=");
    assert_non_null(event);
    char *end = strchr(t, '\n');
    assert_ptr_equal(end, t + strlen(t) - 1); /* one line, and it ends */
    *end = '\0';
    return event;
}

static void test_form(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_WARNING, "identity.mismatch", "serial", "abc", "left", NULL, "n", "1",
              NULL);
    assert_string_equal(line(), "event=identity.mismatch serial=abc n=1");
    char pid[40];
    snprintf(pid, sizeof pid, "Z warning test[%d] event=", (int)getpid());
    assert_ptr_equal(strstr(text, pid), text + 26);
    assert_memory_equal(text, "20", 2);
}

static void test_context(void **state)
{
    (void)state;
    log_context_request("r1");
    log_context_enrollment("e 1");
    log_context_command("c1");
    log_event(LOG_LEVEL_INFO, "x", NULL);
    assert_string_equal(line(), "event=x req=r1 enrollment=\"e 1\" command=c1");
    empty_log(NULL);
    log_context_request("r2");
    log_context_request(NULL);
    log_context_command("c2");
    log_event(LOG_LEVEL_INFO, "x", NULL);
    assert_string_equal(line(), "event=x command=c2");
}

static void test_levels(void **state)
{
    (void)state;
    enum log_level l;
    log_set_level(LOG_LEVEL_WARNING);
    assert_false(log_enabled(LOG_LEVEL_INFO));
    assert_true(log_enabled(LOG_LEVEL_ERROR));
    log_event(LOG_LEVEL_INFO, "x", NULL);
    log_msg(LOG_LEVEL_DEBUG, "x", "y");
    assert_string_equal(log_text(path), "");
    log_msg(LOG_LEVEL_WARNING, "x", "%s %d", "y", 1);
    assert_string_equal(line(), "event=x msg=\"y 1\"");
    assert_true(log_level_parse("debug", &l) && l == LOG_LEVEL_DEBUG);
    assert_true(log_level_parse("error", &l) && l == LOG_LEVEL_ERROR);
    assert_false(log_level_parse("Error", &l));
    assert_false(log_level_parse("", &l));
}

static void test_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *value, *shown;
    } cases[] = {
        {"plain-1.2_3:/@{}", "plain-1.2_3:/@{}"},
        {"", "\"\""},
        {"a b", "\"a b\""},
        {"a=b", "\"a=b\""},
        {"say \"hi\" \\", "\"say \\x22hi\\x22 \\x5c\""},
        {"a\nevent=forged", "\"a\\x0aevent=forged\""},
        {"a\r\n\t\x1b[31m\x7f", "\"a\\x0d\\x0a\\x09\\x1b[31m\\x7f\""},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
         "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\xff\xc3(", "\"\\xff\\xc3(\""},
        {"\xc2\x85x", "\"\\xc2\\x85x\""},          /* NEL, a line end */
        {"\xe2\x80\xa8x", "\"\\xe2\\x80\\xa8x\""}, /* line separator */
        {"\xe2\x80\xaex", "\"\\xe2\\x80\\xaex\""}, /* right to left override */
        {"\xe2\x81\xa6x", "\"\\xe2\\x81\\xa6x\""}, /* isolate */
        {"\xe2\x82", "\"\\xe2\\x82\""},            /* cut short */
        {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\""},   /* surrogate */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char want[200];
        empty_log(NULL);
        log_event(LOG_LEVEL_INFO, "x", "v", cases[i].value, "end", "1", NULL);
        snprintf(want, sizeof want, "event=x v=%s end=1", cases[i].shown);
        assert_string_equal(line(), want);
    }
}

static void test_long_values(void **state)
{
    (void)state;
    static char big[1 << 20];
    memset(big, 'a', sizeof big - 1);
    log_event(LOG_LEVEL_INFO, "x", "v", big, "end", "1", NULL);
    const char *l = line();
    assert_int_equal(strlen(l), strlen("event=x v=\"\" end=1") + 1024 + 3);
    assert_string_equal(l + strlen(l) - 10, "...\" end=1");
    memset(big, 1, sizeof big - 1); /* four octets each */
    empty_log(NULL);
    log_event(LOG_LEVEL_INFO, "x", "a", big, "b", big, "c", big, NULL);
    l = line();
    assert_true(strlen(text) < LIM_LOG_LINE);
    assert_int_equal(l[strlen(l) - 1], '"');
    empty_log(NULL);
    memset(big, 'a', sizeof big - 1);
    for (size_t n = 900; n < 1100; n++) { /* the line's end at every place of a value */
        empty_log(NULL);
        big[n] = '\0';
        log_event(LOG_LEVEL_INFO, "x", "a", big, "b", big, "c", big, "d", big, "e", big, NULL);
        l = line();
        assert_true(strlen(text) < LIM_LOG_LINE);
        big[n] = 'a';
    }
    empty_log(NULL);
    log_msg(LOG_LEVEL_INFO, "x", "%s", big);
    l = line();
    assert_string_equal(l + strlen(l) - 4, "...\"");
}

static void test_err(void **state)
{
    (void)state;
    struct err e;
    (void)err_set(&e, UNAVAILABLE, "the database is away");
    log_err(LOG_LEVEL_ERROR, "db.lost", &e);
    const char *l = line();
    assert_non_null(
        strstr(l, "event=db.lost outcome=unavailable msg=\"the database is away\" at="));
    assert_non_null(strstr(l, "test_log.c:"));
}

static void test_reopen(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_INFO, "before", NULL);
    assert_int_equal(rename(path, moved), 0);
    log_event(LOG_LEVEL_INFO, "between", NULL);
    log_reopen();
    log_event(LOG_LEVEL_INFO, "after", NULL);
    assert_non_null(strstr(log_text(moved), "event=before"));
    assert_non_null(strstr(text, "event=between"));
    assert_string_equal(line(), "event=after");
}

static void *writer(void *arg)
{
    log_context_request(arg);
    for (int i = 0; i < 2000; i++)
        log_event(LOG_LEVEL_INFO, "thread", "who", arg, "v", "some value", NULL);
    return NULL;
}

static void *reopener(void *arg)
{
    for (int i = 0; i < 100; i++)
        log_reopen();
    return arg;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t t[5];
    static char *names[] = {"one", "two", "three", "four"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, writer, names[i]), 0);
    assert_int_equal(pthread_create(&t[4], NULL, reopener, NULL), 0);
    for (int i = 0; i < 5; i++)
        pthread_join(t[i], NULL);
    char *l = (char *)(uintptr_t)log_text(path), *next;
    int lines = 0;
    for (; (next = strchr(l, '\n')); l = next + 1, lines++) {
        char want[100];
        *next = '\0';
        const char *who = strstr(l, "who=");
        assert_non_null(who);
        int n = (int)strcspn(who + 4, " ");
        snprintf(want, sizeof want, "event=thread req=%.*s who=%.*s v=\"some value\"", n, who + 4,
                 n, who + 4);
        assert_string_equal(strstr(l, "event="), want);
    }
    assert_int_equal(lines, 8000);
}

static void test_targets(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(log_open("relative", LOG_LEVEL_INFO, "t", &e), INVALID);
    assert_int_equal(log_open("", LOG_LEVEL_INFO, "t", &e), INVALID);
    assert_int_equal(log_open("/nonexistent/x", LOG_LEVEL_INFO, "t", &e), ERROR);
    assert_non_null(strstr(e.msg, "/nonexistent/x"));
    log_event(LOG_LEVEL_INFO, "still", NULL); /* the old target goes on */
    assert_string_equal(line(), "event=still");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_form, empty_log),
        cmocka_unit_test_setup(test_context, empty_log),
        cmocka_unit_test_setup(test_levels, empty_log),
        cmocka_unit_test_setup(test_escapes, empty_log),
        cmocka_unit_test_setup(test_long_values, empty_log),
        cmocka_unit_test_setup(test_err, empty_log),
        cmocka_unit_test_setup(test_reopen, empty_log),
        cmocka_unit_test_setup(test_threads, empty_log),
        cmocka_unit_test_setup(test_targets, empty_log),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
