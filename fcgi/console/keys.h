/*
 * keys.h: the keys of a command as a form and back: both are made from the catalogue, so that a
 * command that is added there has its form. Works without JavaScript: what is repeated grows by a
 * button that sends the form.
 *
 * A field is named after the key's path, "Settings[0].Image"; "n:PATH" says how many entries an
 * array has in the form, "s:PATH" the shape of an entry where there are several.
 */
#ifndef DROVER_CONSOLE_KEYS_H
#define DROVER_CONSOLE_KEYS_H

#include "command/validate.h"
#include "console/page.h"

#define KEYS_ENTRIES_MAX 50 /* of an array of dictionaries in a form */

/* Sets "fields", for templates/field.html, filled with what came with the form, and "sensitive",
 * "removes" and "why": whether and how a reason is asked for. Keys that the device cannot have are
 * left out and named in "left_out". facts: of the device. */
void keys_show(struct page *p, cat command, const struct device_facts *facts);
/* The keys of the form as an object for command_build(), the caller's to free. INVALID: p->err says
 * which field cannot be read. */
enum outcome keys_read(struct page *p, cat command, js *out) MUST_USE;

#endif
