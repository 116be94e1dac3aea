/* form_edit.c: see form_edit.h. */
#include "library/form_edit.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "base/uuid.h"
#include "library/variables.h"
#include "wire/pkcs12.h"
#include "wire/x509.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#define KEY_MAX 200u
#define LINES_MAX 2000u

/* ---- places ---- */

/* The next name of a path; false: it was the last. */
static bool step(const char **path, char name[KEY_MAX])
{
    size_t n = strcspn(*path, ".");

    if (n >= KEY_MAX)
        n = KEY_MAX - 1;
    memcpy(name, *path, n);
    name[n] = '\0';
    *path += n;
    if (**path != '.')
        return false;
    ++*path;
    return true;
}

pl form_get(pl payload, const char *key)
{
    char name[KEY_MAX];

    while (step(&key, name))
        payload = pl_get(payload, name);
    return pl_get(payload, name);
}

/* Puts a value at its place, and what leads there; NULL takes it away, and what it leaves empty. */
static void put(pl dict, const char *key, pl value)
{
    char name[KEY_MAX];
    pl inner;

    if (!step(&key, name)) {
        if (value != NULL)
            pl_set(dict, name, value);
        else
            pl_remove(dict, name);
        return;
    }
    inner = pl_get(dict, name);
    if (pl_type_of(inner) != PL_DICT) {
        if (value == NULL)
            return;
        pl_set(dict, name, pl_new_dict());
        inner = pl_get(dict, name);
    }
    put(inner, key, value);
    if (pl_size(inner) == 0)
        pl_remove(dict, name);
}

/* ---- for the form ---- */

static bool is_several(const struct form_field *f)
{
    return f->kind == FORM_NUMBERS || f->kind == FORM_PAYLOADS;
}

static const char *scalar_text(struct arena *a, pl node)
{
    int64_t i;
    double d;
    bool b;
    const char *s = NULL;

    if (pl_str(node) != NULL)
        s = arena_strdup(a, pl_str(node));
    else if (pl_bool(node, &b))
        s = b ? "true" : "false";
    else if (pl_int(node, &i))
        s = arena_fmt(a, "%lld", (long long)i);
    else if (pl_real(node, &d))
        s = arena_fmt(a, "%g", d);
    return s != NULL ? s : "";
}

const char *form_text(struct arena *a, const struct form_field *f, pl payload)
{
    pl node = form_get(payload, f->key);
    struct buf b = BUF_INIT(LIM_MB);
    const char *s;
    bool yes;
    int64_t i;

    if (form_secret(f) || form_file(f) || is_several(f))
        return "";
    if (f->kind == FORM_BIT) /* some write true for 1 */
        return pl_bool(node, &yes) ? (yes ? "1" : "0")
               : pl_int(node, &i)  ? (i != 0 ? "1" : "0")
                                   : "";
    if (f->kind == FORM_FLAG && pl_int(node, &i))
        return i != 0 ? "true" : "false";
    if (f->kind != FORM_LINES)
        return scalar_text(a, node);
    for (size_t k = 0; k < pl_size(node); k++)
        buf_fmt(&b, "%s%s", k > 0 ? "\n" : "", scalar_text(a, pl_at(node, k)));
    s = arena_strdup(a, buf_cstr(&b));
    buf_free(&b);
    return s != NULL ? s : "";
}

bool form_has(const struct form_field *f, pl payload, const char *value)
{
    pl node = form_get(payload, f->key);
    int64_t i;

    for (size_t k = 0; pl_type_of(node) == PL_ARRAY && k < pl_size(node); k++) {
        pl x = pl_at(node, k);

        if (pl_str(x) != NULL ? strcmp(pl_str(x), value) == 0
                              : pl_int(x, &i) && i == strtoll(value, NULL, 10))
            return true;
    }
    return pl_str(node) != NULL && strcmp(pl_str(node), value) == 0;
}

