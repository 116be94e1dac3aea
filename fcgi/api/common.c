/* common.c: what the resources of the API share. */
#include "api/api.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "wire/encode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT_DEFAULT 100
#define WHY_MAX 255

bool api_db(struct app *app, struct resp *resp, struct db **db)
{
    struct err err = {0};

    *db = NULL;
    if (db_pool_take(app->pool, db, &err) == OK)
        return true;
    api_fail(resp, &err);
    return false;
}

void api_fail(struct resp *resp, const struct err *err)
{
    switch (err->outcome) {
    case NOT_FOUND:
        resp_json_error(resp, 404, "%s", err->msg);
        return;
    case DENIED:
        resp_json_error(resp, 403, "%s", err->msg);
        return;
    case CONFLICT:
        resp_json_error(resp, 409, "%s", err->msg);
        return;
    case INVALID:
        resp_json_error(resp, 400, "%s", err->msg);
        return;
    case UNAVAILABLE:
        log_err(LOG_LEVEL_WARNING, "api.unavailable", err);
        resp_json_error(resp, 503, "the database or the signer does not answer; try again later");
        resp_header(resp, "Retry-After", "10");
        break;
    default:
        log_err(LOG_LEVEL_ERROR, "api.failed", err);
        resp_json_error(resp, 500, "internal error; the log of the request's id says more");
        break;
    }
    resp_note(resp, "%s", err->msg);
}

void api_json(struct resp *resp, int status, js *value)
{
    resp->status = status;
    resp->content_type = "application/json";
    buf_clear(&resp->body);
    if (js_write(*value, true, &resp->body) != OK)
        resp->body.failed = true;
    buf_char(&resp->body, '\n');
    js_free(value);
}

void api_answer(struct resp *resp, int status, enum outcome o, const struct err *err, js *value)
{
    if (o == OK) {
        api_json(resp, status, value);
        return;
    }
    js_free(value);
    api_fail(resp, err);
}

js api_rows(const char *key, const void *rows, size_t n, size_t size,
            js (*object)(const void *row, const void *arg), const void *arg)
{
    js root = js_object(), list = js_array();

    for (size_t i = 0; i < n; i++)
        js_append(list, object((const char *)rows + i * size, arg));
    js_set(root, key, list);
    return root;
}

void api_set_secret(struct resp *resp, js o, const char *key, const char *secret)
{
    if (secret == NULL || secret[0] == '\0')
        return;
    js_set_str(o, key, secret);
    resp->secret = true;
}

void api_problem(struct resp *resp, int status, js *root, const char *detail)
{
    js_set_str(*root, "type", "about:blank");
    js_set_str(*root, "title", resp_phrase(status));
    js_set_int(*root, "status", status);
    js_set_str(*root, "detail", detail);
    api_json(resp, status, root);
    resp->content_type = "application/problem+json";
    resp_note(resp, "%s", detail);
}

const char *api_actor(struct req *req, const struct caller *caller)
{
    const char *actor = arena_fmt(req->arena, "api:%s", caller->key_name);

    return actor != NULL ? actor : "api";
}

bool api_segments(struct req *req, struct resp *resp, const char *prefix, const char **out,
                  size_t max, size_t *n)
{
    const char *p = req->path + strlen(prefix);

    for (*n = 0;; p++) {
        size_t len = strcspn(p, "/");
        char *text;

        if (*n == max) {
            resp_json_error(resp, 404,
                            "there is nothing at this path; a '/' inside an id is "
                            "written %%2F");
            return false;
        }
        if (len == 0 || len > 3 * LIM_IDENT ||
            url_decode(req->arena, bytes_of(p, len), false, &text) != OK) {
            resp_json_error(resp, 400, "the path has an empty, overlong or badly escaped part");
            return false;
        }
        out[(*n)++] = text;
        p += len;
        if (*p == '\0')
            return true;
    }
}

static bool number_parse(const char *s, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(s, &end, 10);
    return errno == 0 && *s >= '0' && *s <= '9' && *end == '\0';
}

bool api_id(struct req *req, struct resp *resp, const char *prefix, const char *what, int64_t *id)
{
    const char *part;
    size_t n;

    if (!api_segments(req, resp, prefix, &part, 1, &n))
        return false;
    if (number_parse(part, id))
        return true;
    resp_json_error(resp, 404, "there is no %s \"%.64s\"; GET %.*s tells their numbers", what, part,
                    (int)strlen(prefix) - 1, prefix);
    return false;
}

