/* csv.c: see csv.h. */
#include "http/csv.h"

#include <stdbool.h>
#include <string.h>

/* The wide forms (U+FF1D, U+FF0B, U+FF0D, U+FF20) are taken for the narrow ones by some. */
static bool formula_begins(const char *text)
{
    static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
                                       "\xef\xbc\xa0"};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (strncmp(text, wide[i], 3) == 0)
            return true;
    return *text && strchr("=+-@\t\r\n", *text);
}

void csv_cell(struct buf *out, const char *text, bool first)
{
    if (!first)
        buf_char(out, ',');
    buf_char(out, '"');
    if (formula_begins(text))
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
