/* signer_int.h: what the files of the signer share. */
#ifndef DROVER_PROC_SIGNER_INT_H
#define DROVER_PROC_SIGNER_INT_H

#include <pthread.h>
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
#define SIGNER_AUTHORITIES_MAX 8
#define SIGNER_GENERATION_MAX 64

/* One generation of the device CA, and the RA that speaks SCEP for it. */
struct signer_authority {
    int generation;
    struct signer_pair ca, ra;
};

struct signer_keys {
    struct arena *arena;                                  /* the certificates */
    struct signer_authority auth[SIGNER_AUTHORITIES_MAX]; /* oldest first; they own their keys */
    size_t nauth;
    size_t now;                /* the one that issues */
    struct signer_pair ca, ra; /* its pairs once more */
    struct signer_pair profile;
    struct bytes chain[SIGNER_CHAIN_MAX]; /* goes into signed profiles */
    size_t nchain;
    struct seal_pair seal;
    int64_t ca_not_after;
};

/* Where and for whom files are made. */
struct signer_place {
    const char *dir;
    uid_t uid; /* -1 leaves the owner alone */
    gid_t gid;
};
/* The generation that issues: the file ca.current, 1 without it. */
enum outcome signer_generation_read(const char *dir, int *generation, struct err *err) MUST_USE;
/* Makes that generation the one that issues, whole or not at all. */
enum outcome signer_generation_write(const struct signer_place *at, int generation,
                                     struct err *err) MUST_USE;
/* "ca", or "ca-2" and so on. */
const char *signer_pair_name(char out[32], const char *what, int generation);
/* Makes what is missing of a generation: its CA, its RA and, with_profile, a profile signing
 * certificate. */
enum outcome signer_generation_make(const struct signer_place *at, const struct conf *conf,
                                    const char *organization, int generation, bool with_profile,
                                    struct err *err) MUST_USE;

/* Reads everything signer_setup() made and checks that keys and certificates belong together. The
 * chain is conf->profile_chain or, without it, the CA. */
enum outcome signer_keys_load(const struct conf *conf, struct signer_keys *k,
                              struct err *err) MUST_USE;
/* Is there nothing yet of what signer_setup() makes? A part of it is not nothing. */
bool signer_keys_none(const struct conf *conf);
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
    pthread_rwlock_t lock;          /* of keys: they change when the CA does */
    struct signer_keys keys;        /* nauth 0: there are none yet */
    struct signer_tickets *tickets; /* NULL: likewise */
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
/* NOT_FOUND: a signer that has no keys yet can do nothing but be asked whether it is there. */
enum outcome signer_no_keys(struct err *err);
/* Identities (signer_issue.c): rows of the table in signer_ops.c. */
enum outcome signer_op_issue(struct call *c, struct err *err);
enum outcome signer_op_pkcs12(struct call *c, struct err *err);
/* The CA's generations (signer_authority.c): rows of the table in signer_ops.c. */
enum outcome signer_op_authorities(struct call *c, struct err *err);
enum outcome signer_op_ca_change(struct call *c, struct err *err);
enum outcome signer_op_ca_init(struct call *c, struct err *err);
enum outcome signer_op_next_ca(struct call *c, struct err *err);
enum outcome signer_op_crl(struct call *c, struct err *err);
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
