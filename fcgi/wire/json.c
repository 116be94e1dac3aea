/* json.c: JSON on jansson 2.14; the text is written here, because jansson indents with spaces. */
#include "wire/json.h"

#include "base/limits.h"
#include "base/utf8.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define WRITE_DEPTH_MAX (2 * LIM_JSON_DEPTH)

static bool past_ceilings(const char *what, unsigned ceiling, size_t line, struct err *err)
{
    (void)err_set(err, INVALID, "JSON, line %zu: %s %u", line, what, ceiling);
    return false;
}

/* jansson takes 120 octets of memory for "[],", and recurses: bound both before it starts. What is
 * no JSON may be counted wrongly; it is refused afterwards. */
static bool within_ceilings(struct bytes text, struct err *err)
{
    size_t depth = 0, values = 1, line = 1;
    bool in_string = false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '\n')
            line++;
        in_string = c == '"';
        if (c == '[' || c == '{') {
            values++;
            if (++depth > LIM_JSON_DEPTH)
                return past_ceilings("nested deeper than", LIM_JSON_DEPTH, line, err);
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        } else if (c == ',') {
            values++;
        }
        if (values > LIM_JSON_NODES)
            return past_ceilings("more values than", LIM_JSON_NODES, line, err);
    }
    return true;
}

enum outcome js_parse(struct bytes text, js *root, struct err *err)
{
    json_error_t e;
    *root = NULL;
    if (text.n == 0)
        return err_set(err, INVALID, "JSON: it is empty");
    if (!within_ceilings(text, err))
        return INVALID;
    *root = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!*root)
        return err_set(err, INVALID, "JSON, line %d, column %d: %s", e.line, e.column, e.text);
    return OK;
}

js js_copy(js v)
{
    return v != NULL ? json_deep_copy(v) : NULL;
}

void js_free(js *root)
{
    json_decref(*root); /* accepts NULL */
    *root = NULL;
}

/* --- readers --- */

enum js_type js_type_of(js v)
{
    if (!v)
        return JS_NONE;
    switch (json_typeof((json_t *)v)) {
    case JSON_OBJECT:
        return JS_OBJECT;
    case JSON_ARRAY:
        return JS_ARRAY;
    case JSON_STRING:
        return JS_STRING;
    case JSON_INTEGER:
        return JS_INT;
    case JSON_REAL:
        return JS_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JS_BOOL;
    case JSON_NULL:
        return JS_NULL;
    }
    return JS_NONE;
}

js js_get(js object, const char *key)
{
    return json_object_get(object, key); /* NULL when object is none */
}

const char *js_str(js v)
{
    return json_string_value(v);
}

const char *js_get_str(js object, const char *key)
{
    return js_str(js_get(object, key));
}

bool js_int(js v, int64_t *out)
{
    if (!json_is_integer((json_t *)v))
        return false;
    *out = json_integer_value(v);
    return true;
}

bool js_real(js v, double *out)
{
    if (!json_is_real((json_t *)v))
        return false;
    *out = json_real_value(v);
    return true;
}

bool js_bool(js v, bool *out)
{
    if (!json_is_boolean((json_t *)v))
        return false;
    *out = json_is_true((json_t *)v);
    return true;
}

bool js_get_int(js object, const char *key, int64_t *out)
{
    return js_int(js_get(object, key), out);
}

bool js_get_bool(js object, const char *key, bool *out)
{
    return js_bool(js_get(object, key), out);
}

size_t js_size(js v)
{
    return json_is_array((json_t *)v) ? json_array_size(v) : json_object_size(v);
}

js js_at(js array, size_t i)
{
    return json_array_get(array, i);
}

void js_each(js object, bool (*fn)(const char *key, js value, void *arg), void *arg)
{
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it))
        if (!fn(json_object_iter_key(it), json_object_iter_value(it), arg))
            return;
}

/* --- builders --- */

js js_object(void)
{
    return json_object();
}

js js_array(void)
{
    return json_array();
}

js js_new_str(const char *utf8)
{
    if (!utf8)
        return json_null();
    json_t *v = json_string(utf8);
    if (v)
        return v;
    struct buf copy = BUF_INIT(LIM_RESPONSE);
    utf8_clean_add(&copy, bytes_str(utf8));
    v = json_string(buf_cstr(&copy));
    buf_free(&copy);
    return v;
}

js js_new_int(int64_t i)
{
    return json_integer(i);
}

js js_new_real(double d)
{
    json_t *v = json_real(d);
    return v ? v : json_null();
}

js js_new_bool(bool b)
{
    return json_boolean(b);
}

