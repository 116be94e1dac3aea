/* factor.h: the second factor on the pages. */
#ifndef DROVER_CONSOLE_FACTOR_H
#define DROVER_CONSOLE_FACTOR_H

#include "console/page.h"

/* Is it a code of the person's second factor? Throttled, like passwords. DENIED: p->err says it for
 * the person. */
enum outcome factor_given(struct page *p, const char *name, const char *code) MUST_USE;
/* What the account page says about it. False: p->err. */
bool factor_show(struct page *p);
/* "begin", "confirm", "codes" or "off", as the account page's form asks. */
enum outcome factor_change(struct page *p, const char *what) MUST_USE;

#endif
