/* raw_edit.c: see raw_edit.h. */
#include "library/raw_edit.h"

#include "base/limits.h"
#include "library/config_profile.h"
#include "library/contents.h"

#include <stdio.h>

#define PATH_MAX_OCTETS 512u

struct walk {
    const char *type;     /* of the payload; "" */
    const char *old_type; /* of putting back: what it was */
    size_t kept;
    pl dict; /* being filled */
    pl old;  /* of putting back: the same place in the old profile */
    char path[PATH_MAX_OCTETS];
    size_t path_n;
    struct err *err;
    enum outcome o;
};

/* Goes to a key, or (NULL) to an entry of a list. */
static size_t path_add(struct walk *w, const char *key, size_t i)
{
    size_t was = w->path_n;
    char part[300];
    int n = key == NULL ? snprintf(part, sizeof part, "[%zu]", i)
                        : snprintf(part, sizeof part, "%s%s", was != 0 ? "." : "", key);
    size_t len = n > 0 && (size_t)n < sizeof part ? (size_t)n : 0;

    if (was + len < sizeof w->path) {
        memcpy(w->path + was, part, len);
        w->path_n += len;
    }
    w->path[w->path_n] = '\0';
    return was;
}

static void path_back(struct walk *w, size_t was)
{
    w->path_n = was;
    w->path[was] = '\0';
}

/* The type that says which keys of a dictionary are secret. */
static const char *type_of(const struct walk *w, pl dict)
{
    const char *type = pl_get_str(dict, "PayloadType");

    return type != NULL ? type : w->type;
}

/* ---- out ---- */

static pl conceal(struct walk *w, pl node);

static bool conceal_entry(const char *key, pl value, void *arg)
{
    struct walk *w = arg;
    pl dict = w->dict;

    if (content_secret(w->type, key, value)) {
        pl_set_str(dict, key, RAW_KEPT);
        w->kept++;
    } else {
        pl v = conceal(w, value);

        if (v != NULL)
            pl_set(dict, key, v);
    }
    w->dict = dict;
    return true;
}

static pl conceal(struct walk *w, pl node)
{
    const char *type = w->type;
    pl out;

    switch (pl_type_of(node)) {
    case PL_ARRAY:
        out = pl_new_array();
        for (size_t i = 0; i < pl_size(node); i++)
            pl_append(out, conceal(w, pl_at(node, i)));
        return out;
    case PL_DICT:
        out = w->dict = pl_new_dict();
        w->type = type_of(w, node);
        pl_each(node, conceal_entry, w);
        w->type = type;
        return out;
    default:
        return pl_copy(node);
    }
}

static enum outcome parse(struct arena *a, struct bytes file, pl *root, struct err *err)
{
    const char *signed_by;
    struct bytes plist;
    enum outcome o = config_profile_unwrap(a, file, &plist, &signed_by, err);

    return o == OK ? pl_parse(plist, root, err) : o;
}

enum outcome raw_text(struct arena *a, struct bytes file, struct buf *out, size_t *kept,
                      struct err *err)
{
    struct walk w = {.type = ""};
    pl root = NULL, shown;
    enum outcome o = parse(a, file, &root, err);

    if (o != OK)
        return o;
    shown = conceal(&w, root);
    pl_free(&root);
    if (shown == NULL || pl_to_xml(shown, out) != OK)
        o = err_set(err, ERROR, "the profile is too long as a text");
    pl_free(&shown);
    *kept = w.kept;
    return o;
}

/* ---- and back ---- */

static pl restore(struct walk *w, const char *key, pl node, pl old);

static bool restore_entry(const char *key, pl value, void *arg)
{
    struct walk *w = arg;
    pl dict = w->dict, old = w->old;
    size_t was = path_add(w, key, 0);
    pl v = restore(w, key, value, pl_get(old, key));

    w->dict = dict;
    w->old = old;
    if (v != NULL)
        pl_set(dict, key, v);
    path_back(w, was);
    return w->o == OK;
}

