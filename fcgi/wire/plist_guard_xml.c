/*
 * plist_guard_xml.c: XML property lists.
 *
 * libplist 2.2.0 has no XML parser under it. It nests without limit and frees recursively; skips
 * document types, internal subsets included; ends at the root's closing tag whatever follows;
 * takes a second <key> for a string, a <key> in an array likewise; reads integers in octal and as
 * far as strtoull understands them; makes an unreadable date the year 2001 and drops a torn base64
 * group; shifts the rest of a string by memmove for every character reference; and looks a key up
 * in a table whose hash anybody can collide. All of that is refused or bounded here.
 *
 * One leniency is kept: control characters in the text of <string> and <key>. XML forbids them, but
 * devices pass on the names that people and applications gave, and refusing the report would stop
 * the device's queue for good. pl_to_xml does not let them out again.
 */
#include "wire/plist_guard.h"

#include "base/limits.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

/* Octets that libplist may move for character references, over the whole list: 0.2 s at worst. */
#define XML_MOVES_MAX (UINT64_C(1) << 30)

enum elem { DICT, ARRAY, KEY, STRING, INTEGER, REAL, DATE, DATA, TRUE, FALSE, PLIST };

struct level {
    enum elem elem; /* DICT, ARRAY, PLIST at the bottom */
    bool has_key;   /* DICT: a key waits for its value; PLIST: has its value */
    uint32_t keys;
};

struct xml {
    const char *start, *p, *end;
    struct err *err;
    size_t nodes;
    uint64_t moves;
    size_t depth;
    struct level level[LIM_PLIST_DEPTH + 1];
};

struct tag {
    enum elem elem;
    bool close; /* </x> */
    bool empty; /* <x/> */
};

__attribute__((format(printf, 3, 4), cold)) static bool xml_fail(struct xml *x, const char *at,
                                                                 const char *fmt, ...)
{
    size_t line = 1;
    for (const char *p = x->start; (p = memchr(p, '\n', (size_t)(at - p))); p++)
        line++;
    char what[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    (void)err_set(x->err, INVALID, "property list, line %zu: %s", line, what);
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct xml *x)
{
    while (x->p < x->end && is_space(*x->p))
        x->p++;
}

/* Is the literal next? Then moves past it. */
static bool eat_n(struct xml *x, const char *s, size_t n)
{
    if ((size_t)(x->end - x->p) < n || memcmp(x->p, s, n) != 0)
        return false;
    x->p += n;
    return true;
}
#define eat(x, literal) eat_n((x), (literal), sizeof(literal) - 1)

/* Moves past the first occurrence of the literal. */
static bool skip_past_n(struct xml *x, const char *s, size_t n)
{
    const char *at = memmem(x->p, (size_t)(x->end - x->p), s, n);
    if (!at)
        return false;
    x->p = at + n;
    return true;
}
#define skip_past(x, literal) skip_past_n((x), (literal), sizeof(literal) - 1)

/* White space and comments. */
static bool skip_misc(struct xml *x)
{
    for (;;) {
        skip_space(x);
        const char *at = x->p;
        if (!eat(x, "<!--"))
            return true;
        if (!skip_past(x, "-->"))
            return xml_fail(x, at, "a comment that does not end");
    }
}

/* <?xml version="1.0" encoding="UTF-8"?> */
static bool read_declaration(struct xml *x)
{
    const char *at = x->p, *enc;
    if (!eat(x, "<?xml"))
        return true;
    const char *body = x->p;
    if (!skip_past(x, "?>"))
        return xml_fail(x, at, "an XML declaration that does not end");
    size_t n = (size_t)(x->p - 2 - body), quotes = 0;
    for (size_t i = 0; i < n; i++) {
        quotes += body[i] == '"';
        if (body[i] == '<' || body[i] == '>')
            return xml_fail(x, at, "a broken XML declaration");
    }
    if (quotes % 2) /* libplist would look for the end behind the next quote */
        return xml_fail(x, at, "a broken XML declaration");
    if ((enc = memmem(body, n, "encoding", 8))) {
        enc += 8;
        while (enc < body + n && (is_space(*enc) || *enc == '='))
            enc++;
        size_t left = (size_t)(body + n - enc);
        if (left < 7 || strncasecmp(enc + 1, "utf-8", 5) != 0 || enc[6] != enc[0])
            return xml_fail(x, at, "an encoding other than UTF-8");
    }
    return true;
}

/* A quoted literal of a document type; n octets at *s. */
static bool read_literal(struct xml *x, const char **s, size_t *n)
{
    skip_space(x);
    if (x->p >= x->end || (*x->p != '"' && *x->p != '\''))
        return false;
    char quote = *x->p++;
    const char *to = memchr(x->p, quote, (size_t)(x->end - x->p));
    if (!to)
        return false;
    *s = x->p;
    *n = (size_t)(to - x->p);
    x->p = to + 1;
    return true;
}

static bool literal_is_one_of(const char *s, size_t n, const char *const *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(known[i]) == n && memcmp(known[i], s, n) == 0)
            return true;
    return false;
}

