/* account.c: a person's own password, language and sessions. */
#include "console/factor.h"
#include "console/proof.h"
#include "console/signins.h"
#include "wire/encode.h"

static void show(struct page *p, int status)
{
    static const char *const codes[] = {"en", "de"};
    static const char *const names[] = {"English", "Deutsch"};
    const struct session *own = p->caller->session;
    size_t n;
    if (!factor_show(p) || signins_of(p, own->admin) != OK ||
        signins_sessions(p, own->admin, &n) != OK) {
        page_fail(p);
        return;
    }
    value_set_text(p->root, "action", "/account");
    value_set_bool(p->root, "others", n > 1);
    value_set_bool(p->root, "remote", own->remote);
    value_set_bool(p->root, "due", own->password_due);
    value_set_bool(p->root, "totp_due", !own->password_due && console_factor_due(p->app, own));
    const char *role = arena_fmt(p->a, "role_%s", own->role);
    value_set_text(p->root, "role", role ? page_text(p, role) : NULL);
    struct value *list = value_set_list(p->root, "languages");
    for (size_t i = 0; i < 2; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "code", codes[i]);
        value_set_text(v, "text", names[i]);
        value_set_bool(v, "chosen", strcmp(own->language, codes[i]) == 0);
    }
    page_show(p, status, "account");
}

void console_account(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "account"))
        show(&p, 200);
}

static enum outcome password_change(struct page *p)
{
    const char *new = req_form(p->req, "new"), *again = req_form(p->req, "again");
    const char *name = p->caller->admin;
    if (!new || !again || strcmp(new, again) != 0)
        return err_set(&p->err, INVALID, "%s", page_text(p, "password_differ"));
    enum outcome o = proof_again(p);
    return o == OK ? admin_password_set(p->db, name, new, p->caller->session, name, &p->err) : o;
}

static enum outcome session_of_form(struct page *p)
{
    struct bytes sum;
    if (hex_decode(p->a, page_field(p, "session"), &sum) != OK || sum.n != SHA256_LEN)
        return err_set(&p->err, INVALID, "%s", page_text(p, "form_unknown"));
    return session_end_one(p->db, p->caller->admin, sum, p->caller->admin, &p->err);
}

static enum outcome change(struct page *p, const char **done)
{
    const char *what = page_field(p, "what"), *language = page_field(p, "language");
    uint64_t ended;
    *done = "/account?done=saved";
    if (strcmp(what, "language") == 0) {
        if (*language && !words_has(p->app->console->words, language))
            return err_set(&p->err, INVALID, "%s", page_text(p, "language_none"));
        return admin_language_set(p->db, p->caller->admin, language, &p->err);
    }
    if (strcmp(what, "others") == 0) {
        *done = "/account?done=others";
        return session_end_others(p->db, p->caller->session, &ended, &p->err);
    }
    if (strncmp(what, "factor_", 7) == 0) {
        *done = "/account?done=factor_off";
        return factor_change(p, what + 7);
    }
    if (strcmp(what, "session") == 0) {
        *done = "/account?done=ended";
        return session_of_form(p);
    }
    *done = "/account?done=password";
    return password_change(p);
}

void console_account_post(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    const char *done;
    if (!page_open(&p, app, req, caller, resp, "account"))
        return;
    if (strncmp(page_field(&p, "what"), "factor_", 7) == 0 && !page_confirmed(&p))
        return;
    enum outcome o = change(&p, &done);
    if (o == OK && p.resp->secret) {
        show(&p, 200);
    } else if (o == OK) {
        page_go(&p, done);
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        show(&p, page_status(o));
    } else {
        page_fail(&p);
    }
}
