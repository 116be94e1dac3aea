/* ical.c: see ical.h. */
#include "wire/ical.h"

#include "base/clock.h"

#define LINE_MAX_OCTETS 75u /* RFC 5545 section 3.1, without the line's end */

/* A content line, folded. What is inside has no line breaks: text() has escaped them. */
static void line(struct buf *out, const char *content)
{
    const char *p = content;
    size_t left = strlen(p), room = LINE_MAX_OCTETS;
    while (left > room) {
        size_t n = room;
        while (n > 1 && ((unsigned char)p[n] & 0xc0) == 0x80)
            n--;
        buf_add(out, p, n);
        buf_str(out, "\r\n ");
        p += n;
        left -= n;
        room = LINE_MAX_OCTETS - 1; /* the space that continues the line counts */
    }
    buf_add(out, p, left);
    buf_str(out, "\r\n");
}

/* NAME:value with the value's backslashes, semicolons, commas and line breaks escaped (section
 * 3.3.11); other control characters cannot stand there and are left out. */
static void text(struct buf *out, const char *name, const char *value)
{
    struct buf b = BUF_INIT(65536);
    buf_fmt(&b, "%s:", name);
    for (const char *p = value; *p; p++) {
        if (*p == '\\' || *p == ';' || *p == ',')
            buf_char(&b, '\\');
        if (*p == '\n')
            buf_str(&b, "\\n");
        else if ((unsigned char)*p >= ' ' && *p != 0x7f)
            buf_char(&b, *p);
    }
    if (buf_failed(&b))
        out->failed = true;
    line(out, buf_cstr(&b));
    buf_free(&b);
}

/* NAME:20271126T170328Z */
static void moment(struct buf *out, const char *name, int64_t at)
{
    char iso[CLOCK_TEXT_MAX], plain[CLOCK_TEXT_MAX];
    size_t n = 0;
    clock_rfc3339(at, false, iso);
    for (const char *p = iso; *p; p++)
        if (*p != '-' && *p != ':')
            plain[n++] = *p;
    plain[n] = '\0';
    buf_fmt(out, "%s:%s\r\n", name, plain);
}

void ical_begin(struct buf *out, const char *name)
{
    buf_str(out, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Drover//Expiry calendar//EN\r\n"
                 "CALSCALE:GREGORIAN\r\n");
    text(out, "X-WR-CALNAME", name);
}

void ical_event(struct buf *out, const struct ical_event *e, int64_t stamp)
{
    buf_str(out, "BEGIN:VEVENT\r\n");
    text(out, "UID", e->uid);
    moment(out, "DTSTAMP", stamp);
    moment(out, "DTSTART", e->at);
    text(out, "SUMMARY", e->summary);
    text(out, "DESCRIPTION", e->description);
    text(out, "CATEGORIES", e->category);
    buf_str(out, "TRANSP:TRANSPARENT\r\n");
    for (size_t i = 0; i < e->nalarms; i++) {
        buf_fmt(out, "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-P%dD\r\n", e->alarm_days[i]);
        text(out, "DESCRIPTION", e->summary);
        buf_str(out, "END:VALARM\r\n");
    }
    buf_str(out, "END:VEVENT\r\n");
}

void ical_end(struct buf *out)
{
    buf_str(out, "END:VCALENDAR\r\n");
}
