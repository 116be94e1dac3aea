/* draft_field.h: the fields of a payload's form, and what came with them. A field is named after
 * its place (form_place()), "f:SSID_STR"; "d:" and the place: what is stored is to go. */
#ifndef DROVER_CONSOLE_DRAFT_FIELD_H
#define DROVER_CONSOLE_DRAFT_FIELD_H

#include "console/page.h"
#include "library/form_edit.h"

/* Sets "groups", for templates/draftfield.html. refused: filled with what came with the form,
 * otherwise with what the payload holds. faults may be NULL. */
void draft_fields_show(struct page *p, const struct form *f, pl payload, pl root,
                       const struct form_faults *faults, bool refused);
/* What came, for form_apply(). */
struct form_input draft_fields_input(struct page *p);

#endif
