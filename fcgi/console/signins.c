/* signins.c: the sign-ins of an account, for administrators: its sessions, which they can end, and
 * the wrong passwords that slow it down, which they can forget. */
#include "console/signins.h"

#include "store/admin.h"
#include "store/session.h"
#include "wire/encode.h"

/* "address:X", "admin:NAME", "admin:NAME@X", "account:NAME", "account:NAME@X" in words. A name may
 * hold an "@" of its own; an address has none. */
static void subject_words(struct page *p, struct value *v, const char *subject)
{
    const char *colon = strchr(subject, ':'), *name = colon ? colon + 1 : subject;
    const char *at = strrchr(name, '@');
    bool user = strncmp(subject, "account:", 8) == 0,
         address = strncmp(subject, "address:", 8) == 0;
    if (address || !at || !at[1] || at[1 + strspn(at + 1, "0123456789abcdefABCDEF.:")])
        at = NULL;
    value_set_text(v, "kind",
                   page_text(p, address ? "throttle_address"
                                : user  ? "throttle_user"
                                        : "throttle_admin"));
    value_set_text(v, "whose", at ? arena_strndup(p->a, name, (size_t)(at - name)) : name);
    value_set_text(v, "from", address ? NULL : at ? at + 1 : page_text(p, "throttle_anywhere"));
}

void signins_throttles(struct page *p, const struct throttled *t, size_t n)
{
    struct value *list = value_set_list(p->root, "throttles");
    value_set_bool(p->root, "throttled", n > 0);
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "subject", t[i].subject);
        subject_words(p, v, t[i].subject);
        value_set_int(v, "failures", t[i].failures);
        page_time(p, v, "first", t[i].first_at);
        value_set_bool(v, "held", t[i].free_at > p->req->now);
        page_time(p, v, "until", t[i].free_at > p->req->now ? t[i].free_at : 0);
    }
}

enum outcome signins_of(struct page *p, const char *admin)
{
    char code[SIGNIN_CODE_MAX];
    struct throttled *t, *of_code, *all;
    size_t n, k;
    signin_code_account(admin, code);
    enum outcome o = throttle_of(p->db, THROTTLE_ADMINS, admin, p->req->now, p->a, &t, &n, &p->err);
    if (o == OK)
        o = throttle_of(p->db, THROTTLE_ADMINS, code, p->req->now, p->a, &of_code, &k, &p->err);
    if (o != OK)
        return o;
    all = arena_array(p->a, n + k + 1, sizeof *all);
    if (!all)
        return err_set(&p->err, ERROR, "out of memory");
    memcpy(all, t, n * sizeof *all);
    memcpy(all + n, of_code, k * sizeof *all);
    signins_throttles(p, all, n + k);
    return OK;
}

enum outcome signins_sessions(struct page *p, const char *admin, size_t *n)
{
    const struct session *own = p->caller->session;
    char hex[SHA256_HEX_LEN + 1];
    struct session *s;
    enum outcome o = session_list(p->db, admin, p->req->now, p->a, &s, n, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "sessions");
    for (size_t i = 0; i < *n; i++) {
        struct value *v = value_append_dict(list);
        value_set_bool(v, "this_one",
                       memcmp(s[i].token_sha256, own->token_sha256, SHA256_LEN) == 0);
        hex_encode(bytes_of(s[i].token_sha256, SHA256_LEN), hex);
        value_set_text(v, "sum", arena_strdup(p->a, hex));
        value_set_text(v, "agent", s[i].user_agent);
        value_set_text(v, "address", s[i].address);
        page_time(p, v, "created", s[i].created_at);
        page_time(p, v, "seen", s[i].seen_at);
    }
    return OK;
}

static void show(struct page *p, const char *name, int status)
{
    struct admin a;
    size_t n = 0;
    enum outcome o = admin_find(p->db, name, p->a, &a, &p->err);
    if (o == OK)
        o = signins_of(p, a.name);
    if (o == OK)
        o = signins_sessions(p, a.name, &n);
    if (o != OK) {
        page_fail(p);
        return;
    }
    value_set_text(p->root, "name", a.name);
    value_set_text(p->root, "title", a.name);
    value_set_text(p->root, "action", "/signins");
    value_set_text(p->root, "audit_link", page_link(p, "/audit", "subject", a.name));
    value_set_bool(p->root, "some", n > 0);
    value_set_bool(p->root, "clearable", true);
    page_show(p, status, "signins");
}

void console_signins(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp)
{
    const char *name = req_query(req, "name");
    struct page p;
    if (page_open(&p, app, req, caller, resp, "accounts"))
        show(&p, name ? name : "", 200);
}

static enum outcome change(struct page *p, const char *name)
{
    const char *what = page_field(p, "what"), *by = p->caller->admin;
    struct bytes sum;
    uint64_t ended;
    if (strcmp(what, "clear") == 0 && *page_field(p, "subject"))
        return throttle_clear(p->db, req_form(p->req, "subject"), by, &p->err);
    if (strcmp(what, "all") == 0 && *name)
        return session_end_all(p->db, name, by, &ended, &p->err);
    if (strcmp(what, "session") == 0 && hex_decode(p->a, page_field(p, "session"), &sum) == OK &&
        sum.n == SHA256_LEN)
        return session_end_one(p->db, name, sum, by, &p->err);
    return err_set(&p->err, INVALID, "%s", page_text(p, "form_unknown"));
}

void console_signins_post(struct app *app, struct req *req, const struct caller *caller,
                          struct resp *resp)
{
    struct page p;
    if (!page_open(&p, app, req, caller, resp, "accounts"))
        return;
    const char *name = page_field(&p, "name");
    const char *to =
        *name ? page_link(&p, "/signins?done=saved", "name", name) : "/accounts?done=saved";
    if (change(&p, name) == OK)
        page_go(&p, to);
    else
        page_fail(&p);
}
