/* member.c: see member.h. */
#include "store/member.h"

#include "base/limits.h"
#include "store/audit.h"
#include "store/filter.h"
#include "store/group.h"
#include "store/scope.h"

#include <stdio.h>

#define ACTOR_CHARS 128
#define CHUNK 512
#define TAGS_MAX 10000

static const struct sql MEMBERS = {
    "group_members",
    "SELECT e.id, e.ident, e.serial, e.device_name, m.since FROM group_member m JOIN enrollment e "
    "ON e.id = m.device_id WHERE m.group_id = ? AND %GROUP m.group_id% AND %SCOPE m.device_id% AND "
    "m.device_id > ? ORDER BY m.device_id LIMIT ?",
    0};
static const struct sql DEVICES = {
    "group_devices",
    "SELECT id, ident, serial FROM enrollment WHERE kind IN (1, 4) AND state = 2 AND ident "
    "IN (%IN%) AND %SCOPE device_id% UNION SELECT id, ident, serial FROM enrollment WHERE kind IN "
    "(1, 4) AND state "
    "= 2 AND serial IN (%IN%) AND %SCOPE device_id%",
    1};
static const struct sql ADD_MEMBER = {
    "group_add_member",
    "INSERT INTO group_member (group_id, device_id, since, by_whom) VALUES (?,?,?,?) ON DUPLICATE "
    "KEY UPDATE since = since",
    0};
static const struct sql DROP_MEMBER = {
    "group_drop_member",
    "DELETE m FROM group_member m JOIN enrollment e ON e.id = m.device_id WHERE m.group_id = ? AND "
    "(e.ident IN (%IN%) OR e.serial IN (%IN%)) AND %SCOPE e.device_id%",
    1};
static const struct sql DECIDING = {
    "tag_deciding",
    "SELECT filter FROM device_group WHERE filter IS NOT NULL AND id IN (SELECT group_id FROM "
    "scope_group)",
    0};
static const struct sql COUNT = {
    "group_count",
    "UPDATE device_group SET members = (SELECT COUNT(*) FROM group_member WHERE group_id = ?) "
    "WHERE id = ?",
    0};
static const struct sql ADD_TAG = {
    "tag_add",
    "INSERT INTO device_tag (device_id, tag, at, by_whom) VALUES (?,?,?,?) ON DUPLICATE KEY UPDATE "
    "at = at",
    0};
static const struct sql DROP_TAG = {
    "tag_drop",
    "DELETE t FROM device_tag t JOIN enrollment e ON e.id = t.device_id WHERE t.tag = ? AND "
    "(e.ident IN (%IN%) OR e.serial IN (%IN%)) AND %SCOPE e.device_id%",
    1};
static const struct sql TAGS_OF = {
    "tag_of_device",
    "SELECT t.tag FROM enrollment e JOIN device_tag t ON t.device_id = e.device_id WHERE e.ident = "
    "? AND %SCOPE e.device_id% ORDER BY t.tag LIMIT ?",
    0};
/* Those who change a tag at once wait for each other, so that the last one counts what all did. */
static const struct sql LOCK_TAG = {
    "tag_lock",
    "INSERT INTO tag_count (tag, devices) VALUES (?, 0) ON DUPLICATE KEY UPDATE devices = devices",
    0};
static const struct sql COUNT_TAG = {"tag_count",
                                     "UPDATE tag_count SET devices = (SELECT COUNT(*) FROM "
                                     "device_tag t WHERE t.tag = ?) WHERE tag = "
                                     "?",
                                     0};
static const struct sql DROP_TAG_COUNT = {"tag_count_drop",
                                          "DELETE FROM tag_count WHERE tag = ? AND devices = 0", 0};
static const struct sql TAGS = {"tag_list",
                                "SELECT tag, devices FROM tag_count ORDER BY tag LIMIT ?", 0};
static const struct sql TAGS_OWN = {"tag_list_own",
                                    "SELECT tag, COUNT(*) FROM device_tag WHERE %SCOPE device_id% "
                                    "GROUP BY tag ORDER BY tag LIMIT ?",
                                    0};
static const struct sql HAVING_TAG = {
    "tag_devices",
    "SELECT device_id FROM device_tag FORCE INDEX (tag) WHERE tag = ? ORDER BY device_id", 0};

