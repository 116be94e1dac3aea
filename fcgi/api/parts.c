/* parts.c: a device's inventory and results as JSON. What devices tell stands under Apple's keys,
 * as they tell it. */
#include "api/fleet.h"

#include "base/clock.h"
#include "base/limits.h"
#include "command/error_codes.h"
#include "command/sensitive.h"

#include <stdlib.h>

/* ---- values ---- */

/* Text that is JSON already. */
static js parsed(const char *text)
{
    struct err err;
    js v = NULL;

    return js_parse(bytes_str(text), &v, &err) == OK ? v : js_new_str(text);
}

static js value_json(const struct inv_column *c, const struct val *v)
{
    char text[CLOCK_TEXT_MAX];

    switch (c->type) {
    case INV_BOOL:
        return js_new_bool(v->i != 0);
    case INV_INT:
        return js_new_int(v->i);
    case INV_DATE:
        return js_new_str(clock_rfc3339(v->i, false, text));
    case INV_REAL:
        return js_new_real(strtod(v->s, NULL));
    case INV_JSON:
        return parsed(v->s);
    default:
        return js_new_str(v->s);
    }
}

/* "A.B" goes into the object A. */
static void set_path(js o, const char *path, js value)
{
    const char *dot = strchr(path, '.');
    char above[64];
    js in;

    if (dot == NULL || (size_t)(dot - path) >= sizeof above) {
        js_set(o, path, value);
        return;
    }
    memcpy(above, path, (size_t)(dot - path));
    above[dot - path] = '\0';
    in = js_get(o, above);
    if (in == NULL) {
        in = js_object();
        js_set(o, above, in);
    }
    js_set(in, dot + 1, value);
}

struct merge {
    js into;
    const char *parent;
};

/* What stands in `extra` may share a dictionary with columns: FirewallSettings. */
static bool merge_one(const char *key, js value, void *arg)
{
    struct merge *m = arg;
    js have = js_get(m->into, key);
    struct buf text = BUF_INIT(4 * LIM_MB);
    struct err err;
    js copy = NULL;

    if (js_type_of(have) == JS_OBJECT && js_type_of(value) == JS_OBJECT) {
        struct merge below = {have, key};

        js_each(value, merge_one, &below);
        return true;
    }
    if (js_write(value, false, &text) == OK && js_parse(buf_bytes(&text), &copy, &err) == OK)
        js_set(m->into, key, copy);
    buf_free(&text);
    return true;
}

static void add_extra(js o, const struct val *v)
{
    struct merge m = {o, NULL};
    js extra;

    if (val_is_null(v))
        return;
    extra = parsed(v->s);
    js_each(extra, merge_one, &m);
    js_free(&extra);
}

/* row: the columns of t. A column that Apple has no key for is called as the column is. */
static js row_object(const struct inv_table *t, const struct val *row)
{
    js o = js_object();

    for (unsigned i = 0; i < t->n; i++) {
        const struct inv_column *c = &t->cols[i];

        if (c->type == INV_EXTRA)
            add_extra(o, &row[i]);
        else if (!val_is_null(&row[i]) && strcmp(c->name, "command_id") != 0)
            set_path(o, c->key[0] != '\0' ? c->key : c->name, value_json(c, &row[i]));
    }
    return o;
}

/* ---- facts ---- */

static void add_areas(js o, const struct rows *areas, int area)
{
    for (size_t i = 0; i < areas->n; i++)
        if (row_at(areas, i, 0)->i == area) {
            api_set_time(o, "reported_at", row_at(areas, i, 1)->i);
            api_set_time(o, "changed_at", row_at(areas, i, 2)->i);
        }
}

enum outcome part_facts(struct part_call *c, js *root, struct err *err)
{
    struct rows areas, r;
    enum outcome o = fleet_areas(c->db, c->device.id, c->req->arena, &areas, err);
    js all = js_object();

    for (int area = INV_DEVICE; o == OK && area <= INV_SECURITY; area++) {
        const struct inv_table *t = inv_table((enum inv_area)area);
        js one;

        o = fleet_rows(c->db, t, c->device.id, 0, 1, c->req->arena, &r, err);
        if (o != OK || r.n == 0)
            continue;
        one = js_object();
        add_areas(one, &areas, area);
        js_set(one, "facts", row_object(t, row_at(&r, 0, 1)));
        js_set(all, t->word, one);
    }
    if (o != OK)
        js_free(&all);
    *root = all;
    return o;
}

