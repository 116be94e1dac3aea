/* ota.h: over-the-air enrolment with the Profile Service: three phases at one address. */
#ifndef DROVER_ENROLLMENT_OTA_H
#define DROVER_ENROLLMENT_OTA_H

#include "http/app.h"

/* GET /enroll/ota/TOKEN (an invitation) and GET /enroll/ota ([enroll] open): phase 1, the
 * profile-service payload with a challenge; the invitation is used when a device
 * comes with that. 404, 410, 503 as enroll_handle(). */
handler_fn ota_begin;
/* POST /enroll/ota: phase 2, the device's attributes signed with its built-in identity, is answered
 * with a SCEP payload; phase 3, the same signed with the identity from there, with the enrolment
 * profile, encrypted to it. A phase that a device repeats is answered again. 400: no such message;
 * 403: a challenge that is wrong or has expired, a chain that is not Apple's, another device's
 * attributes, an identity that was not issued for this enrolment. */
handler_fn ota_handle;

#endif
