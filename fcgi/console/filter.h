/* filter.h: which devices a page is about: what its query, or its form, says. */
#ifndef DROVER_CONSOLE_FILTER_H
#define DROVER_CONSOLE_FILTER_H

#include "console/page.h"
#include "store/device.h"

/* Reads the filter and sets what templates/filter.html and the links show of it. */
struct device_filter filter_of(struct page *p);
/* path with the filter as its query. */
const char *filter_link(struct page *p, const char *path);

#endif