/* ---- lists ---- */

struct list {
    struct part_call *c;
    int64_t offset;
    struct rows rows;
    js root, items;
};

static enum outcome list_begin(struct list *l, struct part_call *c, struct err *err)
{
    const char *cursor = req_query(c->req, "cursor");
    char *end;

    *l = (struct list){.c = c};
    if (cursor == NULL)
        return OK;
    l->offset = strtoll(cursor, &end, 10);
    if (*cursor < '0' || *cursor > '9' || *end != '\0' || l->offset > INT32_MAX)
        return err_set(err, INVALID, "cursor is not one that was given as next_cursor");
    return OK;
}

static enum outcome list_start(struct list *l, int area, struct err *err)
{
    struct rows areas;
    enum outcome o = area == INV_NONE
                         ? OK
                         : fleet_areas(l->c->db, l->c->device.id, l->c->req->arena, &areas, err);

    if (o != OK)
        return o;
    l->root = js_object();
    l->items = js_array();
    if (area != INV_NONE)
        add_areas(l->root, &areas, area);
    return OK;
}

static void list_end(struct list *l, js *root)
{
    js_set(l->root, "items", l->items);
    if (l->rows.n == l->c->limit)
        api_set_cursor(l->root, l->offset + (int64_t)l->rows.n);
    *root = l->root;
}

enum outcome part_list(struct part_call *c, const struct inv_table *t, js *root, struct err *err)
{
    struct list l;
    enum outcome o = list_begin(&l, c, err);

    if (o == OK)
        o = fleet_rows(c->db, t, c->device.id, (size_t)l.offset, c->limit, c->req->arena, &l.rows,
                       err);
    if (o == OK)
        o = list_start(&l, t->area, err);
    if (o != OK)
        return o;
    for (size_t i = 0; i < l.rows.n; i++)
        js_append(l.items, row_object(t, row_at(&l.rows, i, 1)));
    list_end(&l, root);
    return OK;
}

enum outcome part_apps(struct part_call *c, js *root, struct err *err)
{
    static const char *const flags[] = {
        "IsValidated",     "Installing",      "AppStoreVendable",   "DeviceBasedVPP",
        "BetaApp",         "AdHocCodeSigned", "HasUpdateAvailable", "DownloadFailed",
        "DownloadWaiting", "DownloadPaused",  "DownloadCancelled",  "IsAppClip"};
    static const char *const texts[] = {"Identifier", "Name", "Version", "ShortVersion"};
    static const char *const numbers[] = {"BundleSize", "DynamicSize", "ExternalVersionIdentifier"};
    struct list l;
    enum outcome o = list_begin(&l, c, err);

    if (o == OK)
        o = fleet_apps(c->db, c->device.id, (size_t)l.offset, c->limit, c->req->arena, &l.rows,
                       err);
    if (o == OK)
        o = list_start(&l, INV_APP, err);
    if (o != OK)
        return o;
    for (size_t i = 0; i < l.rows.n; i++) {
        const struct val *v = row_at(&l.rows, i, 0);
        js one = js_object();

        for (size_t k = 0; k < 4; k++)
            api_set_text(one, texts[k], v[k].s);
        for (size_t k = 0; k < 3; k++)
            if (!val_is_null(&v[4 + k]))
                js_set_int(one, numbers[k], v[4 + k].i);
        for (size_t k = 0; k < sizeof flags / sizeof *flags; k++)
            if (v[7].i >> k & 1)
                js_set_bool(one, flags[k], v[8].i >> k & 1);
        add_extra(one, &v[9]);
        js_append(l.items, one);
    }
    list_end(&l, root);
    return OK;
}

