/* profile_page.h: the page of one profile, for what is done there. */
#ifndef DROVER_CONSOLE_PROFILE_PAGE_H
#define DROVER_CONSOLE_PROFILE_PAGE_H

#include "console/profile.h"

/* Sets what every page about the profile shows. */
void profile_head(struct page *p, const struct library_item *i);
/* Answers with the page; tab: "contents", "devices", "versions", "settings". */
void profile_show(struct page *p, const struct library_item *i, const char *tab, int status);

#endif
