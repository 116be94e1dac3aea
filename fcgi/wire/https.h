/*
 * https.h: the one HTTP client, on libcurl's multi interface: HTTP/2 where offered, TLS verified,
 * client certificates from memory. Used by the agent (outgoing services) and by the simulators.
 * A handle belongs to one thread. No redirects are followed, no proxy is taken from the
 * environment, nothing is decompressed; names and connections get at most ten seconds.
 */
#ifndef DROVER_WIRE_HTTPS_H
#define DROVER_WIRE_HTTPS_H

#include "base/arena.h"
#include "base/buf.h"

struct https; /* a set of connections: one libcurl multi handle */

struct https_tls {
    const char *ca_file;      /* PEM; "" is the system's store */
    struct bytes client_cert; /* PEM, chain allowed; empty for none */
    struct bytes client_key;  /* PEM */
    bool any_certificate;     /* theirs is looked at, whoever signed it, and nothing they say is
                               * believed: to tell when it ends, even when it has. Never with a
                               * body or a client certificate */
};

struct https_request {
    const char *method, *url;
    const char *const *headers; /* "Name: value" lines */
    size_t nheaders;
    struct bytes body;           /* kept by reference until done */
    const struct https_tls *tls; /* kept by reference */
    int64_t timeout_ms;
    size_t answer_max; /* octets of body kept; more fails the request, */
    bool answer_cut;   /* unless its beginning is all that is wanted */
    /* Which addresses may be connected to: called with each numeric one, after the name was looked
     * up; NULL: all. A connection that stands is used again. */
    bool (*admit)(void *arg, const char *address);
    void *admit_arg;
    bool http2_only;  /* https: many streams, HTTP/2 without asking; no HTTP/1.1 */
    bool tell_expiry; /* fill expiry in the answer */
    void *arg;
};

struct https_answer {
    enum outcome outcome; /* OK: an answer came, whatever its status; UNAVAILABLE: no connection,
                           * time-out, reset; DENIED: TLS failed (a certificate, theirs or ours),
                           * or admit() said no;
                           * INVALID: a body longer than answer_max, a malformed URL */
    int status;
    struct bytes body;     /* valid inside the callback */
    const char *error;     /* libcurl's words when not OK */
    int64_t retry_after_s; /* what Retry-After says, in either of its forms; 0: nothing */
    const char *expiry;    /* when the server's certificate ends, "Nov 22 04:02:00 2027 GMT"; NULL
                            * unless asked for */
    /* The value of a response header, NULL when absent; valid inside the callback. */
    const char *(*header)(const struct https_answer *a, const char *name);
    void *priv_;
    void *arg;
};
typedef void https_done_fn(const struct https_answer *answer);

/* max_connections: per host; streams: concurrent requests on one HTTP/2 connection, unless the
 * server allows fewer. Client certificates do not share a connection: a handle with one connection
 * is for one certificate. */
enum outcome https_new(size_t max_connections, size_t streams, struct https **out,
                       struct err *err) MUST_USE;
/* Requests in flight are dropped; their done is not called. */
void https_free(struct https **h);
/* Queues a request; done is called from https_run, and may itself call https_send. */
enum outcome https_send(struct https *h, const struct https_request *r, https_done_fn *done,
                        struct err *err) MUST_USE;
/* Works for at most timeout_ms, or until every request is done; returns how many are in flight. */
size_t https_run(struct https *h, int timeout_ms);
/* Makes the https_run that another thread is in, or its next one, return soon. The one call that
 * any thread may make. */
void https_wake(struct https *h);
/* One request, waited for; the body is copied into a. The outcome and the words of err are those
 * of struct https_answer. Other requests in flight go on meanwhile. */
enum outcome https_once(struct https *h, const struct https_request *r, struct arena *a,
                        int *status, struct bytes *body, struct err *err) MUST_USE;

#endif
