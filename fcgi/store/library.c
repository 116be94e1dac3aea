/* library.c: see library.h. */
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

#define VERSION_COLUMNS                                                                            \
    "v.id, v.item_id, v.number, v.uuid, v.sha256, v.size, v.signed_by, v.types, v.variables, "     \
    "v.platforms, v.expires_at, v.details, v.created_at, v.created_by, v.scope"
#define VERSION_COLUMNS_N 15
#define ITEM_COLUMNS                                                                               \
    VERSION_COLUMNS ", i.id, i.kind, i.identifier, i.name, i.version, i.signing, i.encrypt, "      \
                    "i.after_id, i.after_passcode, i.settings, i.wave_first, i.halt_percent, "     \
                    "i.created_at, i.created_by, i.changed_at, i.changed_by, i.settings_rev, "     \
                    "i.configuration_rev, i.attributes_rev, i.install_rev, i.variables, "          \
                    "i.feedback_hours, i.feedback_delete, i.update_hours, i.codes_low, "           \
                    "i.codes_alarm_at, i.channel"
#define ITEM_COLUMNS_N (VERSION_COLUMNS_N + 27)
#define ITEM_FROM                                                                                  \
    " FROM library_item i JOIN library_version v ON v.item_id = i.id AND v.number = i.version "

static const struct sql LIST = {
    "library_list",
    "SELECT " ITEM_COLUMNS ITEM_FROM
    "WHERE i.deleted_at = 0 AND (? = 0 OR i.kind = ?) AND i.id > ? "
    "AND (? IS NULL OR LOCATE(?, CONCAT_WS('\n', i.name, i.identifier) COLLATE utf8mb4_general_ci) "
    "> 0) ORDER BY i.id LIMIT ?",
    0};
static const struct sql GET = {
    "library_get", "SELECT " ITEM_COLUMNS ITEM_FROM "WHERE i.id = ? AND i.deleted_at = 0", 0};
static const struct sql FIND = {"library_find",
                                "SELECT " ITEM_COLUMNS ITEM_FROM
                                "WHERE i.kind = ? AND i.identifier = ? AND i.deleted_at = 0",
                                0};
static const struct sql FOR_DELIVERY = {"library_for_delivery",
                                        "SELECT " ITEM_COLUMNS
                                        ", v.content FROM library_version v JOIN library_item i "
                                        "ON i.id = v.item_id WHERE v.id = ?",
                                        0};
static const struct sql VERSION_ANY = {
    "library_version_any",
    "SELECT " VERSION_COLUMNS " FROM library_version v WHERE v.item_id = ? AND v.number = ?", 0};
static const struct sql DELIVERY_ITEM = {
    "library_delivery_item",
    "SELECT " ITEM_COLUMNS " FROM library_version v JOIN library_item i ON i.id = v.item_id "
    "WHERE v.id = ?",
    0};
static const struct sql VERSIONS = {"library_versions",
                                    "SELECT " VERSION_COLUMNS
                                    " FROM library_version v WHERE v.item_id = ? AND v.number < ? "
                                    "ORDER BY v.number DESC LIMIT ?",
                                    0};
static const struct sql VERSION = {
    "library_version",
    "SELECT " VERSION_COLUMNS ", v.content FROM library_version v JOIN library_item i "
    "ON i.id = v.item_id WHERE v.item_id = ? AND v.number = ? AND i.deleted_at = 0",
    0};
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
static const struct sql FILES = {
    "library_files",
    "SELECT JSON_VALUE(v.details, '$.file'), i.deleted_at FROM library_item i JOIN "
    "library_version v ON v.item_id = i.id WHERE i.kind = 3 AND v.size > 0",
    0};
static const struct sql WAITS = {
    "library_waits", "SELECT name FROM library_item WHERE after_id = ? AND deleted_at = 0 LIMIT 1",
    0};
static const struct sql UNASSIGN = {"library_unassign", "DELETE FROM assignment WHERE item_id = ?",
                                    0};
static const struct sql UNOFFER = {"library_unoffer", "DELETE FROM offer WHERE item_id = ?", 0};
static const struct sql DELETE = {
    "library_delete",
    "UPDATE library_item SET deleted_at = ?, changed_at = ?, changed_by = ? WHERE id = ?", 0};

const char *library_kind_name(int kind)
{
    static const char *const names[] = {[LIBRARY_PROFILE] = "profile",
                                        [LIBRARY_PROVISIONING] = "provisioning-profile",
                                        [LIBRARY_APP] = "app"};

    return kind >= LIBRARY_PROFILE && kind <= LIBRARY_APP ? names[kind] : "?";
}

/* ---- reading ---- */

static void version_from_row(const struct val *v, struct library_version *out)
{
    *out = (struct library_version){.id = v[0].i,
                                    .item_id = v[1].i,
                                    .number = (int)v[2].i,
                                    .uuid = v[3].s,
                                    .size = v[5].i,
                                    .signed_by = v[6].s,
                                    .types = v[7].s,
                                    .variables = (unsigned)v[8].i,
                                    .platforms = (unsigned)v[9].i,
                                    .expires_at = val_or_0(&v[10]),
                                    .details = v[11].s,
                                    .created_at = v[12].i,
                                    .created_by = v[13].s,
                                    .scope = (int)v[14].i};
    if (v[4].n == sizeof out->sha256)
        memcpy(out->sha256, v[4].s, sizeof out->sha256);
}

