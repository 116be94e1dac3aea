/* template.c: the templates of a folder, and running them. */
#include "html/template.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "html/escape.h"
#include "html/template_parse.h"

#define LOOK_US SECOND_US
#define CACHED_MAX 256 /* templates, and partials with an indent of their own */
#define NAME_MAX_OCTETS 64
#define INDENT_MAX 64

/* A parsed template. Who renders it holds a reference, so that a newer one can take its place. */
struct cached {
    char name[NAME_MAX_OCTETS + 1], indent[INDENT_MAX + 1];
    struct program program;
    struct timespec mtime;
    off_t size;
    int64_t looked; /* clock_mono() */
    unsigned refs;
};

struct templates {
    char *dir;
    pthread_mutex_t lock;
    struct cached *slot[CACHED_MAX];
    size_t n;
};

enum outcome templates_new(const char *dir, struct templates **out, struct err *err)
{
    struct templates *t = calloc(1, sizeof *t);
    *out = NULL;
    if (t)
        t->dir = strdup(dir);
    if (!t || !t->dir) {
        free(t);
        return err_set(err, ERROR, "out of memory");
    }
    pthread_mutex_init(&t->lock, NULL);
    *out = t;
    return OK;
}

/* With the lock held, or by the last user. */
static void cached_drop(struct cached *c)
{
    if (c && --c->refs == 0) {
        program_free(&c->program);
        free(c);
    }
}

void templates_free(struct templates **tp)
{
    struct templates *t = *tp;
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        cached_drop(t->slot[i]);
    pthread_mutex_destroy(&t->lock);
    free(t->dir);
    free(t);
    *tp = NULL;
}

/* ---- reading ---- */

static bool name_valid(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n > 0 && n <= NAME_MAX_OCTETS && name[n] == '\0';
}

static enum outcome file_read(int fd, const char *path, off_t size, struct buf *out,
                              struct err *err)
{
    if (size > (off_t)TEMPLATE_FILE_MAX)
        return err_set(err, INVALID, "%s: more than %u bytes", path, TEMPLATE_FILE_MAX);
    for (;;) {
        char *room = buf_room(out, 8192);
        if (!room)
            return err_set(err, ERROR, "%s: too long, or out of memory", path);
        ssize_t got = read(fd, room, 8192);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, ERROR, "%s: %s", path, strerror(errno));
        if (got == 0)
            return OK;
        buf_grew(out, (size_t)got);
    }
}

/* Reads and parses the file; the result has one reference. */
static enum outcome cached_load(const char *path, const char *name, const char *indent,
                                struct cached **out, struct err *err)
{
    struct buf text = BUF_INIT(TEMPLATE_FILE_MAX + 8192);
    struct stat st;
    enum outcome o;
    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        o = err_set(err, errno == ENOENT ? NOT_FOUND : ERROR, "%s: %s", path, strerror(errno));
        goto out;
    }
    if ((o = file_read(fd, path, st.st_size, &text, err)) != OK)
        goto out;
    struct cached *c = calloc(1, sizeof *c);
    if (!c) {
        o = err_set(err, ERROR, "out of memory");
        goto out;
    }
    o = program_parse(name, buf_bytes(&text), indent, &c->program, err);
    if (o != OK) {
        free(c);
        goto out;
    }
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->indent, sizeof c->indent, "%s", indent);
    c->mtime = st.st_mtim;
    c->size = st.st_size;
    c->looked = clock_mono();
    c->refs = 1;
    *out = c;
out:
    if (fd >= 0)
        close(fd);
    buf_free(&text);
    return o;
}

/* Is the file still the one that was parsed? */
static bool is_fresh(struct cached *c, const char *path)
{
    struct stat st;
    if (clock_mono() - c->looked < LOOK_US)
        return true;
    c->looked = clock_mono();
    return stat(path, &st) == 0 && st.st_size == c->size && st.st_mtim.tv_sec == c->mtime.tv_sec &&
           st.st_mtim.tv_nsec == c->mtime.tv_nsec;
}

static size_t slot_find(const struct templates *t, const char *name, const char *indent)
{
    size_t i = 0;
    while (i < t->n &&
           (strcmp(t->slot[i]->name, name) != 0 || strcmp(t->slot[i]->indent, indent) != 0))
        i++;
    return i;
}

/* A parsed template with a reference for the caller. */
static enum outcome take(struct templates *t, const char *name, const char *indent,
                         struct cached **out, struct err *err)
{
    char path[4096];
    enum outcome o = OK;
    *out = NULL;
    if (!name_valid(name) || strlen(indent) > INDENT_MAX)
        return err_set(err, INVALID, "\"%.64s\" cannot be a template's name", name);
    if (snprintf(path, sizeof path, "%s/%s.html", t->dir, name) >= (int)sizeof path)
        return err_set(err, INVALID, "the folder of the templates has too long a name");
    pthread_mutex_lock(&t->lock);
    size_t i = slot_find(t, name, indent);
    if (i < t->n && is_fresh(t->slot[i], path)) {
        *out = t->slot[i];
    } else {
        o = cached_load(path, name, indent, out, err);
        if (o == OK && i == t->n && t->n == CACHED_MAX)
            i = 0;
        if (o == OK && i < t->n)
            cached_drop(t->slot[i]);
        else if (o == OK)
            t->n++;
        if (o == OK)
            t->slot[i] = *out;
    }
    if (*out)
        (*out)->refs++;
    pthread_mutex_unlock(&t->lock);
    return o;
}

