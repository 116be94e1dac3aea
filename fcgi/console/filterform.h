/*
 * filterform.h: the filter of a group as a form and back. A form is a list of rows in the order in
 * which they are read, each with a depth: groups (all of, any of, none of, not all of) and
 * comparisons in them. Whatever store/filter.h takes has such a form. Works without JavaScript:
 * rows come and go by buttons that send the form.
 */
#ifndef DROVER_CONSOLE_FILTERFORM_H
#define DROVER_CONSOLE_FILTERFORM_H

#include "console/page.h"
#include "store/filter.h"

#define FILTERFORM_ROWS 200u

struct filterform_row {
    unsigned depth;
    const char *kind; /* "all", "any", "none", "notall"; "fact", "tag", "profile", "app" */
    const char *fact, *op, *value;
};
struct filterform {
    struct filterform_row rows[FILTERFORM_ROWS];
    size_t n;
};

/* An empty filter: one comparison that is not filled in. */
void filterform_empty(struct filterform *f);
/* Reads the form, and does what its button says: "fact:N" and "group:N" add to the group at row N,
 * "drop:N" takes a row away with what is in it. */
void filterform_read(struct page *p, struct filterform *f);
/* The form of a filter. False: it has too many rows. */
bool filterform_of(struct page *p, js expression, struct filterform *f);
/* The expression, the caller's to free. INVALID: p->err says which row is wrong. */
enum outcome filterform_expression(struct page *p, const struct filterform *f, js *out) MUST_USE;
/* Sets "rows" and "facts" for templates/filterform.html. */
void filterform_show(struct page *p, const struct filterform *f);

#endif
