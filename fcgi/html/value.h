/*
 * value.h: what a template is filled with: a small tree in the request's arena. Strings are copied
 * nowhere: they live as long as the tree. A tree that ran out of memory while it was built is
 * refused by the renderer, so builders need not be checked one by one.
 */
#ifndef DROVER_HTML_VALUE_H
#define DROVER_HTML_VALUE_H

#include "base/arena.h"

enum value_type { VALUE_FALSE, VALUE_TRUE, VALUE_TEXT, VALUE_LIST, VALUE_DICT, VALUE_LOOKUP };

struct value;

/* Finds a text by its key for VALUE_LOOKUP; NULL when there is none. */
typedef const char *value_lookup_fn(const void *arg, const char *key);

/* New values; NULL when the arena is used up. A NULL text is false. */
struct value *value_dict(struct arena *a) MUST_USE;
struct value *value_list(struct arena *a) MUST_USE;
struct value *value_text(struct arena *a, const char *s) MUST_USE;
struct value *value_bool(struct arena *a, bool b) MUST_USE;
/* Its members are what fn finds: a catalogue of texts. */
struct value *value_lookup(struct arena *a, value_lookup_fn *fn, const void *arg) MUST_USE;

/* Puts v under key, a string that lives as long as the tree; a later one hides an earlier one. A
 * NULL v marks the dictionary as broken. */
void value_set(struct value *dict, const char *key, struct value *v);
void value_set_text(struct value *dict, const char *key, const char *s);
void value_set_int(struct value *dict, const char *key, int64_t i);
void value_set_bool(struct value *dict, const char *key, bool b);
/* A new dictionary, or list, under key. */
struct value *value_set_dict(struct value *dict, const char *key) MUST_USE;
struct value *value_set_list(struct value *dict, const char *key) MUST_USE;
/* Appends to a list; NULL marks it as broken. */
void value_append(struct value *list, struct value *v);
/* A new dictionary at the end of a list. */
struct value *value_append_dict(struct value *list) MUST_USE;

/* --- for the renderer --- */

/* NULL and a broken container are VALUE_FALSE; *broken is set then and never cleared. */
enum value_type value_type_of(const struct value *v, bool *broken);
/* The member of that name, of a dictionary or a catalogue; NULL: none. room (value_room()) is for a
 * catalogue's and may be NULL for a dictionary. */
const struct value *value_get(const struct value *v, const char *key, struct value **room);
const char *value_str(const struct value *v);
/* Elements: the first, and the one after it; NULL at the end. */
const struct value *value_first(const struct value *list);
const struct value *value_next(const struct value *element);
/* Room for what value_get() finds in a catalogue. */
struct value *value_room(struct arena *a) MUST_USE;

#endif
