/* trail.h: entries of the audit log, as pages show them. */
#ifndef DROVER_CONSOLE_TRAIL_H
#define DROVER_CONSOLE_TRAIL_H

#include "console/page.h"

/* What an entry tells besides, "key=value key=value", with its keys, or all of it where the program
 * said it, in the page's language. What is chained, exported and told by the API stays as it is. In
 * the arena. */
const char *trail_detail(struct page *p, const char *detail);

#endif
