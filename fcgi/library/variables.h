/*
 * variables.h: %SerialNumber% and the like in a configuration profile: words for what is personal
 * to a device or user, filled in when the profile is delivered. They are replaced in the parsed
 * tree, in the strings that stand as values, never in text, so that no value can change the
 * structure. A word between percent signs that is none of them stays as it is.
 */
#ifndef DROVER_LIBRARY_VARIABLES_H
#define DROVER_LIBRARY_VARIABLES_H

#include "store/enrollment.h"
#include "wire/plist.h"

#define VARIABLES_MAX 32u

/* The names, without percent signs; NULL past the last. A variable's bit is 1 << its place. */
const char *variable_name(size_t i);
/* What it stands for, in words. */
const char *variable_about(size_t i);
/* The variables in one text, as bits. stranger: set to the first %Word% that is none and begins
 * with a capital letter (in a buffer of n octets), otherwise to "". */
unsigned variables_in(const char *text, char *stranger, size_t n);
/* Those in all strings of a tree. */
unsigned variables_used(pl root);

/* The values for one enrollment. */
struct variables {
    const char *value[VARIABLES_MAX]; /* "" when the device has not told it */
};
/* The values are those of e, by reference. organization: of the configuration. */
void variables_of(const struct enrollment *e, const char *organization, struct variables *out);

/* A copy of the tree with every variable replaced, the caller's to free; *out is NULL on failure.
 * NOT_FOUND: the device has no value for one that is used (the message names it); INVALID: the
 * result would be longer than max octets of text; ERROR: memory. */
enum outcome variables_fill(pl root, const struct variables *v, size_t max, pl *out,
                            struct err *err) MUST_USE;

#endif
