/* item_change.c: see item.h: what is done to an item. */
#include "console/item.h"

#include "base/limits.h"
#include "console/bulk.h"
#include "console/effects.h"
#include "library/app_sweep.h"
#include "store/assignment.h"
#include "store/group.h"
#include "store/wanted.h"

enum outcome item_reason(struct item_page *x)
{
    x->why = page_field(x->p, "why");
    return *x->why && strlen(x->why) <= ITEM_REASON_MAX
               ? OK
               : err_set(&x->p->err, INVALID, "%s", page_text(x->p, "item_reason"));
}

void item_number(struct page *p, js object, const char *name)
{
    const char *s = page_field(p, name);
    if (*s && strspn(s, "0123456789") == strlen(s) && strlen(s) < 10)
        js_set_int(object, name, page_number(s));
    else
        js_set_str(object, name, s);
}

enum outcome item_edit(struct item_page *x, js object)
{
    struct page *p = x->p;
    struct library_item i = *x->item;
    i.changed_at = page_number(page_field(p, "changed_at"));
    return library_edit(p->db, p->a, &i, object, p->caller->admin, p->req->now, &p->err);
}

static enum outcome do_use(struct item_page *x)
{
    struct page *p = x->p;
    int64_t n = page_number(page_field(p, "version"));
    struct preview_version v = {.item_id = x->item->id, .number = (int)n};
    x->tab = "versions";
    x->done = "item_used";
    if (n < 1 || n > INT32_MAX)
        return err_set(&p->err, INVALID, "%s", page_text(p, "form_unknown"));
    if (x->sure) {
        js object = js_object();
        js_set_int(object, "version", n);
        enum outcome o = item_edit(x, object);
        js_free(&object);
        return o;
    }
    enum outcome o = preview_version(p->db, &v, p->a, &p->err);
    if (o != OK)
        return o;
    const char *to = arena_fmt(p->a, "%d", (int)n);
    item_reach(p, &v.change);
    value_set_text(p->root, "reach_text", page_text(p, "item_reach_install"));
    return item_ask(
        x, "use",
        words_fill(p->w, p->a, "item_use_ask", to, arena_fmt(p->a, "%d", x->item->version)),
        (const char *const[]){"version", to, NULL}, false);
}

/* ---- groups ---- */

static enum outcome group_of(struct item_page *x, struct device_group *g)
{
    struct page *p = x->p;
    int64_t id = page_number(page_field(p, "group"));
    x->tab = "devices";
    return id ? group_get(p->db, id, p->a, g, &p->err)
              : err_set(&p->err, INVALID, "%s", page_text(p, "item_no_group"));
}

static enum outcome group_ask(struct item_page *x, const struct device_group *g, bool assign,
                              const char *seal)
{
    struct page *p = x->p;
    struct preview_set s;
    const char *id = arena_fmt(p->a, "%lld", (long long)g->id);
    enum outcome o = preview_assignment(p->db, x->item->id, g->id, p->a, &s, &p->err);
    if (o != OK)
        return o;
    item_reach(p, &s);
    value_set_text(p->root, "reach_text",
                   page_text(p, assign ? "item_reach_install" : "item_reach_remove"));
    return item_ask(x, assign ? "assign" : "unassign",
                    words_fill(p->w, p->a, assign ? "item_assign_ask" : "item_unassign_ask",
                               x->item->name, g->name),
                    (const char *const[]){"group", id, "seen", seal, NULL}, !assign);
}

/* Is it to be done, as the form has shown it? *yes false: that is asked first, again where the
 * group or the item was changed since. */
static enum outcome group_agreed(struct item_page *x, const struct device_group *g, bool assign,
                                 bool *yes)
{
    struct page *p = x->p;
    const char *what = arena_fmt(p->a, "%s %lld %lld", assign ? "assign" : "unassign",
                                 (long long)x->item->id, (long long)x->item->changed_at);
    const char *seal = what ? effects_seal(p, g, what) : NULL;
    *yes = false;
    if (!seal)
        return p->err.outcome != OK ? p->err.outcome : err_set(&p->err, ERROR, "out of memory");
    *yes = x->sure && effects_seen(p, seal);
    return *yes ? OK : group_ask(x, g, assign, seal);
}

static enum outcome do_assign(struct item_page *x)
{
    struct page *p = x->p;
    struct device_group g;
    int64_t id;
    enum outcome o = group_of(x, &g);
    x->done = "item_assigned";
    bool yes = false;
    if (o == OK)
        o = group_agreed(x, &g, true, &yes);
    return yes ? assignment_add(p->db, g.id, x->item->id, p->caller->admin, p->req->now, &id,
                                &p->err)
               : o;
}

static enum outcome do_unassign(struct item_page *x)
{
    struct page *p = x->p;
    struct device_group g;
    struct assignment *a;
    size_t n = 0;
    enum outcome o = group_of(x, &g);
    x->done = "item_unassigned";
    bool yes = false;
    if (o == OK)
        o = group_agreed(x, &g, false, &yes);
    if (!yes)
        return o;
    o = item_reason(x);
    if (o == OK)
        o = assignment_list(p->db, g.id, x->item->id, 0, 1, p->a, &a, &n, &p->err);
    if (o != OK || n == 0)
        return o; /* done already */
    return assignment_delete(p->db, a[0].id, p->caller->admin, x->why, &p->err);
}

