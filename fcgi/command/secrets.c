/* secrets.c: see secrets.h. */
#include "command/secrets.h"

#include "base/limits.h"
#include "wire/seal.h"
#include "wire/sign.h"

#include <pthread.h>
#include <stdio.h>

struct walk {
    secret_fn *fn;
    void *arg;
    struct arena *a;
    size_t found;
};

struct keys {
    struct arena *a;
    const char **key; /* copies: a key that pl_each() shows lives as long as that call */
    size_t n, max;
};

static bool gather(const char *key, pl value, void *arg)
{
    struct keys *k = arg;

    (void)value;
    if (k->n < k->max && (k->key[k->n] = arena_strdup(k->a, key)) != NULL)
        k->n++;
    return true;
}

static void walk_value(struct walk *w, pl value, cat row, const char *key);

static void walk_dict(struct walk *w, pl dict, cat row, enum catalogue_kind kind,
                      const char *parent)
{
    struct keys k = {.a = w->a, .max = pl_size(dict)};

    k.key = arena_array(w->a, k.max + 1, sizeof *k.key);
    if (k.key == NULL)
        return;
    pl_each(dict, gather, &k);
    for (size_t i = 0; i < k.n; i++) {
        cat below = catalogue_key(row, kind, k.key[i]);
        pl instead;

        if (below == NULL)
            continue;
        if (!catalogue_is(below, CATALOGUE_SECRET)) {
            walk_value(w, pl_get(dict, k.key[i]), below, k.key[i]);
            continue;
        }
        w->found++;
        instead = w->fn(k.key[i], parent, pl_get(dict, k.key[i]), w->arg);
        pl_remove(dict, k.key[i]);
        if (instead != NULL)
            pl_set(dict, k.key[i], instead);
    }
}

static void walk_value(struct walk *w, pl value, cat row, const char *key)
{
    if (pl_type_of(value) == PL_DICT)
        walk_dict(w, value, row, CATALOGUE_KEY, key);
    else if (pl_type_of(value) == PL_ARRAY)
        for (size_t i = 0; i < pl_size(value); i++) {
            pl item = pl_at(value, i);
            cat shape = catalogue_item(row, pl_get_str(item, "Item"));

            if (shape != NULL)
                walk_value(w, item, shape, key);
        }
}

size_t secrets_replace(pl dict, cat command, enum catalogue_kind kind, secret_fn *fn, void *arg,
                       struct arena *a)
{
    struct walk w = {fn, arg, a, 0};

    if (command != NULL && pl_type_of(dict) == PL_DICT)
        walk_dict(&w, dict, command, kind, "");
    return w.found;
}

/* ---- sealing ---- */

static enum outcome seal_as(const char *signer_dir, const char *purpose, const char *owner,
                            struct bytes secret, const char *mark, struct arena *a,
                            struct bytes *out, struct err *err)
{
    struct buf sealed = BUF_INIT(LIM_SECRET + SEAL_OVERHEAD + sizeof SECRET_SEALED);
    const char *label = arena_fmt(a, "%s:%s", purpose, owner);
    uint8_t pub[SEAL_KEY_LEN];
    enum outcome o;

    *out = bytes_of(NULL, 0);
    if (secret.n > LIM_SECRET)
        return err_set(err, INVALID, "a secret has more than %u octets", LIM_SECRET);
    o = label != NULL ? seal_public_load(signer_dir, pub, err)
                      : err_set(err, ERROR, "out of memory");
    buf_str(&sealed, mark);
    if (o == OK)
        o = seal(pub, label, secret, &sealed, err);
    if (o == OK) {
        *out = arena_bytes(a, buf_bytes(&sealed));
        if (out->p == NULL)
            o = err_set(err, ERROR, "out of memory");
    }
    buf_free(&sealed);
    return o;
}

/* ---- commands ---- */

#define COMMAND_PURPOSE "Command"
#define PART LIM_PROFILE               /* what the signer opens at once */
#define SEALED_MAX (16u * LIM_MB - 1u) /* what the column keeps */
#define OWNER_MAX (LIM_COMMAND_UUID + 32)

/* Whose part i of n it is: parts do not change places, and none is left out. */
static void part_owner(const char *uuid, size_t i, size_t n, char out[OWNER_MAX])
{
    if (n == 1)
        snprintf(out, OWNER_MAX, "%s", uuid);
    else
        snprintf(out, OWNER_MAX, "%s\t%zu/%zu", uuid, i + 1, n);
}

static enum outcome seal_command(const char *signer_dir, const char *uuid, struct bytes xml,
                                 struct arena *a, struct bytes *out, struct err *err)
{
    size_t n = xml.n > PART ? (xml.n + PART - 1) / PART : 1;
    struct buf sealed = BUF_INIT(SEALED_MAX + SEAL_OVERHEAD);
    char owner[OWNER_MAX], label[OWNER_MAX + sizeof COMMAND_PURPOSE + 1];
    uint8_t pub[SEAL_KEY_LEN];
    enum outcome o;

    if (xml.n + n * SEAL_ADDED > SEALED_MAX)
        return err_set(err, INVALID, "a command with a secret has more than %zu octets",
                       (size_t)SEALED_MAX - n * SEAL_ADDED);
    o = seal_public_load(signer_dir, pub, err);
    for (size_t i = 0; o == OK && i < n; i++) {
        struct bytes part = bytes_of(xml.p + i * PART, i + 1 < n ? PART : xml.n - i * PART);

        part_owner(uuid, i, n, owner);
        snprintf(label, sizeof label, "%s:%s", COMMAND_PURPOSE, owner);
        o = seal_file(pub, label, part, &sealed, err);
    }
    if (o == OK && (*out = arena_bytes(a, buf_bytes(&sealed))).p == NULL)
        o = err_set(err, ERROR, "out of memory");
    buf_free(&sealed);
    return o;
}