static void item_from_row(const struct val *v, struct library_item *out)
{
    const struct val *i = v + VERSION_COLUMNS_N;

    *out = (struct library_item){.id = i[0].i,
                                 .kind = (int)i[1].i,
                                 .identifier = i[2].s,
                                 .name = i[3].s,
                                 .version = (int)i[4].i,
                                 .signing = (int)i[5].i,
                                 .encrypt = i[6].i != 0,
                                 .after_id = val_or_0(&i[7]),
                                 .after_passcode = i[8].i != 0,
                                 .settings = val_text(&i[9]),
                                 .wave_first = (int)i[10].i,
                                 .halt_percent = (int)i[11].i,
                                 .created_at = i[12].i,
                                 .created_by = i[13].s,
                                 .changed_at = i[14].i,
                                 .changed_by = i[15].s,
                                 .app = {.settings_rev = (int)i[16].i,
                                         .configuration_rev = (int)i[17].i,
                                         .attributes_rev = (int)i[18].i,
                                         .install_rev = (int)i[19].i,
                                         .variables = (unsigned)i[20].i,
                                         .feedback_hours = (int)i[21].i,
                                         .feedback_delete = i[22].i != 0,
                                         .update_hours = (int)i[23].i,
                                         .codes_low = (int)i[24].i,
                                         .codes_alarm_at = val_or_0(&i[25])},
                                 .channel = (int)i[26].i};
    version_from_row(v, &out->current);
}

enum outcome library_list(struct db *db, int kind, const char *search, int64_t after, size_t max,
                          struct arena *a, struct library_item **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &LIST,
                               (struct val[]){val_int(kind), val_int(kind), val_int(after),
                                              val_str(search), val_str(search),
                                              val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                               6, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        item_from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}

enum outcome library_get(struct db *db, int64_t id, struct arena *a, struct library_item *out,
                         struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &GET, (struct val[]){val_int(id)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "the library has nothing with the id %lld", (long long)id);
    if (o == OK)
        item_from_row(row_at(&r, 0, 0), out);
    return o;
}

enum outcome library_find(struct db *db, int kind, const char *identifier, struct arena *a,
                          struct library_item *out, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &FIND, (struct val[]){val_int(kind), val_str(identifier)}, 2, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "the library has no %s %s", library_kind_name(kind),
                       identifier);
    if (o == OK)
        item_from_row(row_at(&r, 0, 0), out);
    return o;
}

enum outcome library_versions(struct db *db, int64_t item_id, int before, size_t max,
                              struct arena *a, struct library_version **out, size_t *n,
                              struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &VERSIONS,
                  (struct val[]){val_int(item_id), val_int(before > 0 ? before : INT32_MAX),
                                 val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
                  3, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        version_from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}

enum outcome library_version_get(struct db *db, int64_t item_id, int number, struct arena *a,
                                 struct library_version *out, struct bytes *content,
                                 struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &VERSION, (struct val[]){val_int(item_id), val_int(number)}, 2, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no version %d of it", number);
    if (o != OK)
        return o;
    version_from_row(row_at(&r, 0, 0), out);
    *content = val_bytes(row_at(&r, 0, VERSION_COLUMNS_N));
    return OK;
}

enum outcome library_version_any(struct db *db, int64_t item_id, int number, struct arena *a,
                                 struct library_version *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &VERSION_ANY, (struct val[]){val_int(item_id), val_int(number)},
                               2, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no version %d of it", number);
    if (o == OK)
        version_from_row(row_at(&r, 0, 0), out);
    return o;
}

static enum outcome of_version(struct db *db, const struct sql *sql, int64_t version_id,
                               struct arena *a, struct rows *r, struct library_item *out,
                               struct err *err)
{
    enum outcome o = db_select(db, sql, (struct val[]){val_int(version_id)}, 1, a, r, err);

    if (o == OK && r->n == 0)
        return err_set(err, NOT_FOUND, "what it would install is not in the library any more");
    if (o == OK)
        item_from_row(row_at(r, 0, 0), out);
    return o;
}

enum outcome library_delivery_item(struct db *db, int64_t version_id, struct arena *a,
                                   struct library_item *out, struct err *err)
{
    struct rows r;

    return of_version(db, &DELIVERY_ITEM, version_id, a, &r, out, err);
}

enum outcome library_for_delivery(struct db *db, int64_t version_id, struct arena *a,
                                  struct library_item *out, struct bytes *content, struct err *err)
{
    struct rows r;
    enum outcome o = of_version(db, &FOR_DELIVERY, version_id, a, &r, out, err);

    if (o == OK)
        *content = val_bytes(row_at(&r, 0, ITEM_COLUMNS_N));
    return o;
}

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
    enum outcome o =
        x.a != NULL ? db_unit(db, add_unit, &x, err) : err_set(err, ERROR, "out of memory");

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
    enum outcome o =
        x.a != NULL ? db_unit(db, change_unit, &x, err) : err_set(err, ERROR, "out of memory");

    arena_free(&x.a);
    return o;
}

enum outcome library_learn(struct db *db, int64_t id, const char *was, const char *identifier,
                           struct err *err)
{
    return db_exec(db, &LEARN, (struct val[]){val_str(identifier), val_int(id), val_str(was)}, 3,
                   NULL, err);
}

enum outcome library_files(struct db *db, struct arena *a, struct library_file **out, size_t *n,
                           struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &FILES, NULL, 0, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        (*out)[*n] = (struct library_file){val_text(row_at(&r, *n, 0)), row_at(&r, *n, 1)->i != 0};
    return OK;
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
    enum outcome o =
        x.a != NULL ? db_unit(db, delete_unit, &x, err) : err_set(err, ERROR, "out of memory");

    arena_free(&x.a);
    return o;
}
