/* preview.c: see preview.h. */
#include "store/preview.h"

#include "base/limits.h"
#include "store/idset.h"
#include "store/wanted_channel.h"

#include <stdlib.h>

static const struct sql MEMBERS = {"preview_members",
                                   "SELECT m.device_id FROM group_member m JOIN enrollment e ON "
                                   "e.id = m.device_id AND e.state = 2 "
                                   "WHERE m.group_id = ? AND %SCOPE m.device_id% ORDER BY "
                                   "m.device_id",
                                   0};
static const struct sql ITEMS = {
    "preview_items", "SELECT item_id FROM assignment WHERE group_id = ? ORDER BY item_id LIMIT ?",
    0};
static const struct sql BY_OTHERS = {
    "preview_by_others",
    "SELECT DISTINCT m.device_id FROM assignment a JOIN group_member m ON m.group_id = a.group_id "
    "JOIN enrollment e ON e.id = m.device_id AND e.state = 2 WHERE a.item_id = ? AND a.group_id <> "
    "? AND %SCOPE m.device_id% UNION SELECT e.id FROM assignment s JOIN enrollment e ON e.id = "
    "s.device_id AND e.state = 2 WHERE s.item_id = ? AND %SCOPE e.id% ORDER BY device_id",
    0};
static const struct sql ONE_DEVICE = {
    "preview_device",
    "SELECT e.id FROM enrollment e WHERE (e.ident = ? OR e.serial = ?) AND e.kind IN (1, 4) AND "
    "e.state = 2 AND %SCOPE e.device_id% AND NOT EXISTS (SELECT 1 FROM "
    "assignment a JOIN group_member m ON m.group_id = a.group_id AND m.device_id = e.id WHERE "
    "a.item_id = ?)",
    0};
static const struct sql IDENTS = {
    "preview_idents",
    "SELECT ident, device_name, serial FROM enrollment WHERE id IN (%IN%) ORDER BY id", 1};
/* Devices of which all channels that are to have it have it in that version. */
static const struct sql AT_VERSION = {
    "preview_at_version",
    "SELECT e.device_id FROM device_item d JOIN enrollment e ON e.id = d.enrollment_id WHERE "
    "d.item_id = ? AND d.wanted = 1 AND %SCOPE e.device_id% GROUP BY e.device_id HAVING "
    "SUM(d.installed_version <> ?) = 0 ORDER BY e.device_id",
    0};
static const struct sql HAD_ORDER = {
    "preview_had_order",
    "SELECT enrollment_id FROM device_order WHERE order_id = ? AND state IN (2, 3) ORDER BY "
    "enrollment_id",
    0};
static const struct sql HAVING_IT = {
    "preview_having",
    "SELECT DISTINCT e.device_id FROM device_item d JOIN enrollment e ON e.id = d.enrollment_id "
    "AND e.state = 2 WHERE d.item_id = ? AND d.wanted = 1 AND d.installed_version > 0 AND "
    "%SCOPE e.device_id% ORDER BY e.device_id",
    0};
/* One device, and what it has by itself; which of groups give it an item too. */
static const struct sql DEVICE = {
    "preview_one",
    "SELECT e.id FROM enrollment e WHERE (e.ident = ? OR (e.serial = ? AND NOT EXISTS (SELECT 1 "
    "FROM enrollment o WHERE o.ident = ?))) AND e.kind IN (1, 4) AND e.state = 2 AND %SCOPE "
    "e.device_id% LIMIT 2",
    0};
static const struct sql OWN_ITEMS = {
    "preview_own_items",
    "SELECT item_id FROM assignment WHERE device_id = ? ORDER BY item_id LIMIT ?", 0};
static const struct sql BY_GROUPS = {
    "preview_by_groups",
    "SELECT DISTINCT m.device_id FROM assignment a JOIN group_member m ON m.group_id = a.group_id "
    "WHERE a.item_id = ? AND m.device_id = ?",
    0};
static const struct sql FOR_USERS = {
    "preview_for_users",
    "SELECT " CHANNEL_FOR_USERS " FROM library_item i JOIN library_version v ON v.item_id = i.id "
    "AND v.number = i.version WHERE i.id = ?",
    0};
