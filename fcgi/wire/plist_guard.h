/*
 * plist_guard.h: what a property list must pass before libplist 2.2.0 sees it. Neither walk
 * recurses; memory is bounded by LIM_PLIST_NODES. Both accept less than libplist does, never more,
 * and read the octets exactly as libplist does where both accept them.
 *
 * Why, for each kind of list, is said beside the checks.
 */
#ifndef DROVER_WIRE_PLIST_GUARD_H
#define DROVER_WIRE_PLIST_GUARD_H

#include "base/bytes.h"
#include "base/err.h"

/* OK, or INVALID with the line and what is wrong with it. b has no byte order mark. */
enum outcome plist_guard_xml(struct bytes b, struct err *err) MUST_USE;
/* OK, or INVALID with what is wrong with it; ERROR: out of memory. *longest: the number of items of
 * the longest array. */
enum outcome plist_guard_binary(struct bytes b, size_t *longest, struct err *err) MUST_USE;

#endif
