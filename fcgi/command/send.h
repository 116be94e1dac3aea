/* send.h: queueing a command for many enrollments and pushing them: for the HTTP API, the console
 * and droverctl. */
#ifndef DROVER_COMMAND_SEND_H
#define DROVER_COMMAND_SEND_H

#include "base/uuid.h"
#include "command/raw.h"
#include "store/db.h"
#include "store/queue.h"
#include "wire/sign.h"

/* One enrollment that a caller names. */
struct target {
    const char *id;
    /* what became of it; NULL: nothing to tell */
    const char *push_error, *push_result, *command_error;
    /* private to send.c */
    int64_t enrollment_id; /* 0: unknown */
    char apns_id[UUID_LEN + 1];
    bool queued, has_ticket;
    uint8_t ticket[SIGN_TICKET_LEN];
};

struct sending {
    /* in */
    struct target *targets; /* made by send_targets(): sorted by id, none twice */
    size_t n;
    const struct raw_command *command; /* NULL: push only */
    bool push;
    bool no_wait; /* nobody waits for what becomes of the pushes: for the agent, which sends them */
    int priority;
    int64_t not_before, expires_at; /* 0: none */
    const char *dedupe_key;         /* NULL: none */
    enum dedupe dedupe;
    bool approved; /* a second person approved it, where [command] approval asks for that */
    const char *dropped, *reason;     /* see store/queue.h; NULL: none */
    int64_t retry_of;                 /* the same */
    const struct enqueue_note *notes; /* the same */
    size_t nnotes;
    /* out: what concerns all of them; NULL: nothing */
    const char *push_error, *command_error;
    bool used_before; /* the CommandUUID was: nothing was queued now */
    bool away;        /* because the database or the signer is */
};

/* Makes the targets of n ids (at most LIM_IDS), in the arena; the ids are kept by reference where
 * they are UTF-8. One that cannot be an enrollment id gets its errors here. ERROR: memory. */
enum outcome send_targets(struct arena *a, const char *const *ids, size_t n, struct sending *s,
                          struct err *err) MUST_USE;

/* Queues the command, wants the pushes, and waits for what becomes of them, at most two seconds:
 * a push that is on its way then has its apns-id as the result. An id that cannot be served gets an
 * error and does not keep the others from it. A ClearPasscode without UnlockToken gets a ticket of
 * the signer for each device. actor: for the audit log. Everything it tells is in the arena. */
void send_run(struct db *db, const struct conf *conf, struct arena *a, const char *actor,
              int64_t now, struct sending *s);

#endif
