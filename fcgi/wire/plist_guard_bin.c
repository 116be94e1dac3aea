/*
 * plist_guard_bin.c: binary property lists ("bplist00").
 *
 * A list is a table of objects that refer to each other by number. libplist 2.2.0 copies an object
 * for every reference to it, so that a chain of arrays of two references each to the next one, 235
 * octets, becomes a tree that fills the machine; it recurses; it takes the low half of a 128-bit
 * integer; and a NUL inside a string makes it remember a length that its copies do not have. So the
 * objects reachable from the root are walked once each, every one remembering what it expands to,
 * before any is built.
 */
#include "wire/plist_guard.h"

#include "base/limits.h"

#include <math.h>
#include <stdlib.h>

#define TRAILER 32u
#define HEADER 8u
/* What a list may expand to: so much, and so many times its own octets. An honest writer shares
 * keys and values of dictionaries, each reference to which takes an octet or two. */
#define BIN_NODES_BASE 1000u
#define BIN_NODES_TIMES 4u
#define BIN_OCTETS_BASE (64u * LIM_KB)
#define BIN_OCTETS_TIMES 64u
#define BIN_SMALL 64u /* lists of so few objects need no memory from the system */

struct object {      /* what is known of an object once it was walked */
    uint32_t nodes;  /* keys and values it expands to, itself included; 0: not walked yet */
    uint32_t height; /* containers inside it, itself included */
    uint64_t octets; /* of strings and data, expanded */
    bool open;       /* being walked: meeting it again is a cycle */
    bool string;
};

struct frame { /* a container being walked */
    uint64_t object;
    uint64_t refs;  /* where its references stand */
    uint64_t count; /* how many, keys and values */
    uint64_t keys;  /* the first so many must be strings */
    uint64_t next;  /* the one to follow next */
    uint64_t nodes;
    uint64_t octets;
    uint32_t height;
};

struct bin {
    const uint8_t *p;
    struct err *err;
    uint64_t table;    /* where the offset table stands, and the objects end */
    unsigned offset_n; /* octets of an entry of it */
    unsigned ref_n;    /* octets of a reference */
    uint64_t count;
    uint64_t root;
    uint64_t walked; /* references followed */
    uint64_t nodes_max, octets_max;
    uint64_t longest; /* items of the longest array */
    struct object *objects;
    struct frame stack[LIM_PLIST_DEPTH];
    size_t depth;
};

#define bin_fail(b, ...) (err_set((b)->err, INVALID, "binary property list: " __VA_ARGS__), false)

