/* words.c: see words.h. */
#include "html/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define FILE_MAX (512u * 1024u)
#define LANGUAGES 2
#define SAID "said_" /* keys of what the program says; their English texts are what it says */
#define SAID_WITH 9
#define SAID_DEEP 2
#define SAID_BEHIND 4
#define SAID_MAX 2048u

static const char *const CODES[LANGUAGES] = {"en", "de"};

struct pair {
    const char *key, *text;
};

struct words {
    const char *language;
    char *store;
    struct pair *pair;
    size_t n;
    size_t said, nsaid; /* of pair: what the program says */
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
    while (w->said < w->n && strncmp(w->pair[w->said].key, SAID, strlen(SAID)) < 0)
        w->said++;
    while (w->said + w->nsaid < w->n &&
           strncmp(w->pair[w->said + w->nsaid].key, SAID, strlen(SAID)) == 0)
        w->nsaid++;
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

/* The place of {1} to {9} at p: 1 to 9; 0: none stands there. */
static size_t place_of(const char *p)
{
    return p[0] == '{' && p[1] >= '1' && p[1] <= '9' && p[2] == '}' ? (size_t)(p[1] - '0') : 0;
}

const char *words_fill_all(const struct words *w, struct arena *arena, const char *key,
                           const char *const *with, size_t n)
{
    struct buf out = BUF_INIT(4096);
    for (const char *p = words_find(w, key); *p; p++) {
        size_t i = place_of(p);
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

const char *words_count(const struct words *w, struct arena *arena, const char *key, const char *n)
{
    const char *one = n && strcmp(n, "1") == 0 ? arena_fmt(arena, "%s_one", key) : NULL;
    const struct words *last = w->fallback ? w->fallback : w; /* English has all of them */
    if (!one || words_find(last, one) == one)
        return words_fill(w, arena, key, n, NULL);
    return words_fill(w, arena, one, NULL, NULL);
}

/* ---- what the program says in English, in another language ---- */

struct part {
    const char *at;
    size_t n;
    bool quoted; /* a name, which is the same in every language */
};

static size_t literal_length(const char *p)
{
    size_t n = 0;
    while (p[n] && !place_of(p + n))
        n++;
    return n;
}

/* How many characters of the text the pattern says by itself, 0: it says something else. What
 * stands in its places is put in part. */
static size_t fits(const char *pattern, const char *text, size_t len, struct part *part)
{
    const char *end = text + len;
    size_t own = 0, open = 0; /* open: the place whose end is looked for */
    memset(part, 0, SAID_WITH * sizeof *part);
    for (const char *p = pattern; *p;) {
        size_t n = literal_length(p);
        const char *at = !open ? text
                         : !p[n] && n <= (size_t)(end - text)
                             ? end - n
                             : memmem(text, (size_t)(end - text), p, n);
        if (!at || (size_t)(end - at) < n || memcmp(at, p, n) != 0)
            return 0;
        if (open)
            part[open - 1].n = (size_t)(at - part[open - 1].at);
        own += n;
        text = at + n;
        p += n;
        open = place_of(p);
        if (open) {
            part[open - 1] = (struct part){text, (size_t)(end - text), n && p[-1] == '"'};
            p += 3;
        }
    }
    return open || text == end ? own : 0;
}

/* The text of the catalogue that this is, and what stands in its places; NULL: none. Of several it
 * is the one that says most by itself. */
static const struct pair *said_find(const struct words *english, const char *text, size_t len,
                                    struct part *found)
{
    const struct pair *best = NULL;
    struct part part[SAID_WITH];
    size_t most = 0;
    for (size_t i = english->said; len && i < english->said + english->nsaid; i++) {
        size_t own = fits(english->pair[i].text, text, len, part);
        if (own > most) {
            most = own;
            best = &english->pair[i];
            memcpy(found, part, sizeof part);
        }
    }
    return best;
}

/* The text that stands behind one of the first ": ", or else before one of them: "payload 2: is
 * missing", "it is damaged: no such entry". *at and *end become its ends. */
static const struct pair *said_within(const struct words *english, const char **at,
                                      const char **end, struct part *found)
{
    const char *const from = *at, *const to = *end;
    const char *colon[SAID_BEHIND];
    size_t n = 0;
    for (const char *p = from; n < SAID_BEHIND; p = colon[n++] + 2) {
        colon[n] = memmem(p, (size_t)(to - p), ": ", 2);
        if (!colon[n])
            break;
    }
    for (size_t i = 0; i < 2 * n; i++) {
        *at = i < n ? colon[i] + 2 : from;
        *end = i < n ? to : colon[i - n];
        const struct pair *best = said_find(english, *at, (size_t)(*end - *at), found);
        if (best)
            return best;
    }
    return NULL;
}

/* Says it in w's language. False: the catalogue does not have it, and nothing was added. */
static bool say(const struct words *w, const char *text, size_t len, int deep, struct buf *out)
{
    struct part found[SAID_WITH];
    const char *at = text, *end = text + len;
    const struct pair *best = said_find(w->fallback, text, len, found);
    if (!best)
        best = said_within(w->fallback, &at, &end, found);
    if (!best)
        return false;
    buf_add(out, text, (size_t)(at - text));
    for (const char *p = words_find(w, best->key); *p; p++) {
        const struct part *x = place_of(p) ? &found[place_of(p) - 1] : NULL;
        if (!x || !x->at) {
            buf_char(out, *p);
            continue;
        }
        /* a part is said too where it is a text of its own; a name stays */
        if (x->quoted || deep == SAID_DEEP || !say(w, x->at, x->n, deep + 1, out))
            buf_add(out, x->at, x->n);
        p += 2;
    }
    buf_add(out, end, (size_t)(text + len - end));
    return true;
}

const char *words_said(const struct words *w, struct arena *arena, const char *english)
{
    struct buf out = BUF_INIT(4 * SAID_MAX);
    size_t n = english ? strlen(english) : 0;
    if (!w->fallback || n == 0 || n > SAID_MAX)
        return english;
    bool known = say(w, english, n, 0, &out) && !buf_failed(&out);
    const char *text = known ? arena_strdup(arena, buf_cstr(&out)) : NULL;
    buf_free(&out);
    return text ? text : english;
}
