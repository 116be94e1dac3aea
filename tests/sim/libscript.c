/* libscript.c: see libscript.h. */
#include "libscript.h"

#include "base/clock.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct rule {
    char match[130];
    long device; /* -1: any */
    long count;  /* deliveries it still holds for; -1: no end */
    struct behaviour b;
    struct rule *next; /* older */
};

struct script {
    struct rule *newest;
};

enum outcome script_new(struct script **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    return *out ? OK : err_set(err, ERROR, "out of memory");
}

void script_clear(struct script *s)
{
    while (s->newest) {
        struct rule *r = s->newest;
        s->newest = r->next;
        free(r);
    }
}

void script_free(struct script **s)
{
    if (!*s)
        return;
    script_clear(*s);
    free(*s);
    *s = NULL;
}

static bool number(const char *s, double *out)
{
    char *end;
    if (!s || !*s)
        return false;
    *out = strtod(s, &end);
    return *end == '\0' && *out >= 0 && *out < 1e9;
}

static enum outcome read_cut(const char *when, struct behaviour *b, struct err *err)
{
    if (when && strcmp(when, "before") == 0)
        b->action = ACT_CUT_BEFORE;
    else if (when && strcmp(when, "during") == 0)
        b->action = ACT_CUT_DURING;
    else if (when && strcmp(when, "after") == 0)
        b->action = ACT_CUT_AFTER;
    else if (when && strcmp(when, "download") == 0)
        b->action = ACT_CUT_DOWNLOAD;
    else
        return err_set(err, INVALID, "disconnect wants before, during, after or download");
    return OK;
}

/* verb and the rest of the line, which strtok_r continues. */
static enum outcome read_action(const char *verb, char **rest, struct behaviour *b, struct err *err)
{
    static const struct {
        const char *word;
        enum action action;
    } plain[] = {{"acknowledge", ACT_ACKNOWLEDGE},
                 {"formaterror", ACT_FORMAT_ERROR},
                 {"twice", ACT_TWICE},
                 {"never", ACT_NEVER}};
    double v = 0;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(verb, plain[i].word) == 0) {
            b->action = plain[i].action;
            return OK;
        }
    char *arg = strtok_r(NULL, " \t", rest);
    if (strcmp(verb, "disconnect") == 0)
        return read_cut(arg, b, err);
    if (arg && !number(arg, &v))
        return err_set(err, INVALID, "\"%s\" is no number", arg);
    if (strcmp(verb, "notnow") == 0) {
        b->action = ACT_NOTNOW;
        b->n = arg ? (int64_t)v : -1;
    } else if (strcmp(verb, "late") == 0) {
        b->action = ACT_LATE;
        b->n = (int64_t)(v * SECOND_US);
        if (!arg)
            return err_set(err, INVALID, "late wants a number of seconds");
    } else if (strcmp(verb, "error") == 0) {
        b->action = ACT_ERROR;
        b->n = arg ? (int64_t)v : 12021;
        char *domain = strtok_r(NULL, " \t", rest);
        snprintf(b->domain, sizeof b->domain, "%s", domain ? domain : "MCMDMErrorDomain");
        snprintf(b->text, sizeof b->text, "%s",
                 domain && *rest && **rest ? *rest : "The command could not be performed.");
    } else {
        return err_set(err, INVALID, "\"%s\" is no action", verb);
    }
    return OK;
}

static enum outcome read_rule(char *line, struct rule *r, struct err *err)
{
    char *rest = NULL, *match = strtok_r(line, " \t", &rest), *word;
    r->device = r->count = -1;
    if (strlen(match) >= sizeof r->match)
        return err_set(err, INVALID, "the match is too long");
    snprintf(r->match, sizeof r->match, "%s", match);
    while ((word = strtok_r(NULL, " \t", &rest))) {
        double v;
        if (strncmp(word, "device=", 7) == 0 && number(word + 7, &v))
            r->device = (long)v;
        else if (strncmp(word, "count=", 6) == 0 && number(word + 6, &v))
            r->count = (long)v;
        else
            return read_action(word, &rest, &r->b, err);
    }
    return err_set(err, INVALID, "the rule has no action");
}

enum outcome script_add(struct script *s, const char *line, struct err *err)
{
    char copy[512];
    line += strspn(line, " \t\r\n");
    if (*line == '#' || *line == '\0')
        return OK;
    if ((size_t)snprintf(copy, sizeof copy, "%s", line) >= sizeof copy)
        return err_set(err, INVALID, "the rule is too long");
    copy[strcspn(copy, "\r\n")] = '\0';
    struct rule *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = read_rule(copy, r, err);
    if (o != OK) {
        free(r);
        return o;
    }
    r->next = s->newest;
    s->newest = r;
    return OK;
}

enum outcome script_load(struct script *s, const char *path, struct err *err)
{
    FILE *f = fopen(path, "re");
    char line[600];
    enum outcome o = OK;
    if (!f)
        return err_set(err, INVALID, "%s: %s", path, strerror(errno));
    for (int n = 1; o == OK && fgets(line, sizeof line, f); n++) {
        o = script_add(s, line, err);
        if (o != OK)
            err_prefix(err, "%s:%d", path, n);
    }
    fclose(f);
    return o;
}

void script_find(struct script *s, unsigned device, const char *type, const char *uuid,
                 unsigned deliveries, struct behaviour *out)
{
    *out = (struct behaviour){.action = ACT_ACKNOWLEDGE};
    for (struct rule *r = s->newest; r; r = r->next) {
        if ((r->device >= 0 && (unsigned long)r->device != device) || r->count == 0)
            continue;
        if (strcmp(r->match, "*") != 0 && strcmp(r->match, type) != 0 &&
            strcmp(r->match, uuid) != 0)
            continue;
        if (r->b.action == ACT_NOTNOW && r->b.n >= 0 && deliveries > (unsigned long)r->b.n)
            return;
        if (r->count > 0)
            r->count--;
        *out = r->b;
        return;
    }
}
