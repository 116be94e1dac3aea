/* device_page.c: one device: facts, queue, results, users, audit. */
#include "console/device_page.h"

#include "console/device.h"
#include "console/part.h"
#include "console/trail.h"

#include "command/checked.h"
#include "store/audit.h"
#include "store/device.h"
#include "store/group.h"
#include "store/handout.h"
#include "store/member.h"
#include "wire/encode.h"

#define OPEN_SHOWN 20 /* the rest, and what is older, stands in the tabs */
#define RESULTS 8
#define AUDITS 8
#define USERS 8

static void fact(struct page *p, struct value *list, const char *key, const char *text)
{
    if (!text || !*text)
        return;
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", page_text(p, key));
    value_set_text(v, "text", text);
}

static void fact_time(struct page *p, struct value *list, const char *key, int64_t us)
{
    if (!us)
        return;
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", page_text(p, key));
    page_time(p, v, "time", us);
}

static const char *yes_no(struct page *p, bool b)
{
    return page_text(p, b ? "yes" : "no");
}

static void facts(struct page *p, const struct enrollment *e)
{
    struct value *list = value_set_list(p->root, "facts");
    fact(p, list, "fact_serial", e->serial);
    fact(p, list, "fact_model", *e->model_name ? e->model_name : e->model);
    fact(p, list, "fact_product", e->product_name);
    fact(p, list, "fact_os", e->os_version);
    fact(p, list, "fact_build", e->build_version);
    fact(p, list, "fact_udid", e->udid);
    fact(p, list, "fact_imei", e->imei);
    fact(p, list, "fact_meid", e->meid);
    fact_time(p, list, "fact_created", e->created_at);
}

/* link: a page that tells of more than devices, which an account limited to groups may not see. */
static void linked(struct page *p, struct value *list, const char *key, const char *text,
                   const char *link)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", page_text(p, key));
    value_set_text(v, "text", text);
    value_set_text(v, "link", p->caller->scope == 0 ? link : NULL);
}

/* How it came in, and what it may be told since. */
static void came_in(struct page *p, struct value *list, const struct enrollment *e)
{
    const char *way = handout_way_name(e->way);
    const char *key = *way ? arena_fmt(p->a, "way_%s", way) : NULL;
    fact(p, list, "fact_way", key ? page_text(p, key) : NULL);
    fact(p, list, "fact_account", e->account);
    if (*e->profile)
        linked(p, list, "fact_profile",
               arena_fmt(p->a, "%s (%lld)", e->profile, (long long)e->profile_version),
               page_link(p, "/enrollment-profile", "name", e->profile));
    if (e->cert_sha256.n) {
        char hex[2 * 32 + 1];
        hex_encode(e->cert_sha256, hex);
        linked(p, list, "fact_identity", page_text(p, "fact_identity_see"),
               page_link(p, "/certificate", "sha256", hex));
    }
}

static void life(struct page *p, const struct enrollment *e)
{
    struct value *list = value_set_list(p->root, "life");
    fact_time(p, list, "fact_enrolled", e->enrolled_at);
    came_in(p, list, e);
    fact_time(p, list, "fact_seen", e->last_seen_at);
    fact_time(p, list, "fact_inactive", e->inactive_at);
    fact_time(p, list, "fact_token", e->token_at);
    fact(p, list, "fact_topic", e->topic);
    fact(p, list, "fact_unlock", yes_no(p, e->has_unlock_token));
    fact(p, list, "fact_bootstrap", yes_no(p, e->has_bootstrap_token));
    fact(p, list, "fact_awaiting", yes_no(p, e->awaiting_configuration));
    fact_time(p, list, "fact_ended", e->ended_at);
    fact(p, list, "fact_ended_by", e->ended_by);
    fact(p, list, "fact_ended_why", e->ended_why);
}

static bool tags(struct page *p, const struct enrollment *e)
{
    struct value *list = value_set_list(p->root, "tags");
    const char **tag;
    size_t n;
    if (tag_of_device(p->db, e->ident, p->a, &tag, &n, &p->err) != OK)
        return false;
    for (size_t i = 0; i < n; i++)
        value_set_text(value_append_dict(list), "tag", tag[i]);
    value_set_bool(p->root, "some_tags", n > 0);
    value_set_bool(p->root, "is_device", strcmp(e->ident, e->device_ident) == 0);
    return true;
}

static bool groups(struct page *p, const struct enrollment *e)
{
    struct device_group *g;
    size_t n;
    if (group_of_device(p->db, e->device_ident, p->a, &g, &n, &p->err) != OK)
        return false;
    struct value *list = value_set_list(p->root, "groups");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        const char *id = arena_fmt(p->a, "%lld", (long long)g[i].id);
        value_set_text(v, "name", g[i].name);
        value_set_text(v, "link", page_link(p, "/group", "id", id ? id : ""));
    }
    value_set_bool(p->root, "some_groups", n > 0);
    return true;
}

static const char *part_link(struct page *p, const struct enrollment *e, const char *part)
{
    return page_link(p, page_link(p, "/device/part", "id", e->ident), "part", part);
}

