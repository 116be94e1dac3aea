/* contents.c: see contents.h. */
#include "library/contents.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "library/config_profile.h"
#include "library/practice.h"
#include "wire/x509.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define TEXT_CHARS 300
#define PATH_MAX_OCTETS 400

/* ---- what is secret ---- */

bool content_secret(const char *type, const char *key, pl value)
{
    static const char *const not [] = {"regex", "description", "encryption", "url",
                                       "type",  "uuid",        "hint",       "identifier"};
    size_t n = strlen(key);

    if (pl_type_of(value) != PL_STRING && pl_type_of(value) != PL_DATA)
        return false;
    if (strcmp(type, "com.apple.security.pkcs12") == 0 && strcmp(key, "PayloadContent") == 0)
        return true;
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++) {
        size_t k = strlen(not [i]);

        if (n >= k && strcasecmp(key + n - k, not [i]) == 0)
            return false;
    }
    return practice_like_password(key);
}

/* ---- reading ---- */

struct reading {
    struct arena *a;
    const char *type; /* of the payload; "": the profile */
    const char *key;  /* the innermost name */
    char path[PATH_MAX_OCTETS];
    size_t path_n;
    struct content_fact *list; /* room for CONTENT_FACTS_MAX in all */
    size_t n, room, left_out;
    bool failed;
};

static const char *copy(struct reading *r, const char *s)
{
    char *out = arena_strdup(r->a, s != NULL ? s : "");

    r->failed |= out == NULL;
    return out != NULL ? out : "";
}

static const char *short_text(struct reading *r, const char *s)
{
    size_t n = utf8_prefix(s, TEXT_CHARS);
    char *out = arena_fmt(r->a, "%.*s%s", (int)n, s, s[n] != '\0' ? " …" : "");

    r->failed |= out == NULL;
    return out != NULL ? out : "";
}

static const char *data_text(struct reading *r, struct bytes data)
{
    struct err ignored = {.outcome = OK};
    struct cert_info info;
    struct bytes der;
    char until[CLOCK_TEXT_MAX];
    size_t n = 1;
    char *out;

    if (strncmp(r->type, "com.apple.security.", 19) == 0 &&
        cert_from_pem(r->a, data, &der, 1, &n, &ignored) == OK &&
        cert_info_read(r->a, der, &info, &ignored) == OK)
        out = arena_fmt(r->a, "%s (%.10s)", info.subject,
                        clock_rfc3339(info.not_after, false, until));
    else
        out = arena_fmt(r->a, "%zu B", data.n);
    r->failed |= out == NULL;
    return out != NULL ? out : "";
}

static struct content_value value_of(struct reading *r, pl node)
{
    struct content_value v = {CONTENT_TEXT, ""};
    char text[CLOCK_TEXT_MAX > 40 ? CLOCK_TEXT_MAX : 40] = "";
    struct bytes data;
    int64_t i;
    double d;
    bool b;

    if (content_secret(r->type, r->key, node)) {
        v.kind = CONTENT_SECRET;
    } else if (pl_bool(node, &b)) {
        v.kind = b ? CONTENT_TRUE : CONTENT_FALSE;
    } else if (pl_data(node, &data)) {
        v.kind = CONTENT_DATA;
        v.text = data_text(r, data);
    } else if (pl_str(node) != NULL) {
        v.text = short_text(r, pl_str(node));
    } else if (pl_type_of(node) == PL_ARRAY || pl_type_of(node) == PL_DICT) {
        v.kind = CONTENT_EMPTY;
    } else {
        if (pl_int(node, &i))
            snprintf(text, sizeof text, "%lld", (long long)i);
        else if (pl_real(node, &d))
            snprintf(text, sizeof text, "%g", d);
        else if (pl_date(node, &i))
            clock_rfc3339(i, false, text);
        v.text = copy(r, text);
    }
    return v;
}

