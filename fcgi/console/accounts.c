/* accounts.c: who may sign in, and what each of them may. */
#include "store/account.h"

#include "console/signins.h"
#include "store/admin.h"
#include "wire/encode.h"

static void roles(struct page *p, struct value *list, const char *chosen)
{
    for (int i = 0; role_names[i]; i++) {
        struct value *v = value_append_dict(list);
        const char *about = arena_fmt(p->a, "role_%s_about", role_names[i]);
        const char *key = arena_fmt(p->a, "role_%s", role_names[i]);
        value_set_text(v, "name", role_names[i]);
        value_set_text(v, "text", key ? page_text(p, key) : NULL);
        value_set_text(v, "about", about ? page_text(p, about) : NULL);
        value_set_bool(v, "chosen", strcmp(role_names[i], chosen) == 0);
    }
}

static void row(struct page *p, struct value *list, const struct admin *a)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", a->name);
    value_set_text(v, "by", a->created_by);
    value_set_int(v, "id", a->id);
    value_set_bool(v, "own", strcmp(a->name, p->caller->admin) == 0);
    value_set_bool(v, "remote", a->remote);
    value_set_bool(v, "limited", a->limited);
    value_set_text(v, "scope_link", page_link(p, "/scope?kind=admin", "name", a->name));
    value_set_text(v, "signins_link", page_link(p, "/signins", "name", a->name));
    value_set_int(v, "sessions", a->sessions);
    value_set_bool(v, "disabled", a->disabled_at != 0);
    value_set_bool(v, "totp", a->has_totp);
    roles(p, value_set_list(v, "roles"), a->role);
    page_state(p, v, "account", a->disabled_at ? "disabled" : a->password_due ? "due" : "active");
    page_time(p, v, "signed_in", a->signed_in_at);
    page_time(p, v, "created", a->created_at);
}

static void show(struct page *p, int status)
{
    struct admin *a;
    struct throttled *t;
    size_t n, held;
    if (admin_list(p->db, p->a, &a, &n, &p->err) != OK ||
        throttle_held(p->db, p->req->now, p->a, &t, &held, &p->err) != OK) {
        page_fail(p);
        return;
    }
    signins_throttles(p, t, held);
    value_set_bool(p->root, "clearable", true);
    struct value *list = value_set_list(p->root, "accounts");
    for (size_t i = 0; i < n; i++)
        row(p, list, &a[i]);
    const char *role = page_field(p, "role");
    roles(p, value_set_list(p->root, "all_roles"), role_known(role) ? role : "viewer");
    page_show(p, status, "accounts");
}

void console_accounts(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "accounts"))
        show(&p, 200);
}

/* The password that was made here, on this page and nowhere else. */
static void tell(struct page *p, const char *name, char *password)
{
    value_set_text(p->root, "made", arena_strdup(p->a, password));
    value_set_text(p->root, "made_name", name);
    secret_wipe(password, ADMIN_GIVEN_LEN);
    p->resp->secret = true;
}

static enum outcome change(struct page *p)
{
    const char *what = page_field(p, "what"), *name = page_field(p, "name");
    const char *role = page_field(p, "role"), *by = p->caller->admin;
    char password[ADMIN_GIVEN_LEN + 1];
    bool reset = strcmp(what, "reset") == 0;
    if (reset || strcmp(what, "add") == 0) {
        enum outcome o = reset ? admin_reset(p->db, name, by, password, &p->err)
                               : admin_invite(p->db, name, role, by, password, &p->err);
        if (o == OK)
            tell(p, name, password);
        return o;
    }
    if (strcmp(what, "role") == 0)
        return admin_role_set(p->db, name, role, by, &p->err);
    if (strcmp(what, "disable") == 0 || strcmp(what, "enable") == 0)
        return admin_disable(p->db, name, *what == 'd', by, &p->err);
    return err_set(&p->err, INVALID, "%s", page_text(p, "form_unknown"));
}

/* Where to go after a change; whoever is locked out may have made keys that go on working. */
static const char *after(struct page *p)
{
    struct apikey *k;
    size_t n;
    if (strcmp(page_field(p, "what"), "disable") == 0 &&
        apikey_list(p->db, p->a, &k, &n, &p->err) == OK)
        for (size_t i = 0; i < n; i++)
            if (strcmp(k[i].created_by, page_field(p, "name")) == 0 && !k[i].revoked_at &&
                (!k[i].expires_at || k[i].expires_at > p->req->now))
                return "/apikeys?done=keys_left";
    return "/accounts?done=saved";
}

void console_accounts_post(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "accounts"))
        return;
    enum outcome o = change(&p);
    if (o == OK && p.resp->secret) {
        show(&p, 200);
    } else if (o == OK) {
        page_go(&p, after(&p));
    } else if (page_mendable(o)) {
        if (strcmp(page_field(&p, "what"), "add") == 0)
            value_set_text(p.root, "new_name", page_field(&p, "name"));
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
