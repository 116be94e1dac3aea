/* probe.h: GET or POST /healthz/identity on the device host, for droverctl doctor. */
#ifndef DROVER_ROUTE_PROBE_H
#define DROVER_ROUTE_PROBE_H

#include "http/app.h"

/* Tells the caller, and nobody else, which of the ways to show an identity have reached this
 * program with its own request, as JSON: "variable" and "proxy" with the SHA-256 of the
 * certificate, "signature" with that of the header, what the web server thinks of the certificate,
 * the caller's address, and whether a proxy there would be believed. Nothing is stored. */
handler_fn probe_handle;

#endif
