/* test_clock.c: times and identifiers. */
#include "base/clock.h"
#include "base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static void test_write(void **state)
{
    (void)state;
    char out[CLOCK_TEXT_MAX];
    assert_string_equal(clock_rfc3339(0, false, out), "1970-01-01T00:00:00Z");
    assert_string_equal(clock_rfc3339(-1, true, out), "1969-12-31T23:59:59.999999Z");
    assert_string_equal(clock_rfc3339(1795335330123456, true, out), "2026-11-22T08:15:30.123456Z");
    assert_string_equal(clock_rfc3339(1795335330123456, false, out), "2026-11-22T08:15:30Z");
    assert_string_equal(clock_rfc3339(1709164800 * SECOND_US, false, out), "2024-02-29T00:00:00Z");
    assert_string_equal(clock_rfc3339(INT64_MAX, true, out), "9999-12-31T23:59:59.999999Z");
    assert_string_equal(clock_rfc3339(INT64_MIN, true, out), "0000-01-01T00:00:00.000000Z");
}

/* The C library is the judge, a day and an odd number of seconds at a time. */
static void test_against_libc(void **state)
{
    (void)state;
    for (int64_t t = -62135596800; t < 253402300800; t += 7 * 86400 + 12345) {
        char ours[CLOCK_TEXT_MAX], theirs[64];
        time_t tt = (time_t)t;
        struct tm tm;
        gmtime_r(&tt, &tm);
        size_t n = strftime(theirs, sizeof theirs, "-%m-%dT%H:%M:%SZ", &tm);
        clock_rfc3339(t * SECOND_US, false, ours);
        if (strcmp(ours + 4, theirs) != 0 || n == 0)
            fail_msg("%lld: %s", (long long)t, ours);
        int64_t back;
        assert_true(clock_parse_rfc3339(ours, &back));
        assert_true(back == t * SECOND_US);
    }
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        int64_t t;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01 00:00:00Z", 0},
        {"1970-01-01T00:00:00.5Z", 500000},
        {"1970-01-01T00:00:00.1234567891Z", 123456},
        {"1970-01-01T01:30:00+01:30", 0},
        {"1969-12-31T23:00:00-01:00", 0},
        {"2016-12-31T23:59:60Z", 1483228800 * SECOND_US},
        {"2000-02-29T00:00:00-00:00", 951782400 * SECOND_US},
    };
    static const char *const bad[] = {
        "",
        "x",
        "1970",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00Z",
        "1970-1-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-01-32T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "1970-04-31T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:61Z",
        "1970-01-01T00:00:00+0100",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+01:60",
        "1970-01-01T00:00:00Zx",
        "1970-01-01T00:00:00+01:00x",
        "1970-01-01T00:00:00 Z",
        "-970-01-01T00:00:00Z",
        "1970-01-01T-1:00:00Z",
        "1970-01-01X00:00:00Z",
        "1970-01-01T0",
        "19700101T000000Z",
        "1970-01-01T00:00:00,5Z",
        "1970-01-01T00:00:00+",
    };
    int64_t t;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!clock_parse_rfc3339(good[i].s, &t) || t != good[i].t)
            fail_msg("%s", good[i].s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (clock_parse_rfc3339(bad[i], &t))
            fail_msg("%s was taken", bad[i]);
    assert_false(clock_parse_rfc3339(NULL, &t));
}

static void a_day_is_taken_whole(void **state)
{
    static const char *const bad[] = {"2026-11-31", "2026-11-2", "22.11.2026", "2026/11/22", ""};
    int64_t first, last, t;
    (void)state;
    assert_true(clock_parse_day("1970-01-02", false, &first));
    assert_true(clock_parse_day("1970-01-02", true, &last));
    assert_int_equal(first, DAY_US);
    assert_int_equal(last, 2 * DAY_US);
    assert_true(clock_parse_day("1970-01-02T01:00:00+01:00", true, &t));
    assert_int_equal(t, DAY_US);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (clock_parse_day(bad[i], true, &t))
            fail_msg("%s was taken", bad[i]);
    assert_false(clock_parse_day(NULL, false, &t));
}

static void test_clocks(void **state)
{
    (void)state;
    int64_t m = clock_mono();
    assert_true(clock_now() / SECOND_US - (int64_t)time(NULL) <= 1);
    assert_true(clock_now() > INT64_C(1700000000) * SECOND_US);
    assert_true(clock_mono() >= m);
}

static void test_uuid(void **state)
{
    (void)state;
    char u[UUID_LEN + 1], before[UUID_LEN + 1] = "";
    for (int i = 0; i < 1000; i++) {
        uuid_v4(u);
        assert_true(uuid_valid(u));
        assert_int_equal(u[14], '4');
        assert_non_null(strchr("89AB", u[19]));
        assert_int_equal(strspn(u, "0123456789ABCDEF-"), UUID_LEN);
        assert_string_not_equal(u, before);
        strncpy(before, u, sizeof before);
    }
    assert_true(uuid_valid("c9b00bbb-b9c2-4ea7-9228-bf8ee9d3b889"));
    static const char *const bad[] = {"",
                                      "C9B00BBB",
                                      "C9B00BBB-B9C2-4EA7-9228-BF8EE9D3B88",
                                      "C9B00BBBB9C24EA79228BF8EE9D3B889",
                                      "C9B00BBB-B9C2-4EA7-9228-BF8EE9D3B889 ",
                                      "{9B00BBB-B9C2-4EA7-9228-BF8EE9D3B889}",
                                      "G9B00BBB-B9C2-4EA7-9228-BF8EE9D3B889",
                                      "C9B00BBB-B9C2-4EA7-9228-BF8EE9D3B88G",
                                      "C9B00BBBB-9C2-4EA7-9228-BF8EE9D3B889"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(uuid_valid(bad[i]));
    assert_false(uuid_valid(NULL));
    unsigned char r[4096] = {0};
    int zeros = 0;
    random_bytes(r, sizeof r);
    for (size_t i = 0; i < sizeof r; i++)
        zeros += r[i] == 0;
    assert_in_range(zeros, 0, 60); /* 16 are expected */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),  cmocka_unit_test(test_against_libc),
        cmocka_unit_test(test_parse),  cmocka_unit_test(a_day_is_taken_whole),
        cmocka_unit_test(test_clocks), cmocka_unit_test(test_uuid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
