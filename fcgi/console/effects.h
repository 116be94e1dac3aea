/*
 * effects.h: what a change of who is in a group, or its end, would do on which devices: shown
 * before it is made, wherever devices get or lose something by it.
 */
#ifndef DROVER_CONSOLE_EFFECTS_H
#define DROVER_CONSOLE_EFFECTS_H

#include "console/groups.h"
#include "store/preview.h"

/* A set of devices under key: {n, users, some: [{name, link}], more}. */
void effects_set(struct page *p, struct value *dict, const char *key, const struct preview_set *s);
/* What becomes of one item, or of a command (out NULL), for a row of "effects". */
void effects_row(struct page *p, struct value *row, const struct preview_set *in,
                 const struct preview_set *out);
/* Runs the preview of a group (group_id, and filter, add and remove; ends: nothing is assigned to
 * it any more), with its commands, and sets "effects" for templates/effects.html, "join" and
 * "leave". *any: a device gets or loses something, or is sent a command. */
enum outcome effects_run(struct page *p, struct preview *x, bool ends, bool *any) MUST_USE;
/* What the person has seen, as the form says that shows it: the group as it is, and what is to be
 * done (what; ""). In the arena; NULL without memory. */
const char *effects_seal(struct page *p, const struct device_group *g, const char *what);
/* Does the form say that? If it says something else, the page tells that the group was changed
 * meanwhile. */
bool effects_seen(struct page *p, const char *seal);
/* Is the change to be made? Where a device gets or loses something, only by a form that has shown
 * it: *yes false: that form was the answer, with all fields of this one. question: of the
 * catalogue, with {1} the group and {2} how many devices come or go. */
enum outcome effects_agreed(struct page *p, const struct device_group *g, struct preview *x,
                            bool ends, const char *question, bool *yes) MUST_USE;

#endif
