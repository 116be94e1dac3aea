/*
 * fleet.c: devices and what is known of them:
 *   GET /api/v1/devices
 *   GET /api/v1/devices/{id}
 *   GET /api/v1/devices/{id}/{part}   facts, a list of the inventory, events, queue, results, ...
 *   GET /api/v1/devices/{id}/results/{uuid}
 */
#include "api/fleet.h"

#include "base/limits.h"
#include "command/platform.h"
#include "base/clock.h"
#include "store/enrollment.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the list ---- */

static js device_object(const struct fleet_device *d)
{
    js o = js_object();

    js_set_str(o, "id", d->ident);
    js_set_str(o, "state", enrollment_state_name(d->state));
    api_set_text(o, "serial_number", d->serial);
    api_set_text(o, "udid", d->udid);
    api_set_text(o, "name", d->name);
    js_set_str(o, "platform",
               platform_name(d->platform != 0 ? (enum platform)d->platform
                                              : platform_of(d->product_name)));
    api_set_text(o, "product_name", d->product_name);
    api_set_text(o, "model_name", d->model_name);
    api_set_text(o, "os_version", d->os_version);
    api_set_text(o, "build_version", d->build_version);
    if (d->supervised >= 0)
        js_set_bool(o, "supervised", d->supervised != 0);
    api_set_time(o, "enrolled_at", d->enrolled_at);
    api_set_time(o, "last_seen", d->last_seen_at);
    return o;
}

static bool read_state(struct req *req, struct resp *resp, unsigned *states)
{
    const char *s = req_query(req, "state");

    for (int i = ENROLLMENT_PENDING; s != NULL && i <= ENROLLMENT_ENDED; i++)
        if (strcmp(enrollment_state_name(i), s) == 0)
            *states = 1u << i;
    if (s == NULL || *states != 0)
        return true;
    resp_json_error(resp, 400, "state must be pending, enrolled, left or ended");
    return false;
}

static bool read_platform(struct req *req, struct resp *resp, int *platform)
{
    const char *s = req_query(req, "platform");

    for (int i = PLATFORM_IOS; s != NULL && i < PLATFORM__MAX; i++)
        if (strcmp(platform_name((enum platform)i), s) == 0)
            *platform = i;
    if (s == NULL || *platform != 0)
        return true;
    resp_json_error(resp, 400, "platform must be iOS, macOS, tvOS, visionOS or watchOS");
    return false;
}

static bool read_version(struct req *req, struct resp *resp, const char *name, bool up,
                         int64_t *out)
{
    const char *s = req_query(req, name);
    int part[3] = {0, up ? 999 : 0, up ? 999 : 0};
    int end = 0, n;

    if (s == NULL)
        return true;
    n = sscanf(s, "%3d.%3d.%3d%n", &part[0], &part[1], &part[2], &end);
    if (n >= 1 && strspn(s, "0123456789.") == strlen(s) && strlen(s) < 12) {
        *out = part[0] * INT64_C(1000000) + part[1] * 1000 + part[2];
        return true;
    }
    resp_json_error(resp, 400, "%s must be a version like 17.4 or 17.4.1", name);
    return false;
}

static bool read_time(struct req *req, struct resp *resp, const char *name, int64_t *out)
{
    const char *s = req_query(req, name);

    if (s == NULL || clock_parse_rfc3339(s, out))
        return true;
    resp_json_error(resp, 400, "%s must be a time like 2026-11-22T08:15:30Z", name);
    return false;
}

static bool read_filter(struct req *req, struct resp *resp, struct fleet_filter *f)
{
    bool supervised = false;

    *f = (struct fleet_filter){.supervised = -1,
                               .product_name = req_query(req, "product_name"),
                               .serial = req_query(req, "serial_number"),
                               .text = req_query(req, "search")};
    if (!read_state(req, resp, &f->states) || !read_platform(req, resp, &f->platform) ||
        !read_version(req, resp, "os_min", false, &f->os_min) ||
        !read_version(req, resp, "os_max", true, &f->os_max) ||
        !read_time(req, resp, "seen_after", &f->seen_after) ||
        !read_time(req, resp, "seen_before", &f->seen_before) ||
        !api_flag(req, resp, "supervised", &supervised))
        return false;
    if (req_query(req, "supervised") != NULL)
        f->supervised = supervised;
    return true;
}