static js certificate_object(const struct val *v)
{
    js o = js_object();

    js_set_str(o, "sha256", v[0].s);
    js_set_str(o, "CommonName", val_text(&v[1]));
    if (!val_is_null(&v[2]))
        js_set_bool(o, "IsIdentity", v[2].i != 0);
    api_set_text(o, "subject", v[3].s);
    api_set_text(o, "issuer", v[4].s);
    api_set_text(o, "serial_number", v[5].s);
    api_set_time(o, "not_before", v[6].i);
    api_set_time(o, "not_after", v[7].i);
    js_set_bool(o, "ca", v[8].i != 0);
    api_set_text(o, "key_type", v[9].s);
    if (v[10].i != 0)
        js_set_int(o, "key_bits", v[10].i);
    add_extra(o, &v[11]);
    return o;
}

/* Rows of an enrollment from `offset` on, at most `max`. */
typedef enum outcome rows_fn(struct db *db, int64_t enrollment_id, size_t offset, size_t max,
                             struct arena *a, struct rows *out, struct err *err);

static enum outcome list_of(struct part_call *c, rows_fn *fetch, int area,
                            js (*object)(const struct val *v), js *root, struct err *err)
{
    struct list l;
    enum outcome o = list_begin(&l, c, err);

    if (o == OK)
        o = fetch(c->db, c->device.id, (size_t)l.offset, c->limit, c->req->arena, &l.rows, err);
    if (o == OK)
        o = list_start(&l, area, err);
    if (o != OK)
        return o;
    for (size_t i = 0; i < l.rows.n; i++)
        js_append(l.items, object(row_at(&l.rows, i, 0)));
    list_end(&l, root);
    return OK;
}

enum outcome part_certificates(struct part_call *c, js *root, struct err *err)
{
    return list_of(c, fleet_certificates, INV_CERTIFICATE, certificate_object, root, err);
}

static js app_data_object(const struct val *v)
{
    static const char *const kinds[] = {"?", "configuration", "attributes", "feedback"};
    js one = js_object();

    js_set_str(one, "Identifier", v[0].s);
    js_set_str(one, "kind", kinds[v[1].i > 0 && v[1].i < 4 ? v[1].i : 0]);
    api_set_time(one, "reported_at", v[2].i);
    js_set(one, "content", parsed(v[3].s));
    return one;
}

enum outcome part_app_data(struct part_call *c, js *root, struct err *err)
{
    return list_of(c, fleet_app_data, INV_NONE, app_data_object, root, err);
}

static js answer_object(const struct val *v)
{
    js one = js_object();

    js_set_str(one, "request_type", v[0].s);
    api_set_time(one, "reported_at", v[1].i);
    if (val_is_null(&v[2]))
        js_set_str(one, "answer_withheld", PERSONAL_WHY);
    else
        js_set(one, "answer", parsed(v[2].s));
    return one;
}

/* What tells where a person is: withheld, or on record. */
static enum outcome answers_filter(struct part_call *c, struct rows *r, struct err *err)
{
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < r->n; i++) {
        struct val *v = row_at(r, i, 0);

        if (!command_personal(v[0].s))
            continue;
        if (c->by.personal)
            o = command_looked(c->db, c->by.actor, c->device.ident, "", v[0].s, err);
        else
            v[2] = val_null();
    }
    return o;
}

enum outcome part_answers(struct part_call *c, js *root, struct err *err)
{
    struct list l;
    enum outcome o = list_begin(&l, c, err);

    if (o == OK)
        o = fleet_answers(c->db, c->device.id, (size_t)l.offset, c->limit, c->req->arena, &l.rows,
                          err);
    if (o == OK)
        o = answers_filter(c, &l.rows, err);
    if (o == OK)
        o = list_start(&l, INV_NONE, err);
    if (o != OK)
        return o;
    for (size_t i = 0; i < l.rows.n; i++)
        js_append(l.items, answer_object(row_at(&l.rows, i, 0)));
    list_end(&l, root);
    return OK;
}

static js secret_object(const struct val *v)
{
    js one = js_object();

    js_set_str(one, "kind", v[0].s);
    api_set_text(one, "about", v[1].s);
    api_set_time(one, "at", v[2].i);
    return one;
}

enum outcome part_secrets(struct part_call *c, js *root, struct err *err)
{
    return list_of(c, fleet_secrets, INV_NONE, secret_object, root, err);
}

