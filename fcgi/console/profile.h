/* profile.h: what the pages about profiles of the library share. */
#ifndef DROVER_CONSOLE_PROFILE_H
#define DROVER_CONSOLE_PROFILE_H

#include "console/page.h"
#include "library/contents.h"
#include "library/draft.h"
#include "store/preview.h"

#define PROFILE_KINDS (1u << LIBRARY_PROFILE | 1u << LIBRARY_PROVISIONING)

/* The profile of that id; NULL: p->err says why not. */
struct library_item *profile_item(struct page *p, int64_t id);
/* "/profile?id=", "/draft?id=". */
const char *profile_link(struct page *p, const char *path, int64_t id);
/* What a payload type is called: "Wi-Fi"; the type itself where there is no word for it. */
const char *profile_type_title(struct page *p, const char *type);

/* Each sets what a partial of the templates shows, in dict. */
/* findings.html: "findings". */
void profile_findings(struct page *p, struct value *dict, const struct findings *f);
/* contents.html: "contents", of a file. INVALID: it is no property list. */
enum outcome profile_contents(struct page *p, struct value *dict, struct bytes file);
/* changes.html: "changes", from one file to another. */
enum outcome profile_changes(struct page *p, struct value *dict, struct bytes from,
                             struct bytes to);
/* An option of a <select>, in list. */
void profile_option(struct value *list, const char *value, const char *text, bool chosen);
/* The platforms as a text. */
const char *profile_platforms(struct page *p, unsigned bits);

/* Begins a draft with the file of the form, as a version of item (NULL: a new one), and goes there;
 * false: p->err says why not. */
bool profile_upload(struct page *p, const struct library_item *item);

#endif
