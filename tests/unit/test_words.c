/* test_words.c: what the program says in English is said in another language, with what stood in
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "html/words.h"

static struct arena *arena;
static struct words_all *all;
static const struct words *en, *de;

static const char *said(const char *english)
{
    return words_said(de, arena, english);
}

/* The text with "part-N" in each place N. */
static const char *filled(const char *text)
{
    struct buf b = BUF_INIT(4 * LIM_KB);
    for (const char *p = text; *p; p++) {
        if (p[0] == '{' && p[1] >= '1' && p[1] <= '9' && p[2] == '}') {
            buf_fmt(&b, "part-%c", p[1]);
            p += 2;
        } else {
            buf_char(&b, *p);
        }
    }
    const char *s = arena_strdup(arena, buf_cstr(&b));
    buf_free(&b);
    assert_non_null(s);
    return s;
}

/* Each text is found by what the program makes of it, and by no other text before it. */
static void every_text_is_found(void **state)
{
    (void)state;
    char line[4096];
    size_t n = 0;
    FILE *f = fopen("templates/words.en", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *text = strstr(line, " = ");
        if (strncmp(line, "said_", 5) != 0 || !text)
            continue;
        *text = '\0';
        const char *german = words_find(de, line);
        assert_string_not_equal(german, line);
        assert_string_equal(said(filled(text + 3)), filled(german));
        assert_string_equal(words_said(en, arena, text + 3), text + 3);
        n++;
    }
    fclose(f);
    assert_true(n > 1000);
}

static void parts_stay_what_they_are(void **state)
{
    (void)state;
    assert_string_equal(said("there is no webhook 7"), "es gibt keinen Webhook 7");
    assert_string_equal(said("is of type string; it must be of type date"),
                        "ist vom Typ string; es muss vom Typ date sein");
    /* a name in quotes is a name, whatever it says */
    assert_string_equal(said("there is a user \"is missing\" already"),
                        "es gibt schon einen Benutzer „is missing“");
    assert_string_equal(said("there is a user \"a\" already\" already"),
                        "es gibt schon einen Benutzer „a\" already“");
    assert_string_equal(said("there is a user \"{1}\" already"),
                        "es gibt schon einen Benutzer „{1}“");
    /* and nothing in a place is no reason to be silent */
    assert_string_equal(said("there is no webhook "), "es gibt keinen Webhook ");
}

static void texts_in_texts(void **state)
{
    (void)state;
    assert_string_equal(said("property list, line 3: it holds a NUL"),
                        "Property List, Zeile 3: es enthält ein NUL");
    assert_string_equal(said("Settings[2].Image: is missing"), "Settings[2].Image: fehlt");
    assert_string_equal(said("payload: 2: x: is no base64"), "payload: 2: x: ist kein Base64");
    assert_string_equal(said("needs at least one of A, B"), "braucht mindestens eines von A, B");
    assert_string_equal(said("it is damaged: Truncated input: 7"),
                        "es ist beschädigt: Truncated input: 7");
    assert_string_equal(said("the code is revoked"), "der Code ist widerrufen");
}

static void what_is_not_known_stays(void **state)
{
    (void)state;
    char *deep = malloc(8192);
    assert_non_null(deep);
    for (size_t i = 0; i + 2 < 8192; i += 2)
        memcpy(deep + i, ": ", 3);
    for (const char *const *s =
             (const char *const[]){"", "x", "Nichts davon", ": ", ": : : : : : x",
                                   "the same to you", "\"", "{1}", NULL};
         *s; s++)
        assert_string_equal(said(*s), *s);
    assert_string_equal(said(deep), deep);
    deep[1800] = '\0';
    assert_string_equal(said(deep), deep);
    free(deep);
    assert_null(said(NULL));
}

/* Whatever is counted where a person reads it has a text of its own for one. */
static void one_is_no_plural(void **state)
{
    (void)state;
    static const char *const counted[] = {"signin_wait", "enrol_login_wait", "setup_device_once",
                                          "days_long",   "unseen_days",      "policy_every_days"};
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        for (const struct words *w = en; w; w = w == en ? de : NULL) {
            const char *one = words_count(w, arena, counted[i], "1");
            assert_null(strchr(one, '1'));
            assert_null(strstr(one, "_one"));
            assert_non_null(strstr(words_count(w, arena, counted[i], "2"), "2"));
        }
    }
    assert_string_equal(words_count(en, arena, "unseen_days", "1"), "a day or more");
    assert_string_equal(words_count(de, arena, "unseen_days", "1"), "einem Tag oder länger");
    /* what has none keeps the number */
    assert_string_equal(words_count(en, arena, "ago_days", "1"),
                        words_fill(en, arena, "ago_days", "1", NULL));
}

int main(void)
{
    struct err err = {0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_is_found), cmocka_unit_test(parts_stay_what_they_are),
        cmocka_unit_test(texts_in_texts),      cmocka_unit_test(what_is_not_known_stays),
        cmocka_unit_test(one_is_no_plural),
    };
    arena = arena_new(16 * LIM_MB);
    if (!arena || words_load("templates", &all, &err) != OK)
        return 1;
    en = words_choose(all, "en", NULL);
    de = words_choose(all, "de", NULL);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    words_free(&all);
    arena_free(&arena);
    return rc;
}
