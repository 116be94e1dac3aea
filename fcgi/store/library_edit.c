/* library_edit.c: see library.h: adding, changing and deleting items and versions. */
#include "store/library.h"

#include "base/limits.h"
#include "store/audit.h"
#include "store/group.h"
#include "store/id.h"

#include <stdio.h>

#define NAME_CHARS 255
#define ACTOR_CHARS 128
#define SUBJECT_CHARS 512
#define AFTER_MAX 16 /* items that wait for each other, one behind the other */

static const struct sql LOCK = {"library_lock",
                                "SELECT kind, identifier, changed_at, channel FROM library_item "
                                "WHERE id = ? AND deleted_at = 0 "
                                "FOR UPDATE",
                                0};
static const struct sql NEWEST = {
    "library_newest",
    "SELECT number, sha256, uuid FROM library_version WHERE item_id = ? ORDER BY number DESC "
    "LIMIT 1",
    0};
static const struct sql ADD_ITEM = {
    "library_add_item",
    "INSERT INTO library_item (id, kind, identifier, name, version, signing, encrypt, after_id, "
    "after_passcode, settings, wave_first, halt_percent, created_at, created_by, changed_at, "
    "changed_by, variables) VALUES (?,?,?,?,1,?,?,?,?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql ADD_VERSION = {
    "library_add_version",
    "INSERT INTO library_version (id, item_id, number, uuid, sha256, size, content, signed_by, "
    "types, variables, platforms, expires_at, details, created_at, created_by, scope) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql TAKE_VERSION = {
    "library_take_version",
    "UPDATE library_item SET version = IF(?, version, ?), changed_at = ?, changed_by = ? "
    "WHERE id = ?",
    0};
static const struct sql HAS_VERSION = {
    "library_has_version", "SELECT scope FROM library_version WHERE item_id = ? AND number = ?", 0};
static const struct sql AFTER = {
    "library_after", "SELECT after_id FROM library_item WHERE id = ? AND deleted_at = 0", 0};
static const struct sql CHANGE = {
    "library_change",
    "UPDATE library_item SET name = ?, version = ?, signing = ?, encrypt = ?, after_id = ?, "
    "after_passcode = ?, settings = ?, wave_first = ?, halt_percent = ?, changed_at = ?, "
    "changed_by = ?, settings_rev = ?, configuration_rev = ?, attributes_rev = ?, install_rev = ?, "
    "variables = ?, feedback_hours = ?, feedback_delete = ?, update_hours = ?, codes_low = ?, "
    "channel = ? WHERE id = ?",
    0};
static const struct sql LEARN = {
    "library_learn", "UPDATE library_item SET identifier = ? WHERE id = ? AND identifier = ?", 0};
static const struct sql WAITS = {
    "library_waits", "SELECT name FROM library_item WHERE after_id = ? AND deleted_at = 0 LIMIT 1",
    0};
static const struct sql UNASSIGN = {"library_unassign", "DELETE FROM assignment WHERE item_id = ?",
                                    0};
static const struct sql UNOFFER = {"library_unoffer", "DELETE FROM offer WHERE item_id = ?", 0};
static const struct sql DELETE = {
    "library_delete",
    "UPDATE library_item SET deleted_at = ?, changed_at = ?, changed_by = ? WHERE id = ?", 0};

/* ---- adding ---- */

struct add {
    struct library_upload *u;
    struct arena *a;
};

static enum outcome add_item(struct db *db, struct library_upload *u, struct err *err)
{
    const struct library_item *i = &u->item;
    struct val by = val_cut(u->actor, ACTOR_CHARS), now = val_int(u->now);
    enum outcome o = db_exec(
        db, &ADD_ITEM,
        (struct val[]){val_int(u->v.item_id), val_int(i->kind), val_str(i->identifier),
                       val_cut(i->name, NAME_CHARS), val_int(i->signing), val_int(i->encrypt),
                       val_id(i->after_id), val_int(i->after_passcode),
                       i->settings != NULL && i->settings[0] ? val_str(i->settings) : val_null(),
                       val_int(i->wave_first), val_int(i->halt_percent), now, by, now, by,
                       val_int((int64_t)i->app.variables)},
        16, NULL, err);

    return o == CONFLICT ? err_set(err, CONFLICT,
                                   "the library has a %s %s already; a new version "
                                   "goes to that one",
                                   library_kind_name(i->kind), i->identifier)
                         : o;
}

/* A profile that says System is refused on the channel of a user. */
static enum outcome channel_check(int channel, int64_t scope, struct err *err)
{
    return channel == LIBRARY_CHANNEL_USER && scope == LIBRARY_SCOPE_SYSTEM
               ? err_set(err, INVALID,
                         "its PayloadScope is System: it cannot go to the channels of users")
               : OK;
}

