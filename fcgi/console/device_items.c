/* device_items.c: what a device and its users are to have of the library, and how far they are. */
#include "console/device.h"

#include "base/limits.h"
#include "store/assignment.h"
#include "store/library.h"
#include "store/wanted.h"

static const char *library_page(const struct page *p, int kind, int64_t id)
{
    return arena_fmt(p->a, "%s?id=%lld", kind == LIBRARY_APP ? "/app" : "/profile", (long long)id);
}

static void row(struct page *p, struct value *list, const struct wanted_row *x)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "item", x->name);
    value_set_text(v, "link", library_page(p, x->kind, x->item_id));
    value_set_text(v, "user", x->user);
    page_state(p, v, "wanted", wanted_state_name(x->state));
    value_set_int(v, "version", x->version);
    value_set_text(v, "installed",
                   x->installed_version ? arena_fmt(p->a, "%d", x->installed_version) : "");
    value_set_text(v, "reason",
                   x->waits_user ? page_text(p, "wanted_waits_user") : page_said(p, x->reason));
    value_set_bool(v, "to_go", !x->wanted && x->state != WANTED_REMOVED);
    if (*x->command_uuid)
        value_set_text(
            v, "command_link",
            page_link(p, page_link(p, "/device/command", "id", x->ident), "uuid", x->command_uuid));
    page_time(p, v, "changed", x->changed_at);
    page_time(p, v, "due", x->state == WANTED_FAILED || x->state == WANTED_PENDING ? x->due_at : 0);
}

/* What it is to have by itself, with a button that ends that. */
static enum outcome own(struct page *p, const struct enrollment *e, struct assignment **a,
                        size_t *n)
{
    enum outcome o = assignment_of_devices(p->db, e->ident, 0, 0, LIM_PAGE, p->a, a, n, &p->err);
    struct value *list = value_set_list(p->root, "own_items");
    for (size_t i = 0; o == OK && i < *n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "item", (*a)[i].item);
        value_set_text(v, "item_id", arena_fmt(p->a, "%lld", (long long)(*a)[i].item_id));
        value_set_text(v, "path", (*a)[i].kind == LIBRARY_APP ? "/app" : "/profile");
        value_set_text(v, "link", library_page(p, (*a)[i].kind, (*a)[i].item_id));
        value_set_text(v, "by", (*a)[i].created_by);
        page_time(p, v, "since", (*a)[i].created_at);
    }
    value_set_bool(p->root, "some_own", o == OK && *n > 0);
    return o;
}

/* What it could be given: a list for profiles, and one for apps. */
static enum outcome choices(struct page *p, const struct assignment *a, size_t n)
{
    struct library_item *x;
    size_t k;
    enum outcome o = library_list(p->db, 0, NULL, 0, LIM_PAGE, p->a, &x, &k, &p->err);
    struct value *profiles = value_set_list(p->root, "give_profiles"),
                 *apps = value_set_list(p->root, "give_apps");
    for (size_t i = 0; o == OK && i < k; i++) {
        bool has = false;
        for (size_t j = 0; j < n && !has; j++)
            has = a[j].item_id == x[i].id;
        if (has)
            continue;
        bool app = x[i].kind == LIBRARY_APP;
        struct value *v = value_append_dict(app ? apps : profiles);
        value_set_text(v, "value", arena_fmt(p->a, "%lld", (long long)x[i].id));
        value_set_text(v, "text", x[i].name);
        value_set_bool(p->root, app ? "some_apps" : "some_profiles", true);
    }
    return o;
}

enum outcome device_items(struct page *p, const struct enrollment *e)
{
    struct wanted_row *x;
    struct assignment *a = NULL;
    size_t n, k = 0;
    enum outcome o = wanted_of_device(p->db, e->ident, p->a, &x, &n, &p->err);
    if (o == OK && strcmp(e->ident, e->device_ident) == 0)
        o = own(p, e, &a, &k);
    if (o == OK && strcmp(e->ident, e->device_ident) == 0)
        o = choices(p, a, k);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "items");
    for (size_t i = 0; i < n; i++)
        row(p, list, &x[i]);
    value_set_bool(p->root, "some_items", n > 0);
    return OK;
}