/* Of devices that have users: how many users there are that have not got it in that version, and
 * how many of the devices have nobody. */
static const struct sql USERS = {
    "preview_users",
    "SELECT COALESCE(SUM(u.n), 0), COALESCE(SUM(u.all_of_them = 0), 0) FROM (SELECT (SELECT "
    "COUNT(*) FROM enrollment c WHERE c.device_id = e.id AND c.id <> c.device_id AND c.state = 2 "
    "AND NOT EXISTS (SELECT 1 FROM device_item x WHERE x.enrollment_id = c.id AND x.item_id = ? "
    "AND x.wanted = 1 AND x.installed_version = ?)) AS n, (SELECT COUNT(*) FROM enrollment c WHERE "
    "c.device_id = e.id AND c.id <> c.device_id AND c.state = 2) AS all_of_them FROM enrollment e "
    "WHERE " CHANNEL_HAS_USERS("e") " AND e.id IN (%IN%)) u",
    1};
static const struct sql NAME = {"preview_name",
                                "SELECT name FROM library_item WHERE id = ? AND deleted_at = 0", 0};

struct ids {
    int64_t *v;
    size_t n;
};

static enum outcome ids_read(struct db *db, const struct sql *sql, const struct val *args,
                             size_t nargs, struct arena *a, struct ids *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, sql, args, nargs, a, &r, err);

    *out = (struct ids){0};
    if (o != OK)
        return o;
    out->v = arena_array(a, r.n + 1, sizeof *out->v);
    if (out->v == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; out->n < r.n; out->n++)
        out->v[out->n] = row_at(&r, out->n, 0)->i;
    return OK;
}

#define CHUNK 512
#define NO_VERSION (-1)

/* Of an item that is for users: whom of the devices it is about. */
static enum outcome users_of(struct db *db, int64_t item, int version, const struct ids *ids,
                             struct arena *a, struct preview_set *out, struct err *err)
{
    struct val of[] = {val_int(item), val_int(version)}, list[CHUNK];
    struct rows r;
    enum outcome o = db_select(db, &FOR_USERS, of, 1, a, &r, err);

    out->for_users = o == OK && r.n > 0 && row_at(&r, 0, 0)->i != 0;
    for (size_t from = 0, k; o == OK && out->for_users && from < ids->n; from += k) {
        k = ids->n - from < CHUNK ? ids->n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            list[i] = val_int(ids->v[from + i]);
        o = db_select_in(db, &USERS, of, 2, list, k, NULL, 0, a, &r, err);
        out->users += o == OK ? (size_t)row_at(&r, 0, 0)->i : 0;
        out->waiting += o == OK ? (size_t)row_at(&r, 0, 1)->i : 0;
    }
    return o;
}

static enum outcome set_of(struct db *db, const struct ids *ids, struct arena *a,
                           struct preview_set *out, struct err *err)
{
    size_t n = ids->n < PREVIEW_SAMPLE ? ids->n : PREVIEW_SAMPLE;
    struct val list[PREVIEW_SAMPLE];
    struct rows r;
    enum outcome o;

    *out = (struct preview_set){.n = ids->n};
    if (n == 0)
        return OK;
    for (size_t i = 0; i < n; i++)
        list[i] = val_int(ids->v[i]);
    o = db_select_in(db, &IDENTS, NULL, 0, list, n, NULL, 0, a, &r, err);
    for (; o == OK && out->nsample < r.n; out->nsample++) {
        const struct val *v = row_at(&r, out->nsample, 0);
        const char *name = val_text(&v[1]), *serial = val_text(&v[2]);

        out->sample[out->nsample] = v[0].s;
        out->name[out->nsample] = name[0] != '\0' ? name : serial[0] != '\0' ? serial : v[0].s;
    }
    return o;
}

/* The difference, as a set for people. */
static enum outcome difference(struct db *db, const struct ids *x, const struct ids *y,
                               struct arena *a, struct preview_set *out, struct err *err)
{
    struct ids d = {arena_array(a, x->n + 1, sizeof *d.v), 0};

    if (d.v == NULL)
        return err_set(err, ERROR, "out of memory");
    d.n = idset_without(x->v, x->n, y->v, y->n, d.v);
    return set_of(db, &d, a, out, err);
}

