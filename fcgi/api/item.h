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

#endif