/* Locks the item, and tells the number before the new one. */
static enum outcome add_to(struct db *db, struct add *x, struct err *err)
{
    struct library_upload *u = x->u;
    struct rows r;
    enum outcome o = db_select(db, &LOCK, (struct val[]){val_int(u->item_id)}, 1, x->a, &r, err);

    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "the library has nothing with the id %lld",
                       (long long)u->item_id);
    if (row_at(&r, 0, 0)->i != u->item.kind || strcmp(row_at(&r, 0, 1)->s, u->item.identifier) != 0)
        return err_set(err, CONFLICT, "the file is the %s %.120s; it must be the %s %.120s",
                       library_kind_name(u->item.kind), u->item.identifier,
                       library_kind_name((int)row_at(&r, 0, 0)->i), row_at(&r, 0, 1)->s);
    if (!u->stage && (o = channel_check((int)row_at(&r, 0, 3)->i, u->v.scope, err)) != OK)
        return o;
    o = db_select(db, &NEWEST, (struct val[]){val_int(u->item_id)}, 1, x->a, &r, err);
    if (o != OK || r.n == 0)
        return o;
    u->number = (int)row_at(&r, 0, 0)->i;
    u->repeated = bytes_equal(val_bytes(row_at(&r, 0, 1)), bytes_of(u->v.sha256, 32));
    if (u->base != 0 && u->base != u->number && !u->repeated)
        return err_set(err, CONFLICT, "version %d was stored meanwhile; this was made from %d",
                       u->number, u->base);
    return OK;
}

static enum outcome add_version(struct db *db, struct library_upload *u, struct err *err)
{
    const struct library_version *v = &u->v;

    return db_exec(db, &ADD_VERSION,
                   (struct val[]){val_int(v->id), val_int(v->item_id), val_int(u->number),
                                  val_str(v->uuid), val_bin(bytes_of(v->sha256, 32)),
                                  val_int(v->size), u->content.n ? val_bin(u->content) : val_null(),
                                  val_cut(v->signed_by, SUBJECT_CHARS), val_str(v->types),
                                  val_int((int64_t)v->variables), val_int((int64_t)v->platforms),
                                  val_id(v->expires_at), val_str(v->details), val_int(u->now),
                                  val_cut(u->actor, ACTOR_CHARS), val_int(v->scope)},
                   16, NULL, err);
}

static enum outcome add_unit(struct db *db, void *arg, struct err *err)
{
    struct add *x = arg;
    struct library_upload *u = x->u;
    char detail[160], subject[300];
    enum outcome o;

    arena_reset(x->a);
    u->number = 0;
    u->repeated = false;
    u->v.item_id = u->item_id != 0 ? u->item_id : id_new();
    o = u->item_id != 0 ? add_to(db, x, err) : add_item(db, u, err);
    if (o != OK || u->repeated)
        return o;
    u->number++;
    o = add_version(db, u, err);
    if (o == OK && u->item_id != 0)
        o = db_exec(db, &TAKE_VERSION,
                    (struct val[]){val_int(u->stage), val_int(u->number), val_int(u->now),
                                   val_cut(u->actor, ACTOR_CHARS), val_int(u->item_id)},
                    5, NULL, err);
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(subject, sizeof subject, "%s:%s", library_kind_name(u->item.kind), u->item.identifier);
    snprintf(detail, sizeof detail, "id=%lld version=%d size=%lld%s", (long long)u->v.item_id,
             u->number, (long long)u->v.size, u->stage ? " staged=1" : "");
    return audit_add(db, u->actor, "library.upload", subject, detail, err);
}

enum outcome library_add(struct db *db, struct library_upload *u, struct err *err)
{
    struct add x = {.u = u, .a = arena_new(LIM_MB)};
    enum outcome o = db_whole(db, err);

    if (o == OK)
        o = x.a != NULL ? db_unit(db, add_unit, &x, err) : err_set(err, ERROR, "out of memory");
    arena_free(&x.a);
    return o;
}

/* ---- changing ---- */

struct change {
    const struct library_item *item;
    const char *actor, *what;
    int64_t now;
    struct arena *a;
};

/* Follows what the item waits for: it must exist, and not lead back to the item. */
static enum outcome after_check(struct db *db, struct change *x, struct err *err)
{
    int64_t at = x->item->after_id;
    struct rows r;

    for (int i = 0; at != 0; i++) {
        enum outcome o = OK;

        if (at == x->item->id || i == AFTER_MAX)
            return err_set(err, INVALID,
                           "the items would wait for each other, or more than %d "
                           "stand in a row",
                           AFTER_MAX);
        o = db_select(db, &AFTER, (struct val[]){val_int(at)}, 1, x->a, &r, err);
        if (o != OK)
            return o;
        if (r.n == 0)
            return err_set(err, INVALID, "there is nothing with the id %lld to wait for",
                           (long long)at);
        at = val_or_0(row_at(&r, 0, 0));
    }
    return OK;
}

static enum outcome lock_item(struct db *db, int64_t id, struct arena *a, struct rows *r,
                              struct err *err)
{
    enum outcome o = db_select(db, &LOCK, (struct val[]){val_int(id)}, 1, a, r, err);