bool form_applies(const struct form_group *g, const char *chosen)
{
    return g->when_key == NULL || strcmp(g->when_value, chosen) == 0;
}

const char *form_place(struct arena *a, const struct form_group *g, const struct form_field *f)
{
    return g->when_key != NULL ? arena_fmt(a, "%s/%s", g->name, f->key) : f->key;
}

/* ---- what was given ---- */

struct apply {
    struct arena *a;
    const struct form_group *group; /* whose fields are read */
    pl payload, root;
    const struct form_input *in;
    struct form_faults *out;
    bool failed;
};

static const char *place(struct apply *x, const struct form_field *f)
{
    const char *s = form_place(x->a, x->group, f);

    x->failed |= s == NULL;
    return s != NULL ? s : "";
}

static void fault(struct apply *x, const struct form_field *f, enum form_fault what)
{
    if (x->out->n < FORM_FAULTS_MAX) {
        x->out->list[x->out->n].field = f;
        x->out->list[x->out->n++].fault = what;
    }
}

/* Without the blanks around it, unless they may be meant. "" when it was not given. */
static const char *given(struct apply *x, const struct form_field *f)
{
    const char *s = x->in->text(x->in->arg, place(x, f));
    size_t n;
    char *copy;

    if (s == NULL)
        return "";
    if (form_secret(f))
        return s;
    s += strspn(s, " \t\r\n");
    n = strlen(s);
    while (n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL)
        n--;
    copy = arena_strndup(x->a, s, n);
    x->failed |= copy == NULL;
    return copy != NULL ? copy : "";
}

static enum form_fault text_check(const struct form_field *f, const char *s)
{
    if (!utf8_valid(bytes_str(s)))
        return FORM_CONTROL;
    for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f)
            return FORM_CONTROL;
    return s[utf8_prefix(s, f->max)] == '\0' ? FORM_GOOD : FORM_TOO_LONG;
}

/* A variable may stand anywhere in a text. */
static bool has_variable(const char *s)
{
    return variables_in(s, NULL, 0) != 0;
}

static bool is_host(const char *s)
{
    for (const char *p = s; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr(".-:[]_%", *p) == NULL &&
            (unsigned char)*p < 0x80)
            return false;
    return true;
}

static enum form_fault shape_check(const struct form_field *f, const char *s)
{
    const char *at = strchr(s, '@');

    if (f->kind == FORM_URL && strncasecmp(s, "https://", 8) != 0 &&
        strncasecmp(s, "http://", 7) != 0)
        return FORM_NO_URL;
    if (f->kind == FORM_URL && (strchr(s, ' ') != NULL || strlen(strchr(s, ':')) < 4))
        return FORM_NO_URL;
    if (f->kind == FORM_EMAIL && !has_variable(s) &&
        (at == NULL || at == s || at[1] == '\0' || strchr(s, ' ') != NULL))
        return FORM_NO_EMAIL;
    return f->kind == FORM_HOST && !is_host(s) ? FORM_NO_HOST : FORM_GOOD;
}

static bool is_value(const struct form_field *f, const char *s)
{
    for (size_t i = 0; i < f->nvalues; i++)
        if (strcmp(f->values[i], s) == 0)
            return true;
    return false;
}

static enum form_fault number_read(const struct form_field *f, const char *s, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(s, &end, 10);
    if (errno != 0 || end == s || *end != '\0' || (f->ranged && (*out < f->low || *out > f->high)))
        return FORM_NO_NUMBER;
    return FORM_GOOD;
}

/* The payload of the profile with that UUID, if its type is one of the field's. */
static bool is_payload(const struct apply *x, const struct form_field *f, const char *uuid)
{
    pl list = pl_get(x->root, "PayloadContent");

    for (size_t i = 0; pl_type_of(list) == PL_ARRAY && i < pl_size(list); i++) {
        const char *u = pl_get_str(pl_at(list, i), "PayloadUUID");
        const char *t = pl_get_str(pl_at(list, i), "PayloadType");

        if (u != NULL && t != NULL && strcmp(u, uuid) == 0)
            return is_value(f, t);
    }
    return false;
}

