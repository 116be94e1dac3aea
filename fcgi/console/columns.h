/* columns.h: the columns of the list of devices: which an account chose, and their cells. */
#ifndef DROVER_CONSOLE_COLUMNS_H
#define DROVER_CONSOLE_COLUMNS_H

#include "console/page.h"
#include "store/device.h"

#define COLUMNS_MAX (DEVICE_FACTS_MAX + 20)

struct columns {
    size_t n, nfacts;
    int own[COLUMNS_MAX];     /* which of the list's own columns; -1: a fact */
    size_t fact[COLUMNS_MAX]; /* its place in facts[] */
    const char *facts[DEVICE_FACTS_MAX];
    bool left_out; /* there was no room for some */
};

/* Those that the account chose, or the usual ones. Sets columns_own and columns_facts, for the
 * form, which keeps what was ticked in it. False: p->err says why. */
bool columns_of(struct page *p, struct columns *c) MUST_USE;
/* Keeps what the form chose (its fields "column"); none: the usual ones. INVALID: too many. */
bool columns_keep(struct page *p) MUST_USE;

/* Sets heads; link: the page's address without "sort". */
void columns_heads(struct page *p, const struct columns *c, const char *link,
                   struct device_order order);
/* Sets cells of one row. */
void columns_cells(struct page *p, const struct columns *c, struct value *row,
                   const struct device_brief *d);
/* The same as a line of CSV, after the id and the name; d NULL: the heads. */
void columns_csv(struct page *p, const struct columns *c, struct buf *out,
                 const struct device_brief *d, struct arena *a);

/* "name" or "-seen" as an order; the usual one for anything else. */
struct device_order columns_order(const char *sort);

#endif
