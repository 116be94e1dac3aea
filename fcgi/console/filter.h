/* filter.h: which devices a page is about: what its query, or its form, says. */
#ifndef DROVER_CONSOLE_FILTER_H
#define DROVER_CONSOLE_FILTER_H

#include "console/page.h"
#include "store/device.h"

/* Reads the filter and sets what the form and the links show of it. A word that is no choice fits
 * no device, and a notice says so. */
struct device_filter filter_of(struct page *p);
/* A field of the filter as it was given, with U+FFFD for what is no UTF-8; "" when it was not. */
const char *filter_given(struct page *p, const char *name);
/* path with the filter, and the order of the list, as its query; but one field. */
const char *filter_link_but(struct page *p, const char *path, const char *left_out);
const char *filter_link(struct page *p, const char *path);

#endif
