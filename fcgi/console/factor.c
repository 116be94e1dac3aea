/* factor.c: the second factor: asked for at sign-in, set up and taken away on the account page. */
#include "console/factor.h"

#include "console/admit.h"
#include "console/proof.h"
#include "html/form.h"
#include "store/account.h"
#include "store/factor.h"
#include "wire/encode.h"
#include "wire/qr.h"
#include "wire/totp.h"

enum outcome factor_given(struct page *p, const char *name, const char *code)
{
    char account[SIGNIN_CODE_MAX];
    int64_t wait;
    signin_code_account(name, account);
    enum outcome o =
        signin_attempt(p->db, account, p->req->remote_addr, p->req->now, p->a, &wait, &p->err);
    if (o == OK && wait)
        return err_set(
            &p->err, DENIED, "%s",
            words_count(p->w, p->a, "signin_wait", arena_fmt(p->a, "%lld", (long long)wait)));
    if (o == OK)
        o = factor_check(p->db, name, code, p->req->now, &p->err);
    if (o == DENIED)
        return err_set(&p->err, DENIED, "%s", page_text(p, "code_wrong"));
    return o == OK ? signin_succeeded(p->db, account, p->req->remote_addr, p->a, &p->err) : o;
}

/* The session that waits for its code. False: answered. */
static bool waiting(struct page *p, struct session *s)
{
    const char *token = req_cookie(p->req, CONSOLE_COOKIE);
    enum outcome o = NOT_FOUND;
    if (token && strlen(token) == SESSION_TOKEN_LEN)
        o = session_find(p->db, token, p->req->now, p->a, s, &p->err);
    if (o == OK && s->pending)
        return true;
    if (o == OK || o == NOT_FOUND)
        page_go(p, "/signin");
    else
        page_fail(p);
    return false;
}

static void show(struct page *p, const struct session *s, int status)
{
    char token[FORM_TOKEN_LEN + 1];
    form_token(bytes_of(s->csrf, sizeof s->csrf), token);
    value_set_text(p->root, "csrf", arena_strdup(p->a, token));
    value_set_text(p->root, "next",
                   p->req->method == METHOD_POST ? req_form(p->req, "next")
                                                 : req_query(p->req, "next"));
    page_show(p, status, "code");
}

void console_code(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    struct session s;
    (void)caller;
    if (page_open(&p, app, req, NULL, resp, "signin") && waiting(&p, &s))
        show(&p, &s, 200);
}

void console_code_post(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp)
{
    struct page p;
    struct session s;
    (void)caller;
    if (!page_open(&p, app, req, NULL, resp, "signin") || !waiting(&p, &s))
        return;
    enum outcome o = form_token_valid(bytes_of(s.csrf, sizeof s.csrf), req_form(req, "csrf"))
                         ? factor_given(&p, s.admin, page_field(&p, "code"))
                         : err_set(&p.err, DENIED, "%s", page_text(&p, "error_csrf"));
    if (o == OK) {
        admit_done(&p, s.admin, false);
    } else if (o == DENIED) {
        page_bad(&p, p.err.msg);
        show(&p, &s, 403);
    } else {
        page_fail(&p);
    }
}

/* ---- on the account page ---- */

bool factor_show(struct page *p)
{
    const struct session *s = p->caller->session;
    int64_t left = 0;
    if (s->has_totp && factor_left(p->db, s->admin, &left, &p->err) != OK)
        return false;
    value_set_bool(p->root, "totp", s->has_totp);
    value_set_int(p->root, "codes_left", left);
    value_set_bool(p->root, "totp_required",
                   strcmp(p->app->conf->console_second_factor, "required") == 0);
    return true;
}

static enum outcome begin(struct page *p)
{
    char secret[FACTOR_SECRET_TEXT];
    struct buf b = BUF_INIT(QR_TEXT_MAX);
    const char *who = p->caller->admin;
    struct qr qr;
    enum outcome o = factor_begin(p->db, p->app->conf->signer_dir, who, secret, &p->err);
    if (o != OK)
        return o;
    buf_str(&b, "otpauth://totp/Drover:");
    url_encode_add(&b, who);
    buf_fmt(&b, "?secret=%s&issuer=Drover&algorithm=SHA1&digits=%d&period=%d", secret, TOTP_DIGITS,
            TOTP_STEP_S);
    o = buf_failed(&b) ? err_set(&p->err, ERROR, "out of memory")
                       : qr_make(p->a, buf_cstr(&b), &qr, &p->err);
    if (o == OK) {
        struct value *v = value_set_dict(p->root, "begun");
        value_set_text(v, "secret", arena_strdup(p->a, secret));
        value_set_text(v, "d", qr.d);
        value_set_int(v, "size", qr.size);
    }
    secret_wipe(secret, sizeof secret);
    buf_wipe(&b);
    p->resp->secret = true;
    return o;
}

static void codes_show(struct page *p, char codes[FACTOR_CODES][FACTOR_CODE_TEXT])
{
    struct value *list = value_set_list(p->root, "codes");
    for (int i = 0; i < FACTOR_CODES; i++)
        value_append(list, value_text(p->a, arena_strdup(p->a, codes[i])));
    value_set_bool(p->root, "some_codes", true);
    secret_wipe(codes, FACTOR_CODES * FACTOR_CODE_TEXT);
    p->resp->secret = true;
}

enum outcome factor_change(struct page *p, const char *what)
{
    char codes[FACTOR_CODES][FACTOR_CODE_TEXT];
    const char *who = p->caller->admin;
    enum outcome o;
    if (strcmp(what, "begin") == 0)
        return begin(p);
    if (strcmp(what, "off") == 0)
        return factor_off(p->db, who, &p->err);
    if (strcmp(what, "codes") == 0) {
        o = factor_codes(p->db, who, p->req->now, codes, &p->err);
    } else {
        o = factor_confirm(p->db, who, page_field(p, "code"), p->caller->session, p->req->now,
                           codes, &p->err);
        if (o == DENIED) {
            value_set_bool(p->root, "confirming", true);
            return err_set(&p->err, DENIED, "%s", page_text(p, "code_wrong"));
        }
    }
    if (o == OK)
        codes_show(p, codes);
    return o;
}
