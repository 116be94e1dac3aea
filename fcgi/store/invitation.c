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
            "created_by, expires_at, profile_id) VALUES (?, ?, ?, ?, ?, ?, ?)"};
#define COLUMNS                                                                                    \
    "SELECT i.id, i.note, i.uses_max, i.uses, i.created_at, i.expires_at, i.created_by, "          \
    "i.profile_id, p.name, i.revoked_at FROM invitation i LEFT JOIN enroll_profile p "             \
    "ON p.id = i.profile_id "
static const struct sql FIND = {.name = "invitation_find",
                                .text = COLUMNS "WHERE i.token_sha256 = ?"};
static const struct sql REVOKE = {
    .name = "invitation_revoke",
    .text = "UPDATE invitation SET revoked_at = COALESCE(revoked_at, ?) WHERE id = ?"};
static const struct sql PROFILE = {.name = "invitation_profile",
                                   .text = "SELECT id FROM enroll_profile WHERE name = ?"};
static const struct sql USE = {.name = "invitation_consume",
                               .text =
                                   "UPDATE invitation SET uses = uses + 1, used_at = ? "
                                   "WHERE token_sha256 = ? AND uses < uses_max AND expires_at > ? "
                                   "AND revoked_at IS NULL"};

static const struct sql USE_ID = {.name = "invitation_consume_id",
                                  .text =
                                      "UPDATE invitation SET uses = uses + 1, used_at = ? "
                                      "WHERE id = ? AND uses < uses_max AND revoked_at IS NULL"};

static const struct sql LIST = {.name = "invitation_list",
                                .text = COLUMNS "WHERE i.id < ? ORDER BY i.id DESC LIMIT ?"};

struct made {
    struct val args[7];
    const char *by, *note, *profile;
    struct arena *a;
};

static enum outcome new_unit(struct db *db, void *arg, struct err *err)
{
    struct made *m = arg;
    char id[24];
    struct rows r;
    enum outcome o = OK;
    m->args[6] = val_null();
    if (m->profile && m->profile[0]) {
        o = db_select(db, &PROFILE, (struct val[]){val_str(m->profile)}, 1, m->a, &r, err);
        if (o == OK && r.n)
            m->args[6] = *row_at(&r, 0, 0);
        else if (o == OK && strcmp(m->profile, "default") != 0)
            o = err_set(err, NOT_FOUND, "there is no enrolment profile \"%.64s\"", m->profile);
    }
    if (o == OK)
        o = db_exec(db, &NEW, m->args, 7, NULL, err);
    if (o != OK)
        return o;
    snprintf(id, sizeof id, "%lld", (long long)db_insert_id(db));
    return audit_add(db, m->by, "invitation.new", id, m->note, err);
}

enum outcome invitation_new(struct db *db, const char *profile, const char *note, int64_t uses_max,
                            int64_t expires_at, const char *by,
                            char token[INVITATION_TOKEN_LEN + 1], struct err *err)
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
                     .note = note,
                     .profile = profile,
                     .a = arena_new(64 * LIM_KB)};
    enum outcome o = m.a ? db_unit(db, new_unit, &m, err) : err_set(err, ERROR, "out of memory");
    arena_free(&m.a);
    return o;
}

static void from_row(const struct val *v, struct invitation *out)
{
    *out = (struct invitation){.id = v[0].i,
                               .note = v[1].s,
                               .uses_max = v[2].i,
                               .uses = v[3].i,
                               .created_at = v[4].i,
                               .expires_at = v[5].i,
                               .created_by = v[6].s,
                               .profile_id = v[7].i,
                               .profile = val_is_null(&v[8]) ? "default" : v[8].s,
                               .revoked_at = v[9].i};
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
    if (i->revoked_at)
        return err_set(err, DENIED, "the invitation was taken back at %s",
                       clock_rfc3339(i->revoked_at, false, when));
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

enum outcome invitation_consume_id(struct db *db, int64_t id, struct err *err)
{
    uint64_t used;
    enum outcome o =
        db_exec(db, &USE_ID, (struct val[]){val_int(clock_now()), val_int(id)}, 2, &used, err);
    if (o == OK && !used)
        return err_set(err, DENIED, "the invitation was used up or taken back meanwhile");
    return o;
}

enum outcome invitation_list(struct db *db, int64_t before, size_t max, struct arena *a,
                             struct invitation **out, size_t *n, struct err *err)
{
    struct rows r;
    *n = 0;
    enum outcome o =
        db_select(db, &LIST, (struct val[]){val_int(before ? before : INT64_MAX), val_page(max)}, 2,
                  a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}

struct revoke {
    int64_t id;
    const char *by;
};

static enum outcome revoke_unit(struct db *db, void *arg, struct err *err)
{
    const struct revoke *x = arg;
    char id[24];
    uint64_t rows;
    snprintf(id, sizeof id, "%lld", (long long)x->id);
    enum outcome o =
        db_exec(db, &REVOKE, (struct val[]){val_int(clock_now()), val_int(x->id)}, 2, &rows, err);
    if (o == OK && rows == 0)
        return err_set(err, NOT_FOUND, "there is no invitation %s", id);
    return o == OK ? audit_add(db, x->by, "invitation.revoke", id, NULL, err) : o;
}

enum outcome invitation_revoke(struct db *db, int64_t id, const char *by, struct err *err)
{
    struct revoke x = {id, by};
    return db_unit(db, revoke_unit, &x, err);
}
