/* blueprint.c: see blueprint.h. */
#include "store/blueprint.h"

#include "base/limits.h"
#include "store/audit.h"
#include "store/group.h"
#include "store/id.h"
#include "store/idset.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>

#define ACTOR_CHARS 128
#define TEXT_MAX (64u * LIM_KB)

static const struct sql EXISTS = {
    "blueprint_group",
    "SELECT g.id, (SELECT COALESCE(MAX(b.number), 0) FROM group_blueprint b WHERE b.group_id = "
    "g.id) FROM device_group g WHERE g.id = ? AND %GROUP g.id%",
    0};
static const struct sql ITEMS = {
    "blueprint_items", "SELECT item_id FROM assignment WHERE group_id = ? ORDER BY item_id", 0};
static const struct sql ORDERS = {
    "blueprint_orders",
    "SELECT id FROM standing_order WHERE group_id = ? AND state IN (1, 2) ORDER BY id", 0};
#define COLUMNS                                                                                    \
    "SELECT group_id, number, items, orders, note, created_by, created_at FROM group_blueprint "
static const struct sql GET = {"blueprint_get",
                               COLUMNS "WHERE group_id = ? AND number = ? AND %GROUP group_id%", 0};
static const struct sql LIST = {
    "blueprint_list",
    COLUMNS "WHERE group_id = ? AND number > 0 AND %GROUP group_id% AND (? = 0 OR number < "
            "?) ORDER BY number DESC LIMIT ?",
    0};
static const struct sql PUT = {
    "blueprint_put",
    "INSERT INTO group_blueprint (group_id, number, items, orders, note, created_at, created_by) "
    "VALUES (?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE items = VALUES(items), orders = "
    "VALUES(orders), note = VALUES(note), created_at = VALUES(created_at), created_by = "
    "VALUES(created_by)",
    0};
static const struct sql DRAFTED = {
    "blueprint_drafted", "SELECT created_at FROM group_blueprint WHERE group_id = ? AND number = 0",
    0};
static const struct sql DROP_DRAFT = {
    "blueprint_drop_draft", "DELETE FROM group_blueprint WHERE group_id = ? AND number = 0", 0};
static const struct sql ASSIGNABLE = {
    "blueprint_assignable", "SELECT id FROM library_item WHERE deleted_at = 0 AND id IN (%IN%)", 1};
static const struct sql OWN_ORDERS = {
    "blueprint_own_orders", "SELECT id FROM standing_order WHERE group_id = ? AND id IN (%IN%)", 1};
static const struct sql ASSIGN = {
    "blueprint_assign",
    "INSERT INTO assignment (id, group_id, item_id, created_at, created_by) VALUES (?,?,?,?,?)", 0};
static const struct sql UNASSIGN = {
    "blueprint_unassign", "DELETE FROM assignment WHERE group_id = ? AND item_id IN (%IN%)", 1};

struct ids {
    int64_t *v;
    size_t n;
};

static enum outcome ids_read(struct db *db, const struct sql *sql, int64_t group_id,
                             struct arena *a, struct ids *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, sql, (struct val[]){val_int(group_id)}, 1, a, &r, err);

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

enum outcome blueprint_now(struct db *db, int64_t group_id, struct arena *a, struct blueprint *out,
                           struct err *err)
{
    struct rows r;
    struct ids items, orders;
    enum outcome o = db_select(db, &EXISTS, (struct val[]){val_int(group_id)}, 1, a, &r, err);

    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no such group");
    if (o != OK || (o = ids_read(db, &ITEMS, group_id, a, &items, err)) != OK ||
        (o = ids_read(db, &ORDERS, group_id, a, &orders, err)) != OK)
        return o;
    *out = (struct blueprint){.group_id = group_id,
                              .number = (int)row_at(&r, 0, 1)->i,
                              .items = items.v,
                              .nitems = items.n,
                              .orders = orders.v,
                              .norders = orders.n,
                              .note = "",
                              .created_by = ""};
    return OK;
}

/* ---- versions ---- */

static const char *ids_text(const int64_t *ids, size_t n, struct arena *a)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    const char *out;

    buf_char(&text, '[');
    for (size_t i = 0; i < n; i++)
        buf_fmt(&text, "%s\"%lld\"", i > 0 ? "," : "", (long long)ids[i]);
    buf_char(&text, ']');
    out = buf_failed(&text) ? NULL : arena_strdup(a, buf_cstr(&text));
    buf_free(&text);
    return out;
}

