/* libdigest.h: the client's side of HTTP Digest (RFC 7616, qop=auth), for simulated people. */
#ifndef DROVER_SIM_LIBDIGEST_H
#define DROVER_SIM_LIBDIGEST_H

#include <stdbool.h>
#include <stddef.h>

/* A parameter NAME="VALUE" or NAME=VALUE of a challenge. False: absent or too long. */
bool challenge_value(const char *challenge, const char *name, char *out, size_t max);

struct digest_reply {
    const char *challenge, *name, *password, *method, *uri;
    unsigned count; /* nc */
};
/* Writes "Digest username=...". False: the challenge is none, or out is too small. */
bool digest_reply(const struct digest_reply *r, char *out, size_t max);

#endif