enum outcome secrets_open_command(const char *uuid, struct bytes sealed, struct buf *out,
                                  struct err *err)
{
    size_t each = PART + SEAL_ADDED, n = sealed.n > each ? (sealed.n + each - 1) / each : 1;
    char owner[OWNER_MAX];
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < n; i++) {
        struct bytes part = bytes_of(sealed.p + i * each, i + 1 < n ? each : sealed.n - i * each);

        part_owner(uuid, i, n, owner);
        o = sign_unseal(COMMAND_PURPOSE, owner, part, bytes_of(NULL, 0), "", out, err);
    }
    return o;
}

static pl drop(const char *key, const char *parent, pl value, void *arg)
{
    (void)key, (void)parent, (void)value, (void)arg;
    return NULL;
}

/* A profile may hold passwords, keys and certificates with keys, and nobody knows but who wrote it.
 * Returns whether there was one. */
static bool profile_drop(pl command)
{
    const char *type = pl_get_str(command, "RequestType");

    if (type == NULL || strcmp(type, "InstallProfile") != 0 || pl_get(command, "Payload") == NULL)
        return false;
    pl_remove(command, "Payload");
    return true;
}

enum outcome secrets_seal_command(const char *signer_dir, const char *uuid, struct bytes xml,
                                  struct arena *a, struct bytes *open, struct bytes *sealed,
                                  struct err *err)
{
    struct buf text = BUF_INIT(16u * LIM_MB);
    pl root = NULL, command;
    cat row;
    enum outcome o = pl_parse(xml, &root, err);

    *open = xml;
    *sealed = bytes_of(NULL, 0);
    if (o != OK)
        return o;
    command = pl_get(root, "Command");
    row = catalogue_find(pl_get_str(command, "RequestType"));
    if (secrets_replace(command, row, CATALOGUE_KEY, drop, NULL, a) + profile_drop(command) > 0) {
        o = seal_command(signer_dir, uuid, xml, a, sealed, err);
        if (o == OK && pl_to_xml(root, &text) != OK)
            o = err_set(err, ERROR, "the command cannot be written");
        if (o == OK) {
            *open = arena_bytes(a, buf_bytes(&text));
            if (open->p == NULL)
                o = err_set(err, ERROR, "out of memory");
        }
    }
    buf_free(&text);
    pl_free(&root);
    return o;
}

enum outcome secrets_seal_one(const char *signer_dir, const char *ident, struct bytes secret,
                              struct arena *a, struct bytes *sealed, struct err *err)
{
    return seal_as(signer_dir, "Secret", ident, secret, "", a, sealed, err);
}

/* The commands whose answers hold secrets, found once. */
#define TELLERS_MAX 16
static cat tellers[TELLERS_MAX];
static size_t ntellers;
static pthread_once_t tellers_once = PTHREAD_ONCE_INIT;

static bool holds_secret(cat row)
{
    for (cat below = catalogue_first(row); below != NULL; below = catalogue_next(below))
        if ((catalogue_kind(row) != CATALOGUE_COMMAND ||
             catalogue_kind(below) == CATALOGUE_ANSWER) &&
            (catalogue_is(below, CATALOGUE_SECRET) || holds_secret(below)))
            return true;
    return false;
}

static void find_tellers(void)
{
    for (size_t i = 0; i < catalogue_count() && ntellers < TELLERS_MAX; i++)
        if (holds_secret(catalogue_at(i)))
            tellers[ntellers++] = catalogue_at(i);
}

static bool answers(cat command, pl report)
{
    for (cat below = catalogue_first(command); below != NULL; below = catalogue_next(below))
        if (catalogue_kind(below) == CATALOGUE_ANSWER &&
            pl_get(report, catalogue_name(below)) != NULL)
            return true;
    return false;
}

struct sealing {
    const char *signer_dir, *ident;
    struct arena *a;
    struct err *err;
    enum outcome outcome;
    bool changed;
};

static pl seal_value(const char *key, const char *parent, pl value, void *arg)
{
    struct sealing *s = arg;
    /* it goes back to the device, by way of the signer and a ticket */
    const char *purpose = strcmp(key, "UnlockToken") == 0 ? "UnlockToken" : "Secret";
    struct bytes plain, sealed;

    (void)parent;
    if (!pl_data(value, &plain))
        plain = bytes_str(pl_str(value));
    if (plain.n == 0 || s->outcome != OK)
        return NULL;
    s->outcome =
        seal_as(s->signer_dir, purpose, s->ident, plain, SECRET_SEALED, s->a, &sealed, s->err);
    return s->outcome == OK ? pl_new_data(sealed) : NULL;
}

enum outcome secrets_seal_report(const char *signer_dir, const char *ident, pl report,
                                 struct arena *a, bool *changed, struct err *err)
{
    struct sealing s = {signer_dir, ident, a, err, OK, false};

    pthread_once(&tellers_once, find_tellers);
    *changed = false;
    for (size_t i = 0; i < ntellers && s.outcome == OK; i++)
        if (answers(tellers[i], report))
            *changed |=
                secrets_replace(report, tellers[i], CATALOGUE_ANSWER, seal_value, &s, a) > 0;
    return s.outcome;
}

bool secrets_strip_report(pl report, struct arena *a)
{
    size_t n = 0;

    pthread_once(&tellers_once, find_tellers);
    for (size_t i = 0; i < ntellers; i++)
        if (answers(tellers[i], report))
            n += secrets_replace(report, tellers[i], CATALOGUE_ANSWER, drop, NULL, a);
    return n > 0;
}
