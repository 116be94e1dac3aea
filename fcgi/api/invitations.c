/* invitations.c: /api/v1/invitations: links to enrolment profiles. A link is told once. */
#include "api/api.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/invitation.h"

#include <stdlib.h>

#define PATH "/api/v1/invitations/"
#define DEFAULT_S (7 * 24 * 3600)
#define MAX_S (365 * 24 * 3600)

static js invitation_object(const struct invitation *i)
{
    js o = js_object();

    js_set_int(o, "id", i->id);
    js_set_str(o, "profile", i->profile);
    api_set_text(o, "note", i->note);
    js_set_int(o, "uses_max", i->uses_max);
    js_set_int(o, "uses", i->uses);
    api_set_time(o, "created_at", i->created_at);
    js_set_str(o, "created_by", i->created_by);
    api_set_time(o, "expires_at", i->expires_at);
    api_set_time(o, "revoked_at", i->revoked_at);
    return o;
}

void api_invitations(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct invitation *list;
    struct err err = {0};
    struct db *db;
    int64_t before = 0;
    size_t limit, n;

    (void)caller;
    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "before", &before) ||
        !api_db(app, resp, &db))
        return;
    enum outcome o = invitation_list(db, before, limit, req->arena, &list, &n, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), array = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(array, invitation_object(&list[i]));
    js_set(root, "invitations", array);
    if (n == limit)
        js_set_int(root, "next_before", list[n - 1].id);
    api_json(resp, 200, &root);
}

/* What a body asks for. */
struct ask {
    const char *profile, *note;
    int64_t uses, expires_in_s;
};

static bool ask_read(js root, struct resp *resp, struct ask *ask)
{
    const struct {
        const char *key, **text;
        int64_t *number;
    } keys[] = {{"profile", &ask->profile, NULL},
                {"note", &ask->note, NULL},
                {"uses", NULL, &ask->uses},
                {"expires_in_s", NULL, &ask->expires_in_s}};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        js v = js_get(root, keys[i].key);

        if (v == NULL)
            continue;
        if (keys[i].text != NULL ? (*keys[i].text = js_str(v)) == NULL
                                 : !js_int(v, keys[i].number)) {
            resp_json_error(resp, 400, "%s: must be a %s", keys[i].key,
                            keys[i].text != NULL ? "string" : "whole number");
            return false;
        }
    }
    if (ask->expires_in_s < 1 || ask->expires_in_s > MAX_S) {
        resp_json_error(resp, 400, "expires_in_s: must be from 1 to %d", MAX_S);
        return false;
    }
    return true;
}

static void make(struct app *app, struct req *req, struct resp *resp, const char *actor,
                 const struct ask *ask)
{
    char token[INVITATION_TOKEN_LEN + 1];
    struct invitation made;
    struct err err = {0};
    struct db *db;

    if (!api_db(app, resp, &db))
        return;
    enum outcome o = invitation_new(db, ask->profile, ask->note, ask->uses,
                                    req->now + ask->expires_in_s * SECOND_US, actor, token, &err);
    if (o == NOT_FOUND) /* the profile that the body names */
        err.outcome = o = INVALID;
    if (o == OK)
        o = invitation_find(db, token, req->arena, &made, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = invitation_object(&made);
    js_set_str(root, "url", arena_fmt(req->arena, "%s/enroll/%s", app->conf->device_url, token));
    resp->secret = true;
    api_json(resp, 201, &root);
}

void api_invitation_new(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    static const char *const known[] = {"profile", "note", "uses", "expires_in_s"};
    struct ask ask = {.profile = "", .note = "", .uses = 1, .expires_in_s = DEFAULT_S};
    js root = api_body(req, resp, known, 4);

    if (root == NULL)
        return;
    if (ask_read(root, resp, &ask))
        make(app, req, resp, api_actor(req, caller), &ask);
    js_free(&root);
}

void api_invitation_delete(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct err err = {0};
    struct db *db;
    const char *id;
    size_t n;

    if (!api_segments(req, resp, PATH, &id, 1, &n) || !api_db(app, resp, &db))
        return;
    if (invitation_revoke(db, strtoll(id, NULL, 10), api_actor(req, caller), &err) == OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
}
