/* profile_page.h: the page of one profile, for what is done there. */
#ifndef DROVER_CONSOLE_PROFILE_PAGE_H
#define DROVER_CONSOLE_PROFILE_PAGE_H

#include "console/item.h"
#include "console/profile.h"

/* The page of that profile, for item.h. */
struct item_page profile_page(struct page *p, struct library_item *i);
/* Answers with the page; tab: "contents", "devices", "versions", "settings". */
void profile_show(struct page *p, struct library_item *i, const char *tab, int status);

#endif
