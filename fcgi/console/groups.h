/* groups.h: what the pages about one group share. */
#ifndef DROVER_CONSOLE_GROUPS_H
#define DROVER_CONSOLE_GROUPS_H

#include "console/page.h"
#include "store/group.h"

/* The group that the query ("id") or the form ("id") names, and what its pages show of it; part:
 * the chosen tab: "devices", "contents", "versions", "filter". False: the failure was answered. */
bool group_begin(struct page *p, struct device_group *g, const char *part);
/* Who brings devices where a sensitive command waits for them, into a group or (group 0) by a tag,
 * sends it, and proves who it is. False: it was answered. */
bool group_proof(struct page *p, int64_t group, const char *tag);

#endif
