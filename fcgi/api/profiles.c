/* profiles.c: /api/v1/profiles: configuration profiles and provisioning profiles of the library,
 * /api/v1/payload-types, what a configuration profile may hold, and /api/v1/payloads, what there
 * are forms for. */
#include "api/library.h"

#include "base/limits.h"
#include "library/edit.h"
#include "library/forms.h"
#include "library/payloads.h"
#include "library/profiles.h"

#define KINDS (1u << LIBRARY_PROFILE | 1u << LIBRARY_PROVISIONING)
#define PREFIX "/api/v1/profiles/"

void api_payload_types(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    js root = js_object(), list = js_array();

    (void)app, (void)req, (void)caller;
    for (size_t i = 0; i < payload_count(); i++)
        js_append(list, payload_json(payload_at(i)));
    js_set(root, "payload_types", list);
    api_json(resp, 200, &root);
}

void api_payloads(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    js root = js_object(), list = js_array();

    (void)app, (void)req, (void)caller;
    for (size_t i = 0; i < form_count(); i++)
        js_append(list, form_json(form_at(i)));
    js_set(root, "payloads", list);
    api_json(resp, 200, &root);
}

void api_profiles(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)caller;
    library_list_answer(app, req, resp, KINDS);
}

/* A new item, or a version of one. */
static void put(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                int64_t item_id)
{
    const char *signing = req_query(req, "signing");
    struct profile_put p = {.file = req->body,
                            .item_id = item_id,
                            .name = req_query(req, "name"),
                            .signing = profile_signing_read(signing),
                            .actor = api_actor(req, caller),
                            .now = req->now};
    struct library_item i;
    struct err err = {0};
    struct db *db = NULL;
    js root;

    if ((signing != NULL && p.signing < 0) || !api_flag(req, resp, "stage", &p.stage)) {
        if (resp->status == 200)
            resp_json_error(resp, 400, "signing is drover, uploaded or none");
        return;
    }
    if (!api_db(app, resp, &db))
        return;
    if (profile_put(db, app->conf, req->arena, &p, &err) != OK) {
        api_findings_fail(resp, &err, &p.found);
    } else if (library_get(db, p.stored_id, req->arena, &i, &err) != OK) {
        api_fail(resp, &err);
    } else {
        root = library_item_json(&i);
        js_set_int(root, "uploaded_version", p.number);
        api_json(resp, p.repeated ? 200 : 201, &root);
    }
    db_pool_give(app->pool, &db);
}

void api_profile_add(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    put(app, req, caller, resp, 0);
}

/* The file as it was uploaded: the current version's, or that of ?version=. */
static void content(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp, int64_t id)
{
    struct library_item i;
    struct err err = {0};
    struct db *db = NULL;
    int64_t number = 0;
    enum outcome o;

    if (!api_number(req, resp, "version", &number) || !api_db(app, resp, &db))
        return;
    o = library_get(db, id, req->arena, &i, &err);
    if (o == OK && !(KINDS & (1u << i.kind)))
        o = err_set(&err, NOT_FOUND, "%lld is a %s", (long long)id, library_kind_name(i.kind));
    buf_clear(&resp->body);
    resp->secret = true;
    if (o == OK)
        o = profile_file(db, req->arena, &i, number < INT32_MAX ? (int)number : INT32_MAX,
                         api_actor(req, caller), &resp->body, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        buf_wipe(&resp->body);
        api_fail(resp, &err);
        return;
    }
    resp->content_type =
        i.kind == LIBRARY_PROFILE ? "application/x-apple-aspen-config" : "application/octet-stream";
    resp_header(resp, "Content-Disposition",
                i.kind == LIBRARY_PROFILE ? "attachment; filename=\"profile.mobileconfig\""
                                          : "attachment; filename=\"profile.mobileprovision\"");
}

void api_profile_get(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    const char *word;
    int64_t id;

    (void)caller;
    if (!library_path(req, resp, PREFIX, &id, &word))
        return;
    if (word[0] == '\0')
        library_item_answer(app, req, resp, KINDS, id);
    else if (strcmp(word, "versions") == 0)
        library_versions_answer(app, req, resp, KINDS, id);
    else if (strcmp(word, "devices") == 0)
        library_devices_answer(app, req, resp, KINDS, id);
    else
        resp_json_error(resp, 404, "a profile has nothing called \"%.64s\"", word);
}

/* Of a scope of its own: the file may hold passwords. */
void api_profile_content(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    const char *part;
    int64_t id;
    size_t n;

    if (!api_segments(req, resp, "/api/v1/profile-files/", &part, 1, &n))
        return;
    if (library_id_read(part, &id))
        content(app, req, caller, resp, id);
    else
        resp_json_error(resp, 404, "\"%.64s\" is no id of the library", part);
}

void api_profile_post(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    const char *word;
    int64_t id;

    if (!library_path(req, resp, PREFIX, &id, &word))
        return;
    if (strcmp(word, "versions") == 0)
        put(app, req, caller, resp, id);
    else if (!library_rollout(app, req, caller, resp, KINDS, id, word))
        resp_json_error(resp, 404, "a profile takes nothing at \"%.64s\"", word);
}

void api_profile_patch(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    int64_t id;

    if (library_path_whole(req, resp, PREFIX, &id))
        library_patch(app, req, caller, resp, KINDS, id);
}

void api_profile_delete(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    int64_t id;

    if (library_path_whole(req, resp, PREFIX, &id))
        library_remove(app, req, caller, resp, KINDS, id);
}
