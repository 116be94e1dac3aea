/* web_int.h: what the files of the enrolment page share. */
#ifndef DROVER_ENROLLMENT_WEB_INT_H
#define DROVER_ENROLLMENT_WEB_INT_H

#include "enrollment/enroll.h"
#include "html/asset.h"
#include "html/template.h"
#include "html/words.h"
#include "store/enroluser.h"

struct enroll_web {
    struct templates *templates;
    struct words_all *words;
    struct asset css;
};

/* One request of a person. */
struct visit {
    struct app *app;
    struct req *req;
    struct resp *resp;
    struct arena *a;
    const struct words *w;
    struct value *root; /* of the template */
    struct db *db;
    struct err err;
    const char *set_cookie; /* the header; NULL: none */
    const char *cookie; /* the secret of its forms; of a person who has logged in, the session's */
    bool posted, sign_in; /* sign_in: the page is shown by a device's settings and leads there */
    const char *bad;      /* what was wrong with its form; NULL: nothing */
    const char *token;    /* of an invitation; NULL: none */
    const char *name;     /* of the profile that is asked for; "": the default one */
    const char *page;     /* its template */
    enum account_kind kind;
    const char *account;    /* NULL: nobody has logged in */
    struct enrollprofile e; /* what it would get */
};

/* Fills v, with a cookie for the forms, and sets what every page shows. */
void visit_begin(struct visit *v, struct app *app, struct req *req, struct resp *resp);
/* Takes a connection. False: the failure was answered. */
bool visit_open(struct visit *v);
/* Makes secret, of ENROLL_SESSION_LEN digits, the cookie and the secret of the forms. */
void visit_secret(struct visit *v, const char *secret);
/* Sets another cookie, with the next page or redirection; "" takes it away. */
void visit_cookie(struct visit *v, const char *value);
const char *visit_text(const struct visit *v, const char *key);
/* Answers with the page; its parts are what is set in v->root. Gives the connection back. */
void visit_show(struct visit *v, int status);
/* A page with a heading and a text, by their keys, and nothing else. */
void visit_message(struct visit *v, int status, const char *title, const char *text);
/* The page for v->err. */
void visit_fail(struct visit *v);
void visit_go(struct visit *v, const char *path);
/* The name that the web server told in REMOTE_USER; NULL: none that can be. */
const char *visit_remote_user(const struct visit *v);
/* ---- weblogin.c ---- */
/* Is [enroll] login that word? */
bool visit_login_is(const struct visit *v, const char *what);
/* Who asks: v->kind and v->account, or an invitation. OK; NOT_FOUND: there is no such page here;
 * DENIED: nobody has logged in. */
enum outcome visit_who(struct visit *v) MUST_USE;
/* Answers whom visit_who() denied: with the login, and that status. */
void visit_nobody(struct visit *v, int status);
/* Judges a name and password, slowed down and audited. DENIED: *bad says in words why, *status is
 * 403, or 429 with Retry-After set. */
enum outcome visit_judge(struct visit *v, const char *name, const char *password,
                         struct enroluser *user, const char **bad, int *status) MUST_USE;
/* Judges the name and password of the form. True: user is who it says; else it was answered, with
 * the login again. */
bool visit_log_in(struct visit *v, struct enroluser *user);
/* Logs in by the form, or out; and goes to path. */
void visit_session_start(struct visit *v, const char *path);
void visit_session_end(struct visit *v, const char *path);
/* ---- */
/* Is the form the page's own? False: "bad" is set in v->root. */
bool visit_form_good(struct visit *v);
/* Sets what the organisation of v->e will and will not see and do, and the button. */
void visit_explain(struct visit *v);
/* What it sees and does by v->e's AccessRights, alone. */
void visit_rights(struct visit *v);
/* Sets the form of a login. bad: what was wrong with the last one, or NULL. */
void visit_ask_login(struct visit *v, const char *name, const char *bad);

#endif
