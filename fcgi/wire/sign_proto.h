/*
 * sign_proto.h: what goes over the signer's sockets, for its two ends: wire/sign.c and
 * proc/signer.c. One request and one answer for each connection:
 *
 *   4 octets  length of what follows, big-endian, at most SIGN_MSG_MAX
 *   1 octet   SIGN_PROTO
 *   1 octet   request: enum sign_op; answer: enum outcome
 *   fields    each 4 octets of length and that many octets; numbers as 8 octets, big-endian
 *
 * An answer other than OK has one field: the reason.
 */
#ifndef DROVER_WIRE_SIGN_PROTO_H
#define DROVER_WIRE_SIGN_PROTO_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "wire/sign.h"

#define SIGN_PROTO 2
#define SIGN_MSG_MAX (2u * LIM_PROFILE) /* a profile grows with its signature */
#define SIGN_HEAD 4u
#define SIGN_ROLES 4

enum sign_op {
    SIGN_OP_PING = 1,
    SIGN_OP_CERTIFICATE,
    SIGN_OP_SCEP_OPEN,
    SIGN_OP_ISSUE,
    SIGN_OP_SCEP_REPLY,
    SIGN_OP_PROFILE,
    SIGN_OP_UNSEAL,
    SIGN_OP_TICKET,
    SIGN_OP_TICKET_END,
    SIGN_OP_DIGEST_CHECK,
    SIGN_OP_PKCS12,
    SIGN_OP_KEY_NEW,
    SIGN_OP_KEY_ADOPT,
    SIGN_OP_VENDOR_SIGN,
    SIGN_OP_TOTP_CHECK,
    SIGN_OP_AUTHORITIES,
    SIGN_OP_CA_CHANGE,
    SIGN_OP_NEXT_CA,
    SIGN_OP_CRL,
    SIGN_OP_CA_INIT,
    SIGN_OP__MAX
};

/* "mdm", "console", "agent", "ctl": the ROLE of signer-ROLE.sock. */
const char *sign_role_name(enum sign_role role);

/* Starts a message: b, empty, gets room for the length and the two first octets. */
void sign_msg_begin(struct buf *b, uint8_t code);
void sign_put_bytes(struct buf *b, struct bytes v);
void sign_put_str(struct buf *b, const char *s);
void sign_put_int(struct buf *b, int64_t v);
/* Writes the length. False: past the ceiling or out of memory. */
bool sign_msg_end(struct buf *b);

/* Takes the fields of a message apart. After a bad one everything reads as empty. */
struct sign_reader {
    struct bytes rest;
    bool bad;
};
/* msg: what follows the length. 0, and r->bad, when it is too short or of another version;
 * else its second octet. */
uint8_t sign_read_begin(struct sign_reader *r, struct bytes msg);
struct bytes sign_get_bytes(struct sign_reader *r);
/* A string in a; a NUL inside is bad. Never NULL. */
const char *sign_get_str(struct sign_reader *r, struct arena *a);
int64_t sign_get_int(struct sign_reader *r);
/* Everything was read, and nothing was bad? */
bool sign_read_done(const struct sign_reader *r);

#endif