static void give(struct templates *t, struct cached *c)
{
    pthread_mutex_lock(&t->lock);
    cached_drop(c);
    pthread_mutex_unlock(&t->lock);
}

/* ---- running ---- */

struct run {
    struct templates *t;
    const struct value *stack[2 * TEMPLATE_DEPTH_MAX * TEMPLATE_DEPTH_MAX];
    size_t n;
    size_t partials;
    struct value *room;
    struct buf *out;
    bool broken;
    struct err *err;
};

/* The value of a name: its first part is looked for up the stack, the rest inside of what that
 * gave. */
static const struct value *resolve(struct run *r, const struct program *p, const struct op *op)
{
    const char *key = p->store + op->at, *stop = key + op->n;
    const struct value *v = NULL;
    if (op->n == 1 && *key == '.')
        return r->stack[r->n - 1];
    for (size_t i = r->n; i > 0 && !v; i--)
        v = value_get(r->stack[i - 1], key, &r->room);
    for (key += strlen(key) + 1; v && key < stop; key += strlen(key) + 1)
        v = value_get(v, key, &r->room);
    return v;
}

static enum outcome ops(struct run *r, const struct program *p, size_t from, size_t to);

static enum outcome with(struct run *r, const struct program *p, size_t from, size_t to,
                         const struct value *v)
{
    if (r->n == sizeof r->stack / sizeof r->stack[0])
        return err_set(r->err, INVALID, "sections are nested too deeply");
    r->stack[r->n++] = v;
    enum outcome o = ops(r, p, from, to);
    r->n--;
    return o;
}

static enum outcome section(struct run *r, const struct program *p, const struct op *op, size_t at)
{
    const struct value *v = resolve(r, p, op);
    enum value_type type = value_type_of(v, &r->broken);
    bool there = type != VALUE_FALSE && (type != VALUE_LIST || value_first(v)) &&
                 (type != VALUE_TEXT || *value_str(v));
    if (op->kind == OP_INVERTED)
        return there ? OK : ops(r, p, at + 1, op->end);
    if (!there)
        return OK;
    if (type != VALUE_LIST)
        return with(r, p, at + 1, op->end, v);
    enum outcome o = OK;
    for (const struct value *e = value_first(v); e && o == OK; e = value_next(e))
        o = with(r, p, at + 1, op->end, e);
    return o;
}

static enum outcome partial(struct run *r, const struct program *p, const struct op *op)
{
    struct cached *c;
    if (r->partials == TEMPLATE_DEPTH_MAX)
        return err_set(r->err, INVALID, "partials are nested too deeply at \"%s\"",
                       p->store + op->at);
    enum outcome o =
        take(r->t, p->store + op->at, op->nindent ? p->store + op->indent : "", &c, r->err);
    if (o != OK)
        return o == NOT_FOUND ? OK : o;
    r->partials++;
    o = ops(r, &c->program, 0, c->program.n);
    r->partials--;
    give(r->t, c);
    return o;
}

static enum outcome ops(struct run *r, const struct program *p, size_t from, size_t to)
{
    enum outcome o = OK;
    for (size_t i = from; i < to && o == OK; i++) {
        const struct op *op = &p->op[i];
        switch (op->kind) {
        case OP_TEXT:
            buf_add(r->out, p->store + op->at, op->n);
            break;
        case OP_VAR:
            html_escape_add(r->out, bytes_str(value_str(resolve(r, p, op))));
            break;
        case OP_RAW:
            buf_str(r->out, value_str(resolve(r, p, op)));
            break;
        case OP_SECTION:
        case OP_INVERTED:
            o = section(r, p, op, i);
            i = op->end - 1;
            break;
        case OP_PARTIAL:
            o = partial(r, p, op);
            break;
        }
        if (o == OK && buf_failed(r->out))
            o = err_set(r->err, ERROR, "the page grew past its ceiling of %zu bytes", r->out->max);
    }
    return o;
}

enum outcome template_render(struct templates *t, const char *name, const struct value *root,
                             struct arena *a, struct buf *out, struct err *err)
{
    struct cached *c;
    struct run *r = arena_alloc(a, sizeof *r);
    if (!r || !root)
        return err_set(err, ERROR, "out of memory for a page");
    *r = (struct run){.t = t, .n = 1, .room = value_room(a), .out = out, .err = err};
    r->stack[0] = root;
    if (!r->room)
        return err_set(err, ERROR, "out of memory for a page");
    value_type_of(root, &r->broken);
    enum outcome o = take(t, name, "", &c, err);
    if (o != OK)
        return o;
    o = ops(r, &c->program, 0, c->program.n);
    give(t, c);
    if (o == OK && r->broken)
        o = err_set(err, ERROR, "out of memory for what page \"%s\" shows", name);
    return o;
}