static bool queue(struct page *p, const struct enrollment *e)
{
    struct device_course c = {.e = e};
    struct queue_item *open, *closed;
    struct push_row *push;
    size_t pushes;
    if (queue_list(p->db, e->ident, NULL, OPEN_SHOWN, 0, p->a, &open, &c.nopen, &p->err) != OK ||
        queue_results(p->db, e->ident, 0, RESULTS, 0, p->a, &closed, &c.nclosed, &p->err) != OK ||
        push_read(p->db, &e->id, 1, p->a, &push, &pushes, &p->err) != OK)
        return false;
    c.push = pushes ? &push[0] : NULL;
    c.open = open;
    c.closed = closed;
    device_timeline(p, &c);
    struct value *list = value_set_list(p->root, "results");
    for (size_t i = 0; i < c.nclosed; i++)
        device_queue_item(p, list, e->ident, &closed[i]);
    value_set_bool(p->root, "some_results", c.nclosed > 0);
    if (c.nopen == OPEN_SHOWN)
        value_set_text(p->root, "queue_link", part_link(p, e, "queue"));
    if (c.nclosed == RESULTS)
        value_set_text(p->root, "results_link", part_link(p, e, "results"));
    return true;
}

static bool users(struct page *p, const struct enrollment *e)
{
    struct device_user *u;
    size_t n;
    if (device_users(p->db, e->id, "", USERS, p->a, &u, &n, &p->err) != OK)
        return false;
    struct value *list = value_set_list(p->root, "users");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", *u[i].short_name ? u[i].short_name : u[i].ident);
        value_set_text(v, "long_name", u[i].long_name);
        value_set_text(v, "link", page_link(p, "/device", "id", u[i].ident));
        page_state(p, v, "state", enrollment_state_name(u[i].state));
        page_time(p, v, "seen", u[i].last_seen_at);
    }
    value_set_bool(p->root, "some_users", n > 0);
    if (n == USERS)
        value_set_text(p->root, "users_link", part_link(p, e, "users"));
    return true;
}

/* The audit log is not everybody's (store/role.h). */
static bool audit(struct page *p, const struct enrollment *e)
{
    struct audit_entry *a;
    size_t n;
    if (!page_may(p, "audit"))
        return true;
    if (audit_of_device(p->db, e->ident, e->id, 0, AUDITS, p->a, &a, &n, &p->err) != OK)
        return false;
    struct value *list = value_set_list(p->root, "audit");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "actor", a[i].actor);
        const char *act = page_named(p, arena_fmt(p->a, "audit_act_%s", a[i].action));
        value_set_text(v, "action", act ? act : a[i].action);
        value_set_text(v, "detail", trail_detail(p, a[i].detail));
        page_time(p, v, "at", a[i].at);
    }
    value_set_bool(p->root, "some_audit", n > 0);
    if (n == AUDITS)
        value_set_text(p->root, "audit_link", part_link(p, e, "audit"));
    return true;
}

/* Those of the requests that it takes, with their forms. */
static void offer(struct page *p, const char *key, const char *const *names,
                  const struct device_facts *facts, const char *send)
{
    struct value *list = value_set_list(p->root, key);
    for (; *names; names++) {
        cat c = catalogue_find(*names);
        const char *why = NULL;
        if (!c || !command_has(p->a, c, facts, &why))
            continue;
        struct value *v = value_append_dict(list);
        value_set_text(v, "type", *names);
        value_set_text(v, "verb", page_text(p, arena_fmt(p->a, "verb_%s", *names)));
        value_set_text(v, "link", page_link(p, send, "type", *names));
    }
}

void device_show(struct page *p, const char *ident, int status)
{
    struct enrollment *e = arena_alloc(p->a, sizeof *e);
    if (!e)
        err_set(&p->err, ERROR, "out of memory");
    else if (enrollment_get(p->db, ident, p->a, e, &p->err) == OK && device_newest(p, e)) {
        value_set_text(p->root, "ident", e->ident);
        value_set_text(p->root, "name", device_name(e));
        value_set_text(p->root, "title", device_name(e));
        page_state(p, p->root, "state", enrollment_state_name(e->state));
        value_set_bool(p->root, "enrolled", e->state == ENROLLMENT_ENROLLED);
        if (strcmp(e->ident, e->device_ident) != 0)
            value_set_text(p->root, "of_device", page_link(p, "/device", "id", e->device_ident));
        device_tabs(p, e->ident, "");
        const char *send = page_link(p, "/device/send", "id", e->ident);
        value_set_text(p->root, "send_link", send);
        facts(p, e);
        life(p, e);
        const struct device_facts takes = device_facts_of(e);
        offer(p, "questions", device_questions, &takes, send);
        offer(p, "actions", device_actions, &takes, send);
        if (tags(p, e) && groups(p, e) && queue(p, e) && device_items(p, e) == OK && users(p, e) &&
            audit(p, e)) {
            page_show(p, status, "device");
            return;
        }
    }
    page_fail(p);
}

void console_device(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct page p;
    const char *ident = req_query(req, "id");
    if (page_open(&p, app, req, caller, resp, "devices"))
        device_show(&p, ident ? ident : "", 200);
}