js js_null(void)
{
    return json_null();
}

void js_set(js object, const char *key, js value)
{
    if (utf8_valid(bytes_str(key))) {
        json_object_set_new_nocheck(object, key, value);
        return;
    }
    struct buf copy = BUF_INIT(LIM_RESPONSE);
    utf8_clean_add(&copy, bytes_str(key));
    json_object_set_new_nocheck(object, buf_cstr(&copy), value);
    buf_free(&copy);
}

void js_set_str(js object, const char *key, const char *s)
{
    if (s)
        js_set(object, key, js_new_str(s));
}

void js_set_int(js object, const char *key, int64_t i)
{
    js_set(object, key, js_new_int(i));
}

void js_set_bool(js object, const char *key, bool b)
{
    js_set(object, key, js_new_bool(b));
}

void js_append(js array, js value)
{
    json_array_append_new(array, value);
}

/* --- writer --- */

/* An octet that may stand in a string as it is. U+2028 and U+2029 begin with 0xe2. */
static bool stands(uint8_t c)
{
    return c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != 0xe2;
}

static void write_string(const char *s, size_t n, struct buf *out)
{
    const uint8_t *p = (const uint8_t *)s, *end = p + n;
    buf_char(out, '"');
    while (p < end) {
        const uint8_t *run = p;
        while (p < end && stands(*p))
            p++;
        buf_add(out, run, (size_t)(p - run));
        if (p == end)
            break;
        if (*p == 0xe2) {
            bool separator = end - p >= 3 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8;
            if (separator) {
                buf_str(out, p[2] == 0xa8 ? "\\u2028" : "\\u2029");
                p += 3;
            } else {
                buf_add(out, p++, 1);
            }
            continue;
        }
        static const char plain[] = "\"\\\b\f\n\r\t", escaped[] = "\"\\bfnrt";
        const char *at = memchr(plain, *p, sizeof plain - 1);
        if (at)
            buf_fmt(out, "\\%c", escaped[at - plain]);
        else
            buf_fmt(out, "\\u%04x", *p);
        p++;
    }
    buf_char(out, '"');
}

/* The shortest of the forms that read back as the same number. */
static void write_real(double d, struct buf *out)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    buf_str(out, d == 0 ? "0" : text); /* "-0" would be read back as an integer */
}

static void new_line(bool tabs, unsigned depth, struct buf *out)
{
    if (!tabs)
        return;
    buf_char(out, '\n');
    for (unsigned i = 0; i < depth; i++)
        buf_char(out, '\t');
}

static bool write_value(json_t *v, bool tabs, unsigned depth, struct buf *out);

static bool write_array(json_t *v, bool tabs, unsigned depth, struct buf *out)
{
    size_t n = json_array_size(v);
    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(out, ',');
        new_line(tabs, depth + 1, out);
        if (!write_value(json_array_get(v, i), tabs, depth + 1, out))
            return false;
    }
    if (n)
        new_line(tabs, depth, out);
    buf_char(out, ']');
    return true;
}

static bool write_object(json_t *v, bool tabs, unsigned depth, struct buf *out)
{
    bool first = true;
    buf_char(out, '{');
    for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it)) {
        if (!first)
            buf_char(out, ',');
        first = false;
        new_line(tabs, depth + 1, out);
        write_string(json_object_iter_key(it), json_object_iter_key_len(it), out);
        buf_str(out, tabs ? ": " : ":");
        if (!write_value(json_object_iter_value(it), tabs, depth + 1, out))
            return false;
    }
    if (!first)
        new_line(tabs, depth, out);
    buf_char(out, '}');
    return true;
}

static bool write_value(json_t *v, bool tabs, unsigned depth, struct buf *out)
{
    if (depth > WRITE_DEPTH_MAX || buf_failed(out))
        return false;
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return write_object(v, tabs, depth, out);
    case JSON_ARRAY:
        return write_array(v, tabs, depth, out);
    case JSON_STRING:
        write_string(json_string_value(v), json_string_length(v), out);
        break;
    case JSON_INTEGER:
        buf_fmt(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        break;
    case JSON_REAL:
        write_real(json_real_value(v), out);
        break;
    case JSON_TRUE:
        buf_str(out, "true");
        break;
    case JSON_FALSE:
        buf_str(out, "false");
        break;
    case JSON_NULL:
        buf_str(out, "null");
        break;
    }
    return true;
}

enum outcome js_write(js v, bool tabs, struct buf *out)
{
    if (!v || !write_value(v, tabs, 0, out) || buf_failed(out))
        return ERROR;
    return OK;
}
