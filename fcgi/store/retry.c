/* retry.c: see retry.h. */
#include "store/retry.h"

static const struct sql FIND = {
    "retry_find",
    "SELECT e.id, c.id, e.device_id, c.request_type, c.reason, c.created_by, c.dedupe_key, "
    "COALESCE(q.state, r.state), c.fill, c.sealed IS NOT NULL, COALESCE(q.queued_at, r.queued_at), "
    "IF(l.renewal = 1, 0, d.enrolled_at), EXISTS (SELECT 1 FROM command y WHERE y.retry_of = "
    "c.id), "
    "EXISTS (SELECT 1 FROM approval a WHERE a.retry_of = c.id AND a.state = 1) FROM enrollment e "
    "JOIN enrollment d ON d.id = e.device_id "
    "LEFT JOIN life l ON l.id = d.life_id JOIN command c LEFT JOIN queue q ON q.enrollment_id = "
    "e.id AND q.command_id = c.id LEFT JOIN result r ON "
    "r.enrollment_id = e.id AND r.command_id = c.id WHERE e.ident = ? AND c.uuid = ? AND %SCOPE "
    "e.device_id% AND (q.command_id IS NOT NULL OR r.command_id IS NOT NULL)",
    0};
static const struct sql AGAIN = {
    "retry_again",
    "SELECT c.uuid, COALESCE(q.state, r.state) FROM command c LEFT JOIN queue q ON q.enrollment_id "
    "= ? AND q.command_id = c.id LEFT JOIN result r ON r.enrollment_id = ? AND r.command_id = c.id "
    "WHERE c.retry_of = ? AND (q.command_id IS NOT NULL OR r.command_id IS NOT NULL) ORDER BY c.id "
    "DESC LIMIT 1",
    0};
static const struct sql ASKED = {
    "retry_asked",
    "SELECT a.id FROM approval a JOIN approval_target t ON t.approval_id = a.id AND "
    "t.enrollment_id = ? WHERE a.retry_of = ? AND a.state = 1 AND a.expires_at > ? ORDER BY a.id "
    "DESC LIMIT 1",
    0};
static const struct sql BODY = {"retry_body", "SELECT body FROM command WHERE id = ?", 0};

/* What was done about it since, of which FIND tells whether there can be any: most were not
 * touched.
 */
static enum outcome since(struct db *db, bool again, bool asked, int64_t now, struct arena *a,
                          struct retry_item *out, struct err *err)
{
    struct val who = val_int(out->enrollment_id), command = val_int(out->command_id);
    struct rows r = {0};
    enum outcome o =
        again ? db_select(db, &AGAIN, (struct val[]){who, who, command}, 3, a, &r, err) : OK;

    if (o == OK && r.n > 0) {
        out->again = row_at(&r, 0, 0)->s;
        out->again_state = (int)row_at(&r, 0, 1)->i;
    }
    r = (struct rows){0};
    if (o == OK && asked)
        o = db_select(db, &ASKED, (struct val[]){who, command, val_int(now)}, 3, a, &r, err);
    if (o == OK && r.n > 0)
        out->approval = row_at(&r, 0, 0)->i;
    return o;
}

enum outcome retry_find(struct db *db, const char *ident, const char *uuid, int64_t now,
                        struct arena *a, struct retry_item *out, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &FIND, (struct val[]){val_str(ident), val_str(uuid)}, 2, a, &r, err);

    *out = (struct retry_item){.again = ""};
    if (o != OK || r.n == 0)
        return o;
    const struct val *v = row_at(&r, 0, 0);

    *out = (struct retry_item){.enrollment_id = v[0].i,
                               .command_id = v[1].i,
                               .device_id = v[2].i,
                               .request_type = v[3].s,
                               .reason = val_text(&v[4]),
                               .created_by = v[5].s,
                               .dedupe_key = val_text(&v[6]),
                               .state = (int)v[7].i,
                               .fill = (int)v[8].i,
                               .secret = v[9].i != 0,
                               .queued_at = v[10].i,
                               .enrolled_at = val_or_0(&v[11]),
                               .again = ""};
    return since(db, v[12].i != 0, v[13].i != 0, now, a, out, err);
}

enum outcome retry_body(struct db *db, int64_t command_id, struct arena *a, struct bytes *out,
                        struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &BODY, (struct val[]){val_int(command_id)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "the command is no longer kept");
    if (o == OK)
        *out = val_bytes(row_at(&r, 0, 0));
    return o;
}
