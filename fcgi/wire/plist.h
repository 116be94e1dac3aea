/*
 * plist.h: property lists, XML and binary; the only user of libplist.
 *
 * Parsing first walks the raw octets: containers deeper than LIM_PLIST_DEPTH, more than
 * LIM_PLIST_NODES values once shared references of a binary list are expanded, a reference cycle,
 * truncation, a document type other than Apple's or any entity declaration are refused as INVALID
 * before libplist sees them (libplist 2.2.0 expands shared references and recurses). The whole list
 * of checks, and why each, is in plist_guard_xml.c and plist_guard_bin.c. A string of a parsed tree
 * is UTF-8 without a NUL; it may hold other control characters.
 *
 * A tree belongs to one thread at a time.
 */
#ifndef DROVER_WIRE_PLIST_H
#define DROVER_WIRE_PLIST_H

#include "base/buf.h"

/* A node; belongs to the tree it is in. A root is freed with pl_free(). */
typedef void *pl;

enum pl_type {
    PL_NONE,
    PL_BOOL,
    PL_INT,
    PL_REAL,
    PL_STRING,
    PL_DATA,
    PL_DATE,
    PL_ARRAY,
    PL_DICT,
    PL_OTHER
};

/* Parses b; *root is the caller's to free. INVALID: no property list, or past a ceiling. */
enum outcome pl_parse(struct bytes b, pl *root, struct err *err) MUST_USE;
/* Frees a tree (by its root) and clears the pointer; NULL is accepted. */
void pl_free(pl *root);

enum pl_type pl_type_of(pl node); /* PL_NONE for NULL */
const char *pl_type_name(enum pl_type t);

/* Readers: NULL nodes and wrong types give the "absent" result. Pointers live as long as the
 * tree. */
pl pl_get(pl dict, const char *key);
const char *pl_str(pl node); /* UTF-8, or NULL */
const char *pl_get_str(pl dict, const char *key);
bool pl_get_data(pl dict, const char *key, struct bytes *out); /* false: absent or no data */
bool pl_data(pl node, struct bytes *out);
bool pl_get_bool(pl dict, const char *key, bool *out);
bool pl_bool(pl node, bool *out);
bool pl_get_int(pl dict, const char *key, int64_t *out);
bool pl_int(pl node, int64_t *out);      /* false also past INT64_MAX */
bool pl_real(pl node, double *out);      /* false also for infinity and NaN; an integer is none */
bool pl_date(pl node, int64_t *unix_us); /* years 1 to 9999, microseconds */
size_t pl_size(pl array_or_dict);
pl pl_at(pl array, size_t i);
/* Walks a dictionary: calls fn for each entry until it returns false. */
void pl_each(pl dict, bool (*fn)(const char *key, pl value, void *arg), void *arg);

/* Builders. A node given to pl_set or pl_append belongs to its container from then on; it is freed
 * at once when that is NULL or of the wrong type. Octets of s that are no UTF-8 become U+FFFD. */
pl pl_new_dict(void);
pl pl_new_array(void);
pl pl_new_str(const char *s);
pl pl_new_int(int64_t i);
pl pl_new_bool(bool b);
pl pl_new_data(struct bytes b);
pl pl_new_real(double d);
pl pl_new_date(int64_t unix_us);
pl pl_copy(pl node);
void pl_set(pl dict, const char *key, pl value);
void pl_set_str(pl dict, const char *key, const char *s);
void pl_set_int(pl dict, const char *key, int64_t i);
void pl_set_bool(pl dict, const char *key, bool b);
void pl_set_data(pl dict, const char *key, struct bytes b);
void pl_append(pl array, pl value);
void pl_remove(pl dict, const char *key);

/* Adds the XML form, or the binary form, to out. ERROR: out's ceiling or memory. Characters that
 * XML cannot hold are written as U+FFFD in the XML form, a carriage return as &#13;. The binary
 * form is for trees of our own making: libplist compares equal values with each other, which takes
 * a time in proportion to the square of their number. */
enum outcome pl_to_xml(pl node, struct buf *out) MUST_USE;
enum outcome pl_to_binary(pl node, struct buf *out) MUST_USE;

#endif
