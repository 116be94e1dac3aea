/* escape.h: the one escaper of HTML. */
#ifndef DROVER_HTML_ESCAPE_H
#define DROVER_HTML_ESCAPE_H

#include "base/buf.h"

/* Adds text so that it may stand in HTML as text or between the quotes of an attribute: & < > " and
 * ' become references. Octets that are no UTF-8, and control characters that HTML does not allow,
 * become U+FFFD. */
void html_escape_add(struct buf *out, struct bytes text);

#endif
