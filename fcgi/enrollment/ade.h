/* ade.h: automated device enrolment: the address that the Device Enrollment Program gives a device
 * as "url" (or ConfigurationURL) and as "configuration_web_url". */
#ifndef DROVER_ENROLLMENT_ADE_H
#define DROVER_ENROLLMENT_ADE_H

#include "http/app.h"

/* POST /enroll/ade or /enroll/ade/PROFILE: a device wants the enrolment profile of that name.
 *   200  the profile, signed; encrypted to the device when the profile says so
 *   400  no signed message of a device
 *   401  the profile demands a login: a Digest challenge, with a text that the device shows
 *   403  the device did not prove itself, is not assigned to this server, or contradicts what is
 *        known; or its system is too old, said as com.apple.softwareupdate.required
 *   404  no such profile; 503: something is away */
handler_fn ade_handle;

/* GET of the same addresses, with the header x-apple-aspen-deviceinfo: a device opens the page in a
 * web view (configuration_web_url); for an enrolment profile with login = web. Shows the login of
 * the web page ([enroll] login), or what the profile means. 400: no signed message of a device; 403
 * and 503 as ade_handle(). POST ADE_VIEW_PATH: the forms of that page; the last gives the profile.
 * 403: a form of another page, or a wrong password; 410: the view has expired. */
#define ADE_VIEW_PATH "/enroll/view"
handler_fn ade_view, ade_view_post;

struct way;
/* May this device have the profile that the path names, whoever holds it? Loads the profile. False:
 * w->resp holds the refusal. */
bool ade_admit(struct way *w);

#endif