/* The same of an item, with its users. */
static enum outcome item_difference(struct db *db, int64_t item, int version, const struct ids *x,
                                    const struct ids *y, struct arena *a, struct preview_set *out,
                                    struct err *err)
{
    struct ids d = {arena_array(a, x->n + 1, sizeof *d.v), 0};
    enum outcome o = difference(db, x, y, a, out, err);

    if (d.v == NULL)
        return err_set(err, ERROR, "out of memory");
    d.n = idset_without(x->v, x->n, y->v, y->n, d.v);
    return o == OK ? users_of(db, item, version, &d, a, out, err) : o;
}

static bool has(const struct ids *list, int64_t id)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i] == id)
            return true;
    return false;
}

static struct ids both(const struct ids *x, const struct ids *y, struct arena *a)
{
    struct ids u = {arena_array(a, x->n + y->n + 1, sizeof *u.v), 0};

    if (u.v != NULL)
        u.n = idset_union(x->v, x->n, y->v, y->n, u.v);
    return u;
}

/* Who would get the item, and who would be rid of it. */
static enum outcome item_run(struct db *db, struct preview *p, int64_t item,
                             const struct ids *before, const struct ids *after, struct arena *a,
                             struct err *err)
{
    struct preview_item *x = &p->changes[p->nchanges];
    struct ids others, was, will;
    struct rows r;
    enum outcome o = db_select(db, &NAME, (struct val[]){val_int(item)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "the library has nothing with the id %lld", (long long)item);
    if (o == OK && p->device != NULL)
        o = ids_read(db, &BY_GROUPS, (struct val[]){val_int(item), val_int(p->group_id)}, 2, a,
                     &others, err);
    else if (o == OK)
        o = ids_read(db, &BY_OTHERS,
                     (struct val[]){val_int(item), val_int(p->group_id), val_int(item)}, 3, a,
                     &others, err);
    if (o != OK)
        return o;
    was = both(&others, before, a);
    will = both(&others, after, a);
    if (was.v == NULL || will.v == NULL)
        return err_set(err, ERROR, "out of memory");
    *x = (struct preview_item){.item_id = item, .name = row_at(&r, 0, 0)->s};
    o = item_difference(db, item, NO_VERSION, &will, &was, a, &x->install, err);
    if (o == OK)
        o = item_difference(db, item, NO_VERSION, &was, &will, a, &x->remove, err);
    p->nchanges++;
    return o;
}

/* Who would be sent a command at once: those that come in, and for one that is new, all that have
 * not got it before. */
static enum outcome order_run(struct db *db, struct preview_order *x, const struct ids *was,
                              const struct ids *will, struct arena *a, struct err *err)
{
    static const struct ids nobody = {0};
    struct ids had = {0};
    enum outcome o = OK;

    if (x->ended || x->policy == STANDING_ENROL)
        return difference(db, &nobody, &nobody, a, &x->send, err);
    if (x->fresh)
        o = ids_read(db, &HAD_ORDER, (struct val[]){val_int(x->order_id)}, 1, a, &had, err);
    return o == OK ? difference(db, will, x->fresh ? &had : was, a, &x->send, err) : o;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Whom it is about, and what these have now by the group, or the device by itself. */
static enum outcome begin(struct db *db, struct preview *p, struct arena *a, struct ids *was,
                          struct ids *had, struct err *err)
{
    struct val device = val_str(p->device), group;
    enum outcome o = OK;

    if (p->device != NULL) {
        o = ids_read(db, &DEVICE, (struct val[]){device, device, device}, 3, a, was, err);
        if (o == OK && was->n == 0)
            return err_set(err, NOT_FOUND, "there is no enrolled device %s", p->device);
        if (o == OK && was->n > 1)
            return err_set(err, CONFLICT, "several devices say that they are %s: name it by its id",
                           p->device);
        p->group_id = o == OK ? was->v[0] : 0;
    }
    group = val_int(p->group_id);
    if (o == OK && p->device == NULL)
        o = ids_read(db, &MEMBERS, &group, 1, a, was, err);
    return o == OK ? ids_read(db, p->device != NULL ? &OWN_ITEMS : &ITEMS,
                              (struct val[]){group, val_int(PREVIEW_ITEMS + 1)}, 2, a, had, err)
                   : o;
}

enum outcome preview_run(struct db *db, struct preview *p, struct arena *a, struct err *err)
{
    static const struct ids nobody = {0};
    struct ids was, will, had, has_then, all;
    enum outcome o = begin(db, p, a, &was, &had, err);

    will = was;
    if (o == OK && p->filter != NULL)
        o = filter_devices(db, p->filter, 0, a, &will.v, &will.n, err);
    if (o != OK)
        return o;
    has_then = had;
    if (!p->keep_items) {
        has_then.v = arena_array(a, p->nitems + 1, sizeof *has_then.v);
        if (has_then.v == NULL)
            return err_set(err, ERROR, "out of memory");
        has_then.n = p->nitems;
        for (size_t i = 0; i < p->nitems; i++)
            has_then.v[i] = p->items[i];
        qsort(has_then.v, has_then.n, sizeof *has_then.v, by_id);
    }
    all = both(&had, &has_then, a);
    p->changes = arena_array(a, all.n + 1, sizeof *p->changes);
    if (all.v == NULL || p->changes == NULL)
        return err_set(err, ERROR, "out of memory");
    if (all.n > PREVIEW_ITEMS)
        return err_set(err, INVALID, "a preview has at most %u items", PREVIEW_ITEMS);
    p->devices = will.n;
    p->nchanges = 0;
    if ((o = difference(db, &will, &was, a, &p->join, err)) != OK ||
        (o = difference(db, &was, &will, a, &p->leave, err)) != OK)
        return o;
    for (size_t i = 0; o == OK && i < all.n; i++)
        o = item_run(db, p, all.v[i], has(&had, all.v[i]) ? &was : &nobody,
                     has(&has_then, all.v[i]) ? &will : &nobody, a, err);
    for (size_t i = 0; o == OK && i < p->norders; i++)
        o = order_run(db, &p->orders[i], &was, &will, a, err);
    return o;
}

enum outcome preview_version(struct db *db, struct preview_version *p, struct arena *a,
                             struct err *err)
{
    struct val item = val_int(p->item_id);
    struct ids all, have = {0};
    enum outcome o =
        ids_read(db, &BY_OTHERS, (struct val[]){item, val_int(0), item}, 3, a, &all, err);

    if (o == OK && p->number != 0)
        o = ids_read(db, &AT_VERSION, (struct val[]){item, val_int(p->number)}, 2, a, &have, err);
    if (o == OK)
        o = item_difference(db, p->item_id, p->number != 0 ? p->number : NO_VERSION, &all, &have, a,
                            &p->change, err);
    p->same = o == OK ? all.n - p->change.n : 0;
    return o;
}

enum outcome preview_assignment(struct db *db, int64_t item_id, int64_t group_id, struct arena *a,
                                struct preview_set *out, struct err *err)
{
    struct val group = val_int(group_id);
    struct ids members, others;
    enum outcome o = ids_read(db, &MEMBERS, &group, 1, a, &members, err);

    if (o == OK)
        o = ids_read(db, &BY_OTHERS, (struct val[]){val_int(item_id), group, val_int(item_id)}, 3,
                     a, &others, err);
    return o == OK ? item_difference(db, item_id, NO_VERSION, &members, &others, a, out, err) : o;
}

enum outcome preview_device(struct db *db, int64_t item_id, const char *device, struct arena *a,
                            struct preview_set *out, struct err *err)
{
    struct ids one;
    enum outcome o = ids_read(db, &ONE_DEVICE,
                              (struct val[]){val_str(device), val_str(device), val_int(item_id)}, 3,
                              a, &one, err);

    if (o == OK)
        o = set_of(db, &one, a, out, err);
    return o == OK ? users_of(db, item_id, NO_VERSION, &one, a, out, err) : o;
}

enum outcome preview_having(struct db *db, int64_t item_id, struct arena *a,
                            struct preview_set *out, struct err *err)
{
    struct ids all, none = {0};
    struct val item = val_int(item_id);
    enum outcome o = ids_read(db, &HAVING_IT, &item, 1, a, &all, err);

    return o == OK ? difference(db, &all, &none, a, out, err) : o;
}
