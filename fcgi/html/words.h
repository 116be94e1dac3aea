/*
 * words.h: the texts of the pages in every language: DIR/words.LL, UTF-8, lines "key = text",
 * comments after '#'. English (words.en) is complete; what another lacks is taken from it.
 */
#ifndef DROVER_HTML_WORDS_H
#define DROVER_HTML_WORDS_H

#include "base/arena.h"

struct words;     /* of one language */
struct words_all; /* of all */

/* Reads the files. INVALID: a line that is none (file and line); NOT_FOUND: no words.en. */
enum outcome words_load(const char *dir, struct words_all **out, struct err *err) MUST_USE;
void words_free(struct words_all **w);
/* The language that was set, or else the best of an Accept-Language (RFC 9110 section 12.5.4; NULL:
 * none), or English. */
const struct words *words_choose(const struct words_all *w, const char *set, const char *accept);
/* Is there that language? */
bool words_has(const struct words_all *w, const char *language);
/* "en", "de". */
const char *words_language(const struct words *w);
/* The text of a key, or the key itself. As value_lookup_fn. */
const char *words_find(const void *words, const char *key);
/* The text with {1} and {2} replaced by a and b (NULL: ""), in the arena; "" without memory. */
const char *words_fill(const struct words *w, struct arena *arena, const char *key, const char *a,
                       const char *b);
/* The same with a number in {1}; of 1 the text of "KEY_one", which says "a day", not "1 days". */
const char *words_count(const struct words *w, struct arena *arena, const char *key, const char *n);
/* The same with {1} to {n}, n at most 9. */
const char *words_fill_all(const struct words *w, struct arena *arena, const char *key,
                           const char *const *with, size_t n);
/* What the program itself said in English (an error, a reason that was stored, a description of the
 * command catalogue), in the language, in the arena. The texts are those of the keys said_*, where
 * {1} to {9} stand for what differs; scripts/lint holds them against the program. What the
 * catalogue does not have comes back as it is. */
const char *words_said(const struct words *w, struct arena *arena, const char *english);

#endif
