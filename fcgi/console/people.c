/* people.c: local users: people who enrol devices and log in on Macs. */
#include "store/enroluser.h"

#include "console/page.h"
#include "wire/encode.h"

static void row(struct page *p, struct value *list, const struct enroluser *u)
{
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", u->name);
    value_set_int(v, "id", u->id);
    value_set_text(v, "full_name", u->full_name);
    value_set_text(v, "managed", u->managed_account);
    value_set_text(v, "devices", page_link(p, "/devices", "q", u->name));
    value_set_bool(v, "disabled", u->disabled_at != 0);
    page_state(p, v, "account", u->disabled_at ? "disabled" : "active");
    page_time(p, v, "created", u->created_at);
    page_time(p, v, "password", u->password_at);
}

static void show(struct page *p, int status)
{
    const char *search = req_query(p->req, "q"), *after = req_query(p->req, "after");
    struct enroluser *u;
    size_t n;
    search = search ? search : "";
    if (enroluser_list(p->db, search, after ? after : "", PAGE_ROWS + 1, p->a, &u, &n, &p->err) !=
        OK) {
        page_fail(p);
        return;
    }
    struct value *list = value_set_list(p->root, "people");
    for (size_t i = 0; i < n && i < PAGE_ROWS; i++)
        row(p, list, &u[i]);
    value_set_bool(p->root, "some", n > 0);
    value_set_bool(p->root, "searched", *search != '\0');
    value_set_text(p->root, "q", search);
    if (n > PAGE_ROWS) {
        const char *next = page_link(p, "/people", "q", search);
        value_set_text(p->root, "next", page_link(p, next, "after", u[PAGE_ROWS - 1].name));
    }
    page_show(p, status, "people");
}

void console_people(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "people"))
        show(&p, 200);
}

/* The password that was made here, on this page and nowhere else. */
static void tell(struct page *p, const char *name, const char *password)
{
    value_set_text(p->root, "made", arena_strdup(p->a, password));
    value_set_text(p->root, "made_name", name);
    p->resp->secret = true;
}

static enum outcome change(struct page *p)
{
    const char *what = page_field(p, "what"), *name = page_field(p, "name");
    const char *dir = p->app->conf->signer_dir, *by = p->caller->admin;
    char password[ENROLUSER_GIVEN_LEN + 1] = "";
    bool add = strcmp(what, "add") == 0, reset = strcmp(what, "reset") == 0;
    bool edits = add || strcmp(what, "change") == 0;
    struct enroluser_edit e = {.full_name = edits ? page_field(p, "full_name") : NULL,
                               .managed_account = edits ? page_field(p, "managed") : NULL,
                               .disable = strcmp(what, "disable") == 0,
                               .enable = strcmp(what, "enable") == 0};
    if (strcmp(what, "remove") == 0)
        return *page_field(p, "sure")
                   ? enroluser_remove(p->db, name, by, &p->err)
                   : err_set(&p->err, INVALID, "%s", page_text(p, "person_remove_unsure"));
    if (!edits && !reset && !e.disable && !e.enable)
        return err_set(&p->err, INVALID, "%s", page_text(p, "form_unknown"));
    if (add || reset) {
        secret_new(ENROLUSER_GIVEN_LEN / 2, password);
        e.password = password;
    }
    enum outcome o = add ? enroluser_add(p->db, dir, name, &e, by, &p->err)
                         : enroluser_change(p->db, dir, name, &e, by, &p->err);
    if (o == OK && e.password)
        tell(p, name, password);
    secret_wipe(password, sizeof password);
    return o;
}

/* Who can log in as somebody has proved who they are. */
static bool wants_proof(struct page *p)
{
    const char *what = page_field(p, "what");
    return strcmp(what, "add") == 0 || strcmp(what, "reset") == 0 || strcmp(what, "remove") == 0;
}

void console_people_post(struct app *app, struct req *req, const struct caller *caller,
                         struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "people") ||
        (wants_proof(&p) && !page_confirmed(&p)))
        return;
    enum outcome o = change(&p);
    if (o == OK && p.resp->secret) {
        show(&p, 200);
    } else if (o == OK) {
        page_go(&p, "/people?done=saved");
    } else if (page_mendable(o)) {
        if (strcmp(page_field(&p, "what"), "add") == 0) {
            value_set_text(p.root, "new_name", page_field(&p, "name"));
            value_set_text(p.root, "new_full_name", page_field(&p, "full_name"));
            value_set_text(p.root, "new_managed", page_field(&p, "managed"));
        }
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
