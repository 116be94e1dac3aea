/*
 * https.h: the one HTTP client, on libcurl's multi interface: HTTP/2 where offered, TLS verified,
 * client certificates from memory. Used by the agent (outgoing services) and by the simulators.
 * A handle belongs to one thread.
 */
#ifndef DROVER_WIRE_HTTPS_H
#define DROVER_WIRE_HTTPS_H

#include "base/arena.h"
#include "base/buf.h"

struct https; /* a set of connections: one libcurl multi handle */

struct https_tls {
    const char *ca_file;       /* PEM; "" is the system's store */
    struct bytes client_cert;  /* PEM, chain allowed; empty for none */
    struct bytes client_key;   /* PEM */
};

struct https_request {
    const char *method, *url;
    const char *const *headers; /* "Name: value" lines */
    size_t nheaders;
    struct bytes body;          /* kept by reference until done */
    const struct https_tls *tls; /* kept by reference */
    int64_t timeout_ms;
    size_t answer_max;          /* octets of body kept; more fails the request */
    bool http2_only;            /* one connection, many streams; no fall-back to HTTP/1.1 */
    void *arg;
};

struct https_answer {
    enum outcome outcome; /* OK: an answer came, whatever its status; UNAVAILABLE: no connection,
                           * time-out, reset; DENIED: the TLS handshake failed */
    int status;
    struct bytes body;      /* valid inside the callback */
    const char *error;      /* libcurl's words when not OK */
    /* The value of a response header, NULL when absent; valid inside the callback. */
    const char *(*header)(const struct https_answer *a, const char *name);
    void *priv_;
    void *arg;
};
typedef void https_done_fn(const struct https_answer *answer);

/* max_connections: per host; streams: concurrent requests on one HTTP/2 connection. */
enum outcome https_new(size_t max_connections, size_t streams, struct https **out,
                       struct err *err) MUST_USE;
void https_free(struct https **h);
/* Queues a request; done is called from https_run. */
enum outcome https_send(struct https *h, const struct https_request *r, https_done_fn *done,
                        struct err *err) MUST_USE;
/* Works for at most timeout_ms, or until every request is done; returns how many are in flight. */
size_t https_run(struct https *h, int timeout_ms);
/* One request, waited for; the body and headers are copied into a. */
enum outcome https_once(struct https *h, const struct https_request *r, struct arena *a,
                        int *status, struct bytes *body, struct err *err) MUST_USE;

#endif
