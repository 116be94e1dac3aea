/*
 * libhttpc.h: a small HTTP/1.1 client for thousands of devices on one loop: non-blocking sockets
 * and OpenSSL, each connection with its own client certificate, one shared set of trusted roots.
 *
 * Not wire/https.h, because a libcurl handle with its own TLS context for each device costs some
 * 100 kB, and because a simulator must be able to break an exchange in the middle on purpose.
 */
#ifndef DROVER_SIM_LIBHTTPC_H
#define DROVER_SIM_LIBHTTPC_H

#include "base/buf.h"
#include "libloop.h"

struct httpc;      /* what all connections share */
struct httpc_conn; /* one connection, kept open between the requests of an exchange */

/* ca_file: PEM certificates trusted besides the system's, or NULL. */
enum outcome httpc_new(struct loop *l, const char *ca_file, struct httpc **out,
                       struct err *err) MUST_USE;
void httpc_free(struct httpc **h);
/* Trusts one more certificate (DER) for every connection from now on. INVALID: no certificate. */
enum outcome httpc_trust(struct httpc *h, struct bytes der, struct err *err) MUST_USE;

enum httpc_break {
    HTTPC_WHOLE,      /* an honest exchange */
    HTTPC_CUT_BODY,   /* close after half of the body was sent */
    HTTPC_CUT_ANSWER, /* close when the whole request was sent, without reading the answer */
};

/* A piece of a body as it comes. */
struct httpc_piece {
    int status;
    int64_t length;    /* Content-Length; -1 when absent */
    const char *range; /* Content-Range, "" when absent */
    struct bytes octets;
};

struct httpc_request {
    const char *method, *url;
    const char *headers; /* complete lines, each ended by CR LF; "" for none */
    struct bytes body;
    struct bytes cert, key; /* DER: client certificate and private key; empty for none */
    int64_t timeout_us;     /* for connection, handshake and answer together */
    enum httpc_break breaking;
    /* Or NULL. Gets the body of a 200 or 206 piece by piece, and the result holds none; each piece
     * begins timeout_us anew. False: no more is wanted, the request ends UNAVAILABLE. It must not
     * send or close. */
    bool (*take)(void *arg, const struct httpc_piece *piece);
};

struct httpc_result {
    enum outcome
        outcome; /* OK: an answer came, whatever its status; UNAVAILABLE: none; DENIED:
                  * the server's certificate was not accepted; INVALID: bad URL or answer */
    int status;
    struct bytes body;
    struct bytes sent;        /* the request's body */
    const char *content_type; /* "" when absent */
    int retry_after;          /* seconds; -1 when absent */
    const char *authenticate; /* WWW-Authenticate, "" when absent */
    const char *cookie;       /* NAME=VALUE of the last Set-Cookie, "" when absent */
    const char *location;     /* of a redirection that was not followed; "" when absent */
    const char *error;        /* words, when not OK */
};
/* Called once for each request. It may send the next request over the same connection, or close
 * it; everything in r is valid until it returns. */
typedef void httpc_fn(void *arg, const struct httpc_result *r);

/* Sends a request over *c, opening (NULL) or re-opening it as needed; everything is copied. Follows
 * up to five redirections with the same method and body. A kept connection that turns out to be
 * closed is opened again once. fn is always called later, from the loop. */
void httpc_send(struct httpc *h, struct httpc_conn **c, const struct httpc_request *r, httpc_fn *fn,
                void *arg);
/* Closes and forgets; a request in flight is dropped without its fn being called. */
void httpc_close(struct httpc_conn **c);

#endif
