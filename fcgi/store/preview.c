/* preview.c: see preview.h. */
#include "store/preview_int.h"

#include "store/idset.h"
#include "store/wanted_channel.h"

#include <stdlib.h>

static const struct sql ITEMS = {
    "preview_items", "SELECT item_id FROM assignment WHERE group_id = ? ORDER BY item_id LIMIT ?",
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
/* What is installed has the version that it is to have: the index "item" knows; the others are
 * looked up. */
static const struct sql AT_VERSION = {
    "preview_at_version",
    "SELECT enrollment_id FROM device_item FORCE INDEX (item) WHERE item_id = ? AND wanted = 1 AND "
    "version = ? AND state = 3 AND %SCOPE enrollment_id% UNION ALL SELECT enrollment_id FROM "
    "device_item FORCE INDEX (item) WHERE item_id = ? AND wanted = 1 AND (version <> ? OR state "
    "<> 3) AND installed_version = ? AND %SCOPE enrollment_id%",
    0};
static const struct sql HAD_ORDER = {
    "preview_had_order",
    "SELECT enrollment_id FROM device_order FORCE INDEX (of_order) WHERE order_id = ? AND state IN "
    "(2, 3)",
    0};
static const struct sql HAVING_IT = {"preview_having",
                                     "SELECT enrollment_id FROM device_item WHERE item_id = ? AND "
                                     "wanted = 1 AND installed_version > "
                                     "0 AND %SCOPE enrollment_id%",
                                     0};
/* The same of what is for users, as devices: all channels that are to have it have it so. */
static const struct sql USERS_AT_VERSION = {
    "preview_users_at_version",
    "SELECT e.device_id FROM device_item d JOIN enrollment e ON e.id = d.enrollment_id WHERE "
    "d.item_id = ? AND d.wanted = 1 AND %SCOPE e.device_id% GROUP BY e.device_id HAVING "
    "SUM(d.installed_version <> ?) = 0",
    0};
static const struct sql USERS_HAVING_IT = {
    "preview_users_having",
    "SELECT DISTINCT e.device_id FROM device_item d JOIN enrollment e ON e.id = d.enrollment_id "
    "AND e.state = 2 WHERE d.item_id = ? AND d.wanted = 1 AND d.installed_version > 0 AND "
    "%SCOPE e.device_id%",
    0};
/* One device, and what it has by itself. */
static const struct sql DEVICE = {
    "preview_one",
    "SELECT e.id FROM enrollment e WHERE (e.ident = ? OR (e.serial = ? AND NOT EXISTS (SELECT 1 "
    "FROM enrollment o WHERE o.ident = ?))) AND e.kind IN (1, 4) AND e.state = 2 AND %SCOPE "
    "e.device_id% LIMIT 2",
    0};
static const struct sql OWN_ITEMS = {
    "preview_own_items",
    "SELECT item_id FROM assignment WHERE device_id = ? ORDER BY item_id LIMIT ?", 0};
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

#define CHUNK 512
#define NO_VERSION (-1)

static enum outcome is_for_users(struct crowd *c, int64_t item, bool *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(c->db, &FOR_USERS, (struct val[]){val_int(item)}, 1, c->a, &r, err);

    *out = o == OK && r.n > 0 && row_at(&r, 0, 0)->i != 0;
    return o;
}

/* What becomes of an item, as a set for people: of one that is for users, whom of the devices it is
 * about. */
static enum outcome item_set_of(struct crowd *c, int64_t item, int version, const struct ids *ids,
                                struct preview_set *out, struct err *err)
{
    struct val of[] = {val_int(item), val_int(version)}, list[CHUNK];
    struct rows r;
    enum outcome o = set_of(c->db, ids, c->a, out, err);

    if (o == OK)
        o = is_for_users(c, item, &out->for_users, err);
    for (size_t from = 0, k; o == OK && out->for_users && from < ids->n; from += k) {
        k = ids->n - from < CHUNK ? ids->n - from : CHUNK;
        for (size_t i = 0; i < k; i++)
            list[i] = val_int(ids->v[from + i]);
        o = db_select_in(c->db, &USERS, of, 2, list, k, NULL, 0, c->a, &r, err);
        out->users += o == OK ? (size_t)row_at(&r, 0, 0)->i : 0;
        out->waiting += o == OK ? (size_t)row_at(&r, 0, 1)->i : 0;
    }
    return o;
}

static bool has(const struct ids *list, int64_t id)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i] == id)
            return true;
    return false;
}

/* Which of x are not to have the item by another, as a set for people. */
static enum outcome only_by_this(struct crowd *c, int64_t item, int64_t group_id,
                                 const struct ids *x, struct preview_set *out, struct err *err)
{
    enum outcome o = crowd_copy_left(c, x, err);

    if (o == OK && x->n > 0)
        o = crowd_others(c, item, group_id, crowd_take_away, &c->left, err);
    return o == OK ? item_set_of(c, item, NO_VERSION, &c->left, out, err) : o;
}

/* How a group, or what a device has by itself, changes. */
struct turn {
    struct ids was, will, join, leave, had, has_then;
};

