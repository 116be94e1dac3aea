/* draft.h: what the pages about a draft of a profile share. */
#ifndef DROVER_CONSOLE_DRAFT_H
#define DROVER_CONSOLE_DRAFT_H

#include "console/profile.h"

/* Reads a draft, its file (which the caller wipes) and the item that it is to be a version of
 * (NULL: none). Where that item was deleted the draft becomes one for a new item. False: p->err
 * says why not. */
bool draft_open(struct page *p, int64_t id, struct draft *d, struct buf *file,
                struct library_item **item);
/* Sets what every page about it shows. */
void draft_head(struct page *p, const struct draft *d, const struct library_item *item);

#endif