void api_devices(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct fleet_filter f;
    struct fleet_device *d;
    struct err err = {0};
    struct db *db = NULL;
    int64_t at = 0;
    bool more;
    size_t limit, n;

    (void)caller;
    if (!api_limit(req, resp, &limit) || !api_number(req, resp, "cursor", &at) ||
        !read_filter(req, resp, &f) || !api_db(app, resp, &db))
        return;
    enum outcome o = fleet_list(db, &f, &at, limit, req->arena, &d, &n, &more, &err);
    db_pool_give(app->pool, &db);
    if (o != OK) {
        api_fail(resp, &err);
        return;
    }
    js root = js_object(), list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, device_object(&d[i]));
    js_set(root, "devices", list);
    if (more)
        api_set_cursor(root, at);
    api_json(resp, 200, &root);
}

/* ---- one ---- */

static js areas_object(const struct rows *r)
{
    js o = js_object();

    for (size_t i = 0; i < r->n; i++) {
        const struct val *v = row_at(r, i, 0);
        js one = js_object();

        api_set_time(one, "reported_at", v[1].i);
        api_set_time(one, "changed_at", v[2].i);
        js_set_int(one, "items", v[3].i);
        js_set(o, inv_area_word((int)v[0].i), one);
    }
    return o;
}

static enum outcome tell_device(struct part_call *c, js *root, struct err *err)
{
    struct rows areas;
    enum outcome o = fleet_areas(c->db, c->device.id, c->req->arena, &areas, err);

    if (o != OK)
        return o;
    *root = device_object(&c->device);
    js_set(*root, "inventory", areas_object(&areas));
    return OK;
}

static enum outcome tell_queue(struct part_call *c, js *root, struct err *err)
{
    struct queue_item after = {0}, *q = NULL;
    size_t n;
    const char *cursor = req_query(c->req, "cursor");

    if (cursor != NULL && !item_cursor_read(cursor, &after))
        return err_set(err, INVALID, "cursor is not one that was given as next_cursor");
    enum outcome o = queue_list(c->db, c->device.ident, cursor != NULL ? &after : NULL, c->limit, 0,
                                c->req->arena, &q, &n, err);
    if (o != OK)
        return o;
    js list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, item_object(&q[i]));
    *root = js_object();
    js_set(*root, "commands", list);
    if (n == c->limit)
        item_cursor_set(*root, &q[n - 1]);
    return OK;
}

/* ---- the parts ---- */

static const struct {
    const char *word;
    enum outcome (*tell)(struct part_call *c, js *root, struct err *err);
} parts[] = {
    {"facts", part_facts},       {"apps", part_apps},       {"certificates", part_certificates},
    {"app-data", part_app_data}, {"answers", part_answers}, {"events", part_events},
    {"secrets", part_secrets},   {"queue", tell_queue},     {"results", part_results},
};

enum outcome fleet_part(struct part_call *c, const char *word, js *root, struct err *err)
{
    if (word == NULL)
        return tell_device(c, root, err);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(parts[i].word, word) == 0)
            return parts[i].tell(c, root, err);
    for (int area = INV_PROFILE; area < INV__MAX; area++)
        if (strcmp(inv_area_word(area), word) == 0)
            return part_list(c, inv_table((enum inv_area)area), root, err);
    return err_set(err, NOT_FOUND, "a device has no \"%.64s\" here", word);
}

void api_device(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct part_call c = {.req = req, .by = personal_onlooker(req, caller)};
    const char *part[3];
    struct err err = {0};
    size_t n;
    js root = NULL;

    if (!api_segments(req, resp, "/api/v1/devices/", part, 3, &n) ||
        !api_limit(req, resp, &c.limit) || !api_db(app, resp, &c.db))
        return;
    enum outcome o = fleet_get(c.db, part[0], req->arena, &c.device, &err);
    if (o == OK && n <= 2)
        o = fleet_part(&c, n == 2 ? part[1] : NULL, &root, &err);
    else if (o == OK && strcmp(part[1], "results") == 0)
        o = part_result(&c, part[2], &root, &err);
    else if (o == OK)
        o = err_set(&err, NOT_FOUND, "there is nothing at this path");
    db_pool_give(app->pool, &c.db);
    if (o == OK)
        api_json(resp, 200, &root);
    else
        api_fail(resp, &err);
}
