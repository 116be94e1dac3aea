/*
 * remote.c: people whom the web server has authenticated (REMOTE_USER of its LDAP, Kerberos or
 * OpenID Connect module). The word counts from a server variable alone, which no client can set:
 * what a client sends arrives as HTTP_*.
 */
#include "console/remote.h"

#include <ctype.h>

#include "console/admit.h"
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

bool remote_signin(struct page *p)
{
    const struct conf *conf = p->app->conf;
    const char *user = remote_user(p->app, p->req);
    const char *variable = conf->console_remote_groups;
    const char *groups = *variable ? req_var(p->req, variable) : NULL;
    if (!user)
        return false;
    const char *role = remote_role(conf, user, groups ? groups : "");
    const char *otherwise =
        role_known(conf->console_remote_role) ? conf->console_remote_role : NULL;
    enum outcome o = admin_remote(p->db, user, role, otherwise, &p->err);
    if (o == OK) {
        admit_done(p, user, false);
    } else if (o == DENIED || o == INVALID) {
        err_set(&p->err, DENIED, "%s", words_fill(p->w, p->a, "remote_denied", user, NULL));
        page_fail(p);
    } else {
        page_fail(p);
    }
    return true;
}
