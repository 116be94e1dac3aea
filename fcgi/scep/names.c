/*
 * names.c: which names an identity gets. They are for people and for other services that read the
 * certificate: what a device may do here hangs on the certificate's fingerprint.
 */
#include <fnmatch.h>
#include "scep/scep_int.h"

#define COMMON_NAME_MAX 64u
#define DEFAULT_NAME "Device identity"

/* The request's name, cut to what X.520 allows between two characters. */
static const char *name_cut(struct arena *a, const char *cn)
{
    size_t n = strlen(cn);
    if (n == 0)
        return DEFAULT_NAME;
    if (n > COMMON_NAME_MAX)
        for (n = COMMON_NAME_MAX; n && ((unsigned char)cn[n] & 0xc0) == 0x80; n--)
            ;
    return arena_strndup(a, cn, n);
}

/* Is name one of the lines? */
static bool in_lines(const char *lines, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = lines; *p;) {
        size_t k = strcspn(p, "\n");
        if (k == n && memcmp(p, name, n) == 0)
            return true;
        p += k + (p[k] == '\n');
    }
    return false;
}

static bool in_patterns(const struct conf_list *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (fnmatch(l->item[i], name, FNM_NOESCAPE) == 0)
            return true;
    return false;
}

/* A challenge that is bound to names decides alone; without one the configuration does, and where
 * that lists nothing the names of the request are left out, as they always were. */
static enum outcome san_list(struct operation *op, struct buf *out, struct err *err)
{
    const struct conf_list *allowed = &op->conf->scep_san;
    if (!op->bound.san && allowed->n == 0)
        return OK;
    if (op->csr.nsan > SCEP_NAMES_MAX)
        return err_set(err, DENIED, "the request has more than %d subjectAltNames", SCEP_NAMES_MAX);
    for (size_t i = 0; i < op->csr.nsan; i++) {
        const char *name = op->csr.san[i];
        if (strchr(name, '\n'))
            return err_set(err, DENIED, "a subjectAltName with a line break");
        if (op->bound.san ? !in_lines(op->bound.san, name) : !in_patterns(allowed, name))
            return err_set(err, DENIED, "the subjectAltName %.100s is not allowed%s", name,
                           op->bound.san ? " by the challenge" : " by [scep] san");
        buf_fmt(out, "%s%s", i ? "\n" : "", name);
    }
    return OK;
}

enum outcome scep_names(struct operation *op, const char **common_name, const char **san,
                        struct err *err)
{
    struct arena *a = op->req->arena;
    const char *pattern = op->conf->scep_subject;
    struct buf names = BUF_INIT(8192);
    *san = "";
    *common_name = name_cut(a, op->csr.common_name);
    if (!*common_name)
        return err_set(err, ERROR, "out of memory");
    if (op->bound.common_name && strcmp(op->bound.common_name, *common_name) != 0)
        return err_set(err, DENIED,
                       "the challenge is good for the common name \"%s\", not for \"%s\"",
                       op->bound.common_name, *common_name);
    if (!op->bound.common_name && *pattern && fnmatch(pattern, *common_name, FNM_NOESCAPE) != 0)
        return err_set(err, DENIED, "the common name \"%s\" is not allowed by [scep] subject",
                       *common_name);
    enum outcome o = san_list(op, &names, err);
    if (o == OK && (buf_failed(&names) || !(*san = arena_strdup(a, buf_cstr(&names)))))
        o = err_set(err, DENIED, "the subjectAltNames are too long");
    buf_free(&names);
    return o;
}
