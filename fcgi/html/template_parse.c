/* template_parse.c: text to ops, with the specification's rules of standalone lines. */
#include "html/template_parse.h"

#include "html/template.h"

#include <stdlib.h>

#define DELIMITER_MAX 16

struct parser {
    const char *name;
    const char *s;
    size_t n, at;
    char open[DELIMITER_MAX + 1], close[DELIMITER_MAX + 1];
    struct program *p;
    struct buf store;
    size_t stack[TEMPLATE_DEPTH_MAX];
    size_t depth;
    struct err *err;
};

/* One tag as it stands in the text. */
struct tag {
    size_t begin, end; /* octets from the opening delimiter to after the closing one */
    char kind;         /* '\0' for a variable */
    const char *text;
    size_t n; /* its inside, trimmed */
};

static enum outcome fail(struct parser *x, size_t at, const char *what)
{
    int line = 1;
    for (size_t i = 0; i < at; i++)
        line += x->s[i] == '\n';
    return err_set(x->err, INVALID, "%s.html:%d: %s", x->name, line, what);
}

static struct op *op_add(struct parser *x, enum op_kind kind)
{
    struct program *p = x->p;
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 16;
        struct op *op = realloc(p->op, cap * sizeof *op);
        if (!op)
            return NULL;
        p->op = op;
        p->cap = cap;
    }
    p->op[p->n] = (struct op){.kind = kind};
    return &p->op[p->n++];
}

static uint32_t keep(struct parser *x, const char *s, size_t n)
{
    uint32_t at = (uint32_t)x->store.len;
    buf_add(&x->store, s, n);
    buf_char(&x->store, '\0');
    return at;
}

static enum outcome memory(struct parser *x)
{
    return err_set(x->err, ERROR, "out of memory for template %s", x->name);
}

static enum outcome text_add(struct parser *x, size_t from, size_t to)
{
    if (to <= from)
        return OK;
    struct op *op = op_add(x, OP_TEXT);
    if (!op)
        return memory(x);
    op->at = keep(x, x->s + from, to - from);
    op->n = (uint32_t)(to - from);
    return OK;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **s, size_t *n)
{
    while (*n && blank(**s)) {
        ++*s;
        --*n;
    }
    while (*n && blank((*s)[*n - 1]))
        --*n;
}

/* Reads the tag that begins at t->begin. */
static enum outcome tag_read(struct parser *x, struct tag *t)
{
    const char *p = x->s + t->begin + strlen(x->open), *stop = x->s + x->n;
    const char *close = x->close;
    char delimiter[DELIMITER_MAX + 2];
    while (p < stop && blank(*p))
        p++;
    t->kind = p < stop && strchr("#^/>&!={", *p) && *p ? *p : '\0';
    if (t->kind)
        p++;
    if (t->kind == '{' || t->kind == '=') {
        delimiter[0] = t->kind == '{' ? '}' : '=';
        memcpy(delimiter + 1, x->close, strlen(x->close) + 1);
        close = delimiter;
    }
    const char *end = memmem(p, (size_t)(stop - p), close, strlen(close));
    if (!end)
        return fail(x, t->begin, "a tag does not end");
    t->text = p;
    t->n = (size_t)(end - p);
    t->end = (size_t)(end - x->s) + strlen(close);
    trim(&t->text, &t->n);
    return OK;
}

/* Is the tag alone on its line? Then from and to are the line's ends, the line break included. */
static bool standalone(const struct parser *x, const struct tag *t, size_t *from, size_t *to)
{
    size_t i = t->begin, k = t->end;
    if (!t->kind || t->kind == '{' || t->kind == '&')
        return false;
    while (i > 0 && (x->s[i - 1] == ' ' || x->s[i - 1] == '\t'))
        i--;
    if (i > 0 && x->s[i - 1] != '\n')
        return false;
    while (k < x->n && (x->s[k] == ' ' || x->s[k] == '\t'))
        k++;
    if (k < x->n && x->s[k] == '\r' && k + 1 < x->n && x->s[k + 1] == '\n')
        k++;
    if (k < x->n && x->s[k] != '\n')
        return false;
    *from = i;
    *to = k < x->n ? k + 1 : k;
    return true;
}

static enum outcome delimiters_set(struct parser *x, const struct tag *t)
{
    size_t a = 0, b = t->n;
    while (a < t->n && !blank(t->text[a]))
        a++;
    while (b > a && !blank(t->text[b - 1]))
        b--;
    if (a == 0 || a > DELIMITER_MAX || b == a || t->n - b > DELIMITER_MAX || b == t->n)
        return fail(x, t->begin, "two delimiters belong here");
    memcpy(x->open, t->text, a);
    x->open[a] = '\0';
    memcpy(x->close, t->text + b, t->n - b);
    x->close[t->n - b] = '\0';
    return OK;
}

