/* retry.h: commands that failed, sent again; what their pages share. */
#ifndef DROVER_CONSOLE_RETRY_H
#define DROVER_CONSOLE_RETRY_H

#include "console/page.h"
#include "store/failed.h"

/* Of the query or the form: those of a week, of the command "type" alone where one is named. */
struct failed_filter failed_filter_of(struct page *p);
/* Shows whether a command that is over can be sent again, and what was sent in its place:
 * "retry" of the page. */
enum outcome retry_offer(struct page *p, const char *ident, const char *uuid) MUST_USE;
/* The same for a row of the list: "can" send it again as it is, or "sensitive", on its page. */
void retry_row(struct page *p, struct value *v, const struct failed *f);

#endif
