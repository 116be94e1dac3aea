/* check.c: where a check is at, and what it found. See validate_int.h. */
#include "command/validate_int.h"

#include <stdio.h>

#define TEXT_MAX 512
#define KEY_SHOWN 64 /* octets of a key that are shown */

static size_t step(struct check *c, const char *s, size_t n)
{
    size_t was = c->path_n;

    if (n > sizeof c->path - 1 - was)
        n = sizeof c->path - 1 - was;
    memcpy(c->path + was, s, n);
    c->path_n += n;
    c->path[c->path_n] = '\0';
    return was;
}

/* Control characters become '?', and an overlong text ends at a whole character. */
static void tame(char *s, size_t max)
{
    size_t n = strlen(s);

    if (n > max) {
        while (max > 0 && ((unsigned char)s[max] & 0xc0) == 0x80)
            max--;
        s[max] = '\0';
    }
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

size_t check_key(struct check *c, const char *key)
{
    char name[KEY_SHOWN + 8];
    size_t was = c->path_n;

    snprintf(name, sizeof name, "%s", key);
    tame(name, KEY_SHOWN);
    if (was != 0)
        step(c, ".", 1);
    step(c, name, strlen(name));
    return was;
}

size_t check_index(struct check *c, size_t i)
{
    char at[32];

    snprintf(at, sizeof at, "[%zu]", i);
    return step(c, at, strlen(at));
}

void check_up(struct check *c, size_t was)
{
    c->path_n = was;
    c->path[was] = '\0';
}

static void note(struct check *c, bool error, const char *fmt, va_list ap)
{
    struct findings *out = c->out;
    struct finding *f = &out->list[out->n];
    char text[TEXT_MAX];

    *(error ? &out->errors : &out->warnings) += 1;
    if (out->n == FINDINGS_MAX)
        return;
    vsnprintf(text, sizeof text, fmt, ap);
    tame(text, sizeof text - 8);
    f->error = error;
    f->path = arena_strdup(c->arena, c->path);
    f->text = arena_strdup(c->arena, text);
    if (f->path == NULL || f->text == NULL)
        c->failed = true;
    else
        out->n++;
}

void check_error(struct check *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    note(c, true, fmt, ap);
    va_end(ap);
}

void check_warn(struct check *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    note(c, false, fmt, ap);
    va_end(ap);
}