/* A text as the node it becomes. */
static enum form_fault node_of(struct apply *x, const struct form_field *f, const char *s, pl *out)
{
    enum form_fault bad = text_check(f, s);
    int64_t i;

    if (bad == FORM_GOOD)
        bad = shape_check(f, s);
    if (bad != FORM_GOOD)
        return bad;
    switch (f->kind) {
    case FORM_NUMBER:
    case FORM_ENUM:
        bad = number_read(f, s, &i);
        if (bad == FORM_GOOD && f->kind == FORM_ENUM && !is_value(f, s))
            bad = FORM_NO_VALUE;
        *out = bad == FORM_GOOD ? pl_new_int(i) : NULL;
        return bad;
    case FORM_FLAG:
        *out = pl_new_bool(strcmp(s, "true") == 0);
        return strcmp(s, "true") == 0 || strcmp(s, "false") == 0 ? FORM_GOOD : FORM_NO_VALUE;
    case FORM_BIT:
        *out = pl_new_int(s[0] == '1');
        return strcmp(s, "1") == 0 || strcmp(s, "0") == 0 ? FORM_GOOD : FORM_NO_VALUE;
    case FORM_CHOICE:
        *out = pl_new_str(s);
        return is_value(f, s) ? FORM_GOOD : FORM_NO_VALUE;
    case FORM_PAYLOAD:
        *out = pl_new_str(s);
        return is_payload(x, f, s) ? FORM_GOOD : FORM_NO_VALUE;
    case FORM_SECRETDATA:
        *out = pl_new_data(bytes_str(s));
        return FORM_GOOD;
    default:
        *out = pl_new_str(s);
        return FORM_GOOD;
    }
}

/* Is it what stands there, and is not among the values that the form offers? Then it stays. */
static bool as_it_was(struct apply *x, const struct form_field *f, const char *s)
{
    return s[0] != '\0' && strcmp(form_text(x->a, f, x->payload), s) == 0;
}

static bool lines_apply(struct apply *x, const struct form_field *f)
{
    const char *s = given(x, f);
    pl list = pl_new_array();
    size_t n = 0;

    for (size_t len; *s != '\0'; s += len, s += strspn(s, "\r\n")) {
        char *line;
        enum form_fault bad;

        len = strcspn(s, "\r\n");
        line = arena_strndup(x->a, s + strspn(s, " \t"), len - strspn(s, " \t"));
        while (line != NULL && line[0] != '\0' && strchr(" \t", line[strlen(line) - 1]) != NULL)
            line[strlen(line) - 1] = '\0';
        x->failed |= line == NULL;
        if (line == NULL || line[0] == '\0')
            continue;
        bad = ++n > LINES_MAX ? FORM_TOO_LONG : text_check(f, line);
        if (bad != FORM_GOOD) {
            fault(x, f, bad);
            pl_free(&list);
            return true;
        }
        pl_append(list, pl_new_str(line));
    }
    if (n == 0)
        pl_free(&list);
    put(x->payload, f->key, list);
    return n > 0;
}