/* Who would get the item, and who would be rid of it. */
static enum outcome item_run(struct crowd *c, struct preview *p, int64_t item, const struct turn *t,
                             struct err *err)
{
    static const struct ids nobody = {0};
    struct preview_item *x = &p->changes[p->nchanges];
    bool had = has(&t->had, item), then = has(&t->has_then, item);
    struct rows r;
    enum outcome o = db_select(c->db, &NAME, (struct val[]){val_int(item)}, 1, c->a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "the library has nothing with the id %lld", (long long)item);
    if (o != OK)
        return o;
    *x = (struct preview_item){.item_id = item, .name = row_at(&r, 0, 0)->s};
    o = only_by_this(c, item, p->group_id,
                     !then ? &nobody
                     : had ? &t->join
                           : &t->will,
                     &x->install, err);
    if (o == OK)
        o = only_by_this(c, item, p->group_id,
                         !had   ? &nobody
                         : then ? &t->leave
                                : &t->was,
                         &x->remove, err);
    p->nchanges++;
    return o;
}

/* Who would be sent a command at once: those that come in, and for one that is new, all that have
 * not got it before. */
static enum outcome preview_order_run(struct crowd *c, struct preview_order *x,
                                      const struct turn *t, struct err *err)
{
    struct ids had = {0}, send = {0};
    enum outcome o = OK;

    if (x->ended || x->policy == STANDING_ENROL)
        return set_of(c->db, &send, c->a, &x->send, err);
    if (x->fresh)
        o = crowd_read(c, &HAD_ORDER, (struct val[]){val_int(x->order_id)}, 1, &had, err);
    if (o == OK)
        o = crowd_without(c, &t->will, x->fresh ? &had : &t->was, &send, err);
    return o == OK ? set_of(c->db, &send, c->a, &x->send, err) : o;
}

/* Whom it is about: the group's devices, or the one. */
static enum outcome begin(struct crowd *c, const struct preview *p, struct ids *was,
                          struct err *err)
{
    struct val device = val_str(p->device);
    enum outcome o;

    if (p->device == NULL)
        return crowd_members(c, p->group_id, was, err);
    o = crowd_read(c, &DEVICE, (struct val[]){device, device, device}, 3, was, err);
    if (o == OK && was->n == 0)
        return err_set(err, NOT_FOUND, "there is no enrolled device %s", p->device);
    if (o == OK && was->n > 1)
        return err_set(err, CONFLICT, "several devices say that they are %s: name it by its id",
                       p->device);
    c->device = o == OK ? was->v[0] : 0;
    return o;
}

/* With those who are put in, and without those who are taken out. */
static enum outcome by_hand(struct crowd *c, const struct preview *p, struct ids *will,
                            struct err *err)
{
    struct ids in, out = {0}, all;
    enum outcome o = crowd_named(c, p->add, p->nadd, &in, err);

    if (o == OK)
        o = crowd_named(c, p->remove, p->nremove, &out, err);
    if (o != OK)
        return o;
    all.v = arena_array(c->a, will->n + in.n + 1, sizeof *all.v);
    if (all.v == NULL)
        return err_set(err, ERROR, "out of memory");
    all.n = idset_union(will->v, will->n, in.v, in.n, all.v);
    return crowd_without(c, &all, &out, will, err);
}

/* As it is, and as it would be. */
static enum outcome turn_read(struct crowd *c, const struct preview *p, struct turn *t,
                              struct err *err)
{
    enum outcome o = begin(c, p, &t->was, err);
    struct val of[] = {val_int(c->device != 0 ? c->device : p->group_id),
                       val_int(PREVIEW_ITEMS + 1)};

    t->will = t->was;
    if (o == OK && p->filter != NULL)
        o = filter_devices(c->db, p->filter, 0, c->a, &t->will.v, &t->will.n, err);
    if (o == OK && p->nadd + p->nremove > 0)
        o = by_hand(c, p, &t->will, err);
    if (o == OK)
        o = crowd_read(c, c->device != 0 ? &OWN_ITEMS : &ITEMS, of, 2, &t->had, err);
    if (o == OK)
        o = crowd_without(c, &t->will, &t->was, &t->join, err);
    if (o == OK)
        o = crowd_without(c, &t->was, &t->will, &t->leave, err);
    t->has_then = t->had;
    if (o != OK || p->keep_items)
        return o;
    t->has_then = (struct ids){arena_array(c->a, p->nitems + 1, sizeof *t->has_then.v), p->nitems};
    if (t->has_then.v == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < p->nitems; i++)
        t->has_then.v[i] = p->items[i];
    qsort(t->has_then.v, t->has_then.n, sizeof *t->has_then.v, crowd_by_id);
    return OK;
}

static enum outcome changes_run(struct crowd *c, struct preview *p, struct err *err)
{
    struct turn t = {0};
    struct ids all;
    enum outcome o = turn_read(c, p, &t, err);

