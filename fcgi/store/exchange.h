/*
 * exchange.h: the hot path: a device polls, or reports and asks for more. One unit of work stores
 * the report, finds the next command and marks it as sent.
 *
 * An exchange runs from Idle to the empty answer. A command that was answered NotNow is not
 * offered again in it; the next Idle makes it eligible again.
 */
#ifndef DROVER_STORE_EXCHANGE_H
#define DROVER_STORE_EXCHANGE_H

#include "store/batch.h"
#include "store/who.h"

enum report_status {
    REPORT_IDLE,
    REPORT_ACKNOWLEDGED,
    REPORT_ERROR,
    REPORT_FORMAT_ERROR,
    REPORT_NOT_NOW
};

/* What the report did. */
enum report_effect {
    EFFECT_NONE,     /* Idle */
    EFFECT_STORED,   /* it is the command's result, or its NotNow is noted */
    EFFECT_REPEATED, /* said before: nothing changed */
    EFFECT_LATE,     /* result of a command that was cancelled, expired or given up */
    EFFECT_UNKNOWN   /* no such command for this enrollment */
};

struct exchange {
    struct unit unit;
    /* in */
    const struct ident *id;
    const uint8_t *sha256; /* fingerprint of the device's certificate, 32 octets */
    enum report_status status;
    const char *uuid;    /* CommandUUID; NULL with Idle */
    struct bytes report; /* the message as sent */
    bool only;           /* hand out only_command (0: none) and nothing else, to a certificate that
                          * is bound already */
    int64_t only_command;
    /* out, with outcome OK */
    struct who who;
    enum report_effect effect;
    struct bytes closed_ticket; /* the report closed a command that had a ticket: void it */
    int64_t command_id;         /* 0: nothing to do, the empty answer */
    const char *command_uuid, *request_type;
    struct bytes body, sealed; /* sealed: the command with its secrets; empty: it has none */
    int fill;                  /* COMMAND_FILL_*: what is to be filled in */
    int64_t fill_from;         /* as of the command (store/queue.h); 0: none */
    struct bytes ticket, unlock_token; /* with COMMAND_FILL_UNLOCK_TOKEN */
    /* private to exchange.c */
    int64_t next_command_; /* to be sent */
    bool reset_;           /* commands that were put off become eligible again */
    bool head_reported_;   /* the report is about the first open command: */
    struct open_command {
        int64_t command_id, state, queued_at, sent_count, notnow_count;
        struct val sent_at, notnow_at, ticket;
    } reported_;
};

/* Makes the unit ready for batch_do(); everything else of `in` is the caller's to set. */
void exchange_init(struct exchange *x, struct arena *arena, int64_t now, const uint8_t sha256[32],
                   const struct ident *id);

#endif
