/* ical.h: iCalendar (RFC 5545), as far as a calendar of moments needs it. */
#ifndef DROVER_WIRE_ICAL_H
#define DROVER_WIRE_ICAL_H

#include "base/buf.h"

struct ical_event {
    const char *uid;                   /* the same for the same thing, whatever its time */
    const char *summary, *description; /* UTF-8 */
    const char *category;
    int64_t at;            /* microseconds since 1970 */
    const int *alarm_days; /* reminders so many days before */
    size_t nalarms;
};
/* Adds the beginning of a calendar, an event, its end. Lines end in CR LF and are folded at 75
 * octets between characters; text is escaped. stamp: when the calendar is made. */
void ical_begin(struct buf *out, const char *name);
void ical_event(struct buf *out, const struct ical_event *e, int64_t stamp);
void ical_end(struct buf *out);

#endif
