/* authority.c: see authority.h. */
#include "api/authority.h"

#include "library/edit.h"

#include <stdio.h>

struct authority api_authority(struct req *req, const struct caller *caller)
{
    return (struct authority){.scopes = caller->scopes,
                              .expires_at = caller->key_expires_at,
                              .by = api_actor(req, caller)};
}

bool api_scope_read(struct req *req, struct resp *resp, js body, struct scope *room,
                    const struct scope **out)
{
    const char *const *list;
    int64_t *ids;
    size_t n;

    *out = NULL;
    *room = (struct scope){0};
    if (js_type_of(js_get(body, "groups")) == JS_NULL) {
        *out = room;
        return true;
    }
    if (!api_strings(req, resp, body, "groups", SCOPE_GROUPS, &list, &n))
        return false;
    if (list == NULL)
        return true;
    ids = arena_array(req->arena, n + 1, sizeof *ids);
    for (size_t i = 0; ids != NULL && i < n; i++)
        if (!library_id_read(list[i], &ids[i])) {
            resp_json_error(resp, 400, "\"groups\": \"%.64s\" is no id of a group", list[i]);
            return false;
        }
    if (ids == NULL) {
        resp_json_error(resp, 400, "\"groups\" is too long");
        return false;
    }
    *room = (struct scope){.limited = true, .groups = ids, .n = n};
    *out = room;
    return true;
}

enum outcome api_scope_set(struct db *db, struct req *req, enum scope_kind kind, const char *name,
                           js o, struct err *err)
{
    struct scope s;
    enum outcome out = scope_get(db, kind, name, req->arena, &s, err);
    char id[24];
    js list;

    if (out != OK || !s.limited)
        return out;
    list = js_array();
    for (size_t i = 0; i < s.n; i++) {
        snprintf(id, sizeof id, "%lld", (long long)s.groups[i]);
        js_append(list, js_new_str(id));
    }
    js_set(o, "groups", list);
    return OK;
}

bool api_truth_read(struct resp *resp, js body, const char *key, bool *there, bool *out)
{
    js v = js_get(body, key);

    *there = v != NULL;
    if (v == NULL || js_bool(v, out))
        return true;
    resp_json_error(resp, 400, "\"%s\" must be true or false", key);
    return false;
}