enum outcome group_members(struct db *db, int64_t id, int64_t after, size_t max, struct arena *a,
                           struct group_device **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(
        db, &MEMBERS, (struct val[]){val_int(id), val_int(after), val_page(max)}, 3, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] =
            (struct group_device){v[0].i, v[1].s, val_text(&v[2]), val_text(&v[3]), v[4].i};
    }
    return OK;
}

/* ---- changing ---- */

struct change {
    int64_t group_id; /* with tag NULL */
    struct group_edit *edit;
    const char *tag;
    const char *actor;
    int64_t now;
    struct arena *a;
};

static enum outcome run(struct db *db, db_unit_fn *fn, struct change *x, struct err *err)
{
    enum outcome o;

    x->a = arena_new(LIM_ARENA_REQUEST);
    o = x->a != NULL ? db_unit(db, fn, x, err) : err_set(err, ERROR, "out of memory");
    arena_free(&x->a);
    return o;
}

/* A device is named by its enrollment id or its serial number: the words of the list that are
 * neither are counted, and the first of them kept. */
static void note_unknown(struct group_edit *e, const char *const *words, size_t n,
                         const struct rows *r)
{
    for (size_t i = 0; i < n; i++) {
        bool known = false;

        for (size_t k = 0; !known && k < r->n; k++)
            known = strcmp(words[i], row_at(r, k, 1)->s) == 0 ||
                    strcmp(words[i], val_text(row_at(r, k, 2))) == 0;
        if (!known && e->unknown < GROUP_UNKNOWN)
            e->strangers[e->unknown] = words[i];
        e->unknown += !known;
    }
}

/* Adds the devices of a list: to a group (tag NULL), or a tag to them. */
static enum outcome add_devices(struct db *db, struct change *x, struct err *err)
{
    struct group_edit *e = x->edit;
    struct val list[CHUNK * 2], args[CHUNK * 2 * 4];
    enum outcome o = OK;

    for (size_t from = 0, n; o == OK && from < e->nadd; from += n) {
        struct rows r;
        size_t k = 0;

        n = e->nadd - from < CHUNK ? e->nadd - from : CHUNK;
        for (size_t i = 0; i < n; i++)
            list[i] = list[n + i] = val_str(e->add[from + i]);
        o = db_select_in(db, &DEVICES, NULL, 0, list, n, NULL, 0, x->a, &r, err);
        if (o != OK)
            return o;
        note_unknown(e, e->add + from, n, &r);
        for (size_t i = 0; i < r.n && i < CHUNK * 2; i++) {
            if (x->tag == NULL)
                args[k++] = val_int(x->group_id);
            args[k++] = *row_at(&r, i, 0);
            if (x->tag != NULL)
                args[k++] = val_str(x->tag);
            args[k++] = val_int(x->now);
            args[k++] = val_cut(x->actor, ACTOR_CHARS);
        }
        o = db_exec_many(db, x->tag != NULL ? &ADD_TAG : &ADD_MEMBER, args, 4, k / 4, NULL, err);
    }
    return o;
}

static enum outcome drop_devices(struct db *db, struct change *x, struct err *err)
{
    struct group_edit *e = x->edit;
    struct val list[CHUNK * 2], key = x->tag != NULL ? val_str(x->tag) : val_int(x->group_id);
    enum outcome o = OK;

    for (size_t from = 0, n; o == OK && from < e->nremove; from += n) {
        n = e->nremove - from < CHUNK ? e->nremove - from : CHUNK;
        for (size_t i = 0; i < n; i++)
            list[i] = list[n + i] = val_str(e->remove[from + i]);
        o = db_exec_in(db, x->tag != NULL ? &DROP_TAG : &DROP_MEMBER, &key, 1, list, n, x->a, NULL,
                       err);
    }
    return o;
}

/* Who is limited would keep devices, or get others', by a tag that says who reaches what. */
static enum outcome tag_decides(struct db *db, const struct change *x, struct err *err)
{
    struct rows r;
    bool decides = false;
    enum outcome o = db_select(db, &DECIDING, NULL, 0, x->a, &r, err);

    for (size_t i = 0; o == OK && !decides && i < r.n; i++) {
        struct err bad = {0};
        js e = NULL;

        decides =
            js_parse(bytes_str(row_at(&r, i, 0)->s), &e, &bad) == OK && filter_asks_tag(e, x->tag);
        js_free(&e);
    }
    return o == OK && decides
               ? err_set(
                     err, DENIED,
                     "this tag says who reaches which devices: who is limited to groups neither "
                     "gives nor takes it")
               : o;
}

