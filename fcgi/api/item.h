/* item.h: a command of an enrollment as the API tells it. */
#ifndef DROVER_API_ITEM_H
#define DROVER_API_ITEM_H

#include "api/api.h"
#include "base/limits.h"
#include "store/queue.h"

/* Commands or reports in one list have at most so many octets together; larger ones are read one
 * by one. */
#define ITEM_BLOBS (16u * LIM_MB)

/* An object with what is known of it; body and report, as far as they were read, in base64. */
js item_object(const struct queue_item *q);
/* Where a page of a queue goes on: false when the text is no cursor that was given; the cursor
 * after the page's last command, as "next_cursor". */
bool item_cursor_read(const char *cursor, struct queue_item *after);
void item_cursor_set(js root, const struct queue_item *last);

#endif