    if (o != OK)
        return o;
    all.v = arena_array(c->a, t.had.n + t.has_then.n + 1, sizeof *all.v);
    if (all.v == NULL)
        return err_set(err, ERROR, "out of memory");
    all.n = idset_union(t.had.v, t.had.n, t.has_then.v, t.has_then.n, all.v);
    if (all.n > PREVIEW_ITEMS)
        return err_set(err, INVALID, "a preview has at most %u items", PREVIEW_ITEMS);
    p->changes = arena_array(c->a, all.n + 1, sizeof *p->changes);
    if (p->changes == NULL)
        return err_set(err, ERROR, "out of memory");
    p->devices = t.will.n;
    p->nchanges = 0;
    o = set_of(c->db, &t.join, c->a, &p->join, err);
    if (o == OK)
        o = set_of(c->db, &t.leave, c->a, &p->leave, err);
    for (size_t i = 0; o == OK && i < all.n; i++)
        o = item_run(c, p, all.v[i], &t, err);
    for (size_t i = 0; o == OK && i < p->norders; i++)
        o = preview_order_run(c, &p->orders[i], &t, err);
    return o;
}

enum outcome preview_run(struct db *db, struct preview *p, struct arena *a, struct err *err)
{
    struct crowd *c = crowd_new(db, a, err);

    return crowd_end(c, c != NULL ? changes_run(c, p, err) : ERROR);
}

struct joining {
    struct crowd *c;
    struct ids all;
};

static enum outcome put_in(void *arg, const struct ids *devices, struct err *err)
{
    struct joining *x = arg;
    struct ids u = {0};
    enum outcome o = crowd_copy_left(x->c, devices, err);

    if (o == OK) /* what is new of them: groups may be much alike */
        o = crowd_take_away(&x->c->left, &x->all, err);
    if (o != OK || x->c->left.n == 0)
        return o;
    u.v = arena_array(x->c->a, x->all.n + x->c->left.n, sizeof *u.v);
    if (u.v == NULL)
        return err_set(err, ERROR, "out of memory");
    u.n = idset_union(x->all.v, x->all.n, x->c->left.v, x->c->left.n, u.v);
    x->all = u;
    return OK;
}

/* Devices of which all channels that are to have it have it in that version. */
static enum outcome at_version(struct crowd *c, int64_t item_id, int version, struct ids *out,
                               struct err *err)
{
    struct val item = val_int(item_id), number = val_int(version);
    bool users;
    enum outcome o = is_for_users(c, item_id, &users, err);

    if (o != OK)
        return o;
    return users ? crowd_read(c, &USERS_AT_VERSION, (struct val[]){item, number}, 2, out, err)
                 : crowd_read(c, &AT_VERSION, (struct val[]){item, number, item, number, number}, 5,
                              out, err);
}

enum outcome preview_version(struct db *db, struct preview_version *p, struct arena *a,
                             struct err *err)
{
    struct joining x = {.c = crowd_new(db, a, err)};
    struct ids have = {0}, left;
    enum outcome o = x.c != NULL ? crowd_others(x.c, p->item_id, 0, put_in, &x, err) : ERROR;

    if (o == OK && p->number != 0)
        o = at_version(x.c, p->item_id, p->number, &have, err);
    if (o == OK)
        o = crowd_without(x.c, &x.all, &have, &left, err);
    if (o == OK)
        o = item_set_of(x.c, p->item_id, p->number != 0 ? p->number : NO_VERSION, &left, &p->change,
                        err);
    p->same = o == OK ? x.all.n - p->change.n : 0;
    return crowd_end(x.c, o);
}

enum outcome preview_assignment(struct db *db, int64_t item_id, int64_t group_id, struct arena *a,
                                struct preview_set *out, struct err *err)
{
    struct crowd *c = crowd_new(db, a, err);
    struct ids devices;
    enum outcome o = c != NULL ? crowd_members(c, group_id, &devices, err) : ERROR;

    return crowd_end(c, o == OK ? only_by_this(c, item_id, group_id, &devices, out, err) : o);
}

enum outcome preview_device(struct db *db, int64_t item_id, const char *device, struct arena *a,
                            struct preview_set *out, struct err *err)
{
    struct crowd *c = crowd_new(db, a, err);
    struct val name = val_str(device);
    struct ids one;
    enum outcome o =
        c != NULL
            ? crowd_read(c, &ONE_DEVICE, (struct val[]){name, name, val_int(item_id)}, 3, &one, err)
            : ERROR;

    return crowd_end(c, o == OK ? item_set_of(c, item_id, NO_VERSION, &one, out, err) : o);
}

enum outcome preview_having(struct db *db, int64_t item_id, struct arena *a,
                            struct preview_set *out, struct err *err)
{
    struct crowd *c = crowd_new(db, a, err);
    struct ids all;
    bool users;
    enum outcome o = c != NULL ? is_for_users(c, item_id, &users, err) : ERROR;

    if (o == OK)
        o = crowd_read(c, users ? &USERS_HAVING_IT : &HAVING_IT, (struct val[]){val_int(item_id)},
                       1, &all, err);
    if (o == OK)
        o = crowd_enrolled(c, &all, err);
    return crowd_end(c, o == OK ? set_of(db, &all, a, out, err) : o);
}
