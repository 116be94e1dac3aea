/* enroll.h: giving an enrolment profile to a person: by a link (enroll.c), by the web page (web.c).
 */
#ifndef DROVER_ENROLLMENT_ENROLL_H
#define DROVER_ENROLLMENT_ENROLL_H

#include "enrollment/profile.h"

/* One profile being given to a person. */
struct gift {
    const struct conf *conf;
    struct arena *a;
    const char *token; /* of an invitation; NULL: none */
    const char *name;  /* of the object, when there is no invitation; NULL or "": the default one */
    enum handout_way way;
    enum account_kind account_kind;
    const char *account; /* NULL: nobody logged in */
    const char *address;
    struct bytes der; /* out: the signed profile */
};
/* Uses the invitation, if there is one, and hands the profile out, in one unit. NOT_FOUND, DENIED:
 * the invitation's; UNAVAILABLE, ERROR: as profile_hand_out(), and nothing was used up. */
enum outcome gift_give(struct db *db, struct gift *g, struct err *err) MUST_USE;
/* The answer with it, and its log line. */
void gift_answer(const struct gift *g, struct resp *resp);

#define ENROLL_PREFIX "/enroll"
/* The token of PREFIX/TOKEN as it stands in a path: NULL for PREFIX alone, "" for anything that
 * cannot be one. */
const char *gift_token(const struct req *req, const char *prefix);
/* The same for those who get in without a login. NULL in *token: there is none, and [enroll] open
 * lets anybody in. NOT_FOUND: no such token can be, or nobody is let in. */
enum outcome enroll_token(const struct conf *conf, const struct req *req, const char *prefix,
                          const char **token, struct err *err) MUST_USE;
/* Answers somebody who came with a link: the profile to install, or 404, 410, 503. */
void enroll_answer(struct resp *resp, enum outcome o, struct bytes der, const char *filename,
                   const struct err *err);
/* The answer of enroll_handle() without a page. */
void gift_handle(struct app *app, struct req *req, struct resp *resp);

/* ---- the web page ---- */

struct enroll_web;
/* Templates, texts and style of [server] share_dir. ERROR: they are not there; links then give
 * their profile without a page. */
enum outcome enroll_web_new(const struct conf *conf, struct enroll_web **out,
                            struct err *err) MUST_USE;
void enroll_web_free(struct enroll_web **w);

/* GET and POST /enroll: the login where [enroll] login asks for one, what the organisation will see
 * and do, the profile; and GET and POST /enroll/TOKEN, the same for the holder of an invitation. A
 * client that does not want HTML gets the profile at once where it needs no login, as it always
 * did. 403: a form that is not the page's; 404, 410: as the link; 429: too many wrong passwords, or
 * profiles. */
handler_fn enroll_handle, enroll_post;
/* GET and POST /enroll/account/MODE/login: where account-driven enrolment sends a person. */
handler_fn enroll_account_login, enroll_account_login_post;
/* GET /enroll/static/...: the style sheet. */
handler_fn enroll_static;

#endif