/* a.b becomes two segments; "." alone stays. */
static void name_keep(struct parser *x, struct op *op, const struct tag *t, bool dotted)
{
    op->at = keep(x, t->text, t->n);
    op->n = (uint32_t)t->n;
    if (dotted && t->n > 1 && !buf_failed(&x->store))
        for (size_t i = 0; i < t->n; i++)
            if (x->store.data[op->at + i] == '.')
                x->store.data[op->at + i] = '\0';
}

static enum outcome section_close(struct parser *x, const struct tag *t)
{
    if (!x->depth)
        return fail(x, t->begin, "a section is closed that was not opened");
    struct op *op = &x->p->op[x->stack[x->depth - 1]];
    struct op shown = {0};
    name_keep(x, &shown, t, true);
    if (buf_failed(&x->store))
        return memory(x);
    if (op->n != t->n || memcmp(x->store.data + op->at, x->store.data + shown.at, t->n) != 0)
        return fail(x, t->begin, "another section is open here");
    op->end = (uint32_t)x->p->n;
    x->depth--;
    return OK;
}

static enum outcome name_op(struct parser *x, const struct tag *t, enum op_kind kind)
{
    if (t->n == 0)
        return fail(x, t->begin, "a tag has no name");
    struct op *op = op_add(x, kind);
    if (!op)
        return memory(x);
    name_keep(x, op, t, kind != OP_PARTIAL);
    if (kind != OP_SECTION && kind != OP_INVERTED)
        return OK;
    if (x->depth == TEMPLATE_DEPTH_MAX)
        return fail(x, t->begin, "sections are nested too deeply");
    x->stack[x->depth++] = x->p->n - 1;
    return OK;
}

static enum outcome tag_add(struct parser *x, const struct tag *t, size_t line, bool alone)
{
    enum outcome o;
    switch (t->kind) {
    case '!':
        return OK;
    case '=':
        return delimiters_set(x, t);
    case '/':
        return section_close(x, t);
    case '#':
        return name_op(x, t, OP_SECTION);
    case '^':
        return name_op(x, t, OP_INVERTED);
    case '{':
    case '&':
        return name_op(x, t, OP_RAW);
    case '>':
        o = name_op(x, t, OP_PARTIAL);
        if (o == OK && alone) {
            struct op *op = &x->p->op[x->p->n - 1];
            op->nindent = (uint32_t)(t->begin - line);
            op->indent = keep(x, x->s + line, op->nindent);
        }
        return o;
    default:
        return name_op(x, t, OP_VAR);
    }
}

static enum outcome parse(struct parser *x)
{
    enum outcome o = OK;
    while (o == OK && x->at < x->n) {
        struct tag t = {0};
        const char *found = memmem(x->s + x->at, x->n - x->at, x->open, strlen(x->open));
        if (!found)
            return text_add(x, x->at, x->n);
        t.begin = (size_t)(found - x->s);
        if ((o = tag_read(x, &t)) != OK)
            return o;
        size_t from = t.begin, to = t.end;
        bool alone = standalone(x, &t, &from, &to);
        o = text_add(x, x->at, from);
        if (o == OK)
            o = tag_add(x, &t, from, alone);
        x->at = to;
    }
    return o;
}

/* Puts indent before each line of source. */
static void indented(struct buf *out, struct bytes source, const char *indent)
{
    for (size_t i = 0; i < source.n; i++) {
        if (i == 0 || source.p[i - 1] == '\n')
            buf_str(out, indent);
        buf_char(out, (char)source.p[i]);
    }
}

enum outcome program_parse(const char *name, struct bytes source, const char *indent,
                           struct program *out, struct err *err)
{
    struct buf text = BUF_INIT(2 * TEMPLATE_FILE_MAX);
    struct parser x = {
        .name = name, .open = "{{", .close = "}}", .p = out, .err = err, .store = {0}};
    *out = (struct program){0};
    buf_init(&x.store, 4 * TEMPLATE_FILE_MAX);
    indented(&text, source, indent);
    x.s = buf_cstr(&text);
    x.n = text.len;
    enum outcome o = buf_failed(&text) ? memory(&x) : parse(&x);
    if (o == OK && x.depth)
        o = fail(&x, x.n, "a section is not closed");
    if (o == OK && buf_failed(&x.store))
        o = memory(&x);
    buf_free(&text);
    out->store = x.store.data; /* freed by program_free() */
    out->nstore = x.store.len;
    if (o != OK)
        program_free(out);
    return o;
}

void program_free(struct program *p)
{
    free(p->op);
    free(p->store);
    *p = (struct program){0};
}
