/*
 * enrollprofiles.c: /api/v1/enrollment-profiles: what devices enrol with. Every edit makes a
 * version; If-Match names the one it was made from. Secrets can be set and are never told.
 */
#include "api/api.h"

#include "base/limits.h"
#include "store/enrollprofile.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH "/api/v1/enrollment-profiles/"

/* ---- to JSON ---- */

static js words_array(const char *text)
{
    char word[256];
    js list = js_array();

    while (*(text += strspn(text, " ")) != '\0') {
        size_t n = strcspn(text, " ");

        snprintf(word, sizeof(word), "%.*s", (int)n, text);
        js_append(list, js_new_str(word));
        text += n;
    }
    return list;
}

static js names_array(const struct enroll_names *names)
{
    js list = js_array();

    for (size_t i = 0; i < names->n; i++)
        js_append(list, js_new_str(names->name[i]));
    return list;
}

static void set_field(js o, const struct enroll_field *f, const struct enroll_content *c)
{
    char name[64];

    switch (f->type) {
    case ENROLL_TEXT:
        js_set_str(o, f->name, enroll_field_text(f, c));
        break;
    case ENROLL_WORDS:
        js_set(o, f->name, words_array(enroll_field_text(f, c)));
        break;
    case ENROLL_INT:
        js_set_int(o, f->name, enroll_field_int(f, c));
        break;
    case ENROLL_BOOL:
        js_set_bool(o, f->name, enroll_field_int(f, c) != 0);
        break;
    case ENROLL_WORD:
        js_set_str(o, f->name, enroll_field_word(f, c));
        break;
    case ENROLL_SECRET:
        snprintf(name, sizeof(name), "%s_set", f->name);
        js_set_bool(o, name, enroll_field_secret(f, c));
        break;
    case ENROLL_LIST:
        js_set(o, f->name, names_array(enroll_field_list(f, c)));
        break;
    }
}

/* brief: without what lists leave out. */
static js profile_object(const struct enrollprofile *p, bool brief)
{
    js o = js_object();

    js_set_str(o, "name", p->name);
    js_set_int(o, "version", p->version);
    js_set_int(o, "current_version", p->current);
    api_set_time(o, "created_at", p->created_at);
    api_set_text(o, "created_by", p->created_by);
    api_set_time(o, "edited_at", p->made_at);
    api_set_text(o, "edited_by", p->made_by);
    api_set_text(o, "note", p->note);
    for (size_t i = 0; i < enroll_fields_n; i++) {
        const struct enroll_field *f = &enroll_fields[i];
        bool light = f->type != ENROLL_LIST && f->type != ENROLL_SECRET && f->max < 16000;

        if (!brief || light)
            set_field(o, f, &p->c);
    }
    return o;
}

static void answer_list(struct resp *resp, const char *key, const struct enrollprofile *p, size_t n)
{
    js root = js_object(), list = js_array();

    for (size_t i = 0; i < n; i++)
        js_append(list, profile_object(&p[i], true));
    js_set(root, key, list);
    api_json(resp, 200, &root);
}

static void answer_one(struct resp *resp, int status, const struct enrollprofile *p)
{
    char tag[32];
    js o = profile_object(p, false);

    snprintf(tag, sizeof(tag), "\"%lld\"", (long long)p->version);
    api_json(resp, status, &o);
    resp_header(resp, "ETag", tag);
}

/* ---- from JSON ---- */

/* An edit that is being read from a body. */
struct edit {
    struct req *req;
    struct resp *resp;
    struct enroll_content *c;
    const char *name, *from, *note;
    struct err err;
    enum outcome o;
};

static enum outcome set_names(struct edit *e, const struct enroll_field *f, js value)
{
    const char *name[ENROLLPROFILE_ITEMS_MAX + 1];
    struct buf words = BUF_INIT(LIM_KB);
    size_t n = js_size(value);
    enum outcome o = OK;

    if (js_type_of(value) != JS_ARRAY || n > ENROLLPROFILE_ITEMS_MAX)
        return err_set(&e->err, INVALID, "%s: must be an array of at most %d strings", f->name,
                       ENROLLPROFILE_ITEMS_MAX);
    for (size_t i = 0; i < n; i++) {
        name[i] = js_str(js_at(value, i));
        if (name[i] == NULL)
            return err_set(&e->err, INVALID, "%s: holds something that is no string", f->name);
        buf_fmt(&words, "%s%s", i != 0 ? " " : "", name[i]);
    }
    if (f->type == ENROLL_LIST)
        o = enroll_field_set_list(f, e->req->arena, e->c, name, n, &e->err);
    else if (buf_failed(&words))
        o = err_set(&e->err, INVALID, "%s: is too long", f->name);
    else
        o = enroll_field_set(f, e->req->arena, e->c, buf_cstr(&words), &e->err);
    buf_free(&words);
    return o;
}

static enum outcome set_value(struct edit *e, const struct enroll_field *f, js value)
{
    char number[24];
    int64_t i;
    bool b;
    const char *text = js_str(value);