/* The entry of the old list that an entry was: a payload by its PayloadUUID, anything else by its
 * place. */
static pl twin(pl node, pl list, size_t i)
{
    const char *uuid = pl_get_str(node, "PayloadUUID");

    for (size_t k = 0; uuid != NULL && pl_type_of(list) == PL_ARRAY && k < pl_size(list); k++) {
        const char *u = pl_get_str(pl_at(list, k), "PayloadUUID");

        if (u != NULL && strcmp(u, uuid) == 0)
            return pl_at(list, k);
    }
    return uuid == NULL && pl_type_of(list) == PL_ARRAY && i < pl_size(list) ? pl_at(list, i)
                                                                             : NULL;
}

static pl restore(struct walk *w, const char *key, pl node, pl old)
{
    const char *type = w->type, *old_type = w->old_type;
    pl out;

    switch (pl_type_of(node)) {
    case PL_STRING:
        if (strcmp(pl_str(node), RAW_KEPT) != 0)
            return pl_copy(node);
        /* as part of another type it might be shown */
        if (content_secret(w->old_type, key, old) && content_secret(w->type, key, old))
            return pl_copy(old);
        w->o = err_set(
            w->err, INVALID,
            "%.200s: there was no secret here that could be kept; write what it is to be", w->path);
        return NULL;
    case PL_ARRAY:
        out = pl_new_array();
        for (size_t i = 0; w->o == OK && i < pl_size(node); i++) {
            size_t was = path_add(w, NULL, i);
            pl v = restore(w, key, pl_at(node, i), twin(pl_at(node, i), old, i));

            if (v != NULL)
                pl_append(out, v);
            path_back(w, was);
        }
        return out;
    case PL_DICT:
        out = w->dict = pl_new_dict();
        w->old = old;
        w->type = pl_get_str(node, "PayloadType") != NULL ? pl_get_str(node, "PayloadType") : type;
        if (pl_get_str(old, "PayloadType") != NULL)
            w->old_type = pl_get_str(old, "PayloadType");
        pl_each(node, restore_entry, w);
        w->type = type;
        w->old_type = old_type;
        return out;
    default:
        return pl_copy(node);
    }
}

enum outcome raw_apply(struct arena *a, struct bytes text, struct bytes old, struct buf *out,
                       struct err *err)
{
    struct walk w = {.type = "", .old_type = "", .err = err, .o = OK};
    pl root = NULL, before = NULL, made = NULL;
    enum outcome o = pl_parse(text, &root, err);

    if (o == OK && pl_type_of(root) != PL_DICT)
        o = err_set(err, INVALID, "a profile is a dictionary");
    if (o == OK)
        o = parse(a, old, &before, err);
    if (o == OK) {
        made = restore(&w, "", root, before);
        o = w.o;
    }
    if (o == OK && (made == NULL || pl_to_xml(made, out) != OK || out->len > LIM_PROFILE))
        o = err_set(err, INVALID, "a profile has at most %u octets", LIM_PROFILE);
    pl_free(&root);
    pl_free(&before);
    pl_free(&made);
    return o;
}

/* ---- where a path stands in the text ---- */

struct scan {
    const char *p, *end;
    size_t line;
    char path[PATH_MAX_OCTETS]; /* of the container that is open */
    struct level {
        size_t path_n;
        bool dict;
        size_t i; /* entries so far */
        char key[200];
    } level[LIM_PLIST_DEPTH + 1];
    size_t depth;
};

/* Goes on to what follows mark; to the end when it is not there. */
static void skip_past(struct scan *s, const char *mark)
{
    const char *at = memmem(s->p, (size_t)(s->end - s->p), mark, strlen(mark));
    const char *to = at != NULL ? at + strlen(mark) : s->end;

    for (; s->p < to; s->p++)
        s->line += *s->p == '\n';
}

