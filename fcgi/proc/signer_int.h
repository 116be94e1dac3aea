/* signer_int.h: what the files of the signer share. */
#ifndef DROVER_PROC_SIGNER_INT_H
#define DROVER_PROC_SIGNER_INT_H

#include <stdatomic.h>
#include <sys/types.h>
#include "base/conf.h"
#include "base/log.h"
#include "wire/seal.h"
#include "wire/sign_proto.h"

/* A key and the certificate that goes with it. */
struct signer_pair {
    struct pkey *key;
    struct bytes cert;
};

#define SIGNER_CHAIN_MAX 8

struct signer_keys {
    struct arena *arena; /* the certificates */
    struct signer_pair ca, ra, profile;
    struct bytes chain[SIGNER_CHAIN_MAX]; /* goes into signed profiles */
    size_t nchain;
    struct seal_pair seal;
    int64_t ca_not_after;
};

/* Reads everything signer_setup() made and checks that keys and certificates belong together. The
 * chain is conf->profile_chain or, without it, the CA. */
enum outcome signer_keys_load(const struct conf *conf, struct signer_keys *k,
                              struct err *err) MUST_USE;
/* Wipes and frees. */
void signer_keys_free(struct signer_keys *k);

/* Tickets, see signer_ticket.c. All are safe for many threads. */
struct signer_tickets;
enum outcome signer_tickets_open(const char *dir, struct signer_tickets **out,
                                 struct err *err) MUST_USE;
void signer_tickets_free(struct signer_tickets **t);
struct signer_ticket {
    const char *purpose, *owner, *command_uuid;
    int64_t expires;
};
enum outcome signer_ticket_make(struct signer_tickets *t, const struct signer_ticket *ticket,
                                uint8_t out[SIGN_TICKET_LEN], struct err *err) MUST_USE;
/* Is this a ticket for that purpose, owner and command? NOT_FOUND, DENIED (made for another). */
enum outcome signer_ticket_check(struct signer_tickets *t, struct bytes ticket, const char *purpose,
                                 const char *owner, const char *command_uuid,
                                 struct err *err) MUST_USE;
enum outcome signer_ticket_end(struct signer_tickets *t, struct bytes ticket,
                               struct err *err) MUST_USE;
/* Removes the expired. */
void signer_tickets_sweep(struct signer_tickets *t);

struct signer {
    const struct conf *conf;
    struct signer_keys keys;
    struct signer_tickets *tickets;
    struct journal *journal;
    bool des; /* single DES can be opened */
};

/* Who asks. */
struct signer_peer {
    enum sign_role role;
    pid_t pid;
    uid_t uid;
};

/* One request being answered. */
struct call {
    struct signer *s;
    const struct signer_peer *peer;
    struct sign_reader in;
    struct arena *a;
    struct buf *out;
    /* for the log; NULL leaves it out */
    const char *purpose, *owner, *command, *detail;
};
/* INVALID: the fields of c->in are not those of the operation. */
enum outcome signer_bad_fields(struct err *err);
/* Keys of push certificates and of the MDM vendor (signer_push.c): rows of the table in
 * signer_ops.c. */
enum outcome signer_op_key_new(struct call *c, struct err *err);
enum outcome signer_op_key_adopt(struct call *c, struct err *err);
enum outcome signer_op_vendor_sign(struct call *c, struct err *err);

/* Answers the request msg (what follows the length) into out, a whole message. arena is the
 * thread's and is wiped afterwards by the caller. */
void signer_answer(struct signer *s, const struct signer_peer *peer, struct bytes msg,
                   struct arena *arena, struct buf *out);

#endif
