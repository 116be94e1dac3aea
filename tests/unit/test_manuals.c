/* What the documents say of the configuration, against the table that the programs read by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/conf.h"

#define TEXT_MAX (1 << 20)

static char *described;

static char *file_text(FILE *f)
{
    char *text = calloc(1, TEXT_MAX);
    assert_non_null(text);
    assert_true(fread(text, 1, TEXT_MAX - 1, f) > 100);
    fclose(f);
    return text;
}

/* conf_describe() prints; catch it in a file. */
static int describe(void **state)
{
    (void)state;
    FILE *f = tmpfile();
    fflush(stdout);
    int out = dup(STDOUT_FILENO);
    if (!f || out < 0 || dup2(fileno(f), STDOUT_FILENO) < 0)
        return -1;
    conf_describe();
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    rewind(f);
    described = file_text(f);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    free(described);
    return 0;
}

/* Calls fn for each "name = default" line below its [section]; returns how many there are. */
static int each_key(void (*fn)(const char *doc, const char *section, const char *name,
                               const char *def),
                    const char *doc)
{
    char *copy = strdup(described), *rest = NULL, section[64] = "";
    int n = 0;
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *eq = strstr(line, " =");
        if (sscanf(line, "[%63[a-z]]", section) == 1 || line[0] == ' ' || !eq)
            continue;
        *eq = '\0';
        fn(doc, section, line, eq[2] ? eq + 3 : "");
        n++;
    }
    free(copy);
    return n;
}

static void missing(const char *where, const char *section, const char *name)
{
    fail_msg("%s does not describe [%s] %s as conf_describe() does", where, section, name);
}

/* The part of a document about one section: from its heading to the next. */
static char *part(const char *doc, const char *heading, const char *next)
{
    const char *from = strstr(doc, heading);
    assert_non_null(from);
    const char *to = strstr(from + 1, next);
    return strndup(from, to ? (size_t)(to - from) : strlen(from));
}

static void in_manual(const char *doc, const char *section, const char *name, const char *def)
{
    char heading[128], entry[128], value[400];
    snprintf(heading, sizeof heading, ".Ss Section %s\n", section);
    snprintf(entry, sizeof entry, ".It Ic %s\n", name);
    char *text = part(doc, heading, ".Ss ");
    char *at = strstr(text, entry);
    if (!at)
        missing("drover.conf(5)", section, name);
    char *end = strstr(at + 1, ".It ");
    if (end)
        *end = '\0';
    snprintf(value, sizeof value, *def ? "Default:\n.Ql %s .\n" : "Default: none.\n", def);
    if (!strstr(at, value))
        missing("drover.conf(5)", section, name);
    free(text);
}

static void in_example(const char *doc, const char *section, const char *name, const char *def)
{
    char heading[128], entry[400], given[128];
    snprintf(heading, sizeof heading, "\n[%s]\n", section);
    snprintf(entry, sizeof entry, *def ? "\n;%s = %s\n" : "\n;%s =%s\n", name, def);
    snprintf(given, sizeof given, "\n%s = ", name);
    char *text = part(doc, heading, "\n[");
    if (!strstr(text, entry) && !strstr(text, given))
        missing("drover.conf.example", section, name);
    free(text);
}

static void in_install(const char *doc, const char *section, const char *name, const char *def)
{
    char heading[128], entry[400];
    snprintf(heading, sizeof heading, "\n[%s]  ", section);
    snprintf(entry, sizeof entry, *def ? "\n    %s = %s\n" : "\n    %s%s\n", name, def);
    char *text = part(doc, heading, "\n[");
    if (!strstr(text, entry))
        missing("INSTALL", section, name);
    free(text);
}

static void check(const char *path, void (*fn)(const char *doc, const char *section,
                                               const char *name, const char *def))
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *doc = file_text(f);
    assert_true(each_key(fn, doc) > 50);
    free(doc);
}

static void test_manual(void **state)
{
    (void)state;
    check("fcgi/man/drover.conf.5", in_manual);
}

static void test_example(void **state)
{
    struct conf *conf = NULL;
    struct err err = {.outcome = OK};
    (void)state;
    check("scripts/etc/drover.conf.example", in_example);
    if (conf_load("scripts/etc/drover.conf.example", &conf, &err) != OK)
        fail_msg("%s", err.msg);
    conf_free(&conf);
}

static void test_install(void **state)
{
    (void)state;
    check("INSTALL", in_install);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_install),
    };
    return cmocka_run_group_tests(tests, describe, forget);
}
