/* plist.c: property lists on libplist 2.2.0. */
#include "wire/plist.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "wire/plist_guard.h"

#include <math.h>
#include <plist/plist.h>
#include <stdlib.h>

/* Seconds from 1970 to 2001, where property lists begin to count. */
#define EPOCH_2001 INT64_C(978307200)
/* From so many items on libplist keeps a table of an array's items, if it appended them one by
 * one; the binary parser does not, and each pl_at then walks from the first. */
#define LONG_ARRAY 101u

/* Gives long arrays below node their tables. Recursion is as deep as LIM_PLIST_DEPTH. */
static void index_arrays(plist_t node)
{
    plist_type type = plist_get_node_type(node);
    plist_t child = NULL;
    void *iter = NULL;
    if (type == PLIST_ARRAY) {
        uint32_t n = plist_array_get_size(node);
        if (n >= LONG_ARRAY) { /* the table is made on appending */
            plist_array_append_item(node, plist_new_bool(0));
            plist_array_remove_item(node, n);
        }
        plist_array_new_iter(node, &iter);
        for (plist_array_next_item(node, iter, &child); child;
             plist_array_next_item(node, iter, &child))
            index_arrays(child);
    } else if (type == PLIST_DICT) {
        plist_dict_new_iter(node, &iter);
        for (plist_dict_next_item(node, iter, NULL, &child); child;
             plist_dict_next_item(node, iter, NULL, &child))
            index_arrays(child);
    }
    free(iter);
}

enum outcome pl_parse(struct bytes b, pl *root, struct err *err)
{
    plist_t node = NULL;
    enum outcome o;
    *root = NULL;
    if (b.n >= 3 && memcmp(b.p, "\xef\xbb\xbf", 3) == 0)
        b = bytes_of(b.p + 3, b.n - 3);
    if (b.n == 0)
        return err_set(err, INVALID, "property list: it is empty");
    if (b.n > INT32_MAX)
        return err_set(err, INVALID, "property list: it is too long");
    if (b.n >= 8 && memcmp(b.p, "bplist00", 8) == 0) {
        size_t longest;
        o = plist_guard_binary(b, &longest, err);
        if (o != OK)
            return o;
        plist_from_bin((const char *)b.p, (uint32_t)b.n, &node);
        if (node && longest >= LONG_ARRAY)
            index_arrays(node);
    } else {
        o = plist_guard_xml(b, err);
        if (o != OK)
            return o;
        plist_from_xml((const char *)b.p, (uint32_t)b.n, &node);
    }
    if (!node)
        return err_set(err, INVALID, "property list: libplist cannot read it");
    *root = node;
    return OK;
}

void pl_free(pl *root)
{
    plist_free(*root); /* accepts NULL */
    *root = NULL;
}

enum pl_type pl_type_of(pl node)
{
    if (!node)
        return PL_NONE;
    switch (plist_get_node_type(node)) {
    case PLIST_BOOLEAN:
        return PL_BOOL;
    case PLIST_UINT:
        return PL_INT;
    case PLIST_REAL:
        return PL_REAL;
    case PLIST_STRING:
        return PL_STRING;
    case PLIST_DATA:
        return PL_DATA;
    case PLIST_DATE:
        return PL_DATE;
    case PLIST_ARRAY:
        return PL_ARRAY;
    case PLIST_DICT:
        return PL_DICT;
    default:
        return PL_OTHER;
    }
}

const char *pl_type_name(enum pl_type t)
{
    static const char *const names[] = {"nothing",    "boolean",     "integer", "real",
                                        "string",     "data",        "date",    "array",
                                        "dictionary", "another type"};
    return (size_t)t < sizeof names / sizeof *names ? names[t] : "another type";
}

/* --- readers --- */

pl pl_get(pl dict, const char *key)
{
    return pl_type_of(dict) == PL_DICT ? plist_dict_get_item(dict, key) : NULL;
}

const char *pl_str(pl node)
{
    return pl_type_of(node) == PL_STRING ? plist_get_string_ptr(node, NULL) : NULL;
}

const char *pl_get_str(pl dict, const char *key)
{
    return pl_str(pl_get(dict, key));
}

bool pl_data(pl node, struct bytes *out)
{
    if (pl_type_of(node) != PL_DATA)
        return false;
    uint64_t n = 0;
    const char *p = plist_get_data_ptr(node, &n);
    *out = bytes_of(p ? p : "", p ? (size_t)n : 0);
    return true;
}

bool pl_get_data(pl dict, const char *key, struct bytes *out)
{
    return pl_data(pl_get(dict, key), out);
}

