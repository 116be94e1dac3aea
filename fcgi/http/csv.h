/* csv.h: comma-separated values (RFC 4180) that no spreadsheet takes for a formula. */
#ifndef DROVER_HTTP_CSV_H
#define DROVER_HTTP_CSV_H

#include "base/buf.h"

/* Adds one cell, after a comma unless it is the line's first. A text that begins with one of
 * = + - @, also in their wide forms, a tab or the end of a line gets an apostrophe before it. */
void csv_cell(struct buf *out, const char *text, bool first);
void csv_end(struct buf *out);

#endif
