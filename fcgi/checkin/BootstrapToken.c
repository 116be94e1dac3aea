/*
 * BootstrapToken.c: SetBootstrapToken escrows a Mac's bootstrap token, sealed; GetBootstrapToken
 * gives it back to the same Mac.
 */
#include "checkin/checkin.h"

#include "base/limits.h"
#include "store/bootstrap.h"
#include "wire/sign.h"

void checkin_SetBootstrapToken(struct message *m)
{
    struct bytes token = {0}, sealed = {0};
    struct err err = {0};
    struct db *db = NULL;
    struct who who;
    enum outcome o = OK;

    /* missing or empty: the stored one is to be removed */
    if (pl_get(m->root, "BootstrapToken") != NULL &&
        (!pl_get_data(m->root, "BootstrapToken", &token) || token.n > LIM_SECRET)) {
        device_refuse(m, 400, "BootstrapToken is no data, or longer than %u octets", LIM_SECRET);
        return;
    }
    if (token.n > 0)
        o = checkin_seal(m, "BootstrapToken", token, &sealed, NULL, &err);
    if (o == OK)
        o = db_pool_take(m->app->pool, &db, &err);
    if (o == OK && checkin_known(m, db, &who)) {
        struct event *e = checkin_event(m, EVENT_SET_BOOTSTRAP_TOKEN);

        if (e != NULL)
            e->enrollment_id = who.id;
        o = bootstrap_set(db, who.device_life_id, sealed, e, &err);
        if (o == OK)
            resp_note(m->resp, "SetBootstrapToken, %s", sealed.n > 0 ? "stored" : "removed");
    }
    db_pool_give(m->app->pool, &db);
    if (o != OK)
        device_fail(m, &err);
}

static void answer(struct message *m, struct bytes sealed)
{
    struct buf token = BUF_INIT(LIM_SECRET);
    struct err err = {0};
    pl dict = NULL;

    if (sign_unseal("BootstrapToken", m->id.name, sealed, bytes_of(NULL, 0), "", &token, &err) !=
        OK) {
        device_fail(m, &err);
        goto out;
    }
    dict = pl_new_dict();
    pl_set_data(dict, "BootstrapToken", buf_bytes(&token));
    m->resp->secret = true;
    m->resp->content_type = "application/xml; charset=UTF-8";
    if (pl_to_xml(dict, &m->resp->body) != OK)
        device_refuse(m, 500, "out of memory");
out:
    pl_free(&dict);
    buf_wipe(&token);
}

void checkin_GetBootstrapToken(struct message *m)
{
    struct bytes sealed = {0};
    struct err err = {0};
    struct db *db = NULL;
    struct who who;
    bool known = false;
    enum outcome o = db_pool_take(m->app->pool, &db, &err);

    if (o == OK && (known = checkin_known(m, db, &who)))
        o = bootstrap_get(db, who.device_life_id, m->req->arena, &sealed, &err);
    if (o == OK && known)
        o = checkin_tell(m, db, EVENT_GET_BOOTSTRAP_TOKEN, who.id, &err);
    db_pool_give(m->app->pool, &db);
    if (o != OK)
        device_fail(m, &err);
    else if (known && sealed.n > 0)
        answer(m, sealed); /* none stored: 200 with an empty body */
}