static const int64_t *ids_of(const char *text, struct arena *a, size_t *n)
{
    struct err ignored;
    js list = NULL;
    int64_t *out;

    *n = 0;
    if (js_parse(bytes_str(text), &list, &ignored) != OK)
        return arena_array(a, 1, sizeof *out);
    out = arena_array(a, js_size(list) + 1, sizeof *out);
    for (size_t i = 0; out != NULL && i < js_size(list); i++)
        if (js_str(js_at(list, i)) != NULL)
            out[(*n)++] = strtoll(js_str(js_at(list, i)), NULL, 10);
    js_free(&list);
    return out;
}

static enum outcome from_row(const struct val *v, struct arena *a, struct blueprint *b,
                             struct err *err)
{
    *b = (struct blueprint){.group_id = v[0].i,
                            .number = (int)v[1].i,
                            .note = v[4].s,
                            .created_by = v[5].s,
                            .created_at = v[6].i};
    b->items = ids_of(v[2].s, a, &b->nitems);
    b->orders = ids_of(v[3].s, a, &b->norders);
    return b->items != NULL && b->orders != NULL ? OK : err_set(err, ERROR, "out of memory");
}

enum outcome blueprint_get(struct db *db, int64_t group_id, int number, struct arena *a,
                           struct blueprint *out, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &GET, (struct val[]){val_int(group_id), val_int(number)}, 2, a, &r, err);

    if (o == OK && r.n == 0)
        return number == BLUEPRINT_DRAFT
                   ? err_set(err, NOT_FOUND, "the group has no draft")
                   : err_set(err, NOT_FOUND, "the group has no version %d", number);
    return o == OK ? from_row(row_at(&r, 0, 0), a, out, err) : o;
}

enum outcome blueprint_list(struct db *db, int64_t group_id, int before, size_t max,
                            struct arena *a, struct blueprint **out, size_t *n, struct err *err)
{
    struct val b = val_int(before);
    struct rows r;
    enum outcome o = db_select(
        db, &LIST,
        (struct val[]){val_int(group_id), b, b, val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)},
        4, a, &r, err);

    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (; o == OK && *n < r.n; ++*n)
        o = from_row(row_at(&r, *n, 0), a, &(*out)[*n], err);
    return o;
}

static enum outcome put(struct db *db, const struct blueprint *b, const char *actor, int64_t now,
                        struct arena *a, struct err *err)
{
    const char *items = ids_text(b->items, b->nitems, a);
    const char *orders = ids_text(b->orders, b->norders, a);

    if (items == NULL || orders == NULL)
        return err_set(err, ERROR, "out of memory");
    return db_exec(db, &PUT,
                   (struct val[]){val_int(b->group_id), val_int(b->number), val_str(items),
                                  val_str(orders), val_cut(b->note != NULL ? b->note : "", 255),
                                  val_int(now), val_cut(actor, ACTOR_CHARS)},
                   7, NULL, err);
}

enum outcome blueprint_note(struct db *db, int64_t group_id, const char *note, const char *actor,
                            int64_t now, int *number, struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    struct blueprint b;
    enum outcome o =
        a != NULL ? blueprint_now(db, group_id, a, &b, err) : err_set(err, ERROR, "out of memory");

    if (o == OK) {
        b.number++;
        b.note = note;
        *number = b.number;
        o = put(db, &b, actor, now, a, err);
    }
    arena_free(&a);
    return o;
}

/* ---- saving ---- */

/* When the draft was changed last; 0: there is none. The group is locked. */
static enum outcome drafted_at(struct db *db, int64_t group_id, struct arena *a, int64_t *out,
                               struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &DRAFTED, (struct val[]){val_int(group_id)}, 1, a, &r, err);

    *out = o == OK && r.n > 0 ? row_at(&r, 0, 0)->i : 0;
    return o;
}

static enum outcome draft_check(struct db *db, int64_t group_id, int64_t was, struct arena *a,
                                int64_t *is, struct err *err)
{
    enum outcome o = drafted_at(db, group_id, a, is, err);

    return o == OK && was != *is
               ? err_set(err, CONFLICT, "somebody else has changed the draft meanwhile")
               : o;
}

struct saving {
    struct blueprint_save *s;
    struct arena *a;
};

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Ascending, none twice. */
static enum outcome sorted(const int64_t *ids, size_t n, struct arena *a, struct ids *out,
                           struct err *err)
{
    *out = (struct ids){arena_array(a, n + 1, sizeof *out->v), 0};
    if (out->v == NULL)
        return err_set(err, ERROR, "out of memory");
    if (n > 0)
        memcpy(out->v, ids, n * sizeof *ids);
    qsort(out->v, n, sizeof *out->v, by_number);
    for (size_t i = 0; i < n; i++)
        if (out->n == 0 || out->v[out->n - 1] != out->v[i])
            out->v[out->n++] = out->v[i];
    return OK;
}

