/* proof.c: see proof.h. */
#include "console/proof.h"

#include "console/factor.h"

#include <stdio.h>

#include "store/account.h"
#include "wire/password.h"

static enum outcome too_early(struct page *p, int64_t wait_s)
{
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%lld", (long long)wait_s);
    return err_set(&p->err, DENIED, "%s", words_count(p->w, p->a, "signin_wait", seconds));
}

enum outcome proof_password(struct page *p, const char *name, const char *password,
                            struct admin *out, int64_t *wait_s)
{
    *wait_s = 0;
    *out = (struct admin){.password_hash = ""};
    if (!*name || !*password || strlen(name) > ACCOUNT_NAME_MAX ||
        strlen(password) > ADMIN_PASSWORD_MAX)
        return err_set(&p->err, DENIED, "%s", page_text(p, "signin_wrong"));
    enum outcome o =
        signin_attempt(p->db, name, p->req->remote_addr, p->req->now, p->a, wait_s, &p->err);
    if (o == OK && *wait_s)
        return too_early(p, *wait_s);
    if (o == OK)
        o = admin_find(p->db, name, p->a, out, &p->err);
    if (o != OK && o != NOT_FOUND)
        return o;
    bool known = o == OK && *out->password_hash && !out->disabled_at;
    o = password_judge(password, known ? out->password_hash : "", &p->err);
    if (o == DENIED || (o == OK && !known))
        return err_set(&p->err, DENIED, "%s", page_text(p, "signin_wrong"));
    return o;
}

enum outcome proof_again(struct page *p)
{
    const char *given = req_form(p->req, "proof");
    struct admin admin;
    int64_t wait;
    enum outcome o = proof_password(p, p->caller->admin, given ? given : "", &admin, &wait);
    if (o == DENIED && !wait)
        return err_set(&p->err, DENIED, "%s", page_text(p, "password_wrong"));
    if (o == OK)
        o = signin_succeeded(p->db, p->caller->admin, p->req->remote_addr, p->a, &p->err);
    if (o == OK && admin.has_totp)
        o = factor_given(p, p->caller->admin, page_field(p, "proof_code"));
    return o;
}