bool pl_bool(pl node, bool *out)
{
    if (pl_type_of(node) != PL_BOOL)
        return false;
    uint8_t v = 0;
    plist_get_bool_val(node, &v);
    *out = v != 0;
    return true;
}

bool pl_get_bool(pl dict, const char *key, bool *out)
{
    return pl_bool(pl_get(dict, key), out);
}

/* The object octets (marker and value, at least n) of a number as libplist would write them: the
 * only way to tell -1 from 2^64-1 and to read a date after 2069, both past what its accessors
 * hold. */
static bool object_octets(pl node, uint8_t *out, size_t n)
{
    char *bin = NULL;
    uint32_t len = 0;
    plist_to_bin(node, &bin, &len);
    bool good = bin && len >= 8 + n;
    if (good)
        memcpy(out, bin + 8, n);
    plist_to_bin_free(bin);
    return good;
}

bool pl_int(pl node, int64_t *out)
{
    if (pl_type_of(node) != PL_INT)
        return false;
    uint64_t v = 0;
    uint8_t marker;
    plist_get_uint_val(node, &v);
    if (v > INT64_MAX && (!object_octets(node, &marker, 1) || marker != 0x13))
        return false; /* 0x14 is the 128-bit form: a large positive number */
    *out = (int64_t)v;
    return true;
}

bool pl_get_int(pl dict, const char *key, int64_t *out)
{
    return pl_int(pl_get(dict, key), out);
}

bool pl_real(pl node, double *out)
{
    if (pl_type_of(node) != PL_REAL)
        return false;
    double v = 0;
    plist_get_real_val(node, &v);
    if (!isfinite(v))
        return false;
    *out = v;
    return true;
}

bool pl_date(pl node, int64_t *unix_us)
{
    uint8_t object[9];
    if (pl_type_of(node) != PL_DATE || !object_octets(node, object, sizeof object) ||
        object[0] != 0x33)
        return false;
    uint64_t bits = 0;
    for (size_t i = 1; i < sizeof object; i++)
        bits = bits << 8 | object[i];
    double d;
    memcpy(&d, &bits, sizeof d);
    if (!(d > -7e10 && d < 3e11))
        return false;
    int64_t whole = (int64_t)d;
    whole -= d < (double)whole; /* down, before 2001 too */
    *unix_us = (whole + EPOCH_2001) * SECOND_US + (int64_t)((d - (double)whole) * 1e6 + 0.5);
    return true;
}

size_t pl_size(pl node)
{
    switch (pl_type_of(node)) {
    case PL_ARRAY:
        return plist_array_get_size(node);
    case PL_DICT:
        return plist_dict_get_size(node);
    default:
        return 0;
    }
}

pl pl_at(pl array, size_t i)
{
    return i < (pl_type_of(array) == PL_ARRAY ? plist_array_get_size(array) : 0)
               ? plist_array_get_item(array, (uint32_t)i)
               : NULL;
}

void pl_each(pl dict, bool (*fn)(const char *key, pl value, void *arg), void *arg)
{
    if (pl_type_of(dict) != PL_DICT)
        return;
    plist_dict_iter iter = NULL;
    plist_dict_new_iter(dict, &iter);
    for (;;) {
        char *key = NULL;
        plist_t value = NULL;
        plist_dict_next_item(dict, iter, &key, &value);
        bool more = key && value && fn(key, value, arg);
        free(key);
        if (!more)
            break;
    }
    free(iter);
}

/* --- builders --- */

/* s itself when it is UTF-8, else a clean copy that stays in *copy until buf_free. */
static const char *clean(const char *s, struct buf *copy)
{
    if (utf8_valid(bytes_str(s)))
        return s;
    buf_init(copy, LIM_RESPONSE);
    utf8_clean_add(copy, bytes_str(s));
    return buf_cstr(copy);
}

pl pl_new_dict(void)
{
    return plist_new_dict();
}

pl pl_new_array(void)
{
    return plist_new_array();
}

pl pl_new_str(const char *s)
{
    struct buf copy = BUF_INIT(0);
    pl node = plist_new_string(clean(s, &copy));
    buf_free(&copy);
    return node;
}

pl pl_new_int(int64_t i)
{
    return plist_new_uint((uint64_t)i); /* written as signed */
}

pl pl_new_bool(bool b)
{
    return plist_new_bool(b);
}

pl pl_new_data(struct bytes b)
{
    return plist_new_data(b.n ? (const char *)b.p : "", b.n);
}

pl pl_new_real(double d)
{
    return plist_new_real(d);
}

