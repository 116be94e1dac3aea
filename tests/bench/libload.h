/* libload.h: the load generator's parts: requests over kept connections, and the devices' requests.
 */
#ifndef DROVER_BENCH_LIBLOAD_H
#define DROVER_BENCH_LIBLOAD_H

#include "base/buf.h"
#include <stdint.h>

/* ---------------------------------------------------------------- libengine.c */

struct answer {
    int status;
    struct bytes body; /* valid until the next request of the same lane */
};

/* A lane is one connection with one request in flight. next() gives a lane's next request (octets
 * that stay valid until its answer), or false when the lane has nothing left to do. done() judges
 * the answer: false counts it as an error. */
struct work {
    bool (*next)(void *arg, unsigned lane, struct bytes *request);
    bool (*done)(void *arg, unsigned lane, const struct answer *a);
    void *arg;
};

struct engine;
/* host: a numeric address; port: decimal. */
enum outcome engine_new(const char *host, const char *port, unsigned lanes, struct engine **out,
                        struct err *err) MUST_USE;
/* Runs until every lane has nothing left to do, or `seconds` are over, or `requests` were answered
 * (0: no such end); adds to what was measured. ERROR: a connection could not be kept. */
enum outcome engine_run(struct engine *e, const struct work *w, double seconds, uint64_t requests,
                        struct err *err) MUST_USE;
/* What was measured so far, as members of a JSON object without its braces. */
void engine_report(struct engine *e, struct buf *out);
uint64_t engine_requests(const struct engine *e);
double engine_seconds(const struct engine *e);
uint64_t engine_errors(const struct engine *e);
void engine_free(struct engine **e);

/* ---------------------------------------------------------------- libcrowd.c */

/*
 * The crowd: a folder of simulated identities, made once.
 *   ca.pem, ca.key     the throw-away CA that signed them
 *   key.pem            the key pair they share (decided for speed: a server sees certificates only)
 *   identities         a line for each: certificate in base64. Identity j belongs to device
 *                      j modulo the number of devices
 *   devices            how many devices there are
 *   current            a number for each device: its present identity; -1: never enrolled
 */
struct crowd {
    unsigned devices, identities;
    char **cert;   /* base64, by identity */
    int *current;  /* identity, by device */
    unsigned next; /* the identity that the next enrolment uses */
    char dir[4000];
};

enum outcome crowd_make(const char *dir, unsigned devices, unsigned identities,
                        struct err *err) MUST_USE;
enum outcome crowd_load(const char *dir, struct crowd **out, struct err *err) MUST_USE;
/* Writes `current`. */
enum outcome crowd_save(const struct crowd *c, struct err *err) MUST_USE;
void crowd_free(struct crowd **c);

enum crowd_message {
    CROWD_IDLE,
    CROWD_AUTHENTICATE,
    CROWD_TOKEN_UPDATE,
    CROWD_ACKNOWLEDGED,
    CROWD_NOT_NOW
};
/* Where and how requests go. */
struct crowd_route {
    const char *host; /* for the Host header */
    const char *path; /* "/mdm", or with a prefix */
    bool sign;        /* Mdm-Signature instead of Client-Cert */
};
/* Adds a complete HTTP request of a device with one of its identities. uuid: of the command, for
 * CROWD_ACKNOWLEDGED and CROWD_NOT_NOW. serial: makes push tokens differ. */
enum outcome crowd_request(const struct crowd *c, const struct crowd_route *r, enum crowd_message m,
                           unsigned device, unsigned identity, const char *uuid, unsigned serial,
                           struct buf *out, struct err *err) MUST_USE;

#endif