/* Values that the form does not offer stay. */
static bool several_apply(struct apply *x, const struct form_field *f)
{
    pl was = form_get(x->payload, f->key), list = pl_new_array(), payloads;
    size_t n;
    int64_t i;

    for (size_t k = 0; f->kind == FORM_NUMBERS && k < f->nvalues; k++)
        if (x->in->ticked(x->in->arg, place(x, f), f->values[k]))
            pl_append(list, pl_new_int(strtoll(f->values[k], NULL, 10)));
    payloads = f->kind == FORM_PAYLOADS ? pl_get(x->root, "PayloadContent") : NULL;
    for (size_t k = 0; k < pl_size(payloads); k++) {
        const char *uuid = pl_get_str(pl_at(payloads, k), "PayloadUUID");

        if (uuid != NULL && is_payload(x, f, uuid) && x->in->ticked(x->in->arg, place(x, f), uuid))
            pl_append(list, pl_new_str(uuid));
    }
    for (size_t k = 0; pl_type_of(was) == PL_ARRAY && k < pl_size(was); k++) {
        pl v = pl_at(was, k);
        const char *text = scalar_text(x->a, v);
        bool known = f->kind == FORM_NUMBERS ? pl_int(v, &i) && is_value(f, text)
                                             : pl_str(v) != NULL && is_payload(x, f, text);

        /* a payload that is not there any more goes with it */
        if (!known && f->kind == FORM_NUMBERS)
            pl_append(list, pl_copy(v));
    }
    n = pl_size(list);
    if (n == 0)
        pl_free(&list);
    put(x->payload, f->key, list);
    return n > 0;
}

static bool is_png(struct bytes b)
{
    static const uint8_t mark[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

    return b.n > sizeof mark && memcmp(b.p, mark, sizeof mark) == 0 && b.n <= FORM_PICTURE_MAX;
}

static enum form_fault file_read(struct apply *x, const struct form_field *f, struct bytes *b)
{
    struct err ignored = {.outcome = OK};
    struct bytes der;
    size_t n = 1;

    if (f->kind == FORM_IMAGE)
        return is_png(*b) ? FORM_GOOD : FORM_NO_IMAGE;
    if (f->kind == FORM_PKCS12)
        return pkcs12_is(*b) ? FORM_GOOD : FORM_NO_PKCS12;
    if (cert_from_pem(x->a, *b, &der, 1, &n, &ignored) != OK || n == 0)
        return FORM_NO_CERTIFICATE;
    *b = der;
    return FORM_GOOD;
}

static bool file_apply(struct apply *x, const struct form_field *f)
{
    const char *name = NULL;
    struct bytes b;
    enum form_fault bad;

    if (!x->in->file(x->in->arg, place(x, f), &b, &name)) {
        if (x->in->drop(x->in->arg, place(x, f)))
            put(x->payload, f->key, NULL);
        return form_get(x->payload, f->key) != NULL;
    }
    bad = file_read(x, f, &b);
    if (bad != FORM_GOOD) {
        fault(x, f, bad);
        return true;
    }
    put(x->payload, f->key, pl_new_data(b));
    if (f->kind != FORM_IMAGE && name != NULL && utf8_valid(bytes_str(name)) &&
        text_check(f, name) == FORM_GOOD && name[0] != '\0')
        pl_set_str(x->payload, "PayloadCertificateFileName", name);
    return true;
}

/* Puts one field's value into the payload. Is there a value then? */
static bool field_apply(struct apply *x, const struct form_field *f)
{
    const char *s;
    enum form_fault bad;
    pl node = NULL;

    if (f->kind == FORM_LINES)
        return lines_apply(x, f);
    if (is_several(f))
        return several_apply(x, f);
    if (form_file(f))
        return file_apply(x, f);
    s = given(x, f);
    if (s[0] == '\0' && form_secret(f) && !x->in->drop(x->in->arg, place(x, f)))
        return form_get(x->payload, f->key) != NULL;
    if (s[0] == '\0') {
        put(x->payload, f->key, NULL);
        return false;
    }
    if (as_it_was(x, f, s))
        return true;
    bad = node_of(x, f, s, &node);
    if (bad != FORM_GOOD) {
        pl_free(&node);
        fault(x, f, bad);
        return true;
    }
    put(x->payload, f->key, node);
    return true;
}

/* Does a group stand for what was chosen? Otherwise it is something that the form does not know. */
static bool is_offered(const struct form *f, const char *chosen)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->groups[i].when_key != NULL && form_applies(&f->groups[i], chosen))
            return true;
    return false;
}

