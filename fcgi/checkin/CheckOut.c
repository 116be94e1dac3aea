/* CheckOut.c: the MDM profile was removed. The device ignores the answer and does not try twice. */
#include "checkin/checkin.h"

#include "store/leave.h"

void checkin_CheckOut(struct message *m)
{
    struct err err = {0};
    struct db *db = NULL;
    struct who who;
    enum outcome o = db_pool_take(m->app->pool, &db, &err);

    if (o == OK)
        o = leave_check_out(db, m->caller->cert_sha256, &m->id, m->req->now,
                            checkin_event(m, EVENT_CHECK_OUT), m->req->arena, &who, &err);
    db_pool_give(m->app->pool, &db);
    if (o != OK) {
        device_fail(m, &err);
        return;
    }
    if (who.verdict == WHO_MISMATCH || who.verdict == WHO_REVOKED || who.verdict == WHO_UNBOUND)
        device_turn_away(m, &who);
    else
        resp_note(m->resp, "CheckOut, %s",
                  who.verdict == WHO_GOOD || who.verdict == WHO_PENDING ? "left" : "no effect");
}
