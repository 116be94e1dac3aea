/* library_shared.c: what the resources of the library, its groups and its assignments share. */
#include "api/library.h"

#include "base/limits.h"
#include "library/edit.h"
#include "store/filter.h"
#include "store/wanted.h"

bool library_path(struct req *req, struct resp *resp, const char *prefix, int64_t *id,
                  const char **word)
{
    const char *part[2] = {"", ""};
    size_t n;

    if (!api_segments(req, resp, prefix, part, 2, &n))
        return false;
    *word = n == 2 ? part[1] : "";
    if (library_id_read(part[0], id))
        return true;
    resp_json_error(resp, 404, "\"%.64s\" is no id of the library", part[0]);
    return false;
}

bool api_filter(struct req *req, struct resp *resp, js expression, struct filter *out,
                const char **text)
{
    struct buf b = BUF_INIT(LIM_MB);
    struct err err = {0};

    if (filter_compile(expression, req->arena, out, &err) != OK) {
        err_prefix(&err, "the filter");
        api_fail(resp, &err);
        return false;
    }
    *text = js_write(expression, false, &b) == OK ? arena_strdup(req->arena, buf_cstr(&b)) : NULL;
    buf_free(&b);
    if (*text == NULL)
        resp_json_error(resp, 400, "the filter is too long");
    return *text != NULL;
}

js wanted_json(const struct wanted_row *x, bool of_item)
{
    js o = js_object();

    if (of_item) {
        js_set_str(o, "enrollment_id", x->ident);
        api_set_text(o, "serial_number", x->serial);
        api_set_text(o, "device_name", x->device_name);
    } else {
        api_set_id(o, "item", x->item_id);
        js_set_str(o, "kind", library_kind_name(x->kind));
        js_set_str(o, "identifier", x->identifier);
        js_set_str(o, "name", x->name);
    }
    js_set_bool(o, "wanted", x->wanted);
    js_set_str(o, "state", wanted_state_name(x->state));
    js_set_int(o, "version", x->version);
    if (x->installed_version != 0)
        js_set_int(o, "installed_version", x->installed_version);
    api_set_text(o, "reason", x->reason);
    api_set_text(o, "command_uuid", x->command_uuid);
    if (x->attempts != 0)
        js_set_int(o, "attempts", x->attempts);
    if (x->state == WANTED_PENDING || x->state == WANTED_FAILED)
        api_set_time(o, "next_try_at", x->due_at);
    api_set_time(o, "changed_at", x->changed_at);
    api_set_time(o, "installed_at", x->installed_at);
    return o;
}