/* The fields of groups that do not apply go, unless one that applies has the same. */
static void group_drop(struct apply *x, const struct form *f, const struct form_group *g,
                       const char *chosen)
{
    for (size_t i = 0; i < g->n; i++) {
        bool shared = false;

        for (size_t k = 0; k < f->n && !shared; k++)
            for (size_t m = 0; form_applies(&f->groups[k], chosen) && m < f->groups[k].n; m++)
                shared |= strcmp(f->groups[k].fields[m].key, g->fields[i].key) == 0;
        if (!shared)
            put(x->payload, g->fields[i].key, NULL);
    }
}

static void group_apply(struct apply *x, const struct form_group *g)
{
    bool some = !g->optional;
    bool there[64] = {false};

    x->group = g;
    for (size_t i = 0; i < g->n && i < 64; i++) {
        there[i] = field_apply(x, &g->fields[i]);
        some |= there[i];
    }
    for (size_t i = 0; some && i < g->n && i < 64; i++)
        if (g->fields[i].required && !there[i])
            fault(x, &g->fields[i], FORM_MISSING);
}

/* Does the password open the file? */
static void pkcs12_check(struct apply *x, const struct form *f)
{
    const char *password = pl_get_str(x->payload, "Password");
    const struct form_field *field = NULL;
    struct err ignored = {.outcome = OK};
    struct bytes file, cert;
    struct pkey *key = NULL;

    for (size_t i = 0; i < f->n; i++)
        for (size_t k = 0; k < f->groups[i].n; k++)
            if (strcmp(f->groups[i].fields[k].key, "Password") == 0)
                field = &f->groups[i].fields[k];
    if (field == NULL || password == NULL || has_variable(password) ||
        !pl_get_data(x->payload, "PayloadContent", &file))
        return;
    if (pkcs12_read(x->a, file, password, &key, &cert, &ignored) == DENIED)
        fault(x, field, FORM_PASSWORD);
    pkey_free(&key);
}

enum outcome form_apply(struct arena *a, const struct form *f, pl payload, pl root,
                        const struct form_input *in, struct form_faults *out, struct err *err)
{
    struct apply x = {.a = a, .payload = payload, .root = root, .in = in, .out = out};
    const char *chosen = "";

    *out = (struct form_faults){.n = 0};
    for (size_t i = 0; i < f->n; i++)
        if (f->groups[i].when_key != NULL) {
            const char *s = in->text(in->arg, f->groups[i].when_key);

            chosen = s != NULL ? s : "";
        }
    for (size_t i = 0; i < f->n; i++)
        if (form_applies(&f->groups[i], chosen))
            group_apply(&x, &f->groups[i]);
        else if (is_offered(f, chosen))
            group_drop(&x, f, &f->groups[i], chosen);
    if (strcmp(f->name, "pkcs12") == 0 && out->n == 0)
        pkcs12_check(&x, f);
    if (x.failed)
        return err_set(err, ERROR, "out of memory");
    return out->n == 0 ? OK : err_set(err, INVALID, "%zu fields cannot be as they are", out->n);
}

enum outcome form_new(struct arena *a, const struct form *f, const char *profile_identifier,
                      const char *name, pl *out, struct err *err)
{
    char uuid[UUID_LEN + 1];
    const char *identifier;

    uuid_v4(uuid);
    identifier = arena_fmt(a, "%.180s.%s.%s", profile_identifier, f->name, uuid);
    *out = identifier != NULL ? pl_new_dict() : NULL;
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    pl_set_str(*out, "PayloadType", f->type->name);
    pl_set_int(*out, "PayloadVersion", 1);
    pl_set_str(*out, "PayloadIdentifier", identifier);
    pl_set_str(*out, "PayloadUUID", uuid);
    pl_set_str(*out, "PayloadDisplayName", name);
    return OK;
}
