/* connect.h: the MDM protocol proper: a report is stored, the next command handed out. */
#ifndef DROVER_CONNECT_CONNECT_H
#define DROVER_CONNECT_CONNECT_H

#include "http/device.h"

/* PUT of a report (reference, "MDM Result Payloads") to ServerURL. 200 with the next command, or
 * with an empty body; the report is stored by then. Refusals: see http/device.h; 400 for a message
 * that is no report. */
handler_fn connect_handle;

/* The same for a message that was read already (checkin/mdm.c: one address for both). */
void connect_message(struct message *m);

#endif
