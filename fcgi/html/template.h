/*
 * template.h: logic-less templates, as the core of the Mustache specification says: interpolation,
 * sections, inverted sections, partials, comments, set delimiters. {{name}} is escaped for HTML;
 * {{{name}}} and {{&name}} are not, and scripts/lint refuses both in templates/. An empty
 * text is nothing, like an empty list: its section is left out.
 */
#ifndef DROVER_HTML_TEMPLATE_H
#define DROVER_HTML_TEMPLATE_H

#include "html/value.h"
#include "base/buf.h"

#define TEMPLATE_FILE_MAX (256u * 1024u)
#define TEMPLATE_DEPTH_MAX 32 /* sections in sections, and as many partials in partials */

/* The templates of a folder, parsed when they are first asked for and again when their file has
 * changed (looked at once a second). Safe for many threads. */
struct templates;
enum outcome templates_new(const char *dir, struct templates **out, struct err *err) MUST_USE;
void templates_free(struct templates **t);

/* Adds what template `name` (letters, digits, '-' and '_'; the file is DIR/NAME.html) makes of
 * root. NOT_FOUND: no such file; INVALID: it is broken (file and line), or sections or partials are
 * nested past TEMPLATE_DEPTH_MAX; ERROR: memory, the ceiling of out, a broken tree. A partial whose
 * file does not exist is empty, as the specification has it. */
enum outcome template_render(struct templates *t, const char *name, const struct value *root,
                             struct arena *a, struct buf *out, struct err *err) MUST_USE;

#endif