    switch (f->type) {
    case ENROLL_WORDS:
    case ENROLL_LIST:
        return set_names(e, f, value);
    case ENROLL_INT:
        if (!js_int(value, &i))
            return err_set(&e->err, INVALID, "%s: must be a whole number", f->name);
        snprintf(number, sizeof(number), "%lld", (long long)i);
        text = number;
        break;
    case ENROLL_BOOL:
        if (!js_bool(value, &b))
            return err_set(&e->err, INVALID, "%s: must be true or false", f->name);
        text = b ? "yes" : "no";
        break;
    default:
        if (js_type_of(value) == JS_NULL)
            text = "";
        if (text == NULL)
            return err_set(&e->err, INVALID, "%s: must be a string", f->name);
    }
    return enroll_field_set(f, e->req->arena, e->c, text, &e->err);
}

static bool take_word(struct edit *e, const char *key, js value)
{
    const char **const place[] = {&e->name, &e->from, &e->note};
    static const char *const keys[] = {"name", "from", "note"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(key, keys[i]) == 0 && *place[i] != NULL) {
            *place[i] = js_str(value);
            if (*place[i] == NULL)
                e->o = err_set(&e->err, INVALID, "%s: must be a string", key);
            return true;
        }
    return false;
}

static bool take_key(const char *key, js value, void *arg)
{
    struct edit *e = arg;
    const struct enroll_field *f = enroll_field_find(key);

    if (f != NULL)
        e->o = set_value(e, f, value);
    else if (!take_word(e, key, value))
        e->o = err_set(&e->err, INVALID, "unknown key \"%.64s\"", key);
    return e->o == OK;
}

/* name, from, note: "" where the body may say it, NULL where not. */
static enum outcome edit_read(struct edit *e, js root)
{
    e->o = OK;
    js_each(root, take_key, e);
    return e->o;
}

/* If-Match: "3", or *; *expected stays 0 without one. */
static bool if_match(struct req *req, struct resp *resp, int64_t *expected)
{
    const char *h = req_var(req, "HTTP_IF_MATCH");
    char *end;

    if (h == NULL || strcmp(h, "*") == 0)
        return true;
    *expected = strtoll(h + (*h == '"'), &end, 10);
    if (*expected > 0 && (*end == '"' || *end == '\0'))
        return true;
    resp_json_error(resp, 400, "If-Match must be the version as GET tells it, like \"3\"");
    return false;
}

static js body_object(struct req *req, struct resp *resp)
{
    struct err err = {0};
    js root = NULL;

    if (js_parse(req->body, &root, &err) != OK)
        api_fail(resp, &err);
    else if (js_type_of(root) != JS_OBJECT) {
        resp_json_error(resp, 400, "the body must be a JSON object");
        js_free(&root);
    }
    return root;
}

/* ---- handlers ---- */

void api_enrollprofiles(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    struct enrollprofile *p;
    struct err err = {0};
    struct db *db;
    size_t n;

    (void)caller;
    if (!api_db(app, resp, &db))
        return;
    if (enrollprofile_list(db, req->arena, &p, &n, &err) != OK)
        api_fail(resp, &err);
    else
        answer_list(resp, "enrollment_profiles", p, n);
    db_pool_give(app->pool, &db);
}

static enum outcome make_new(struct app *app, struct db *db, struct edit *e, js root,
                             const char *actor, struct enrollprofile *made)
{
    struct enrollprofile from;
    const char *base = js_get_str(root, "from");
    enum outcome o = enrollprofile_find(db, app->conf, base != NULL ? base : ENROLLPROFILE_DEFAULT,
                                        e->req->arena, &from, &e->err);

    if (o == NOT_FOUND) /* of the body, not of the path */
        e->err.outcome = o = INVALID;
    if (o != OK)
        return o;
    from.c.scep_challenge = from.c.removal_password = bytes_of(NULL, 0);
    e->c = &from.c;
    o = edit_read(e, root);
    struct enrollprofile_change x = {.name = e->name, .c = e->c, .by = actor, .note = e->note};
    if (o == OK)
        o = enrollprofile_new(db, app->conf, &x, &e->err);
    return o == OK ? enrollprofile_find(db, app->conf, e->name, e->req->arena, made, &e->err) : o;
}

void api_enrollprofile_new(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct edit e = {.req = req, .resp = resp, .name = "", .from = "", .note = ""};
    struct enrollprofile made;
    struct db *db = NULL;
    js root = body_object(req, resp);

    if (root == NULL)
        return;
    if (api_db(app, resp, &db)) {
        if (make_new(app, db, &e, root, api_actor(req, caller), &made) != OK)
            api_fail(resp, &e.err);
        else {
            answer_one(resp, 201, &made);
            resp_header(resp, "Location", arena_fmt(req->arena, PATH "%s", made.name));
        }
        db_pool_give(app->pool, &db);
    }
    js_free(&root);
}