/* ---- devices ---- */

static enum outcome device_ask(struct item_page *x, const char *device, bool give)
{
    struct page *p = x->p;
    struct preview_set s;
    enum outcome o = preview_device(p->db, x->item->id, device, p->a, &s, &p->err);
    if (o != OK)
        return o;
    item_reach(p, &s);
    value_set_text(p->root, "reach_text",
                   page_text(p, give ? "item_reach_install" : "item_reach_remove"));
    return item_ask(
        x, give ? "give" : "take",
        words_fill(p->w, p->a, give ? "item_give_ask" : "item_take_ask", x->item->name, device),
        (const char *const[]){"device", device, NULL}, !give);
}

static enum outcome do_give(struct item_page *x)
{
    struct page *p = x->p;
    const char *device = page_field(p, "device");
    int64_t id;
    x->tab = "devices";
    x->done = "item_given";
    if (!*device)
        return err_set(&p->err, INVALID, "%s", page_text(p, "item_no_device"));
    if (!x->sure)
        return device_ask(x, device, true);
    return assignment_add_device(p->db, device, x->item->id, p->caller->admin, p->req->now, &id,
                                 &p->err);
}

static enum outcome do_take(struct item_page *x)
{
    struct page *p = x->p;
    const char *device = page_field(p, "device");
    struct assignment *a;
    size_t n = 0;
    x->tab = "devices";
    x->done = "item_taken";
    if (!*device)
        return err_set(&p->err, INVALID, "%s", page_text(p, "item_no_device"));
    if (!x->sure)
        return device_ask(x, device, false);
    enum outcome o = item_reason(x);
    if (o == OK)
        o = assignment_of_devices(p->db, device, x->item->id, 0, 1, p->a, &a, &n, &p->err);
    if (o != OK || n == 0)
        return o; /* done already */
    return assignment_delete(p->db, a[0].id, p->caller->admin, x->why, &p->err);
}

static enum outcome do_retry(struct item_page *x)
{
    struct page *p = x->p;
    const char *device = page_field(p, "device");
    struct bulk_job job = {.task = BULK_ITEM, .item_id = x->item->id};
    uint64_t n;
    x->tab = "devices";
    x->done = *device ? "item_retried" : NULL;
    if (*device)
        return wanted_retry(p->db, x->item->id, device, p->caller->admin, p->req->now, &n, &p->err);
    enum outcome o = bulk_again(p, &job);
    if (o == OK)
        page_go(p, bulk_job_link(p, job.id));
    return o;
}

static enum outcome do_resume(struct item_page *x)
{
    struct page *p = x->p;
    x->tab = "devices";
    x->done = "item_resumed";
    enum outcome o = item_reason(x);
    return o == OK
               ? rollout_resume(p->db, x->item->id, p->caller->admin, x->why, p->req->now, &p->err)
               : o;
}

static enum outcome do_delete(struct item_page *x)
{
    struct page *p = x->p;
    struct preview_version v = {.item_id = x->item->id};
    enum outcome o = x->sure ? item_reason(x) : preview_version(p->db, &v, p->a, &p->err);
    x->done = NULL;
    if (o != OK)
        return o;
    if (!x->sure) {
        item_reach(p, &v.change);
        value_set_text(p->root, "reach_text", page_text(p, "item_reach_remove"));
        value_set_bool(p->root, "grave", true);
        return item_ask(x, "delete", words_fill(p->w, p->a, "item_delete_ask", x->item->name, NULL),
                        (const char *const[]){NULL}, true);
    }
    if (!page_confirmed(p))
        return OK;
    o = library_delete(p->db, x->item->id, p->caller->admin, x->why, p->req->now, &p->err);
    if (o == OK && x->item->kind == LIBRARY_APP)
        app_sweep(p->db, p->app->conf, p->req->now);
    if (o == OK)
        page_go(p, page_link(p, x->list, "done", "item_deleted"));
    return o;
}

static const struct item_deed *deed_find(const struct item_deed *list, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].what, what) == 0)
            return &list[i];
    return NULL;
}

bool item_do(struct item_page *x, const char *what, enum outcome *o)
{
    static const struct item_deed known[] = {{"give", do_give},         {"take", do_take},
                                             {"use", do_use},           {"assign", do_assign},
                                             {"unassign", do_unassign}, {"retry", do_retry},
                                             {"resume", do_resume},     {"delete", do_delete}};
    const struct item_deed *d = deed_find(known, sizeof known / sizeof *known, what);
    if (d)
        *o = d->run(x);
    return d != NULL;
}

void item_post(struct item_page *x, const struct item_deed *own, size_t n,
               void (*show)(struct page *p, struct library_item *i, const char *tab, int status))
{
    struct page *p = x->p;
    const char *what = page_field(p, "what");
    const struct item_deed *d = deed_find(own, n, what);
    enum outcome o;
    if (d)
        o = d->run(x);
    else if (!item_do(x, what, &o))
        o = err_set(&p->err, INVALID, "%s", page_text(p, "form_unknown"));
    if (o == OK && x->done) {
        page_go(p, page_link(p, item_link(x, x->tab), "done", x->done));
    } else if (o != OK && page_mendable(o)) {
        page_bad(p, p->err.msg);
        show(p, x->item, x->tab, page_status(o));
    } else if (o != OK) {
        page_fail(p);
    }
}
