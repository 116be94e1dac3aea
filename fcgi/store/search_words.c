/* search_words.c: see search_words.h. */
#include "store/search_words.h"

#include "base/utf8.h"

#include <stdlib.h>

#define PIECE_MAX 128 /* characters of one piece that are looked at */
#define PARTS_MAX 6   /* words that begin within one piece */
#define WORDS_MAX 400 /* of one device */

/* A piece as letters and digits: where each character stands, and where parts begin. */
struct piece {
    char text[PIECE_MAX * 4 + 1];
    size_t at[PIECE_MAX + 1]; /* octet of each character; [n] is the end */
    size_t n;
    size_t part[PARTS_MAX];
    size_t parts;
};

static bool is_blank(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0 || (c >= 0x2000 && c <= 0x200b) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x3000;
}

static bool is_small(uint32_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_capital(uint32_t c)
{
    return c >= 'A' && c <= 'Z';
}

/* Beyond ASCII everything is a letter but blanks and General Punctuation. */
static bool is_letter(uint32_t c)
{
    if (c < 0x80)
        return is_small(c) || is_capital(c) || (c >= '0' && c <= '9');
    return !is_blank(c) && c != 0xad && !(c >= 0x2000 && c <= 0x206f);
}

/* An octet that is no UTF-8 separates. */
static size_t next(const char *s, uint32_t *c)
{
    size_t n = utf8_next((const uint8_t *)s, strlen(s), c);

    if (n == 0) {
        *c = '?';
        n = 1;
    }
    return n;
}

static void piece_add(struct piece *p, const char *s, size_t n, bool begins)
{
    if (p->n == PIECE_MAX)
        return;
    if (begins && p->parts < PARTS_MAX)
        p->part[p->parts++] = p->n;
    memcpy(p->text + p->at[p->n], s, n);
    if (n == 1 && is_capital((uint8_t)*s))
        p->text[p->at[p->n]] = (char)(*s - 'A' + 'a');
    p->at[p->n + 1] = p->at[p->n] + n;
    p->n++;
    p->text[p->at[p->n]] = '\0';
}

/* Reads the piece that begins at s, which is no blank; what follows it. */
static const char *piece_read(const char *s, struct piece *p)
{
    bool begins = true, small = false;
    uint32_t c;

    *p = (struct piece){.n = 0};
    while (*s != '\0') {
        size_t n = next(s, &c);

        if (is_blank(c))
            break;
        if (is_letter(c)) {
            /* "iPhone" is one word */
            piece_add(p, s, n, begins || (small && is_capital(c) && p->n > 1));
            begins = false;
        } else {
            begins = true;
        }
        small = is_small(c);
        s += n;
    }
    return s;
}

static const char *skip_blanks(const char *s)
{
    uint32_t c;

    while (*s != '\0') {
        size_t n = next(s, &c);

        if (!is_blank(c))
            break;
        s += n;
    }
    return s;
}

/* Characters from..end, at most SEARCH_WORD_MAX. */
static const char *forward(const struct piece *p, size_t from, struct arena *a)
{
    size_t end = p->n - from > SEARCH_WORD_MAX ? from + SEARCH_WORD_MAX : p->n;

    return arena_strndup(a, p->text + p->at[from], p->at[end] - p->at[from]);
}

static const char *backward(const struct piece *p, struct arena *a)
{
    char *out = arena_alloc(a, p->at[p->n] + 1), *to = out;

    for (size_t i = p->n; out != NULL && i-- > 0 && p->n - i <= SEARCH_WORD_MAX;) {
        size_t n = p->at[i + 1] - p->at[i];

        memcpy(to, p->text + p->at[i], n);
        to += n;
    }
    return out;
}

static void add(struct search_words *w, bool back, const char *word)
{
    if (w->n == WORDS_MAX)
        return;
    if (w->n == w->room) {
        size_t room = w->room != 0 ? w->room * 2 : 64;
        struct search_word *list = arena_array(w->a, room, sizeof *list);

        if (list == NULL) {
            w->failed = true;
            return;
        }
        if (w->n > 0)
            memcpy(list, w->list, w->n * sizeof *list);
        w->list = list;
        w->room = room;
    }
    if (word == NULL)
        w->failed = true;
    else
        w->list[w->n++] = (struct search_word){back, word};
}

void search_words_add(struct search_words *w, const char *text, bool ends)
{
    struct piece p;

    if (text == NULL)
        return;
    for (const char *s = skip_blanks(text); *s != '\0'; s = skip_blanks(s)) {
        s = piece_read(s, &p);
        for (size_t i = 0; i < p.parts; i++)
            add(w, false, forward(&p, p.part[i], w->a));
        if (ends && p.n > SEARCH_TAIL_MIN)
            add(w, true, backward(&p, w->a));
    }
}

int search_word_order(const void *a, const void *b)
{
    const struct search_word *x = a, *y = b;

    return x->backward != y->backward ? x->backward - y->backward : strcmp(x->word, y->word);
}

void search_words_sort(struct search_words *w)
{
    size_t k = 0;

    if (w->n > 0)
        qsort(w->list, w->n, sizeof *w->list, search_word_order);
    for (size_t i = 0; i < w->n; i++)
        if (k == 0 || search_word_order(&w->list[k - 1], &w->list[i]) != 0)
            w->list[k++] = w->list[i];
    w->n = k;
}

bool search_piece(const char **text, struct arena *a, const char **piece, const char **word,
                  const char **back)
{
    const char *s = skip_blanks(*text);
    struct piece p;

    if (*s == '\0')
        return false;
    *text = piece_read(s, &p);
    *piece = arena_strndup(a, s, (size_t)(*text - s));
    *word = p.n > 0 ? forward(&p, 0, a) : "";
    *back = p.n >= SEARCH_TAIL_MIN ? backward(&p, a) : "";
    return true;
}
