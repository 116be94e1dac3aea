/*
 * search_words.h: what a device is found by, as words. A text is cut at blanks; of each piece the
 * letters and digits count, and where a part begins (after punctuation, or at a capital letter that
 * follows a small one) a word begins too: "Anna's MacBook-Pro" gives annas, s, macbookpro, bookpro,
 * pro. So a search for the beginning of any part is a search for the beginning of a word, which an
 * index answers; for the end of a word, it stands there backward as well.
 */
#ifndef DROVER_STORE_SEARCH_WORDS_H
#define DROVER_STORE_SEARCH_WORDS_H

#include "base/arena.h"

#define SEARCH_WORD_MAX 48 /* characters; of a longer word its beginning, or its end, counts */
#define SEARCH_TAIL_MIN 3  /* so long must be what is to be found at the end of a word */

struct search_word {
    bool backward;
    const char *word;
};
/* All words of a device, each once after search_words_sort(). */
struct search_words {
    struct arena *a;
    struct search_word *list;
    size_t n, room;
    bool failed; /* no memory */
};

/* Adds those of a text (UTF-8; NULL is none); ends: so that the ends of words are found too. */
void search_words_add(struct search_words *w, const char *text, bool ends);
/* In the order of their octets, each once. */
void search_words_sort(struct search_words *w);
/* The order of that: < 0, 0, > 0. */
int search_word_order(const void *a, const void *b);

/* One piece of what is searched for: letters and digits of the piece of text at *text, and the same
 * backward; *piece is the piece as it was written. All in a. Moves *text on. False: no more pieces.
 * *word "": the piece has neither letter nor digit. NULL: no memory. */
bool search_piece(const char **text, struct arena *a, const char **piece, const char **word,
                  const char **backward);

#endif
