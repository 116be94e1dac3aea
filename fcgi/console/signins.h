/* signins.h: wrong passwords and sessions, as pages show them. */
#ifndef DROVER_CONSOLE_SIGNINS_H
#define DROVER_CONSOLE_SIGNINS_H

#include "console/page.h"
#include "store/throttle.h"

/* Sets "throttles" of the page, as templates/throttles.html shows them. */
void signins_throttles(struct page *p, const struct throttled *t, size_t n);
/* The same of the wrong passwords for an administrator. */
enum outcome signins_of(struct page *p, const char *admin) MUST_USE;
/* Sets "sessions" of the page: those of an administrator that are not over; *n counts them. */
enum outcome signins_sessions(struct page *p, const char *admin, size_t *n) MUST_USE;

#endif
