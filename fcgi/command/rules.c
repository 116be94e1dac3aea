/* rules.c: see rules.h. */
#include "command/validate_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define WORD_MAX 96
#define WORDS_MAX 8

/* The arguments of a rule, which are ours and short. "KEY=VALUE" keeps its value apart. */
struct words {
    char word[WORDS_MAX][WORD_MAX];
    const char *value[WORDS_MAX]; /* NULL: no "=" */
    size_t n;
};

static void words_read(const char *args, struct words *w)
{
    for (w->n = 0; *args != '\0' && w->n < WORDS_MAX; w->n++) {
        char *word = w->word[w->n], *eq;
        size_t n = strcspn(args, " ");

        snprintf(word, WORD_MAX, "%.*s", (int)n, args);
        eq = strchr(word, '=');
        w->value[w->n] = eq != NULL ? eq + 1 : NULL;
        if (eq != NULL)
            *eq = '\0';
        args += n + (args[n] == ' ');
    }
}

/* Whether word i holds of the dictionary: the key is there, and has the value. */
static bool holds(pl dict, const struct words *w, size_t i)
{
    pl v = pl_get(dict, w->word[i]);
    const char *want = w->value[i];
    int64_t n;
    bool b;

    if (v == NULL || want == NULL)
        return v != NULL;
    if (pl_bool(v, &b))
        return strcmp(want, b ? "true" : "false") == 0;
    if (pl_int(v, &n))
        return n == strtoll(want, NULL, 10);
    return pl_str(v) != NULL && strcmp(pl_str(v), want) == 0;
}

static bool array_has(pl array, const char *s)
{
    for (size_t i = 0; i < pl_size(array); i++) {
        const char *t = pl_str(pl_at(array, i));

        if (t != NULL && strcmp(t, s) == 0)
            return true;
    }
    return false;
}

/* "A, B, C" */
static const char *list(const struct words *w, char *out, size_t max)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < w->n && at < max; i++)
        at += (size_t)snprintf(out + at, max - at, "%s%s", i == 0 ? "" : ", ", w->word[i]);
    return out;
}

/* ---- between the keys of a dictionary ---- */

static void some_of(struct check *c, enum rule r, const struct words *w, pl dict)
{
    char names[256];
    size_t n = 0;

    for (size_t i = 0; i < w->n; i++)
        n += pl_get(dict, w->word[i]) != NULL;
    if (n == 0 && r == RULE_EXACTLY_ONE)
        check_error(c, "needs one of %s", list(w, names, sizeof names));
    else if (n == 0)
        check_error(c, "needs at least one of %s", list(w, names, sizeof names));
    else if (n > 1 && r == RULE_EXACTLY_ONE)
        check_error(c, "may have only one of %s", list(w, names, sizeof names));
}

static void between(struct check *c, enum rule r, const struct words *w, pl dict)
{
    bool first = holds(dict, w, 0), second = holds(dict, w, 1);

    if (r == RULE_NEEDS && first && !second)
        check_error(c, "%s needs %s beside it", w->word[0], w->word[1]);
    else if (r == RULE_WHEN && first && !second)
        check_error(c, "needs %s when %s is %s", w->word[1], w->word[0], w->value[0]);
    else if (r == RULE_UNLESS && !first && !second)
        check_error(c, "needs %s unless %s is %s", w->word[1], w->word[0], w->value[0]);
    else if (r == RULE_CONFLICT && first && second)
        check_error(c, "%s and %s cannot be %s and %s together", w->word[0], w->word[1],
                    w->value[0], w->value[1]);
    else if (r == RULE_ONLY_WITH && first && !second)
        check_error(c, "%s is for %s = %s only", w->word[0], w->word[1], w->value[1]);
    else if (r == RULE_CONTAINS && first && !array_has(pl_get(dict, w->word[1]), w->word[2]))
        check_error(c, "%s is of use with %s in %s only", w->word[0], w->word[2], w->word[1]);
}

/* ---- of a value ---- */

static void number(struct check *c, enum rule r, const struct words *w, pl value)
{
    double v, low = strtod(w->word[0], NULL), high = w->n > 1 ? strtod(w->word[1], NULL) : 0;
    int64_t i;

    if (pl_int(value, &i))
        v = (double)i;
    else if (!pl_real(value, &v))
        return;
    if (r == RULE_RANGE && (v < low || v > high))
        check_error(c, "is %g; it must be from %g to %g", v, low, high);
    else if (r == RULE_AT_LEAST && v < low)
        check_error(c, "is %g; it must be at least %g", v, low);
    else if (r == RULE_ZERO_OR && v != 0 && v < low)
        check_error(c, "is %g; it must be 0, or at least %g", v, low);
}

