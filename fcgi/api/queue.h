/* queue.h: a command of an enrollment as the API tells it. */
#ifndef DROVER_API_QUEUE_H
#define DROVER_API_QUEUE_H

#include "api/api.h"
#include "base/limits.h"
#include "store/queue.h"

/* Commands or reports in one list have at most so many octets together; larger ones are read one
 * by one. */
#define ITEM_BLOBS (16u * LIM_MB)

/* An object with what is known of it; body and report, as far as they were read, in base64. */
js item_object(const struct queue_item *q);

/* ---- answers that tell where a person is (personal.c) ---- */

#define PERSONAL_WHY                                                                               \
    "it tells where a person is: whoever may ask for it sees it (the scopes \"command\" and "      \
    "\"sensitive\"), on record"
/* Who looks, for the audit log, and whether the answer to what asks for it may be seen. */
struct onlooker {
    const char *actor;
    bool personal;
};

/* A key that may ask for it sees it. */
struct onlooker personal_onlooker(struct req *req, const struct caller *caller);
/* Takes what the onlooker may not see out of n commands of an enrollment, with what becomes of it
 * in `withheld`; what it may is put on record. */
enum outcome personal_filter(struct db *db, struct onlooker by, const char *ident,
                             struct queue_item *q, size_t n, struct err *err) MUST_USE;
/* Where a page of a queue goes on: false when the text is no cursor that was given; the cursor
 * after the page's last command, as "next_cursor". */
bool item_cursor_read(const char *cursor, struct queue_item *after);
void item_cursor_set(js root, const struct queue_item *last);

#endif
