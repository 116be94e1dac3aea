/* client_cert.h: a client certificate as web servers and proxies hand it on. */
#ifndef DROVER_HTTP_CLIENT_CERT_H
#define DROVER_HTTP_CLIENT_CERT_H

#include "base/arena.h"
#include "base/err.h"

#define CLIENT_CERT_MAX 8 /* a leaf and its chain */

/* Decodes the text of a server variable or header: PEM (its newlines may have become spaces, tabs,
 * or '+'), PEM in URL escapes (nginx, load balancers), an RFC 9440 byte sequence (":base64:"), or
 * plain DER. der[0] is the client's own certificate, the others its chain; at most
 * CLIENT_CERT_MAX, the octets in a. The DER itself is not looked into.
 * INVALID: none of these, or broken; ERROR: memory. */
enum outcome client_cert_decode(struct arena *a, struct bytes text,
                                struct bytes der[CLIENT_CERT_MAX], size_t *n,
                                struct err *err) MUST_USE;

#endif
