/*
 * remote.c: people whom the web server has authenticated (REMOTE_USER of its LDAP, Kerberos or
 * OpenID Connect module). The word counts from a server variable alone, which no client can set:
 * what a client sends arrives as HTTP_*.
 */
#include "console/remote.h"

#include <ctype.h>

#include "console/admit.h"
#include "html/form.h"
#include "store/account.h"
#include "store/admin.h"

/* The next "name = role" of a list with commas; false at its end. */
static bool next_rule(const char **list, struct bytes *name, struct bytes *role)
{
    const char *s = *list + strspn(*list, ", \t");
    size_t n = strcspn(s, ",");
    const char *eq = memrchr(s, '=', n);
    *list = s + n;
    if (n == 0)
        return false;
    *name = bytes_of(s, eq ? (size_t)(eq - s) : n);
    *role = eq ? bytes_of(eq + 1, n - (size_t)(eq + 1 - s)) : bytes_of(s, 0);
    while (name->n && isspace(name->p[name->n - 1]))
        name->n--;
    while (role->n && isspace(role->p[0])) {
        role->p++;
        role->n--;
    }
    while (role->n && isspace(role->p[role->n - 1]))
        role->n--;
    return true;
}

static const char *role_of(struct bytes b)
{
    for (int i = 0; role_names[i]; i++)
        if (strlen(role_names[i]) == b.n && memcmp(role_names[i], b.p, b.n) == 0)
            return role_names[i];
    return NULL;
}

enum outcome remote_check(const struct conf *conf, struct err *err)
{
    const char *list = conf->console_remote_roles, *variable = conf->console_remote_groups;
    struct bytes name, role;
    while (next_rule(&list, &name, &role))
        if (!name.n || !role_of(role))
            return err_set(err, INVALID,
                           "%s: [console] remote_roles: \"%.*s\" is not \"name = role\"; roles are "
                           "viewer, auditor, helpdesk, operator and administrator",
                           conf->path, (int)name.n, (const char *)name.p);
    if (strncmp(variable, "HTTP_", 5) == 0)
        return err_set(err, INVALID,
                       "%s: [console] remote_groups: \"%s\" is a header, which any client can send",
                       conf->path, variable);
    return OK;
}

/* Is name one of a list that commas, semicolons or bars separate, or the whole of it? A blank may
 * be part of a name: whoever may call a group "all but admins" is not in "admins". */
static bool holds(const char *list, struct bytes name)
{
    static const char separators[] = ",;|", blanks[] = " \t";
    if (strlen(list) == name.n && memcmp(list, name.p, name.n) == 0)
        return true;
    while (*list) {
        list += strspn(list, ",;| \t");
        size_t n = strcspn(list, separators), k = n;
        while (k && strchr(blanks, list[k - 1]))
            k--;
        if (k && k == name.n && memcmp(list, name.p, k) == 0)
            return true;
        list += n;
    }
    return false;
}

const char *remote_role(const struct conf *conf, const char *user, const char *groups)
{
    const char *list = conf->console_remote_roles;
    struct bytes name, role;
    while (next_rule(&list, &name, &role))
        if ((strlen(user) == name.n && memcmp(user, name.p, name.n) == 0) || holds(groups, name))
            return role_of(role);
    return NULL;
}

const char *remote_user(struct app *app, struct req *req)
{
    const char *user = app->conf->console_remote_user ? req_var(req, "REMOTE_USER") : NULL;
    return user && *user ? user : NULL;
}

bool console_remote_same(struct app *app, struct req *req, const struct session *s)
{
    const char *user = remote_user(app, req);
    return !s->remote || (app->conf->console_remote_user && (!user || strcmp(user, s->admin) == 0));
}

/* The account of that person, with the role that the configuration says now. */
static enum outcome admitted(struct page *p, const char *user)
{
    const struct conf *conf = p->app->conf;
    const char *variable = conf->console_remote_groups;
    const char *groups = *variable ? req_var(p->req, variable) : NULL;
    const char *role = remote_role(conf, user, groups ? groups : "");
    const char *otherwise =
        role_known(conf->console_remote_role) ? conf->console_remote_role : NULL;
    enum outcome o = admin_remote(p->db, user, role, otherwise, &p->err);
    return o == DENIED || o == INVALID
               ? err_set(&p->err, DENIED, "%s", words_fill(p->w, p->a, "remote_denied", user, NULL))
               : o;
}

bool remote_signin(struct page *p)
{
    const char *user = remote_user(p->app, p->req);
    if (!user)
        return false;
    if (admitted(p, user) == OK)
        admit_done(p, user, false);
    else
        page_fail(p);
    return true;
}

/* The session that the form of confirm.c is of, if it is that person's. */
static enum outcome session_of_form(struct page *p, const char *user, struct session *s)
{
    const char *token = req_cookie(p->req, CONSOLE_COOKIE);
    enum outcome o = token && strlen(token) == SESSION_TOKEN_LEN
                         ? session_find(p->db, token, p->req->now, p->a, s, &p->err)
                         : NOT_FOUND;
    bool own = o == OK && s->remote && strcmp(user, s->admin) == 0 &&
               form_token_valid(bytes_of(s->csrf, sizeof s->csrf), req_form(p->req, "csrf"));
    return own || (o != OK && o != NOT_FOUND)
               ? o
               : err_set(&p->err, DENIED, "%s", page_text(p, "error_csrf"));
}

bool remote_again(struct page *p)
{
    const char *user = remote_user(p->app, p->req);
    struct session s;
    if (!user || !req_form(p->req, "again"))
        return false;
    enum outcome o = session_of_form(p, user, &s);
    if (o == OK)
        o = admitted(p, user);
    if (o == OK)
        o = session_fresh(p->db, &s, p->req->now, &p->err);
    if (o != OK) {
        page_fail(p);
        return true;
    }
    value_set_bool(p->root, "again", true);
    value_set_text(p->root, "title", page_text(p, "confirm_title"));
    page_show(p, 200, "confirm");
    return true;
}
