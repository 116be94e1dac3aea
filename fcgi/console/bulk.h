/* bulk.h: pages that start jobs for many devices lead to how far these are. */
#ifndef DROVER_CONSOLE_BULK_H
#define DROVER_CONSOLE_BULK_H

#include "console/page.h"
#include "store/bulk.h"

/* The page of a job, in the arena. */
const char *bulk_job_link(struct page *p, int64_t id);
/* Adds a job that takes no devices to choose from, in the name and reach of who is signed in.
 * Outcomes as bulk_add(). */
enum outcome bulk_again(struct page *p, struct bulk_job *job) MUST_USE;

#endif
