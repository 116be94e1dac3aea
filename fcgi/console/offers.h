/* offers.h: what the users of a group's devices may have, on the page of the group and on that of
 * the profile or app: the same part of both (offers.html). */
#ifndef DROVER_CONSOLE_OFFERS_H
#define DROVER_CONSOLE_OFFERS_H

#include "console/page.h"

/* What a group is offered, and what it could be; to which groups an item is offered, and to which
 * it could be. */
enum outcome offers_of_group(struct page *p, int64_t group_id) MUST_USE;
enum outcome offers_of_item(struct page *p, int64_t item_id) MUST_USE;

#endif
