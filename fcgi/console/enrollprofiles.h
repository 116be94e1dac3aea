/* enrollprofiles.h: what the pages about enrolment profiles share. */
#ifndef DROVER_CONSOLE_ENROLLPROFILES_H
#define DROVER_CONSOLE_ENROLLPROFILES_H

#include "console/page.h"
#include "store/enrollprofile.h"

/* Sets "groups": every field of c as a form shows it, with what it means in words; as posted where
 * the request is a form. */
void enrollprofile_form(struct page *p, const struct enroll_content *c);
/* Takes the fields of the form into c. INVALID: p->err names the field. */
enum outcome enrollprofile_take(struct page *p, struct enroll_content *c);
/* Sets "changes": which fields differ, and how. */
void enrollprofile_changes(struct page *p, const struct enroll_content *from,
                           const struct enroll_content *to);

#endif
