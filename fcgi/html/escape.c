/* escape.c: see escape.h. */
#include "html/escape.h"

#include "base/utf8.h"

static const char *reference(uint32_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static bool is_allowed(uint32_t c)
{
    return c >= 0x20 ? c != 0x7f : c == '\t' || c == '\n' || c == '\r';
}

void html_escape_add(struct buf *out, struct bytes text)
{
    size_t kept = 0; /* up to here it is in out */
    for (size_t i = 0; i < text.n;) {
        uint32_t c = 0;
        size_t n = utf8_next(text.p + i, text.n - i, &c);
        const char *instead = n ? reference(c) : NULL;
        if (!instead && (n == 0 || !is_allowed(c)))
            instead = "\xef\xbf\xbd";
        if (instead) {
            buf_add(out, text.p + kept, i - kept);
            buf_str(out, instead);
            kept = i + (n ? n : 1);
        }
        i += n ? n : 1;
    }
    if (kept < text.n)
        buf_add(out, text.p + kept, text.n - kept);
}
