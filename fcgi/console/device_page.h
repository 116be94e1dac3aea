/* device_page.h: the page of one device. */
#ifndef DROVER_CONSOLE_DEVICE_PAGE_H
#define DROVER_CONSOLE_DEVICE_PAGE_H

#include "console/page.h"

/* The page of the device whose id came with the request, with p->root's notices; answers. */
void device_show(struct page *p, const char *ident, int status);

#endif