/* <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://...">, or <!DOCTYPE plist> */
static bool read_doctype(struct xml *x)
{
    static const char *const public_ids[] = {"-//Apple//DTD PLIST 1.0//EN",
                                             "-//Apple Computer//DTD PLIST 1.0//EN"};
    static const char *const system_ids[] = {
        "http://www.apple.com/DTDs/PropertyList-1.0.dtd",
        "https://www.apple.com/DTDs/PropertyList-1.0.dtd",
        "file://localhost/System/Library/DTDs/PropertyList.dtd",
    };
    const char *at = x->p, *id;
    size_t n;
    if (!eat(x, "<!DOCTYPE"))
        return true;
    skip_space(x);
    if (!eat(x, "plist"))
        return xml_fail(x, at, "a document type other than plist");
    skip_space(x);
    if (eat(x, "PUBLIC")) {
        if (!read_literal(x, &id, &n) || !literal_is_one_of(id, n, public_ids, 2) ||
            !read_literal(x, &id, &n) || !literal_is_one_of(id, n, system_ids, 3))
            return xml_fail(x, at, "a document type other than Apple's");
    } else if (eat(x, "SYSTEM")) {
        if (!read_literal(x, &id, &n) || !literal_is_one_of(id, n, system_ids, 3))
            return xml_fail(x, at, "a document type other than Apple's");
    }
    skip_space(x);
    if (!eat(x, ">"))
        return xml_fail(x, at, "a document type with declarations of its own, or a broken one");
    return true;
}

static bool elem_of(const char *name, size_t n, enum elem *e)
{
    static const struct {
        char name[8];
        uint8_t n;
        uint8_t elem;
    } table[] = {{"key", 3, KEY},     {"string", 6, STRING}, {"dict", 4, DICT},
                 {"true", 4, TRUE},   {"false", 5, FALSE},   {"integer", 7, INTEGER},
                 {"array", 5, ARRAY}, {"data", 4, DATA},     {"real", 4, REAL},
                 {"date", 4, DATE},   {"plist", 5, PLIST}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].n == n && memcmp(table[i].name, name, n) == 0) {
            *e = (enum elem)table[i].elem;
            return true;
        }
    }
    return false;
}

static const char *elem_name(enum elem e)
{
    static const char *const names[] = {"dict", "array", "key",  "string", "integer", "real",
                                        "date", "data",  "true", "false",  "plist"};
    return names[e];
}

