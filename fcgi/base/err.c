/* err.c: outcomes and their words. Formats into memory the caller lends; allocates nothing. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum outcome err_set_at(struct err *e, enum outcome o, const char *file, int line, const char *fmt,
                        ...)
{
    if (!e)
        return o;
    int saved = errno; /* callers look at errno after reporting */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    e->outcome = o;
    e->file = file;
    e->line = line;
    errno = saved;
    return o;
}

enum outcome err_prefix(struct err *e, const char *fmt, ...)
{
    if (!e)
        return ERROR;
    char prefix[sizeof e->msg - 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, ap);
    va_end(ap);

    /* the end of the old message makes room */
    size_t n = strlen(prefix), keep = strnlen(e->msg, sizeof e->msg - 1 - n - 2);
    memmove(e->msg + n + 2, e->msg, keep);
    e->msg[n + 2 + keep] = '\0';
    memcpy(e->msg, prefix, n);
    memcpy(e->msg + n, ": ", 2);
    return e->outcome;
}

const char *outcome_name(enum outcome o)
{
    switch (o) {
    case OK:
        return "ok";
    case NOT_FOUND:
        return "not_found";
    case DENIED:
        return "denied";
    case CONFLICT:
        return "conflict";
    case INVALID:
        return "invalid";
    case UNAVAILABLE:
        return "unavailable";
    case ERROR:
        return "error";
    }
    return "unknown";
}