static uint64_t big_endian(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static bool read_trailer(struct bin *b, size_t n)
{
    if (n < HEADER + 1 + 1 + TRAILER)
        return bin_fail(b, "it is too short");
    const uint8_t *t = b->p + n - TRAILER;
    b->offset_n = t[6];
    b->ref_n = t[7];
    b->count = big_endian(t + 8, 8);
    b->root = big_endian(t + 16, 8);
    b->table = big_endian(t + 24, 8);
    if (b->offset_n < 1 || b->offset_n > 8 || b->ref_n < 1 || b->ref_n > 8)
        return bin_fail(b, "its trailer gives a size of %u for offsets and %u for references",
                        b->offset_n, b->ref_n);
    if (b->count < 1 || b->count > LIM_PLIST_NODES)
        return bin_fail(b, "its trailer counts %llu objects", (unsigned long long)b->count);
    if (b->root >= b->count)
        return bin_fail(b, "its root is no object");
    if (b->table <= HEADER || b->table > n - TRAILER ||
        b->count * b->offset_n > n - TRAILER - b->table)
        return bin_fail(b, "its offset table is outside of it");
    return true;
}

/* Is there room for n octets at `at` before the offset table? */
static bool inside(const struct bin *b, uint64_t at, uint64_t n)
{
    return at <= b->table && n <= b->table - at;
}

/* The length of an object whose marker said 15: an integer object at *at. */
static bool read_length(struct bin *b, uint64_t *at, uint64_t *len)
{
    if (!inside(b, *at, 1) || (b->p[*at] & 0xf0) != 0x10 || (b->p[*at] & 15) > 3)
        return bin_fail(b, "a length is no integer");
    unsigned n = 1u << (b->p[*at] & 15);
    if (!inside(b, *at + 1, n))
        return bin_fail(b, "it is cut short");
    *len = big_endian(b->p + *at + 1, n);
    *at += 1 + n;
    return true;
}

static bool check_ascii(struct bin *b, uint64_t at, uint64_t n)
{
    if (memchr(b->p + at, '\0', n))
        return bin_fail(b, "a string holds a NUL");
    uint8_t all = 0;
    for (uint64_t i = 0; i < n; i++)
        all |= b->p[at + i];
    return all < 0x80 || bin_fail(b, "an ASCII string holds other octets");
}

static bool check_utf16(struct bin *b, uint64_t at, uint64_t units)
{
    bool lead = false;
    if (units == 0)
        return bin_fail(b, "an empty UTF-16 string");
    for (uint64_t i = 0; i < units; i++) {
        unsigned c = (unsigned)b->p[at + 2 * i] << 8 | b->p[at + 2 * i + 1];
        if (c == 0)
            return bin_fail(b, "a string holds a NUL");
        bool trail = c >= 0xdc00 && c <= 0xdfff;
        if (lead != trail)
            return bin_fail(b, "a string holds half a surrogate pair");
        lead = c >= 0xd800 && c <= 0xdbff;
    }
    return !lead || bin_fail(b, "a string holds half a surrogate pair");
}

/* Years 1 to 9999; seconds are counted from 2001. */
static bool check_date(struct bin *b, uint64_t at)
{
    uint64_t bits = big_endian(b->p + at, 8);
    double d;
    memcpy(&d, &bits, sizeof d);
    return (isfinite(d) && d >= -63113904000.0 && d < 252423993600.0) ||
           bin_fail(b, "a date outside the years 1 to 9999");
}

/* An object that holds no others; size: the low half of its marker, at: what follows it. Octets
 * that it expands to in *octets. */
static bool check_scalar(struct bin *b, uint8_t marker, uint64_t at, uint64_t *octets)
{
    unsigned size = marker & 15;
    uint64_t width = size <= 4 ? UINT64_C(1) << size : 0;
    *octets = 0;
    switch (marker & 0xf0) {
    case 0x00:
        return size == 8 || size == 9 || bin_fail(b, "an object of unknown type 0x%02x", marker);
    case 0x10:
        if (width == 0 || !inside(b, at, width))
            return bin_fail(b, "a broken integer");
        return width < 16 || big_endian(b->p + at, 8) == 0 ||
               bin_fail(b, "an integer of over 64 bits");
    case 0x20:
        return ((width == 4 || width == 8) && inside(b, at, width)) || bin_fail(b, "a broken real");
    case 0x30:
        if (width != 8 || !inside(b, at, width))
            return bin_fail(b, "a broken date");
        return check_date(b, at);
    case 0x80:
        return (size < 8 && inside(b, at, size + 1)) || bin_fail(b, "a broken UID");
    }
    uint64_t n = size;
    if (size == 15 && !read_length(b, &at, &n))
        return false;
    bool wide = (marker & 0xf0) == 0x60;
    if (n > b->table || !inside(b, at, wide ? 2 * n : n))
        return bin_fail(b, "it is cut short");
    switch (marker & 0xf0) {
    case 0x40:
        *octets = n;
        return true;
    case 0x50:
        *octets = n;
        return check_ascii(b, at, n);
    case 0x60:
        *octets = 4 * n; /* what libplist takes at first */
        return check_utf16(b, at, n);
    }
    return bin_fail(b, "an object of unknown type 0x%02x", marker);
}

/* Opens a container: its references are to be followed. */
static bool push(struct bin *b, uint64_t object, uint8_t marker, uint64_t at)
{
    uint64_t n = marker & 15;
    bool dict = (marker & 0xf0) == 0xd0;
    if (n == 15 && !read_length(b, &at, &n))
        return false;
    if (dict && n > LIM_PLIST_KEYS)
        return bin_fail(b, "more than %u keys in a dictionary", LIM_PLIST_KEYS);
    uint64_t count = dict ? 2 * n : n;
    if (n > b->table || !inside(b, at, count * b->ref_n))
        return bin_fail(b, "it is cut short");
    if (b->depth == LIM_PLIST_DEPTH)
        return bin_fail(b, "nested deeper than %u", LIM_PLIST_DEPTH);
    if (!dict && n > b->longest)
        b->longest = n;
    b->objects[object].open = true;
    b->stack[b->depth++] = (struct frame){
        .object = object, .refs = at, .count = count, .keys = dict ? n : 0, .nodes = 1};
    return true;
}

/* First sight of an object: a scalar is done with at once, a container is opened. */
static bool object_visit(struct bin *b, uint64_t object)
{
    uint64_t at = big_endian(b->p + b->table + object * b->offset_n, b->offset_n);
    if (at < HEADER || at >= b->table)
        return bin_fail(b, "object %llu is outside of it", (unsigned long long)object);
    uint8_t marker = b->p[at], type = marker & 0xf0;
    if (type == 0xa0 || type == 0xd0)
        return push(b, object, marker, at + 1);
    struct object *o = &b->objects[object];
    o->nodes = 1;
    o->string = type == 0x50 || type == 0x60;
    return check_scalar(b, marker, at + 1, &o->octets);
}

/* Adds what a reference of f expands to. */
static bool count_in(struct bin *b, struct frame *f, const struct object *o)
{
    f->nodes += o->nodes;
    f->octets += o->octets;
    if (o->height > f->height)
        f->height = o->height;
    if (f->nodes > b->nodes_max)
        return bin_fail(b, "it expands to more than %llu keys and values",
                        (unsigned long long)b->nodes_max);
    if (f->octets > b->octets_max)
        return bin_fail(b, "its strings and data expand to more than %llu octets",
                        (unsigned long long)b->octets_max);
    if (b->depth + o->height > LIM_PLIST_DEPTH)
        return bin_fail(b, "nested deeper than %u", LIM_PLIST_DEPTH);
    return true;
}

/* Follows the next reference of the innermost container. */
static bool step(struct bin *b)
{
    struct frame *f = &b->stack[b->depth - 1];
    struct object *o;
    if (f->next == f->count) { /* all followed: the frame below takes it for a known object */
        o = &b->objects[f->object];
        o->open = false;
        o->nodes = (uint32_t)f->nodes;
        o->octets = f->octets;
        o->height = f->height + 1;
        b->depth--;
        return true;
    }
    uint64_t object = big_endian(b->p + f->refs + f->next * b->ref_n, b->ref_n);
    if (object >= b->count)
        return bin_fail(b, "a reference to object %llu of %llu", (unsigned long long)object,
                        (unsigned long long)b->count);
    o = &b->objects[object];
    if (o->open)
        return bin_fail(b, "object %llu holds itself", (unsigned long long)object);
    if (o->nodes == 0) {
        /* different objects may share octets: the references followed are what costs time */
        if (++b->walked > b->nodes_max)
            return bin_fail(b, "it expands to more than %llu keys and values",
                            (unsigned long long)b->nodes_max);
        if (!object_visit(b, object))
            return false;
        if (o->nodes == 0)
            return true; /* opened; this reference is counted when it is done */
    }
    if (f->next < f->keys && !o->string)
        return bin_fail(b, "a key is no string");
    f->next++;
    return count_in(b, f, o);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool walk(struct bin *b)
{
    if (!object_visit(b, b->root))
        return false;
    while (b->depth > 0)
        if (!step(b))
            return false;
    return true;
}

enum outcome plist_guard_binary(struct bytes bytes, size_t *longest, struct err *err)
{
    struct object small[BIN_SMALL];
    struct bin b;
    b.p = bytes.p;
    b.err = err;
    b.walked = 0;
    b.longest = 0;
    b.nodes_max = least(LIM_PLIST_NODES, BIN_NODES_BASE + BIN_NODES_TIMES * (uint64_t)bytes.n);
    b.octets_max = least(LIM_PLIST_OCTETS, BIN_OCTETS_BASE + BIN_OCTETS_TIMES * (uint64_t)bytes.n);
    b.depth = 0;
    if (!read_trailer(&b, bytes.n))
        return INVALID;
    b.objects = small;
    if (b.count <= BIN_SMALL)
        memset(small, 0, b.count * sizeof *small);
    else if (!(b.objects = calloc(b.count, sizeof *b.objects)))
        return err_set(err, ERROR, "out of memory");
    bool good = walk(&b);
    if (b.objects != small)
        free(b.objects);
    *longest = (size_t)b.longest;
    return good ? OK : INVALID;
}