/* version="1.0", the one attribute there is, and only <plist> has it. */
static bool read_version(struct xml *x)
{
    const char *v;
    size_t n;
    if (!eat(x, "version"))
        return true;
    skip_space(x);
    if (!eat(x, "=") || !read_literal(x, &v, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (v[i] == '<' || v[i] == '>' || v[i] == '"')
            return false;
    skip_space(x);
    return true;
}

/* The tag at x->p. */
static bool read_tag(struct xml *x, struct tag *t)
{
    const char *at = x->p;
    if (x->p >= x->end)
        return xml_fail(x, at, "it ends too early");
    if (*x->p != '<')
        return xml_fail(x, at, "text outside an element");
    x->p++;
    t->close = eat(x, "/");
    const char *name = x->p;
    while (x->p < x->end && *x->p >= 'a' && *x->p <= 'z')
        x->p++;
    if (!elem_of(name, (size_t)(x->p - name), &t->elem))
        return xml_fail(x, at, "<%.*s> is no element of a property list",
                        (int)(x->p - name < 20 ? x->p - name : 20), name);
    skip_space(x);
    if (t->elem == PLIST && !t->close && !read_version(x))
        return xml_fail(x, at, "a broken attribute");
    t->empty = !t->close && eat(x, "/");
    if (!eat(x, ">"))
        return xml_fail(x, at, "a broken tag, an attribute or an early end in <%s>",
                        elem_name(t->elem));
    return true;
}

/* Is [p, end) a character reference that libplist and XML read alike? Its length, or 0. */
static size_t reference_length(const char *p, const char *end)
{
    static const char *const named[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
    size_t left = (size_t)(end - p);
    for (size_t i = 0; i < 5; i++) {
        size_t n = strlen(named[i]);
        if (left >= n && memcmp(p, named[i], n) == 0)
            return n;
    }
    if (left < 4 || p[1] != '#')
        return 0;
    bool hex = p[2] == 'x';
    uint32_t v = 0;
    size_t i = hex ? 3 : 2, first = i;
    for (; i < left && p[i] != ';'; i++) {
        int d = p[i] >= '0' && p[i] <= '9'          ? p[i] - '0'
                : hex && p[i] >= 'a' && p[i] <= 'f' ? p[i] - 'a' + 10
                : hex && p[i] >= 'A' && p[i] <= 'F' ? p[i] - 'A' + 10
                                                    : -1;
        if (d < 0 || i - first >= 7)
            return 0;
        v = v * (hex ? 16 : 10) + (uint32_t)d;
    }
    if (i == left || i == first || v == 0 || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    return i + 1;
}

/* Text up to `to`: every & begins a reference. Counts them in *refs. */
static bool check_references(struct xml *x, const char *to, uint64_t *refs)
{
    const char *p = x->p;
    while ((p = memchr(p, '&', (size_t)(to - p)))) {
        size_t n = reference_length(p, to);
        if (n == 0)
            return xml_fail(x, p, "a broken character reference");
        p += n;
        ++*refs;
    }
    return true;
}

/* The text of <string> or <key> up to its closing tag. */
static bool read_text(struct xml *x, enum elem e)
{
    const char *begin = x->p;
    uint64_t refs = 0;
    for (;;) {
        const char *lt = memchr(x->p, '<', (size_t)(x->end - x->p));
        if (!lt)
            return xml_fail(x, x->end, "it ends inside <%s>", elem_name(e));
        if (!check_references(x, lt, &refs))
            return false;
        x->p = lt;
        if (!eat(x, "<![CDATA["))
            break;
        if (!skip_past(x, "]]>"))
            return xml_fail(x, lt, "a CDATA section that does not end");
    }
    x->moves += refs * (uint64_t)(x->p - begin);
    if (x->moves > XML_MOVES_MAX)
        return xml_fail(x, begin, "too many character references in long strings");
    return true;
}

static bool check_integer(const char *s, size_t n)
{
    bool negative = n > 0 && *s == '-';
    if (n > 0 && (*s == '-' || *s == '+'))
        s++, n--;
    if (n >= 3 && n <= 18 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        for (size_t i = 2; i < n; i++)
            if (!((s[i] >= '0' && s[i] <= '9') || ((s[i] | 32) >= 'a' && (s[i] | 32) <= 'f')))
                return false;
        return !negative || n < 18;
    }
    if (n == 0 || n > 20 || (n > 1 && s[0] == '0')) /* 010 would be read as 8 */
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9' || __builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v))
            return false;
    }
    return !negative || v <= (uint64_t)INT64_MAX + 1;
}

static bool check_real(const char *s, size_t n)
{
    static const char *const words[] = {"nan", "inf", "infinity"};
    if (n > 0 && (*s == '-' || *s == '+'))
        s++, n--;
    for (size_t i = 0; i < 3; i++)
        if (strlen(words[i]) == n && strncasecmp(words[i], s, n) == 0)
            return true;
    size_t digits = 0, i = 0;
    for (; i < n && s[i] >= '0' && s[i] <= '9'; i++)
        digits++;
    if (i < n && s[i] == '.')
        for (i++; i < n && s[i] >= '0' && s[i] <= '9'; i++)
            digits++;
    if (digits > 0 && i < n && (s[i] == 'e' || s[i] == 'E')) {
        i++;
        if (i < n && (s[i] == '-' || s[i] == '+'))
            i++;
        if (i == n)
            return false;
        while (i < n && s[i] >= '0' && s[i] <= '9')
            i++;
    }
    return digits > 0 && i == n && n <= 400;
}

static bool two_digits(const char *s, int lo, int hi)
{
    if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
        return false;
    int v = (s[0] - '0') * 10 + (s[1] - '0');
    return v >= lo && v <= hi;
}

/* 2026-11-22T08:15:30Z, the one form that Apple writes. */
static bool check_date(const char *s, size_t n)
{
    return n == 20 && two_digits(s, 0, 99) && two_digits(s + 2, 0, 99) &&
           memcmp(s, "0000", 4) != 0 && s[4] == '-' && two_digits(s + 5, 1, 12) && s[7] == '-' &&
           two_digits(s + 8, 1, 31) && s[10] == 'T' && two_digits(s + 11, 0, 23) && s[13] == ':' &&
           two_digits(s + 14, 0, 59) && s[16] == ':' && two_digits(s + 17, 0, 60) && s[19] == 'Z';
}

/* Base64 in whole groups, white space anywhere. */
static bool check_data(const char *s, size_t n)
{
    enum { BAD, DIGIT, SPACE, PAD };
    static const uint8_t class[256] = {['A' ... 'Z'] = DIGIT, ['a' ... 'z'] = DIGIT,
                                       ['0' ... '9'] = DIGIT, ['+'] = DIGIT,
                                       ['/'] = DIGIT,         [' '] = SPACE,
                                       ['\t'] = SPACE,        ['\r'] = SPACE,
                                       ['\n'] = SPACE,        ['='] = PAD};
    size_t digits = 0, pads = 0;
    for (size_t i = 0; i < n; i++) {
        switch (class[(uint8_t)s[i]]) {
        case DIGIT:
            if (pads)
                return false;
            digits++;
            break;
        case PAD:
            pads++;
            break;
        case BAD:
            return false;
        }
    }
    return pads <= 2 && (digits + pads) % 4 == 0;
}

/* The content of an element that holds neither text nor others, up to its closing tag. */
static bool read_scalar(struct xml *x, enum elem e)
{
    const char *s = x->p, *to = memchr(s, '<', (size_t)(x->end - s));
    if (!to)
        return xml_fail(x, x->end, "it ends inside <%s>", elem_name(e));
    x->p = to;
    while (s < to && is_space(*s))
        s++;
    while (to > s && is_space(to[-1]))
        to--;
    size_t n = (size_t)(to - s);
    bool good = e == INTEGER ? check_integer(s, n)
                : e == REAL  ? check_real(s, n)
                : e == DATE  ? check_date(s, n)
                : e == DATA  ? check_data(s, n)
                             : n == 0; /* true, false */
    return good || xml_fail(x, s, "<%s> does not hold what it should", elem_name(e));
}

/* The rest of an element that is no container, after its opening tag. */
static bool read_leaf(struct xml *x, struct tag open)
{
    if (open.empty)
        return open.elem == STRING || open.elem == KEY || open.elem == DATA || open.elem == TRUE ||
               open.elem == FALSE || xml_fail(x, x->p, "<%s> is empty", elem_name(open.elem));
    if (!(open.elem == STRING || open.elem == KEY ? read_text(x, open.elem)
                                                  : read_scalar(x, open.elem)))
        return false;
    const char *at = x->p;
    struct tag t;
    if (!read_tag(x, &t))
        return false;
    return (t.close && t.elem == open.elem) ||
           xml_fail(x, at, "<%s> is not closed", elem_name(open.elem));
}

/* Does this element stand where it may? Keeps account of keys and values. */
static bool place(struct xml *x, const char *at, enum elem e)
{
    struct level *l = &x->level[x->depth];
    if (++x->nodes > LIM_PLIST_NODES)
        return xml_fail(x, at, "more than %u keys and values", LIM_PLIST_NODES);
    if (e == PLIST)
        return xml_fail(x, at, "<plist> inside a property list");
    if (e == KEY) {
        if (l->elem != DICT || l->has_key)
            return xml_fail(x, at, "a <key> where none can be");
        if (++l->keys > LIM_PLIST_KEYS)
            return xml_fail(x, at, "more than %u keys in a dictionary", LIM_PLIST_KEYS);
        l->has_key = true;
        return true;
    }
    if (l->elem == DICT && !l->has_key)
        return xml_fail(x, at, "a value without a key");
    if (l->elem == PLIST && l->has_key)
        return xml_fail(x, at, "a second value in <plist>");
    l->has_key = l->elem == PLIST;
    return true;
}

static bool close_level(struct xml *x, const char *at, enum elem e)
{
    struct level *l = &x->level[x->depth];
    if (l->elem != e)
        return xml_fail(x, at, "</%s> closes nothing", elem_name(e));
    if (e == DICT && l->has_key)
        return xml_fail(x, at, "a key without a value");
    if (e == PLIST && !l->has_key)
        return xml_fail(x, at, "<plist> is empty");
    if (x->depth > 0)
        x->depth--;
    return true;
}

/* From behind <plist> to behind </plist>. */
static bool read_body(struct xml *x)
{
    for (;;) {
        if (!skip_misc(x))
            return false;
        const char *at = x->p;
        struct tag t;
        if (!read_tag(x, &t))
            return false;
        if (t.close) {
            if (!close_level(x, at, t.elem))
                return false;
            if (t.elem == PLIST)
                return true;
            continue;
        }
        if (!place(x, at, t.elem))
            return false;
        if (t.elem != DICT && t.elem != ARRAY) {
            if (!read_leaf(x, t))
                return false;
            continue;
        }
        if (x->depth == LIM_PLIST_DEPTH)
            return xml_fail(x, at, "nested deeper than %u", LIM_PLIST_DEPTH);
        if (!t.empty)
            x->level[++x->depth] = (struct level){.elem = t.elem};
    }
}

static bool read_list(struct xml *x)
{
    struct tag t;
    /* libplist takes a NUL for the end of a string */
    if (memchr(x->start, '\0', (size_t)(x->end - x->start)))
        return xml_fail(x, x->start, "it holds a NUL");
    if (!utf8_valid(bytes_of(x->start, (size_t)(x->end - x->start))))
        return xml_fail(x, x->start, "it is not in UTF-8");
    skip_space(x);
    if (!read_declaration(x) || !skip_misc(x) || !read_doctype(x) || !skip_misc(x))
        return false;
    const char *at = x->p;
    if (!read_tag(x, &t))
        return false;
    if (t.elem != PLIST || t.close || t.empty)
        return xml_fail(x, at, "it does not begin with <plist>");
    x->level[0] = (struct level){.elem = PLIST};
    if (!read_body(x) || !skip_misc(x))
        return false;
    return x->p == x->end || xml_fail(x, x->p, "something follows </plist>");
}

enum outcome plist_guard_xml(struct bytes b, struct err *err)
{
    struct xml x; /* 800 octets of levels need no clearing */
    x.start = x.p = (const char *)b.p;
    x.end = x.start + b.n;
    x.err = err;
    x.nodes = 0;
    x.moves = 0;
    x.depth = 0;
    return read_list(&x) ? OK : INVALID;
}
