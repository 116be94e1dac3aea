/* libpipe.h: one non-blocking stream, plain TCP or TLS, on a loop. Used by libhttpc.c. */
#ifndef DROVER_SIM_LIBPIPE_H
#define DROVER_SIM_LIBPIPE_H

#include "base/bytes.h"
#include "libloop.h"
#include <sys/types.h>

struct pipe_ctx; /* trusted roots and resolved addresses, shared by all pipes */
struct pipe;

#define PIPE_WAIT (-2) /* nothing now; the function given to pipe_open will be called */

enum outcome pipe_ctx_new(struct loop *l, const char *ca_file, struct pipe_ctx **out,
                          struct err *err) MUST_USE;
void pipe_ctx_free(struct pipe_ctx **c);
enum outcome pipe_ctx_trust(struct pipe_ctx *c, struct bytes der, struct err *err) MUST_USE;

struct pipe_to {
    const char *host, *port;
    bool tls;
    struct bytes cert, key; /* DER; may be empty */
};
/* Starts to connect. fn(arg) is called whenever the pipe can go on. */
enum outcome pipe_open(struct pipe_ctx *c, const struct pipe_to *to, void (*fn)(void *arg),
                       void *arg, struct pipe **out, struct err *err) MUST_USE;
/* 1: connected (and the handshake done), 0: wait, -1: failed. */
int pipe_ready(struct pipe *p);
/* Octets moved, PIPE_WAIT, or -1; pipe_read gives 0 at the end. */
ssize_t pipe_read(struct pipe *p, void *to, size_t n);
ssize_t pipe_write(struct pipe *p, const void *from, size_t n);
/* Stops waiting for anything until the next read or write. */
void pipe_rest(struct pipe *p);
/* Why it failed. */
enum outcome pipe_outcome(const struct pipe *p);
const char *pipe_error(const struct pipe *p);
void pipe_free(struct pipe **p);

#endif