/* {name}, {name}/versions, {name}/versions/{n} */
void api_enrollprofile(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    const char *part[3];
    struct enrollprofile p, *list;
    struct err err = {0};
    struct db *db;
    size_t n, count;

    (void)caller;
    if (!api_segments(req, resp, PATH, part, 3, &n))
        return;
    if (n > 1 && strcmp(part[1], "versions") != 0) {
        resp_json_error(resp, 404, "there is nothing at this path");
        return;
    }
    if (!api_db(app, resp, &db))
        return;
    enum outcome o = n == 2   ? enrollprofile_history(db, part[0], req->arena, &list, &count, &err)
                     : n == 3 ? enrollprofile_version(db, part[0], strtoll(part[2], NULL, 10),
                                                      req->arena, &p, &err)
                              : enrollprofile_find(db, app->conf, part[0], req->arena, &p, &err);
    db_pool_give(app->pool, &db);
    if (o != OK)
        api_fail(resp, &err);
    else if (n == 2)
        answer_list(resp, "versions", list, count);
    else
        answer_one(resp, 200, &p);
}

/* Saves, and answers with what is in force then. */
static void save(struct app *app, struct db *db, const char *actor, const char *name,
                 int64_t expected, struct edit *e)
{
    struct enrollprofile p;
    int64_t version;
    struct enrollprofile_change x = {
        .name = name, .c = e->c, .expected = expected, .by = actor, .note = e->note};
    enum outcome o = enrollprofile_save(db, app->conf, &x, &version, &e->err);

    if (o == OK)
        o = enrollprofile_find(db, app->conf, name, e->req->arena, &p, &e->err);
    if (o == OK)
        answer_one(e->resp, 200, &p);
    else
        api_fail(e->resp, &e->err);
}

void api_enrollprofile_patch(struct app *app, struct req *req, const struct caller *caller,
                             struct resp *resp)
{
    struct edit e = {.req = req, .resp = resp, .note = ""};
    const char *name, *actor = api_actor(req, caller);
    struct enrollprofile p;
    struct db *db = NULL;
    int64_t expected = 0;
    bool made;
    size_t n;
    js root = NULL;

    if (!api_segments(req, resp, PATH, &name, 1, &n) || !if_match(req, resp, &expected) ||
        (root = body_object(req, resp)) == NULL)
        return;
    if (api_db(app, resp, &db)) {
        enum outcome o = strcmp(name, ENROLLPROFILE_DEFAULT) == 0
                             ? enrollprofile_default(db, app->conf, actor, &made, &e.err)
                             : OK;
        if (o == OK)
            o = enrollprofile_find(db, app->conf, name, req->arena, &p, &e.err);
        e.c = &p.c;
        if (o == OK)
            o = edit_read(&e, root);
        if (o == OK) /* what is not in the body is as it was in this version */
            save(app, db, actor, name, expected ? expected : p.version, &e);
        else
            api_fail(resp, &e.err);
        db_pool_give(app->pool, &db);
    }
    js_free(&root);
}

/* POST {name}/revert: {"version": n} */
void api_enrollprofile_revert(struct app *app, struct req *req, const struct caller *caller,
                              struct resp *resp)
{
    static const char *const known[] = {"version", "note"};
    struct edit e = {.req = req, .resp = resp};
    struct enrollprofile p;
    struct db *db = NULL;
    const char *part[2];
    int64_t version = 0, expected = 0;
    size_t n;
    js root = NULL;

    if (!api_segments(req, resp, PATH, part, 2, &n) || !if_match(req, resp, &expected))
        return;
    if (n != 2 || strcmp(part[1], "revert") != 0) {
        resp_json_error(resp, 404, "there is nothing at this path");
        return;
    }
    root = api_body(req, resp, known, 2);
    if (root == NULL)
        return;
    if (!js_get_int(root, "version", &version))
        resp_json_error(resp, 400, "version: must be a whole number");
    else if (api_db(app, resp, &db)) {
        const char *note = js_get_str(root, "note");
        e.c = &p.c;
        e.note =
            note != NULL ? note : arena_fmt(req->arena, "as in version %lld", (long long)version);
        if (enrollprofile_version(db, part[0], version, req->arena, &p, &e.err) == OK)
            save(app, db, api_actor(req, caller), part[0], expected, &e);
        else
            api_fail(resp, &e.err);
        db_pool_give(app->pool, &db);
    }
    js_free(&root);
}

void api_enrollprofile_delete(struct app *app, struct req *req, const struct caller *caller,
                              struct resp *resp)
{
    struct err err = {0};
    struct db *db;
    const char *name;
    size_t n;

    if (!api_segments(req, resp, PATH, &name, 1, &n) || !api_db(app, resp, &db))
        return;
    if (enrollprofile_remove(db, name, api_actor(req, caller), &err) == OK)
        resp->status = 204;
    else
        api_fail(resp, &err);
    db_pool_give(app->pool, &db);
}
