/* codes.c: see codes.h. */
#include "library/codes.h"

#include "base/limits.h"
#include "store/id.h"
#include "store/redemption.h"
#include "wire/encode.h"
#include "wire/seal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define CODE_MIN 4u
#define CODE_MAX 64u

struct reading {
    struct arena *a;
    int64_t item_id;
    uint8_t pub[SEAL_KEY_LEN];
    struct redemption_new *list;
    size_t n;
};

/* The first column of a line, without blanks and quotation marks. */
static struct bytes first_column(struct bytes line)
{
    const uint8_t *p = line.p;
    size_t n = 0;

    while (n < line.n && memchr("\t,;", p[n], 3) == NULL)
        n++;
    for (; n > 0 && (isspace(*p) || *p == '"'); n--)
        p++;
    while (n > 0 && (isspace(p[n - 1]) || p[n - 1] == '"'))
        n--;
    return bytes_of(p, n);
}

static bool is_code(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (!isalnum(b.p[i]) && b.p[i] != '-')
            return false;
    return b.n >= CODE_MIN && b.n <= CODE_MAX;
}

/* Seals it for its id, and keeps the beginning of its digest. */
static enum outcome code_keep(struct reading *r, struct bytes code, struct err *err)
{
    struct buf sealed = BUF_INIT(CODE_MAX + SEAL_OVERHEAD);
    struct redemption_new *c = &r->list[r->n];
    char label[48], text[32 + CODE_MAX];
    uint8_t digest[SHA256_LEN];
    enum outcome o;

    c->id = id_new();
    snprintf(label, sizeof label, "RedemptionCode:%lld", (long long)c->id);
    snprintf(text, sizeof text, "%lld:%.*s", (long long)r->item_id, (int)code.n,
             (const char *)code.p);
    sha256(bytes_str(text), digest);
    secret_wipe(text, sizeof text);
    memcpy(c->digest, digest, REDEMPTION_DIGEST);
    o = seal(r->pub, label, code, &sealed, err);
    if (o == OK && (c->sealed = arena_bytes(r->a, buf_bytes(&sealed))).p == NULL)
        o = err_set(err, ERROR, "out of memory");
    buf_free(&sealed);
    r->n += o == OK;
    return o;
}

static enum outcome lines_read(struct reading *r, struct bytes text, struct err *err)
{
    enum outcome o = OK;

    for (size_t at = 0, number = 1; o == OK && at < text.n; number++) {
        const uint8_t *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end != NULL ? (size_t)(end - text.p) - at : text.n - at;
        struct bytes code = first_column(bytes_of(text.p + at, n));
        bool title = r->n == 0 && code.n == 4 && strncasecmp((const char *)code.p, "code", 4) == 0;

        at += n + 1;
        if (code.n == 0 || code.p[0] == '#' || title)
            continue;
        if (!is_code(code))
            return err_set(err, INVALID,
                           "line %zu holds no redemption code: one has %u to %u letters, digits "
                           "and hyphens",
                           number, CODE_MIN, CODE_MAX);
        if (r->n == CODES_MAX)
            return err_set(err, INVALID, "at most %u codes are taken at once", CODES_MAX);
        o = code_keep(r, code, err);
    }
    if (o == OK && r->n == 0)
        return err_set(err, INVALID, "there is no redemption code in it: write one a line");
    return o;
}

static int by_digest(const void *a, const void *b)
{
    const struct redemption_new *x = a, *y = b;

    return memcmp(x->digest, y->digest, sizeof x->digest);
}

/* Drops those that stand in the text twice; returns how many. */
static size_t twins_drop(struct reading *r)
{
    size_t k = 0, all = r->n;

    qsort(r->list, r->n, sizeof *r->list, by_digest);
    for (size_t i = 0; i < r->n; i++)
        if (k == 0 || by_digest(&r->list[k - 1], &r->list[i]) != 0)
            r->list[k++] = r->list[i];
    r->n = k;
    return all - k;
}

enum outcome codes_add(struct db *db, const struct conf *conf, struct arena *a, int64_t item_id,
                       struct bytes text, const char *actor, int64_t now, size_t *added,
                       size_t *known, struct err *err)
{
    struct reading r = {.a = a, .item_id = item_id};
    size_t twins = 0;
    enum outcome o = seal_public_load(conf->signer_dir, r.pub, err);

    *added = *known = 0;
    r.list = arena_array(a, CODES_MAX, sizeof *r.list);
    if (o == OK && r.list == NULL)
        o = err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = lines_read(&r, text, err);
    if (o == OK) {
        twins = twins_drop(&r);
        o = redemption_add(db, item_id, r.list, r.n, actor, now, known, err);
    }
    if (o != OK)
        return o;
    *added = r.n - *known;
    *known += twins;
    return OK;
}
