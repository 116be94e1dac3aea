/* CheckOut.c: the MDM profile was removed. The device ignores the answer and does not try twice. */
#include "checkin/checkin.h"

#include "store/leave.h"

/* True: a person has just accepted the device, try again. */
static bool serve(struct message *m)
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
        return false;
    }
    if (who.verdict == WHO_MISMATCH || who.verdict == WHO_REVOKED || who.verdict == WHO_UNBOUND)
        return device_turn_away(m, &who);
    resp_note(m->resp, "CheckOut, %s",
              who.verdict == WHO_GOOD || who.verdict == WHO_PENDING ? "left" : "no effect");
    return false;
}

void checkin_CheckOut(struct message *m)
{
    if (serve(m))
        serve(m);
}
