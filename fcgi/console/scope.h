/* scope.h: groups to tick, in the forms that limit an account or an API key. */
#ifndef DROVER_CONSOLE_SCOPE_H
#define DROVER_CONSOLE_SCOPE_H

#include "console/page.h"
#include "store/scope.h"

/* Sets "groups" and "limited" of the page: all groups, those of s ticked. */
enum outcome scope_boxes(struct page *p, const struct scope *s) MUST_USE;
/* What was ticked in the form that was sent. INVALID: groups, but not that they limit. */
enum outcome scope_of_form(struct page *p, struct scope *out) MUST_USE;

#endif