    if (o == OK && r->n == 0)
        return err_set(err, NOT_FOUND, "the library has nothing with the id %lld", (long long)id);
    return o;
}

static enum outcome change_unit(struct db *db, void *arg, struct err *err)
{
    struct change *x = arg;
    const struct library_item *i = x->item;
    char subject[300];
    struct rows r;
    enum outcome o;

    arena_reset(x->a);
    if ((o = lock_item(db, i->id, x->a, &r, err)) != OK)
        return o;
    if (row_at(&r, 0, 2)->i != i->changed_at)
        return err_set(err, CONFLICT, "somebody else has changed it meanwhile; read it again");
    o = db_select(db, &HAS_VERSION, (struct val[]){val_int(i->id), val_int(i->version)}, 2, x->a,
                  &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, INVALID, "it has no version %d", i->version);
    if (o == OK)
        o = channel_check(i->channel, row_at(&r, 0, 0)->i, err);
    if (o == OK)
        o = after_check(db, x, err);
    if (o == OK)
        o = db_exec(db, &CHANGE,
                    (struct val[]){val_cut(i->name, NAME_CHARS),
                                   val_int(i->version),
                                   val_int(i->signing),
                                   val_int(i->encrypt),
                                   val_id(i->after_id),
                                   val_int(i->after_passcode),
                                   i->settings[0] ? val_str(i->settings) : val_null(),
                                   val_int(i->wave_first),
                                   val_int(i->halt_percent),
                                   val_int(x->now > i->changed_at ? x->now : i->changed_at + 1),
                                   val_cut(x->actor, ACTOR_CHARS),
                                   val_int(i->app.settings_rev),
                                   val_int(i->app.configuration_rev),
                                   val_int(i->app.attributes_rev),
                                   val_int(i->app.install_rev),
                                   val_int((int64_t)i->app.variables),
                                   val_int(i->app.feedback_hours),
                                   val_int(i->app.feedback_delete),
                                   val_int(i->app.update_hours),
                                   val_int(i->app.codes_low),
                                   val_int(i->channel),
                                   val_int(i->id)},
                    22, NULL, err);
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(subject, sizeof subject, "%s:%s", library_kind_name(i->kind), i->identifier);
    return audit_add(db, x->actor, "library.change", subject, x->what, err);
}

enum outcome library_change(struct db *db, const struct library_item *item, const char *actor,
                            const char *what, int64_t now, struct err *err)
{
    struct change x = {item, actor, what, now, arena_new(LIM_MB)};
    enum outcome o = db_whole(db, err);

    if (o == OK)
        o = x.a != NULL ? db_unit(db, change_unit, &x, err) : err_set(err, ERROR, "out of memory");
    arena_free(&x.a);
    return o;
}

enum outcome library_learn(struct db *db, int64_t id, const char *was, const char *identifier,
                           struct err *err)
{
    return db_exec(db, &LEARN, (struct val[]){val_str(identifier), val_int(id), val_str(was)}, 3,
                   NULL, err);
}

static enum outcome delete_unit(struct db *db, void *arg, struct err *err)
{
    struct change *x = arg;
    char subject[300];
    struct rows r, waits;
    enum outcome o;

    arena_reset(x->a);
    if ((o = lock_item(db, x->item->id, x->a, &r, err)) != OK ||
        (o = db_select(db, &WAITS, (struct val[]){val_int(x->item->id)}, 1, x->a, &waits, err)) !=
            OK)
        return o;
    if (waits.n > 0)
        return err_set(err, CONFLICT, "%.200s waits for it; change that first",
                       row_at(&waits, 0, 0)->s);
    o = db_exec(db, &DELETE,
                (struct val[]){val_int(x->now), val_int(x->now), val_cut(x->actor, ACTOR_CHARS),
                               val_int(x->item->id)},
                4, NULL, err);
    if (o == OK)
        o = db_exec(db, &UNASSIGN, (struct val[]){val_int(x->item->id)}, 1, NULL, err);
    if (o == OK)
        o = db_exec(db, &UNOFFER, (struct val[]){val_int(x->item->id)}, 1, NULL, err);
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(subject, sizeof subject, "%s:%s", library_kind_name((int)row_at(&r, 0, 0)->i),
             row_at(&r, 0, 1)->s);
    return audit_add(db, x->actor, "library.delete", subject, x->what, err);
}

enum outcome library_delete(struct db *db, int64_t id, const char *actor, const char *why,
                            int64_t now, struct err *err)
{
    struct library_item item = {.id = id};
    struct change x = {&item, actor, why, now, arena_new(LIM_MB)};
    enum outcome o = db_whole(db, err);

    if (o == OK)
        o = x.a != NULL ? db_unit(db, delete_unit, &x, err) : err_set(err, ERROR, "out of memory");
    arena_free(&x.a);
    return o;
}
