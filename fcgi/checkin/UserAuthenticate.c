/*
 * UserAuthenticate.c: a network user logs in on a Mac (reference, "MDM Protocol Extensions"). By
 * the setting [checkin] user_authenticate the user is not managed (410), or managed without a
 * password of its own (an empty DigestChallenge).
 */
#include "checkin/checkin.h"

void checkin_UserAuthenticate(struct message *m)
{
    struct err err = {0};
    struct db *db = NULL;
    struct who who;
    pl answer;

    if (db_pool_take(m->app->pool, &db, &err) != OK) {
        device_fail(m, &err);
        return;
    }
    if (!checkin_known(m, db, &who))
        goto out;
    if (strcmp(m->app->conf->user_authenticate, "accept") != 0) {
        device_refuse(m, 410, "network users are not managed: [checkin] user_authenticate=refuse");
        goto out;
    }
    answer = pl_new_dict();
    pl_set_str(answer, "DigestChallenge", "");
    if (pl_to_xml(answer, &m->resp->body) == OK)
        m->resp->content_type = "application/xml; charset=UTF-8";
    else
        device_refuse(m, 500, "out of memory");
    pl_free(&answer);
out:
    db_pool_give(m->app->pool, &db);
}
