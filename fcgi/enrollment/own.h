/* own.h: the page of a person's own devices (/enroll/me): what the organisation sees of them, what
 * may be had on them, locking one that is lost, leaving. What is asked for there the agent does
 * (errands.h). */
#ifndef DROVER_ENROLLMENT_OWN_H
#define DROVER_ENROLLMENT_OWN_H

#include "http/app.h"

handler_fn own_handle, own_post;

#endif
