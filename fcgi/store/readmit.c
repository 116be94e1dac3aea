/* readmit.c: see readmit.h. */
#include "store/readmit.h"

#include "store/id.h"
#include "store/leave.h"

#define WHY "the device was accepted with another identity"

static const struct sql WAITS = {
    "readmit_waits",
    "SELECT EXISTS(SELECT 1 FROM site WHERE name='restored') OR EXISTS(SELECT 1 FROM "
    "unknown_device WHERE ident=? AND cert_sha256=? AND decision IN (1,2))",
    0};
static const struct sql FIND = {"readmit_find",
                                "SELECT e.id, e.life_id, e.pending_life_id, l.topic, "
                                "GREATEST(COALESCE(l.opened_at, 0), COALESCE(p.opened_at, 0)) "
                                "FROM enrollment e LEFT JOIN life l ON l.id = e.life_id "
                                "LEFT JOIN life p ON p.id = e.pending_life_id "
                                "WHERE e.ident=? AND e.device_id=e.id FOR UPDATE",
                                0};
enum { F_ID, F_LIFE, F_PENDING, F_TOPIC, F_OPENED };
static const struct sql CLOSE = {
    "readmit_over",
    "UPDATE life SET state=3, over_at=?, over_why='" WHY "' WHERE id IN (?,?) AND state<>3", 0};
static const struct sql ADD_LIFE = {
    "readmit_life",
    "INSERT INTO life (id, enrollment_id, state, cert_sha256, topic, opened_at) "
    "VALUES (?,?,2,?,?,?)",
    0};
static const struct sql SET = {
    "readmit_enrollment",
    "UPDATE enrollment SET state=2, life_id=?, pending_life_id=NULL, enrolled_at=?, ended_at=NULL, "
    "ended_by=NULL, ended_why=NULL WHERE id=?",
    0};

enum outcome readmit_waits(struct db *db, const char *ident, struct bytes sha256, struct arena *a,
                           bool *yes, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &WAITS, (struct val[]){val_str(ident), val_bin(sha256)}, 2, a, &r, err);

    *yes = o == OK && row_at(&r, 0, 0)->i != 0;
    return o;
}

enum outcome readmit(struct db *db, const char *ident, struct bytes sha256, const char *topic,
                     int64_t decided_at, int64_t now, struct arena *a, int64_t *enrollment,
                     int64_t *life, struct err *err)
{
    struct val name = val_str(ident);
    const struct val *v;
    struct rows r;
    enum outcome o = db_select(db, &FIND, &name, 1, a, &r, err);

    *enrollment = *life = 0;
    if (o != OK || r.n == 0)
        return o;
    v = row_at(&r, 0, 0);
    if (v[F_OPENED].i >= decided_at)
        return err_set(err, CONFLICT, "somebody else has changed it meanwhile; read it again");
    *enrollment = v[F_ID].i;
    *life = id_new();
    if ((o = db_exec(db, &CLOSE, (struct val[]){val_int(now), v[F_LIFE], v[F_PENDING]}, 3, NULL,
                     err)) != OK ||
        (o = db_exec(db, &ADD_LIFE,
                     (struct val[]){val_int(*life), v[F_ID], val_bin(sha256),
                                    *topic != '\0' ? val_str(topic) : v[F_TOPIC], val_int(now)},
                     5, NULL, err)) != OK ||
        (o = db_exec(db, &SET, (struct val[]){val_int(*life), val_int(now), v[F_ID]}, 3, NULL,
                     err)) != OK ||
        (o = leave_cancel_queue(db, *enrollment, now, now, WHY, err)) != OK)
        return o;
    return leave_users(db, *enrollment, now, now, WHY, err);
}
