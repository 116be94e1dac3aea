/* words.c: see words.h. */
#include "html/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define FILE_MAX (256u * 1024u)
#define LANGUAGES 2

static const char *const CODES[LANGUAGES] = {"en", "de"};

struct pair {
    const char *key, *text;
};

struct words {
    const char *language;
    char *store;
    struct pair *pair;
    size_t n;
    const struct words *fallback;
};

struct words_all {
    struct words w[LANGUAGES];
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

static char *trimmed(char *s)
{
    s += strspn(s, " \t");
    char *end = s + strlen(s);
    while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        *--end = '\0';
    return s;
}

static enum outcome parse(struct words *w, const char *path, struct err *err)
{
    size_t cap = 1;
    for (const char *p = w->store; *p; p++)
        cap += *p == '\n';
    w->pair = calloc(cap, sizeof *w->pair);
    if (!w->pair)
        return err_set(err, ERROR, "out of memory");
    int number = 1;
    for (char *line = w->store, *next; line; line = next, number++) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        line = trimmed(line);
        if (!*line || *line == '#')
            continue;
        char *eq = strstr(line, " = ");
        if (!eq)
            return err_set(err, INVALID, "%s:%d: not \"key = text\"", path, number);
        *eq = '\0';
        w->pair[w->n++] = (struct pair){trimmed(line), trimmed(eq + 3)};
    }
    qsort(w->pair, w->n, sizeof *w->pair, by_key);
    return OK;
}

static enum outcome read_one(const char *dir, struct words *w, struct err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/words.%s", dir, w->language);
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, errno == ENOENT ? NOT_FOUND : ERROR, "%s: %s", path, strerror(errno));
    w->store = calloc(1, FILE_MAX + 1);
    size_t n = w->store ? fread(w->store, 1, FILE_MAX, f) : 0;
    bool whole = w->store && !ferror(f) && n < FILE_MAX;
    fclose(f);
    if (!whole)
        return err_set(err, ERROR, "%s: cannot be read, or is longer than %u bytes", path,
                       FILE_MAX);
    return parse(w, path, err);
}

enum outcome words_load(const char *dir, struct words_all **out, struct err *err)
{
    struct words_all *all = calloc(1, sizeof *all);
    enum outcome o = OK;
    *out = NULL;
    if (!all)
        return err_set(err, ERROR, "out of memory");
    for (int i = 0; i < LANGUAGES && o == OK; i++) {
        all->w[i].language = CODES[i];
        all->w[i].fallback = i ? &all->w[0] : NULL;
        o = read_one(dir, &all->w[i], err);
    }
    if (o == OK)
        *out = all;
    else
        words_free(&all);
    return o;
}

void words_free(struct words_all **w)
{
    if (!*w)
        return;
    for (int i = 0; i < LANGUAGES; i++) {
        free((*w)->w[i].store);
        free((*w)->w[i].pair);
    }
    free(*w);
    *w = NULL;
}

static const struct words *of_code(const struct words_all *w, const char *s, size_t n)
{
    for (int i = 0; i < LANGUAGES; i++)
        if (n == strlen(CODES[i]) && strncmp(CODES[i], s, n) == 0)
            return &w->w[i];
    return NULL;
}

bool words_has(const struct words_all *w, const char *language)
{
    return of_code(w, language, strlen(language)) != NULL;
}

const struct words *words_choose(const struct words_all *w, const char *set, const char *accept)
{
    const struct words *best = set ? of_code(w, set, strlen(set)) : NULL;
    double weight = 0;
    if (best)
        return best;
    for (const char *p = accept; p && *p;) {
        p += strspn(p, " \t,");
        size_t n = strcspn(p, ",");
        const char *q = memmem(p, n, ";q=", 3);
        double here = q ? strtod(q + 3, NULL) : 1;
        const struct words *found = of_code(w, p, strcspn(p, "-;, \t"));
        if (found && here > weight) {
            best = found;
            weight = here;
        }
        p += n;
    }
    return best ? best : &w->w[0];
}

const char *words_language(const struct words *w)
{
    return w->language;
}

const char *words_find(const void *words, const char *key)
{
    const struct pair wanted = {.key = key};
    for (const struct words *w = words; w; w = w->fallback) {
        const struct pair *p = bsearch(&wanted, w->pair, w->n, sizeof *p, by_key);
        if (p)
            return p->text;
    }
    return key;
}

const char *words_fill_all(const struct words *w, struct arena *arena, const char *key,
                           const char *const *with, size_t n)
{
    struct buf out = BUF_INIT(4096);
    for (const char *p = words_find(w, key); *p; p++) {
        size_t i =
            p[0] == '{' && p[1] >= '1' && p[1] <= '9' && p[2] == '}' ? (size_t)(p[1] - '0') : 0;
        if (i > 0 && i <= n) {
            buf_str(&out, with[i - 1] ? with[i - 1] : "");
            p += 2;
        } else {
            buf_char(&out, *p);
        }
    }
    const char *text = buf_failed(&out) ? NULL : arena_strdup(arena, buf_cstr(&out));
    buf_free(&out);
    return text ? text : "";
}

const char *words_fill(const struct words *w, struct arena *arena, const char *key, const char *a,
                       const char *b)
{
    const char *const with[] = {a, b};
    return words_fill_all(w, arena, key, with, 2);
}
