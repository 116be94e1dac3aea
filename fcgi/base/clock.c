/* clock.c: time, written and read by hand because strftime and strptime heed the locale. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#include <time.h>

static int64_t clock_read(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts); /* cannot fail for these two clocks */
    return (int64_t)ts.tv_sec * SECOND_US + ts.tv_nsec / 1000;
}

int64_t clock_now(void)
{
    return clock_read(CLOCK_REALTIME);
}

int64_t clock_mono(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar; years begin in March here, so that
 * the leap day is the last of one. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t yoe = year - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

static char *digits_put(char *p, int64_t v, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        p[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return p + width;
}

#define CLOCK_MIN (INT64_C(-62167219200) * SECOND_US)                   /* 0000-01-01 */
#define CLOCK_MAX (INT64_C(253402300799) * SECOND_US + (SECOND_US - 1)) /* end of 9999 */

const char *clock_rfc3339(int64_t t, bool with_us, char out[CLOCK_TEXT_MAX])
{
    if (t < CLOCK_MIN) /* RFC 3339 has no year outside 0000 to 9999 */
        t = CLOCK_MIN;
    if (t > CLOCK_MAX)
        t = CLOCK_MAX;
    int64_t days = t / DAY_US, us = t % DAY_US;
    if (us < 0) {
        us += DAY_US;
        days--;
    }
    int64_t year;
    int month, day;
    date_of(days, &year, &month, &day);
    char *p = digits_put(out, year, 4);
    *p++ = '-';
    p = digits_put(p, month, 2);
    *p++ = '-';
    p = digits_put(p, day, 2);
    *p++ = 'T';
    p = digits_put(p, us / HOUR_US, 2);
    *p++ = ':';
    p = digits_put(p, us / MINUTE_US % 60, 2);
    *p++ = ':';
    p = digits_put(p, us / SECOND_US % 60, 2);
    if (with_us) {
        *p++ = '.';
        p = digits_put(p, us % SECOND_US, 6);
    }
    *p++ = 'Z';
    *p = '\0';
    return out;
}

/* Reads exactly width digits within lo..hi and moves *s past them and, unless it is NUL, past the
 * one character `then`. */
static bool digits_get(const char **s, int width, int lo, int hi, char then, int *out)
{
    int v = 0;
    for (int i = 0; i < width; i++) {
        char c = *(*s)++;
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    if (v < lo || v > hi)
        return false;
    *out = v;
    return then == '\0' || *(*s)++ == then;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* ".123" as microseconds, digits past the sixth dropped; without a point 0. */
static bool fraction_get(const char **s, int64_t *us)
{
    *us = 0;
    if (**s != '.')
        return true;
    (*s)++;
    int64_t unit = SECOND_US / 10;
    const char *first = *s;
    for (; **s >= '0' && **s <= '9'; (*s)++) {
        *us += (**s - '0') * unit;
        unit /= 10;
    }
    return *s != first;
}

/* "Z" or "+hh:mm", the end of the text; in minutes east. */
static bool offset_get(const char *s, int *minutes)
{
    if ((*s == 'Z' || *s == 'z') && s[1] == '\0') {
        *minutes = 0;
        return true;
    }
    if (*s != '+' && *s != '-')
        return false;
    int sign = *s++ == '-' ? -1 : 1, h, m;
    if (!digits_get(&s, 2, 0, 23, ':', &h) || !digits_get(&s, 2, 0, 59, '\0', &m) || *s != '\0')
        return false;
    *minutes = sign * (h * 60 + m);
    return true;
}

bool clock_parse_rfc3339(const char *s, int64_t *t)
{
    int year, month, day, hour, minute, second, offset;
    int64_t us;
    if (!s || !digits_get(&s, 4, 0, 9999, '-', &year) || !digits_get(&s, 2, 1, 12, '-', &month) ||
        !digits_get(&s, 2, 1, month_days(year, month), '\0', &day))
        return false;
    if (*s != 'T' && *s != 't' && *s != ' ')
        return false;
    s++;
    if (!digits_get(&s, 2, 0, 23, ':', &hour) || !digits_get(&s, 2, 0, 59, ':', &minute) ||
        !digits_get(&s, 2, 0, 60, '\0', &second) || !fraction_get(&s, &us) ||
        !offset_get(s, &offset))
        return false;
    /* a leap second, :60, is the first second of the next minute */
    *t = days_of(year, month, day) * DAY_US + hour * HOUR_US + (minute - offset) * MINUTE_US +
         second * SECOND_US + us;
    return true;
}

bool clock_parse_day(const char *s, bool whole, int64_t *t)
{
    char begins[sizeof "2026-11-22T00:00:00Z"];
    if (!s || strlen(s) != sizeof "2026-11-22" - 1)
        return clock_parse_rfc3339(s, t);
    snprintf(begins, sizeof begins, "%.10sT00:00:00Z", s);
    if (!clock_parse_rfc3339(begins, t))
        return false;
    *t += whole ? DAY_US : 0;
    return true;
}
