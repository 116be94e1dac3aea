/* multipart.c: see multipart.h. */
#include "http/multipart.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define BOUNDARY_MAX 70u /* RFC 2046 section 5.1.1 */
#define HEADERS_MAX 8192u

/* The value of a parameter ("; name=value", possibly between quotes) in n octets at s, copied to
 * the arena; NULL: there is none. Browsers write a quote, CR and LF in a name as %22, %0D, %0A. */
static const char *parameter(struct arena *a, const char *s, size_t n, const char *name)
{
    size_t len = strlen(name);
    const char *end = s + n;

    while ((s = memchr(s, ';', (size_t)(end - s))) != NULL) {
        s++;
        while (s < end && (*s == ' ' || *s == '\t'))
            s++;
        if ((size_t)(end - s) > len && strncasecmp(s, name, len) == 0 && s[len] == '=') {
            const char *v = s + len + 1, *stop = v;

            if (v < end && *v == '"') {
                v++;
                stop = memchr(v, '"', (size_t)(end - v));
                return stop != NULL ? arena_strndup(a, v, (size_t)(stop - v)) : NULL;
            }
            while (stop < end && *stop != ';' && !isspace((unsigned char)*stop))
                stop++;
            return arena_strndup(a, v, (size_t)(stop - v));
        }
        /* over a quoted value, which may hold a semicolon */
        while (s < end && *s != ';') {
            const char *quoted = *s == '"' ? memchr(s + 1, '"', (size_t)(end - s - 1)) : NULL;
            s = quoted != NULL ? quoted + 1 : s + 1;
        }
    }
    return NULL;
}

static void unescape(char *s)
{
    char *to = s;

    for (; *s != '\0'; to++) {
        bool hex = s[0] == '%' && s[1] != '\0';
        char c = hex && strncmp(s, "%22", 3) == 0       ? '"'
                 : hex && strncasecmp(s, "%0D", 3) == 0 ? '\r'
                 : hex && strncasecmp(s, "%0A", 3) == 0 ? '\n'
                                                        : '\0';

        *to = c != '\0' ? c : *s;
        s += c != '\0' ? 3 : 1;
    }
    *to = '\0';
}

/* Old browsers send the whole path. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *back = strrchr(path, '\\');

    slash = back != NULL && (slash == NULL || back > slash) ? back : slash;
    return slash != NULL ? slash + 1 : path;
}

/* The header that a line of n octets is, its value after the colon; NULL: another one. */
static const char *is_header(const char *line, size_t n, const char *name)
{
    size_t len = strlen(name);

    return n > len && strncasecmp(line, name, len) == 0 && line[len] == ':' ? line + len + 1 : NULL;
}

/* Reads the headers of a part: n octets at s, lines ended by CRLF. */
static void headers_read(struct arena *a, const char *s, size_t n, struct part *out)
{
    const char *end = s + n;

    while (s < end) {
        const char *eol = memmem(s, (size_t)(end - s), "\r\n", 2);
        size_t len = (size_t)((eol != NULL ? eol : end) - s);
        const char *value = is_header(s, len, "Content-Disposition");

        if (value != NULL) {
            size_t rest = len - (size_t)(value - s);
            char *name = (char *)parameter(a, value, rest, "name");
            char *file = (char *)parameter(a, value, rest, "filename");

            if (name != NULL)
                unescape(name);
            if (file != NULL)
                unescape(file);
            out->name = name;
            out->filename = file != NULL ? base_name(file) : NULL;
        }
        s += len + 2;
    }
}

struct splitter {
    struct arena *a;
    char mark[BOUNDARY_MAX + 5]; /* CRLF--boundary */
    size_t mark_n;
    const char *at, *end;
};

/* Goes behind a boundary's line. False: it was the last, or the body ends. */
static bool next_line(struct splitter *x)
{
    if (x->end - x->at >= 2 && memcmp(x->at, "--", 2) == 0)
        return false;
    while (x->at < x->end && (*x->at == ' ' || *x->at == '\t'))
        x->at++;
    if (x->end - x->at < 2 || memcmp(x->at, "\r\n", 2) != 0)
        return false;
    x->at += 2;
    return true;
}

