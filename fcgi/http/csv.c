/* csv.c: see csv.h. */
#include "http/csv.h"

#include <string.h>

void csv_cell(struct buf *out, const char *text, bool first)
{
    if (!first)
        buf_char(out, ',');
    buf_char(out, '"');
    if (*text && strchr("=+-@\t\r", *text))
        buf_char(out, '\'');
    for (; *text; text++) {
        if (*text == '"')
            buf_char(out, '"');
        buf_char(out, *text);
    }
    buf_char(out, '"');
}

void csv_end(struct buf *out)
{
    buf_str(out, "\r\n");
}
