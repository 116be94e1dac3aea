/* admit.h: the session of somebody who has shown who it is: by a password, a second factor or the
 * web server. */
#ifndef DROVER_CONSOLE_ADMIT_H
#define DROVER_CONSOLE_ADMIT_H

#include "console/page.h"

/* Secret of the forms before there is a session. */
#define ADMIT_FORM_COOKIE "__Host-drover-form"

/* Sets a cookie that goes to this host alone; more: "; Max-Age=0" takes it away, "" keeps it. */
void admit_cookie(struct page *p, const char *name, const char *value, const char *more);
/* Signs the person in, or (pending) on to the page that asks for the code; answers. */
void admit_done(struct page *p, const char *name, bool pending);

#endif
