/* send.h: queueing a command for many enrollments and pushing them, and NanoMDM's APIResult, which
 * tells what became of each. */
#ifndef DROVER_API_SEND_H
#define DROVER_API_SEND_H

#include "api/api.h"
#include "command/raw.h"
#include "store/queue.h"

/* One enrollment that a call names. */
struct target {
    const char *id;
    int64_t enrollment_id;                                /* 0: unknown */
    const char *push_error, *push_result, *command_error; /* NULL: none */
    char apns_id[40];                                     /* chosen here; "" when not pushed */
    bool queued;
    uint8_t ticket[32]; /* the signer's, with a command that needs one */
    bool has_ticket;
};

struct send {
    struct target *targets; /* sorted by id, none twice */
    size_t n;
    const struct raw_command *command; /* NULL: push only */
    bool push;
    int priority;
    int64_t not_before, expires_at; /* 0: none */
    const char *dedupe_key;
    enum dedupe dedupe;
    /* what concerns all of them; NULL: nothing */
    const char *push_error, *command_error;
    bool away; /* because the database or the signer is */
};

/* The ids of a path: what follows prefix, split at commas, escaped ones too, each decoded. An id
 * that cannot be one gets its errors here. False: resp holds the refusal. */
bool send_targets_path(struct req *req, struct resp *resp, const char *prefix, struct send *s);
/* The ids of a JSON list. */
bool send_targets_list(struct req *req, struct resp *resp, const char *const *ids, size_t n,
                       struct send *s);

/* Queues the command, wants the pushes, waits for what becomes of them (at most two seconds), and
 * answers: 200 without errors, 207 when some ids have one, 500 when all do or something concerns
 * them all (503 when the database is away). */
void send_run(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
              struct send *s);
/* Only the answer. */
void send_answer(struct resp *resp, const struct send *s);

#endif