const char *api_why(struct resp *resp, js body)
{
    const char *why = js_get_str(body, "why");

    if (why != NULL && why[0] != '\0' && strlen(why) <= WHY_MAX)
        return why;
    resp_json_error(resp, 400, "\"why\" must be a reason of 1 to %d octets", WHY_MAX);
    return NULL;
}

bool api_number(struct req *req, struct resp *resp, const char *name, int64_t *out)
{
    const char *s = req_query(req, name);

    if (s == NULL || number_parse(s, out))
        return true;
    resp_json_error(resp, 400, "%s must be a number", name);
    return false;
}

bool api_limit(struct req *req, struct resp *resp, size_t *limit)
{
    int64_t n = LIMIT_DEFAULT;

    if (!api_number(req, resp, "limit", &n))
        return false;
    if (n < 1 || n > LIM_PAGE) {
        resp_json_error(resp, 400, "limit must be from 1 to %u", LIM_PAGE);
        return false;
    }
    *limit = (size_t)n;
    return true;
}

bool api_flag(struct req *req, struct resp *resp, const char *name, bool *out)
{
    const char *s = req_query(req, name);

    if (s == NULL)
        return true;
    if (strcmp(s, "true") == 0 || strcmp(s, "1") == 0)
        *out = true;
    else if (strcmp(s, "false") == 0 || strcmp(s, "0") == 0)
        *out = false;
    else {
        resp_json_error(resp, 400, "%s must be true or false", name);
        return false;
    }
    return true;
}

struct keys {
    const char *const *known;
    size_t n;
    const char *stranger;
};

static bool key_known(const char *key, js value, void *arg)
{
    struct keys *k = arg;

    (void)value;
    for (size_t i = 0; i < k->n; i++)
        if (strcmp(k->known[i], key) == 0)
            return true;
    k->stranger = key;
    return false;
}

bool api_known_keys(struct resp *resp, js object, const char *const *known, size_t n)
{
    struct keys k = {known, n, NULL};

    js_each(object, key_known, &k);
    if (k.stranger != NULL)
        resp_json_error(resp, 400, "unknown key \"%.64s\"", k.stranger);
    return k.stranger == NULL;
}

js api_body(struct req *req, struct resp *resp, const char *const *known, size_t n)
{
    struct err err = {0};
    js root = NULL;

    if (js_parse(req->body, &root, &err) != OK) {
        api_fail(resp, &err);
        return NULL;
    }
    if (js_type_of(root) != JS_OBJECT)
        resp_json_error(resp, 400, "the body must be a JSON object");
    else if (api_known_keys(resp, root, known, n))
        return root;
    js_free(&root);
    return NULL;
}

bool api_strings(struct req *req, struct resp *resp, js object, const char *key, size_t max,
                 const char *const **out, size_t *n)
{
    js array = js_get(object, key);
    const char **list;

    *out = NULL;
    *n = 0;
    if (array == NULL)
        return true;
    if (js_type_of(array) != JS_ARRAY || js_size(array) > max) {
        resp_json_error(resp, 400, "\"%s\" must be an array of at most %zu strings", key, max);
        return false;
    }
    list = arena_array(req->arena, js_size(array) + 1, sizeof(*list));
    for (size_t i = 0; list != NULL && i < js_size(array); i++) {
        const char *s = js_str(js_at(array, i));

        if (s == NULL) {
            resp_json_error(resp, 400, "\"%s\" holds something that is no string at place %zu", key,
                            i);
            return false;
        }
        list[(*n)++] = arena_strdup(req->arena, s);
        if (list[*n - 1] == NULL)
            list = NULL;
    }
    *out = list;
    if (list == NULL)
        resp_json_error(resp, 400, "\"%s\" is too long", key);
    return list != NULL;
}

void api_set_text(js o, const char *key, const char *s)
{
    if (s != NULL && s[0] != '\0')
        js_set_str(o, key, s);
}

void api_set_time(js o, const char *key, int64_t us)
{
    char text[CLOCK_TEXT_MAX];

    if (us != 0)
        js_set_str(o, key, clock_rfc3339(us, true, text));
}

void api_set_base64(js o, const char *key, struct bytes b)
{
    struct buf text = BUF_INIT(LIM_RESPONSE);

    if (b.n == 0)
        return;
    base64_add(&text, b);
    js_set(o, key, buf_failed(&text) ? NULL : js_new_str(buf_cstr(&text)));
    buf_wipe(&text);
}

void api_set_id(js o, const char *key, int64_t id)
{
    char text[24];

    if (id == 0)
        return;
    snprintf(text, sizeof text, "%lld", (long long)id);
    js_set_str(o, key, text);
}

void api_set_cursor(js root, int64_t cursor)
{
    api_set_id(root, "next_cursor", cursor);
}
