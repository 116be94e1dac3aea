/* json.h: JSON; the only user of jansson. */
#ifndef DROVER_WIRE_JSON_H
#define DROVER_WIRE_JSON_H

#include "base/buf.h"

/* A value. A root is freed with js_free(); a value given to js_set or js_append belongs to its
 * container. */
typedef void *js;

enum js_type { JS_NONE, JS_NULL, JS_BOOL, JS_INT, JS_REAL, JS_STRING, JS_ARRAY, JS_OBJECT };

/* Parses UTF-8 JSON text (RFC 8259), a value of any type. INVALID with line and column: no JSON, a
 * key twice in an object, an escaped NUL, a number out of range, deeper than LIM_JSON_DEPTH, more
 * than LIM_JSON_NODES values. */
enum outcome js_parse(struct bytes text, js *root, struct err *err) MUST_USE;
void js_free(js *root);
/* A copy of everything, the caller's; NULL for NULL. */
js js_copy(js v);
enum js_type js_type_of(js v);
js js_get(js object, const char *key);
const char *js_str(js v);
const char *js_get_str(js object, const char *key);
bool js_get_int(js object, const char *key, int64_t *out);
bool js_int(js v, int64_t *out);
bool js_real(js v, double *out); /* an integer is none */
bool js_bool(js v, bool *out);
bool js_get_bool(js object, const char *key, bool *out);
size_t js_size(js array_or_object);
js js_at(js array, size_t i);
void js_each(js object, bool (*fn)(const char *key, js value, void *arg), void *arg);

/* Builders. A value that is given where it cannot be (no container, no memory) is freed. */
js js_object(void);
js js_array(void);
js js_new_str(const char *utf8); /* octets that are no UTF-8 become U+FFFD */
js js_new_int(int64_t i);
js js_new_real(double d); /* null for infinity and NaN, which JSON does not have */
js js_new_bool(bool b);
js js_null(void);
void js_set(js object, const char *key, js value);
/* NULL: the key is left out. */
void js_set_str(js object, const char *key, const char *s);
void js_set_int(js object, const char *key, int64_t i);
void js_set_bool(js object, const char *key, bool b);
void js_append(js array, js value);

/* Adds the text to out; tabs indents each level with a TAB (NanoMDM's form), otherwise compact.
 * Keys stand in the order in which they were set; no line feed at the end. As Go's encoder does,
 * "<", ">", "&", U+2028 and U+2029 are escaped in strings, so that the text may stand in HTML.
 * ERROR: v is NULL, nested past twice LIM_JSON_DEPTH, out's ceiling. */
enum outcome js_write(js v, bool tabs, struct buf *out) MUST_USE;

#endif