/* Characters, not octets. */
static size_t characters(const char *s)
{
    size_t n = 0;

    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void length(struct check *c, const struct words *w, const char *s)
{
    size_t n = characters(s);
    char names[64];

    for (size_t i = 0; i < w->n; i++)
        if (n == strtoul(w->word[i], NULL, 10))
            return;
    check_error(c, "has %zu characters; allowed are %s", n, list(w, names, sizeof names));
}

static void digits(struct check *c, const struct words *w, const char *s)
{
    if (strlen(s) != strtoul(w->word[0], NULL, 10) || strspn(s, "0123456789") != strlen(s))
        check_warn(c, "is not %s digits, which is what devices expect", w->word[0]);
}

static void https(struct check *c, const char *s)
{
    static const char scheme[] = "https://";
    size_t n = sizeof scheme - 1;

    if (strncasecmp(s, scheme, n) != 0)
        check_error(c, "must begin with https://");
    else if (s[n] == '\0' || s[n] == '/' || s[n] == '?' || s[n] == '#')
        check_error(c, "names no host");
    else
        for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++)
            if (*p <= 0x20 || *p == 0x7f) {
                check_error(c, "is no URL: it holds a blank or a control character");
                return;
            }
}

static void printable(struct check *c, const char *s)
{
    for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++)
        if (*p < 0x20 || *p > 0x7e) {
            check_error(c, "must be of printable ASCII characters");
            return;
        }
}

static void mac_address(struct check *c, const char *s)
{
    bool ok = strlen(s) == 17;

    for (size_t i = 0; ok && i < 17; i++)
        ok = i % 3 == 2 ? s[i] == ':' : isxdigit((unsigned char)s[i]) != 0;
    if (!ok)
        check_error(c, "must be a hardware address, xx:xx:xx:xx:xx:xx");
}

static void octets(struct check *c, const struct words *w, pl value)
{
    struct bytes b;

    if (pl_data(value, &b) && b.n > strtoul(w->word[0], NULL, 10))
        check_error(c, "has %zu octets; at most %s are allowed", b.n, w->word[0]);
}

static void right(struct check *c, enum rule r, const struct words *w, pl value)
{
    bool b;

    if (r == RULE_RIGHT || (pl_bool(value, &b) && b))
        support_right(c, right_read(w->word[0], strlen(w->word[0])), false);
}

static void of_string(struct check *c, enum rule r, const struct words *w, const char *s)
{
    if (s == NULL)
        return;
    if (r == RULE_LENGTH)
        length(c, w, s);
    else if (r == RULE_DIGITS)
        digits(c, w, s);
    else if (r == RULE_PRINTABLE)
        printable(c, s);
    else if (r == RULE_HTTPS)
        https(c, s);
    else
        mac_address(c, s);
}

void rule_check(struct check *c, enum rule r, const char *args, pl value)
{
    struct words w;

    words_read(args, &w);
    switch (r) {
    case RULE_EXACTLY_ONE:
    case RULE_SOME_OF:
        some_of(c, r, &w, value);
        break;
    case RULE_NEEDS:
    case RULE_WHEN:
    case RULE_UNLESS:
    case RULE_CONFLICT:
    case RULE_ONLY_WITH:
    case RULE_CONTAINS:
        between(c, r, &w, value);
        break;
    case RULE_RANGE:
    case RULE_AT_LEAST:
    case RULE_ZERO_OR:
        number(c, r, &w, value);
        break;
    case RULE_LENGTH:
    case RULE_DIGITS:
    case RULE_PRINTABLE:
    case RULE_HTTPS:
    case RULE_MAC_ADDRESS:
        of_string(c, r, &w, pl_str(value));
        break;
    case RULE_OCTETS:
        octets(c, &w, value);
        break;
    case RULE_RIGHT:
    case RULE_RIGHT_IF_TRUE:
        right(c, r, &w, value);
        break;
    case RULE_FILLED:
    case RULE__MAX:
        break;
    }
}

const char *rule_name(enum rule r)
{
    static const char *const names[RULE__MAX] = {
        [RULE_EXACTLY_ONE] = "exactly-one",
        [RULE_SOME_OF] = "some-of",
        [RULE_NEEDS] = "needs",
        [RULE_WHEN] = "when",
        [RULE_UNLESS] = "unless",
        [RULE_CONFLICT] = "conflict",
        [RULE_ONLY_WITH] = "only-with",
        [RULE_CONTAINS] = "contains",
        [RULE_RANGE] = "range",
        [RULE_AT_LEAST] = "at-least",
        [RULE_ZERO_OR] = "zero-or",
        [RULE_LENGTH] = "length",
        [RULE_DIGITS] = "digits",
        [RULE_OCTETS] = "octets",
        [RULE_PRINTABLE] = "printable",
        [RULE_HTTPS] = "https",
        [RULE_MAC_ADDRESS] = "mac-address",
        [RULE_RIGHT] = "right",
        [RULE_RIGHT_IF_TRUE] = "right-if-true",
        [RULE_FILLED] = "filled",
    };

    return (unsigned)r < RULE__MAX ? names[r] : "";
}
