/* library.c: see library.h: reading. */
#include "store/library.h"

#include "base/limits.h"

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
static const struct sql FILES = {
    "library_files",
    "SELECT JSON_VALUE(v.details, '$.file'), i.deleted_at FROM library_item i JOIN "
    "library_version v ON v.item_id = i.id WHERE i.kind = 3 AND v.size > 0",
    0};

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
