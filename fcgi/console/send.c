/* send.c: every command of the catalogue as a form, for one device. */
#include "command/send.h"

#include "command/consent.h"
#include "console/device.h"
#include "console/keys.h"

static void findings_show(struct page *p, struct value *list, const struct findings *f)
{
    for (size_t i = 0; i < f->n; i++) {
        struct value *v = value_append_dict(list);
        value_set_bool(v, "error", f->list[i].error);
        value_set_text(v, "path", f->list[i].path);
        value_set_text(v, "text", page_said(p, f->list[i].text));
    }
}

/* Those the device takes, and the others with the reason. */
static void commands(struct page *p, const struct device_facts *facts)
{
    struct value *can = value_set_list(p->root, "commands");
    struct value *cannot = value_set_list(p->root, "refused");
    for (size_t i = 0; i < catalogue_count(); i++) {
        cat c = catalogue_at(i);
        const char *why = NULL;
        bool has = command_has(p->a, c, facts, &why);
        if (has && !device_may_send(p, catalogue_name(c))) {
            has = false;
            why = page_text(p, "command_not_yours");
        }
        struct value *v = value_append_dict(has ? can : cannot);
        const char *link = page_link(p, "/device/send", "id", page_id(p));
        value_set_text(v, "name", catalogue_name(c));
        value_set_text(v, "about", page_said(p, catalogue_about(c)));
        value_set_bool(v, "sensitive", catalogue_is(c, CATALOGUE_SENSITIVE));
        value_set_text(v, "why", page_said(p, why));
        value_set_text(v, "link", page_link(p, link, "type", catalogue_name(c)));
    }
}

/* The device, or p->err. */
static struct enrollment *target(struct page *p)
{
    struct enrollment *e = arena_alloc(p->a, sizeof *e);
    if (!e) {
        err_set(&p->err, ERROR, "out of memory");
        return NULL;
    }
    if (enrollment_get(p->db, page_id(p), p->a, e, &p->err) != OK || !device_newest(p, e))
        return NULL;
    value_set_text(p->root, "ident", e->ident);
    value_set_text(p->root, "device_link", page_link(p, "/device", "id", e->ident));
    value_set_text(p->root, "device_name", device_name(e));
    value_set_text(p->root, "device_serial", e->serial);
    value_set_text(p->root, "device_model", *e->model_name ? e->model_name : e->product_name);
    return e;
}

static void show(struct page *p, const struct enrollment *e, cat command, int status)
{
    struct device_facts facts = device_facts_of(e);
    const char *why = NULL;
    if (!command) {
        commands(p, &facts);
        page_show(p, status, "commands");
        return;
    }
    value_set_text(p->root, "type", catalogue_name(command));
    value_set_text(p->root, "title", catalogue_name(command));
    value_set_text(p->root, "about", page_said(p, catalogue_about(command)));
    if (!command_has(p->a, command, &facts, &why))
        value_set_text(p->root, "not_here", page_said(p, why));
    value_set_text(p->root, "back", page_link(p, "/device/send", "id", e->ident));
    keys_show(p, command, &facts);
    page_show(p, status, "send");
}

void console_send(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    const char *type = req_query(req, "type");
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    struct enrollment *e = target(&p);
    cat command = e && type ? catalogue_find(type) : NULL;
    if (e && type && !command)
        err_set(&p.err, NOT_FOUND, "%s", page_text(&p, "command_none"));
    else if (e && command && !device_may_send(&p, catalogue_name(command)))
        err_set(&p.err, DENIED, "%s", page_text(&p, "command_not_yours"));
    if (p.err.outcome != OK)
        page_fail(&p);
    else
        show(&p, e, command, 200);
}

/* What the check found; when the device would refuse it, that it may be sent all the same. */
static void found(struct page *p, const struct order *o)
{
    struct value *list = value_set_list(p->root, "findings");
    findings_show(p, list, &o->checked.built);
    for (size_t i = 0; i < o->checked.n; i++)
        findings_show(p, list, &o->checked.groups[i]->found);
    if (o->checked.refused && !o->force) {
        value_set_bool(p->root, "may_force", true);
        err_set(&p->err, INVALID, "%s", page_text(p, "send_refused"));
    }
}

/* What became of it for the one device. */
static enum outcome became(struct page *p, const struct order *o)
{
    const struct sending *s = o->nparts ? &o->parts[0].send : NULL;
    if (!s)
        return err_set(&p->err, INVALID, "%s", page_text(p, "send_refused"));
    const char *bad = s->command_error ? s->command_error : s->targets[0].command_error;
    return bad ? err_set(&p->err, s->away ? UNAVAILABLE : CONFLICT, "%s", bad) : OK;
}

/* Sends it, or asks a second person (*asked). *answered: who it is is asked for first. */
static enum outcome go(struct page *p, const struct enrollment *e, cat command, bool *asked,
                       bool *answered)
{
    const char *why = page_field(p, "why");
    struct order o = {.request_type = catalogue_name(command),
                      .ids = &e->ident,
                      .n = 1,
                      .push = true,
                      .force = strcmp(page_field(p, "force"), "yes") == 0,
                      .reason = *why ? why : NULL};
    enum outcome out = keys_read(p, command, &o.keys);
    struct approval x;
    bool sensitive = out == OK && order_sensitive(p->db, p->app->conf, p->a, &o);
    *asked = consent_needed(p->app->conf, sensitive);
    if (sensitive && (!*why || strlen(why) > ORDER_REASON_MAX))
        out = err_set(&p->err, INVALID, "%s", page_text(p, "send_reason"));
    *answered = out == OK && sensitive && !page_confirmed(p);
    if (*answered) {
        js_free(&o.keys);
        return OK;
    }
    if (out == OK && *asked)
        out =
            consent_ask(p->db, p->app->conf, p->a, p->caller->admin, p->req->now, &o, &x, &p->err);
    else if (out == OK)
        out = order_run(p->db, p->app->conf, p->a, p->caller->admin, p->req->now, &o, &p->err);
    js_free(&o.keys);
    if (out == OK && !*asked)
        out = became(p, &o);
    if (out == INVALID)
        found(p, &o);
    return out;
}

void console_send_post(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "devices"))
        return;
    struct enrollment *e = target(&p);
    cat command = catalogue_find(page_field(&p, "type"));
    if (e && !command)
        err_set(&p.err, INVALID, "%s", page_text(&p, "command_none"));
    else if (e && !device_may_send(&p, catalogue_name(command)))
        err_set(&p.err, DENIED, "%s", page_text(&p, "command_not_yours"));
    if (p.err.outcome != OK) {
        page_fail(&p);
        return;
    }
    if (!*page_field(&p, "go")) { /* one entry more */
        show(&p, e, command, 200);
        return;
    }
    bool asked, answered;
    enum outcome o = go(&p, e, command, &asked, &answered);
    if (answered)
        return;
    if (o == OK) {
        page_go(&p, page_link(&p, page_link(&p, "/device", "id", e->ident), "done",
                              asked ? "asked" : "queued"));
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, e, command, page_status(o));
    } else {
        page_fail(&p);
    }
}