/* A digest of what the value is; its type counts. */
static void sum_of(pl node, uint8_t out[SHA256_LEN])
{
    enum pl_type type = pl_type_of(node);
    uint8_t key[1] = {(uint8_t)type}, rest[16] = {0};
    struct bytes b = bytes_of(rest, sizeof rest);
    int64_t i = 0;
    double d = 0;
    bool yes = false;

    if (type == PL_STRING)
        b = bytes_str(pl_str(node));
    else if (type == PL_DATA)
        pl_data(node, &b);
    else if (pl_bool(node, &yes))
        rest[0] = yes;
    else if (pl_int(node, &i) || pl_date(node, &i))
        memcpy(rest, &i, sizeof i);
    else if (pl_real(node, &d))
        memcpy(rest, &d, sizeof d);
    hmac_sha256(bytes_of(key, sizeof key), b, out);
}

static void walk(struct reading *r, pl node);

/* Keys that every payload and profile has; they are told where they belong. */
static bool is_frame(const struct reading *r, const char *key)
{
    static const char *const frame[] = {"PayloadType", "PayloadVersion", "PayloadUUID",
                                        "PayloadIdentifier"};

    for (size_t i = 0; r->path_n == 0 && i < sizeof frame / sizeof *frame; i++)
        if (strcmp(key, frame[i]) == 0)
            return true;
    return r->path_n == 0 && r->type[0] == '\0' && strcmp(key, "PayloadContent") == 0;
}

static bool walk_entry(const char *key, pl value, void *arg)
{
    struct reading *r = arg;
    const char *was_key = r->key;
    size_t was = r->path_n;
    int n;

    if (is_frame(r, key))
        return true;
    r->key = key;
    n = snprintf(r->path + was, sizeof r->path - was, "%s%s", was != 0 ? "." : "", key);
    r->path_n = was + (n > 0 && (size_t)n < sizeof r->path - was ? (size_t)n : 0);
    walk(r, value);
    r->path_n = was;
    r->path[was] = '\0';
    r->key = was_key;
    return !r->failed;
}

static void walk(struct reading *r, pl node)
{
    size_t was = r->path_n;

    if (pl_type_of(node) == PL_DICT && (pl_size(node) > 0 || was == 0)) {
        pl_each(node, walk_entry, r);
        return;
    }
    for (size_t i = 0; pl_type_of(node) == PL_ARRAY && i < pl_size(node); i++) {
        int n = snprintf(r->path + was, sizeof r->path - was, "[%zu]", i);

        r->path_n = was + (n > 0 && (size_t)n < sizeof r->path - was ? (size_t)n : 0);
        walk(r, pl_at(node, i));
        r->path_n = was;
        r->path[was] = '\0';
    }
    if (pl_type_of(node) == PL_ARRAY && pl_size(node) > 0)
        return;
    if (r->n == r->room) {
        r->left_out++;
        return;
    }
    r->list[r->n] = (struct content_fact){.path = copy(r, r->path), .value = value_of(r, node)};
    sum_of(node, r->list[r->n++].sum);
}

static int by_path(const void *x, const void *y)
{
    return strcmp(((const struct content_fact *)x)->path, ((const struct content_fact *)y)->path);
}

/* The facts of one dictionary, by path; they follow those that are there already. */
static struct content_fact *facts_of(struct reading *r, const char *type, pl node, size_t *n)
{
    size_t was = r->n;

    r->type = type;
    r->key = "";
    r->path_n = 0;
    r->path[0] = '\0';
    if (pl_type_of(node) == PL_DICT)
        walk(r, node);
    *n = r->n - was;
    qsort(r->list + was, *n, sizeof *r->list, by_path);
    return r->list + was;
}