/* The next boundary: a line that goes on after it is none. */
static const char *boundary_find(const struct splitter *x, const char *p)
{
    while ((p = memmem(p, (size_t)(x->end - p), x->mark, x->mark_n)) != NULL) {
        const char *after = p + x->mark_n;

        if (after == x->end || strchr("-\r \t", *after) != NULL)
            return p;
        p = after;
    }
    return NULL;
}

/* Reads one part, up to its boundary. */
static enum outcome part_read(struct splitter *x, struct part *out, struct err *err)
{
    size_t left = (size_t)(x->end - x->at);
    const char *blank, *body, *stop;

    *out = (struct part){0};
    if (left >= 2 && memcmp(x->at, "\r\n", 2) == 0) { /* without headers */
        blank = x->at;
        body = x->at + 2;
    } else {
        blank = memmem(x->at, left < HEADERS_MAX ? left : HEADERS_MAX, "\r\n\r\n", 4);
        if (blank == NULL)
            return err_set(err, INVALID, "a part of the form has no end of its headers");
        headers_read(x->a, x->at, (size_t)(blank - x->at), out);
        body = blank + 4;
    }
    /* an empty part's boundary may follow with the line break that ends the headers */
    x->at = body >= x->at + 2 ? body - 2 : body;
    stop = boundary_find(x, x->at);
    if (stop == NULL)
        return err_set(err, INVALID, "a part of the form does not end");
    out->body = bytes_of(body, stop > body ? (size_t)(stop - body) : 0);
    x->at = stop + x->mark_n;
    if (out->filename == NULL && memchr(out->body.p, '\0', out->body.n) == NULL) {
        out->text = arena_strndup(x->a, body, out->body.n);
        if (out->text == NULL)
            return err_set(err, ERROR, "out of memory");
    }
    return OK;
}

/* How many there can be, for the array. */
static size_t count(const struct splitter *x)
{
    size_t n = 0;

    for (const char *p = x->at;
         (p = memmem(p, (size_t)(x->end - p), x->mark + 2, x->mark_n - 2)) != NULL;
         p += x->mark_n - 2)
        n++;
    return n;
}

enum outcome multipart_read(struct arena *a, const char *content_type, struct bytes body,
                            struct part **parts, size_t *n, struct err *err)
{
    const char *boundary = parameter(a, content_type, strlen(content_type), "boundary");
    struct splitter x = {.a = a, .at = (const char *)body.p, .end = (const char *)body.p + body.n};
    size_t room;

    *parts = NULL;
    *n = 0;
    if (boundary == NULL || boundary[0] == '\0' || strlen(boundary) > BOUNDARY_MAX)
        return err_set(err, INVALID, "the form does not name its boundary");
    x.mark_n = (size_t)snprintf(x.mark, sizeof x.mark, "\r\n--%s", boundary);
    room = body.n != 0 ? count(&x) : 0;
    if (room > MULTIPART_PARTS_MAX)
        return err_set(err, INVALID, "the form has more than %u parts", MULTIPART_PARTS_MAX);
    *parts = arena_array(a, room + 1, sizeof **parts);
    if (*parts == NULL)
        return err_set(err, ERROR, "out of memory");
    if (body.n < x.mark_n - 2 || memcmp(x.at, x.mark + 2, x.mark_n - 2) != 0) {
        x.at = body.n != 0 ? boundary_find(&x, x.at) : NULL; /* a preamble */
        if (x.at == NULL)
            return err_set(err, INVALID, "the form has no part");
        x.at += 2;
    }
    x.at += x.mark_n - 2;
    while (*n < room && next_line(&x)) {
        enum outcome o = part_read(&x, &(*parts)[*n], err);

        if (o != OK)
            return o;
        *n += (*parts)[*n].name != NULL;
    }
    return OK;
}
