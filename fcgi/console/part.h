/* part.h: the tabs of a device's page. */
#ifndef DROVER_CONSOLE_PART_H
#define DROVER_CONSOLE_PART_H

#include "console/page.h"
#include "store/fleet.h"

/* The tabs of a device's page; part: the chosen one, "" for the first. */
void device_tabs(struct page *p, const char *ident, const char *part);
/* One tab of it; answers. */
void device_part_show(struct page *p, const char *ident, const char *part, int status);

/* Lists of a device that are no inventory (part_lists.c). from: where the page before ended, as its
 * link says; *next: the same for the page that follows, NULL for none. "heads", "lines" and "some"
 * are set. */
typedef enum outcome device_list_fn(struct page *p, const struct fleet_device *d, const char *from,
                                    const char **next);
device_list_fn device_list_queue, device_list_results, device_list_users, device_list_audit;

#endif