static enum outcome without(const struct ids *x, const int64_t *y, size_t ny, struct arena *a,
                            struct ids *out, struct err *err)
{
    *out = (struct ids){arena_array(a, x->n + 1, sizeof *out->v), 0};
    if (out->v == NULL)
        return err_set(err, ERROR, "out of memory");
    out->n = idset_without(x->v, x->n, y, ny, out->v);
    return OK;
}

static struct val *values(const struct ids *x, struct arena *a)
{
    struct val *v = arena_array(a, x->n + 1, sizeof *v);

    for (size_t i = 0; v != NULL && i < x->n; i++)
        v[i] = val_int(x->v[i]);
    return v;
}

/* All of ids exist. */
static enum outcome all_there(struct db *db, const struct sql *sql, int64_t group_id,
                              const struct ids *ids, const char *what, struct arena *a,
                              struct err *err)
{
    struct val group = val_int(group_id), *list = values(ids, a);
    struct rows r;
    enum outcome o;

    if (ids->n == 0)
        return OK;
    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_select_in(db, sql, &group, group_id != 0, list, ids->n, NULL, 0, a, &r, err);
    if (o == OK && r.n < ids->n)
        return err_set(err, NOT_FOUND, "there is no such %s", what);
    return o;
}

static enum outcome save_items(struct db *db, struct saving *x, const struct blueprint *was,
                               const struct ids *items, size_t *in, size_t *out, struct err *err)
{
    const struct blueprint_save *s = x->s;
    struct ids was_items = {(int64_t *)(uintptr_t)was->items, was->nitems}, add, drop;
    struct val args[BLUEPRINT_ITEMS * 5], group = val_int(s->b.group_id), *list;
    enum outcome o = without(items, was->items, was->nitems, x->a, &add, err);

    if (o == OK)
        o = without(&was_items, items->v, items->n, x->a, &drop, err);
    if (o == OK)
        o = all_there(db, &ASSIGNABLE, 0, &add, "profile or app", x->a, err);
    if (o != OK)
        return o;
    *in = add.n;
    *out = drop.n;
    for (size_t i = 0; i < add.n; i++) {
        args[i * 5] = val_int(id_new());
        args[i * 5 + 1] = group;
        args[i * 5 + 2] = val_int(add.v[i]);
        args[i * 5 + 3] = val_int(s->now);
        args[i * 5 + 4] = val_cut(s->actor, ACTOR_CHARS);
    }
    list = values(&drop, x->a);
    if (list == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_exec_many(db, &ASSIGN, args, 5, add.n, NULL, err);
    return o == OK && drop.n > 0
               ? db_exec_in(db, &UNASSIGN, &group, 1, list, drop.n, x->a, NULL, err)
               : o;
}

static enum outcome save_orders(struct db *db, struct saving *x, const struct blueprint *was,
                                const struct ids *orders, size_t *in, size_t *out, struct err *err)
{
    const struct blueprint_save *s = x->s;
    struct ids was_orders = {(int64_t *)(uintptr_t)was->orders, was->norders}, add, drop;
    enum outcome o = without(orders, was->orders, was->norders, x->a, &add, err);

    if (o == OK)
        o = without(&was_orders, orders->v, orders->n, x->a, &drop, err);
    for (size_t i = 0; o == OK && i < s->nadd; i++)
        o = standing_add(db, &s->add[i], s->actor, s->now, err);
    for (size_t i = 0; o == OK && i < s->nasks; i++)
        o = standing_ask(db, s->asks[i].order, &s->asks[i].approval, s->actor, s->now, err);
    if (o == OK)
        o = all_there(db, &OWN_ORDERS, s->b.group_id, &add, "command of this group", x->a, err);
    if (o != OK)
        return o;
    *in = add.n;
    *out = drop.n;
    o = standing_set(db, s->b.group_id, add.v, add.n, STANDING_LIVE, s->now, x->a, err);
    return o == OK
               ? standing_set(db, s->b.group_id, drop.v, drop.n, STANDING_OUT, s->now, x->a, err)
               : o;
}

static enum outcome orders_of(struct saving *x, struct ids *out, struct err *err)
{
    const struct blueprint_save *s = x->s;
    int64_t *all = arena_array(x->a, s->b.norders + s->nadd + 1, sizeof *all);

    if (all == NULL)
        return err_set(err, ERROR, "out of memory");
    if (s->b.norders > 0)
        memcpy(all, s->b.orders, s->b.norders * sizeof *all);
    for (size_t i = 0; i < s->nadd; i++)
        all[s->b.norders + i] = s->add[i].id;
    return sorted(all, s->b.norders + s->nadd, x->a, out, err);
}

static enum outcome save_unit(struct db *db, void *arg, struct err *err)
{
    struct saving *x = arg;
    struct blueprint_save *s = x->s;
    size_t in[2] = {0}, out[2] = {0};
    struct ids items, orders;
    struct blueprint was;
    int64_t drafted;
    const char *name;
    bool filtered;
    char detail[160];
    enum outcome o;

    arena_reset(x->a);
    if ((o = group_lock(db, s->b.group_id, x->a, &name, &filtered, err)) != OK ||
        (o = blueprint_now(db, s->b.group_id, x->a, &was, err)) != OK)
        return o;
    s->number = was.number;
    if (s->base >= 0 && s->base != was.number)
        return err_set(err, CONFLICT,
                       "somebody else has changed the group meanwhile: it is at version %d now",
                       was.number);
    if (s->drafted != 0 &&
        (o = draft_check(db, s->b.group_id, s->drafted, x->a, &drafted, err)) != OK)
        return o;
    if ((o = sorted(s->b.items, s->b.nitems, x->a, &items, err)) != OK ||
        (o = orders_of(x, &orders, err)) != OK)
        return o;
    if (items.n > BLUEPRINT_ITEMS || orders.n > BLUEPRINT_ORDERS)
        return err_set(err, INVALID, "a group has at most %u profiles and apps and %u commands",
                       BLUEPRINT_ITEMS, BLUEPRINT_ORDERS);
    if ((o = save_items(db, x, &was, &items, &in[0], &out[0], err)) != OK ||
        (o = save_orders(db, x, &was, &orders, &in[1], &out[1], err)) != OK ||
        (o = db_exec(db, &DROP_DRAFT, (struct val[]){val_int(s->b.group_id)}, 1, NULL, err)) != OK)
        return o;
    if (in[0] + out[0] + in[1] + out[1] == 0)
        return OK;
    o = blueprint_note(db, s->b.group_id, s->b.note, s->actor, s->now, &s->number, err);
    if (o == OK)
        o = wanted_touch(db, err);
    if (o != OK)
        return o;
    snprintf(detail, sizeof detail,
             "version=%d items_added=%zu items_taken=%zu commands_added=%zu commands_taken=%zu",
             s->number, in[0], out[0], in[1], out[1]);
    return audit_add(db, s->actor, "group.blueprint", name, detail, err);
}

enum outcome blueprint_save(struct db *db, struct blueprint_save *s, struct err *err)
{
    struct saving x = {s, arena_new(4 * LIM_MB)};
    enum outcome o =
        x.a != NULL ? db_unit(db, save_unit, &x, err) : err_set(err, ERROR, "out of memory");

    arena_free(&x.a);
    return o;
}

/* ---- drafts ---- */

struct drafting {
    int64_t group_id, was, now;
    const struct blueprint *b;
    const struct standing *add;
    size_t nadd;
    const char *actor;
    struct arena *a;
};

static enum outcome draft_unit(struct db *db, void *arg, struct err *err)
{
    struct drafting *x = arg;
    const char *name;
    bool filtered;
    int64_t is = 0;
    enum outcome o;

    arena_reset(x->a);
    if ((o = group_lock(db, x->group_id, x->a, &name, &filtered, err)) != OK ||
        (o = draft_check(db, x->group_id, x->was, x->a, &is, err)) != OK)
        return o;
    for (size_t i = 0; o == OK && i < x->nadd; i++)
        o = standing_add(db, &x->add[i], x->actor, x->now, err);
    if (o != OK)
        return o;
    return x->b != NULL
               ? put(db, x->b, x->actor, x->now > is ? x->now : is + 1, x->a, err)
               : db_exec(db, &DROP_DRAFT, (struct val[]){val_int(x->group_id)}, 1, NULL, err);
}

enum outcome blueprint_draft(struct db *db, int64_t group_id, const struct blueprint *b,
                             int64_t was, const struct standing *add, size_t nadd,
                             const char *actor, int64_t now, struct err *err)
{
    struct blueprint copy = b != NULL ? *b : (struct blueprint){0};
    struct drafting x = {.group_id = group_id,
                         .was = was,
                         .now = now,
                         .b = b != NULL ? &copy : NULL,
                         .add = add,
                         .nadd = nadd,
                         .actor = actor,
                         .a = arena_new(4 * LIM_MB)};
    enum outcome o;

    copy.group_id = group_id;
    copy.number = BLUEPRINT_DRAFT;
    o = x.a != NULL ? db_unit(db, draft_unit, &x, err) : err_set(err, ERROR, "out of memory");
    arena_free(&x.a);
    return o;
}