/* The devices of a limited account's group are its own, whoever puts them there. */
static enum outcome add_reached(struct db *db, struct change *x, int64_t owner, struct err *err)
{
    int64_t scope = db_scope_of(db);
    enum outcome o;

    if (owner != 0)
        db_scope(db, owner);
    o = add_devices(db, x, err);
    db_scope(db, scope);
    return o;
}

static enum outcome members_count(struct db *db, const struct change *x, struct err *err)
{
    struct val key = x->tag != NULL ? val_str(x->tag) : val_int(x->group_id);
    enum outcome o =
        db_exec(db, x->tag != NULL ? &COUNT_TAG : &COUNT, (struct val[]){key, key}, 2, NULL, err);

    return o == OK && x->tag != NULL ? db_exec(db, &DROP_TAG_COUNT, &key, 1, NULL, err) : o;
}

static enum outcome edit_unit(struct db *db, void *arg, struct err *err)
{
    struct change *x = arg;
    const char *name = x->tag;
    bool filtered = false;
    int64_t owner = 0;
    char detail[96];
    enum outcome o = OK;

    arena_reset(x->a);
    x->edit->unknown = 0;
    if (x->tag == NULL)
        o = group_lock_own(db, x->group_id, x->a, &name, &filtered, &owner, err);
    else if (db_scoped(db))
        o = tag_decides(db, x, err);
    if (o == OK && x->tag != NULL)
        o = db_exec(db, &LOCK_TAG, (struct val[]){val_str(x->tag)}, 1, NULL, err);
    if (o == OK && filtered)
        return err_set(err, INVALID, "the devices of this group are found by its filter");
    if (o == OK)
        o = add_reached(db, x, owner, err);
    if (o == OK)
        o = drop_devices(db, x, err);
    if (o == OK && x->tag == NULL && owner == 0)
        o = group_trim(db, err);
    if (o == OK)
        o = members_count(db, x, err);
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail, "add=%zu remove=%zu unknown=%zu", x->edit->nadd,
             x->edit->nremove, x->edit->unknown);
    return audit_add(db, x->actor, x->tag != NULL ? "tag.edit" : "group.edit", name, detail, err);
}

enum outcome group_edit(struct db *db, int64_t id, struct group_edit *e, const char *actor,
                        int64_t now, struct err *err)
{
    struct change x = {.group_id = id, .edit = e, .actor = actor, .now = now};

    return run(db, edit_unit, &x, err);
}

enum outcome tag_edit(struct db *db, const char *tag, struct group_edit *e, const char *actor,
                      int64_t now, struct err *err)
{
    struct change x = {.edit = e, .tag = tag, .actor = actor, .now = now};

    return run(db, edit_unit, &x, err);
}

enum outcome tag_of_device(struct db *db, const char *ident, struct arena *a, const char ***out,
                           size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &TAGS_OF, (struct val[]){val_str(ident), val_int(LIM_PAGE)}, 2, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = row_at(&r, *n, 0)->s;
    return OK;
}

/* For who is limited to many devices: how many of them have each tag. */
static enum outcome tags_count_own(struct db *db, struct tag_count *list, size_t *n,
                                   struct arena *a, struct err *err)
{
    struct scope_set reach;
    size_t all = *n;
    enum outcome o = scope_set_read(db, a, &reach, err);

    *n = 0;
    for (size_t i = 0; o == OK && i < all; i++) {
        struct tag_count t = list[i];

        o = scope_set_count(db, &reach, &HAVING_TAG, (struct val[]){val_str(t.tag)}, 1, &t.devices,
                            err);
        if (o == OK && t.devices > 0)
            list[(*n)++] = t;
    }
    return o;
}

enum outcome tag_list(struct db *db, struct arena *a, struct tag_count **out, size_t *n,
                      struct err *err)
{
    struct rows r;
    bool few;
    enum outcome o = db_scope_few(db, &few, err);

    *n = 0;
    if (o == OK)
        o = db_select(db, few ? &TAGS_OWN : &TAGS, (struct val[]){val_int(TAGS_MAX)}, 1, a, &r,
                      err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = (struct tag_count){row_at(&r, *n, 0)->s, row_at(&r, *n, 1)->i};
    return db_scoped(db) && !few ? tags_count_own(db, *out, n, a, err) : OK;
}
