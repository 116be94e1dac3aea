/* remote.h: people whom the web server has authenticated. */
#ifndef DROVER_CONSOLE_REMOTE_H
#define DROVER_CONSOLE_REMOTE_H

#include "console/page.h"

/* Do the keys of [console] make sense? INVALID names the one that does not. */
enum outcome remote_check(const struct conf *conf, struct err *err) MUST_USE;
/* The role that [console] remote_roles gives to a person of these groups; NULL: none. */
const char *remote_role(const struct conf *conf, const char *user, const char *groups);
/* Whom the web server has authenticated; NULL: nobody, or it is not believed. */
const char *remote_user(struct app *app, struct req *req);
/* Signs that person in, or refuses, and answers. False: there is nobody; nothing was answered. */
bool remote_signin(struct page *p);
/* That person shows again who it is, by the form of confirm.c: the own session is fresh from now
 * on. False: it is another form, or nobody; nothing was answered. */
bool remote_again(struct page *p);

#endif
