/* device.c: one device: facts, queue, results, users, audit. */
#include "console/device.h"

#include "store/audit.h"
#include "store/device.h"
#include "store/member.h"

const char *const device_questions[] = {
    "DeviceInformation", "SecurityInfo",    "InstalledApplicationList",
    "ProfileList",       "CertificateList", "ProvisioningProfileList",
    "Restrictions",      "UserList",        NULL};
const char *const device_actions[] = {"DeviceLock", "RestartDevice", "ShutDownDevice", NULL};

#define RESULTS 20
#define AUDITS 15

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
    list = value_set_list(p->root, "life");
    fact_time(p, list, "fact_enrolled", e->enrolled_at);
    fact_time(p, list, "fact_seen", e->last_seen_at);
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

static void item(struct page *p, struct value *list, const char *ident, const struct queue_item *q)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "type", q->request_type);
    value_set_text(v, "uuid", q->uuid);
    value_set_text(v, "link",
                   page_link(p, page_link(p, "/device/command", "id", ident), "uuid", q->uuid));
    value_set_text(v, "by", q->created_by);
    value_set_text(v, "why", q->closed_why);
    value_set_text(v, "ident", ident);
    if (q->sent_count > 1)
        value_set_int(v, "deliveries", q->sent_count);
    if (q->notnow_count)
        value_set_int(v, "notnows", q->notnow_count);
    page_state(p, v, "queue", queue_state_name(q->state));
    page_time(p, v, "queued", q->queued_at);
    page_time(p, v, "sent", q->sent_at);
    page_time(p, v, "notnow", q->notnow_at);
    page_time(p, v, "not_before", q->not_before > p->req->now ? q->not_before : 0);
    page_time(p, v, "expires", q->expires_at);
    page_time(p, v, "closed", q->closed_at);
}

static bool queue(struct page *p, const struct enrollment *e)
{
    struct queue_item *open, *closed;
    struct push_row *push;
    size_t n, k, pushes;
    if (queue_list(p->db, e->ident, NULL, PAGE_ROWS, 0, p->a, &open, &n, &p->err) != OK ||
        queue_results(p->db, e->ident, 0, RESULTS, 0, p->a, &closed, &k, &p->err) != OK ||
        push_read(p->db, &e->id, 1, p->a, &push, &pushes, &p->err) != OK)
        return false;
    struct value *list = value_set_list(p->root, "open");
    for (size_t i = 0; i < n; i++)
        item(p, list, e->ident, &open[i]);
    list = value_set_list(p->root, "results");
    for (size_t i = 0; i < k; i++)
        item(p, list, e->ident, &closed[i]);
    value_set_bool(p->root, "some_results", k > 0);
    stuck_explain(p, e, pushes ? &push[0] : NULL, open, n);
    return true;
}

static bool users_and_audit(struct page *p, const struct enrollment *e)
{
    struct device_user *u;
    struct audit_entry *a;
    struct audit_filter f = {.subject = e->ident};
    size_t n, k;
    if (device_users(p->db, e->id, p->a, &u, &n, &p->err) != OK ||
        audit_list(p->db, &f, 0, AUDITS, p->a, &a, &k, &p->err) != OK)
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
    list = value_set_list(p->root, "audit");
    for (size_t i = 0; i < k; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "actor", a[i].actor);
        value_set_text(v, "action", a[i].action);
        value_set_text(v, "detail", a[i].detail);
        page_time(p, v, "at", a[i].at);
    }
    value_set_bool(p->root, "some_audit", k > 0);
    value_set_text(p->root, "audit_link", page_link(p, "/audit", "subject", e->ident));
    return true;
}

static void buttons(struct page *p, const char *key, const char *const *names)
{
    struct value *list = value_set_list(p->root, key);
    for (; *names; names++)
        value_append(list, value_text(p->a, *names));
}

void device_show(struct page *p, const char *ident, int status)
{
    struct enrollment *e = arena_alloc(p->a, sizeof *e);
    if (!e)
        err_set(&p->err, ERROR, "out of memory");
    else if (enrollment_get(p->db, ident, p->a, e, &p->err) == OK) {
        value_set_text(p->root, "ident", e->ident);
        value_set_text(p->root, "name",
                       *e->device_name ? e->device_name
                       : *e->serial    ? e->serial
                                       : e->ident);
        value_set_text(p->root, "title", value_str(value_get(p->root, "name", NULL)));
        page_state(p, p->root, "state", enrollment_state_name(e->state));
        value_set_bool(p->root, "enrolled", e->state == ENROLLMENT_ENROLLED);
        if (strcmp(e->ident, e->device_ident) != 0)
            value_set_text(p->root, "of_device", page_link(p, "/device", "id", e->device_ident));
        device_tabs(p, e->ident, "");
        value_set_text(p->root, "send_link", page_link(p, "/device/send", "id", e->ident));
        facts(p, e);
        buttons(p, "questions", device_questions);
        buttons(p, "actions", device_actions);
        if (tags(p, e) && queue(p, e) && device_items(p, e) == OK && users_and_audit(p, e)) {
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
