/* report.h: what of a device's report is kept, and what others are told of it. */
#ifndef DROVER_CONNECT_REPORT_H
#define DROVER_CONNECT_REPORT_H

#include "http/device.h"
#include "store/exchange.h"

/* The message as an event for those who want to be told, without what is secret in it; NULL: nobody
 * is to be told. Before report_keep(), which changes the message. */
const struct event *report_event(struct message *m, const struct exchange *x);

/* Sets x->report: the message as it came. What nobody is to read in the database (passcode tokens,
 * bypass codes) is sealed, and what a user showed to be let in goes. A report that is too large so,
 * or has a secret that is, is shortened: it would come again for ever. False: resp holds the
 * failure. */
bool report_keep(struct message *m, struct exchange *x);

/* The database does not take x->report: from here on it is shortened, and the event has no text.
 * False: its size is not the reason, or it has been shortened already. */
bool report_too_large(struct message *m, struct exchange *x);

#endif