static bool before_of(struct part_call *c, int64_t *before, struct err *err)
{
    const char *cursor = req_query(c->req, "cursor");
    char *end;

    *before = 0;
    if (cursor == NULL)
        return true;
    *before = strtoll(cursor, &end, 10);
    if (*cursor >= '0' && *cursor <= '9' && *end == '\0')
        return true;
    (void)err_set(err, INVALID, "cursor is not one that was given as next_cursor");
    return false;
}

enum outcome part_events(struct part_call *c, js *root, struct err *err)
{
    static const char *const happened[] = {"?", "added", "changed", "removed", "told-once"};
    struct rows r;
    int64_t before;
    enum outcome o;
    js list;

    if (!before_of(c, &before, err))
        return INVALID;
    o = fleet_events(c->db, c->device.id, before, c->limit, c->req->arena, &r, err);
    if (o != OK)
        return o;
    *root = js_object();
    list = js_array();
    for (size_t i = 0; i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        js one = js_object();

        api_set_time(one, "at", v[1].i);
        js_set_str(one, "part", inv_area_word((int)v[2].i));
        js_set_str(one, "happened", happened[v[3].i > 0 && v[3].i < 5 ? v[3].i : 0]);
        js_set_str(one, "subject", v[4].s);
        js_set_str(one, "was", v[5].s);
        js_set_str(one, "became", v[6].s);
        js_append(list, one);
    }
    js_set(*root, "events", list);
    if (r.n == c->limit)
        api_set_cursor(*root, row_at(&r, r.n - 1, 0)->i);
    return OK;
}

/* ---- results, their errors explained ---- */

static js error_object(const struct val *v)
{
    const char *meanings[ERROR_MEANINGS_MAX];
    size_t n = error_meanings(v[3].s, v[4].i, meanings, ERROR_MEANINGS_MAX);
    js o = js_object(), list = js_array();

    if (v[1].i > 0)
        js_set_int(o, "setting", v[1].i);
    js_set_str(o, "domain", v[3].s);
    js_set_int(o, "code", v[4].i);
    api_set_text(o, "description", v[6].n > 0 ? v[6].s : v[5].s);
    for (size_t i = 0; i < n; i++)
        js_append(list, js_new_str(meanings[i]));
    js_set(o, "meanings", list);
    return o;
}

static js result_object(const struct queue_item *q, const struct rows *errors)
{
    js o = item_object(q), list = js_array();

    for (size_t i = 0; i < errors->n; i++)
        if (row_at(errors, i, 0)->i == q->command_id)
            js_append(list, error_object(row_at(errors, i, 0)));
    if (js_size(list) > 0)
        js_set(o, "errors", list);
    else
        js_free(&list);
    return o;
}

enum outcome part_results(struct part_call *c, js *root, struct err *err)
{
    struct queue_item *q = NULL;
    struct rows errors = {0};
    int64_t before;
    size_t n;
    enum outcome o;
    js list;

    if (!before_of(c, &before, err))
        return INVALID;
    o = queue_results(c->db, c->device.ident, before, c->limit, 0, c->req->arena, &q, &n, err);
    if (o == OK && n > 0)
        o = fleet_errors(c->db, c->device.id, q[n - 1].command_id, q[0].command_id, c->req->arena,
                         &errors, err);
    if (o == OK)
        o = personal_filter(c->db, c->by, c->device.ident, q, n, err);
    if (o != OK)
        return o;
    *root = js_object();
    list = js_array();
    for (size_t i = 0; i < n; i++)
        js_append(list, result_object(&q[i], &errors));
    js_set(*root, "results", list);
    if (n == c->limit)
        api_set_cursor(*root, q[n - 1].command_id);
    return OK;
}

enum outcome part_result(struct part_call *c, const char *uuid, js *root, struct err *err)
{
    struct queue_item q;
    struct rows errors;
    enum outcome o = queue_get(c->db, c->device.ident, uuid, c->req->arena, &q, err);

    q.body = bytes_of(NULL, 0); /* it may hold a secret */
    if (o == OK)
        o = fleet_errors(c->db, c->device.id, q.command_id, q.command_id, c->req->arena, &errors,
                         err);
    if (o == OK)
        o = personal_filter(c->db, c->by, c->device.ident, &q, 1, err);
    if (o == OK)
        *root = result_object(&q, &errors);
    return o;
}