pl pl_new_date(int64_t unix_us)
{
    /* plist_new_date ends in 2069; a binary list of one object does not */
    double d = (double)(unix_us - EPOCH_2001 * SECOND_US) / 1e6;
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    char list[50] = "bplist00\x33";
    for (int i = 0; i < 8; i++)
        list[9 + i] = (char)(bits >> (56 - 8 * i));
    list[17] = 8;       /* the offset table: one octet */
    list[18 + 6] = 1;   /* octets of an offset, */
    list[18 + 7] = 1;   /* of a reference, */
    list[18 + 15] = 1;  /* one object, the root is object 0, */
    list[18 + 31] = 17; /* where the offset table is */
    plist_t node = NULL;
    plist_from_bin(list, sizeof list, &node);
    return node;
}

pl pl_copy(pl node)
{
    return node ? plist_copy(node) : NULL;
}

void pl_set(pl dict, const char *key, pl value)
{
    if (!value)
        return;
    if (pl_type_of(dict) != PL_DICT) {
        plist_free(value);
        return;
    }
    struct buf copy = BUF_INIT(0);
    plist_dict_set_item(dict, clean(key, &copy), value);
    buf_free(&copy);
}

void pl_set_str(pl dict, const char *key, const char *s)
{
    if (s)
        pl_set(dict, key, pl_new_str(s));
}

void pl_set_int(pl dict, const char *key, int64_t i)
{
    pl_set(dict, key, pl_new_int(i));
}

void pl_set_bool(pl dict, const char *key, bool b)
{
    pl_set(dict, key, pl_new_bool(b));
}

void pl_set_data(pl dict, const char *key, struct bytes b)
{
    pl_set(dict, key, pl_new_data(b));
}

void pl_append(pl array, pl value)
{
    if (pl_type_of(array) != PL_ARRAY)
        plist_free(value);
    else if (value)
        plist_array_append_item(array, value);
}

void pl_remove(pl dict, const char *key)
{
    if (pl_type_of(dict) == PL_DICT)
        plist_dict_remove_item(dict, key);
}

/* --- writers --- */

/* The length of the run from p on that may stand as it is. */
static size_t xml_run(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n && (p[i] >= ' ' || p[i] == '\n' || p[i] == '\t') && p[i] != 0xef && p[i] != '<')
        i++;
    return i;
}

/* libplist writes a year before 1000 without its zeros. "<date>" in its text is always the tag:
 * it escapes "<" in strings. The number of zeros to add. */
static unsigned date_zeros(const uint8_t *p, size_t n)
{
    unsigned digits = 0;
    while (digits < 4 && digits < n && p[digits] >= '0' && p[digits] <= '9')
        digits++;
    return digits < n && p[digits] == '-' ? 4 - digits : 0;
}

/* libplist's XML, mended where it is none. */
static void xml_add(struct buf *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t run = xml_run(p + i, n - i);
        buf_add(out, p + i, run);
        i += run;
        if (i == n)
            break;
        if (p[i] == '<') {
            bool date = n - i > 6 && memcmp(p + i, "<date>", 6) == 0;
            size_t len = date ? 6 : 1;
            buf_add(out, p + i, len);
            i += len;
            if (date)
                buf_add(out, "0000", date_zeros(p + i, n - i));
        } else if (p[i] == '\r') { /* as it is, a reader would take it for a line feed */
            buf_str(out, "&#13;");
            i++;
        } else if (p[i] == 0xef) {
            bool none = n - i >= 3 && p[i + 1] == 0xbf && p[i + 2] >= 0xbe; /* U+FFFE, U+FFFF */
            buf_add(out, none ? (const uint8_t *)"\xef\xbf\xbd" : p + i, none ? 3 : 1);
            i += none ? 3 : 1;
        } else {
            buf_str(out, "\xef\xbf\xbd");
            i++;
        }
    }
}

enum outcome pl_to_xml(pl node, struct buf *out)
{
    char *text = NULL;
    uint32_t n = 0;
    if (!node)
        return ERROR;
    plist_to_xml(node, &text, &n);
    if (!text)
        return ERROR;
    xml_add(out, (const uint8_t *)text, n);
    plist_to_xml_free(text);
    return buf_failed(out) ? ERROR : OK;
}

enum outcome pl_to_binary(pl node, struct buf *out)
{
    char *bin = NULL;
    uint32_t n = 0;
    if (!node)
        return ERROR;
    plist_to_bin(node, &bin, &n);
    if (!bin)
        return ERROR;
    buf_add(out, bin, n);
    plist_to_bin_free(bin);
    return buf_failed(out) ? ERROR : OK;
}
