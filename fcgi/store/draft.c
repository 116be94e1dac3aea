/* draft.c: see draft.h. */
#include "store/draft.h"

#include "base/limits.h"
#include "store/audit.h"

#include <stdio.h>

#define NAME_CHARS 255
#define ACTOR_CHARS 128
#define COLUMNS                                                                                    \
    "id, item_id, base, revision, name, identifier, size, created_at, created_by, changed_at, "    \
    "changed_by"

static const struct sql ADD = {
    "draft_add",
    "INSERT INTO profile_draft (id, item_id, base, name, identifier, content, size, created_at, "
    "created_by, changed_at, changed_by) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql STORE = {
    "draft_store",
    "UPDATE profile_draft SET revision = revision + 1, base = ?, name = ?, identifier = ?, content "
    "= ?, size = ?, changed_at = ?, changed_by = ? WHERE id = ? AND revision = ?",
    0};
static const struct sql GET = {
    "draft_get", "SELECT " COLUMNS ", content FROM profile_draft WHERE id = ? AND %OWN 0%", 0};
static const struct sql HEAD = {"draft_head", "SELECT " COLUMNS " FROM profile_draft WHERE id = ?",
                                0};
static const struct sql LIST = {
    "draft_list",
    "SELECT " COLUMNS " FROM profile_draft WHERE %OWN 0% AND (? = 0 OR item_id = ?) ORDER BY "
    "changed_at DESC, id LIMIT ?",
    0};
static const struct sql DELETE = {
    "draft_delete", "DELETE FROM profile_draft WHERE id = ? AND ? IN (0, revision)", 0};

static void from_row(const struct val *v, struct draft *out)
{
    *out = (struct draft){.id = v[0].i,
                          .item_id = val_or_0(&v[1]),
                          .base = (int)v[2].i,
                          .revision = (int)v[3].i,
                          .name = v[4].s,
                          .identifier = v[5].s,
                          .size = v[6].i,
                          .created_at = v[7].i,
                          .created_by = v[8].s,
                          .changed_at = v[9].i,
                          .changed_by = v[10].s};
}

enum outcome draft_add(struct db *db, struct draft *d, struct bytes content, const char *actor,
                       int64_t now, struct err *err)
{
    struct val by = val_cut(actor, ACTOR_CHARS), at = val_int(now);

    enum outcome o = db_whole(db, err);

    d->revision = 1;
    return o != OK ? o
                   : db_exec(db, &ADD,
                             (struct val[]){val_int(d->id), val_id(d->item_id), val_int(d->base),
                                            val_cut(d->name, NAME_CHARS),
                                            val_cut(d->identifier, NAME_CHARS), val_bin(content),
                                            val_int(d->size), at, by, at, by},
                             11, NULL, err);
}

enum outcome draft_store(struct db *db, struct draft *d, struct bytes content, const char *actor,
                         int64_t now, struct err *err)
{
    uint64_t hit = 0;
    enum outcome o = db_whole(db, err);

    if (o == OK)
        o = db_exec(db, &STORE,
                    (struct val[]){val_int(d->base), val_cut(d->name, NAME_CHARS),
                                   val_cut(d->identifier, NAME_CHARS), val_bin(content),
                                   val_int(d->size), val_int(now), val_cut(actor, ACTOR_CHARS),
                                   val_int(d->id), val_int(d->revision)},
                    9, &hit, err);

    if (o == OK && hit == 0)
        return err_set(err, CONFLICT,
                       "the draft was stored by somebody else meanwhile, or is gone");
    d->revision += o == OK;
    return o;
}

enum outcome draft_get(struct db *db, int64_t id, struct arena *a, struct draft *out,
                       struct bytes *content, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, content != NULL ? &GET : &HEAD, (struct val[]){val_int(id)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no such draft: it was published or discarded");
    if (o != OK)
        return o;
    from_row(row_at(&r, 0, 0), out);
    if (content != NULL)
        *content = val_bytes(row_at(&r, 0, 11));
    return OK;
}

enum outcome draft_list(struct db *db, int64_t item_id, size_t max, struct arena *a,
                        struct draft **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &LIST, (struct val[]){val_int(item_id), val_int(item_id), val_page(max)}, 3,
                  a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}

struct removal {
    int64_t id;
    int revision;
    const char *actor, *why;
};

static enum outcome delete_unit(struct db *db, void *arg, struct err *err)
{
    const struct removal *x = arg;
    char subject[48];
    uint64_t hit = 0;
    enum outcome o =
        db_exec(db, &DELETE, (struct val[]){val_int(x->id), val_int(x->revision)}, 2, &hit, err);

    if (o != OK || hit == 0)
        return o;
    snprintf(subject, sizeof subject, "draft:%lld", (long long)x->id);
    return audit_add(db, x->actor, "library.draft", subject, x->why, err);
}

enum outcome draft_delete(struct db *db, int64_t id, int revision, const char *actor,
                          const char *why, struct err *err)
{
    struct removal x = {id, revision, actor, why};
    enum outcome o = db_whole(db, err);

    return o == OK ? db_unit(db, delete_unit, &x, err) : o;
}
