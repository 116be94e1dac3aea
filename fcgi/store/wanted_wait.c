/* wanted_wait.c: see wanted_wait.h. */
#include "store/wanted_wait.h"

#include "base/limits.h"
#include "store/wanted_channel.h"

/* A device that has users with channels of their own, and none of them now. */
#define NOBODY(e)                                                                                  \
    "(" CHANNEL_HAS_USERS(                                                                         \
        e) " AND NOT EXISTS (SELECT 1 FROM enrollment nu WHERE nu.device_id = " e                  \
           ".id AND nu.id <> nu.device_id AND nu.state = 2))"
#define OF_USERS                                                                                   \
    " JOIN library_item i ON i.id = a.item_id AND i.deleted_at = 0 JOIN library_version v ON "     \
    "v.item_id = i.id AND v.number = i.version AND " CHANNEL_FOR_USERS
#define FRESH                                                                                      \
    "(? = 0 OR e.id = ?) AND " NOBODY(                                                             \
        "e") " AND NOT EXISTS (SELECT 1 FROM device_item_wait w WHERE w.item_id = a.item_id AND "  \
             "w.device_id = e.id) LIMIT ?"
#define ADD "INSERT IGNORE INTO device_item_wait (item_id, device_id, since) SELECT a.item_id, "
static const struct sql ADDS[] = {
    {"wanted_waits_group",
     ADD "m.device_id, ? FROM assignment a" OF_USERS
         " JOIN group_member m ON m.group_id = a.group_id JOIN enrollment e ON e.id = m.device_id "
         "AND e.state = 2 WHERE " FRESH,
     0},
    {"wanted_waits_single",
     ADD "a.device_id, ? FROM assignment a" OF_USERS
         " JOIN enrollment e ON e.id = a.device_id AND e.state = 2 WHERE " FRESH,
     0}};
#define NADDS (sizeof ADDS / sizeof *ADDS)
#define STILL                                                                                      \
    "EXISTS (SELECT 1 FROM enrollment e WHERE e.id = device_item_wait.device_id AND e.state = 2 "  \
    "AND " NOBODY("e") ") AND EXISTS (SELECT 1 FROM assignment a" OF_USERS                         \
                       " WHERE a.item_id = device_item_wait.item_id AND (a.device_id = "           \
                       "device_item_wait.device_id "                                               \
                       "OR EXISTS (SELECT 1 FROM group_member m WHERE m.group_id = a.group_id "    \
                       "AND m.device_id = "                                                        \
                       "device_item_wait.device_id)))"
static const struct sql DROP = {
    "wanted_waits_drop",
    "DELETE FROM device_item_wait WHERE (? = 0 OR device_id = ?) AND NOT (" STILL ") LIMIT ?", 0};
static const struct sql DEVICE_OF = {"wanted_waits_device",
                                     "SELECT device_id FROM enrollment WHERE id = ?", 0};

/* What the agent has not looked at since is left out: where there is a row, that tells. */
#define ROWS                                                                                       \
    "SELECT w.item_id, w.device_id, e.ident, e.serial, e.device_name, i.kind, i.identifier, "      \
    "i.name, i.version, w.since FROM device_item_wait w JOIN enrollment e ON e.id = w.device_id "  \
    "AND e.state = 2 JOIN library_item i ON i.id = w.item_id AND i.deleted_at = 0 WHERE NOT "      \
    "EXISTS (SELECT 1 FROM device_item d WHERE d.enrollment_id = w.device_id AND d.item_id = "     \
    "w.item_id AND d.state <> 6) AND " NOBODY("e") " AND %SCOPE w.device_id% "
static const struct sql OF_DEVICE = {"wanted_waits_of_device",
                                     ROWS "AND e.ident = ? ORDER BY i.name, i.id LIMIT ?", 0};
static const struct sql OF_ITEM = {
    "wanted_waits_of_item",
    ROWS "AND w.item_id = ? AND w.device_id > ? ORDER BY w.device_id LIMIT ?", 0};
static const struct sql COUNT = {"wanted_waits_count",
                                 "SELECT COUNT(*) FROM device_item_wait WHERE item_id = ? AND "
                                 "%SCOPE device_id%",
                                 0};

enum outcome wanted_waits_plan(struct db *db, int64_t only, int64_t now, size_t max, size_t *n,
                               struct err *err)
{
    struct arena *a = arena_new(LIM_KB * 16);
    struct val device = val_int(only), limit = val_int((int64_t)max);
    struct rows r = {0};
    uint64_t came = 0, went = 0;
    enum outcome o = a != NULL ? OK : err_set(err, ERROR, "out of memory");

    *n = 0;
    if (o == OK && only != 0)
        o = db_select(db, &DEVICE_OF, &device, 1, a, &r, err);
    if (r.n > 0)
        device = *row_at(&r, 0, 0);
    for (size_t i = 0; o == OK && i < NADDS; i++) {
        uint64_t k = 0;

        o = db_exec(db, &ADDS[i], (struct val[]){val_int(now), device, device, limit}, 4, &k, err);
        came = k > came ? k : came;
    }
    if (o == OK)
        o = db_exec(db, &DROP, (struct val[]){device, device, limit}, 3, &went, err);
    if (o == OK)
        *n = (size_t)(came > went ? came : went);
    arena_free(&a);
    return o;
}

enum outcome wanted_waits(struct db *db, const char *ident, int64_t item_id, int64_t after,
                          size_t max, struct arena *a, struct wanted_row **out, size_t *n,
                          struct err *err)
{
    struct val limit = val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE);
    struct rows r;
    enum outcome o =
        item_id == 0
            ? db_select(db, &OF_DEVICE, (struct val[]){val_str(ident), limit}, 2, a, &r, err)
            : db_select(db, &OF_ITEM, (struct val[]){val_int(item_id), val_int(after), limit}, 3, a,
                        &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);

        (*out)[*n] = (struct wanted_row){.item_id = v[0].i,
                                         .enrollment_id = v[1].i,
                                         .ident = v[2].s,
                                         .device_ident = v[2].s,
                                         .serial = val_text(&v[3]),
                                         .device_name = val_text(&v[4]),
                                         .user = "",
                                         .user_name = "",
                                         .kind = (int)v[5].i,
                                         .identifier = v[6].s,
                                         .name = v[7].s,
                                         .wanted = true,
                                         .waits_user = true,
                                         .version = (int)v[8].i,
                                         .state = WANTED_PENDING,
                                         .changed_at = v[9].i,
                                         .reason = WANTED_WAITS_USER,
                                         .command_uuid = ""};
    }
    return OK;
}

enum outcome wanted_waits_add(struct db *db, int64_t item_id, struct arena *a,
                              int64_t counts[WANTED__MAX], struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &COUNT, (struct val[]){val_int(item_id)}, 1, a, &r, err);

    counts[WANTED_PENDING] += o == OK ? row_at(&r, 0, 0)->i : 0;
    return o;
}
