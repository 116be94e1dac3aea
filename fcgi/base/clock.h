/* clock.h: time. All stored times are microseconds since 1970 UTC. */
#ifndef DROVER_BASE_CLOCK_H
#define DROVER_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

/* Wall clock, microseconds since 1970 UTC. */
int64_t clock_now(void);
/* A clock that never goes back, microseconds; for durations only. */
int64_t clock_mono(void);
#define CLOCK_TEXT_MAX 32
/* t as RFC 3339 in UTC, "2026-11-22T08:15:30Z" (with_us adds ".123456"). */
const char *clock_rfc3339(int64_t t, bool with_us, char out[CLOCK_TEXT_MAX]);
/* Parses RFC 3339 (any offset, optional fraction). False when it is none. */
bool clock_parse_rfc3339(const char *s, int64_t *t);
/* The same, or a day like 2026-11-22, in UTC: its beginning; whole: its end, which is the beginning
 * of the next. */
bool clock_parse_day(const char *s, bool whole, int64_t *t);

#endif
