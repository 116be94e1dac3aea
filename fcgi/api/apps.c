/* apps.c: /api/v1/apps: apps of the library, and /api/v1/app-files, by which the file of an app is
 * uploaded in parts. */
#include "api/library.h"

#include "assets/assets.h"
#include "base/limits.h"
#include "library/app_sweep.h"
#include "library/apps.h"

#define KINDS (1u << LIBRARY_APP)
#define PREFIX "/api/v1/apps/"

void api_apps(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)caller;
    library_list_answer(app, req, resp, KINDS);
}

/* A text of the body in the arena. False: resp holds the refusal. */
static bool text_read(struct req *req, struct resp *resp, js body, const char *key,
                      const char **out)
{
    const char *s = js_get_str(body, key);

    *out = NULL;
    if (js_get(body, key) == NULL)
        return true;
    if (s != NULL && s[0] != '\0' && (*out = arena_strdup(req->arena, s)) != NULL)
        return true;
    resp_json_error(resp, 400, "\"%s\" must be a text", key);
    return false;
}

static void put(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                int64_t item_id)
{
    static const char *const known[] = {"identifier",  "name",  "file",    "manifest_url",
                                        "app_version", "stage", "settings"};
    struct app_put p = {.item_id = item_id, .actor = api_actor(req, caller), .now = req->now};
    js body = api_body(req, resp, known, item_id == 0 ? 7 : 6), root;
    struct library_item i;
    struct err err = {0};
    struct db *db = NULL;

    if (body == NULL)
        return;
    if (!text_read(req, resp, body, "identifier", &p.identifier) ||
        !text_read(req, resp, body, "name", &p.name) ||
        !text_read(req, resp, body, "file", &p.file) ||
        !text_read(req, resp, body, "manifest_url", &p.manifest_url) ||
        !text_read(req, resp, body, "app_version", &p.app_version))
        goto out;
    p.settings = js_get(body, "settings");
    if (js_get(body, "stage") != NULL && !js_get_bool(body, "stage", &p.stage)) {
        resp_json_error(resp, 400, "\"stage\" must be true or false");
        goto out;
    }
    if (!api_db(app, resp, &db))
        goto out;
    if (app_put(db, app->conf, req->arena, &p, &err) != OK) {
        api_findings_fail(resp, &err, &p.found);
    } else if (library_get(db, p.stored_id, req->arena, &i, &err) != OK) {
        api_fail(resp, &err);
    } else {
        root = library_item_json(&i);
        js_set_int(root, "uploaded_version", p.number);
        api_json(resp, p.repeated ? 200 : 201, &root);
    }
    db_pool_give(app->pool, &db);
out:
    js_free(&body);
}

void api_app_add(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    put(app, req, caller, resp, 0);
}

void api_app_get(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
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
    else if (strcmp(word, "codes") == 0)
        app_codes_answer(app, req, resp, id);
    else if (strcmp(word, "feedback") == 0)
        app_feedback_answer(app, req, resp, id);
    else
        resp_json_error(resp, 404, "an app has nothing called \"%.64s\"", word);
}

void api_app_post(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const char *word;
    int64_t id;

    if (!library_path(req, resp, PREFIX, &id, &word))
        return;
    if (strcmp(word, "versions") == 0)
        put(app, req, caller, resp, id);
    else if (strcmp(word, "codes") == 0)
        app_codes_post(app, req, caller, resp, id);
    else if (strcmp(word, "release") == 0)
        app_code_release(app, req, caller, resp, id);
    else if (!library_rollout(app, req, caller, resp, KINDS, id, word))
        resp_json_error(resp, 404, "an app takes nothing at \"%.64s\"", word);
}

void api_app_patch(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    int64_t id;

    if (library_path_whole(req, resp, PREFIX, &id))
        library_patch(app, req, caller, resp, KINDS, id);
}

void api_app_delete(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    const char *word;
    int64_t id;

    if (!library_path(req, resp, PREFIX, &id, &word))
        return;
    if (strcmp(word, "codes") == 0)
        app_codes_remove(app, req, caller, resp, id);
    else if (word[0] == '\0')
        library_remove(app, req, caller, resp, KINDS, id);
    else
        resp_json_error(resp, 404, "nothing of an app called \"%.64s\" can be deleted", word);
}

/* ---- files ---- */

static void file_answer(struct resp *resp, int status, const char *name, int64_t size)
{
    js root = js_object();

    js_set_str(root, "file", name);
    js_set_int(root, "size", size);
    api_json(resp, status, &root);
}

void api_app_file_begin(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    char name[ASSET_NAME_LEN + 1];
    struct err err = {0};
    struct db *db = NULL;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    app_sweep(db, app->conf, req->now);
    db_pool_give(app->pool, &db);
    if (asset_begin(app->conf, req->arena, name, &err) == OK)
        file_answer(resp, 201, name, 0);
    else
        api_fail(resp, &err);
}

void api_app_file_add(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    int64_t offset = -1, size = 0;
    const char *name;
    struct err err = {0};
    size_t n;

    (void)caller;
    if (!api_segments(req, resp, "/api/v1/app-files/", &name, 1, &n) ||
        !api_number(req, resp, "offset", &offset))
        return;
    if (offset < 0)
        resp_json_error(resp, 400, "offset is missing: how many octets of the file came before");
    else if (asset_add(app->conf, req->arena, name, offset, req->body, &size, &err) == OK)
        file_answer(resp, 200, name, size);
    else
        api_fail(resp, &err);
}