static bool tag_is(const char *tag, size_t n, const char *name)
{
    return strlen(name) == n && memcmp(tag, name, n) == 0;
}

/* The path of the value that begins here. */
static void value_path(struct scan *s, char out[PATH_MAX_OCTETS])
{
    struct level *l = s->depth > 0 ? &s->level[s->depth - 1] : NULL;

    if (l == NULL)
        out[0] = '\0';
    else if (l->dict)
        snprintf(out, PATH_MAX_OCTETS, "%.*s%s%s", (int)l->path_n, s->path,
                 l->path_n > 0 ? "." : "", l->key);
    else
        snprintf(out, PATH_MAX_OCTETS, "%.*s[%zu]", (int)l->path_n, s->path, l->i++);
}

static void open_level(struct scan *s, const char *path, bool dict)
{
    struct level *l = &s->level[s->depth];

    if (s->depth == LIM_PLIST_DEPTH)
        return;
    *l = (struct level){.dict = dict, .path_n = strlen(path)};
    memcpy(s->path, path, l->path_n + 1);
    s->depth++;
}

/* Reads a tag, which begins after '<'. True: the value that it begins is the one. */
static bool tag_read(struct scan *s, const char *wanted)
{
    char path[PATH_MAX_OCTETS];
    const char *tag = s->p;
    size_t n = 0;
    bool closed;

    while (s->p + n < s->end && strchr("> \t\r\n/", tag[n]) == NULL)
        n++;
    if (tag_is(tag, n, "") && n < (size_t)(s->end - tag) && tag[0] == '/') { /* an end */
        s->depth -=
            s->depth > 0 && (strncmp(tag, "/dict", 5) == 0 || strncmp(tag, "/array", 6) == 0);
        skip_past(s, ">");
        return false;
    }
    if (tag_is(tag, n, "plist")) {
        skip_past(s, ">");
        return false;
    }
    if (tag_is(tag, n, "key") && s->depth > 0) {
        struct level *l = &s->level[s->depth - 1];
        const char *from, *to;

        skip_past(s, ">");
        from = s->p;
        skip_past(s, "<");
        to = s->p > from ? s->p - 1 : from;
        snprintf(l->key, sizeof l->key, "%.*s", (int)(to - from), from);
        skip_past(s, ">");
        return false;
    }
    value_path(s, path);
    if (strcmp(path, wanted) == 0)
        return true;
    skip_past(s, ">");
    closed = s->p - 2 >= tag && s->p[-2] == '/';
    if (closed)
        return false;
    if (tag_is(tag, n, "dict") || tag_is(tag, n, "array")) {
        open_level(s, path, tag_is(tag, n, "dict"));
    } else {
        skip_past(s, "</");
        skip_past(s, ">");
    }
    return false;
}

static size_t line_of(struct bytes text, const char *wanted)
{
    struct scan s = {.p = (const char *)text.p, .end = (const char *)text.p + text.n, .line = 1};

    while (s.p < s.end) {
        skip_past(&s, "<");
        if (s.end - s.p >= 3 && memcmp(s.p, "!--", 3) == 0)
            skip_past(&s, "-->");
        else if (s.p < s.end && (*s.p == '?' || *s.p == '!'))
            skip_past(&s, ">");
        else if (s.p < s.end && tag_read(&s, wanted))
            return s.line;
    }
    return 0;
}

size_t raw_line(struct bytes text, const char *path)
{
    char part[PATH_MAX_OCTETS];
    size_t line = 0;

    snprintf(part, sizeof part, "%s", path);
    while (text.n > 0 && part[0] != '\0' && (line = line_of(text, part)) == 0) {
        char *dot = strrchr(part, '.'), *bracket = strrchr(part, '[');

        if (dot == NULL && bracket == NULL)
            break;
        *(bracket != NULL && (dot == NULL || bracket > dot) ? bracket : dot) = '\0';
    }
    return line;
}
