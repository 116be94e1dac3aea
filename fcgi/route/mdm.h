/* mdm.h: one address for check-in messages and reports, for profiles without a CheckInURL. */
#ifndef DROVER_ROUTE_MDM_H
#define DROVER_ROUTE_MDM_H

#include "http/app.h"

/* A message with a MessageType is a check-in message, any other a report. */
handler_fn mdm_handle;

#endif
