/* upload.c: see upload.h. */
#include "store/upload.h"

#include "base/limits.h"
#include "store/id.h"

#define PURGE 500

#define COLUMNS                                                                                    \
    "SELECT id, asset, filename, item_id, size, received, state, why, done_item, started_at, "     \
    "started_by, changed_at FROM app_upload "
static const struct sql ADD = {
    "upload_add",
    "INSERT INTO app_upload (id, asset, filename, item_id, size, state, started_at, started_by, "
    "changed_at) VALUES (?,?,?,?,?,1,?,?,?)",
    0};
static const struct sql GET = {"upload_get", COLUMNS "WHERE id = ? AND started_by = ?", 0};
static const struct sql LIST = {"upload_list", COLUMNS "WHERE %OWN 0% ORDER BY id DESC LIMIT ?", 0};
static const struct sql GREW = {
    "upload_grew",
    "UPDATE app_upload SET received = GREATEST(received, ?), changed_at = ? WHERE id = ? AND state "
    "= 1",
    0};
static const struct sql MOVE = {"upload_move",
                                "UPDATE app_upload SET state = ?, why = ?, done_item = ?, "
                                "changed_at = ? WHERE id = ? AND state "
                                "= ?",
                                0};
static const struct sql FORGET = {"upload_purge",
                                  "DELETE FROM app_upload WHERE changed_at < ? LIMIT ?", 0};

const char *upload_state_name(int state)
{
    static const char *const names[] = {[UPLOAD_OPEN] = "open",
                                        [UPLOAD_READING] = "reading",
                                        [UPLOAD_DONE] = "done",
                                        [UPLOAD_FAILED] = "failed",
                                        [UPLOAD_STOPPED] = "stopped"};

    return state >= UPLOAD_OPEN && state <= UPLOAD_STOPPED ? names[state] : "?";
}

enum outcome upload_add(struct db *db, struct upload *u, struct err *err)
{
    struct val at = val_int(u->started_at);

    enum outcome o = db_whole(db, err);

    if (o != OK)
        return o;
    u->id = id_new();
    u->state = UPLOAD_OPEN;
    return db_exec(db, &ADD,
                   (struct val[]){val_int(u->id), val_str(u->asset), val_cut(u->filename, 255),
                                  val_id(u->item_id), val_int(u->size), at,
                                  val_cut(u->started_by, 128), at},
                   8, NULL, err);
}

static void from_row(const struct val *v, struct upload *u)
{
    *u = (struct upload){.id = v[0].i,
                         .asset = v[1].s,
                         .filename = v[2].s,
                         .item_id = val_or_0(&v[3]),
                         .size = v[4].i,
                         .received = v[5].i,
                         .state = (int)v[6].i,
                         .why = v[7].s,
                         .done_item = val_or_0(&v[8]),
                         .started_at = v[9].i,
                         .started_by = v[10].s,
                         .changed_at = v[11].i};
}

enum outcome upload_get(struct db *db, int64_t id, const char *by, struct arena *a,
                        struct upload *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &GET, (struct val[]){val_int(id), val_str(by)}, 2, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no such upload of yours; begin it anew");
    if (o == OK)
        from_row(row_at(&r, 0, 0), out);
    return o;
}

enum outcome upload_list(struct db *db, size_t max, struct arena *a, struct upload **out, size_t *n,
                         struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &LIST, (struct val[]){val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)}, 1,
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

enum outcome upload_grew(struct db *db, int64_t id, int64_t received, int64_t now, struct err *err)
{
    return db_exec(db, &GREW, (struct val[]){val_int(received), val_int(now), val_int(id)}, 3, NULL,
                   err);
}

enum outcome upload_move(struct db *db, int64_t id, int from, int to, const char *why,
                         int64_t done_item, int64_t now, bool *moved, struct err *err)
{
    uint64_t n = 0;
    enum outcome o = db_exec(db, &MOVE,
                             (struct val[]){val_int(to), val_cut(why, 400), val_id(done_item),
                                            val_int(now), val_int(id), val_int(from)},
                             6, &n, err);

    *moved = o == OK && n > 0;
    return o;
}

enum outcome upload_purge(struct db *db, int64_t before, struct err *err)
{
    return db_exec(db, &FORGET, (struct val[]){val_int(before), val_int(PURGE)}, 2, NULL, err);
}
