/* invitation.c: the statements of invitations. */
#include "store/invitation.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "wire/encode.h"

static const struct sql NEW = {
    .name = "invitation_new",
    .text = "INSERT INTO invitation (token_sha256, note, uses_max, created_at, "
            "created_by, expires_at) VALUES (?, ?, ?, ?, ?, ?)"};
static const struct sql FIND = {
    .name = "invitation_find",
    .text = "SELECT id, note, uses_max, uses, created_at, expires_at, created_by "
            "FROM invitation WHERE token_sha256 = ?"};
static const struct sql USE = {.name = "invitation_consume",
                               .text =
                                   "UPDATE invitation SET uses = uses + 1, used_at = ? "
                                   "WHERE token_sha256 = ? AND uses < uses_max AND expires_at > ?"};

static const struct sql LIST = {
    .name = "invitation_list",
    .text = "SELECT id, note, uses_max, uses, created_at, expires_at, created_by FROM invitation "
            "WHERE id < ? ORDER BY id DESC LIMIT ?"};

struct made {
    struct val args[6];
    const char *by, *note;
};

static enum outcome new_unit(struct db *db, void *arg, struct err *err)
{
    struct made *m = arg;
    char id[24];
    enum outcome o = db_exec(db, &NEW, m->args, 6, NULL, err);
    if (o != OK)
        return o;
    snprintf(id, sizeof id, "%lld", (long long)db_insert_id(db));
    return audit_add(db, m->by, "invitation.new", id, m->note, err);
}

enum outcome invitation_new(struct db *db, const char *note, int64_t uses_max, int64_t expires_at,
                            const char *by, char token[INVITATION_TOKEN_LEN + 1], struct err *err)
{
    uint8_t sum[SHA256_LEN];
    int64_t now = clock_now();
    token[0] = '\0';
    if (uses_max < 1 || uses_max > INVITATION_USES_MAX)
        return err_set(err, INVALID, "an invitation works 1 to %d times", INVITATION_USES_MAX);
    if (expires_at <= now)
        return err_set(err, INVALID, "the invitation would have expired already");
    secret_new(INVITATION_TOKEN_LEN / 2, token);
    sha256(bytes_str(token), sum);
    struct made m = {.args = {val_bin(bytes_of(sum, sizeof sum)), val_str(note), val_int(uses_max),
                              val_int(now), val_str(by), val_int(expires_at)},
                     .by = by,
                     .note = note};
    return db_unit(db, new_unit, &m, err);
}

static void from_row(const struct val *v, struct invitation *out)
{
    *out = (struct invitation){.id = v[0].i,
                               .note = v[1].s,
                               .uses_max = v[2].i,
                               .uses = v[3].i,
                               .created_at = v[4].i,
                               .expires_at = v[5].i,
                               .created_by = v[6].s};
}

/* Reads the row into out. */
static enum outcome row_find(struct db *db, const uint8_t sum[SHA256_LEN], struct arena *a,
                             struct invitation *out, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &FIND, (struct val[]){val_bin(bytes_of(sum, SHA256_LEN))}, 1, a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "no such invitation");
    from_row(row_at(&r, 0, 0), out);
    return OK;
}

static enum outcome judge(const struct invitation *i, struct err *err)
{
    char when[CLOCK_TEXT_MAX];
    if (i->expires_at <= clock_now())
        return err_set(err, DENIED, "the invitation expired at %s",
                       clock_rfc3339(i->expires_at, false, when));
    if (i->uses >= i->uses_max)
        return err_set(err, DENIED, "the invitation has been used %lld times, which is all",
                       (long long)i->uses);
    return OK;
}

enum outcome invitation_find(struct db *db, const char *token, struct arena *a,
                             struct invitation *out, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    sha256(bytes_str(token), sum);
    enum outcome o = row_find(db, sum, a, out, err);
    return o == OK ? judge(out, err) : o;
}

enum outcome invitation_consume(struct db *db, const char *token, struct arena *a,
                                struct invitation *out, struct err *err)
{
    uint8_t sum[SHA256_LEN];
    int64_t now = clock_now();
    uint64_t used;
    sha256(bytes_str(token), sum);
    struct val key = val_bin(bytes_of(sum, sizeof sum));
    enum outcome o =
        db_exec(db, &USE, (struct val[]){val_int(now), key, val_int(now)}, 3, &used, err);
    if (o == OK)
        o = row_find(db, sum, a, out, err);
    if (o != OK || used)
        return o;
    o = judge(out, err);
    return o == OK ? err_set(err, DENIED, "the invitation is used up") : o;
}

enum outcome invitation_list(struct db *db, int64_t before, size_t max, struct arena *a,
                             struct invitation **out, size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o = db_select(db, &LIST,
                               (struct val[]){val_int(before ? before : INT64_MAX),
                                              val_int((int64_t)(max < LIM_PAGE ? max : LIM_PAGE))},
                               2, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}