static void root_read(struct reading *r, pl root, struct contents *out)
{
    pl list = pl_get(root, "PayloadContent");
    size_t n = pl_type_of(list) == PL_ARRAY ? pl_size(list) : 0;

    n = n < CONFIG_PROFILE_PAYLOADS_MAX ? n : CONFIG_PROFILE_PAYLOADS_MAX;
    out->encrypted = pl_get(root, "EncryptedPayloadContent") != NULL;
    out->payloads = arena_array(r->a, n + 1, sizeof *out->payloads);
    if (out->payloads == NULL) {
        r->failed = true;
        return;
    }
    out->root = facts_of(r, "", root, &out->nroot);
    for (; out->n < n; out->n++) {
        struct content_payload *p = &out->payloads[out->n];
        pl node = pl_at(list, out->n);

        p->type = copy(r, pl_get_str(node, "PayloadType"));
        p->identifier = copy(r, pl_get_str(node, "PayloadIdentifier"));
        p->name = copy(r, pl_get_str(node, "PayloadDisplayName"));
        p->facts = facts_of(r, p->type, node, &p->n);
    }
    out->left_out = r->left_out;
}

enum outcome contents_read(struct arena *a, struct bytes file, struct contents *out,
                           struct err *err)
{
    struct reading r = {.a = a,
                        .list = arena_array(a, CONTENT_FACTS_MAX, sizeof *r.list),
                        .room = CONTENT_FACTS_MAX};
    const char *signed_by;
    struct bytes plist;
    pl root = NULL;
    enum outcome o = r.list != NULL ? config_profile_unwrap(a, file, &plist, &signed_by, err)
                                    : err_set(err, ERROR, "out of memory");

    *out = (struct contents){0};
    if (o == OK)
        o = pl_parse(plist, &root, err);
    if (o == OK)
        root_read(&r, root, out);
    pl_free(&root);
    return o == OK && r.failed ? err_set(err, ERROR, "out of memory") : o;
}

/* ---- comparing ---- */

static const struct content_value ABSENT = {CONTENT_ABSENT, ""};

static void change_add(struct content_changes *out, const struct content_payload *p,
                       const char *path, struct content_value was, struct content_value became)
{
    if (out->n < CONTENT_CHANGES_MAX)
        out->list[out->n++] = (struct content_change){p, path, was, became};
    else
        out->left_out++;
}

/* Both lists are in the order of their paths. */
static void facts_compare(struct content_changes *out, const struct content_payload *p,
                          const struct content_fact *x, size_t nx, const struct content_fact *y,
                          size_t ny)
{
    size_t i = 0, k = 0;

    while (i < nx || k < ny) {
        int order = i == nx ? 1 : k == ny ? -1 : strcmp(x[i].path, y[k].path);

        if (order < 0)
            change_add(out, p, x[i].path, x[i].value, ABSENT);
        else if (order > 0)
            change_add(out, p, y[k].path, ABSENT, y[k].value);
        else if (memcmp(x[i].sum, y[k].sum, SHA256_LEN) != 0)
            change_add(out, p, x[i].path, x[i].value, y[k].value);
        i += order <= 0;
        k += order >= 0;
    }
}

static const struct content_payload *payload_like(const struct contents *c,
                                                  const struct content_payload *p)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->payloads[i].identifier, p->identifier) == 0 &&
            strcmp(c->payloads[i].type, p->type) == 0)
            return &c->payloads[i];
    return NULL;
}

enum outcome contents_compare(struct arena *a, const struct contents *old,
                              const struct contents *new, struct content_changes *out,
                              struct err *err)
{
    *out = (struct content_changes){.list = arena_array(a, CONTENT_CHANGES_MAX, sizeof *out->list)};
    if (out->list == NULL)
        return err_set(err, ERROR, "out of memory");
    facts_compare(out, NULL, old->root, old->nroot, new->root, new->nroot);
    for (size_t i = 0; i < old->n; i++) {
        const struct content_payload *p = &old->payloads[i], *now = payload_like(new, p);

        if (now != NULL)
            facts_compare(out, now, p->facts, p->n, now->facts, now->n);
        else
            change_add(out, p, "", (struct content_value){CONTENT_TEXT, p->type}, ABSENT);
    }
    for (size_t i = 0; i < new->n; i++)
        if (payload_like(old, &new->payloads[i]) == NULL)
            change_add(out, &new->payloads[i], "", ABSENT,
                       (struct content_value){CONTENT_TEXT, new->payloads[i].type});
    return OK;
}
