/* approval.h: sensitive commands that wait for a second person, on the pages. */
#ifndef DROVER_CONSOLE_APPROVAL_H
#define DROVER_CONSOLE_APPROVAL_H

#include "command/order.h"
#include "console/page.h"

/* Checks the order and keeps it, sealed, until somebody else approves it. */
enum outcome approval_of(struct page *p, struct order *o) MUST_USE;

#endif
