/* json.h: JSON; the only user of jansson. */
#ifndef DROVER_WIRE_JSON_H
#define DROVER_WIRE_JSON_H

#include "base/buf.h"

/* A value. A root is freed with js_free(); a value given to js_set or js_append belongs to its
 * container. */
typedef void *js;

enum js_type { JS_NONE, JS_NULL, JS_BOOL, JS_INT, JS_REAL, JS_STRING, JS_ARRAY, JS_OBJECT };

/* Parses UTF-8 JSON text, duplicates of a key refused. INVALID with line and column. */
enum outcome js_parse(struct bytes text, js *root, struct err *err) MUST_USE;
void js_free(js *root);
enum js_type js_type_of(js v);
js js_get(js object, const char *key);
const char *js_str(js v);
const char *js_get_str(js object, const char *key);
bool js_get_int(js object, const char *key, int64_t *out);
bool js_int(js v, int64_t *out);
bool js_get_bool(js object, const char *key, bool *out);
size_t js_size(js array_or_object);
js js_at(js array, size_t i);
void js_each(js object, bool (*fn)(const char *key, js value, void *arg), void *arg);

js js_object(void);
js js_array(void);
js js_new_str(const char *utf8); /* octets that are no UTF-8 become U+FFFD */
js js_new_int(int64_t i);
js js_new_real(double d);
js js_new_bool(bool b);
js js_null(void);
void js_set(js object, const char *key, js value);
/* NULL: the key is left out. */
void js_set_str(js object, const char *key, const char *s);
void js_set_int(js object, const char *key, int64_t i);
void js_set_bool(js object, const char *key, bool b);
void js_append(js array, js value);

/* Adds the text to out; tabs indents each level with a TAB (NanoMDM's form), otherwise compact.
 * Keys stand in the order in which they were set. */
enum outcome js_write(js v, bool tabs, struct buf *out) MUST_USE;

#endif
